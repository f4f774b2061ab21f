"""Names of models that fit into a table: what differs stays."""

from collections.abc import Sequence

LONG_NAME = 30  # characters, beyond which what all names share is in the way
_CONTEXT = 8  # characters shown of what long names share


def short_names(names: Sequence[str], room: int | None = None) -> tuple[list[str], str]:
    """Distinct names without the words that long ones share, and their pattern with a * for what differs.

    Args:
        names: of which ``a_seed0_lr0_1_steps10`` and ``a_seed1_lr0_1_steps10`` become seed0 and seed1.
        room: characters that a name may have; by default 30 where words can be left out, and else any number.

    Returns:
        The names and ``a_*_lr0_1_steps10``; the pattern is "" where no words were left out.
    """
    if max(map(len, names)) <= (room or LONG_NAME):
        return list(names), ""
    words = [name.split("_") for name in names]
    short, pattern = list(names), ""
    if len(set(map(len, words))) == 1:
        columns = list(zip(*words, strict=True))
        differ = [len(set(column)) > 1 for column in columns]
        if any(differ) and not all(differ):
            short = ["_".join(word for word, kept in zip(row, differ, strict=True) if kept) for row in words]
            pattern = "_".join("*" if kept else column[0] for column, kept in zip(columns, differ, strict=True))
    return (short if room is None or max(map(len, short)) <= room else _cut(short, room)), pattern


def _cut(names: Sequence[str], room: int) -> list[str]:
    """What all share at either end is cut, and then the middle; names that are alike then have their numbers."""
    start = max(0, _shared(names) - _CONTEXT)
    shared = _shared([name[::-1] for name in names])
    cut = []
    for index, name in enumerate(names):
        end = max(start + 1, len(name) - max(0, shared - _CONTEXT))
        part = ("…" if start else "") + name[start:end] + ("…" if end < len(name) else "")
        fits = part if len(part) <= room else f"{part[: room // 2]}…{part[len(part) - (room - 1) // 2 :]}"
        cut.append(f"{fits[: room - len(str(index)) - 1]} {index}" if fits in cut else fits)
    return cut


def _shared(names: Sequence[str]) -> int:
    """How many characters all begin with."""
    columns = zip(*names, strict=False)
    return next((place for place, column in enumerate(columns) if len(set(column)) > 1), min(map(len, names)))
