"""The paper's measurements on trained families: checkpoints in, result files out."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import torch

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.cca import mean_cca
from closedist.measures.checks import check_enough_labels
from closedist.pairs import compare_all
from closedist.paper.data.splits import load_split
from closedist.paper.folders import Folders
from closedist.paper.results.names import accuracies_file_name, distances_file_name, loss_file_name, mcca_file_name
from closedist.paper.results.tables import (
    AccuracyRow,
    LossRow,
    MCCARow,
    write_accuracies,
    write_distances,
    write_losses,
    write_mcca,
)
from closedist.paper.runs import TrainingRun
from closedist.paper.trained_models import accuracy, family_representations, runs_with_models
from closedist.representations import Representations
from closedist.system.files import read_json


@dataclass(frozen=True)
class Measurement:
    """What get-distances measures; the defaults are the paper's.

    Attributes:
        split: "train" or "test".
        reduction: "max" or "mean" over labels.
        combine: "max" or "sum" of the four terms.
        weight: λ.
        num_samples: how many input sets are drawn.
        seed: of that draw.
        extra_suffix: the end of the result file's name.
    """

    split: str = "test"
    reduction: Literal["max", "mean"] = "max"
    combine: Literal["max", "sum"] = "max"
    weight: float = 1e-5
    num_samples: int = 200
    seed: int = 0
    extra_suffix: str = ""

    def file_name(self, run: TrainingRun) -> str:
        """The name of the result file for one run."""
        return distances_file_name(
            date=run.name.date,
            split=self.split,
            reduction=self.reduction,
            combine=self.combine,
            weight=self.weight,
            model_type=run.name.model_type,
            fix_length_g=run.name.fix_length_g,
            fix_length_f=run.name.fix_length_f,
            width=run.name.width,
            num_classes=run.name.num_classes,
            rep_dim=run.name.rep_dim,
            train_steps=run.name.steps,
            extra_suffix=self.extra_suffix,
        )

    def compare(
        self, representations: Sequence[Representations], names: Sequence[str] | None = None
    ) -> list[Comparison]:
        """All pairs, in the order of itertools.combinations; ``names`` are what errors call the models.

        Raises:
            InputError: the models have two labels only, or as :func:`closedist.compare_all`.
        """
        check_enough_labels(representations[0])
        return compare_all(
            representations,
            names=names,
            weight=self.weight,
            reduction=self.reduction,
            combine=self.combine,
            num_samples=self.num_samples,
            seed=self.seed,
        )


def measure_distances(
    runs: Sequence[TrainingRun], measurement: Measurement, folders: Folders, device: torch.device
) -> Iterator[Path]:
    """Measure all pairs of seeds of every run that has checkpoints; yields each result file when it is written.

    Raises:
        InputError: checkpoints are missing or broken, or a folder cannot be written.
    """
    for run in runs_with_models(runs, measurement.split, folders.checkpoints):
        names = [run.name.trained(seed) for seed in run.models.random_seeds]
        comparisons = measurement.compare(family_representations(run, measurement.split, folders, device), names)
        path = folders.results / measurement.file_name(run)
        write_distances(path, list(combinations(run.models.random_seeds, 2)), comparisons)
        yield path


def measure_accuracies(
    runs: Sequence[TrainingRun], split: str, extra_suffix: str, folders: Folders, device: torch.device
) -> list[Path]:
    """Measure the accuracy of every model of every run that has checkpoints; returns the files, one a width.

    Raises:
        InputError: checkpoints are missing or broken, or a folder cannot be written.
    """
    tables: dict[Path, list[AccuracyRow]] = {}
    for run, rows in accuracies_by_run(runs, split, folders, device).items():
        tables.setdefault(accuracies_file(run, split, extra_suffix, folders), []).extend(rows)
    for path, rows in tables.items():
        write_accuracies(path, rows)
    return list(tables)


def accuracies_by_run(
    runs: Sequence[TrainingRun], split: str, folders: Folders, device: torch.device
) -> dict[TrainingRun, list[AccuracyRow]]:
    """The accuracies of all models of those runs that have checkpoints.

    Raises:
        InputError: checkpoints are missing or broken.
    """
    _, labels = load_split(runs[0].dataset, split, folders.data)
    measured = {}
    for run in runs_with_models(runs, split, folders.checkpoints):
        models = family_representations(run, split, folders, device)
        measured[run] = accuracy_rows(run, [accuracy(model, labels) for model in models])
    return measured


def accuracy_rows(run: TrainingRun, accuracies: Sequence[float]) -> list[AccuracyRow]:
    """Accuracies of a run's seeds, in its order, as a file has them."""
    return [
        AccuracyRow(
            seed=seed,
            fix_g=run.name.fix_length_g,
            fix_f=run.name.fix_length_f,
            num_classes=run.name.num_classes,
            fd=run.name.rep_dim,
            accuracy=value,
        )
        for seed, value in zip(run.models.random_seeds, accuracies, strict=True)
    ]


