"""Compare models: close in distribution? close in representation? and does the bound that links the two hold?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures._family import Family, family
from closedist.measures._labels import ConstantLabels, ConstantOddsError, LabelChoice, Reduction
from closedist.measures._moments import Moments, moments
from closedist.measures._pairs import PairAxis, unit_odds
from closedist.measures.bounds import certificate, linear_bound, quadratic_bound
from closedist.measures.cca import cka_of_all, mean_cca_of_all, precisions
from closedist.measures.comparable import check_comparable, check_varied, model_names
from closedist.measures.llv import Combine, Settings, distances
from closedist.measures.svd import dissimilarity, label_subsets
from closedist.representations import Representations

_BATCH_ELEMENTS = 1 << 21  # coordinates of all labels of a batch of pairs: 16 MB


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything closedist says of two models. Distances are dimensionless, divergences in nats.

    Attributes:
        llv: d_LLV, the log-likelihood variance distance.
        label_term, input_term: t1 and t2.
        label_scale_term, input_scale_term: t3 and t4.
        pivot_label, left_out_label: the choice of labels with the smallest t1.
        input_set: the inputs of the smallest t2, the pivot input first.
        kl, kl_reverse: mean over inputs of KL(p‖q) and KL(q‖p).
        mean_cca_embeddings, mean_cca_unembeddings: mean canonical correlation; None where a black box has no unembeddings.
        cka_embeddings: linear CKA.
        m_svd_embeddings: one per label subset, in lexicographic order.
        m_svd_unembeddings: of the input set.
        dissimilarity_embeddings, dissimilarity_unembeddings: the largest 1 − m_SVD over label subsets, and 1 − m_SVD of the
            input set, to full relative accuracy.
        dissimilarity: d_{f,g}, the larger of the two.
        certificate: at least d_{f,g}, from the distributions alone.
        quadratic_bound: 2·max(t1, t2)², at least the certificate; None where terms are averaged.
        bound: the paper's, 2·K·d_LLV; None where terms are averaged.
        subset_size: K.
        weight, reduction, combine: λ and how terms became t1, t3, t4 and d_LLV.
        num_inputs, num_labels: N and C.
        num_label_subsets: how many label subsets of size K there are; fewer m_svd_embeddings means that they were sampled,
            and d_{f,g} lies between ``dissimilarity`` and ``certificate``.
        num_pivots: from how many pivot labels the choice was made; C unless ``pivots`` said otherwise.
        ignored_labels: how many labels were left out because their log-odds against the pivot vary in neither model.
        num_samples, seed: of the search for the input set; None where it was given.
        label_names: the names of the pivot and the left-out label, where the models have names.
    """

    llv: float
    label_term: float
    input_term: float
    label_scale_term: float
    input_scale_term: float
    pivot_label: int
    left_out_label: int
    input_set: tuple[int, ...]
    kl: float
    kl_reverse: float
    mean_cca_embeddings: float
    mean_cca_unembeddings: float | None
    cka_embeddings: float
    m_svd_embeddings: tuple[float, ...]
    m_svd_unembeddings: float
    dissimilarity_embeddings: float
    dissimilarity_unembeddings: float
    dissimilarity: float
    certificate: float
    quadratic_bound: float | None
    bound: float | None
    subset_size: int
    weight: float
    reduction: Reduction
    combine: Combine
    num_inputs: int
    num_labels: int
    num_label_subsets: int
    num_pivots: int
    ignored_labels: int
    num_samples: int | None
    seed: int
    label_names: tuple[str, str] | None = None

    @property
    def bound_informative(self) -> bool:
        """d_LLV < 1/(2K), so that the paper's bound says more than d_{f,g} ≤ 1."""
        return self.bound is not None and self.bound < 1

    @property
    def subsets_sampled(self) -> bool:
        """Not all label subsets were gone through: d_{f,g} lies between ``dissimilarity`` and ``certificate``."""
        return len(self.m_svd_embeddings) < self.num_label_subsets

    def __str__(self) -> str:
        """A table for a person."""
        from closedist.tables import pair_table

        return pair_table(self)


