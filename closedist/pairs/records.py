"""Columns of numbers, one a field of Comparison, put together as comparisons."""

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from closedist.comparison import Comparison
from closedist.measures.settings import Settings
from closedist.representations import Representations

Entry = float | str | tuple[float, ...] | tuple[str, str] | None
Columns = dict[str, Tensor | Sequence[Entry]]  # by names in COLUMNS, with an entry a pair


def of_call(model: Representations, size: int, settings: Settings) -> dict[str, Entry]:
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
        "input_search": settings.input_search if size and settings.input_set is None else None,
        "seed": settings.seed,
    }


def records(columns: Columns, constants: Mapping[str, Entry]) -> list[Comparison]:
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
