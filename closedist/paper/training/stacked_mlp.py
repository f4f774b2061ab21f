"""All seeds of a SmallMLP configuration as one model: stacked weights, one batch, a gradient written out by hand.

A small network spends its time in launching operations, not in arithmetic. Stacking S networks makes each operation
S times larger at the price of one launch; writing the gradient out (instead of recording it) leaves about fifty
operations a step, all into buffers that are allocated once. The arithmetic per network is the ordinary one and
networks never meet.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from closedist.paper.config import TrainConfig
from closedist.paper.models.networks import NEGATIVE_SLOPES
from closedist.paper.training.optimizer import FlatOptimizer

LAYERS = ("l1", "l2", "l3", "l4")
# measured on two cores: up to so many activations in a layer, a second thread costs as much as it saves
ELEMENTS_PER_THREAD = 30_000
SMALLEST_NORM = 1e-8  # what is scaled to a fixed length has at least this norm

StateDict = dict[str, Tensor]


class _Activations:
    """The buffers of one stacked network for one batch size: what the forward pass leaves for the backward pass."""

    def __init__(self, inputs: Tensor, sizes: Sequence[int], stack: int) -> None:
        rows = inputs.shape[-2]
        self.layers = [inputs.new_empty(stack, rows, size) for size in sizes[1:-1]]
        self.gradients = [inputs.new_empty(stack, rows, size) for size in sizes[1:-1]]
        self.output = inputs.new_empty(stack, sizes[-1], rows)
        self.output_gradient = inputs.new_empty(stack, sizes[-1], rows)
        self.ones = inputs.new_ones(1, 1, rows).expand(stack, 1, rows)


class _StackedNetwork:
    """S four-layer MLPs of one shape. Weights and gradients are views into the flat vectors of the whole group."""

    def __init__(self, name: str, sizes: Sequence[int], slope: float, fixed_length: float) -> None:
        self.name = name
        self.sizes = tuple(sizes)
        self.slope = slope
        self.fixed_length = fixed_length
        self.shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in zip(LAYERS, pairwise(self.sizes), strict=True):
            self.shapes[f"{name}.{layer}.weight"] = (fan_out, fan_in)
            if layer != LAYERS[-1]:
                self.shapes[f"{name}.{layer}.bias"] = (fan_out,)

    def bind(self, parameters: StateDict, gradients: StateDict) -> None:
        """Keep views of this network's weights (transposed: inputs come in rows), biases and their gradients."""
        self.weights = [parameters[f"{self.name}.{layer}.weight"] for layer in LAYERS]
        self.biases = [parameters[f"{self.name}.{layer}.bias"].unsqueeze(1) for layer in LAYERS[:-1]]
        self.weight_gradients = [gradients[f"{self.name}.{layer}.weight"] for layer in LAYERS]
        self.bias_gradients = [gradients[f"{self.name}.{layer}.bias"].unsqueeze(1) for layer in LAYERS[:-1]]

    def forward(self, inputs: Tensor, buffers: _Activations) -> Tensor:
        """Representations (S, M, rows) in float64; the buffers then hold every layer's output."""
        hidden = inputs
        for weight, bias, out in zip(self.weights, self.biases, buffers.layers, strict=False):
            torch.bmm(hidden, weight.mT, out=out)
            out.add_(bias)
            hidden = torch.nn.functional.leaky_relu_(out, self.slope)
        torch.bmm(self.weights[-1], hidden.mT, out=buffers.output)
        output = buffers.output.double()
        if self.fixed_length == 0:
            return output
        return output.mul_(self.fixed_length / _norm(output).clamp_(min=SMALLEST_NORM))

    def backward(self, inputs: Tensor, gradient: Tensor, buffers: _Activations) -> None:
        """From the loss's gradient by the representations (S, M, rows) to the gradients of all weights and biases."""
        if self.fixed_length > 0:
            gradient = self._through_fixed_length(buffers.output.double(), gradient)
        by_output = buffers.output_gradient.copy_(gradient)
        below = buffers.layers[-1]
        torch.bmm(by_output, below, out=self.weight_gradients[-1])
        torch.bmm(by_output.mT, self.weights[-1], out=buffers.gradients[-1])
        for index in reversed(range(len(buffers.layers))):
            below = buffers.layers[index - 1] if index > 0 else inputs
            by_output = buffers.gradients[index]
            torch.ops.aten.leaky_relu_backward.grad_input(
                by_output, buffers.layers[index], self.slope, True, grad_input=by_output
            )
            torch.bmm(by_output.mT, below, out=self.weight_gradients[index])
            torch.bmm(buffers.ones, by_output, out=self.bias_gradients[index])
            if index > 0:
                torch.bmm(by_output, self.weights[index], out=buffers.gradients[index - 1])

    def _through_fixed_length(self, output: Tensor, gradient: Tensor) -> Tensor:
        length = _norm(output)
        norm = length.clamp(min=SMALLEST_NORM)
        direction = output / norm
        # where the norm was raised to the smallest, the scale is a constant: no radial part to take out
        radial = (gradient * direction).sum(1, keepdim=True) * (length > SMALLEST_NORM)
        return (gradient - radial * direction) * (self.fixed_length / norm)


