"""Pictures of many models for print: every pair as a heat map, the dendrogram, the map. Each is drawn on given axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from closedist.explanation.groups import Groups, ModelMap
from closedist.explanation.table import one_line
from closedist.page.style import CLASS_COLORS, HALO, SUPERSCRIPTS

SHADES = LinearSegmentedColormap.from_list("closedist", ["#f0ece2", "#8fa9bd", "#123a5e"])  # far to close
NUMBERED = 40  # models on a map with a number each, and in a column of their names
WRITTEN = 12  # models, up to which cells hold their numbers
LOGARITHMIC = 30  # times the smallest distance, above which shades follow the logarithm
LONGEST = 32  # characters of a name
ALONE = "#777777"


@dataclass(frozen=True)
class Shade:
    """How values become shades, 0 far and 1 close.

    Attributes:
        values: (n, n), as they are shown.
        nearness: (n, n) between 0 and 1; NaN where there is no value.
        low, high: the values that are farthest and closest, for a scale.
        logarithmic: shades follow the logarithm.
    """

    values: NDArray[np.float64]
    nearness: NDArray[np.float64]
    low: float
    high: float
    logarithmic: bool


def shade(values: NDArray[np.float64], *, larger_is_closer: bool) -> Shade:
    """The shades of a measure: linear, or logarithmic for distances over more than a factor of 30.

    Args:
        values: (n, n) of one measure; NaN where a pair has none. What is infinite is as far as it goes.
        larger_is_closer: whether it is a similarity.
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    logarithmic = not larger_is_closer and low > 0 and high > LOGARITHMIC * low
    scaled, ends = (np.log(values), np.log([low, high])) if logarithmic else (values, np.array([low, high]))
    span = float(ends[1] - ends[0])
    part = (
        (np.where(np.isinf(scaled), ends[1], scaled) - ends[0]) / span
        if span
        else np.where(np.isnan(scaled), scaled, 0.5)
    )
    near = part if larger_is_closer else 1.0 - part
    return Shade(values, near, *((low, high) if larger_is_closer else (high, low)), logarithmic)


def draw_heatmap(
    axes: Axes,
    values: NDArray[np.float64],
    names: Sequence[str],
    *,
    title: str,
    larger_is_closer: bool,
    order: Sequence[int] | None = None,
) -> None:
    """Every pair of models as a shaded cell, darker closer; of up to twelve models with its number.

    Args:
        axes: to draw on.
        values: (n, n) of a measure; a directed one is read from row to column.
        names: of the n models.
        title: of the measure.
        larger_is_closer: whether it is a similarity.
        order: of rows and columns, such as a dendrogram's; by default as given.
    """
    places = list(range(len(names)) if order is None else order)
    found = shade(values[np.ix_(places, places)], larger_is_closer=larger_is_closer)
    nearness = found.nearness.copy()
    np.fill_diagonal(nearness, np.nan)
    axes.imshow(nearness, cmap=SHADES, vmin=0, vmax=1)
    count = len(places)
    size = text_size(axes, count)
    axes.set_xticks(range(count), [str(place + 1) for place in range(count)], fontsize=size)
    axes.set_yticks(range(count), numbered(names, places), fontsize=size)
    axes.tick_params(length=0, pad=2)
    axes.xaxis.tick_top()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if count <= WRITTEN:
        for (row, column), near in np.ndenumerate(nearness):
            if row != column:
                color = "white" if near > 0.55 else "black"
                axes.text(column, row, written(float(found.values[row, column])), ha="center", va="center", color=color)
    scale = axes.inset_axes((0.0, -0.055 - 0.1 / count, 0.35, 0.022))
    scale.imshow(np.linspace(0, 1, 64)[None], cmap=SHADES, aspect="auto", extent=(0, 1, 0, 1))
    scale.set(xticks=[0, 1], yticks=[])
    scale.set_xticklabels([f"far, {written(found.low)}", f"{written(found.high)}, close"])
    scale.tick_params(length=0)
    scale.spines[:].set_visible(False)
    above = 2 + 1.4 * float(size) + 3  # points: the columns' numbers, which a title at a fixed height would lie on
    axes.set_title(f"{title}{', logarithmic shades' if found.logarithmic else ''}", pad=above)


def draw_dendrogram(axes: Axes, groups: Groups) -> None:
    """Complete linkage from left to right, its groups coloured, and a line at the largest distance within a group.

    Args:
        axes: to draw on.
        groups: of the models.
    """
    count, colors = len(groups.names), group_colors(groups)
    place = {model: position for position, model in enumerate(groups.order)}
    nodes = [(0.0, float(place[model]), model) for model in range(count)]
    for a, b, distance, _ in groups.linkage:
        (x, y, model), (other_x, other_y, _) = nodes[int(a)], nodes[int(b)]
        within = distance <= groups.threshold
        color = colors[model] if within else "#444444"
        axes.plot([x, distance, distance, other_x], [y, y, other_y, other_y], color=color, lw=1.6 if within else 0.9)
        nodes.append((float(distance), (y + other_y) / 2, model))
    farthest = max(float(groups.linkage[-1, 2]), groups.threshold) or 1.0
    axes.axvline(groups.threshold, color="#922b12", linestyle="--", linewidth=0.9)
    axes.set(xlim=(1.04 * farthest, 0), ylim=(count - 0.4, -0.6), xlabel="distance, complete linkage")
    axes.yaxis.tick_right()
    axes.set_yticks(range(count), numbered(groups.names, groups.order), fontsize=text_size(axes, count))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    number = len(groups.members)
    stable = f", found again in {min(groups.stability):.0%} or more" if groups.stability else ""
    axes.set_title(f"{number} group{'s' if number > 1 else ''} within {groups.threshold:.3g}{stable}")


