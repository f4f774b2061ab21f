"""Every configuration's d_LLV in rising order: how far apart its pairs of seeds are, from the closest on."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from closedist.figures.llv_scatter import LLV, informative_limit
from closedist.figures.style import PAGE_WIDTH, closedist_style, new_figure, plain_log_ticks
from closedist.results import Distances

LINE_STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")


def draw_sorted(panels: Mapping[str, Mapping[tuple[str, str], Distances]]) -> Figure:
    """A panel for every label count, in it a line for every configuration: d_LLV over the pair's rank.

    Args:
        panels: by title; in each the distances by (width, lengths), for example ("width 16", "free lengths"). A width
            has one shade and marker in every panel, a length setting one line style.
    """
    shades = list(dict.fromkeys(width for lines in panels.values() for width, _ in lines))
    styles = list(dict.fromkeys(lengths for lines in panels.values() for _, lengths in lines))
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.15, 1, len(shades)))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 2.3 * rows + 0.4)
        axes_list = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes in axes_list[len(panels) :]:
            axes.remove()
        for axes, (title, lines) in zip(axes_list, panels.items(), strict=False):
            for (width, lengths), distances in lines.items():
                index = shades.index(width)
                axes.plot(
                    np.arange(1, len(distances) + 1), np.sort(distances.llv), color=colors[index], linewidth=1,
                    linestyle=LINE_STYLES[styles.index(lengths) % 4], marker=MARKERS[index % 6], markersize=3,
                    markevery=(index, max(1, len(distances) // 6)), label=f"{width}, {lengths}",
                )  # fmt: skip
            limits = {informative_limit(distances.subset_size) for distances in lines.values()}
            for limit in limits:
                axes.axhline(limit, color="#888888", linewidth=0.8, linestyle=(0, (1, 1)))
                axes.annotate("1/(2M)", (1, limit), (0, 2), textcoords="offset points", fontsize=6, color="#555555")
            axes.set(yscale="log", title=title, xlabel=f"pair of seeds, by rising {LLV}", ylabel=LLV)
            plain_log_ticks(axes.yaxis)
        handles = {label: handle for axes in axes_list[: len(panels)]
                   for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}  # fmt: skip
        figure.legend(
            handles=list(handles.values()), loc="outside lower center", ncols=len(styles) if len(styles) > 1 else 4
        )
    return figure
