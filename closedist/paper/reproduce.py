"""The whole paper, from nothing to figures: trains, measures and draws what is missing, and can be stopped anywhere."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, groupby
from pathlib import Path

import torch

from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.paper.constructed import NOISE_STEP
from closedist.paper.drawing import Sources, draw
from closedist.paper.figures.loss_vs_mcca import why_apart
from closedist.paper.figures.registry import FIGURES
from closedist.paper.folders import Folders
from closedist.paper.measurements import (
    Measurement,
    complete_accuracies,
    measure_distances,
    measure_mcca,
)
from closedist.paper.pages import write_pages
from closedist.paper.plan import Piece
from closedist.paper.result_files import collect_losses, loss_file, mcca_file
from closedist.paper.results.tables import read_distances, read_losses, read_mcca
from closedist.paper.runs import TrainingRun
from closedist.paper.shipped import take_over
from closedist.paper.sweep import Workplace, train_runs

log = logging.getLogger(__name__)

CONSTRUCTED_LABELS = tuple(NOISE_STEP)
TABLE_FORMATS = ("latex", "markdown")


@dataclass
class Report:
    """What a reproduction did: files written or found, and what could not be drawn and why."""

    trained: int = 0
    result_files: list[Path] = field(default_factory=list)
    figure_files: list[Path] = field(default_factory=list)
    page_files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def train_plan(pieces: Sequence[Piece], place: Workplace, advance: Callable[[float], None]) -> int:
    """Train what is missing; ``advance`` is told estimated seconds. Returns the number of models trained."""
    trained = 0
    for piece in pieces:
        if piece.missing:
            trained += train_runs([piece.to_train], place, advance=_seconds(piece, advance))
    return trained


def _seconds(piece: Piece, advance: Callable[[float], None]) -> Callable[[int], None]:
    """Turn model-steps, of which those done earlier come first, into estimated seconds of what was left."""
    already = piece.missing * piece.run.training.train_steps - piece.steps_left

    def count(steps: int) -> None:
        nonlocal already
        fresh = max(0, steps - already)
        already = max(0, already - steps)
        advance(fresh * piece.step_seconds)

    return count


def measure_runs(
    runs: Sequence[TrainingRun],
    measurement: Measurement,
    folders: Folders,
    device: torch.device,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Accuracies and distances of every run; result files that have these seeds, measured so, are kept.

    So are, and under the runs' date, results of any date where models to measure anew are not there.
    """
    if copied := take_over(runs, measurement, folders):
        log.info("trainings without models, whose results of another date are taken as they are: %d", copied)
    files, settings = [], measurement.settings
    larger = replaced = 0
    in_all = len(runs) + len({(run.name.num_classes, run.name.rep_dim, run.name.width) for run in runs})
    by_data = sorted(runs, key=lambda run: (run.name.num_classes, run.name.rep_dim, run.name.width))
    for _, group in groupby(by_data, key=lambda run: (run.name.num_classes, run.name.rep_dim, run.name.width)):
        family = list(group)
        files.append(complete_accuracies(family, folders, device))
        for run in family:
            say(f"measuring {len(files) + 1} of {in_all}")
            path = folders.results / measurement.file_name(run)
            wanted = set(combinations(run.models.random_seeds, 2))
            known = read_distances(path.parent, path.name) if path.exists() else None
            pairs = set(known.model_seeds) if known else set()
            # the name says neither how many input sets were drawn nor by which seed
            alike = known and known.drawn_sets == (settings.num_samples, settings.seed)
            if (alike or run.unavailable(folders.checkpoints, measurement.split)) and wanted <= pairs:
                larger += wanted < pairs
            else:
                list(measure_distances([run], measurement, folders, device))
                replaced += not pairs <= wanted
            files.append(path)
    if larger:
        log.info("files of distances that are kept, and drawn, with more seeds than now asked for: %d", larger)
    if replaced:
        log.info("files of distances that had more seeds, and are replaced by these seeds': %d", replaced)
    return files


def draw_synthetic(
    labels: Sequence[int], date: str, seed: int, folders: Folders, formats: Sequence[str], report: Report
) -> None:
    """Every figure and table of the synthetic and constructed experiments, as far as there are results."""
    _draw(
        Sources(folders, seed=seed, threads=torch.get_num_threads(), date=date, labels=labels), False, formats, report
    )


