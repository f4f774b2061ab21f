"""Speed of the measures, beside straightforward implementations and beside the arithmetic, in one run.

    python benchmarks/measures.py [--threads 2] [--only pairs,cca,labels,disk]

pairs   20 models, N = 2,000, C = 18, M = 2: all 190 pairs with 200 sampled sets, beside the slow implementation
        in tests/slow_reference.py (a single input set) and scikit-learn's CCA alone.
cca     20 models, N = 10,000, M = 64: all mean canonical correlations, beside the floor of one batched QR, one matrix
        product and one batched SVD.
labels  one pair with C = 20,000, M = 128, N = 5,000: all pivots, 10 sampled label subsets.
disk    one pair with N = 1,000,000 inputs in two files, C = 100, M = 32.

The last two run in a process of their own and report its peak memory above that of the imported package. Where torch
finds a GPU, the first three have a row for it.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from on_threads import on_threads
from torch import Tensor

from closedist import Representations, compare, compare_all, mean_cca_matrix

ROOT = Path(__file__).resolve().parents[1]


def seconds(call: Callable[[], object], repeats: int, device: str = "cpu") -> float:
    """The median over ``repeats`` timed calls, after a fifth as many untimed ones."""
    times = []
    for index in range(-max(1, repeats // 5), repeats):
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        if index >= 0:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def random_models(count: int, num_inputs: int, num_labels: int, dimension: int, device: str) -> list[Representations]:
    generator = torch.Generator().manual_seed(0)
    sizes = ((num_inputs, dimension), (num_labels, dimension), (num_labels,))
    scales = (1.0, 3.0 / dimension**0.5, 1.0)
    return [
        Representations(
            *(s * torch.randn(size, generator=generator).to(device) for s, size in zip(scales, sizes, strict=True))
        )
        for _ in range(count)
    ]


def devices() -> list[str]:
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def pairs() -> None:
    print("pairs: 20 models, N = 2,000, C = 18, M = 2, 190 pairs")
    for device in devices():
        models = random_models(20, 2_000, 18, 2, device)
        ours = seconds(lambda models=models: compare_all(models, num_samples=200), 20, device)
        print(f"  ours, 200 input sets, {device:<22} {ours:9.4f} s")
        if device == "cpu":
            ours_cpu, on_cpu = ours, models
    sys.path.insert(0, str(ROOT))
    from tests.slow_reference import Model, mean_cca_iterated
    from tests.slow_reference import compare as slow_compare

    slow = [Model(*(part.double().numpy() for part in (m.embeddings, m.unembeddings, m.bias))) for m in on_cpu]
    some = list(combinations(range(20), 2))[::48]
    start = time.perf_counter()
    for i, j in some:
        slow_compare(slow[i], slow[j], [[0, 1, 2]], 2)
    slow_seconds = (time.perf_counter() - start) / len(some) * 190
    start = time.perf_counter()
    for i, j in some:
        mean_cca_iterated(slow[i].f, slow[j].f)
    cca_seconds = (time.perf_counter() - start) / len(some) * 190
    what = f"slow implementation, 1 input set ({len(some)} pairs)"
    print(f"  {what:<44} {slow_seconds:9.4f} s  {slow_seconds / ours_cpu:6.0f} x")
    what = "scikit-learn's CCA of the embeddings alone"
    print(f"  {what:<44} {cca_seconds:9.4f} s  {cca_seconds / ours_cpu:6.0f} x")


def cca() -> None:
    print("cca: 20 models, N = 10,000, M = 64, all 190 m_CCA")

    def floor(views: Tensor) -> Tensor:
        q = torch.linalg.qr(views).Q.movedim(0, 1).flatten(1)
        products = (q.T @ q).reshape(20, 64, 20, 64).movedim(2, 1)
        i, j = torch.triu_indices(20, 20, 1)
        return torch.linalg.svdvals(products[i, j])

    for device in devices():
        views = torch.randn(20, 10_000, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(device)
        ours = seconds(lambda views=views: mean_cca_matrix(list(views)), 5, device)
        least = seconds(lambda views=views: floor(views), 5, device)
        print(f"  ours, {device:<38} {ours:9.4f} s")
        print(f"  floor: QR, product, SVD, {device:<19} {least:9.4f} s  {ours / least:6.2f} x")


def peak() -> float:
    """MB of memory at most so far, files mapped into memory included; of this process alone.

    (getrusage would give the parent's, which started this process by a fork, where that was larger.)
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def labels() -> None:
    print("labels: one pair, N = 5,000, C = 20,000, M = 128, all pivots, 10 sampled label subsets")
    for device in devices():
        p, q = random_models(2, 5_000, 20_000, 128, device)
        compare(*random_models(2, 500, 50, 4, device), num_subsets=1)  # the libraries' own start
        before = peak()
        start = time.perf_counter()
        compare(p, q, num_subsets=10)
        print(f"  {device:<44} {time.perf_counter() - start:9.2f} s  {peak() - before:6.0f} MB")


def disk() -> None:
    print("disk: one pair in two float32 files, N = 1,000,000, C = 100, M = 32, 10 sampled label subsets")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.safetensors" for name in "pq"]
        write = (
            "import sys, torch; from closedist import Representations; seed, path = int(sys.argv[1]), sys.argv[2]; "
            "torch.manual_seed(seed); "
            "Representations(torch.randn(1_000_000, 32), torch.randn(100, 32) / 2, torch.randn(100)).save(path)"
        )
        for seed, path in enumerate(paths):
            subprocess.run([sys.executable, "-c", write, str(seed), str(path)], check=True)
        compare(*random_models(2, 500, 50, 4, "cpu"), num_subsets=1)
        before = peak()
        start = time.perf_counter()
        compare(*(Representations.load(path) for path in paths), num_subsets=10)
        print(f"  {'cpu':<44} {time.perf_counter() - start:9.2f} s  {peak() - before:6.0f} MB")


PARTS = {"pairs": pairs, "cca": cca, "labels": labels, "disk": disk}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    on_threads(options.threads)
    np.seterr(all="ignore")
    if not options.here:
        print(
            f"{platform.processor() or platform.machine()}, {options.threads} threads, torch {torch.__version__}",
            flush=True,
        )
    for name in options.only.split(","):
        if options.here or name in ("pairs", "cca"):
            PARTS[name]()
        else:  # a process of its own, for its memory
            command = [sys.executable, __file__, "--here", "--only", name, "--threads", str(options.threads)]
            subprocess.run(command, check=True)
        print(flush=True)


if __name__ == "__main__":
    main()
