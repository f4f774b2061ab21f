"""The columns of a JSON result file, each taken out with its type and range checked."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.paper.results.archive import ResultsSource

Floats = NDArray[np.float64]
LARGEST_INTEGER = 2**63
LONGEST_TEXT = 255  # what a file's name may have
SEED_PAIR = re.compile(r"([0-9]{1,18})vs([0-9]{1,18})")


class ResultTable:
    """A result file's equally long columns.

    Every method takes a column's key and raises InputError with the file, the key and the entry that is wrong.
    """

    def __init__(self, source: ResultsSource, name: str, required: Sequence[str]) -> None:
        """Read a file and see that the required lists are there and equally long."""
        self.title = f"{source.place}: {name}"
        content = source.read_json(name)
        if not isinstance(content, dict):
            raise InputError(f"{self.title} is not a table of columns (a JSON object of lists)")
        self.columns: dict[str, Any] = content
        for key in required:
            if not isinstance(content.get(key), list):
                raise InputError(f"{self.title} has no list named {key!r}; is it the right kind of result file?")
        lengths = {key: len(content[key]) for key in required}
        if len(set(lengths.values())) > 1:
            raise InputError(f"{self.title}: its lists differ in length: {lengths}")
        self.length = lengths[required[0]]
        if self.length == 0:
            raise InputError(f"{self.title} has no entries; make it again with at least two seeds")

    def floats(self, key: str, minimum: float = -math.inf, maximum: float = math.inf) -> Floats:
        """A column of finite numbers within a closed interval, as float64."""
        values = [self._number(value, f"{key}[{i}]", minimum, maximum) for i, value in enumerate(self.columns[key])]
        return np.array(values, dtype=np.float64)

    def optional_floats(self, key: str) -> Floats | None:
        """A column of ours: None where the file has none of it, or has it only in part."""
        values = self.columns.get(key)
        if not isinstance(values, list) or any(value is None for value in values):
            return None
        if len(values) != self.length:
            raise InputError(f"{self.title}: {key!r} has {len(values)} entries, the other lists {self.length}")
        return self.floats(key)

    def texts(self, key: str) -> list[str]:
        """A column of ours with short texts: empty ones where the file has none of it."""
        values = self.columns.get(key, [""] * self.length)
        if not isinstance(values, list) or len(values) != self.length:
            raise InputError(f"{self.title}: {key!r} is no list as long as the others, {self.length} entries")
        for i, value in enumerate(values):
            if not isinstance(value, str) or len(value) > LONGEST_TEXT:
                raise InputError(f"{self.title}: {key}[{i}] is {value!r:.50}, not a text of up to {LONGEST_TEXT}")
        return list(values)

    def float_lists(self, key: str, minimum: float, maximum: float) -> tuple[Floats, ...]:
        """One non-empty list of numbers a row; a bare number counts as a list of one."""
        lists = []
        for i, value in enumerate(self.columns[key]):
            entries = value if isinstance(value, list) else [value]
            if not entries:
                raise InputError(f"{self.title}: {key}[{i}] is empty; there is a number for every label subset")
            lists.append(np.array([self._number(entry, f"{key}[{i}]", minimum, maximum) for entry in entries]))
        return tuple(lists)

    def entries_per_list(self, key: str) -> int:
        """How many entries every list of a column has: at least two, and as many in each row."""
        lengths = {len(value) if isinstance(value, list) else 0 for value in self.columns[key]}
        if len(lengths) != 1 or min(lengths) < 2:
            raise InputError(
                f"{self.title}: the entries of {key!r} are not lists of one length, a pivot input and others"
            )
        return lengths.pop()

    def integers(self, key: str, maximum: int = LARGEST_INTEGER) -> list[int]:
        """A column of integers from 0 to below ``maximum``."""
        values = self.columns[key]
        for i, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < maximum:
                raise InputError(f"{self.title}: {key}[{i}] is {value!r:.50}, not an integer from 0 below {maximum:,}")
        return list(values)

    def seed_pairs(self, key: str) -> tuple[tuple[int, int], ...]:
        """A column of pairs of seeds, "0vs1" in the file."""
        pairs = []
        for i, value in enumerate(self.columns[key]):
            match = SEED_PAIR.fullmatch(value) if isinstance(value, str) else None
            if match is None:
                raise InputError(f"{self.title}: {key}[{i}] is {value!r:.50}, not two seeds as in '0vs1'")
            pairs.append((int(match[1]), int(match[2])))
        return tuple(pairs)

    def _number(self, value: Any, entry: str, minimum: float, maximum: float) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number) and minimum <= number <= maximum:
                return number
        interval = "" if minimum == -math.inf else f" of at least {minimum:g}"
        interval += "" if maximum == math.inf else f" and at most {maximum:g}"
        raise InputError(f"{self.title}: {entry} is {value!r:.50}, not a finite number{interval}")
