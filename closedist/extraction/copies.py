"""One reference and many copies of it, quantised, pruned or tuned: which of them says what the reference says?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.certainty.groups import FEWEST, Groups, given_groups, sequence_blocks
from closedist.certainty.intervals import LOG, SHARE, jackknife
from closedist.certainty.of_pairs import effective_number, means_without
from closedist.comparison import Comparison
from closedist.comparison.copies import Copy
from closedist.errors import InputError
from closedist.extraction.files import distinct_names
from closedist.extraction.hugging_face import AS_STORED, Loading
from closedist.extraction.language_models import Extracted, Look, extracted
from closedist.extraction.texts import Text, Windows
from closedist.measures.by_input import ByInput, by_input, quantiles
from closedist.measures.settings import DEFAULTS, Settings
from closedist.pairs import measure_pairs
from closedist.representations import Representations

NUM_PIVOTS = 64  # of the texts' most frequent tokens: with a real vocabulary all pivots take hours

FEW = 20  # inputs a dimension, below which canonical correlations come out too large
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Where each of N inputs is.

    Attributes:
        document: (N,) which of the texts, by its number.
        sequence: (N,) which sequence of tokens, over all texts.
        offset: (N,) which token of the sequence.
        position: (N,) which token of the document, counting those that begin its sequences.
        token: (N,) the id of the token there.
        following: (N,) that of the next token of the sequence, −1 where it ends.
    """

    document: Integers
    sequence: Integers
    offset: Integers
    position: Integers
    token: Integers
    following: Integers


@dataclass(frozen=True)
class ByToken:
    """A copy beside the reference at each of N inputs.

    Attributes:
        name: of the copy.
        kl: (N,) KL from the reference to the copy, of the token that follows, in nats.
        top, other_top: (N,) the id of the token that the reference and the copy think likeliest to follow.
    """

    name: str
    kl: NDArray[np.float64]
    top: Integers
    other_top: Integers


@dataclass(frozen=True)
class Copies:
    """Copies of one reference on the same texts, the closest first.

    Attributes:
        reference: what to call it.
        perplexity: of the reference; None where no input has a next token in its sequence.
        rows: one a copy, by ascending KL.
        by_token: the same copies in the same order, input by input.
        places: where the inputs are.
        windows: the sequences that were read.
        tokenizer: of ``transformers``.
        spelled: every token by its id.
        num_labels: over how many tokens distributions are compared.
        notes: how intervals were made, and what was left out.
    """

    reference: str
    perplexity: float | None
    rows: list[Copy]
    by_token: list[ByToken]
    places: Places
    windows: Windows
    tokenizer: Any
    spelled: list[str]
    num_labels: int
    notes: list[str]


def compare_copies(
    reference: str,
    others: Sequence[str],
    text: Text,
    loading: Loading = AS_STORED,
    *,
    folder: Path | None = None,
    num_pivots: int = NUM_PIVOTS,
    settings: Settings = DEFAULTS,
    look: Look | None = None,
) -> Copies:
    """Compare copies of a language model with it on texts; the reference is extracted once.

    Models are in memory one after the other, their embeddings on disk, and log-likelihoods only of a few positions of
    the reference and one copy at a time.

    Args:
        reference, others: folders or names that ``transformers`` knows.
        text: what all read.
        loading: how weights are read.
        folder: keep the representations here, each under its model's name, so that a stopped comparison goes on and one
            with further copies extracts only these; by default they are deleted.
        num_pivots: choose the pivot label of d_LLV among so many of the texts' most frequent tokens.
        settings: how d_LLV and the certificate are found; pivots are those of ``num_pivots``.
        look: called with what was extracted and the settings, while the representations are there.

    Raises:
        InputError: as ``extract_language_model``, the vocabularies differ, or no copy is named.
    """
    if not others:
        raise InputError("compare-models: one model; name one or more copies of it, after it")
    names = distinct_names([Path(one) for one in (reference, *others)])
    files = [name.replace("/", "--").replace("\\", "--") for name in names]
    with extracted(dict(zip(files, (reference, *others), strict=True)), text, loading, folder) as found:
        places = places_of(found.models[0], found.windows)
        following = _labels(found, places.following)
        groups, how = _groups(places)
        settings = replace(settings, pivots=found.most_frequent(num_pivots))
        settings = replace(settings, num_subsets=settings.num_subsets or 1)  # no row shows what a search would find
        pairs = [(0, other) for other in range(1, len(names))]
        compared = measure_pairs(found.models, pairs, settings, names)
        rows, by_token, perplexities = [], [], []
        for name, member, comparison in zip(names[1:], found.models[1:], compared, strict=True):
            seen = by_input([found.models[0], member], following)
            perplexities = [_perplexity(own) for own in seen.given]
            rows.append(_row(name, seen, comparison, perplexities, groups))
            token_of = np.array(found.token_of)
            by_token.append(ByToken(name, seen.kl.cpu().numpy(), *token_of[seen.top.cpu().numpy()]))
        if look is not None:
            look(found, settings, None)
        order = sorted(range(len(rows)), key=lambda index: rows[index].kl)
        return Copies(
            reference=names[0],
            perplexity=perplexities[0],
            rows=[rows[index] for index in order],
            by_token=[by_token[index] for index in order],
            places=places,
            windows=found.windows,
            tokenizer=found.vocabulary.tokenizer,
            spelled=found.vocabulary.names,
            num_labels=found.models[0].num_labels,
            notes=[note for note in (how, _few(found.models), _unread(text, found.windows), found.note) if note],
        )


