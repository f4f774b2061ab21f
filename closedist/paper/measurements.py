"""The paper's measurements on trained families: checkpoints in, result files out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter
from pathlib import Path

import torch

from closedist.comparison import Comparison
from closedist.measures.cca import mean_cca
from closedist.measures.checks import check_enough_labels
from closedist.measures.settings import DEFAULTS, Settings
from closedist.pairs import measure_pairs
from closedist.paper.folders import Folders
from closedist.paper.registry import load_split
from closedist.paper.result_files import configuration, mcca_file
from closedist.paper.results.names import (
    accuracies_file_name,
    distances_file_name,
)
from closedist.paper.results.tables import (
    AccuracyRow,
    MCCARow,
    read_accuracies,
    write_accuracies,
    write_distances,
    write_mcca,
)
from closedist.paper.runs import TrainingRun
from closedist.paper.trained_models import (
    accuracy,
    family_representations,
    runs_with_models,
)
from closedist.representations import Representations


@dataclass(frozen=True)
class Measurement:
    """What get-distances measures.

    Attributes:
        split: "train" or "test".
        settings: how.
        extra_suffix: the end of the result file's name.
    """

    split: str = "test"
    settings: Settings = DEFAULTS
    extra_suffix: str = ""

    def file_name(self, run: TrainingRun) -> str:
        """The name of the result file for one run."""
        return distances_file_name(configuration(run), run.name.date, self.split, self.settings, self.extra_suffix)

    def compare(self, models: Sequence[Representations], names: Sequence[str] | None = None) -> list[Comparison]:
        """All pairs, in the order of itertools.combinations; ``names`` are what errors call the models.

        Raises:
            InputError: the models have two labels only, or as :func:`closedist.compare_all`.
        """
        check_enough_labels(models[0])
        return measure_pairs(models, None, self.settings, names)


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
        yield record_distances(run, measurement, comparisons, folders)


def record_distances(
    run: TrainingRun, measurement: Measurement, comparisons: Sequence[Comparison], folders: Folders
) -> Path:
    """Write the comparisons of all pairs of a run's seeds; returns the file."""
    path = folders.results / measurement.file_name(run)
    write_distances(path, list(combinations(run.models.random_seeds, 2)), comparisons)
    return path


def measure_accuracies(
    runs: Sequence[TrainingRun], split: str, extra_suffix: str, folders: Folders, device: torch.device
) -> list[Path]:
    """Measure the accuracy of every model of every run that has checkpoints; returns the files, one a width.

    Raises:
        InputError: checkpoints are missing or broken, or a folder cannot be written.
    """
    tables: dict[Path, list[AccuracyRow]] = {}
    for run, rows in _accuracies(runs, split, folders, device).items():
        tables.setdefault(accuracies_file(run, split, extra_suffix, folders), []).extend(rows)
    for path, rows in tables.items():
        write_accuracies(path, rows)
    return list(tables)


def complete_accuracies(family: Sequence[TrainingRun], folders: Folders, device: torch.device) -> Path:
    """The file of test accuracies of one width: kept where it has all these models; those of other runs are measured.

    Rows of other length settings and seeds stay.
    """
    path = accuracies_file(family[0], "test", "", folders)
    model = attrgetter("fix_g", "fix_f", "model_seed")
    rows = {model(row): row for row in read_accuracies(path.parent, path.name)} if path.exists() else {}
    wanted = {
        run: {(run.name.fix_length_g, run.name.fix_length_f, s) for s in run.models.random_seeds} for run in family
    }
    if lacking := [run for run in family if not wanted[run] <= set(rows)]:
        rows |= {model(row): row for of_run in _accuracies(lacking, "test", folders, device).values() for row in of_run}
        write_accuracies(path, [row for _, row in sorted(rows.items())])
    return path


def _accuracies(
    runs: Sequence[TrainingRun], split: str, folders: Folders, device: torch.device
) -> dict[TrainingRun, list[AccuracyRow]]:
    """The accuracies of all models of those runs that have checkpoints, in the order of their seeds."""
    _, labels = load_split(runs[0].dataset, split, folders.data)
    measured = {}
    for run in runs_with_models(runs, split, folders.checkpoints):
        models = zip(run.models.random_seeds, family_representations(run, split, folders, device), strict=True)
        measured[run] = [
            AccuracyRow(
                model_seed=seed,
                fix_g=run.name.fix_length_g,
                fix_f=run.name.fix_length_f,
                num_classes=run.name.num_classes,
                fd=run.name.rep_dim,
                accuracy=accuracy(model, labels),
            )
            for seed, model in models
        ]
    return measured


def accuracies_file(run: TrainingRun, split: str, extra_suffix: str, folders: Folders) -> Path:
    """Where the accuracies of a run's width go; all its length settings share the file."""
    return folders.results / accuracies_file_name(configuration(run), run.name.date, split, extra_suffix)


def measure_mcca(run: TrainingRun, folders: Folders, device: torch.device) -> Path:
    """Measure m_CCA of embeddings and unembeddings of all pairs of seeds on both splits; returns the file written.

    Raises:
        InputError: checkpoints or images are missing or broken, or a folder cannot be written.
    """
    columns = {
        split: [
            (float(mean_cca(p.embeddings, q.embeddings)), float(mean_cca(p.unembeddings, q.unembeddings)))
            for p, q in combinations(family_representations(run, split, folders, device), 2)
        ]
        for split in ("train", "test")
    }
    pairs = combinations(run.models.random_seeds, 2)
    rows = [
        MCCARow(pair, *on_train, *on_test, run.name.models)
        for pair, on_train, on_test in zip(pairs, columns["train"], columns["test"], strict=True)
    ]
    path = mcca_file(run, folders)
    write_mcca(path, rows)
    return path
