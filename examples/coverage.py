"""How often the 95 % intervals hold what they should: inputs drawn again and again from 10,000 of them.

The inputs of two models' representations are the population; each repetition draws some of them, independently or in
clusters of like inputs, measures the pair, and asks for every number whether its interval holds the number of all
inputs at the labels and the input set that the repetition chose. Prints the table of docs/certainty.md:

    python examples/coverage.py checkpoints/*MedCIFAR10*seed[01]_*reps_test.safetensors
    python examples/coverage.py                                                          # random models

With --measures those of measures= that look at second moments, on independent inputs.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from closedist import Representations, compare, list_measures
from closedist.certainty.groups import Groups, contiguous_blocks, given_groups
from closedist.certainty.held import Held, Sides
from closedist.certainty.intervals import Intervals, wilson
from closedist.certainty.of_pairs import label_side, means_without, pair_intervals, pair_replicates, similarities
from closedist.certainty.replicates import replicate_factors, side_by_side
from closedist.measures.by_input import ByInput, by_input
from closedist.measures.llv import distances
from closedist.measures.moments import moments
from closedist.measures.orthonormal import precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import stacked
from closedist.measures.svd import label_subsets
from closedist.measures.terms import Axis, axis_of

PAIR = torch.tensor([[0, 1]])
CLUSTER = 20  # inputs
PREDICTED = {"kl": "kl", "kl_reverse": "kl_reverse", "js_divergence": "js", "same_top_label": "same_top"}


def drawn(members: list[Representations], rows: Tensor) -> list[Representations]:
    """The same models on some inputs, which may occur twice."""
    return [Representations(model.embeddings[rows], model.unembeddings, model.bias) for model in members]


def measured(members: list[Representations], groups: Groups, settings: Settings) -> tuple[Axis, Sides, Held, Tensor]:
    """A pair on its inputs: the axis, what is held, and the factors of its groups."""
    models = stacked(members)
    found_moments = moments(models, PAIR, groups.codes)
    size = settings.size(max(model.dimension for model in members), models.num_labels, models.num_inputs)
    found = distances(models, found_moments, PAIR, size, settings)
    precision = precisions([model.embeddings for model in members], models.device)
    used = found.labels.used
    subsets = label_subsets(int(used.sum()), size, settings.num_subsets, settings.seed)[None]
    sides = Sides.of(found_moments.over_labels, precision, PAIR)
    held = Held.of(
        found.labels, found.by_label, found.by_input, found.items, used.nonzero()[:, 1][None], subsets, settings
    )
    assert found_moments.groups is not None
    factors = replicate_factors(side_by_side(found.by_label.sides), found_moments.groups.of_pairs(PAIR, 2))
    return found.by_label, sides, held, factors


def of_predictions(rows: ByInput, which: Tensor, groups: Groups, given: bool) -> dict[str, Intervals]:
    """The intervals of means over inputs."""
    columns = {name: getattr(rows, column)[which] for name, column in PREDICTED.items()}
    values = {name: column.mean()[None] for name, column in columns.items()}
    replicates = {name: means_without(column[None], groups.codes, groups.sizes) for name, column in columns.items()}
    found = pair_intervals(values, replicates, groups.sizes)
    if not given:
        found["same_top_label"] = wilson(values["same_top_label"], len(which))
    return found


def random_pair(num_inputs: int = 10_000, num_labels: int = 8, dimension: int = 3) -> list[Representations]:
    """A model with Gaussian numbers, and the same with noise."""
    generator = np.random.default_rng(0)
    f, g = generator.normal(size=(num_inputs, dimension)), generator.normal(size=(num_labels, dimension))
    noisy = [part + 0.4 * generator.normal(size=part.shape) for part in (f, g)]
    return [Representations(f, g), Representations(*noisy)]


def clusters_of(model: Representations) -> Tensor:
    """(N/20, 20) inputs that are alike: neighbours along the embeddings' first direction."""
    centred = model.embeddings.double() - model.embeddings.double().mean(0)
    order = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]).argsort()
    return order[: len(order) // CLUSTER * CLUSTER].reshape(-1, CLUSTER)


def coverage(
    members: list[Representations], num_inputs: int, repetitions: int, seed: int, kind: str, settings: Settings
) -> dict[str, float]:
    """By field, in which share of the repetitions the interval held the number of all inputs.

    Args:
        members: two models on the population.
        num_inputs: how many are drawn in a repetition.
        repetitions, seed: how many, and of the draws.
        kind: "independent" inputs, "clusters" that are given as groups, or clusters that are "ignored".
        settings: how the distance is asked for.
    """
    models = stacked(members)
    population = axis_of(moments(models, PAIR).over_inputs, models.labels, PAIR)
    rows, clusters = by_input(members), clusters_of(members[0])
    truth = {name: getattr(rows, column).mean() for name, column in PREDICTED.items()}
    generator = np.random.default_rng(seed)
    held_it: dict[str, list[bool]] = {}
    for _ in range(repetitions):
        if kind == "independent":
            which = torch.from_numpy(generator.integers(0, models.num_inputs, num_inputs))
            groups = contiguous_blocks(num_inputs)
        else:
            chosen = torch.from_numpy(generator.integers(0, len(clusters), num_inputs // CLUSTER))
            which, names = clusters[chosen].flatten(), np.arange(len(chosen)).repeat(CLUSTER)
            groups = given_groups(names, len(which))
            if kind == "ignored":
                which, groups = (
                    which[torch.from_numpy(generator.permutation(len(which)))],
                    contiguous_blocks(len(which)),
                )
        axis, sides, held, factors = measured(drawn(members, which), groups, settings)
        replicates = pair_replicates(axis, factors, sides, held, choices=False).values
        intervals = pair_intervals(label_side(axis, held) | similarities(axis, sides), replicates, groups.sizes)
        intervals |= of_predictions(rows, which, groups, kind == "clusters")
        of_all = truth | label_side(population, held) | similarities(population, sides)
        for name, interval in intervals.items():
            inside = (interval.low <= of_all[name]) & (of_all[name] <= interval.high)
            held_it.setdefault(name, []).append(bool(inside))
    return {name: float(np.mean(inside)) for name, inside in held_it.items()}


def coverage_of_named(members: list[Representations], num_inputs: int, repetitions: int, seed: int) -> dict[str, float]:
    """The same of the measures that measures= names, of independent inputs and by the library's own door."""
    names = [measure.name for measure in list_measures() if measure.moments]
    of_all = compare(*members, measures=names).measures
    generator = np.random.default_rng(seed)
    held_it: dict[str, list[bool]] = {name: [] for name in of_all}
    for _ in range(repetitions):
        which = torch.from_numpy(generator.integers(0, members[0].num_inputs, num_inputs))
        intervals = compare(*drawn(members, which), measures=names, intervals=True).intervals
        for name, truth in of_all.items():
            held_it[name].append(intervals[name].low <= truth <= intervals[name].high)
    return {name: float(np.mean(inside)) for name, inside in held_it.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="two files of representations of the same inputs")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measures", action="store_true", help="those of measures=")
    options = parser.parse_args()
    if len(options.models) not in (0, 2):
        parser.error("name two files, or none for random models")
    members = [Representations.load(path) for path in options.models] or random_pair()
    sizes = options.inputs, options.repetitions, options.seed
    heading = f"{options.inputs:,} of {members[0].num_inputs:,} inputs, {options.repetitions} repetitions, nominal 95 %"
    if options.measures:
        print(heading)
        for name, share in coverage_of_named(members, *sizes).items():
            print(f"{name:26}{share:>12.0%}")
        return
    columns = {kind: coverage(members, *sizes, kind, Settings()) for kind in ("independent", "clusters", "ignored")}
    print(heading)
    print(f"{'':26}{'independent':>13}{'in clusters':>13}{'ignored':>13}")
    for name in columns["independent"]:
        print(f"{name:26}" + "".join(f"{column[name]:>12.0%} " for column in columns.values()))


if __name__ == "__main__":
    main()
