"""d_SVD: one minus the mean singular value of the cross-correlation of two sets of K standardised columns.

With U and V the columns at unit length, m_SVD is the mean of the singular values of UᵀV, and (orthogonal Procrustes)
d_SVD = min over rotations Q of ‖UQ − V‖²/(2K), which is how a small one is computed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.terms import BLOCK_ELEMENTS, square_norm
from closedist.measures.views import Array, Block, of_all_pairs, of_two, products

MAX_ENUMERATED = 10_000  # label subsets that are gone through without asking
TABLED = 1024  # columns, up to which a table of all correlations serves every subset
_SMALL = 1e-2  # below, 1 − m_SVD loses digits that bounds are held to, and the Procrustes form is used


def mean_svd(z: Array, w: Array) -> float:
    """m_SVD of two views of the same n inputs: the mean singular value of their cross-correlation.

    Between 0 and 1 for views of the same width, as in d_{f,g}; else at most √(max(d, e)/min(d, e)), since many columns
    of one view may repeat a column of the other.

    This is what PLS-SVD on standardised columns finds. It does not change when either view is shifted, its columns are
    scaled one by one, or their order changes.

    Args:
        z: (n, d) array or tensor.
        w: (n, e) array or tensor of the same inputs in the same order.

    Returns:
        The mean over the min(d, e) singular values.

    Raises:
        InputError: the shapes do not fit, or a column is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.mean_svd(z, z[:, ::-1] * [1, 20, 300]), 6)
        1.0
    """
    return of_two(z, w, _with_lengths, _mean_singular_value)


def mean_svd_matrix(views: Sequence[Array] | Mapping[str, Array]) -> NDArray[np.float64]:
    """m_SVD of all pairs of views of the same N inputs, by matrix products for all at once.

    Args:
        views: n arrays or tensors, (N, d_i), rows the same inputs in the same order; a list, or by their names.

    Returns:
        (n, n) float64, symmetric with a diagonal of ones, each entry as :func:`mean_svd` gives it.

    Raises:
        InputError: the shapes do not fit, or a column is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.mean_svd_matrix([z, 7 * z[:, [2, 0, 1]]]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all_pairs(views, _with_lengths, _mean_singular_value, "m_SVD")


@dataclass(frozen=True)
class _Standardised:
    """Columns of b views, (N, b, d), one over their lengths, (b, d), and how many they are, (b,)."""

    columns: Tensor
    inverse: Tensor
    widths: Tensor


def _with_lengths(block: Block) -> _Standardised:
    squares = block.columns.square().sum(0)
    lengths, before = squares.sqrt(), (squares + len(block.columns) * block.means.square()).sqrt()
    there = torch.arange(lengths.shape[-1], device=lengths.device) < block.widths[:, None]
    constant = there & (lengths <= 1e-14 * before)
    if bool(constant.any()):
        view, column = constant.nonzero()[0].tolist()
        raise InputError(f"{block.names[view]}: column {column} is constant; remove it, it has no correlation")
    return _Standardised(block.columns, (1.0 / lengths).masked_fill_(~there, 0.0), block.widths)


def _mean_singular_value(first: _Standardised, second: _Standardised, i: Tensor, j: Tensor) -> Tensor:
    between = products(first.columns, second.columns, i, j)
    between *= first.inverse[i].unsqueeze(-1) * second.inverse[j].unsqueeze(-2)
    narrow, wide = torch.minimum(first.widths[i], second.widths[j]), torch.maximum(first.widths[i], second.widths[j])
    return torch.minimum((wide / narrow).sqrt(), nuclear_norm(between) / narrow)


def nuclear_norm(matrices: Tensor) -> Tensor:
    """Σ of the singular values of (…, d, e) matrices. 1×1 and 2×2 in closed form: (σ₁ + σ₂)² = ‖A‖² + 2|det A|."""
    if matrices.shape[-2:] == (1, 1):
        return matrices[..., 0, 0].abs()
    if matrices.shape[-2:] == (2, 2):
        a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
        return (a * a + b * b + c * c + d * d + 2 * (a * d - b * c).abs()).sqrt()
    values: Tensor = torch.linalg.svdvals(matrices)
    return values.sum(-1)


def dissimilarity(units: Tensor, other_units: Tensor, subsets: Tensor) -> Tensor:
    """d_SVD of subsets of unit columns.

    Args:
        units, other_units: (m, L, r), one row a column of unit length.
        subsets: (m or 1, S, K) positions among the L.

    Returns:
        (m, S) float64, to full relative accuracy.
    """
    pairs, count = units.shape[:2]
    size = subsets.shape[-1]
    cross = (units @ other_units.mT).flatten(1) if count <= TABLED and subsets.shape[0] == 1 else None
    per_subset = size * size if cross is not None else size * (size + 2 * units.shape[-1])
    step = max(1, BLOCK_ELEMENTS // (pairs * per_subset))
    row = torch.arange(pairs, device=units.device)[:, None, None]
    parts: list[Tensor] = []
    for start in range(0, subsets.shape[1], step):
        block = subsets[:, start : start + step]
        if cross is not None:  # entries of the table of all columns, rather than products of each subset's
            entries = (count * block.unsqueeze(-1) + block.unsqueeze(-2)).flatten()
            matrices = cross.index_select(1, entries).reshape(pairs, -1, size, size)
        else:
            matrices = units[row, block] @ other_units[row, block].mT
        unrotated = 1.0 - matrices.diagonal(dim1=-2, dim2=-1).mean(-1)
        values = bounds.within_rounding(1.0 - nuclear_norm(matrices) / size, unrotated)
        small = (values < _SMALL).nonzero()
        for pair, subset in (part.unbind(1) for part in small.tensor_split(1 + len(small) // step)):
            of_pair, columns = pair.unsqueeze(-1), block.expand(pairs, -1, -1)[pair, subset]
            values[pair, subset] = _procrustes(
                units[of_pair, columns], other_units[of_pair, columns], matrices[pair, subset]
            )
        parts.append(values)
    return torch.cat(parts, 1)


def _procrustes(units: Tensor, other_units: Tensor, cross: Tensor) -> Tensor:
    """(e,) from (e, K, r) rows and their (e, K, K) products: ‖QᵀU − V‖²/(2K), Q the polar factor."""
    size = cross.shape[-1]
    rotated = 0.5 * square_norm((polar_factor(cross).mT @ units - other_units).flatten(1)) / size
    unrotated = 0.5 * square_norm((units - other_units).flatten(1)) / size
    return bounds.within_rounding(rotated, unrotated)


def polar_factor(matrices: Tensor) -> Tensor:
    """The rotation (or reflection) Q that maximises tr(QᵀA) of (…, K, K) matrices; for 2×2 in closed form."""
    if matrices.shape[-1] == 1:
        return torch.where(matrices < 0, -1.0, 1.0).to(matrices.dtype)
    if matrices.shape[-1] == 2:
        a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
        sign = torch.where(a * d - b * c < 0, -1.0, 1.0)
        cofactors = torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2)
        return (matrices + sign[..., None, None] * cofactors) / nuclear_norm(matrices)[..., None, None]
    left, _, right = torch.linalg.svd(matrices)
    factor: Tensor = left @ right
    return factor


def label_subsets(count: int, size: int, num_subsets: int | None, seed: int) -> Tensor:
    """(S, K) positions among the ``count`` labels of J: all subsets in lexicographic order, or a sample of different.

    Args:
        count: |J|.
        size: K.
        num_subsets: how many at most, or None for all of them.
        seed: of the sample.
    """
    total = math.comb(count, size)
    if num_subsets is None or total <= num_subsets:
        return _all_subsets(count, size)
    generator = np.random.default_rng(seed)
    if 2 * num_subsets > total:  # nearly all of them: what is drawn one by one was mostly drawn before
        return _all_subsets(count, size)[np.sort(generator.choice(total, num_subsets, replace=False))]
    chosen: dict[tuple[int, ...], None] = {}
    while len(chosen) < num_subsets:
        chosen[tuple(np.sort(generator.choice(count, size, replace=False)).tolist())] = None
    return torch.tensor(sorted(chosen))


def _all_subsets(count: int, size: int) -> Tensor:
    """All subsets in lexicographic order. (``torch.combinations`` goes through count^size masks.)"""
    positions = chain.from_iterable(combinations(range(count), size))
    return torch.from_numpy(np.fromiter(positions, np.int64).reshape(-1, size))
