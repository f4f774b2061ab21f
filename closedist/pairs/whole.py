"""The measures that need no choice of labels or inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from closedist.measures.agreement import same_top
from closedist.measures.cca import mean_cca_of_pairs
from closedist.measures.cka import cka_of_pairs
from closedist.measures.logit_correlation import logit_correlations_of_pairs
from closedist.measures.moments import Moments
from closedist.measures.orthonormal import precisions
from closedist.measures.stack import Stack
from closedist.representations import Representations


def of_all_pairs(members: Stack, measured: Moments, pairs: Tensor) -> dict[str, Tensor]:
    """The measures that need no choice of labels or inputs, (m,) each by its name in COLUMNS."""
    first, second = pairs.T
    precision = precisions([member.stored for member in members.members], members.device)
    dimensions = torch.tensor([member.dimension for member in members.members], device=members.device)
    return facts_of(members.members, pairs) | {
        "logit_correlation": logit_correlations_of_pairs(measured.over_inputs, measured.over_labels, pairs),
        "same_top_label": same_top(measured.top, pairs),
        "kl": measured.divergences[first, second],
        "kl_reverse": measured.divergences[second, first],
        "mean_cca_embeddings": mean_cca_of_pairs(measured.over_inputs, precision, dimensions, pairs),
        "mean_cca_unembeddings": _mean_cca_of_unembeddings(members, measured, dimensions, pairs),
        "cka_embeddings": cka_of_pairs(measured.over_inputs, pairs),
    }


def facts_of(models: Sequence[Representations], pairs: Tensor) -> dict[str, Tensor]:
    """What no pass over inputs is needed for, (m, 2) each, of (m, 2) indices."""
    dimensions = torch.tensor([model.dimension for model in models], device=pairs.device)
    black_boxes = torch.tensor([model.black_box for model in models], device=pairs.device)
    return {"dimensions": dimensions[pairs], "black_boxes": black_boxes[pairs]}


def _mean_cca_of_unembeddings(members: Stack, measured: Moments, dimensions: Tensor, pairs: Tensor) -> Tensor:
    """(m,) m_CCA, NaN where a model is a black box, which has no unembeddings of its own."""
    plain = torch.tensor([not member.black_box for member in members.members], device=members.device)
    both = plain[pairs].all(-1)
    values = torch.full(both.shape, torch.nan, dtype=torch.float64, device=members.device)
    if bool(both.any()):
        rows = [member.stored if member.black_box else member.unembeddings for member in members.members]
        precision = precisions(rows, members.device)
        values[both] = mean_cca_of_pairs(measured.over_labels, precision, dimensions, pairs[both])
    return values
