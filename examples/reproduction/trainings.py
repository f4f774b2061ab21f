"""The paper's trainings that have results, and means over their pairs with intervals over seeds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from closedist.paper.families import with_family
from closedist.paper.measurements import Measurement
from closedist.paper.plan import synthetic_runs
from closedist.paper.result_files import configuration
from closedist.paper.results.archive import ResultsSource
from closedist.paper.results.names import accuracies_file_name, dates
from closedist.paper.results.tables import Distances, read_accuracies, read_distances

LABELS, WIDTHS, SEEDS = (4, 6, 10, 18), (16, 32, 64, 128, 256), 20
LENGTHS = {(0, 0): "free", (0, 20): "f of 20", (20, 0): "g of 20", (20, 20): "both of 20"}  # by those of g and f
MINIMUM_ACCURACY, MINIMUM_MODELS = 0.9, 5
Floats = NDArray[np.float64]
Column = Callable[[Distances], Floats]


@dataclass(frozen=True)
class Training:
    """The pairs of one label count, length setting and width.

    Attributes:
        kept: the seeds with an accuracy above 0.9.
        anew: whether the pairs were measured from shipped representations, and not by an earlier version.
    """

    labels: int
    lengths: str
    width: int
    distances: Distances
    kept: frozenset[int]
    anew: bool

    def of(self, seeds: Iterable[int], without: int | None = None) -> Distances:
        """The pairs of these seeds, one seed's left out."""
        chosen = set(seeds) - {without}
        return self.distances.select(np.array([chosen.issuperset(pair) for pair in self.distances.model_seeds]))

    def of_kept(self, without: int | None = None) -> Distances:
        """The pairs of models that are accurate enough, one seed's left out."""
        return self.of(self.kept, without)


def read_all(source: ResultsSource, representations: Path) -> list[Training]:
    """Every training of the paper's that has results, by labels, lengths and width."""
    found = []
    for run in synthetic_runs(LABELS, WIDTHS, (0, 20), SEEDS, dates(source)[-1]):
        name = Measurement().file_name(run)
        if name in source:
            setting = (run.name.fix_length_g, run.name.fix_length_f)
            rows = read_accuracies(source, accuracies_file_name(configuration(run), run.name.date, "test"))
            good = [row for row in rows if (row.fix_g, row.fix_f) == setting and row.accuracy > MINIMUM_ACCURACY]
            training = Training(
                labels=run.name.num_classes,
                lengths=LENGTHS[int(setting[0]), int(setting[1])],
                width=run.name.width,
                distances=read_distances(source, name),
                kept=frozenset(row.model_seed for row in good),
                anew=with_family(run, representations).family is not None,
            )
            found.append(training)
    order = list(LENGTHS.values())
    return sorted(found, key=lambda t: (t.labels, order.index(t.lengths), t.width))


# --- what is measured ----------------------------------------------------------------------------------------------


def llv(d: Distances) -> Floats:
    """d_LLV."""
    return d["llv"]


def dissimilarity(d: Distances) -> Floats:
    """d_{f,g}."""
    return d["dissimilarity"]


def correlation_distance(d: Distances) -> Floats:
    """1 − m_CCA of the embeddings."""
    return 1 - d["mean_cca_embeddings"]


def divergence(d: Distances) -> Floats:
    """KL in nats, the mean of both directions."""
    return (d["kl"] + d["kl_reverse"]) / 2


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation."""
    ranks = [np.argsort(np.argsort(values)).astype(np.float64) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


# --- intervals over seeds ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Where a statistic is nearly normal, and the ends of what it can be."""

    to: Callable[[float], float] = lambda value: value
    back: Callable[[float], float] = lambda value: value
    lowest: float = -np.inf
    highest: float = np.inf


MEAN = Scale(lowest=0.0)
SHARE = Scale(lowest=0.0, highest=1.0)
LOG = Scale(np.log, np.exp)
ARTANH = Scale(np.arctanh, np.tanh)


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def estimate(statistic: Callable[[int | None], float], seeds: Iterable[int], scale: Scale) -> Estimate:
    """A statistic with its 95 % interval over seeds.

    The jackknife of Efron and Stein (1981), whose groups are models: all pairs of one are left out together.

    Args:
        statistic: takes the seed to leave out, None for none.
        seeds: those that it is of.
        scale: of the statistic.
    """
    value = statistic(None)
    replicates = np.array([scale.to(statistic(seed)) for seed in seeds])
    count = len(replicates)
    error = np.sqrt((count - 1) / count * np.square(replicates - replicates.mean()).sum())
    reach = float(stdtrit(count - 1, 0.975)) * error
    low, high = (float(scale.back(scale.to(value) + sign * reach)) for sign in (-1, 1))
    return Estimate(value, max(low, scale.lowest), min(high, scale.highest))


def mean_over_kept(training: Training, column: Column, scale: Scale) -> Estimate:
    """The mean over pairs of accurate models; on the scale LOG the geometric one."""

    def mean(without: int | None) -> float:
        values = column(training.of_kept(without))
        return float(np.exp(np.log(values).mean()) if scale is LOG else values.mean())

    return estimate(mean, training.kept, scale)
