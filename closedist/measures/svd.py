"""d_SVD: one minus the mean singular value of the cross-correlation of two sets of K standardised columns.

With U and V the columns at unit length, m_SVD is the mean of the singular values of UᵀV, and (orthogonal Procrustes)
d_SVD = min over rotations Q of ‖UQ − V‖²/(2K), which is how a small one is computed.
"""

import math
from itertools import chain, combinations

import numpy as np
import torch
from torch import Tensor

from closedist.measures import bounds
from closedist.measures.singular_values import nuclear_norm, polar_factor
from closedist.measures.terms import BLOCK_ELEMENTS, square_norm

MAX_ENUMERATED = 10_000  # label subsets that are gone through without asking
TABLED = 1024  # columns, up to which a table of all correlations serves every subset
_SMALL = 1e-2  # below, 1 − m_SVD loses digits that bounds are held to, and the Procrustes form is used


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
