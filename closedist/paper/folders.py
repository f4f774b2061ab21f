"""The folders of a project: where everything comes from and goes to."""

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """One folder a kind of file.

    Attributes:
        checkpoints: trained and untrained models, training states, representations of images.
        results: distances, accuracies, m_CCA and final losses.
        figures: figures and tables.
        metrics: losses during training.
        data: image files; the radial data need none.
        representations: of the test inputs, a file for all seeds of a training.
    """

    checkpoints: Path
    results: Path
    figures: Path
    metrics: Path
    data: Path
    representations: Path

    @classmethod
    def under(cls, root: Path, data: Path = Path("downloaded_data")) -> "Folders":
        """The default names below one folder."""
        return cls(
            checkpoints=root / "checkpoints",
            results=root / "results",
            figures=root / "figures",
            metrics=root / "metrics",
            data=data,
            representations=root / "representations",
        )

    def absolute(self) -> "Folders":
        """The same folders, whatever the working directory."""
        return Folders(*(getattr(self, field.name).absolute() for field in fields(self)))
