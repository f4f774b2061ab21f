"""The label subset with the largest d_SVD, searched for where there are too many subsets to go through.

A is the table of cross-correlations of the labels' unit log-odds in two models, so that d_SVD of a subset S of K labels
is 1 − ‖A_SS‖_*/K. φ(x) = ‖√X A √X‖_*, X = diag x, is concave and homogeneous and ‖A_SS‖_* its value at the vertex 1_S.
Hence φ(1_S) ≤ ∇φ(x)·1_S for any x > 0, and the K labels with the smallest entries of a gradient are a subset at least
as bad as they say (proofs in docs/mathematics.md). At a vertex that holds for labels exchanged one by one.
"""

import torch
from torch import Tensor

from closedist.measures.singular_values import nuclear_norm

CANDIDATES = 8  # labels that may leave, and that may enter, in a swap
_SWAP_WORK = 1 << 31  # Σ K³ of all swaps that are tried: a few seconds
_LARGE = 400  # K, up to which two rounds of swaps are tried in any case
_NO_GAIN = 1e-12  # of a sum of singular values


def label_gradients(table: Tensor) -> Tensor:
    """∇φ at x = 1: ½(|A|_ii + |Aᵀ|_ii), |A| = √(AᵀA); their sum is ‖A‖_*.

    One minus the mean of the K smallest is at most the largest d_SVD over subsets of K, for every K at once.

    Args:
        table: (m, L, L) float64.

    Returns:
        (m, L) float64.
    """
    left, sizes, right = torch.linalg.svd(table)
    gradients: Tensor = 0.5 * ((left.square() + right.mT.square()) @ sizes.unsqueeze(-1)).squeeze(-1)
    return gradients


def worst_subsets(table: Tensor, size: int) -> Tensor:
    """For each of m pairs a subset of K labels with a large d_SVD, the largest as far as could be found.

    From the labels with the smallest gradient at x = 1, and from those with the smallest |ρ|, steps of Frank and Wolfe
    (1956) to the K smallest entries of the gradient, then swaps of single labels, as long as ‖A_SS‖_* falls.

    Args:
        table: (m, L, L) cross-correlations of unit log-odds.
        size: K ≤ L.

    Returns:
        (m, K) positions among the L, ascending.
    """
    subset = _descended(table, _smallest(label_gradients(table), size))
    other = _descended(table, _smallest(table.diagonal(dim1=-2, dim2=-1).abs(), size))
    subset = torch.where((_norms(table, subset) <= _norms(table, other)).unsqueeze(-1), subset, other)
    if size < table.shape[-1]:
        falling = torch.arange(len(table), device=table.device)
        left = max(2 * CANDIDATES**2 * size**3 * (size < _LARGE), _SWAP_WORK)
        while len(falling) and (left := left - CANDIDATES**2 * size**3 * len(falling)) >= 0:
            swapped, falls = _swapped(table[falling], subset[falling])
            falling = falling[falls]
            subset[falling] = swapped[falls]
    return subset.sort(-1).values


def _descended(table: Tensor, subset: Tensor) -> Tensor:
    """Frank–Wolfe steps from vertex to vertex, as long as φ falls."""
    norm = _norms(table, subset)
    while True:
        following = _smallest(_vertex_gradients(table, subset), subset.shape[-1])
        its_norm = _norms(table, following)
        falls = its_norm < norm - _NO_GAIN * subset.shape[-1]
        if not bool(falls.any()):
            return subset
        subset = torch.where(falls.unsqueeze(-1), following, subset)
        norm = torch.where(falls, its_norm, norm)


def _vertex_gradients(table: Tensor, subset: Tensor) -> Tensor:
    """(m, L): the derivative of φ at 1_S towards every label by itself.

    With A_SS = PΣQᵀ, inside S ½(|A_SS|_ii + |A_SSᵀ|_ii); outside, with a and b the label's column and row in S and c
    its diagonal entry, ½(aᵀPΣ⁻¹Pᵀa + bᵀQΣ⁻¹Qᵀb) + |c − bᵀA_SS⁻¹a|: what a new small row and column add to Σσ.
    """
    inner, columns, rows = _parts(table, subset)
    left, sizes, right = torch.linalg.svd(inner)
    inverse = (1.0 / sizes.clamp(min=1e-12)).unsqueeze(-1)
    a, b = left.mT @ columns, right @ rows.mT
    missing = table.diagonal(dim1=-2, dim2=-1) - (a * b * inverse).sum(-2)
    gradients = 0.5 * ((a.square() + b.square()) * inverse).sum(-2) + missing.abs()
    inside = 0.5 * ((left.square() + right.mT.square()) @ sizes.unsqueeze(-1)).squeeze(-1)
    found: Tensor = gradients.scatter(-1, subset, inside)
    return found


def _swapped(table: Tensor, subset: Tensor) -> tuple[Tensor, Tensor]:
    """The best swap of one of the labels that weigh most with one of those that weigh least, and whether φ falls."""
    pairs, size = subset.shape
    gradients = _vertex_gradients(table, subset)
    count_out, count_in = min(CANDIDATES, size), min(CANDIDATES, table.shape[-1] - size)
    out = gradients.gather(-1, subset).topk(count_out).indices
    entering = gradients.scatter(-1, subset, torch.inf).topk(count_in, largest=False).indices
    candidates = subset[:, None, None].repeat(1, count_out, count_in, 1)
    candidates.scatter_(
        -1, out[:, :, None, None].expand(-1, -1, count_in, 1), entering[:, None, :, None].expand(-1, count_out, -1, 1)
    )
    candidates = candidates.flatten(1, 2)
    norms = torch.stack([_norms(table, candidates[:, index]) for index in range(candidates.shape[1])], -1)
    best = norms.min(-1)
    chosen = candidates[torch.arange(pairs, device=subset.device), best.indices]
    return chosen, best.values < _norms(table, subset) - _NO_GAIN * size


def _parts(table: Tensor, subset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A_SS, (m, K, K), all columns' parts in S, (m, K, L), and all rows' parts in S, (m, L, K)."""
    count = table.shape[-1]
    columns = table.gather(-2, subset.unsqueeze(-1).expand(-1, -1, count))
    rows = table.gather(-1, subset.unsqueeze(-2).expand(-1, count, -1))
    inner = columns.gather(-1, subset.unsqueeze(-2).expand(-1, subset.shape[-1], -1))
    return inner, columns, rows


def _norms(table: Tensor, subset: Tensor) -> Tensor:
    """(m,) ‖A_SS‖_*."""
    row = torch.arange(len(table), device=table.device)[:, None, None]
    return nuclear_norm(table[row, subset.unsqueeze(-1), subset.unsqueeze(-2)])


def _smallest(values: Tensor, size: int) -> Tensor:
    indices: Tensor = values.topk(size, largest=False).indices
    return indices