def places_of(model: Representations, windows: Windows) -> Places:
    """Where the inputs of a model that read these windows are."""
    ids = np.asarray(model.input_ids)
    sequence, offset = ids[:, 0], ids[:, 1]
    documents = np.array(windows.documents)
    first = np.searchsorted(documents, documents)  # the first sequence of each one's document
    tokens = [windows.tokens[s][o] for s, o in ids.tolist()]
    following = [windows.tokens[s][o + 1] if o + 1 < len(windows.tokens[s]) else -1 for s, o in ids.tolist()]
    return Places(
        document=documents[sequence],
        sequence=sequence,
        offset=offset,
        position=(sequence - first[sequence]) * windows.context + offset,
        token=np.array(tokens),
        following=np.array(following),
    )


def _labels(found: Extracted, tokens: Integers) -> Tensor:
    """(N,) the labels of token ids, −1 where a token is none."""
    label_of = found.label_of
    return torch.tensor([label_of.get(token, -1) for token in tokens.tolist()])


def _groups(places: Places) -> tuple[Groups | None, str]:
    """The documents where there are enough, else blocks of whole sequences, else none; and a sentence on it."""
    texts, sequences = len(np.unique(places.document)), len(np.unique(places.sequence))
    if texts >= FEWEST:
        groups = given_groups(places.document, len(places.document))
        return groups, f"95 % intervals: over the {texts} texts, as if drawn from many (jackknife)."
    if sequences < FEWEST:
        return None, f"No intervals: {sequences} sequences, {FEWEST} are needed; give more text or a smaller --context."
    groups = sequence_blocks(places.sequence)
    blocks = len(groups.sizes)
    return (
        groups,
        f"95 % intervals: over {blocks} blocks of whole sequences; from {FEWEST} texts on, over texts (jackknife).",
    )


def _few(models: Sequence[Representations]) -> str:
    """A warning of canonical correlations on too few inputs."""
    dimension = max(model.dimension for model in models)
    enough = FEW * dimension
    if models[0].num_inputs >= enough:
        return ""
    return (
        f"m_CCA is too large where inputs are fewer than {FEW} a dimension: read {enough:,} positions (--max-tokens)."
    )


def _unread(text: Text, windows: Windows) -> str:
    """A sentence on the texts that were not read."""
    read = max(windows.documents) + 1
    if read == len(text.files):
        return ""
    first = "first" if read == 1 else f"first {read}"
    were = "was" if read == 1 else "were"
    return f"Only the {first} of {len(text.files)} texts {were} read: --max-tokens {text.max_tokens} ends there."


def _perplexity(log_likelihoods: Tensor) -> float | None:
    known = log_likelihoods[~log_likelihoods.isnan()]
    return math.exp(-float(known.mean())) if len(known) else None


def _row(
    name: str, seen: ByInput, comparison: Comparison, perplexities: Sequence[float | None], groups: Groups | None
) -> Copy:
    kl = seen.kl.mean()
    same_top = seen.same_top.double()
    ends: list[float | None] = [None] * 4
    if groups is not None:
        without = means_without(torch.stack([seen.kl, same_top]), groups.codes, groups.sizes).cpu()
        intervals = (
            jackknife(values.mean().cpu(), without[:, index], groups.sizes, scale)
            for index, (values, scale) in enumerate(((seen.kl, LOG), (same_top, SHARE)))
        )
        ends = [float(end) for interval in intervals for end in (interval.low, interval.high)]
    at = quantiles(seen.kl)
    own, its = perplexities
    return Copy(
        name=name,
        kl=float(kl),
        kl_low=ends[0],
        kl_high=ends[1],
        kl_reverse=float(seen.kl_reverse.mean()),
        kl_median=at[50],
        kl_90=at[90],
        kl_99=at[99],
        kl_99_9=at[99.9],
        kl_max=at[100],
        same_top_label=float(same_top.mean()),
        same_top_low=ends[2],
        same_top_high=ends[3],
        perplexity=its,
        perplexity_ratio=None if own is None or its is None else its / own,
        llv=comparison.llv,
        mean_cca_embeddings=comparison.mean_cca_embeddings,
        certificate=comparison.certificate,
        logit_correlation=comparison.logit_correlation,
        kl_inputs=float(effective_number(seen.kl[None])),
    )
