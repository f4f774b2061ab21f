"""Two models by themselves: what is measured of one pair only."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.checks import check_comparable
from closedist.measures.input_search import diverse_input_set, searched_inputs
from closedist.measures.moments import prepared
from closedist.measures.settings import Settings
from closedist.measures.terms import axis_of
from closedist.pairs.certainty import with_certainty
from closedist.pairs.joint import measure_pairs
from closedist.pairs.permuted import MOST_PERMUTATIONS, with_p_values
from closedist.representations import Representations

PAIR = torch.tensor([[0, 1]])


def measure_alone(
    models: Sequence[Representations],
    names: Sequence[str],
    settings: Settings,
    *,
    intervals: bool,
    groups: ArrayLike | Tensor | None = None,
    permutations: int | None = None,
) -> Comparison:
    """One pair with everything there is to say of it.

    Args:
        models, names: two of them.
        settings: how.
        intervals, groups: as for :func:`~closedist.pairs.certainty.with_certainty`.
        permutations: how many to make for p-values; None for none.

    Raises:
        InputError: as :func:`~closedist.compare`.
    """
    if permutations is not None and not 1 <= permutations <= MOST_PERMUTATIONS:
        raise InputError(f"permutations: {permutations!r}; 1 … {MOST_PERMUTATIONS:,} are possible, such as 999")
    if groups is not None and not intervals:
        raise InputError("groups: they are left out in turn for intervals, which were not asked for: intervals=True")
    search = settings.input_search
    if search == "diverse" and settings.input_set is None:
        settings = _diverse(models, names, settings)
    comparison = measure_pairs(models, None, settings, names)[0]
    if search == "diverse" and comparison.input_set is not None:
        comparison = replace(comparison, input_search=search)
    (comparison,) = with_certainty(
        models, names, [(0, 1)], [comparison], settings, intervals=intervals, groups=groups, spread=intervals
    )
    if permutations is None:
        return comparison
    return with_p_values(models, names, comparison, settings, permutations)


def _diverse(models: Sequence[Representations], names: Sequence[str], settings: Settings) -> Settings:
    """The settings with the input set that the diverse search finds."""
    check_comparable(models, names, same_inputs=settings.same_inputs)
    size = settings.size(max(model.dimension for model in models), models[0].num_labels, models[0].num_inputs)
    inputs = searched_inputs(models[0].num_inputs, settings.seed)
    if not size or len(inputs) <= size:
        return settings
    members, measured = prepared(models, names, PAIR)
    found = diverse_input_set(axis_of(measured.over_labels, members.inputs(inputs), PAIR.to(members.device)), size)
    return replace(settings, input_set=inputs[found.cpu()].tolist())
