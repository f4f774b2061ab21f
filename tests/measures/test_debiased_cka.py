"""Debiased CKA against the n×n formula, and against plain CKA where that is wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import InputError, debiased_cka, linear_cka
from tests.random_models import seeds
from tests.slow_reference import Array


def hsic(k: Array, l: Array) -> float:  # noqa: E741
    """The U-statistic with n×n matrices, uncentred (Song et al., 2012, equation 5)."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    ones = np.ones(n)
    middle = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    return float((np.trace(k @ l) + middle - 2 / (n - 2) * ones @ k @ l @ ones) / (n * (n - 3)))


def hsic_by_quadruples(k: Array, l: Array) -> float:  # noqa: E741
    """The mean over all ordered quadruples of different inputs of k_ij·(l_ij + l_qr − 2·l_iq)."""
    n = len(k)
    values = [
        k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
        for i in range(n)
        for j in range(n)
        for q in range(n)
        for r in range(n)
        if len({i, j, q, r}) == 4
    ]
    return float(np.mean(values))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(4, 40), st.integers(1, 6), st.integers(1, 6))
def test_it_is_the_formula_with_kernel_matrices(seed: int, n: int, d: int, e: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d)) + 2
    y = generator.normal(size=(n, e)) @ np.diag(generator.exponential(size=e)) + x[:, :1]
    k, l = x @ x.T, y @ y.T  # noqa: E741
    expected = hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
    assert debiased_cka(x, y) == pytest.approx(min(1.0, expected), rel=1e-7, abs=1e-9)
    if n <= 7:
        assert hsic_by_quadruples(k, l) == pytest.approx(hsic(k, l), rel=1e-8, abs=1e-9)


def test_pure_noise_is_not_similar() -> None:
    generator = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(10):
        z, w = generator.normal(size=(2, 100, 512))
        plain.append(linear_cka(z, w))
        debiased.append(debiased_cka(z, w))
    assert np.mean(plain) == pytest.approx(0.84, abs=0.01)
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(10)


def test_on_many_inputs_it_is_the_plain_one_and_rotations_change_nothing() -> None:
    generator = np.random.default_rng(1)
    z = generator.normal(size=(20_000, 3))
    w = z + generator.normal(size=z.shape)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    assert debiased_cka(z, w) == pytest.approx(linear_cka(z, w), abs=1e-3)
    assert debiased_cka(z, 7 * w @ rotation + 5) == pytest.approx(debiased_cka(z, w), rel=1e-9)
    assert debiased_cka(z, z) == pytest.approx(1, abs=1e-12)


def test_what_cannot_be_compared_is_refused() -> None:
    z = np.arange(12.0).reshape(4, 3) ** 2
    with pytest.raises(InputError, match="at least four"):
        debiased_cka(z[:3], z[:3])
    with pytest.raises(InputError, match="w: all rows are equal"):
        debiased_cka(z, np.full((4, 2), 0.1))
    with pytest.raises(InputError, match="4 and 3 rows"):
        debiased_cka(z, z[:3])
