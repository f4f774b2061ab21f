"""The paper's synthetic data: points in the plane, labelled by the angle of the line through them."""

import math

import numpy as np
import torch
from torch import Tensor

from closedist.paper.config import DatasetConfig

SPREAD = 3.0  # the standard deviation of both coordinates


def _draw(generator: np.random.Generator, num_points: int, num_classes: int) -> tuple[Tensor, Tensor]:
    """Normal points in the plane, each labelled by its angle modulo π, cut into ``num_classes`` equal parts."""
    points = generator.normal(0, SPREAD, (num_points, 2)).astype(np.float32)
    angles = np.arctan2(points[:, 1], points[:, 0]) % math.pi
    # an angle of -1e-17 is π modulo π: it belongs to the last part, not to one past it
    labels = np.minimum((angles / (math.pi / num_classes)).astype(np.int64), num_classes - 1)
    return torch.from_numpy(points), torch.from_numpy(labels)


def _equal_classes(labels: Tensor, generator: np.random.Generator) -> Tensor:
    """Indices of the first points of each class, as many as the rarest class has, in a random order."""
    classes, counts = np.unique(labels.numpy(), return_counts=True)
    kept = np.concatenate([np.flatnonzero(labels.numpy() == label)[: counts.min()] for label in classes])
    generator.shuffle(kept)
    return torch.from_numpy(kept)


def radial_split(config: DatasetConfig, split: str) -> tuple[Tensor, Tensor]:
    """The training or test points of a radial data set.

    Args:
        config: a radial_classification configuration.
        split: ``train`` (``num_points`` points from the config's seed) or ``test`` (a tenth as many, from seed + 1).

    Returns:
        (n, 2) float32 points and (n,) int64 labels.
    """
    test = split == "test"
    generator = np.random.default_rng(config.random_seed + test)
    points, labels = _draw(generator, config.num_points // 10 if test else config.num_points, config.num_classes)
    if config.equal_weighting_classes:
        kept = _equal_classes(labels, generator)
        return points[kept], labels[kept]
    return points, labels
