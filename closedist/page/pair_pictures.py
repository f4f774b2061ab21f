"""Pictures of one pair for print: both embeddings side by side, and how every label's logit differs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from closedist.explanation.records import Explanation
from closedist.page.pictures import plain, text_size
from closedist.page.style import GROUP_COLORS, HALO, class_style

MEAN, KL = GROUP_COLORS[:2]


def draw_side(
    axes: Axes, points: NDArray[np.float64], predicted: NDArray[np.int64], square: NDArray[np.float64]
) -> None:
    """Inputs as points in the colour and shape of the label that the model gives, whose number stands in its cloud.

    Args:
        axes: to draw on.
        points: (k, 1) or (k, 2), of one dimension along the middle.
        predicted: (k,) labels.
        square: (2, 2) the lower left and the upper right corner, the same for both models of a pair.
    """
    plane = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    for label in np.unique(predicted).tolist():
        color, marker = class_style(label)
        chosen = plane[predicted == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=4, c=color, marker=marker, linewidths=0, rasterized=True)
    for label in np.unique(predicted).tolist():
        x, y = np.median(plane[predicted == label], axis=0)
        axes.text(x, y, str(label), ha="center", va="center", weight="bold", path_effects=HALO)
    (left, low), (right, high) = square
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal", xticklabels=[], yticklabels=[])
    axes.tick_params(length=0)


def square_around(*sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 2) the corners of a square with a margin around the points of several sides."""
    planes = np.concatenate([np.pad(points, ((0, 0), (0, 2 - points.shape[1]))) for points in sides])
    low, high = planes.min(0), planes.max(0)
    centre, half = (low + high) / 2, 0.53 * (float((high - low).max()) or 1.0)
    return np.stack([centre - half, centre + half])


def draw_labels(axes: Axes, found: Explanation, most: int = 20) -> None:
    """How the second model's centred logit of each label differs from the first's: mean and standard deviation.

    Args:
        axes: to draw on.
        found: by :func:`closedist.explain`; the least alike are on top, each with its correlation.
        most: labels.
    """
    rows = found.labels[:most]
    heights = np.arange(len(rows))
    means, deviations = ([getattr(row, name) for row in rows] for name in ("mean_difference", "deviation"))
    axes.axvline(0, color="#AAAAAA", linewidth=0.7, zorder=0.5)
    axes.errorbar(means, heights, xerr=deviations, fmt="o", color=MEAN, markersize=3.5, capsize=0, elinewidth=1)
    _name_rows(axes, [_named(row.label, row.correlation) for row in rows])
    axes.set_xlabel("the second's logit less the first's, nats")
    axes.set_title("mean and deviation; at the left, the correlation")


def draw_label_shares(axes: Axes, found: Explanation, most: int = 20) -> None:
    """The share of every label in d_logit² and in KL, in the order of :func:`draw_labels`.

    Args:
        axes: to draw on.
        found: by :func:`closedist.explain`, of models that are not equal.
        most: labels.
    """
    rows = found.labels[:most]
    heights = np.arange(len(rows))
    for name, offset, color, title in (
        ("share_of_distance", -0.19, MEAN, "$d_{\\mathrm{logit}}^2$"),
        ("share_of_kl", 0.19, KL, "KL"),
    ):
        shares = [100 * (getattr(row, name) or 0.0) for row in rows]
        axes.barh(heights + offset, shares, height=0.36, color=color, label=title)
    _name_rows(axes, [""] * len(rows))
    axes.set_xlabel("share of all labels, %")
    axes.legend(loc="lower right")
    axes.set_title("what they add to")


def _named(label: object, correlation: float | None) -> str:
    return f"{plain(label)}   " + ("constant" if correlation is None else f"{correlation:.3f}".replace("-", "−"))


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=text_size(axes, len(names)))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
