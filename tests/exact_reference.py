"""The terms of d_LLV, the certificate and KL in fifty digits (mpmath), for a given choice of labels and inputs."""

from itertools import combinations

from mpmath import exp, log, matrix, mp, mpf, norm, sqrt, svd_r

from tests.slow_reference import Array, Model

mp.dps = 50

Row = list[mpf]


def log_likelihoods(model: Model) -> list[Row]:
    """N rows of C."""
    g = [[mpf(float(v)) for v in row] for row in model.g]
    b = [mpf(float(v)) for v in model.b]
    rows = []
    for f in model.f:
        x = [mpf(float(v)) for v in f]
        logits = [sum(s * t for s, t in zip(x, row, strict=True)) + shift for row, shift in zip(g, b, strict=True)]
        largest = max(logits)
        normaliser = largest + log(sum(exp(v - largest) for v in logits))
        rows.append([v - normaliser for v in logits])
    return rows


def kl(p: list[Row], q: list[Row]) -> mpf:
    """d_KL(p, q)."""
    return sum(sum(exp(a) * (a - b) for a, b in zip(r, s, strict=True)) for r, s in zip(p, q, strict=True)) / len(p)


def std(values: Row) -> mpf:
    """Unbiased standard deviation."""
    mean = sum(values) / len(values)
    return sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def terms(p: list[Row], q: list[Row], j: int, k: int) -> tuple[mpf, mpf, mpf]:
    """Rest term, pivot term and 1 − ρ of row j against row k."""
    odds, other_odds = ([a - b for a, b in zip(m[j], m[k], strict=True)] for m in (p, q))
    s, t = std(odds), std(other_odds)
    rest = std([a / s - b / t for a, b in zip(p[j], q[j], strict=True)])
    pivot = std([a / s - b / t for a, b in zip(p[k], q[k], strict=True)])
    difference = std([a / s - b / t for a, b in zip(odds, other_odds, strict=True)])
    return rest, pivot, difference**2 / 2


def label_term(p: list[Row], q: list[Row], pivot: int, left_out: int) -> tuple[mpf, list[mpf]]:
    """t1 and the 1 − ρ_j over J; p and q are lists of labels, each a row over inputs."""
    rest = [j for j in range(len(p)) if j not in (pivot, left_out)]
    found = [terms(p, q, j, pivot) for j in rest]
    return max(max(a, b) for a, b, _ in found), [d for _, _, d in found]


def smallest_label_term(p: list[Row], q: list[Row]) -> mpf:
    """The smallest t1 over all choices."""
    labels = range(len(p))
    table = {}
    for k, j in combinations(labels, 2):
        table[j, k] = table[k, j] = max(terms(p, q, j, k)[:2])
    return min(max(table[j, k] for j in labels if j not in (k, left)) for k in labels for left in labels if left != k)


def measures(model: Model, other: Model, pivot: int, left_out: int, input_set: tuple[int, ...]) -> dict[str, mpf]:
    """t1 (at the choice, and the smallest), t2, certificate and KL."""
    p, q = log_likelihoods(model), log_likelihoods(other)
    by_label = [list(column) for column in zip(*p, strict=True)], [list(column) for column in zip(*q, strict=True)]
    t1, decorrelations = label_term(*by_label, pivot, left_out)
    of_inputs = [terms(p, q, i, input_set[0]) for i in input_set[1:]]
    size = len(of_inputs)
    worst = sorted(decorrelations, reverse=True)[:size]
    return {
        "label_term": t1,
        "smallest_label_term": smallest_label_term(*by_label),
        "input_term": max(max(a, b) for a, b, _ in of_inputs),
        "certificate": max(sum(worst) / size, sum(d for _, _, d in of_inputs) / size),
        "kl": kl(p, q),
        "kl_reverse": kl(q, p),
    }


def d_svd(rows: Array, other_rows: Array) -> mpf:
    """One minus the mean singular value of the products of two sets of K rows, scaled to unit length."""
    u, v = (matrix(view.tolist()) for view in (rows, other_rows))
    for view in (u, v):
        for i in range(view.rows):
            view[i, :] /= norm(view[i, :])
    return 1 - sum(svd_r(u * v.T, compute_uv=False)) / u.rows
