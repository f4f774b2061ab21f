"""What an explanation of two models says: lists of small records, worst first, and how they read."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Name = int | str


@dataclass(frozen=True)
class LabelDifference:
    """How one label's logit, centred over labels and inputs, differs between the models.

    Attributes:
        label: its name, or its number.
        correlation: over the inputs, between the two models; 1 where they agree up to a factor, None for a constant.
        mean_difference: the second model's centred logit minus the first's, mean over inputs.
        deviation: standard deviation over the inputs of that difference.
        share_of_distance: of d_logit² (all labels' add up to 1).
        share_of_kl: of KL(first‖second), likewise.
    """

    label: Name
    correlation: float | None
    mean_difference: float
    deviation: float
    share_of_distance: float
    share_of_kl: float


@dataclass(frozen=True)
class LabelPair:
    """How often the first model's most likely label is one and the second's another.

    Attributes:
        first, second: the two labels.
        count: of inputs; share: of all inputs.
    """

    first: Name
    second: Name
    count: int
    share: float


@dataclass(frozen=True)
class InputDifference:
    """One input that the models see differently.

    Attributes:
        input: its row.
        input_id: its id, where the models have any.
        kl: KL(first‖second) in nats.
        first_label, first_probability: the first model's most likely label, and how likely; second_… the second's.
        distance: ‖Δ‖, of the centred logits.
        influence: on KL, on d_logit² and on the logit correlation: what the input adds to the mean, over N.
    """

    input: int
    input_id: Any
    kl: float
    first_label: Name
    first_probability: float
    second_label: Name
    second_probability: float
    distance: float
    influence: dict[str, float]


@dataclass(frozen=True)
class Direction:
    """A canonical direction of the embeddings, in which the models agree only so far.

    Attributes:
        correlation: between the two models; 0 where one lacks the direction.
        of_first, of_second: the share of either model's variance that lies along it.
        higher, lower: the labels that the first model's logits tell apart most along it; none where no label sees it.
    """

    correlation: float
    of_first: float
    of_second: float
    higher: tuple[Name, ...]
    lower: tuple[Name, ...]


@dataclass(frozen=True)
class Explanation:
    """Where two models differ on the same N inputs; every list is worst first.

    Attributes:
        names: of the two models.
        labels: all labels, lowest correlation first.
        label_pairs: labels that one model gives where the other gives another, most frequent first.
        inputs: those with the largest KL.
        directions: canonical directions of the embeddings, lowest correlation first; none for black boxes.
        num_inputs: N.
        kl, distance: KL(first‖second) and d_logit, which the shares are of.
    """

    names: tuple[str, str]
    labels: tuple[LabelDifference, ...]
    label_pairs: tuple[LabelPair, ...]
    inputs: tuple[InputDifference, ...]
    directions: tuple[Direction, ...]
    num_inputs: int
    kl: float
    distance: float

    def rows(self) -> list[dict[str, Any]]:
        """Every record as a plain dict, with the list it is in as ``list``."""
        lists = ("labels", "label_pairs", "inputs", "directions")
        return [{"list": name, **asdict(record)} for name in lists for record in getattr(self, name)]

    def __str__(self) -> str:
        """At most 80 columns, the worst eight of each list."""
        return text(self)


def text(found: Explanation, most: int = 8) -> str:
    """An explanation for a person, in 80 columns.

    Args:
        found: the explanation.
        most: rows of each list.
    """
    first, second = (one_line(name, 14) for name in found.names)
    same = 1 - sum(pair.share for pair in found.label_pairs)
    blocks = [f"where {first} and {second} differ, over {found.num_inputs:,} inputs"]
    blocks.append(
        _table(
            "labels, least alike first",
            ("label", "correlation", "mean", "deviation", "of d_logit²", "of KL"),
            found.labels[:most],
            lambda row: (
                one_line(row.label, 20),
                "constant" if row.correlation is None else f"{row.correlation:.4f}",
                f"{row.mean_difference:+.3f}",
                f"{row.deviation:.3f}",
                f"{row.share_of_distance:.1%}",
                f"{row.share_of_kl:.1%}",
            ),
            len(found.labels),
        )
    )
    if found.label_pairs:
        blocks.append(
            _table(
                f"labels given by {first} and by {second}; the same for {same:.1%} of the inputs",
                (first, second, "inputs", "share"),
                found.label_pairs[:most],
                lambda row: (one_line(row.first, 24), one_line(row.second, 24), f"{row.count:,}", f"{row.share:.2%}"),
                len(found.label_pairs),
            )
        )
    else:
        blocks.append("both give every input the same label")
    blocks.append(
        _table(
            f"inputs, largest KL first (the mean is {found.kl:.4g} nats)",
            ("input", "KL", first, "", second, ""),
            found.inputs[:most],
            lambda row: (
                one_line(row.input if row.input_id is None else row.input_id, 16),
                f"{row.kl:.3g}",
                one_line(row.first_label, 14),
                f"{row.first_probability:.0%}",
                one_line(row.second_label, 14),
                f"{row.second_probability:.0%}",
            ),
            None,
        )
    )
    if found.directions:
        blocks.append(
            _table(
                "directions of the embeddings, least alike first",
                ("correlation", "variance", "variance'", "tells apart"),
                found.directions[:most],
                lambda row: (
                    f"{row.correlation:.4f}",
                    f"{row.of_first:.1%}",
                    f"{row.of_second:.1%}",
                    one_line(f"{_listed(row.higher)} | {_listed(row.lower)}" if row.higher else "no label sees it", 36),
                ),
                len(found.directions),
            )
        )
    return "\n\n".join(blocks)


def _table(
    title: str,
    heads: Sequence[str],
    records: Sequence[Any],
    cells: Callable[[Any], tuple[str, ...]],
    total: int | None,
) -> str:
    rows = [tuple(one_line(head, 14) for head in heads), *(cells(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    left = 0 if total is None else total - len(records)
    more = [f"  … and {left:,} more"] if left > 0 else []
    return "\n".join([title, *(f"  {line}" for line in lines), *more])


def one_line(value: object, length: int) -> str:
    """One line of at most so many characters, whatever a name holds."""
    shown = "".join(character if character.isprintable() else "·" for character in str(value))
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _listed(names: Sequence[Name]) -> str:
    return ", ".join(one_line(name, 12) for name in names)
