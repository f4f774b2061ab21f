"""What a distance of logits says of everything else: upper bounds on d_rep and KL, a lower one on m_CCA, and a floor.

All are functions of the roots alone. Proofs are in docs/mathematics.md.
"""

import torch
from torch import Tensor

from closedist.measures.logit_roots import LogitRoots, logit_roots
from closedist.measures.projection import Projection
from closedist.measures.representation_distance import check_embeddings
from closedist.representations import Representations


def representation_bound(distance: Tensor, unembeddings: Projection) -> Tensor:
    """d_rep ≤ d_logit / the smallest singular value of the centred unembeddings, since a = G_c⁺Δ."""
    return distance / unembeddings.smallest


def representation_volume_bound(distance: Tensor, unembeddings: Projection) -> Tensor:
    """The volume-weighted d_rep ≤ d_logit·√tr((G_cᵀG_c)⁺)."""
    size: Tensor = unembeddings.inverse_sizes.norm(dim=-1)
    return distance * size


def unembedding_bound(distance_centred: Tensor, embeddings: Projection) -> Tensor:
    """The unembeddings' d_rep ≤ d_logit,c / √(the smallest eigenvalue of the embeddings' covariance)."""
    return distance_centred / embeddings.smallest


def kl_bound(distance: Tensor) -> Tensor:
    """KL(p‖q) ≤ ¼·d_logit², both ways: KL is the Bregman divergence of logsumexp, whose Hessian is at most ½."""
    return 0.25 * distance.square()


def mean_cca_bound(distance_centred: Tensor, variances: Tensor, smaller_rank: Tensor) -> Tensor:
    """The least m_CCA of embeddings that logits this close allow.

    Σ_i λ_i(1 − ρ_i²) ≤ d_logit,c² (von Neumann's trace inequality); under it Σ(1 − ρ_i) is largest at a vertex, where
    the budget is spent on the smallest λ whole, and what remains on the next.

    Args:
        distance_centred: (…) d_logit,c.
        variances: (…, M) λ, eigenvalues of the covariance of the first model's logits, descending.
        smaller_rank: (…) m, the smaller of the two embeddings' ranks.
    """
    position = torch.arange(variances.shape[-1], device=variances.device)
    counted = position < smaller_rank.unsqueeze(-1)
    budget = distance_centred.square() - variances.masked_fill(counted, 0.0).sum(-1)
    budget = budget.clamp(min=0.0).unsqueeze(-1)
    used = variances.masked_fill(~counted, 0.0)
    smaller_ones = used.flip(-1).cumsum(-1).flip(-1) - used  # the sum of the λ below each
    share = ((budget - smaller_ones) / used.clamp(min=1e-300)).clamp(0.0, 1.0)
    lost = (1.0 - (1.0 - share).sqrt()).masked_fill(~counted, 0.0)
    return (1.0 - lost.sum(-1) / smaller_rank).clamp(min=0.0)


def logit_variances(roots: LogitRoots) -> Tensor:
    """(…, M) eigenvalues λ of the covariance of the first model's centred logits, descending."""
    own = roots.logits(centred=True)[0]
    values = torch.linalg.svdvals(own).square()
    missing = roots.dimension - values.shape[-1]
    return torch.nn.functional.pad(values, (0, max(0, missing)))[..., : roots.dimension]


def canonical_correlations(roots: LogitRoots) -> Tensor:
    """(…, k) canonical correlations ρ of the two models' embeddings, descending."""
    own, other = (Projection.onto(part, roots.num_inputs).left for part in roots.embeddings())
    values: Tensor = torch.linalg.svdvals(own.mT @ other).clamp(max=1.0)
    return values


def variance_apart(variances: Tensor, correlations: Tensor) -> Tensor:
    """(…) Σ_i λ_i(1 − ρ_i²) ≤ d_logit,c², both descending: what closeness of logits says of the embeddings.

    Args:
        variances: (…, M) λ, as ``logit_variances`` gives them.
        correlations: (…, k) ρ; those beyond k are 0.

    Source: theorem F.1 of Nielsen et al. (2026), both sides centred.
    """
    missing = variances.shape[-1] - correlations.shape[-1]
    padded = torch.nn.functional.pad(correlations, (0, max(0, missing)))[..., : variances.shape[-1]]
    total: Tensor = (variances * (1.0 - padded.square())).sum(-1)
    return total


def capacity_floor(p: Representations) -> Tensor:
    """(M,) for q = 1 … M, no model of dimension q comes closer to p than this in d_logit (Eckart and Young).

    The root of Σ_{i>q} λ_i, λ the eigenvalues of the covariance of p's logits: whether a smaller student is able to.

    Args:
        p: the teacher's representations, of N inputs and C labels.

    Raises:
        InputError: a black box, which has no dimension.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> teacher = closedist.Representations(rng.normal(size=(200, 3)), rng.normal(size=(5, 3)))
        >>> floor = closedist.capacity_floor(teacher)  # a student with one dimension, two, three
        >>> bool(floor[0] > floor[1] > 0), float(floor[2])
        (True, 0.0)
    """
    check_embeddings(p, p)
    values = logit_variances(logit_roots(p, p)[0])
    return floor_of(values.expand(len(values), -1), torch.arange(1, len(values) + 1, device=values.device))


def floor_of(variances: Tensor, dimension: Tensor) -> Tensor:
    """(…) the root of Σ_{i>q} λ_i, of (…, M) descending λ and (…) dimensions q."""
    beyond = torch.arange(variances.shape[-1], device=variances.device) >= dimension.unsqueeze(-1)
    return variances.masked_fill(~beyond, 0.0).sum(-1).sqrt()
