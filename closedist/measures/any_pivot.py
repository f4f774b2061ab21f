"""The certificate over every pivot label: a bound on the label side of d_{f,g} that depends on no choice."""

import torch
from torch import Tensor

from closedist.measures.bounds import unsigned
from closedist.measures.label_table import label_table
from closedist.measures.labels import with_labels
from closedist.measures.terms import Axis

_CANDIDATES = 8  # pivots that are written out
_TILE_ELEMENTS = 1 << 23


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
        decorrelation = unsigned(labels.terms.decorrelation).masked_fill(~used, -torch.inf)
        found.append(decorrelation.topk(size).values.mean(-1))
    return torch.stack(found).amax(0)


def _means(axis: Axis, size: int) -> Tensor:
    """(m, C): for every pivot the mean of the K largest 1 − |ρ|, to about fifteen digits after the point."""
    table = label_table(axis, "max", "ignore")
    labels, other_labels = axis.both(axis.items)
    moved = labels @ (axis.sides[0].vectors.mT @ axis.sides[1].vectors)
    own = (moved * other_labels).sum(-1)
    num_labels = labels.shape[1]
    every = slice(0, num_labels)
    step = max(1, _TILE_ELEMENTS // (num_labels * len(axis.pairs)))
    parts = []
    for start in range(0, num_labels, step):
        rows = slice(start, min(start + step, num_labels))
        covariance = own[:, rows, None] + own[:, None] - moved[:, rows] @ other_labels.mT
        covariance -= (moved @ other_labels[:, rows].mT).mT
        square, other_square = axis.both(table.squared_spread(rows, every))
        scale = square.sqrt() * other_square.sqrt()  # infinite on the diagonal of a tile that is the whole table
        correlation = (covariance / scale).masked_fill_(scale == 0, 0.0)
        absent = ((square == 0) & (other_square == 0)) | torch.isinf(scale)
        unlike = (1.0 - correlation.abs()).masked_fill_(absent, -torch.inf)
        parts.append(unlike.topk(size).values.mean(-1))
    return torch.cat(parts, -1)
