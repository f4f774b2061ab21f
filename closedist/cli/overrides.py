"""Options that stand in place of a train config's entries: for the training, and for who measures what it trained."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from closedist.cli.options import Count, Natural, NonNegative
from closedist.system.files import number_in_name

if TYPE_CHECKING:
    from closedist.paper.config import DatasetConfig, TrainConfig


@Parameter(name="*")
@dataclass(frozen=True)
class Overrides:
    """What differs from the train config.

    Attributes:
        train_seed: The seed of the batch order, in place of the train config's; names get _trainseed{n}.
        train_epochs: Passes over the data, in place of the config's number of steps; results' names get _epochs{n}.
        lr: The learning rate, in place of the train config's; results' names get _lr{x}.
        weight_decay: The weight decay, in place of the train config's; names get _wd{x}.
    """

    train_seed: Natural | None = None
    train_epochs: Count | None = None
    lr: Annotated[float, Parameter(validator=Number(gt=0, lt=math.inf))] | None = None
    weight_decay: NonNegative | None = None

    @property
    def suffix(self) -> str:
        """What the names of such trainings' files end in."""
        return _named("trainseed", self.train_seed) + _named("wd", self.weight_decay)

    @property
    def result_suffix(self) -> str:
        """What the names of their results end in: unlike checkpoints' these do not all have learning rate and steps."""
        return _named("lr", self.lr) + _named("epochs", self.train_epochs) + self.suffix

    def applied(self, training: "TrainConfig", dataset: "DatasetConfig", data_folder: Path) -> "TrainConfig":
        """The train config with these entries; an epoch is of the data set's training points.

        Raises:
            InputError: one is out of its range.
        """
        from closedist.paper.config import changed
        from closedist.paper.registry import data_set

        changes: dict[str, float] = {}
        if self.train_seed is not None:
            changes["random_seed"] = self.train_seed
        if self.weight_decay is not None:
            changes["weight_decay"] = self.weight_decay
        if self.lr is not None:
            changes["learning_rate"] = self.lr
        if self.train_epochs is not None:
            known = data_set(dataset.dataset_name)
            # points are drawn, and may be fewer than asked for: classes can be cut to equal sizes
            points = dataset.num_points if known.images else len(known.load(dataset, "train", data_folder)[1])
            changes["train_steps"] = self.train_epochs * math.ceil(points / training.batch_size)
        return changed(training, changes)


NO_OVERRIDES = Overrides()


def _named(entry: str, value: float | None) -> str:
    return "" if value is None else f"_{entry}{number_in_name(value)}"
