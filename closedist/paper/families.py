"""The test representations of all seeds of a training in one file, which stands for their checkpoints in measures."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from closedist.errors import InputError, brief
from closedist.paper.config import paper_dataset, paper_models, paper_training
from closedist.paper.runs import FamilyFile, TrainingRun, training_runs
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


def with_family(run: TrainingRun, folder: Path, date: str = "*") -> TrainingRun:
    """The run with the file that holds representations of such a training, of a date or of any, where there is one.

    It is the one with most of the run's seeds, of these the newest. Files without a record, as they were first
    shipped, are of the paper's configuration.

    Raises:
        InputError: a file of such a name is damaged.
    """
    records = (_record(run), {}) if _is_papers(run) else (_record(run),)
    found = []
    for path in sorted(folder.glob(f"{date}_{run.name.family}.safetensors"), reverse=True):
        record, tensors = _read(path)
        if record in records:
            found.append(FamilyFile(path.absolute(), tuple(tensors["seeds"].tolist())))
    wanted = set(run.models.random_seeds)
    return replace(run, family=max(found, key=lambda file: len(wanted & set(file.seeds)), default=None))


def read_family(path: Path) -> dict[int, Representations]:
    """The representations of every seed in a file.

    Raises:
        InputError: the file is missing, damaged, or its tensors do not belong together.
    """
    rows = zip(*_read(path)[1].values(), strict=True)
    try:
        return {int(seed): Representations(embeddings, unembeddings) for embeddings, unembeddings, seed in rows}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _record(run: TrainingRun) -> dict[str, object]:
    return {"configuration": run.digest, "steps": run.training.train_steps}


def _is_papers(run: TrainingRun) -> bool:
    of, count = run.name, run.name.num_classes
    members = {"num_features": (of.width,), "fix_length_gs": (of.fix_length_g,), "fix_length_fs": (of.fix_length_f,)}
    papers = next(training_runs(paper_dataset(count), paper_models(count, **members), paper_training(), of.date))
    return _record(run) == _record(papers)


def _read(path: Path) -> tuple[object, dict[str, Tensor]]:
    """The record of a file, {} where it has none, and its tensors."""
    remedy = "delete it, and export it again or take it from the repository"
    try:
        with safe_open(path, framework="pt") as file:
            record = (file.metadata() or {}).get(RECORD, "{}")
            tensors = {name: file.get_tensor(name) for name in TENSORS}
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot read the representations {path}: {brief(error)}; {remedy}") from error
    embeddings, unembeddings, seeds = tensors.values()
    one_a_model = {tensor.shape[:1] for tensor in tensors.values()}
    if (embeddings.ndim, unembeddings.ndim, seeds.ndim) != (3, 3, 1) or len(one_a_model) > 1:
        raise InputError(f"{path} is not a file of the representations of several seeds: {remedy}")
    if seeds.dtype != torch.int64 or len(set(seeds.tolist())) < len(seeds):
        raise InputError(f"{path}: its seeds are not different whole numbers: {remedy}")
    return parse_json(record.encode(), str(path)), tensors
