"""What the command compare does with verdicts: groups from a file, clusters of many models, exit codes."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from closedist.errors import InputError

if TYPE_CHECKING:
    from closedist.certainty.limits import Limits
    from closedist.comparison import Comparison
    from closedist.comparison.copies import Copy

SAME, NOT_THE_SAME, UNDECIDED = 0, 1, 3  # exit codes of --check
MOST_PAIRS = 300  # that get intervals unasked
CLUSTERED = 0.9  # logit correlation of any two models of a cluster


def read_groups(path: Path, num_inputs: int) -> list[str]:
    """The group of each input: a line each, or the last column of a CSV; a title above is left out.

    Raises:
        InputError: the file cannot be read, or has not a line for each input.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise InputError(f"--groups: cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"--groups: {path} is no text: {error}; give a line an input, the name of its group"
        ) from error
    names = [row[-1] for row in rows]
    if len(names) == num_inputs + 1:
        names = names[1:]
    if len(names) != num_inputs:
        raise InputError(
            f"--groups: {path} has {len(names):,} lines, the models have {num_inputs:,} inputs; give one for each"
        )
    return names


def limits_of(tolerance: float | None, max_kl: float | None, min_same_top: float | None) -> "Limits":
    """The limits that the options --tolerance, --max-kl and --min-same-top give."""
    from closedist.certainty.limits import TOLERANCE, Limits

    return Limits(TOLERANCE if tolerance is None else tolerance, max_kl, min_same_top)


def exit_code(comparisons: "Sequence[Comparison]", limits: "Limits") -> int:
    """0 where all pairs are the same within the limits, 1 where one is not, and else 3.

    Raises:
        InputError: a pair has no verdict.
    """
    kinds = {comparison.within(limits).kind for comparison in comparisons}
    return NOT_THE_SAME if "not the same" in kinds else UNDECIDED if "undecided" in kinds else SAME


def exit_code_of_copies(copies: "Sequence[Copy]", limits: "Limits") -> int:
    """The same of copies of one model."""
    states = {copy.within(limits) for copy in copies}
    return NOT_THE_SAME if "broken" in states else UNDECIDED if "open" in states else SAME


def clusters(comparisons: "Sequence[Comparison]", names: Sequence[str]) -> str:
    """The groups of models any two of which have alike logits, a line each; "" where logits are not known.

    Args:
        comparisons: of all pairs, in ``itertools.combinations`` order.
        names: three or more.
    """
    from closedist.comparison.naming import short_names
    from closedist.comparison.table import wrapped
    from closedist.explanation.distances import distances
    from closedist.explanation.groups import group_models

    if any(comparison.logit_correlation is None for comparison in comparisons):
        return ""
    found = group_models(distances(comparisons), (2.0 * (1.0 - CLUSTERED)) ** 0.5)
    short, _ = short_names(names, 24)
    groups = [sorted(group) for group in found.members if len(group) > 1]
    lines = [f"{len(group)}: {', '.join(short[model] for model in group)}" for group in groups]
    alone = sorted(model for group in found.members if len(group) == 1 for model in group)
    if alone:
        lines.append(f"in none: {', '.join(short[model] for model in alone)}")
    head = f"groups in which any two logit correlations are {CLUSTERED:g} or more:"
    return "\n".join([head, *(part for line in lines for part in wrapped(line, "  "))]) + "\n"
