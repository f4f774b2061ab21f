"""Can these models be compared at all? Sizes, identities and ranges, and errors that say what to do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack
from closedist.representations import MAX_BLACK_BOX_LABELS, Representations

LARGEST = 1e152  # log-odds, whose squares are still float64


def check_comparable(
    models: Sequence[Representations], names: Sequence[str], *, same_inputs: bool = Settings.same_inputs
) -> None:
    """Check that all models have the same inputs and the same labels in the same order.

    Args:
        models: to be compared.
        names: what errors call them.
        same_inputs: the inputs are the same, whatever their fingerprints say.

    Raises:
        InputError: they have not; the message names the models, the sizes or the first difference, and the remedy.
    """
    if len(models) < 2:
        raise InputError(f"models: {len(models)} of them; at least two are needed for a comparison")
    for model, name in zip(models, names, strict=True):
        if not isinstance(model, Representations):
            raise InputError(
                f"model {name}: {type(model).__name__}; closedist.Representations are needed, which closedist.extract "
                "(model, batches), closedist.from_sklearn and others make"
            )
    first, first_name = models[0], names[0]
    for model, name in zip(models[1:], names[1:], strict=True):
        if model.num_inputs != first.num_inputs:
            raise InputError(
                f"embeddings: model {name} has {model.num_inputs} inputs, model {first_name} has {first.num_inputs}; "
                "both must be evaluated on the same inputs in the same order. "
                f"{_common('inputs', first.input_ids, model.input_ids) or 'Give both input_ids to find the difference'}"
            )
        if model.num_labels != first.num_labels:
            raise InputError(_different_labels(first, first_name, model, name))
    for attribute, what in (("input_ids", "inputs"), ("label_names", "labels")):
        _check_same_names(models, names, attribute, what)
    if not same_inputs:
        _check_same_digests(models, names)


def only_logits(*models: Representations) -> bool:
    """Whether comparable models are known by their logits alone: one is a black box of too many labels for a table."""
    return any(model.black_box and model.num_labels > MAX_BLACK_BOX_LABELS for model in models)


def check_enough_inputs(model: Representations) -> None:
    """Check that there are the inputs that standard deviations need.

    Raises:
        InputError: fewer than two.
    """
    if model.num_inputs < 2:
        raise InputError(
            "embeddings: 1 input; standard deviations over inputs need at least two, and in practice hundreds"
        )


def check_enough_labels(model: Representations) -> None:
    """Check that there are the labels that d_LLV needs.

    Raises:
        InputError: two only.
    """
    if model.num_labels < 3:
        raise InputError(
            "unembeddings: 2 labels; d_LLV needs at least 3 (a pivot, one left out, one more). What two labels have, "
            "such as KL divergences, closedist.compare says"
        )


def _different_labels(first: Representations, first_name: str, other: Representations, other_name: str) -> str:
    """An error for different numbers of labels, which says whose vocabulary is padded where that is likely."""
    text = (
        f"unembeddings: model {other_name} has {other.num_labels} labels, model {first_name} has {first.num_labels}; "
        "both must have the same labels in the same order"
    )
    if common := _common("labels", first.label_names, other.label_names):
        text = f"{text}. {common}"
    small, large = sorted([first.num_labels, other.num_labels])
    if common or large - small > max(1, 0.02 * large):  # labels with names are no rows of padding
        return text
    padded = first_name if first.num_labels == large else other_name
    return (
        f"{text}. The vocabulary of model {padded} is probably padded by {large - small}: if the labels agree up to "
        f"there, cut its unembeddings (and bias) to the first {small} rows"
    )


def _check_same_names(models: Sequence[Representations], model_names: Sequence[str], attribute: str, what: str) -> None:
    """Compare all models that have such names with the first that has."""
    named = [
        (getattr(model, attribute), model_name)
        for model, model_name in zip(models, model_names, strict=True)
        if getattr(model, attribute) is not None
    ]
    for names, model_name in named[1:]:
        _check_equal_names(*named[0], names, model_name, attribute, what)


def _check_equal_names(
    names: NDArray[Any], model_name: str, other_names: NDArray[Any], other_name: str, attribute: str, what: str
) -> None:
    if np.array_equal(names, other_names):
        return
    if names.shape != other_names.shape or names.dtype.kind != other_names.dtype.kind:
        raise InputError(
            f"{attribute}: model {model_name} has {names.dtype} of shape {names.shape}, model {other_name} has "
            f"{other_names.dtype} of shape {other_names.shape}; name the {what} of both in the same way"
        )
    different = names != other_names
    where = int(np.flatnonzero(different.reshape(different.shape[0], -1).any(1))[0])
    here, there = names[where].tolist(), other_names[where].tolist()
    order = " (the same names in another order)" if np.array_equal(_sorted(names), _sorted(other_names)) else ""
    raise InputError(
        f"{attribute}: the first difference is at {where}: {here!r} in model {model_name}, {there!r} in model "
        f"{other_name}{order}; both models must have the same {what} in the same order. "
        f"{_common(what, names, other_names)}"
    )


def _check_same_digests(models: Sequence[Representations], names: Sequence[str]) -> None:
    """Compare what models were given, where no names of the user's own say what that was."""
    told = [
        (model.input_digests, name)
        for model, name in zip(models, names, strict=True)
        if model.input_digests is not None and _are_numbers(model.input_ids)
    ]
    for digests, name in told[1:]:
        first, first_name = told[0]
        different = np.flatnonzero(digests != first)
        if not len(different):
            continue
        order = " (the same inputs in another order)" if np.array_equal(np.sort(digests), np.sort(first)) else ""
        raise InputError(
            f"inputs: row {different[0]} of model {name} is another input than that of model {first_name}, as are "
            f"{len(different):,} of all {len(first):,} rows{order}; both must be evaluated on the same inputs in the "
            "same order. Where they are the same in another form (image size, normalisation, tokenizer), pass "
            "same_inputs=True to closedist.compare, or give both input_ids of your own"
        )


