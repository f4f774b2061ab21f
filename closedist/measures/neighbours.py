"""The nearest neighbours of every input in a view, found in blocks."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.distance_tables import row_blocks
from closedist.measures.joint import Joint
from closedist.measures.pairwise import squared_distances

Metric = Literal["euclidean", "cosine"]


@dataclass(frozen=True)
class Neighbours:
    """A view and who is near whom in it.

    Attributes:
        points: (N, d) the centred view, or with the cosine its rows at unit length.
        nearest: (N, k) each input's neighbours without itself, the nearest first, of equally near the lower number.
    """

    points: Tensor
    nearest: Tensor


def neighbours(views: Joint, measure: str, k: int, metric: Metric) -> list[Neighbours]:
    """The neighbours in every view.

    Raises:
        InputError: k is not between 1 and N − 1, another metric, or only moments were kept.
    """
    if metric not in ("euclidean", "cosine"):
        raise InputError(f'metric: {metric!r}; it is "euclidean" or "cosine"')
    if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k < views.num_inputs:
        raise InputError(
            f"k: {k!r}; a whole number of neighbours from 1 to {views.num_inputs - 1} is needed, fewer than the inputs"
        )
    found = []
    for view in views.rows(measure):
        points = view / view.norm(dim=1, keepdim=True).clamp(min=1e-300) if metric == "cosine" else view / view.norm()
        found.append(Neighbours(points, nearest(points, int(k))))
    return found


def nearest(points: Tensor, k: int) -> Tensor:
    """(N, k) the k nearest others of every row, by Euclidean distance; of equally near ones the lower number."""
    count = len(points)
    points = points.contiguous()
    square = points.square().sum(1)
    result = torch.empty(count, k, dtype=torch.int64, device=points.device)
    for rows in row_blocks(count):
        inside = torch.arange(rows.start, rows.stop, device=points.device)
        distances = squared_distances(points[None], square[None], inside)[0]
        distances[torch.arange(len(inside), device=points.device), inside] = torch.inf
        more = min(k + 1, count - 1)
        values, which = distances.topk(more, largest=False, sorted=True)
        tied = (values[:, k - 1 : k] == values[:, k:]).any(1).nonzero().flatten() if more > k else inside[:0]
        values, which = values[:, :k], which[:, :k]
        for row in tied.tolist():
            which[row] = distances[row].sort(stable=True).indices[:k]
            values[row] = distances[row, which[row]]
        by_number = which.sort(1).indices
        which, values = which.gather(1, by_number), values.gather(1, by_number)
        result[rows] = which.gather(1, values.sort(dim=1, stable=True).indices)
    return result
