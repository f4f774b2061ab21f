"""Models brought to the same labels and inputs: by their names, or by cutting what a vocabulary is padded with."""

import logging
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.representations import Representations
from closedist.representations.names import model_names

_SHOWN = 3  # labels that a message shows

log = logging.getLogger(__name__)


def align(models: Sequence[Representations], names: Sequence[str] | None = None) -> list[Representations]:
    """Models over the labels and the inputs that all of them have, in the order of the first.

    Labels are matched by ``label_names``, inputs by ``input_ids``; where no model has these, they must be the same
    already. Softmax over some of the labels is conditional on them: p(y|x, y is one of those that are kept). What is
    left out is logged.

    Args:
        models: of any numbers of inputs and labels.
        names: what messages call the models; by default p and q, or their numbers.

    Returns:
        As many Representations, for :func:`closedist.compare` or :func:`closedist.compare_all`.

    Raises:
        InputError: two labels or inputs of a model have one name, only some models have names, or none is common.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> p = closedist.Representations.from_logits(rng.normal(size=(9, 3)), label_names=["de", "en", "fr"])
        >>> q = closedist.Representations.from_logits(rng.normal(size=(9, 4)), label_names=["en", "de", "da", "it"])
        >>> [model.label_names.tolist() for model in closedist.align([p, q])]
        [['de', 'en'], ['de', 'en']]
    """
    if isinstance(models, Representations):
        raise InputError("models: one model, where a list of them belongs, as in closedist.align([p, q])")
    aligned, note = aligned_with_note(models, model_names(len(models)) if names is None else names)
    if note:
        log.warning(note)
    return aligned


def aligned_with_note(models: Sequence[Representations], names: Sequence[str]) -> tuple[list[Representations], str]:
    """What :func:`align` returns, and a note on what was left out, or ""."""
    label_counts, input_counts = ([getattr(m, count) for m in models] for count in ("num_labels", "num_inputs"))
    labels, of_labels = _common([m.label_names for m in models], label_counts, names, "label_names", "labels")
    inputs, of_inputs = _common([m.input_ids for m in models], input_counts, names, "input_ids", "inputs")
    conditional = f"{of_labels}; probabilities are conditional on the common ones" if of_labels else ""
    note = ". ".join(part for part in (conditional, of_inputs) if part)
    return [model.at(inputs=i, labels=j) for model, i, j in zip(models, inputs, labels, strict=True)], note


def _common(
    named: Sequence[NDArray[Any] | None], counts: Sequence[int], models: Sequence[str], argument: str, what: str
) -> tuple[Sequence[list[int] | None], str]:
    """Where each model has the names that all have, and a note on the others. None is everything."""
    known = [(model, names) for model, names in zip(models, named, strict=True) if names is not None]
    equally_many = len(known) == len(models) or len(set(counts)) == 1
    if equally_many and all(np.array_equal(known[0][1], names) for _, names in known):
        return [None] * len(models), ""
    if len(known) < len(models):
        nameless = next(model for model, names in zip(models, named, strict=True) if names is None)
        raise InputError(
            f"{argument}: model {nameless} has none, and {what} are matched by name; give all models theirs"
        )
    places = [_places(names, model, argument, what) for model, names in known]
    shared = [name for name in places[0] if all(name in place for place in places)]
    if not shared:
        shown = "; ".join(f"{_some(list(place))} in {model}" for model, place in zip(models, places, strict=True))
        raise InputError(
            f"{argument}: no name is common to all models: {shown}. Name the {what} of all in the same way"
        )
    if len(shared) == 1 and what == "labels":
        raise InputError(
            f"{argument}: only {shared[0]!r} is common to all models, and the probability of a single label is 1; name "
            "the labels of all in the same way"
        )
    kept = set(shared)
    left_out = [
        f"{len(place) - len(shared):,} of {model} ({_some([name for name in place if name not in kept])})"
        for model, place in zip(models, places, strict=True)
        if len(place) > len(shared)
    ]
    note = f"{len(shared):,} {what} are common to all models; left out are {', '.join(left_out)}" if left_out else ""
    return [[place[name] for name in shared] for place in places], note


def _places(names: NDArray[Any], model: str, argument: str, what: str) -> dict[Hashable, int]:
    """Where each name is."""
    keys = [tuple(row) for row in names.tolist()] if names.ndim > 1 else names.tolist()
    places = {key: index for index, key in enumerate(keys)}
    if len(places) < len(keys):
        twice = next(key for index, key in enumerate(keys) if places[key] != index)
        raise InputError(f"{argument}: two {what} of model {model} are called {twice!r}; give each a name of its own")
    return places


def _some(names: Sequence[Hashable]) -> str:
    shown = [repr(name) for name in names[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")


def over_same_labels(models: Sequence[Representations], names: Sequence[str]) -> tuple[list[Representations], str]:
    """Cut vocabularies that are padded beyond the shortest one's end, so that all models have the same labels.

    Probabilities are then conditional on the shared labels.

    Args:
        models: of which those to be cut must all have label names.
        names: what to call them.

    Returns:
        The models with the labels that all have, and a note on what was left out, or "".

    Raises:
        InputError: the names differ before the shortest vocabulary's end; the message shows where.
    """
    counts = [model.num_labels for model in models]
    if any(model.label_names is None for model in models):
        return list(models), ""  # whether these are the same labels cannot be told from names
    shortest = counts.index(min(counts))
    for model, name in zip(models, names, strict=True):
        _check_beginning(models[shortest].label_names, names[shortest], model.label_names, name)
    longer = {name: count - min(counts) for name, count in zip(names, counts, strict=True) if count > min(counts)}
    if not longer:
        return list(models), ""
    extra = ", ".join(f"{count:,} of {name}" for name, count in longer.items())
    note = f"compared over the {min(counts):,} labels that all have; the labels beyond them, {extra}, are left out"
    return [model.at(labels=slice(min(counts))) for model in models], note


def _check_beginning(labels: NDArray[Any] | None, name: str, others: NDArray[Any] | None, other_name: str) -> None:
    if labels is None or others is None:
        return
    others = others[: len(labels)]
    if labels.dtype.kind == others.dtype.kind and np.array_equal(labels, others):
        return
    different = [i for i in range(len(labels)) if labels[i] != others[i]]
    shown = "; ".join(
        f"{i} is {labels[i].tolist()!r} in {name}, {others[i].tolist()!r} in {other_name}" for i in different[:_SHOWN]
    )
    more = f" and {len(different) - _SHOWN:,} more" if len(different) > _SHOWN else ""
    raise InputError(
        f"label_names: {name} and {other_name} have different vocabularies: label {shown}{more}; models can be "
        "compared only over the same labels"
    )
