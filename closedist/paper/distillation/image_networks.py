"""Networks of images for distillation: this package's for CIFAR-10, torchvision's for CIFAR-100."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from closedist.errors import InputError, brief
from closedist.paper.models.inputs import as_network_input
from closedist.paper.models.networks import NETWORKS

SHAPE, NONLINEARITY = (3, 32, 32), "leaky_relu"
IMAGENET = {"resnet50": "IMAGENET1K_V2", "resnet18": None}  # the weights that torchvision's networks start from


@dataclass(frozen=True)
class ImageNetwork:
    """An image to an embedding; the networks of a stack are computed one after the other.

    Attributes:
        network: a row of ``NETWORKS``, or one of ``IMAGENET``.
        width: of the row's, where it has one.
        dimension: of the embedding.
        heads: the number of labels of each bias-free head, by its name.
    """

    network: str
    width: int
    dimension: int
    heads: Mapping[str, int]

    @property
    def buffers(self) -> frozenset[str]:
        """The keys of a state dict that no gradient changes: batch norm's means and variances."""
        return frozenset(
            f"encoder.{name}" for name, _ in _template(self.network, self.width, self.dimension).named_buffers()
        )

    def resized(self, dimension: int) -> "ImageNetwork":
        """The same with another dimension."""
        return ImageNetwork(self.network, self.width, dimension, self.heads)

    def encoder_weights(self) -> dict[str, Tensor]:
        """Weights before training, drawn from PyTorch's generator; of a published network, those that it ships."""
        state = _build(self.network, self.width, self.dimension).state_dict()
        return {f"encoder.{key}": value for key, value in state.items()}

    def noise(self, batch: int, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """Nothing is left out in training."""
        return []

    def embed(self, stack: Mapping[str, Tensor], inputs: Tensor, noise: Sequence[Tensor] | None) -> Tensor:
        """(S, B, M) embeddings of images (S, B, 3, 32, 32), or (1, …) for the same in all, as bytes.

        With ``noise`` None batch norm uses, and else changes, the means and variances of the stack.
        """
        module = _template(self.network, self.width, self.dimension).train(noise is not None)
        count = len(next(iter(stack.values())))
        parts = []
        for index in range(count):
            own = {key[8:]: value[index] for key, value in stack.items() if key.startswith("encoder.")}
            images = inputs[index if len(inputs) > 1 else 0]
            scaled = images.float() / 255 if self.network in IMAGENET else as_network_input(images)
            parts.append(torch.func.functional_call(module, own, (scaled,)))
        return torch.stack(parts)


def _build(network: str, width: int, dimension: int) -> nn.Module:
    if network in NETWORKS:
        return NETWORKS[network].build_f(SHAPE, width, dimension, NONLINEARITY)
    try:
        from torchvision import models

        make: Callable[..., nn.Module] = getattr(models, network)
        module = make(weights=IMAGENET[network])
    except Exception as error:  # not installed, or its weights cannot be fetched
        raise InputError(
            f"{network} needs torchvision (pip install torchvision) and the weights that it fetches: {brief(error)}"
        ) from error
    module.fc = nn.Linear(module.fc.in_features, dimension)  # type: ignore[union-attr,arg-type]
    return module


@cache
def _template(network: str, width: int, dimension: int) -> nn.Module:
    """A module whose own weights are never used; drawing them changes no generator."""
    with torch.random.fork_rng(devices=[]):
        return _build(network, width, dimension)
