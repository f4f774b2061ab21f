"""d_{f,g} against d_LLV with the bounds that link them, and the terms of d_LLV against both sides' d_SVD."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from closedist.page.style import (
    DARK_POINT_COLOR,
    GROUP_COLORS,
    GROUP_MARKERS,
    HALO,
    OUR_BOUND,
    PAGE_WIDTH,
    PAPER_BOUND,
    POINT_COLOR,
    SECOND_POINT_COLOR,
    closedist_style,
    new_figure,
    plain_log_ticks,
)
from closedist.paper.results.tables import Distances, Floats

LLV = "$d_{\\mathrm{LLV}}$"
DISSIMILARITY = "$d_{f,g}$"
ROW_HEIGHT = 1.8  # five rows fit a page
CURVE_POINTS = 201
TOP = 1.3  # no d_SVD exceeds 1
LOWEST = 1e-6  # logarithmic axes end here
DISSIMILARITY_POINTS: dict[str, Any] = {"s": 7, "c": DARK_POINT_COLOR, "linewidths": 0, "alpha": 0.7}
UNEMBEDDING_POINTS: dict[str, Any] = {
    "s": 7, "c": POINT_COLOR, "linewidths": 0, "alpha": 0.7, "label": "unembeddings' $d_{\\mathrm{SVD}}$"
}  # fmt: skip
EMBEDDING_POINTS: dict[str, Any] = {
    "s": 10, "facecolors": "none", "edgecolors": SECOND_POINT_COLOR, "linewidths": 0.6, "marker": "^",
    "label": "embeddings' largest $d_{\\mathrm{SVD}}$",
}  # fmt: skip
CROSSWISE = "2 $t_1^2$ bounds the embeddings' side, 2 $t_2^2$ the unembeddings'"


def informative_limit(subset_size: int) -> float:
    """1/(2K): below it the paper's bound 2K·d_LLV says something, since no d_SVD exceeds 1."""
    return 1 / (2 * subset_size)


def draw_scatters(configurations: Mapping[str, Distances], title: str = "") -> Figure:
    """For every configuration a row of three scatters: d_{f,g} over d_LLV with its bounds, and d_SVD over t1 and t2.

    Drawn are the pairs whose d_LLV, t1 or t2 is below 1/(2K). The paper sets t1 beside the unembeddings' d_SVD and t2
    beside the embeddings' largest; each bounds the other side (2·t1² the embeddings', 2·t2² the unembeddings'), so both
    sides are drawn over both terms.

    Args:
        configurations: each row's name and its distances.
        title: above all rows.
    """
    limits = {informative_limit(table.subset_size) for table in configurations.values()}
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, ROW_HEIGHT * len(configurations) + 0.5 + (0.3 if title else 0))
        grid = figure.subplots(len(configurations), 3, squeeze=False, sharex=len(limits) == 1, sharey="row")
        for row, (name, table) in zip(grid, configurations.items(), strict=True):
            _draw_row(row, table)
            row[0].set_title(name, loc="left")
        for axes, name in zip(grid[-1], (LLV, "label term $t_1$", "input term $t_2$"), strict=True):
            axes.set_xlabel(name)
        if title:
            figure.suptitle(title)
        figure.legend(handles=grid[0, 1].get_legend_handles_labels()[0], loc="outside lower center", ncols=3)
    return figure


def _draw_row(row: Sequence[Axes], table: Distances) -> None:
    """The three scatters of one configuration, on one logarithmic scale."""
    limit = informative_limit(table.subset_size)
    _scatter_below(row[0], table["llv"], limit, [(table["dissimilarity"], DISSIMILARITY_POINTS)])
    _draw_bound(row[0], limit, 2 * table.subset_size)
    _draw_bound(row[0], limit, None)
    row[0].set_ylabel(DISSIMILARITY)
    sides = [
        (table["dissimilarity_unembeddings"], UNEMBEDDING_POINTS),
        (table["dissimilarity_embeddings"], EMBEDDING_POINTS),
    ]
    curve = _curve(limit)
    terms = (table["label_term"], table["input_term"])
    for axes, term in zip(row[1:], terms, strict=True):
        _scatter_below(axes, term, limit, sides)
        axes.plot(curve, 2 * curve**2, **OUR_BOUND, label=CROSSWISE)
        axes.set_ylabel("$d_{\\mathrm{SVD}}$")
    drawn = [table["dissimilarity"][table["llv"] < limit]] + [y[term < limit] for y, _ in sides for term in terms]
    row[0].set(xlim=(0, limit), ylim=(_lowest(np.concatenate(drawn)), TOP))
    row[0].xaxis.set_major_locator(MaxNLocator(5))
    plain_log_ticks(row[0].yaxis)


