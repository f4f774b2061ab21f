"""Measures of how inputs lie to each other: RBF-CKA, distance correlation and representational similarity (RSA)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.distance_ranks import RankTable, ranks_of_all
from closedist.measures.distance_tables import (
    above_diagonal,
    centred_products,
    columns_and_squares,
    distance_block,
    median_distance,
    normalised,
    row_blocks,
    upper_blocks,
)
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.numbers import is_number
from closedist.measures.squared_distances import squared_distance_correlations

Kind = Literal["spearman", "pearson", "cosine"]
_RANKED = 1 << 21  # pairs of inputs that are sorted; the ranks of more come from a histogram


def rbf_cka(z: ArrayLike | Tensor, w: ArrayLike | Tensor, bandwidth: float = 1.0) -> float:
    """CKA with the kernel exp(−d²/(2·(bandwidth·median)²)), the median over the view's distances of different inputs.

    HSIC is the biased one, tr(KHLH). Invariant to a shift, one scale and a rotation of either view. From 0 to 1, not a
    metric (its arccos is one). Unrelated views are well above 0, and near 1 where there are few inputs; a small
    bandwidth makes every input similar to itself alone, and then any two views alike. Time grows with n², memory with
    n.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.
        bandwidth: the kernel's width in medians, above 0.

    Raises:
        InputError: the shapes do not fit, a view is constant, more than half of the distances are 0, or the bandwidth
            is not above 0.

    Source: Kornblith et al. (2019). platonic-rep takes one σ for all views, in their own units.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.rbf_cka(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: rbf_cka_of(views, bandwidth), z, w)


def rbf_cka_matrix(views: Views, bandwidth: float = 1.0) -> NDArray[np.float64]:
    """(n, n) :func:`rbf_cka` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.rbf_cka_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: rbf_cka_of(one, bandwidth), views)


def rbf_cka_of(views: Joint, bandwidth: float = 1.0) -> Tensor:
    """The same of views that are side by side. The kernel less 1, which centring takes out, keeps wide ones' digits."""
    if not (is_number(bandwidth) and bandwidth > 0):
        raise InputError(f"bandwidth: {bandwidth!r}; a number above 0 is needed, in medians of the distances")
    points, squares = columns_and_squares(views.rows("rbf_cka"))
    scales = []
    for name, view in zip(views.names, points, strict=True):
        median = median_distance(view)
        if not median > 0:
            raise InputError(f"{name}: more than half of its rows are equal, and the median distance is 0; drop copies")
        scales.append(-0.5 / (bandwidth * median) ** 2)

    def kernels(view: int, rows: slice) -> Tensor:
        return distance_block(points[view], squares[view], rows).mul_(scales[view]).expm1_()

    return normalised(centred_products(kernels, len(views), views.num_inputs, squares[0]), views.names).clamp(min=0.0)


def distance_correlation(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Distance correlation: the root of the ratio of V-statistics dCov²/√(dVar²·dVar'²), with Euclidean distances.

    Invariant to a shift, one scale and a rotation of either view. From 0 to 1; in the limit 0 only for independent
    views, but of n inputs well above it, and near 1 where n is not far above the dimension. Not a metric. Time grows
    with n², memory with n.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: Székely, Rizzo, Bakirov (2007). ReSi and the package dcor give the same; others give its square.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.distance_correlation(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(distance_correlation_of, z, w)


def distance_correlation_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`distance_correlation` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.distance_correlation_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(distance_correlation_of, views)


def distance_correlation_of(views: Joint) -> Tensor:
    """The same of views that are side by side. All entries less √2, which centring takes out; the mean is near it."""
    points, squares = columns_and_squares(views.rows("distance_correlation"))

    def distances(view: int, rows: slice) -> Tensor:
        return distance_block(points[view], squares[view], rows).clamp_(min=0.0).sqrt_().sub_(math.sqrt(2.0))

    products = centred_products(distances, len(views), views.num_inputs, squares[0])
    return normalised(products, views.names).clamp(min=0.0).sqrt()


def rsa(z: ArrayLike | Tensor, w: ArrayLike | Tensor, kind: Kind = "spearman") -> float:
    """Representational similarity: how alike the squared distances of all pairs of different inputs are.

    Invariant to a shift, one scale and a rotation of either view, Spearman's to any change that keeps the order of the
    distances. From −1 to 1 (the cosine from 0); not a metric. Unrelated views: about 0, the cosine near 1, since
    distances are positive. Distances are dependent, n(n − 1)/2 of n inputs, so that no textbook p-value of a
    correlation holds.

    Args:
        z: (n, d) array or tensor, one row an input; n ≥ 3.
        w: (n, e) array or tensor of the same inputs in the same order.
        kind: "spearman", "pearson" or "cosine" of the two lists of squared distances. The last two come from second
            moments; Spearman's of more than two million pairs from a histogram of two million cells, in which all
            distances have the mean rank (an error below 1e-9).

    Raises:
        InputError: the shapes do not fit, a view is constant, all its inputs are at one distance, or another kind.

    Source: Kriegeskorte, Mur, Bandettini (2008). Squared Euclidean distances are rsatoolbox's default; ReSi takes one
    minus the correlation of rows, others the distance itself, which only Spearman's does not see.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.rsa(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(lambda views: rsa_of(views, kind), z, w)


def rsa_matrix(views: Views, kind: Kind = "spearman") -> NDArray[np.float64]:
    """(n, n) :func:`rsa` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.rsa_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(lambda one: rsa_of(one, kind), views)


def rsa_of(views: Joint, kind: Kind = "spearman") -> Tensor:
    """The same of views that are side by side."""
    if kind not in ("spearman", "pearson", "cosine"):
        raise InputError(f'kind: {kind!r}; it is "spearman", "pearson" or "cosine"')
    if views.num_inputs < 3:
        raise InputError(f"{' and '.join(views.names)}: {views.num_inputs} rows; rsa needs three inputs or more")
    if kind != "spearman":
        return squared_distance_correlations(views, centred=kind == "pearson")
    points, squares = columns_and_squares(views.rows("rsa"))
    count = views.num_inputs
    if count * (count - 1) // 2 <= _RANKED:
        ranks = torch.stack([ranks_of_all(torch.cat(list(upper_blocks(view)))) for view in points])
        return normalised(ranks @ ranks.mT, views.names)
    tables = [RankTable.of(view) for view in points]
    products = squares[0].new_zeros(len(views), len(views))
    for rows in row_blocks(count, len(views)):
        blocks = []
        for view, square, table in zip(points, squares, tables, strict=True):
            block = distance_block(view, square, rows)
            blocks.append(table.ranks_of(above_diagonal(block)))
        ranks = torch.stack(blocks)
        products += ranks @ ranks.mT
    return normalised(products, views.names)
