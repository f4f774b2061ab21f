"""On what a network computes, and in which precision: one code path, whose speed depends on the device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from closedist.errors import InputError

Precision = Literal["float32", "bf16"]
Step = Callable[[Tensor, Tensor], Tensor]
WARM_UP_STEPS = 3  # what libraries choose at their first calls must be chosen before a capture
StateDict = dict[str, Tensor]


@dataclass(frozen=True)
class Arithmetic:
    """Device and precision of a training.

    Args:
        device: where parameters and data live.
        precision: ``float32``, or ``bf16``: convolutions and products in bfloat16, weights and likelihoods as ever.
    """

    device: torch.device
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # TF32, as cuDNN's convolutions have by default
            torch.backends.cudnn.benchmark = True  # one batch size, so the fastest convolution is sought once

    def autocast(self) -> torch.autocast:
        """The context in which networks run."""
        # without the cache of casts, which a captured step could not use
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False
        )

    def state(self) -> StateDict:
        """What a saved training state says of the precision."""
        return {"bf16": torch.tensor(self.precision == "bf16")}

    def check(self, state: StateDict) -> None:
        """Refuse a training state of another precision.

        Raises:
            InputError: going on from it would give what neither precision gives.
        """
        if bool(state["bf16"]) != (self.precision == "bf16"):
            saved = "bf16" if state["bf16"] else "float32"
            raise InputError(f"the saved training state is of --precision {saved}: give the same to go on from it")

    def replayed(self, step: Step, live: Sequence[Tensor]) -> Step:
        """The same step; on a GPU recorded once as a CUDA graph and replayed, since launching it outlasts running it.

        Args:
            step: moves the tensors of ``live`` in place, given a batch; returns losses.
            live: all that the step moves.
        """
        return step if self.device.type == "cpu" else _Replay(step, live)


class _Replay:
    """A step that is recorded at its first batch of each size: there are two, an epoch's last batch may be short."""

    def __init__(self, step: Step, live: Sequence[Tensor]) -> None:
        self._step = step
        self._live = live
        self._recordings: dict[torch.Size, _Recording] = {}

    def __call__(self, inputs: Tensor, labels: Tensor) -> Tensor:
        if inputs.shape not in self._recordings:
            self._recordings[inputs.shape] = _Recording(self._step, self._live, inputs, labels)
        return self._recordings[inputs.shape].replay(inputs, labels)


class _Recording:
    """A step as a CUDA graph, with the memory from which it reads its batch."""

    def __init__(self, step: Step, live: Sequence[Tensor], inputs: Tensor, labels: Tensor) -> None:
        self._inputs, self._labels = inputs.clone(), labels.clone()
        before = [tensor.clone() for tensor in live]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                step(self._inputs, self._labels)
        torch.cuda.current_stream().wait_stream(stream)
        for tensor, value in zip(live, before, strict=True):
            tensor.copy_(value)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._losses = step(self._inputs, self._labels)

    def replay(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """The step on another batch of the same size; its losses."""
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._losses.clone()
