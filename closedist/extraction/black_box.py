"""The output of a black box: one column a label, and in every batch the same labels.

A two-tower model such as CLIP takes its labels as inputs, and a batch that was made for training has its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from closedist.errors import InputError
from closedist.extraction.batches import Batch
from closedist.extraction.binary import check_binary

_TOWERS = (
    "every batch must have the same labels. Of a model with two towers give Representations(scale * image_embeddings, "
    "text_embeddings), the texts being all labels (docs/two-towers.md)"
)


@dataclass(frozen=True)
class Labels:
    """What the first batch shows of the labels.

    Attributes:
        count: C.
        batch: the first.
        inputs: the names of its tensors that the labels are made from, one row a label.
        own: what they are made from is also one row an input, so that every batch has labels of its own.
    """

    count: int
    batch: Batch
    inputs: tuple[str, ...]
    own: bool


def by_label(outputs: Sequence[Tensor], binary: bool) -> Tensor:
    """The first of a model's outputs that may have one column a label; of one logit an input (B,) is (B, 1).

    Raises:
        InputError: there is none, or not as many labels as needed.
    """
    output = next((one for one in outputs if one.ndim >= (1 if binary else 2)), None)
    if output is None:
        raise InputError(
            "model: its output has no tensor with one row an input and one column a label; of one logit an input pass "
            "binary=True"
        )
    if output.ndim == 1:
        output = output.unsqueeze(-1)
    if output.ndim > 3:
        raise InputError(
            f"model: its output has shape {tuple(output.shape)}; (inputs, labels) or (sequences, positions, labels) is "
            "needed. Of (B, C, H, W) wrap the model to return output.movedim(1, -1).flatten(1, 2): labels last, pixels "
            "as positions"
        )
    check_binary(binary, "the model", output.shape[-1])
    return output


def labels_of(run: Callable[[Batch], Tensor], batch: Batch, output: Tensor) -> Labels:
    """Find out whether labels are made from inputs: without the last row of these there is one label less.

    Args:
        run: the model's output (B, …, C) for a batch.
        batch: the first.
        output: for it.
    """
    tensors, rows, count = batch.tensors(), len(output), output.shape[-1]
    along = tuple(name for name, tensor in tensors.items() if tensor.ndim and len(tensor) == count)

    def without_last(names: Iterable[str]) -> tuple[int, int]:
        try:
            shorter = run(batch.with_tensors({name: tensors[name][:-1] for name in names}))
        except Exception:  # they belong together with others, whatever the model says of that
            return rows, count
        return len(shorter), shorter.shape[-1]

    sizes = without_last(along) if along and count > 1 else (rows, count)
    if sizes[1] != count - 1:
        return Labels(count, batch, (), False)
    if sizes[0] == rows:
        return Labels(count, batch, along, False)
    # as many inputs as labels: is there a part of these tensors that only the labels are made from?
    parts = [(name,) for name in along] + [tuple(other for other in along if other != name) for name in along]
    part = next((names for names in parts if names and without_last(names) == (rows, count - 1)), None)
    return Labels(count, batch, along if part is None else part, part is None)


def check_same_labels(labels: Labels, batch: Batch, output: Tensor, number: int) -> None:
    """Check a later batch.

    Raises:
        InputError: it has more or fewer labels than the first, or makes them from other inputs.
    """
    if output.shape[-1] != labels.count:
        raise InputError(
            f"batches: number {number} has {output.shape[-1]:,} labels, the first has {labels.count:,}; {_TOWERS}"
        )
    here, first = batch.tensors(), labels.batch.tensors()
    for name in labels.inputs:
        if labels.own or name not in here or not _equal(here[name], first[name]):
            raise InputError(
                f"batches: number {number} has other labels than the first, made from its own {name}; {_TOWERS}"
            )


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one == other).all())
