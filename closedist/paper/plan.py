"""The paper as a plan: which trainings there are, what of them is on disk, and how long the rest will take."""

import re
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from closedist.errors import InputError
from closedist.paper.config import (
    IMAGE_DIMENSIONS,
    changed,
    paper_dataset,
    paper_image_models,
    paper_image_training,
    paper_images,
    paper_models,
    paper_training,
)
from closedist.paper.folders import Folders
from closedist.paper.registry import data_set
from closedist.paper.runs import TrainingRun, training_runs
from closedist.paper.sweep import check_configuration, state_to_continue, training_groups
from closedist.paper.training.learners import build_learners, seeds_together
from closedist.paper.training.loop import limited_threads
from closedist.system.files import read_json, write_json

DATE_FILE = "reproduce.json"
TIMED_SECONDS = 0.4  # for each network shape that is left to train
MIN_TIMED_STEPS, MAX_TIMED_STEPS = 5, 50


@dataclass(frozen=True)
class Piece:
    """One training of the plan: all seeds of a label count, a width and two lengths.

    Attributes:
        run: the training.
        seeds: of its models that are to be trained.
        steps_left: model-steps to do, what a saved state spares taken off.
        step_seconds: the estimate for one step of one model; 0 where none is left.
    """

    run: TrainingRun
    seeds: tuple[int, ...]
    steps_left: int
    step_seconds: float

    @property
    def missing(self) -> int:
        """How many models are to be trained."""
        return len(self.seeds)

    @property
    def to_train(self) -> TrainingRun:
        """The training of these seeds alone."""
        return replace(self.run, models=self.run.models.model_copy(update={"random_seeds": self.seeds}))

    @property
    def seconds(self) -> float:
        """The estimate for what is left."""
        return self.steps_left * self.step_seconds


def synthetic_runs(
    labels: Sequence[int], widths: Sequence[int], lengths: Sequence[float], seeds: int, date: str
) -> list[TrainingRun]:
    """The paper's trainings on the radial data, narrow networks first, since results come soonest so."""
    members = {
        "random_seeds": tuple(range(seeds)),
        "num_features": tuple(widths),
        "fix_length_gs": tuple(lengths),
        "fix_length_fs": tuple(lengths),
    }
    runs = [
        run
        for num_classes in labels
        for run in training_runs(
            paper_dataset(num_classes), paper_models(num_classes, **members), paper_training(), date
        )
    ]
    return sorted(runs, key=lambda run: run.name.width)


def image_runs(seeds: int, date: str) -> list[TrainingRun]:
    """The paper's trainings on CIFAR-10, of its first seeds."""
    runs: list[TrainingRun] = []
    for rep_dim in IMAGE_DIMENSIONS:
        models = paper_image_models(rep_dim)
        models = changed(models, {"random_seeds": models.random_seeds[:seeds]})
        runs += training_runs(paper_images(), models, paper_image_training(), date)
    return runs


def date_of_folder(checkpoints: Path, today: str) -> str:
    """The date under which this folder's reproduction was begun; today's is written down where there is none.

    Raises:
        InputError: the file that holds it is not ours.
    """
    path = checkpoints / DATE_FILE
    if path.exists():
        content = read_json(path)
        date = content.get("date") if isinstance(content, dict) else None
        if not isinstance(date, str) or not re.fullmatch(r"[\w-]+", date):
            raise InputError(f"{path} does not hold a date: delete it to begin anew")
        return date
    return today


def remember_date(checkpoints: Path, date: str) -> None:
    """Write down under which date a reproduction is begun, so that it can be gone on with on another day."""
    path = checkpoints / DATE_FILE
    if not path.exists():
        write_json(path, {"date": date})


def make_plan(
    runs: Sequence[TrainingRun], folders: Folders, device: torch.device, measured: Collection[TrainingRun] = ()
) -> list[Piece]:
    """What is left of every run, with an estimate from a few steps of every shape of network.

    Args:
        runs: those of synthetic data may have a file of representations, which stand for trained models.
        folders: where trained models are.
        device: where models are to train.
        measured: runs whose results are there, so that nothing of them is to be trained.

    Raises:
        InputError: models on disk were trained with another configuration.
    """
    step_seconds: dict[tuple[object, ...], float] = {}
    pieces = []
    for run in runs:
        check_configuration(run, folders)
        left = run.missing(folders.checkpoints) if run.on_images else run.unavailable(folders.checkpoints, "test")
        missing = () if run in measured else left
        if not missing:
            pieces.append(Piece(run, (), 0, 0.0))
            continue
        steps_left = 0
        for group in training_groups(run, missing):
            saved = state_to_continue(run, group, folders.checkpoints)
            steps_left += len(group) * (run.training.train_steps - (saved.steps if saved else 0))
        fixed = (run.name.fix_length_f > 0) + (run.name.fix_length_g > 0)
        shape = (run.name.model_type, run.name.width, run.name.num_classes, run.name.rep_dim, fixed, len(missing))
        if shape not in step_seconds:
            step_seconds[shape] = _seconds_per_model_step(run, len(missing), device)
        pieces.append(Piece(run, missing, steps_left, step_seconds[shape]))
    return pieces


def _seconds_per_model_step(run: TrainingRun, models: int, device: torch.device) -> float:
    """The lower quartile of a few steps on random inputs, for one model among those that train together."""
    together = min(models, seeds_together(run.models.model_type) or models)
    learners = build_learners(
        [run.untrained(0).state_dict()] * together,
        run.models,
        run.training,
        fix_length_f=run.name.fix_length_f,
        fix_length_g=run.name.fix_length_g,
        device=device,
    )
    generator = torch.Generator().manual_seed(0)
    rows = run.training.batch_size
    labels = torch.randint(run.name.num_classes, (rows,), generator=generator).to(device)
    shape = (rows, *data_set(run.name.dataset).input_shape)
    if run.on_images:
        inputs = torch.randint(256, shape, dtype=torch.uint8, generator=generator).to(device)
    else:
        inputs = 3 * torch.randn(shape, generator=generator).to(device)
    times: list[float] = []
    begin = time.perf_counter()
    with limited_threads(learners):
        while len(times) < MAX_TIMED_STEPS:
            if len(times) >= MIN_TIMED_STEPS and time.perf_counter() - begin > TIMED_SECONDS:
                break
            start = time.perf_counter()
            learners.step(inputs, labels).cpu()  # waits for a GPU
            times.append(time.perf_counter() - start)
    # the lower quartile: what else the machine does for a moment is not to count for hours
    return statistics.quantiles(times[1:], n=4)[0] / together
