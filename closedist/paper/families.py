"""The test representations of all seeds of a training in one file, which stands for the checkpoints in every measure."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.config import paper_dataset, paper_models, paper_training
from closedist.paper.runs import TrainingRun, training_runs
from closedist.representations import Representations
from closedist.system.files import parse_json, write_atomically

RECORD = "training"  # the metadata entry that says of which training a file's models are
TENSORS = ("embeddings", "unembeddings", "seeds")


def write_family(folder: Path, run: TrainingRun, models: Mapping[int, Representations]) -> Path:
    """Write the representations (N, M) and (C, M) of some seeds' models, stacked; returns the file.

    Raises:
        InputError: the folder cannot be written.
    """
    tensors = {
        "embeddings": torch.stack([model.embeddings for model in models.values()]).float(),
        "unembeddings": torch.stack([model.unembeddings for model in models.values()]).float(),
        "seeds": torch.tensor(list(models)),
    }
    path = folder / f"{run.name.date}_{run.name.family}.safetensors"
    write_atomically(path, save(tensors, metadata={RECORD: json.dumps(_record(run))}))
    return path


def family_files(run: TrainingRun, folder: Path, date: str = "*") -> list[Path]:
    """The files with representations of such a training, of a date or of any, the newest first.

    Files without a record, as they were first shipped, are the paper's configuration's.

    Raises:
        InputError: a file of such a name is damaged.
    """
    found = sorted(folder.glob(f"{date}_{run.name.family}.safetensors"), reverse=True)
    return [path for path in found if _read(path, with_tensors=False)[0] in (_record(run), _unrecorded(run))]


def read_seeds(path: Path) -> tuple[int, ...]:
    """The seeds whose models a file holds."""
    return tuple(_read(path, with_tensors=True)[1]["seeds"].tolist())


def read_family(path: Path) -> dict[int, Representations]:
    """The representations of every seed in a file.

    Raises:
        InputError: the file is missing, damaged, or its tensors do not belong together.
    """
    tensors = _read(path, with_tensors=True)[1]
    rows = zip(*(tensors[name] for name in TENSORS), strict=True)
    try:
        return {int(seed): Representations(embeddings, unembeddings) for embeddings, unembeddings, seed in rows}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _record(run: TrainingRun) -> dict[str, object]:
    return {"configuration": run.digest, "steps": run.training.train_steps}


def _unrecorded(run: TrainingRun) -> dict[str, object] | None:
    """What a file without a record says of its training, if that is this one: nothing; else None, which no file says."""
    of, count = run.name, run.name.num_classes
    members = {"num_features": (of.width,), "fix_length_gs": (of.fix_length_g,), "fix_length_fs": (of.fix_length_f,)}
    papers = next(training_runs(paper_dataset(count), paper_models(count, **members), paper_training(), of.date))
    return {} if _record(run) == _record(papers) else None


def _read(path: Path, *, with_tensors: bool) -> tuple[object, dict[str, Tensor]]:
    """The record of a file, {} where it has none, and its tensors."""
    remedy = "delete it, and export it again or take it from the repository"
    try:
        with safe_open(path, framework="pt") as file:
            record = (file.metadata() or {}).get(RECORD, "{}")
            tensors = {name: file.get_tensor(name) for name in TENSORS} if with_tensors else {}
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read the representations {path}: {brief(error)}; {remedy}") from error
    if with_tensors:
        embeddings, unembeddings, seeds = (tensors[name] for name in TENSORS)
        one_a_model = {tensor.shape[:1] for tensor in tensors.values()}
        if (embeddings.ndim, unembeddings.ndim, seeds.ndim) != (3, 3, 1) or len(one_a_model) > 1:
            raise InputError(f"{path} is not a file of the representations of several seeds: {remedy}")
        if seeds.dtype != torch.int64 or len(set(seeds.tolist())) < len(seeds):
            raise InputError(f"{path}: its seeds are not different whole numbers: {remedy}")
    return parse_json(record.encode(), str(path)), tensors
