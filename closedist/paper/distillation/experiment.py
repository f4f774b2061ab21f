"""Teachers, then for each of them its students under every loss; what is there already is kept."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.distillation import distillation_loss
from closedist.paper.distillation.networks import Architecture, StateDict, embed, initial_weights, stacked, unstacked
from closedist.paper.distillation.scores import score, top_labels
from closedist.paper.distillation.setups import Data, SetUp
from closedist.paper.distillation.training import Group, Schedule, train
from closedist.representations import Representations
from closedist.system.files import read_json, write_atomically, write_json

FIRST_TEACHER, FIRST_STUDENT = 400, 40  # the paper's first seeds
FORMAT = 1  # of what is written; in the digest


@dataclass(frozen=True)
class Distillation:
    """What is to be trained.

    Attributes:
        set_up: data, networks and schedules.
        teachers, students: how many teachers, and students of each under each loss.
        kinds: the losses.
        temperature: of all.
        label_share: α; the loss is (1 − α)·distillation + α·cross-entropy with the labels.
    """

    set_up: SetUp
    teachers: int
    students: int
    kinds: tuple[str, ...]
    temperature: float = 1.0
    label_share: float = 0.0

    @property
    def teacher_seeds(self) -> tuple[int, ...]:
        """The teachers' seeds."""
        return tuple(range(FIRST_TEACHER, FIRST_TEACHER + self.teachers))

    @property
    def student_seeds(self) -> tuple[int, ...]:
        """The students' seeds, the same for every teacher and loss."""
        return tuple(range(FIRST_STUDENT, FIRST_STUDENT + self.students))

    def teacher_name(self, seed: int) -> str:
        """The paper's name of a teacher's files."""
        set_up = self.set_up
        last = set_up.teacher_schedule.epochs - 1
        return f"{set_up.published}-standard-{set_up.teacher_model}-epoch{last}-seed{seed}"

    def student_name(self, teacher: int, kind: str, seed: int) -> str:
        """The paper's name of a student's files; "l1" and "l2" are centred here, "l1-raw" and "l2-raw" the paper's."""
        set_up = self.set_up
        model = "kldistill" if kind == "kl" else f"logitdistill-{kind}"
        dimension = set_up.teacher.sizes[-1]
        size = f"-{dimension}" if dimension > 2 else ""
        last = set_up.student_schedule.epochs - 1
        return f"{set_up.published}-standard-{model}-mlp{size}-tseed{teacher}-epoch{last}-seed{seed}"


def with_widths(set_up: SetUp, widths: Sequence[int]) -> SetUp:
    """The set-up with other hidden layers."""
    sizes = (set_up.teacher.sizes[0], *widths, set_up.teacher.sizes[-1])
    return replace(set_up, teacher=replace(set_up.teacher, sizes=sizes))


