"""Write the tables of docs/measures.md again: a row for each of closedist.comparison.COLUMNS, and for each measure.

Run it at the root: ``python docs/make_tables.py``.
"""

import re
from collections.abc import Sequence
from math import isinf
from pathlib import Path

from closedist import list_measures
from closedist.comparison import COLUMNS, FIELDS, Column
from closedist.measures.catalogue import CHANGES, Measure
from closedist.measures.logit_catalogue import LOGIT_MEASURES

PAGE = Path(__file__).resolve().parent / "measures.md"
HEAD = ("field", "in tables", "what it is", "range", "closer where", "key in result files")
SEEN = {
    "shift": "shift",
    "scale": "one scale",
    "reordered": "order of columns",
    "rescaled": "a scale a column",
    "rotated": "rotation",
    "mapped": "invertible map",
}
LOGITS_HEAD = ("number", "in tables", *HEAD[2:-1], "p to q, q to p", "comes with")
MEASURES_HEAD = ("measure", "called", *(SEEN[change] for change in CHANGES), "range", "metric", "kept")
CHANCE_HEAD = ("measure of two views", "unrelated views", "misleads", "source")


def numbers_table() -> str:
    """The table of a comparison's fields in Markdown."""
    return _table(HEAD, [_row(column) for column in FIELDS])


def logits_table() -> str:
    """The table of distances of logits, and of representations by their labels; q to p is the other way round."""
    by_name = {column.name: column for column in COLUMNS}
    rows = [_row(by_name[one.name])[:-1] for one in LOGIT_MEASURES]
    ways = ["both ways" if one.directed else "" for one in LOGIT_MEASURES]
    families = [f"`{one.family}`" for one in LOGIT_MEASURES]
    return _table(LOGITS_HEAD, [[*row, way, word] for row, way, word in zip(rows, ways, families, strict=True)])


def measures_table() -> str:
    """The table of measures of two views: what each does not see."""
    by_sight = sorted(list_measures(), key=lambda one: [change not in one.invariances for change in reversed(CHANGES)])
    return _table(MEASURES_HEAD, [_measure_row(one) for one in by_sight])


def chance_table() -> str:
    """The table of what each measure gives by chance, and when not to believe it."""
    return _table(CHANCE_HEAD, [[one.title, one.chance, one.misleads, one.source] for one in list_measures()])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _row(column: Column) -> list[str]:
    low, high = (f"{end:g}" for end in (column.low, column.high))
    values = "" if isinf(column.low) else f"from {low}" if isinf(column.high) else f"{low} … {high}"
    closer = {True: "larger", False: "smaller", None: ""}[column.larger_is_closer]
    unit = f" {column.unit}" if column.unit else ""
    return [
        f"`{column.name}`",
        column.title,
        column.meaning,
        values + unit,
        closer,
        f"`{column.key}`" * bool(column.key),
    ]


def _measure_row(measure: Measure) -> list[str]:
    high = {1.5707963267948966: "π/2", 2**0.5: "√2"}.get(measure.high, f"{measure.high:g}")
    return [
        measure.title,
        f"`{measure.name}(z, w)`, `{measure.name}_matrix(views)`",
        *("yes" if change in measure.invariances else "" for change in CHANGES),
        f"from {measure.low:g}" if isinf(measure.high) else f"{measure.low:g} … {high}",
        "yes" if measure.metric else "" if measure.symmetric else "not symmetric",
        "moments" if measure.moments else "activations",
    ]


def replaced(page: str) -> str:
    """The page with the tables as they are now."""
    for head, table in (
        (HEAD, numbers_table()),
        (LOGITS_HEAD, logits_table()),
        (MEASURES_HEAD, measures_table()),
        (CHANCE_HEAD, chance_table()),
    ):
        begin = re.escape(f"| {head[0]} | {head[1]} |")
        page = re.sub(rf"^{begin}.*?(?=^$)", lambda _, made=table: made + "\n", page, flags=re.M | re.S)
    return page


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text()))
