"""What is measured where it is named, of many pairs: measures of two views, of embeddings, and distances of logits."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from closedist.comparison.measured import REVERSE
from closedist.measures import logit_bounds
from closedist.measures.catalogue import Measure
from closedist.measures.joint import Joint, joint
from closedist.measures.logit_catalogue import LogitMeasure
from closedist.measures.logit_distance import logit_distance
from closedist.measures.logit_numbers import LogitNumbers
from closedist.measures.logit_roots import LogitRoots, ManyLogitRoots
from closedist.measures.orthonormal import precisions
from closedist.measures.settings import Settings
from closedist.measures.stack import stacked
from closedist.pairs.parts import of_few_models
from closedist.pairs.wanted import column_of, logits_asked, views_asked
from closedist.representations import Representations

_VIEW_BYTES = 1 << 29  # of embeddings side by side
_ROOT_COLUMNS = 512  # of models side by side, whose root costs its square for each input


def measured_by_name(
    models: Sequence[Representations], names: Sequence[str], pairs: Tensor, settings: Settings
) -> dict[str, Tensor]:
    """(m,) numbers by name that were asked for by name, jointly.

    Args:
        models, names: n comparable models, and what errors call them.
        pairs: (m, 2) indices, the first below the second.
        settings: which numbers.

    Raises:
        InputError: a measure cannot be had of these embeddings.
    """
    views, logits = views_asked(settings), logits_asked(settings)
    width = max(model.dimension for model in models)
    parts = []
    if views:
        for which, members, local in of_few_models(pairs, _VIEW_BYTES // (8 * models[0].num_inputs * width)):
            some = [models[index] for index in members]
            side_by_side = joint([one.embeddings for one in some], view_names(names, members), _first_only(local))
            parts.append((which, of_views(side_by_side, local, views)))
    if logits:
        for which, members, local in of_few_models(pairs, _ROOT_COLUMNS // (width + 1)):
            roots = ManyLogitRoots.of(stacked([models[index] for index in members]))
            parts.append((which, of_logits(roots, roots.of_pairs(local.to(roots.mean.device)), local, logits)))
    found: dict[str, Tensor] = {}
    for which, values in parts:
        for name in values.keys() & (settings.measures or frozenset()):
            whole = found.setdefault(name, torch.full((len(pairs),), torch.nan, dtype=torch.float64))
            whole[which] = values[name].cpu()
    return found


def view_names(names: Sequence[str], members: Iterable[int]) -> list[str]:
    """What errors call the embeddings of some models."""
    return [f"model {names[index]}" for index in members]


def _first_only(pairs: Tensor) -> int | None:
    """How many models only come first in pairs, where all others only come second; None where they are mixed."""
    first = int(pairs[:, 0].max()) + 1
    return first if first <= int(pairs[:, 1].min()) else None


def of_views(views: Joint, pairs: Tensor, measures: Iterable[Measure]) -> dict[str, Tensor]:
    """(m,) by name, both ways where a measure is not symmetric, of (m, 2) indices of views."""
    found: dict[str, Tensor] = {}
    for measure in measures:
        found |= view_values(measure.of_joint(views), pairs, measure)
    return found


def view_values(values: Tensor, pairs: Tensor, measure: Measure) -> dict[str, Tensor]:
    """(m,) by name from (n, n) values of a measure."""
    first, second = pairs.to(values.device).T
    name = column_of(measure)
    return {name: values[first, second]} | ({} if measure.symmetric else {name + REVERSE: values[second, first]})


def of_logits(
    many: ManyLogitRoots, both: tuple[LogitRoots, LogitRoots], pairs: Tensor, measures: Iterable[LogitMeasure]
) -> dict[str, Tensor]:
    """(m,) by name, both ways where a number is directed; NaN where a black box has not what it takes.

    Args:
        many: the roots of n models, and ``both`` those of m pairs, from these or without a group of inputs.
        pairs: (m, 2) indices.
        measures: which.
    """
    members, device = many.models.members, many.mean.device
    pairs = pairs.to(device)
    precision = precisions([member.stored for member in members], device)[pairs]
    dimensions = torch.tensor([member.dimension for member in members], device=device)[pairs]
    black_box = torch.tensor([member.black_box for member in members], device=device)[pairs].any(-1)
    ways = [
        LogitNumbers(roots, *(side if way == 0 else side.flip(-1) for side in (precision, dimensions)))
        for way, roots in enumerate(both)
    ]
    found = {}
    for measure in measures:
        for numbers, end in zip(ways, ("", REVERSE) if measure.directed else ("",), strict=False):
            values = numbers.of(measure)
            found[measure.name + end] = values.masked_fill(black_box, torch.nan) if measure.embeddings else values
    return found


def distances_of_logits(models: Sequence[Representations], pairs: Tensor, settings: Settings) -> dict[str, Tensor]:
    """(m,) d_logit and what it alone bounds, where asked for by name, of models of which only logits are known."""
    if not any(one.name in _OF_DISTANCE for one in logits_asked(settings)):
        return {}
    distance = torch.tensor([logit_distance(models[i], models[j]) for i, j in pairs.tolist()], dtype=torch.float64)
    rms, bound = distance / models[0].num_labels ** 0.5, logit_bounds.kl_bound(distance)
    return dict(zip(_OF_DISTANCE, (distance, rms, bound), strict=True))


_OF_DISTANCE = ("logit_distance", "logit_distance_rms", "kl_bound")