def compare(
    p: Representations,
    q: Representations,
    *,
    weight: float = 1e-5,
    reduction: Reduction = "max",
    combine: Combine = "max",
    input_set: Sequence[int] | None = None,
    num_samples: int = 200,
    seed: int = 0,
    subset_size: int | None = None,
    num_subsets: int | None = None,
    pivots: Sequence[int] | None = None,
    constant_labels: ConstantLabels = "error",
) -> Comparison:
    """Compare two models on the same N inputs and C labels.

    Args:
        p, q: the representations, of the same inputs and labels in the same order; the dimensions may differ.
        weight: λ of the scale terms in d_LLV.
        reduction: "max" or "mean" of the terms over labels.
        combine: "max" or "sum" of t1, t2, λ·t3 and λ·t4.
        input_set: 1 + K indices of inputs, the pivot input first; by default the best of ``num_samples`` random ones.
        num_samples, seed: of the search for the input set; the seed is also that of sampled label subsets.
        subset_size: K, by default min(max(M, M'), C − 2).
        num_subsets: sample so many label subsets where there are more; by default all, up to 10,000.
        pivots: the pivot labels to choose from, by default all.
        constant_labels: "ignore" leaves out labels whose log-odds against the pivot vary in neither model.

    Returns:
        A :class:`Comparison`.

    Raises:
        InputError: the models cannot be compared, or an argument is out of its range; the message says which and what to do.
    """
    return compare_all(
        [p, q],
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=input_set,
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
        pivots=pivots,
        constant_labels=constant_labels,
    )[0]