def with_epochs(set_up: SetUp, teacher: int | None, student: int | None) -> SetUp:
    """The set-up with other numbers of epochs; warm-up is at most a tenth of them."""

    def shorter(schedule: Schedule, epochs: int | None) -> Schedule:
        if epochs is None:
            return schedule
        return replace(schedule, epochs=epochs, warm_up=min(schedule.warm_up, epochs // 10))

    return replace(
        set_up,
        teacher_schedule=shorter(set_up.teacher_schedule, teacher),
        student_schedule=shorter(set_up.student_schedule, student),
    )


def run(plan: Distillation, folder: Path, advance: Callable[[float], None]) -> list[Path]:
    """Train what is missing and score it; the metrics' files, one a student.

    Args:
        plan: what.
        folder: where everything goes.
        advance: told how many epochs of a whole program were done since its last call.

    Raises:
        InputError: the folder holds another experiment's files, or cannot be written.
        Stopped: Ctrl-C; run again, it goes on.
    """
    data = plan.set_up.load()
    teachers = _teachers(plan, data, folder, advance)
    files: list[Path] = []
    for seed, weights in teachers.items():
        files += _students(plan, data, seed, weights, folder, advance)
    return files


def epochs_in_all(plan: Distillation) -> int:
    """How many epochs of whole programs there are to train."""
    return plan.set_up.teacher_schedule.epochs + plan.teachers * plan.set_up.student_schedule.epochs


def _teachers(plan: Distillation, data: Data, folder: Path, advance: Callable[[float], None]) -> dict[int, StateDict]:
    set_up, seeds = plan.set_up, plan.teacher_seeds
    digest = _digest("teacher", set_up.teacher, set_up.teacher_schedule, set_up.published)
    names = {seed: plan.teacher_name(seed) for seed in seeds}
    missing = [seed for seed in seeds if not _is_there(folder, names[seed], digest)]
    if missing:

        def objective(embeddings: Tensor, weights: StateDict, rows: Tensor) -> Tensor:
            losses = embeddings.new_zeros(len(rows))
            for head, labels in data.train_labels.items():
                logits = torch.bmm(embeddings, weights[f"{head}.weight"].mT)
                losses = losses + _cross_entropy(logits, labels[rows])
            return losses

        history: dict[int, list[dict[str, float]]] = {seed: [] for seed in missing}

        def evaluate(epoch: int, weights: StateDict) -> None:
            for seed, own in zip(missing, unstacked(weights), strict=True):
                chosen = top_labels(represent(set_up.teacher, own, data.test))
                share = (chosen == data.test_labels["linear"]).double().mean()
                history[seed].append({"epoch": epoch, "acc": float(share)})

        first = [initial_weights(set_up.teacher, seed, xavier_heads=not set_up.plain_heads) for seed in missing]
        state_file = folder / f"teachers-{digest}-{'_'.join(map(str, missing))}.state.safetensors"
        group = Group(set_up.teacher, tuple(missing), objective)
        trained = train(
            group,
            stacked(first),
            data.train,
            set_up.teacher_schedule,
            state_file=state_file,
            digest=digest,
            evaluate=evaluate,
            advance=advance,
        )
        for seed, weights in zip(missing, unstacked(trained), strict=True):
            _write(
                folder, names[seed], weights, represent(set_up.teacher, weights, data.test), {"configuration": digest}
            )
        state_file.unlink(missing_ok=True)
    else:
        advance(set_up.teacher_schedule.epochs)
    return {seed: _read(folder, names[seed], set_up.teacher) for seed in seeds}


def _students(
    plan: Distillation, data: Data, teacher: int, weights: StateDict, folder: Path, advance: Callable[[float], None]
) -> list[Path]:
    set_up, seeds, kinds = plan.set_up, plan.student_seeds, plan.kinds
    digest = _digest(
        "student", set_up.student, set_up.student_schedule, set_up.published, plan.temperature, plan.label_share,
        _digest("teacher", set_up.teacher, set_up.teacher_schedule, set_up.published),
    )  # fmt: skip
    names = {(kind, seed): plan.student_name(teacher, kind, seed) for kind in kinds for seed in seeds}
    files = [folder / f"metrics-{name}.json" for name in names.values()]
    if all(_is_there(folder, name, digest) for name in names.values()):
        advance(set_up.student_schedule.epochs)
        return files
    classifier = {key: value for key, value in weights.items() if key.startswith(("encoder.", "linear."))}
    on_train, on_test = (represent(set_up.student, classifier, inputs) for inputs in (data.train, data.test))
    teacher_logits = on_train.embeddings @ on_train.unembeddings.T
    labels = data.train_labels["linear"]

    def objective(embeddings: Tensor, own: StateDict, rows: Tensor) -> Tensor:
        logits = torch.bmm(embeddings, own["linear.weight"].mT)
        logits = logits.reshape(len(kinds), len(seeds), *logits.shape[1:])
        wanted = teacher_logits[rows]
        parts = [_distilled(logits[index], wanted, kind, plan.temperature) for index, kind in enumerate(kinds)]
        losses = torch.cat(parts)
        if plan.label_share:
            right = labels[rows].repeat(len(kinds), 1)
            losses = (1 - plan.label_share) * losses + plan.label_share * _cross_entropy(logits.flatten(0, 1), right)
        return losses

    metrics_file = folder / f"students-{digest}-tseed{teacher}.progress.json"
    history: dict[str, dict[str, list[dict[str, float]]]] = (
        read_json(metrics_file)
        if metrics_file.exists()
        else {name: {"train": [], "test": []} for name in names.values()}
    )

    def evaluate(epoch: int, stack: StateDict) -> None:
        for name, own in zip(names.values(), unstacked(stack), strict=True):
            for split, beside, inputs, truth in (
                ("train", on_train, data.train, labels),
                ("test", on_test, data.test, data.test_labels["linear"]),
            ):
                found = score(beside, represent(set_up.student, own, inputs), truth).as_dict()
                earlier = [row for row in history[name][split] if row["epoch"] < epoch]
                history[name][split] = [*earlier, {"epoch": epoch, **found}]
        write_json(metrics_file, history)

    first = [initial_weights(set_up.student, seed, xavier_heads=True) for _ in kinds for seed in seeds]
    state_file = folder / f"students-{digest}-tseed{teacher}.state.safetensors"
    trained = train(
        Group(set_up.student, seeds, objective, len(kinds)),
        stacked(first),
        data.train,
        set_up.student_schedule,
        state_file=state_file,
        digest=f"{digest} {','.join(kinds)} {seeds}",
        evaluate=evaluate,
        advance=advance,
    )
    for name, own in zip(names.values(), unstacked(trained), strict=True):
        record = {"configuration": digest, **_columns(history[name])}
        _write(folder, name, own, represent(set_up.student, own, data.test), record)
    state_file.unlink(missing_ok=True)
    metrics_file.unlink(missing_ok=True)
    return files


def _distilled(logits: Tensor, wanted: Tensor, kind: str, temperature: float) -> Tensor:
    """(seeds,) one kind's losses."""
    losses = [distillation_loss(own, teacher, kind, temperature) for own, teacher in zip(logits, wanted, strict=True)]
    return torch.stack(losses)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(S,) batch means, from (S, B, C) logits and (S, B) labels."""
    return -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).mean((1, 2))


@torch.no_grad()
def represent(architecture: Architecture, weights: StateDict, inputs: Tensor) -> Representations:
    """A model's embeddings of inputs, without dropout, and the rows of its classifier."""
    embeddings = embed(architecture, stacked([weights]), inputs.unsqueeze(0))[0]
    return Representations(embeddings, weights["linear.weight"])


def _columns(history: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """The published layout: the epochs, and under each split a list a score."""
    epochs = [int(row["epoch"]) for row in history["test"]]
    columns: dict[str, object] = {"epoch_num": epochs}
    for split, rows in history.items():
        columns[split] = {key: [row[key] for row in rows] for key in rows[0] if key != "epoch"}
    return columns


def _write(folder: Path, name: str, weights: StateDict, model: Representations, record: dict[str, object]) -> None:
    """A model's files; the record, by which it counts as done, comes last."""
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    write_atomically(folder / f"{name}.pt", buffer.getvalue())
    model.save(folder / f"{name}_reps_test.safetensors")
    write_json(folder / f"metrics-{name}.json", record)


def _is_there(folder: Path, name: str, digest: str) -> bool:
    path = folder / f"metrics-{name}.json"
    if not (path.exists() and (folder / f"{name}.pt").exists()):
        return False
    content = read_json(path)
    recorded = content.get("configuration") if isinstance(content, dict) else None
    if recorded != digest:
        raise InputError(f"{path} is of a model that was trained otherwise: give another --output folder")
    return True


def _read(folder: Path, name: str, architecture: Architecture) -> StateDict:
    expected = initial_weights(architecture, 0, xavier_heads=True)
    try:
        state = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make PyTorch's reader fail in any way
        raise InputError(
            f"{folder / name}.pt is not a whole state dict: delete its metrics to train it again"
        ) from error
    if not isinstance(state, dict) or {k: v.shape for k, v in state.items()} != {
        k: v.shape for k, v in expected.items()
    }:
        raise InputError(f"{folder / name}.pt is another network: give another --output folder")
    return {key: state[key] for key in expected}


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([FORMAT, *map(repr, parts)]).encode()).hexdigest()[:12]
