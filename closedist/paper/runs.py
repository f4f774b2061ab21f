"""What there is to train: a family of models cut into runs, each with the names of its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from closedist.errors import InputError
from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
from closedist.paper.registry import data_set
from closedist.paper.run_name import RunName

if TYPE_CHECKING:  # names and results of trainings are looked at without PyTorch
    from closedist.paper.models.classifier import Classifier


@dataclass(frozen=True)
class FamilyFile:
    """A file with the test representations of some seeds' models (:mod:`closedist.paper.families`)."""

    path: Path
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class TrainingRun:
    """One training of a sweep: all seeds of one width and one pair of fixed lengths.

    ``family`` stands for checkpoints that are not there wherever models are measured on test inputs.
    """

    name: RunName
    dataset: DatasetConfig
    models: ModelVariationsConfig
    training: TrainConfig
    family: FamilyFile | None = None

    @property
    def digest(self) -> str:
        """Of all that the weights depend on, the seeds and the number of steps apart."""
        training = self.training.model_copy(update={"train_steps": 1})
        models = self.models.model_copy(update={"random_seeds": (0,)})
        return f"{self.dataset.digest[:16]}{models.digest[:16]}{training.digest[:16]}"

    @property
    def on_images(self) -> bool:
        """Whether the inputs are images, whose representations are kept beside the checkpoints."""
        return data_set(self.name.dataset).images

    def untrained(self, seed: int) -> "Classifier":
        """The member with this seed, with its first weights."""
        from closedist.paper.models.classifier import build_classifier

        return build_classifier(
            self.models.model_type,
            input_shape=data_set(self.name.dataset).input_shape,
            num_classes=self.models.num_classes,
            num_features=self.name.width,
            rep_dim=self.models.rep_dim,
            nonlinearity=self.models.nonlinearity,
            fix_length_f=self.name.fix_length_f,
            fix_length_g=self.name.fix_length_g,
            seed=seed,
        )

    def missing(self, checkpoints: Path) -> tuple[int, ...]:
        """The seeds whose trained checkpoint is not there."""
        return tuple(s for s in self.models.random_seeds if not (checkpoints / self.name.trained(s)).exists())

    def unavailable(self, checkpoints: Path, split: str) -> tuple[int, ...]:
        """The seeds without a trained checkpoint and, on test inputs, without saved representations too."""
        missing = self.missing(checkpoints)
        if split != "test":
            return missing
        if self.on_images:
            return tuple(s for s in missing if not (checkpoints / self.name.representations(s)).exists())
        return tuple(s for s in missing if not (self.family and s in self.family.seeds))


def training_runs(
    dataset: DatasetConfig, models: ModelVariationsConfig, training: TrainConfig, date: str, suffix: str = ""
) -> Iterator[TrainingRun]:
    """The trainings of a family, by width, then fixed length of g, then of f.

    Args:
        date: the first part of every file's name.
        suffix: appended to trained names, for runs whose train seed or weight decay is not the configuration's.

    Raises:
        InputError: the configurations do not belong together.
    """
    _check_together(dataset, models, training)
    for width in models.num_features:
        for fix_length_g in models.fix_length_gs:
            for fix_length_f in models.fix_length_fs:
                name = RunName(
                    date=date,
                    dataset=dataset.dataset_name,
                    model_type=models.model_type,
                    fix_length_f=fix_length_f,
                    fix_length_g=fix_length_g,
                    num_classes=models.num_classes,
                    width=width,
                    rep_dim=models.rep_dim,
                    num_points=dataset.num_points,
                    learning_rate=training.learning_rate,
                    steps=training.train_steps,
                    suffix=suffix,
                )
                member = {"num_features": (width,), "fix_length_gs": (fix_length_g,), "fix_length_fs": (fix_length_f,)}
                yield TrainingRun(name, dataset, models.model_copy(update=member), training)


def _check_together(dataset: DatasetConfig, models: ModelVariationsConfig, training: TrainConfig) -> None:
    if dataset.num_classes != models.num_classes:
        raise InputError(
            f"num_classes is {dataset.num_classes} in the dataset config and {models.num_classes} in the model "
            "variations config: pass two that belong together"
        )
    if dataset.dataset_name != training.dataset_name:
        raise InputError(
            f"dataset_name is {dataset.dataset_name} in the dataset config and {training.dataset_name} in the train "
            "config: pass two that belong together"
        )
    known = data_set(dataset.dataset_name)
    if models.model_type not in known.networks:
        raise InputError(
            f"model_type {models.model_type} cannot be trained on {known.name}: pass a config of one that can "
            f"({', '.join(known.networks)})"
        )
