"""CIFAR-100 (Krizhevsky, 2009) in its Python layout: 50,000 training and 10,000 test images of 100 labels."""

import pickle
from pathlib import Path

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.paper.data.elsewhere import files_needed
from closedist.paper.data.inert_pickle import PickledArray, read_inert_pickle

FOLDER, LABELS, PIXELS = "cifar-100-python", 100, 3 * 32 * 32
MAX_FILE_BYTES = 512 << 20  # three times the published training file


def load_cifar100(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """(N, 3, 32, 32) uint8 images and (N,) int64 labels, from a file that is read as data only.

    Args:
        folder: holds ``cifar-100-python`` with the files ``train`` and ``test``.
        split: "train" or "test".

    Raises:
        InputError: the file is not there or not CIFAR-100's; the message says which file belongs where.
    """
    path = folder / FOLDER / split
    if not path.is_file():
        raise InputError(f"{path} is not there: {files_needed('cifar100', folder)}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than CIFAR-100's ({MAX_FILE_BYTES:,} bytes); fetch it again")
    content = read_inert_pickle(path.read_bytes(), str(path))
    entries = content if isinstance(content, dict) else {}
    pixels, labels = (entries.get(key.encode(), entries.get(key)) for key in ("data", "fine_labels"))
    if not isinstance(pixels, PickledArray) or not isinstance(labels, list):
        raise InputError(f"{path} has no array 'data' and list 'fine_labels' as CIFAR-100's files have; fetch it again")
    try:
        images = pixels.as_bytes()
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: {error}; it is not CIFAR-100's: fetch it again") from error
    known = all(type(label) is int and 0 <= label < LABELS for label in labels)
    if images.shape != (len(labels), PIXELS) or not labels or not known:
        raise InputError(
            f"{path} has pixels of shape {images.shape} and {len(labels):,} labels; ({len(labels):,}, {PIXELS}) bytes "
            f"and labels from 0 to {LABELS - 1} are needed: fetch it again"
        )
    return torch.from_numpy(images.copy()).view(-1, 3, 32, 32), torch.tensor(labels)
