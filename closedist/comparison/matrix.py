"""Many models at once: matrices of all pairs, or a table of one model against the others."""

from collections.abc import Sequence
from itertools import combinations, pairwise

from closedist.comparison.record import COLUMNS, Comparison, left_out, written
from closedist.errors import InputError

MATRICES = (  # upper right and lower left
    ("llv", "quadratic_bound"),
    ("dissimilarity", "certificate"),
    ("kl", "kl_reverse"),
    ("mean_cca_embeddings", "cka_embeddings"),
)


def matrix_table(comparisons: Sequence[Comparison], names: Sequence[str]) -> str:
    """Readable matrices of all pairs: d_LLV, d_{f,g} and its bounds, KL (row to column), m_CCA and CKA.

    Args:
        comparisons: of all pairs, in ``itertools.combinations`` order.
        names: one a model.

    Raises:
        InputError: the numbers of comparisons and names do not fit.
    """
    pairs = list(combinations(range(len(names)), 2))
    if len(pairs) != len(comparisons):
        raise InputError(
            f"names: {len(names)} models have {len(pairs)} pairs, but there are {len(comparisons)} comparisons"
        )
    by_name = {column.name: column for column in COLUMNS}
    blocks = ["\n".join(f"{index}  {name}" for index, name in enumerate(names))]
    for above, below in MATRICES:
        values = {name: [getattr(c, name) for c in comparisons] for name in (above, below)}
        if None in values[above]:
            continue
        if None in values[below]:
            below = above
        upper, lower = by_name[above], by_name[below]
        title = f"{upper.title} (upper right) and {lower.title} (lower left)"
        if upper.title == lower.title:  # one number, or both directions of one
            title = upper.title if upper is lower else f"{upper.title} in {upper.unit}, row to column"
        diagonal = "1" if upper.larger_is_closer else "0"
        cells = {pair: written(value) for pair, value in zip(pairs, values[above], strict=True)}
        cells |= {(j, i): written(value) for (i, j), value in zip(pairs, values[below], strict=True)}
        blocks.append(f"{title}\n{_square(cells, diagonal, len(names))}")
    blocks += dict.fromkeys(filter(None, map(left_out, comparisons)))
    return "\n\n".join(blocks)


def reference_table(comparisons: Sequence[Comparison], reference: str, names: Sequence[str]) -> str:
    """A readable table of one model against others, a row each: what the matrices show.

    Args:
        comparisons: of the reference, which is p, with each of the others.
        reference: what to call it.
        names: what to call the others.
    """
    by_name = {column.name: column for column in COLUMNS}
    shown = [by_name[name] for pair in MATRICES for name in pair]
    shown = [column for column in shown if any(getattr(c, column.name) is not None for c in comparisons)]
    titles = ["", *(column.title for column in shown)]
    rows = [[reference, *("reverse" if title == before else title for before, title in pairwise(titles))]]
    for name, c in zip(names, comparisons, strict=True):
        values = [getattr(c, column.name) for column in shown]
        rows.append([name, *("" if value is None else written(value) for value in values)])
    return "\n\n".join([_aligned(rows), *dict.fromkeys(filter(None, map(left_out, comparisons)))])


def _square(cells: dict[tuple[int, int], str], diagonal: str, size: int) -> str:
    """The cells by row and column with their numbers, right-aligned."""
    numbers = [str(index) for index in range(size)]
    rows = [["", *numbers]]
    rows += [[number, *(cells.get((i, j), diagonal) for j in range(size))] for i, number in enumerate(numbers)]
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
