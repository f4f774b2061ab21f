"""For which share of the inputs two models predict the same label."""

from collections.abc import Sequence

import torch
from torch import Tensor

from closedist.measures.checks import check_finite
from closedist.measures.likelihood import CACHED_ELEMENTS, DivergenceSums, predictions
from closedist.measures.logit_correlation import LogitProducts
from closedist.measures.stack import arithmetic_device
from closedist.representations import Representations


def top_labels(relative: Tensor) -> Tensor:
    """(n, B) labels that n models predict, from (n, B, C) log-likelihoods: the first of equally likely ones."""
    return relative.argmax(-1).to(label_type(relative.shape[-1]))


def label_type(num_labels: int) -> torch.dtype:
    """The smallest integers that count so many labels: what is compared pair by pair is read from memory."""
    return torch.int8 if num_labels <= 1 << 7 else torch.int16 if num_labels <= 1 << 15 else torch.int32


def same_top(top: Tensor, pairs: Tensor) -> Tensor:
    """(m,) float64 shares of the inputs for which both models of a pair predict the same label.

    Args:
        top: (n, N) the labels that each predicts.
        pairs: (m, 2) indices.
    """
    step = max(1, CACHED_ELEMENTS // top.shape[1])
    parts = [top.new_zeros(0, dtype=torch.float64)]
    for part in torch.split(pairs, step):
        same = (top[part[:, 0]] == top[part[:, 1]]).view(torch.int8)
        parts.append(same.sum(1, dtype=torch.int64).double() / top.shape[1])
    return torch.cat(parts)


def of_predictions(members: Sequence[Representations], pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What needs only logits, of any number of labels, in one pass over the inputs.

    Args:
        members: n comparable models.
        pairs: (m, 2) indices of those that are compared.

    Returns:
        (n, n) mean KL(p_i‖p_j) in nats, (n, n) logit correlations, and (m,) shares of the same predicted label.

    Raises:
        InputError: log-likelihoods are too large for float64.
    """
    device = arithmetic_device(members[0].stored)
    pairs = pairs.to(device)
    sums, products, top = DivergenceSums(len(members), pairs, device), LogitProducts(), []
    for _, block in predictions(members):
        sums.add(block)
        products.add(block.relative)
        top.append(top_labels(block.relative))
    check_finite(sums.sums)
    return sums.sums / members[0].num_inputs, products.correlations(), same_top(torch.cat(top, 1), pairs)
