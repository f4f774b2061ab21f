"""A picture of models as one figure of the width of a printed page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.explanation.groups import Groups, group_models, model_map
from closedist.explanation.pair import explain
from closedist.page.embeddings import Embeddings, drawn_inputs
from closedist.page.measures import CORRELATED, Measure, distance_at, distances_of, measures_of
from closedist.page.pair_pictures import draw_label_shares, draw_labels, draw_side, square_around
from closedist.page.pictures import draw_dendrogram, draw_heatmap, draw_map, list_models, plain
from closedist.page.style import PAGE_WIDTH, class_style, closedist_style, new_figure
from closedist.representations import Representations

POINTS = 3_000  # inputs of a pair that are drawn
MOST_LABELS = 30  # in a legend


@dataclass(frozen=True)
class Drawn:
    """What a picture is made of.

    Attributes:
        models: n on the same inputs and labels.
        names: theirs.
        comparisons: of all pairs, in ``itertools.combinations`` order.
        measure: the name of the measure that a heat map shows.
        threshold: the largest distance within a group.
    """

    models: Sequence[Representations]
    names: Sequence[str]
    comparisons: Sequence[Comparison]
    measure: str = "logit_correlation"
    threshold: float = distance_at(CORRELATED)

    @property
    def groups(self) -> Groups:
        """By complete linkage on √(2·(1 − logit correlation))."""
        return group_models(distances_of(self.measures[0]), self.threshold, names=self.names)

    @property
    def measures(self) -> list[Measure]:
        """All that some pair has."""
        return measures_of(len(self.models), self.comparisons)


def picture(kind: str, drawn: Drawn) -> Figure:
    """A figure of the kind, one of ``PICTURES``.

    Raises:
        InputError: there is no such measure.
    """
    with closedist_style():
        return PICTURES[kind](drawn)


def _heatmap(drawn: Drawn) -> Figure:
    by_name = {measure.column.name: measure for measure in drawn.measures}
    if drawn.measure not in by_name:
        raise InputError(f"--measure: {drawn.measure!r}; these models have {', '.join(by_name)}")
    measure = by_name[drawn.measure]
    unit = f", {measure.column.unit}" if measure.column.unit else ""
    figure = new_figure(PAGE_WIDTH, 0.8 * PAGE_WIDTH)
    figure.set_layout_engine("compressed")  # which knows of square cells
    draw_heatmap(
        figure.subplots(),
        measure.values,
        drawn.names,
        title=f"{measure.title}{unit}{', row to column' if measure.directed else ''}",
        larger_is_closer=bool(measure.column.larger_is_closer),
        order=drawn.groups.order,
    )
    return figure


def _map(drawn: Drawn) -> Figure:
    groups = drawn.groups
    figure = new_figure(PAGE_WIDTH, 0.62 * PAGE_WIDTH)
    figure.set_layout_engine("compressed")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    draw_map(left, model_map(distances_of(drawn.measures[0]), names=drawn.names), groups)
    list_models(right, groups)
    return figure


def _dendrogram(drawn: Drawn) -> Figure:
    count = len(drawn.names)
    figure = new_figure(PAGE_WIDTH, float(np.clip(0.9 + 0.16 * count, 1.8, 9)))
    draw_dendrogram(figure.subplots(), drawn.groups)
    return figure


def _pair(drawn: Drawn) -> Figure:
    first = drawn.models[0]
    rows = drawn_inputs(first.num_inputs, POINTS, drawn.comparisons[0].seed)
    embeddings = Embeddings(drawn.models[:2], rows, as_they_are=2)
    sides = embeddings.sides(0, 1)
    labels = [embeddings.labels_of(index) for index in range(2)]
    figure = new_figure(PAGE_WIDTH, 0.62 * PAGE_WIDTH)
    figure.set_layout_engine("compressed")
    own = "as they are" if first.dimension <= 2 else f"the two directions most alike, {sides.drawn:.0%} of the variance"
    titles = (
        f"{plain(drawn.names[0])}: embeddings,\n{own}",
        f"{plain(drawn.names[1])}: carried onto it,\nexplains {sides.fit:.0%} of that",
    )
    square = square_around(sides.first, sides.second)
    for axes, points, predicted, title in zip(
        figure.subplots(1, 2), (sides.first, sides.second), labels, titles, strict=True
    ):
        draw_side(axes, points, predicted, square)
        axes.set_title(title)
    seen = np.unique(np.concatenate(labels)).tolist()[:MOST_LABELS]
    names = _label_names(drawn.models)
    handles = []
    for label in seen:
        color, marker = class_style(label)
        name = "" if names is None else plain(names[label])
        text = f"{label} {name}" if name not in ("", str(label)) else str(label)
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="", markersize=5, label=text))
    figure.legend(handles=handles, loc="outside lower center", ncols=5 if names else 10, title="predicted label")
    return figure


def _labels(drawn: Drawn) -> Figure:
    c = drawn.comparisons[0]
    pair = drawn.models[:2]
    found = explain(*pair, names=drawn.names[:2], pivot_label=c.pivot_label, same_inputs=True)
    if found.equal:
        raise InputError(f"labels: {drawn.names[0]} and {drawn.names[1]} have equal logits, so that no label differs")
    count = min(len(found.labels), 20)
    figure = new_figure(PAGE_WIDTH, float(np.clip(1.1 + 0.17 * count, 2, 6)))
    figure.suptitle(f"{plain(drawn.names[0])} and {plain(drawn.names[1])}")
    left, right = figure.subplots(1, 2)
    draw_labels(left, found, count)
    draw_label_shares(right, found, count)
    return figure


def _label_names(models: Sequence[Representations]) -> list[object] | None:
    return next((list(model.label_names) for model in models if model.label_names is not None), None)


PICTURES: dict[str, Callable[[Drawn], Figure]] = {
    "heatmap": _heatmap,
    "map": _map,
    "dendrogram": _dendrogram,
    "pair": _pair,
    "labels": _labels,
}
OF_A_PAIR = ("pair", "labels")
