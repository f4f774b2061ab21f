"""Compare models: close in distribution? close in representation? and does the bound that links the two hold?"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.cca import cka_of_all, mean_cca_of_all, precisions
from closedist.measures.checks import check_comparable, check_enough_inputs
from closedist.measures.label_table import ConstantOddsError
from closedist.measures.labels import LabelChoice
from closedist.measures.likelihood import divergences
from closedist.measures.llv import distances
from closedist.measures.moments import Moments, prepared
from closedist.measures.settings import DEFAULTS, Combine, ConstantLabels, Reduction, Settings
from closedist.measures.stack import Stack
from closedist.measures.svd import check_subsets, dissimilarity, label_subsets
from closedist.measures.terms import Axis, unit_log_odds
from closedist.representations import MAX_BLACK_BOX_LABELS, Representations
from closedist.representations.names import model_names

JOINT_COLUMNS = 4096  # of a root factor: above, models are taken pair by pair
JOINT_ELEMENTS = 1 << 27  # unembeddings of all models in float64, 1 GB: above, likewise
_BATCH_ELEMENTS = 1 << 21  # coordinates of all labels of a batch of pairs: 16 MB

Entry = float | str | tuple[float, ...] | tuple[str, str] | None
Columns = dict[str, Tensor | Sequence[Entry]]  # by names in COLUMNS, with an entry a pair


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
    same_inputs: bool = DEFAULTS.same_inputs,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Compare two models on the same N inputs and C labels.

    Two labels have one log-odds and no subsets: what needs three, d_LLV, d_{f,g} and the bounds, is then None. Where
    only the logits of a model are known, of more than 10,000 labels, all but the KL divergences is None.

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
        same_inputs: the inputs are the same, though :func:`closedist.extract` saw others: in another image size,
            normalisation or tokenizer. By default such models are refused.
        names: what the result and errors call the two models; by default p and q.

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
        same_inputs=same_inputs,
        names=names,
    )[0]


def compare_all(
    models: Sequence[Representations] | Mapping[str, Representations],
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
    same_inputs: bool = DEFAULTS.same_inputs,
) -> list[Comparison]:
    """Compare pairs of models jointly: one pass over the inputs for all.

    The arguments are those of :func:`compare`, and so is every result, to about ten digits.

    Args:
        models: n ≥ 2 representations of the same N inputs and C labels, or a dictionary of them by their names.
        pairs: which (i, j), i < j, to compare; for one model against all others ``[(0, j) for j in range(1, n)]``. By
            default all n(n − 1)/2, in the order of ``itertools.combinations``.
        names: what the results and errors call the models; by default p and q, or their numbers.

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
        same_inputs=same_inputs,
    )
    members, names = members_and_names(models, names)
    return measure_pairs(members, pairs, settings, names)


def members_and_names(
    models: Sequence[Representations] | Mapping[str, Representations], names: Sequence[str] | None
) -> tuple[Sequence[Representations], Sequence[str]]:
    """The models, and what to call them: as they are named, else p and q, or their numbers.

    Raises:
        InputError: a dictionary of models with names besides, or not a name for each.
    """
    if isinstance(models, Mapping):
        if names is not None:
            raise InputError("names: the dictionary of models has them already; leave one out")
        return list(models.values()), list(models)
    called = model_names(len(models)) if names is None else names
    if len(called) != len(models):
        raise InputError(f"names: {len(called)} for {len(models)} models; give each model one")
    return models, called


def measure_pairs(
    models: Sequence[Representations],
    pairs: Sequence[tuple[int, int]] | None,
    settings: Settings,
    names: Sequence[str] | None = None,
) -> list[Comparison]:
    """A comparison of every pair (i, j), without pairs of all in ``itertools.combinations`` order.

    Args:
        models, pairs: what is compared.
        settings: how.
        names: what the comparisons and errors call the models.

    Raises:
        InputError: the models cannot be compared, a pair is none of them, or a setting is out of its range.
    """
    _, names = members_and_names(models, names)
    check_comparable(models, names, same_inputs=settings.same_inputs)
    if any(model.black_box and model.num_labels > MAX_BLACK_BOX_LABELS for model in models):
        pairs = list(combinations(range(len(models)), 2)) if pairs is None else _checked(pairs, len(models))
        return _by_likelihoods(models, names, pairs, settings)
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


