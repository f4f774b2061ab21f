"""Every measure straight from its definition: tables of log-likelihoods, deviations, other people's PLS and CCA.

Nothing of closedist is used. ``dtype=np.longdouble`` gives 19 digits for what is made of standard deviations.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cross_decomposition import CCA, PLSSVD
from statsmodels.multivariate.cancorr import CanCorr

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """f (N, M), g (C, M), b (C,)."""

    f: Array
    g: Array
    b: Array


def log_likelihoods(model: Model, dtype: Any = np.float64) -> Array:
    """(N, C) log p(y|x)."""
    logits = model.f.astype(dtype) @ model.g.astype(dtype).T + model.b.astype(dtype)
    logits = logits - logits.mean(1, keepdims=True)
    largest = logits.max(1, keepdims=True)
    return logits - largest - np.log(np.exp(logits - largest).sum(1, keepdims=True))


def std(values: Array, axis: int = 0) -> Array:
    """Unbiased standard deviation."""
    return values.std(axis=axis, ddof=1)


def terms(p: Array, q: Array, j: int, k: int) -> tuple[Any, Any, Any, Any]:
    """Rest, pivot and scale term of column j against column k, and 1 minus the correlation of the log-odds."""
    s, t = std(p[:, j] - p[:, k]), std(q[:, j] - q[:, k])
    rest = std(p[:, j] / s - q[:, j] / t)
    pivot = std(p[:, k] / s - q[:, k] / t)
    u, v = p[:, j] - p[:, k], q[:, j] - q[:, k]
    u, v = (u - u.mean()) / s, (v - v.mean()) / t
    decorrelation = ((u - v) ** 2).sum() / (2 * (len(u) - 1))
    return rest, pivot, abs(s - t), decorrelation


def label_tables(p: Array, q: Array) -> dict[tuple[int, int], tuple[Any, Any, Any, Any]]:
    """(j, k) to the terms of label j against pivot k; each unordered pair of labels computed once."""
    table = {}
    for k, j in combinations(range(p.shape[1]), 2):
        rest, pivot, scale, decorrelation = terms(p, q, j, k)
        table[j, k] = (rest, pivot, scale, decorrelation)
        table[k, j] = (pivot, rest, scale, decorrelation)
    return table


def t1_of(table: dict[tuple[int, int], Any], labels: list[int], pivot: int, left_out: int, reduction: str) -> Any:
    """t1 at a choice of labels."""
    rest = [j for j in labels if j not in (pivot, left_out)]
    if reduction == "max":
        return max(max(table[j, pivot][:2]) for j in rest)
    return sum(sum(table[j, pivot][:2]) for j in rest) / (2 * len(rest))


def choose(table: dict[tuple[int, int], Any], num_labels: int, reduction: str) -> tuple[int, int]:
    """The choice with the smallest t1; ties to the smallest pivot, then the smallest left-out label."""
    labels = list(range(num_labels))
    choices = [(k, left) for k in labels for left in labels if left != k]
    return min(choices, key=lambda c: (t1_of(table, labels, c[0], c[1], reduction), c))


def input_terms(p: Array, q: Array, input_set: list[int]) -> list[tuple[Any, Any, Any, Any]]:
    """The terms of x_1 … x_K against x_0."""
    return [terms(p.T, q.T, i, input_set[0]) for i in input_set[1:]]


def t2_of(p: Array, q: Array, input_set: list[int]) -> Any:
    """t2 of an input set."""
    return max(max(term[:2]) for term in input_terms(p, q, input_set))


def search(p: Array, q: Array, sets: list[list[int]]) -> list[int]:
    """The set with the smallest t2, the first where none is below 1."""
    values = [t2_of(p, q, input_set) for input_set in sets]
    return sets[int(np.argmin(values))] if min(values) < 1 else sets[0]


def mean_svd(z: Array, w: Array) -> float:
    """m_SVD by scikit-learn: the covariances of the scores of a PLS-SVD fit."""
    count = min(z.shape[1], w.shape[1])
    x_scores, y_scores = PLSSVD(n_components=count, scale=True).fit_transform(z, w)
    return float(np.mean([np.cov(x_scores[:, i], y_scores[:, i])[0, 1] for i in range(count)]))


def mean_cca(z: Array, w: Array) -> float:
    """m_CCA of two views of full rank by statsmodels, or the multiple correlation where one of them is one column."""
    z, w = z - z.mean(0), w - w.mean(0)
    if z.shape[1] == 1 or w.shape[1] == 1:
        one, several = (z, w) if z.shape[1] == 1 else (w, z)
        return float(np.linalg.norm(several @ np.linalg.lstsq(several, one)[0]) / np.linalg.norm(one))
    return float(np.mean(np.clip(CanCorr(z, w).cancorr, 0, 1)))


def mean_cca_iterated(z: Array, w: Array) -> float:
    """m_CCA by scikit-learn's iteration, as the paper's code has it."""
    count = min(z.shape[1], w.shape[1])
    scores = CCA(n_components=count, max_iter=20_000, tol=1e-12).fit_transform(z, w)
    return float(np.mean([np.corrcoef(scores[0][:, i], scores[1][:, i])[0, 1] for i in range(count)]))


def linear_cka(z: Array, w: Array) -> float:
    """Linear CKA by the definition of HSIC with linear kernels."""
    centre = np.eye(len(z)) - 1 / len(z)
    kernels = [centre @ (view @ view.T) @ centre for view in (z, w)]
    return float((kernels[0] * kernels[1]).sum() / np.linalg.norm(kernels[0]) / np.linalg.norm(kernels[1]))


def compare(
    model: Model,
    other: Model,
    sets: list[list[int]],
    size: int,
    reduction: str = "max",
    combine: str = "max",
    weight: float = 1e-5,
) -> dict[str, Any]:
    """What closedist.compare reports, under the same names."""
    p, q = log_likelihoods(model), log_likelihoods(other)
    num_labels = p.shape[1]
    table = label_tables(p, q)
    pivot, left_out = choose(table, num_labels, reduction)
    rest = [j for j in range(num_labels) if j not in (pivot, left_out)]
    reduce = max if reduction == "max" else np.mean
    t1 = t1_of(table, list(range(num_labels)), pivot, left_out, reduction)
    t3 = reduce([table[j, pivot][2] for j in rest])
    input_set = search(p, q, sets)
    of_inputs = input_terms(p, q, input_set)
    t2, t4 = max(max(term[:2]) for term in of_inputs), reduce([term[2] for term in of_inputs])
    parts = [t1, t2, weight * t3, weight * t4]
    llv = max(parts) if combine == "max" else sum(parts)

    m_svd_embeddings = []
    for subset in combinations(rest, size):
        z, w = (m.f @ (m.g[list(subset)] - m.g[pivot]).T for m in (model, other))
        m_svd_embeddings.append(mean_svd(z, w))
    z, w = (m.g @ (m.f[input_set[1:]] - m.f[input_set[0]]).T for m in (model, other))
    m_svd_unembeddings = mean_svd(z, w)
    worst = sorted((table[j, pivot][3] for j in rest), reverse=True)[:size]
    is_max = reduction == "max"
    return {
        "llv": llv,
        "label_term": t1,
        "input_term": t2,
        "label_scale_term": t3,
        "input_scale_term": t4,
        "pivot_label": pivot,
        "left_out_label": left_out,
        "input_set": tuple(input_set),
        "kl": float((np.exp(p) * (p - q)).sum(1).mean()),
        "kl_reverse": float((np.exp(q) * (q - p)).sum(1).mean()),
        "mean_cca_embeddings": mean_cca(model.f, other.f),
        "mean_cca_unembeddings": mean_cca(model.g, other.g)
        if max(model.g.shape[1], other.g.shape[1]) < num_labels
        else None,
        "cka_embeddings": linear_cka(model.f, other.f),
        "m_svd_embeddings": tuple(m_svd_embeddings),
        "m_svd_unembeddings": m_svd_unembeddings,
        "dissimilarity": 1 - min(min(m_svd_embeddings), m_svd_unembeddings),
        "certificate": max(np.mean(worst), np.mean([term[3] for term in of_inputs])),
        "quadratic_bound": 2 * max(t1, t2) ** 2 if is_max else None,
        "bound": 2 * size * llv if is_max else None,
        "bound_informative": bool(is_max and llv < 1 / (2 * size)),
    }
