"""Will a probe of the teacher read its students, and can a smaller student be like it? On a folder of distilled digits.

    closedist distil --data digits --teachers 1 --students 2 --epochs 40 -o distilled
    python examples/will_it_survive.py distilled

The probe is the teacher's second head, which reads the rotation; no student ever saw it, and nothing is fitted here.
"""

import sys
from pathlib import Path

import torch

from closedist import Representations, capacity_floor, logit_distance, probe_transfer
from closedist.errors import InputError
from closedist.paper.results.student_metrics import parse_name

REPRESENTATIONS = "_reps_test.safetensors"


def main(folder: Path) -> None:
    """Print the floor of smaller students, and what every student loses of the probe."""
    names = [parse_name(path.name.removesuffix(REPRESENTATIONS), published=False) for path in _found(folder)]
    teacher_name = next(name for name in names if name.teacher is None)
    teacher = Representations.load(folder / f"{teacher_name.text}{REPRESENTATIONS}")
    head = torch.load(folder / f"{teacher_name.text}.pt", weights_only=True)["probe.weight"].double()

    print("A student of dimension q has a d_logit (about its mean) of at least:")
    for dimension, floor in enumerate(capacity_floor(teacher).tolist(), 1):
        print(f"    q = {dimension}: {floor:7.3f}")

    print(f"\n{'student':<16}{'d_logit':>9}{'variance of the probe lost by':>34}")
    print(f"{'':<25}{'the labels map':>19}{'the best map':>15}")
    for name in names:
        if name.teacher == teacher_name.seed:
            student = Representations.load(folder / f"{name.text}{REPRESENTATIONS}")
            lost = probe_transfer(teacher, student, head - head.mean(0))
            shares = lost.share_lost.mean(), lost.share_lost_by_best_map.mean()
            distance = logit_distance(teacher, student)
            print(f"{name.loss}, seed {name.seed:<8}{distance:>9.2f}{shares[0]:>19.1%}{shares[1]:>15.1%}")


def _found(folder: Path) -> list[Path]:
    files = sorted(folder.glob(f"digits-*{REPRESENTATIONS}"))
    if not any("-cbm-" in path.name for path in files):
        raise InputError(
            f"{folder} has no distilled digits; make them with `closedist distil --data digits -o {folder}`"
        )
    return files


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "distilled"))
