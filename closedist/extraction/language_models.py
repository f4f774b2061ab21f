"""Causal language models from Hugging Face: extracted on texts, and compared with never more than one in memory."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from closedist.certainty.groups import FEWEST
from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.extraction import extract
from closedist.extraction.batches import inputs_digest, model_digest, read_batches
from closedist.extraction.files import extraction_record
from closedist.extraction.first_batch import RowsNotFiniteError
from closedist.extraction.hugging_face import AS_STORED, Loading, NanLabels, load_causal_model
from closedist.extraction.positions import Positions
from closedist.extraction.texts import Text, Vocabulary, Windows, read_vocabulary, token_windows
from closedist.measures.settings import DEFAULTS, Settings
from closedist.pairs import measure_alone
from closedist.representations import Representations
from closedist.representations.alignment import over_same_labels
from closedist.representations.names import model_names

_POSITIONS_AT_ONCE = 4096

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelComparison:
    """Two language models compared.

    Attributes:
        comparison: what ``closedist.compare`` says.
        note: which labels were left out because one vocabulary is padded, or "".
    """

    comparison: Comparison
    note: str


@dataclass(frozen=True)
class Extracted:
    """Models on the same texts.

    Attributes:
        models: over the labels that all have.
        note: which labels were left out because a vocabulary is padded, or "".
        windows: what they read.
        vocabulary: of the first.
    """

    models: list[Representations]
    note: str
    windows: Windows
    vocabulary: Vocabulary

    def most_frequent(self, count: int) -> list[int]:
        """The labels of the most frequent tokens of the texts, so many of those that are labels.

        Raises:
            InputError: less than one is asked for.
        """
        if count < 1:
            raise InputError(f"num_pivots: {count}; at least 1 is needed")
        label_of = self.label_of
        seen = Counter(token for window in self.windows.tokens for token in window)
        return [label_of[token] for token, _ in seen.most_common() if token in label_of][:count]

    @property
    def label_of(self) -> dict[int, int]:
        """The label of each token id that is one."""
        return {token: label for label, token in enumerate(self.token_of)}

    @cached_property
    def token_of(self) -> list[int]:
        """The token id of each label."""
        labels = self.models[0].label_names
        number = {name: token for token, name in enumerate(self.vocabulary.names)}
        return [number[label] for label in ([] if labels is None else labels.tolist())]


Look = Callable[[Extracted, Settings, Comparison | None], None]


def extract_language_model(model: str, text: Text, output: Path, loading: Loading = AS_STORED) -> Representations:
    """Write a language model's representations on texts: every position is an input, every token a label.

    A file that already holds this model on these texts is kept, a stopped extraction goes on.

    Args:
        model: a folder or a name that ``transformers`` knows.
        text: what it reads.
        output: the safetensors file.
        loading: how its weights are read.

    Returns:
        The representations, mapped from the file; label names are the tokens.

    Raises:
        InputError: ``transformers`` is not installed, the model or a text cannot be read, or the model is not a member
            of the family.
    """
    vocabulary = read_vocabulary(model, text.tokenizer)
    return _extract(model, vocabulary, token_windows(vocabulary, text), text.positions, output, loading)


def compare_language_models(
    first: str,
    second: str,
    text: Text,
    loading: Loading = AS_STORED,
    *,
    folder: Path | None = None,
    num_pivots: int | None = None,
    settings: Settings = DEFAULTS,
    intervals: bool = False,
    look: Look | None = None,
) -> ModelComparison:
    """Compare two language models on texts, one after the other in memory, their embeddings on disk.

    Args:
        first, second: folders or names that ``transformers`` knows.
        text: what both read.
        loading: as in :func:`extract_language_model`.
        folder: keep the two representations here, as first.safetensors and second.safetensors, so that a stopped
            comparison goes on; by default they are deleted.
        num_pivots: choose the pivot label among so many of the texts' most frequent tokens; by default among all.
        settings: how they are compared; seed, weight and the like.
        intervals: whether to measure how sure the numbers are, by leaving out texts, where there are 8 or more, or else
            blocks of whole windows.
        look: called with what was extracted, the settings and the comparison, while the representations are there.

    Raises:
        InputError: as :func:`extract_language_model`, or the vocabularies differ.
    """
    with extracted({"first": first, "second": second}, text, loading, folder) as found:
        if num_pivots is not None:
            settings = replace(settings, pivots=found.most_frequent(num_pivots))
        comparison = measure_alone(found.models, model_names(2), settings, intervals=intervals)
        if look is not None:
            look(found, settings, comparison)
        return ModelComparison(comparison, found.note)


@contextmanager
def extracted(models: Mapping[str, str], text: Text, loading: Loading, folder: Path | None) -> Iterator[Extracted]:
    """Extract models on the same texts, never more than one in memory.

    Args:
        models: folders or names that ``transformers`` knows, by the names of their files without the ending.
        text: what all read.
        loading: how weights are read.
        folder: where the files stay; by default they are gone when the block ends.

    Raises:
        InputError: as :func:`extract_language_model`, or the vocabularies differ.
    """
    names = list(models.values())
    vocabularies = [read_vocabulary(name, text.tokenizer) for name in names]
    _check_vocabularies(vocabularies, names)
    limits = [limit for limit in (vocabulary.max_context for vocabulary in vocabularies) if limit is not None]
    windows = token_windows(vocabularies[0], text, max_context=min(limits, default=None))
    for name, vocabulary in zip(names[1:], vocabularies[1:], strict=True):
        if windows != token_windows(vocabulary, text, max_context=min(limits, default=None)):
            raise InputError(
                f"{name} splits the texts into other tokens than {names[0]}; models must read the same inputs"
            )
    with _kept_or_temporary(folder) as place:
        members = [
            _extract(name, vocabulary, windows, text.positions, place / f"{file}.safetensors", loading)
            for (file, name), vocabulary in zip(models.items(), vocabularies, strict=True)
        ]
        aligned, note = over_same_labels(_without_left_out(members, vocabularies), names)
        yield Extracted(aligned, note, windows, vocabularies[0])


def _without_left_out(
    models: Sequence[Representations], vocabularies: Sequence[Vocabulary]
) -> Sequence[Representations]:
    """All models without the tokens that any was extracted without."""
    labels = [() if model.label_names is None else model.label_names.tolist() for model in models]
    absent = {name for names, own in zip(vocabularies, labels, strict=True) for name in {*names.names} - {*own}}
    if not absent:
        return models
    kept = [[index for index, name in enumerate(own) if name not in absent] for own in labels]
    return [model.at(labels=which) for model, which in zip(models, kept, strict=True)]


def _batches(windows: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    """Sequences of equal length together; the first one alone, because the self-check computes all its logits."""
    groups: list[list[tuple[int, ...]]] = []
    for number, window in enumerate(windows):
        full = number == 1 or (bool(groups) and (len(groups[-1]) + 1) * len(window) > _POSITIONS_AT_ONCE)
        if not groups or full or len(groups[-1][0]) != len(window):
            groups.append([])
        groups[-1].append(window)
    return [{"input_ids": torch.tensor(group), "use_cache": False} for group in groups]


def _extract(
    name: str,
    vocabulary: Vocabulary,
    windows: Windows,
    positions: Positions,
    output: Path,
    loading: Loading,
) -> Representations:
    """Load a model, extract it and let go of it."""
    batches = _batches(windows.tokens)
    model = load_causal_model(name, loading)
    if output.is_file():
        record = extraction_record(output)
        same = {"model": model_digest(model), "positions": positions, "inputs": inputs_digest(read_batches(batches))}
        if {key: record.get(key) for key in same} == same:
            log.info("%s already holds %s on these texts", output, name)
            return Representations.load(output)
    names = vocabulary.names
    texts = windows.documents
    groups = texts if len(set(texts)) >= FEWEST else None  # of fewer texts blocks of windows are left out
    try:
        return extract(model, batches, file=output, positions=positions, label_names=names, groups=groups)
    except RowsNotFiniteError as error:
        labels = _without(error, vocabulary, name, loading.nan_labels)
        kept = [names[label] for label in labels]
        told: dict[str, Any] = {"labels": labels, "label_names": kept, "groups": groups}
        return extract(model, batches, file=output, positions=positions, **told)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    finally:
        del model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _without(error: RowsNotFiniteError, vocabulary: Vocabulary, name: str, nan_labels: NanLabels) -> list[int]:
    """The labels but for those whose rows are not finite.

    Raises:
        InputError: one of them is a token's, and these are to stop an extraction.
    """
    tokens = [label for label in error.labels if label not in set(vocabulary.unused)]
    if tokens and nan_labels == "error":
        raise InputError(
            f"{name}: the rows of {len(tokens):,} tokens in its head are not finite, the first that of "
            f"{vocabulary.names[tokens[0]]!r} (label {tokens[0]}); leave these tokens out with --nan-labels ignore, "
            "or give a whole copy of the model"
        ) from error
    log.warning(
        "%s: %d rows of its head are not finite, %s; left out",
        name,
        len(error.labels),
        f"{len(tokens)} of them of tokens" if tokens else "which belong to no token",
    )
    wrong = set(error.labels)
    return [label for label in range(error.count) if label not in wrong]


def _check_vocabularies(vocabularies: Sequence[Vocabulary], names: Sequence[str]) -> None:
    """Find out that vocabularies differ before any weights are read."""
    ones = [torch.ones(vocabulary.size, 1) for vocabulary in vocabularies]
    over_same_labels(
        [
            Representations(torch.ones(1, 1), one, label_names=vocabulary.names)
            for one, vocabulary in zip(ones, vocabularies, strict=True)
        ],
        names,
    )


@contextmanager
def _kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with TemporaryDirectory(prefix="closedist-") as temporary:
        yield Path(temporary)
