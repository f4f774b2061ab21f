"""Stacks of small networks, x → embedding → bias-free heads, that train together without meeting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

StateDict = dict[str, Tensor]


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
    def layers(self) -> list[str]:
        """The encoder's layers as the keys of a state dict name them."""
        return [f"encoder.{3 * index}" for index in range(len(self.sizes) - 1)]  # a ReLU and a dropout lie between two


def initial_weights(architecture: Architecture, seed: int, *, xavier_heads: bool) -> StateDict:
    """A model's weights before training: PyTorch's default initialisation right after ``torch.manual_seed(seed)``.

    Args:
        architecture: of the network.
        seed: of the weights.
        xavier_heads: draw the heads Xavier-uniform, as all of the paper's models but the plain classifier do.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state: StateDict = {}
        for name, (fan_in, fan_out) in zip(architecture.layers, pairwise(architecture.sizes), strict=True):
            layer = torch.nn.Linear(fan_in, fan_out)
            state[f"{name}.weight"], state[f"{name}.bias"] = layer.weight.detach(), layer.bias.detach()
        for head, labels in architecture.heads.items():
            linear = torch.nn.Linear(architecture.sizes[-1], labels, bias=False)
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


def embed(architecture: Architecture, stack: StateDict, inputs: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
    """(S, B, M) embeddings.

    Args:
        architecture: of all S networks.
        stack: their weights.
        inputs: (S, B, d), or (1, B, d) for the same in all.
        masks: of every hidden layer, (S, B, width), 0 or 1/(1 − dropout); none to evaluate.
    """
    hidden = inputs.expand(len(next(iter(stack.values()))), -1, -1)
    last = len(architecture.layers) - 1
    for index, name in enumerate(architecture.layers):
        hidden = torch.baddbmm(stack[f"{name}.bias"].unsqueeze(1), hidden, stack[f"{name}.weight"].mT)
        if index < last:
            hidden = torch.relu(hidden)
            if masks:
                hidden = hidden * masks[index]
    return hidden
