"""SUB (birds with one attribute changed) as the second paper sees it: DINOv2 embeddings, a class and an attribute each.

The images (Hugging Face ``Jessica-bader/SUB``, its ``test`` split) and the network that embeds them are not fetched
here: one file with the embeddings is read.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.data.elsewhere import files_needed

FILE, WIDTH, CLASSES, ATTRIBUTES = "sub_dinov2_base.npz", 768, 33, 33
SPLIT_SEED = 42


class Birds(NamedTuple):
    """Embeddings (n, 768) float32, classes (n,) and attributes (n,) int64."""

    inputs: Tensor
    labels: Tensor
    concepts: Tensor


def sub_splits(folder: Path) -> tuple[Birds, Birds]:
    """Training (56 %) and test (30 %) parts, stratified by class as the published code does it.

    Raises:
        InputError: the file is not there or not what it should be, or scikit-learn, whose split this is, is missing.
    """
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise InputError('SUB needs scikit-learn: pip install "closedist[experiments]"') from error
    birds = _read(folder / FILE)
    classes = birds.labels.numpy()
    rows = np.arange(len(classes))
    rest, test = train_test_split(rows, test_size=0.3, random_state=SPLIT_SEED, stratify=classes)
    train, _ = train_test_split(rest, test_size=0.2, random_state=SPLIT_SEED, stratify=classes[rest])
    return _chosen(birds, train), _chosen(birds, test)


def _chosen(birds: Birds, rows: NDArray[np.int64]) -> Birds:
    return Birds(*(part[torch.from_numpy(rows)] for part in birds))


def _read(path: Path) -> Birds:
    if not path.exists():
        raise InputError(f"{path} is not there: {files_needed('sub', path.parent)}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("embeddings", "classes", "attributes")}
    except Exception as error:  # a damaged file can make its reader fail in any way
        raise InputError(f"{path} cannot be read: {brief(error)}; {files_needed('sub', path.parent)}") from error
    embeddings, classes, attributes = arrays.values()
    count = len(classes) if classes.ndim else 0
    if embeddings.shape != (count, WIDTH) or not count or not np.isfinite(embeddings).all():
        raise InputError(f"{path}: embeddings of shape {embeddings.shape}; ({count}, {WIDTH}) finite ones are needed")
    for name, values, most in (("classes", classes, CLASSES), ("attributes", attributes, ATTRIBUTES)):
        if values.shape != (count,) or values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= most:
            raise InputError(f"{path}: {name} are ({count},) integers from 0 to {most - 1}")
    as_integers = (torch.from_numpy(values.astype(np.int64)) for values in (classes, attributes))
    return Birds(torch.from_numpy(embeddings.astype(np.float32)), *as_integers)
