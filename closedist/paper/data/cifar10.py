"""CIFAR-10 (Krizhevsky, 2009), from either of the two layouts in which its authors publish it.

The binary layout is a folder ``cifar-10-batches-bin`` of records, each a label byte and 3072 pixel bytes (32×32 red,
then green, then blue). The Python layout, ``cifar-10-batches-py``, holds the same in pickles, which are read as data
only. Images stay bytes, four times smaller than floats, and are scaled a batch at a time.
"""

import logging
import pickle
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.config import CIFAR10_LABELS
from closedist.paper.data.inert_pickle import PickledArray, read_inert_pickle
from closedist.system.files import write_atomically
from closedist.system.locks import exclusive

log = logging.getLogger(__name__)

ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # published beside it
BINARY_FOLDER = "cifar-10-batches-bin"
PYTHON_FOLDER = "cifar-10-batches-py"

NUM_TRAIN = 50_000
TRAIN_FILES = 5
PIXELS = 3 * 32 * 32
FILE_NAMES = {"train": tuple(f"data_batch_{i}" for i in range(1, TRAIN_FILES + 1)), "test": ("test_batch",)}
MAX_FILE_BYTES = 64 << 20  # twice a published file of either layout

Bytes = npt.NDArray[np.uint8]


def load_cifar10(folder: Path, split: str, num_points: int = NUM_TRAIN) -> tuple[Tensor, Tensor]:
    """The training or test images found in ``folder``, fetched into it first where neither layout is there.

    Args:
        folder: holds ``cifar-10-batches-bin`` or ``cifar-10-batches-py``; the first is taken where both are there.
        split: ``train`` or ``test``.
        num_points: how many training images, the first ones of CIFAR-10's 50,000. A made-up set may be smaller: its
            five training files and its test file then have ``num_points``/5 images each.

    Returns:
        (N, 3, 32, 32) uint8 images (red, green and blue from 0 to 255) and (N,) int64 labels, indices into
        ``config.CIFAR10_LABELS``, in the order of the files.

    Raises:
        InputError: a file is missing, short, too long, foreign or has a label beyond 9; or neither layout is there and
            the archive cannot be fetched; the message says which file belongs where.
    """
    if not 1 <= num_points <= NUM_TRAIN:
        raise InputError(
            f"num_points: CIFAR-10 has 50,000 training images; give a number from 1 to that, not {num_points}"
        )
    binary, pickled = folder / BINARY_FOLDER, folder / PYTHON_FOLDER
    if not binary.is_dir() and not pickled.is_dir():
        fetch_cifar10(folder)
    if binary.is_dir():
        parts = [_read_binary(binary / f"{name}.bin", num_points) for name in FILE_NAMES[split]]
    else:
        parts = [_read_pickled(pickled / name, num_points) for name in FILE_NAMES[split]]
    pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in parts])).view(-1, 3, 32, 32)
    labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]).astype(np.int64))
    count = num_points if split == "train" else len(labels)
    return pixels[:count], labels[:count]


def images_available(folder: Path) -> bool:
    """Whether ``folder`` holds one of the two layouts, so that nothing need be fetched."""
    return any((folder / layout).is_dir() for layout in (BINARY_FOLDER, PYTHON_FOLDER))


def normalise(images: Tensor) -> Tensor:
    """Pixels as the networks take them: uint8 of any shape from 0 … 255 to float32 from −1 to 1."""
    return images.float().div_(255).sub_(0.5).div_(0.5)


