"""From checkpoints and metrics on disk to representations, accuracies and losses."""

import logging
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.paper.checkpoint import read_weights
from closedist.paper.families import read_family, with_family, write_family
from closedist.paper.folders import Folders
from closedist.paper.models.classifier import Classifier
from closedist.paper.models.inputs import as_network_input
from closedist.paper.registry import data_set, load_split
from closedist.paper.results.tables import LossRow, MCCARow
from closedist.paper.run_name import RunName
from closedist.paper.runs import TrainingRun
from closedist.representations import Representations
from closedist.system.files import read_json

log = logging.getLogger(__name__)

BATCH = 2000  # inputs embedded at once: a fixed number, so that results do not depend on memory


def trained_model(run: TrainingRun, seed: int, checkpoints: Path, device: torch.device) -> Classifier:
    """The trained member with this seed, in evaluation mode.

    Raises:
        InputError: its checkpoint is missing, broken or another model's.
    """
    model = run.untrained(seed)
    model.load_state_dict(read_weights(checkpoints / run.name.trained(seed), model.state_dict()))
    return model.to(device).eval()


@torch.inference_mode()
def represent(model: Classifier, inputs: Tensor, label_names: Sequence[str] | None = None) -> Representations:
    """Embeddings of ``inputs``, points or images as bytes, and unembeddings of all labels, on the CPU."""
    device = model.label_vectors.device
    blocks = [model.embed(as_network_input(block.to(device))).cpu() for block in torch.split(inputs, BATCH)]
    # clones: what inference mode made cannot be used outside of it
    return Representations(torch.cat(blocks).clone(), model.unembed().cpu().clone(), label_names=label_names)


def family_representations(
    run: TrainingRun, split: str, folders: Folders, device: torch.device
) -> list[Representations]:
    """The representations of all seeds of a run on a split, in the configuration's order.

    A seed's test representations are read where they lie, of an image model from beside its checkpoint, so that neither
    images nor checkpoint are needed, else from the run's file of them where the checkpoint is not there.

    Raises:
        InputError: a file that is needed is missing or broken.
    """
    saved = _saved_representations(run, folders.checkpoints) if split == "test" else {}
    seeds = run.models.random_seeds
    inputs = None if set(seeds) <= set(saved) else load_split(run.dataset, split, folders.data)[0]
    label_names = data_set(run.name.dataset).label_names

    def of(seed: int) -> Representations:
        if inputs is None or seed in saved:
            return saved[seed]
        return represent(trained_model(run, seed, folders.checkpoints, device), inputs, label_names)

    return [of(seed) for seed in seeds]


def _saved_representations(run: TrainingRun, checkpoints: Path) -> dict[int, Representations]:
    """What is read, by seed, and not computed from a checkpoint."""
    if run.on_images:
        paths = [(seed, checkpoints / run.name.representations(seed)) for seed in run.models.random_seeds]
        return {seed: Representations.load(path) for seed, path in paths if path.exists()}
    missing = run.missing(checkpoints)
    return {s: model for s, model in read_family(run.family.path).items() if s in missing} if run.family else {}


def export_families(runs: Sequence[TrainingRun], folders: Folders, device: torch.device) -> Iterator[Path]:
    """Write the test representations of every run whose models are all there; yields each file when it is written.

    Where there is a file with these seeds, of whatever date, it stays the only one.

    Raises:
        InputError: a checkpoint or a file of representations is broken, or the folder cannot be written.
    """
    for run in runs:
        seeds = run.models.random_seeds
        known = with_family(run, folders.representations).family
        if not (known and set(seeds) <= set(known.seeds)) and not run.missing(folders.checkpoints):
            models = family_representations(run, "test", folders, device)
            yield write_family(folders.representations, run, dict(zip(seeds, models, strict=True)))


def accuracy(representations: Representations, labels: Tensor) -> float:
    """The share of inputs whose most likely label is the right one."""
    logits = representations.embeddings.double() @ representations.unembeddings.double().T
    return int((logits.argmax(1) == labels).sum()) / len(labels)


def runs_with_models(runs: Sequence[TrainingRun], split: str, checkpoints: Path) -> list[TrainingRun]:
    """Those of ``runs`` that have models to be measured on a split, of which then none may be missing.

    Raises:
        InputError: there are none for any of the runs, or one of a run's seeds is missing.
    """
    found = []
    for run in runs:
        missing = run.unavailable(checkpoints, split)
        if len(missing) == len(run.models.random_seeds):
            continue
        if missing:
            raise InputError(
                f"checkpoint {checkpoints / run.name.trained(missing[0])} is missing ({len(missing)} of "
                f"{len(run.models.random_seeds)} seeds are): train it, or pass a model variations config with the "
                "seeds that there are"
            )
        found.append(run)
    if not found:
        first = runs[0].name
        there, options = _alike(checkpoints, first)
        raise InputError(
            f"no trained checkpoints of date {first.date or '(none)'} like "
            f"{first.trained(runs[0].models.random_seeds[0])} in {checkpoints} ({there}): give another {options}, "
            "another --checkpoint-folder, or run train-variations"
        )
    return found


