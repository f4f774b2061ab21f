"""Teachers, then for each of them its students under every loss; what is there already is kept."""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from closedist.measures.distillation import distillation_loss
from closedist.paper.distillation.concepts import concept_scores, fitted_accuracy, head_accuracy
from closedist.paper.distillation.files import is_there, read_weights, write_model, write_weights
from closedist.paper.distillation.networks import Network, StateDict, initial_weights, stacked, unstacked
from closedist.paper.distillation.plan import LABELS, Distillation
from closedist.paper.distillation.scores import score
from closedist.paper.distillation.setups import CONCEPT, Data, SetUp
from closedist.paper.distillation.training import Group, train
from closedist.representations import Representations
from closedist.system.files import read_json, write_json
from closedist.system.locks import exclusive

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
BLOCK = 1 << 14  # inputs evaluated at once


def run(
    plan: Distillation,
    folder: Path,
    data_folder: Path,
    advance: Callable[[float], None],
    device: torch.device = CPU,
) -> list[Path]:
    """Train what is missing and score it; the metrics' files, one a student.

    Args:
        plan: what.
        folder: where everything goes.
        data_folder: where data files are, for set-ups that have some.
        advance: told how many epochs of a whole program were done since its last call.
        device: where models are trained and evaluated.

    Raises:
        InputError: the folder holds another experiment's files, or cannot be written.
        Stopped: Ctrl-C; run again, it goes on.
    """
    data = plan.set_up.load(data_folder)
    with exclusive(folder / ".distil.lock", lambda: log.warning("another run is at work in %s: waiting", folder)):
        teachers = _teachers(plan, data, folder, advance, device)
        files: list[Path] = []
        for seed, weights in teachers.items():
            files += _students(plan, data, seed, weights, folder, advance, device)
        return files


def _teachers(
    plan: Distillation, data: Data, folder: Path, advance: Callable[[float], None], device: torch.device
) -> dict[int, StateDict]:
    set_up, seeds, digest = plan.set_up, plan.teacher_seeds, plan.teacher_digest
    names = {seed: plan.teacher_name(seed) for seed in seeds}
    missing = [seed for seed in seeds if not is_there(folder, names[seed], digest)]
    if missing:

        def objective(embeddings: Tensor, weights: StateDict, rows: Tensor) -> Tensor:
            losses = embeddings.new_zeros(len(rows))
            for head, labels in data.train_labels.items():
                logits = torch.bmm(embeddings, weights[f"{head}.weight"].mT)
                losses = losses + _cross_entropy(logits, labels[rows].to(device))
            return losses

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
            evaluate=lambda epoch, weights: None,
            advance=advance,
            device=device,
        )
        for seed, weights in zip(missing, unstacked(trained), strict=True):
            record = {"configuration": digest, **_of_teacher(set_up, weights, data, device)}
            write_model(folder, names[seed], weights, represent(set_up.teacher, weights, data.test, device), record)
        state_file.unlink(missing_ok=True)
    else:
        advance(set_up.teacher_schedule.epochs)
    return {seed: read_weights(folder, names[seed], set_up.teacher) for seed in seeds}


