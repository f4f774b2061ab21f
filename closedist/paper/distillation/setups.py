"""The set-ups of distillation: data, networks and schedules; a new one is one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    """

    train: Tensor
    test: Tensor
    train_labels: Mapping[str, Tensor]
    test_labels: Mapping[str, Tensor]


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


def _digits() -> Data:
    train, test = rotated_digits()
    return Data(
        train.inputs,
        test.inputs,
        {"linear": train.labels, CONCEPT: train.concepts},
        {"linear": test.labels, CONCEPT: test.concepts},
    )


SET_UPS = {
    set_up.name: set_up
    for set_up in (
        SetUp(
            name="spirals",
            published="synthetic",
            teacher_model="classifier",
            load=_spirals,
            teacher=Architecture((2, 512, 512, 512, 2), {"linear": 7}),
            teacher_schedule=Schedule(500, 512, 1e-3, 0.995, 20, 50),
            student_schedule=Schedule(250, 512, 1e-3, 0.995, 20, 5),
            plain_heads=True,
        ),
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