def _by_likelihoods(
    models: Sequence[Representations], names: Sequence[str], pairs: Sequence[tuple[int, int]], settings: Settings
) -> list[Comparison]:
    """What needs no unembeddings, of models of which one is a black box of too many labels to have any."""
    indices = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    found = divergences(models, indices)
    first, second = indices.to(found.device).T
    columns: Columns = {"kl": found[first, second], "kl_reverse": found[second, first]}
    columns["names"] = [(names[i], names[j]) for i, j in pairs]
    return _records(columns, _of_call(models[0], 0, settings))


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
) -> list[Comparison]:
    """The same for models that fit into memory together, with K of every pair."""
    indices = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    members, measured = prepared(models, names, indices)
    indices = indices.to(members.device)
    of_all = _of_all_pairs(members, measured, indices)
    results: dict[int, Comparison] = {}
    for size in sorted(set(sizes)):
        chosen = torch.tensor([index for index, its_size in enumerate(sizes) if its_size == size])
        step = max(1, _BATCH_ELEMENTS // (members.num_labels * measured.over_inputs.vectors.shape[-2]))
        for part in (chosen[start : start + step] for start in range(0, len(chosen), step)):
            which = part.to(members.device)
            try:
                columns = _at_choices(members, measured, indices[which], size, settings) if size else {}
            except ConstantOddsError as error:
                raise error.explained(names[pairs[int(part[error.pair])][error.model]]) from error
            columns |= {name: values[which] for name, values in of_all.items()}
            columns["names"] = [(names[i], names[j]) for i, j in (pairs[index] for index in part.tolist())]
            records = _records(columns, _of_call(models[0], size, settings))
            results.update(zip(part.tolist(), records, strict=True))
    return [results[index] for index in range(len(pairs))]


def _of_all_pairs(members: Stack, measured: Moments, pairs: Tensor) -> dict[str, Tensor]:
    """The measures that need no choice of labels or inputs, (P,) each by its name in COLUMNS: quick for all at once."""
    first, second = pairs.T
    precision = precisions([member.stored for member in members.members], members.device)
    return {
        "kl": measured.divergences[first, second],
        "kl_reverse": measured.divergences[second, first],
        "mean_cca_embeddings": mean_cca_of_all(measured.over_inputs.vectors, precision, pairs),
        "mean_cca_unembeddings": _mean_cca_of_unembeddings(members, measured, pairs),
        "cka_embeddings": cka_of_all(measured.over_inputs.vectors)[first, second],
    }


def _mean_cca_of_unembeddings(members: Stack, measured: Moments, pairs: Tensor) -> Tensor:
    """(P,) m_CCA, NaN where a model is a black box, which has no unembeddings of its own."""
    plain = torch.tensor([not member.black_box for member in members.members], device=members.device)
    both = plain[pairs].all(-1)
    values = torch.full(both.shape, torch.nan, dtype=torch.float64, device=members.device)
    if bool(both.any()):
        number = plain.cumsum(0) - 1
        rows = [member.unembeddings for member in members.members if not member.black_box]
        vectors = measured.over_labels.vectors[plain]
        values[both] = mean_cca_of_all(vectors, precisions(rows, members.device), number[pairs[both]])
    return values


def _at_choices(members: Stack, measured: Moments, pairs: Tensor, size: int, settings: Settings) -> Columns:
    """The measures at the chosen labels and inputs of m pairs with the same K, by names in COLUMNS."""
    is_max = settings.reduction == "max"
    found = distances(members, measured, pairs, size, settings)
    labels = found.labels

    of_subsets, of_labels, counts = _label_side(found.by_label, labels, size, settings)
    units, other_units = unit_log_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
    of_inputs = dissimilarity(units, other_units, _all_of(size, members.device))[:, 0]

    upper = bounds.certificate(labels.terms.correlation_distance, labels.used, found.input_terms.correlation_distance)
    quadratic = bounds.quadratic_bound(labels.term, found.input_term) if is_max else None
    if quadratic is not None:
        upper = bounds.within_rounding(upper, quadratic)
    of_labels, of_inputs = (bounds.within_rounding(side, upper) for side in (of_labels, of_inputs))

    columns: Columns = {
        "llv": found.llv,
        "label_term": labels.term,
        "input_term": found.input_term,
        "label_scale_term": labels.scale_term,
        "input_scale_term": found.input_scale_term,
        "pivot_label": labels.pivot,
        "left_out_label": labels.left_out,
        "label_names": _names(members, labels),
        "input_set": found.input_sets,
        "m_svd_embeddings": [tuple(values) for part in of_subsets for values in (1.0 - part).tolist()],
        "m_svd_unembeddings": 1.0 - of_inputs,
        "dissimilarity_embeddings": of_labels,
        "dissimilarity_unembeddings": of_inputs,
        "dissimilarity": torch.maximum(of_labels, of_inputs),
        "certificate": upper,
        "num_label_subsets": [math.comb(count, size) for count in counts],
        "ignored_labels": labels.ignored,
    }
    if quadratic is not None:
        columns |= {"quadratic_bound": quadratic, "bound": bounds.linear_bound(found.llv, size)}
    return columns


def _names(members: Stack, labels: LabelChoice) -> list[tuple[str, str] | None]:
    """The names of the chosen labels, where any model has names."""
    names = next((member.label_names for member in members.members if member.label_names is not None), None)
    if names is None:
        return [None] * len(labels.pivot)
    chosen = zip(labels.pivot.tolist(), labels.left_out.tolist(), strict=True)
    return [(str(names[k].tolist()), str(names[j].tolist())) for k, j in chosen]


def _of_call(model: Representations, size: int, settings: Settings) -> dict[str, Entry]:
    """What is the same for all pairs of a call that have the same K, by names in COLUMNS."""
    pivots = model.num_labels if settings.pivots is None else len(settings.pivots)
    return {
        "subset_size": size,
        "weight": settings.weight,
        "reduction": settings.reduction,
        "combine": settings.combine,
        "num_inputs": model.num_inputs,
        "num_labels": model.num_labels,
        "num_pivots": pivots if size else 0,
        "num_samples": settings.num_samples if size and settings.input_set is None else None,
        "seed": settings.seed,
    }


def _records(columns: Columns, constants: Mapping[str, Entry]) -> list[Comparison]:
    """Put m comparisons together; a name that is none of COLUMNS is a TypeError."""
    record: Callable[..., Comparison] = Comparison
    lists = {name: _entries(values) for name, values in columns.items()}
    rows = zip(*lists.values(), strict=True)
    return [record(**constants, **dict(zip(lists, row, strict=True))) for row in rows]


def _entries(values: Tensor | Sequence[Entry]) -> Sequence[Entry]:
    """Plain numbers, or tuples of them, and None in the place of NaN."""
    if not isinstance(values, Tensor):
        return values
    if values.ndim > 1:
        return [tuple(entry) for entry in values.tolist()]
    return [None if math.isnan(entry) else entry for entry in values.tolist()]


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
        of_subsets = dissimilarity(*unit_log_odds(part, pivot, used), positions[None])
        parts.append(of_subsets)
        if len(subsets) < math.comb(count, size):  # the certificate's subset is likely among the worst
            apart = labels.terms.correlation_distance[group].masked_fill(~labels.used[group], -torch.inf)
            worst = apart.topk(size).indices
            its = dissimilarity(*unit_log_odds(part, pivot, worst), _all_of(size, rows.device))
            of_subsets = torch.cat([of_subsets, its], 1)
        largest.append(of_subsets.amax(-1))
    return parts, torch.cat(largest), counts


def _all_of(size: int, device: torch.device) -> Tensor:
    """The one subset of all K columns, (1, 1, K)."""
    return torch.arange(size, device=device)[None, None]
