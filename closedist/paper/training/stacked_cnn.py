"""All seeds of a small CNN as one model: seeds become groups of channels, and threads share out the seeds.

The first convolution sees one batch, so S networks are one convolution with S times the channels; the second is a
grouped convolution, and fully connected layers are batched products. Channels come last in memory, where pooling is
five times faster. On a CPU the operations are still too small to be cut up among threads, so each thread takes some of
the seeds.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from closedist.paper.config import TrainConfig
from closedist.paper.models.inputs import as_network_input
from closedist.paper.models.networks import NEGATIVE_SLOPES, at_least_float32, scale_to_length
from closedist.paper.training.arithmetic import Arithmetic
from closedist.paper.training.optimizer import FlatOptimizer

EVALUATION_BATCH = 200  # images at once: what they need stays near the processor
StateDict = dict[str, Tensor]
Result = TypeVar("Result")


class _Stack:
    """The seeds that one thread trains. ``weights`` is (s, n): a row a model, all its parameters one after another."""

    def __init__(
        self,
        state_dicts: Sequence[StateDict],
        labels: Tensor,
        lengths: tuple[float, float],
        slope: float,
        config: TrainConfig,
        arithmetic: Arithmetic,
    ) -> None:
        self.size = len(state_dicts)
        self.shapes = {key: value.shape for key, value in state_dicts[0].items()}
        self._sizes = [shape.numel() for shape in self.shapes.values()]
        self._full_layers = sum(key.startswith("f_net.fc") and key.endswith(".weight") for key in self.shapes)
        self._label_vectors = labels.expand(self.size, -1, -1)
        self._length_f, self._length_g = lengths
        self._slope = slope
        self._arithmetic = arithmetic
        rows = [torch.cat([value.flatten() for value in state.values()]) for state in state_dicts]
        self.weights = torch.stack(rows).to(labels.device)
        self.optimizer = FlatOptimizer(self.weights, config)

    def live_state(self) -> StateDict:
        """The tensors that a step moves."""
        return {"parameters": self.weights.detach(), **self.optimizer.state()}

    def parameters(self, weights: Tensor) -> StateDict:
        """Views of (s, n) weights, each (s, …) under its key."""
        parts = torch.split(weights, self._sizes, dim=1)
        return {
            key: part.view(self.size, *shape) for (key, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def _negative_log_likelihood(self, weights: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """(s, B) float64 in nats, of uint8 images and their labels."""
        parameters = self.parameters(weights)
        inputs = as_network_input(images).contiguous(memory_format=torch.channels_last)
        with self._arithmetic.autocast():
            embeddings, unembeddings = self._embed(parameters, inputs), self._unembed(parameters)
        f = scale_to_length(at_least_float32(embeddings), self._length_f).double()
        g = scale_to_length(at_least_float32(unembeddings), self._length_g).double()
        log_likelihood = torch.bmm(f, g.mT).log_softmax(-1)
        return -log_likelihood.gather(2, labels.expand(self.size, -1).unsqueeze(2)).squeeze(2)

    def _embed(self, parameters: StateDict, hidden: Tensor) -> Tensor:
        """(B, 3, 32, 32) to (s, B, M)."""
        for layer, groups in (("conv1", 1), ("conv2", self.size)):
            weight = parameters[f"f_net.{layer}.weight"].flatten(0, 1)
            bias = parameters[f"f_net.{layer}.bias"].flatten()
            hidden = functional.conv2d(hidden, weight, bias, groups=groups)
            # the activation never falls, so it may as well follow the pooling, with a quarter of the work
            hidden = functional.leaky_relu(functional.max_pool2d(hidden, 2), self._slope)
        hidden = hidden.reshape(len(hidden), self.size, -1).transpose(0, 1)
        names = [f"f_net.fc{number}" for number in range(1, self._full_layers + 1)]
        return self._full(parameters, names, hidden)

    def _unembed(self, parameters: StateDict) -> Tensor:
        """(s, C, M) from the label vectors."""
        hidden = self._full(parameters, ["g_net.l1", "g_net.l2", "g_net.l3"], self._label_vectors)
        return torch.bmm(functional.leaky_relu(hidden, self._slope), parameters["g_net.l4.weight"].mT)

    def _full(self, parameters: StateDict, names: Sequence[str], hidden: Tensor) -> Tensor:
        """Fully connected layers with biases and with activations between them."""
        for index, name in enumerate(names):
            if index > 0:
                hidden = functional.leaky_relu(hidden, self._slope)
            bias = parameters[f"{name}.bias"].unsqueeze(1)
            hidden = torch.baddbmm(bias, hidden, parameters[f"{name}.weight"].mT)
        return hidden

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step; (s,) losses before it."""
        weights = self.weights.requires_grad_()
        losses = self._negative_log_likelihood(weights, images, labels).mean(1)
        (gradient,) = torch.autograd.grad(losses.sum(), weights)
        self.optimizer.step(self.weights.detach(), gradient)
        return losses.detach()

    @torch.no_grad()
    def evaluate(self, images: Tensor, labels: Tensor) -> Tensor:
        """(s,) mean losses over all images."""
        blocks = zip(torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True)
        return torch.cat([self._negative_log_likelihood(self.weights, *block) for block in blocks], 1).mean(1)


