"""What the page says of one pair: labels, swaps, inputs and directions, as plain lists."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.explanation.differences import LabelDifference
from closedist.explanation.pair import explain
from closedist.explanation.printed import summary
from closedist.explanation.records import Explanation
from closedist.explanation.table import one_line
from closedist.page.packed import rounded
from closedist.representations import Representations

MOST_EXPLAINED = 300  # pairs: some seconds, and 2 MB of the page
SHOWN_LABELS = 200
SHOWN_SWAPS = 12
SHOWN_DIRECTIONS = 8
SHOWN_INPUTS = 12
LONGEST_NAME = 120

Pair = tuple[int, int]


def explained_pairs(distances: NDArray[np.float64]) -> list[Pair]:
    """The pairs that are explained: all, or every model with its nearest and others evenly from near to far.

    Args:
        distances: (n, n) symmetric.
    """
    count = len(distances)
    pairs = list(combinations(range(count), 2))
    if len(pairs) <= MOST_EXPLAINED:
        return pairs
    far = distances + np.diag(np.full(count, math.inf))
    nearest = [(i, int(far[i].argmin())) for i in range(count)][:MOST_EXPLAINED]
    chosen = {(min(pair), max(pair)) for pair in nearest}
    ranked = sorted(set(pairs) - chosen, key=lambda pair: float(distances[pair]))
    places = np.linspace(0, len(ranked) - 1, MOST_EXPLAINED - len(chosen)).round().astype(int)
    return sorted(chosen | {ranked[place] for place in places})


def explanations(
    models: Sequence[Representations], pairs: Sequence[Pair], pivots: Mapping[Pair, int | None]
) -> dict[Pair, Explanation]:
    """An explanation of each pair of comparable models, with the terms of t1 against its pivot label."""
    return {
        (i, j): explain(models[i], models[j], num_inputs=SHOWN_INPUTS, pivot_label=pivots[i, j], same_inputs=True)
        for i, j in pairs
    }


def as_lists(found: Explanation) -> dict[str, Any]:
    """An explanation as the page has it: rows without keys, in the order of the tables' columns."""
    return {
        "equal": found.equal,
        "answers": summary(found.labels, found.label_pairs, ("p", "q"), found.num_inputs, found.kl),
        "pivot": None if found.pivot_label is None else one_line(found.pivot_label, LONGEST_NAME),
        "labels": [
            [one_line(row.label, LONGEST_NAME), *map(_cell, _cells(row))] for row in found.labels[:SHOWN_LABELS]
        ],
        "swaps": [
            [one_line(row.first, LONGEST_NAME), one_line(row.second, LONGEST_NAME), row.count, rounded(row.share, 4)]
            for row in found.label_pairs[:SHOWN_SWAPS]
        ],
        "inputs": [
            {
                "row": row.input,
                "kl": rounded(row.kl, 4),
                "first": [one_line(row.first_label, LONGEST_NAME), rounded(row.first_probability, 4)],
                "second": [one_line(row.second_label, LONGEST_NAME), rounded(row.second_probability, 4)],
            }
            for row in found.inputs
        ],
        "directions": [
            {
                "correlation": rounded(row.correlation, 4),
                "variance": rounded([row.of_first, row.of_second], 4),
                "higher": [one_line(name, LONGEST_NAME) for name in row.higher],
                "lower": [one_line(name, LONGEST_NAME) for name in row.lower],
            }
            for row in found.directions[:SHOWN_DIRECTIONS]
        ],
        "only": [found.only_first, found.only_second],
        "numDirections": sum(bool(row.of_first and row.of_second) for row in found.directions),
    }


def _cell(value: float | None) -> float | str | None:
    """A number for JSON, which has no word for what is infinite."""
    if value is None:
        return None
    return "Infinity" if math.isinf(value) else rounded(value, 4)


def _cells(row: LabelDifference) -> tuple[float | None, ...]:
    return row.share_of_kl, row.lost, row.gained, row.where_given, row.correlation, row.share_of_distance, row.term
