"""Canonical directions of two models' embeddings: what both have, and what only one has."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.explanation.differences import Direction, Name
from closedist.measures.logit_roots import LogitRoots
from closedist.measures.projection import Projection
from closedist.measures.roots import triangular
from closedist.measures.stack import Stack

SHOWN_LABELS = 3  # at either end of a direction
LACKED = 2  # directions that only one model has, listed a model: the space of all of them has no directions of its own
_SEEN = 1e-9  # of a direction's logits beside the largest: below, no label sees it


@dataclass(frozen=True)
class _Side:
    """One model.

    Attributes:
        root: (r, M) of its embeddings' covariance.
        basis: (r, k) an orthonormal basis of the root's columns.
        labels: (C, M) its centred unembeddings.
        reach: (h, M) a root of these.
        faint: the size of logits that no label sees.
    """

    root: Tensor
    basis: Tensor
    labels: Tensor
    reach: Tensor
    faint: float

    @classmethod
    def of(cls, root: Tensor, labels: Tensor, num_inputs: int) -> "_Side":
        """The side of a model on so many inputs."""
        projection, reach = Projection.onto(root, num_inputs), triangular(labels)
        faint = _SEEN * float((reach @ root.mT).norm())
        return cls(root, projection.left[:, : int(projection.rank)], labels, reach, faint)

    def loadings(self, variates: Tensor) -> Tensor:
        """(M, m) covariances of the coordinates with (r, m) variates."""
        return self.root.mT @ variates

    def share(self, loading: Tensor) -> float:
        """The part of the variance that lies along a variate, by its (M,) loadings."""
        return float(loading.square().sum() / self.root.square().sum())

    def most_seen(self, variates: Tensor) -> Tensor:
        """(r, m) variates turned among themselves, first the one along which the logits vary most."""
        loadings = self.loadings(variates)
        seen = self.reach @ loadings
        if float(seen.norm()) <= self.faint:
            seen = loadings  # no label sees any of them: then the embeddings
        turned: Tensor = variates @ torch.linalg.svd(seen, full_matrices=True)[2].mT
        return turned

    def ends(self, variate: Tensor, names: Sequence[Name]) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
        """The labels that the logits tell apart most along a variate; none where no label sees it."""
        logits = self.labels @ self.loadings(variate)
        if float(logits.norm()) <= self.faint:
            return (), ()
        count = min(SHOWN_LABELS, len(names) // 2)
        higher, lower = logits.topk(count).indices, logits.topk(count, largest=False).indices
        return tuple(names[label] for label in higher.tolist()), tuple(names[label] for label in lower.tolist())


def directions(models: Stack, roots: LogitRoots, names: Sequence[Name]) -> tuple[list[Direction], int, int]:
    """Directions of two models, least alike first, and how many only the first and only the second has.

    Args:
        models: the two models.
        roots: theirs.
        names: of the labels.
    """
    first, second = (
        _Side.of(root, models.labels[index, :, : root.shape[-1]], roots.num_inputs)
        for index, root in enumerate(roots.embeddings())
    )
    turned, correlations, other_turned = torch.linalg.svd(first.basis.mT @ second.basis, full_matrices=True)
    variates, other_variates = first.basis @ turned, second.basis @ other_turned.mT
    shared = len(correlations)
    found = []
    for side, all_of_it in ((first, variates), (second, other_variates)):
        lacked = all_of_it[:, shared:]
        for variate in side.most_seen(lacked)[:, :LACKED].unbind(1) if lacked.shape[1] else ():
            share = side.share(side.loadings(variate))
            shares = (share, 0.0) if side is first else (0.0, share)
            found.append(Direction(0.0, *shares, *side.ends(variate, names)))
    for index in range(shared - 1, -1, -1):
        variate = variates[:, index]
        of_first = first.share(first.loadings(variate))
        of_second = second.share(second.loadings(other_variates[:, index]))
        correlation = min(float(correlations[index]), 1.0)
        found.append(Direction(correlation, of_first, of_second, *first.ends(variate, names)))
    return found, variates.shape[1] - shared, other_variates.shape[1] - shared
