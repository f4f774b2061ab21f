"""Ranks of all distances between inputs: by sorting, or of more than can be sorted by a histogram that follows them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.distance_tables import upper_blocks

_SHIFT = 52 - 10  # bits of a float64 that a cell leaves out: 1,024 cells from a number to its double
_CELLS = 64 << 10  # of the largest squared distance and 2⁻⁶⁴ of it; what is smaller is in the lowest
_PARTS = 1 << 21  # how many parts cells are cut into, each into more the more distances are in it


def ranks_of_all(values: Tensor) -> Tensor:
    """Ranks less their mean, equal values having the mean of theirs."""
    ordered, where = values.sort()
    ranks = torch.arange(1, len(values) + 1, dtype=torch.float64, device=values.device)
    if bool((ordered[1:] == ordered[:-1]).any()):
        _, group, sizes = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
        ranks = (sizes.cumsum(0) - (sizes - 1) / 2.0)[group]
    ranks -= (len(values) + 1) / 2.0
    return ordered.scatter_(0, where, ranks)


@dataclass(frozen=True)
class RankTable:
    """The mean rank, less that of all, of the distances in every part of a histogram.

    Floating-point numbers from 0 are in the order of their bits as whole numbers. Their leading bits are a cell, and so
    many of the next ones a part of it that no part has more than about a two-millionth of all, equal ones apart.

    Attributes:
        lowest: the leading bits of the first cell.
        following: (cells,) how many of the bits that follow tell the parts of a cell.
        starts: (cells,) the number of its first part.
        ranks: (parts,) float64.
    """

    lowest: int
    following: Tensor
    starts: Tensor
    ranks: Tensor

    @classmethod
    def of(cls, view: Tensor) -> "RankTable":
        """The table of all distances of different inputs in a view, from three passes over them."""
        top = int(torch.stack([block.amax() for block in upper_blocks(view) if len(block)]).amax().view(torch.int64))
        lowest = (top >> _SHIFT) - _CELLS + 1
        one = torch.zeros(_CELLS, dtype=torch.int64, device=view.device)
        whole = cls(lowest, one, torch.arange(_CELLS, device=view.device), one.to(view.dtype))
        counts = whole._counted(view, _CELLS).to(torch.float64)
        following = (counts * (_PARTS / float(counts.sum()))).clamp(min=1.0).log2().ceil().to(torch.int64)
        following = following.clamp_(max=_SHIFT)
        following[0] = 0
        parts = torch.ones_like(following) << following
        ends = parts.cumsum(0)
        fine = cls(lowest, following, ends - parts, whole.ranks)
        counts = fine._counted(view, int(ends[-1])).to(torch.float64)
        ranks = counts.cumsum(0)
        middle = float(ranks[-1] + 1) / 2.0
        ranks.sub_(counts.sub_(1.0).div_(2.0)).sub_(middle)
        return cls(lowest, following, fine.starts, ranks)

    def ranks_of(self, distances: Tensor) -> Tensor:
        """Ranks of squared distances, less the mean rank."""
        return self.ranks[self._place(distances)]

    def _counted(self, view: Tensor, parts: int) -> Tensor:
        counts = torch.zeros(parts, dtype=torch.int64, device=view.device)
        for block in upper_blocks(view):
            counts += torch.bincount(self._place(block), minlength=parts)
        return counts

    def _place(self, distances: Tensor) -> Tensor:
        bits = distances.contiguous().view(torch.int64)
        cell = ((bits >> _SHIFT) - self.lowest).clamp_(0, _CELLS - 1)
        following = self.following[cell]
        return self.starts[cell] + ((bits & ((1 << _SHIFT) - 1)) >> (_SHIFT - following))
