"""All seeds of a SmallMLP configuration as one model: stacked weights, one batch, a gradient written out by hand.

A small network spends its time in launching operations, not in arithmetic. Stacking S networks makes each operation S
times larger at the price of one launch; writing the gradient out (instead of recording it) leaves about fifty operations
a step, all into buffers that are allocated once. The arithmetic per network is the ordinary one and networks never meet.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from closedist.config import TrainConfig

LAYERS = ("l1", "l2", "l3", "l4")
SMALLEST_NORM = 1e-8  # DESIGN 4: what is scaled to a fixed length has at least this norm
SLOPES = {"relu": 0.0, "leaky_relu": 0.01}

StateDict = dict[str, Tensor]


class _Activations:
    """The buffers of one stacked network for one batch size: what the forward pass leaves for the backward pass."""

    def __init__(self, inputs: Tensor, sizes: Sequence[int], stack: int) -> None:
        rows = inputs.shape[-2]
        self.layers = [inputs.new_empty(stack, rows, size) for size in sizes[1:]]
        self.gradients = [inputs.new_empty(stack, rows, size) for size in sizes[1:]]
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
        """Representations (S, rows, M) in float64; the buffers then hold every layer's output."""
        hidden = inputs
        for weight, bias, out in zip(self.weights, self.biases, buffers.layers, strict=False):
            torch.bmm(hidden, weight.mT, out=out)
            out.add_(bias)
            hidden = torch.nn.functional.leaky_relu_(out, self.slope)
        torch.bmm(hidden, self.weights[-1].mT, out=buffers.layers[-1])
        output = buffers.layers[-1].double()
        if self.fixed_length == 0:
            return output
        return output.mul_(self.fixed_length / self._norm(output))

    @staticmethod
    def _norm(output: Tensor) -> Tensor:
        return torch.linalg.vector_norm(output, dim=-1, keepdim=True).clamp_(min=SMALLEST_NORM)

    def backward(self, inputs: Tensor, gradient: Tensor, buffers: _Activations) -> None:
        """From the loss's gradient by the representations (float64) to the gradients of all weights and biases."""
        if self.fixed_length > 0:
            gradient = self._through_fixed_length(buffers.layers[-1].double(), gradient)
        buffers.gradients[-1].copy_(gradient)
        for index in range(len(LAYERS) - 1, -1, -1):
            below = buffers.layers[index - 1] if index > 0 else inputs
            by_output = buffers.gradients[index]
            torch.bmm(by_output.mT, below, out=self.weight_gradients[index])
            if index < len(self.bias_gradients):
                torch.bmm(buffers.ones, by_output, out=self.bias_gradients[index])
            if index > 0:
                torch.bmm(by_output, self.weights[index], out=buffers.gradients[index - 1])
                torch.ops.aten.leaky_relu_backward.grad_input(
                    buffers.gradients[index - 1], below, self.slope, True, grad_input=buffers.gradients[index - 1]
                )

    def _through_fixed_length(self, output: Tensor, gradient: Tensor) -> Tensor:
        norm = self._norm(output)
        direction = output / norm
        radial = (gradient * direction).sum(-1, keepdim=True)
        # where the norm was raised to the smallest, the scale is a constant and only multiplies
        moving = torch.linalg.vector_norm(output, dim=-1, keepdim=True) > SMALLEST_NORM
        return (gradient - torch.where(moving, radial, 0.0) * direction) * (self.fixed_length / norm)


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
        self.device = device
        slope = SLOPES[nonlinearity]
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
        self._optimizer = _optimizer(self._flat, config)
        self._labels = torch.eye(num_classes, num_classes - 1, device=device).expand(self.stack, -1, -1)
        self._label_buffers = _Activations(self._labels, self._g.sizes, self.stack)
        self._buffers: dict[int, _Activations] = {}

    def _views(self, flat: Tensor) -> StateDict:
        sizes = [torch.Size(shape).numel() for shape in self._shapes.values()]
        parts = flat.split(sizes)
        return {key: part.view(shape) for (key, shape), part in zip(self._shapes.items(), parts, strict=True)}

    def _log_likelihood(self, inputs: Tensor, buffers: _Activations) -> tuple[Tensor, Tensor, Tensor]:
        embeddings = self._f.forward(inputs, buffers)
        unembeddings = self._g.forward(self._labels, self._label_buffers)
        return torch.bmm(embeddings, unembeddings.mT).log_softmax(-1), embeddings, unembeddings

    def _activations(self, inputs: Tensor) -> _Activations:
        rows = inputs.shape[-2]
        if rows not in self._buffers:
            self._buffers[rows] = _Activations(inputs, self._f.sizes, self.stack)
        return self._buffers[rows]

    def step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step of every model on the same batch.

        Args:
            inputs: (B, d) float32.
            labels: (B, C) one-hot, float64.

        Returns:
            (S,) float64, each model's mean negative log-likelihood before the step.
        """
        rows = inputs.shape[0]
        batch = inputs.expand(self.stack, -1, -1)
        buffers = self._activations(batch)
        log_likelihood, embeddings, unembeddings = self._log_likelihood(batch, buffers)
        losses = torch.mul(log_likelihood, labels).sum((1, 2)).div_(-rows)
        by_logits = log_likelihood.exp_().sub_(labels).div_(rows)
        self._f.backward(batch, torch.bmm(by_logits, unembeddings), buffers)
        self._g.backward(self._labels, torch.bmm(by_logits.mT, embeddings), self._label_buffers)
        self._flat.grad = self._gradient
        self._optimizer.step()
        return losses

    def evaluate(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of every model on all given inputs: (S,) float64; nothing is moved."""
        batch = inputs.expand(self.stack, -1, -1)
        log_likelihood, _, _ = self._log_likelihood(batch, _Activations(batch, self._f.sizes, self.stack))
        return torch.mul(log_likelihood, labels).sum((1, 2)).div_(-inputs.shape[0])

    def state_dicts(self) -> list[StateDict]:
        """Each model's own weights, on the CPU, under the key names of DESIGN 4."""
        stacked = {key: value.to("cpu", copy=True) for key, value in self._parameters.items()}
        return [{key: value[index].clone() for key, value in stacked.items()} for index in range(self.stack)]

    def training_state(self) -> StateDict:
        """Everything that the next step depends on, batch order apart: parameters and optimiser moments."""
        moments = self._optimizer.state[self._flat]
        return {"parameters": self._flat, **{f"optimizer.{key}": value for key, value in moments.items()}}

    def load_training_state(self, state: StateDict) -> None:
        """Go on from what ``training_state`` gave; shapes must be this group's."""
        self._flat.copy_(state["parameters"])
        moments = {key.removeprefix("optimizer."): value for key, value in state.items() if key != "parameters"}
        self._optimizer.state[self._flat] = {
            key: value.clone() if key == "step" else value.to(self.device, copy=True) for key, value in moments.items()
        }


def _layer_sizes(state: StateDict, network: str) -> tuple[int, ...]:
    weights = [state[f"{network}.{layer}.weight"] for layer in LAYERS]
    return (weights[0].shape[1], *(weight.shape[0] for weight in weights))


def _optimizer(flat: Tensor, config: TrainConfig) -> torch.optim.Optimizer:
    """The config's optimiser over one vector of all parameters: elementwise, so it is each model's own."""
    if config.optimizer_type == "ADAM":
        return torch.optim.Adam([flat], lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    return torch.optim.SGD([flat], lr=config.learning_rate, momentum=0.9, weight_decay=config.weight_decay, fused=True)
