"""Representations in the plane: embeddings coloured by predicted label, unembeddings as rays, seeds side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from closedist.errors import InputError
from closedist.page.style import HALO, PAGE_WIDTH, class_style, closedist_style, new_figure

Floats = NDArray[np.float64]
LEGEND_COLUMNS = 10


@dataclass(frozen=True)
class PlaneModel:
    """One model's representations in the plane.

    Attributes:
        title: what to call it, for example "seed 0".
        embeddings: (N, 2).
        unembeddings: (C, 2).
        predicted: (N,) the label with the largest log-likelihood for every input.
    """

    title: str
    embeddings: Floats
    unembeddings: Floats
    predicted: NDArray[np.int64]


def plane_model(
    title: str, embeddings: ArrayLike, unembeddings: ArrayLike, bias: ArrayLike | None = None
) -> PlaneModel:
    """Take a model's (N, 2) embeddings, (C, 2) unembeddings and (C,) bias, and predict every input's label.

    Raises:
        InputError: the representations are not two-dimensional.
    """
    f, g = np.asarray(embeddings, dtype=np.float64), np.asarray(unembeddings, dtype=np.float64)
    if f.ndim != 2 or g.ndim != 2 or f.shape[1] != 2 or g.shape[1] != 2:
        raise InputError(
            f"{title}: only representations of dimension 2 can be drawn in the plane, not {f.shape} embeddings and "
            f"{g.shape} unembeddings; train with rep_dim 2"
        )
    logits = f @ g.T if bias is None else f @ g.T + np.asarray(bias, dtype=np.float64)
    return PlaneModel(title, f, g, logits.argmax(axis=1))


def draw_representations(model: PlaneModel, label_names: Sequence[str] | None = None) -> Figure:
    """A model's embeddings, coloured by predicted label, beside its unembeddings, with one legend for both."""
    names = _names(model, label_names)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 0.63 * PAGE_WIDTH)
        left, right = figure.subplots(1, 2)
        draw_embeddings(left, model)
        left.set_title(f"{model.title}: embeddings by predicted label")
        _draw_unembeddings(right, model)
        right.set_title(f"{model.title}: unembeddings")
        _legend(figure, names)
    return figure


def draw_side_by_side(
    first: PlaneModel, second: PlaneModel, caption: str, label_names: Sequence[str] | None = None
) -> Figure:
    """Two models' embeddings of the same inputs in the same colours, each by its own predictions.

    Args:
        caption: a line above both, for example what a comparison says of them.
        label_names: (C,) names for the legend; the labels' numbers where None.
    """
    names = _names(first, label_names)
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 0.66 * PAGE_WIDTH)
        for axes, model in zip(figure.subplots(1, 2), (first, second), strict=True):
            draw_embeddings(axes, model)
            axes.set_title(f"{model.title}: embeddings by predicted label")
        figure.suptitle(caption)
        _legend(figure, names)
    return figure


def draw_embeddings(axes: Axes, model: PlaneModel) -> None:
    """Scatter the embeddings, one artist a label even where it is never predicted, its number written in its cloud."""
    for label in range(len(model.unembeddings)):
        color, marker = class_style(label)
        chosen = model.embeddings[model.predicted == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=4, c=color, marker=marker, linewidths=0, rasterized=True)
        if len(chosen):
            x, y = np.median(chosen, axis=0)
            axes.text(x, y, str(label), ha="center", va="center", weight="bold", path_effects=HALO)
    _frame(axes, model.embeddings)
    axes.set(xlabel="first coordinate of f(x)", ylabel="second coordinate of f(x)")


def _draw_unembeddings(axes: Axes, model: PlaneModel) -> None:
    """Each label's unembedding as a line from the origin with its marker and number at the end."""
    for label, point in enumerate(model.unembeddings):
        color, marker = class_style(label)
        axes.plot([0, point[0]], [0, point[1]], color=color, marker=marker, markevery=[1])
    for point, labels in _close_together(model.unembeddings):
        text = ", ".join(map(str, labels))
        x, y = point
        step = (6 + 2 * len(text)) / max(float(np.hypot(x, y)), 1e-12)  # points away from the origin
        offset: dict[str, Any] = {"xytext": (step * x, step * y), "textcoords": "offset points"}
        axes.annotate(text, (x, y), **offset, ha="center", va="center", path_effects=HALO)
    _frame(axes, model.unembeddings)
    axes.set(xlabel="first coordinate of g(y)", ylabel="second coordinate of g(y)")


def _close_together(points: Floats) -> list[tuple[Floats, list[int]]]:
    """Labels whose (C, 2) points would cover each other's numbers, each group with its first member's point."""
    near = 0.06 * max(float(np.ptp(points, axis=0).max()), float(np.abs(points).max()), 1e-12)
    groups: list[tuple[Floats, list[int]]] = []
    for label, point in enumerate(points):
        for place, labels in groups:
            if np.linalg.norm(point - place) < near:
                labels.append(label)
                break
        else:
            groups.append((point, [label]))
    return groups


def _frame(axes: Axes, points: Floats) -> None:
    """Equal scales, the origin and every point in a square with a margin, and lines through the origin."""
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    centre, half = (low + high) / 2, 0.58 * max(float((high - low).max()), 1e-12)
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half), aspect="equal")
    axes.axhline(0, color="#AAAAAA", linewidth=0.7, zorder=0.5)
    axes.axvline(0, color="#AAAAAA", linewidth=0.7, zorder=0.5)


def _legend(figure: Figure, names: Sequence[str]) -> None:
    handles = []
    for label, name in enumerate(names):
        color, marker = class_style(label)
        text = name if name == str(label) else f"{label} {name}"
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="", markersize=5, label=text))
    columns = min(len(names), LEGEND_COLUMNS if max(map(len, names)) <= 2 else 5)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title="label")


def _names(model: PlaneModel, label_names: Sequence[str] | None) -> list[str]:
    num_classes = len(model.unembeddings)
    if label_names is None:
        return [str(label) for label in range(num_classes)]
    if len(label_names) != num_classes:
        raise InputError(f"label_names: {len(label_names)} names for {num_classes} labels; give one for each")
    return list(label_names)
