"""Tables of distilled students: at their last epoch, and at one KL to the teacher."""

import csv
import io
import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from closedist.paper.results.effects import Estimate
from closedist.paper.results.matched import DISTANCES, AtOneKL, by_teacher_and_seed, estimated
from closedist.paper.results.student_metrics import Metrics

Table = NDArray[np.float64]
_COLUMNS = 80
Rows = list[list[str]]  # the head first; the first cell of each names it
WORDS = {  # the scores shown, and what a reader calls them
    "acc": "right label",
    "acc_to_teacher": "the teacher's label",
    "kl_to_teacher": "KL(teacher‖student)",
    "d_logit": "d_logit",
    "relative_d_logit": "relative d_logit",
    "d_rep": "d_rep",
    "relative_d_rep": "relative d_rep",
    "m_cca": "m_CCA",
    "m_cca_bound": "m_CCA at least",
    "concept_fitted": "concept, fitted probe",
    "concept_carried": "concept, carried head",
    "concept_lost": "head's variance lost",
    "concept_lost_by_best_map": "… by the best map",
}


def last_epoch(students: Sequence[Metrics], losses: Sequence[str]) -> Rows:
    """Means over all students at their last epoch, on test inputs, with intervals; each loss at its own KL."""
    chosen = {loss: by_teacher_and_seed(students, loss) for loss in losses}
    rows = [["last epoch", *losses]]
    for score, words in _scores(students):
        rows.append([words, *(_cell(_last(found, score)) for found in chosen.values())])
    return rows


def at_this_kl(found: AtOneKL) -> Rows:
    """Means over all students at one KL, with intervals."""
    rows = [[f"at KL {found.kl:.4f}", *found.losses]]
    for score, words in WORDS.items():
        if score in found.scores:
            rows.append([words, *(_at(score, table) for table in found.scores[score])])
    rows.append(["epochs until there", *("—" if np.isnan(own).any() else f"{own.mean():.0f}" for own in found.epochs)])
    if any(found.not_comparable(loss) for loss in found.losses):
        counts = [f"{found.not_comparable(loss)} of {found.epochs[0].size}" for loss in found.losses]
        rows.append(["students that are closer all along", *counts])
    return rows


def differences(found: AtOneKL, pairs: Sequence[tuple[str, str]]) -> Rows:
    """At one KL, how much larger scores are under the first of two losses, teacher by teacher and seed by seed."""
    rows = [["at one KL, difference or ratio (×)", *(f"{first} to {second}" for first, second in pairs)]]
    for score, words in WORDS.items():
        if score in found.scores and score != "kl_to_teacher":
            cells = (found.difference(score, *pair) for pair in pairs)
            ratio = "× " if score in DISTANCES else ""
            rows.append([words, *("—" if cell is None else ratio + _cell(cell) for cell in cells)])
    return rows


def as_markdown(rows: Rows) -> str:
    """A table as GitHub shows it."""
    lines = [rows[0], ["---", *("---:" for _ in rows[0][1:])], *rows[1:]]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def as_latex(rows: Rows) -> str:
    """A tabular for ``\\input`` with the rules of the booktabs package."""
    signs = {"×": "$\\times$", "‖": "$\\|$", "−": "$-$", "—": "---", "…": "\\dots", "_": "\\_"}

    def line(row: list[str]) -> str:
        return latex_row(["".join(signs.get(letter, letter) for letter in cell) for cell in row])

    columns = "l" + "r" * (len(rows[0]) - 1)
    head = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        line(rows[0]),
        "\\midrule",
    ]
    return "\n".join([*head, *map(line, rows[1:]), "\\bottomrule", "\\end{tabular}"]) + "\n"


def latex_row(cells: Sequence[str]) -> str:
    """A row of a tabular, on lines that a terminal of 80 columns shows."""
    row = " & ".join(cells) + " \\\\"
    return textwrap.fill(row, 79, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def as_csv(rows: Rows) -> str:
    """Comma-separated values, cells as they are shown."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def table_formats(rows: Rows) -> dict[str, tuple[str, str]]:
    """A table as figures' files have it: by format, its ending and its text."""
    return {"latex": ("tex", as_latex(rows)), "markdown": ("md", as_markdown(rows)), "csv": ("csv", as_csv(rows))}


def as_text(rows: Rows) -> str:
    """A table with columns of one width, in parts below each other where one would be wider than a terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    parts: list[list[int]] = [[]]
    for column, width in enumerate(widths[1:], 1):
        if parts[-1] and widths[0] + sum(2 + widths[other] for other in parts[-1]) + 2 + width > _COLUMNS:
            parts.append([])
        parts[-1].append(column)
    return "\n".join(
        "".join(
            "  ".join([row[0].ljust(widths[0]), *(row[column].rjust(widths[column]) for column in part)]) + "\n"
            for row in rows
        )
        for part in parts
    )


def _scores(students: Sequence[Metrics]) -> list[tuple[str, str]]:
    """The scores shown that all students have."""
    with_teacher = [student for student in students if student.name.teacher is not None]
    return [(score, words) for score, words in WORDS.items() if all(score in one.test for one in with_teacher)]


def _last(found: dict[tuple[int, int], Metrics], score: str) -> Estimate | float:
    keys = sorted(found)
    teachers, seeds = (sorted({key[axis] for key in keys}) for axis in (0, 1))
    values = [found[key].test[score][-1] for key in keys]
    if len(values) == 1 or len(keys) < len(teachers) * len(seeds):
        return float(np.mean(values))
    return estimated(score, np.reshape(values, (len(teachers), len(seeds))))


def _at(score: str, table: Table) -> str:
    """A loss's cell; a dash where a student is not comparable."""
    if np.isnan(table).any():
        return "—"
    return _cell(estimated(score, table) if table.size > 1 else float(table.mean()))


def _cell(found: Estimate | float) -> str:
    """A number, or a mean with its interval."""
    if isinstance(found, Estimate):
        return f"{_number(found.value)} [{_number(found.low)}, {_number(found.high)}]"
    return _number(found)


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
