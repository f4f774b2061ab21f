"""Many models: CPU seconds and memory of all pairs beside limits, and single measures beside the fastest peers.

    python benchmarks/many.py [--only pairs,peers,busy] [--repeats 3]

pairs   compare_all for the numbers of models, inputs, labels and dimensions of a table, each in a process of its own,
        on one thread: CPU seconds, and peak memory above the data. The arithmetic of a large pair is written out:
        logits, exponentials, QR of both models' columns, coordinates of labels and inputs, singular values.
peers   linear CKA, m_CCA, m_SVD and KL of a pair and of all pairs, beside what the fastest other packages do, written
        out in NumPy or PyTorch (a pair at a time, as they offer it; CCA with one batched QR for all).
busy    Many pairs with two threads, also while another program keeps one core: seconds on the clock.

Times are the least of several runs; leave the machine alone meanwhile.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from on_threads import on_threads

from closedist import (
    Representations,
    compare_all,
    kl_divergence,
    kl_matrix,
    linear_cka,
    linear_cka_matrix,
    mean_cca,
    mean_cca_matrix,
    mean_svd,
    mean_svd_matrix,
)

Array = NDArray[np.float64]
CASES = {  # n, N, C, M: what is compared, and the limits in CPU seconds and MB
    "50": ((50, 2000, 10, 2), "all", None, None),
    "200": ((200, 2000, 10, 2), "all", 4.0, None),
    "400": ((400, 2000, 10, 2), "all", None, None),
    "500": ((500, 2000, 10, 2), "all", 30.0, 300.0),
    "500 one": ((500, 2000, 10, 2), "one", 2.0, None),
    "60": ((60, 2000, 10, 64), "all", 7.0, None),
    "100": ((100, 2000, 10, 64), "all", 20.0, None),
    "20": ((20, 5000, 4, 200), "all", None, 300.0),
    "2": ((2, 10_000, 1000, 512), "floor", None, None),
    "8": ((8, 10_000, 1000, 512), "all", None, None),
}


def random_models(count: int, num_inputs: int, num_labels: int, dimension: int) -> list[Representations]:
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    return [
        Representations(draw(num_inputs, dimension), draw(num_labels, dimension) * 3 / dimension**0.5, draw(num_labels))
        for _ in range(count)
    ]


def peak() -> float:
    """MB of memory at most so far."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def least(call: Callable[[], object], repeats: int) -> float:
    """CPU seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def beside(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """CPU seconds of both, by turns, so that what else the machine does falls on both."""
    runs = [(least(ours, repeats), least(theirs, repeats)) for _ in range(3)]
    first, second = map(min, zip(*runs, strict=True))
    return first, second


def arithmetic(models: Sequence[Representations]) -> None:
    """What a pair of large models cannot do without, by the libraries' fastest calls; all inputs are in input sets."""
    sides = []
    for model in models:
        f, g = model.embeddings.double(), model.unembeddings.double()
        (f @ g.T).exp_()
        (q, r), (p, s) = (torch.linalg.qr(part - part.mean(0)) for part in (f, g))
        over_inputs, over_labels = g @ r.T, f @ s.T  # coordinates of labels, whose table this is, and of inputs
        over_inputs @ over_inputs.T
        sides.append((q, r, p, s, over_labels))
    (q, r, p, s, items), (q2, r2, p2, s2, _) = sides
    of_inputs, of_labels = q.T @ q2, p.T @ p2
    items @ of_labels  # for the distances of inputs in both models
    for cross in (of_inputs, of_labels, r.T @ of_inputs @ r2, s.T @ of_labels @ s2):  # m_CCA and m_SVD of both sides
        torch.linalg.svdvals(cross)


def case(name: str, repeats: int) -> None:
    sizes, what, _, _ = CASES[name]
    compare_all(random_models(3, 100, 6, 2))  # the libraries' own start
    models = random_models(*sizes)
    pairs = [(0, j) for j in range(1, len(models))] if what == "one" else None
    subsets = 1 if sizes[3] == 512 else None
    before = peak()
    seconds = least(lambda: compare_all(models, pairs=pairs, num_subsets=subsets, as_rows=True), repeats)
    floor = least(lambda: arithmetic(models), repeats) if what == "floor" else 0.0
    print(seconds, peak() - before, floor)


