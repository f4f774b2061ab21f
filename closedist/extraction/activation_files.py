"""Activations of several layers on disk, batch by batch: one safetensors file in the end."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import torch
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.system.files import write_atomically

_CODES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


class LayerFile:
    """Rows of every layer as they come, in a file a layer until all are there.

    These lie in a folder beside the file that is deleted whatever happens, so that a stopped run leaves nothing and
    begins anew.
    """

    def __init__(self, path: Path, folder: Path, stack: ExitStack) -> None:
        self.path, self._folder, self._stack = path, folder, stack
        self._parts: dict[str, IO[bytes]] = {}
        self._kinds: dict[str, tuple[torch.dtype, int]] = {}
        self._rows: dict[str, int] = {}

    def add(self, layers: Mapping[str, Tensor]) -> None:
        """Take in (B, d) rows of every layer."""
        for name, rows in layers.items():
            if name not in self._parts:
                part = open(self._folder / str(len(self._parts)), "w+b")  # noqa: SIM115 — closed by the stack
                self._parts[name] = self._stack.enter_context(part)
                self._kinds[name], self._rows[name] = (rows.dtype, rows.shape[1]), 0
            self._parts[name].write(rows.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            self._rows[name] += len(rows)

    def finish(self) -> dict[str, Tensor]:
        """Put all together and map them from there."""
        write_atomically(self.path, self._write)
        return read_activations(self.path)

    def _write(self, path: Path) -> None:
        header: dict[str, Any] = {"__metadata__": {"format": "closedist activations 1"}}
        # what takes more room for a number comes first, so that all lie where their kind may
        order = sorted(self._parts, key=lambda name: -self._kinds[name][0].itemsize)
        header["__metadata__"]["layers"] = json.dumps(list(self._parts))
        end = 0
        for name in order:
            dtype, width = self._kinds[name]
            start, end = end, end + self._rows[name] * width * dtype.itemsize
            header[name] = {
                "dtype": _CODES[dtype],
                "shape": [self._rows[name], width],
                "data_offsets": [start, end],
            }
        text = json.dumps(header).encode()
        text = text.ljust(-(-len(text) // 8) * 8)
        with open(path, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in order:
                self._parts[name].seek(0)
                shutil.copyfileobj(self._parts[name], file, 1 << 20)


@contextmanager
def layer_file(path: Path) -> Iterator[LayerFile]:
    """A file of activations that is being written.

    Raises:
        InputError: it names no file, or the folder cannot be written to.
    """
    if not path.name or path.is_dir():
        raise InputError(f"file: {path} is a folder; name the file, as in {path / 'layers.safetensors'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder, ExitStack() as stack:
            yield LayerFile(path, Path(folder), stack)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error


def read_activations(path: str | Path) -> dict[str, Tensor]:
    """The layers of a file that ``activations(…, file=…)`` wrote, (N, d) each, mapped into memory, in their order.

    Raises:
        InputError: the file is missing, damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            order = json.loads(metadata["layers"]) if "layers" in metadata else sorted(file.keys())
            return {name: file.get_tensor(name) for name in order}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is not a whole safetensors file: {brief(error)}; write it again") from error
