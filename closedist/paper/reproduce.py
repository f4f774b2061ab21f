"""The whole paper, from nothing to figures: trains, measures and draws what is missing, and can be stopped anywhere."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, groupby
from pathlib import Path

import torch

from closedist.errors import InputError
from closedist.paper.config import paper_dataset
from closedist.paper.constructed import NOISE_STEP, compare_all_noisy_copies, kl_table
from closedist.paper.data.cifar10 import LABEL_NAMES
from closedist.paper.data.radial import radial_split
from closedist.paper.figures.kl_table import render_kl_table
from closedist.paper.figures.loss_vs_mcca import why_apart
from closedist.paper.figures.plots import Plots, make_cifar10_reps, make_llv_constructed, make_synthetic_data
from closedist.paper.figures.style import save
from closedist.paper.figures.trained import make_llv_train_synthetic, make_llv_vs_width, make_loss_diff_vs_mcca
from closedist.paper.folders import Folders
from closedist.paper.measurements import (
    Measurement,
    accuracies_by_run,
    accuracies_file,
    collect_losses,
    loss_file,
    mcca_file,
    measure_distances,
    measure_mcca,
)
from closedist.paper.plan import Piece
from closedist.paper.results.tables import (
    AccuracyRow,
    read_accuracies,
    read_distances,
    read_losses,
    read_mcca,
    write_accuracies,
)
from closedist.paper.runs import TrainingRun
from closedist.paper.sweep import Workplace, train_runs
from closedist.paper.trained_models import family_representations
from closedist.system.files import write_atomically

log = logging.getLogger(__name__)

CONSTRUCTED_LABELS = tuple(NOISE_STEP)


@dataclass
class Report:
    """What a reproduction did: files written or found, and what could not be drawn and why."""

    trained: int = 0
    result_files: list[Path] = field(default_factory=list)
    figure_files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def train_plan(pieces: Sequence[Piece], place: Workplace, advance: Callable[[float], None]) -> int:
    """Train what is missing; ``advance`` is told estimated seconds. Returns the number of models trained."""
    trained = 0
    for piece in pieces:
        if piece.missing:
            trained += train_runs([piece.run], place, advance=_seconds(piece, advance))
    return trained


def _seconds(piece: Piece, advance: Callable[[float], None]) -> Callable[[int], None]:
    """Turn model-steps, of which those done earlier come first, into estimated seconds of what was left."""
    already = len(piece.run.models.random_seeds) * piece.run.training.train_steps - piece.steps_left

    def count(steps: int) -> None:
        nonlocal already
        fresh = max(0, steps - already)
        already = max(0, already - steps)
        advance(fresh * piece.step_seconds)

    return count


def measure_runs(
    runs: Sequence[TrainingRun], measurement: Measurement, folders: Folders, device: torch.device
) -> list[Path]:
    """Accuracies and distances of every run; result files that have these seeds, measured so, are kept."""
    files = []
    larger = replaced = 0
    by_data = sorted(runs, key=lambda run: (run.name.num_classes, run.name.rep_dim, run.name.width))
    for _, group in groupby(by_data, key=lambda run: (run.name.num_classes, run.name.rep_dim, run.name.width)):
        family = list(group)
        files.append(_keep_or_measure_accuracies(family, folders, device))
        for run in family:
            path = folders.results / measurement.file_name(run)
            wanted = set(combinations(run.models.random_seeds, 2))
            known = read_distances(path.parent, path.name) if path.exists() else None
            pairs = set(known.model_seeds) if known else set()
            # the name says neither how many input sets were drawn nor by which seed
            if known and known.drawn_sets == (measurement.num_samples, measurement.seed) and wanted <= pairs:
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


def _keep_or_measure_accuracies(family: Sequence[TrainingRun], folders: Folders, device: torch.device) -> Path:
    """The file of a width's accuracies, in which all its length settings have their rows."""
    path = accuracies_file(family[0], "test", "", folders)
    rows = _by_model(read_accuracies(path.parent, path.name)) if path.exists() else {}
    wanted = {
        (run.name.fix_length_g, run.name.fix_length_f, seed) for run in family for seed in run.models.random_seeds
    }
    if not wanted <= set(rows):
        for measured in accuracies_by_run(family, "test", folders, device).values():
            rows |= _by_model(measured)  # other lengths' rows stay
        write_accuracies(path, [row for _, row in sorted(rows.items())])
    return path


