"""Data of the second paper that cannot be fetched or trained here: which files belong where."""

from pathlib import Path

ELSEWHERE = {
    "cifar100": (
        "cifar-100-python/train and cifar-100-python/test of cifar-100-python.tar.gz "
        "(https://www.cs.toronto.edu/~kriz/cifar.html)",
        "a GPU and torchvision with its ImageNet weights: a ResNet-50 teacher of dimension 50 and ResNet-18 students",
    ),
    "sub": (
        "sub_dinov2_base.npz with embeddings (N, 768), the CLS token of facebook/dinov2-base for the test split of "
        "Jessica-bader/SUB, and int64 classes (N,) and attributes (N,)",
        "nothing more: `closedist distil --data sub` then trains on it",
    ),
}


def files_needed(name: str, folder: Path) -> str:
    """What of a data set belongs into the data folder, and what else it needs."""
    files, more = ELSEWHERE[name]
    return f"put {files} into {folder}; it needs {more}"
