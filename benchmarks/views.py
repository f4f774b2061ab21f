"""Speed of the measures of two views: all pairs at once, beside the fastest peers' formulas, written out in PyTorch.

    python benchmarks/views.py [--only linear_cka,rsa] [--repeats 3]

All pairs of 20 models, N = 2,000, M = 2, and N = 10,000, M = 64; of 4 models, N = 10,000, M = 512; and what needs pairs
of inputs of 4 models, N = 2,000, M = 64. A peer centres, whitens or factors every view once, keeps that, and goes
through the pairs: what netrep, ReSi, shesha and anatome do at their best. Seconds of this process on one thread, so
that what else runs on the machine matters little; the median of some calls, ours and the peer's in turn.
"""

import argparse
import statistics
import time
from functools import partial
from itertools import combinations

import torch
from on_threads import on_threads

import closedist

SIZES = [(20, 2_000, 2), (20, 10_000, 64), (4, 10_000, 512)]
OF_INPUTS = [(4, 2_000, 64)]


def centred(x):
    return x - x.mean(0)


def unit(x):
    x = centred(x)
    return x / x.norm()


def nuclear(a, b):
    return torch.linalg.svdvals(a.T @ b).sum()


def cka_parts(x):
    x = centred(x)
    return x, (x.T @ x).norm()


def cka(a, b):
    return (a[0].T @ b[0]).square().sum() / (a[1] * b[1])


def debiased_parts(x):
    x = unit(x)
    own = x.square().sum(1)
    return x, own, hsic(x, own, x, own)


def hsic(x, own, y, other):
    n = len(x)
    inner = own @ other
    return (x.T @ y).square().sum() - inner + own.sum() * other.sum() / ((n - 1) * (n - 2)) - 2 * inner / (n - 2)


def basis(x):
    return torch.linalg.qr(centred(x)).Q


def svd(x):
    return torch.linalg.svd(centred(x), full_matrices=False)


def svcca_parts(x):
    left, sizes, _ = svd(x)
    share = sizes.square().cumsum(0) / sizes.square().sum()
    return left[:, : int((share < 0.99).sum()) + 1]


def pwcca(a, b):
    left, correlations, _ = torch.linalg.svd(a[1].T @ b[1], full_matrices=False)
    weights = ((a[1] @ left).T @ a[0]).abs().sum(1)
    return (weights @ correlations) / weights.sum()


def whitened(x):
    x = centred(x)
    sizes, axes = torch.linalg.eigh(x.T @ x)
    made = x @ (axes * (0.5 + 0.5 * sizes.clamp(min=1e-7) ** -0.5)) @ axes.T
    return made / made.norm()


def gulp_parts(x):
    x = unit(x)
    sizes, axes = torch.linalg.eigh(x.T @ x)
    inverse = axes @ torch.diag(1 / (sizes + 1e-2)) @ axes.T
    return x, inverse, (sizes / (sizes + 1e-2)).square().sum()


def gulp(a, b):
    cross = a[0].T @ b[0]
    return (a[2] + b[2] - 2 * ((a[1] @ cross) * (cross @ b[1])).sum()).clamp(min=0).sqrt()


def root(x):
    return torch.linalg.qr(unit(x)).R


def standard(x):
    x = centred(x)
    return x / x.norm(dim=0)


def double_centred(k):
    return k - k.mean(0) - k.mean(1, keepdim=True) + k.mean()


def rbf_parts(x):
    distances = torch.cdist(x, x)
    i, j = torch.triu_indices(len(x), len(x), 1)
    k = double_centred(torch.exp(-distances.square() / (2 * distances[i, j].median() ** 2)))
    return k / k.norm()


def distance_parts(x):
    k = double_centred(torch.cdist(x, x))
    return k / k.norm()


def rsa_parts(x):
    i, j = torch.triu_indices(len(x), len(x), 1)
    ranks = torch.cdist(x, x)[i, j].argsort().argsort().double()
    ranks -= ranks.mean()
    return ranks / ranks.norm()


def near(x):
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    return distances.topk(10, largest=False).indices


