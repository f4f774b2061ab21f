"""How the predictions of two models differ input by input: divergences beyond their mean, and the top labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.checks import check_comparable, check_finite
from closedist.measures.likelihood import CACHED_ELEMENTS, divergence_terms, predictions
from closedist.measures.stack import arithmetic_device
from closedist.representations import Representations
from closedist.representations.names import model_names

QUANTILES = (50, 90, 99, 99.9, 100)  # per cent of the inputs
_CLOSE = 1e-3  # nats: below, products leave too few digits


@dataclass(frozen=True)
class ByInput:
    """What one pass over N inputs says of the predictions of a pair, or of m pairs of n models.

    Attributes:
        kl, kl_reverse: (N,) or (m, N) Σ_y p(y|x)·(log p(y|x) − log q(y|x)) and the other way round, in nats.
        js: likewise the Jensen–Shannon divergence, between 0 and log 2.
        same_top: likewise 1.0 where both models predict the same label.
        top: (n, N) the label that each model predicts.
        mean_likelihoods: (n, C) mean over the inputs of p(y|x).
        mean_log_likelihoods: (n, C) mean over the inputs of log p(y|x) + log C.
        mean_negative_entropies: (n,) mean over the inputs of Σ_y p(y|x)·(log p(y|x) + log C).
        given: (n, N) log p(y|x) of a label y that was given for every input, NaN where none was.
    """

    kl: Tensor
    kl_reverse: Tensor
    js: Tensor
    same_top: Tensor
    top: Tensor
    mean_likelihoods: Tensor
    mean_log_likelihoods: Tensor
    mean_negative_entropies: Tensor
    given: Tensor

    def of_pair(self, index: int, pair: tuple[int, int]) -> "ByInput":
        """One of m pairs, of these two models."""
        of_pairs = (self.kl, self.kl_reverse, self.js, self.same_top)
        means = (self.mean_likelihoods, self.mean_log_likelihoods, self.mean_negative_entropies)
        of_models = (self.top, *means, self.given)
        return ByInput(*(part[index] for part in of_pairs), *(part[list(pair)] for part in of_models))


def by_input(members: Sequence[Representations], given: Tensor | None = None) -> ByInput:
    """One pass over the inputs of two comparable models.

    Args:
        members: the two.
        given: (N,) int64 a label for every input, such as the right one, or −1 for none.

    Raises:
        InputError: log-likelihoods are too large for float64.
    """
    return by_input_of_pairs(members, torch.tensor([[0, 1]]), given).of_pair(0, (0, 1))


def by_input_of_pairs(members: Sequence[Representations], pairs: Tensor, given: Tensor | None = None) -> ByInput:
    """One pass over the inputs of n comparable models, for the pairs asked for, (m, 2) indices.

    ``given`` is as for :func:`by_input`.

    Raises:
        InputError: log-likelihoods are too large for float64.
    """
    count, num_labels = members[0].num_inputs, members[0].num_labels
    new = torch.zeros(0, dtype=torch.float64, device=arithmetic_device(members[0].stored))
    first, second = pairs.to(new.device).T
    kl, kl_reverse, js = rows = new.new_empty(3, len(pairs), count)
    top = torch.empty(len(members), count, dtype=torch.int64, device=new.device)
    likelihoods, logs = new.new_zeros(2, len(members), num_labels)
    entropies = new.new_zeros(len(members))
    of_given = new.new_full((len(members), count), torch.nan)
    wanted = torch.full((count,), -1, device=new.device) if given is None else given.to(new.device)
    for here, block in predictions(members):
        step = max(1, CACHED_ELEMENTS // block.relative[0].numel())
        for some in (slice(start, start + step) for start in range(0, len(pairs), step)):
            p, q = block.likelihoods[first[some]], block.likelihoods[second[some]]
            found = _divergences(block.relative[first[some]] - block.relative[second[some]], p, q)
            kl[some, here], kl_reverse[some, here], js[some, here] = found
        top[:, here] = block.relative.argmax(-1)
        labels = wanted[here]
        own = block.relative.gather(-1, labels.clamp(min=0).expand(len(members), -1).unsqueeze(-1)).squeeze(-1)
        of_given[:, here] = torch.where(labels < 0, torch.nan, own - math.log(num_labels))
        likelihoods += block.likelihoods.sum(1)
        logs += block.relative.sum(1)
        entropies += (block.likelihoods * block.relative).sum((1, 2))
    check_finite(rows, logs)
    same = (top[first] == top[second]).double()
    means = likelihoods / count, logs / count, entropies / count
    return ByInput(kl, kl_reverse, js, same, top, *means, of_given)


def _divergences(difference: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """(3, …) KL(p‖q), KL(q‖p) and Jensen–Shannon of (…, C), from d = log p − log q: by products, close ones directly.

    log p − log m = min(d, 0) + log 2 − log(1 + e^−|d|) and log q − log m = −max(d, 0) + log 2 − log(1 + e^−|d|).
    """
    shared = difference.abs().neg_().exp_().log1p_()
    below = difference.clamp(max=0.0)
    of_p, of_q = (p * difference).sum(-1), (q * difference).sum(-1)
    to_middle = (p * below).sum(-1) + (q * below).sum(-1) - of_q - ((p + q) * shared).sum(-1)
    found = torch.stack([of_p, -of_q, 0.5 * to_middle + math.log(2.0)])
    close = found.amin(0) < _CLOSE
    if bool(close.any()):
        d, p, q = difference[close], p[close], q[close]
        both = divergence_terms(d, p, q).sum(-1), divergence_terms(-d, q, p).sum(-1)
        found[:, close] = torch.stack([*both, jensen_shannon(d, p, q)])
    return found


def jensen_shannon(difference: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """(…, C) to (…): ½KL(p‖m) + ½KL(q‖m), m = (p + q)/2, from d = log p − log q; every term is positive.

    With t = tanh(d/2), p = m(1 + t) and q = m(1 − t), so that a label adds ½m·((1 + t)log(1 + t) + (1 − t)log(1 − t)),
    which is ½m·(log(1 − t²) + t·d): two terms of size t² that lose one bit, where the definition loses all.
    """
    size = difference.abs()
    t = torch.tanh(0.5 * size)
    small = torch.log1p(-t.clamp(max=0.9).square()) + t * size
    large = (t - 1.0) * size - 2.0 * torch.log1p(torch.exp(-size)) + 2.0 * math.log(2.0)
    found: Tensor = (0.25 * (p + q) * torch.where(size < 1.0, small, large)).sum(-1)
    return found


def quantiles(divergences: Tensor) -> dict[float, float]:
    """The median, the 90, 99 and 99.9 per cent quantiles and the largest of (N,) divergences, by the per cent."""
    ordered = divergences.sort().values
    found = {}
    for percent in QUANTILES:
        at = percent / 100 * (len(ordered) - 1)
        low = math.floor(at)
        high = min(low + 1, len(ordered) - 1)
        found[percent] = float(ordered[low].lerp(ordered[high], at - low))
    return found


def kl_by_input(p: Representations, q: Representations) -> Tensor:
    """KL(p‖q) of every input: Σ_y p(y|x)·(log p(y|x) − log q(y|x)), in nats.

    Args:
        p, q: representations of the same N inputs and C labels in the same order; any number of either.

    Returns:
        (N,) float64; their mean is :func:`~closedist.kl_divergence`.

    Raises:
        InputError: the models cannot be compared.
    """
    return _of(p, q).kl


def js_divergence(p: Representations, q: Representations) -> float:
    """The Jensen–Shannon divergence, the mean over inputs of ½KL(p‖m) + ½KL(q‖m), m = (p + q)/2, in nats.

    Symmetric, and at most log 2 = 0.693 whatever the models, where KL has no limit (Lin, 1991).

    Args:
        p, q: as for :func:`kl_by_input`.

    Raises:
        InputError: the models cannot be compared.
    """
    return float(_of(p, q).js.mean())


def same_top_label(p: Representations, q: Representations) -> float:
    """The share of inputs for which both models predict the same label.

    Args:
        p, q: as for :func:`kl_by_input`.

    Raises:
        InputError: the models cannot be compared.
    """
    return float(_of(p, q).same_top.mean())


def _of(p: Representations, q: Representations) -> ByInput:
    check_comparable([p, q], model_names(2))
    return by_input([p, q])
