"""d_logit, the distance of two models' logits, and what it is made of (Nielsen et al., 2026; closed forms ours)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.measures.checks import check_comparable, only_logits
from closedist.measures.likelihood import logit_blocks
from closedist.measures.logit_roots import LogitRoots, checked_weights, label_rows, logit_roots
from closedist.measures.stack import arithmetic_device, stacked
from closedist.representations import Representations
from closedist.representations.names import model_names


@dataclass(frozen=True)
class LogitDistances:
    """d_logit of pairs of models and its parts, (…) each; every one is a root, in the units of logits.

    Attributes:
        distance: d_logit = √E‖Δ‖², Δ the difference of the logits, each centred over the labels.
        centred: the same about Δ's mean over the inputs: what is left after the best bias is given to one model.
        rms: d_logit / √C, the difference of a single centred logit.
        relative: d_logit over the root mean square of the first model's centred logits.
        factor: by which the second model's logits are closest to the first's; a temperature of 1/factor.
        cosine: of the two models' centred logits.
        at_factor: the distance at that factor.
        map_part: the embeddings disagree after the best map that the labels give: √E‖G_c·a‖².
        span_part: the second model's logits leave the column space of the first's unembeddings: √E‖r‖².
    """

    distance: Tensor
    centred: Tensor
    rms: Tensor
    relative: Tensor
    factor: Tensor
    cosine: Tensor
    at_factor: Tensor
    map_part: Tensor
    span_part: Tensor


def logit_distances(roots: LogitRoots) -> LogitDistances:
    """d_logit and its parts, from the roots alone."""
    delta = roots.delta
    distance = _size(delta)
    first, second = roots.logits(centred=False)
    size, other_size, inner = _size(first), _size(second), (first * second).sum((-1, -2))
    factor = inner / other_size.square()
    projection = roots.onto_unembeddings
    return LogitDistances(
        distance=distance,
        centred=_size(roots.delta_centred),
        rms=distance / roots.num_labels**0.5,
        relative=distance / size,
        factor=factor,
        cosine=inner / (size * other_size),
        at_factor=_size(first - factor[..., None, None] * second),
        map_part=_size(projection.coordinates(delta)),
        span_part=_size(projection.rest(delta)),
    )


def logit_distance(p: Representations, q: Representations, label_weights: ArrayLike | Tensor | None = None) -> float:
    """d_logit: the root of the mean over inputs of Σ_y (c(y|x) − c'(y|x))², c the logits centred over the labels.

    A metric on conditional distributions: it is 0 only where they are equal on the N inputs. It grows with √C; it does
    not depend on a shift of all unembeddings, on any normaliser, or on a linear re-parametrisation of a model.

    Args:
        p, q: representations of the same N inputs and C labels; black boxes too.
        label_weights: (C,) ≥ 0, how much each label counts in the sum and in the centring; by default 1 each.

    Returns:
        d_logit in the units of logits (nats).

    Raises:
        InputError: the models cannot be compared, or the weights are no weights of these labels.

    Source: Nielsen et al. (2026), which reports the square.

    Examples:
        >>> import numpy as np, closedist
        >>> p = closedist.Representations.from_logits(np.array([[0.0, 2.0], [0.0, 0.0]]))
        >>> q = closedist.Representations.from_logits(np.array([[0.0, 0.0], [0.0, 0.0]]))
        >>> round(closedist.logit_distance(p, q), 6)  # the root of the mean of (1 + 1) and 0
        1.0
    """
    if not _only_logits(p, q):
        return float(_size(logit_roots(p, q, label_weights)[0].delta))
    weights = checked_weights(label_weights, p.num_labels, arithmetic_device(p.stored))
    squares = _squares_by_label(p, q, weights)
    return math.sqrt(float((squares if weights is None else squares * weights).sum()))


def logit_distance_by_input(p: Representations, q: Representations) -> Tensor:
    """(N,) the distance ‖Δ(x)‖ of every input; the root of their mean square is d_logit.

    Args:
        p, q: representations of the same N inputs and C labels.

    Raises:
        InputError: the models cannot be compared.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(50, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(np.vstack([2 * f[:1], f[1:]]), g)
        >>> int(closedist.logit_distance_by_input(p, q).argmax())  # the one input that is seen otherwise
        0
    """
    if _only_logits(p, q):
        return torch.cat([delta.norm(dim=-1) for delta in _deltas(p, q)])
    factor = logit_roots(p, q)[0].labels
    models = stacked([p, q])
    parts = []
    for inputs in models.blocks(max(1, (1 << 22) // factor.shape[-1])):
        sides = [inputs[0, :, : p.dimension], inputs[1, :, : q.dimension]]
        ones = inputs.new_ones(len(inputs[0]), 1)
        parts.append((torch.cat([sides[0], ones, sides[1], ones], -1) @ factor.T).norm(dim=-1))
    return torch.cat(parts)


def logit_distance_by_label(p: Representations, q: Representations) -> Tensor:
    """(C,) the root mean square over inputs of each label's Δ_y; the root of their sum of squares is d_logit.

    Args:
        p, q: representations of the same N inputs and C labels.

    Raises:
        InputError: the models cannot be compared.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(50, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(f, np.vstack([g[:4], 3 * g[4:]]))
        >>> int(closedist.logit_distance_by_label(p, q).argmax())
        4
    """
    if _only_logits(p, q):
        return _squares_by_label(p, q).sqrt()
    moment = logit_roots(p, q)[0].moment
    models = stacked([p, q])
    rows = label_rows(models.labels, models.bias)
    width = models.labels.shape[-1] + 1
    used = torch.cat([rows[:, : p.dimension], rows[:, width - 1 : width + q.dimension], rows[:, -1:]], -1)
    sizes: Tensor = (used @ moment.T).norm(dim=-1)
    return sizes


def _only_logits(p: Representations, q: Representations) -> bool:
    """Whether Δ has to be taken from the logits themselves, since a black box has too many labels for unembeddings."""
    check_comparable([p, q], model_names(2))
    return only_logits(p, q)


def _deltas(p: Representations, q: Representations, weights: Tensor | None = None) -> Iterator[Tensor]:
    """Δ, (B, C), of some inputs at a time, centred over the labels by their weights."""
    for _, logits in logit_blocks([p, q]):
        delta = logits[0] - logits[1]
        yield delta if weights is None else delta - (delta @ (weights / weights.sum()))[:, None]


def _squares_by_label(p: Representations, q: Representations, weights: Tensor | None = None) -> Tensor:
    """(C,) the mean square over inputs of each label's Δ_y."""
    total = torch.zeros(p.num_labels, dtype=torch.float64, device=arithmetic_device(p.stored))
    for delta in _deltas(p, q, weights):
        total += delta.square().sum(0)
    return total / p.num_inputs


def _size(root: Tensor) -> Tensor:
    """The Frobenius norm of (…, r, h) matrices."""
    size: Tensor = root.flatten(-2).norm(dim=-1)
    return size
