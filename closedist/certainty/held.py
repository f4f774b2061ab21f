"""What the replicates of a pair hold as it was found on all inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.labels import LabelChoice
from closedist.measures.llv import Distances
from closedist.measures.roots import Root, pair_roots
from closedist.measures.settings import Settings
from closedist.measures.svd import dissimilarity
from closedist.measures.terms import unit_log_odds


@dataclass(frozen=True)
class Held:
    """What was chosen on all inputs, and is held while groups are left out; exact facts about the input set.

    Attributes:
        labels: the choice of labels of m pairs.
        items: (m, L) the labels of J whose subsets are looked at.
        subsets: (m or 1, S, K) positions among them: all subsets, or the one that was found.
        input_term, input_scale_term, input_distance, input_dissimilarity: (m,), (m,), (m, K) and (m,) t2, t4,
            1 − ρ_i and d_SVD of the chosen input set.
        label_roots: the roots of the two unembeddings over the labels, (m, s, M) each.
        precision: (m,) twice, the relative spacing of the numbers that the embeddings came in.
        settings: how the distance was asked for.
    """

    labels: LabelChoice
    items: Tensor
    subsets: Tensor
    input_term: Tensor
    input_scale_term: Tensor
    input_distance: Tensor
    input_dissimilarity: Tensor
    label_roots: tuple[Tensor, Tensor]
    precision: tuple[Tensor, Tensor]
    settings: Settings

    @classmethod
    def of(
        cls,
        found: Distances,
        pairs: Tensor,
        over_labels: Root,
        precision: Tensor,
        items: Tensor,
        subsets: Tensor,
        settings: Settings,
    ) -> "Held":
        """What was found of m pairs.

        Args:
            found: their distances.
            pairs: (m, 2) indices of models.
            over_labels: the root of n models over the labels.
            precision: (n,) the relative spacing of the numbers that the models' embeddings came in.
            items, subsets, settings: as above.
        """
        units = unit_log_odds(found.by_input, found.items[:, 0], found.items[:, 1:])
        every = torch.arange(found.items.shape[1] - 1, device=found.items.device)[None, None]
        label_roots = pair_roots(over_labels, pairs)
        return cls(
            labels=found.labels,
            items=items,
            subsets=subsets,
            input_term=found.input_term,
            input_scale_term=found.input_scale_term,
            input_distance=found.input_terms.correlation_distance,
            input_dissimilarity=dissimilarity(*units, every)[:, 0],
            label_roots=(label_roots[0].vectors, label_roots[1].vectors),
            precision=(precision[pairs[:, 0]], precision[pairs[:, 1]]),
            settings=settings,
        )
