"""What an explanation of two models says: lists of small records, worst first, and how they read."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from math import isfinite
from textwrap import fill
from typing import Any

from closedist.explanation.differences import Direction, InputDifference, LabelDifference, LabelPair, Name
from closedist.explanation.printed import (
    LONGEST,
    directions_printed,
    inputs_printed,
    labels_printed,
    pairs_printed,
    summary,
)
from closedist.explanation.table import one_line

PRINTED = 10  # rows of each list
LISTS = ("labels", "label_pairs", "inputs", "directions")


@dataclass(frozen=True)
class Explanation:
    """Where two models differ on the same N inputs; every list is worst first.

    Attributes:
        names: of the two models.
        labels: all labels, those that carry most of KL(first‖second) first.
        label_pairs: labels that one model gives where the other gives another, most frequent first.
        inputs: those with the largest KL.
        directions: canonical directions of the embeddings, lowest correlation first; none for black boxes. Of those
            that one model lacks the two that labels see most are listed.
        only_first, only_second: how many directions only one of the models has.
        pivot_label, left_out_label: what t1's terms are against, and the label that t1 leaves out; None without terms.
        num_inputs: N.
        kl, distance: KL(first‖second) and d_logit, which the shares are of.
        equal: the logits differ by no more than rounding.
    """

    names: tuple[str, str]
    labels: tuple[LabelDifference, ...]
    label_pairs: tuple[LabelPair, ...]
    inputs: tuple[InputDifference, ...]
    directions: tuple[Direction, ...]
    only_first: int
    only_second: int
    pivot_label: Name | None
    left_out_label: Name | None
    num_inputs: int
    kl: float
    distance: float
    equal: bool

    def rows(self) -> list[dict[str, Any]]:
        """Every record as a plain dict, with the list it is in as ``list``."""
        return [{"list": name, **asdict(record)} for name in LISTS for record in getattr(self, name)]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it; what is infinite, since a label varies in one model only, is None."""
        found: dict[str, Any] = _finite(asdict(self))
        return found

    def __str__(self) -> str:
        """At most 80 columns, the worst ten of each list."""
        return text(self)


def as_csv(found: Explanation) -> str:
    """The rows of all lists as CSV, with a line of names above; lists as JSON, and nothing where there is None."""
    rows = found.rows()
    shown = io.StringIO()
    writer = csv.DictWriter(shown, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        nested = {name: json.dumps(value, ensure_ascii=False) for name, value in row.items() if _is_nested(value)}
        writer.writerow(row | nested)
    return shown.getvalue()


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def text(found: Explanation, most: int = PRINTED) -> str:
    """An explanation for a person, in 80 columns.

    Args:
        found: the explanation.
        most: rows of each list.
    """
    called = found.names if max(map(len, found.names)) <= LONGEST else ("p", "q")
    lines = [f"  {short} is {one_line(name, 70)}" for short, name in zip(called, found.names, strict=True)]
    names = (one_line(called[0], LONGEST), one_line(called[1], LONGEST))
    said = f"where {names[0]} and {names[1]} differ, over {found.num_inputs:,} inputs"
    blocks = ["\n".join([said, *lines] if called != found.names else [said])]
    if found.equal:
        blocks.append("their logits are equal for every label and every input, but for rounding")
    else:
        pivot = None if found.pivot_label is None else (found.pivot_label, found.left_out_label)
        blocks.append(fill(summary(found.labels, found.label_pairs, names, found.num_inputs, found.kl), 80))
        blocks.append(pairs_printed(found.label_pairs, names, most))
        blocks.append(labels_printed(found.labels, names, pivot, most))
        blocks.append(inputs_printed(found.inputs, names, found.kl, most))
    if found.directions:
        blocks.append(directions_printed(found.directions, names, (found.only_first, found.only_second), most))
    return "\n\n".join(blocks)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value
