"""Small tables for a person, in 80 columns whatever a name holds."""

from collections.abc import Sequence

HEAD = 14  # characters of a column's name at most


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, more: str = "") -> str:
    """Lines of right-aligned cells under a title.

    Args:
        title: the line above.
        heads: the columns' names.
        rows: a cell a column.
        more: the line below, such as what was left out.
    """
    lines = [[one_line(head, HEAD) for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([title, *(f"  {line}".rstrip() for line in aligned), *([f"  {more}"] if more else [])])


def left_out(shown: int, total: int) -> str:
    """What a table says of rows that it does not show."""
    return f"… and {total - shown:,} more" if total > shown else ""


def one_line(value: object, length: int) -> str:
    """One line of at most so many characters, whatever a name holds."""
    shown = "".join(character if character.isprintable() else "·" for character in str(value))
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"
