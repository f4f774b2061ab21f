"""The command reproduce."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from closedist.cli.cluster import NO_CLUSTER, Cluster
from closedist.cli.options import (
    CHECKPOINTS,
    DATA,
    DEFAULTS,
    FIGURES,
    METRICS,
    REPRESENTATIONS,
    RESULTS,
    CheckpointFolder,
    Common,
    Count,
    Cuda,
    DataFolder,
    FiguresFolder,
    Labels,
    Lengths,
    MetricsFolder,
    RepresentationsFolder,
    ResultsFolder,
    Seed,
    Seeds,
    Widths,
    check_folders,
    device,
    folders_of,
    formats_of,
    today,
)
from closedist.measures.settings import Settings
from closedist.paper.figures.registry import PICTURES, SECOND, Paper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from closedist.paper.cluster.jobs import Queue
    from closedist.paper.folders import Folders
    from closedist.paper.plan import Piece
    from closedist.paper.reproduce import Report
    from closedist.paper.sweep import Workplace


def reproduce(
    *,
    paper: Paper = "llv",
    labels: Labels = (4, 6, 10, 18),
    widths: Widths = (16, 32, 64, 128, 256),
    lengths: Lengths = (0, 20),
    seeds: Seeds = 20,
    teachers: Count = 5,
    students: Count = 5,
    dry_run: bool = False,
    images: Annotated[bool, Parameter(negative="--no-images")] = True,
    format: str = "png,pdf",
    checkpoint_every: Count = 2500,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    results_folder: ResultsFolder = RESULTS,
    figures_folder: FiguresFolder = FIGURES,
    metrics_folder: MetricsFolder = METRICS,
    representations_folder: RepresentationsFolder = REPRESENTATIONS,
    seed: Seed = 0,
    cluster: Cluster = NO_CLUSTER,
    common: Common = DEFAULTS,
) -> None:
    """Run a paper's experiments from nothing to figures; stopped anywhere and run again, it goes on.

    Args:
        paper: Which paper: llv, the first, or logit-distance, the second, of which this machine trains spirals and
            digits; of the options before the folders only teachers, students, dry-run and format are the second's.
        labels: Label counts.
        widths: Widths of the networks.
        lengths: Fixed lengths of f and of g; 0 is free.
        seeds: How many seeds, from 0 on; the CIFAR-10 part has at most the paper's 10.
        teachers: How many each of the second paper's set-ups has.
        students: How many each teacher has, under each loss.
        dry_run: Print the plan and stop.
        images: Train on CIFAR-10 too, where its images are in the data folder.
        format: Forms of figures, of png, pdf and svg.
        checkpoint_every: Steps between two saves of the exact training state.
    """
    common.set_up()
    folders = folders_of(
        data=data_folder,
        checkpoints=checkpoint_folder,
        results=results_folder,
        figures=figures_folder,
        metrics=metrics_folder,
        representations=representations_folder,
    )
    check_folders(folders)
    if paper == SECOND:
        _second_paper(teachers, students, formats_of(format, PICTURES, ()), folders, dry_run=dry_run)
        return
    cluster.check(common)
    from closedist.paper.data.cifar10 import images_available
    from closedist.paper.families import with_family
    from closedist.paper.measurements import Measurement
    from closedist.paper.plan import date_of_folder, image_runs, make_plan, remember_date, synthetic_runs
    from closedist.paper.reproduce import run_plan, train_plan
    from closedist.paper.shipped import runs_with_results
    from closedist.paper.sweep import Workplace
    from closedist.system.progress import changing_progress

    formats, on = formats_of(format, PICTURES, ()), device(cuda)
    queue = cluster.queue(common, folders.checkpoints) if cluster.slurm else None
    date = date_of_folder(folders.checkpoints, today())
    planned = synthetic_runs(labels, widths, lengths, seeds, date)
    runs = [with_family(run, folders.representations) for run in planned]
    on_images = image_runs(seeds, date) if images and images_available(folders.data) else []
    measured = runs_with_results(runs, Measurement(settings=Settings(seed=seed)), folders)
    pieces = make_plan([*runs, *on_images], folders, on, measured)
    _print_plan(pieces, date)
    _print_shipped(pieces, folders)
    if dry_run:
        return
    remember_date(folders.checkpoints, date)
    place = Workplace(folders, device=on, checkpoint_every=checkpoint_every, keep_state=False)
    finish = partial(run_plan, pieces, labels=labels, seed=seed, formats=formats)
    if queue:
        report = _on_cluster(queue, pieces, replace(place, device=cluster.device), finish, on, cluster.no_wait)
    else:
        with changing_progress(sum(piece.seconds for piece in pieces)) as show:

            def train(part: "Sequence[Piece]") -> int:
                if any(piece.missing for piece in part):
                    show(0, "training")
                return train_plan(part, place, lambda seconds: show(seconds, "training"))

            report = finish(folders=folders, device=on, train=train, say=lambda what: show(0, what))
    if report:
        _print_summary(report, folders.results, folders.figures)


def _second_paper(teachers: int, students: int, formats: "Sequence[str]", folders: "Folders", *, dry_run: bool) -> None:
    from closedist.paper.reproduce_distillation import epochs_of, run_second_paper, second_paper
    from closedist.system.progress import progress

    parts = second_paper(teachers, students, folders)
    print(f"{'set-up':<26}{'models':>8}{'there already':>15}{'to train':>10}{'estimate':>12}")
    for part in parts:
        there, estimate = part.models - part.missing, _duration(part.seconds(folders.data))
        print(f"{part.name:<26}{part.models:>8}{there:>15}{part.missing:>10}{estimate:>12}")
    for part in parts:
        if part.shipped:
            print(f"{part.name} is shipped: drawn from {part.folder}, not trained")
    if dry_run:
        return
    with progress("training", epochs_of(parts)) as advance:
        report = run_second_paper(parts, folders, formats, advance)
    print(
        f"\n{report.trained} models trained; metrics of {len(report.result_files)} students in {parts[0].folder.parent}"
    )
    print(f"{len(report.figure_files)} figure and table files in {folders.figures}")
    for reason in report.left_out:
        print(f"  left out: {reason}")


def _on_cluster(
    queue: "Queue",
    pieces: "Sequence[Piece]",
    place: "Workplace",
    finish: "Callable[..., Report]",
    measuring: "torch.device",
    no_wait: bool,
) -> "Report | None":
    """Train on the cluster and finish here; or, where nobody waits, let a job finish, and return None."""
    from closedist.paper.cluster.works import training_works
    from closedist.paper.reproduce import trained_before

    families = [
        training_works([piece for piece in pieces if piece.run.on_images is images], place) for images in (False, True)
    ]
    queue.submit(families)
    if no_wait:
        job = queue.follow_up(
            partial(finish, folders=place.folders.absolute(), device=place.device, train=trained_before)
        )
        print(f"job {job} measures and draws when all models are there; logs are in {queue.folder}")
        return None

    def wait(part: "Sequence[Piece]") -> int:
        queue.wait(families[part[0].run.on_images])
        return sum(piece.missing for piece in part)

    report = finish(folders=place.folders, device=measuring, train=wait)
    queue.wait_for_follow_up()
    queue.forget_finished()
    return report


def _print_plan(pieces: "Sequence[Piece]", date: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"The plan, files of date {date}", show_edge=False)
    for head in ("networks", "models", "there already", "to train", "estimate"):
        table.add_column(head, justify="left" if head == "networks" else "right", no_wrap=True)
    rows: dict[str, list[float]] = {}
    for piece in pieces:
        name = piece.run.name
        kind = f"width {name.width}" if not piece.run.on_images else f"{name.model_type}, dimension {name.rep_dim}"
        models = len(piece.run.models.random_seeds)
        row = rows.setdefault(kind, [0, 0, 0, 0.0])
        for index, value in enumerate((models, models - piece.missing, piece.missing, piece.seconds)):
            row[index] += value
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    for kind, (total, there, missing, seconds) in rows.items():
        table.add_row(kind, f"{total:,.0f}", f"{there:,.0f}", f"{missing:,.0f}", _duration(seconds))
    Console(width=88).print(table)


def _print_shipped(pieces: "Sequence[Piece]", folders: "Folders") -> None:
    """Say which models are there without their checkpoints, and what that is not enough for."""
    of_files = of_results = 0
    for piece in pieces:
        without_checkpoints = len(piece.run.missing(folders.checkpoints)) - piece.missing
        if not piece.seeds and piece.run.unavailable(folders.checkpoints, "test"):
            of_results += without_checkpoints
        else:
            of_files += without_checkpoints
    if of_files:
        print(f"{of_files:,} models are there as representations in {folders.representations}: measured and drawn")
    if of_results:
        print(f"{of_results:,} models are there as results: drawn, not measured anew")
    if of_files or of_results:
        print("To train these further, or measure them on training inputs, train them first with\ntrain-variations")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _print_summary(report: "Report", results: Path, figures: Path) -> None:
    from closedist.paper.reproduce import bounds_held

    print(f"\n{report.trained} models trained; {len(report.result_files)} result files in {results}")
    for name, (held, pairs) in bounds_held(report.result_files).items():
        if held < pairs:
            print(
                f"  the {name} is a theorem, and yet {pairs - held:,} of {pairs:,} pairs break it: a fault of closedist"
            )
    print(f"{len(report.figure_files)} figure and table files in {figures}")
    for path in report.page_files:
        print(f"to look at every pair, and where two models differ, open {path}")
    for reason in report.left_out:
        print(f"  not drawn: {reason}")
