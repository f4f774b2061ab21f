"""Finding a model's head, the last linear layer, and reading its rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as _Convolution

from closedist.errors import InputError, brief
from closedist.extraction.batches import Batch
from closedist.extraction.forward import call, output_tensors

_PROBE_ROWS = 256  # columns of an unreadable weight that are probed at once
_NEARLY = 0.1  # of the values of a linear head that rounds what enters it to a few bits
_SHOWN = 12
Noted = TypeVar("Noted")


@dataclass(frozen=True)
class Head:
    """A module of the model and its dotted name."""

    name: str
    module: nn.Module


def find_head(model: nn.Module, head: nn.Module | str | None, batch: Batch) -> Head:
    """The module that maps embeddings to logits.

    Args:
        model: in evaluation mode.
        head: the module or its dotted name; None looks for it: what ``get_output_embeddings()`` or ``get_classifier()``
            name, or the Linear layer within that, else the one Linear layer whose output is the model's.
        batch: a batch to run where that takes a forward pass.

    Raises:
        InputError: it is not a part of the model, is a convolution, or cannot be told; the message lists candidates.
    """
    found = _found(model, head, batch)
    if isinstance(found.module, _Convolution):
        raise InputError(
            f"head: {found.name} is a {type(found.module).__name__}, not Linear: its labels are not the last "
            "dimension. Put a Linear layer with the same weights after movedim(1, -1), where its kernel is 1. Or use "
            "closedist.extract_logits, and if the model does not return (inputs, labels) wrap it to return "
            "output.movedim(1, -1).flatten(1, -2)"
        )
    return found


def _found(model: nn.Module, head: nn.Module | str | None, batch: Batch) -> Head:
    names = {module: name for name, module in model.named_modules()}
    if isinstance(head, str):
        try:
            return Head(head, model.get_submodule(head))
        except AttributeError:
            raise InputError(f"head: the model has no module {head!r}; {_candidates(model)}") from None
    if isinstance(head, nn.Module):
        if head not in names:
            raise InputError(f"head: this {type(head).__name__} is not a module of the model; {_candidates(model)}")
        return Head(names[head], head)
    if head is not None:
        raise InputError(f"head: {type(head).__name__}; a module of the model or its dotted name is needed")
    for method in ("get_output_embeddings", "get_classifier"):
        getter = getattr(model, method, None)
        named = getter() if callable(getter) else None
        if isinstance(named, nn.Module) and named in names and not isinstance(named, nn.Identity):
            found = _inside(model, named, batch)
            if found is not None:
                return Head(names[found], found)
    return _search(model, names, batch)


def _inside(model: nn.Module, named: nn.Module, batch: Batch) -> nn.Module | None:
    """The layer that a model calls its head; of a container the Linear layer whose output is the container's.

    Returns:
        The container itself where no layer is that, as of one with adapters, and None where it is never run.
    """
    linear: list[nn.Module] = [module for module in named.modules() if isinstance(module, nn.Linear)]
    if named in linear:
        return named
    with _recording([named, *linear], lambda output: output.detach().clone()) as outputs:
        call(model, batch)
    if named not in outputs:
        return None
    same = [one for one in linear if one in outputs and _same(outputs[one], outputs[named], 1e-5, 1e-6)]
    return same[0] if len(same) == 1 else named


def _search(model: nn.Module, names: dict[nn.Module, str], batch: Batch) -> Head:
    """The one Linear layer that produces the model's output, up to what follows it element by element."""
    linear: list[nn.Module] = [module for module in model.modules() if isinstance(module, nn.Linear)]
    with _recording(linear, lambda output: output.shape) as shapes:
        targets = [target.shape for target in output_tensors(call(model, batch))]
    possible = [module for module in linear if shapes.get(module) in targets]
    if not possible:  # one number an input, whose axis of length 1 the model drops
        possible = [module for module in linear if shapes.get(module) in [(*shape, 1) for shape in targets]]
    if not possible:  # a model that picks one position of a sequence after the head
        ends = {(shape[0], shape[-1]) for shape in targets}
        possible = [module for module, shape in shapes.items() if (shape[0], shape[-1]) in ends]
    if len(possible) > 1:  # layers as wide as the output: the one with its values
        with _recording(possible, lambda output: output.detach().clone()) as outputs:
            own = output_tensors(call(model, batch))
        possible = [module for module in possible if any(_same(outputs[module], target) for target in own)]
        found = f"{len(possible)} of several Linear layers as wide as the model's output have its values"
    else:
        found = "no Linear layer has the shape of the model's output"
    if len(possible) != 1:
        raise InputError(f"head: {found}, so it cannot be found by itself; {_candidates(model)}")
    return Head(names[possible[0]], possible[0])


