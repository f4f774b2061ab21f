"""Root factors without each group of inputs, from those of all inputs and of the groups: no second pass, no digit lost.

With Q the orthonormal columns of all rows (the whitened root), Q_g the group's n_g rows about its own mean and m the
step from the mean of all rows to the group's, the other rows have the sum of squares about their own mean

    I − Q_gᵀQ_g − n_g·N/(N − n_g)·m mᵀ = I − TᵀT = C_gᵀC_g,

and C_g times any coordinates gives the coordinates without group g. Differences are taken before C_g is applied, so a
small one keeps its digits. C_g is the symmetric root I − Tᵀ(I + √(I − TTᵀ))⁻¹T, since 1 − √(1 − s²) is
s²/(1 + √(1 − s²)): it takes the Gram matrix of the group's rows, where these are fewer than columns, and divides by
nothing that may be small.
"""

import math

import torch
from torch import Tensor

from closedist.measures.group_roots import GroupRoots
from closedist.measures.roots import Root, root_of
from closedist.measures.terms import ZERO


def replicate_factors(root: Tensor, groups: GroupRoots) -> Tensor:
    """What turns the coordinates of all N inputs into those without each group.

    Args:
        root: (…, r, c) root factor of the rows, scaled so that norms are standard deviations.
        groups: of the same columns.

    Returns:
        (…, G, k, r) factors F_g, k the smaller of r and c: ‖F_g·(root·v)‖ is the unbiased standard deviation of the
        combination v of the columns over the inputs outside group g.
    """
    sizes = groups.sizes.double()
    count = float(sizes.sum())
    norms = root.norm(dim=-2, keepdim=True)  # columns of any scale
    norms = norms.masked_fill(norms < 1e-250, torch.inf)
    left, spread, right = torch.linalg.svd(root / norms, full_matrices=False)
    kept = spread > ZERO * spread[..., :1]  # equal models have a singular root
    whitening = right.mT / (spread * math.sqrt(count - 1.0)).masked_fill(~kept, torch.inf).unsqueeze(-2)
    whitening = (whitening / norms.mT).unsqueeze(-3)

    rows = groups.roots @ whitening
    step = groups.steps.unsqueeze(-2) @ whitening * (sizes * count / (count - sizes)).sqrt()[:, None, None]
    taken = torch.cat([rows, step], -2)
    wide = taken.shape[-2] < taken.shape[-1]
    values, vectors = torch.linalg.eigh(taken @ taken.mT if wide else taken.mT @ taken)
    basis = vectors.mT @ taken if wide else vectors.mT
    shares = (1.0 if wide else values) / (1.0 + (1.0 - values).clamp(min=0.0).sqrt())
    whole = (left * kept.unsqueeze(-2)).mT.unsqueeze(-3)
    scale = ((count - 1.0) / (count - sizes - 1.0)).sqrt()[:, None, None]
    factors: Tensor = scale * (whole - basis.mT @ (shares.unsqueeze(-1) * (basis @ whole)))
    return factors


def side_by_side(sides: tuple[Root, Root]) -> Tensor:
    """(m, r, 2(M + 1)) the joint root of pairs: each side's vector columns and then its shared one."""
    return torch.cat([part for side in sides for part in (side.vectors, side.shared.unsqueeze(-1))], -1)


def without_group(sides: tuple[Root, Root], factors: Tensor) -> tuple[Root, Root]:
    """The roots of both sides of m pairs without a group.

    Args:
        sides: of all inputs, (m, r, M).
        factors: (m, k, r) the group's of each pair.
    """
    first, second = (_multiplied(side, factors) for side in sides)
    return first, second


def _multiplied(side: Root, factors: Tensor) -> Root:
    return root_of(factors @ torch.cat([side.vectors, side.shared.unsqueeze(-1)], -1))
