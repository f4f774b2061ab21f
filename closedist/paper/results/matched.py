"""Students of different losses compared at one KL to the teacher, since another KL alone moves every other score.

A student's scores at that KL are read off its own curve over the epochs, where it crosses that KL for the last time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.paper.results.effects import Estimate, on_log_scale, random_effects
from closedist.paper.results.student_metrics import UNIFORM, Metrics

Floats = NDArray[np.float64]
KL = "kl_to_teacher"
DISTANCES = (KL, "d_logit", "relative_d_logit", "d_rep", "relative_d_rep", UNIFORM, "concept_lost")  # spread in factors

SHARES = (
    "acc",
    "acc_to_teacher",
    "m_cca",
    "m_cca_bound",
    "concept_fitted",
    "concept_carried",
    "concept_lost_by_best_map",
)


@dataclass(frozen=True)
class AtOneKL:
    """Students at one KL, losses × teachers × seeds.

    Attributes:
        kl: KL(teacher‖student) on held-out inputs, the same for all students.
        losses, teachers, seeds: what the tables' axes are.
        scores: by name, (losses, teachers, seeds); NaN for a student that never crosses this KL.
        epochs: (losses, teachers, seeds) where it does.
    """

    kl: float
    losses: tuple[str, ...]
    teachers: tuple[int, ...]
    seeds: tuple[int, ...]
    scores: Mapping[str, Floats]
    epochs: Floats

    def not_comparable(self, loss: str) -> int:
        """How many students of a loss never cross this KL."""
        return int(np.isnan(self.epochs[self.losses.index(loss)]).sum())

    def estimate(self, score: str, loss: str) -> Estimate | None:
        """A score's mean with its interval, teachers and students drawn at random; None unless all are comparable."""
        table = self.scores[score][self.losses.index(loss)]
        return None if np.isnan(table).any() else estimated(score, table)

    def difference(self, score: str, loss: str, other: str) -> Estimate | None:
        """How much larger it is under one loss than under another, for the same teacher and seed.

        Of distances (``DISTANCES``) it is the ratio, of others the difference.
        """
        first, second = (self.scores[score][self.losses.index(name)] for name in (loss, other))
        if np.isnan(first).any() or np.isnan(second).any():
            return None
        return on_log_scale(first / second) if score in DISTANCES else random_effects(first - second)


def estimated(score: str, table: Floats) -> Estimate:
    """A score's mean over (T, S) students, teachers and seeds, with its interval.

    Distances are on the log scale, and no interval of a share leaves [0, 1].
    """
    if score in DISTANCES and (table > 0).all():
        return on_log_scale(table)
    found = random_effects(table)
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high)) if score in SHARES else found


def at_one_kl(students: Sequence[Metrics], losses: Sequence[str]) -> AtOneKL:
    """Compare the students of these losses at the largest of their smallest held-out KLs.

    Raises:
        InputError: there are no students of a loss, or not the same teachers and seeds under each.
    """
    chosen = {loss: by_teacher_and_seed(students, loss) for loss in losses}
    keys = sorted(set().union(*chosen.values()))
    for loss, found in chosen.items():
        if missing := [key for key in keys if key not in found]:
            teacher, seed = missing[0]
            raise InputError(f"loss {loss}: the student with seed {seed} of teacher {teacher} is missing; train it too")
    teachers, seeds = (tuple(sorted({key[axis] for key in keys})) for axis in (0, 1))
    if len(keys) < len(teachers) * len(seeds):
        raise InputError("students: not every teacher has the same seeds; train what is missing")
    kl = max(min(student.test[KL]) for found in chosen.values() for student in found.values())
    names = sorted(set.intersection(*(set(student.test) for found in chosen.values() for student in found.values())))
    shape = (len(losses), len(teachers), len(seeds))
    scores, epochs = {name: np.full(shape, np.nan) for name in names}, np.full(shape, np.nan)
    for index in np.ndindex(shape):
        student = chosen[losses[index[0]]][teachers[index[1]], seeds[index[2]]]
        place = last_crossing(student.test[KL], kl)
        if place is not None:
            positions = np.arange(len(student.epochs))
            epochs[index] = np.interp(place, positions, student.epochs)
            for name in names:
                scores[name][index] = np.interp(place, positions, student.test[name])
    return AtOneKL(kl, tuple(losses), teachers, seeds, scores, epochs)


def by_teacher_and_seed(students: Sequence[Metrics], loss: str) -> dict[tuple[int, int], Metrics]:
    """The students of one loss.

    Raises:
        InputError: there are none, or two of the same teacher and seed.
    """
    found: dict[tuple[int, int], Metrics] = {}
    for student in students:
        if student.name.loss != loss or student.name.teacher is None:
            continue
        key = student.name.teacher, student.name.seed
        if key in found:
            raise InputError(f"{found[key].name.text} and {student.name.text}: keep one of the two in the folder")
        found[key] = student
    if not found:
        raise InputError(f"loss {loss}: there are no students of it; train them, or leave it out")
    return found


def last_crossing(values: Sequence[float], level: float) -> float | None:
    """Where along a curve, as a position between its points, it is at a level for the last time; None if never."""
    apart = np.asarray(values) - level
    if apart[-1] == 0:
        return float(len(apart) - 1)
    crossed = np.flatnonzero(apart[:-1] * apart[1:] <= 0)
    if not len(crossed):
        return None
    first = int(crossed[-1])
    return float(first + apart[first] / (apart[first] - apart[first + 1]))
