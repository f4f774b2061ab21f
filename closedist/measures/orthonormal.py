"""Orthonormal bases of columns, which count a direction that stands out from rounding and no other."""

from collections.abc import Sequence

import torch
from torch import Tensor


def orthonormal_basis(columns: Tensor, precision: Tensor, widths: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """An orthonormal basis of the columns, zero beyond their rank.

    Args:
        columns: (…, n, d) float64.
        precision: (…) the relative spacing of the numbers that the data came in; directions that stand out less from
            the others than its rounding are not counted.
        widths: (…) how many of the columns are not there to fill up; by default all.

    Returns:
        (…, n, d) with the rank's columns orthonormal and the others zero, and the rank, (…).
    """
    q, r = torch.linalg.qr(columns)
    r = r / r.square().sum(-2, keepdim=True).sqrt_().clamp(min=1e-300)  # columns at unit length
    sizes = torch.linalg.svdvals(r)
    widths = torch.tensor(columns.shape[-1], device=columns.device) if widths is None else widths
    counts = sizes > rounding(precision, widths).unsqueeze(-1)
    full = bool(counts.all())
    basis = q if full else q @ (torch.linalg.svd(r, full_matrices=False).U * counts.unsqueeze(-2))
    if basis.shape[-1] < columns.shape[-1]:
        basis = torch.nn.functional.pad(basis, (0, columns.shape[-1] - basis.shape[-1]))
    return basis, counts.sum(-1)


def rounding(precision: Tensor, widths: Tensor) -> Tensor:
    """What rounding may leave of a direction that is not there, columns at unit length.

    Four spacings of the numbers that the data came in, and what a product of so many terms in float32 or better, as
    behind half precision too, accumulates.
    """
    return 4 * precision + 10 * widths.sqrt() * precision.clamp(max=torch.finfo(torch.float32).eps)


def precisions(views: Sequence[Tensor], device: torch.device) -> Tensor:
    """(n,) the relative spacing of the numbers that each view came in."""
    return torch.tensor([torch.finfo(view.dtype).eps for view in views], dtype=torch.float64, device=device)
