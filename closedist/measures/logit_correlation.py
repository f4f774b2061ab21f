"""The logit correlation: how far two models agree in all double log-odds, with nothing chosen.

H holds the logits centred over labels and over inputs. ⟨H, H'⟩/(‖H‖‖H'‖) is the correlation of all double log-odds
ℓ(y|x) − ℓ(y'|x) − ℓ(y|x̃) + ℓ(y'|x̃) of the two models: no pivot, no left-out label, no input set, no K and no seed. It
sees signs and which label is which, but no temperature. H = F_c·G_cᵀ, so that two root factors stand for it (biases and
normalisers drop out), and 1 − correlation = ½‖H/‖H‖ − H'/‖H'‖‖² keeps its digits where models are close.
"""

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.logit_roots import LogitRoots, logit_roots
from closedist.measures.roots import Root, cross_products, triangular
from closedist.measures.singular_values import nuclear_norm
from closedist.measures.stack import stacked
from closedist.measures.terms import ZERO, square_norm
from closedist.representations import Representations
from closedist.representations.names import model_names

Both = tuple[Tensor, Tensor]


def logit_decorrelation(inputs: Both, labels: Both) -> Tensor:
    """1 − logit correlation of pairs of models, between 0 and 2.

    Args:
        inputs: (…, r, M) and (…, r, M') root factors of the two embeddings over the inputs, from one joint root.
        labels: (…, s, M) and (…, s, M') those of the unembeddings over the labels.

    Returns:
        (…) float64; 1 where a model's logits do not vary.
    """
    first, second = ((root @ label_root.mT).flatten(-2) for root, label_root in zip(inputs, labels, strict=True))
    return _decorrelation(first, second, first.norm(dim=-1), second.norm(dim=-1))


def rotated_decorrelations(inputs: Both, labels: Both) -> Both:
    """What is left of it after the best rotation: 1 − ‖HᵀH'‖_*/(‖H‖‖H'‖) and 1 − ‖HH'ᵀ‖_*/(‖H‖‖H'‖).

    Both are at most 1 − logit correlation: the first after rotating the space of labels, the second that of inputs.

    Args:
        inputs, labels: as for :func:`logit_decorrelation`.

    Returns:
        (…) float64 twice.
    """
    sizes = [(root @ label_root.mT).flatten(-2).norm(dim=-1) for root, label_root in zip(inputs, labels, strict=True)]
    scale = (sizes[0] * sizes[1]).clamp(min=1e-300)
    sides = []
    for within, around in ((inputs, labels), (labels, inputs)):
        left, right = (triangular(root) for root in around)
        sides.append(1.0 - nuclear_norm(left @ (within[0].mT @ within[1]) @ right.mT) / scale)
    return sides[0], sides[1]


def label_decorrelation(inputs: Both, vectors: Both) -> Tensor:
    """1 − the correlation over inputs of each label's centred logit in the two models.

    Args:
        inputs: as for :func:`logit_decorrelation`.
        vectors: (…, C, M) and (…, C, M') unembeddings, centred over the labels.

    Returns:
        (…, C) float64; 1 where a model's logit does not vary.
    """
    rows = [vector @ root.mT for root, vector in zip(inputs, vectors, strict=True)]
    norms = [row.norm(dim=-1) for row in rows]
    norms = [norm.masked_fill(norm <= ZERO * norm.amax(-1, keepdim=True), 0.0) for norm in norms]
    return _decorrelation(*rows, *norms)


def logit_correlations_of_pairs(over_inputs: Root, over_labels: Root, pairs: Tensor) -> Tensor:
    """(m,) logit correlations of pairs of models, (m, 2) indices, from their roots over the inputs and the labels.

    ⟨F·Gᵀ, F'·G'ᵀ⟩ is the sum of the entries of FᵀF' times those of GᵀG'.
    """
    roots = []
    for root in (over_inputs, over_labels):
        sizes = root.vectors.flatten(1).norm(dim=1)[:, None, None].clamp(min=1e-300)
        roots.append(Root(root.vectors / sizes, root.shared, root.own, root.angles))
    inputs, labels = roots
    own = ((inputs.vectors.mT @ inputs.vectors) * (labels.vectors.mT @ labels.vectors)).sum((-1, -2))
    norms = own.clamp(min=1e-300).sqrt()
    products: Tensor = (cross_products(inputs, pairs) * cross_products(labels, pairs)).sum((-1, -2))
    found = products / norms[pairs[:, 0]] / norms[pairs[:, 1]]
    return found.clamp(min=-1.0, max=1.0)  # rounding can exceed 1 by 1e-16


