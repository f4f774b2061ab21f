"""Upper bounds on d_{f,g}, the largest d_SVD, from the distributions alone (proofs in docs/measures.md)."""

import torch
from torch import Tensor


def certificate(decorrelation: Tensor, used: Tensor, input_decorrelation: Tensor) -> Tensor:
    """max(mean of the K largest 1 − ρ_j over J, mean of 1 − ρ_i over the input set), which is at least d_{f,g}.

    Args:
        decorrelation: (m, C) 1 − ρ_j of the labels' log-odds against the pivot.
        used: (m, C) which labels J holds, at least K.
        input_decorrelation: (m, K) 1 − ρ_i of the chosen input set.

    Returns:
        (m,) float64.
    """
    size = input_decorrelation.shape[-1]
    worst = decorrelation.masked_fill(~used, -torch.inf).topk(size).values
    return torch.maximum(worst.mean(-1), input_decorrelation.mean(-1))


def quadratic_bound(label_term: Tensor, input_term: Tensor) -> Tensor:
    """2·max(t1, t2)², at least the certificate where t1 and t2 are maxima."""
    return 2 * torch.maximum(label_term, input_term).square()


def linear_bound(llv: Tensor, subset_size: int) -> Tensor:
    """The paper's bound 2·K·d_LLV on d_{f,g}, informative while d_LLV < 1/(2K) (Nielsen et al., 2025)."""
    return 2 * subset_size * llv