def pairs(repeats: int) -> None:
    print("pairs: CPU seconds of one thread")
    print(f"  {'n, N, C, M':<24}{'pairs':>9}{'seconds':>10}{'limit':>7}{'µs a pair':>11}{'MB':>6}{'limit':>7}")
    found = {}
    for name, ((n, *sizes), what, limit, most) in CASES.items():
        few = 1 if n in (400, 500, 8, 100) else repeats
        command = [sys.executable, __file__, "--case", name, "--repeats", str(few)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        seconds, memory, floor = map(float, said)
        count = n - 1 if what == "one" else n * (n - 1) // 2
        found[name] = seconds / count
        label = ", ".join(map(str, (n, *sizes))) + (" (one)" if what == "one" else "")
        limits = f"{limit or '':>7}{seconds / count * 1e6:>11.0f}{memory:>6.0f}{most or '':>7}"
        print(f"  {label:<24}{count:>9,}{seconds:>10.2f}{limits}", flush=True)
        if floor:
            print(f"  {'its arithmetic':<24}{'':>9}{floor:>10.2f}   {seconds / floor:.2f} times it (limit 1.6)")
    print(f"  a pair of 400 models beside one of 50: {found['400'] / found['50']:.2f} times (limit 1.2)")
    print(f"  28 pairs of 8 large models: {28 * found['8'] / found['2']:.1f} times one pair of two (limit 20)")


def peer_cka(z: Array, w: Array) -> float:
    z, w = z - z.mean(0), w - w.mean(0)
    between = np.linalg.norm(z.T @ w) ** 2
    return float(between / (np.linalg.norm(z.T @ z) * np.linalg.norm(w.T @ w)))


def peer_svd(z: Array, w: Array) -> float:
    z, w = z - z.mean(0), w - w.mean(0)
    z, w = z / np.linalg.norm(z, axis=0), w / np.linalg.norm(w, axis=0)
    return float(np.linalg.svd(z.T @ w, compute_uv=False).mean())


def peer_cca_of_all(views: Sequence[Array]) -> Array:
    stacked = torch.stack([torch.from_numpy(view) for view in views])
    count, _, width = stacked.shape
    bases = torch.linalg.qr(stacked - stacked.mean(1, keepdim=True)).Q.movedim(0, 1).flatten(1)
    products = (bases.T @ bases).reshape(count, width, count, width).movedim(2, 1)
    i, j = torch.triu_indices(count, count, 1)
    found: Array = torch.linalg.svdvals(products[i, j]).mean(-1).numpy()
    return found


def peer_kl_of_all(models: Sequence[Representations]) -> list[list[float]]:
    logs = [
        torch.log_softmax(m.embeddings.double() @ m.unembeddings.double().T + m.bias.double(), 1)  # type: ignore[union-attr]
        for m in models
    ]
    return [[float((a.exp() * (a - b)).sum(1).mean()) for b in logs if b is not a] for a in logs]


def of_all(measure: Callable[[Array, Array], float]) -> Callable[[Sequence[Array]], object]:
    return lambda views: [[measure(z, w) for w in views[i + 1 :]] for i, z in enumerate(views)]


def peers(repeats: int) -> None:
    print("peers: CPU seconds of one thread, ours / theirs")
    for count, num_inputs, width in ((20, 2000, 2), (20, 10_000, 64), (4, 10_000, 512)):
        rng = np.random.default_rng(0)
        views = [rng.normal(size=(num_inputs, width)) for _ in range(count)]
        z, w = views[:2]
        runs, every = repeats * (10 if width == 2 else 1), list(views)
        for name, one, all_pairs, peer, peer_of_all in (
            ("linear CKA", linear_cka, linear_cka_matrix, peer_cka, of_all(peer_cka)),
            ("m_CCA", mean_cca, mean_cca_matrix, lambda z, w: peer_cca_of_all([z, w]), peer_cca_of_all),
            ("m_SVD", mean_svd, mean_svd_matrix, peer_svd, of_all(peer_svd)),
        ):
            _row(
                f"{name}, N = {num_inputs:,}, M = {width}",
                beside(partial(one, z, w), partial(peer, z, w), 2 * runs),
                beside(partial(all_pairs, every), partial(peer_of_all, every), runs),
                count,
            )
    models = random_models(20, 10_000, 10, 2)
    p, q = models[:2]
    _row(
        "KL, N = 10,000, C = 10",
        beside(lambda: kl_divergence(p, q), lambda: peer_kl_of_all([p, q]), repeats),
        beside(lambda: kl_matrix(models), lambda: peer_kl_of_all(models), repeats),
        20,
    )


def _row(name: str, pair: tuple[float, float], every: tuple[float, float], count: int) -> None:
    written = [f"{ours:9.5f} / {theirs:8.5f} = {ours / theirs:5.2f}" for ours, theirs in (pair, every)]
    print(f"  {name:<32} a pair {written[0]}   all of {count:>2} {written[1]}", flush=True)


def busy(repeats: int) -> None:
    print(
        "busy: seconds on the clock, 190 pairs of 20 models (C = 18) as comparisons, 7,140 of 120 (C = 10) as rows too"
    )
    models = random_models(20, 2000, 18, 2)
    many = random_models(120, 2000, 10, 2)
    other: subprocess.Popen[bytes] | None = None
    for threads, neighbour in ((1, False), (2, False), (2, True)):
        torch.set_num_threads(threads)
        if neighbour:
            other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        times = {}
        for name, some, as_rows in (("190", models, False), ("7,140", many, False), ("7,140 rows", many, True)):
            compare_all(some, as_rows=as_rows)
            runs = []
            for _ in range(2 * repeats):
                start = time.perf_counter()
                compare_all(some, as_rows=as_rows)
                runs.append(time.perf_counter() - start)
            times[name] = min(runs)
        if other is not None:
            other.kill()
        beside = ", another program at work" if neighbour else ""
        written = "; ".join(f"{name} {seconds:.3f}" for name, seconds in times.items())
        print(f"  {threads} threads{beside:<30} {written}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="pairs,peers,busy")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    on_threads(1)
    if options.case:
        case(options.case, options.repeats)
        return
    for name in options.only.split(","):
        {"pairs": pairs, "peers": peers, "busy": busy}[name](options.repeats)


if __name__ == "__main__":
    main()
