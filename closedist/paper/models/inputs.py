"""What a network takes in: points as they are, images as bytes brought to [−1, 1]."""

import torch
from torch import Tensor

from closedist.paper.data.cifar10 import normalise


def as_network_input(inputs: Tensor) -> Tensor:
    """Float32 inputs as they are; uint8 images scaled to [0, 1] and then by (x − 0.5)/0.5."""
    return normalise(inputs) if inputs.dtype == torch.uint8 else inputs
