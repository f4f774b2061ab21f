"""The command quickstart: what a newcomer sees first."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal

from closedist.cli.options import Common, Count, Natural
from closedist.comparison import values_of

BOUNDS = {"certificate": "certificate", "quadratic_bound": "quadratic bound", "bound": "paper's bound"}

if TYPE_CHECKING:
    from closedist.paper.quickstart import WidthResult


def quickstart(
    *,
    folder: Path = Path("quickstart"),
    seed: Natural = 0,
    threads: Count | None = None,
    log: Literal["debug", "info", "warning"] = "info",
) -> None:
    """Train 5 seeds of two widths on the paper's 6-label data, measure all pairs and draw them: a few minutes.

    Stopped and run again, it goes on where it was.

    Args:
        folder: everything is written below it.
        seed: of the input sets that d_LLV searches.
        threads: processor threads. Default: all cores.
        log: how much to say on standard error.
    """
    Common(seed=seed, threads=threads, log=log).set_up()
    from closedist.paper.folders import Folders
    from closedist.paper.quickstart import (
        draw_quickstart,
        look_at_quickstart,
        measure_quickstart,
        quickstart_runs,
        train_quickstart,
    )
    from closedist.system.progress import progress

    folders = Folders.under(folder)
    runs = quickstart_runs()
    models = sum(len(run.models.random_seeds) for run in runs)
    steps = runs[0].training.train_steps
    print(f"Training {models} models for {steps:,} steps each, as in the paper …", flush=True)
    with progress("training", models * steps) as advance:
        train_quickstart(folders, advance)
    results = measure_quickstart(folders, seed)
    _print_table(results)
    print("\nFigures:")
    for path in draw_quickstart(results, folders):
        print(f"  {path}")
    print(f"Checkpoints, losses and result files are in {folder}, in the paper's formats.\n")
    print(_closing(results))
    page = folder / "report.html"
    look_at_quickstart(results, folders, page, seed)
    print(f"\nTo look at every pair, and where two models differ, open {page}")


def _print_table(results: "Sequence[WidthResult]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Pairs of seeds: medians, and for how many pairs each bound holds", show_edge=False)
    heads = ("width", "accuracy", "KL (nats)", "m_CCA", "d_LLV", "d_fg", "certificate", "2·max(t1,t2)²", "2M·d_LLV")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for result in results:
        pairs = result.comparisons

        holds = result.bounds_holding()
        table.add_row(
            str(result.run.name.width),
            f"{fmean(result.accuracies):.3f}",
            f"{median(values_of(pairs, 'kl')):.4f}",
            f"{median(values_of(pairs, 'mean_cca_embeddings')):.3f}",
            f"{median(values_of(pairs, 'llv')):.3f}",
            f"{median(values_of(pairs, 'dissimilarity')):.3f}",
            *(
                f"{median(values_of(pairs, field)):.3f} ({holds[name].sum()}/{len(pairs)})"
                for field, name in BOUNDS.items()
            ),
        )
    Console(width=110).print(table)


def _closing(results: "Sequence[WidthResult]") -> str:
    """What the reader has just seen, from the numbers themselves."""
    result = results[-1]
    (first, second), closest = result.closest_pair()
    pairs = [pair for each in results for pair in each.comparisons]
    held = sum(
        int((holds["certificate"] & holds["quadratic bound"]).sum())
        for holds in (each.bounds_holding() for each in results)
    )
    informative = [sum(value < 1 for value in values_of(pairs, field)) for field in BOUNDS]
    return (
        f"What you have just seen: of all pairs of width {result.run.name.width}, seeds {first} and {second} predict "
        f"most alike\n(KL {closest.kl:.3g} and {closest.kl_reverse:.3g} nats); were their embeddings linear maps "
        f"of each other, m_CCA would be 1 and d_fg 0.\nThey are {closest.mean_cca_embeddings:.3f} and "
        f"{closest.dissimilarity:.3f}. Such differences are bounded from the log-likelihoods alone:\n"
        f"d_fg ≤ certificate ≤ 2·max(t1, t2)² held for {held} of {len(pairs)} pairs; the certificate says something "
        f"(is below 1)\nfor {informative[0]} of them, the quadratic bound for {informative[1]}, the paper's for "
        f"{informative[2]}."
    )
