"""What a network takes in: points as they are, images as bytes brought to [−1, 1]."""

import torch
from torch import Tensor


def as_network_input(inputs: Tensor) -> Tensor:
    """Float32 inputs as they are; uint8 images scaled to [0, 1] and then by (x − 0.5)/0.5."""
    if inputs.dtype == torch.uint8:
        from closedist.paper.data.cifar10 import normalise

        return normalise(inputs)
    return inputs