def draw_overview(groups: Mapping[str, Sequence[Distances]]) -> Figure:
    """One scatter over all configurations: d_{f,g} over d_LLV below 1/(2K), a colour and marker for every group.

    Args:
        groups: by legend text, for example "4 labels", the distances of that group's configurations.
    """
    sizes = [table.subset_size for tables in groups.values() for table in tables]
    limit = informative_limit(min(sizes))
    with closedist_style():
        figure = new_figure(0.75 * PAGE_WIDTH, 0.55 * PAGE_WIDTH)
        axes = figure.add_subplot()
        axes.set(xlim=(0, limit), yscale="log", ylim=(LOWEST, TOP), xlabel=LLV, ylabel=DISSIMILARITY)
        low = 1.0
        for index, (name, tables) in enumerate(groups.items()):
            llv = np.concatenate([table["llv"] for table in tables])
            dissimilarity = np.concatenate([table["dissimilarity"] for table in tables])
            shown = np.concatenate([table["llv"] < informative_limit(table.subset_size) for table in tables])
            look: dict[str, Any] = {"c": GROUP_COLORS[index % 4], "marker": GROUP_MARKERS[index % 4], "alpha": 0.6}
            text = f"{name}: {shown.sum():,} of {len(shown):,} pairs"
            axes.scatter(llv[shown], dissimilarity[shown], s=7, **look, linewidths=0, rasterized=True, label=text)
            low = min(low, _lowest(dissimilarity[shown]))
        axes.set_ylim(low, TOP)
        plain_log_ticks(axes.yaxis)
        for size in sorted(set(sizes)):
            _draw_bound(axes, limit, 2 * size)
        _draw_bound(axes, limit, None)
        figure.legend(loc="outside upper center", ncols=2, markerscale=1.5)  # inside it would hide points
    return figure


def draw_three_bounds(groups: Mapping[str, Distances], title: str = "") -> Figure:
    """d_{f,g} and its certificate over d_LLV for every pair, with the lines 2K·d_LLV and 2·d_LLV², on logarithmic axes.

    Args:
        groups: by legend text, for example "width 16"; without certificates, which files of the paper's code lack, only
            d_{f,g} is drawn.
    """
    llv = np.concatenate([distances["llv"] for distances in groups.values()])
    low = 0.8 * float(llv[llv > 0].min(initial=1))
    high = 1.25 * max(low, float(llv.max()))
    bottom = _lowest(np.concatenate([distances["dissimilarity"] for distances in groups.values()]))
    factors = sorted({2 * distances.subset_size for distances in groups.values()})
    with closedist_style():
        figure = new_figure(0.8 * PAGE_WIDTH, 0.52 * PAGE_WIDTH)
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bottom, max(TOP, factors[-1] * high)), title=title)
        for index, (name, distances) in enumerate(groups.items()):
            color, marker = GROUP_COLORS[index % 4], GROUP_MARKERS[index % 4]
            filled: dict[str, Any] = {"s": 8, "c": color, "linewidths": 0}
            axes.scatter(
                distances["llv"], distances["dissimilarity"], **filled, marker=marker, label=f"{name}: {DISSIMILARITY}"
            )
            if "certificate" in distances:
                hollow: dict[str, Any] = {"s": 18, "facecolors": "none", "edgecolors": color, "linewidths": 0.7}
                axes.scatter(
                    distances["llv"],
                    distances["certificate"],
                    **hollow,
                    marker=marker,
                    label=f"{name}: its certificate",
                )
        ends = np.array([low, high])
        axes.plot(ends, 2 * ends**2, **OUR_BOUND, label=f"quadratic bound 2 {LLV}$^2$")
        for factor in factors:
            axes.plot(ends, factor * ends, **PAPER_BOUND, label=f"the paper's bound {factor} {LLV}")
        axes.axhline(1, color="#888888", linewidth=0.8, linestyle=":", label=f"largest {DISSIMILARITY} there is")
        axes.set(xlabel=LLV, ylabel=f"{DISSIMILARITY} and its upper bounds")
        for axis in (axes.xaxis, axes.yaxis):
            plain_log_ticks(axis)
        figure.legend(loc="outside right upper")
    return figure


def _scatter_below(axes: Axes, x: Floats, limit: float, columns: Sequence[tuple[Floats, dict[str, Any]]]) -> None:
    """Scatter each column where x is below the limit, and say how many of all pairs these are."""
    shown = x < limit
    axes.set(xlim=(0, limit), yscale="log", ylim=(LOWEST, TOP))
    for y, look in columns:
        axes.scatter(x[shown], y[shown], **look)
    axes.set_title(f"{shown.sum():,} of {len(x):,} pairs", loc="right", fontsize=7, color="#555555")


def _lowest(values: Floats) -> float:
    """Where a logarithmic axis may end: below every value, but for those of models that are all but equal."""
    positive = values[values > 0]
    return max(LOWEST, 0.7 * float(positive.min(initial=0.1)))


def _curve(limit: float) -> Floats:
    return limit * np.geomspace(1e-4, 1, CURVE_POINTS)  # without 0, which a logarithmic axis has no place for


def _draw_bound(axes: Axes, limit: float, factor: int | None) -> None:
    """A line named where it lies: the paper's bound factor·d_LLV, or without a factor our 2·d_LLV²."""
    x, at = _curve(limit), (0.42 if factor is None else 0.6) * limit
    if factor is None:
        axes.plot(x, 2 * x**2, **OUR_BOUND)
        place: dict[str, Any] = {"xy": (at, 2 * at**2), "xytext": (0, 2), "ha": "right", "va": "bottom"}
        text, look = f"2 {LLV}$^2$", OUR_BOUND
    else:
        axes.plot(x, factor * x, **PAPER_BOUND)
        place = {"xy": (at, factor * at), "xytext": (3, -2), "ha": "left", "va": "top"}
        text, look = f"{factor} {LLV}", PAPER_BOUND
    axes.annotate(text, **place, textcoords="offset points", color=look["color"], fontsize=7, path_effects=HALO)
