"""Pairs of models on one axis, and the terms of d_LLV written out from their root factors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from closedist.measures.roots import Root, pair_roots

BLOCK_ELEMENTS = 1 << 20  # float64 numbers in a temporary: 8 MB
ZERO = 64 * torch.finfo(torch.float64).eps  # a distance of two items relative to both: below, they are the same item
_MANY = 256  # labels
SUSPICIOUS = 1e-6  # of a squared distance by products: below, rounding shows, and differences are taken directly


@dataclass(frozen=True)
class Axis:
    """m pairs among n models over one axis: inputs, where the items are labels, or labels, where the items are inputs.

    Attributes:
        root: of the models, in one coordinate system or with coordinates of their own.
        items: (n, L, M) the items' vectors.
        pairs: (m, 2) indices of models.
        sides: the roots of both sides of the pairs, (m, r, M) with an r of their own.
        black_boxes: whether the items are the unit vectors, as the labels of black boxes are: products with a root are
            then its columns.
    """

    root: Root
    items: Tensor
    pairs: Tensor
    sides: tuple[Root, Root]
    black_boxes: bool = False

    def some(self, which: Tensor) -> "Axis":
        """The same axis with some of its pairs, (k,) indices."""
        first, second = (side.select(which) for side in self.sides)
        return replace(self, pairs=self.pairs[which], sides=(first, second))

    def about(self, middle: Tensor) -> "Axis":
        """The same axis with its items given less a vector, (n, M), of their model."""
        first, second = (side.about(part) for side, part in zip(self.sides, self.both(middle), strict=True))
        return Axis(self.root.about(middle), self.items - middle.unsqueeze(1), self.pairs, (first, second))

    @property
    def columns_are_few(self) -> bool:
        """Whether models have fewer columns than coordinates, and products of columns are the cheaper ones."""
        rows, columns = self.root.vectors.shape[-2:]
        return self.root.angles is not None or rows > max(columns + 1, 64)

    def both(self, of_models: Tensor) -> tuple[Tensor, Tensor]:
        """What belongs to n models, (n, …), as what belongs to the two sides of m pairs, (m, …) each."""
        if len(self.pairs) == 1:  # a single pair may be large: no copies
            i, j = self.pairs[0].tolist()
            return of_models[i : i + 1], of_models[j : j + 1]
        return of_models[self.pairs[:, 0]], of_models[self.pairs[:, 1]]

    def blocks(self) -> list[slice]:
        """Blocks of items such that the coordinates of one, for all pairs, stay small."""
        count = self.items.shape[1]
        step = max(1, BLOCK_ELEMENTS // (len(self.pairs) * self.sides[0].vectors.shape[-2]))
        return [slice(start, start + step) for start in range(0, count, step)]


def axis_of(root: Root, items: Tensor, pairs: Tensor) -> Axis:
    """The axis of these pairs; that of a single pair among many models is cut to what this pair needs."""
    if len(pairs) == 1:
        i, j = pairs[0].tolist()
        sides = pair_roots(root, pairs)
        items = items if len(items) == 2 else items[[i, j]]
        count = items.shape[1]
        many = count == items.shape[2] and count > _MANY  # of few the products cost nothing
        units = many and all(bool(torch.equal(of_model, torch.eye(count).to(of_model))) for of_model in items)
        return Axis(Root.joined(sides), items, torch.tensor([[0, 1]], device=pairs.device), sides, units)
    return Axis(root, items, pairs, pair_roots(root, pairs))


@dataclass(frozen=True)
class Powers:
    """(m, L) each: the variances of single log-likelihoods in both models, and that of their difference."""

    first: Tensor
    second: Tensor
    gap: Tensor

    def take(self, positions: Tensor) -> "Powers":
        """The powers of these items, an index tensor shared by all pairs."""
        return Powers(self.first[:, positions], self.second[:, positions], self.gap[:, positions])


@dataclass(frozen=True)
class Points:
    """Items as points, what they are by themselves in each of n models, and in pairs of them.

    Attributes:
        coordinates: (n, L, ≤ M) points about their mean whose distances are s of two items.
        square: (n, L) their squared norms.
        powers: of the items.
    """

    coordinates: Tensor
    square: Tensor
    powers: Powers


def points(axis: Axis) -> Points:
    """All items as points, with Var ℓ, Var ℓ' and Var(ℓ − ℓ') of each."""
    middle = axis.items.mean(1)
    about = axis.about(middle)
    coordinates = about.root.spread(about.items)
    gaps = _gaps_by_columns(about) if about.columns_are_few else partial(_gaps_by_coordinates, about)
    blocks, variances = axis.blocks(), coordinates.new_empty(coordinates.shape[:2])
    for block in blocks:
        variances[:, block] = about.root.variances(coordinates[:, block])
    first, second = axis.both(variances)
    gap = first + second
    for block in blocks:
        gap[:, block] = gaps(block, gap[:, block])
    return Points(coordinates, square_norm(coordinates), Powers(first, second, gap))


def _gaps_by_columns(axis: Axis) -> Callable[[slice, Tensor], Tensor]:
    """(m, L) squared distances of items, by products of the columns of both sides, or directly where that loses digits.

    What is (m, …, L) is laid out with L, the longest, last.
    """
    first, second = axis.sides
    shared, other_shared = first.shared.unsqueeze(-1), second.shared.unsqueeze(-1)
    of_vectors, of_other = second.vectors.mT @ first.vectors, second.vectors.mT @ shared
    of_first, of_shared = other_shared.mT @ first.vectors, other_shared.mT @ shared

    def gaps(items: slice, both: Tensor) -> Tensor:
        x, other_x = (part.mT for part in axis.both(axis.items[:, items]))
        inner = torch.baddbmm(of_other, of_vectors, x).mul_(other_x).sum(-2)
        inner += torch.baddbmm(of_shared, of_first, x).squeeze(-2)
        gap = torch.sub(both, inner, alpha=2)
        close = (gap < SUSPICIOUS * both).any(-1).nonzero()[:, 0]
        if len(close):
            one, other = (
                side.vectors[close] @ part[close] + side.shared[close].unsqueeze(-1)
                for side, part in ((first, x), (second, other_x))
            )
            gap[close] = one.sub_(other).square_().sum(-2)
        return gap

    return gaps


def _gaps_by_coordinates(axis: Axis, items: slice, both: Tensor) -> Tensor:
    """(m, L) squared distances of items in the few coordinates that all models share."""
    single, (first, second) = axis.root.single(axis.items[:, items]), axis.pairs.T
    if len(axis.pairs) <= len(single):
        return square_norm(single[first] - single[second])
    by_item = single.movedim(1, 0).contiguous()
    (firsts, rows), (seconds, columns) = (torch.unique(side, return_inverse=True) for side in (first, second))
    products = (by_item[:, firsts] @ by_item[:, seconds].mT).flatten(1).T.contiguous()
    gap = torch.sub(both, products[rows * len(seconds) + columns], alpha=2)
    pair, item = (gap < SUSPICIOUS * both).nonzero(as_tuple=True)
    if len(pair):
        gap[pair, item] = square_norm(single[first[pair], item] - single[second[pair], item])
    return gap


def squared_terms(inverse: Tensor, other_inverse: Tensor, *items: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
    """Var(αℓ − βℓ') = αβ·Var(ℓ − ℓ') + (α − β)·(α·Var ℓ − β·Var ℓ'), which loses nothing where both models are close.

    Rounding may leave what should be 0 below it.

    Args:
        inverse, other_inverse: α = 1/s and β = 1/s'.
        items: Var ℓ, Var ℓ' and Var(ℓ − ℓ') of each ℓ that these belong to.
    """
    difference, product = inverse - other_inverse, inverse * other_inverse
    return [
        (inverse * first).addcmul_(other_inverse, second, value=-1).mul_(difference).addcmul_(product, gap)
        for first, second, gap in items
    ]


@dataclass(frozen=True)
class Terms:
    """(m, L) each, against a pivot item: the terms of d_LLV and the correlation distance of the items' log-odds.

    Attributes:
        rest: std of ℓ(j)/s_j − ℓ'(j)/s'_j.
        pivot: std of ℓ(k)/s_j − ℓ'(k)/s'_j.
        scale: |s_j − s'_j|.
        std, other_std: s_j and s'_j.
        correlation_distance: 1 − ρ_j = ½·‖u_j − u'_j‖², with u_j the log-odds scaled to unit length.
    """

    rest: Tensor
    pivot: Tensor
    scale: Tensor
    std: Tensor
    other_std: Tensor
    correlation_distance: Tensor


def written_out(axis: Axis, pivot: Tensor, items: Tensor | None = None) -> Terms:
    """All terms as norms of differences, to full relative accuracy.

    Items whose log-odds against the pivot do not vary have a standard deviation of 0, and terms that mean nothing.

    Args:
        axis: the pairs and their items.
        pivot: (m,) each pair's pivot item.
        items: (m, L) the items of each pair to write out, by default all.
    """
    base, other_base = (root.single(_at(axis, side, pivot[:, None])) for side, root in enumerate(axis.sides))
    parts: list[tuple[Tensor, ...]] = []
    blocks = axis.blocks() if items is None else [slice(None)]
    for block in blocks:
        odds, other_odds = _log_odds(axis, pivot, block if items is None else items)
        std, other_std = odds.norm(dim=-1), other_odds.norm(dim=-1)
        s, other_s = std.unsqueeze(-1), other_std.unsqueeze(-1)
        rest = ((base + odds) / s).sub_((other_base + other_odds) / other_s).norm(dim=-1)
        pivots = (base / s).sub_(other_base / other_s).norm(dim=-1)
        correlation_distance = 0.5 * square_norm((odds / s).sub_(other_odds / other_s))
        parts.append((rest, pivots, (std - other_std).abs(), std, other_std, correlation_distance))
    return Terms(*(torch.cat(columns, -1) for columns in zip(*parts, strict=True)))


def unit_log_odds(axis: Axis, pivot: Tensor, items: slice | Tensor) -> tuple[Tensor, Tensor]:
    """The log-odds of items against the pivot in both models, scaled to unit length; a constant stays zero.

    Args:
        axis: the pairs and their items.
        pivot: (m,) each pair's pivot item.
        items: (m, L) the items of each pair, or a slice of all.

    Returns:
        (m, L, r) twice.
    """
    odds, other_odds = _log_odds(axis, pivot, items)
    return (
        odds / odds.norm(dim=-1, keepdim=True).clamp(min=1e-300),
        other_odds / other_odds.norm(dim=-1, keepdim=True).clamp(min=1e-300),
    )


def _log_odds(axis: Axis, pivot: Tensor, items: slice | Tensor) -> tuple[Tensor, Tensor]:
    """(m, L, r) twice: coordinates of the items' log-odds against the pivot in both models."""
    if axis.black_boxes:
        row = torch.arange(len(pivot), device=pivot.device)
        columns, other_columns = (root.vectors.mT for root in axis.sides)
        of_items = (slice(None), items) if isinstance(items, slice) else (row[:, None], items)
        return (
            (columns[of_items] - columns[row, pivot].unsqueeze(1)).contiguous(),
            (other_columns[of_items] - other_columns[row, pivot].unsqueeze(1)).contiguous(),
        )
    first, second = (
        root.difference(_at(axis, side, items) - _at(axis, side, pivot[:, None]))
        for side, root in enumerate(axis.sides)
    )
    return first, second


def _at(axis: Axis, side: int, items: slice | Tensor) -> Tensor:
    """(m, L, M) vectors of items of one side's models: the same slice, or an (m, L) index."""
    models = axis.pairs[:, side]
    if isinstance(items, slice):
        return axis.both(axis.items[:, items])[side]
    return axis.items[models[:, None], items]


def square_norm(coordinates: Tensor) -> Tensor:
    """Squared Euclidean norms over the last dimension."""
    return coordinates.square().sum(-1)
