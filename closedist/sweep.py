"""Training a family of models: what there is to train, what is on disk already, and the files that come of it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from closedist.checkpoint import RunName, SavedState, read_state, read_weights, saved_states, write_state, write_weights
from closedist.config import DatasetConfig, ModelVariationsConfig, TrainConfig
from closedist.data.splits import load_split
from closedist.errors import InputError
from closedist.files import write_json
from closedist.locks import exclusive
from closedist.models.classifier import Classifier, build_classifier
from closedist.models.learners import build_learners, seeds_together
from closedist.signals import stop_requests
from closedist.training import Diverged, Learners, Losses, Split, diverged_models, finite_models, train

log = logging.getLogger(__name__)

@dataclass(frozen=True)
class TrainingRun:
    """One training of a sweep: all seeds of one width and one pair of fixed lengths."""

    name: RunName
    dataset: DatasetConfig
    models: ModelVariationsConfig
    training: TrainConfig

    @property
    def digest(self) -> str:
        """Of all that the weights depend on, the seeds and the number of steps apart."""
        training = self.training.model_copy(update={"train_steps": 1})
        models = self.models.model_copy(update={"random_seeds": (0,)})
        return f"{self.dataset.digest[:16]}{models.digest[:16]}{training.digest[:16]}"

    def untrained(self, seed: int) -> Classifier:
        """The member with this seed, with its first weights."""
        return build_classifier(
            self.models.model_type,
            num_classes=self.models.num_classes,
            num_features=self.name.width,
            rep_dim=self.models.rep_dim,
            nonlinearity=self.models.nonlinearity,
            fix_length_f=self.name.fix_length_f,
            fix_length_g=self.name.fix_length_g,
            seed=seed,
        )

    def missing(self, checkpoints: Path) -> tuple[int, ...]:
        """The seeds whose trained checkpoint is not there."""
        return tuple(s for s in self.models.random_seeds if not (checkpoints / self.name.trained(s)).exists())


def training_runs(
    dataset: DatasetConfig, models: ModelVariationsConfig, training: TrainConfig, date: str, suffix: str = ""
) -> Iterator[TrainingRun]:
    """The trainings of a family, by width, then fixed length of g, then of f.

    Args:
        date: the first part of every file's name.
        suffix: appended to trained names, for runs whose train seed or weight decay is not the configuration's.

    Raises:
        InputError: the configurations do not belong together.
    """
    _check_together(dataset, models, training)
    for width in models.num_features:
        for fix_length_g in models.fix_length_gs:
            for fix_length_f in models.fix_length_fs:
                name = RunName(
                    date=date,
                    dataset=dataset.dataset_name,
                    model_type=models.model_type,
                    fix_length_f=fix_length_f,
                    fix_length_g=fix_length_g,
                    num_classes=models.num_classes,
                    width=width,
                    rep_dim=models.rep_dim,
                    num_points=dataset.num_points,
                    learning_rate=training.learning_rate,
                    steps=training.train_steps,
                    suffix=suffix,
                )
                member = {"num_features": (width,), "fix_length_gs": (fix_length_g,), "fix_length_fs": (fix_length_f,)}
                yield TrainingRun(name, dataset, models.model_copy(update=member), training)


def _check_together(dataset: DatasetConfig, models: ModelVariationsConfig, training: TrainConfig) -> None:
    if dataset.num_classes != models.num_classes:
        raise InputError(
            f"num_classes is {dataset.num_classes} in the dataset config and {models.num_classes} in the model "
            "variations config: pass two that belong together"
        )
    if dataset.dataset_name != training.dataset_name:
        raise InputError(
            f"dataset_name is {dataset.dataset_name} in the dataset config and {training.dataset_name} in the train "
            "config: pass two that belong together"
        )
    on_points = models.model_type == "SmallMLP"
    if on_points != (dataset.dataset_name == "radial_classification"):
        raise InputError(f"model_type {models.model_type} cannot be trained on {dataset.dataset_name}: pass another config")


@dataclass(frozen=True)
class Workplace:
    """Where a training's files come from and go to, and how it is done.

    Args:
        checkpoints, metrics, data: the folders.
        device: where models train.
        checkpoint_every: steps between two saved states.
        keep_state: whether the state after the last step stays, so that a longer training can go on from it exactly.
    """

    checkpoints: Path
    metrics: Path
    data: Path
    device: torch.device = torch.device("cpu")
    checkpoint_every: int = 5000
    keep_state: bool = True


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
            path = place.checkpoints / run.name.untrained(seed)
            if not path.exists():
                write_weights(path, run.untrained(seed).state_dict())
    trained = 0
    diverged = []
    data: tuple[Split, Split] | None = None
    for run in runs:
        missing = run.missing(place.checkpoints)
        advance((len(run.models.random_seeds) - len(missing)) * run.training.train_steps)
        if not missing:
            continue
        if data is None:
            data = _load(run.dataset, "train", place), _load(run.dataset, "test", place)
        with exclusive(place.checkpoints / f".{run.name.state((), 0)}.lock", partial(_say_waiting, place.checkpoints)):
            missing = run.missing(place.checkpoints)  # another run may have trained them while this one waited
            for seeds in _groups(missing, seeds_together(run.models.model_type)):
                try:
                    _train_group(run, seeds, data, place, continue_from, advance)
                    trained += len(seeds)
                except Diverged as error:
                    diverged.append(str(error))
    if diverged:
        raise Diverged("; ".join(diverged))
    return trained


def _load(dataset: DatasetConfig, split: str, place: Workplace) -> Split:
    inputs, labels = load_split(dataset, split, place.data)
    return Split(inputs.to(place.device), labels.to(place.device))


def _say_waiting(folder: Path) -> None:
    log.warning("another run is at work in %s: waiting for it to finish", folder)


def _groups(seeds: tuple[int, ...], size: int | None) -> list[tuple[int, ...]]:
    size = size or max(1, len(seeds))
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]


def _train_group(
    run: TrainingRun,
    wanted: tuple[int, ...],
    data: tuple[Split, Split],
    place: Workplace,
    continue_from: int,
    advance: Callable[[int], None],
) -> None:
    saved = _state_to_continue(run, wanted, place, continue_from)
    seeds = saved.seeds if saved else wanted  # a saved group goes on as a whole, to the same bits
    expected = [run.untrained(seed).state_dict() for seed in seeds]
    if continue_from and not saved:
        log.warning(
            "no exact state of step %d is saved: going on from the checkpoints' weights with a fresh optimiser",
            continue_from,
        )
        name = run.name.at(continue_from)
        first = [
            read_weights(place.checkpoints / name.trained(seed), weights)
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
    )
    start = Losses.none(len(seeds), continue_from)
    if saved:
        state = read_state(saved)
        start = Losses.from_tensors(state)
        learners.load_training_state({key: value for key, value in state.items() if not Losses.owns(key)})
        log.info("going on from step %d (%s)", start.steps, saved.path.name)
    advance(start.steps * len(seeds))

    def save(losses: Losses) -> None:
        path = place.checkpoints / run.name.state(seeds, losses.steps)
        write_state(path, {**learners.training_state(), **losses.as_tensors()}, seeds, run.digest)
        _remove_superseded(run, seeds, losses.steps, place)

    with stop_requests() as stopping:
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
    _write_models(run, seeds, wanted, learners, losses, place)
    if not place.keep_state:
        for state_file in saved_states(place.checkpoints, run.name, run.digest):
            if state_file.seeds == seeds:
                state_file.path.unlink(missing_ok=True)


def _state_to_continue(
    run: TrainingRun, wanted: tuple[int, ...], place: Workplace, continue_from: int
) -> SavedState | None:
    """The latest saved state that has all the seeds wanted; where a step is given, that step's, or a later one's."""
    for saved in saved_states(place.checkpoints, run.name, run.digest):
        if continue_from <= saved.steps <= run.training.train_steps and set(wanted) <= set(saved.seeds):
            return saved
    return None


def _remove_superseded(run: TrainingRun, seeds: tuple[int, ...], steps: int, place: Workplace) -> None:
    """Delete this group's earlier states: all at the end, before it those that an interruption left in between."""
    finished = steps == run.training.train_steps
    for saved in saved_states(place.checkpoints, run.name, run.digest):
        between = saved.steps % place.checkpoint_every != 0
        if saved.seeds == seeds and saved.steps < steps and (finished or between):
            saved.path.unlink(missing_ok=True)


def _write_models(
    run: TrainingRun,
    seeds: tuple[int, ...],
    wanted: tuple[int, ...],
    learners: Learners,
    losses: Losses,
    place: Workplace,
) -> None:
    train_loss, test_loss = losses.final_train(), losses.test
    finite = finite_models(losses)
    for index, (seed, weights) in enumerate(zip(seeds, learners.state_dicts(), strict=True)):
        if finite[index] and seed in wanted:
            # the checkpoint comes last: where it is, all that belongs to it is
            write_json(
                place.metrics / run.name.metrics(seed),
                {"train_loss": train_loss[index].tolist(), "test_loss": test_loss[index].tolist()},
            )
            write_weights(place.checkpoints / run.name.trained(seed), weights)
    if not all(finite):
        raise diverged_models(losses, seeds, run.training.learning_rate)
