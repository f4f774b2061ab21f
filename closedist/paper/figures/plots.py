"""What a figure's function gives, and the figures that are made from points, representations or comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from closedist.comparison import Comparison
from closedist.page.style import save
from closedist.pairs import compare
from closedist.paper.figures.embeddings import draw_representations, draw_side_by_side, plane_model
from closedist.paper.figures.llv_scatter import draw_scatters, draw_three_bounds
from closedist.paper.figures.synthetic_data import draw_synthetic_data
from closedist.paper.results.tables import Distances
from closedist.representations import Representations
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


def make_synthetic_data(data: Mapping[int, tuple[ArrayLike, ArrayLike]]) -> Plots:
    """synthetic_data: by label count, the radial training points, (n, 2), coloured by their labels, (n,)."""
    return Plots({f"synthetic_data_cls{count}": draw_synthetic_data(*points) for count, points in data.items()})


def make_llv_constructed(comparisons: Mapping[int, Sequence[Comparison]]) -> Plots:
    """d_LLV_constructed: by label count, a constructed model against ever noisier copies of itself."""
    rows = {
        f"{num_classes} labels": Distances.of([(0, i + 1) for i in range(len(found))], found)
        for num_classes, found in comparisons.items()
    }
    return Plots({"d_LLV_constructed": draw_scatters(rows)})


def make_cifar10_reps(
    representations: Mapping[int, Representations], label_names: Sequence[str] | None = None, seed: int = 0
) -> Plots:
    """cifar10_reps: every seed's embeddings beside its unembeddings, and the first two seeds side by side.

    Args:
        representations: by seed, two or more of the same inputs and labels, dimension 2.
        label_names: (C,) for the legend.
        seed: of the input sets for d_LLV.

    Raises:
        InputError: the representations are not two-dimensional.
    """
    models = {s: plane_model(f"seed {s}", r.embeddings, r.unembeddings, r.bias) for s, r in representations.items()}
    figures = {f"cifar10_reps_seed{s}": draw_representations(model, label_names) for s, model in models.items()}
    first, second = list(models)[:2]
    caption = _in_words(compare(representations[first], representations[second], seed=seed))
    side_by_side = draw_side_by_side(models[first], models[second], _typeset(caption), label_names)
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
