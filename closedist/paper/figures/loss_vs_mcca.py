"""Models with the same loss need not be similar: difference of test loss against the embeddings' m_CCA."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from closedist.page.style import PAGE_WIDTH, POINT_COLOR, closedist_style, new_figure
from closedist.paper.figures.plots import Plots
from closedist.paper.results.tables import LossRow, MCCARow

Panels = Mapping[int, tuple[Sequence[MCCARow], Sequence[LossRow]]]  # by representation dimension


def make_loss_diff_vs_mcca(panels: Panels) -> Plots:
    """loss_diff_vs_mcca: a panel for every representation dimension with m_CCA and losses of the same models."""
    return Plots({"loss_diff_vs_mcca": draw_loss_diff_vs_mcca(panels)})


def draw_loss_diff_vs_mcca(panels: Panels) -> Figure:
    """A panel for every representation dimension, in it a point for every pair of seeds.

    Args:
        panels: by representation dimension, the pairs' canonical correlations and the very models' final losses, as
            :func:`why_apart` finds them.
    """
    with closedist_style():
        figure = new_figure(PAGE_WIDTH, 2.4)
        axes_row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        top = 0.0
        for axes, (dimension, (correlations, losses)) in zip(axes_row, panels.items(), strict=True):
            loss = {row.model_seed: row.test_loss for row in losses}
            x = [row.test_f_mcca for row in correlations]
            y = [abs(loss[row.model_seeds[0]] - loss[row.model_seeds[1]]) for row in correlations]
            axes.scatter(x, y, s=12, c=POINT_COLOR, linewidths=0, alpha=0.8)
            axes.set(xlim=(-0.02, 1.02))
            axes.set_title(f"dimension {dimension}, {len(x)} pairs")
            top = max(top, *y)
        figure.supxlabel("$m_{\\mathrm{CCA}}$ of the embeddings, test inputs", fontsize=8)
        axes_row[0].set(
            ylabel="|difference of test loss| (nats)", ylim=(-0.03 * top, 1.08 * top) if top > 0 else (0, 1)
        )
    return figure


def why_apart(correlations: Sequence[MCCARow], losses: Sequence[LossRow]) -> str:
    """Why losses are not those of the models that were correlated; nothing where they are, as far as files say."""
    missing = sorted({seed for row in correlations for seed in row.model_seeds} - {row.model_seed for row in losses})
    if missing:
        return f"the losses lack seed {missing[0]}, of which there is m_CCA"
    correlated, measured = ({row.models for row in rows if row.models} for rows in (correlations, losses))
    if correlated and correlated != measured:  # files of the paper's code name no models: such m_CCA takes any losses
        other = ", ".join(sorted(measured)) or "models that their file does not name"
        return f"m_CCA is of {', '.join(sorted(correlated))}, losses of {other}"
    return ""