def masks(a):
    return torch.zeros(len(a), len(a)).scatter_(1, a, 1.0)


def jaccard(a, b):
    shared = (a * b).sum(1)
    return (shared / (20 - shared)).mean()


PEERS = {  # what is done once a view, and what with every pair
    "linear_cka": (cka_parts, cka),
    "debiased_cka": (debiased_parts, lambda a, b: hsic(a[0], a[1], b[0], b[1]) / (a[2] * b[2]).sqrt()),
    "procrustes_distance": (unit, lambda a, b: (2 - 2 * nuclear(a, b)).sqrt()),
    "angular_shape_distance": (unit, lambda a, b: nuclear(a, b).acos()),
    "bures_distance": (root, lambda a, b: (2 - 2 * nuclear(a.T, b.T)).sqrt()),
    "riemannian_distance": (root, lambda a, b: 2 * torch.linalg.svdvals(torch.linalg.solve(a.T, b.T)).log().norm()),
    "linear_r2": (lambda x: (basis(x), unit(x)), lambda a, b: (a[0].T @ b[1]).square().sum()),
    "gulp_distance": (gulp_parts, gulp),
    "mean_cca": (basis, lambda a, b: torch.linalg.svdvals(a.T @ b).mean()),
    "svcca": (svcca_parts, lambda a, b: torch.linalg.svdvals(a.T @ b).mean()),
    "pwcca": (lambda x: (centred(x), basis(x)), pwcca),
    "regularised_cca_distance": (whitened, lambda a, b: nuclear(a, b).acos()),
    "eigenspace_overlap": (basis, lambda a, b: (a.T @ b).square().sum() / a.shape[1]),
    "mean_svd": (standard, lambda a, b: torch.linalg.svdvals(a.T @ b).mean()),
}
PEERS_OF_INPUTS = {
    "rbf_cka": (rbf_parts, lambda a, b: (a * b).sum()),
    "distance_correlation": (distance_parts, lambda a, b: (a * b).sum().sqrt()),
    "rsa": (rsa_parts, lambda a, b: a @ b),
    "mutual_knn": (lambda x: masks(near(x)), lambda a, b: (a * b).sum(1).mean() / 10),
    "jaccard": (lambda x: masks(near(x)), jaccard),
}
DIRECTED = ("linear_r2", "pwcca")


def peer(name, views):
    once, of_pair = (PEERS | PEERS_OF_INPUTS)[name]
    parts = [once(view) for view in views]
    pairs = list(combinations(range(len(views)), 2))
    pairs += [(j, i) for i, j in pairs] if name in DIRECTED else []
    return {(i, j): float(of_pair(parts[i], parts[j])) for i, j in pairs}


def seconds(calls, repeats):
    """The median time of each call, all in turn."""
    times = [[] for _ in calls]
    for _ in range(repeats):
        for own, call in zip(times, calls, strict=True):
            start = time.process_time()
            call()
            own.append(time.process_time() - start)
    return [statistics.median(one) for one in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join([*PEERS, *PEERS_OF_INPUTS]))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    on_threads(1)
    print(f"{'measure':<26}{'n, N, M':>16}{'ours, s':>10}{'peer, s':>10}{'':>8}")
    for peers, sizes in ((PEERS, SIZES), (PEERS_OF_INPUTS, OF_INPUTS)):
        for n, count, width in sizes:
            generator = torch.Generator().manual_seed(0)
            views = list(torch.randn(n, count, width, generator=generator, dtype=torch.float64))
            views = [view + 0.5 * views[0] for view in views]
            for name in [one for one in peers if one in options.only.split(",")]:
                matrix = getattr(closedist, f"{name}_matrix")
                ours, theirs = matrix(views), peer(name, views)
                worst = max(abs(float(ours[i, j]) - value) for (i, j), value in theirs.items())
                assert worst < 1e-6, (name, worst)
                own, other = seconds([partial(matrix, views), partial(peer, name, views)], options.repeats)
                print(
                    f"{name:<26}{f'{n}, {count:,}, {width}':>16}{own:>10.4f}{other:>10.4f}{other / own:>7.1f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
