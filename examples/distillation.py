"""Print the numbers of docs/second-paper.md on distilled students: what do they keep of their teacher at equal KL?

    python examples/distillation.py [distilled_digits.zip]
    python examples/distillation.py --pack FOLDER distilled_digits.zip

The first reads metrics as `closedist distil` writes them, of a folder or an archive: digits × rotation, where the
question is whether a student loses what nobody taught it, or a set-up without such a concept. The second packs a
folder's metrics (six digits) and some test representations, without weights, as the repository ships them.
"""

import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from closedist.paper.results.archive import open_results
from closedist.paper.results.matched import KL, AtOneKL, at_one_kl, by_teacher_and_seed, last_crossing
from closedist.paper.results.student_metrics import Metrics, read_metrics
from closedist.paper.results.student_tables import as_markdown, at_this_kl, differences, last_epoch

LOSSES = ("kl", "l1", "l2", "l1-raw", "l2-raw")
CHANCE = 0.25  # four rotations, as many images of each
PROBE = "concept_fitted"
OTHER_KLS = (0.05, 0.07, 0.15, 0.2, 0.3, 0.5)


def of_teachers(models: list[Metrics]) -> str:
    """A line on the teachers themselves."""
    teachers = [model for model in models if model.name.teacher is None]
    means = {
        key: sum(teacher.test[key][-1] for teacher in teachers) / len(teachers)
        for key in ("acc", "concept_head", PROBE)
        if key in teachers[0].test
    }
    if PROBE not in means:
        return f"{len(teachers)} teachers: {means['acc']:.3f} of the labels are right."
    return (
        f"{len(teachers)} teachers: digit {means['acc']:.3f}, rotation {means['concept_head']:.3f} by their own head "
        f"and {means[PROBE]:.3f} by a fitted probe; chance is {CHANCE}."
    )


def apart(found: AtOneKL) -> str:
    """How far students of each loss are at equal KL, and whether those by KL are farther; whatever the answer is."""
    kept = []
    for loss in found.losses:
        distance, agreement = found.estimate("d_logit", loss), found.estimate("m_cca", loss)
        if distance is None or agreement is None:
            return f"At KL {found.kl:.3f} not all {loss} students are comparable: the question has no answer here."
        kept.append(f"{distance.value:.2f} and {agreement.value:.3f} of {loss} students")
    verdicts = []
    for loss in found.losses[1:]:
        ratio, gain = found.difference("d_logit", loss, "kl"), found.difference("m_cca", loss, "kl")
        assert ratio is not None
        assert gain is not None
        nearer = "nearer" if ratio.high < 1 else "farther" if ratio.low > 1 else "undecided"
        likelier = "more alike" if gain.low > 0 else "less alike" if gain.high < 0 else "undecided"
        verdicts.append(
            f"{loss}: {nearer} (× {ratio.value:.3f}, [{ratio.low:.3f}, {ratio.high:.3f}]), "
            f"{likelier} ({gain.value:+.3f}, [{gain.low:+.3f}, {gain.high:+.3f}])"
        )
    return (
        f"At one KL of {found.kl:.3f} nats d_logit and m_CCA are {', '.join(kept)}. "
        f"Logit students beside KL students, by d_logit and by m_CCA: {'; '.join(verdicts)}."
    )


def answer(found: AtOneKL) -> str:
    """Whether KL students lose the concept at equal KL, in one sentence; whatever the answer is."""
    parts = []
    for loss in found.losses:
        estimate = found.estimate(PROBE, loss)
        if estimate is None:
            return f"At KL {found.kl:.3f} not all {loss} students are comparable: the question has no answer here."
        parts.append(f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] of {loss} students")
    verdicts = []
    for loss in found.losses[1:]:
        apart = found.difference(PROBE, loss, "kl")
        assert apart is not None
        kept = "more than KL students" if apart.low > 0 else "less" if apart.high < 0 else "undecided"
        verdicts.append(f"{loss}: {kept} ({apart.value:+.3f}, [{apart.low:+.3f}, {apart.high:+.3f}])")
    return (
        f"At one KL of {found.kl:.3f} nats a fitted probe reads the rotation from {', '.join(parts)} "
        f"(chance {CHANCE}). What logit students keep beside KL students: {'; '.join(verdicts)}."
    )


def at_other_kls(models: list[Metrics], losses: Sequence[str]) -> str:
    """The least that any logit student keeps and the most that any KL student keeps, at other KLs."""
    parts = []
    for kl in OTHER_KLS:
        kept: dict[bool, list[float]] = {True: [], False: []}
        for loss in losses:
            for model in by_teacher_and_seed(models, loss).values():
                place = last_crossing(model.test[KL], kl)
                if place is not None:
                    kept[loss == "kl"].append(float(np.interp(place, range(len(model.epochs)), model.test[PROBE])))
        parts.append(f"{max(kept[True]):.3f} and {min(kept[False]):.3f} at {kl}")
    return f"The KL student that keeps most and the logit student that keeps least, at other KLs: {', '.join(parts)}."


def of_theorem_f1(models: list[Metrics]) -> str:
    """How often the theorem holds, with both of its sides about their means."""
    shares = [
        apart / distance**2
        for model in models
        if model.name.teacher is not None
        for split in (model.train, model.test)
        for apart, distance in zip(split["variance_apart"], split["d_logit_centred"], strict=True)
    ]
    held = sum(share <= 1 for share in shares)
    total = f"{len(shares):,} evaluations; the closest at {max(shares):.3f}"
    return f"Theorem F.1, both sides centred, holds at {held:,} of {total}."


def main(place: str) -> None:
    """Print every table of the page."""
    models = read_metrics(open_results(place))
    trained = {model.name.loss for model in models}
    losses = [loss for loss in LOSSES if loss in trained]
    baseline = ["labels"] if "labels" in trained else []
    found = at_one_kl(models, losses)
    _, first, second = losses
    print(of_teachers(models), end="\n\n")
    print(as_markdown(last_epoch(models, (*losses, *baseline))))
    print(as_markdown(at_this_kl(found)))
    print(as_markdown(differences(found, ((first, "kl"), (second, "kl"), (first, second)))))
    print(apart(found), end="\n\n")
    if PROBE in found.scores:
        print(answer(found), at_other_kls(models, losses), sep="\n\n", end="\n\n")
    print(of_theorem_f1(models))


def pack(folder: Path, archive: Path) -> None:
    """Ship metrics with six digits, and the test representations of teachers and of every first student."""

    def rounded(content: Any) -> Any:
        if isinstance(content, dict):
            return {key: rounded(value) for key, value in content.items()}
        if isinstance(content, list):
            return [rounded(value) for value in content]
        return float(f"{content:.6g}") if isinstance(content, float) else content

    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(folder.glob("metrics-*.json")):
            file.writestr(path.name, json.dumps(rounded(json.loads(path.read_text())), separators=(",", ":")))
        for path in sorted(folder.glob("*_reps_test.safetensors")):
            if "tseed" not in path.name or "seed40_" in path.name:
                file.writestr(path.name, path.read_bytes())
    print(f"{archive}: {archive.stat().st_size:,} bytes")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pack"]:
        pack(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "distilled_digits.zip")
