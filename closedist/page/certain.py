"""How sure the page is: verdicts, intervals and what chance gives, of each pair and of all."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from closedist.certainty.limits import TOLERANCE
from closedist.comparison import Comparison
from closedist.comparison.table import left_out, notes_of
from closedist.page.packed import rounded

_DIGITS = 4


def certainty_of(c: Comparison) -> dict[str, Any]:
    """What the page says of one pair: ``intervals`` and ``chance`` by field, ``verdict`` and ``notes``.

    Where none were asked for there are no intervals, no verdict and no notes.
    """
    found: dict[str, Any] = {}
    if c.chance:
        found["chance"] = {name: rounded(value, _DIGITS) for name, value in c.chance.items()}
    if not c.intervals:
        return found
    found["intervals"] = {name: rounded([each.low, each.high], _DIGITS) for name, each in c.intervals.items()}
    found["notes"] = [note for note in notes_of(c) if note != left_out(c)]
    if c.has_verdict:
        verdict = c.verdict()
        found["verdict"] = {"kind": verdict.kind, "sentence": verdict.sentence}
    return found


def verdict_of_all(comparisons: Sequence[Comparison]) -> str:
    """The verdict of a pair, or how many pairs have which; "" where no pair has any."""
    judged = [c for c in comparisons if c.has_verdict]
    if not judged:
        return ""
    if len(comparisons) == 1:
        return judged[0].verdict().sentence
    kinds: Counter[str] = Counter(c.verdict().kind for c in judged)
    said = [
        f"{kinds[kind]:,} {'is' if kinds[kind] == 1 else 'are'} {words}"
        for kind, words in (("same", "the same"), ("not the same", "not the same"), ("undecided", "undecided"))
        if kinds[kind]
    ]
    of = f"{len(judged):,} pairs" if len(judged) == len(comparisons) else f"the {len(judged):,} pairs with intervals"
    return f"Of {of}, {' and '.join(filter(None, [', '.join(said[:-1]), said[-1]]))} within {100 * TOLERANCE:g} %."
