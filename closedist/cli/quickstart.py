"""The command quickstart: what a newcomer sees first."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from closedist.cli.options import DEFAULTS, Common

if TYPE_CHECKING:
    from closedist.quickstart import WidthResult

CLOSING = """\
What you have just seen: networks that solve the same task almost equally well, from different seeds. Their predictions
are close, their embeddings are not always linear maps of each other (m_CCA below 1, d_fg above 0). d_LLV looks at
log-likelihoods alone and bounds that difference: every pair lies within the certificate, which lies within
2·max(t1, t2)². The paper's bound 2M·d_LLV says something only where it is below 1."""


def quickstart(*, folder: Path = Path("quickstart"), common: Common = DEFAULTS) -> None:
    """Train 5 seeds of two widths on the paper's 6-label data, measure all pairs and draw them: a few minutes.

    Stopped and run again, it goes on where it was.

    Args:
        folder: everything is written below it.
    """
    common.set_up()
    from closedist.folders import Folders
    from closedist.progress import progress
    from closedist.quickstart import draw_quickstart, measure_quickstart, quickstart_runs, train_quickstart

    folders = Folders.under(folder)
    runs = quickstart_runs()
    models = sum(len(run.models.random_seeds) for run in runs)
    steps = runs[0].training.train_steps
    print(f"Training {models} models for {steps:,} steps each, as in the paper …", flush=True)
    with progress("training", models * steps) as advance:
        train_quickstart(folders, advance)
    results = measure_quickstart(folders)
    _print_table(results)
    print("\nFigures:")
    for path in draw_quickstart(results, folders):
        print(f"  {path}")
    print(f"Checkpoints, losses and result files are in {folder}, in the paper's formats.\n")
    print(CLOSING)


def _print_table(results: "Sequence[WidthResult]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Pairs of seeds, means (share of pairs that the bound holds for)", show_edge=False)
    heads = ("width", "accuracy", "KL (nats)", "m_CCA", "d_LLV", "d_fg", "certificate", "2·max(t1,t2)²", "2M·d_LLV")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for result in results:
        pairs = result.comparisons

        def bound(values: Sequence[float], truths: Sequence[float]) -> str:
            within = sum(value >= truth for value, truth in zip(values, truths, strict=True))
            return f"{fmean(values):.3f} ({within}/{len(values)})"

        dissimilarities = [pair.dissimilarity for pair in pairs]
        table.add_row(
            str(result.run.name.width),
            f"{fmean(result.accuracies):.3f}",
            f"{fmean(pair.kl for pair in pairs):.4f}",
            f"{fmean(pair.mean_cca_embeddings for pair in pairs):.3f}",
            f"{fmean(pair.llv for pair in pairs):.3f}",
            f"{fmean(dissimilarities):.3f}",
            bound([pair.certificate for pair in pairs], dissimilarities),
            bound([pair.quadratic_bound or 0 for pair in pairs], dissimilarities),
            bound([pair.bound or 0 for pair in pairs], dissimilarities),
        )
    Console(width=110).print(table)
