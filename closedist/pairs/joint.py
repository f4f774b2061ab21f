"""Every number of pairs of models, jointly: one pass over the inputs for all models that fit together."""

import operator
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.checks import check_comparable, check_enough_inputs
from closedist.measures.label_table import ConstantOddsError
from closedist.measures.likelihood import divergences
from closedist.measures.moments import prepared
from closedist.measures.settings import Settings
from closedist.measures.svd import check_subsets
from closedist.pairs.choices import at_choices
from closedist.pairs.records import Columns, of_call, records
from closedist.pairs.whole import of_all_pairs
from closedist.representations import MAX_BLACK_BOX_LABELS, Representations
from closedist.representations.names import model_names

JOINT_COLUMNS = 4096  # of a root factor: above, models are taken pair by pair
JOINT_ELEMENTS = 1 << 27  # unembeddings of all models in float64, 1 GB: above, likewise
_BATCH_ELEMENTS = 1 << 21  # coordinates of all labels of a batch of pairs: 16 MB


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
    return records(columns, of_call(models[0], 0, settings))


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
    of_all = of_all_pairs(members, measured, indices)
    results: dict[int, Comparison] = {}
    for size in sorted(set(sizes)):
        chosen = torch.tensor([index for index, its_size in enumerate(sizes) if its_size == size])
        step = max(1, _BATCH_ELEMENTS // (members.num_labels * measured.over_inputs.vectors.shape[-2]))
        for part in (chosen[start : start + step] for start in range(0, len(chosen), step)):
            which = part.to(members.device)
            try:
                columns = at_choices(members, measured, indices[which], size, settings) if size else {}
            except ConstantOddsError as error:
                raise error.explained(names[pairs[int(part[error.pair])][error.model]]) from error
            columns |= {name: values[which] for name, values in of_all.items()}
            columns["names"] = [(names[i], names[j]) for i, j in (pairs[index] for index in part.tolist())]
            found = records(columns, of_call(models[0], size, settings))
            results.update(zip(part.tolist(), found, strict=True))
    return [results[index] for index in range(len(pairs))]
