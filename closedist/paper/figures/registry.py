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
        shows: what the paper's shows, by which a reader knows it.
        is_table: whether it is text.
        paper: of which paper it is; ``reproduce`` draws those of one.
    """

    name: str
    needs: Need
    made_by: str
    shows: str
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
        PaperFigure(
            "cifar10_reps",
            "representations",
            "pairs_in_plane:make_cifar10_reps",
            "embeddings and unembeddings of CIFAR-10 models, a picture a seed, and of two seeds side by side",
        ),
        PaperFigure(
            "d_LLV_constructed",
            "noisy copies",
            "llv_scatter:make_llv_constructed",
            "a constructed model and ever noisier copies: d_{f,g} over d_LLV, and the bound on it",
        ),
        PaperFigure(
            "d_LLV_train_synthetic",
            "results",
            "trained:make_llv_train_synthetic",
            "the same of trained networks, by labels and width, and all d_LLV in rising order",
        ),
        PaperFigure(
            "d_LLV_vs_width",
            "results",
            "trained:make_llv_vs_width",
            "d_LLV and d_{f,g} of trained networks against their width",
        ),
        PaperFigure(
            "loss_diff_vs_mcca",
            "m_CCA and losses",
            "loss_vs_mcca:make_loss_diff_vs_mcca",
            "difference of test loss against m_CCA, for pairs of CIFAR-10 models",
        ),
        PaperFigure(
            "synthetic_data",
            "points",
            "synthetic_data:make_synthetic_data",
            "the training points of the radial data set, coloured by label",
        ),
        PaperFigure(
            "KL_table",
            "permuted pairs",
            "kl_table:make_kl_table",
            "KL falls to zero as unembeddings grow, and m_CCA and d_LLV stay",
            is_table=True,
        ),
        PaperFigure(
            "distillation_curves",
            "students",
            "distillation:make_distillation_curves",
            "scores of distilled students over the epochs, a figure a pairing of losses",
            paper=SECOND,
        ),
        PaperFigure(
            "distillation_at_one_kl",
            "students",
            "distillation:make_distillation_at_one_kl",
            "students at one KL to their teacher (ours: no figure of the paper's)",
            paper=SECOND,
        ),
        PaperFigure(
            "distillation_bound",
            "students",
            "distillation:make_distillation_bound",
            "Theorem F.1: both sides of it over the epochs",
            paper=SECOND,
        ),
        PaperFigure(
            "distillation_table",
            "students",
            "distillation:make_distillation_table",
            "scores of distilled students at the last epoch",
            is_table=True,
            paper=SECOND,
        ),
        PaperFigure(
            "constructed_pairs",
            "constructed pairs",
            "constructed_pairs:make_constructed_pairs",
            "appendices G and H: perfect m_CCA with other answers, equal answers with other unembeddings",
            is_table=True,
            paper=SECOND,
        ),
        PaperFigure(
            "spirals",
            "spirals",
            "spirals:make_spirals",
            "the spirals, and where a teacher and its students put them",
            paper=SECOND,
        ),
    )
}
