"""Checkpoint files: their names, a model's weights, and the exact state of a training (docs/files.md)."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.run_name import RunName
from closedist.system.files import parse_json, write_atomically

StateDict = dict[str, Tensor]
STATE_RECORD = "training"  # the metadata entry that says whose state a file holds


def write_weights(path: Path, state: StateDict) -> None:
    """Write a state dict as the plain PyTorch file that the paper's code reads; equal weights give equal bytes."""
    buffer = io.BytesIO()  # saved to a path, the file would hold the path's name
    torch.save({key: value.detach().to("cpu").contiguous() for key, value in state.items()}, buffer)
    write_atomically(path, buffer.getvalue())


def read_weights(path: Path, expected: StateDict) -> StateDict:
    """Read a state dict and compare it with the model that it is meant for.

    Args:
        path: the checkpoint.
        expected: the state dict of a model built from the configuration.

    Raises:
        InputError: the file is missing, truncated or no state dict, its keys, shapes or types are another model's,
            or a weight is not finite. No code in the file is ever run.
    """
    limit = 2 * sum(value.numel() * value.element_size() for value in expected.values()) + (1 << 20)
    try:
        size = path.stat().st_size
        if size > limit or _unpacked_size(path) > limit:
            raise InputError(f"checkpoint {path} is far larger than its model: pass the config it was trained with")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except InputError:
        raise
    except Exception as error:  # a damaged file can make PyTorch's reader fail in any way
        raise InputError(f"checkpoint {path} is not a whole PyTorch state dict: delete it and train again") from error
    _check_state(path, state, expected)
    return {key: state[key] for key in expected}


def _unpacked_size(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _check_state(path: Path, state: object, expected: StateDict) -> None:
    remedy = "pass the config it was trained with"
    if not isinstance(state, dict) or not all(_is_plain(value) for value in state.values()):
        raise InputError(f"checkpoint {path} holds no state dict; pass a file that train-variations wrote")
    if set(state) != set(expected):
        odd = min(map(str, set(state) ^ set(expected)))[:80]
        raise InputError(f"checkpoint {path} has the keys of another model ({odd!r} on one side only): {remedy}")
    rep_dim, wanted = _rep_dim(state), _rep_dim(expected)
    if rep_dim != wanted:
        raise InputError(
            f"checkpoint {path} has representation dimension {rep_dim}, the config says {wanted}: {remedy}"
        )
    for key, value in expected.items():
        found = state[key]
        if found.shape != value.shape:
            raise InputError(
                f"checkpoint {path}: {key} has shape {tuple(found.shape)}, the config says {tuple(value.shape)}: "
                f"{remedy}"
            )
        if found.dtype != value.dtype:
            raise InputError(f"checkpoint {path}: {key} is {found.dtype}, expected {value.dtype}: {remedy}")
        if found.is_floating_point() and not bool(torch.isfinite(found).all()):
            raise InputError(f"checkpoint {path}: {key} has a value that is not finite: train that model again")


def _is_plain(value: object) -> bool:
    """Whether a value is a tensor of numbers in memory: neither sparse, nor quantised, nor without contents."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )


def _rep_dim(state: StateDict) -> int | None:
    weight = state.get("g_net.l4.weight")
    return int(weight.shape[0]) if weight is not None and weight.ndim == 2 else None


@dataclass(frozen=True)
class SavedState:
    """Where the exact state of a training lies: of which seeds, after how many steps."""

    path: Path
    steps: int
    seeds: tuple[int, ...]


def write_state(path: Path, tensors: StateDict, seeds: Sequence[int], digest: str) -> None:
    """Write a training's exact state; ``digest`` says of which configuration."""
    plain = {key: value.detach().to("cpu").contiguous() for key, value in tensors.items()}
    # one entry, since safetensors writes several in a random order and equal states are to have equal bytes
    record = json.dumps({"digest": digest, "seeds": list(seeds)})
    write_atomically(path, save(plain, metadata={STATE_RECORD: record}))


def saved_states(folder: Path, name: RunName, digest: str) -> list[SavedState]:
    """The saved states of one training, of any group of its seeds, the latest step first.

    Raises:
        InputError: a state is not whole, or belongs to another configuration (data, model or optimiser).
    """
    if not folder.is_dir():
        return []
    pattern = name.state_pattern()
    found = []
    for path in sorted(folder.iterdir()):
        if match := pattern.fullmatch(path.name):
            found.append(_saved_state(path, int(match["step"]), digest))
    return sorted(found, key=lambda state: -state.steps)


def _saved_state(path: Path, steps: int, digest: str) -> SavedState:
    metadata, _ = _read_state(path, with_tensors=False)
    record = parse_json(metadata.get(STATE_RECORD, "{}").encode(), str(path))
    seeds = record.get("seeds") if isinstance(record, dict) else None
    if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds):
        raise InputError(f"{path} is not a training state of ours: delete it to train from the start")
    if record.get("digest") != digest:
        raise InputError(
            f"{path} is the state of another configuration (data, model or optimiser): delete it, or give another "
            "--date-str or folder"
        )
    return SavedState(path, steps, tuple(seeds))


def read_state(saved: SavedState, expected: StateDict) -> StateDict:
    """Read the tensors of a training's exact state.

    Args:
        saved: the file.
        expected: the state of the models that it is meant for, whatever its values.

    Raises:
        InputError: the file is not whole, or a tensor is missing or has another shape or type.
    """
    state = _read_state(saved.path, with_tensors=True)[1]
    for key, value in expected.items():
        if key not in state or state[key].shape != value.shape or state[key].dtype != value.dtype:
            raise InputError(
                f"{saved.path} is not the state of these models ({key!r} is missing or has another shape or type): "
                "delete it to train from the start"
            )
    return state


def _read_state(path: Path, *, with_tensors: bool) -> tuple[dict[str, str], StateDict]:
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys()) if with_tensors else []
            return file.metadata() or {}, {key: file.get_tensor(key) for key in keys}
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(
            f"cannot read the training state {path}: {brief(error)}; delete it to train from the start"
        ) from error
