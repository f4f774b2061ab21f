"""Shape distances: how far two sets of points are apart after the best rotation; and distances of their covariances."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.factors import factors
from closedist.measures.joint import Columns, Joint, Views, of_all, of_two
from closedist.measures.pair_norms import rotated_distances


def procrustes_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Orthogonal Procrustes distance: min over rotations Q of ‖X/‖X‖ − YQ/‖Y‖‖, X and Y the centred views.

    Invariant to a shift, one scale and a rotation of either view, reflections included; of views of different widths
    the narrower one is filled up with zeros. A metric, from 0 to √2. Unrelated views are not at √2: with d ≪ n at about
    √(2 − 2‖XᵀY‖_*) of noise, which is far below it where d is large. It is ruled by the directions of large variance.

    The same number is the Bures distance of the n×n Gram matrices, each of trace 1 (Harvey et al., 2024). Other
    packages give its square (ReSi), or do not divide by the norms.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: Schönemann (1966); Ding, Denain, Steinhardt (2021); Williams et al. (2021).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.procrustes_distance(z, z[:, [2, 0, 1]] + 1), 6)
        0.0
    """
    return of_two(procrustes_of, z, w)


def procrustes_distance_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`procrustes_distance` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.procrustes_distance_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(procrustes_of, views)


def procrustes_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    return rotated_distances(views.columns, views.norms, views.first)


def angular_shape_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Angular shape distance arccos(‖XᵀY‖_*/(‖X‖‖Y‖)), in radians from 0 to π/2, X and Y the centred views.

    The angle of which :func:`procrustes_distance` is the chord, 2·sin(angle/2), with the same invariances; a metric.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.

    Raises:
        InputError: the shapes do not fit, or a view is constant.

    Source: Williams, Kunz, Kornblith, Linderman (2021), netrep's LinearMetric(alpha=1).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.angular_shape_distance(z, z[:, [2, 0, 1]] + 1), 6)
        0.0
    """
    return of_two(angular_of, z, w)


def angular_shape_distance_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`angular_shape_distance` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.angular_shape_distance_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(angular_of, views)


def angular_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    return angles(procrustes_of(views))


def angles(chords: Tensor) -> Tensor:
    """The angles at the centre of chords of the unit sphere, which are small where these are, with all their digits."""
    return 2.0 * torch.asin((chords / 2.0).clamp(max=math.sqrt(0.5)))


def bures_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Bures distance of the two covariances, each of trace 1: √(2 − 2·tr (Σ_z^½ Σ_w Σ_z^½)^½).

    It compares the coordinates as they are: both views must have the same columns, as a network and its quantised copy
    have, and it sees which directions vary but not which input lies where. Invariant to a shift and one scale of either
    view, and to one rotation of both together. A metric on covariances, from 0 to √2 (covariances of disjoint support).
    Distance 0 means equal covariances, not equal views. For n×n Gram matrices take :func:`procrustes_distance`.

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, d) array or tensor of the same inputs, its columns those of z.

    Raises:
        InputError: the shapes do not fit, the widths differ, or a view is constant.

    Source: Bures (1969); Bhatia, Jain, Lim (2019).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.bures_distance(z, 2 * z), 6)
        0.0
    """
    return of_two(bures_of, z, w)


def bures_distance_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`bures_distance` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.bures_distance_matrix([z, 2 * z]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(bures_of, views)


def bures_of(views: Joint) -> Tensor:
    """The same of views that are side by side: with Σ = RᵀR, the rotation distance of the Rᵀ."""
    roots = _roots(views, "bures_distance")
    return rotated_distances(roots, torch.stack([root.norm() for root in roots]), views.first)


def riemannian_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """Affine-invariant Riemannian distance ‖log(Σ_z^-½ Σ_w Σ_z^-½)‖ of the covariances, each of trace 1.

    Like :func:`bures_distance` of views with the same columns, but of full rank, and invariant to one *invertible* map
    of both together, up to the trace. A metric on covariances, from 0 without an end. Directions of small variance
    weigh as much as all others, so that it may be about noise alone.

    Args:
        z: (n, d) array or tensor, one row an input; n > d.
        w: (n, d) array or tensor of the same inputs, its columns those of z.

    Raises:
        InputError: the shapes do not fit, the widths differ, or a covariance is not of full rank.

    Source: Pennec, Fillard, Ayache (2006); Shahbazi et al. (2021), who take regularised Gram matrices.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.riemannian_distance(z, 2 * z), 6)
        0.0
    """
    return of_two(riemannian_of, z, w)


def riemannian_distance_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`riemannian_distance` of all pairs of (N, d) views.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.riemannian_distance_matrix([z, 2 * z]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(riemannian_of, views)


def riemannian_of(views: Joint) -> Tensor:
    """The same of views that are side by side: 2·log of the singular values of R_w·R_z⁻¹."""
    roots = _roots(views, "riemannian_distance")
    for name, width, root in zip(views.names, views.columns.widths, roots, strict=True):
        if root.shape[1] < width:
            raise InputError(
                f"{name}: its {width} columns have rank {root.shape[1]}, and the Riemannian distance needs full rank; "
                "give more inputs, drop columns that others determine, or take bures_distance"
            )
    roots = roots.each(lambda root: root / root.norm())
    width = roots.widths[0]
    identity = torch.eye(width, dtype=roots.side.dtype, device=roots.side.device)
    # Rᵀ is kept, so that R_w·R_z⁻¹ is the product of the columns of the one with those of the other
    inverses = torch.stack([torch.linalg.solve(root.mT, identity) for root in roots])
    stacked = torch.stack(list(roots))
    result = roots.side.new_zeros(len(roots), len(roots))
    for i, inverse in enumerate(inverses[:-1]):
        ratios = torch.linalg.svdvals(stacked[i + 1 :].mT @ inverse).log()
        result[i, i + 1 :] = result[i + 1 :, i] = 2.0 * torch.linalg.vector_norm(ratios, dim=1)
    return result


def _roots(views: Joint, measure: str) -> Columns:
    """(d, k) Rᵀ of every view, RᵀR its sum of squares.

    Raises:
        InputError: the widths differ.
    """
    widths = views.columns.widths
    for name, width in zip(views.names, widths, strict=True):
        if width != widths[0]:
            raise InputError(
                f"{views.names[0]} and {name}: {widths[0]} and {width} columns; {measure} compares covariances column "
                "by column. Take procrustes_distance, which turns one view onto the other"
            )
    return Columns.of([root.mT for root in factors(views).roots])
