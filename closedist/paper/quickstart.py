"""The first five minutes: train a small sweep of the paper's models, measure all pairs, draw what came out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from closedist.comparison import Comparison, values_of
from closedist.measures.settings import Settings
from closedist.paper.config import paper_dataset, paper_models, paper_training
from closedist.paper.figures.pairs_in_plane import make_quickstart
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement, measure_accuracies, record_distances
from closedist.paper.pages import write_page
from closedist.paper.registry import load_split
from closedist.paper.results.tables import Distances, read_accuracies
from closedist.paper.runs import TrainingRun, training_runs
from closedist.paper.sweep import CPU, Workplace, train_runs
from closedist.paper.trained_models import family_representations
from closedist.representations import Representations

LABELS = 6
SEEDS = 5
WIDTHS = (16, 64)
DATE = "quickstart"


@dataclass(frozen=True)
class WidthResult:
    """Everything that was measured of the models of one width.

    Attributes:
        run: the training; its seeds are the models.
        representations, accuracies: one a seed, on the test inputs.
        pairs, comparisons: one a pair of seeds.
    """

    run: TrainingRun
    representations: Sequence[Representations]
    accuracies: Sequence[float]
    pairs: Sequence[tuple[int, int]]
    comparisons: Sequence[Comparison]

    def closest_pair(self) -> tuple[tuple[int, int], Comparison]:
        """The two seeds that are closest in distribution (by the sum of both KL divergences), and their comparison."""
        both = np.add(values_of(self.comparisons, "kl"), values_of(self.comparisons, "kl_reverse"))
        closest = int(both.argmin())
        return self.pairs[closest], self.comparisons[closest]

    def bounds_holding(self) -> dict[str, NDArray[np.bool_]]:
        """For which pairs each bound holds."""
        return Distances.of(self.pairs, self.comparisons).bounds_holding()


def quickstart_runs() -> list[TrainingRun]:
    """The paper's own training for 6 labels, cut to 5 seeds of two widths with free lengths."""
    models = paper_models(
        LABELS, random_seeds=tuple(range(SEEDS)), num_features=WIDTHS, fix_length_gs=(0,), fix_length_fs=(0,)
    )
    return list(training_runs(paper_dataset(LABELS), models, paper_training(), DATE))


def train_quickstart(folders: Folders, advance: Callable[[int], None]) -> None:
    """Train what is missing; stopped and run again, it goes on."""
    train_runs(quickstart_runs(), Workplace(folders), advance=advance)


def measure_quickstart(folders: Folders, seed: int = 0) -> list[WidthResult]:
    """Accuracies and all pairs of every width, also written as result files; ``seed`` draws the input sets."""
    results = []
    measurement = Measurement(settings=Settings(seed=seed))
    for run in quickstart_runs():
        (path,) = measure_accuracies([run], "test", "", folders, CPU)
        accuracies = [row.accuracy for row in read_accuracies(path.parent, path.name)]
        models = family_representations(run, "test", folders, CPU)
        pairs = list(combinations(run.models.random_seeds, 2))
        comparisons = measurement.compare(models)
        record_distances(run, measurement, comparisons, folders)
        results.append(WidthResult(run, models, accuracies, pairs, comparisons))
    return results


def draw_quickstart(results: Sequence[WidthResult], folders: Folders) -> list[Path]:
    """The data, the two most alike of the widest models side by side, and d_{f,g} over d_LLV with the bounds."""
    widest = results[-1]
    seeds, compared = widest.closest_pair()
    models = dict(zip(widest.run.models.random_seeds, widest.representations, strict=True))
    plots = make_quickstart(
        load_split(widest.run.dataset, "train", folders.data),
        {f"seed {seed}": models[seed] for seed in seeds},
        compared,
        {f"width {result.run.name.width}": Distances.of(result.pairs, result.comparisons) for result in results},
    )
    return plots.save(folders.figures, ("png",))


def look_at_quickstart(results: Sequence[WidthResult], folders: Folders, path: Path, seed: int = 0) -> None:
    """Write the page of all models of both widths; ``seed`` draws the input sets."""
    named = {
        f"width {result.run.name.width}, seed {number}": model
        for result in results
        for number, model in zip(result.run.models.random_seeds, result.representations, strict=True)
    }
    write_page(named, results[0].run, folders, path, seed)
