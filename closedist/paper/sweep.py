"""Training a family of models: what is on disk already, what is left, and the files that come of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from closedist.errors import InputError
from closedist.paper.checkpoint import SavedState, read_state, read_weights, saved_states, write_state, write_weights
from closedist.paper.config import DatasetConfig
from closedist.paper.folders import Folders
from closedist.paper.registry import data_set, load_split
from closedist.paper.runs import TrainingRun
from closedist.paper.trained_models import represent
from closedist.paper.training.arithmetic import Precision
from closedist.paper.training.learners import build_learners, seeds_together
from closedist.paper.training.loop import (
    Diverged,
    Learners,
    Losses,
    Split,
    diverged_models,
    finite_models,
    limited_threads,
    train,
)
from closedist.system.files import read_json, remove, write_json
from closedist.system.locks import exclusive
from closedist.system.signals import stop_requests

log = logging.getLogger(__name__)
CPU = torch.device("cpu")
CONFIGURATION = "configuration"  # the key under which a metrics file says what its model was trained with


@dataclass(frozen=True)
class Workplace:
    """Where a training's files come from and go to, and how it is done.

    Args:
        folders: of the data, the checkpoints and the metrics.
        device: where models train.
        checkpoint_every: steps between two saved states.
        keep_state: whether the state after the last step stays, so that a longer training can go on from it exactly.
        precision: ``float32``, or ``bf16`` for the image models.
    """

    folders: Folders
    device: torch.device = CPU
    checkpoint_every: int = 5000
    keep_state: bool = True
    precision: Precision = "float32"


def train_runs(
    runs: Sequence[TrainingRun],
    place: Workplace,
    *,
    continue_from: int = 0,
    advance: Callable[[int], None] = lambda steps: None,
) -> int:
    """Train whatever is missing of ``runs``, after writing every untrained model's file.

    Args:
        runs: trainings on one data set.
        place: folders, device and intervals.
        continue_from: a step whose saved state, or bare checkpoints, training goes on from; 0 goes on from the latest
            saved state or starts anew.
        advance: told how many model-steps are done or were done already since its last call.

    Returns:
        The number of models trained.

    Raises:
        InputError: a folder cannot be written, or a checkpoint to go on from is missing or broken.
        Diverged: some models diverged; all others are trained and kept.
        Interrupted: the user stopped it; what was done is saved.
    """
    for run in runs:
        for seed in run.models.random_seeds:
            path = place.folders.checkpoints / run.name.untrained(seed)
            if not path.exists():
                write_weights(path, run.untrained(seed).state_dict())
    for run in runs:
        check_configuration(run, place.folders)
    trained = 0
    diverged = []
    data: tuple[Split, Split] | None = None
    for run in runs:
        missing = run.missing(place.folders.checkpoints)
        advance((len(run.models.random_seeds) - len(missing)) * run.training.train_steps)
        if not missing:
            continue
        if data is None:
            data = _load(run.dataset, "train", place), _load(run.dataset, "test", place)
        for group in training_groups(run, missing):
            # models that train one by one have a lock each, so that they can do so at the same time
            name = run.name.state(group if seeds_together(run.models.model_type) else (), 0)
            with exclusive(
                place.folders.checkpoints / f".{name}.lock", partial(_say_waiting, place.folders.checkpoints)
            ):
                missing_now = set(run.missing(place.folders.checkpoints))  # another run may have trained some by now
                seeds = tuple(seed for seed in group if seed in missing_now)
                if not seeds:
                    continue
                try:
                    _train_group(run, seeds, data, place, continue_from, advance)
                    trained += len(seeds)
                except Diverged as error:
                    diverged.append(str(error))
    if diverged:
        raise Diverged("; ".join(diverged))
    return trained


def check_configuration(run: TrainingRun, folders: Folders) -> None:
    """Make sure that trained models of a run's names were trained with its configuration.

    Models without a record, such as published ones, are taken to be.

    Raises:
        InputError: a model's metrics say that its data, network or optimiser was another.
    """
    for seed in run.models.random_seeds:
        metrics = folders.metrics / run.name.metrics(seed)
        if metrics.exists() and (folders.checkpoints / run.name.trained(seed)).exists():
            content = read_json(metrics)
            recorded = content.get(CONFIGURATION, run.digest) if isinstance(content, dict) else None
            if recorded != run.digest:
                raise InputError(
                    f"{metrics} says that its model was trained with another configuration (data, network or "
                    "optimiser): give another --date-str or other folders"
                )


def _load(dataset: DatasetConfig, split: str, place: Workplace) -> Split:
    inputs, labels = load_split(dataset, split, place.folders.data)
    return Split(inputs.to(place.device), labels.to(place.device))


def _say_waiting(folder: Path) -> None:
    log.warning("another run is at work in %s: waiting for it to finish", folder)


def training_groups(run: TrainingRun, seeds: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The seeds of a run that train in one program, in groups."""
    size = seeds_together(run.models.model_type) or max(1, len(seeds))
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]


