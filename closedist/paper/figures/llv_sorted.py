"""Every configuration's d_LLV in rising order: how far apart its pairs of seeds are, from the closest on."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from closedist.page.style import NOTE, PAGE_WIDTH, closedist_style, new_figure, plain_log_ticks
from closedist.paper.figures.llv_scatter import LLV, informative_limit
from closedist.paper.results.tables import Distances

LINE_STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKERS_PER_LINE = 5


def draw_sorted(rows: Mapping[str, Mapping[str, Mapping[str, Distances]]]) -> Figure:
    """A row of panels for every label count, a column for every length setting, in each a line for every width.

    Args:
        rows: by label count, then length setting, then width, each in words, for example
            ``rows["4 labels"]["free lengths"]["width 16"]``.
    """
    columns = list(dict.fromkeys(lengths for panels in rows.values() for lengths in panels))
    widths = list(dict.fromkeys(width for panels in rows.values() for lines in panels.values() for width in lines))
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.2, 1, len(widths)))
    with closedist_style():
        size = (max(3.35, PAGE_WIDTH * len(columns) / 4), 1.5 * len(rows) + 0.9)
        figure = new_figure(*size)
        grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
        for axes_row, (labels, panels) in zip(grid, rows.items(), strict=True):
            axes_row[0].set_ylabel(f"{labels}: {LLV}")
            for axes, lengths in zip(axes_row, columns, strict=True):
                for width, distances in panels.get(lengths, {}).items():
                    index = widths.index(width)
                    axes.plot(
                        np.arange(1, len(distances) + 1), np.sort(distances["llv"]), color=colors[index], linewidth=1,
                        linestyle=LINE_STYLES[index % 4], marker=MARKERS[index % 6], markersize=3,
                        markevery=(index, max(1, len(distances) // MARKERS_PER_LINE)), label=width,
                    )  # fmt: skip
                    limit = informative_limit(distances.subset_size)
                    axes.axhline(limit, color="#222222", linewidth=0.7, zorder=0.9)
                axes.set_yscale("log")
                if lengths not in panels:
                    axes.text(0.5, 0.5, "no results", **NOTE, transform=axes.transAxes)
        for axes, lengths in zip(grid[0], columns, strict=True):
            axes.set_title(lengths.replace(" of length", "\nof length"))
        for axes in grid[-1]:
            axes.set_xlabel(f"pairs by rising {LLV}")
        plain_log_ticks(grid[0, 0].yaxis)
        handles = {label: handle for axes in grid.flat
                   for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}  # fmt: skip
        figure.legend(
            handles=list(handles.values()), loc="outside lower center", ncols=len(widths) if len(columns) > 2 else 2,
            title="The black line is at 1/(2M): below it the paper's bound is informative.", title_fontsize=7,
        )  # fmt: skip
    return figure
