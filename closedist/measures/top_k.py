"""What KL can be where only some labels' log-probabilities are known, as engines give the top k."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.representations.arrays import as_tensor
from closedist.representations.names import Names, as_names

Array = NDArray[np.float64]

_TOO_MUCH = 1e-3  # above 1, what four decimals of log-probabilities leave of a sum of probabilities
_ROUNDINGS = 32  # of numbers of their type that a sum of probabilities may be away from 1
_COMPARED = 1 << 22  # pairs of labels that are compared at once


def kl_of_top_k(
    ids: Names,
    log_probs: ArrayLike | Tensor,
    other_ids: Names,
    other_log_probs: ArrayLike | Tensor,
    *,
    floor: float = -math.inf,
) -> tuple[float, float]:
    """The interval of what KL(p‖q), the mean over N inputs in nats, can be where each model lists some labels only.

    Of an input let S and T be the labels that p and q list, r = 1 − p(S) and s = 1 − q(T) what is left of each,
    A = p(S∖T), Q = q(T∖S), and k = Σ p·log(p/q) over S∩T, which is known. Nothing else is: p is any distribution of r
    over labels outside S, q any of s outside T, and there are at least two labels that neither lists.

    **Lowest.** Let p give B of r to T∖S. Outside T there is then A + r − B of p and s of q. By the log-sum inequality
    Σ p·log(p/q) is at least B·log(B/Q) over T∖S and (A + r − B)·log((A + r − B)/s) outside T, with equality for p
    proportional to q on each, which p can be on T∖S, where it is free, and q can be outside T, where it is. The sum of
    both is convex in B and smallest where B/Q = (A + r − B)/s, at B = Q·(A + r)/(Q + s); where that is above r, at
    B = r. So the lowest is k plus both at that B, and it is attained.

    **Highest.** Where A = r = 0, q is known wherever p is not 0: KL is k. Otherwise some label outside T can have
    probability above 0 in p, and q can make it as small as it likes, giving the rest to another label: there is no
    highest, it is ∞. With ``floor``, a bound on the log-probabilities that q does not list, q(y) ≥ e^floor there: each
    label of S∖T adds at most p·(log p − floor), and Σ p·log(p/q) over what p does not list, convex in p, is largest
    where all of r is on one label, the one with the smallest q, which is at least e^floor or the smallest q on T∖S:
    r·(log r − log of that). The highest is k plus these, and attained where s has room for so many labels at the floor.

    Args:
        ids: (N, k) which labels p lists for each input: integers or strings, all different.
        log_probs: (N, k) their log-probabilities, −∞ for a probability of 0, without any entry for the rest.
        other_ids, other_log_probs: (N, k') the same of q.
        floor: what no log-probability that q does not list falls below.

    What is left of 1 by no more than rounding of the type of the numbers counts as nothing left.

    Returns:
        (lowest, highest), the means over the inputs; (KL, KL) where both models list all labels.

    Raises:
        InputError: shapes that do not fit, a label listed twice, or numbers that are no log-probabilities.

    Examples:
        >>> import numpy as np, closedist
        >>> low, high = closedist.kl_of_top_k([[7, 2]], np.log([[0.6, 0.3]]), [[7, 5]], np.log([[0.5, 0.3]]), floor=-10)
        >>> round(low, 3), round(high, 3)
        (0.121, 3.518)
    """
    p, q = _listed(ids, log_probs, ""), _listed(other_ids, other_log_probs, "other_")
    count = len(p.logs)
    if len(q.logs) != count:
        raise InputError(
            f"other_log_probs: {len(q.logs)} inputs, log_probs have {count}; both must be of the same inputs"
        )
    if p.labels.dtype.kind != q.labels.dtype.kind:
        raise InputError("ids and other_ids: integers in one and strings in the other; name labels in the same way")
    if math.isnan(floor) or floor > 0:
        raise InputError(f"floor: {floor}; a log-probability, at most 0, is needed")
    step = max(1, _COMPARED // (p.logs.shape[1] * q.logs.shape[1]))
    ends = sum(_sums(p.at(rows), q.at(rows), floor) for rows in (slice(i, i + step) for i in range(0, count, step)))
    low, high = np.asarray(ends) / count
    return float(low), float(high)


@dataclass(frozen=True)
class _Listed:
    """(n, k) labels and their log-probabilities, and how far a sum of probabilities may be off by rounding."""

    labels: NDArray[Any]
    logs: Array
    rounding: float

    def at(self, rows: slice) -> _Listed:
        return _Listed(self.labels[rows], self.logs[rows], self.rounding)


def _sums(first: _Listed, second: _Listed, floor: float) -> Array:
    """The lowest and the highest KL, summed over some inputs."""
    from scipy.special import rel_entr  # a·log(a/b), and 0 where a is

    same = first.labels[:, :, None] == second.labels[:, None, :]
    in_both, in_both_too = same.any(2), same.any(1)
    p, q = np.exp(first.logs), np.exp(second.logs)
    r, s = 1 - p.sum(1), 1 - q.sum(1)
    q_there = (np.where(same, q[:, None, :], 0.0)).sum(2)
    known = np.where(in_both, rel_entr(p, q_there), 0.0).sum(1)
    of_p, of_q = np.where(in_both, 0.0, p).sum(1), np.where(in_both_too, 0.0, q).sum(1)  # A and Q

    left, other_left = np.where(r > first.rounding, r, 0), np.maximum(s, 0) + second.rounding
    given = np.minimum(left, of_q * (of_p + left) / (of_q + other_left))  # B
    low = known + rel_entr(given, of_q) + rel_entr(np.maximum(of_p + left - given, 0), other_left)

    least = np.minimum(np.exp(floor), np.where(in_both_too, np.inf, q).min(1))
    high = known + np.where(in_both, 0.0, rel_entr(p, np.exp(floor))).sum(1) + rel_entr(left, least)
    low = np.maximum(low, 0)
    return np.array([low.sum(), np.maximum(low, high).sum()])


def _listed(ids: Names, log_probs: ArrayLike | Tensor, side: str) -> _Listed:
    tensor = as_tensor(log_probs, f"{side}log_probs")
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise InputError(f"{side}log_probs: shape {tuple(tensor.shape)}; a row of log-probabilities an input is needed")
    logs: Array = tensor.double().cpu().numpy()
    total = np.exp(logs).sum(1)
    wrong = np.flatnonzero(~(total <= 1 + _TOO_MUCH))
    if len(wrong):
        raise InputError(
            f"{side}log_probs: the probabilities of row {wrong[0]} sum to {total[wrong[0]]:.6g}; log-probabilities, "
            "not logits, are needed: their probabilities sum to at most 1"
        )
    labels = as_names(ids, f"{side}ids", len(logs), "input")
    if labels is None or labels.shape != logs.shape:
        shape = None if labels is None else labels.shape
        raise InputError(f"{side}ids: shape {shape}; a label for each log-probability, {logs.shape}, is needed")
    ordered = np.sort(labels, axis=1)
    twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(1))
    if len(twice):
        raise InputError(f"{side}ids: row {twice[0]} lists a label twice; list each once")
    return _Listed(labels, logs, _ROUNDINGS * torch.finfo(tensor.dtype).eps)
