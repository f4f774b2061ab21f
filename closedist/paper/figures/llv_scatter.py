"""d_{f,g} against d_LLV with the bounds that link them, and the terms of d_LLV against both sides' d_SVD."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from closedist.comparison import Comparison
from closedist.page.style import (
    DARK_POINT_COLOR,
    GROUP_COLORS,
    GROUP_MARKERS,
    NOTE,
    OUR_BOUND,
    PAGE_WIDTH,
    PAPER_BOUND,
    POINT_COLOR,
    SECOND_POINT_COLOR,
    closedist_style,
    grid_in_inches,
    new_figure,
    plain_log_ticks,
)
from closedist.paper.figures.plots import Plots
from closedist.paper.results.tables import Distances, Floats

LLV = "$d_{\\mathrm{LLV}}$"
DISSIMILARITY = "$d_{f,g}$"
D_SVD = "$d_{\\mathrm{SVD}}$"
ROW_HEIGHT = 1.35  # of panels, in inches: five rows and what is around them fit a page
CURVE_POINTS = 401
TOP = 1.3  # no d_SVD exceeds 1
LOWEST = 1e-10  # logarithmic axes end here, and points below stand on their edge
MARGIN = 0.025  # of an axis, at either end, so that no marker is cut
Look = dict[str, Any]
PAIRS: Look = {"marker": "o", "s": 7, "c": DARK_POINT_COLOR, "linewidths": 0, "alpha": 0.7}
UNEMBEDDINGS: Look = {"marker": "o", "s": 7, "c": POINT_COLOR, "linewidths": 0, "alpha": 0.7}
EMBEDDINGS: Look = {
    "marker": "^", "s": 10, "facecolors": "none", "edgecolors": SECOND_POINT_COLOR, "linewidths": 0.6
}  # fmt: skip
PALE = "#c4c4c4"  # of points that the panel's curve does not bound
PALE_UNEMBEDDINGS: Look = {**UNEMBEDDINGS, "c": PALE, "alpha": 1}
PALE_EMBEDDINGS: Look = {**EMBEDDINGS, "edgecolors": PALE}


def informative_limit(subset_size: int) -> float:
    """1/(2K): below it the paper's bound 2K·d_LLV says something, since no d_SVD exceeds 1."""
    return 1 / (2 * subset_size)


def make_llv_constructed(comparisons: Mapping[int, Sequence[Comparison]]) -> Plots:
    """d_LLV_constructed: by label count, a constructed model against ever noisier copies of itself."""
    rows = {
        f"{num_classes} labels": Distances.of([(0, i + 1) for i in range(len(found))], found)
        for num_classes, found in comparisons.items()
    }
    return Plots({"d_LLV_constructed": draw_scatters(rows)})


def draw_scatters(configurations: Mapping[str, Distances], title: str = "") -> Figure:
    """For every configuration a row of three scatters: d_{f,g} over d_LLV with its bounds, and d_SVD over t1 and t2.

    Drawn are the pairs whose d_LLV, t1 or t2 is below 1/(2K). The paper sets t1 beside the unembeddings' d_SVD and t2
    beside the embeddings' largest; each bounds the other side (2·t1² the embeddings', 2·t2² the unembeddings'), so both
    sides are drawn over both terms, and pale is the one that the panel's curve does not bound.

    Args:
        configurations: each row's name and its distances.
        title: above all rows.
    """
    rows = len(configurations)
    with closedist_style():
        top = 0.95 if title else 0.7  # the columns' legends, and the title
        figure = new_figure(PAGE_WIDTH, top + ROW_HEIGHT * rows + 0.28 * (rows - 1) + 0.42)
        margins = {"left": 0.7, "right": 0.14, "top": top, "bottom": 0.42}
        grid = grid_in_inches(figure, rows, 3, **margins, across=0.28, down=0.28)
        low = lowest(np.concatenate([_drawn(table) for table in configurations.values()]))
        for row, (name, table) in zip(grid, configurations.items(), strict=True):
            _draw_row(row, table, low)
            row[0].set_ylabel(f"{name}\n{DISSIMILARITY}")
        limits = {informative_limit(table.subset_size) for table in configurations.values()}
        for axes, name in zip(grid[-1], (LLV, "label term $t_1$", "input term $t_2$"), strict=True):
            axes.set_xlabel(name)
        for axes in grid[:-1].flat if len(limits) == 1 else ():
            axes.tick_params(labelbottom=False)
        for axes in grid[0]:
            axes.legend(loc="lower left", bbox_to_anchor=(-0.03, 1.16), borderpad=0, borderaxespad=0, labelspacing=0.3)
        if title:
            figure.suptitle(title, y=1 - 0.05 / figure.get_size_inches()[1])
    return figure


def _drawn(table: Distances) -> Floats:
    """Everything that stands in a row of scatters."""
    limit = informative_limit(table.subset_size)
    sides = ("dissimilarity_unembeddings", "dissimilarity_embeddings")
    shown = [("llv", "dissimilarity")] + [(term, side) for term in ("label_term", "input_term") for side in sides]
    return np.concatenate([table[y][table[x] < limit] for x, y in shown])


