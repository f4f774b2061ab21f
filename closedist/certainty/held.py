"""What the replicates of a pair hold as it was found on all inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.centred_odds import apart, centred_units
from closedist.measures.labels import LabelChoice
from closedist.measures.roots import Root, pair_roots
from closedist.measures.settings import Settings
from closedist.measures.svd import dissimilarity
from closedist.measures.terms import Axis, unit_log_odds, written_out


@dataclass(frozen=True)
class Sides:
    """What no input changes of m pairs.

    Attributes:
        label_roots: the roots of the two unembeddings over the labels, (m, s, M) each.
        precision: (m,) twice, the relative spacing of the numbers that the embeddings came in.
    """

    label_roots: tuple[Tensor, Tensor]
    precision: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, over_labels: Root, precision: Tensor, pairs: Tensor) -> "Sides":
        """From the root of n models over the labels, the (n,) precisions of their embeddings and (m, 2) indices."""
        first, second = pair_roots(over_labels, pairs)
        return cls((first.vectors, second.vectors), (precision[pairs[:, 0]], precision[pairs[:, 1]]))


@dataclass(frozen=True)
class Held:
    """What was chosen on all inputs, and is held while groups are left out; exact facts about the input set.

    Attributes:
        labels: the choice of labels of m pairs.
        items: (m, L) the labels of J whose subsets are looked at.
        subsets: (m or 1, S, K) positions among them: all subsets, or the one that was found.
        input_term, input_scale_term, input_distance, input_dissimilarity: (m,), (m,), (m, K) and (m,) t2, t4,
            1 − ρ_i and d_SVD of the chosen input set.
        settings: how the distance was asked for.
        least: (m, K) the labels whose log-odds against the mean of all labels agree least.
    """

    labels: LabelChoice
    items: Tensor
    subsets: Tensor
    input_term: Tensor
    input_scale_term: Tensor
    input_distance: Tensor
    input_dissimilarity: Tensor
    settings: Settings
    least: Tensor

    @classmethod
    def of(
        cls,
        labels: LabelChoice,
        by_label: Axis,
        by_input: Axis,
        input_set: Tensor,
        items: Tensor,
        subsets: Tensor,
        settings: Settings,
    ) -> "Held":
        """What was found of m pairs.

        Args:
            labels, items, subsets, settings: as above.
            by_label: the pairs over inputs.
            by_input: the pairs over labels.
            input_set: (m, K + 1) the chosen set as items of ``by_input``, the pivot input first.
        """
        terms = written_out(by_input, input_set[:, 0], input_set[:, 1:])
        units = unit_log_odds(by_input, input_set[:, 0], input_set[:, 1:])
        every = torch.arange(input_set.shape[1] - 1, device=input_set.device)[None, None]
        return cls(
            labels=labels,
            items=items,
            subsets=subsets,
            input_term=torch.maximum(terms.rest, terms.pivot).amax(-1),
            input_scale_term=terms.scale.amax(-1) if settings.reduction == "max" else terms.scale.mean(-1),
            input_distance=terms.correlation_distance,
            input_dissimilarity=dissimilarity(*units, every)[:, 0],
            settings=settings,
            least=apart(*centred_units(by_label)).topk(input_set.shape[1] - 1).indices,
        )
