"""The certificate over every pivot label: a bound on the label side of d_{f,g} that depends on no choice."""

import torch
from torch import Tensor

from closedist.measures.bounds import unsigned
from closedist.measures.labels import with_labels
from closedist.measures.pairwise import squared_distances
from closedist.measures.terms import BLOCK_ELEMENTS, Axis, square_norm

_CANDIDATES = 8  # pivots that are written out


def certificate_any_pivot(axis: Axis, size: int) -> Tensor:
    """The largest over pivots k of the mean of the K largest 1 − |ρ_jk| over all labels j ≠ k, none left out.

    Whatever pivot and left-out label are chosen, the largest d_SVD over label subsets is at most this. A table of
    correlations finds the pivots with the largest means, and those are written out to full relative accuracy.

    Args:
        axis: m pairs over inputs, items are the labels.
        size: K.

    Returns:
        (m,) float64.
    """
    means = _means(axis, size)
    found = []
    for pivot in means.topk(min(_CANDIDATES, means.shape[-1])).indices.unbind(-1):
        labels = with_labels(axis, "max", pivot)
        used = labels.used.scatter(1, labels.left_out.unsqueeze(-1), True)
        correlation_distance = unsigned(labels.terms.correlation_distance).masked_fill(~used, -torch.inf)
        found.append(correlation_distance.topk(size).values.mean(-1))
    return torch.stack(found).amax(0)


def _means(axis: Axis, size: int) -> Tensor:
    """(m, C): for every pivot the mean of the K largest 1 − |ρ|, to about fifteen digits after the point."""
    labels, other_labels = axis.both(axis.items)
    moved = labels @ (axis.sides[0].vectors.mT @ axis.sides[1].vectors)
    own = (moved * other_labels).sum(-1)
    coordinates = axis.root.spread(axis.items)
    square = square_norm(coordinates)
    num_labels = labels.shape[1]
    step = max(1, BLOCK_ELEMENTS // (num_labels * len(axis.items)))
    parts = []
    for rows in torch.arange(num_labels, device=labels.device).tensor_split(-(-num_labels // step)):
        covariance = own[:, rows, None] + own[:, None] - moved[:, rows] @ other_labels.mT
        covariance -= (moved @ other_labels[:, rows].mT).mT
        squared, other_squared = axis.both(squared_distances(coordinates, square, rows))
        scale = squared.sqrt() * other_squared.sqrt()
        correlation = (covariance / scale).masked_fill_(scale == 0, 0.0)
        absent = (squared == 0) & (other_squared == 0)  # the pivot itself, and what varies in neither model
        parts.append((1.0 - correlation.abs()).masked_fill_(absent, -torch.inf).topk(size).values.mean(-1))
    return torch.cat(parts, -1)
