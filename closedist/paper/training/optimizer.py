"""Adam and SGD over one flat vector of parameters: elementwise, so many models can share one call."""

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from closedist.paper.config import TrainConfig

MOMENTUM = 0.9  # the paper's, for SGD


class FlatOptimizer:
    """The config's optimiser for one flat vector, through PyTorch's own fused kernels without its bookkeeping.

    Args:
        parameters: (n,) the vector that ``step`` will move.
        config: optimiser type, learning rate and weight decay.
    """

    def __init__(self, parameters: Tensor, config: TrainConfig) -> None:
        self._config = config
        self._moments = [torch.zeros_like(parameters) for _ in range(2 if config.optimizer_type == "ADAM" else 1)]
        self._steps = torch.zeros((), device=parameters.device)

    def step(self, parameters: Tensor, gradient: Tensor) -> None:
        """Move ``parameters`` in place by one step along ``gradient``."""
        config = self._config
        if config.optimizer_type == "ADAM":
            first, second = self._moments
            adam(
                [parameters], [gradient], [first], [second], [], [self._steps], fused=True, amsgrad=False,
                beta1=0.9, beta2=0.999, lr=config.learning_rate, weight_decay=config.weight_decay, eps=1e-8,
                maximize=False,
            )  # fmt: skip
        else:
            # momentum starts at zero, which gives PyTorch's first step (the buffer becomes the gradient) exactly
            sgd(
                [parameters], [gradient], [self._moments[0]], fused=True, lr=config.learning_rate,
                weight_decay=config.weight_decay, momentum=MOMENTUM, dampening=0.0, nesterov=False, maximize=False,
            )  # fmt: skip

    def state(self) -> dict[str, Tensor]:
        """Moments and step count, by name; the tensors themselves, so that a caller can save or overwrite them."""
        names = ("first_moment", "second_moment") if len(self._moments) == 2 else ("momentum",)
        return {**dict(zip(names, self._moments, strict=True)), "steps": self._steps}
