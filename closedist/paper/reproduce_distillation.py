"""The second paper from nothing to figures: every set-up that this machine can train, each in a folder of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from closedist.errors import InputError
from closedist.paper.data.cifar10 import images_available
from closedist.paper.data.elsewhere import ELSEWHERE, files_needed
from closedist.paper.data.sub import FILE as SUB_FILE
from closedist.paper.distillation.estimate import seconds_left
from closedist.paper.distillation.experiment import run
from closedist.paper.distillation.plan import Distillation, epochs_in_all
from closedist.paper.distillation.setups import SET_UPS
from closedist.paper.drawing import Sources, draw
from closedist.paper.figures.registry import FIGURES, SECOND, TABLE_FORMATS, PaperFigure
from closedist.paper.folders import Folders
from closedist.paper.reproduce import Report
from closedist.paper.results.archive import open_results

FOLDER = "distilled"  # below the results folder
SHIPPED = {  # archives of what was trained before, beside the results folder
    "digits": "distilled_digits.zip",
    "digits-smaller-students": "distilled_digits_smaller.zip",
    "spirals": "distilled_spirals.zip",
}
RAW = ("kl", "l1-raw", "l2-raw")  # the published losses
CENTRED = ("kl", "l1", "l2")


@dataclass(frozen=True)
class Part:
    """One set-up of the paper's, or its stand-in.

    Attributes:
        name: of its folders.
        plan: what is trained.
        folder: where; of what is shipped the archive, from which figures are drawn.
        shipped: every model's metrics are in the archive, and nothing is trained.
    """

    name: str
    plan: Distillation
    folder: Path
    shipped: bool = False

    @property
    def missing(self) -> int:
        """How many models are not there yet, of ``models``."""
        return len(self._missing_teachers) + sum(self._missing_students.values())

    def seconds(self, data_folder: Path) -> float:
        """An estimate of the training that is left, evaluations aside."""
        programs = sum(count > 0 for count in self._missing_students.values())
        if not self.missing:
            return 0.0
        return seconds_left(self.plan, bool(self._missing_teachers), programs, data_folder)

    @property
    def _missing_teachers(self) -> list[int]:
        return [seed for seed in self.plan.teacher_seeds if not self._is_there(self.plan.teacher_name(seed))]

    @property
    def _missing_students(self) -> dict[int, int]:
        """By teacher, how many of its students are not there."""
        plan = self.plan
        return {
            teacher: sum(
                not self._is_there(plan.student_name(teacher, kind, seed))
                for kind in plan.kinds
                for seed in plan.student_seeds
            )
            for teacher in plan.teacher_seeds
        }

    def _is_there(self, name: str) -> bool:
        return self.shipped or (self.folder / _metrics(name)).exists()

    def or_shipped(self, archive: Path) -> "Part":
        """The part of the archive, where that has its models and no others, and nothing was trained here.

        Raises:
            InputError: the archive is damaged.
        """
        if self.missing < self.models or not archive.is_file():
            return self
        plan, source = self.plan, open_results(archive)
        names = [plan.teacher_name(seed) for seed in plan.teacher_seeds]
        names += [
            plan.student_name(teacher, kind, seed)
            for teacher in plan.teacher_seeds
            for kind in plan.kinds
            for seed in plan.student_seeds
        ]
        there = {_metrics(name) for name in names} == {name for name in source.names if name.startswith("metrics-")}
        return replace(self, folder=archive, shipped=True) if there else self

    @property
    def models(self) -> int:
        """How many models it has."""
        return self.plan.teachers * (1 + self.plan.students * len(self.plan.kinds))


def second_paper(teachers: int, students: int, folders: Folders) -> list[Part]:
    """What can be trained here, the quickest first; CIFAR-10 and SUB where their files are."""

    def part(name: str, set_up: str, kinds: tuple[str, ...], dimension: int | None = None) -> Part:
        row = replace(SET_UPS[set_up], student_dimension=dimension)
        made = Part(name, Distillation(row, teachers, students, kinds), folders.results / FOLDER / name)
        return made.or_shipped(folders.results.parent / SHIPPED[name]) if name in SHIPPED else made

    parts = [
        part("digits", "digits", (*CENTRED, "labels")),
        part("digits-smaller-students", "digits", ("l2",), 3),  # for theorem F.1
        *(part(name, name, RAW) for name in ("spirals", "spirals-interpolation", "spirals-extrapolation")),
    ]
    if images_available(folders.data):
        parts += [part("cifar10", "cifar10", CENTRED), part("cifar10-smaller-students", "cifar10", ("l2",), 3)]
    if (folders.data / SUB_FILE).exists():
        parts.append(part("sub", "sub", RAW))
    return parts


def run_second_paper(
    parts: Sequence[Part], folders: Folders, formats: Sequence[str], advance: Callable[[float], None]
) -> Report:
    """Train what is missing and draw every figure of the second paper, each part's in its own folder.

    Raises:
        InputError: a folder holds another experiment's files, or cannot be written.
        Stopped: Ctrl-C; run again, it goes on.
    """
    report = Report()
    _draw("constructed_pairs", folders, folders.figures, formats, report)
    for part in parts:
        missing = part.missing
        if not part.shipped:
            report.result_files += run(part.plan, part.folder, folders.data, advance)
        report.trained += missing
        of_part = replace(folders, results=part.folder)
        for figure in FIGURES.values():
            if figure.paper == SECOND and _is_of(figure, part):
                _draw(figure.name, of_part, folders.figures / part.name, formats, report)
    trained = {part.name for part in parts}
    report.left_out += [f"{name}: {files_needed(name, folders.data)}" for name in ELSEWHERE if name not in trained]
    return report


def epochs_of(parts: Sequence[Part]) -> int:
    """How many epochs of whole programs all parts have."""
    return sum(epochs_in_all(part.plan) for part in parts if not part.shipped)


def _metrics(name: str) -> str:
    return f"metrics-{name}.json"


def _is_of(figure: PaperFigure, part: Part) -> bool:
    if figure.needs == "spirals":
        return part.name == "spirals"
    distilled = [kind for kind in part.plan.kinds if kind != "labels"]
    return figure.needs == "students" and (len(distilled) > 1 or figure.name == "distillation_bound")


def _draw(name: str, folders: Folders, where: Path, formats: Sequence[str], report: Report) -> None:
    try:
        plots = draw(name, Sources(folders))
    except InputError as error:
        report.left_out.append(f"{name}: {error}")
        return
    report.figure_files += plots.save(where, TABLE_FORMATS[:2] if FIGURES[name].is_table else formats)