def _students(
    plan: Distillation,
    data: Data,
    teacher: int,
    weights: StateDict,
    folder: Path,
    advance: Callable[[float], None],
    device: torch.device,
) -> list[Path]:
    set_up, seeds, kinds, digest = plan.set_up, plan.student_seeds, plan.kinds, plan.student_digest
    names = {(kind, seed): plan.student_name(teacher, kind, seed) for kind in kinds for seed in seeds}
    files = [folder / f"metrics-{name}.json" for name in names.values()]
    if all(is_there(folder, name, digest) for name in names.values()):
        advance(set_up.student_schedule.epochs)
        return files
    classifier = {key: value for key, value in weights.items() if key.startswith(("encoder.", "linear."))}
    beside = {
        split: represent(set_up.teacher, classifier, inputs, device) for split, (inputs, _) in data.splits.items()
    }
    teacher_logits = beside["train"].embeddings @ beside["train"].unembeddings.T
    labels = data.train_labels["linear"]

    def objective(embeddings: Tensor, own: StateDict, rows: Tensor) -> Tensor:
        logits = torch.bmm(embeddings, own["linear.weight"].mT)
        logits = logits.reshape(len(kinds), len(seeds), *logits.shape[1:])
        wanted, right = teacher_logits[rows].to(device), labels[rows].to(device)
        return torch.cat([_loss(plan, own, kind, wanted, right) for own, kind in zip(logits, kinds, strict=True)])

    metrics_file = folder / f"students-{digest}-tseed{teacher}.progress.json"
    history: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {split: [] for split in data.splits} for name in names.values()
    }
    if metrics_file.exists():
        history |= read_json(metrics_file)

    def evaluate(epoch: int, stack: StateDict) -> None:
        for (key, name), own in zip(names.items(), unstacked(stack), strict=True):
            students = {
                split: represent(set_up.student, own, inputs, device) for split, (inputs, _) in data.splits.items()
            }
            found = {
                split: score(beside[split], students[split], right).as_dict()
                for split, (_, right) in data.splits.items()
            }
            if CONCEPT in data.test_labels:
                head, concepts = weights[f"{CONCEPT}.weight"], data.test_labels[CONCEPT]
                found["test"] |= concept_scores(beside["test"], head, students["test"], concepts).as_dict()
            for split, scores in found.items():
                earlier = [row for row in history[name][split] if row["epoch"] < epoch]
                history[name][split] = [*earlier, {"epoch": epoch, **scores}]
            if epoch + 1 in plan.keep:
                write_weights(folder, plan.student_name(teacher, *key, epoch + 1), own)
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
        device=device,
    )
    for name, own in zip(names.values(), unstacked(trained), strict=True):
        record = {"configuration": digest, **_columns(history[name])}
        write_model(folder, name, own, represent(set_up.student, own, data.test, device), record)
    state_file.unlink(missing_ok=True)
    metrics_file.unlink(missing_ok=True)
    return files


def _of_teacher(set_up: SetUp, weights: StateDict, data: Data, device: torch.device) -> dict[str, object]:
    """A trained teacher's own numbers, in the published layout."""
    epochs = [set_up.teacher_schedule.epochs - 1]
    test = represent(set_up.teacher, weights, data.test, device)
    found = {"acc": head_accuracy(test.embeddings, test.unembeddings, data.test_labels["linear"])}
    if CONCEPT in data.test_labels:
        concepts = data.test_labels[CONCEPT]
        found["concept_head"] = head_accuracy(test.embeddings, weights[f"{CONCEPT}.weight"], concepts)
        found["concept_fitted"] = fitted_accuracy(test.embeddings, concepts)
    return {"epoch_num": epochs, "test": {key: [value] for key, value in found.items()}}


def _loss(plan: Distillation, logits: Tensor, kind: str, wanted: Tensor, right: Tensor) -> Tensor:
    """(seeds,) losses of the students of one kind, from (seeds, B, C) logits and their teacher's, and (seeds, B)."""
    share = 1.0 if kind == LABELS else plan.label_share
    losses = share * _cross_entropy(logits, right)
    if share == 1.0:
        return losses
    distilled = [distillation_loss(*pair, kind, plan.temperature) for pair in zip(logits, wanted, strict=True)]
    return losses + (1.0 - share) * torch.stack(distilled)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(S,) batch means, from (S, B, C) logits and (S, B) labels."""
    return -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).mean((1, 2))


@torch.no_grad()
def represent(network: Network, weights: StateDict, inputs: Tensor, device: torch.device = CPU) -> Representations:
    """A model's embeddings of inputs, without dropout, and the rows of its classifier."""
    stack = {key: value.to(device) for key, value in stacked([weights]).items()}
    parts = [network.embed(stack, block.to(device).unsqueeze(0), None)[0].cpu() for block in torch.split(inputs, BLOCK)]
    return Representations(torch.cat(parts), weights["linear.weight"].cpu())


def _columns(history: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """The published layout: the epochs, and under each split a list a score."""
    epochs = [int(row["epoch"]) for row in history["test"]]
    columns: dict[str, object] = {"epoch_num": epochs}
    for split, rows in history.items():
        columns[split] = {key: [row[key] for row in rows] for key in rows[0] if key != "epoch"}
    return columns