def trained_before(pieces: Sequence[Piece]) -> int:
    """In the place of a training, where jobs have trained everything."""
    return 0


def run_plan(
    pieces: Sequence[Piece],
    *,
    labels: Sequence[int],
    seed: int,
    folders: Folders,
    device: torch.device,
    formats: Sequence[str],
    train: Callable[[Sequence[Piece]], int],
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Train, measure and draw, the synthetic experiments before those on images.

    Args:
        pieces: the plan, some of it synthetic.
        labels: label counts of what is.
        seed: of the input sets, the constructed models and all else that is drawn after the training.
        folders: where everything goes.
        device: where models are measured.
        formats: of figures.
        train: sees to it that the models of a part are there, and returns how many it trained.
        say: told what is being done, in a few words.
    """
    synthetic, images = ([piece for piece in pieces if piece.run.on_images is kind] for kind in (False, True))
    report = Report(trained=train(synthetic))
    runs = [piece.run for piece in synthetic]
    report.result_files += measure_runs(runs, Measurement(settings=Settings(seed=seed)), folders, device, say)
    say("drawing")
    draw_synthetic(labels, runs[0].name.date, seed, folders, formats, report)
    say("writing pages of all pairs")
    _write_pages(runs, seed, folders, device, report)
    if images:
        report.trained += train(images)
        finish_images([piece.run for piece in images], seed, folders, device, formats, report, say)
    return report


def finish_images(
    runs: Sequence[TrainingRun],
    seed: int,
    folders: Folders,
    device: torch.device,
    formats: Sequence[str],
    report: Report,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """m_CCA, losses, distances and figures of the CIFAR-10 models."""
    report.result_files += measure_runs(runs, Measurement(settings=Settings(seed=seed)), folders, device, say)
    say("m_CCA and figures of images")
    for run in runs:
        report.result_files += _keep_or_correlate(run, folders, device)
    sources = Sources(folders, seed=seed, families=[{run.name.rep_dim: run for run in runs}], device=device)
    _draw(sources, True, formats, report)
    _write_pages(runs, seed, folders, device, report)


def _write_pages(
    runs: Sequence[TrainingRun], seed: int, folders: Folders, device: torch.device, report: Report
) -> None:
    """Write the pages of models, and note why others cannot be written."""
    try:
        report.page_files += write_pages(runs, folders, device, seed)
    except InputError as error:
        report.left_out.append(f"a page to look at: {error}")


def _keep_or_correlate(run: TrainingRun, folders: Folders, device: torch.device) -> list[Path]:
    """The files of m_CCA and of losses; where both have all these seeds of these models, they are kept."""
    correlations, losses = mcca_file(run, folders), loss_file(run, folders)
    if correlations.exists() and losses.exists():
        rows = read_mcca(correlations.parent, correlations.name)
        apart = why_apart(rows, read_losses(losses.parent, losses.name))
        wanted = {(pair, run.name.models) for pair in combinations(run.models.random_seeds, 2)}
        if not apart and wanted <= {(row.model_seeds, row.models) for row in rows}:
            return [correlations, losses]
    return [measure_mcca(run, folders, device), collect_losses(run, folders)]


def _draw(sources: Sources, of_images: bool, formats: Sequence[str], report: Report) -> None:
    """Draw the figures of one kind of experiments, and note why others cannot be drawn."""
    for figure in FIGURES.values():
        if figure.paper != "llv" or figure.of_images != of_images:
            continue
        # constructed models cost no training: their figure has all of the paper's label counts
        labels = CONSTRUCTED_LABELS if figure.needs == "noisy copies" else sources.labels
        try:
            plots = draw(figure.name, replace(sources, labels=labels))
        except InputError as error:
            report.left_out.append(f"{figure.name}: {error}")
            continue
        report.figure_files += plots.save(sources.folders.figures, TABLE_FORMATS if figure.is_table else formats)


def bounds_held(result_files: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """For each bound, for how many pairs of all result files it holds, and of how many."""
    held: dict[str, list[int]] = {}
    for path in result_files:
        if "_model_distances_" not in path.name:
            continue
        for name, holds in read_distances(path.parent, path.name).bounds_holding().items():
            counts = held.setdefault(name, [0, 0])
            counts[0] += int(holds.sum())
            counts[1] += len(holds)
    return {name: (counts[0], counts[1]) for name, counts in held.items()}
