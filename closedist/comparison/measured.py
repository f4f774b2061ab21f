"""The rows of what is measured where it is named: made from the tables of measures, which load no torch."""

from dataclasses import replace
from typing import Any

from closedist.comparison.column import Column
from closedist.measures.catalogue import MEASURES, Measure
from closedist.measures.logit_catalogue import LOGIT_MEASURES, LogitMeasure

LOGITS, BY_LABELS, VIEWS = "distance of logits", "distance of representations by their labels", "embeddings as views"
REVERSE = "_reverse"  # ends the name of a number's counterpart from q to p
_NUMBER: Any = float | None
_COUNT: Any = int | None


def of_logits(measure: LogitMeasure) -> list[Column]:
    """Its row, or both where q to p is another number."""
    column = Column(
        measure.title,
        measure.meaning,
        group=LOGITS if measure.family == "logit_distance" else BY_LABELS,
        low=measure.low,
        high=measure.high,
        larger_is_closer=measure.larger_is_closer,
        called=(measure.family,),
        above=measure.above,
        below=measure.below,
        name=measure.name,
        type=_COUNT if measure.whole else _NUMBER,
    )
    return both_ways(column) if measure.directed else [column]


def of_view(measure: Measure) -> list[Column]:
    """Its row, or both where q to p is another number."""
    column = Column(
        measure.title,
        "of the embeddings, a measure of two views (the tables below)",
        group=VIEWS,
        low=measure.low,
        high=measure.high,
        larger_is_closer=measure.larger_is_closer,
        called=(measure.short,),
        name=measure.name,
        type=_NUMBER,
    )
    return [column] if measure.symmetric else both_ways(column)


def both_ways(column: Column) -> list[Column]:
    """A row from p to q, and one from q to p that whoever asks for the first gets too."""
    back = replace(
        column,
        note="q to p",
        name=f"{column.name}{REVERSE}",
        called=(*column.called, column.name),
        above=tuple(map(_turned, column.above)),
        below=tuple(map(_turned, column.below)),
    )
    return [replace(column, note="p to q"), back]


def _turned(name: str) -> str:
    """The number from q to p, where that is another one."""
    return f"{name}{REVERSE}" if any(one.directed for one in LOGIT_MEASURES if one.name == name) else name


def measured_columns(fields: tuple[Column, ...]) -> tuple[Column, ...]:
    """The rows of what is no field of a Comparison."""
    known = {name for column in fields for name in column.called}
    logits = [column for measure in LOGIT_MEASURES for column in of_logits(measure)]
    views = [column for measure in MEASURES if measure.name not in known for column in of_view(measure)]
    return (*logits, *views)
