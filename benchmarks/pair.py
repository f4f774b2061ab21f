"""How long one pair takes, with intervals and explained.

python benchmarks/pair.py INPUTS LABELS DIMENSION
"""

import sys
import time

import numpy as np
from on_threads import on_threads

import closedist


def main(num_inputs: int, num_labels: int, dimension: int) -> None:
    """A random model, and the same with noise, in single precision on one thread."""
    on_threads(1)
    draw = np.random.default_rng(0)
    f, g = (draw.normal(size=(rows, dimension)).astype("float32") for rows in (num_inputs, num_labels))
    g /= dimension**0.5
    noisy = (f + 0.1 * draw.normal(size=f.shape), g + 0.02 * draw.normal(size=g.shape))
    p, q = closedist.Representations(f, g), closedist.Representations(*(part.astype("float32") for part in noisy))
    began = time.process_time()
    print(closedist.compare(p, q, intervals=True))
    compared = time.process_time()
    closedist.explain(p, q)
    print(f"compare {compared - began:.1f} s, explain {time.process_time() - compared:.1f} s of one core")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
