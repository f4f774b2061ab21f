"""The tables of docs/reproduction.md on the synthetic experiments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from closedist.paper.results.tables import Distances
from reproduction.trainings import (
    ARTANH,
    LABELS,
    LENGTHS,
    LOG,
    MEAN,
    MINIMUM_MODELS,
    SEEDS,
    SHARE,
    WIDTHS,
    Column,
    Estimate,
    Floats,
    Training,
    correlation_distance,
    dissimilarity,
    divergence,
    estimate,
    llv,
    mean_over_kept,
    spearman,
)

MODELS = len(LABELS) * len(WIDTHS) * len(LENGTHS) * SEEDS
BOUNDS = {"paper's bound": "bound", "certificate": "certificate", "quadratic bound": "quadratic_bound"}
PUBLISHED_WIDTHS = WIDTHS[:4]
PUBLISHED = {"d_LLV": (llv, (0.466, 0.443, 0.252, 0.172)), "d_fg": (dissimilarity, (0.096, 0.076, 0.031, 0.014))}
PAPERS_KEPT = {4: (19, 20, 20, 20, 20), 6: (16, 17, 19, 19, 20)}  # of widths 16 to 256
HOLDS, IN_PART, DOES_NOT, OPEN = "holds", "holds in part", "does not hold", "open"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def coverage(trainings: Sequence[Training]) -> str:
    """How many of the models stand behind the page."""
    anew, earlier = (SEEDS * sum(t.anew is kind for t in trainings) for kind in (True, False))
    marks = {(t.labels, t.lengths, t.width): "R" if t.anew else "r" for t in trainings}
    rows = [
        [labels, lengths, *(marks.get((labels, lengths, width), "–") for width in WIDTHS)]
        for labels in LABELS
        for lengths in LENGTHS.values()
    ]
    absent = MODELS - anew - earlier
    parts = [f"{anew:,} whose representations are shipped (R), from which everything is measured anew"]
    parts += [f"{earlier:,} of which only results are there, of an earlier version (r)"] if earlier else []
    told = f"**{anew + earlier:,} of the {MODELS:,} models** stand behind this page: {' and '.join(parts)}."
    told += f" {absent:,} are not there yet (–)." if absent else ""
    return f"{told}\n\n{markdown(['labels', 'lengths', *(f'width {width}' for width in WIDTHS)], rows)}"


def widths(trainings: Sequence[Training], labels: int) -> str:
    """The means over pairs of accurate models of one label count."""
    head = ["lengths", "width", "kept of 20", "pairs", "d_LLV", "d_fg", "KL, geometric mean", "1 − m_CCA of f"]
    columns = ((llv, MEAN), (dissimilarity, SHARE), (divergence, LOG), (correlation_distance, SHARE))
    rows = []
    for t in trainings:
        if t.labels == labels:
            shown = [mean_over_kept(t, *column) if len(t.kept) > 2 else "" for column in columns]
            rows.append([t.lengths, t.width, len(t.kept), len(t.of_kept()), *shown])
    return markdown(head, rows)


# --- wider networks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trend:
    """What becomes of a mean as networks widen, over the widths with enough accurate models."""

    trainings: Sequence[Training]
    column: Column

    @property
    def rises(self) -> int:
        """At how many steps to the next width the mean rises."""
        means = [float(self.column(t.of_kept()).mean()) for t in self.trainings]
        return sum(after >= before for before, after in pairwise(means))

    @property
    def ratio(self) -> Estimate:
        """The widest networks' mean over the narrowest ones'."""
        narrow, wide = self.trainings[0], self.trainings[-1]

        def ratio(without: int | None) -> float:
            return float(self.column(wide.of_kept(without)).mean() / self.column(narrow.of_kept(without)).mean())

        return estimate(ratio, narrow.kept | wide.kept, LOG)

    @property
    def verdict(self) -> str:
        """By the interval of the ratio: below 1, and the mean falls at every step or not; above 1; or neither."""
        ratio = self.ratio
        if ratio.high < 1:
            return IN_PART if self.rises else HOLDS
        return DOES_NOT if ratio.low > 1 else OPEN


def trends_of(trainings: Sequence[Training], column: Column) -> dict[tuple[int, str], Trend]:
    """By labels and lengths, where at least two widths have enough accurate models."""
    groups: dict[tuple[int, str], list[Training]] = {}
    for t in trainings:
        if len(t.kept) >= MINIMUM_MODELS:
            groups.setdefault((t.labels, t.lengths), []).append(t)
    return {key: Trend(group, column) for key, group in groups.items() if len(group) > 1}


def trends(trainings: Sequence[Training]) -> str:
    """Ratios of the widest networks to the narrowest."""
    head = ["labels", "lengths", "widths", "models"]
    for name in ("d_LLV", "d_fg"):
        head += [f"{name}, widest / narrowest", "steps up", f"{name} falls"]
    sides = [trends_of(trainings, column) for column in (llv, dissimilarity)]
    rows = []
    for labels, lengths in sides[0]:
        both = [side[labels, lengths] for side in sides]
        there, models = (
            ", ".join(str(t.width) for t in both[0].trainings),
            sum(len(t.kept) for t in both[0].trainings),
        )
        numbers = [number for trend in both for number in (trend.ratio, trend.rises, trend.verdict)]
        rows.append([labels, lengths, there, models, *numbers])
    return markdown(head, rows)


# --- beside the paper's own numbers --------------------------------------------------------------------------------


def kept(trainings: Sequence[Training]) -> str:
    """Models above 0.9 accuracy beside the paper's, free lengths."""
    rows: list[list[object]] = []
    for labels, papers in PAPERS_KEPT.items():
        ours = {t.width: len(t.kept) for t in trainings if (t.labels, t.lengths) == (labels, "free")}
        rows += [[labels, "the paper", *papers], [labels, "ours", *(ours.get(width, "–") for width in WIDTHS)]]
    return markdown(["labels", "", *(f"width {width}" for width in WIDTHS)], rows)