def _train_group(
    run: TrainingRun,
    wanted: tuple[int, ...],
    data: tuple[Split, Split],
    place: Workplace,
    continue_from: int,
    advance: Callable[[int], None],
) -> None:
    saved = state_to_continue(run, wanted, place.folders.checkpoints, continue_from)
    seeds = saved.seeds if saved else wanted  # a saved group goes on as a whole, to the same bits
    expected = [run.untrained(seed).state_dict() for seed in seeds]
    if continue_from and not saved:
        log.warning(
            "no exact state of step %d is saved: going on from the checkpoints' weights with a fresh optimiser",
            continue_from,
        )
        name = run.name.at(continue_from)
        absent = [seed for seed in seeds if not (place.folders.checkpoints / name.trained(seed)).exists()]
        if absent:
            raise InputError(
                f"--continue-from: there is no checkpoint {place.folders.checkpoints / name.trained(absent[0])} to go "
                "on from, and representations or results are not enough for that: train so far first, or leave the "
                "option out to train from the start"
            )
        first = [
            read_weights(place.folders.checkpoints / name.trained(seed), weights)
            for seed, weights in zip(seeds, expected, strict=True)
        ]
    else:
        first = expected
    learners = build_learners(
        first,
        run.models,
        run.training,
        fix_length_f=run.name.fix_length_f,
        fix_length_g=run.name.fix_length_g,
        device=place.device,
        precision=place.precision,
    )
    start = Losses.none(len(seeds), continue_from)
    if saved:
        state = read_state(saved, learners.training_state())
        start = Losses.from_tensors(state, len(seeds), saved.steps)
        learners.load_training_state({key: value for key, value in state.items() if not Losses.owns(key)})
        log.info("going on from step %d (%s)", start.steps, saved.path.name)
    advance(start.steps * len(seeds))

    def save(losses: Losses) -> None:
        path = place.folders.checkpoints / run.name.state(seeds, losses.steps)
        write_state(path, {**learners.training_state(), **losses.as_tensors()}, seeds, run.digest)
        _remove_superseded(run, seeds, losses.steps, place)

    with stop_requests() as stopping, limited_threads(learners):
        losses = train(
            learners,
            *data,
            run.training,
            start=start,
            checkpoint_every=place.checkpoint_every,
            save=save,
            stopping=stopping,
            advance=lambda steps: advance(steps * len(seeds)),
        )
    _write_models(run, seeds, wanted, learners, losses, data[1], place)
    if not place.keep_state:
        for state_file in saved_states(place.folders.checkpoints, run.name, run.digest):
            if state_file.seeds == seeds:
                remove(state_file.path)


def state_to_continue(
    run: TrainingRun, wanted: tuple[int, ...], checkpoints: Path, continue_from: int = 0
) -> SavedState | None:
    """The latest saved state that has all the seeds wanted; where a step is given, that step's, or a later one's.

    Raises:
        InputError: a state is not whole, or belongs to another configuration.
    """
    for saved in saved_states(checkpoints, run.name, run.digest):
        if continue_from <= saved.steps <= run.training.train_steps and set(wanted) <= set(saved.seeds):
            return saved
    return None


def _remove_superseded(run: TrainingRun, seeds: tuple[int, ...], steps: int, place: Workplace) -> None:
    """Delete this group's earlier states: all at the end, before it those that an interruption left in between."""
    finished = steps == run.training.train_steps
    for saved in saved_states(place.folders.checkpoints, run.name, run.digest):
        between = saved.steps % place.checkpoint_every != 0
        if saved.seeds == seeds and saved.steps < steps and (finished or between):
            remove(saved.path)


def _write_models(
    run: TrainingRun,
    seeds: tuple[int, ...],
    wanted: tuple[int, ...],
    learners: Learners,
    losses: Losses,
    test: Split,
    place: Workplace,
) -> None:
    train_loss, test_loss = losses.final_train(), losses.test
    finite = finite_models(losses)
    for index, (seed, weights) in enumerate(zip(seeds, learners.state_dicts(), strict=True)):
        if finite[index] and seed in wanted:
            # the checkpoint comes last: where it is, all that belongs to it is
            write_json(
                place.folders.metrics / run.name.metrics(seed),
                {
                    "train_loss": train_loss[index].tolist(),
                    "test_loss": test_loss[index].tolist(),
                    CONFIGURATION: run.digest,
                },
            )
            if run.on_images:
                model = run.untrained(seed).to(place.device).eval()
                model.load_state_dict(weights)
                tested = represent(model, test.inputs, data_set(run.name.dataset).label_names)
                tested.save(place.folders.checkpoints / run.name.representations(seed))
            write_weights(place.folders.checkpoints / run.name.trained(seed), weights)
    if not all(finite):
        raise diverged_models(losses, seeds, run.training.learning_rate)
