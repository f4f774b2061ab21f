"""Students of different losses: scores over the epochs, scores at one KL, and what closeness of logits implies."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.page.style import (
    GROUP_COLORS,
    GROUP_MARKERS,
    PAGE_WIDTH,
    closedist_style,
    new_figure,
    plain_log_ticks,
)
from closedist.paper.figures.plots import Plots
from closedist.paper.results.matched import DISTANCES, KL, AtOneKL, at_one_kl, by_teacher_and_seed, estimated
from closedist.paper.results.student_metrics import UNIFORM, Metrics
from closedist.paper.results.student_tables import WORDS, at_this_kl, last_epoch, table_formats

Floats = NDArray[np.float64]
LOSSES = ("kl", "l1", "l2", "l1-raw", "l2-raw")
PAIRINGS = (("l1", "kl"), ("l1", "l2"), ("l2", "kl"))  # the paper's order; raw losses likewise
NAMES = {**WORDS, UNIFORM: "d_rep² (paper's mean, student's)", "cca": "R² by CCA (paper's 'cca')"}
CURVES = (
    "kl_to_teacher", "acc", "acc_to_teacher", "d_logit", "d_rep", UNIFORM, "relative_d_rep", "m_cca", "cca",
    "concept_fitted", "concept_carried",
)  # fmt: skip
OVER_KL = ("d_logit", "m_cca", "concept_fitted")
COLUMNS = 4


def make_distillation_curves(students: Sequence[Metrics]) -> Plots:
    """distillation_curves: a figure for each pairing of losses, every score on both splits over the epochs."""
    losses = _losses(students)
    pairings = sorted(combinations(losses, 2), key=lambda pair: _order(*pair))
    if not pairings:
        raise InputError(f"students of one loss only, {losses[0]}; train two, as in `closedist distil --loss=kl,l2`")
    return Plots(
        {f"distillation_curves_{first}_{second}": _draw_curves(students, (first, second)) for first, second in pairings}
    )


def make_distillation_at_one_kl(students: Sequence[Metrics]) -> Plots:
    """distillation_at_one_kl: every student a point, at one KL to the teacher, with means and honest intervals.

    Beside it distillation_over_kl, every student's path through all KLs: whether another KL would say otherwise.
    """
    losses = _losses(students)
    found = at_one_kl(students, losses)
    notes = [
        f"{loss}: {count} students are closer than KL {found.kl:.4f} from their first evaluation on: not comparable"
        for loss in losses
        if (count := found.not_comparable(loss))
    ]
    figures = {"distillation_at_one_kl": _draw_at_one_kl(found), "distillation_over_kl": _draw_over_kl(students, found)}
    return Plots(figures, notes)


def make_distillation_bound(students: Sequence[Metrics]) -> Plots:
    """distillation_bound: theorem F.1 with both sides centred, Σλ(1 − ρ²) and d_logit,c² of every student by epoch."""
    losses = [loss for loss in _losses(students) if "variance_apart" in _of(students, loss)[0].test]
    if not losses:
        raise InputError("these metrics hold no Σλ(1 − ρ²): the published code does not measure it; use ours")
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 2.6)
        for axes, loss in zip(figure.subplots(1, len(losses), squeeze=False, sharey=True)[0], losses, strict=True):
            for student in _of(students, loss):
                squared = np.square(student.test["d_logit_centred"])
                axes.plot(student.epochs, squared, c=GROUP_COLORS[0], alpha=0.6, lw=0.7)
                axes.plot(student.epochs, student.test["variance_apart"], c=GROUP_COLORS[1], ls="--", alpha=0.6, lw=0.7)
            axes.set(yscale="log", xlabel="epoch", title=f"loss {loss}, {len(_of(students, loss))} students")
            plain_log_ticks(axes.yaxis)
        handles = [
            Line2D([], [], c=GROUP_COLORS[0], label="$d_{\\mathrm{logit}}^2$ about its mean"),
            Line2D([], [], c=GROUP_COLORS[1], ls="--", label="$\\sum_i\\lambda_i(1-\\rho_i^2)$"),
        ]
        figure.axes[0].set_ylabel("squared logits, test inputs")
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return Plots({"distillation_bound": figure})


def make_distillation_table(students: Sequence[Metrics]) -> Plots:
    """distillation_table: the last epoch's scores, and those at one KL."""
    losses = _losses(students)
    with_baseline = [*losses, "labels"] if any(one.name.loss == "labels" for one in students) else losses
    tables = {"distillation_last_epoch": last_epoch(students, with_baseline)}
    if len(losses) > 1:
        tables["distillation_at_one_kl"] = at_this_kl(at_one_kl(students, losses))
    return Plots({}, tables={name: table_formats(rows) for name, rows in tables.items()})


def _losses(students: Sequence[Metrics]) -> list[str]:
    """The losses of distillation that there are students of."""
    found = [loss for loss in LOSSES if any(student.name.loss == loss for student in students)]
    if not found:
        raise InputError("these are metrics of teachers only; train students with `closedist distil`")
    return found


def _order(first: str, second: str) -> int:
    kinds = {first.removesuffix("-raw"), second.removesuffix("-raw")}
    return next((index for index, pair in enumerate(PAIRINGS) if set(pair) == kinds), len(PAIRINGS))


def _of(students: Sequence[Metrics], loss: str) -> list[Metrics]:
    found = by_teacher_and_seed(students, loss)
    return [found[key] for key in sorted(found)]


