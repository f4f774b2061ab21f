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

_CHECKED_ENTRIES = 1 << 22  # scores that the self-check looks at, at most
_CHECKED_INPUTS = (16, 512)


def checked(
    model: nn.Module, head: Head, batch: Batch, positions: Positions, scale: float | None, binary: bool
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    """What enters the head for the first batch, the labels' rows and biases, and the factor the self-check found."""
    entering, output = head_input_and_output(model, head.module, head.name, batch)
    if entering.ndim < 2:
        raise InputError(f"head: what enters {head.name} has shape {tuple(entering.shape)}; one row an input is needed")
    check_finite(rows_of(entering, batch.mask, positions)[0], 0)
    seen = _evidence(entering, output, batch, positions)
    unembeddings, bias = read_rows(head, seen.embeddings)
    check_binary(binary, f"the head {head.name}", len(unembeddings))
    if binary:
        unembeddings, bias = with_zero_row(unembeddings, bias)
    seen = _of_labels(seen, len(unembeddings), binary)
    evidence = [seen]
    factor = saturating_factor(seen.embeddings, unembeddings, bias, 1.0 if scale is None else scale)
    if factor > 1.0 and seen.outputs:
        saturated = _evidence(*head_input_and_output(model, head.module, head.name, batch, factor), batch, positions)
        evidence.append(_of_labels(saturated, len(unembeddings), binary))
    return entering, unembeddings, bias, check_member(evidence, unembeddings, bias, scale, model)


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


def _of_labels(evidence: Evidence, count: int, binary: bool) -> Evidence:
    """The outputs that may be about these labels."""
    if binary:
        return Evidence(evidence.embeddings, [one for output in evidence.outputs for one in readings(output)])
    return Evidence(evidence.embeddings, [output for output in evidence.outputs if output.shape[-1] == count])


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
