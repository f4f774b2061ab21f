"""Causal language models from Hugging Face: extracted on texts, and compared with never more than one in memory."""

import gc
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import nn

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.extraction import extract
from closedist.extraction.batches import inputs_digest, model_digest, read_batches
from closedist.extraction.files import extraction_record
from closedist.extraction.first_batch import RowsNotFiniteError
from closedist.extraction.hugging_face import read_causal_model
from closedist.extraction.positions import Positions
from closedist.extraction.texts import Text, Vocabulary, read_vocabulary, token_windows
from closedist.measures.settings import DEFAULTS, Settings
from closedist.pairs import measure_pairs
from closedist.representations import Representations
from closedist.representations.alignment import over_same_labels

DTYPES = ("auto", "float32", "bfloat16", "float16")
NanLabels = Literal["error", "ignore"]
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


def extract_language_model(
    model: str,
    text: Text,
    output: Path,
    *,
    dtype: str = "auto",
    device: str = "cpu",
    nan_labels: NanLabels = "error",
) -> Representations:
    """Write a language model's representations on texts: every position is an input, every token a label.

    A file that already holds this model on these texts is kept, a stopped extraction goes on.

    Args:
        model: a folder or a name that ``transformers`` knows.
        text: what it reads.
        output: the safetensors file.
        dtype: of the weights: auto (as stored), float32, bfloat16 or float16.
        device: where it runs, such as cpu or cuda.
        nan_labels: what to do where the head's rows of tokens are not finite: stop, or leave these tokens out. Such
            rows of no token are always left out.

    Returns:
        The representations, mapped from the file; label names are the tokens.

    Raises:
        InputError: ``transformers`` is not installed, the model or a text cannot be read, or the model is not a member
            of the family.
    """
    vocabulary = read_vocabulary(model, text.tokenizer)
    windows = token_windows(vocabulary, text)
    return _extract(model, vocabulary, windows, text.positions, output, dtype, device, nan_labels)


def compare_language_models(
    first: str,
    second: str,
    text: Text,
    *,
    dtype: str = "auto",
    device: str = "cpu",
    folder: Path | None = None,
    num_pivots: int | None = None,
    nan_labels: NanLabels = "error",
    settings: Settings = DEFAULTS,
) -> ModelComparison:
    """Compare two language models on texts, one after the other in memory, their embeddings on disk.

    Args:
        first, second: folders or names that ``transformers`` knows.
        text: what both read.
        dtype, device, nan_labels: as in :func:`extract_language_model`.
        folder: keep the two representations here, as first.safetensors and second.safetensors, so that a stopped
            comparison goes on; by default they are deleted.
        num_pivots: choose the pivot label among so many of the texts' most frequent tokens; by default among all.
        settings: how they are compared; seed, weight and the like.

    Raises:
        InputError: as :func:`extract_language_model`, or the vocabularies differ.
    """
    vocabularies = read_vocabulary(first, text.tokenizer), read_vocabulary(second, text.tokenizer)
    _check_vocabularies(vocabularies, (first, second))
    limits = [limit for limit in (vocabulary.max_context for vocabulary in vocabularies) if limit is not None]
    windows = token_windows(vocabularies[0], text, max_context=min(limits, default=None))
    if windows != token_windows(vocabularies[1], text, max_context=min(limits, default=None)):
        raise InputError(f"{second} splits the texts into other tokens than {first}; models must read the same inputs")
    if num_pivots is not None and num_pivots < 1:
        raise InputError(f"num_pivots: {num_pivots}; at least 1 is needed")
    with _kept_or_temporary(folder) as place:
        models = [
            _extract(
                model, vocabulary, windows, text.positions, place / f"{role}.safetensors", dtype, device, nan_labels
            )
            for role, model, vocabulary in zip(("first", "second"), (first, second), vocabularies, strict=True)
        ]
        aligned, note = over_same_labels(_without_left_out(models, vocabularies), (first, second))
        if num_pivots is not None:
            pivots = _most_frequent(windows, vocabularies[0].names, aligned[0].label_names, num_pivots)
            settings = replace(settings, pivots=pivots)
        return ModelComparison(measure_pairs(aligned, None, settings)[0], note)


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


def _most_frequent(
    windows: Sequence[tuple[int, ...]], tokens: Sequence[str], labels: NDArray[Any] | None, count: int
) -> list[int]:
    """The labels of the most frequent tokens of the texts, so many of those that are labels."""
    number = {str(label): index for index, label in enumerate([] if labels is None else labels)}
    seen = Counter(token for window in windows for token in window)
    return [number[tokens[token]] for token, _ in seen.most_common() if tokens[token] in number][:count]


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
    windows: Sequence[tuple[int, ...]],
    positions: Positions,
    output: Path,
    dtype: str,
    device: str,
    nan_labels: NanLabels,
) -> Representations:
    """Load a model, extract it and let go of it."""
    batches = _batches(windows)
    model = _load(name, dtype, device)
    if output.is_file():
        record = extraction_record(output)
        same = {"model": model_digest(model), "positions": positions, "inputs": inputs_digest(read_batches(batches))}
        if {key: record.get(key) for key in same} == same:
            log.info("%s already holds %s on these texts", output, name)
            return Representations.load(output)
    names = vocabulary.names
    try:
        return extract(model, batches, file=output, positions=positions, label_names=names)
    except RowsNotFiniteError as error:
        labels = _without(error, vocabulary, name, nan_labels)
        kept = [names[label] for label in labels]
        return extract(model, batches, file=output, positions=positions, labels=labels, label_names=kept)
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


def _load(name: str, dtype: str, device: str) -> nn.Module:
    if dtype not in DTYPES:
        raise InputError(f"dtype: {dtype!r}; it is one of {', '.join(DTYPES)}")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: {device!r} is none that PyTorch can use here; cpu always is") from error
    return read_causal_model(name, dtype).to(place)


def _check_vocabularies(vocabularies: tuple[Vocabulary, Vocabulary], names: tuple[str, str]) -> None:
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
