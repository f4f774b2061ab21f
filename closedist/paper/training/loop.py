"""Training: one loop for every kind of model, which records losses, saves its exact state and goes on from it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.paper.config import TrainConfig
from closedist.paper.training.batch_order import TEST_EVERY, batch_indices

TRAIN_EVERY = 500  # steps between two records of the training loss
StateDict = dict[str, Tensor]


class Learners(Protocol):
    """S models that train together, on the same batches and without meeting.

    Attributes:
        useful_threads: with more processor threads than this a step would wait longer for them than they save.
    """

    useful_threads: int

    def step(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """One optimiser step on a batch; (S,) float64 losses in nats before the step."""

    def evaluate(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """(S,) float64 mean losses in nats over all given data; nothing is moved."""

    def state_dicts(self) -> list[StateDict]:
        """Each model's own weights, on the CPU."""

    def training_state(self) -> StateDict:
        """Everything that the next step depends on, the batches apart."""

    def load_training_state(self, state: StateDict) -> None:
        """Go on from what ``training_state`` gave."""


@dataclass(frozen=True)
class Split:
    """Inputs (N, …) and labels (N,) int64, on the training device."""

    inputs: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Losses:
    """The losses recorded so far, in nats, one row a model; ``recent`` are those of training since the last record."""

    steps: int
    train: Tensor
    test: Tensor
    recent: Tensor

    @classmethod
    def none(cls, stack: int, steps: int = 0) -> "Losses":
        """No losses yet, for ``stack`` models that start at step ``steps``."""
        empty = torch.empty(stack, 0, dtype=torch.float64)
        return cls(steps, empty, empty, empty)

    def final_train(self) -> Tensor:
        """(S, n) training losses with the last steps' mean as the final entry."""
        if self.recent.shape[1] == 0:
            return self.train
        return torch.cat([self.train, self.recent.mean(1, keepdim=True)], 1)

    def recorded_steps(self) -> list[int]:
        """The step of every column of ``final_train``, the last of those that it is the mean of."""
        count, last = self.train.shape[1], (self.steps - 1) // TRAIN_EVERY * TRAIN_EVERY
        recorded = [last - TRAIN_EVERY * (count - 1 - column) for column in range(count)]
        return recorded + [self.steps - 1] * (self.recent.shape[1] > 0)

    @staticmethod
    def owns(key: str) -> bool:
        """Whether a key of the state file is one of ``as_tensors``."""
        return key.startswith("losses.")

    def as_tensors(self) -> StateDict:
        """For the state file."""
        steps = torch.tensor(self.steps)
        return {
            "losses.steps": steps,
            "losses.train": self.train,
            "losses.test": self.test,
            "losses.recent": self.recent,
        }

    @classmethod
    def from_tensors(cls, state: StateDict, stack: int, steps: int) -> "Losses":
        """From the state file of ``stack`` models after ``steps`` steps.

        Raises:
            InputError: what is there are not the losses of so many models and steps.
        """
        columns = [state.get(f"losses.{name}", torch.empty(0)) for name in ("train", "test", "recent")]
        if not all(column.dtype == torch.float64 and column.shape[:-1] == (stack,) for column in columns):
            raise InputError("the saved training state has no losses of its models: delete it to train from the start")
        train, test, recent = columns
        told = state.get("losses.steps", torch.empty(0))
        if told.numel() != 1 or told.item() != steps or recent.shape[1] > TRAIN_EVERY:
            raise InputError("the saved training state is of another step than its name: delete it to train anew")
        return cls(steps, train, test, recent)


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and has saved its state after ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(f"stopped after {steps} steps")
        self.steps = steps


