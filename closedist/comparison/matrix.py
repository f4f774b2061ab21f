"""Many models at once: matrices of all pairs, or a table of one model against the others."""

import textwrap
from collections.abc import Sequence
from itertools import combinations, pairwise

from closedist.certainty.limits import LARGE_TOLERANCE, TOLERANCE, USUAL_LIMITS, Limits
from closedist.comparison.column import Column
from closedist.comparison.measured import REVERSE
from closedist.comparison.naming import short_names
from closedist.comparison.record import COLUMNS, Comparison
from closedist.comparison.table import WIDTH, left_out, wrapped, written
from closedist.errors import InputError

NUMBER = "logit_correlation"  # what the matrix of many models shows unless another is asked for
MARKS = {"same": "=", "not the same": "≠", "undecided": "?"}
_OF_VERDICTS = "a verdict is about where two models agree least, the number about all at once"
_NAME_ROOM = 24  # of a name beside numbers
MATRICES = (  # upper right and lower left
    ("logit_correlation", "same_top_label"),
    ("llv", "quadratic_bound"),
    ("dissimilarity", "certificate"),
    ("kl", "kl_reverse"),
    ("mean_cca_embeddings", "cka_embeddings"),
)
REFERENCE = ("logit_correlation", "same_top_label", "kl", "dissimilarity", "mean_cca_embeddings")


def matrix_table(
    comparisons: Sequence[Comparison],
    names: Sequence[str],
    *,
    number: str | None = None,
    everything: bool = False,
    limits: Limits = USUAL_LIMITS,
) -> str:
    """A readable matrix of all pairs: one number, each marked by its verdict where there are intervals.

    Args:
        comparisons: of all pairs, in ``itertools.combinations`` order.
        names: one a model.
        number: which number of a comparison; by default the logit correlation, or KL where that is not known.
        everything: whether matrices of d_LLV, d_{f,g} and its bounds, KL (row to column), m_CCA and CKA follow.
        limits: of the verdicts.

    Raises:
        InputError: the numbers of comparisons and names do not fit, or a comparison has no such number.
    """
    pairs = list(combinations(range(len(names)), 2))
    if len(pairs) != len(comparisons):
        raise InputError(
            f"names: {len(names)} models have {len(pairs)} pairs, but there are {len(comparisons)} comparisons"
        )
    short, pattern = short_names(names, WIDTH - 2 - len(str(len(names))))
    width = len(str(len(names) - 1))
    blocks = ["\n".join(f"{index:>{width}}  {name}" for index, name in enumerate(short))]
    if pattern:
        blocks.append(_of_pattern(pattern))
    blocks.append(_one_number(dict(zip(pairs, comparisons, strict=True)), len(names), number, limits))
    by_name = {column.name: column for column in COLUMNS}
    first = shown_number(comparisons, number).name
    named = [pair for pair in _named(comparisons) if pair[0] != first]
    for above, below in (*(MATRICES if everything else ()), *named):
        values = {name: [getattr(c, name) for c in comparisons] for name in (above, below)}
        if None in values[above]:
            continue
        if None in values[below]:
            below = above
        upper, lower = by_name[above], by_name[below]
        title = f"{upper.title} (upper right) and {lower.title} (lower left)"
        if upper.title == lower.title:  # one number, or both directions of one
            unit = f" in {upper.unit}" if upper.unit else ""
            title = upper.title if upper is lower else f"{upper.title}{unit}, row to column"
        diagonal = "1" if upper.larger_is_closer else "0"
        cells = {pair: written(value) for pair, value in zip(pairs, values[above], strict=True)}
        cells |= {(j, i): written(value) for (i, j), value in zip(pairs, values[below], strict=True)}
        blocks.append(f"{title}\n{_square(cells, diagonal, len(names))}")
    blocks += dict.fromkeys(filter(None, map(left_out, comparisons)))
    return "\n\n".join(blocks)


