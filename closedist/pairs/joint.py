"""Every number of pairs of models as comparisons: what is checked before, and where it goes afterwards."""

import operator
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.agreement import of_predictions
from closedist.measures.checks import check_comparable, check_enough_inputs
from closedist.measures.settings import Settings
from closedist.pairs.records import Columns, of_call, records
from closedist.pairs.tiles import in_tiles
from closedist.representations import MAX_BLACK_BOX_LABELS, Representations
from closedist.representations.names import model_names


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
        pairs = list(combinations(range(len(models)), 2)) if pairs is None else checked_pairs(pairs, len(models))
        return _by_likelihoods(models, names, pairs, settings)
    check_enough_inputs(models[0])
    settings.check_ranges(models[0].num_inputs, models[0].num_labels)
    pairs = list(combinations(range(len(models)), 2)) if pairs is None else checked_pairs(pairs, len(models))
    dimensions = [model.dimension for model in models]
    larger = [max(dimensions[i], dimensions[j]) for i, j in pairs]
    size_for = {dimension: settings.size(dimension, models[0].num_labels) for dimension in set(larger)}
    indices = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    sizes = torch.tensor([size_for[dimension] for dimension in larger], dtype=torch.int64)
    results: dict[int, Comparison] = {}
    for found in in_tiles(models, names, indices, sizes, settings):
        which = found.which.tolist()
        columns = found.columns | {"names": [(names[i], names[j]) for i, j in (pairs[index] for index in which)]}
        made = records(columns, of_call(models[0], found.size, settings))
        results.update(zip(which, made, strict=True))
    return [results[index] for index in range(len(pairs))]


def _by_likelihoods(
    models: Sequence[Representations], names: Sequence[str], pairs: Sequence[tuple[int, int]], settings: Settings
) -> list[Comparison]:
    """What needs no unembeddings, of models of which one is a black box of too many labels to have any."""
    indices = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
    found, same_top = of_predictions(models, indices)
    first, second = indices.to(found.device).T
    columns: Columns = {"kl": found[first, second], "kl_reverse": found[second, first], "same_top_label": same_top}
    columns["names"] = [(names[i], names[j]) for i, j in pairs]
    return records(columns, of_call(models[0], 0, settings))


def checked_pairs(pairs: Sequence[tuple[int, int]], num_models: int) -> list[tuple[int, int]]:
    """The pairs (i, j) as plain integers.

    Raises:
        InputError: one is no pair of so many models, i < j.
    """
    try:
        checked = [(operator.index(i), operator.index(j)) for i, j in pairs]
    except (TypeError, ValueError) as error:
        raise InputError(f"pairs: {pairs!r}; pairs of whole numbers are needed, such as [(0, 1), (0, 2)]") from error
    for i, j in checked:
        if not 0 <= i < j < num_models:
            raise InputError(f"pairs: ({i}, {j}) is no pair of {num_models} models; give 0 ≤ i < j < {num_models}")
    return checked
