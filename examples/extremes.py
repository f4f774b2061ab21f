"""Two pairs of models on which the measures disagree as far as they can; prints the tables of docs/which-number.md.

python examples/extremes.py
"""

import numpy as np

import closedist


def reversed_pair() -> tuple[closedist.Representations, closedist.Representations]:
    """A classifier f, and −f: what one finds likely, the other finds unlikely."""
    generator = np.random.default_rng(0)
    f, g = 2 * generator.normal(size=(2000, 3)), generator.normal(size=(10, 3))
    return closedist.Representations(f, g), closedist.Representations(-f, g)


def unseen_pair() -> tuple[closedist.Representations, closedist.Representations]:
    """The same distribution twice, beside 20 directions of f, other ones in each model, that no label sees."""
    generator = np.random.default_rng(0)
    f, g = generator.normal(size=(2000, 3)), generator.normal(size=(10, 3))
    seen = np.hstack([g, np.zeros((10, 20))])
    first, second = (np.hstack([f, 2 * generator.normal(size=(2000, 20))]) for _ in range(2))
    return closedist.Representations(first, seen), closedist.Representations(second, seen)


def main() -> None:
    """Print both tables."""
    for title, pair in (("f against -f", reversed_pair()), ("20 unseen directions", unseen_pair())):
        print(f"{title}\n\n{closedist.compare(*pair, intervals=True)}\n")


if __name__ == "__main__":
    main()