def accuracies_file(run: TrainingRun, split: str, extra_suffix: str, folders: Folders) -> Path:
    """Where the accuracies of a run's width go; all its length settings share the file."""
    name = accuracies_file_name(
        date=run.name.date,
        split=split,
        model_type=run.name.model_type,
        width=run.name.width,
        num_classes=run.name.num_classes,
        rep_dim=run.name.rep_dim,
        train_steps=run.name.steps,
        extra_suffix=extra_suffix,
    )
    return folders.results / name


def measure_mcca(run: TrainingRun, folders: Folders, device: torch.device) -> Path:
    """Measure m_CCA of embeddings and unembeddings of all pairs of seeds on both splits; returns the file written.

    Raises:
        InputError: checkpoints or images are missing or broken, or a folder cannot be written.
    """
    columns: dict[str, list[tuple[float, float]]] = {}
    for split in ("train", "test"):
        models = family_representations(run, split, folders, device)
        columns[split] = [
            (
                float(mean_cca(first.embeddings, second.embeddings)),
                float(mean_cca(first.unembeddings, second.unembeddings)),
            )
            for first, second in combinations(models, 2)
        ]
    rows = [
        MCCARow(pair, *on_train, *on_test, run.name.models)
        for pair, on_train, on_test in zip(
            combinations(run.models.random_seeds, 2), columns["train"], columns["test"], strict=True
        )
    ]
    path = mcca_file(run, folders)
    write_mcca(path, rows)
    return path


def mcca_file(run: TrainingRun, folders: Folders) -> Path:
    """Where the canonical correlations of a CIFAR-10 training go."""
    name = mcca_file_name(rep_dim=run.name.rep_dim, model_type=run.name.model_type, train_steps=run.name.steps)
    return folders.results / name


def collect_losses(run: TrainingRun, folders: Folders) -> Path:
    """Gather the final losses of all seeds from their metrics files; returns the file written.

    Raises:
        InputError: a metrics file is missing or broken, or a folder cannot be written.
    """
    path = loss_file(run, folders)
    write_losses(path, final_losses(run, folders))
    return path


def final_losses(run: TrainingRun, folders: Folders) -> list[LossRow]:
    """The final losses of all seeds, from their metrics files.

    Raises:
        InputError: a metrics file is missing or broken.
    """
    rows = []
    for seed in run.models.random_seeds:
        path = folders.metrics / run.name.metrics(seed)
        content = read_json(path)
        train_loss, test_loss = _last_number(content, "train_loss"), _last_number(content, "test_loss")
        if train_loss is None or test_loss is None:
            raise InputError(f"{path} has no lists train_loss and test_loss of numbers: train that model again")
        rows.append(LossRow(seed, train_loss, test_loss, run.name.models))
    return rows


def run_of_pairs(run: TrainingRun, correlations: Sequence[MCCARow], folders: Folders) -> TrainingRun:
    """The run of the very models whose m_CCA a file has: with their date and seeds.

    Where the file, the paper's code's, does not name them they are those of the run's date or, where the run has none,
    of the newest date with metrics of all seeds.

    Raises:
        InputError: the models are not the run's but for their date, or no date has the metrics of all.
    """
    named = {row.models for row in correlations if row.models}
    undated = replace(run.name, date="").models
    for name in sorted(named):
        if len(named) > 1 or not name.endswith(undated):
            raise InputError(
                f"m_CCA is of models {name}, not only of models like DATE{undated}: pass the configs that they were "
                "trained with, or run cal-mcca again"
            )
    seeds = tuple(sorted({seed for row in correlations for seed in row.model_seeds}))
    date = next((name.removesuffix(undated) for name in named), run.name.date)
    if not date:
        names = [run.name.metrics(seed) for seed in seeds]  # without a date: the end of the name that has one
        dated = [{path.name[: -len(name)] for path in folders.metrics.glob(f"*{name}")} for name in names]
        date = max(set.intersection(*dated), default="")
        if not date:
            raise InputError(
                f"{folders.metrics} has no date with metrics like DATE{names[0]} of all {len(seeds)} seeds: train "
                "them, or give another --metrics-folder"
            )
    models = run.models.model_copy(update={"random_seeds": seeds})
    return replace(run, name=replace(run.name, date=date), models=models)


def _last_number(content: object, key: str) -> float | None:
    """The last entry of a list in a table, if it is a finite number."""
    column = content.get(key) if isinstance(content, dict) else None
    last = column[-1] if isinstance(column, list) and column else None
    if not isinstance(last, int | float) or isinstance(last, bool) or not abs(last) <= sys.float_info.max:
        return None
    return float(last)


def loss_file(run: TrainingRun, folders: Folders) -> Path:
    """Where the final losses of a CIFAR-10 training are gathered."""
    name = loss_file_name(rep_dim=run.name.rep_dim, model_type=run.name.model_type, train_steps=run.name.steps)
    return folders.results / name
