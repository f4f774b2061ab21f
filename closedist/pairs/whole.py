"""The measures that need no choice of labels or inputs: quick for all pairs of models at once."""

import torch
from torch import Tensor

from closedist.measures.cca import cka_of_all, mean_cca_of_all, precisions
from closedist.measures.moments import Moments
from closedist.measures.stack import Stack


def of_all_pairs(members: Stack, measured: Moments, pairs: Tensor) -> dict[str, Tensor]:
    """The measures that need no choice of labels or inputs, (P,) each by its name in COLUMNS: quick for all at once."""
    first, second = pairs.T
    precision = precisions([member.stored for member in members.members], members.device)
    return {
        "kl": measured.divergences[first, second],
        "kl_reverse": measured.divergences[second, first],
        "mean_cca_embeddings": mean_cca_of_all(measured.over_inputs.vectors, precision, pairs),
        "mean_cca_unembeddings": _mean_cca_of_unembeddings(members, measured, pairs),
        "cka_embeddings": cka_of_all(measured.over_inputs.vectors)[first, second],
    }


def _mean_cca_of_unembeddings(members: Stack, measured: Moments, pairs: Tensor) -> Tensor:
    """(P,) m_CCA, NaN where a model is a black box, which has no unembeddings of its own."""
    plain = torch.tensor([not member.black_box for member in members.members], device=members.device)
    both = plain[pairs].all(-1)
    values = torch.full(both.shape, torch.nan, dtype=torch.float64, device=members.device)
    if bool(both.any()):
        number = plain.cumsum(0) - 1
        rows = [member.unembeddings for member in members.members if not member.black_box]
        vectors = measured.over_labels.vectors[plain]
        values[both] = mean_cca_of_all(vectors, precisions(rows, members.device), number[pairs[both]])
    return values
