"""The paper's networks f and g: a four-layer MLP, two LeNet-like CNNs and the ResNet-18 for 32×32 images.

Plain ``torch.nn`` modules. Layers are made in forward order, so that PyTorch's default initialisation draws their
weights in that order, and attribute names are the keys of published checkpoints: neither may change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from closedist.errors import InputError

NEGATIVE_SLOPES = {"relu": 0.0, "leaky_relu": 0.01}
FIRST_FULL_LAYER = 120  # of both small CNNs


class MLP(nn.Module):
    """Four fully connected layers; all but the last have a bias and an activation.

    Args:
        num_inputs: length of an input vector.
        width: size of the three hidden layers.
        num_outputs: the representation dimension M.
        nonlinearity: ``relu`` or ``leaky_relu``.
    """

    def __init__(self, num_inputs: int, width: int, num_outputs: int, nonlinearity: str) -> None:
        super().__init__()
        self.negative_slope = NEGATIVE_SLOPES[nonlinearity]
        self.l1 = nn.Linear(num_inputs, width)
        self.l2 = nn.Linear(width, width)
        self.l3 = nn.Linear(width, width)
        self.l4 = nn.Linear(width, num_outputs, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, num_inputs) to (B, num_outputs)."""
        hidden = inputs
        for layer in (self.l1, self.l2, self.l3):
            hidden = functional.leaky_relu(layer(hidden), self.negative_slope)
        output: Tensor = self.l4(hidden)
        return output


class ConvNet(nn.Module):
    """LeNet for 32×32 colour images: two 5×5 convolutions, each with a pooling by 2, then fully connected layers.

    Args:
        channels: of the second convolution; the first has 6.
        hidden: sizes of the hidden fully connected layers fc1, fc2, ….
        num_outputs: the representation dimension M.
        nonlinearity: ``relu`` or ``leaky_relu``, after every layer but the last.
    """

    def __init__(self, channels: int, hidden: Sequence[int], num_outputs: int, nonlinearity: str) -> None:
        super().__init__()
        self.negative_slope = NEGATIVE_SLOPES[nonlinearity]
        self.conv1 = nn.Conv2d(3, 6, kernel_size=5)
        self.conv2 = nn.Conv2d(6, channels, kernel_size=5)
        sizes = (channels * 5 * 5, *hidden, num_outputs)
        self.full_layers = [f"fc{number}" for number in range(1, len(sizes))]
        for name, (fan_in, fan_out) in zip(self.full_layers, pairwise(sizes), strict=True):
            self.add_module(name, nn.Linear(fan_in, fan_out))

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, 3, 32, 32) to (B, num_outputs)."""
        hidden = inputs
        for convolution in (self.conv1, self.conv2):
            # the activation never falls, so it may as well follow the pooling, with a quarter of the work
            hidden = functional.leaky_relu(functional.max_pool2d(convolution(hidden), 2), self.negative_slope)
        hidden = hidden.flatten(1)
        *inner, last = self.full_layers
        for name in inner:
            hidden = functional.leaky_relu(self.get_submodule(name)(hidden), self.negative_slope)
        output: Tensor = self.get_submodule(last)(hidden)
        return output


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with batch norm around a shortcut (He, Zhang, Ren and Sun, 2016), which is a 1×1 convolution
    where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, channels_in, H, W) to (B, channels_out, H/stride, W/stride)."""
        hidden = functional.relu(self.bn1(self.conv1(inputs)))
        return functional.relu(self.bn2(self.conv2(hidden)) + self.shortcut(inputs))


class ResNet18(nn.Module):
    """ResNet-18 for 32×32 images: a 3×3 stem without pooling, four stages of two blocks, 4×4 average pooling."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, stride=1)
        self.layer2 = _stage(64, 128, stride=2)
        self.layer3 = _stage(128, 256, stride=2)
        self.layer4 = _stage(256, 512, stride=2)
        self.linear = nn.Linear(512, num_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, 3, 32, 32) to (B, num_outputs)."""
        hidden = functional.relu(self.bn1(self.conv1(inputs)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            hidden = stage(hidden)
        output: Tensor = self.linear(functional.avg_pool2d(hidden, 4).flatten(1))
        return output


def _stage(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(channels_in, channels_out, stride), BasicBlock(channels_out, channels_out, 1))


@dataclass(frozen=True)
class Network:
    """A ``model_type``.

    Attributes:
        build_f: from the shape of an input, the width, the representation dimension and the nonlinearity to the network
            of the embeddings.
        trains: how seeds train: all in one program, stacked as MLPs or as CNNs, or one by one.
    """

    build_f: Callable[[tuple[int, ...], int, int, str], nn.Module]
    trains: Literal["as MLPs", "as CNNs", "one by one"]


def _med_cifar10(shape: tuple[int, ...], width: int, rep_dim: int, nonlinearity: str) -> nn.Module:
    if width < 2:
        raise InputError(f"num_features: {width} is too narrow for MedCIFAR10; its last layer has half: give 2 or more")
    return ConvNet(32, (FIRST_FULL_LAYER, width, width, width // 2), rep_dim, nonlinearity)


NETWORKS = {
    "SmallMLP": Network(
        lambda shape, width, rep_dim, nonlinearity: MLP(shape[0], width, rep_dim, nonlinearity), "as MLPs"
    ),
    "SmallCIFAR10": Network(
        lambda shape, width, rep_dim, nonlinearity: ConvNet(16, (FIRST_FULL_LAYER, 84), rep_dim, nonlinearity),
        "as CNNs",
    ),
    "MedCIFAR10": Network(_med_cifar10, "as CNNs"),
    "ResNetCIFAR10": Network(lambda shape, width, rep_dim, nonlinearity: ResNet18(rep_dim), "one by one"),
}


def build_g(num_classes: int, width: int, rep_dim: int, nonlinearity: str) -> nn.Module:
    """The network of the unembeddings, the same MLP for every ``model_type``: from C−1 label entries to M."""
    return MLP(num_classes - 1, width, rep_dim, nonlinearity)


def scale_to_length(vectors: Tensor, length: float, smallest_norm: float = 1e-8) -> Tensor:
    """Rows scaled to Euclidean length ``length``, unless that is 0; norms below 1e-8 count as 1e-8."""
    if length == 0:
        return vectors
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp(min=smallest_norm)
    return vectors * (length / norms)


def at_least_float32(output: Tensor) -> Tensor:
    """What a network gave, in float32 where it was computed in less."""
    return output.to(torch.promote_types(output.dtype, torch.float32))
