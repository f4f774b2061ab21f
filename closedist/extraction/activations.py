"""Activations of any layers of any model, several in one pass; or no more of them than second moments."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.activation_files import layer_file
from closedist.extraction.batches import Batch, device_of, read_batches
from closedist.extraction.forward import evaluating, unwrapped
from closedist.extraction.loaders import number_of_batches
from closedist.extraction.padding import masked_padding
from closedist.extraction.pooling import Pool, check_pool, pooled
from closedist.extraction.watching import hidden_patterns, modules_of, watched
from closedist.measures.joint import Joint
from closedist.measures.joint_root import JointRoot
from closedist.system.progress import progress

Layers = Sequence[str] | str
_REPEATABLE = 1e-3  # of an output's size: what two passes of one batch may differ by, on a GPU too


@overload
def activations(
    model: nn.Module | Mapping[str, nn.Module],
    batches: Iterable[Any],
    layers: Layers = ...,
    *,
    pool: Pool = ...,
    file: str | Path | None = ...,
    moments_only: Literal[False] = ...,
) -> dict[str, Tensor]:
    """(N, M) activations by layer."""


@overload
def activations(
    model: nn.Module | Mapping[str, nn.Module],
    batches: Iterable[Any],
    layers: Layers = ...,
    *,
    pool: Pool = ...,
    file: None = ...,
    moments_only: Literal[True],
) -> Joint:
    """The joint root factor of all layers."""


def activations(
    model: nn.Module | Mapping[str, nn.Module],
    batches: Iterable[Any],
    layers: Layers = "all",
    *,
    pool: Pool = "mean",
    file: str | Path | None = None,
    moments_only: bool = False,
) -> dict[str, Tensor] | Joint:
    """Activations of several layers of a model, or of two models on the same batches, in one pass.

    The model runs in evaluation mode without gradients; its modes and hooks are afterwards what they were. Checked are
    the order of a loader, the same numbers from the same batch twice, padding that no mask tells of, and that all
    numbers are finite.

    Args:
        model: any module, or two by name, both run on each batch; then layers are called "a/encoder.0".
        batches: as :func:`closedist.extract` takes them: an iterable of tensors, of pairs (inputs, labels) or of
            dictionaries of keyword arguments.
        layers: "all", or names of modules, which may be patterns as in ["encoder.*"]: a module stands for its output,
            or for the first floating-point tensor in it. "hidden_states", or some of them as in "hidden_states.3", are
            those that a Hugging Face model gives, 0 being its embeddings. Of "all" what a module hands on as it got it
            is left out, and what has no row for each input.
        pool: of sequences (B, T, M) and of maps (B, C, H, W): the "mean" of an input's positions, its first ("cls") or
            "last" one, None for every position as an input, or a function of a layer's output that gives (B, M).
            Padding is no position. What has two axes is not pooled.
        file: write the layers to this safetensors file as they come, and return them mapped from there.
        moments_only: keep no activations but the joint root factor of all layers, (ΣM)² numbers for any number N of
            inputs, which :func:`closedist.layer_matrix` takes.

    Returns:
        A dictionary of (N, M) tensors by layer, in the order in which the model runs them; or the joint root.

    Raises:
        InputError: a pattern names no layer, layers have no rows to match, a batch is of no known kind or gives
            numbers that are not finite, or a check failed.

    Examples:
        >>> import torch, closedist
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
        >>> found = closedist.activations(model, [torch.randn(8, 3), torch.randn(4, 3)])
        >>> {name: tuple(rows.shape) for name, rows in found.items()}
        {'0': (12, 5), '1': (12, 5), '2': (12, 2)}
    """
    check_pool(pool)
    if moments_only and file is not None:
        raise InputError("file: with moments_only no activations are kept; leave one of the two out")
    sources = _sources(model, layers, pool)
    stream = _runs(sources, batches, None if moments_only else torch.device("cpu"))
    if moments_only:
        return _moments(sources, stream)
    if file is not None:
        with layer_file(Path(file)) as written:
            for found in stream:
                written.add(found)
            return written.finish()
    blocks: dict[str, list[Tensor]] = {}
    for found in stream:
        for name, rows in found.items():
            blocks.setdefault(name, []).append(rows)
    return {name: torch.cat(parts) for name, parts in blocks.items()}


class _Source:
    """A model, which layers of it are watched, and how their outputs become rows."""

    def __init__(self, name: str, model: nn.Module, layers: Layers, pool: Pool) -> None:
        self.prefix = f"{name}/" if name else ""
        self.model, self.pool, self.whole = unwrapped(model), pool, layers == "all"
        self.hidden = hidden_patterns(layers)
        self.modules = modules_of(self.model, layers)
        self.device = device_of(self.model)
        self.names: list[str] | None = None
        encoder = getattr(self.model, "get_encoder", None)
        of_config = getattr(getattr(self.model, "config", None), "is_encoder_decoder", False)
        parts = set(encoder().modules()) if of_config and callable(encoder) else set()
        self.encoding = {name for name, module in self.modules.items() if module in parts}

    def rows(self, batch: Batch, number: int, keep: Callable[[str, Tensor], Tensor]) -> dict[str, Tensor]:
        """The layers' rows of one batch, by name."""
        moved = batch.moved_to(self.device)
        size = next((len(one) for one in moved.tensors().values() if one.ndim), None)

        def take(name: str, output: Tensor) -> Tensor | None:
            if self.whole and self.names is not None and name not in self.names:
                return None
            plain = name.partition(":")[0]
            in_encoder = plain in self.encoding or name.startswith("hidden_states.encoder.")
            mask = moved.kwargs.get("attention_mask") if in_encoder else moved.mask
            try:
                if size is not None and len(output) != size and not callable(self.pool):
                    raise InputError(f"layers: {name} gives {tuple(output.shape)} of {size} inputs; name others")
                rows = pooled(output, mask, self.pool, name)
            except InputError:
                if self.whole and self.names is None and not callable(self.pool):
                    return None  # "all" means all that has a row for each input
                raise
            if not bool(torch.isfinite(rows).all()):
                raise InputError(
                    f"batches: number {number} makes layer {self.prefix}{name} give NaN or infinity; all numbers must "
                    "be finite (are its inputs? in half precision a layer may overflow: load the model in float32)"
                )
            return keep(name, rows)

        found = watched(self.model, moved, self.modules, self.hidden, take, once=self.whole)
        if self.names is None:
            self.names = list(found)
            if not found:
                raise InputError(
                    "layers: none of them gives a floating-point tensor with a row for each input"
                    if self.modules or self.hidden
                    else f"layers: {type(self.model).__name__} has no modules inside; pass nn.Sequential(model)"
                )
        absent = [name for name in self.names if name not in found]
        if absent or len(found) > len(self.names):
            other = absent[0] if absent else next(name for name in found if name not in self.names)
            raise InputError(
                f"layers: {other} is not run on every batch; pass batches of one kind, or name other layers"
            )
        return {f"{self.prefix}{name}": rows for name, rows in found.items()}

    def check(self, batch: Batch) -> None:
        """Run one batch twice, and see whether padding goes without a mask.

        Raises:
            InputError: the two differ, or it does.
        """
        moved = batch.moved_to(self.device)
        masked = masked_padding(self.model, moved) if self.pool in ("mean", "cls", "last", None) else None
        if masked is not None and masked.mask is not None:
            ends = torch.stack([masked.mask[:, 0], masked.mask[:, -1]]) == 0
            if bool((ends.any(1) & ~ends.all(1)).any()):  # some sequences end or begin with it and others do not
                raise InputError(
                    "batches: no attention_mask, but some input_ids end or begin with the pad token (pad_token_id of "
                    "the config); pass attention_mask, 0 where a token is padding, or all 1 where none is"
                )
        first, again = (self.rows(batch, 0, lambda _, rows: rows.float()) for _ in range(2))
        for name, rows in first.items():
            if not bool((rows - again[name]).norm() <= _REPEATABLE * rows.norm()):
                raise InputError(
                    f"model: layer {name} gives other numbers for the same batch a second time; is there dropout or "
                    "noise that evaluation mode does not end?"
                )