class LogitProducts:
    """The same from the logits of n models themselves, block by block, for any number of labels."""

    def __init__(self) -> None:
        self._count = 0
        self._shift = self._sums = self._products = torch.zeros(0)

    def add(self, relative: Tensor) -> None:
        """Take in (n, B, C) log-likelihoods, less any constant of an input."""
        rows = relative - relative.mean(-1, keepdim=True)
        if not self._count:  # less the first means, so that little is left of what all inputs share
            self._shift, self._sums = rows.mean(1, keepdim=True), torch.zeros_like(rows[:, 0])
            self._products = rows.new_zeros(len(rows), len(rows))
        rows -= self._shift
        self._count += rows.shape[1]
        self._sums += rows.sum(1)
        self._products += rows.flatten(1) @ rows.flatten(1).mT

    def correlations(self) -> Tensor:
        """(n, n) logit correlations; 0 of a model whose logits do not vary."""
        products = self._products - self._sums @ self._sums.mT / self._count
        norms = products.diagonal().clamp(min=1e-300).sqrt()
        found: Tensor = (products / norms / norms.unsqueeze(-1)).clamp(min=-1.0, max=1.0)
        return found


def logit_correlation(p: Representations, q: Representations) -> float:
    """The logit correlation of two models, between −1 and 1; √(2(1 − it)) is a pseudometric on models.

    Args:
        p, q: representations of the same N ≥ 2 inputs and C ≥ 2 labels in the same order; the dimensions may differ.

    Raises:
        InputError: the models cannot be compared, or a model's logits do not vary.
    """
    first, second = (root.flatten() for root in _varied_roots(p, q).logits(centred=True))
    return 1.0 - float(_decorrelation(first, second, first.norm(), second.norm()))


def label_correlations(p: Representations, q: Representations) -> Tensor:
    """The readable breakdown of the logit correlation: for each label the correlation of its centred logits.

    Args:
        p, q: as for :func:`logit_correlation`.

    Returns:
        (C,) float64 correlations over inputs of the logit less its mean over labels; 0 where one model's does not vary.

    Raises:
        InputError: as for :func:`logit_correlation`.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 3)), rng.normal(size=(4, 3))
        >>> swapped = closedist.Representations(f, g[[1, 0, 2, 3]])  # the first two labels
        >>> [round(float(r), 2) for r in closedist.label_correlations(closedist.Representations(f, g), swapped)]
        [-0.73, -0.73, 1.0, 1.0]
    """
    roots, models = _varied_roots(p, q).embeddings(), stacked([p, q])
    first, second = (models.labels[index, :, : root.shape[-1]] for index, root in enumerate(roots))
    return 1.0 - label_decorrelation(roots, (first, second))


def _varied_roots(p: Representations, q: Representations) -> LogitRoots:
    roots, _ = logit_roots(p, q)
    for name, root in zip(model_names(2), roots.logits(centred=True), strict=True):
        if not bool(root.norm() > 0):
            raise InputError(
                f"embeddings and unembeddings: the log-odds of model {name} do not vary over its {p.num_inputs:,} "
                f"inputs and {p.num_labels:,} labels, so that they correlate with nothing; check the extraction"
            )
    return roots


def _decorrelation(first: Tensor, second: Tensor, norms: Tensor, other_norms: Tensor) -> Tensor:
    """½‖u − u'‖² of rows scaled to unit length by their norms; 1 where one of them is zero."""
    units, other_units = (
        row / norm.clamp(min=1e-300).unsqueeze(-1) for row, norm in ((first, norms), (second, other_norms))
    )
    return (0.5 * square_norm(units - other_units)).masked_fill((norms == 0) | (other_norms == 0), 1.0)
