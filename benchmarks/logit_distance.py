"""d_logit, d_rep and their bounds at a language model's size: C = 50,000 labels, M = 768, N = 20,000, random weights.

    python benchmarks/logit_distance.py [--threads 2] [--labels 50000] [--inputs 20000] [--dimension 768]

Wall and processor seconds of each step, and the peak memory of the whole process: no table of N×C is made.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from on_threads import on_threads

from closedist import Representations
from closedist.measures import logit_bounds as bounds
from closedist.measures.logit_distance import logit_distances
from closedist.measures.logit_roots import LogitRoots, logit_roots
from closedist.measures.projection import Projection
from closedist.measures.representation_distance import representation_distances

T = TypeVar("T")


def random_models(num_inputs: int, num_labels: int, dimension: int) -> list[Representations]:
    """A model and one near it, float32, with logits of a few nats."""
    generator = torch.Generator().manual_seed(0)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator)

    f, g = normal(num_inputs, dimension), normal(num_labels, dimension) * (2 / dimension**0.5)
    near = 0.2 * normal(num_inputs, dimension), 0.2 * (2 / dimension**0.5) * normal(num_labels, dimension)
    return [Representations(f, g), Representations(f + near[0], g + near[1])]


def timed(what: str, step: Callable[[], T]) -> T:
    """Do it, and print how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = step()
    print(f"{what:<52}{time.perf_counter() - wall:8.1f} s{time.process_time() - cpu:10.1f} s of processors", flush=True)
    return found


def all_bounds(roots: LogitRoots) -> dict[str, float]:
    """T2, T3, T6, T7 and T11, in the units of the user's embeddings."""
    found, labels = logit_distances(roots), Projection.onto(roots.unembeddings(), roots.num_labels)
    inputs = Projection.onto(roots.embeddings()[0], roots.num_inputs)
    rank = torch.tensor(roots.dimension)
    return {
        "d_rep": float(bounds.representation_bound(found.distance, labels)) * roots.unit,
        "d_rep by volume": float(bounds.representation_volume_bound(found.distance, labels)) * roots.unit,
        "unembeddings": float(bounds.unembedding_bound(found.centred, inputs)) / roots.unit,
        "KL": float(bounds.kl_bound(found.distance)),
        "m_CCA": float(bounds.mean_cca_bound(found.centred, bounds.logit_variances(roots), rank)),
    }


def main() -> None:
    """Time every step once."""
    parser = argparse.ArgumentParser()
    for option, default in (("threads", 2), ("labels", 50_000), ("inputs", 20_000), ("dimension", 768)):
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    on_threads(options.threads)
    p, q = random_models(options.inputs, options.labels, options.dimension)
    start = time.perf_counter()
    roots, _ = timed("roots over inputs and labels", lambda: logit_roots(p, q))
    found = timed("d_logit and its parts", lambda: logit_distances(roots))
    by_map = timed("d_rep: least squares, volume, relative, unembeddings", lambda: representation_distances(roots))
    bounded = timed("the bounds", lambda: all_bounds(roots))
    print(f"all{time.perf_counter() - start:>57.1f} s; peak memory ", end="")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")
    print(f"d_logit {float(found.distance):.3f}, d_rep {float(by_map.distance):.4f}, ", end="")
    print(f"by volume {float(by_map.volume):.2f}; bounds", {key: round(value, 3) for key, value in bounded.items()})


if __name__ == "__main__":
    main()
