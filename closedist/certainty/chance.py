"""What the numbers would be for models that have nothing to do with each other: the inputs of one are permuted.

Closed forms of the mean over all permutations, exact unless said otherwise. By the names of a comparison's fields.
"""

from dataclasses import replace

import torch
from torch import Tensor

from closedist.measures.by_input import ByInput
from closedist.measures.label_table import label_table, pivot_scores
from closedist.measures.settings import Settings
from closedist.measures.terms import Axis, Powers


def chance_of_pairs(
    axis: Axis, ranks: tuple[Tensor, Tensor], num_inputs: int, settings: Settings, *, with_terms: bool = True
) -> dict[str, Tensor]:
    """(m,) what m pairs would give by chance, of the numbers that are made of root factors.

    The t1 is an approximation (the expected squares of its terms, at the labels that are best by them); that of m_CCA
    is the root of its square's expectation, so an upper value; certificates of unrelated models are about 1.

    Args:
        axis: the pairs over inputs, items are the labels.
        ranks: (m,) twice, of the embeddings.
        num_inputs: N.
        settings: how the distance was asked for.
        with_terms: whether to go through the table of labels for t1.
    """
    zero = torch.zeros(len(axis.pairs), dtype=torch.float64, device=axis.pairs.device)
    of_terms = {"label_term": chance_label_term(axis, settings)} if with_terms else {}
    return of_terms | {
        "certificate": zero + 1.0,
        "unsigned_certificate": zero + 1.0,
        "logit_correlation": zero,
        "cka_embeddings": chance_cka(axis.sides[0].vectors, axis.sides[1].vectors, num_inputs),
        "mean_cca_embeddings": chance_mean_cca(*ranks, num_inputs),
    }


def chance_of_predictions(predictions: ByInput) -> dict[str, float]:
    """What a pair would give by chance, of the numbers that are means over inputs.

    KL(p‖q) becomes the mean of Σ_y p·log p less Σ_y p̄·mean log q, and the same top label Σ_y π_y·π'_y with π the shares
    of the labels among the predictions.
    """
    logs, likelihoods = predictions.mean_log_likelihoods, predictions.mean_likelihoods
    kl = predictions.mean_negative_entropies - (likelihoods * logs.flip(0)).sum(1)
    shares = torch.stack([torch.bincount(top, minlength=likelihoods.shape[1]) for top in predictions.top]).double()
    same = shares.prod(0).sum() / predictions.top.shape[1] ** 2
    return {"kl": float(kl[0]), "kl_reverse": float(kl[1]), "same_top_label": float(same)}


def chance_cka(first: Tensor, second: Tensor, num_inputs: int) -> Tensor:
    """(m,) trΣ·trΣ'/((N − 1)·‖Σ‖·‖Σ'‖), of root factors (m, r, M) and (m, r, M')."""
    result = torch.full(first.shape[:1], 1.0 / (num_inputs - 1), dtype=first.dtype, device=first.device)
    for root in (first, second):
        scaled = root / root.flatten(1).norm(dim=-1)[:, None, None]  # trace one
        result = result / (scaled.mT @ scaled).flatten(1).norm(dim=-1)
    return result


def chance_mean_cca(rank: Tensor, other_rank: Tensor, num_inputs: int) -> Tensor:
    """√(max(M, M')/(N − 1)), the root of the expected mean of squared canonical correlations, of (m,) ranks."""
    return (torch.maximum(rank, other_rank) / (num_inputs - 1)).sqrt().clamp(max=1.0)


def chance_label_term(axis: Axis, settings: Settings) -> Tensor:
    """(m,) about the smallest t1 of unrelated models: its table with a² = Var ℓ/s² + Var ℓ'/s'²."""
    table = label_table(axis)
    known = table.powers
    unrelated = replace(table, powers=Powers(known.first, known.second, known.first + known.second))
    pivots = torch.tensor(settings.pivots or range(axis.items.shape[1]), device=axis.pairs.device)
    smallest = pivot_scores(unrelated, settings.reduction, pivots, "ignore").amin(-1)
    return smallest.sqrt() if settings.reduction == "max" else smallest
