"""The set-ups of distillation: data, networks and schedules; a new one is one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from closedist.paper.data.cifar10 import load_cifar10
from closedist.paper.data.cifar100 import load_cifar100
from closedist.paper.data.digits import Digits, rotated_digits
from closedist.paper.data.spirals import SPIRALS_SEED, spiral_splits
from closedist.paper.data.sub import ATTRIBUTES, CLASSES, WIDTH, Birds, sub_splits
from closedist.paper.distillation.image_networks import ImageNetwork
from closedist.paper.distillation.networks import Architecture, Network
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
        load: its data, from the folder of data files.
        teacher: the teacher's network; students have its first head only.
        teacher_schedule, student_schedule: how both train.
        plain_heads: whether the teacher's heads have PyTorch's default initialisation.
        student_dimension: of the students' embeddings; None is the teacher's.
        part: of the data, that is trained on, as the paper's files call it.
        students: their network, where it is not the teacher's.
        backbone: what the paper's files call it.
    """

    name: str
    published: str
    teacher_model: str
    load: Callable[[Path], Data]
    teacher: Network
    teacher_schedule: Schedule
    student_schedule: Schedule
    plain_heads: bool
    student_dimension: int | None = None
    part: str = "standard"
    students: Network | None = None
    backbone: str = "mlp"

    @property
    def of_data(self) -> tuple[str, ...]:
        """What tells data sets apart, for digests."""
        return (self.published,) if self.part == "standard" else (self.published, self.part)

    @property
    def student(self) -> Network:
        """The students' network: the classifier's head alone, and embeddings of the students' dimension."""
        network = replace(self.students or self.teacher, heads={"linear": self.teacher.heads["linear"]})  # type: ignore[type-var]
        return network.resized(self.student_dimension or self.teacher.dimension)


def _spirals(folder: Path) -> Data:
    splits = spiral_splits(SPIRALS_SEED)
    (train, labels), (test, test_labels) = splits.train, splits.test
    return Data(train, test, {"linear": labels}, {"linear": test_labels})


def _spirals_by_radius(folder: Path, low: float, high: float, *, between: bool) -> Data:
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


def _digits(folder: Path) -> Data:
    return _with_concepts(*rotated_digits())


def _sub(folder: Path) -> Data:
    return _with_concepts(*sub_splits(folder))


def _cifar10(folder: Path) -> Data:
    return _images(load_cifar10, folder)


def _cifar100(folder: Path) -> Data:
    return _images(load_cifar100, folder)


def _images(load: Callable[[Path, str], tuple[Tensor, Tensor]], folder: Path) -> Data:
    (train, labels), (test, test_labels) = (load(folder, split) for split in ("train", "test"))
    return Data(train, test, {"linear": labels}, {"linear": test_labels})


def _with_concepts(train: Digits | Birds, test: Digits | Birds) -> Data:
    labels, test_labels = ({"linear": part.labels, CONCEPT: part.concepts} for part in (train, test))
    return Data(train.inputs, test.inputs, labels, test_labels)


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
    "interpolation": partial(_spirals_by_radius, low=4.0, high=7.0, between=False),
    "extrapolation": partial(_spirals_by_radius, low=3.0, high=7.0, between=True),
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
        SetUp(
            name="sub",
            published="sub",
            teacher_model="cbm",
            load=_sub,
            teacher=Architecture((WIDTH, 2048, 10), {"linear": CLASSES, CONCEPT: ATTRIBUTES}),
            teacher_schedule=Schedule(500, 512, 5e-3, 0.995, 20, 50),
            student_schedule=Schedule(500, 512, 5e-3, 0.995, 20, 10),
            plain_heads=False,
        ),
        SetUp(
            name="cifar10",
            published="cifar10",
            teacher_model="classifier",
            load=_cifar10,
            teacher=ImageNetwork("MedCIFAR10", 128, 5, {"linear": 10}),
            teacher_schedule=Schedule(20, 32, 1e-3, 0.9, 0, 10),
            student_schedule=Schedule(30, 32, 1e-3, 0.93, 0, 5),
            plain_heads=False,
            students=ImageNetwork("SmallCIFAR10", 84, 5, {"linear": 10}),
            backbone="smallcifar10",
        ),
        SetUp(
            name="cifar100",
            published="cifar100",
            teacher_model="classifier",
            load=_cifar100,
            teacher=ImageNetwork("resnet50", 0, 50, {"linear": 100}),
            teacher_schedule=Schedule(10, 32, 1e-3, 0.995, 3, 5),
            student_schedule=Schedule(50, 32, 1e-3, 0.995, 3, 5),
            plain_heads=True,
            students=ImageNetwork("resnet18", 0, 50, {"linear": 100}),
            backbone="resnet18",
        ),
    )
}
