"""Write the table of docs/measures.md again: a row for each of closedist.comparison.COLUMNS.

Run it at the root: ``python docs/make_tables.py``.
"""

import re
from math import isinf
from pathlib import Path

from closedist.comparison import COLUMNS, Column

PAGE = Path(__file__).resolve().parent / "measures.md"
HEAD = ("field", "in tables", "what it is", "range", "closer where", "key in result files")


def numbers_table() -> str:
    """The table in Markdown."""
    rows = [HEAD, ["---"] * len(HEAD), *map(_row, COLUMNS)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


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


def replaced(page: str) -> str:
    """The page with the table as it is now."""
    return re.sub(rf"^\| {HEAD[0]} \| {HEAD[1]} \|.*?(?=^$)", lambda _: numbers_table() + "\n", page, flags=re.M | re.S)


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text()))