class StackedCNNs:
    """S SmallCIFAR10 or MedCIFAR10 classifiers of one configuration that train together, each as if it were alone.

    Args:
        state_dicts: one state dict a model, as ``Classifier.state_dict()`` gives it (float32, on the CPU).
        num_classes: C.
        fix_length_f, fix_length_g: 0, or the Euclidean length to which embeddings or unembeddings are scaled.
        nonlinearity: ``relu`` or ``leaky_relu``.
        config: the optimiser and its settings.
        arithmetic: device and precision. On a CPU, PyTorch's number of threads is how many stacks the seeds make.
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
        arithmetic: Arithmetic,
    ) -> None:
        self._arithmetic = arithmetic
        self.useful_threads = torch.get_num_threads()
        count = min(len(state_dicts), self.useful_threads) if arithmetic.device.type == "cpu" else 1
        bounds = [round(len(state_dicts) * part / count) for part in range(count + 1)]
        labels = torch.eye(num_classes, num_classes - 1, device=arithmetic.device)
        self._stacks = [
            _Stack(
                state_dicts[first:last],
                labels,
                (fix_length_f, fix_length_g),
                NEGATIVE_SLOPES[nonlinearity],
                config,
                arithmetic,
            )
            for first, last in pairwise(bounds)
        ]
        self._pool = ThreadPoolExecutor(count) if count > 1 else None
        live = [tensor for stack in self._stacks for tensor in stack.live_state().values()]
        self._step = arithmetic.replayed(self._step_directly, live)

    def _of_each(self, work: Callable[[_Stack], Result]) -> list[Result]:
        """The result of ``work`` on each stack, at the same time, with the threads divided among them."""
        if self._pool is None:
            return [work(stack) for stack in self._stacks]
        threads = torch.get_num_threads()
        torch.set_num_threads(max(1, threads // len(self._stacks)))
        try:
            return list(self._pool.map(work, self._stacks))
        finally:
            torch.set_num_threads(threads)

    def _step_directly(self, images: Tensor, labels: Tensor) -> Tensor:
        return torch.cat(self._of_each(lambda stack: stack.step(images, labels)))

    def step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step of every model on the same batch.

        Args:
            inputs: (B, 3, 32, 32) uint8.
            labels: (B,) int64.

        Returns:
            (S,) float64, each model's mean negative log-likelihood before the step.
        """
        return self._step(inputs, labels)

    def evaluate(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of every model on all given inputs: (S,) float64; nothing is moved."""
        return torch.cat(self._of_each(lambda stack: stack.evaluate(inputs, labels)))

    def state_dicts(self) -> list[StateDict]:
        """Each model's own weights, on the CPU, under the paper's key names."""
        found = []
        for stack in self._stacks:
            stacked = stack.parameters(stack.weights.detach().to("cpu", copy=True))
            found += [{key: value[row].clone() for key, value in stacked.items()} for row in range(stack.size)]
        return found

    def training_state(self) -> StateDict:
        """Everything that the next step depends on, batch order apart: a row a model, and the number of steps."""
        states = [stack.live_state() for stack in self._stacks]
        rows = {key: torch.cat([state[key] for state in states]) for key, value in states[0].items() if value.ndim}
        return {**rows, "steps": states[0]["steps"], **self._arithmetic.state()}

    def load_training_state(self, state: StateDict) -> None:
        """Go on from what ``training_state`` gave, with any number of threads; shapes must be this group's.

        Raises:
            InputError: it was trained in another precision.
        """
        self._arithmetic.check(state)
        first = 0
        for stack in self._stacks:
            for key, mine in stack.live_state().items():
                mine.copy_(state[key][first : first + stack.size] if mine.ndim else state[key])
            first += stack.size
