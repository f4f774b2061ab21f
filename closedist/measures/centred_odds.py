"""Log-odds of each label against the mean of all: what is said of them depends on no pivot label.

h_y = ℓ(y|x) − mean over y' of ℓ(y'|x), centred over the inputs too. 1 − corr(h_y, h'_y) of two models' is the breakdown
of the logit correlation by label. Two labels that are nearly one have nearly one h, where the log-odds of the one
against the other are little but noise.
"""

import torch
from torch import Tensor

from closedist.measures.svd import dissimilarity
from closedist.measures.terms import ZERO, Axis, square_norm


def centred_units(axis: Axis) -> tuple[Tensor, Tensor]:
    """h of every label in both models, scaled to unit length; what does not vary stays zero.

    Args:
        axis: m pairs over inputs, items are the labels.

    Returns:
        (m, C, r) twice.
    """
    items = axis.both(axis.items - axis.items.mean(1, keepdim=True))
    first, second = (_unit(side.difference(of_side)) for side, of_side in zip(axis.sides, items, strict=True))
    return first, second


def _unit(rows: Tensor) -> Tensor:
    norms = rows.norm(dim=-1, keepdim=True)
    units: Tensor = rows / norms.masked_fill(norms <= ZERO * norms.amax(1, keepdim=True), torch.inf)
    return units


def apart(units: Tensor, other_units: Tensor) -> Tensor:
    """(m, C) 1 − corr(h_y, h'_y) from (m, C, r) unit rows; 1 where it varies in one model only, 0 where in neither."""
    constant, other_constant = ((rows == 0).all(-1) for rows in (units, other_units))
    found: Tensor = (0.5 * square_norm(units - other_units)).masked_fill(constant ^ other_constant, 1.0)
    return found


def turned_apart(units: Tensor, other_units: Tensor, labels: Tensor) -> Tensor:
    """(m,) d_SVD of the h of (m, K) labels: at most the mean of :func:`apart` over them, whichever they are."""
    row, size = torch.arange(len(labels), device=labels.device)[:, None], labels.shape[-1]
    first, second = units[row, labels], other_units[row, labels]
    constant = ((first == 0) & (second == 0)).all(-1)
    if bool(constant.any()):  # what varies in neither agrees: a direction of its own in both
        own = torch.diag_embed(constant.to(first.dtype))
        first, second = torch.cat([first, own], -1), torch.cat([second, own], -1)
    return dissimilarity(first, second, torch.arange(size, device=labels.device)[None, None])[:, 0]
