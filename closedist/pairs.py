"""Compare models: close in distribution? close in representation? and does the bound that links the two hold?"""

import math
import operator
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.cca import cka_of_all, mean_cca_of_all, precisions
from closedist.measures.checks import check_comparable, check_enough_inputs, check_varied, model_names
from closedist.measures.label_table import ConstantOddsError
from closedist.measures.labels import LabelChoice
from closedist.measures.llv import distances
from closedist.measures.moments import Moments, moments
from closedist.measures.settings import DEFAULTS, Combine, ConstantLabels, Reduction, Settings
from closedist.measures.stack import Family, family
from closedist.measures.svd import check_subsets, dissimilarity, label_subsets
from closedist.measures.terms import Axis, unit_odds
from closedist.representations import Representations

JOINT_COLUMNS = 4096  # of a root factor: above, models are taken pair by pair
JOINT_ELEMENTS = 1 << 27  # unembeddings of all models in float64, 1 GB: above, likewise
_BATCH_ELEMENTS = 1 << 21  # coordinates of all labels of a batch of pairs: 16 MB


def compare(
    p: Representations,
    q: Representations,
    *,
    weight: float = DEFAULTS.weight,
    reduction: Reduction = DEFAULTS.reduction,
    combine: Combine = DEFAULTS.combine,
    input_set: Sequence[int] | None = DEFAULTS.input_set,
    num_samples: int = DEFAULTS.num_samples,
    seed: int = DEFAULTS.seed,
    subset_size: int | None = DEFAULTS.subset_size,
    num_subsets: int | None = DEFAULTS.num_subsets,
    pivots: Sequence[int] | None = DEFAULTS.pivots,
    constant_labels: ConstantLabels = DEFAULTS.constant_labels,
) -> Comparison:
    """Compare two models on the same N inputs and C labels.

    Two labels have one log-odds and no subsets: what needs three, d_LLV, d_{f,g} and the bounds, is then None.

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
        InputError: the models cannot be compared, or an argument is out of its range; the message says what to do.
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
    pairs: Sequence[tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
    weight: float = DEFAULTS.weight,
    reduction: Reduction = DEFAULTS.reduction,
    combine: Combine = DEFAULTS.combine,
    input_set: Sequence[int] | None = DEFAULTS.input_set,
    num_samples: int = DEFAULTS.num_samples,
    seed: int = DEFAULTS.seed,
    subset_size: int | None = DEFAULTS.subset_size,
    num_subsets: int | None = DEFAULTS.num_subsets,
    pivots: Sequence[int] | None = DEFAULTS.pivots,
    constant_labels: ConstantLabels = DEFAULTS.constant_labels,
) -> list[Comparison]:
    """Compare pairs of models jointly: one pass over the inputs for all.

    The arguments are those of :func:`compare`, and so is every result, to about ten digits.

    Args:
        models: n ≥ 2 representations of the same N inputs and C labels.
        pairs: which (i, j), i < j, to compare; for one model against all others ``[(0, j) for j in range(1, n)]``. By
            default all n(n − 1)/2, in the order of ``itertools.combinations``.
        names: what errors call the models; by default p and q, or their numbers.

    Returns:
        A comparison for every pair.

    Raises:
        InputError: as :func:`compare`, or a pair is none of the models.
    """
    settings = Settings(
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
    )
    return [Comparison(**fields) for fields in measure_pairs(models, pairs, settings, names)]


def measure_pairs(
    models: Sequence[Representations],
    pairs: Sequence[tuple[int, int]] | None,
    settings: Settings,
    names: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """The fields of a comparison for every pair (i, j), without pairs for all in ``itertools.combinations`` order.

    Args:
        models, pairs: what is compared.
        settings: how.
        names: what errors call the models.

    Raises:
        InputError: the models cannot be compared, a pair is none of them, or a setting is out of its range.
    """
    names = model_names(len(models)) if names is None else names
    if len(names) != len(models):
        raise InputError(f"names: {len(names)} for {len(models)} models; give each model one")
    check_comparable(models, names)
    check_enough_inputs(models[0])
    settings.check_ranges(models[0].num_inputs, models[0].num_labels)
    pairs = list(combinations(range(len(models)), 2)) if pairs is None else _checked(pairs, len(models))
    dimensions = [model.dimension for model in models]
    larger = [max(dimensions[i], dimensions[j]) for i, j in pairs]
    size_for = {dimension: settings.size(dimension, models[0].num_labels) for dimension in set(larger)}
    sizes = [size_for[dimension] for dimension in larger]
    for size in set(sizes):  # refuse too many subsets before anything is computed
        check_subsets(models[0].num_labels - 2, size, settings.num_subsets)
    together = len(models) * (max(dimensions) + 1) <= JOINT_COLUMNS
    if together and len(models) * models[0].num_labels * max(dimensions) <= JOINT_ELEMENTS:
        return _jointly(models, names, pairs, sizes, settings)
    return [
        _jointly([models[i], models[j]], [names[i], names[j]], [(0, 1)], [size], settings)[0]
        for (i, j), size in zip(pairs, sizes, strict=True)
    ]


def _checked(pairs: Sequence[tuple[int, int]], num_models: int) -> list[tuple[int, int]]:
    try:
        checked = [(operator.index(i), operator.index(j)) for i, j in pairs]
    except (TypeError, ValueError) as error:
        raise InputError(f"pairs: {pairs!r}; pairs of whole numbers are needed, such as [(0, 1), (0, 2)]") from error
    for i, j in checked:
        if not 0 <= i < j < num_models:
            raise InputError(f"pairs: ({i}, {j}) is no pair of {num_models} models; give 0 ≤ i < j < {num_models}")
    return checked


def _jointly(
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    sizes: Sequence[int],
    settings: Settings,
) -> list[dict[str, Any]]:
    """The same for models that fit into memory together, with K of every pair."""
    members = family(models)
    indices = torch.tensor(pairs, dtype=torch.int64, device=members.device).reshape(-1, 2)
    measured = moments(members, indices)
    check_varied(members, measured.over_inputs, measured.over_labels, names)
    columns = _AllPairs(members, measured, indices)
    results: dict[int, dict[str, Any]] = {}
    for size in sorted(set(sizes)):
        chosen = torch.tensor([index for index, its_size in enumerate(sizes) if its_size == size])
        step = max(1, _BATCH_ELEMENTS // (members.num_labels * measured.over_inputs.vectors.shape[-2]))
        for part in (chosen[start : start + step] for start in range(0, len(chosen), step)):
            try:
                fields = columns.measure(part.to(members.device), size, settings)
            except ConstantOddsError as error:
                raise error.explained(names[pairs[int(part[error.pair])][error.model]]) from error
            results.update(zip(part.tolist(), fields, strict=True))
    return [results[index] for index in range(len(pairs))]


class _AllPairs:
    """What pairs share: the models, their moments, and the measures that are quick for all pairs at once."""

    def __init__(self, members: Family, measured: Moments, pairs: Tensor) -> None:
        self.members, self.measured, self.pairs = members, measured, pairs
        first, second = pairs.T
        self.kl, self.kl_reverse = measured.divergences[first, second], measured.divergences[second, first]
        self.cka = cka_of_all(measured.over_inputs.vectors)[first, second]
        precision = precisions([member.embeddings for member in members.members], members.device)
        self.cca = mean_cca_of_all(measured.over_inputs.vectors, precision, pairs)
        precision = precisions([member.unembeddings for member in members.members], members.device)
        self.cca_unembeddings = torch.full_like(self.cca, torch.nan)
        plain = torch.tensor([not member.black_box for member in members.members], device=members.device)
        both = plain[first] & plain[second]  # a black box has no unembeddings of its own
        if bool(both.any()):
            number = plain.cumsum(0) - 1
            self.cca_unembeddings[both] = mean_cca_of_all(
                measured.over_labels.vectors[plain], precision[plain], number[pairs[both]]
            )

    def measure(self, which: Tensor, size: int, settings: Settings) -> list[dict[str, Any]]:
        """All measures of m pairs, (m,) indices into the pairs, that have the same K, 0 where there are no subsets."""
        constants = {
            "subset_size": size,
            "weight": settings.weight,
            "reduction": settings.reduction,
            "combine": settings.combine,
            "num_inputs": self.members.num_inputs,
            "num_labels": self.members.num_labels,
            "seed": settings.seed,
        }
        unembeddings = self.cca_unembeddings[which].tolist()
        lists: dict[str, list[Any]] = {
            "kl": self.kl[which].tolist(),
            "kl_reverse": self.kl_reverse[which].tolist(),
            "mean_cca_embeddings": self.cca[which].tolist(),
            "mean_cca_unembeddings": [None if math.isnan(value) else value for value in unembeddings],
            "cka_embeddings": self.cka[which].tolist(),
        }
        if size:
            lists |= self._at_choices(which, size, settings)
        return [constants | dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]

    def _at_choices(self, which: Tensor, size: int, settings: Settings) -> dict[str, list[Any]]:
        """What is measured at each pair's choice of labels and inputs."""
        members, is_max = self.members, settings.reduction == "max"
        found = distances(members, self.measured, self.pairs[which], size, settings)
        labels = found.labels

        of_subsets, of_labels, counts = _label_side(found.by_label, labels, size, settings)
        units, other_units = unit_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
        of_inputs = dissimilarity(units, other_units, _all_of(size, members.device))[:, 0]

        upper = bounds.certificate(labels.terms.decorrelation, labels.used, found.input_terms.decorrelation)
        quadratic = bounds.quadratic_bound(labels.term, found.input_term) if is_max else None
        if quadratic is not None:
            upper = bounds.within_rounding(upper, quadratic)
        of_labels, of_inputs = (bounds.within_rounding(side, upper) for side in (of_labels, of_inputs))

        columns = {
            "llv": found.llv,
            "label_term": labels.term,
            "input_term": found.input_term,
            "label_scale_term": labels.scale_term,
            "input_scale_term": found.input_scale_term,
            "pivot_label": labels.pivot,
            "left_out_label": labels.left_out,
            "m_svd_unembeddings": 1.0 - of_inputs,
            "dissimilarity_embeddings": of_labels,
            "dissimilarity_unembeddings": of_inputs,
            "dissimilarity": torch.maximum(of_labels, of_inputs),
            "certificate": upper,
            "quadratic_bound": quadratic,
            "bound": bounds.linear_bound(found.llv, size) if is_max else None,
            "ignored_labels": labels.ignored,
        }
        lists: dict[str, list[Any]] = {
            name: [None] * len(which) if c is None else c.tolist() for name, c in columns.items()
        }
        lists["input_set"] = [tuple(inputs) for inputs in found.input_sets.tolist()]
        lists["m_svd_embeddings"] = [tuple(values) for part in of_subsets for values in (1.0 - part).tolist()]
        lists["num_label_subsets"] = [math.comb(count, size) for count in counts]
        lists["label_names"] = self._names(lists["pivot_label"], lists["left_out_label"])
        lists["num_pivots"] = [members.num_labels if settings.pivots is None else len(settings.pivots)] * len(which)
        lists["num_samples"] = [settings.num_samples if settings.input_set is None else None] * len(which)
        return lists

    def _names(self, pivots: list[int], left_out: list[int]) -> list[tuple[str, str] | None]:
        """The names of the chosen labels, where any model has names."""
        named = (member.label_names for member in self.members.members if member.label_names is not None)
        names = next(named, None)
        if names is None:
            return [None] * len(pivots)
        return [(str(names[k].tolist()), str(names[j].tolist())) for k, j in zip(pivots, left_out, strict=True)]