def _draw_row(row: Sequence[Axes], table: Distances, low: float) -> None:
    """The three scatters of one configuration, on one logarithmic scale from ``low`` on."""
    limit, factor = informative_limit(table.subset_size), 2 * table.subset_size
    curve = _curve(limit)
    _scatter_below(row[0], table["llv"], limit, low, [(f"pair with {LLV} < 1/(2M)", table["dissimilarity"], PAIRS)])
    row[0].plot(curve, factor * curve, **PAPER_BOUND, label=f"its bound 2M {LLV} = {factor} {LLV}")
    row[0].plot(curve, 2 * curve**2, **OUR_BOUND, label=f"its bound 2 {LLV}$^2$")
    unembeddings, embeddings = table["dissimilarity_unembeddings"], table["dissimilarity_embeddings"]
    sides = [("unembeddings': not bounded", unembeddings, PALE_UNEMBEDDINGS),
             (f"embeddings' largest {D_SVD}", embeddings, EMBEDDINGS)]  # fmt: skip
    _scatter_below(row[1], table["label_term"], limit, low, sides)
    sides = [("embeddings': not bounded", embeddings, PALE_EMBEDDINGS),
             (f"unembeddings' {D_SVD}", unembeddings, UNEMBEDDINGS)]  # fmt: skip
    _scatter_below(row[2], table["input_term"], limit, low, sides)
    for axes, term in zip(row[1:], ("t_1", "t_2"), strict=True):
        axes.plot(curve, 2 * curve**2, **OUR_BOUND, label=f"its bound 2 ${term}^2$")
        axes.set_ylabel(D_SVD)
        axes.tick_params(labelleft=False)


def draw_overview(groups: Mapping[str, Sequence[Distances]]) -> Figure:
    """One scatter over all configurations: d_{f,g} over d_LLV below 1/(2K), a colour and marker for every group.

    Args:
        groups: by legend text, for example "4 labels", the distances of that group's configurations.
    """
    sizes = {table.subset_size for tables in groups.values() for table in tables}
    limit = informative_limit(min(sizes))
    curve = _curve(limit)
    with closedist_style():
        figure = new_figure(0.75 * PAGE_WIDTH, 0.6 * PAGE_WIDTH)
        axes = figure.add_subplot()
        near = [table["dissimilarity"][table["llv"] < limit] for tables in groups.values() for table in tables]
        low = lowest(np.concatenate(near))
        _frame(axes, limit, low)
        for index, (name, tables) in enumerate(groups.items()):
            llv = np.concatenate([table["llv"] for table in tables])
            dissimilarity = np.concatenate([table["dissimilarity"] for table in tables])
            shown = np.concatenate([table["llv"] < informative_limit(table.subset_size) for table in tables])
            look: Look = {"c": GROUP_COLORS[index % 4], "marker": GROUP_MARKERS[index % 4], "alpha": 0.6}
            text = f"{name}: {shown.sum():,} of {len(shown):,} pairs"
            y = np.maximum(dissimilarity[shown], low)
            axes.scatter(llv[shown], y, s=7, **look, linewidths=0, rasterized=True, label=text)
        for size in sorted(sizes):
            axes.plot(curve, 2 * size * curve, **PAPER_BOUND, label=f"paper's bound 2M {LLV} = {2 * size} {LLV}")
        axes.plot(curve, 2 * curve**2, **OUR_BOUND, label=f"our bound 2 {LLV}$^2$")
        axes.set(xlabel=LLV, ylabel=DISSIMILARITY)
        figure.legend(  # inside it would hide points
            loc="outside upper center", ncols=2, markerscale=1.5, title=f"pairs of models with {LLV} < 1/(2M)",
            title_fontsize=7,
        )  # fmt: skip
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
    bottom = lowest(np.concatenate([distances["dissimilarity"] for distances in groups.values()]))
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


def _scatter_below(
    axes: Axes, x: Floats, limit: float, low: float, columns: Sequence[tuple[str, Floats, Look]]
) -> None:
    """Scatter each column, by its legend text, where x is below the limit; say how many of all pairs these are."""
    shown = x < limit
    _frame(axes, limit, low)
    for text, y, look in columns:
        axes.scatter(x[shown], np.maximum(y[shown], low), **look, label=text)
    axes.set_title(f"{shown.sum():,} of {len(x):,} pairs below 1/(2M)", loc="right", fontsize=7, color="#555555")
    if not shown.any():
        axes.text(
            0.55, 0.2, f"no pair is below {limit:.3g};\nthe smallest is {x.min():.3g}", **NOTE, transform=axes.transAxes
        )


def _frame(axes: Axes, limit: float, low: float) -> None:
    """Room for every marker between 0 and the limit, and from the lowest point to beyond 1 on a logarithmic scale."""
    axes.set(xlim=(-MARGIN * limit, (1 + MARGIN) * limit), yscale="log", ylim=(low * (low / TOP) ** MARGIN, TOP))
    axes.set_xticks([tick for tick in MaxNLocator(5).tick_values(0, limit) if tick <= limit])
    plain_log_ticks(axes.yaxis)


def lowest(values: Floats) -> float:
    """Where a logarithmic axis may end: at the lowest value, but for those of models that are all but equal."""
    return max(LOWEST, float(values[values > 0].min(initial=0.1)))


def _curve(limit: float) -> Floats:
    return limit * np.geomspace(1e-9, 1, CURVE_POINTS)  # without 0, which a logarithmic axis has no place for
