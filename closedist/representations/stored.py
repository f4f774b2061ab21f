"""Files of representations: safetensors with tensors of known names, mapped into memory as they are read."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from closedist.errors import InputError
from closedist.system.files import write_atomically
from closedist.system.kinds import not_read, of_weights, some_of, what_it_is

NAMED = ("input_ids", "label_names", "groups")
_MATRICES = ("embeddings", "unembeddings", "bias", "logits")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the file whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    stored = {name: tensor.contiguous() for name, tensor in tensors.items()}
    if len({tensor.untyped_storage().data_ptr() for tensor in stored.values()}) < len(stored):
        stored = {name: tensor.clone() for name, tensor in stored.items()}  # safetensors refuses shared memory

    def write(temporary: Path) -> None:
        try:
            save_file(stored, temporary, metadata={"format": "closedist representations 1", **metadata})
        except SafetensorError as error:  # how it says that a disk is full
            raise OSError(str(error)) from error

    write_atomically(path, write)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors that representations are made of, and the metadata.

    Raises:
        InputError: the file is missing, damaged or of another kind, or has neither "embeddings" and "unembeddings" nor
            "logits", as floating-point numbers.
    """
    from safetensors import SafetensorError, safe_open

    try:
        what = what_it_is(path)
        if what:
            raise InputError(f"cannot read {path} as representations: it {what}")
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            present = set(file.keys())
            known = [name for name in (*_MATRICES, *NAMED, "input_digests") if name in present]
            tensors = {name: file.get_tensor(name) for name in known}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(not_read(path, error)) from error
    for name in ("embeddings", "unembeddings"):
        if name not in tensors and "logits" not in tensors:
            raise InputError(f'{path} has no tensor "{name}"; it has {some_of(present) or "none"}{of_weights(present)}')
    for name in _MATRICES:
        if name in tensors and not tensors[name].is_floating_point():  # to convert could fill the memory
            raise InputError(f"{path}: {name} is {tensors[name].dtype}; write it again as floating-point numbers")
    return tensors, metadata
