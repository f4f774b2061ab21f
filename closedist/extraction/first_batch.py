"""What the first batch shows of a model: its head's rows and bias, and whether they say what the model says."""

from typing import Any

import torch
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.batches import Batch
from closedist.extraction.binary import check_binary, readings, with_zero_row
from closedist.extraction.forward import head_input_and_output, output_tensors
from closedist.extraction.head import Head, read_rows
from closedist.extraction.positions import Positions, check_finite, rows_of
from closedist.extraction.selfcheck import Evidence, check_member, saturating_factor
from closedist.representations.arrays import Chosen, as_index

_CHECKED_ENTRIES = 1 << 22  # scores that the self-check looks at, at most
_CHECKED_INPUTS = (16, 512)
_SHOWN = 4


class RowsNotFiniteError(InputError):
    """Rows of the head, or entries of its bias, are NaN or infinite.

    Attributes:
        labels: their numbers.
        count: of all labels.
    """

    def __init__(self, labels: list[int], count: int, head: str) -> None:
        self.labels, self.count = labels, count
        at_end = labels == list(range(labels[0], count))
        shown = ", ".join(map(str, labels[:_SHOWN])) + (", …" if len(labels) > _SHOWN else "")
        super().__init__(
            f"head: of the {count:,} rows of {head} {len(labels):,} are not finite: {shown}. Where these labels are "
            f"unused, leave them out: pass labels={f'range({labels[0]})' if at_end else ' the numbers of the others'}"
        )


def checked(
    model: nn.Module,
    head: Head,
    batch: Batch,
    positions: Positions,
    scale: float | None,
    binary: bool,
    labels: Chosen | None,
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    """What enters the head for the first batch, the labels' rows and biases, and the factor the self-check found.

    Raises:
        RowsNotFiniteError: not all of the rows that are kept are finite.
        InputError: as ``extract``.
    """
    entering, output = head_input_and_output(model, head.module, head.name, batch)
    if entering.ndim < 2:
        raise InputError(f"head: what enters {head.name} has shape {tuple(entering.shape)}; one row an input is needed")
    check_finite(rows_of(entering, batch.mask, positions)[0], 0)
    seen = _evidence(entering, output, batch, positions)
    unembeddings, bias = read_rows(head, seen.embeddings)
    count = len(unembeddings)
    check_binary(binary, f"the head {head.name}", count)
    kept = as_index(labels, count, "labels")
    unembeddings, bias = unembeddings[kept], None if bias is None else bias[kept]
    _check_rows(unembeddings, bias, torch.arange(count)[kept], count, head)
    if binary:
        unembeddings, bias = with_zero_row(unembeddings, bias)
    seen = _of_labels(seen, count, kept, binary)
    evidence = [seen]
    factor = saturating_factor(seen.embeddings, unembeddings, bias, 1.0 if scale is None else scale)
    if factor > 1.0 and seen.outputs:
        saturated = _evidence(*head_input_and_output(model, head.module, head.name, batch, factor), batch, positions)
        evidence.append(_of_labels(saturated, count, kept, binary))
    return entering, unembeddings, bias, check_member(evidence, unembeddings, bias, scale, model)


def _check_rows(unembeddings: Tensor, bias: Tensor | None, labels: Tensor, count: int, head: Head) -> None:
    largest = torch.linalg.vector_norm(unembeddings, ord=torch.inf, dim=-1)
    wrong = ~torch.isfinite(largest if bias is None else largest + bias)
    if bool(wrong.any()):
        raise RowsNotFiniteError(labels[wrong].tolist(), count, head.name)


def _evidence(entering: Tensor, output: Any, batch: Batch, positions: Positions) -> Evidence:
    """A spread of the first batch's inputs: their embeddings, and every output that lies at the same places."""
    rows, lengths = rows_of(entering, batch.mask, positions)
    if len(rows) == 0:
        raise InputError("batches: the first one has no inputs (is everything in it padding?)")
    aligned = [
        own for one in output_tensors(output) if (own := _aligned(one, entering, batch, positions, lengths)) is not None
    ]
    labels = max((own.shape[-1] for own in aligned), default=1)
    count = min(len(rows), max(_CHECKED_INPUTS[0], min(_CHECKED_INPUTS[1], _CHECKED_ENTRIES // labels)))
    which = torch.linspace(0, len(rows) - 1, count, device=rows.device).round().long()
    return Evidence(rows[which], [own[which] for own in aligned])


def _of_labels(evidence: Evidence, count: int, kept: slice | Tensor, binary: bool) -> Evidence:
    """The outputs that may be about the head's labels, cut to those that are kept."""
    if binary:
        return Evidence(evidence.embeddings, [one for output in evidence.outputs for one in readings(output)])
    outputs = [output[:, kept] for output in evidence.outputs if output.shape[-1] == count]
    return Evidence(evidence.embeddings, outputs)


def _aligned(
    output: Tensor, entering: Tensor, batch: Batch, positions: Positions, lengths: list[int] | None
) -> Tensor | None:
    """An output's rows for the same inputs as the embeddings', or None where it is about something else."""
    if output.ndim == 1 or output.shape == entering.shape[:-1]:  # one number an input
        output = output.unsqueeze(-1)
    if output.shape[:-1] == entering.shape[:-1]:
        return rows_of(output, batch.mask, positions)[0]
    if lengths is not None and positions == "last" and output.ndim == 2 and len(output) == len(lengths):
        return output[torch.tensor(lengths, device=output.device) > 0]  # the model picks the last position itself
    return None
