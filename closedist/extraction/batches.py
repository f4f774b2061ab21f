"""Batches of inputs as DataLoaders and tokenizers make them, and how a model is called with one."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.loaders import check_order

_DECODED = ("decoder_input_ids", "decoder_inputs_embeds", "decoder_attention_mask")
_NO_LABEL = -100


@dataclass(frozen=True)
class Batch:
    """The arguments of one call of a model.

    Attributes:
        args, kwargs: as the model takes them.
        mask: (B, T) the attention mask of what the head sees, or None.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    mask: Tensor | None

    def digest(self) -> str:
        """A fingerprint of the arguments, equal for equal inputs."""
        state = hashlib.sha256()
        _feed(state, [self.args, self.kwargs])
        return state.hexdigest()

    def tensors(self) -> dict[str, Tensor]:
        """The arguments that are tensors, by their name or place."""
        named = [(str(place), value) for place, value in enumerate(self.args)] + list(self.kwargs.items())
        return {name: value for name, value in named if isinstance(value, Tensor)}

    def with_tensors(self, tensors: dict[str, Tensor]) -> "Batch":
        """The same with these in place of those of the same name."""
        args = tuple(tensors.get(str(place), value) for place, value in enumerate(self.args))
        return Batch(args, {name: tensors.get(name, value) for name, value in self.kwargs.items()}, self.mask)

    def moved_to(self, device: torch.device) -> "Batch":
        """The same arguments on the model's device."""
        return Batch(_moved(self.args, device), _moved(self.kwargs, device), _moved(self.mask, device))


def read_batches(batches: Iterable[Any], model: nn.Module | None = None) -> Iterator[Batch]:
    """Every batch as the arguments of a call.

    Args:
        batches: what the user gave.
        model: whose config may say that it encodes one sequence and decodes another, which the head sees.

    Raises:
        InputError: what is iterated over is one batch, a loader draws a new order in every pass, or an entry is none of
            the three kinds.
    """
    if isinstance(batches, (Tensor, Mapping, str)) or not isinstance(batches, Iterable):
        raise InputError(
            f"batches: a {type(batches).__name__}; an iterable of batches is needed: a DataLoader, or [batch] for one"
        )
    check_order(batches)
    decodes = bool(getattr(getattr(model, "config", None), "is_encoder_decoder", False))
    for number, batch in enumerate(batches):
        yield _read(batch, number, decodes)


def _read(batch: Any, number: int, decodes: bool) -> Batch:
    inputs = batch
    if isinstance(batch, (tuple, list)) and len(batch) in (1, 2):
        inputs = batch[0]  # the second is the labels, which no representation depends on
    if isinstance(inputs, Tensor):
        return Batch((inputs,), {}, None)
    if isinstance(inputs, Mapping):
        kwargs = dict(inputs)
        mask = _mask(kwargs, decodes)
        return Batch((), kwargs, mask if isinstance(mask, Tensor) and mask.ndim == 2 else None)
    what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list)) else type(batch).__name__
    raise InputError(
        f"batches: number {number} is a {what}; a tensor, a pair (inputs, labels) or a dictionary of keyword arguments "
        "is needed"
    )


def _mask(kwargs: dict[str, Any], decodes: bool) -> Any:
    """The mask of the sequence that the head sees, which in an encoder-decoder model is not the encoder's."""
    if any(kwargs.get(name) is not None for name in _DECODED):
        return kwargs.get("decoder_attention_mask")
    labels = kwargs.get("labels")
    if decodes and isinstance(labels, Tensor):  # the model decodes them, moved by one; −100 is its padding
        return labels != _NO_LABEL
    return kwargs.get("attention_mask")


def inputs_digest(batches: Iterable[Batch]) -> str:
    """A fingerprint of all inputs in their order."""
    return combined_digest(batch.digest() for batch in batches)


def combined_digest(digests: Iterable[str]) -> str:
    """The fingerprint of inputs whose batches have these."""
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter lies, among those that are anywhere."""
    parameter = next((one for one in model.parameters() if not one.is_meta), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: _moved(entry, device) for name, entry in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_moved(entry, device) for entry in value)
    return value


def _feed(state: Any, value: Any) -> None:
    """Add a nest of tensors and plain values to a running digest, unambiguously."""
    if isinstance(value, Tensor) and hasattr(value, "__tensor_flatten__"):  # quantised: of integers and their scales
        parts, _ = value.__tensor_flatten__()
        _feed(state, [type(value).__qualname__, {name: getattr(value, name) for name in parts}])
    elif isinstance(value, Tensor):
        state.update(f"tensor {value.dtype} {tuple(value.shape)};".encode())
        state.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    elif isinstance(value, Mapping):
        state.update(f"mapping {len(value)};".encode())
        for name in sorted(value, key=str):
            _feed(state, str(name))
            _feed(state, value[name])
    elif isinstance(value, (tuple, list)):
        state.update(f"sequence {len(value)};".encode())
        for entry in value:
            _feed(state, entry)
    else:
        text = repr(value).encode()
        state.update(b"%d:" % len(text) + text)


def model_digest(model: nn.Module) -> str:
    """A fingerprint of a model: its structure, its config and every parameter and buffer."""
    state = hashlib.sha256()
    config = getattr(model, "config", None)
    to_dict = getattr(config, "to_dict", None)
    _feed(state, [type(model).__qualname__, repr(model), to_dict() if callable(to_dict) else repr(config)])
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        _feed(state, [name, _brought(model, name) if tensor.is_meta else tensor])
    return state.hexdigest()


def _brought(model: nn.Module, name: str) -> Tensor:
    """A weight that accelerate keeps elsewhere and brings for its layer's turn."""
    from accelerate.utils import align_module_device

    parent, _, last = name.rpartition(".")
    module = model.get_submodule(parent)
    with align_module_device(module, torch.device("cpu")):
        found: Tensor = getattr(module, last).detach()
    return found
