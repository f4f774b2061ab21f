"""One training loop for teachers and students: a stack of networks, each with its own order of inputs and dropout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.distillation.networks import Network, StateDict
from closedist.system.files import write_atomically
from closedist.system.signals import stop_requests

SLOW = 1e-3  # the learning rate during warm-up, as a share


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: Adam, a constant small rate at first, then one that decays by the epoch.

    Attributes:
        epochs, batch_size, learning_rate: as usual; a short last batch is kept.
        decay: the factor between two epochs' learning rates.
        warm_up: epochs at a thousandth of the learning rate.
        evaluate_every: epochs between two evaluations; the last epoch is evaluated too.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    decay: float
    warm_up: int
    evaluate_every: int

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        if epoch < self.warm_up:
            return self.learning_rate * SLOW
        return float(self.learning_rate * self.decay ** (epoch - self.warm_up))

    def evaluated(self, epoch: int) -> bool:
        """Whether models are scored after this epoch."""
        return (epoch + 1) % self.evaluate_every == 0 or epoch + 1 == self.epochs


@dataclass(frozen=True)
class Group:
    """S = kinds × seeds networks that train in one program, those of one seed with the same inputs and dropout.

    Attributes:
        network: of all.
        seeds: of order and dropout; one generator each, so that no seed depends on what else trains.
        objective: from embeddings (S, B, M), weights and rows (seeds, B) to the S losses.
        kinds: how many networks a seed has.
    """

    network: Network
    seeds: tuple[int, ...]
    objective: Callable[[Tensor, StateDict, Tensor], Tensor]
    kinds: int = 1


class Stopped(KeyboardInterrupt):
    """The user stopped a training whose state is saved."""


def train(
    group: Group,
    stack: StateDict,
    inputs: Tensor,
    schedule: Schedule,
    *,
    state_file: Path,
    digest: str,
    evaluate: Callable[[int, StateDict], None],
    advance: Callable[[float], None],
    device: torch.device,
) -> StateDict:
    """Train a stack; the state after each evaluation is saved, and a saved one is gone on from to the same bits.

    Args:
        group: what trains.
        stack: the weights to start from, (S, …) each.
        inputs: (N, d) training inputs.
        schedule: how long and how fast.
        state_file: where the exact state lies in between.
        digest: of everything that the training depends on; a state of another is refused.
        evaluate: called with the epoch and the weights after every epoch that the schedule evaluates.
        advance: told how many epochs were done since its last call.
        device: on which it trains; inputs stay where they are.

    Raises:
        Stopped: Ctrl-C; the state of the last whole epoch is saved.
        InputError: the saved state is damaged or another training's, or the folder cannot be written.
    """
    buffers = group.network.buffers
    state = {key: value.to(device, copy=True).requires_grad_(key not in buffers) for key, value in stack.items()}
    learned = [value for key, value in state.items() if key not in buffers]
    optimizer = torch.optim.Adam(learned, lr=schedule.learning_rate, fused=True)
    generators = [torch.Generator().manual_seed(seed) for seed in group.seeds]
    first = _restore(state_file, digest, state, optimizer, generators) if state_file.exists() else 0
    advance(first)
    with stop_requests() as stopping:
        for epoch in range(first, schedule.epochs):
            for options in optimizer.param_groups:
                options["lr"] = schedule.rate(epoch)
            one_epoch(group, state, inputs, schedule.batch_size, optimizer, generators)
            advance(1)
            if schedule.evaluated(epoch):
                evaluate(epoch, {key: value.detach() for key, value in state.items()})
            if stopping() or schedule.evaluated(epoch):
                _save(state_file, digest, epoch + 1, state, optimizer, generators)
            if stopping():
                raise Stopped(f"stopped after {epoch + 1} of {schedule.epochs} epochs")
    return {key: value.detach() for key, value in state.items()}


def one_epoch(
    group: Group,
    state: StateDict,
    inputs: Tensor,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    generators: Sequence[torch.Generator],
) -> None:
    """A step for every batch of the inputs in a new order; the state and the generators move on."""
    order = torch.stack([torch.randperm(len(inputs), generator=generator) for generator in generators])
    for start in range(0, len(inputs), batch_size):
        rows = order[:, start : start + batch_size]
        device = next(iter(state.values())).device
        batch = inputs[rows].to(device)
        batch = batch.repeat(group.kinds, *(1 for _ in batch.shape[1:]))
        noise = [part.to(device) for part in group.network.noise(rows.shape[1], generators)]
        embeddings = group.network.embed(state, batch, noise)
        optimizer.zero_grad()
        group.objective(embeddings, state, rows).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _save(
    path: Path,
    digest: str,
    epochs: int,
    state: StateDict,
    optimizer: torch.optim.Optimizer,
    generators: Sequence[torch.Generator],
) -> None:
    tensors = {key: value.detach() for key, value in state.items()}
    for key, value in state.items():
        tensors |= {f"optimizer.{name}.{key}": part for name, part in optimizer.state[value].items()}
    tensors |= {f"generator.{index}": generator.get_state() for index, generator in enumerate(generators)}
    data = save({key: value.contiguous() for key, value in tensors.items()}, {"digest": digest, "epochs": str(epochs)})
    write_atomically(path, data)


def _restore(
    path: Path,
    digest: str,
    state: StateDict,
    optimizer: torch.optim.Optimizer,
    generators: Sequence[torch.Generator],
) -> int:
    """Put a saved state back in place; the number of epochs that it has seen."""
    try:
        with safe_open(str(path), framework="pt") as file:
            record = file.metadata() or {}
            if record.get("digest") != digest:
                raise InputError(f"{path} is the state of another training: give another --output or delete it")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        for key, value in state.items():
            value.data.copy_(tensors[key])
            if value.requires_grad:
                optimizer.state[value] = {
                    name: tensors[f"optimizer.{name}.{key}"].to(value.device, copy=True)
                    for name in ("step", "exp_avg", "exp_avg_sq")
                }
        for index, generator in enumerate(generators):
            generator.set_state(tensors[f"generator.{index}"])
        return int(record["epochs"])
    except InputError:
        raise
    except Exception as error:  # a damaged file can make its readers fail in any way
        raise InputError(f"{path} is not a whole training state: {brief(error)}; delete it to train anew") from error