def _label_side(
    axis: Axis, labels: LabelChoice, size: int, settings: Settings
) -> tuple[list[Tensor], Tensor, list[int]]:
    """d_SVD over label subsets of m pairs.

    Returns:
        (., S) of every subset, in groups of pairs with equally many labels; (m,) the largest; the numbers of labels.
    """
    counts = labels.used.sum(-1).tolist()
    rows = torch.arange(len(counts), device=labels.used.device)
    groups = [rows] if len(set(counts)) == 1 else rows.chunk(len(rows))  # they differ only where labels were ignored
    parts: list[Tensor] = []
    largest: list[Tensor] = []
    for group in groups:
        count, pivot = counts[int(group[0])], labels.pivot[group]
        if count < size:
            raise InputError(
                f"subset_size: {size}, but only {count} labels vary against pivot label {int(pivot[0])}; "
                f"pass subset_size={count} or fewer"
            )
        subsets = label_subsets(count, size, settings.num_subsets, settings.seed).to(rows.device)
        occurring, positions = torch.unique(subsets, return_inverse=True)
        used = labels.used[group].nonzero()[:, 1].reshape(len(group), count)[:, occurring]
        part = axis.some(group)
        of_subsets = dissimilarity(*unit_odds(part, pivot, used), positions[None])
        parts.append(of_subsets)
        if len(subsets) < math.comb(count, size):  # the certificate's subset is likely among the worst
            worst = labels.terms.decorrelation[group].masked_fill(~labels.used[group], -torch.inf).topk(size).indices
            its = dissimilarity(*unit_odds(part, pivot, worst), _all_of(size, rows.device))
            of_subsets = torch.cat([of_subsets, its], 1)
        largest.append(of_subsets.amax(-1))
    return parts, torch.cat(largest), counts


def _all_of(size: int, device: torch.device) -> Tensor:
    """The one subset of all K columns, (1, 1, K)."""
    return torch.arange(size, device=device)[None, None]