def _by_model(rows: Sequence[AccuracyRow]) -> dict[tuple[float, float, int], AccuracyRow]:
    return {(row.fix_g, row.fix_f, row.seed): row for row in rows}


def draw_synthetic(
    labels: Sequence[int], date: str, seed: int, folders: Folders, formats: Sequence[str], report: Report
) -> None:
    """Every figure and table of the synthetic and constructed experiments, as far as there are results."""
    figures: dict[str, Callable[[], Plots]] = {
        "d_LLV_constructed": lambda: make_llv_constructed(
            compare_all_noisy_copies(CONSTRUCTED_LABELS, seed, torch.get_num_threads())
        ),
        "d_LLV_train_synthetic": lambda: make_llv_train_synthetic(folders.results, date, labels),
        "d_LLV_vs_width": lambda: make_llv_vs_width(folders.results, date, labels),
    }
    for num_classes in labels:
        points, classes = radial_split(paper_dataset(num_classes), "train")
        figures[f"synthetic_data {num_classes}"] = partial(make_synthetic_data, points, classes)
    _draw(figures, folders, formats, report)
    rows = kl_table(seed=seed)
    for name in ("latex", "markdown"):
        text, ending = render_kl_table(rows, name)
        path = folders.figures / f"KL_table.{ending.lstrip('.')}"
        write_atomically(path, text.encode())
        report.figure_files.append(path)


def trained_before(pieces: Sequence[Piece]) -> int:
    """In the place of a training, where jobs have trained everything."""
    return 0


def run_plan(
    synthetic: Sequence[Piece],
    images: Sequence[Piece],
    *,
    labels: Sequence[int],
    seed: int,
    folders: Folders,
    device: torch.device,
    formats: Sequence[str],
    train: Callable[[Sequence[Piece]], int],
) -> Report:
    """Train, measure and draw, the synthetic experiments before those on images.

    Args:
        synthetic, images: the plan's two parts; the second may be empty.
        labels: label counts of the first.
        seed: of the input sets, the constructed models and all else that is drawn after the training.
        folders: where everything goes.
        device: where models are measured.
        formats: of figures.
        train: sees to it that the models of a part are there, and returns how many it trained.
    """
    report = Report(trained=train(synthetic))
    runs = [piece.run for piece in synthetic]
    report.result_files += measure_runs(runs, Measurement(seed=seed), folders, device)
    draw_synthetic(labels, runs[0].name.date, seed, folders, formats, report)
    if images:
        report.trained += train(images)
        finish_images([piece.run for piece in images], seed, folders, device, formats, report)
    return report


def finish_images(
    runs: Sequence[TrainingRun],
    seed: int,
    folders: Folders,
    device: torch.device,
    formats: Sequence[str],
    report: Report,
) -> None:
    """m_CCA, losses, distances and figures of the CIFAR-10 models."""
    report.result_files += measure_runs(runs, Measurement(seed=seed), folders, device)
    for run in runs:
        report.result_files += _keep_or_correlate(run, folders, device)
    plane = next(run for run in runs if run.name.rep_dim == 2)
    models = family_representations(plane, "test", folders, device)
    by_seed = dict(zip(plane.models.random_seeds, models, strict=True))
    figures: dict[str, Callable[[], Plots]] = {
        "cifar10_reps": lambda: make_cifar10_reps(by_seed, LABEL_NAMES, seed),
        "loss_diff_vs_mcca": lambda: make_loss_diff_vs_mcca(folders.results),
    }
    _draw(figures, folders, formats, report)


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


def _draw(figures: Mapping[str, Callable[[], Plots]], folders: Folders, formats: Sequence[str], report: Report) -> None:
    for name, make in figures.items():
        try:
            plots = make()
        except InputError as error:
            report.left_out.append(f"{name}: {error}")
            continue
        for title, figure in plots.figures.items():
            report.figure_files += save(figure, folders.figures, title, formats)


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
