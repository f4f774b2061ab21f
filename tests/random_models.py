"""Random models for the tests of the measures, and strategies that draw them."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from closedist import Representations
from tests.slow_reference import Array, Model

seeds = st.integers(0, 2**32 - 1)


def random_model(seed: int, num_inputs: int, num_labels: int, dimension: int, bias: bool = True) -> Model:
    """Gaussian embeddings with some common offset, log-odds of a few nats."""
    generator = np.random.default_rng(seed)
    f = generator.normal(size=(num_inputs, dimension)) + generator.normal(size=dimension)
    g = 2 * generator.normal(size=(num_labels, dimension)) / np.sqrt(dimension)
    return Model(f, g, generator.normal(size=num_labels) if bias else np.zeros(num_labels))


def noisy(model: Model, size: float, seed: int) -> Model:
    """A model whose numbers differ from another's by noise."""
    generator = np.random.default_rng(seed)
    f, g, b = (part + size * generator.normal(size=part.shape) for part in (model.f, model.g, model.b))
    return Model(f, g, b)


def linear_map(seed: int, dimension: int, condition: float) -> Array:
    """A random invertible matrix of the given condition number."""
    generator = np.random.default_rng(seed)
    q, _ = np.linalg.qr(generator.normal(size=(dimension, dimension)))
    r, _ = np.linalg.qr(generator.normal(size=(dimension, dimension)))
    scales = condition ** np.linspace(-0.5, 0.5, dimension) if dimension > 1 else np.array([condition**0.5])
    return (q * scales) @ r


def mapped(model: Model, matrix: Array, shift: Array) -> Model:
    """(A·f, A⁻ᵀ·g + c): the same distribution in other coordinates."""
    return Model(model.f @ matrix.T, model.g @ np.linalg.inv(matrix) + shift, model.b)


def represent(model: Model) -> Representations:
    """For closedist."""
    return Representations(model.f, model.g, model.b)


@st.composite
def models(
    draw: Callable[..., int], count: int = 2, same_dimension: bool = True, min_inputs: int = 20, max_labels: int = 8
) -> list[Model]:
    """Some models on the same inputs and labels, with M from 1 to 4, C from 3 and N up to 60."""
    num_inputs, num_labels = draw(st.integers(min_inputs, 60)), draw(st.integers(3, max_labels))
    dimension = draw(st.integers(1, 4))
    bias = draw(st.booleans())
    dimensions = [dimension if same_dimension else draw(st.integers(1, 4)) for _ in range(count)]
    seed = draw(seeds)
    return [random_model(seed + i, num_inputs, num_labels, d, bias) for i, d in enumerate(dimensions)]
