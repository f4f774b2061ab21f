"""The radial data set: points of the plane, their label the wedge in which they lie."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from closedist.errors import InputError
from closedist.page.style import COLUMN_WIDTH, HALO, class_style, closedist_style, new_figure
from closedist.paper.figures.plots import Plots


def make_synthetic_data(data: Mapping[int, tuple[ArrayLike, ArrayLike]]) -> Plots:
    """synthetic_data: by label count, the radial training points, (n, 2), coloured by their labels, (n,)."""
    return Plots({f"synthetic_data_cls{count}": draw_synthetic_data(*points) for count, points in data.items()})


def draw_synthetic_data(points: ArrayLike, labels: ArrayLike) -> Figure:
    """Points coloured by label, with every wedge's label written at both of its ends.

    Args:
        points: (n, 2) the inputs.
        labels: (n,) integers from 0.

    Raises:
        InputError: the shapes do not fit.
    """
    points, labels = np.asarray(points), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise InputError(f"synthetic_data needs points (n, 2) and labels (n,), not {points.shape} and {labels.shape}")
    with closedist_style():
        figure = new_figure(COLUMN_WIDTH, COLUMN_WIDTH)
        axes = figure.add_subplot()
        num_classes = int(labels.max()) + 1
        for label in range(num_classes):
            color, marker = class_style(label)
            chosen = points[labels == label]
            axes.scatter(
                chosen[:, 0], chosen[:, 1], s=3, c=color, marker=marker, linewidths=0, rasterized=True, label=str(label)
            )
        radius = 1.08 * np.linalg.norm(points, axis=1).max()
        _label_wedges(axes, num_classes, radius)
        limit = 1.1 * radius
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        axes.set(xlabel="first input coordinate", ylabel="second input coordinate")
        axes.set_title(f"{len(points):,} points, {num_classes} labels")
    return figure


def _label_wedges(axes: Axes, num_classes: int, radius: float) -> None:
    """Write each label outside the points, in the middle of its wedge and of the opposite one."""
    for turn in range(2 * num_classes):
        angle = (turn + 0.5) * np.pi / num_classes
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        axes.text(x, y, str(turn % num_classes), ha="center", va="center", path_effects=HALO)
