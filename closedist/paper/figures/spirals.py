"""The second paper's spirals: the inputs, and where a teacher and its students put them."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from closedist.errors import InputError
from closedist.page.style import PAGE_WIDTH, class_style, closedist_style, new_figure
from closedist.paper.figures.plots import Plots
from closedist.representations import Representations


def make_spirals(points: ArrayLike, labels: ArrayLike, models: Mapping[str, Representations]) -> Plots:
    """spirals: the inputs, (N, 2), with their labels, (N,), and the models' embeddings of them, by title.

    Those after the first model's are carried onto its by the map that the labels dictate, f' → A f' + t: coordinates of
    models trained apart have nothing in common.
    """
    return Plots({"spirals": draw_spirals(points, labels, models)})


def draw_spirals(points: ArrayLike, labels: ArrayLike, models: Mapping[str, Representations]) -> Figure:
    """A panel of inputs and one of each model's embeddings, coloured by the true label.

    Raises:
        InputError: a model's embeddings are not of these inputs, or not in the plane.
    """
    panels = {"inputs": np.asarray(points)}
    classes = np.asarray(labels)
    for title, model in models.items():
        if model.embeddings.shape != panels["inputs"].shape:
            raise InputError(
                f"{title}: {tuple(model.embeddings.shape)} embeddings; of the {len(classes):,} test inputs of the "
                "spirals, in the plane, are needed"
            )
        first = next(iter(models.values()))
        panels[title] = model.embeddings.numpy() if model is first else _carried(first, model)
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, PAGE_WIDTH / columns * rows + 0.4)
        grid = figure.subplots(rows, columns, squeeze=False).flatten()
        for axes in grid[len(panels) :]:
            axes.remove()
        for axes, (title, places) in zip(grid, panels.items(), strict=False):
            _scatter(axes, places, classes)
            axes.set(title=title, aspect="equal", adjustable="datalim")
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), title="label", markerscale=3)
    return figure


def _carried(onto: Representations, model: Representations) -> NDArray[np.float64]:
    g, other = (m.unembeddings.double().numpy() for m in (onto, model))
    a = np.linalg.pinv(g - g.mean(0)) @ (other - other.mean(0))
    places: NDArray[np.float64] = model.embeddings.double().numpy() @ a.T  # no biases in these networks
    return places


def _scatter(axes: Axes, places: NDArray[np.float64], classes: NDArray[np.int64]) -> None:
    for label in range(int(classes.max()) + 1):
        color, marker = class_style(label)
        chosen = places[classes == label]
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=2, c=color, marker=marker, linewidths=0, rasterized=True, label=str(label)
        )
