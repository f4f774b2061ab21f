"""Running a model so that nothing of it changes, and watching what enters its head."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.batches import Batch


class _HeadReached(BaseException):
    """Ends a forward pass whose result nobody needs. Not an Exception, so that no model's own code catches it."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside what ``torch.compile`` and the parallel wrappers put around it.

    Raises:
        InputError: not a module, or one without weights.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model: {type(model).__name__}; a torch.nn.Module is needed, and its batches after it")
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner: object = model.module
        else:
            inner = getattr(model, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            _check_weights(model)
            return model
        model = inner


def _check_weights(model: nn.Module) -> None:
    if any(hasattr(module, "_hf_hook") for module in model.modules()):
        return  # accelerate keeps the weights elsewhere and brings them for each layer's turn
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if tensor.is_meta:
            raise InputError(
                f"model: {name} is on the meta device and has no values; load the model's weights, on cpu or cuda"
            )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, no compiled code; each submodule's own mode is put back, whatever happens."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        _evaluate(model)
        with torch.no_grad(), _eagerly(model):
            yield
    finally:
        for module, training in modes:
            module.training = training


def _evaluate(module: nn.Module) -> None:
    """Evaluation mode, but for what ``torch.export`` made, which has its mode built in and refuses to be asked."""
    try:
        module.eval()
    except NotImplementedError:
        for child in module.children():
            _evaluate(child)


@contextmanager
def _eagerly(model: nn.Module) -> Iterator[None]:
    """Compiled code does not see new hooks."""
    if all(getattr(module, "_compiled_call_impl", None) is None for module in model.modules()):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def call(model: nn.Module, batch: Batch) -> Any:
    """The model's own output.

    Raises:
        InputError: it looked for what this batch does not have, as of a batch without its first axis, of a sequence
            longer than it takes or of a token that it does not know.
    """
    try:
        return model(*batch.args, **batch.kwargs)
    except IndexError as error:
        shapes = ", ".join(f"{tuple(one.shape)} ({name})" for name, one in batch.tensors().items())
        raise InputError(
            f"batches: the model fails on one of shape {shapes} ({error}); its first axis must count the inputs, no "
            "sequence may be longer and no token larger than the model knows"
        ) from error


def head_input(model: nn.Module, head: nn.Module, batch: Batch) -> Tensor:
    """What enters the head, (…, M), without running the head and what follows it."""
    seen: list[Tensor] = []

    def stop(entering: Tensor) -> Tensor:
        seen.append(entering.detach())
        raise _HeadReached

    with _before(head, stop):
        try:
            call(model, batch)
        except _HeadReached:
            return seen[0]
    raise InputError("head: this batch's forward pass did not use it, the first batch's did; pass batches of one kind")


def head_input_and_output(
    model: nn.Module, head: nn.Module, name: str, batch: Batch, factor: float = 1.0
) -> tuple[Tensor, Any]:
    """What enters the head, (…, M), and the model's own output, with the head's input multiplied by ``factor``.

    Raises:
        InputError: the forward pass runs the head never or more than once.
    """
    seen: list[Tensor] = []

    def record(entering: Tensor) -> Tensor:
        changed = entering if factor == 1.0 else entering * factor
        seen.append(changed.detach().clone())
        return changed

    with _before(head, record):
        output = call(model, batch)
    if len(seen) != 1:
        raise InputError(
            f"head: the forward pass ran {name} {len(seen)} times, once is needed; pass head= another module, or use "
            "closedist.extract_logits"
        )
    return seen[0], output


@contextmanager
def _before(head: nn.Module, change: Any) -> Iterator[None]:
    """Let ``change`` see, and replace, the tensor that enters the head; after all other hooks of the head."""

    def hook(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args and isinstance(args[0], Tensor):
            return (change(args[0]), *args[1:]), kwargs
        for name, value in kwargs.items():
            if isinstance(value, Tensor):
                return args, kwargs | {name: change(value)}
        raise InputError(f"head: {type(module).__name__} was called without a tensor; pass head= another module")

    handle = head.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def output_tensors(output: Any) -> list[Tensor]:
    """The floating-point tensors of a model's output that may be its logits: ``logits`` alone where one is named so.

    Raises:
        InputError: there are none.
    """
    named = _named(output)
    if isinstance(named.get("logits"), Tensor):
        values: list[Any] = [named["logits"]]
    elif isinstance(output, Tensor):
        values = [output]
    elif isinstance(output, (tuple, list)):
        values = list(output)
    else:
        values = list(named.values())
    tensors = [one for one in values if isinstance(one, Tensor) and one.is_floating_point() and one.ndim >= 1]
    if not tensors:
        inside = [] if isinstance(output, Tensor) else sorted({_kind(one) for one in values})
        found = f"{_kind(output)} of {', '.join(inside)}" if inside else _kind(output)
        raise InputError(
            f"model: its output could not be read ({found}); wrap the model to return its logits as a floating-point "
            "tensor"
        )
    return tensors


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    return type(value).__name__


def _named(output: Any) -> Mapping[Any, Any]:
    """The entries of a mapping, or of an object; the fields of a dataclass need not be in its ``__dict__``."""
    if isinstance(output, Mapping):
        return output
    if isinstance(output, Tensor):
        return {}
    if is_dataclass(output):
        return {field.name: getattr(output, field.name, None) for field in fields(output)}
    return getattr(output, "__dict__", {})
