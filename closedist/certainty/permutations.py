"""Permutation tests: how often models that have nothing to do with each other would come out as close.

The inputs, or the labels, of the second model are permuted, and the labels of d_LLV are chosen anew. Permuted inputs
change nothing but the products C = QᵀΠQ' of the two models' orthonormal columns, so that each permutation is a joint
root [R, C·R'; 0, S·R'] with SᵀS = I − CᵀC; permuted labels change no root over the inputs.
"""

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from closedist.measures.labels import choose_labels
from closedist.measures.orthonormal import orthonormal_basis
from closedist.measures.roots import Root, root_of
from closedist.measures.settings import Settings
from closedist.measures.singular_values import nuclear_norm
from closedist.measures.svd import dissimilarity
from closedist.measures.terms import BLOCK_ELEMENTS, Axis, unit_log_odds

Both = tuple[Tensor, Tensor]


def permutations(size: int, count: int, seed: int) -> Tensor:
    """(count, size) random permutations of 0 … size − 1."""
    generator = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([generator.permutation(size) for _ in range(count)]))


def p_values(
    values: Mapping[str, float], permuted: Mapping[str, Tensor], larger_is_closer: Container[str]
) -> dict[str, float]:
    """By field, the share of the permutations and the pair itself that come out at least as close (add-one).

    Args:
        values: of the pair, by the names of a comparison's fields.
        permuted: (P,) of the permutations.
        larger_is_closer: the names of those of which this is so.
    """
    found = {}
    for name, null in permuted.items():
        closer = null >= values[name] if name in larger_is_closer else null <= values[name]
        found[name] = (1 + int(closer.sum())) / (1 + len(null))
    return found


def inputs_permuted(
    rows: Both, labels: Both, precision: Both, orders: Tensor, settings: Settings, subsets: Tensor | None
) -> dict[str, Tensor]:
    """(P,) by field: what a pair would give if the second model's inputs were permuted.

    Args:
        rows: (N, M + 1) float64 twice, each model's embeddings, zero-padded to the same M, and its −log Z.
        labels: (C, M) twice, unembeddings centred over the labels and padded alike.
        precision: (1,) twice, the relative spacing of the numbers that the embeddings came in.
        orders: (P, N) permutations of the inputs.
        settings: how the distance was asked for.
        subsets: (1, S, K) all subsets of |J| labels, or None where they are not gone through.
    """
    first, second = (_Side.of(*parts) for parts in zip(rows, labels, precision, strict=True))
    identity = torch.eye(second.q.shape[1], dtype=second.q.dtype, device=second.q.device)
    of_labels = labels[0].mT @ labels[1]
    parts = []
    for batch in _batches(orders, rows[1]):
        cross = first.q.mT @ second.q[batch]
        values, vectors = torch.linalg.eigh(identity - cross.mT @ cross)
        rest = values.clamp(min=0.0).sqrt().unsqueeze(-1) * vectors.mT
        own = torch.cat([first.r, first.r.new_zeros(rest.shape[-2], first.r.shape[-1])]).expand(len(batch), -1, -1)
        other = torch.cat([cross, rest], -2) @ second.r
        products = first.embeddings.mT @ cross @ second.embeddings
        correlations = nuclear_norm(first.basis.mT @ cross @ second.basis)
        parts.append(
            _label_side(axis_of_sides((root_of(own), root_of(other)), *labels), settings, subsets)
            | {
                "logit_correlation": (products * of_labels).sum((-1, -2)) / (first.logits * second.logits),
                "cka_embeddings": products.square().sum((-1, -2)) / (first.products * second.products),
                "mean_cca_embeddings": correlations / torch.minimum(first.rank, second.rank),
            }
        )
    return _joined(parts)


@dataclass(frozen=True)
class _Side:
    """What no permutation changes of one model.

    Attributes:
        q, r: of its centred rows, r scaled so that norms are standard deviations.
        basis, rank: of its embeddings, in the coordinates of q.
        logits, products: ‖H‖ and ‖Σ‖.
    """

    q: Tensor
    r: Tensor
    basis: Tensor
    rank: Tensor
    logits: Tensor
    products: Tensor

    @classmethod
    def of(cls, rows: Tensor, labels: Tensor, precision: Tensor) -> "_Side":
        q, r = torch.linalg.qr((rows - rows.mean(0)) / math.sqrt(len(rows) - 1))
        embeddings = r[:, :-1]
        basis, rank = orthonormal_basis(embeddings[None], precision)
        return cls(q, r, basis[0], rank, (embeddings @ labels.mT).norm(), (embeddings.mT @ embeddings).norm())

    @property
    def embeddings(self) -> Tensor:
        return self.r[:, :-1]


