"""A table of layers against layers to look at: one HTML file without a script, or a picture."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.measures.catalogue import CHANGES
from closedist.page.render import source_of
from closedist.pairs.layers import LayerMatrix
from closedist.system.files import write_atomically

PICTURES = ("png", "svg", "pdf")
ENDINGS = ("html", *PICTURES)
_SHADES = 64
_NUMBERED = 16  # columns, up to which every cell has its number in it
_STYLE = """
table.layers { border-collapse: collapse; font-size: 0.8rem; }
.layers td { padding: 0; width: 2.6em; height: 1.9em; text-align: center; }
.layers tbody td { /* its text is black or white, as in the other page's heat map */
  --shade: color-mix(in oklab, var(--near) var(--nearness), var(--far));
  background: var(--shade); color: oklch(from var(--shade) calc((0.5625 - l) * 1e4) 0 0);
}
.layers th { font-weight: 400; padding: 0 0.4em; text-align: right; white-space: nowrap; }
.layers thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: 0.4em 0; }
.curve { width: 100%; max-width: 46rem; }
.curve polyline { fill: none; stroke: var(--accent); stroke-width: 2; }
.curve line { stroke: var(--line); }
.curve circle { fill: var(--accent); }
.curve text { fill: var(--quiet); font-size: 11px; }
.list td, .list th { padding: 0.15rem 1rem 0.15rem 0; text-align: left; }
"""


def draw_layers(matrix: LayerMatrix, path: str | Path, *, names: Sequence[str] = (), notes: Sequence[str] = ()) -> None:
    """Write a (rows, columns) table of layers as a page (.html) or a picture (.png, .svg, .pdf), by the name's ending.

    Args:
        matrix: what :func:`closedist.layer_matrix` gave.
        path: of the file; written whole or not at all.
        names: what the model of the rows and that of the columns are called.
        notes: lines that a page shows below, such as what was read.

    Raises:
        InputError: another ending, or the file cannot be written.
    """
    place = Path(path)
    ending = place.suffix.removeprefix(".").lower()
    if ending not in ENDINGS:
        raise InputError(f"{place}: the ending says what is written; it is one of {', '.join(ENDINGS)}")
    if ending == "html":
        write_atomically(place, layers_page(matrix, names, notes).encode())
    else:
        write_atomically(place, _picture(matrix, names, ending))


def layers_page(matrix: LayerMatrix, names: Sequence[str] = (), notes: Sequence[str] = ()) -> str:
    """The page: what it shows in words, the heat map as a table, and each layer with its match."""
    style = (files("closedist.page") / "assets" / "page.css").read_text(encoding="utf-8") + _STYLE + _shades()
    policy = f"default-src 'none'; style-src {source_of(style)}; base-uri 'none'; form-action 'none'"
    measure = matrix.measure
    title = f"{measure.title} of layers" + (": " + " and ".join(dict.fromkeys(names)) if names else "")
    closer = "larger is closer" if measure.larger_is_closer else "smaller is closer"
    changes = ", ".join(CHANGES[change] for change in measure.invariances)
    facts = (
        f"From {matrix.num_inputs:,} inputs; {closer}. It does not see: {changes}. Unrelated views: {measure.chance}. "
        f"Mind: {measure.misleads}. Source: {measure.source}."
    )
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
            f'<header><p class="eyebrow">closedist</p><h1>{escape(title)}</h1>\n',
            f'<p class="lead">{escape(_sentence(matrix))}</p><p class="note">{escape(facts)}</p></header>\n<main>\n',
            f'<section><h2>All pairs</h2><div class="wide">{_heat_map(matrix)}</div></section>\n',
            f"<section><h2>Layer by layer</h2>{_curve(matrix)}{_list(matrix)}</section>\n",
            f"<section><h2>How</h2>{''.join(f'<p>{escape(note)}</p>' for note in notes)}</section>\n" if notes else "",
            "</main>\n</body>\n</html>\n",
        ]
    )


def _sentence(matrix: LayerMatrix) -> str:
    matches = matrix.matches()
    values = [match.value for match in matches]
    sign = 1.0 if matrix.measure.larger_is_closer else -1.0
    least = min(matches, key=lambda match: sign * match.value)
    if matrix.rows == matrix.columns:
        nearest = max(matches, key=lambda match: sign * match.closest_value)
        return f"Of different layers {nearest.row} and {nearest.closest} are the closest: {nearest.closest_value:.3f}."
    return (
        f"Layers at the same depth: {np.mean(values):.3f} on average, the least alike {least.row} and "
        f"{least.same_depth} with {least.value:.3f}."
    )


def _levels(matrix: LayerMatrix) -> NDArray[np.int64]:
    """0 … 63, the closer the higher, over the whole range of the measure or, without an end, that of the values."""
    measure, values = matrix.measure, matrix.values
    high = measure.high if np.isfinite(measure.high) else max(float(values.max()), 1e-300)
    low = min(0.0, float(values.min()))
    share = (values - low) / (high - low)
    share = share if measure.larger_is_closer else 1.0 - share
    return (share.clip(0, 1) * (_SHADES - 1)).round().astype(np.int64)


def _shades() -> str:
    """A class for each shade between the page's colours of far and near."""
    return "\n".join(
        f".layers .s{shade} {{ --nearness: {100 * shade / (_SHADES - 1):.1f}%; }}" for shade in range(_SHADES)
    )


