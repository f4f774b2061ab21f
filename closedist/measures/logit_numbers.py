"""Everything that two models' logits say, from their roots: what the rows of logit_catalogue are read from."""

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import torch
from torch import Tensor

from closedist.measures import logit_bounds
from closedist.measures.logit_catalogue import LogitMeasure
from closedist.measures.logit_distance import LogitDistances, logit_distances
from closedist.measures.logit_roots import LogitRoots
from closedist.measures.orthonormal import orthonormal_basis
from closedist.measures.representation_distance import RepresentationDistances, representation_distances


@dataclass(frozen=True)
class LogitNumbers:
    """The numbers of m pairs, (m,) each; bounds are looked up on their module, so that a test can break one.

    Attributes:
        roots: of the pairs, first model first.
        precision: (m, 2) the relative spacing of the numbers that both embeddings came in.
        dimensions: (m, 2) the two models' M.
    """

    roots: LogitRoots
    precision: Tensor
    dimensions: Tensor

    def of(self, measure: LogitMeasure) -> Tensor:
        """(m,) float64 values of one row."""
        found: Tensor = attrgetter(measure.home)(self)
        return found.double()

    @cached_property
    def logits(self) -> LogitDistances:
        """d_logit and its parts."""
        return logit_distances(self.roots)

    @cached_property
    def representations(self) -> RepresentationDistances:
        """d_rep in its forms."""
        return representation_distances(self.roots)

    @cached_property
    def _variances(self) -> Tensor:
        return logit_bounds.logit_variances(self.roots)

    @property
    def kl_bound(self) -> Tensor:
        """Of KL, both ways."""
        return logit_bounds.kl_bound(self.logits.distance)

    @property
    def representation_bound(self) -> Tensor:
        """Of d_rep, in the units of the user's embeddings."""
        return logit_bounds.representation_bound(self.logits.distance, self.roots.onto_unembeddings) * self.roots.unit

    @property
    def representation_volume_bound(self) -> Tensor:
        """Of the volume-weighted d_rep, likewise."""
        return (
            logit_bounds.representation_volume_bound(self.logits.distance, self.roots.onto_unembeddings)
            * self.roots.unit
        )

    @property
    def unembedding_bound(self) -> Tensor:
        """Of the unembeddings' distance, in the units of the user's unembeddings."""
        embeddings = self.roots.onto_embeddings
        return logit_bounds.unembedding_bound(self.logits.centred, embeddings) / self.roots.unit

    @property
    def mean_cca_bound(self) -> Tensor:
        """The least m_CCA that these logits allow."""
        ranks = [orthonormal_basis(s, e)[1] for s, e in zip(self.roots.embeddings(), self.precision.mT, strict=True)]
        return logit_bounds.mean_cca_bound(self.logits.centred, self._variances, torch.minimum(*ranks))

    @property
    def capacity_floor(self) -> Tensor:
        """Of d_logit,c, for a model of the second's dimension."""
        return logit_bounds.floor_of(self._variances, self.dimensions[:, 1])
