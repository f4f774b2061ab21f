"""m_SVD of two views: the mean singular value of their cross-correlation."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures import few
from closedist.measures.joint import Joint, Views, of_all, of_two
from closedist.measures.pair_norms import nuclear_products


def mean_svd(z: ArrayLike | Tensor, w: ArrayLike | Tensor) -> float:
    """m_SVD of two views of the same n inputs: the mean singular value of their cross-correlation.

    Between 0 and 1 for views of the same width, as in d_{f,g}; else at most √(max(d, e)/min(d, e)), since many columns
    of one view may repeat a column of the other.

    This is what PLS-SVD on standardised columns finds. It does not change when either view is shifted, its columns are
    scaled one by one, or their order changes.

    Args:
        z: (n, d) array or tensor.
        w: (n, e) array or tensor of the same inputs in the same order.

    Returns:
        The mean over the min(d, e) singular values.

    Raises:
        InputError: the shapes do not fit, or a column is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> round(closedist.mean_svd(z, z[:, ::-1] * [1, 20, 300]), 6)
        1.0
    """
    return of_two(mean_svd_of, z, w)


def mean_svd_matrix(views: Views) -> NDArray[np.float64]:
    """m_SVD of all pairs of views of the same N inputs, by matrix products for all at once.

    Args:
        views: n arrays or tensors, (N, d_i), rows the same inputs in the same order; a list, or by their names.

    Returns:
        (n, n) float64, symmetric with a diagonal of ones, each entry as :func:`mean_svd` gives it.

    Raises:
        InputError: the shapes do not fit, or a column is constant.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> closedist.mean_svd_matrix([z, 7 * z[:, [2, 0, 1]]]).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return of_all(mean_svd_of, views)


def mean_svd_of(views: Joint) -> Tensor:
    """The same of views that are side by side."""
    lengths = views.column_norms
    constant = views.constant
    if constant.any():
        column = int(constant.argmax())
        at = bisect_right(views.columns.starts, column) - 1
        column -= views.columns.starts[at]
        raise InputError(f"{views.names[at]}: column {column} is constant; remove it, it has no correlation")
    widths = np.array(views.columns.widths)
    narrow, wide = np.minimum(widths[:, None], widths), np.maximum(widths[:, None], widths)
    sums = few.correlation_norms(views.columns, lengths)
    if sums is None:
        beside = torch.from_numpy(lengths).to(views.columns.side.device)
        sums = nuclear_products(views.columns, views.first, beside).cpu().numpy()
    # of a view with itself 1: of a correlation matrix the trace is the sum of the singular values
    return views.similarities(np.minimum(sums / narrow, np.sqrt(wide / narrow)))
