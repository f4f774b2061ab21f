"""From a figure's name to the figure: what it needs is found on disk, measured or constructed, and handed to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from closedist.errors import InputError
from closedist.paper.figures.plots import Plots
from closedist.paper.figures.registry import FIGURES, Need
from closedist.paper.folders import Folders
from closedist.paper.results.archive import open_results, unpack

if TYPE_CHECKING:  # each need imports what it takes, so that drawing result files does not load torch
    import torch

    from closedist.paper.results.tables import LossRow, MCCARow
    from closedist.paper.runs import TrainingRun

DEFAULT_LABELS = 6  # of synthetic_data
Stack = Mapping[int, "TrainingRun"]  # by representation dimension; the one that is meant comes first
Material = tuple[Any, ...]  # the arguments of a figure's function


@dataclass(frozen=True)
class Sources:
    """Where what figures need comes from.

    Attributes:
        folders: of results, checkpoints, metrics and data.
        seed: of all that is drawn at random.
        threads: for constructed models; None is all processors.
        date: of results; None is the newest that has what is needed.
        labels: label counts; None are each figure's own.
        families: image models, of which the first that there are are drawn; a run's date may be "".
        device: where models are evaluated; None is the CPU.
    """

    folders: Folders
    seed: int = 0
    threads: int | None = None
    date: str | None = None
    labels: Sequence[int] | None = None
    families: Iterable[Stack] = ()
    device: "torch.device | None" = None


def draw(name: str, sources: Sources) -> Plots:
    """Make a figure.

    Args:
        name: one of ``FIGURES``.

    Raises:
        InputError: what it needs is not there, or is broken.
    """
    figure = FIGURES[name]
    notes: list[str] = []
    plots = figure.make(*NEEDS[figure.needs](sources, notes))
    return replace(plots, notes=[*notes, *plots.notes])


def _representations(sources: Sources, notes: list[str]) -> Material:
    """Test representations by seed, of the first family that has any, label names, the seed and the family's name."""
    from closedist.paper.registry import data_set
    from closedist.paper.sweep import CPU
    from closedist.paper.trained_models import NoModelsError, family_representations, with_available_seeds

    missing: list[NoModelsError] = []
    for family in sources.families:
        try:
            run = with_available_seeds(next(iter(family.values())), "test", sources.folders.checkpoints)
        except NoModelsError as error:
            missing.append(error)
            continue
        models = family_representations(run, "test", sources.folders, sources.device or CPU)
        by_seed = dict(zip(run.models.random_seeds, models, strict=True))
        notes.append(f"{_family(run)}, date {run.name.date}")
        return by_seed, data_set(run.name.dataset).label_names, sources.seed, _family(run)
    raise missing[0]


def _mcca_and_losses(sources: Sources, notes: list[str]) -> Material:
    """m_CCA and final losses by dimension, of the first family that has both for one."""
    from closedist.paper.result_files import losses_beside, mcca_file
    from closedist.paper.results.tables import read_mcca

    source = open_results(sources.folders.results)
    nothing: list[str] = []
    for family in sources.families:
        panels: dict[int, tuple[list[MCCARow], list[LossRow]]] = {}
        absent: list[str] = []
        for dimension, run in sorted(family.items()):
            name = mcca_file(run, sources.folders).name
            if name not in source:
                absent.append(
                    f"dimension {dimension}: {source.place} has no {name}; with {run.name.model_type} trained for "
                    f"{run.name.steps:,} steps, `closedist cal-mcca --final-dim={dimension}` (and its configs) makes it"
                )
                continue
            correlations = read_mcca(source, name)
            losses, said = losses_beside(correlations, run, source, sources.folders)
            notes += said
            if losses:
                panels[dimension] = correlations, losses
        if panels:
            notes[:] = [_family(run), *notes, *absent]
            return (panels,)
        nothing = nothing or absent
    # that there is m_CCA without losses says more than that there is nothing of another family
    raise InputError("there is nothing to draw. " + "; ".join(notes or nothing[:1]))


def _family(run: "TrainingRun") -> str:
    return f"{run.name.model_type}, {run.name.steps:,} steps"