def _named(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """What ``measures=`` named and all pairs have, with its counterpart from q to p for the lower left."""
    names = [name for name in (comparisons[0].measures if comparisons else ()) if not name.endswith(REVERSE)]
    return [(name, _back(name, comparisons)) for name in names]


def shown_number(comparisons: Sequence[Comparison], number: str | None) -> Column:
    """The number that a matrix shows.

    Raises:
        InputError: there is no such number, or a comparison has none.
    """
    named = {name for c in comparisons for name in c.measures}
    known = [c for c in COLUMNS if (c.larger_is_closer is not None and not c.several) or c.name in named]
    there = {c.name: c for c in known if all(getattr(of_pair, c.name) is not None for of_pair in comparisons)}
    if number is None and there:
        return there.get(NUMBER) or there.get("kl") or next(iter(there.values()))
    if number not in there:
        raise InputError(f"number: {number!r} is none that all pairs have; these are {', '.join(there)}")
    return there[number]


def verdict_mark(comparison: Comparison, limits: Limits) -> str:
    """= for the same, ≠ for not the same, ? for undecided; "" where there are no intervals."""
    if not comparison.has_verdict:
        return ""
    return MARKS[comparison.within(limits).kind]


def _one_number(by_pair: dict[tuple[int, int], Comparison], count: int, number: str | None, limits: Limits) -> str:
    column = shown_number(list(by_pair.values()), number)
    marks = {pair: verdict_mark(c, limits) for pair, c in by_pair.items()}
    cells = {pair: _brief(getattr(c, column.name)) + marks[pair] for pair, c in by_pair.items()}
    back = _back(column.name, list(by_pair.values()))
    cells |= {(j, i): _brief(getattr(c, back)) + marks[i, j] for (i, j), c in by_pair.items()}
    unit = f" in {column.unit}" if column.unit else ""
    unit += ", row to column" if back != column.name else ""
    legend = f"; {_legend(limits)}" if any(marks.values()) else ""
    square = f"{column.title}{unit}{legend}\n{_square(cells, '·', count)}"
    return f"{square}\n{_OF_VERDICTS}" if any(marks.values()) else square


def _back(name: str, comparisons: Sequence[Comparison]) -> str:
    """The number from q to p where all pairs have one, else the number itself."""
    back = f"{name}{REVERSE}"
    known = any(column.name == back for column in COLUMNS)
    return back if known and all(getattr(c, back) is not None for c in comparisons) else name


def _brief(value: float) -> str:
    """Two digits after the point where that says something, so that many fit."""
    return f"{value:.2f}" if 0.01 <= abs(value) < 100 or value == 0 else f"{value:.0e}"


def reference_table(
    comparisons: Sequence[Comparison],
    reference: str,
    names: Sequence[str],
    *,
    everything: bool = False,
    limits: Limits = USUAL_LIMITS,
) -> str:
    """A readable table of one model against others, a row each, at 80 columns.

    Args:
        comparisons: of the reference, which is p, with each of the others.
        reference: what to call it.
        names: what to call the others.
        everything: whether all numbers of the matrices are shown, or those that fit beside a name.
        limits: of the verdicts.
    """
    by_name = {column.name: column for column in COLUMNS}
    wanted = [name for pair in MATRICES for name in pair] if everything else REFERENCE
    shown = [by_name[name] for name in wanted if any(getattr(c, name) is not None for c in comparisons)]
    shown += [by_name[name] for pair in _named(comparisons) for name in dict.fromkeys(pair)]
    marks = [verdict_mark(c, limits) for c in comparisons]
    titles = ["", *(column.title for column in shown)]
    heads = [f"{title} reverse" if title == before else title for before, title in pairwise(titles)]
    (reference, *names), pattern = short_names([reference, *names], _NAME_ROOM)
    columns = [[reference, *names], *([["", *marks]] if any(marks) else [])]
    for head, column in zip(heads, shown, strict=True):
        values = [getattr(c, column.name) for c in comparisons]
        columns.append([head, *("" if value is None else written(value) for value in values)])
    notes = [_of_pattern(pattern) if pattern else "", _legend(limits) if any(marks) else ""]
    notes += ["\n".join(wrapped(note)) for note in dict.fromkeys(map(left_out, comparisons))]
    return "\n\n".join(filter(None, [*_side_by_side(columns), *notes]))


def _of_pattern(pattern: str) -> str:
    return "\n".join(
        ["names are what differs in", *textwrap.wrap(pattern, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    )


def _legend(limits: Limits) -> str:
    large = f" (a usual tolerance is {TOLERANCE:g})" if limits.tolerance > LARGE_TOLERANCE else ""
    others = "" if limits == Limits(limits.tolerance) else " and the limits given"
    return f"= the same within {100 * limits.tolerance:g} %{others}, ≠ not the same, ? undecided{large}"


def _side_by_side(columns: Sequence[Sequence[str]]) -> list[str]:
    """Columns with their titles, a word a line; as many side by side as fit, the first (of names) before all."""
    heads = [[columns[0][0]], *(column[0].split(" ") for column in columns[1:])]
    widths = [max(map(len, [*head, *column[1:]])) + 2 for head, column in zip(heads, columns, strict=True)]
    blocks: list[list[int]] = [[0]]
    for index in range(1, len(columns)):
        if sum(widths[other] for other in [*blocks[-1], index]) - 2 > WIDTH:
            blocks.append([0])
        blocks[-1].append(index)
    tables = []
    for block in blocks:
        most = max(len(heads[index]) for index in block)
        tall = [[*[""] * (most - len(heads[index])), *heads[index], *columns[index][1:]] for index in block]
        tables.append(_aligned(list(zip(*tall, strict=True))))
    return tables


def _square(cells: dict[tuple[int, int], str], diagonal: str, size: int) -> str:
    """The cells by row and column with their numbers, right-aligned; as many columns side by side as fit."""
    widths = [max(len(str(j)), len(diagonal), *(len(cells[i, j]) for i in range(size) if i != j)) for j in range(size)]
    room = WIDTH - len(str(size)) - 2
    step = max(1, room // (max(widths) + 2))
    blocks = []
    for columns in (range(start, min(start + step, size)) for start in range(0, size, step)):
        rows = [["", *map(str, columns)]]
        rows += [[str(i), *(cells.get((i, j), diagonal) for j in columns)] for i in range(size)]
        blocks.append(_aligned(rows))
    return "\n\n".join(blocks)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(map(str.rstrip, lines))
