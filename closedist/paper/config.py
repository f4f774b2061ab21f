"""The three configurations of an experiment: data, family of models and how they are trained (docs/files.md)."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from closedist.errors import InputError
from closedist.system.files import read_json

MAX_CLASSES = 10_000  # the labels' one-hot vectors are a square: 400 MB
PAPERS = Path(__file__).parent / "configs"  # the repository's configs/, which a wheel has as files of its own
IMAGE_DIMENSIONS = (2, 3, 5)  # of the paper's representations of images
RADIAL, CIFAR10 = "radial_classification", "cifar10"  # the paper's data sets
CIFAR10_LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

Name = Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,40}$")]  # which there are, the registries know
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Width = Annotated[int, Field(ge=1, le=8192)]  # the largest layer then has 256 MB
Length = Annotated[float, Field(ge=0, le=1e6)]  # 0 means free


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration's content: equal digests mean the same configuration."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class DatasetConfig(_Config):
    """What the models are trained and tested on. The last three numbers are the paper's; they are read and unused."""

    random_seed: Seed
    dataset_name: Name
    num_points: Annotated[int, Field(ge=10, le=10**8)]
    num_classes: Annotated[int, Field(ge=2, le=MAX_CLASSES)]
    equal_weighting_classes: bool = False
    min_length: float = 0
    dist_scale: float = 0
    vert_dist_scale: float = 0


class ModelVariationsConfig(_Config):
    """A family of models: every seed for every width and both fixed lengths (0 is free)."""

    random_seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=10_000, strict=False)]
    model_type: Name
    target_type: Literal["CLASSIFICATION_MULTI"] = "CLASSIFICATION_MULTI"
    nonlinearity: Literal["relu", "leaky_relu"]
    num_classes: Annotated[int, Field(ge=2, le=MAX_CLASSES)]
    num_features: Annotated[tuple[Width, ...], Field(min_length=1, max_length=1000, strict=False)]
    rep_dim: Width
    fix_length_gs: Annotated[tuple[Length, ...], Field(min_length=1, max_length=1000, strict=False)]
    fix_length_fs: Annotated[tuple[Length, ...], Field(min_length=1, max_length=1000, strict=False)]

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name in ("random_seeds", "num_features", "fix_length_gs", "fix_length_fs"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names a value twice")
        return self


class TrainConfig(_Config):
    """How models are trained. ``reduction`` and ``use_forward_as_loss`` have one meaning each, the paper's."""

    dataset_name: Name
    random_seed: Seed
    batch_size: Annotated[int, Field(ge=1, le=10**6)]
    train_steps: Annotated[int, Field(ge=1, le=10**9)]
    reduction: Literal["mean"] = "mean"
    use_forward_as_loss: Literal[True] = True
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    optimizer_type: Literal["ADAM", "SGD"]
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


Config = TypeVar("Config", DatasetConfig, ModelVariationsConfig, TrainConfig)


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read one configuration file.

    Raises:
        InputError: the file is missing or not JSON, or a key is missing, misspelt or out of range; the message names
            the file, the key and what the key takes.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not an object with a config's keys")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_problem(error, kind)}") from None


def changed(config: Config, changes: Mapping[str, object]) -> Config:
    """A configuration with other values of some keys.

    Raises:
        InputError: a value is out of its key's range.
    """
    kind = type(config)
    try:
        return kind.model_validate({**config.model_dump(), **changes})
    except ValidationError as error:
        raise InputError(f"the command line's {_first_problem(error, kind)}") from None


def _first_problem(error: ValidationError, kind: type[BaseModel]) -> str:
    problems = error.errors(include_url=False)
    # a misspelt key is both unknown and missing: name the unknown one first
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = ".".join(str(part) for part in problem["loc"])[:80] or kind.__name__
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; the keys are {', '.join(kind.model_fields)}"
    if problem["type"] == "missing":
        return f"the key {key!r} is missing; add it (the keys are {', '.join(kind.model_fields)})"
    message = problem["msg"].removeprefix("Value error, ")
    shown = repr(problem["input"])
    return f"{key}: {message[0].lower()}{message[1:]}, not {shown[:80]}; correct the value"


def paper_dataset(num_classes: int) -> DatasetConfig:
    """The paper's radial data set (its Appendix on the synthetic experiments), for any number of labels."""
    config = read_config(PAPERS / "radial_classification_20000_0_cls4.json", DatasetConfig)
    return changed(config, {"num_classes": num_classes})


def paper_models(num_classes: int, **changes: object) -> ModelVariationsConfig:
    """The paper's family of SmallMLPs for any number of labels, with other values of some keys."""
    config = read_config(PAPERS / "model_variations_config_4_classes.json", ModelVariationsConfig)
    return changed(config, {"num_classes": num_classes, **changes})


def paper_training() -> TrainConfig:
    """How the paper trains on the radial data."""
    return read_config(PAPERS / "radial_classification_0_128_ADAM_0_0001.json", TrainConfig)


def paper_images() -> DatasetConfig:
    """CIFAR-10, all of it."""
    return read_config(PAPERS / "cifar10_0_cls10.json", DatasetConfig)


def paper_image_models(rep_dim: int) -> ModelVariationsConfig:
    """The paper's ResNets on CIFAR-10 with representation dimension 2, 3 or 5."""
    return read_config(PAPERS / f"model_variations_config_resnetcifar10_128_fd{rep_dim}.json", ModelVariationsConfig)


def paper_image_training() -> TrainConfig:
    """How the paper trains on CIFAR-10."""
    return read_config(PAPERS / "cifar10_0_32_ADAM_0_0001_20000steps.json", TrainConfig)