class NoModelsError(InputError):
    """There are no models of this family, or too few."""


def with_available_seeds(run: TrainingRun, split: str, checkpoints: Path) -> TrainingRun:
    """The run cut to the seeds that can be measured on a split, of its date or, where it has none, of the newest date
    with any.

    Raises:
        NoModelsError: there are fewer than two such seeds.
    """
    dates = [run.name.date] if run.name.date else sorted(_dates(checkpoints), reverse=True)
    for date in dates:
        dated = replace(run, name=replace(run.name, date=date))
        unavailable = set(dated.unavailable(checkpoints, split))
        seeds = tuple(seed for seed in run.models.random_seeds if seed not in unavailable)
        if len(seeds) >= 2:
            if unavailable:
                log.warning("date %s: using seeds %s, the others of the config are not there", date, _listed(seeds))
            return replace(dated, models=run.models.model_copy(update={"random_seeds": seeds}))
    wanted = run.name.trained(run.models.random_seeds[0])
    raise NoModelsError(
        f"{checkpoints} has no two seeds of {wanted if run.name.date else 'DATE' + wanted}: train them with "
        "train-variations, or give another --date-str, --checkpoint-folder or config"
    )


def final_losses(run: TrainingRun, folders: Folders) -> list[LossRow]:
    """The final losses of all seeds, from their metrics files.

    Raises:
        InputError: a metrics file is missing or broken.
    """
    rows = []
    for seed in run.models.random_seeds:
        path = folders.metrics / run.name.metrics(seed)
        content = read_json(path)
        train_loss, test_loss = _last_number(content, "train_loss"), _last_number(content, "test_loss")
        if train_loss is None or test_loss is None:
            raise InputError(f"{path} has no lists train_loss and test_loss of numbers: train that model again")
        rows.append(LossRow(seed, train_loss, test_loss, run.name.models))
    return rows


def run_of_pairs(run: TrainingRun, correlations: Sequence[MCCARow], folders: Folders) -> TrainingRun:
    """The run of the very models whose m_CCA a file has: with their date and seeds.

    Where the file, the paper's code's, does not name them they are those of the run's date or, where the run has none,
    of the newest date with metrics of all seeds.

    Raises:
        InputError: the models are not the run's but for their date, or no date has the metrics of all.
    """
    named = {row.models for row in correlations if row.models}
    undated = replace(run.name, date="").models
    for name in sorted(named):
        if len(named) > 1 or not name.endswith(undated):
            raise InputError(
                f"m_CCA is of models {name}, not only of models like DATE{undated}: pass the configs that they were "
                "trained with, or run cal-mcca again"
            )
    seeds = tuple(sorted({seed for row in correlations for seed in row.model_seeds}))
    date = next((name.removesuffix(undated) for name in named), run.name.date)
    if not date:
        names = [run.name.metrics(seed) for seed in seeds]  # without a date: the end of the name that has one
        dated = [{path.name[: -len(name)] for path in folders.metrics.glob(f"*{name}")} for name in names]
        date = max(set.intersection(*dated), default="")
        if not date:
            raise InputError(
                f"{folders.metrics} has no date with metrics like DATE{names[0]} of all {len(seeds)} seeds: train "
                "them, or give another --metrics-folder"
            )
    models = run.models.model_copy(update={"random_seeds": seeds})
    return replace(run, name=replace(run.name, date=date), models=models)


def _last_number(content: object, key: str) -> float | None:
    """The last entry of a list in a table, if it is a finite number."""
    column = content.get(key) if isinstance(content, dict) else None
    last = column[-1] if isinstance(column, list) and column else None
    if not isinstance(last, int | float) or isinstance(last, bool) or not abs(last) <= sys.float_info.max:
        return None
    return float(last)


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _alike(checkpoints: Path, wanted: RunName) -> tuple[str, str]:
    """What there is in place of the wanted models, and the options that ask for it."""
    dates = _dates(checkpoints)
    if not wanted.date or wanted.date not in dates:
        return f"dates there: {', '.join(dates) or 'none'}", "--date-str"
    pattern = wanted.alike_pattern()
    widths: dict[int, set[int]] = {}
    for match in filter(None, (pattern.match(path.name) for path in checkpoints.iterdir())):
        widths.setdefault(int(match["labels"]), set()).add(int(match["width"]))
    listed = (f"{labels} labels: widths {', '.join(map(str, sorted(of)))}" for labels, of in sorted(widths.items()))
    return f"there of that date: {'; '.join(listed) or 'other networks'}", "--num-classes or --layer-size"


def _dates(checkpoints: Path) -> list[str]:
    if not checkpoints.is_dir():
        return []
    # names of untrained models have no steps
    named = (re.match(r"(.+?)trained_.*_steps\d", path.name) for path in checkpoints.iterdir())
    return sorted({match[1] for match in named if match})
