"""Upper bounds on d_{f,g}, the largest d_SVD, from the distributions alone; do they hold? Proofs: docs/mathematics.md.

Whoever compares looks these functions up here when it runs, so that a test can put a wrong bound in the place of one
and see it counted. No measure is set to its bound but where it exceeds it by rounding.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # so that reading results, whose bounds are counted here, does not load torch
    from torch import Tensor

RELATIVE_ROUNDING = 1e-12
ABSOLUTE_ROUNDING = 1e-28  # d_SVD of a model and its copy: the square of a rounded distance of unit vectors

Values = Sequence[float] | NDArray[np.float64]


def certificate(correlation_distance: "Tensor", used: "Tensor", input_distance: "Tensor") -> "Tensor":
    """max(mean of the K largest 1 − ρ_j over J, mean of 1 − ρ_i over the input set), which is at least d_{f,g}.

    Args:
        correlation_distance: (m, C) 1 − ρ_j of the labels' log-odds against the pivot.
        used: (m, C) which labels J holds, at least K.
        input_distance: (m, K) 1 − ρ_i of the chosen input set.

    Returns:
        (m,) float64.
    """
    return _of_worst(correlation_distance, used, input_distance)


def unsigned(correlation_distance: "Tensor") -> "Tensor":
    """1 − |ρ| from 1 − ρ, without losing digits at either end."""
    return correlation_distance.minimum(2.0 - correlation_distance)


def unsigned_certificate(correlation_distance: "Tensor", used: "Tensor", input_distance: "Tensor") -> "Tensor":
    """The certificate of |ρ|: at least d_{f,g}, at most the certificate, and never above 1.

    ‖UᵀU'‖_* is at least the trace of UᵀU'·S for any diagonal S of signs, so that d_SVD ≤ 1 − mean of |ρ_j| over the
    subset, which is at most one minus the mean of the K smallest |ρ_j| over J. The arguments are the certificate's.
    """
    return _of_worst(unsigned(correlation_distance), used, unsigned(input_distance))


def _of_worst(of_labels: "Tensor", used: "Tensor", of_inputs: "Tensor") -> "Tensor":
    worst = of_labels.masked_fill(~used, -np.inf).topk(of_inputs.shape[-1]).values
    return worst.mean(-1).maximum(of_inputs.mean(-1))


def quadratic_bound(label_term: "Tensor", input_term: "Tensor") -> "Tensor":
    """2·max(t1, t2)², at least the certificate where t1 and t2 are maxima."""
    return 2 * label_term.maximum(input_term).square()


def linear_bound(llv: "Tensor", subset_size: int) -> "Tensor":
    """The paper's bound 2·K·d_LLV on d_{f,g}, informative while d_LLV < 1/(2K) (Nielsen et al., 2025)."""
    return 2 * subset_size * llv


def within_rounding(value: "Tensor", bound: "Tensor") -> "Tensor":
    """The value, set to its bound where it exceeds it by rounding only; one that exceeds it by more stays."""
    by_rounding = value <= bound * (1 + RELATIVE_ROUNDING) + ABSOLUTE_ROUNDING
    return value.minimum(bound).where(by_rounding, value)


def holding(
    dissimilarity: Values,
    unsigned_certificate: Values | None,
    certificate: Values | None,
    quadratic_bound: Values | None,
    linear_bound: Values | None,
) -> dict[str, NDArray[np.bool_]]:
    """For which pairs each bound holds: every bound on d_{f,g}, and of the first three each on the one before too.

    Args:
        dissimilarity: d_{f,g} of every pair.
        unsigned_certificate, certificate, quadratic_bound, linear_bound: of every pair, None where there is none.

    Returns:
        By a bound's name, one entry a pair; only of the bounds that are given.
    """
    value = np.asarray(dissimilarity)
    chain = {
        "unsigned certificate": unsigned_certificate,
        "certificate": certificate,
        "quadratic bound": quadratic_bound,
        "paper's bound": linear_bound,
    }
    given = {name: np.asarray(bound) for name, bound in chain.items() if bound is not None}
    holds = {name: value <= bound for name, bound in given.items()}
    for lower, upper in pairwise(list(chain)[:3]):
        if lower in given and upper in given:
            holds[upper] &= given[lower] <= given[upper]
    return holds
