"""Models that were extracted apart, brought to the same inputs and the same labels before they are compared."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError, brief
from closedist.extraction.files import read
from closedist.representations import Representations
from closedist.system.kinds import kind_of

log = logging.getLogger(__name__)

_SHOWN = 3  # differing labels that an error shows


def load_aligned(
    paths: Sequence[str | Path], names: Mapping[str, str] | None = None, say: Callable[[str], None] = log.info
) -> tuple[list[Representations], str]:
    """Open files of representations for one comparison.

    Args:
        paths: files that ``extract`` or ``Representations.save`` wrote, or of others, as ``read`` takes them.
        names: what these others call their arrays.
        say: is called with a line on what was read from each file of others.

    Returns:
        The representations over the labels that all have, and a note on labels that were left out, or "".

    Raises:
        InputError: a file cannot be read, two were extracted from different inputs, or have different labels.
    """
    inputs = {str(path): extraction_record(Path(path)).get("inputs") for path in paths}
    known = [(path, digest) for path, digest in inputs.items() if digest is not None]
    for path, digest in known[1:]:
        if digest != known[0][1]:
            raise InputError(
                f"{path} was extracted from other inputs than {known[0][0]}; extract both from the same inputs in the "
                "same order (texts: with the same tokenizer, context and max-tokens)"
            )
    models = []
    for place in paths:
        model, said = read(Path(place), names)
        models.append(model)
        if said:
            say(said)
    return over_same_labels(models, [Path(one).stem for one in paths])


def extraction_record(path: Path) -> dict[str, Any]:
    """What ``extract`` noted in the file: digests of the model and the inputs, and settings. Empty for other files.

    Raises:
        InputError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        if kind_of(path) != "safetensors":
            return {}
        with safe_open(str(path), framework="np") as file:
            record = json.loads((file.metadata() or {}).get("extraction", "{}"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InputError(f"{path} is not a whole safetensors file: {brief(error)}; write it again") from error
    except (ValueError, RecursionError):
        return {}  # a note that is not ours
    return record if isinstance(record, dict) else {}


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
    return [_first_labels(model, min(counts)) for model in models], note


def _first_labels(model: Representations, count: int) -> Representations:
    if model.num_labels == count:
        return model
    if model.black_box:
        raise InputError("label_names: a black box cannot be cut to fewer labels; cut its logits, then use from_logits")
    bias, names = model.bias, model.label_names
    return Representations(
        model.embeddings,
        model.unembeddings[:count],
        None if bias is None else bias[:count],
        model.input_ids,
        None if names is None else names[:count],
    )


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
