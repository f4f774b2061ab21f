"""How d_LLV and d_{f,g} fall as the networks widen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from closedist.page.style import (
    GROUP_COLORS,
    GROUP_MARKERS,
    NOTE,
    PAGE_WIDTH,
    closedist_style,
    grid_in_inches,
    new_figure,
    plain_log_ticks,
)
from closedist.paper.figures.llv_scatter import DISSIMILARITY, LLV, lowest
from closedist.paper.results.tables import AccuracyRow, Distances, Floats

MINIMUM_ACCURACY = 0.9
MINIMUM_MODELS = 5
GOLDEN = (5**0.5 - 1) / 2  # its multiples, modulo 1, spread points evenly however many there are


@dataclass(frozen=True)
class WidthPairs:
    """The pairs of good models of one width.

    Attributes:
        width: the networks' number of hidden features.
        models: how many models are good enough, of ``of_models``.
        llv: (pairs,) d_LLV of the pairs of these models.
        dissimilarity: (pairs,) d_{f,g}.
    """

    width: int
    models: int
    of_models: int
    llv: Floats
    dissimilarity: Floats

    @property
    def enough(self) -> bool:
        """Whether there are models enough to draw their pairs."""
        return self.models >= MINIMUM_MODELS and len(self.llv) > 1

    def __str__(self) -> str:
        if not self.enough:
            return (
                f"width {self.width}: left out, fewer than {MINIMUM_MODELS} models have an accuracy above "
                f"{MINIMUM_ACCURACY}"
            )
        of = {"d_LLV": self.llv, "d_fg": self.dissimilarity}
        numbers = ", ".join(f"{name} {values.mean():.3f} ± {values.std(ddof=1):.3f}" for name, values in of.items())
        return f"width {self.width}: {self.models} of {self.of_models} models, {numbers}"


def good_pairs(width: int, distances: Distances, accuracies: Sequence[AccuracyRow]) -> WidthPairs:
    """The pairs of models with accuracy above 0.9.

    Args:
        accuracies: of the models with free lengths; others are passed over.
    """
    free = [row for row in accuracies if row.fix_g == 0 and row.fix_f == 0]
    good = {row.model_seed for row in free if row.accuracy > MINIMUM_ACCURACY}
    kept = distances.select(np.array([first in good and second in good for first, second in distances.model_seeds]))
    return WidthPairs(width, len(good), len(free), kept["llv"], kept["dissimilarity"])


def draw_llv_vs_width(series: Mapping[str, Sequence[WidthPairs]]) -> Figure:
    """Every pair's d_LLV and, beside it, d_{f,g} by width, with means and the middle half of the pairs.

    Below each width stands how many models were kept; a width that keeps too few has no points, and says so.

    Args:
        series: by legend text, for example "4 labels", the pairs of each width.
    """
    with closedist_style():
        below = 0.5 + 0.13 * len(series)
        figure = new_figure(PAGE_WIDTH, 2.45 + below)
        (panels,) = grid_in_inches(figure, 1, 2, left=0.6, right=0.06, bottom=below, top=0.35, across=0.65)
        for axes, quantity, name in zip(panels, ("llv", "dissimilarity"), (LLV, DISSIMILARITY), strict=True):
            _draw(axes, series, quantity)
            axes.set_ylabel(name)
            axes.set_xlabel(
                f"width, and models kept: accuracy above {MINIMUM_ACCURACY}", labelpad=3 + 9.5 * len(series)
            )
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="upper center", ncols=len(names), borderpad=0.2)
    return figure


def _draw(axes: Axes, series: Mapping[str, Sequence[WidthPairs]], quantity: str) -> None:
    """At each width a strip of points a series, beside it the middle half as a bar and the mean, joined by a line."""
    apart = 0.84 / len(series)  # a doubled width is 1 further right
    drawn: list[Floats] = []
    for index, (name, found) in enumerate(series.items()):
        color, marker = GROUP_COLORS[index % 4], GROUP_MARKERS[index % 4]
        shift = apart * (index - (len(series) - 1) / 2)
        enough = [pairs for pairs in found if pairs.enough]
        values = [getattr(pairs, quantity) for pairs in enough]
        x = np.log2([pairs.width for pairs in enough]) + shift
        strips = [at + apart * (0.6 * (np.arange(len(y)) * GOLDEN % 1) - 0.45) for at, y in zip(x, values, strict=True)]
        axes.scatter(
            np.concatenate(strips), np.concatenate(values), s=4, c=color, marker=marker, linewidths=0, alpha=0.35,
            rasterized=True, label=f"{name}: a pair",
        )  # fmt: skip
        low, high = np.transpose([np.quantile(y, (0.25, 0.75)) for y in values])
        beside, line = x + 0.32 * apart, ("-", "--", "-.", ":")[index % 4]
        axes.vlines(beside, low, high, color=color, linewidth=3, alpha=0.5, label="middle half")
        axes.plot(beside, [y.mean() for y in values], color=color, marker=marker, linestyle=line, label="mean")
        for pairs in found:
            kept = f"{pairs.models} of {pairs.of_models}"
            at = np.log2(pairs.width)
            axes.annotate(
                kept, (at, 0), (0, -15 - 9.5 * index), xycoords=("data", "axes fraction"), textcoords="offset points",
                annotation_clip=False, ha="center", va="top", fontsize=7, color=color,
            )  # fmt: skip
            if not pairs.enough:
                text = f"fewer than {MINIMUM_MODELS} models kept"
                axes.text(at + shift, 0.5, text, **NOTE, rotation=90, transform=axes.get_xaxis_transform())
        drawn += values
    widths = sorted({pairs.width for found in series.values() for pairs in found})
    low, high = lowest(np.concatenate(drawn)), float(np.concatenate(drawn).max())
    axes.set_xticks(np.log2(widths), [str(width) for width in widths])
    axes.set(xlim=(np.log2(widths[0]) - 0.5, np.log2(widths[-1]) + 0.5), yscale="log", ylim=(0.85 * low, 1.15 * high))
    plain_log_ticks(axes.yaxis)
