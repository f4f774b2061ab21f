"""Models on their way into the measures: float64, of like scale, centred over the labels."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from closedist.representations import Representations


@dataclass(frozen=True)
class Stack:
    """n models on the same N inputs and C labels, ready for arithmetic: float64, scaled, centred over the labels.

    Embeddings are divided by a power of two and unembeddings multiplied by it, which changes no log-likelihood and no
    digit; a vector common to all unembeddings, and a constant common to all biases, drop out.

    Attributes:
        members: the models.
        labels: (n, C, M) float64 unembeddings, zero-padded to the largest M.
        bias: (n, C) float64, zero where a model has none.
        scales: (n, 1, 1) the powers of two, so that the largest embedding of each is between 1/2 and 1.
        biased: whether any model has a bias.
    """

    members: tuple[Representations, ...]
    labels: Tensor
    bias: Tensor
    scales: Tensor
    biased: bool

    @property
    def device(self) -> torch.device:
        """Where the arithmetic happens."""
        return self.labels.device

    @property
    def num_inputs(self) -> int:
        """N."""
        return self.members[0].num_inputs

    @property
    def num_labels(self) -> int:
        """C."""
        return self.members[0].num_labels

    def inputs(self, rows: slice | Tensor, models: Sequence[int] | None = None) -> Tensor:
        """(n, B, M) float64 embeddings of these inputs, of these models or of all."""
        if models is not None:
            members = tuple(self.members[index] for index in models)
            return replace(self, members=members, scales=self.scales[list(models)]).inputs(rows)
        count = len(range(self.num_inputs)[rows]) if isinstance(rows, slice) else rows.shape[0]
        width = self.labels.shape[-1]
        filled_up = any(member.dimension < width for member in self.members)
        make = self.labels.new_zeros if filled_up else self.labels.new_empty
        result = make(len(self.members), count, width)
        for index, member in enumerate(self.members):
            which = rows if isinstance(rows, slice) else rows.to(member.stored.device)
            result[index, :, : member.dimension] = member.embedded(which)
        return result.mul_(1.0 / self.scales)

    def logits(self, inputs: Tensor, out: Tensor) -> Tensor:
        """(n, B, C) log-likelihoods up to a constant of each input, with mean zero over the labels."""
        torch.bmm(inputs, self.labels.mT, out=out)
        return out.add_(self.bias.unsqueeze(1)) if self.biased else out

    def blocks(self, rows: int) -> Iterator[Tensor]:
        """(n, ≤ rows, M) embeddings, block by block."""
        for start in range(0, self.num_inputs, rows):
            yield self.inputs(slice(start, start + rows))


def arithmetic_device(tensor: Tensor) -> torch.device:
    """Where measures of this tensor compute: where it is, but for devices that have no float64."""
    return torch.device("cpu") if tensor.device.type == "mps" else tensor.device


def stacked(members: Sequence[Representations], device: torch.device | None = None, width: int | None = None) -> Stack:
    """Bring models to one device, by default the first one's, to one scale and one width, by default the largest M."""
    device = arithmetic_device(members[0].stored) if device is None else device
    unembeddings = [member.unembeddings for member in members]  # a black box with too many labels has none
    num_labels, width = members[0].num_labels, width or max(member.dimension for member in members)
    labels = torch.zeros(len(members), num_labels, width, dtype=torch.float64, device=device)
    bias = torch.zeros(len(members), num_labels, dtype=torch.float64, device=device)
    for index, (member, rows) in enumerate(zip(members, unembeddings, strict=True)):
        labels[index, :, : member.dimension] = rows
        if member.bias is not None:
            bias[index] = member.bias
    exponents = [min(max(math.frexp(member.largest_embedding)[1], -1000), 1000) for member in members]
    scales = torch.tensor([2.0**exponent for exponent in exponents], dtype=torch.float64, device=device)[:, None, None]
    labels *= scales
    labels -= labels.mean(1, keepdim=True)
    bias -= bias.mean(1, keepdim=True)
    biased = any(member.bias is not None for member in members)
    return Stack(tuple(members), labels, bias, scales, biased)
