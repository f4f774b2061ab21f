"""d_rep: do the embeddings agree once the labels say how to carry one model's onto the other's?

The logits' difference Δ(x) is G_c·a(x) + r(x) with a = G_c⁺Δ = f − A·f' − t: A and t are the map that the labels
dictate, a is what is left of the embeddings, and r what no map of the embeddings can mend. The published distance is a
mean over choices of M + 1 labels that one nearly singular choice decides (it has no expectation); weighted by squared
volume it is finite and exact, and its least-squares part is the number to show (proof in docs/mathematics.md).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.logit_roots import LogitRoots, logit_roots
from closedist.measures.projection import Projection
from closedist.representations import Representations

Subsets = Literal["all", "volume"]


@dataclass(frozen=True)
class RepresentationDistances:
    """How far embeddings are apart after the map that the labels dictate, (…) each, in the first model's coordinates.

    Attributes:
        distance: √E‖a‖², by least squares over all labels at once; in the units of the first model's embeddings.
        volume: the root of the mean over (rank + 1)-subsets of labels, weighted by squared volume; never below
            distance.
        relative: the same as distance in units that no re-parametrisation changes: 0 for equal models, 1 where the map
            does no better than the mean.
        unembeddings: the same of the unembeddings, after the map that the inputs dictate; volume_unembeddings likewise.
        identified_rank: of the centred unembeddings; directions of f beyond it are outside all of these.
    """

    distance: Tensor
    volume: Tensor
    relative: Tensor
    unembeddings: Tensor
    volume_unembeddings: Tensor
    identified_rank: Tensor


def representation_distances(roots: LogitRoots) -> RepresentationDistances:
    """d_rep in its forms, from the roots alone."""
    by_labels = roots.onto_unembeddings
    delta, delta_centred = roots.delta, roots.delta_centred
    least, volume = _fitted(by_labels, delta)
    by_inputs = roots.onto_embeddings
    least_unembeddings, volume_unembeddings = _fitted(by_inputs, delta_centred.mT)

    own = by_labels.coordinates(roots.logits(centred=True)[0])  # the first model's logits, whose span this is
    scale = Projection.onto(own, roots.num_inputs)
    left = (by_labels.coordinates(delta_centred) @ scale.right) * scale.inverse_sizes.unsqueeze(-2)
    relative = left.flatten(-2).norm(dim=-1) / by_labels.rank.double().sqrt()
    return RepresentationDistances(
        least * roots.unit,
        volume * roots.unit,
        relative,
        least_unembeddings / roots.unit,
        volume_unembeddings / roots.unit,
        by_labels.rank,
    )


def _fitted(projection: Projection, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Roots of Σ‖a‖² of the least-squares solutions, and of its mean over subsets weighted by squared volume.

    By Cramer and Cauchy–Binet the latter adds tr((XᵀX)⁺)·Σ‖what the fit leaves‖², X the columns.
    """
    least = projection.solve(vectors).flatten(-2).norm(dim=-1)
    left = projection.rest(vectors).flatten(-2).norm(dim=-1)
    return least, torch.hypot(least, projection.inverse_sizes.norm(dim=-1) * left)


def representation_distance(p: Representations, q: Representations, subsets: Subsets = "all") -> float:
    """d_rep in p's coordinates: how far p's embeddings are from q's after the map that the labels dictate.

    It has the units of p's embeddings and changes with their scale; the relative form in ``compare`` does not.

    Args:
        p, q: representations of the same N inputs and C labels; the dimensions may differ.
        subsets: "all" labels at once by least squares, or "volume", the mean over subsets of labels weighted by squared
            volume (the published mean made finite and exact).

    Raises:
        InputError: the models cannot be compared, or one is a black box, which has no embeddings.

    Source: Nielsen et al. (2026); both forms ours.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(3 * f, g / 3)
        >>> closedist.representation_distance(p, q) < 1e-9
        True
    """
    if subsets not in ("all", "volume"):
        raise InputError(f'subsets: {subsets!r}; it is "all" or "volume" (uniform: subset_dissimilarity)')
    check_embeddings(p, q)
    found = representation_distances(logit_roots(p, q)[0])
    return float(found.distance if subsets == "all" else found.volume)


def check_embeddings(p: Representations, q: Representations) -> None:
    """Refuse black boxes.

    Raises:
        InputError: one of the two is a black box.
    """
    for name, model in (("p", p), ("q", q)):
        if model.black_box:
            raise InputError(
                f"model {name}: a black box, whose embeddings are not known; extract embeddings and unembeddings, or "
                "use logit_distance, which needs logits only"
            )
