"""One label, pair of labels, input or direction in which two models differ."""

from dataclasses import dataclass
from typing import Any

Name = int | str


@dataclass(frozen=True)
class LabelDifference:
    """How one label's logit, centred over labels and inputs, differs between the models.

    Attributes:
        label: its name, or its number.
        lost, gained: to how many inputs only the first model gives this label, and only the second.
        where_given: the second model's centred logit minus the first's, mean over the inputs to which the first gives
            this label; None where it gives it to none.
        correlation: over the inputs, between the two models; 1 where they agree up to a factor, None for a constant.
        mean_difference: the second model's centred logit minus the first's, mean over all inputs.
        deviation: standard deviation over the inputs of that difference.
        rest_term, pivot_term: the label's terms a and b of t1, against the explanation's pivot label; None for the
            pivot itself, for a label that varies in neither model, and where no pivot is known.
        share_of_distance: of d_logit² (all labels' add up to 1); None where the models are equal.
        share_of_kl: of KL(first‖second), likewise.
    """

    label: Name
    lost: int
    gained: int
    where_given: float | None
    correlation: float | None
    mean_difference: float
    deviation: float
    rest_term: float | None
    pivot_term: float | None
    share_of_distance: float | None
    share_of_kl: float | None

    @property
    def term(self) -> float | None:
        """The larger of the two terms."""
        terms = [term for term in (self.rest_term, self.pivot_term) if term is not None]
        return max(terms, default=None)


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
        input_id: its name, or its id where the models have any.
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
        of_first, of_second: the share of either model's variance that lies along it; 0 of the one that lacks it.
        higher, lower: the labels that the logits of the first model that has it tell apart most along it; none where no
            label sees it.
    """

    correlation: float
    of_first: float
    of_second: float
    higher: tuple[Name, ...]
    lower: tuple[Name, ...]