def _students(sources: Sources, notes: list[str]) -> Material:
    """Metrics of distilled students, of a folder of ``closedist distil`` or of the published code, or an archive."""
    from closedist.paper.results.student_metrics import read_metrics

    students = read_metrics(open_results(sources.folders.results))
    if any(student.published for student in students):
        notes.append(
            "published files: d_rep² is the mean over choices of labels, restored by their number, in the *student's* "
            "coordinates; d_logit is the root of d_LLD"
        )
    return (students,)


def _spirals(sources: Sources, notes: list[str]) -> Material:
    """The spirals' test inputs and labels, and a teacher's embeddings with those of a student of each loss."""
    from closedist.paper.data.spirals import SPIRALS_SEED, spiral_splits
    from closedist.representations import Representations

    place, ending = sources.folders.results, "_reps_test.safetensors"
    with TemporaryDirectory() as unpacked:
        folder = place
        if place.is_file():
            folder = Path(unpacked)
            unpack(place, ending, folder)
        chosen = _of_one_teacher(folder, place, ending)
        models = {title: Representations.load(folder / f"{text}{ending}") for title, text in chosen.items()}
        models = {
            title: Representations(model.embeddings.clone(), model.unembeddings.clone())
            for title, model in models.items()
        }
    notes += [f"{title}: {text}" for title, text in chosen.items()]
    return (*spiral_splits(SPIRALS_SEED).test, models)


def _of_one_teacher(folder: Path, place: Path, ending: str) -> dict[str, str]:
    """The names of a teacher of the spirals and of a student of each loss, by their titles."""
    from closedist.paper.results.student_metrics import parse_name

    names = [parse_name(path.name.removesuffix(ending), published=False) for path in sorted(folder.glob(f"*{ending}"))]
    of_spirals = [name for name in names if name.data == "synthetic"]
    teachers = [name for name in of_spirals if name.teacher is None]
    if not teachers:
        raise InputError(
            f"{place} has no representations of a teacher of the spirals; `closedist distil --data=spirals -o FOLDER` "
            "makes them, and the repository ships some: --results-folder=distilled_spirals.zip"
        )
    chosen = {"teacher": teachers[0]}
    for name in of_spirals:
        if name.loss and name.teacher == teachers[0].seed:
            chosen.setdefault(f"student, {name.loss}", name)
    return {title: name.text for title, name in chosen.items()}


def _points(sources: Sources, notes: list[str]) -> Material:
    """The radial training points, by label count."""
    from closedist.paper.config import paper_dataset
    from closedist.paper.data.radial import radial_split

    return ({count: radial_split(paper_dataset(count), "train") for count in sources.labels or (DEFAULT_LABELS,)},)


def _noisy_copies(sources: Sources, notes: list[str]) -> Material:
    """Constructed models compared with noisier and noisier copies, by label count."""
    from closedist.paper.constructed import NOISE_STEP, compare_all_noisy_copies

    return (compare_all_noisy_copies(sources.labels or tuple(NOISE_STEP), sources.seed, sources.threads),)


def _permuted_pairs(sources: Sources, notes: list[str]) -> Material:
    """The rows of the KL table."""
    from closedist.paper.constructed import kl_table

    return (kl_table(seed=sources.seed),)


def _results(sources: Sources, notes: list[str]) -> Material:
    """Where results are, their date and the label counts."""
    from closedist.paper.figures.trained import LABEL_COUNTS

    return sources.folders.results, sources.date, sources.labels or LABEL_COUNTS


def _constructed_pairs(sources: Sources, notes: list[str]) -> Material:
    """The second paper's two pairs, by name."""
    from closedist.paper.distillation.constructed import (
        equal_answers_other_unembeddings,
        equal_embeddings_other_answers,
    )

    return (
        {
            "G: equal embeddings": equal_embeddings_other_answers(),
            "H: equal answers": equal_answers_other_unembeddings(),
        },
    )


NEEDS: dict[Need, Callable[[Sources, list[str]], Material]] = {  # the list takes lines for the user
    "points": _points,
    "noisy copies": _noisy_copies,
    "permuted pairs": _permuted_pairs,
    "results": _results,
    "representations": _representations,
    "m_CCA and losses": _mcca_and_losses,
    "students": _students,
    "spirals": _spirals,
    "constructed pairs": _constructed_pairs,
}