def means_of_published_seeds(trainings: Sequence[Training], column: Column) -> dict[int, Estimate]:
    """By width, the mean over pairs of seeds 0 to 4 of four labels and free lengths, whatever their accuracy."""
    ours = [t for t in trainings if (t.labels, t.lengths) == (4, "free") and t.width in PUBLISHED_WIDTHS]
    return {
        t.width: estimate(lambda seed, t=t: float(column(t.of(range(5), seed)).mean()), range(5), MEAN) for t in ours
    }


def same_seeds(trainings: Sequence[Training]) -> str:
    """Those beside the published checkpoints' of the same seeds."""
    rows: list[list[object]] = []
    for name, (column, papers) in PUBLISHED.items():
        ours = means_of_published_seeds(trainings, column)
        rows += [[name, "published", *papers], [name, "ours", *(ours.get(width, "–") for width in PUBLISHED_WIDTHS)]]
    return markdown(["", "checkpoints", *(f"width {width}" for width in PUBLISHED_WIDTHS)], rows)


# --- bounds and ranks ----------------------------------------------------------------------------------------------


def joined(tables: Sequence[Distances], column: str) -> Floats:
    """A number of all pairs."""
    return np.concatenate([np.empty(0), *(d[column] for d in tables)])


def bounds(trainings: Sequence[Training]) -> str:
    """Crossings, and how much the bounds say, over every pair measured from shipped representations."""
    head = ["labels", "lengths", "models", "pairs", "crossed", "below 1", "median of bound / d_fg"]
    groups: dict[tuple[object, str], list[Training]] = {}
    for key in (lambda t: ("all", "all"), lambda t: (t.labels, t.lengths)):
        for t in trainings:
            if t.anew:
                groups.setdefault(key(t), []).append(t)
    rows = []
    for (labels, lengths), group in groups.items():
        tables = [t.distances for t in group]
        truth = joined(tables, "dissimilarity")
        values = [joined(tables, column) for column in BOUNDS.values()]
        held = [np.concatenate([d.bounds_holding()[name] for d in tables]) for name in BOUNDS]
        crossed, below = [int((~h).sum()) for h in held], [int((value < 1).sum()) for value in values]
        ratios = [f"{np.median(value / truth):.3g}" for value in values]
        listed = (", ".join(map(str, numbers)) for numbers in (crossed, below, ratios))
        rows.append([labels, lengths, SEEDS * len(group), f"{len(truth):,}", *listed])
    return markdown(head, rows)


RANKED: dict[str, tuple[Column, Column]] = {
    "KL and d_LLV": (divergence, llv),
    "KL and d_fg": (divergence, dissimilarity),
    "KL and 1 − m_CCA": (divergence, correlation_distance),
    "d_LLV and 1 − m_CCA": (llv, correlation_distance),
    "d_LLV and d_fg": (llv, dissimilarity),
}


def mean_rank_correlation(trainings: Sequence[Training], name: str) -> Estimate:
    """The mean over trainings of Spearman's correlation over all pairs of each."""
    first, second = RANKED[name]

    def mean(without: int | None) -> float:
        tables = [t.of(range(SEEDS), without) for t in trainings]
        return float(np.mean([spearman(first(d), second(d)) for d in tables]))

    return estimate(mean, range(SEEDS), ARTANH)


def ranks(trainings: Sequence[Training]) -> str:
    """How alike the measures rank the pairs of a training."""
    rows = []
    for name, (first, second) in RANKED.items():
        each = [spearman(first(t.distances), second(t.distances)) for t in trainings]
        rows.append([name, mean_rank_correlation(trainings, name), f"{min(each):.2f}", f"{max(each):.2f}"])
    return markdown(["measures", "mean correlation", "smallest", "largest"], rows)
