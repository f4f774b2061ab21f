"""Every claim of the paper: its figure, ours, how many models stand behind it, and what comes of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from closedist.paper.constructed import KLTableRow
from closedist.paper.results.archive import ResultsSource
from closedist.paper.results.names import dates
from closedist.paper.results.tables import read_distances, read_losses, read_mcca
from closedist.system.files import read_json
from reproduction.tables import (
    DOES_NOT,
    HOLDS,
    IN_PART,
    OPEN,
    PAPERS_KEPT,
    PUBLISHED,
    PUBLISHED_WIDTHS,
    joined,
    markdown,
    mean_rank_correlation,
    means_of_published_seeds,
    trends_of,
)
from reproduction.trainings import (
    SEEDS,
    WIDTHS,
    Column,
    Floats,
    Training,
    dissimilarity,
    divergence,
    llv,
    spearman,
)

PAPERS_KL = (0.788, 0.00003)  # at lengths 1 and 20 of g
PAPERS_RESNETS = {"test losses": "1.193 and 1.178", "m_CCA": "0.551", "KL": "1.131 nats", "d_LLV": "1.546"}
SIMILAR = 0.9  # a mean canonical correlation above which the claims call two representations similar
NEAR = 0.25  # the share of pairs whose losses are called equal
CLOSEST = 0.1  # the share of pairs that are called close


@dataclass(frozen=True)
class Evidence:
    """What the claims are held against: trained and constructed models, results, and the metrics folder."""

    trainings: Sequence[Training]
    constructed: Sequence[KLTableRow]
    source: ResultsSource
    metrics: Path


@dataclass(frozen=True)
class Claim:
    """A row: what the paper says, its figure and ours, how many models ours is of, and the verdict."""

    text: str
    papers: str
    ours: str
    models: str
    verdict: str


def claims(evidence: Evidence) -> str:
    """The table of all claims."""
    rows = [
        _kl_and_representations(evidence.constructed),
        _bound(evidence.trainings),
        _accurate_models(evidence.trainings),
        _levels(evidence.trainings),
        _wider(evidence.trainings, llv, "d_LLV", "Wider networks learn closer distributions"),
        _wider(evidence.trainings, dissimilarity, "d_fg", "… and more similar representations"),
        _close(evidence.trainings),
        _equal_losses(evidence),
        _losses_and_correlations(evidence),
    ]
    head = ["", "claim", "the paper", "ours", "models", "verdict"]
    cells = ([row.text, row.papers, row.ours, row.models, f"**{row.verdict}**"] for row in rows)
    return markdown(head, [[number, *row] for number, row in enumerate(cells, 1)])


def _all_of(verdicts: Iterable[str]) -> str:
    """One verdict of several: the one they share, else in part."""
    different = set(verdicts)
    return different.pop() if len(different) == 1 else IN_PART if different & {HOLDS, IN_PART} else OPEN


def _held(facts: Sequence[bool]) -> str:
    if not facts:
        return OPEN
    return HOLDS if all(facts) else IN_PART if any(facts) else DOES_NOT


def _kl_and_representations(rows: Sequence[KLTableRow]) -> Claim:
    first, last = rows[0], rows[-1]
    d_llv = [row.llv for row in rows]
    facts = [last.kl < first.kl / 1e4, max(d_llv) < 1.01 * min(d_llv), max(row.mean_cca for row in rows) < 0.01]
    return Claim(
        "A small KL divergence does not make representations similar",
        f"KL from {PAPERS_KL[0]} to {PAPERS_KL[1]:.5f} as g lengthens from 1 to 20; d_LLV 1.317 to 1.318, m_CCA at "
        "most 0.0014, largest d_SVD 0.999 to 1.000 all along",
        f"KL from {first.kl:.3f} to {last.kl:.5f}; d_LLV {min(d_llv):.4f} to {max(d_llv):.4f}, m_CCA at most "
        f"{max(row.mean_cca for row in rows):.4f}, largest d_SVD {min(row.largest_d_svd for row in rows):.4f}",
        f"{len(rows)} constructed pairs",
        _held(facts),
    )


def _bound(trainings: Sequence[Training]) -> Claim:
    anew = [t for t in trainings if t.anew]
    held = [held for t in anew for held in t.distances.bounds_holding()["paper's bound"]]
    informative = int((joined([t.distances for t in anew], "bound") < 1).sum())
    return Claim(
        "d_fg ≤ 2M·d_LLV",
        "a theorem",
        f"crossed by {len(held) - sum(held)} of {len(held):,} pairs; below 1, so that it says something, "
        f"for {informative:,}",
        f"{SEEDS * len(anew):,}",
        (HOLDS if all(held) else DOES_NOT) if held else OPEN,
    )


def _accurate_models(trainings: Sequence[Training]) -> Claim:
    shown, facts, models = [], [], 0
    for labels, papers in PAPERS_KEPT.items():
        ours = {t.width: len(t.kept) for t in trainings if (t.labels, t.lengths) == (labels, "free")}
        facts += [ours[width] == number for width, number in zip(WIDTHS, papers, strict=True) if width in ours]
        shown.append(", ".join(str(ours.get(width, "–")) for width in WIDTHS) + f" ({labels} labels)")
        models += SEEDS * len(ours)
    theirs = [f"{', '.join(map(str, papers))} ({labels} labels)" for labels, papers in PAPERS_KEPT.items()]
    text = "Models of free lengths above 0.9 accuracy, of 20, widths 16 to 256"
    return Claim(text, "; ".join(theirs), "; ".join(shown), f"{models:,}", _held(facts))


def _levels(trainings: Sequence[Training]) -> Claim:
    facts, shown, papers_shown, models = [], [], [], 0
    for name, (column, papers) in PUBLISHED.items():
        ours = means_of_published_seeds(trainings, column)
        models = 5 * len(ours)
        pairs = zip(PUBLISHED_WIDTHS, papers, strict=True)
        facts += [ours[width].low <= number <= ours[width].high for width, number in pairs if width in ours]
        shown.append(f"{name} " + ", ".join(f"{ours[w].value:.3f}" if w in ours else "–" for w in PUBLISHED_WIDTHS))
        papers_shown.append(f"{name} " + ", ".join(f"{number:.3f}" for number in papers))
    ours_text = f"{'; '.join(shown)}; the published number is in our interval for {sum(facts)} of {len(facts)}"
    text = "How far apart models are: means of 4 labels, seeds 0 to 4, widths 16 to 128 (published checkpoints)"
    return Claim(text, "; ".join(papers_shown), ours_text, str(models), _held(facts))


def _wider(trainings: Sequence[Training], column: Column, name: str, text: str) -> Claim:
    free = {labels: trend for (labels, lengths), trend in trends_of(trainings, column).items() if lengths == "free"}
    shown = []
    for labels, trend in free.items():
        ends = f"{trend.trainings[0].width} to {trend.trainings[-1].width}"
        shown.append(f"{labels} labels, {ends}: × {trend.ratio}, {trend.verdict}")
    models = sum(len(t.kept) for trend in free.values() for t in trend.trainings)
    papers = f"mean {name} falls from width 16 to 256 for 4 and 6 labels, free lengths"
    return Claim(text, papers, "; ".join(shown), f"{models:,}", _all_of(trend.verdict for trend in free.values()))


def _close(trainings: Sequence[Training]) -> Claim:
    tables = [t.of_kept() for t in trainings if len(t.kept) > 1]

    def closest(column: Column) -> tuple[float, float]:
        values, truth = (np.concatenate([c(d) for d in tables]) for c in (column, dissimilarity))
        limit = float(np.quantile(values, CLOSEST))
        return limit, float(truth[values <= limit].max())

    by_llv, by_kl = closest(llv), closest(divergence)
    correlation, of_kl = (mean_rank_correlation(trainings, f"{name} and d_fg") for name in ("d_LLV", "KL"))
    return Claim(
        "Closeness in d_LLV goes with similar representations",
        "shown in scatters",
        f"rank correlation of d_LLV with d_fg {correlation} (of KL: {of_kl}); of the closest tenth of accurate pairs, "
        f"d_LLV ≤ {by_llv[0]:.3g} has d_fg ≤ {by_llv[1]:.3g}, KL ≤ {by_kl[0]:.3g} nats has d_fg ≤ {by_kl[1]:.3g}",
        f"{SEEDS * len(trainings):,}",
        HOLDS if correlation.low > 0 and by_llv[1] < by_kl[1] else IN_PART if correlation.low > 0 else DOES_NOT,
    )


def _equal_losses(evidence: Evidence) -> Claim:
    date = dates(evidence.source)[-1]
    name = f"{date}_model_distances_test_maxmax_w1e-05_ResNetCIFAR10_128_fd2_5000.json"
    d = read_distances(evidence.source, name)
    pair = d.model_seeds.index((0, 1))
    losses = [_test_loss(evidence.metrics, date, seed) for seed in (0, 1)]
    cca, kl, d_llv = (float(d[column][pair]) for column in ("mean_cca_embeddings", "kl", "llv"))
    return Claim(
        "Two CIFAR-10 ResNets of equal loss have different representations (dimension 2, seeds 0 and 1)",
        ", ".join(f"{key} {value}" for key, value in PAPERS_RESNETS.items()) + "; 20,000 steps",
        f"test losses {losses[0]:.3f} and {losses[1]:.3f}, m_CCA {cca:.3f}, KL {kl:.3f} nats, d_LLV {d_llv:.3f}; 5,000 "
        "steps",
        "2",
        HOLDS if cca < SIMILAR and abs(losses[0] - losses[1]) < 0.1 else DOES_NOT,
    )


def _test_loss(metrics: Path, date: str, seed: int) -> float:
    run = f"classes10_seed{seed}_features128_fd2_data50000_lr0_0001_steps5000"
    content = read_json(metrics / f"{date}trained_cifar10_ResNetCIFAR10_{run}_metrics.json")
    return float(content["test_loss"][-1])


def _losses_and_correlations(evidence: Evidence) -> Claim:
    shown, facts = [], []
    for dimension in (2, 3, 5):
        differences, correlations = image_pairs(evidence, "MedCIFAR10", dimension)
        near = correlations[differences <= np.quantile(differences, NEAR)]
        shown.append(f"dimension {dimension}: {near.min():.2f} to {near.max():.2f}")
        facts.append(bool(near.min() < SIMILAR))
    return Claim(
        "Pairs of nearly equal loss may be alike or not, in dimensions 2, 3 and 5",
        "10 ResNets each, 20,000 steps: shown in scatters",
        f"MedCIFAR10, 20,000 steps; m_CCA of the quarter of pairs nearest in test loss: {'; '.join(shown)}. ResNets of "
        "dimensions 3 and 5: not run",
        "30",
        IN_PART if any(facts) else DOES_NOT,  # of another network than the paper's
    )


def image_pairs(evidence: Evidence, network: str, dimension: int) -> tuple[Floats, Floats]:
    """Of every pair of seeds of an image model the difference of test losses, and m_CCA of the embeddings."""
    ending = f"fd{dimension}_{network}_20000.json"
    losses = {row.model_seed: row.test_loss for row in read_losses(evidence.source, f"loss_cifar_{ending}")}
    rows = read_mcca(evidence.source, f"mcca_cifar_{ending}")
    differences = np.array([abs(losses[a] - losses[b]) for a, b in (row.model_seeds for row in rows)])
    return differences, np.array([row.test_f_mcca for row in rows])


def images(evidence: Evidence) -> str:
    """The differences of loss and m_CCA of the image models, and how they go together."""
    head = ["network", "dimension", "models", "pairs", "largest difference of test loss", "m_CCA"]
    head += ["m_CCA of the nearest quarter", "rank correlation"]
    rows = []
    for network in ("SmallCIFAR10", "MedCIFAR10"):
        for dimension in (2, 3, 5):
            differences, correlations = image_pairs(evidence, network, dimension)
            near = correlations[differences <= np.quantile(differences, NEAR)]
            spans = (f"{values.min():.2f} to {values.max():.2f}" for values in (correlations, near))
            numbers = [f"{differences.max():.3f}", *spans, f"{spearman(differences, correlations):.2f}"]
            rows.append([network, dimension, 10, len(differences), *numbers])
    return markdown(head, rows)
