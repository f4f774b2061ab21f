"""One classifier as it is, for networks whose every operation fills the processor: stacking them would gain nothing."""

import torch
from torch import Tensor
from torch.nn import functional

from closedist.paper.config import TrainConfig
from closedist.paper.models.classifier import Classifier
from closedist.paper.models.inputs import as_network_input
from closedist.paper.training.arithmetic import Arithmetic
from closedist.paper.training.optimizer import FlatOptimizer

EVALUATION_BATCH = 500
StateDict = dict[str, Tensor]


class SingleModel:
    """One classifier that trains by itself, batch-norm statistics included.

    Args:
        model: with its first weights; it is moved to the device and trained in place.
        config: the optimiser and its settings.
        arithmetic: device and precision.
    """

    def __init__(self, model: Classifier, config: TrainConfig, arithmetic: Arithmetic) -> None:
        self._model = model.to(arithmetic.device).train()
        self._arithmetic = arithmetic
        self.useful_threads = torch.get_num_threads()
        self._weights, self._gradient = _flatten(model)
        self._optimizer = FlatOptimizer(self._weights, config)
        live = self._live_state()
        self._step = arithmetic.replayed(self._step_directly, list(live.values()))

    def _live_state(self) -> StateDict:
        statistics = {f"buffers.{name}": buffer for name, buffer in self._statistics().items()}
        return {"parameters": self._weights, **self._optimizer.state(), **statistics}

    def _statistics(self) -> StateDict:
        kept = self._model.state_dict().keys()
        return {name: buffer for name, buffer in self._model.named_buffers() if name in kept}

    def _log_likelihood(self, images: Tensor) -> Tensor:
        """(B, C) float64 of uint8 images."""
        inputs = as_network_input(images).contiguous(memory_format=torch.channels_last)
        with self._arithmetic.autocast():
            embeddings, unembeddings = self._model.embed(inputs), self._model.unembed()
        return (embeddings.double() @ unembeddings.double().T).log_softmax(-1)

    def _step_directly(self, images: Tensor, labels: Tensor) -> Tensor:
        self._gradient.zero_()
        loss = functional.nll_loss(self._log_likelihood(images), labels)
        torch.autograd.backward(loss)
        self._optimizer.step(self._weights, self._gradient)
        return loss.detach().unsqueeze(0)

    def step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step; (1,) float64, the mean negative log-likelihood before it.

        Args:
            inputs: (B, 3, 32, 32) uint8.
            labels: (B,) int64.
        """
        return self._step(inputs, labels)

    @torch.no_grad()
    def evaluate(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood over all given inputs in evaluation mode: (1,) float64; nothing is moved."""
        self._model.eval()
        blocks = zip(torch.split(inputs, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True)
        losses = [functional.nll_loss(self._log_likelihood(x), y, reduction="sum") for x, y in blocks]
        self._model.train()
        return torch.stack(losses).sum(0, keepdim=True) / len(labels)

    def state_dicts(self) -> list[StateDict]:
        """The model's weights and statistics, on the CPU, under the paper's key names."""
        state = {key: value.to("cpu", copy=True).contiguous() for key, value in self._model.state_dict().items()}
        return [state]

    def training_state(self) -> StateDict:
        """Everything that the next step depends on, batch order apart; convolutions' weights with channels last."""
        return {**self._live_state(), **self._arithmetic.state()}

    def load_training_state(self, state: StateDict) -> None:
        """Go on from what ``training_state`` gave.

        Raises:
            InputError: it was trained in another precision.
        """
        self._arithmetic.check(state)
        for key, mine in self._live_state().items():
            mine.copy_(state[key])


def _flatten(model: Classifier) -> tuple[Tensor, Tensor]:
    """Move a model's parameters and gradients into two flat vectors, of which they become views."""
    parameters = list(model.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    weights, gradient = (torch.zeros(sum(sizes), device=parameters[0].device) for _ in range(2))
    parts = zip(parameters, torch.split(weights, sizes), torch.split(gradient, sizes), strict=True)
    for parameter, of_weights, of_gradient in parts:
        parameter.data = _shaped(of_weights, parameter.shape).copy_(parameter.data)
        parameter.grad = _shaped(of_gradient, parameter.shape)
    return weights, gradient


def _shaped(flat: Tensor, shape: torch.Size) -> Tensor:
    """A view of ``flat``; that of a convolution's weights has its channels last in memory."""
    if len(shape) < 4:
        return flat.view(shape)
    outputs, inputs, height, width = shape
    return flat.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