def _heat_map(matrix: LayerMatrix) -> str:
    levels, numbered = _levels(matrix), len(matrix.columns) <= _NUMBERED
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in matrix.columns)
    rows = []
    for name, values, shades in zip(matrix.rows, matrix.values, levels, strict=True):
        cells = "".join(
            f'<td class="s{shade}" title="{escape(f"{name}, {column}: {value:.6f}")}">'
            f"{f'{value:.2f}' if numbered else ''}</td>"
            for column, value, shade in zip(matrix.columns, values, shades, strict=True)
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    return f'<table class="layers"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _curve(matrix: LayerMatrix) -> str:
    """The measure of layers at the same depth, over depth; nothing of a model with itself, where it is the diagonal."""
    matches = matrix.matches()
    if matrix.rows == matrix.columns or len(matches) < 2:
        return ""
    high = matrix.measure.high if np.isfinite(matrix.measure.high) else max(match.value for match in matches) or 1.0
    low = min(0.0, *(match.value for match in matches))
    points = [
        (40 + 560 * index / (len(matches) - 1), 10 + 140 * (1 - (match.value - low) / (high - low)))
        for index, match in enumerate(matches)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    said = [escape(f"{match.row}, {match.same_depth}: {match.value:.4f}") for match in matches]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{what}</title></circle>'
        for (x, y), what in zip(points, said, strict=True)
    )
    axis = f'<text x="4" y="154">{low:.2f}</text><text x="4" y="14">{high:.2f}</text>'
    title = f"{matrix.measure.title} at the same depth, from the first layer to the last"
    return (
        f'<figure><svg class="curve" viewBox="0 0 620 170" role="img" aria-label="{escape(title)}">'
        f'<line x1="40" y1="150" x2="600" y2="150"/>{axis}<polyline points="{line}"/>{dots}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _list(matrix: LayerMatrix) -> str:
    alone = matrix.rows == matrix.columns
    head = ("layer", "closest other", "") if alone else ("layer", "at the same depth", "", "closest", "")
    rows = []
    for match in matrix.matches():
        same = () if alone else (match.same_depth, f"{match.value:.4f}")
        cells = (match.row, *same, match.closest, f"{match.closest_value:.4f}")
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    table = f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="wide"><table class="list">{table}</table></div>'


def _picture(matrix: LayerMatrix, names: Sequence[str], ending: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measure = matrix.measure
    size = [1.8 + 0.26 * len(side) + 0.07 * max(map(len, other)) for side, other in _sides(matrix)]
    figure = Figure(figsize=(size[0] + 0.9, size[1]), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    high = measure.high if np.isfinite(measure.high) else None
    colours = "YlGnBu" if measure.larger_is_closer else "YlGnBu_r"
    image = axes.imshow(matrix.values, cmap=colours, vmin=min(0.0, float(matrix.values.min())), vmax=high)
    axes.set_xticks(range(len(matrix.columns)), matrix.columns, rotation=90, fontsize=7)
    axes.set_yticks(range(len(matrix.rows)), matrix.rows, fontsize=7)
    if len(names) == 2:
        axes.set_ylabel(names[0], fontsize=8)
        axes.set_xlabel(names[1], fontsize=8)
    figure.colorbar(image, ax=axes, label=measure.title, shrink=0.8)
    written = BytesIO()
    figure.savefig(written, format=ending, dpi=150)
    return written.getvalue()


def _sides(matrix: LayerMatrix) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(matrix.columns, matrix.rows), (matrix.rows, matrix.columns)]