def fetch_cifar10(folder: Path) -> None:
    """Download the binary archive, check its published MD5 and lay its six data files into ``folder``.

    Raises:
        InputError: there is no network, what came is not the published archive, the disk is full, or the folder cannot
            be written to.
    """
    import pooch  # here, since it takes a while to import and is needed once

    try:
        with exclusive(folder / ".cifar10.lock", lambda: log.warning("another run is fetching CIFAR-10: waiting")):
            if not (folder / BINARY_FOLDER).is_dir():  # else another run has fetched it meanwhile
                archive = Path(pooch.retrieve(ARCHIVE_URL, known_hash=f"md5:{ARCHIVE_MD5}", path=folder))
                _unpack(archive, folder)
    except (OSError, ValueError) as error:  # no network, no room or no right to write; another MD5
        reason = brief(error) or type(error).__name__
        raise InputError(
            f"CIFAR-10 is not in {folder} and could not be downloaded ({reason}). Put data_batch_1.bin … "
            f"data_batch_5.bin and test_batch.bin from {ARCHIVE_URL} into {folder / BINARY_FOLDER}, or the files of "
            f"the Python version into {folder / PYTHON_FOLDER}, or name another folder with --data-folder"
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    # laid out beside the final folder and renamed, so that a killed run leaves no half of it
    with tempfile.TemporaryDirectory(dir=folder) as scratch, tarfile.open(archive) as tar:
        for name in (*FILE_NAMES["train"], *FILE_NAMES["test"]):
            member = tar.extractfile(f"{BINARY_FOLDER}/{name}.bin")
            if member is not None:
                write_atomically(Path(scratch, BINARY_FOLDER, f"{name}.bin"), member.read())
        Path(scratch, BINARY_FOLDER).rename(folder / BINARY_FOLDER)
    archive.unlink(missing_ok=True)


def _read_file(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; put CIFAR-10's file of that name there") from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than any file of CIFAR-10 ({MAX_FILE_BYTES:,} bytes); fetch it again")
    return data


def _read_binary(path: Path, num_points: int) -> tuple[Bytes, Bytes]:
    """(n, 3072) pixels and (n,) labels of one file."""
    data = _read_file(path)
    counts = _records_per_file(num_points)
    if len(data) not in [count * (1 + PIXELS) for count in counts]:
        raise InputError(
            f"{path} has {len(data):,} bytes, not the {counts[0] * (1 + PIXELS):,} of {counts[0]:,} images; it is "
            "cut short or not CIFAR-10's: fetch it again"
        )
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 1:], _checked_labels(records[:, 0], path)


def _read_pickled(path: Path, num_points: int) -> tuple[Bytes, Bytes]:
    """The same of one file of the Python layout."""
    content = read_inert_pickle(_read_file(path), str(path))
    entries = content if isinstance(content, dict) else {}
    pixels, labels = (entries.get(key.encode(), entries.get(key)) for key in ("data", "labels"))
    if not isinstance(pixels, PickledArray) or not isinstance(labels, list):
        raise InputError(f"{path} has no array 'data' and list 'labels' as CIFAR-10's files have; fetch it again")
    try:
        data = pixels.as_bytes()
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: {error}; it is not CIFAR-10's: fetch it again") from error
    counts = _records_per_file(num_points)
    if data.shape not in [(count, PIXELS) for count in counts] or len(labels) != len(data):
        raise InputError(
            f"{path} has {len(labels):,} labels and pixels of shape {data.shape}, not {counts[0]:,} images of {PIXELS} "
            "bytes; it is cut short or not CIFAR-10's: fetch it again"
        )
    if not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise InputError(f"{path} has a label that is no number from 0 to 9; it is not CIFAR-10's: fetch it again")
    return data, _checked_labels(np.array(labels, dtype=np.uint8), path)


def _records_per_file(num_points: int) -> list[int]:
    published = NUM_TRAIN // TRAIN_FILES
    return [published] if num_points % TRAIN_FILES else [published, num_points // TRAIN_FILES]


def _checked_labels(labels: Bytes, path: Path) -> Bytes:
    beyond = np.flatnonzero(labels >= len(CIFAR10_LABELS))
    if len(beyond) > 0:
        raise InputError(
            f"{path}: image {beyond[0]} has the label {labels[beyond[0]]}, and CIFAR-10's go from 0 to 9; it is "
            "another data set's file or damaged: fetch it again"
        )
    return labels
