"""Trainings and measurements as works for the tasks of a job array."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import torch

from closedist.errors import InputError
from closedist.paper.cluster.tasks import Work
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement, measure_distances
from closedist.paper.plan import Piece
from closedist.paper.registry import load_split
from closedist.paper.runs import TrainingRun
from closedist.paper.sweep import CPU, Workplace, train_runs
from closedist.paper.trained_models import represent, runs_with_models
from closedist.paper.training.learners import seeds_together

TIMED_INPUTS = 200


@dataclass(frozen=True)
class Training:
    """Trains what is missing of a run, on a node."""

    run: TrainingRun
    place: Workplace
    continue_from: int = 0

    def __call__(self) -> None:
        _check_device(self.place.device)
        train_runs([self.run], self.place, continue_from=self.continue_from)


@dataclass(frozen=True)
class Measuring:
    """Measures all pairs of a run, on a node."""

    run: TrainingRun
    measurement: Measurement
    folders: Folders
    device: torch.device

    def __call__(self) -> None:
        _check_device(self.device)
        list(measure_distances([self.run], self.measurement, self.folders, self.device))


def training_works(pieces: Sequence[Piece], place: Workplace, continue_from: int = 0) -> list[Work]:
    """What is left of trainings; models that train one by one are a work each, all others of a run are one work."""
    place = replace(place, folders=place.folders.absolute())
    works = []
    for piece in pieces:
        if piece.seeds and seeds_together(piece.run.models.model_type) == 1:
            parts = [replace(piece, seeds=(seed,)).to_train for seed in piece.seeds]
        else:
            parts = [piece.to_train] if piece.seeds else []
        for part in parts:
            files = tuple(
                place.folders.checkpoints / part.name.trained(s) for s in part.missing(place.folders.checkpoints)
            )
            works.append(Work(files, piece.seconds / len(parts), Training(part, place, continue_from)))
    return works


def measuring_works(
    runs: Sequence[TrainingRun], measurement: Measurement, folders: Folders, device: torch.device
) -> list[Work]:
    """The measurement of every run that has checkpoints.

    Raises:
        InputError: checkpoints or data are missing.
    """
    folders = folders.absolute()
    return [
        Work(
            (folders.results / measurement.file_name(run),),
            _seconds(run, measurement, folders),
            Measuring(run, measurement, folders, device),
        )
        for run in runs_with_models(runs, measurement.split, folders.checkpoints)
    ]


def _seconds(run: TrainingRun, measurement: Measurement, folders: Folders) -> float:
    """The estimate from two untrained models on a few inputs, since both parts grow with the inputs."""
    inputs, _ = load_split(run.dataset, measurement.split, folders.data)
    few = inputs[:TIMED_INPUTS]
    begin = time.perf_counter()
    models = [represent(run.untrained(seed), few) for seed in (0, 1)]
    represented = time.perf_counter()
    replace(measurement, settings=replace(measurement.settings, num_samples=1)).compare(models)
    compared = time.perf_counter()
    pairs = len(list(combinations(run.models.random_seeds, 2)))
    of_models = (represented - begin) / 2 * len(run.models.random_seeds)
    return (of_models + (compared - represented) * pairs) * len(inputs) / len(few)


def _check_device(device: torch.device) -> None:
    if device != CPU and not torch.cuda.is_available():
        raise InputError("PyTorch finds no GPU on the node: give --partition and --gpus-per-task that have one")
