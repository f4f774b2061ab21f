"""Pairs of models on one axis, and the terms of d_LLV written out from their root factors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures._roots import Root, pair_root

BLOCK_ELEMENTS = 1 << 22  # float64 numbers in a temporary: 32 MB
ZERO = 64 * torch.finfo(torch.float64).eps  # a distance of two items relative to both: below, they are the same item


@dataclass(frozen=True)
class PairAxis:
    """m pairs of models over one axis: inputs, where the items are labels, or labels, where the items are inputs.

    Attributes:
        first, second: the roots of both models.
        items, other_items: (m, L, M) the items' vectors in both models.
    """

    first: Root
    second: Root
    items: Tensor
    other_items: Tensor

    def with_items(self, items: Tensor, other_items: Tensor) -> "PairAxis":
        """The same pairs and axis with other items."""
        return PairAxis(self.first, self.second, items, other_items)

    def rows(self, which: Tensor) -> "PairAxis":
        """Some of the pairs, (k,) indices; all of them without a copy."""
        if which.shape[0] == self.items.shape[0]:
            return self
        return PairAxis(self.first.select(which), self.second.select(which), self.items[which], self.other_items[which])

    def blocks(self) -> list[slice]:
        """Blocks of items such that one coordinate array of a block stays small."""
        pairs, count = self.items.shape[:2]
        step = max(1, BLOCK_ELEMENTS // (pairs * self.first.vectors.shape[-2]))
        return [slice(start, start + step) for start in range(0, count, step)]


def pair_axis(root: Root, items: Tensor, pairs: Tensor) -> PairAxis:
    """Gather both sides of these pairs, (m, 2) indices into the n models of ``root`` and (n, L, M) ``items``."""
    first, second = root.select(pairs[:, 0]), root.select(pairs[:, 1])
    if pairs.shape[0] == 1:  # a single pair may be large: reduce its roots, and do not copy its items
        i, j = pairs[0].tolist()
        return PairAxis(*pair_root(first, second), items[i : i + 1], items[j : j + 1])
    return PairAxis(first, second, items[pairs[:, 0]], items[pairs[:, 1]])


@dataclass(frozen=True)
class Powers:
    """(m, L) each: the variances of single log-likelihoods in both models, and that of their difference."""

    first: Tensor
    second: Tensor
    gap: Tensor

    def take(self, positions: Tensor) -> "Powers":
        """The powers of these items, an index tensor shared by all pairs."""
        return Powers(self.first[:, positions], self.second[:, positions], self.gap[:, positions])


def powers(axis: PairAxis) -> Powers:
    """Var ℓ, Var ℓ' and Var(ℓ − ℓ') of every item."""
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for block in axis.blocks():
        single, other = axis.first.single(axis.items[:, block]), axis.second.single(axis.other_items[:, block])
        columns.append((square_norm(single), square_norm(other), square_norm(single - other)))
    return Powers(*(torch.cat(parts, -1) for parts in zip(*columns, strict=True)))


def squared_term(inverse: Tensor, other_inverse: Tensor, first: Tensor, second: Tensor, gap: Tensor) -> Tensor:
    """Var(αℓ − βℓ') = αβ·Var(ℓ − ℓ') + (α − β)·(α·Var ℓ − β·Var ℓ'), which loses nothing where both models are close.

    Args:
        inverse, other_inverse: α = 1/s and β = 1/s'.
        first, second, gap: Var ℓ, Var ℓ' and Var(ℓ − ℓ').
    """
    slope = (inverse * first).sub_(other_inverse * second).mul_(inverse - other_inverse)
    return slope.addcmul_(inverse * other_inverse, gap).clamp_(min=0.0)


@dataclass(frozen=True)
class Terms:
    """(m, L) each, against a pivot item: the terms of d_LLV and the decorrelation of the items' log-odds.

    Attributes:
        rest: std of ℓ(j)/s_j − ℓ'(j)/s'_j.
        pivot: std of ℓ(k)/s_j − ℓ'(k)/s'_j.
        scale: |s_j − s'_j|.
        spread, other_spread: s_j and s'_j.
        decorrelation: 1 − ρ_j = ½·‖u_j − u'_j‖², with u_j the log-odds scaled to unit length.
    """

    rest: Tensor
    pivot: Tensor
    scale: Tensor
    spread: Tensor
    other_spread: Tensor
    decorrelation: Tensor


def written_out(axis: PairAxis, pivot: Tensor, other_pivot: Tensor) -> Terms:
    """All terms as norms of differences, to full relative accuracy.

    Items whose log-odds against the pivot do not vary have spread 0, and terms that mean nothing.

    Args:
        axis: the pairs and their items.
        pivot, other_pivot: (m, M) vectors of each pair's pivot item.
    """
    vector, other_vector = pivot.unsqueeze(1), other_pivot.unsqueeze(1)
    base, other_base = axis.first.single(vector), axis.second.single(other_vector)
    parts: list[tuple[Tensor, ...]] = []
    for block in axis.blocks():
        odds = axis.first.difference(axis.items[:, block] - vector)
        other_odds = axis.second.difference(axis.other_items[:, block] - other_vector)
        spread, other_spread = odds.norm(dim=-1), other_odds.norm(dim=-1)
        s, other_s = spread.unsqueeze(-1), other_spread.unsqueeze(-1)
        rest = ((base + odds) / s - (other_base + other_odds) / other_s).norm(dim=-1)
        pivots = (base / s - other_base / other_s).norm(dim=-1)
        decorrelation = 0.5 * square_norm(odds / s - other_odds / other_s)
        parts.append((rest, pivots, (spread - other_spread).abs(), spread, other_spread, decorrelation))
    return Terms(*(torch.cat(columns, -1) for columns in zip(*parts, strict=True)))


def unit_odds(axis: PairAxis, pivot: Tensor, other_pivot: Tensor) -> tuple[Tensor, Tensor]:
    """(m, L, r) twice: the items' log-odds against the pivot in both models, scaled to unit length; zero stays zero."""
    odds = axis.first.difference(axis.items - pivot.unsqueeze(1))
    other_odds = axis.second.difference(axis.other_items - other_pivot.unsqueeze(1))
    return torch.nn.functional.normalize(odds, dim=-1, eps=1e-300), torch.nn.functional.normalize(
        other_odds, dim=-1, eps=1e-300
    )


def square_norm(coordinates: Tensor) -> Tensor:
    """Squared Euclidean norms over the last dimension."""
    return torch.linalg.vecdot(coordinates, coordinates)