def _same(output: Tensor, target: Tensor, relative: float = 1e-2, absolute: float = 1e-3) -> bool:
    """Whether a layer's output is the model's, or that before a softmax or, of one logit an input, a sigmoid."""
    if output.numel() != target.numel() or output.shape[: target.ndim] != target.shape:
        return False
    ours, theirs = output.double(), target.double().reshape(output.shape)
    if ours.shape[-1] == 1:
        possible = [(ours, theirs), (ours.sigmoid(), theirs)]
    else:
        possible = [(ours.log_softmax(-1), one) for one in (theirs.log_softmax(-1), theirs.log())]
    return any(torch.allclose(one, other, relative, absolute) for one, other in possible)


@contextmanager
def _recording(modules: list[nn.Module], note: Callable[[Tensor], Noted]) -> Iterator[dict[nn.Module, Noted]]:
    """Collect ``note`` of every module's output while the block runs."""
    noted: dict[nn.Module, Noted] = {}

    def hook(module: nn.Module, args: object, output: object) -> None:
        if isinstance(output, Tensor):
            noted[module] = note(output)

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


def _candidates(model: nn.Module) -> str:
    linear = [
        f"{name} ({module.in_features} → {module.out_features})"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    if not linear:
        modules = ((name, type(module)) for name, module in model.named_modules())
        kin = [(name, kind) for name, kind in modules if kind.__name__.endswith("Linear")]
        if kin:
            name, kind = kin[-1]
            return (
                f"its layer {name} is a {kind.__module__}.{kind.__qualname__}, which rounds what enters it if it is "
                "quantised; use closedist.extract_logits"
            )
        return "it has no Linear layers; pass head= the dotted name of its last layer, or use closedist.extract_logits"
    left_out = "… " if len(linear) > _SHOWN else ""
    shown = left_out + ", ".join(linear[-_SHOWN:])
    return f"pass head= one of its Linear layers, {shown}, or use closedist.extract_logits"


def read_rows(head: Head, entering: Tensor) -> tuple[Tensor, Tensor | None]:
    """Unembeddings (C, M), the head's rows, and its bias (C,) or None, on the CPU.

    They are read off a Linear layer. Any other module, such as one with adapters or packed integers, is asked for its
    values at 0 and along every axis, which are the rows of whatever affine map it is.

    Args:
        head: the head.
        entering: (n, M) what entered it, for the kind and size of the numbers.

    Raises:
        InputError: the module does not map (n, M) to (n, C), or not linearly.
    """
    module, dimension = head.module, entering.shape[-1]
    if isinstance(module, nn.Linear) and _is_plain(module):
        return _copy(module.weight), None if module.bias is None else _copy(module.bias)
    step = float(2.0 ** entering.abs().amax().double().clamp(min=2.0**-20).log2().round())
    axes = torch.eye(dimension, dtype=entering.dtype, device=entering.device) * step
    try:
        at_zero = module(torch.zeros_like(axes[:1]))
    except Exception as error:  # whatever a module of the user's says of an input it was not made for
        raise InputError(
            f"head: {head.name}, a {type(module).__name__}, is not Linear and does not take (n, {dimension}): "
            f"{brief(error)}; pass head= another, or use closedist.extract_logits"
        ) from error
    if not isinstance(at_zero, Tensor) or at_zero.ndim != 2:
        raise InputError(
            f"head: {head.name}, a {type(module).__name__}, does not turn (n, {dimension}) into (n, C); "
            "pass head= another"
        )
    wide = torch.promote_types(at_zero.dtype, torch.float32)
    columns = [
        ((module(axes[start : start + _PROBE_ROWS]).to(wide) - at_zero.to(wide)) / step).cpu()
        for start in range(0, dimension, _PROBE_ROWS)
    ]
    rows, bias = torch.cat(columns).T.contiguous(), at_zero[0].to(wide).cpu()
    _check_linear(head, entering[:_PROBE_ROWS], rows, bias)
    return rows, _copy(bias) if bool(bias.any()) else None


def _check_linear(head: Head, entering: Tensor, rows: Tensor, bias: Tensor) -> None:
    """Refuse what is far from the map that its values along the axes say; the self-check sees what is not so far."""
    own = head.module(entering).cpu().to(bias.dtype) - bias
    off = own - entering.cpu().to(bias.dtype) @ rows.T
    if float(off.norm()) > _NEARLY * float(own.norm()):
        raise InputError(
            f"head: {head.name}, a {type(head.module).__name__}, is not linear in what enters it; pass head= the "
            "Linear layer at its end, or use closedist.extract_logits"
        )


def _is_plain(module: nn.Linear) -> bool:
    """The weight is an ordinary tensor that really is what the layer multiplies by."""
    weight = module.weight
    return (
        type(module).forward is nn.Linear.forward
        and type(weight) in (Tensor, nn.Parameter)
        and weight.is_floating_point()
        and not weight.is_meta
    )


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone()