def _are_numbers(ids: NDArray[Any] | None) -> bool:
    """Whether ids say no more than where inputs are: their numbers, or those of sequence and position."""
    if ids is None:
        return True
    if ids.ndim == 1:
        return np.array_equal(ids, np.arange(len(ids)))
    return ids.shape[1] == 2 and ids.dtype.kind == "i" and ids[0, 0] == 0 and bool((np.diff(ids[:, 0]) >= 0).all())


def _common(what: str, names: NDArray[Any] | None, others: NDArray[Any] | None) -> str:
    """The remedy where models can be brought to what they have in common, by names that both have."""
    if names is None or others is None:
        return ""
    return f"closedist.align keeps the {what} that all models have (on the command line --align)"


def _sorted(names: NDArray[Any]) -> NDArray[Any]:
    """Names in ascending order; those of several columns stay together."""
    return np.sort(names) if names.ndim == 1 else names[np.lexsort(names.T)]


def check_varied(models: Stack, over_inputs: Tensor, over_labels: Tensor, names: Sequence[str]) -> None:
    """Check that every model's embeddings and unembeddings vary, and that squares of log-odds fit into float64.

    Args:
        models: n models.
        over_inputs, over_labels: (n, r, M) root factors of the embeddings, scaled, and of the unembeddings.
        names: what errors call the models.

    Raises:
        InputError: they do not; the message names the model.
    """
    smallest = 4 * torch.finfo(torch.float64).eps  # embeddings were scaled to a largest absolute value of 1/2 … 1
    spans = over_inputs.abs().amax((-1, -2)).tolist()
    label_spans = over_labels.abs().amax((-1, -2)).tolist()
    sizes = (models.labels.abs().amax(1) * over_inputs.norm(dim=1)).sum(-1).tolist()
    for name, span, label_span, size, bias in zip(
        names, spans, label_spans, sizes, models.bias.abs().amax(-1).tolist(), strict=True
    ):
        if span <= smallest:
            raise InputError(
                f"embeddings: model {name} gives all inputs the same embedding, so that nothing varies over inputs; "
                "check the extraction (a dead layer, or repeated inputs)"
            )
        if label_span == 0:
            raise InputError(
                f"unembeddings: model {name} has the same row for all labels, so that its log-odds vary nowhere; "
                "check that these are the rows of its last layer"
            )
        if size < 1 / LARGEST or max(size, bias) > LARGEST:
            raise InputError(
                f"embeddings and unembeddings: the log-odds of model {name} are of size {max(size, bias):.0e}, whose "
                f"squares do not fit into float64; scale the embeddings so that log-odds lie between {1 / LARGEST:.0e} "
                f"and {LARGEST:.0e}"
            )


def check_finite(*results: Tensor) -> None:
    """Check that no product overflowed on the way.

    Raises:
        InputError: one did.
    """
    if not all(bool(torch.isfinite(values).all()) for values in results):
        raise InputError(
            "embeddings and unembeddings: their products, the log-likelihoods, are too large for float64; divide the "
            "embeddings by a constant, or check how they were extracted"
        )