def compare_all(
    models: Sequence[Representations],
    *,
    weight: float = 1e-5,
    reduction: Reduction = "max",
    combine: Combine = "max",
    input_set: Sequence[int] | None = None,
    num_samples: int = 200,
    seed: int = 0,
    subset_size: int | None = None,
    num_subsets: int | None = None,
    pivots: Sequence[int] | None = None,
    constant_labels: ConstantLabels = "error",
) -> list[Comparison]:
    """Compare every pair of models jointly, in the order of ``itertools.combinations``: one pass over inputs for all.

    The arguments are those of :func:`compare`, and so is every result, to about ten digits.

    Args:
        models: n ≥ 2 representations of the same N inputs and C labels.

    Returns:
        n(n − 1)/2 comparisons.

    Raises:
        InputError: as :func:`compare`.
    """
    if num_subsets is not None and num_subsets < 1:
        raise InputError(f"num_subsets: {num_subsets}; at least 1 is needed")
    settings = Settings(
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=None if input_set is None else tuple(input_set),
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        pivots=None if pivots is None else tuple(sorted(set(pivots))),
        constant_labels=constant_labels,
    )
    names = model_names(len(models))
    check_comparable(models, names)
    settings.check_ranges(models[0].num_inputs, models[0].num_labels)
    pairs = list(combinations(range(len(models)), 2))
    sizes = [settings.size(models[i], models[j]) for i, j in pairs]
    for size in set(sizes):  # refuse too many subsets before anything is computed
        label_subsets(models[0].num_labels - 2, size, num_subsets, seed)
    members = family(models)
    shared = _Shared(members, moments(members), torch.tensor(pairs, device=members.device))
    check_varied(shared.measured.over_inputs, shared.measured.over_labels, names)
    results: dict[int, Comparison] = {}
    for size in sorted(set(sizes)):
        chosen = torch.tensor([index for index, its_size in enumerate(sizes) if its_size == size])
        coordinates = members.num_labels * shared.measured.over_inputs.vectors.shape[-2]
        step = max(1, _BATCH_ELEMENTS // coordinates)
        for part in (chosen[start : start + step] for start in range(0, len(chosen), step)):
            try:
                compared = _compare_batch(shared, part.to(members.device), size, settings, num_subsets)
            except ConstantOddsError as error:
                raise error.explained(names[pairs[int(part[error.pair])][error.model]]) from error
            results.update(zip(part.tolist(), compared, strict=True))
    return [results[index] for index in range(len(pairs))]


class _Shared:
    """What pairs share: the models, their moments, and the measures that are quick for all pairs at once."""

    def __init__(self, members: Family, measured: Moments, pairs: Tensor) -> None:
        self.members, self.measured, self.pairs = members, measured, pairs
        first, second = pairs[:, 0], pairs[:, 1]
        self.kl, self.kl_reverse = measured.divergences[first, second], measured.divergences[second, first]
        self.cka = cka_of_all(measured.over_inputs.vectors)[first, second]
        f = precisions([member.embeddings for member in members.members], members.device)
        self.cca = mean_cca_of_all(measured.over_inputs.vectors, f, pairs)
        g = precisions([member.unembeddings for member in members.members], members.device)
        self.cca_unembeddings: Tensor | None = None
        if not any(member.black_box for member in members.members):
            self.cca_unembeddings = mean_cca_of_all(measured.over_labels.vectors, g, pairs)


def _constant_labels(error: ConstantOddsError, name: str) -> InputError:
    j, k = error.labels
    return InputError(
        f"unembeddings: labels {j} and {k} of model {name} have the same row up to what the embeddings see, so that their "
        'log-odds do not vary over the inputs; remove one of them, or pass constant_labels="ignore"'
    )


def _compare_batch(
    shared: _Shared, which: Tensor, size: int, settings: Settings, num_subsets: int | None
) -> list[Comparison]:
    """All measures of m pairs, (m,) indices into the shared pairs, that have the same K."""
    members, device = shared.members, shared.members.device
    found = distances(members, shared.measured, shared.pairs[which], size, settings)
    labels, llv = found.labels, found.llv

    label_side, num_label_subsets = _label_side(found.by_label, labels, size, num_subsets, settings.seed)
    units, other_units = unit_odds(found.at_set, *found.pivot_inputs)
    input_side = dissimilarity(units, other_units, torch.arange(size, device=device)[None, None])[:, 0]

    # d ≤ certificate ≤ quadratic bound is a theorem; the minima keep rounding from breaking it where all three are tiny
    upper = certificate(labels.terms.decorrelation, labels.used, found.input_terms.decorrelation)
    quadratic = quadratic_bound(labels.term, found.input_term)
    if settings.reduction == "max":
        upper = torch.minimum(upper, quadratic)
    of_labels = torch.minimum(torch.stack([part.amax() for part in label_side]), upper)
    input_side = torch.minimum(input_side, upper)

    is_max = settings.reduction == "max"
    columns: dict[str, list[Any]] = {
        "llv": llv.tolist(),
        "label_term": labels.term.tolist(),
        "input_term": found.input_term.tolist(),
        "label_scale_term": labels.scale_term.tolist(),
        "input_scale_term": found.input_scale_term.tolist(),
        "pivot_label": labels.pivot.tolist(),
        "left_out_label": labels.left_out.tolist(),
        "input_set": [tuple(inputs) for inputs in found.input_sets.tolist()],
        "kl": shared.kl[which].tolist(),
        "kl_reverse": shared.kl_reverse[which].tolist(),
        "mean_cca_embeddings": shared.cca[which].tolist(),
        "mean_cca_unembeddings": _optional(
            None if shared.cca_unembeddings is None else shared.cca_unembeddings[which], len(which)
        ),
        "cka_embeddings": shared.cka[which].tolist(),
        "m_svd_embeddings": [tuple((1.0 - part).tolist()) for part in label_side],
        "m_svd_unembeddings": (1.0 - input_side).tolist(),
        "dissimilarity_embeddings": of_labels.tolist(),
        "dissimilarity_unembeddings": input_side.tolist(),
        "dissimilarity": torch.maximum(of_labels, input_side).tolist(),
        "certificate": upper.tolist(),
        "quadratic_bound": _optional(quadratic if is_max else None, len(which)),
        "bound": _optional(linear_bound(llv, size) if is_max else None, len(which)),
        "num_label_subsets": num_label_subsets,
        "ignored_labels": labels.ignored.tolist(),
    }
    constants = {
        "subset_size": size,
        "weight": settings.weight,
        "reduction": settings.reduction,
        "combine": settings.combine,
        "num_inputs": members.num_inputs,
        "num_labels": members.num_labels,
        "num_pivots": members.num_labels if settings.pivots is None else len(settings.pivots),
        "num_samples": settings.num_samples if settings.input_set is None else None,
        "seed": settings.seed,
    }
    names = next((member.label_names for member in members.members if member.label_names is not None), None)
    return [
        Comparison(
            **dict(zip(columns, values, strict=True)),
            **constants,
            label_names=None if names is None else (_name(names, values[5]), _name(names, values[6])),
        )
        for values in zip(*columns.values(), strict=True)
    ]


def _optional(column: Tensor | None, count: int) -> list[Any]:
    return [None] * count if column is None else column.tolist()


def _name(names: Any, label: int) -> str:
    name = names[label].tolist()
    return name if isinstance(name, str) else str(name)


def _label_side(
    axis: PairAxis, labels: LabelChoice, size: int, num_subsets: int | None, seed: int
) -> tuple[list[Tensor], list[int]]:
    """d_SVD of every label subset, one tensor a pair, and how many subsets there are."""
    counts = labels.used.sum(-1).tolist()
    rows = torch.arange(len(counts), device=labels.used.device)
    # pairs that use equally many labels go together; they all do unless labels were ignored
    groups = [rows] if len(set(counts)) == 1 else list(rows.split(1))
    parts: list[Tensor] = []
    for group in groups:
        count = counts[int(group[0])]
        if count < size:
            raise InputError(
                f"subset_size: {size}, but only {count} labels vary against pivot label {int(labels.pivot[group[0]])}; "
                f"pass subset_size={count} or fewer"
            )
        subsets = label_subsets(count, size, num_subsets, seed).to(rows.device)
        occurring, positions = subsets.unique(return_inverse=True)
        used = labels.used[group].nonzero()[:, 1].reshape(len(group), count)[:, occurring]
        part, pivot, row = axis.rows(group), labels.pivot[group], torch.arange(len(group), device=rows.device)
        items = part.with_items(part.items[row[:, None], used], part.other_items[row[:, None], used])
        units, other_units = unit_odds(items, part.items[row, pivot], part.other_items[row, pivot])
        parts += list(dissimilarity(units, other_units, positions[None]))
    return parts, [math.comb(count, size) for count in counts]
