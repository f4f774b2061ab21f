"""The set-ups of distillation: data, networks and schedules; a new one is one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from closedist.paper.data.digits import rotated_digits
from closedist.paper.data.spirals import SPIRALS_SEED, spiral_splits
from closedist.paper.distillation.networks import Architecture
from closedist.paper.distillation.training import Schedule

CONCEPT = "probe"  # the head of a teacher's that no student sees, as the published files name it


@dataclass(frozen=True)
class Data:
    """What models train on and are scored on.

    Attributes:
        train, test: inputs (n, d) float32 of both splits.
        train_labels, test_labels: by head, (n,) int64 labels; the head "linear" is the one that students learn.
        outside: inputs unlike those of the training, and their labels, where there are any.
    """

    train: Tensor
    test: Tensor
    train_labels: Mapping[str, Tensor]
    test_labels: Mapping[str, Tensor]
    outside: tuple[Tensor, Tensor] | None = None

    @property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """What students are scored on: inputs and the labels that they learn."""
        found = {
            "train": (self.train, self.train_labels["linear"]),
            "test": (self.test, self.test_labels["linear"]),
        }
        return found if self.outside is None else {**found, "outside": self.outside}


@dataclass(frozen=True)
class SetUp:
    """One experiment.

    Attributes:
        name: what the command line calls it.
        published: what the paper's files call its data.
        teacher_model: what the paper's files call its teacher.
        load: its data.
        teacher: the teacher's network; students have its first head only.
        teacher_schedule, student_schedule: how both train.
        plain_heads: whether the teacher's heads have PyTorch's default initialisation.
        student_dimension: of the students' embeddings; None is the teacher's.
        part: of the data, that is trained on, as the paper's files call it.
    """

    name: str
    published: str
    teacher_model: str
    load: Callable[[], Data]
    teacher: Architecture
    teacher_schedule: Schedule
    student_schedule: Schedule
    plain_heads: bool
    student_dimension: int | None = None
    part: str = "standard"

    @property
    def of_data(self) -> tuple[str, ...]:
        """What tells data sets apart, for digests."""
        return (self.published,) if self.part == "standard" else (self.published, self.part)

    @property
    def student(self) -> Architecture:
        """The teacher's network with the classifier's head alone, and embeddings of the student's dimension."""
        heads = {"linear": self.teacher.heads["linear"]}
        sizes = (*self.teacher.sizes[:-1], self.student_dimension or self.teacher.sizes[-1])
        return Architecture(sizes, heads, self.teacher.dropout)


def _spirals() -> Data:
    splits = spiral_splits(SPIRALS_SEED)
    (train, labels), (test, test_labels) = splits.train, splits.test
    return Data(train, test, {"linear": labels}, {"linear": test_labels})


def _spirals_by_radius(low: float, high: float, *, between: bool) -> Data:
    """Training and test points between two radii, or those not between them; the other points of all parts outside."""
    splits = spiral_splits(SPIRALS_SEED)

    def inside(points: Tensor) -> Tensor:
        radius = points.norm(dim=1)
        chosen: Tensor = (radius >= low) & (radius <= high) if between else (radius <= low) | (radius >= high)
        return chosen

    train, test = ((points[inside(points)], labels[inside(points)]) for points, labels in (splits.train, splits.test))
    others = [(points[~inside(points)], labels[~inside(points)]) for points, labels in splits]
    outside = torch.cat([points for points, _ in others]), torch.cat([labels for _, labels in others])
    return Data(train[0], test[0], {"linear": train[1]}, {"linear": test[1]}, outside)


def _digits() -> Data:
    train, test = rotated_digits()
    return Data(
        train.inputs,
        test.inputs,
        {"linear": train.labels, CONCEPT: train.concepts},
        {"linear": test.labels, CONCEPT: test.concepts},
    )


SPIRALS = SetUp(
    name="spirals",
    published="synthetic",
    teacher_model="classifier",
    load=_spirals,
    teacher=Architecture((2, 512, 512, 512, 2), {"linear": 7}),
    teacher_schedule=Schedule(500, 512, 1e-3, 0.995, 20, 50),
    student_schedule=Schedule(250, 512, 1e-3, 0.995, 20, 5),
    plain_heads=True,
)
RADII = {  # of the paper's scripts
    "interpolation": partial(_spirals_by_radius, 4.0, 7.0, between=False),
    "extrapolation": partial(_spirals_by_radius, 3.0, 7.0, between=True),
}
SET_UPS = {
    set_up.name: set_up
    for set_up in (
        SPIRALS,
        *(replace(SPIRALS, name=f"spirals-{part}", part=part, load=load) for part, load in RADII.items()),
        SetUp(
            name="digits",
            published="digits",
            teacher_model="cbm",
            load=_digits,
            teacher=Architecture((64, 256, 5), {"linear": 10, CONCEPT: 4}),
            teacher_schedule=Schedule(150, 256, 2e-3, 0.985, 0, 50),
            student_schedule=Schedule(150, 256, 2e-3, 0.985, 0, 5),
            plain_heads=False,
        ),
    )
}
