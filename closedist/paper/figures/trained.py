"""The figures of trained models' distances and accuracies, in result files of ours or of the paper's code.

Each takes a results folder or a results.zip, and for every label count the newest date that has what it needs. What is
missing is noted with the command that makes it; where nothing is there, that is the error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from closedist.errors import InputError
from closedist.measures.settings import DEFAULTS
from closedist.paper.figures.llv_scatter import draw_overview, draw_scatters
from closedist.paper.figures.llv_sorted import draw_sorted
from closedist.paper.figures.llv_vs_width import (
    WidthPairs,
    draw_llv_vs_width,
    good_pairs,
)
from closedist.paper.figures.plots import Plots
from closedist.paper.results.archive import ResultsSource, open_results
from closedist.paper.results.names import (
    DISTANCES_PART,
    SMALL_MLP,
    Configuration,
    accuracies_file_name,
    distances_file_name,
    label_counts_in,
    newest_date,
)
from closedist.paper.results.tables import Distances, read_accuracies, read_distances

LABEL_COUNTS = (4, 6, 10, 18)
LABEL_GROUPS = ((4, 6), (10,), (18,))  # the figures of d_LLV_vs_width
WIDTHS = (16, 32, 64, 128, 256)
SCATTER_WIDTHS = WIDTHS[:4]
LENGTHS = {  # by the lengths that g and f are fixed to, 0 where free
    (0, 0): "free lengths",
    (20, 0): "unembeddings of length 20",
    (0, 20): "embeddings of length 20",
    (20, 20): "both of length 20",
}
Source = str | Path | ResultsSource


def make_llv_train_synthetic(
    results: Source, date: str | None = None, label_counts: Sequence[int] = LABEL_COUNTS
) -> Plots:
    """d_LLV_train_synthetic: the scatters of every trained configuration, one over all, and d_LLV in rising order.

    Args:
        results: the results folder or a results.zip.
        date: of the results; where None, for each label count the newest that has what is needed.

    Raises:
        InputError: there are no distances for any of the label counts.
    """
    selection = _Selection(open_results(results), date)
    plots = Plots({}, selection.notes)
    settings = [(width, lengths) for lengths in LENGTHS for width in SCATTER_WIDTHS]
    everything: dict[str, list[Distances]] = {}
    rising: dict[str, dict[str, dict[str, Distances]]] = {}
    for num_classes in label_counts:

        def needed(of: str, num_classes: int = num_classes) -> list[str]:
            return [_distances_name(of, num_classes, width, lengths) for width, lengths in settings]

        names = selection.take(num_classes, SCATTER_WIDTHS, needed)
        tables = {
            setting: read_distances(selection.source, name)
            for setting, name in zip(settings, names, strict=True)
            if name in selection.source
        }
        if not tables:
            continue
        labels = f"{num_classes} labels"
        everything[labels] = list(tables.values())
        rising[labels] = {}
        for lengths, text in LENGTHS.items():
            rows = {f"width {width}": table for (width, of), table in tables.items() if of == lengths}
            if rows:
                ending = "".join(f"_{side}_{length}" for side, length in zip("gf", lengths, strict=True) if length)
                figure = draw_scatters(rows, f"{labels}, {text}")
                plots.figures[f"d_LLV_train_synthetic_cls{num_classes}{ending}"] = figure
                rising[labels][text] = rows
    if not everything:
        raise selection.nothing_found()
    of = f"_cls{label_counts[0]}" if len(label_counts) == 1 else ""  # the files of all label counts stay
    plots.figures[f"d_LLV_train_synthetic{of}_all"] = draw_overview(everything)
    plots.figures[f"d_LLV_train_synthetic{of}_sorted"] = draw_sorted(rising)
    return plots


def make_llv_vs_width(results: Source, date: str | None = None, label_counts: Sequence[int] = LABEL_COUNTS) -> Plots:
    """d_LLV_vs_width: d_LLV and d_{f,g} of free-length models with accuracy above 0.9, against width.

    Arguments as for :func:`make_llv_train_synthetic`; accuracies are needed too.

    Raises:
        InputError: for no label count are there distances and accuracies of a width with enough good models.
    """
    selection = _Selection(open_results(results), date)
    plots = Plots({}, selection.notes)
    for group in _groups(label_counts):
        series = {}
        for num_classes in group:
            found = _width_pairs(selection, num_classes)
            if any(pairs.enough for pairs in found):
                series[num_classes] = found
        if series:
            name = "_".join(f"cls{num_classes}" for num_classes in series)
            named = {f"{num_classes} labels": found for num_classes, found in series.items()}
            plots.figures[f"d_LLV_vs_width_{name}"] = draw_llv_vs_width(named)
    if not plots.figures:
        raise selection.nothing_found()
    return plots


@dataclass
class _Selection:
    """Which result files are taken for each label count, in lines for the user."""

    source: ResultsSource
    date: str | None
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def take(self, num_classes: int, widths: Sequence[int], needed: Callable[[str], list[str]]) -> list[str]:
        """The names of all files needed, of the date that is best for this label count; not all need be there."""
        files = newest_date(self.source, needed, self.date)
        date = files.date or self.date or "DATE"
        if files.found:
            total = len(files.found) + len(files.missing)
            self.notes.append(f"{num_classes} labels: results of {date}, {len(files.found)} of {total} files")
        if files.missing:
            options = f"--date-str={date} --layer-size={','.join(map(str, widths))} --num-classes={num_classes}"
            commands = []
            if any(DISTANCES_PART in name for name in files.missing):
                method = f"--dist-type={DEFAULTS.reduction} --weight={DEFAULTS.weight:f}".rstrip("0")
                method += f" --sum-or-max={DEFAULTS.combine} --num-samples={DEFAULTS.num_samples}"
                commands.append(f"`closedist get-distances {options} {method}`")
            if not all(DISTANCES_PART in name for name in files.missing):
                commands.append(f"`closedist get-accuracies {options}`")
            more = f" and {len(files.missing) - 1} more" if len(files.missing) > 1 else ""
            text = f"{num_classes} labels: {self.source.place} has no {files.missing[0]}{more}"
            if not files.found:
                there = ", ".join(map(str, label_counts_in(self.source.names))) or "no"
                text += f"; it has results of {there} labels"
            text += f"; once its models are trained, make them with {' and '.join(commands)}"
            (self.notes if files.found else self.missing).append(text)
        return needed(date)

    def nothing_found(self) -> InputError:
        """The error that nothing can be drawn: what is missing for the first label count stands for the others."""
        reasons = self.missing[:1] or self.notes
        likewise = f" ({len(self.missing) - 1} more likewise)" if len(self.missing) > 1 else ""
        return InputError("there is nothing to draw. " + "; ".join(reasons) + likewise)


def _groups(label_counts: Sequence[int]) -> list[tuple[int, ...]]:
    """The label counts that share a figure, as in the paper; any other has its own."""
    grouped = [tuple(count for count in group if count in label_counts) for group in LABEL_GROUPS]
    return [group for group in grouped if group] + [(count,) for count in label_counts if count not in LABEL_COUNTS]


def _width_pairs(selection: _Selection, num_classes: int) -> list[WidthPairs]:
    """The pairs of good models of each width of one label count that distances and accuracies are there of."""

    def needed(date: str) -> list[str]:
        distances = [_distances_name(date, num_classes, width, (0, 0)) for width in WIDTHS]
        return distances + [accuracies_file_name(_models(num_classes, width), date, "test") for width in WIDTHS]

    names = selection.take(num_classes, WIDTHS, needed)
    found = []
    for width, distances, accuracies in zip(WIDTHS, names[: len(WIDTHS)], names[len(WIDTHS) :], strict=True):
        if distances in selection.source and accuracies in selection.source:
            rows = read_accuracies(selection.source, accuracies)
            found.append(good_pairs(width, read_distances(selection.source, distances), rows))
            selection.notes.append(f"{num_classes} labels, {found[-1]}")
    return found


def _distances_name(date: str, num_classes: int, width: int, lengths: tuple[int, int]) -> str:
    """The paper's setting."""
    return distances_file_name(_models(num_classes, width, lengths), date, "test", DEFAULTS)


def _models(num_classes: int, width: int, lengths: tuple[int, int] = (0, 0)) -> Configuration:
    return Configuration(SMALL_MLP, width, num_classes, 2, 15_000, *lengths)
