"""The data sets that models are trained on, a row each: a new one is a file in ``data`` and its row here."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from closedist.errors import InputError
from closedist.paper.config import CIFAR10, CIFAR10_LABELS, RADIAL, DatasetConfig

if TYPE_CHECKING:  # what is known of a data set takes no PyTorch; to load it does
    from torch import Tensor

Loaded = tuple["Tensor", "Tensor"]


@dataclass(frozen=True)
class DataSet:
    """What there is to know of a data set.

    Attributes:
        name: as configs and the names of files have it: letters, digits and ``_``.
        load: from a config, "train" or "test", and the folder of data files, to inputs (N, *input_shape), float32
            points or images as bytes, and labels (N,) int64; of images, training has the config's ``num_points``.
        input_shape: of one input, without the batch.
        networks: the model types that take such inputs.
        label_names: what a legend calls the labels; None: their numbers.
        configs: the names of dataset, model variations and train config that commands take where none are given.
    """

    name: str
    load: Callable[[DatasetConfig, str, Path], Loaded]
    input_shape: tuple[int, ...]
    networks: tuple[str, ...]
    label_names: tuple[str, ...] | None = None
    configs: tuple[str, str, str] = ("", "", "")

    @property
    def images(self) -> bool:
        """Whether inputs are images, (channels, height, width), whose test representations are kept."""
        return len(self.input_shape) == 3

    def config_names(self, **values: object) -> tuple[str, str, str]:
        """The default configs' names with these values in them."""
        dataset, models, training = (name.format(**values) for name in self.configs)
        return dataset, models, training


def _of(module: str) -> Any:
    """A module of the folder ``data``, loaded now."""
    return import_module(f"closedist.paper.data.{module}")


DATA_SETS = {
    row.name: row
    for row in (
        DataSet(
            RADIAL,
            load=lambda config, split, folder: _of("radial").radial_split(config, split),
            input_shape=(2,),
            networks=("SmallMLP",),
            configs=(
                "radial_classification_20000_0_cls{num_classes}.json",
                "model_variations_config_{num_classes}_classes{suffix}.json",
                "radial_classification_0_128_ADAM_0_0001.json",
            ),
        ),
        DataSet(
            CIFAR10,
            load=lambda config, split, folder: _of("cifar10").load_cifar10(folder, split, config.num_points),
            input_shape=(3, 32, 32),
            networks=("ResNetCIFAR10", "MedCIFAR10", "SmallCIFAR10"),  # the largest first, which figures prefer
            label_names=CIFAR10_LABELS,
            configs=(
                "cifar10_0_cls10.json",
                "model_variations_config_{network}_128_fd{rep_dim}.json",
                "cifar10_0_32_ADAM_0_0001_20000steps.json",
            ),
        ),
    )
}


def data_set(name: str) -> DataSet:
    """The row of a data set.

    Raises:
        InputError: there is none of this name.
    """
    if name not in DATA_SETS:
        raise InputError(
            f"dataset_name: the dataset config says {name!r}, and there are {', '.join(DATA_SETS)}: correct it, or add "
            "a row to closedist/paper/registry.py"
        )
    return DATA_SETS[name]


def load_split(config: DatasetConfig, split: str, data_folder: Path) -> Loaded:
    """Inputs (N, …) and labels (N,) of "train" or "test": float32 points, or images as bytes.

    Raises:
        InputError: the data set is not known, or its files are missing or broken.
    """
    return data_set(config.dataset_name).load(config, split, data_folder)