@contextmanager
def limited_threads(learners: Learners) -> Iterator[None]:
    """Let PyTorch use no more threads than help these models, while the block runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, learners.useful_threads))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Diverged(InputError):
    """Models whose loss is no longer a finite number."""


def train(
    learners: Learners,
    training: Split,
    test: Split,
    config: TrainConfig,
    *,
    start: Losses,
    checkpoint_every: int,
    save: Callable[[Losses], None],
    stopping: Callable[[], bool],
    advance: Callable[[int], None],
) -> Losses:
    """Train from ``start.steps`` to the configuration's number of steps.

    The training loss is recorded every 500 steps (the mean since the last record; the first step's alone), the test
    loss every 2000, as the paper's code does. Models whose loss is no longer finite are left to themselves, since they
    cannot touch the others; training ends early only when none is left.

    Args:
        learners: the models, in the state of ``start``.
        training, test: the data.
        config: batch size, number of steps and the seed of the batch order.
        start: the losses of the steps already done.
        checkpoint_every: ``save`` is called after every multiple of so many steps.
        save: writes the exact state; also called before ``Interrupted`` is raised.
        stopping: asked after every step; True means that the user wants to stop.
        advance: told how many steps were done since its last call.

    Returns:
        All losses; the final test loss is the last column of ``test``.

    Raises:
        Interrupted: ``stopping`` said so; the state is saved.
    """
    batches = batch_indices(config.random_seed, len(training.labels), config.batch_size, start.steps)
    recent = torch.empty(start.recent.shape[0], TRAIN_EVERY + 1, dtype=torch.float64, device=training.labels.device)
    count = start.recent.shape[1]
    recent[:, :count] = start.recent
    train_losses, test_losses = [start.train], [start.test]

    def losses(steps: int) -> Losses:
        return Losses(steps, torch.cat(train_losses, 1), torch.cat(test_losses, 1), recent[:, :count].cpu().clone())

    reported = start.steps
    for step in range(start.steps, config.train_steps):
        batch = next(batches).to(training.labels.device)
        recent[:, count] = learners.step(training.inputs[batch], training.labels[batch])
        count += 1
        if step % TRAIN_EVERY == 0:
            train_losses.append(recent[:, :count].mean(1, keepdim=True).cpu())
            count = 0
            advance(step + 1 - reported)
            reported = step + 1
            if not bool(torch.isfinite(train_losses[-1]).any()):
                return losses(step + 1)
        if step % TEST_EVERY == 0:
            test_losses.append(learners.evaluate(test.inputs, test.labels).cpu()[:, None])
        done = step + 1
        if stopping():
            save(losses(done))
            raise Interrupted(done)
        if done % checkpoint_every == 0 and done < config.train_steps:
            save(losses(done))
    advance(config.train_steps - reported)
    finished = losses(config.train_steps)
    save(finished)
    test_losses.append(learners.evaluate(test.inputs, test.labels).cpu()[:, None])
    return losses(config.train_steps)


def finite_models(losses: Losses) -> list[bool]:
    """Whether each model's last recorded losses, of training and test, are finite numbers."""
    last = torch.cat([losses.final_train()[:, -1:], losses.test[:, -1:]], 1)
    finite: list[bool] = torch.isfinite(last).all(1).tolist()
    return finite


def diverged_models(losses: Losses, seeds: Sequence[int], learning_rate: float) -> Diverged:
    """The error that names every diverged model with its first recorded loss that is not finite, and where."""
    train, steps = losses.final_train(), losses.recorded_steps()
    found = []
    for index, (seed, finite) in enumerate(zip(seeds, finite_models(losses), strict=True)):
        if finite:
            continue
        wrong = (~torch.isfinite(train[index])).nonzero().flatten().tolist()
        if wrong:
            found.append(f"seed {seed} by step {steps[wrong[0]]} (training loss {train[index, wrong[0]].item()})")
        else:  # the last step broke it
            found.append(f"seed {seed} by step {losses.steps - 1} (test loss {losses.test[index, -1].item()})")
    return Diverged(
        f"training diverged for {', '.join(found)}; these models have no checkpoint, the others are kept: lower the "
        f"learning rate, now {learning_rate}"
    )
