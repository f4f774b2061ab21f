"""Will a linear probe of one model's embeddings still read the same from another's?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.logit_roots import logit_roots
from closedist.measures.projection import Projection
from closedist.measures.representation_distance import check_embeddings
from closedist.representations import Representations
from closedist.representations.arrays import as_tensor


@dataclass(frozen=True)
class ProbeTransfer:
    """What becomes of k probes, (k,) each; shares of the variance over the inputs of what the probe reads from p.

    Attributes:
        share_lost: when the probe is carried over by the map that the labels dictate; nothing is fitted. It may exceed
            1.
        share_lost_by_best_map: when the best linear map of q's embeddings reads it; never above share_lost.
        outside: of what it reads in directions that no label sees, which no map of labels can carry.
    """

    share_lost: Tensor
    share_lost_by_best_map: Tensor
    outside: Tensor


def probe_transfer(p: Representations, q: Representations, probes: ArrayLike | Tensor) -> ProbeTransfer:
    """How much of linear probes of p's embeddings survives in q's, before any fitting.

    Args:
        p, q: representations of the same N inputs and C labels.
        probes: (k, M) rows u of probes u·f(x), as in the weights of a linear classifier.

    Raises:
        InputError: the models cannot be compared, one is a black box, the probes do not fit p's dimension, or what one
            reads from p does not vary.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(3 * f, g / 3)
        >>> lost = closedist.probe_transfer(p, q, [[1.0, 0.0]]).share_lost
        >>> bool(lost.max() < 1e-9)
        True
    """
    check_embeddings(p, q)
    u = as_tensor(probes, "probes").double()
    if u.ndim != 2 or u.shape[1] != p.dimension:
        raise InputError(f"probes: shape {tuple(u.shape)}; one row a probe with {p.dimension} entries is needed")
    roots, _ = logit_roots(p, q)
    own, other = roots.embeddings()
    u = u.to(own.device)
    read = own @ u.T
    variance = read.square().sum(0)
    constant = variance <= (64 * torch.finfo(torch.float64).eps) ** 2 * own.square().sum() * u.square().sum(1)
    if bool(constant.any()):
        raise InputError(f"probes: row {int(constant.nonzero()[0])} reads the same from every input of p; leave it out")
    labels = roots.onto_unembeddings
    outside = (own - (own @ labels.right) @ labels.right.mT) @ u.T
    lost = labels.solve(roots.delta_centred) @ u.T + outside
    best = Projection.onto(other, roots.num_inputs).rest(read.mT).mT
    shares = (part.square().sum(0) / variance for part in (lost, best, outside))
    return ProbeTransfer(*shares)