def _draw_curves(students: Sequence[Metrics], losses: tuple[str, str]) -> Figure:
    chosen = {loss: _of(students, loss) for loss in losses}
    first = chosen[losses[0]][0]
    panels = [(split, score) for score in CURVES for split in ("train", "test") if score in getattr(first, split)]
    rows = -(-len(panels) // COLUMNS)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 1.45 * rows + 0.4)
        grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, (split, score) in zip(grid, panels, strict=False):
            for loss, color in zip(losses, GROUP_COLORS, strict=False):
                _draw_mean(axes, chosen[loss], split, score, color)
            axes.set_title(f"{NAMES[score]}, {split}" if score in first.train else NAMES[score])
            values = [value for loss in losses for one in chosen[loss] for value in getattr(one, split)[score]]
            _limit(axes, min(values), max(values), logarithmic=score in DISTANCES and min(values) > 0)
        handles = [Line2D([], [], c=color, label=loss) for loss, color in zip(losses, GROUP_COLORS, strict=False)]
        handles += [
            Line2D([], [], c="#222222", label="mean, 95 % over teachers and students"),
            Line2D([], [], c="#222222", ls=":", label="inverse-variance mean"),
            Line2D([], [], c="#222222", ls="", marker=".", label="a student"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=5)
        figure.supxlabel("epoch", fontsize=8)
    return figure


def _limit(axes: Axes, low: float, high: float, *, logarithmic: bool) -> None:
    """Show the range of the students' scores; of an interval only what lies there."""
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.1, high * 1.1)
        plain_log_ticks(axes.yaxis)
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if high < 30 * low else (1, 3), numticks=20)
        )  # panels are low
    elif high > low:
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _draw_mean(axes: Axes, students: Sequence[Metrics], split: str, score: str, color: str) -> None:
    """A loss's mean with its interval, the paper's mean beside it, and the students as points at the end."""
    epochs = students[0].epochs
    values = np.array([getattr(student, split)[score] for student in students])  # (students, epochs)
    teachers = {student.name.teacher for student in students}
    if len(values) % len(teachers) or any(student.epochs != epochs for student in students):
        raise InputError("not every teacher has as many students, or they were not evaluated at the same epochs")
    table = values.reshape(len(teachers), -1, len(epochs))
    axes.plot([epochs[-1]] * len(values), values[:, -1], ".", c=color, ms=2, alpha=0.7)
    if len(values) == 1:
        axes.plot(epochs, values[0], c=color)
    else:
        found = [estimated(score, table[..., epoch]) for epoch in range(len(epochs))]
        low, high = [one.low for one in found], [one.high for one in found]
        axes.plot(epochs, [one.value for one in found], c=color)
        axes.fill_between(epochs, low, high, color=color, alpha=0.15, lw=0)
        axes.plot(epochs, _inverse_variance_means(table), c=color, ls=":", lw=0.9)


def _inverse_variance_means(table: Floats) -> Floats:
    """(E,) the second paper's means of (T, S, E) numbers; NaN, no line, where a teacher's students all agree."""
    variances = table.var(1, ddof=1) if table.shape[1] > 1 else np.zeros((len(table), table.shape[2]))
    agree = (variances == 0).any(0)
    weights = 1 / np.where(variances == 0, 1.0, variances)
    means: Floats = (weights * table.mean(1)).sum(0) / weights.sum(0)
    return np.where(agree, np.nan, means)


def _draw_over_kl(students: Sequence[Metrics], found: AtOneKL) -> Figure:
    """A panel for each of a few scores: every student's score against its KL, from evaluation to evaluation."""
    scores = [score for score in OVER_KL if score in found.scores]
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 2.3)
        for axes, score in zip(figure.subplots(1, len(scores), squeeze=False)[0], scores, strict=True):
            for loss, color in zip(found.losses, GROUP_COLORS, strict=False):
                for student in _of(students, loss):
                    axes.plot(student.test[KL], student.test[score], c=color, lw=0.5, alpha=0.6)
            axes.axvline(found.kl, c="#222222", ls="--", lw=0.8)
            axes.set(xscale="log", xlabel="KL(teacher‖student), test", title=WORDS[score])
            plain_log_ticks(axes.xaxis)
        handles = [Line2D([], [], c=color, label=loss) for loss, color in zip(found.losses, GROUP_COLORS, strict=False)]
        handles.append(Line2D([], [], c="#222222", ls="--", label=f"the one KL, {found.kl:.3f}"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_at_one_kl(found: AtOneKL) -> Figure:
    scores = [score for score in WORDS if score in found.scores and score != "kl_to_teacher"]
    rows = -(-len(scores) // COLUMNS)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 1.55 * rows + 0.4)
        grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for axes in grid[len(scores) :]:
            axes.remove()
        for axes, score in zip(grid, scores, strict=False):
            for position, loss in enumerate(found.losses):
                _draw_students(axes, found, score, loss, position)
            if score in DISTANCES:
                axes.set_yscale("log")
                plain_log_ticks(axes.yaxis)
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
            axes.set(title=WORDS[score], xlim=(-0.5, len(found.losses) - 0.5))
            axes.set_xticks(range(len(found.losses)), found.losses)
        figure.suptitle(
            f"Students at one KL to their teacher, {found.kl:.3f} nats; bars: 95 % over teachers and students"
        )
    return figure


def _draw_students(axes: Axes, found: AtOneKL, score: str, loss: str, position: int) -> None:
    table = found.scores[score][found.losses.index(loss)]  # (teachers, seeds), NaN where not comparable
    for teacher, values in enumerate(table):
        apart = 0.05 * (teacher - (len(table) - 1) / 2)
        axes.plot([position - 0.15 + apart] * len(values), values, ".", ms=2.5, c=GROUP_COLORS[position % 4], alpha=0.7)
    estimate = found.estimate(score, loss) if table.size > 1 else None
    if estimate:
        around = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
        marker = GROUP_MARKERS[position % 4]
        axes.errorbar(position + 0.25, estimate.value, around, fmt=marker, c=GROUP_COLORS[position % 4], ms=3)
