"""Measures of two views by their definitions in numpy and scipy, as slow as these are: the truth of the tests."""

import numpy as np
from scipy.linalg import orthogonal_procrustes, sqrtm
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import pearsonr, spearmanr


def centred(x):
    x = np.asarray(x, np.float64)
    return x - x.mean(0)


def unit(x):
    return centred(x) / np.linalg.norm(centred(x))


def covariance(x):
    x = centred(x)
    return x.T @ x / np.trace(x.T @ x)


def linear_cka(x, y):
    k, other = (unit(one) @ unit(one).T for one in (x, y))
    return (k * other).sum() / np.linalg.norm(k) / np.linalg.norm(other)


def debiased_cka(x, y):
    def hsic(k, other):
        n = len(k)
        k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
        return (
            np.trace(k @ other)
            + k.sum() * other.sum() / ((n - 1) * (n - 2))
            - 2 * (np.ones(n) @ k @ other @ np.ones(n)) / (n - 2)
        )

    k, other = (unit(one) @ unit(one).T for one in (x, y))
    return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


def procrustes_distance(x, y):
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(unit(one), ((0, 0), (0, width - one.shape[1]))) for one in (x, y))
    return np.linalg.norm(x - y @ orthogonal_procrustes(y, x)[0])


def angular_shape_distance(x, y):
    return np.arccos(np.linalg.svd(unit(x).T @ unit(y), compute_uv=False).sum())


def bures_distance(x, y):
    half = sqrtm(covariance(x)).real
    return np.sqrt(2 - 2 * np.trace(sqrtm(half @ covariance(y) @ half)).real)


def riemannian_distance(x, y):
    return np.sqrt((np.log(np.linalg.eigvals(np.linalg.solve(covariance(x), covariance(y))).real) ** 2).sum())


def linear_r2(x, y):
    x, y = centred(x), centred(y)
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - ((y - fitted) ** 2).sum() / (y**2).sum()


def gulp_distance(x, y, regularisation=1e-2):
    """The copy in ReSi of the authors' predictor_dist, with its root."""
    n = len(x)
    a, b = np.sqrt(n) * unit(x).T, np.sqrt(n) * unit(y).T
    inverse, other = (np.linalg.inv(one @ one.T / n + regularisation * np.eye(len(one))) for one in (a, b))
    own = np.trace(np.linalg.matrix_power(inverse @ a @ a.T / n, 2))
    others = np.trace(np.linalg.matrix_power(other @ b @ b.T / n, 2))
    return np.sqrt(own + others - 2 * np.trace(inverse @ (a @ b.T / n) @ other @ (a @ b.T / n).T))


def basis(x, tolerance=1e-10):
    left, sizes, _ = np.linalg.svd(centred(x), full_matrices=False)
    return left[:, sizes > tolerance * sizes[0]]


def canonical_correlations(x, y):
    q, r = basis(x), basis(y)
    return np.linalg.svd(q.T @ r, compute_uv=False)


def mean_cca(x, y):
    return canonical_correlations(x, y).mean()


def svcca(x, y, threshold=0.99):
    def kept(one):
        left, sizes, _ = np.linalg.svd(centred(one), full_matrices=False)
        return left[:, : 1 + np.argmax(np.cumsum(sizes**2) / (sizes**2).sum() >= threshold)]

    return np.linalg.svd(kept(x).T @ kept(y), compute_uv=False).mean()


def pwcca(x, y):
    """anatome's: weights by the first view."""
    q, r = basis(x), basis(y)
    left, correlations, _ = np.linalg.svd(q.T @ r, full_matrices=False)
    weights = np.abs((q @ left).T @ centred(x)).sum(1)
    return weights @ correlations / weights.sum()


def regularised_cca_distance(x, y, alpha=0.5):
    """netrep's LinearMetric(alpha).fit_score."""

    def whiten(one):
        sizes, axes = np.linalg.eigh(one.T @ one)
        return one @ (axes * (alpha + (1 - alpha) * np.maximum(sizes, 1e-7) ** -0.5)) @ axes.T

    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(whiten(centred(one)), ((0, 0), (0, width - one.shape[1]))) for one in (x, y))
    cosine = np.linalg.svd(x.T @ y, compute_uv=False).sum() / np.linalg.norm(x) / np.linalg.norm(y)
    return np.arccos(cosine)


