"""Print the numbers of docs/reproduction.md from result files: what every claim of the paper comes to in our runs.

    python examples/reproduction_tables.py [results.zip]

Needs accuracies and distances (test split, max, max, λ = 1e-5) as `closedist reproduce` writes them.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from closedist.paper.results.archive import open_results
from closedist.paper.results.tables import Distances, read_accuracies, read_distances

NAME = re.compile(
    r".+_model_distances_test_maxmax_w1e-05_SmallMLP(?P<lengths>(_g_\d+)?(_f_\d+)?)_(?P<width>\d+)_cls(?P<labels>\d+)\.json"
)
MINIMUM_ACCURACY = 0.9


@dataclass(frozen=True)
class Configuration:
    """The pairs of one label count, length setting and width, and the seeds that are accurate enough."""

    labels: int
    lengths: str
    width: int
    distances: Distances
    kept: frozenset[int]


def read_all(place: str) -> list[Configuration]:
    """All distances of a folder or an archive, with the seeds whose accuracy is above 0.9."""
    source = open_results(place)
    found = []
    for name in source.names:
        if match := NAME.fullmatch(name):
            labels, width = int(match["labels"]), int(match["width"])
            date = name.partition("_model_distances_")[0]
            rows = read_accuracies(source, f"{date}_model_acc_test_SmallMLP_{width}_cls{labels}.json")
            g, f = (float(x) for x in _lengths(match["lengths"]))
            kept = frozenset(
                row.model_seed for row in rows if (row.fix_g, row.fix_f) == (g, f) and row.accuracy > MINIMUM_ACCURACY
            )
            distances = read_distances(source, name)
            found.append(Configuration(labels, match["lengths"] or "free", width, distances, kept))
    return sorted(found, key=lambda c: (c.labels, c.lengths != "free", c.lengths, c.width))


def _lengths(text: str) -> tuple[str, str]:
    g, f = re.search(r"_g_(\d+)", text), re.search(r"_f_(\d+)", text)
    return (g[1] if g else "0"), (f[1] if f else "0")


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of every value, from 0."""
    return np.argsort(np.argsort(values)).astype(np.float64)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def main(place: str) -> None:
    """Print all tables."""
    configurations = read_all(place)
    print("labels | lengths | width | kept of 20 | d_LLV mean ± std | d_fg mean ± std | KL median | m_CCA mean")
    for c in configurations:
        keep = np.array([a in c.kept and b in c.kept for a, b in c.distances.model_seeds])
        if len(c.kept) < 2:
            print(f"{c.labels} | {c.lengths} | {c.width} | {len(c.kept)} | | | |")
            continue
        d = c.distances.select(keep)
        cca = f"{d['mean_cca_embeddings'].mean():.3f}" if "mean_cca_embeddings" in d else ""
        llv, dissimilarity = d["llv"], d["dissimilarity"]
        print(
            f"{c.labels} | {c.lengths} | {c.width} | {len(c.kept)} | {llv.mean():.3f} ± {llv.std(ddof=1):.3f} | "
            f"{dissimilarity.mean():.4f} ± {dissimilarity.std(ddof=1):.4f} | {np.median(d['kl']):.3f} | {cca}"
        )
    print("\nbounds over every pair, all models")
    print("labels | lengths | pairs | crossed: paper's, certificate, quadratic | below 1: the same | median bound/d_fg")
    groups: dict[tuple[int, str], list[Distances]] = defaultdict(list)
    for c in configurations:
        groups[c.labels, c.lengths].append(c.distances)
        groups[0, "all"].append(c.distances)
    for (labels, lengths), tables in sorted(groups.items()):
        truth = np.concatenate([d["dissimilarity"] for d in tables])
        columns = [
            np.concatenate([2 * d.subset_size * d["llv"] for d in tables]),
            np.concatenate([d["certificate"] for d in tables if "certificate" in d]),
            np.concatenate([d["quadratic_bound"] for d in tables if "quadratic_bound" in d]),
        ]
        crossed = ", ".join(str(int((bound < truth).sum())) for bound in columns)
        informative = ", ".join(str(int((bound < 1).sum())) for bound in columns)
        ratio = ", ".join(f"{np.median(bound / truth):.3g}" for bound in columns)
        print(f"{labels or 'all'} | {lengths} | {len(truth)} | {crossed} | {informative} | {ratio}")
    print("\nhow the measures rank the pairs of a configuration (Spearman, mean over configurations)")
    names = ("KL & d_LLV", "KL & 1 − m_CCA", "d_LLV & 1 − m_CCA", "d_LLV & d_fg")
    rows = []
    for c in configurations:
        d = c.distances
        if "mean_cca_embeddings" in d and "kl_reverse" in d:
            kl, cca, llv = d["kl"] + d["kl_reverse"], 1 - d["mean_cca_embeddings"], d["llv"]
            rows.append([spearman(kl, llv), spearman(kl, cca), spearman(llv, cca), spearman(llv, d["dissimilarity"])])
    for name, column in zip(names, np.array(rows).T, strict=True):
        print(f"{name}: {column.mean():.2f} (from {column.min():.2f} to {column.max():.2f})")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "results.zip")
