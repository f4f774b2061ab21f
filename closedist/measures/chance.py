"""What measures of two views give on average if the inputs of one are permuted: closed forms for all pairs of views.

Exact, but for that of m_CCA, which is the root of the mean of squared correlations and so an upper value.
"""

import torch
from torch import Tensor

from closedist.measures.factors import factors
from closedist.measures.joint import Joint


def zero_of(views: Joint) -> Tensor:
    """(n, n) zeros: of correlations, and of what is debiased."""
    return views.precision.new_zeros(len(views), len(views))


def linear_cka_of(views: Joint) -> Tensor:
    """(n, n) tr Σ·tr Σ'/((N − 1)·‖Σ‖·‖Σ'‖)."""
    shares = torch.stack(
        [norm.square() / (view.mT @ view).norm() for view, norm in zip(views.columns, views.norms, strict=True)]
    )
    return shares[:, None] * shares / (views.num_inputs - 1)


def linear_r2_of(views: Joint) -> Tensor:
    """(n, n) rank/(N − 1), of the view that predicts."""
    return _ranks(views)[:, None].expand(-1, len(views)) / (views.num_inputs - 1)


def mean_cca_of(views: Joint) -> Tensor:
    """(n, n) √(larger rank/(N − 1))."""
    rank = _ranks(views)
    return (torch.maximum(rank[:, None], rank) / (views.num_inputs - 1)).sqrt().clamp(max=1.0)


def eigenspace_overlap_of(views: Joint) -> Tensor:
    """(n, n) smaller rank/(N − 1)."""
    rank = _ranks(views)
    return torch.minimum(rank[:, None], rank) / (views.num_inputs - 1)


def mutual_knn_of(views: Joint, k: int = 10) -> Tensor:
    """(n, n) k/(N − 1)."""
    return zero_of(views) + k / (views.num_inputs - 1)


def _ranks(views: Joint) -> Tensor:
    return factors(views).ranks
