"""Pages to look at of trained models: all widths and seeds of one kind, with the test inputs."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import torch

from closedist.measures.settings import Settings
from closedist.page.inputs import Input
from closedist.page.write import compare_for_page, report
from closedist.paper.data.cifar10 import images_available
from closedist.paper.folders import Folders
from closedist.paper.registry import load_split
from closedist.paper.runs import TrainingRun
from closedist.paper.trained_models import family_representations
from closedist.representations import Representations


def write_pages(runs: Sequence[TrainingRun], folders: Folders, device: torch.device, seed: int) -> list[Path]:
    """A page a data set, label count and representation dimension, of all models with free lengths that are there.

    Args:
        runs: what was trained.
        folders: the pages are written beside the figures.
        device: where test inputs are represented.
        seed: draws the input sets.

    Returns:
        The pages' paths; of fewer than two models there is none.

    Raises:
        InputError: a file that is needed is broken, or models cannot be compared.
    """
    free = [run for run in runs if (run.name.fix_length_f, run.name.fix_length_g) == (0, 0)]
    there = [run for run in free if not run.unavailable(folders.checkpoints, "test")]
    paths = []
    for (dataset, classes, dimension), group in groupby(sorted(there, key=_kind), key=_kind):
        same_inputs = list(group)
        named = {
            f"{run.name.model_type}, width {run.name.width}, seed {number}": model
            for run in same_inputs
            for number, model in zip(
                run.models.random_seeds, family_representations(run, "test", folders, device), strict=True
            )
        }
        if len(named) > 1:
            paths.append(folders.figures / f"models_{dataset}_cls{classes}_fd{dimension}.html")
            write_page(named, same_inputs[0], folders, paths[-1], seed)
    return paths


def write_page(
    named: Mapping[str, Representations], run: TrainingRun, folders: Folders, path: Path, seed: int = 0
) -> None:
    """The page of models of one data set by their names, with each test input's point or picture, and its label.

    Args:
        named: the models.
        run: any of theirs, which says what the test inputs are.
        folders: where images are looked for; without them inputs have no pictures.
        path: of the page.
        seed: draws the input sets.
    """
    report(
        named,
        path,
        inputs=_inputs(run, folders),
        comparisons=compare_for_page(list(named.values()), list(named), Settings(seed=seed)),
    )


def _inputs(run: TrainingRun, folders: Folders) -> Sequence[Input] | None:
    if run.on_images:
        return (
            list(load_split(run.dataset, "test", folders.data)[0].numpy()) if images_available(folders.data) else None
        )
    points, labels = (part.tolist() for part in load_split(run.dataset, "test", folders.data))
    return [f"({x:.2f}, {y:.2f}), label {label}" for (x, y), label in zip(points, labels, strict=True)]


def _kind(run: TrainingRun) -> tuple[str, int, int]:
    return run.name.dataset, run.name.num_classes, run.name.rep_dim
