"""The files of a trained model: its weights, its test representations, and its metrics, by which it counts as done."""

import io
from pathlib import Path

import torch

from closedist.errors import InputError
from closedist.paper.distillation.networks import Network, StateDict, initial_weights
from closedist.representations import Representations
from closedist.system.files import read_json, write_atomically, write_json


def write_model(folder: Path, name: str, weights: StateDict, model: Representations, record: dict[str, object]) -> None:
    """A model's files; the record, by which it counts as done, comes last."""
    write_weights(folder, name, weights)
    model.save(folder / f"{name}_reps_test.safetensors")
    write_json(folder / f"metrics-{name}.json", record)


def write_weights(folder: Path, name: str, weights: StateDict) -> None:
    """A model's state dict."""
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    write_atomically(folder / f"{name}.pt", buffer.getvalue())


def is_there(folder: Path, name: str, digest: str) -> bool:
    """Whether a model with this digest is there whole.

    Raises:
        InputError: the model of this name was trained otherwise.
    """
    path = folder / f"metrics-{name}.json"
    if not (path.exists() and (folder / f"{name}.pt").exists()):
        return False
    content = read_json(path)
    recorded = content.get("configuration") if isinstance(content, dict) else None
    if recorded != digest:
        raise InputError(f"{path} is of a model that was trained otherwise: give another --output folder")
    return True


def read_weights(folder: Path, name: str, network: Network) -> StateDict:
    """A model's state dict, in the order of its network.

    Raises:
        InputError: the file is damaged, or of another network.
    """
    expected = initial_weights(network, 0, xavier_heads=True)
    try:
        state = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make PyTorch's reader fail in any way
        raise InputError(
            f"{folder / name}.pt is not a whole state dict: delete its metrics to train it again"
        ) from error
    if not isinstance(state, dict) or {k: v.shape for k, v in state.items()} != {
        k: v.shape for k, v in expected.items()
    }:
        raise InputError(f"{folder / name}.pt is another network: give another --output folder")
    return {key: state[key] for key in expected}