def labels_permuted(
    sides: tuple[Root, Root], labels: Both, orders: Tensor, settings: Settings, subsets: Tensor | None
) -> dict[str, Tensor]:
    """(P,) by field: what a pair would give if the second model's labels were permuted.

    Args:
        sides: the pair's roots over the inputs, (1, r, M) each.
        labels: (C, M) twice, unembeddings centred over the labels and padded alike.
        orders: (P, C) permutations of the labels.
        settings, subsets: as for :func:`inputs_permuted`.
    """
    f, other_f = (side.vectors[0] for side in sides)
    of_embeddings = f.mT @ other_f
    norm = (f @ labels[0].mT).norm() * (other_f @ labels[1].mT).norm()
    parts = []
    for batch in _batches(orders, labels[1]):
        moved = labels[1][batch]
        every = [side.repeated(len(batch)) for side in sides]
        correlation = (of_embeddings * (labels[0].mT @ moved)).sum((-1, -2)) / norm
        axis = axis_of_sides((every[0], every[1]), labels[0], moved)
        parts.append(_label_side(axis, settings, subsets) | {"logit_correlation": correlation})
    return _joined(parts)


def divergences_permuted(likelihoods: Both, logs: Both, orders: Tensor, *, of_labels: bool) -> dict[str, Tensor]:
    """(P,) mean KL in both directions where the inputs, or the labels, of the second model are permuted.

    Args:
        likelihoods, logs: (N, C) p(y|x) and log p(y|x) of either model.
        orders: (P, N) permutations of the inputs, or (P, C) of the labels.
        of_labels: which.
    """
    (p, q), (log_p, log_q) = likelihoods, logs
    parts = []
    for order in orders:
        moved, log_moved = ((part[:, order] if of_labels else part[order]) for part in (q, log_q))
        difference = log_p - log_moved
        parts.append({"kl": (p * difference).sum() / len(p), "kl_reverse": -(moved * difference).sum() / len(p)})
    return {name: torch.stack([part[name] for part in parts]) for name in ("kl", "kl_reverse")}


def input_side_dissimilarities(odds: Tensor, other_odds: Tensor, orders: Tensor) -> Tensor:
    """(P,) d_SVD of the input set of a pair where the labels of the second model are permuted.

    It is far below 1 where there are few labels, so that a small one proves nothing there.

    Args:
        odds, other_odds: (K, C) log-odds ℓ(y|x_i) − ℓ(y|x_0) of the input set in either model.
        orders: (P, C) permutations of the labels.
    """
    first, second = (
        centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-300)
        for centred in (part - part.mean(1, keepdim=True) for part in (odds, other_odds))
    )
    found: Tensor = 1.0 - nuclear_norm(first @ second[:, orders].movedim(1, 0).mT) / len(odds)
    return found


def axis_of_sides(sides: tuple[Root, Root], labels: Tensor, other_labels: Tensor) -> Axis:
    """B pairs over inputs as one axis.

    Args:
        sides: the roots of both sides, (B, r, M).
        labels, other_labels: (C, M) or (B, C, M) the labels' vectors in either model.
    """
    count = len(sides[0].vectors)
    items = torch.cat([part.expand(count, -1, -1) for part in (labels, other_labels)])
    root = Root.joined(sides)
    numbers = torch.arange(count, device=items.device)
    return Axis(root, items, torch.stack([numbers, numbers + count], 1), sides)


def _label_side(axis: Axis, settings: Settings, subsets: Tensor | None) -> dict[str, Tensor]:
    """(B,) by field, at the labels that are best in each pair."""
    pivots = None if settings.pivots is None else torch.tensor(settings.pivots, device=axis.pairs.device)
    labels = choose_labels(axis, settings.reduction, pivots, "ignore")
    if subsets is None:
        return {"label_term": labels.term}
    items = labels.used.nonzero()[:, 1].reshape(len(axis.pairs), -1)
    of_subsets = dissimilarity(*unit_log_odds(axis, labels.pivot, items), subsets)
    return {"label_term": labels.term, "dissimilarity_embeddings": of_subsets.amax(-1)}


def _batches(orders: Tensor, moved: Tensor) -> list[Tensor]:
    """As many permutations at a time as what they move fits into the cache."""
    step = max(1, BLOCK_ELEMENTS // moved.numel())
    return [orders[start : start + step] for start in range(0, len(orders), step)]


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
