"""Sums of singular values, and the nearest rotation, of many small matrices at once."""

import torch
from torch import Tensor


def nuclear_norm(matrices: Tensor) -> Tensor:
    """Σ of the singular values of (…, d, e) matrices. 1×1 and 2×2 in closed form: (σ₁ + σ₂)² = ‖A‖² + 2|det A|."""
    if matrices.shape[-2:] == (1, 1):
        return matrices[..., 0, 0].abs()
    if matrices.shape[-2:] == (2, 2):
        a, b, c, d = matrices.flatten(-2).unbind(-1)
        return (matrices.square().sum((-2, -1)) + 2 * (a * d - b * c).abs()).sqrt()
    values: Tensor = torch.linalg.svdvals(matrices)
    return values.sum(-1)


def polar_factor(matrices: Tensor) -> Tensor:
    """The rotation (or reflection) Q that maximises tr(QᵀA) of (…, K, K) matrices; for 2×2 in closed form."""
    if matrices.shape[-1] == 1:
        return torch.where(matrices < 0, -1.0, 1.0).to(matrices.dtype)
    if matrices.shape[-1] == 2:
        a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
        sign = torch.where(a * d - b * c < 0, -1.0, 1.0)
        cofactors = torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2)
        return (matrices + sign[..., None, None] * cofactors) / nuclear_norm(matrices)[..., None, None]
    left, _, right = torch.linalg.svd(matrices)
    factor: Tensor = left @ right
    return factor
