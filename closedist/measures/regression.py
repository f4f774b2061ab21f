"""How well one view predicts the other, or anything that the other predicts: R² of linear regression, and GULP."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.factors import factors, principal_factors
from closedist.measures.joint import Columns, Joint, Views, joint, of_all, of_two
from closedist.measures.numbers import is_number
from closedist.measures.orthonormal import orthonormal_basis
from closedist.measures.pair_norms import own_products, products, squared_products
from closedist.measures.roots import triangular

_SMOOTH = 1e-4  # λ from which the rounding of a Gram matrix does not show
_SMALL = 1e-4  # of a squared GULP distance against its terms: below, it is taken from the difference of the predictors


def linear_r2(z: ArrayLike | Tensor, w: ArrayLike | Tensor, groups: ArrayLike | None = None) -> float:
    """R² of w regressed on z: 1 − residual/total sum of squares, all columns of w pooled.

    Invariant to a shift and an invertible linear map of z, and to a shift, one scale and a rotation of w. From 0 to 1
    (with ``groups`` also below 0), and not symmetric. Unrelated views have about d/(n − 1), so that it says nothing
    where z is as wide as there are inputs; with groups about 0 or less.

    Args:
        z: (n, d) array or tensor, one row an input: what predicts.
        w: (n, e) array or tensor of the same inputs in the same order: what is predicted.
        groups: (n,) the group of each input, such as its document: every group is predicted from a regression on the
            others, and the total is that about the mean of all.

    Raises:
        InputError: the shapes do not fit, a view is constant, or there are fewer than two groups.

    Source: Kornblith et al. (2019). Packages that take the mean of R² over columns weigh columns of no variance alike.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.linear_r2(z, z[:, [2, 0, 1]] + 1), 6)
        1.0
    """
    return of_two(linear_r2_of, z, w) if groups is None else _cross_validated(joint([z, w], ("z", "w")), groups)


def linear_r2_matrix(views: Views) -> NDArray[np.float64]:
    """(n, n) :func:`linear_r2` of all pairs of (N, d) views: entry (i, j) of view j from view i.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.linear_r2_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(linear_r2_of, views)


def linear_r2_of(views: Joint) -> Tensor:
    """The same of views that are side by side: with X = QR and Y = Q'R' it is ‖QᵀQ'·R'‖²/‖R'‖²."""
    found = factors(views)
    result = torch.eye(len(views), dtype=views.precision.dtype, device=views.precision.device)
    for i, j, product in products(found.bases, views.first):
        of_rows, of_columns = (torch.stack([found.roots[at] for at in index.tolist()]) for index in (i, j))
        result[i, j] = (product @ of_columns).square().sum((1, 2))
        result[j, i] = (product.mT @ of_rows).square().sum((1, 2))
    return (result / views.norms.square()).clamp(max=1.0).fill_diagonal_(1.0)


def _cross_validated(views: Joint, groups: ArrayLike) -> float:
    labels = np.asarray(groups)
    if labels.shape != (views.num_inputs,):
        raise InputError(f"groups: shape {labels.shape}; one group for each of the {views.num_inputs} inputs is needed")
    kinds, numbers = np.unique(labels, return_inverse=True)
    if len(kinds) < 2:
        raise InputError("groups: all inputs are of one group; at least two are needed, to predict one from the others")
    x, y = views.columns
    group = torch.from_numpy(numbers).to(x.device)
    left = 0.0
    for number in range(len(kinds)):
        held = group == number
        mean, target = x[~held].mean(0), y[~held].mean(0)
        inside = x[~held] - mean
        # coordinates in a basis of the columns that vary among the others
        basis, _ = orthonormal_basis(inside, views.precision[0])
        to_basis = torch.linalg.lstsq(inside, basis, driver="gelsd" if x.device.type == "cpu" else None).solution
        predicted = ((x[held] - mean) @ to_basis) @ (basis.mT @ (y[~held] - target))
        left += float((y[held] - target - predicted).square().sum())
    return 1.0 - left / float(y.square().sum())


