"""Stacks of small networks, x → embedding → bias-free heads, that train together without meeting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

StateDict = dict[str, Tensor]


class Network(Protocol):
    """What is trained and scored: an encoder, and bias-free heads of which "linear" is the classifier's."""

    @property
    def heads(self) -> Mapping[str, int]:
        """The number of labels of each head, by its name."""

    @property
    def dimension(self) -> int:
        """Of the embeddings."""

    @property
    def buffers(self) -> frozenset[str]:
        """The keys of a state dict that no gradient changes."""

    def resized(self, dimension: int) -> "Network":
        """The same with embeddings of another dimension."""

    def encoder_weights(self) -> StateDict:
        """The encoder's weights before training, drawn from PyTorch's generator."""

    def noise(self, batch: int, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """What a training step draws, (seeds, batch, …) each."""

    def embed(self, stack: StateDict, inputs: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """(S, B, M) embeddings of inputs (S, B, …), or (1, B, …) for the same in all; ``noise`` is None to evaluate."""


@dataclass(frozen=True)
class Architecture:
    """An MLP with ReLU and dropout after each hidden layer, whose last layer gives the embedding.

    Attributes:
        sizes: of the input, the hidden layers and the embedding.
        heads: the number of labels of each bias-free head, by its name; "linear" is the classifier's.
        dropout: share of the hidden units that a training step leaves out.
    """

    sizes: tuple[int, ...]
    heads: Mapping[str, int]
    dropout: float = 0.1

    @property
    def dimension(self) -> int:
        """Of the embeddings."""
        return self.sizes[-1]

    @property
    def buffers(self) -> frozenset[str]:
        """None."""
        return frozenset()

    @property
    def layers(self) -> list[str]:
        """The encoder's layers as the keys of a state dict name them."""
        return [f"encoder.{3 * index}" for index in range(len(self.sizes) - 1)]  # a ReLU and a dropout lie between two

    def resized(self, dimension: int) -> "Architecture":
        """The same with embeddings of another dimension."""
        return Architecture((*self.sizes[:-1], dimension), self.heads, self.dropout)

    def encoder_weights(self) -> StateDict:
        """PyTorch's default initialisation, layer by layer."""
        state: StateDict = {}
        for name, (fan_in, fan_out) in zip(self.layers, pairwise(self.sizes), strict=True):
            layer = torch.nn.Linear(fan_in, fan_out)
            state[f"{name}.weight"], state[f"{name}.bias"] = layer.weight.detach(), layer.bias.detach()
        return state

    def noise(self, batch: int, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Dropout of every hidden layer, (seeds, batch, width): 0 or 1/(1 − dropout)."""
        kept = 1 - self.dropout
        drawn = [
            [torch.rand(batch, width, generator=generator) for generator in generators] for width in self.sizes[1:-1]
        ]
        return [(torch.stack(layer) < kept).float().div_(kept) for layer in drawn]

    def embed(self, stack: StateDict, inputs: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """(S, B, M) embeddings of inputs (S, B, d), or (1, B, d) for the same in all."""
        hidden = inputs.expand(len(next(iter(stack.values()))), -1, -1)
        last = len(self.layers) - 1
        for index, name in enumerate(self.layers):
            hidden = torch.baddbmm(stack[f"{name}.bias"].unsqueeze(1), hidden, stack[f"{name}.weight"].mT)
            if index < last:
                hidden = torch.relu(hidden) if noise is None else _DroppedRelu.apply(hidden, noise[index])  # type: ignore[no-untyped-call]
        return hidden


class _DroppedRelu(torch.autograd.Function):
    """relu(h)·noise of tables (kinds · seeds, B, width) and (seeds, B, width), in place: a step waits for memory.

    As noise is never negative, relu(h·noise) is the same to the bit, and tells where the gradient is 0.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, noise: Tensor) -> Tensor:
        hidden.view(-1, *noise.shape).mul_(noise).relu_()
        ctx.mark_dirty(hidden)
        ctx.save_for_backward(hidden, noise)
        return hidden

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        hidden, noise = ctx.saved_tensors
        passed = torch.ops.aten.threshold_backward(gradient, hidden, 0)
        passed.view(-1, *noise.shape).mul_(noise)
        return passed, None


def initial_weights(network: Network, seed: int, *, xavier_heads: bool) -> StateDict:
    """A model's weights before training, drawn right after ``torch.manual_seed(seed)``: the encoder, then the heads.

    Args:
        network: of the model.
        seed: of the weights.
        xavier_heads: draw the heads Xavier-uniform, as all of the paper's models but the plain classifier do.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = network.encoder_weights()
        for head, labels in network.heads.items():
            linear = torch.nn.Linear(network.dimension, labels, bias=False)
            if xavier_heads:
                torch.nn.init.xavier_uniform_(linear.weight)
            state[f"{head}.weight"] = linear.weight.detach()
    return state


def stacked(states: Sequence[StateDict]) -> StateDict:
    """S state dicts as one, each tensor with S in front."""
    return {key: torch.stack([state[key] for state in states]) for key in states[0]}


def unstacked(stack: StateDict) -> list[StateDict]:
    """The state dicts of a stack, on the CPU."""
    count = len(next(iter(stack.values())))
    return [{key: value[index].detach().cpu().clone() for key, value in stack.items()} for index in range(count)]
