"""How d_LLV and d_{f,g} fall as the networks widen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from closedist.page.style import GROUP_COLORS, GROUP_MARKERS, PAGE_WIDTH, closedist_style, new_figure
from closedist.paper.figures.llv_scatter import DISSIMILARITY, LLV
from closedist.paper.results.tables import AccuracyRow, Distances

MINIMUM_ACCURACY = 0.9
MINIMUM_MODELS = 5


@dataclass(frozen=True)
class WidthSummary:
    """What the pairs of good models of one width say.

    Attributes:
        width: the networks' number of hidden features.
        models: how many models are good enough, of ``of_models``.
        llv_mean, llv_std: of d_LLV over the pairs of these models; std divides by pairs − 1.
        dissimilarity_mean, dissimilarity_std: of d_{f,g}.
    """

    width: int
    models: int
    of_models: int
    llv_mean: float
    llv_std: float
    dissimilarity_mean: float
    dissimilarity_std: float

    def __str__(self) -> str:
        return (
            f"width {self.width}: {self.models} of {self.of_models} models, d_LLV {self.llv_mean:.3f} ± "
            f"{self.llv_std:.3f}, d_fg {self.dissimilarity_mean:.3f} ± {self.dissimilarity_std:.3f}"
        )


def summarise_width(width: int, distances: Distances, accuracies: Sequence[AccuracyRow]) -> WidthSummary | None:
    """Mean and standard deviation over the pairs of models with accuracy above 0.9; None where there are fewer than 5.

    Args:
        accuracies: of the models with free lengths; others are passed over.
    """
    free = [row for row in accuracies if row.fix_g == 0 and row.fix_f == 0]
    good = {row.model_seed for row in free if row.accuracy > MINIMUM_ACCURACY}
    kept = distances.select(np.array([first in good and second in good for first, second in distances.model_seeds]))
    if len(good) < MINIMUM_MODELS or len(kept) < 2:
        return None
    llv, dissimilarity = kept["llv"], kept["dissimilarity"]
    return WidthSummary(
        width=width,
        models=len(good),
        of_models=len(free),
        llv_mean=float(llv.mean()),
        llv_std=float(llv.std(ddof=1)),
        dissimilarity_mean=float(dissimilarity.mean()),
        dissimilarity_std=float(dissimilarity.std(ddof=1)),
    )


def draw_llv_vs_width(series: Mapping[str, Sequence[WidthSummary]]) -> Figure:
    """Mean ± standard deviation of d_LLV and, beside it, of d_{f,g} against width.

    Args:
        series: by legend text, for example "4 labels", one summary a width.
    """
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 2.5)
        left, right = figure.subplots(1, 2)
        _draw(left, series, "llv")
        left.set_ylabel(f"{LLV}, mean ± standard deviation")
        _draw(right, series, "dissimilarity")
        right.set_ylabel(f"{DISSIMILARITY}, mean ± standard deviation")
        left.legend(loc="upper right")
    return figure


def _draw(axes: Axes, series: Mapping[str, Sequence[WidthSummary]], quantity: str) -> None:
    widths = sorted({summary.width for summaries in series.values() for summary in summaries})
    tops = []
    for index, (name, summaries) in enumerate(series.items()):
        shift = 2 ** (0.06 * (index - (len(series) - 1) / 2))  # so that error bars stand side by side
        x = [shift * summary.width for summary in summaries]
        means = [getattr(summary, f"{quantity}_mean") for summary in summaries]
        deviations = [getattr(summary, f"{quantity}_std") for summary in summaries]
        look: dict[str, Any] = {
            "color": GROUP_COLORS[index % 4],
            "marker": GROUP_MARKERS[index % 4],
            "linestyle": ("-", "--", "-.", ":")[index % 4],
        }
        axes.errorbar(x, means, yerr=deviations, **look, label=name, elinewidth=0.8)
        tops += [mean + deviation for mean, deviation in zip(means, deviations, strict=True)]
    axes.set_xscale("log", base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlim=(widths[0] / 1.25, widths[-1] * 1.25), ylim=(0, 1.05 * max(tops)), xlabel="width of the networks")