def draw_map(axes: Axes, places: ModelMap, groups: Groups) -> None:
    """The models as points by classical scaling, coloured by their group, with the dendrogram's numbers.

    Of more than 40 models only the medoids of groups have their numbers.

    Args:
        axes: to draw on.
        places: of the models, in two dimensions.
        groups: of the same models.
    """
    colors = group_colors(groups)
    low, high = places.points.min(0), places.points.max(0)
    centre, half = (low + high) / 2, 0.58 * (float((high - low).max()) or 1.0)
    points = places.points[list(groups.order)]
    shown = {medoid for medoid, group in zip(groups.medoids, groups.members, strict=True) if len(group) > 1}
    for position, (model, (x, y)) in enumerate(zip(groups.order, _beside(points, 0.045 * half), strict=True)):
        look: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
        axes.plot(*points[position], "o", color=colors[model], zorder=2 if colors[model] == ALONE else 3, **look)
        if len(points) <= NUMBERED or model in shown:
            axes.text(x, y, str(position + 1), ha="center", va="center", fontsize=6, path_effects=HALO)
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half), aspect="equal")
    axes.set(xlabel="first coordinate, in units of the distance", ylabel="second coordinate")
    axes.set_title(f"classical scaling, {places.shown:.0%} of the squared distances")


def _beside(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """(n, 2) where the points' numbers go: of eight places around each, that farthest from all else."""
    angles = np.pi / 4 * np.arange(1, 9)
    around = step * np.stack([1.2 * np.cos(angles), np.sin(angles)], 1)
    places = np.empty((0, 2))
    for index, point in enumerate(points):
        taken = np.concatenate([np.delete(points, index, 0), places])
        options = point + around
        room = np.linalg.norm(options[:, None] - taken[None], axis=-1).min(1) if len(taken) else np.zeros(8)
        places = np.concatenate([places, options[[int(np.minimum(room, 2 * step).argmax())]]])
    return places


def list_models(axes: Axes, groups: Groups) -> None:
    """The models' numbers and names in the colours of their groups, for beside a map.

    Args:
        axes: which are taken up whole.
        groups: of the models.
    """
    axes.set_axis_off()
    colors, count = group_colors(groups), len(groups.order)
    columns = -(-count // NUMBERED)
    rows = -(-count // columns)
    size = text_size(axes, rows) / (1 + 0.25 * (columns - 1))
    for position, (model, name) in enumerate(zip(groups.order, numbered(groups.names, groups.order), strict=True)):
        x, y = (position // rows) / columns, 1.0 - (position % rows + 0.5) / rows
        axes.plot(x, y, "o", color=colors[model], markersize=0.6 * size, clip_on=False)
        axes.text(x + 0.05 / columns, y, one_line(name, 36 // columns), va="center", fontsize=size)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def group_colors(groups: Groups) -> Mapping[int, str]:
    """A colour a model: that of its group of more than one, as long as there are colours; else grey."""
    place = {model: position for position, model in enumerate(groups.order)}
    several = [group for group in groups.members if len(group) > 1]
    several.sort(key=lambda group: min(place[model] for model in group))
    colored = {model: CLASS_COLORS[index % len(CLASS_COLORS)] for index, group in enumerate(several) for model in group}
    return {model: colored.get(model, ALONE) for model in groups.order}


def numbered(names: Sequence[str], order: Sequence[int]) -> list[str]:
    """Names in this order, each with its number from 1."""
    return [f"{position + 1}  {plain(names[model])}" for position, model in enumerate(order)]


def plain(name: object) -> str:
    """A name as matplotlib shows it as it is: one line, and no mathematics."""
    return one_line(name, LONGEST).replace("$", r"\$")


def text_size(axes: Axes, count: int) -> float:
    """Points at which so many lines of names stand under each other on these axes, 7 at most."""
    figure = axes.get_figure(root=True)
    height = 72.0 * float(figure.get_size_inches()[1]) if figure is not None else 300.0
    return float(np.clip(0.65 * height / max(count, 1), 2.5, 7))


def written(value: float) -> str:
    """A number in a cell."""
    if not np.isfinite(value):
        return "∞" if np.isinf(value) else "none"
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.2f}".replace("-", "−")
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa.replace('-', '−')}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"
