"""Representations in the plane: embeddings coloured by predicted label, unembeddings as rays, seeds side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from closedist.errors import InputError
from closedist.page.style import HALO, PAGE_WIDTH, class_style, closedist_style, grid_in_inches, new_figure

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


def draw_representations(model: PlaneModel, label_names: Sequence[str] | None = None, heading: str = "") -> Figure:
    """A model's embeddings, coloured by predicted label, beside its unembeddings, with one legend for both.

    Args:
        heading: above both, for example which network it is.
    """
    names = _names(model, label_names)
    with closedist_style():
        figure, (left, right) = _two_squares(heading)
        draw_embeddings(left, model, [model])
        _draw_unembeddings(right, model)
        right.set_title(f"{model.title}: unembeddings")
        _legend(figure, names, range(len(names)))
    return figure


def draw_side_by_side(
    first: PlaneModel, second: PlaneModel, heading: str, label_names: Sequence[str] | None = None
) -> Figure:
    """Two models' embeddings of the same inputs in the same colours, each by its own predictions.

    Args:
        heading: a line above both, for example what a comparison says of them.
        label_names: (C,) names for the legend; the labels' numbers where None.
    """
    names = _names(first, label_names)
    with closedist_style():
        figure, panels = _two_squares(heading)
        for axes, model in zip(panels, (first, second), strict=True):
            draw_embeddings(axes, model, [first, second])
        _legend(figure, names, np.union1d(first.predicted, second.predicted))
    return figure


def _two_squares(heading: str) -> tuple[Figure, Sequence[Axes]]:
    """An empty figure of two square panels, with room for the legend below."""
    left, right, across, top, bottom = 0.55, 0.1, 0.6, 0.55, 0.95  # inches
    side = (PAGE_WIDTH - left - right - across) / 2
    figure = new_figure(PAGE_WIDTH, top + side + bottom)
    figure.suptitle(heading, y=1 - 0.05 / figure.get_size_inches()[1])
    grid = grid_in_inches(figure, 1, 2, left=left, right=right, bottom=bottom, top=top, across=across)
    return figure, grid[0]


def draw_embeddings(axes: Axes, model: PlaneModel, together: Sequence[PlaneModel]) -> None:
    """Scatter the embeddings, one artist a label even where it is never predicted, its number written in its cloud.

    The ranges are those of all models that are looked at together.
    """
    side = _frame(axes, np.concatenate([each.embeddings for each in together]))
    clouds = [model.embeddings[model.predicted == label] for label in range(len(model.unembeddings))]
    for label, cloud in enumerate(clouds):
        color, marker = class_style(label)
        axes.scatter(cloud[:, 0], cloud[:, 1], s=4, c=color, marker=marker, linewidths=0, rasterized=True)
    for label, (x, y) in _places_of_numbers(clouds, (0.05 if len(clouds) <= 10 else 0.07) * side).items():
        axes.text(x, y, str(label), ha="center", va="center", weight="bold", path_effects=HALO)
    predicted = sum(len(cloud) > 0 for cloud in clouds)
    axes.set_title(f"{model.title}: embeddings, {predicted} of {len(clouds)} labels predicted")
    axes.set(xlabel="first coordinate of f(x)", ylabel="second coordinate of f(x)")


def _places_of_numbers(clouds: Sequence[Floats], apart: float) -> dict[int, Floats]:
    """Where each cloud's number stands: at its middle or, nearer than that to another number, at its next free point.

    The smallest clouds choose first; one that has no free point takes the one that is furthest from other numbers.
    """
    places: dict[int, Floats] = {}
    for label in sorted(range(len(clouds)), key=lambda label: len(clouds[label])):
        if len(clouds[label]) == 0:
            continue
        middle = np.median(clouds[label], axis=0)
        points = np.vstack((middle, clouds[label]))
        points = points[np.argsort(np.linalg.norm(points - middle, axis=1), kind="stable")]
        taken = np.array(list(places.values())).reshape(-1, 1, 2)
        free = np.linalg.norm(points - taken, axis=2).min(axis=0, initial=np.inf)
        places[label] = points[int(np.argmax(free >= apart))] if (free >= apart).any() else points[int(free.argmax())]
    return places


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


def _frame(axes: Axes, points: Floats) -> float:
    """Equal scales, the origin and every point in a square with a margin, and lines through the origin; its side."""
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    centre, half = (low + high) / 2, 0.58 * max(float((high - low).max()), 1e-12)
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half), aspect="equal")
    axes.axhline(0, color="#AAAAAA", linewidth=0.7, zorder=0.5)
    axes.axvline(0, color="#AAAAAA", linewidth=0.7, zorder=0.5)
    return 2 * half


def _legend(figure: Figure, names: Sequence[str], labels: Iterable[int]) -> None:
    """Of the labels that are drawn."""
    handles = []
    for label in labels:
        color, marker = class_style(label)
        text = names[label] if names[label] == str(label) else f"{label} {names[label]}"
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="", markersize=5, label=text))
    columns = min(len(handles), LEGEND_COLUMNS if max(map(len, names)) <= 2 else 5)
    figure.legend(handles=handles, loc="lower center", ncols=columns, title="label; of embeddings, the predicted one")


def _names(model: PlaneModel, label_names: Sequence[str] | None) -> list[str]:
    num_classes = len(model.unembeddings)
    if label_names is None:
        return [str(label) for label in range(num_classes)]
    if len(label_names) != num_classes:
        raise InputError(f"label_names: {len(label_names)} names for {num_classes} labels; give one for each")
    return list(label_names)
