"""Where two models differ: labels and directions from roots, inputs from one more pass."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.explanation.differences import InputDifference, LabelPair, Name
from closedist.explanation.directions import directions
from closedist.explanation.labels import LabelSums, label_differences, label_terms
from closedist.explanation.records import Explanation
from closedist.measures.checks import check_comparable
from closedist.measures.likelihood import LogLikelihoods, divergence_terms, normalise
from closedist.measures.logit_roots import LogitRoots, label_rows, logit_roots
from closedist.measures.settings import DEFAULTS
from closedist.measures.stack import Stack, stacked
from closedist.pairs import fitting_threads
from closedist.representations import Representations

_ROWS = 1 << 20  # logits of a block
_SAME = 1e-12  # of the logits' size: below, a difference of all of them is rounding


def explain(
    p: Representations,
    q: Representations,
    *,
    names: Sequence[str] = ("p", "q"),
    num_inputs: int = 50,
    pivot_label: int | None = None,
    input_names: Sequence[object] | None = None,
    same_inputs: bool = DEFAULTS.same_inputs,
) -> Explanation:
    """Which labels, inputs and directions two models differ in, worst first.

    Args:
        p, q: representations of the same N inputs and C labels in the same order.
        names: what to call them.
        num_inputs: how many inputs to list.
        pivot_label: which label t1's terms are against, such as a comparison's; by default that with the smallest t1,
            and above 10,000 labels none.
        input_names: N names or texts of the inputs; by default the models' ids.
        same_inputs: the inputs are the same, though in another form; as for :func:`closedist.compare`.

    Returns:
        An :class:`Explanation`; ``print`` shows the worst of each list.

    Raises:
        InputError: the models cannot be compared, or an argument is out of its range.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p, q = closedist.Representations(f, g), closedist.Representations(f, g[[0, 3, 2, 1, 4]])
        >>> sorted(label.label for label in closedist.explain(p, q).labels[:2])
        [1, 3]
    """
    if len(names) != 2:
        raise InputError(f"names: {len(names)} for 2 models; give each model one")
    check_comparable([p, q], names, same_inputs=same_inputs)
    if num_inputs < 1:
        raise InputError(f"num_inputs: {num_inputs}; at least 1 is needed")
    if pivot_label is not None and not 0 <= pivot_label < p.num_labels:
        raise InputError(f"pivot_label: {pivot_label}; the models have labels 0 … {p.num_labels - 1}")
    if input_names is not None and len(input_names) != p.num_inputs:
        raise InputError(f"input_names: {len(input_names):,} for {p.num_inputs:,} inputs; give each input one")
    with fitting_threads([p, q]):
        models = stacked([p, q])
        roots, _ = logit_roots(p, q, same_inputs=same_inputs)
        rows = _rows(models, (p.dimension, q.dimension))
        seen = _look_at_inputs(models, roots, rows, min(num_inputs, p.num_inputs))
        of_label = [_label_name(p, q, index) for index in range(p.num_labels)]
        terms = label_terms(models, pivot_label)
        distance = float(roots.delta.norm())
        equal = distance <= _SAME * max(float(part.norm()) for part in roots.logits(centred=False))
        black_box = p.black_box or q.black_box
        ids = p.input_ids if p.input_ids is not None else q.input_ids
        found, only_first, only_second = ([], 0, 0) if black_box else directions(models, roots, of_label)
        return Explanation(
            names=(str(names[0]), str(names[1])),
            labels=tuple(label_differences(roots, rows, seen.of_labels, terms, of_label, equal=equal)),
            label_pairs=tuple(
                LabelPair(of_label[first], of_label[second], count, count / p.num_inputs)
                for (first, second), count in sorted(seen.pairs.items(), key=lambda pair: (-pair[1], pair[0]))
            ),
            inputs=tuple(_inputs(seen, of_label, ids if input_names is None else input_names)),
            directions=tuple(found),
            only_first=only_first,
            only_second=only_second,
            pivot_label=None if terms is None else of_label[terms.pivot],
            left_out_label=None if terms is None else of_label[terms.left_out],
            num_inputs=p.num_inputs,
            kl=float(seen.of_labels.kl.sum()),
            distance=distance,
            equal=equal,
        )


@dataclass(frozen=True)
class _Seen:
    """What the pass over the inputs leaves: sums by label, how often labels are exchanged, and the worst inputs."""

    of_labels: LabelSums
    pairs: dict[tuple[int, int], int]
    worst: Tensor
    kl: Tensor
    distance: Tensor
    labels: Tensor
    probabilities: Tensor
    influence: dict[str, Tensor]


def _look_at_inputs(models: Stack, roots: LogitRoots, rows: Tensor, most: int) -> _Seen:
    count, num_labels = models.num_inputs, models.num_labels
    kl_of_label, gap_where_given, given = models.labels.new_zeros((3, num_labels))
    lost, gained = models.labels.new_zeros((2, num_labels))
    pairs: Counter[tuple[int, int]] = Counter()
    kept: list[Tensor] = []
    correlation = _Correlation.of(roots, rows)
    for start, block, centred in _blocks(models):
        difference = block.relative[0] - block.relative[1]
        terms = divergence_terms(difference, block.likelihoods[0], block.likelihoods[1])
        kl_of_label += terms.sum(0)
        kl = terms.sum(-1)
        probability, label = block.likelihoods.max(-1)
        changed, often = torch.unique(label[:, label[0] != label[1]], dim=1, return_counts=True)
        pairs.update(dict(zip(map(tuple, changed.T.tolist()), often.tolist(), strict=True)))
        delta = centred[1] - centred[0]
        given += torch.bincount(label[0], minlength=num_labels)
        gap_where_given.index_add_(0, label[0], delta.gather(1, label[0].unsqueeze(1)).squeeze(1))
        for count_of, of_model in ((lost, 0), (gained, 1)):
            count_of.index_add_(0, changed[of_model], often.double())
        number = torch.arange(start, start + len(kl), device=kl.device, dtype=torch.float64)
        found = torch.stack(
            [number, kl, delta.norm(dim=-1), *label.double(), *probability, correlation.influence(centred)], -1
        )
        kept.append(found[kl.topk(min(most, len(kl))).indices])
        if len(kept) > 1:
            both = torch.cat(kept)
            kept = [both[both[:, 1].topk(min(most, len(both))).indices]]
    worst = kept[0][kept[0][:, 1].sort(descending=True, stable=True).indices]
    distance = worst[:, 2]
    influence = {
        "kl": worst[:, 1] / count,
        "logit_distance_squared": distance.square() / count,
        "logit_correlation": worst[:, 7] / count,
    }
    labels, probabilities = worst[:, 3:5].long(), worst[:, 5:7]
    of_labels = LabelSums(
        kl_of_label / count, lost, gained, gap_where_given / given
    )  # 0 / 0, where never given, is NaN
    return _Seen(of_labels, dict(pairs), worst[:, 0].long(), worst[:, 1], distance, labels, probabilities, influence)


def _blocks(models: Stack) -> Iterator[tuple[int, LogLikelihoods, Tensor]]:
    """First row, log-likelihoods (2, B, C), and logits centred over the labels (2, B, C) of blocks of inputs."""
    rows = max(1, _ROWS // (2 * models.num_labels))
    start = 0
    for inputs in models.blocks(rows):
        shape = (2, inputs.shape[1], models.num_labels)
        centred = models.logits(inputs, out=inputs.new_empty(shape)).clone()
        yield start, normalise(centred.clone(), inputs.new_empty(shape)), centred
        start += inputs.shape[1]


@dataclass(frozen=True)
class _Correlation:
    """What one input does to the logit correlation: its first-order change when the input is left out, times −N."""

    means: Tensor  # (2, 1, C) of the logits, centred over the labels, over the inputs
    sizes: tuple[float, float]
    value: float

    @classmethod
    def of(cls, roots: LogitRoots, rows: Tensor) -> "_Correlation":
        first, second = roots.logits(centred=True)
        sizes = max(float(first.norm()), 1e-300), max(float(second.norm()), 1e-300)
        mean, split = roots.moment[-1], roots.dimension + 1
        means = torch.stack([rows[:, :split] @ mean[:split], -(rows[:, split:] @ mean[split:])])
        return cls(means.unsqueeze(1), sizes, float((first * second).sum()) / (sizes[0] * sizes[1]))

    def influence(self, centred: Tensor) -> Tensor:
        """(B,) from (2, B, C) logits centred over the labels."""
        first, second = centred - self.means
        a, b = self.sizes
        own = (first * second).sum(-1) / (a * b)
        spread = first.square().sum(-1) / a**2 + second.square().sum(-1) / b**2
        influence: Tensor = own - 0.5 * self.value * spread
        return influence


def _rows(models: Stack, dimensions: tuple[int, int]) -> Tensor:
    """(C, M + M' + 2) the rows of L, whose product with z = (f, 1, f', 1) is the difference of the logits."""
    rows = label_rows(models.labels, models.bias)
    width = models.labels.shape[-1] + 1
    return torch.cat([rows[:, : dimensions[0]], rows[:, width - 1 : width + dimensions[1]], rows[:, -1:]], -1)


def _inputs(seen: _Seen, names: Sequence[Name], ids: Sequence[object] | NDArray[Any] | None) -> list[InputDifference]:
    return [
        InputDifference(
            input=row,
            input_id=None if ids is None else _plain(ids[row]),
            kl=float(seen.kl[position]),
            first_label=names[int(seen.labels[position, 0])],
            first_probability=float(seen.probabilities[position, 0]),
            second_label=names[int(seen.labels[position, 1])],
            second_probability=float(seen.probabilities[position, 1]),
            distance=float(seen.distance[position]),
            influence={name: float(values[position]) for name, values in seen.influence.items()},
        )
        for position, row in enumerate(seen.worst.tolist())
    ]


def _plain(name: Any) -> Any:
    """A name as Python has it, where NumPy does."""
    return name.tolist() if isinstance(name, np.generic | np.ndarray) else name


def _label_name(p: Representations, q: Representations, index: int) -> Name:
    names = p.label_names if p.label_names is not None else q.label_names
    if names is None:
        return index
    name = _plain(names[index])
    return name if isinstance(name, int | str) else str(name)