def _sources(model: nn.Module | Mapping[str, nn.Module], layers: Layers, pool: Pool) -> list[_Source]:
    if not isinstance(model, Mapping):
        return [_Source("", model, layers, pool)]
    if not 1 <= len(model) <= 2:
        raise InputError(f"model: {len(model)} models; one, or two by name, are compared at a time")
    names = sorted(f"{name}/" for name in model)
    if names[0] == "/" or (len(names) == 2 and names[1].startswith(names[0])):
        raise InputError(
            f"model: {' and '.join(repr(name) for name in model)}; layers would not tell which model's they are. Give "
            'names of which none begins with the other, such as "a" and "b"'
        )
    return [_Source(str(name), one, layers, pool) for name, one in model.items()]


def _runs(
    sources: Sequence[_Source], batches: Iterable[Any], place: torch.device | None
) -> Iterator[dict[str, Tensor]]:
    """Copies of the rows of every batch, layers of all models together, on a device or where they come."""

    def copied(_: str, rows: Tensor) -> Tensor:
        return rows.to(device=place, copy=True)  # later layers may change theirs in place

    stream = read_batches(batches, sources[0].model)
    first = next(stream, None)
    if first is None:
        raise InputError("batches: there are none; an iterator that was used up before? Pass a list or a DataLoader")
    for source in sources:
        with evaluating(source.model):
            source.check(first)
    with progress("reading layers", number_of_batches(batches)) as advance:
        for number, batch in enumerate(chain([first], stream)):
            found: dict[str, Tensor] = {}
            for source in sources:
                with evaluating(source.model):
                    found |= source.rows(batch, number, copied)
            yield found
            advance(1)


def _moments(sources: Sequence[_Source], stream: Iterable[dict[str, Tensor]]) -> Joint:
    root: JointRoot | None = None
    for found in stream:
        if root is None:
            own = sum(name.startswith(sources[0].prefix) for name in found)
            root = JointRoot(list(found), first=own if len(sources) == 2 else None)
        root.add(list(found.values()))
    assert root is not None, "there is a first batch"
    return root.joint()
