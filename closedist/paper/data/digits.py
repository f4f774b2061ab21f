"""scikit-learn's handwritten digits, each turned by 0, 90, 180 and 270 degrees: a label, and a concept beside it."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from closedist.errors import InputError

ROTATIONS = 4
HELD_OUT = 540  # of 1,797 original images
SPLIT_SEED = 42


class Digits(NamedTuple):
    """Images (n, 64) float32 between 0 and 1, digits (n,) and rotations (n,) int64."""

    inputs: Tensor
    labels: Tensor
    concepts: Tensor


def rotated_digits() -> tuple[Digits, Digits]:
    """Training and test images; all four rotations of an original image are in the same one.

    Raises:
        InputError: scikit-learn, which ships the images, is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError('the digits need scikit-learn: pip install "closedist[experiments]"') from error
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return _turned(images[train], digits[train]), _turned(images[test], digits[test])


def _turned(
    images: np.ndarray[tuple[int, int], np.dtype[np.float64]], digits: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Digits:
    square = images.reshape(-1, 8, 8) / 16.0
    turned = np.stack([np.rot90(square, turns, (1, 2)) for turns in range(ROTATIONS)], 1)
    inputs = torch.from_numpy(np.ascontiguousarray(turned.reshape(-1, 64), dtype=np.float32))
    concepts = torch.arange(ROTATIONS).repeat(len(digits))
    return Digits(inputs, torch.from_numpy(np.repeat(digits, ROTATIONS).astype(np.int64)), concepts)