def eigenspace_overlap(x, y):
    q, r = basis(x), basis(y)
    return np.linalg.norm(q.T @ r) ** 2 / max(q.shape[1], r.shape[1])


def mean_svd(x, y):
    x, y = (centred(one) / np.linalg.norm(centred(one), axis=0) for one in (x, y))
    return np.linalg.svd(x.T @ y, compute_uv=False).mean()


def rbf_cka(x, y, bandwidth=1.0):
    def kernel(one):
        distances = squareform(pdist(one))
        k = np.exp(-(distances**2) / (2 * (bandwidth * np.median(pdist(one))) ** 2))
        centring = np.eye(len(one)) - 1 / len(one)
        return centring @ k @ centring

    k, other = kernel(x), kernel(y)
    return (k * other).sum() / np.linalg.norm(k) / np.linalg.norm(other)


def distance_correlation(x, y):
    def table(one):
        d = squareform(pdist(one))
        return d - d.mean(0) - d.mean(1)[:, None] + d.mean()

    a, b = table(x), table(y)
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


def rsa(x, y, kind="spearman"):
    a, b = pdist(x, "sqeuclidean"), pdist(y, "sqeuclidean")
    if kind == "cosine":
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return (spearmanr if kind == "spearman" else pearsonr)(a, b)[0]


def neighbour_lists(x, k=10, metric="euclidean"):
    x = centred(x)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    distances = cdist(x, x)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


def mutual_knn(x, y, k=10, metric="euclidean"):
    lists = zip(neighbour_lists(x, k, metric), neighbour_lists(y, k, metric), strict=True)
    return np.mean([len({*a} & {*b}) / k for a, b in lists])


def jaccard(x, y, k=10, metric="euclidean"):
    lists = zip(neighbour_lists(x, k, metric), neighbour_lists(y, k, metric), strict=True)
    return np.mean([len({*a} & {*b}) / len({*a} | {*b}) for a, b in lists])


def rank_similarity(x, y, k=10, metric="euclidean"):
    scores = []
    for a, b in zip(neighbour_lists(x, k, metric).tolist(), neighbour_lists(y, k, metric).tolist(), strict=True):
        both = {*a} & {*b}
        ranks = [(a.index(j) + 1, b.index(j) + 1) for j in both]
        score = sum(2 / ((1 + abs(r - s)) * (r + s)) for r, s in ranks)
        scores.append(score / sum(1 / i for i in range(1, len(both) + 1)) if both else 0.0)
    return np.mean(scores)


def second_order_cosine(x, y, k=10):
    a, b = (centred(one) / np.linalg.norm(centred(one), axis=1, keepdims=True) for one in (x, y))
    scores = []
    for i, (of_x, of_y) in enumerate(
        zip(neighbour_lists(x, k, "cosine"), neighbour_lists(y, k, "cosine"), strict=True)
    ):
        either = sorted({*of_x} | {*of_y})
        u, v = a[either] @ a[i], b[either] @ b[i]
        scores.append(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    return np.mean(scores)


def cknna(x, y, k=10, metric="euclidean"):
    def table(one):
        one = centred(one)
        if metric == "cosine":
            one = one / np.linalg.norm(one, axis=1, keepdims=True)
        return one @ one.T - (one @ one.T).mean(1, keepdims=True)

    def mask(one):
        result = np.zeros((len(one), len(one)))
        np.put_along_axis(result, neighbour_lists(one, k, metric), 1.0, 1)
        return result

    a, b, near, others = table(x), table(y), mask(x), mask(y)
    return (a * b * near * others).sum() / np.sqrt((a * a * near).sum() * (b * b * others).sum())


MEASURES = {
    one.__name__: one
    for one in (
        linear_cka, debiased_cka, procrustes_distance, angular_shape_distance, bures_distance, riemannian_distance,
        linear_r2, gulp_distance, mean_cca, svcca, pwcca, regularised_cca_distance, eigenspace_overlap, mean_svd,
        rbf_cka, distance_correlation, rsa, mutual_knn, jaccard, rank_similarity, second_order_cosine, cknna,
    )
}  # fmt: skip
MEASURES["rv_coefficient"] = linear_cka
