"""How far the searched d_{f,g} is from its upper bound where label subsets cannot be gone through, and what it costs.

python benchmarks/subset_search.py
"""

import time

import numpy as np

import closedist

NUM_INPUTS, NUM_LABELS, SUBSET_SIZE = 2000, 1000, 200


def pair(dimension: int) -> list[closedist.Representations]:
    """A random model, and the same with noise of a fifth of its numbers' size."""
    generator = np.random.default_rng(0)
    f, g = (generator.normal(size=(count, dimension)) for count in (NUM_INPUTS, NUM_LABELS))
    noisy = [part + 0.2 * generator.normal(size=part.shape) for part in (f, g)]
    return [closedist.Representations(f, g), closedist.Representations(*noisy)]


def main() -> None:
    """Print a line a dimension."""
    print(f"N = {NUM_INPUTS:,}, C = {NUM_LABELS:,}, K = {SUBSET_SIZE}: d_f,g found … unsigned certificate, seconds")
    for dimension in (50, 200, 512):
        models = pair(dimension)
        seconds = []
        for num_subsets in (1, None):
            start = time.perf_counter()
            (c,) = closedist.compare_all(models, subset_size=SUBSET_SIZE, num_subsets=num_subsets)
            seconds.append(time.perf_counter() - start)
        low, high = c.dissimilarity_embeddings, c.unsigned_certificate
        more = seconds[1] - seconds[0]
        print(f"M = {dimension}: {low:.4f} … {high:.4f}, {high / low - 1:.0%} wide; {more:.1f} s more")


if __name__ == "__main__":
    main()
