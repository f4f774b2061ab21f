"""The training or test data of a configuration, whichever data set it names."""

from pathlib import Path

from torch import Tensor

from closedist.paper.config import DatasetConfig
from closedist.paper.data.radial import radial_split


def load_split(config: DatasetConfig, split: str, data_folder: Path) -> tuple[Tensor, Tensor]:
    """Inputs (N, …) and labels (N,) of a split: float32 points, or images as bytes.

    Args:
        config: the data set.
        split: ``train`` or ``test``.
        data_folder: where image files are looked for; the radial data need none.

    Raises:
        InputError: image files are missing or broken.
    """
    if config.dataset_name == "cifar10":
        from closedist.paper.data.cifar10 import load_cifar10  # only who trains on images needs pooch

        return load_cifar10(data_folder, split, config.num_points)
    return radial_split(config, split)