def gulp_distance(z: ArrayLike | Tensor, w: ArrayLike | Tensor, regularisation: float = 1e-2) -> float:
    """GULP: the largest root mean square difference of the two ridge predictions of anything of variance one.

    With X and Y centred, of mean squared row norm 1, and H = X(XᵀX + nλ)⁻¹Xᵀ: ‖H_z − H_w‖ in Frobenius norm. Invariant
    to a shift, one scale and a rotation of either view, for λ = 0 to every invertible linear map. A pseudometric, from
    0 to √(rank z + rank w). Unrelated views: close to the upper end. λ says which directions count, those of more than
    that share of the variance; packages print the square, and λ = 0 by default (ReSi).

    Args:
        z: (n, d) array or tensor, one row an input.
        w: (n, e) array or tensor of the same inputs in the same order.
        regularisation: λ ≥ 0.

    Raises:
        InputError: the shapes do not fit, a view is constant, or λ is not a number from 0.

    Source: Boix-Adserà, Lawrence, Stepaniants, Rigollet (2022).

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.gulp_distance(z, z[:, [2, 0, 1]] + 1), 6)
        0.0
    """
    return of_two(lambda views: gulp_of(views, regularisation), z, w)


def gulp_distance_matrix(views: Views, regularisation: float = 1e-2) -> NDArray[np.float64]:
    """(n, n) :func:`gulp_distance` of all pairs of (N, d) views; its other arguments are those of it.

    Raises:
        InputError: as the single one.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.gulp_distance_matrix([z, z[:, [2, 0, 1]] + 1]).round(6).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    return of_all(lambda one: gulp_of(one, regularisation), views)


def gulp_of(views: Joint, regularisation: float = 1e-2) -> Tensor:
    """The same of views that are side by side, from predictors H = AAᵀ with A = U·√(s²/(s² + λ))."""
    if not (is_number(regularisation) and regularisation >= 0):
        raise InputError(f"regularisation: {regularisation!r}; a number from 0 is needed")
    tall = len(views.columns.side) > max(views.columns.widths)
    columns, own = (
        _by_gram(views, regularisation) if tall and regularisation >= _SMOOTH else _by_axes(views, regularisation)
    )
    both = own[:, None] + own
    squared = (both - 2.0 * squared_products(columns, views.first)).clamp(min=0.0)
    for i, j in (squared < _SMALL * both).triu(1).nonzero().tolist():
        squared[i, j] = squared[j, i] = _difference(columns.view(i), columns.view(j))
    return squared.sqrt().fill_diagonal_(0.0)


def _by_gram(views: Joint, regularisation: float) -> tuple[Columns, Tensor]:
    """The A by the Gram matrices XᵀX, whose rounding λ hides, A = XV/√(s² + λ); and ‖AᵀA‖² of each."""
    turns, own = [], []
    for index in range(len(views)):
        squares, axes = torch.linalg.eigh(own_products(views.columns, index))
        shrunk = squares.clamp(min=0.0) + regularisation * squares.sum()
        turns.append(axes / shrunk.sqrt())
        own.append((squares / shrunk).square().sum())
    return views.columns.turned(turns), torch.stack(own)


def _by_axes(views: Joint, regularisation: float) -> tuple[Columns, Tensor]:
    """The A by the principal axes, and ‖AᵀA‖² of each."""
    found, sizes = principal_factors(views)
    shares = [one.square() / one.square().sum() for one in sizes]
    squares = [share / (share + regularisation) for share in shares]
    return found.spread([torch.diag(one.sqrt()) for one in squares]), torch.stack(
        [one.square().sum() for one in squares]
    )


def _difference(half: Tensor, other: Tensor) -> Tensor:
    """‖AAᵀ − BBᵀ‖² from a basis of both, without a difference of squares."""
    root = triangular(torch.cat([half, other], 1))
    first, second = root[:, : half.shape[1]], root[:, half.shape[1] :]
    return (first @ first.mT - second @ second.mT).square().sum()
