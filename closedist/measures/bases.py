"""What belongs to one model on one axis, computed once: an orthonormal basis of its columns, as a map from them.

A model's columns X = (f, −log Z) over the inputs, or (g, b) over the labels, are Y·T with Y orthonormal and T small. Y
is never kept: it is formed again from X block by block where products YᵀY' of a pair of models are asked for, and with
them any measure of the pair costs nothing that depends on the number of rows or of other models.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.gram import gram
from closedist.measures.roots import Angles, Root, triangular
from closedist.measures.terms import ZERO

_CLOSE = 1e5  # tr((1 − CᵀC)⁻¹): above, a principal angle is so small that 1 − CᵀC has too few of its digits
_CLOSE_BYTES = 1 << 24  # of differences of close bases at once
_ANGLE_BYTES = 1 << 22  # of cosines at once

Blocks = Callable[[], Iterator[tuple[Tensor, Tensor]]]  # of rows: (n, B, M) vector columns and (n, B) shared ones


@dataclass(frozen=True)
class Bases:
    """Maps from the columns of n models to orthonormal ones, and back.

    Attributes:
        means: (n, M + 1) of the columns.
        whitening: (n, M, M) from the centred vector columns to orthonormal ones, zero beyond their rank.
        along: (n, M) the coordinates of the shared column in these.
        beyond: (n,) the norm of what is left of the shared column; 0 where nothing is.
        triangle: (n, M + 1, M + 1) T.
        sizes: (n, M) singular values of the vector columns at unit length, descending.
    """

    means: Tensor
    whitening: Tensor
    along: Tensor
    beyond: Tensor
    triangle: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, root: Tensor, means: Tensor) -> "Bases":
        """From root factors, (n, M + 1, M + 1), whose columns are the vectors' and the shared one."""
        vectors, shared = root[..., :-1], root[..., -1:]
        norms = vectors.norm(dim=-2, keepdim=True).clamp(min=1e-300)
        left, sizes, right = torch.linalg.svd(vectors / norms, full_matrices=False)
        kept = sizes > ZERO * sizes[..., :1]
        whitening = right.mT / norms.mT / sizes.masked_fill(~kept, torch.inf).unsqueeze(-2)
        left = left * kept.unsqueeze(-2)
        along = left.mT @ shared
        beyond = (shared - left @ along).norm(dim=-2)
        beyond = beyond.masked_fill(beyond <= ZERO * shared.norm(dim=-2), 0.0)
        triangle = torch.zeros_like(root)
        filled_up = vectors.abs().amax(-2, keepdim=True) == 0  # columns that a smaller model has not, and no others
        triangle[..., :-1, :-1] = ((sizes * kept).unsqueeze(-1) * right * norms).masked_fill(filled_up, 0.0)
        triangle[..., :-1, -1:] = along
        triangle[..., -1, -1:] = beyond
        return cls(means, whitening, along.squeeze(-1), beyond.squeeze(-1), triangle, sizes)

    def select(self, models: Tensor) -> "Bases":
        """Those of these models."""
        return Bases(*(part[models] for part in vars(self).values()))

    @classmethod
    def joined(cls, parts: Sequence["Bases"]) -> "Bases":
        """Those of several sets of models, one after the other."""
        return cls(*(torch.cat(columns) for columns in zip(*(vars(part).values() for part in parts), strict=True)))

    def columns(self, vectors: Tensor, shared: Tensor) -> Tensor:
        """(n, B, M) and (n, B) of some rows to (n, B, M + 1) orthonormal columns, those of a row side by side."""
        count, rows, width = vectors.shape
        found = vectors.new_empty(rows, count, width + 1).movedim(1, 0)
        whitened = (vectors - self.means[:, None, :-1]) @ self.whitening
        found[..., :-1] = whitened
        rest = shared - self.means[:, -1:] - (whitened @ self.along.unsqueeze(-1)).squeeze(-1)
        torch.div(rest, self.beyond.masked_fill(self.beyond == 0, torch.inf).unsqueeze(-1), out=found[..., -1])
        return found


