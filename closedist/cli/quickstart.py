"""The command quickstart: what a newcomer sees first."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from closedist.cli.options import DEFAULTS, Common, Seed
from closedist.comparison import values_of
from closedist.errors import InputError

MEASURED = ("mean_cca_embeddings", "llv", "dissimilarity")
BOUNDS = ("certificate", "quadratic_bound", "bound")
ALIKE = 0.1  # nats: of two models that predict nearly the same

if TYPE_CHECKING:
    from closedist.paper.quickstart import WidthResult


def quickstart(
    *,
    folder: Path = Path("quickstart"),
    seed: Seed = 0,
    common: Common = DEFAULTS,
) -> None:
    """Train 5 seeds of two widths on the paper's 6-label data, measure all pairs and draw them: a few minutes.

    Stopped and run again, it goes on where it was.

    Args:
        folder: Everything is written below it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--folder: {folder} is a file; give a folder, which is written to")
    common.set_up()
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
    print(_table(results))
    print("\nFigures:")
    for path in draw_quickstart(results, folders):
        print(f"  {path}")
    print(f"Checkpoints, losses and result files are in {folder}, in the paper's formats.\n")
    print(_closing(results))
    page = folder / "report.html"
    look_at_quickstart(results, folders, page, seed)
    print(f"\nTo look at every pair, and where two models differ, open {page}")


def _table(results: "Sequence[WidthResult]") -> str:
    heads = ("width", "accuracy", "KL", "m_CCA", "d_LLV", "d_fg", "certificate", "quadratic", "2M·d_LLV")
    rows: list[Sequence[str]] = [heads]
    for result in results:
        medians = [median(values_of(result.comparisons, field)) for field in ("kl", *MEASURED, *BOUNDS)]
        numbers = (f"{value:.3f}" for value in (fmean(result.accuracies), *medians))
        rows.append((str(result.run.name.width), *numbers))
    lines = ["  ".join(f"{cell:>{len(head)}}" for cell, head in zip(row, heads, strict=True)) for row in rows]
    return "\n".join(["Medians over pairs of seeds (KL in nats); each of the last three bounds d_fg:", *lines])


def _closing(results: "Sequence[WidthResult]") -> str:
    """What the reader has just seen, from the numbers themselves."""
    result = results[-1]
    (first, second), closest = result.closest_pair()
    pairs = [pair for each in results for pair in each.comparisons]
    kl, back = (values_of([closest], field)[0] for field in ("kl", "kl_reverse"))
    informative = [sum(value < 1 for value in values_of(pairs, field)) for field in BOUNDS]
    broken = sum(int((~held).sum()) for each in results for held in each.bounds_holding().values())
    how = "predict most alike" if max(kl, back) < ALIKE else "are the closest, though far from alike"
    said = [
        f"What you have just seen: of all pairs of width {result.run.name.width}, seeds {first} and {second} "
        f"{how} (KL {kl:.3g} and "
        f"{back:.3g} nats); were their embeddings linear maps of each other, m_CCA would be 1 and d_fg "
        f"0. They are {closest.mean_cca_embeddings:.3f} and {closest.dissimilarity:.3f}.",
        "Such differences are bounded from the log-likelihoods alone: d_fg ≤ certificate ≤ quadratic bound, "
        f"2·max(t1, t2)². Of {len(pairs)} pairs the certificate says something (is below 1) for {informative[0]}, the "
        f"quadratic bound for {informative[1]}, the paper's 2M·d_LLV for {informative[2]}.",
        f"Bounds are theorems, and yet {broken} of these are broken: this is a fault of closedist." if broken else "",
    ]
    return "\n".join(textwrap.fill(part, 79) for part in said if part)
