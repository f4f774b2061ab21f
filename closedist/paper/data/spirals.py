"""The second paper's synthetic data: 28 spiral arms of seven labels in the plane (Nielsen et al., 2026, section 5)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from closedist.errors import InputError

ARMS, POINTS_PER_ARM, LABELS = 28, 1000, 7
NOISE = 0.75  # of half the angle between two arms
SPLIT_SEED = 42
SPIRALS_SEED = 400  # of the first published run, whose data all others read


class Splits(NamedTuple):
    """Inputs (n, d) float32 and labels (n,) int64 of the three parts."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def spiral_points(seed: int) -> tuple[Tensor, Tensor]:
    """All 28,000 points (n, 2) and their labels, arm by arm, as the published generator draws them.

    Arms 0, 7, 14 and 21 have label 0; the six arms between two of them have the labels 1 … 6 in random order.
    """
    generator = np.random.RandomState(seed)  # the published generator is numpy's global one
    radius = np.linspace(1, 10, POINTS_PER_ARM)
    noise = generator.uniform(-NOISE, NOISE, (ARMS, POINTS_PER_ARM))
    arm = np.arange(ARMS)[:, None]
    angle = 0.1 * np.pi * radius / 7 + 2 * np.pi * arm / ARMS + noise * np.pi / ARMS
    points = radius[None, :, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    blocks = [[0, *generator.permutation(np.arange(1, LABELS))] for _ in range(ARMS // LABELS)]
    labels = np.repeat(np.concatenate(blocks), POINTS_PER_ARM)
    return torch.from_numpy(points.reshape(-1, 2).astype(np.float32)), torch.from_numpy(labels.astype(np.int64))


def spiral_splits(seed: int) -> Splits:
    """14,000 points to train on, 7,000 to validate, 7,000 to test, stratified by label.

    Raises:
        InputError: scikit-learn, whose split this is, is not installed.
    """
    points, labels = spiral_points(seed)
    return stratified_splits(points, labels, (0.5, 0.25, 0.25))


def stratified_splits(inputs: Tensor, labels: Tensor, shares: tuple[float, float, float]) -> Splits:
    """Cut data into three parts by scikit-learn's stratified split, as the second paper's code does.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise InputError('this data needs scikit-learn: pip install "closedist[experiments]"') from error
    train, validation, test = shares
    rows = np.arange(len(labels))
    first, rest = train_test_split(rows, test_size=1 - train, random_state=SPLIT_SEED, stratify=labels.numpy())
    of_rest = labels.numpy()[rest]
    second, third = train_test_split(
        rest, test_size=test / (validation + test), random_state=SPLIT_SEED, stratify=of_rest
    )
    parts = [torch.from_numpy(part) for part in (first, second, third)]
    return Splits(*((inputs[part], labels[part]) for part in parts))
