"""Names of measures that a user gives, as names of COLUMNS."""

from collections.abc import Sequence
from difflib import get_close_matches

from closedist.comparison.measured import REVERSE
from closedist.comparison.record import COLUMNS, FIELDS
from closedist.errors import InputError
from closedist.measures.settings import DEFAULT_MEASURES

_NUMBERS = [column for column in COLUMNS if column.larger_is_closer is not None or column not in FIELDS]


def asked(names: Sequence[str] | None) -> frozenset[str] | None:
    """The columns that these words stand for; None, as without words, for what there is by default.

    Args:
        names: of columns, other words that call one or several of them, or "default".

    Raises:
        InputError: an unknown name, or none.
    """
    if names is None:
        return None
    words = [names] if isinstance(names, str) else list(names)
    if not words:
        raise InputError('measures: no names; leave it out for what there is by default, which is called "default"')
    found = {DEFAULT_MEASURES} & set(words)
    for word in words:
        called = {column.name for column in _NUMBERS if word in (column.name, *column.called)}
        if not called and word != DEFAULT_MEASURES:
            raise InputError(f"measures: {word!r} is no measure; {_known(str(word))}")
        found |= called
    return frozenset(found)


def _known(word: str) -> str:
    """The names that are spelt much as a word is, or else all."""
    columns = [column for column in _NUMBERS if not column.name.endswith(REVERSE)]
    names = dict.fromkeys(name for column in columns for name in (column.name, *column.called))
    close = get_close_matches(word, names, n=3)
    if close:
        return f"these are {', '.join(close)}, and others; closedist.list_measures() has all"
    return f"these are {', '.join([DEFAULT_MEASURES, *(column.name for column in columns)])}"
