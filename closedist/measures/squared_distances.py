"""Squared distances of all pairs of inputs, whose products over pairs come from second moments alone."""

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.cka import unit_squared_products
from closedist.measures.joint import Joint


def squared_distance_products(views: Joint) -> Tensor:
    """(n, n) Σ over ordered pairs of different inputs of d²e², d and e their distances in two views of norm one.

    With centred views it is 2nΣ‖x_i‖²‖y_i‖² + 2 + 4‖XᵀY‖², given here without the part 4n/(n − 1) that it has for any
    two views: what is left is the centred sum of products.
    """
    count = views.num_inputs
    squares = views.unit_squares()
    return 2.0 * count * (squares @ squares.mT) + 4.0 * unit_squared_products(views) - 4.0 / (count - 1)


def squared_distance_correlations(views: Joint, *, centred: bool) -> Tensor:
    """(n, n) correlation of the squared distances of all pairs of inputs, or with ``centred=False`` their cosine."""
    products = squared_distance_products(views)
    if not centred:
        products = products + 4.0 * views.num_inputs / (views.num_inputs - 1)
    sizes = products.diagonal().clamp(min=0.0).sqrt()
    for name, size in zip(views.names, sizes.tolist(), strict=True):
        if not size > 0:
            raise InputError(f"{name}: all inputs are at one distance from each other; give more inputs")
    return torch.clamp(products / (sizes[:, None] * sizes), -1.0, 1.0).fill_diagonal_(1.0)
