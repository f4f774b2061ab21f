"""Comparisons of all pairs as a matrix of distances."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from closedist.comparison import COLUMNS, Comparison, values_of
from closedist.errors import InputError


def distances(comparisons: Sequence[Comparison], measure: str = "logit_correlation") -> NDArray[np.float64]:
    """One number of all pairs of n models as distances, as group_models, model_map and contradiction take them.

    Args:
        comparisons: of all pairs, in ``itertools.combinations`` order, as :func:`closedist.compare_all` gives them.
        measure: a field of :class:`~closedist.Comparison`. The logit correlation c becomes √(2·(1 − c)), a metric;
            another similarity becomes one minus it; KL is the mean of both directions.

    Returns:
        (n, n) symmetric, 0 on the diagonal.

    Raises:
        InputError: these are not all pairs of some models, the number has no order, or a pair has none.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> models = {name: closedist.Representations(scale * f, g) for name, scale in (("a", 1), ("b", 2), ("c", -1))}
        >>> found = closedist.distances(closedist.compare_all(models))
        >>> [sorted(group) for group in closedist.group_models(found, 0.1).members]
        [[0, 1], [2]]
    """
    listed = [comparisons] if isinstance(comparisons, Comparison) else list(comparisons)
    if not listed or not all(isinstance(c, Comparison) for c in listed):
        raise InputError("comparisons: a list of comparisons of all pairs is needed, as closedist.compare_all gives it")
    count = round((1 + (1 + 8 * len(listed)) ** 0.5) / 2)
    pairs = list(combinations(range(count), 2))
    names = [listed[0].names[0], *(c.names[1] for c in listed[: count - 1])]
    if [(names[i], names[j]) for i, j in pairs] != [c.names for c in listed]:
        raise InputError(
            f"comparisons: these {len(listed)} are not all pairs of {count} models in order; pass all that compare_all "
            "gives without pairs="
        )
    column = {each.name: each for each in COLUMNS}.get(measure)
    if column is None or column.larger_is_closer is None or column.several:
        ordered = ", ".join(each.name for each in COLUMNS if each.larger_is_closer is not None and not each.several)
        raise InputError(f"measure: {measure!r}; it is one of {ordered}")
    values = np.array(values_of(listed, measure))
    if any(each.name == f"{measure}_reverse" for each in COLUMNS):
        values = (values + np.array(values_of(listed, f"{measure}_reverse"))) / 2
    if measure == "logit_correlation":
        values = np.sqrt((2.0 * (1.0 - values)).clip(min=0.0))
    elif column.larger_is_closer:
        values = 1.0 - values
    matrix = np.zeros((count, count))
    matrix[tuple(np.array(pairs).T)] = values.clip(min=0.0)
    return matrix + matrix.T
