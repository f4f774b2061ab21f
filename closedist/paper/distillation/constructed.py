"""The second paper's two constructed pairs (appendices G and H): m_CCA and KL each say nothing of the other."""

import numpy as np
from numpy.typing import NDArray

from closedist.representations import Representations

Floats = NDArray[np.float64]


def equal_embeddings_other_answers() -> tuple[Representations, Representations]:
    """Appendix G: m_CCA is 1 on both sides, and the two models agree on no input.

    The second model has the first's embeddings turned by 45° and its unembeddings turned the other way.
    """
    directions = _circle(np.array([0, 1 / 2, 1, 5 / 4, 7 / 4]) * np.pi)
    generator = np.random.default_rng(0)
    f = np.concatenate([5 * towards + 0.5 * generator.normal(size=(100, 2)) for towards in directions])
    turn = _circle(np.array([np.pi / 4, 3 * np.pi / 4]))  # rows: the images of the axes
    return Representations(f, 8 * directions), Representations(f @ turn, 8 * directions @ turn.T)


def equal_answers_other_unembeddings() -> tuple[Representations, Representations]:
    """Appendix H: KL is 0.005 nats both ways, and the unembeddings' m_CCA is 0.67.

    The labels of two pairs exchange their unembeddings, and inputs lie midway between them; the embeddings are equal.
    """
    unembeddings = 5.5 * _circle(np.array([0, 1, 2, 3, 10, 16, 20, 26]) * np.pi / 16)
    generator = np.random.default_rng(0)
    middle = np.repeat(np.array([0, 1, 2, 3, 13, 13, 23, 23]) * np.pi / 16, 500)
    angle = middle + generator.uniform(-np.pi / 256, np.pi / 256, len(middle))
    length = np.abs(generator.normal(size=len(middle))) + 2
    f = length[:, None] * _circle(angle)
    return Representations(f, unembeddings), Representations(f, unembeddings[[0, 1, 2, 3, 5, 4, 7, 6]])


def _circle(angles: Floats) -> Floats:
    """(n, 2) points of the unit circle."""
    return np.column_stack([np.cos(angles), np.sin(angles)])