def own_coordinates(bases: Bases, blocks: Blocks, pairs: Tensor) -> Root:
    """The root of n models with coordinates of their own, and how they lie to each other in pairs.

    Args:
        bases: of the models.
        blocks: all rows, block by block; gone through once, and again where bases are so close that 1 − CᵀC has lost
            digits: their differences then give S.
        pairs: (m, 2) indices.
    """
    count, width = bases.triangle.shape[:2]
    (firsts, rows), (seconds, columns) = (torch.unique(side, return_inverse=True) for side in pairs.T)
    of_tile = bases.triangle.new_zeros(len(firsts) * width, len(seconds) * width)
    grams = torch.zeros_like(bases.triangle)
    for vectors, shared in blocks():
        orthonormal = bases.columns(vectors, shared)
        grams += gram(orthonormal)
        of_tile.addmm_(_side_by_side(orthonormal, firsts).T, _side_by_side(orthonormal, seconds))

    # what rounding left of orthonormality: Y = Q·Lᵀ, L the Cholesky factor of YᵀY, which is nearly 1
    missing = grams.diagonal(dim1=-2, dim2=-1) < 0.5
    lower = torch.linalg.cholesky(grams + torch.diag_embed(missing.double()))
    products = of_tile.reshape(len(firsts), width, len(seconds), width)
    cosines, sines = (bases.triangle.new_empty(len(pairs), width, width) for _ in range(2))
    step = max(1, _ANGLE_BYTES // (8 * width * width))
    for some in (slice(start, start + step) for start in range(0, len(pairs), step)):
        first, second = pairs[some].T
        left = torch.linalg.solve_triangular(lower[first], products[rows[some], :, columns[some]], upper=False)
        cosines[some] = torch.linalg.solve_triangular(lower[second].mT, left, upper=True, left=False)
        sines[some] = _sines(cosines[some])
    close = torch.isnan(sines[:, 0, 0]).nonzero()[:, 0]
    if len(close):
        sines[close] = _close_sines(bases, blocks, pairs[close], cosines[close], lower)
    index = torch.full((count, count), -1, dtype=torch.int64, device=pairs.device)
    index[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs), device=pairs.device)
    triangle = lower.mT @ bases.triangle
    angles = Angles(cosines, sines, index, bases.sizes)
    return Root(triangle[..., :-1], triangle[..., -1], triangle, angles)


def _side_by_side(columns: Tensor, models: Tensor) -> Tensor:
    """(B, |models|·(M + 1)) of (n, B, M + 1), without a copy where these models are neighbours."""
    rows = columns.movedim(0, 1)
    low, high = int(models[0]), int(models[-1]) + 1
    return (rows[:, low:high] if high - low == len(models) else rows[:, models]).flatten(1)


def _sines(cosines: Tensor) -> Tensor:
    """(m, r, r) S with SᵀS = 1 − CᵀC; NaN where too few digits of it are left."""
    identity = torch.eye(cosines.shape[-1], dtype=cosines.dtype, device=cosines.device)
    factor, failed = torch.linalg.cholesky_ex(identity - cosines.mT @ cosines, upper=True)
    inverse = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=True)
    size = inverse.square().sum((-1, -2))
    found: Tensor = factor.masked_fill(((failed > 0) | ~(size < _CLOSE))[:, None, None], torch.nan)
    return found


def _close_sines(bases: Bases, blocks: Blocks, pairs: Tensor, cosines: Tensor, lower: Tensor) -> Tensor:
    """S of m pairs from Q' − Q·C itself."""
    width = cosines.shape[-1]
    factors = cosines.new_zeros(len(pairs), 0, width)
    for vectors, shared in blocks():
        columns = torch.linalg.solve_triangular(lower.mT, bases.columns(vectors, shared), upper=True, left=False)
        step = max(1, _CLOSE_BYTES // (8 * columns.shape[1] * width))
        parts = []
        for part in (slice(start, start + step) for start in range(0, len(pairs), step)):
            first, second = pairs[part].T
            rest = torch.baddbmm(columns[second], columns[first], cosines[part], alpha=-1.0)
            parts.append(triangular(torch.cat([factors[part], rest], -2)))
        factors = torch.cat(parts)
    missing = cosines.new_zeros(len(pairs), width - factors.shape[-2], width)
    return torch.cat([factors, missing], -2)
