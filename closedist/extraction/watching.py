"""Which layers of a model are watched, and what they put out in a forward pass."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.batches import Batch
from closedist.extraction.forward import call

HIDDEN = "hidden_states"
_SHOWN = 8


def modules_of(model: nn.Module, layers: Sequence[str] | str) -> dict[str, nn.Module]:
    """The modules that are watched, by name: all of them, or those that the patterns name.

    Raises:
        InputError: a pattern names none.
    """
    named = {name: module for name, module in model.named_modules() if name}
    if layers == "all":
        return named
    chosen: dict[str, nn.Module] = {}
    for pattern in patterns_of(layers):
        if pattern.startswith(HIDDEN):
            continue
        found = {name: module for name, module in named.items() if fnmatchcase(name, pattern)}
        if not found:
            some = ", ".join(list(named)[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")
            raise InputError(f"layers: {pattern!r} names no module of the model; it has {some or 'none'}")
        chosen |= found
    return {name: module for name, module in named.items() if name in chosen}


def patterns_of(layers: Sequence[str] | str) -> list[str]:
    """The patterns, of which a single one may be given by itself.

    Raises:
        InputError: there are none.
    """
    patterns = [layers] if isinstance(layers, str) else list(layers) if isinstance(layers, Iterable) else []
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise InputError('layers: none; "all", or names of modules such as "encoder.*" are needed')
    return patterns


def hidden_patterns(layers: Sequence[str] | str) -> list[str]:
    """Those patterns that name hidden states of a Hugging Face model, "hidden_states" being all of them."""
    return [f"{HIDDEN}.*" if one == HIDDEN else one for one in patterns_of(layers) if one.startswith(HIDDEN)]


def watched(
    model: nn.Module,
    batch: Batch,
    modules: dict[str, nn.Module],
    hidden: Sequence[str],
    take: Callable[[str, Tensor], Tensor | None],
    *,
    once: bool,
) -> dict[str, Tensor]:
    """One forward pass, and what ``take`` makes of every watched output as it comes, in the order in which they come.

    Args:
        model, batch: what is run.
        modules: by name; one that runs more than once has ":2", ":3", … after its name.
        hidden: patterns of hidden states, "hidden_states.0" being the embeddings.
        take: of a name and an output what is kept, or None to leave it out.
        once: leave out what a module hands on as it got it from one that was seen before.

    Raises:
        InputError: the model has no hidden states, or none by these names.
    """
    kept: dict[str, Tensor] = {}
    seen: list[tuple[weakref.ref[Tensor], int]] = []

    def see(name: str, output: Any) -> None:
        tensor = tensor_in(output)
        if tensor is None:
            return
        if once and any(known() is tensor and version == tensor._version for known, version in seen):
            return
        seen.append((weakref.ref(tensor), tensor._version))
        own = name if name not in kept else next(n for i in count(2) if (n := f"{name}:{i}") not in kept)
        made = take(own, _inputs_first(modules[name], tensor.detach()))
        if made is not None:
            kept[own] = made

    run = Batch(batch.args, batch.kwargs | ({"output_hidden_states": True} if hidden else {}), batch.mask)
    with _hooked(modules, see):
        try:
            output = call(model, run)
        except TypeError as error:
            if hidden and "output_hidden_states" in str(error):
                raise InputError(
                    f'layers: "{HIDDEN}" are those of a Hugging Face model, and {type(model).__name__} is none; name '
                    "modules of the model"
                ) from error
            raise
    for pattern in hidden:
        states = _hidden_states(output, model)
        found = [name for name in states if fnmatchcase(name, pattern)]
        if not found:
            raise InputError(f"layers: {pattern!r} is none of {HIDDEN}.0 … {HIDDEN}.{len(states) - 1}")
        for name in found:
            if name not in kept and (made := take(name, states[name].detach())) is not None:
                kept[name] = made
    return kept


def _hidden_states(output: Any, model: nn.Module) -> dict[str, Tensor]:
    states = getattr(output, HIDDEN, None)
    if states is None:
        encoder, decoder = (getattr(output, f"{side}_{HIDDEN}", None) for side in ("encoder", "decoder"))
        if encoder is None or decoder is None:
            raise InputError(f"layers: {type(model).__name__} gives no {HIDDEN}; name modules of the model")
        named = {f"{HIDDEN}.encoder.{index}": state for index, state in enumerate(encoder)}
        return named | {f"{HIDDEN}.decoder.{index}": state for index, state in enumerate(decoder)}
    return {f"{HIDDEN}.{index}": state for index, state in enumerate(states)}


def tensor_in(output: Any) -> Tensor | None:
    """A module's output where it is a floating-point tensor, or the first one in it, however deep."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() and output.ndim > 0 else None
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, (tuple, list)) else ()
    return next((one for part in parts if (one := tensor_in(part)) is not None), None)


def _inputs_first(module: nn.Module, output: Tensor) -> Tensor:
    """The output of a module with an axis of inputs, which those with ``batch_first=False`` have second."""
    second = isinstance(module, (nn.RNNBase, nn.MultiheadAttention)) and not module.batch_first and output.ndim == 3
    return output.transpose(0, 1) if second else output


@contextmanager
def _hooked(modules: dict[str, nn.Module], see: Callable[[str, Any], None]) -> Iterator[None]:
    handles = [
        module.register_forward_hook(lambda _module, _args, output, own=name: see(own, output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
