"""State dicts of the second paper's code as representations, to compare its models with ours or with each other."""

import re
from itertools import pairwise
from pathlib import Path

import torch

from closedist.errors import InputError, brief
from closedist.paper.distillation.experiment import represent
from closedist.paper.distillation.networks import Architecture, StateDict
from closedist.paper.distillation.setups import SET_UPS
from closedist.paper.results.student_metrics import parse_name
from closedist.representations import Representations

HEADS = ("linear", "probe")


def published_representations(path: Path | str, data_folder: Path | str = "downloaded_data") -> Representations:
    """A published model's embeddings of its test inputs, and its unembeddings.

    Args:
        path: a ``.pt`` file under its published name, of an MLP: spirals and SUB, teachers and students.
        data_folder: where data files are, for data sets that have some.

    Raises:
        InputError: the name or the file is not one of the published code's, its network is no MLP, or the data are
            missing.
    """
    path = Path(path)
    name = parse_name(path.stem, published=True)
    rows = [row for row in SET_UPS.values() if (row.published, row.part) == (name.data, name.part)]
    if not rows or not isinstance(rows[0].teacher, Architecture):
        raise InputError(
            f"{path.name}: published models of {name.data} ({name.part}) are not read; spirals and SUB are"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make PyTorch's reader fail in any way
        raise InputError(f"{path} is not a state dict that PyTorch can read: {brief(error)}") from error
    architecture, weights = mlp_of(state, path.name)
    data = rows[0].load(Path(data_folder))
    if architecture.sizes[0] != data.test.shape[1]:
        raise InputError(
            f"{path.name} takes {architecture.sizes[0]} numbers an input, {name.data} has {data.test.shape[1]}"
        )
    return represent(architecture, weights, data.test)


def mlp_of(state: object, title: str) -> tuple[Architecture, StateDict]:
    """The layers of a state dict with the keys ``encoder.N.weight``, ``encoder.N.bias`` and ``linear.weight``.

    Raises:
        InputError: it has none, or they do not fit one another.
    """
    entries = state if isinstance(state, dict) else {}
    numbers = sorted(int(match[1]) for key in entries if (match := re.fullmatch(r"encoder\.(\d+)\.weight", str(key))))
    heads = {head: entries[f"{head}.weight"] for head in HEADS if f"{head}.weight" in entries}
    try:
        layers = [(entries[f"encoder.{number}.weight"], entries[f"encoder.{number}.bias"]) for number in numbers]
        sizes = (layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers))
        fit = all(weight.shape == (out, into) for (weight, _), (into, out) in zip(layers, pairwise(sizes), strict=True))
        fit &= all(bias.shape == weight.shape[:1] for weight, bias in layers)
        fit &= all(head.shape[1:] == sizes[-1:] for head in heads.values())
    except (IndexError, KeyError, AttributeError) as error:
        raise InputError(f"{title}: no encoder of linear layers with weights and biases") from error
    if not fit or "linear" not in heads:
        raise InputError(f"{title}: layers that do not follow one another, or no linear.weight of their embedding")
    architecture = Architecture(sizes, {head: len(weight) for head, weight in heads.items()})
    weights = {f"{head}.weight": weight for head, weight in heads.items()}
    for name, (weight, bias) in zip(architecture.layers, layers, strict=True):
        weights |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return architecture, weights
