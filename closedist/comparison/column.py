"""What there is to say of one number of a comparison, wherever it is written, printed or documented."""

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, get_args, get_origin


@dataclass(frozen=True)
class Column:
    """A number's row.

    Attributes:
        title: what tables call it; a number and its counterpart share one.
        meaning: what it is, in a line.
        key: what files of distances call it; "" where they do not have it.
        group: the heading under which a pair's table has it; "" where it has not.
        unit: nats, or nothing.
        low, high: the range that it lies in.
        larger_is_closer: of two pairs of models; None where it says nothing of closeness.
        note: what tells it from another of the same title.
        called: what else ``measures=`` knows it by; one word may call several.
        above, below: numbers that it is proved never to be below, or above.
        name, type: of the field of Comparison, or of the entry of its ``measures``.
    """

    title: str
    meaning: str
    key: str = ""
    group: str = ""
    unit: str = ""
    low: float = -inf
    high: float = inf
    larger_is_closer: bool | None = None
    note: str = ""
    called: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    name: str = ""
    type: Any = None

    @property
    def several(self) -> bool:
        """A pair has a tuple of them."""
        return any(get_origin(kind) is tuple for kind in (self.type, *get_args(self.type)))


distance = partial(Column, low=0, larger_is_closer=False)
similarity = partial(Column, low=0, high=1, larger_is_closer=True)
