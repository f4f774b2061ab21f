"""A pair of language models' vocabularies: C = 50,257 labels, M = 768, N = 20,000 positions, random weights.

    python benchmarks/vocabulary.py [--threads 2] [--pivots 64] [--labels 50257] [--inputs 20000] [--dimension 768]

Without --pivots all pivot labels are searched. Each stage's time stands beside the time that its matrix products alone
take at the rate of float64 products of like shape measured in the same run; then the peak memory of the whole process.
"""

import argparse
import math
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from on_threads import on_threads

from closedist import Representations, compare
from closedist.measures import llv
from closedist.pairs import choices, tiles


def random_models(num_inputs: int, num_labels: int, dimension: int) -> list[Representations]:
    """A base model and one near it: log-odds of a few nats, frequent and rare labels, as language models have them."""
    generator = torch.Generator().manual_seed(0)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    f, g = normal(num_inputs, dimension), normal(num_labels, dimension) * (2 / dimension**0.5)
    g[:, 0] += 2.0 * normal(num_labels)
    return [
        Representations(f, g),
        Representations(
            f + 0.2 * normal(num_inputs, dimension), g + 0.2 * (2 / dimension**0.5) * normal(num_labels, dimension)
        ),
    ]


def product_rate() -> float:
    """Floating-point operations a second of float64 matrix products of a middling size."""
    a, b = (torch.randn(2048, 768, dtype=torch.float64) for _ in range(2))
    a @ b.T
    start = time.perf_counter()
    for _ in range(10):
        a @ b.T
    return 10 * 2 * 2048 * 2048 * 768 / (time.perf_counter() - start)


class Stages:
    """Seconds spent in named functions, each timed by a wrapper put in its place."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, module: Any, function: str, stage: str) -> None:
        original: Callable[..., Any] = getattr(module, function)

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

        setattr(module, function, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pivots", type=int)
    parser.add_argument("--labels", type=int, default=50_257)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=768)
    options = parser.parse_args()
    on_threads(options.threads)
    n, c, m = options.inputs, options.labels, options.dimension
    stages = Stages()
    stages.watch(tiles, "each_model", "log-likelihoods, KL, root factors")
    stages.watch(tiles, "together", "how the two lie to each other")
    stages.watch(tiles, "of_all_pairs", "CCA, CKA and what else needs no choice")
    stages.watch(llv, "choose_labels", "table of labels")
    stages.watch(llv, "search_input_sets", "search for the input set")
    stages.watch(choices, "_of_subsets", "10 label subsets")
    products = {
        "log-likelihoods, KL, root factors": 2 * 2 * n * c * m + 2 * (n + c) * (2 * m + 1) ** 2,
        "table of labels": 2 * c * m * (c if options.pivots is None else 2 * options.pivots) + 2 * 2 * c * m * 3 * m,
        "search for the input set": 2 * 2 * n * m * 3 * m,
    }
    rate = product_rate()
    print(
        f"{platform.processor() or platform.machine()}, {options.threads} threads, {rate / 1e9:.0f} Gflop/s in float64"
    )
    models = random_models(n, c, m)
    pivots = None if options.pivots is None else range(0, c, math.ceil(c / options.pivots))
    start = time.perf_counter()
    result = compare(*models, num_subsets=10, pivots=pivots, constant_labels="ignore")
    total = time.perf_counter() - start
    print(f"C = {c:,}, M = {m}, N = {n:,}, {result.num_pivots:,} pivots")
    for stage, seconds in stages.seconds.items():
        floor = products.get(stage, 0) / rate
        print(f"  {stage:<36} {seconds:8.1f} s" + (f"   products alone {floor:8.1f} s" if floor else ""))
    print(f"  {'all':<36} {total:8.1f} s   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB at most")
    print(result)


if __name__ == "__main__":
    main()
