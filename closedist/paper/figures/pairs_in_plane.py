"""Figures of two-dimensional models that are compared: cifar10_reps, and the quickstart's."""

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from closedist.comparison import Comparison
from closedist.pairs import compare
from closedist.paper.figures.embeddings import draw_representations, draw_side_by_side, plane_model
from closedist.paper.figures.llv_scatter import draw_three_bounds
from closedist.paper.figures.plots import Plots
from closedist.paper.figures.synthetic_data import draw_synthetic_data
from closedist.paper.results.tables import Distances
from closedist.representations import Representations


def make_cifar10_reps(
    representations: Mapping[int, Representations],
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    family: str = "",
) -> Plots:
    """cifar10_reps: every seed's embeddings beside its unembeddings, and the first two seeds side by side.

    Args:
        representations: by seed, two or more of the same inputs and labels, dimension 2.
        label_names: (C,) for the legend.
        seed: of the input sets for d_LLV.
        family: what models these are, above every figure.

    Raises:
        InputError: the representations are not two-dimensional.
    """
    models = {s: plane_model(f"seed {s}", r.embeddings, r.unembeddings, r.bias) for s, r in representations.items()}
    figures = {f"cifar10_reps_seed{s}": draw_representations(model, label_names, family) for s, model in models.items()}
    first, second = list(models)[:2]
    caption = _in_words(compare(representations[first], representations[second], seed=seed))
    heading = ": ".join(part for part in (family, _typeset(caption)) if part)
    side_by_side = draw_side_by_side(models[first], models[second], heading, label_names)
    figures[f"cifar10_reps_seeds{first}and{second}"] = side_by_side
    return Plots(figures, [f"seeds {first} and {second}: {caption}"])


def make_quickstart(
    data: tuple[ArrayLike, ArrayLike],
    pair: Mapping[str, Representations],
    compared: Comparison,
    distances: Mapping[str, Distances],
) -> Plots:
    """The quickstart's figures: the data, the embeddings of two seeds, and d_LLV against d_{f,g} with three bounds.

    Args:
        data: (n, 2) training inputs and their (n,) labels.
        pair: two models of one configuration, dimension 2, by their titles; ``compared`` is their comparison.
        distances: by name, for example "width 16".
    """
    first, second = (plane_model(title, p.embeddings, p.unembeddings, p.bias) for title, p in pair.items())
    figures = {
        "data": draw_synthetic_data(*data),
        "embeddings": draw_side_by_side(first, second, _typeset(_in_words(compared))),
        "bounds": draw_three_bounds(distances),
    }
    return Plots(figures)


def _in_words(c: Comparison) -> str:
    return f"m_CCA {c.mean_cca_embeddings:.3f}, KL {c.kl:.3f} and {c.kl_reverse:.3f} nats, d_LLV {c.llv:.3f}"


def _typeset(line: str) -> str:
    """The same line for a figure."""
    return line.replace("m_CCA", "$m_{\\mathrm{CCA}}$").replace("d_LLV", "$d_{\\mathrm{LLV}}$")
