"""What is to be trained: how many teachers and students, under which losses, and what their files are called."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from closedist.errors import InputError
from closedist.paper.distillation.networks import Architecture
from closedist.paper.distillation.setups import SetUp
from closedist.paper.distillation.training import Schedule

FIRST_TEACHER, FIRST_STUDENT = 400, 40  # the paper's first seeds
LABELS = "labels"  # the kind of students that learn from the labels and never see a teacher: the baseline
FORMAT = 2  # of what is written; in the digests


@dataclass(frozen=True)
class Distillation:
    """What is to be trained.

    Attributes:
        set_up: data, networks and schedules.
        teachers, students: how many teachers, and students of each under each loss.
        kinds: the losses, of which "labels" is none of distillation: students that never see their teacher.
        temperature: of all.
        keep: after how many epochs students' weights are kept too, beside those at the end.
        label_share: α; the loss is (1 − α)·distillation + α·cross-entropy with the labels.
    """

    set_up: SetUp
    teachers: int
    students: int
    kinds: tuple[str, ...]
    temperature: float = 1.0
    label_share: float = 0.0
    keep: tuple[int, ...] = ()

    @property
    def teacher_seeds(self) -> tuple[int, ...]:
        """The teachers' seeds."""
        return tuple(range(FIRST_TEACHER, FIRST_TEACHER + self.teachers))

    @property
    def student_seeds(self) -> tuple[int, ...]:
        """The students' seeds, the same for every teacher and loss."""
        return tuple(range(FIRST_STUDENT, FIRST_STUDENT + self.students))

    @property
    def teacher_digest(self) -> str:
        """Of all that a teacher depends on but its seed."""
        set_up = self.set_up
        return _digest("teacher", set_up.teacher, set_up.teacher_schedule, *set_up.of_data)

    @property
    def student_digest(self) -> str:
        """Of all that a student depends on but its teacher's seed, its loss and its own seed."""
        set_up = self.set_up
        return _digest(
            "student", set_up.student, set_up.student_schedule, *set_up.of_data, self.temperature, self.label_share,
            self.teacher_digest,
        )  # fmt: skip

    def teacher_name(self, seed: int) -> str:
        """The paper's name of a teacher's files."""
        set_up = self.set_up
        last = set_up.teacher_schedule.epochs - 1
        return f"{set_up.published}-{set_up.part}-{set_up.teacher_model}-epoch{last}-seed{seed}"

    def student_name(self, teacher: int, kind: str, seed: int, epochs: int | None = None) -> str:
        """The paper's name of a student's files after so many epochs, by default all.

        "l1" and "l2" are centred here, "l1-raw" and "l2-raw" the paper's.
        """
        set_up = self.set_up
        model = {"kl": "kldistill", LABELS: "classifier"}.get(kind, f"logitdistill-{kind}")
        dimension = set_up.student.dimension
        size = f"-{dimension}" if dimension > 2 else ""
        last = (epochs or set_up.student_schedule.epochs) - 1
        return f"{set_up.published}-{set_up.part}-{model}-{set_up.backbone}{size}-tseed{teacher}-epoch{last}-seed{seed}"


def with_widths(set_up: SetUp, widths: Sequence[int]) -> SetUp:
    """The set-up with other hidden layers.

    Raises:
        InputError: its networks are no MLPs.
    """
    if not isinstance(set_up.teacher, Architecture):
        raise InputError(f"--widths: the networks of {set_up.name} have none to choose; leave the option out")
    sizes = (set_up.teacher.sizes[0], *widths, set_up.teacher.sizes[-1])
    return replace(set_up, teacher=replace(set_up.teacher, sizes=sizes))


def with_evaluations(set_up: SetUp, every: int) -> SetUp:
    """The set-up with students that are scored after every so many epochs."""
    return replace(set_up, student_schedule=replace(set_up.student_schedule, evaluate_every=every))


def with_epochs(set_up: SetUp, teacher: int | None, student: int | None) -> SetUp:
    """The set-up with other numbers of epochs; warm-up is at most a tenth of them."""

    def shorter(schedule: Schedule, epochs: int | None) -> Schedule:
        if epochs is None:
            return schedule
        return replace(schedule, epochs=epochs, warm_up=min(schedule.warm_up, epochs // 10))

    return replace(
        set_up,
        teacher_schedule=shorter(set_up.teacher_schedule, teacher),
        student_schedule=shorter(set_up.student_schedule, student),
    )


def epochs_in_all(plan: Distillation) -> int:
    """How many epochs of whole programs there are to train."""
    return plan.set_up.teacher_schedule.epochs + plan.teachers * plan.set_up.student_schedule.epochs


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([FORMAT, *map(repr, parts)]).encode()).hexdigest()[:12]
