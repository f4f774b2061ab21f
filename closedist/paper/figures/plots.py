"""What a figure's function gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from closedist.page.style import save
from closedist.system.files import write_atomically


@dataclass(frozen=True)
class Plots:
    """What a row of ``FIGURES`` gives.

    Attributes:
        figures: by the name of their files, without an ending.
        notes: lines for the user: which results were taken, what was left out and why, the numbers a figure shows.
        tables: by the name of their files, and then by format: the ending and the text.
    """

    figures: dict[str, Figure]
    notes: list[str] = field(default_factory=list)
    tables: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def save(self, folder: Path, formats: Sequence[str]) -> list[Path]:
        """Write every figure and table in every format; returns the paths.

        Raises:
            InputError: the folder cannot be written to.
        """
        paths = [path for name, figure in self.figures.items() for path in save(figure, folder, name, formats)]
        for name, texts in self.tables.items():
            for format_ in formats:
                ending, text = texts[format_]
                paths.append(folder / f"{name}.{ending}")
                write_atomically(paths[-1], text.encode())
        return paths
