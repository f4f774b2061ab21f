"""The paper's figures, a row each: a new one is a file in this folder and its row here.

The command line, ``reproduce`` and the documentation go through these rows. Nothing here loads what draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from closedist.paper.figures.plots import Plots

# what a figure is made from: `closedist.paper.drawing` finds or makes it
Need = Literal[
    "points",
    "noisy copies",
    "permuted pairs",
    "results",
    "representations",
    "m_CCA and losses",
    "students",
    "spirals",
    "constructed pairs",
]
Paper = Literal["llv", "logit-distance"]  # the first and the second
SECOND: Paper = "logit-distance"

PICTURES = ("png", "pdf", "svg")
TABLE_FORMATS = ("latex", "markdown", "csv")


@dataclass(frozen=True)
class PaperFigure:
    """A figure or table of the paper's.

    Attributes:
        name: the ``--plot-type``, and its section in docs/figures.md.
        needs: what it is made from.
        made_by: the function that makes it of that, as ``module:function`` of this folder.
        is_table: whether it is text.
        paper: of which paper it is; ``reproduce`` draws those of one.
    """

    name: str
    needs: Need
    made_by: str
    is_table: bool = False
    paper: Paper = "llv"

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats in which it may be written."""
        return TABLE_FORMATS if self.is_table else PICTURES

    @property
    def of_images(self) -> bool:
        """Whether it shows the experiments on images, and not the synthetic ones."""
        return self.needs in ("representations", "m_CCA and losses")

    @property
    def reads_results(self) -> bool:
        """Whether it shows result files."""
        return self.needs in ("results", "m_CCA and losses", "students")

    @property
    def make(self) -> "Callable[..., Plots]":
        """The function that makes it; its module is loaded now."""
        module, _, function = self.made_by.partition(":")
        make: Callable[..., Plots] = getattr(import_module(f"closedist.paper.figures.{module}"), function)
        return make


FIGURES = {
    row.name: row
    for row in (
        PaperFigure("cifar10_reps", "representations", "pairs_in_plane:make_cifar10_reps"),
        PaperFigure("d_LLV_constructed", "noisy copies", "llv_scatter:make_llv_constructed"),
        PaperFigure("d_LLV_train_synthetic", "results", "trained:make_llv_train_synthetic"),
        PaperFigure("d_LLV_vs_width", "results", "trained:make_llv_vs_width"),
        PaperFigure("loss_diff_vs_mcca", "m_CCA and losses", "loss_vs_mcca:make_loss_diff_vs_mcca"),
        PaperFigure("synthetic_data", "points", "synthetic_data:make_synthetic_data"),
        PaperFigure("KL_table", "permuted pairs", "kl_table:make_kl_table", is_table=True),
        PaperFigure("distillation_curves", "students", "distillation:make_distillation_curves", paper=SECOND),
        PaperFigure("distillation_at_one_kl", "students", "distillation:make_distillation_at_one_kl", paper=SECOND),
        PaperFigure("distillation_bound", "students", "distillation:make_distillation_bound", paper=SECOND),
        PaperFigure(
            "distillation_table", "students", "distillation:make_distillation_table", is_table=True, paper=SECOND
        ),
        PaperFigure(
            "constructed_pairs",
            "constructed pairs",
            "constructed_pairs:make_constructed_pairs",
            is_table=True,
            paper=SECOND,
        ),
        PaperFigure("spirals", "spirals", "spirals:make_spirals", paper=SECOND),
    )
}
