"""Measures of few columns come from one table of their products: they are what QR and SVD of the views give."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from closedist import (
    linear_cka,
    linear_cka_matrix,
    mean_cca,
    mean_cca_matrix,
    mean_svd,
    mean_svd_matrix,
    procrustes_distance,
)
from closedist.errors import InputError
from closedist.measures.gram import gram, squared_norm

Array = NDArray[np.float64]


def canonical_mean(z: Array, w: Array) -> float:
    (q, _), (r, _) = (np.linalg.qr(view - view.mean(0)) for view in (z, w))
    return float(np.linalg.svd(q.T @ r, compute_uv=False).mean())


def correlation_mean(z: Array, w: Array) -> float:
    of_both = np.corrcoef(z, w, rowvar=False)[: z.shape[1], z.shape[1] :]
    return float(np.linalg.svd(of_both, compute_uv=False).mean())


def alignment(z: Array, w: Array) -> float:
    z, w = z - z.mean(0), w - w.mean(0)
    return float(np.linalg.norm(z.T @ w) ** 2 / np.linalg.norm(z.T @ z) / np.linalg.norm(w.T @ w))


WRITTEN_OUT = {mean_cca: canonical_mean, mean_svd: correlation_mean, linear_cka: alignment}
MATRICES = {mean_cca: mean_cca_matrix, mean_svd: mean_svd_matrix, linear_cka: linear_cka_matrix}


def views(count: int, widths: tuple[int, ...], seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(300, 3))
    return [
        common @ rng.normal(size=(3, width)) + rng.normal(size=(300, width)) + 5 * rng.normal(size=width)
        for width in (widths * count)[:count]
    ]


@pytest.mark.parametrize("measure", WRITTEN_OUT)
@given(
    count=st.integers(2, 5),
    widths=st.sampled_from([(1,), (2,), (3,), (7,), (2, 3), (1, 2), (4, 1, 4)]),
    scale=st.sampled_from([1.0, 1e-50, 1e50, 1e100, 1e-160, 1e200]),
    seed=st.integers(0, 99),
)
def test_all_pairs_and_a_pair_are_what_is_written_out(measure, count, widths, scale, seed):
    made = views(count, widths, seed)
    scaled = [made[0] * scale, *(view * (1.0 if seed % 2 else scale) for view in made[1:])]
    found = MATRICES[measure](scaled)
    for i in range(count):
        for j in range(count):
            if i != j:
                expected = WRITTEN_OUT[measure](made[i], made[j])
                assert found[i, j] == pytest.approx(expected, abs=1e-12)
                assert measure(scaled[i], scaled[j]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("angle", [1e-1, 3.3e-2, 3.1e-2, 1e-3, 1e-4, 1e-6])
def test_two_columns_that_are_nearly_one_keep_both_their_canonical_correlations(angle):
    """Down to where the closed form of two columns leaves it to the factors, and beyond."""
    rng = np.random.default_rng(0)
    first, second, noise = np.linalg.qr(rng.normal(size=(500, 9)) - 0.0)[0].T[:3]
    z = np.stack([first, math.cos(angle) * first + math.sin(angle) * second], 1)
    w = np.stack([first + 0.3 * noise, 0.8 * second + 0.6 * noise], 1)
    assert mean_cca(z, w) == pytest.approx(canonical_mean(z, w), abs=1e-8 if angle < 1e-5 else 1e-10)
    assert mean_cca(w, z) == mean_cca_matrix([w, z])[0, 1] == mean_cca(w, z)


def test_a_column_twice_counts_once():
    z, w = views(2, (2,), 0)
    twice = z[:, [0, 0]]
    assert mean_cca(twice, w) == pytest.approx(canonical_mean(z[:, :1], w), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_numbers_of_other_types_are_read_beside_float64(dtype):
    z, w = (torch.from_numpy(view) for view in views(2, (2,), 3))
    rounded = z.to(dtype)
    for measure, written_out in WRITTEN_OUT.items():
        expected = written_out(rounded.double().numpy(), w.numpy())
        assert measure(rounded, w) == pytest.approx(expected, abs=1e-12)
    assert z.dtype == torch.float64


def test_what_half_precision_rounds_is_no_direction():
    z, w = views(2, (3,), 5)
    z[:, 2] = z[:, 0] + 2e-3 * np.linalg.norm(z[:, 0]) * np.random.default_rng(0).normal(size=300) / 300**0.5
    rounded = torch.from_numpy(z - z.mean(0)).half()
    assert mean_cca(rounded, w) == pytest.approx(canonical_mean(z[:, :2], w), abs=1e-2)
    assert mean_cca(rounded.double(), w) == pytest.approx(canonical_mean(rounded.double().numpy(), w), abs=1e-10)


@pytest.mark.parametrize("measure", WRITTEN_OUT)
def test_a_view_that_varies_by_rounding_alone_is_constant(measure):
    (z,) = views(1, (2,), 0)
    with pytest.raises(InputError, match=r"^w: (all rows are equal|column 0 is constant)"):
        measure(z, 1e8 + 1e-8 * z)


@pytest.mark.parametrize("measure", WRITTEN_OUT)
def test_an_array_that_may_not_be_written_is_read_without_a_warning(measure):
    z, w = views(2, (2,), 0)
    expected = measure(z, w)
    z.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure(z, w) == expected


@pytest.mark.parametrize("shape", [(300, 2), (300, 70), (3000, 60)])
def test_what_is_given_is_left_as_it_is(shape):
    z, w = np.random.default_rng(0).normal(size=(2, *shape)) + 3.0
    kept = z.copy(), w.copy()
    for measure in (*WRITTEN_OUT, procrustes_distance):
        measure(z, w)
        measure(z, z)
    assert (z == kept[0]).all()
    assert (w == kept[1]).all()


@pytest.mark.parametrize("rows", [200, 5_000, 70_000])
@pytest.mark.parametrize("value", [0.1, 0.3, 1.1, 7.7])
@pytest.mark.parametrize("width", [1, 2, 30])
def test_a_constant_column_is_no_direction_of_canonical_correlation(rows, value, width):
    z, w = np.random.default_rng(0).normal(size=(2, rows, width))
    column = np.full((rows, 1), value)
    expected = canonical_mean(z, w)
    for first, second in ((np.c_[column, z], w), (np.c_[z, column], np.c_[column, w])):
        assert mean_cca(first, second) == pytest.approx(expected, abs=1e-9)
        assert mean_cca_matrix([first, second])[0, 1] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1e-170])
def test_two_columns_of_which_the_first_does_not_vary_are_one(scale):
    x = np.random.default_rng(0).normal(size=(200, 2))
    z = np.c_[scale * x[:, 1], x[:, 0]]
    rest = canonical_mean(z[:, 1:], x)
    assert mean_cca(z, x) == pytest.approx(1.0 if scale else rest, abs=1e-9)


def test_tables_of_all_pairs_are_symmetric_to_the_bit():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(2100, 40))
    views = [shared + 0.3 * rng.normal(size=shared.shape) for _ in range(6)]
    for measure in MATRICES.values():
        found = measure(views)
        assert (found == found.T).all()


@pytest.mark.parametrize("rows", [100, 5_000])
def test_a_tensor_with_a_negative_bit_is_read(rows):
    part = torch.randn(rows, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    negative = torch.complex(part, part).conj().imag
    assert negative.is_neg()
    assert linear_cka(negative, -part) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("rows", [5_000, 40_003])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 7.7, 1e5 + 0.1])
def test_a_constant_column_is_told_however_long_it_is(rows, value):
    z = np.random.default_rng(0).normal(size=(rows, 40))
    other = z[:, ::-1].copy()
    z[:, 17] = value
    with pytest.raises(InputError, match=r"^z: column 17 is constant"):
        mean_svd(z, other)
    for measure in WRITTEN_OUT:
        with pytest.raises(InputError, match=r"^w: (all rows are equal|column 0 is constant)"):
            measure(other, np.full_like(z, value))


@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e160])
@pytest.mark.parametrize(("rows", "widths"), [(600, (70, 70)), (3000, (40, 33)), (100, (70, 80)), (2100, (1100, 990))])
def test_wide_views_are_what_is_written_out(rows, widths, scale):
    """With a table of all products, which linear CKA asks for, and without."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(rows, 20))
    z, w = (common @ rng.normal(size=(20, d)) + rng.normal(size=(rows, d)) + 3.0 for d in widths)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert linear_cka(scale * z, w) == pytest.approx(alignment(z, w), abs=1e-12)
        assert linear_cka_matrix([z, scale * w, z])[0, 1] == pytest.approx(alignment(z, w), abs=1e-12)
        assert mean_svd(scale * z, w) == pytest.approx(WRITTEN_OUT[mean_svd](z, w), abs=1e-12)


@pytest.mark.parametrize("width", [3, 64, 127, 128, 200, 1500])
def test_a_gram_matrix_in_parts_is_whole(width):
    columns = torch.randn(2, 50, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for some in (columns, columns[0]):
        torch.testing.assert_close(gram(some), some.mT @ some, rtol=1e-12, atol=1e-12)
    whole = (columns[0].mT @ columns[0]).square().sum()
    torch.testing.assert_close(squared_norm(columns[0]), whole, rtol=1e-12, atol=0.0)
