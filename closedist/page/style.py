"""One look for all figures, and saving them as PNG and PDF without pyplot's global state or a LaTeX installation."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from matplotlib import patheffects, rcParams
from matplotlib import style as matplotlib_style
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from closedist.system.files import write_atomically

STYLE_FILE = Path(__file__).with_name("closedist.mplstyle")
PAGE_WIDTH = 6.9  # inches
COLUMN_WIDTH = 3.35
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BACKENDS: dict[str, tuple[str, dict[str, Any]]] = {  # without what differs from run to run
    # level 3 writes a hundredth more in a third less time
    "png": ("agg:FigureCanvasAgg", {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}}),
    "pdf": ("pdf:FigureCanvasPdf", {"metadata": {"CreationDate": None}}),
    "svg": ("svg:FigureCanvasSVG", {"metadata": {"Date": None}}),
}

# Ten colours found by maximising the smallest OKLab distance between any two, in normal vision and in simulated
# protanopia, deuteranopia and tritanopia alike (Machado et al. 2009): 0.156, where petroff10 has 0.061 and tab10 0.007.
# Neighbours in the list (the last is the first's) differ in lightness too, which is what greyscale keeps.
CLASS_COLORS = (
    "#922b12",
    "#4fe7c6",
    "#26165c",
    "#e06509",
    "#1c39ad",
    "#586eea",
    "#500203",
    "#fab306",
    "#966587",
    "#aa9fff",
)
CLASS_MARKERS = ("o", "^", "s")  # label y has colour y mod 10 and marker y div 10
GROUP_COLORS = ("#1c39ad", "#e06509", "#26165c", "#966587")  # for the few groups of a scatter or line plot
GROUP_MARKERS = ("o", "s", "^", "D")
POINT_COLOR, SECOND_POINT_COLOR, DARK_POINT_COLOR, _ = GROUP_COLORS
HALO = (patheffects.withStroke(linewidth=2, foreground="white"),)  # keeps text readable on points
PAPER_BOUND: dict[str, Any] = {"color": "#222222", "linestyle": "--"}
OUR_BOUND: dict[str, Any] = {"color": "#922b12", "linestyle": "-"}
NOTE: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": "#555555"}  # why a panel is empty


@contextmanager
def closedist_style() -> Iterator[None]:
    """Matplotlib's defaults plus our style file while the block runs, whatever the user's own settings."""
    with matplotlib_style.context(["default", STYLE_FILE]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, which no global registry knows of; call it inside closedist_style()."""
    return Figure(figsize=(width, height))


def grid_in_inches(
    figure: Figure,
    rows: int,
    columns: int,
    *,
    left: float,
    right: float,
    bottom: float,
    top: float,
    across: float = 0,
    down: float = 0,
) -> NDArray[Any]:
    """(rows, columns) axes with these margins, and gaps across and down; of text of known size no layout is solved."""
    width, height = figure.get_size_inches()
    figure.set_layout_engine("none")
    share = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    wide = (width - left - right - across * (columns - 1)) / columns
    high = (height - bottom - top - down * (rows - 1)) / rows
    gaps = {"wspace": across / wide, "hspace": down / high}
    grid: NDArray[Any] = figure.subplots(rows, columns, squeeze=False, gridspec_kw=share | gaps)
    return grid


def class_style(label: int) -> tuple[str, str]:
    """Colour and marker of a label: ten colours, then the same again with the next marker."""
    turns = label // len(CLASS_COLORS)
    return CLASS_COLORS[label % len(CLASS_COLORS)], CLASS_MARKERS[turns % len(CLASS_MARKERS)]


def plain_log_ticks(axis: Axis) -> None:
    """Tick a logarithmic axis at powers of ten, and between them where it is short, as text (mathematics is slow)."""
    low, high = axis.get_view_interval()
    subs = (1,) if high / low > 1000 else (1, 2, 5) if high / low > 15 else (1, 1.5, 2, 3, 4, 5, 7)
    axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _plain_number(value)))
    axis.set_minor_locator(NullLocator())


def _plain_number(value: float) -> str:
    """0.002 as it is, 1e-05 as 10⁻⁵."""
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    if -4 < int(exponent) < 4:
        return f"{value:g}"
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}·{power}"


def save(figure: Figure, folder: Path, name: str, formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure once in each format, atomically and without the date, so that equal figures are equal files.

    Args:
        folder: created where missing.
        name: the file name without its ending.
        formats: of "png", "pdf" and "svg".

    Returns:
        The paths written.

    Raises:
        InputError: the folder cannot be written to.
    """
    paths = []
    for format_ in formats:
        path = folder / f"{name}.{format_}"
        write_atomically(path, partial(_draw, figure, format_))
        paths.append(path)
    return paths


def _draw(figure: Figure, format_: str, path: Path) -> None:
    """Draw once: ``savefig`` would draw everything twice, first without writing."""
    with closedist_style():
        figure.set_dpi(rcParams["savefig.dpi"])
        (module, _, canvas), options = BACKENDS[format_][0].partition(":"), BACKENDS[format_][1]
        backend = import_module(f"matplotlib.backends.backend_{module}")  # fonts for PDF take long to load
        getattr(getattr(backend, canvas)(figure), f"print_{format_}")(os.fspath(path), **options)
        figure.set_layout_engine("none")  # keeps the layout: found once, it is the same in every format