def _norm(output: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(output, dim=1, keepdim=True)
    return norm


class StackedMLPs:
    """S SmallMLP classifiers of one configuration that train together, each as if it were alone.

    Args:
        state_dicts: one state dict a model, as ``Classifier.state_dict()`` gives it (float32, on the CPU).
        num_classes: C.
        fix_length_f, fix_length_g: 0, or the Euclidean length to which embeddings or unembeddings are scaled.
        nonlinearity: ``relu`` or ``leaky_relu``.
        config: the optimiser and its settings.
        device: where the parameters live and the steps run.
    """

    def __init__(
        self,
        state_dicts: Sequence[StateDict],
        *,
        num_classes: int,
        fix_length_f: float,
        fix_length_g: float,
        nonlinearity: str,
        config: TrainConfig,
        device: torch.device,
    ) -> None:
        first = state_dicts[0]
        self.stack = len(state_dicts)
        elements = self.stack * config.batch_size * self._width(first)
        self.useful_threads = max(1, elements // ELEMENTS_PER_THREAD)
        self.device = device
        slope = NEGATIVE_SLOPES[nonlinearity]
        self._f = _StackedNetwork("f_net", _layer_sizes(first, "f_net"), slope, fix_length_f)
        self._g = _StackedNetwork("g_net", _layer_sizes(first, "g_net"), slope, fix_length_g)
        self._shapes = {key: (self.stack, *shape) for key, shape in {**self._f.shapes, **self._g.shapes}.items()}
        count = sum(torch.Size(shape).numel() for shape in self._shapes.values())
        self._flat = torch.empty(count, device=device)
        self._gradient = torch.zeros(count, device=device)
        self._parameters = self._views(self._flat)
        gradients = self._views(self._gradient)
        for network in (self._f, self._g):
            network.bind(self._parameters, gradients)
        for key, stacked in self._parameters.items():
            stacked.copy_(torch.stack([state[key] for state in state_dicts]))
        self._optimizer = FlatOptimizer(self._flat, config)
        self._minus_one = torch.full((1,), -1.0, dtype=torch.float64, device=device)
        self._labels = torch.eye(num_classes, num_classes - 1, device=device).expand(self.stack, -1, -1)
        self._label_buffers = _Activations(self._labels, self._g.sizes, self.stack)
        self._buffers: dict[int, _Activations] = {}

    @staticmethod
    def _width(state: StateDict) -> int:
        return int(state[f"f_net.{LAYERS[0]}.bias"].shape[0])

    def _views(self, flat: Tensor) -> StateDict:
        sizes = [torch.Size(shape).numel() for shape in self._shapes.values()]
        parts = torch.split(flat, sizes)
        return {key: part.view(shape) for (key, shape), part in zip(self._shapes.items(), parts, strict=True)}

    def _log_likelihood(self, inputs: Tensor, buffers: _Activations) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihoods (S, C, rows), embeddings (S, M, rows) and unembeddings (S, M, C), float64."""
        embeddings = self._f.forward(inputs, buffers)
        unembeddings = self._g.forward(self._labels, self._label_buffers)
        return torch.bmm(unembeddings.mT, embeddings).log_softmax(1), embeddings, unembeddings

    def _activations(self, inputs: Tensor) -> _Activations:
        rows = inputs.shape[-2]
        if rows not in self._buffers:
            self._buffers[rows] = _Activations(inputs, self._f.sizes, self.stack)
        return self._buffers[rows]

    @torch.inference_mode()
    def step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step of every model on the same batch.

        Args:
            inputs: (B, d) float32.
            labels: (B,) int64.

        Returns:
            (S,) float64, each model's mean negative log-likelihood before the step.
        """
        rows = inputs.shape[0]
        batch = inputs.expand(self.stack, -1, -1)
        chosen = labels.expand(self.stack, 1, rows)
        buffers = self._activations(batch)
        log_likelihood, embeddings, unembeddings = self._log_likelihood(batch, buffers)
        losses = log_likelihood.gather(1, chosen).mean((1, 2)).neg_()
        # the loss's gradient by the logits: (p - 1 at the label) / B
        by_logits = log_likelihood.exp_()
        by_logits.scatter_add_(1, chosen, self._minus_one.expand_as(chosen)).div_(rows)
        self._f.backward(batch, torch.bmm(unembeddings, by_logits), buffers)
        self._g.backward(self._labels, torch.bmm(embeddings, by_logits.mT), self._label_buffers)
        self._optimizer.step(self._flat, self._gradient)
        return losses

    @torch.inference_mode()
    def evaluate(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of every model on all given inputs: (S,) float64; nothing is moved."""
        batch = inputs.expand(self.stack, -1, -1)
        log_likelihood, _, _ = self._log_likelihood(batch, _Activations(batch, self._f.sizes, self.stack))
        return log_likelihood.gather(1, labels.expand(self.stack, 1, -1)).mean((1, 2)).neg_()

    def state_dicts(self) -> list[StateDict]:
        """Each model's own weights, on the CPU, under the paper's key names."""
        stacked = {key: value.to("cpu", copy=True) for key, value in self._parameters.items()}
        return [{key: value[index].clone() for key, value in stacked.items()} for index in range(self.stack)]

    def training_state(self) -> StateDict:
        """Everything that the next step depends on, batch order apart: parameters and optimiser moments."""
        return {"parameters": self._flat, **self._optimizer.state()}

    def load_training_state(self, state: StateDict) -> None:
        """Go on from what ``training_state`` gave; shapes must be this group's."""
        for key, mine in self.training_state().items():
            mine.copy_(state[key])


def _layer_sizes(state: StateDict, network: str) -> tuple[int, ...]:
    weights = [state[f"{network}.{layer}.weight"] for layer in LAYERS]
    return (weights[0].shape[1], *(weight.shape[0] for weight in weights))
