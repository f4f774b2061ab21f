"""Copies of one model, quantised, pruned or tuned, beside it: their record, and the table that says which to ship."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from textwrap import fill
from typing import Any

from closedist.certainty.interval import Interval
from closedist.certainty.limits import USUAL_LIMITS, Kept, Limits, State, kept, worst
from closedist.comparison.frame import csv_of

FEW_INPUTS = 30  # that carry a mean, below which it is not estimated
_STATES: dict[State, str] = {"met": "yes", "broken": "no", "open": "undecided"}
_LONGEST_NAME = 16  # in a row of 80 columns

_BLOCKS = (
    (
        "KL divergence from the reference (nats)",
        {"kl": "KL", "kl_low": "95 % from", "kl_high": "to", "kl_reverse": "reverse"},
    ),
    (
        "KL at so many per cent of the positions is at most (nats)",
        {"kl_median": "50 %", "kl_90": "90 %", "kl_99": "99 %", "kl_99_9": "99.9 %", "kl_max": "100 %"},
    ),
    (
        "predictions",
        {
            "same_top_label": "same top",
            "same_top_low": "95 % from",
            "perplexity": "perplexity",
            "perplexity_ratio": "ratio",
            "logit_correlation": "logit corr.",
        },
    ),
    (
        "distances of representations",
        {"llv": "d_LLV", "certificate": "certificate", "mean_cca_embeddings": "m_CCA"},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """What one pass over texts says of a copy, q, of a reference, p.

    Attributes:
        name: what to call it.
        kl, kl_reverse: the mean over positions of KL(p‖q) and of KL(q‖p), in nats.
        kl_low, kl_high: the ends of the 95 % interval of ``kl``; None where there are too few groups for one.
        kl_median, kl_90, kl_99, kl_99_9, kl_max: what KL(p‖q) is at most at 50, 90, 99, 99.9 and 100 % of positions.
        same_top_label: the share of positions for which both predict the same token.
        same_top_low, same_top_high: the ends of its 95 % interval; likewise.
        perplexity: exp of the mean of −log q(next token); None where no position has a next one in its sequence.
        perplexity_ratio: that of the copy over that of the reference.
        llv, mean_cca_embeddings, certificate, logit_correlation: as in a :class:`Comparison`.
        kl_inputs: on how many positions ``kl`` rests, (Σ kl)²/Σ kl².
    """

    name: str
    kl: float
    kl_low: float | None
    kl_high: float | None
    kl_reverse: float
    kl_median: float
    kl_90: float
    kl_99: float
    kl_99_9: float
    kl_max: float
    same_top_label: float
    same_top_low: float | None
    same_top_high: float | None
    perplexity: float | None
    perplexity_ratio: float | None
    llv: float | None
    mean_cca_embeddings: float | None
    certificate: float | None
    logit_correlation: float | None
    kl_inputs: float

    def within(self, limits: Limits) -> State:
        """Whether KL(p‖q) and the share of the same top token keep their limits, by the ends of their intervals."""
        return worst([part.state for part in self._kept(limits)])

    def _kept(self, limits: Limits) -> list[Kept]:
        return kept(limits, [_interval(self.kl_low, self.kl_high)], _interval(self.same_top_low, self.same_top_high))


def copies_as_dicts(copies: Sequence[Copy]) -> list[dict[str, Any]]:
    """Every copy as what JSON can hold; what is infinite, since some log-odds vary in one model only, is None."""
    return [
        {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in row.items()}
        for row in map(asdict, copies)
    ]


def copies_as_csv(copies: Sequence[Copy]) -> str:
    """The same as CSV, a line a copy below a line of names."""
    return csv_of(copies_as_dicts(copies), [field.name for field in fields(Copy)])


def copies_table(copies: Sequence[Copy], reference: str, limits: Limits = USUAL_LIMITS) -> str:
    """A readable table of copies in the order given, at most 80 columns wide.

    Args:
        copies: one or more.
        reference: what to call the model that they are compared with.
        limits: of KL and of the same top token; where there are some, whether each copy keeps them.
    """
    names = [copy.name for copy in copies]
    short = all(len(name) <= _LONGEST_NAME for name in names)
    called = names if short else [str(number) for number in range(1, len(names) + 1)]
    blocks = [] if short else ["\n".join(f"{number}  {name}" for number, name in zip(called, names, strict=True))]
    for heading, columns in _BLOCKS:
        rows = [["", *columns.values()]]
        rows += [
            [name, *(_short(getattr(copy, field)) for field in columns)]
            for name, copy in zip(called, copies, strict=True)
        ]
        width = max(len(row[0]) for row in rows)
        lines = [row[0].ljust(width) + "".join(f"{cell:>{_width(columns)}}" for cell in row[1:]) for row in rows]
        blocks.append("\n".join([heading.replace("the reference", reference), *(line.rstrip() for line in lines)]))
    if limits.max_kl is not None or limits.min_same_top is not None:
        lines = []
        for name, copy in zip(called, copies, strict=True):
            words = "; ".join(part.words for part in copy._kept(limits))
            start = f"{name}  {_STATES[copy.within(limits)]}: "
            lines.append(fill(f"{start}{words}", 80, subsequent_indent=" " * (len(name) + 2)))
        blocks.append("\n".join(["within the limits given, by the ends of the 95 % intervals?", *lines]))
    few = [copy.name for copy in copies if copy.kl_inputs < FEW_INPUTS]
    if few:
        blocks.append(
            f"KL of {', '.join(few)} rests on fewer than {FEW_INPUTS} positions, too few to estimate it; read more text"
        )
    return "\n\n".join(blocks)


def _interval(low: float | None, high: float | None) -> Interval:
    """One that is known by its ends, or of which nothing is known."""
    if low is None or high is None:
        low, high = float("-inf"), float("inf")
    return Interval(low, high, float("nan"), float("nan"), low, high)


def _width(columns: dict[str, str]) -> int:
    return 64 // len(columns)


def _short(value: float | None) -> str:
    """Four digits or three, in at most nine characters."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:#.4g}".rstrip(".") if 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"
