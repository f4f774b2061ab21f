"""What a file or a folder is, by its first bytes and not by its name, and what closedist can do with it."""

import zipfile
from collections.abc import Collection
from pathlib import Path

from closedist.errors import brief

_FIRST_BYTES = {b"\x93NUMPY": "npy", b"GGUF": "gguf", b"\x89HDF": "hdf5", b"PK\x05\x06": "empty archive"}
_MODEL_FILES = {"config.json": "model folder", "adapter_config.json": "adapter folder"}
_SHOWN = 8
_ADVICE = {
    "model folder": "is the folder of a model: closedist extract writes its representations on texts, closedist "
    "compare-models compares it with another",
    "adapter folder": "is the folder of an adapter: closedist compare-models compares it with another model",
    "folder": "is a folder; name the files in it, as in {path}/*.safetensors",
    "npz": "is a NumPy archive: the command closedist compare takes it; in Python pass its arrays, "
    "closedist.Representations(**numpy.load({path!r}))",
    "npy": "is a NumPy array: the command closedist compare takes it as logits; in Python pass it, "
    "closedist.Representations.from_logits(numpy.load({path!r}))",
    "torch": "is a file that torch.save wrote: the command closedist compare takes it where it holds plain tensors; "
    "of a model, closedist.extract(model, batches) makes representations",
    "gguf": "is a model for llama.cpp; closedist reads models that transformers opens (closedist extract), and logits "
    "(closedist.Representations.from_logits)",
    "empty archive": "is an archive with nothing in it; write its arrays again",
    "hdf5": "is an HDF5 file; read its arrays with h5py and pass them, closedist.Representations(embeddings, "
    "unembeddings)",
}


def kind_of(path: Path) -> str:
    """What lies at a path.

    Returns:
        "model folder", "adapter folder", "folder", "safetensors", "npz", "npy", "torch" (a pickle too, which a file of
        ``torch.save`` was), "gguf", "hdf5", "empty archive", or "" for anything else.

    Raises:
        OSError: nothing is there, or it may not be read.
    """
    if path.is_dir():
        return next((kind for name, kind in _MODEL_FILES.items() if (path / name).is_file()), "folder")
    with open(path, "rb") as file:
        first = file.read(16)
    for beginning, kind in _FIRST_BYTES.items():
        if first.startswith(beginning):
            return kind
    if first[8:9] == b"{":  # after the length of its header, which may begin as a pickle does
        return "safetensors"
    if first[:4] == b"PK\x03\x04" and zipfile.is_zipfile(path):
        return _kind_of_archive(path)
    return "torch" if first[:1] == b"\x80" else ""


def _kind_of_archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return ""
    if any(name.endswith("/data.pkl") for name in names):
        return "torch"
    return "npz" if names and all(name.endswith(".npy") for name in names) else ""


def what_it_is(path: Path) -> str:
    """What to say of a path where a file of representations is wanted; "" where nothing is known.

    Raises:
        OSError: as :func:`kind_of`.
    """
    return _ADVICE.get(kind_of(path), "").format(path=str(path))


def not_read(path: Path, error: Exception) -> str:
    """What to say of a file that is no whole safetensors file: that it is damaged, or that it never was one."""
    if kind_of(path) == "safetensors":
        return f"{path} is not a whole safetensors file: {brief(error)}; write it again"
    return (
        f"{path} is no file of representations: give one that closedist extract or Representations.save wrote, or "
        "arrays as .npz, .npy, .pt or .csv"
    )


def of_weights(names: Collection[str]) -> str:
    """What to say of a file with arrays of these names if they are those of a model's weights, and "" if not."""
    if not any(name.endswith(".weight") for name in names):
        return ""
    return (
        ". These are a model's weights: closedist extract makes representations of a language model's folder, "
        "closedist.extract(model, batches) of any model"
    )


def some_of(names: Collection[str]) -> str:
    """The first of some names, for a message."""
    shown = [" ".join(name[:40].split()) for name in sorted(names)[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
