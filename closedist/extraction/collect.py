"""Extraction: every batch through the model, what enters its head kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.batches import Batch, device_of, model_digest, read_batches
from closedist.extraction.binary import two_labels
from closedist.extraction.black_box import by_label, check_same_labels, labels_of
from closedist.extraction.blocks import FileBlocks, MemoryBlocks, Rest, file_blocks
from closedist.extraction.first_batch import checked
from closedist.extraction.forward import call, evaluating, head_input, output_tensors, unwrapped
from closedist.extraction.head import find_head
from closedist.extraction.input_digests import row_digests
from closedist.extraction.loaders import number_of_batches
from closedist.extraction.padding import masked_padding, naming_padding
from closedist.extraction.positions import Positions, check_finite, check_positions, rows_of
from closedist.representations import Chosen, Representations
from closedist.representations.names import Names, as_names
from closedist.system.progress import progress

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

log = logging.getLogger(__name__)


def extract(
    model: nn.Module,
    batches: Iterable[Any],
    head: nn.Module | str | None = None,
    file: str | Path | None = None,
    *,
    positions: Positions = "all",
    dtype: torch.dtype | None = None,
    scale: float | None = None,
    binary: bool = False,
    labels: Chosen | None = None,
    label_names: Names | None = None,
    groups: Names | None = None,
) -> Representations:
    """Representations of a model whose last layer is linear: f(x) is what enters it, g(y) its rows, b(y) its bias.

    On the first batch softmax(f·g + b) is compared with the model's own output, once as it is and once with embeddings
    scaled up until logits reach ±200, so that what bends only large logits shows too. The model runs in evaluation mode
    without gradients; its modes and hooks are afterwards what they were.

    Where sequences enter the head, (B, T, M), every position is an input; those with attention_mask 0 are not. In an
    encoder-decoder model these are positions of the decoder: those with decoder_attention_mask 0, or of a call with
    labels and nothing else for the decoder those with label −100, are not.

    Args:
        model: any module. Batches are moved to where its first parameter lies.
        batches: an iterable of tensors, of pairs (inputs, labels) of which the labels are not used, or of dictionaries
            of keyword arguments; a DataLoader too. Inputs must come in the same order for all models to be compared; a
            loader that shuffles is refused.
        head: the last layer or its dotted name. By default what the model's ``get_output_embeddings()`` or
            ``get_classifier()`` say, else the one Linear layer that produces the model's output.
        file: write the embeddings to this safetensors file as they come, and return them mapped from there. A run that
            was stopped goes on after its last whole batch, if the model and the batches up to there are the same.
        positions: of sequences "all", the "last", or every so many: s takes the real tokens 0, s, 2s, ….
        dtype: of the embeddings, float16, bfloat16, float32 or float64; by default what enters the head, at least
            float32 where it has to be scaled.
        scale: the factor between f·g + b and the model's logits; by default 1 or what the model's config names.
        binary: the head gives one logit z, as of a sigmoid classifier or a reward head. Its two labels have the logits
            [0, z]: the rows [0, g] and the biases [0, b]. The model's output may be z or sigmoid(z).
        labels: which labels to keep, by their numbers or a mask; by default all. Probabilities are then conditional on
            these; rows of the head that belong to no label, and may hold no numbers, can so be left out.
        label_names: (C,) names of the labels that are kept.
        groups: integers or strings, one an input or, of sequences, one a sequence, equal for those that are drawn
            together, such as the windows of a document: intervals leave out whole groups.

    Returns:
        (N, M) embeddings and (C, M) unembeddings; ``input_ids`` are the numbers (N,) of the inputs, or (N, 2) those of
        sequence and position among its real tokens.

    Raises:
        InputError: the head cannot be told, the model is not of this family (the message says what was found), a batch
            is of no known kind or gives numbers that are not finite, label_names are not C, or there are no inputs.

    Examples:
        >>> import torch, closedist
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 3), torch.nn.Tanh(), torch.nn.Linear(3, 5)).eval()
        >>> closedist.extract(model, [torch.randn(20, 8), torch.randn(7, 8)])
        Representations(27 inputs, 5 labels, dimension 3, bias, input_ids; float32)
    """
    check_positions(positions)
    if dtype is not None and dtype not in DTYPES:
        known = ", ".join(str(one) for one in DTYPES)
        raise InputError(f"dtype: {dtype!r}; one of {known} is needed")
    if scale is not None and not (np.isfinite(scale) and scale != 0):
        raise InputError(f"scale: {scale}; a finite number other than 0 is needed")
    model = unwrapped(model)
    device = device_of(model)
    with evaluating(model):
        stream = read_batches(batches, model)
        first = _first(stream)
        on_device = first.moved_to(device)
        found = find_head(model, head, on_device)

        def check(batch: Batch) -> tuple[Tensor, Tensor, Tensor | None, float]:
            return checked(model, found, batch, positions, scale, binary, labels)

        entering, unembeddings, bias, factor = naming_padding(check, model, on_device)
        kept = dtype or (entering.dtype if factor == 1.0 else torch.promote_types(entering.dtype, torch.float32))
        scaled = bias if bias is None or factor == 1.0 else bias.to(kept) * factor
        # whether all that is not embeddings fits together shows now and not when these are there
        sample = Representations(torch.ones(1, entering.shape[-1]), unembeddings, scaled, label_names=label_names)
        rest = Rest(unembeddings, scaled, sample.label_names, positions, _groups(groups))
        key = {
            "head": found.name,
            "positions": positions,
            "scale": factor,
            "dtype": str(kept),
            "dimension": entering.shape[-1],
        }
        with _blocks(model, file, key, kept, entering.shape[-1]) as blocks:
            with progress("extracting", number_of_batches(batches)) as advance:
                for number, batch in enumerate(chain([first], stream)):
                    digest = batch.digest() if file is not None else ""
                    if not blocks.holds(digest):
                        moved = batch.moved_to(device)
                        if batch is not first and positions == "last" and masked_padding(model, moved) is not None:
                            naming_padding(check, model, moved)  # the model may pick other positions
                        seen = entering if batch is first else head_input(model, found.module, moved)
                        rows, lengths = rows_of(seen, moved.mask, positions)
                        blocks.append(digest, _kept(rows, kept, factor, number), lengths, row_digests(batch, len(seen)))
                    advance(1)
            return blocks.finish(rest)


def _groups(groups: Names | None) -> NDArray[Any] | None:
    """One a thing, of which there are so many as are given."""
    if groups is None:
        return None
    count = len(groups) if isinstance(groups, Tensor | Mapping) else len(np.asarray(groups))
    return as_names(groups, "groups", count, "input")


def extract_logits(
    model: nn.Module, batches: Iterable[Any], *, positions: Positions = "all", binary: bool = False
) -> Representations:
    """The black-box member of any model whose output is logits, log-probabilities or probabilities of C labels.

    Which of these it is :meth:`Representations.from_logits` says of the outputs for all batches, so that how inputs are
    cut into batches changes nothing. Probabilities of each label by itself (sigmoid) are no distribution over labels,
    and nothing in them shows that: leave the sigmoid out.

    Args:
        model, batches, positions: as in :func:`extract`. Of several outputs the one called ``logits`` is taken, or the
            first. Labels lie along its last axis: (B, C), or (B, T, C) for sequences.
        binary: the output is one logit z an input, (B, 1), (B,) or (B, T, 1), and the two labels' logits are [0, z].

    Returns:
        What :meth:`Representations.from_logits` makes of the (N, C) output.

    Raises:
        InputError: as :meth:`Representations.from_logits` or :func:`extract`, labels do not lie along the last of two
            or three axes, are not the same in every batch, or all outputs lie between 0 and 1 where ``binary`` says
            that they are logits.

    Examples:
        >>> import torch, closedist
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 5)).eval()
        >>> closedist.extract_logits(model, [torch.randn(20, 8)]).num_labels
        5
    """
    check_positions(positions)
    model = unwrapped(model)
    device = device_of(model)
    blocks, labels = MemoryBlocks(), None

    def run(batch: Batch) -> Tensor:
        return by_label(output_tensors(call(model, batch)), binary)

    with evaluating(model):
        stream = read_batches(batches, model)
        with progress("extracting", number_of_batches(batches)) as advance:
            for number, batch in enumerate(chain([_first(stream)], stream)):
                moved = batch.moved_to(device)
                output = run(moved)
                if labels is None:
                    labels = labels_of(run, moved, output)
                else:
                    check_same_labels(labels, moved, output, number)
                rows, lengths = rows_of(output, moved.mask, positions)
                kept = rows.dtype if rows.dtype in DTYPES else torch.float32
                blocks.append("", _kept(rows, kept, 1.0, number), lengths, row_digests(batch, len(output)))
                advance(1)
    outputs, ids, digests = blocks.gathered(positions)
    return Representations.from_logits(two_labels(outputs) if binary else outputs, ids, input_digests=digests)


def _kept(rows: Tensor, dtype: torch.dtype, factor: float, number: int) -> Tensor:
    """A copy of a batch's rows, which may be the caller's own batch or a view of something larger, as it is stored.

    Raises:
        InputError: not all are finite, as they come or as they are stored.
    """
    own = rows.to(device="cpu", dtype=dtype, copy=True)
    if factor != 1.0:
        own *= factor
    if bool(torch.isfinite(own).all()):
        return own
    check_finite(rows, number)
    largest = float(rows.abs().amax()) * abs(factor)
    raise InputError(
        f"dtype: {dtype} cannot hold the embeddings of batch number {number}, up to {largest:.3g}; "
        "pass dtype=torch.float32"
    )


def _first(stream: Iterator[Batch]) -> Batch:
    first = next(stream, None)
    if first is None:
        raise InputError("batches: there are none; an iterator that was used up before? Pass a list or a DataLoader")
    return first


@contextmanager
def _blocks(
    model: nn.Module, file: str | Path | None, key: dict[str, Any], dtype: torch.dtype, dimension: int
) -> Iterator[MemoryBlocks | FileBlocks]:
    """Where the embeddings go. Only a file needs to know which model they are of."""
    if file is None:
        yield MemoryBlocks()
        return
    path = Path(file)
    key = {"model": model_digest(model), **key}
    with file_blocks(
        path, key, dtype, dimension, lambda: log.info("waiting for another process that writes %s", path)
    ) as blocks:
        if blocks.blocks:
            log.info("going on after %d batches in %s", len(blocks.blocks), blocks.partial)
        yield blocks
