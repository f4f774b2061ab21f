"""Intervals and chance of what is measured where it is named."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from closedist.certainty.groups import Groups
from closedist.certainty.intervals import Scale, by_number, jackknife, scale_of
from closedist.certainty.of_pairs import SCALES
from closedist.certainty.replicates import replicate_factors
from closedist.certainty.views_without import moments_without, rows_without
from closedist.comparison import COLUMNS, Column, Comparison
from closedist.comparison.measured import REVERSE
from closedist.measures.catalogue import MEASURES, Measure
from closedist.measures.joint import Columns, Joint, joint
from closedist.measures.logit_catalogue import LogitMeasure
from closedist.measures.logit_roots import ManyLogitRoots
from closedist.measures.settings import Settings
from closedist.measures.stack import stacked
from closedist.pairs.measured import of_logits, of_views, view_names, view_values
from closedist.pairs.parts import of_few_models
from closedist.pairs.wanted import column_of, logits_asked, views_asked
from closedist.representations import Representations

_ROOT_COLUMNS = 512  # of models side by side: what groups' roots cost is its square, times their number
_PAIRS_OF_INPUTS = 1 << 29  # that are gone through for intervals of measures of pairs of inputs, of a pair of models
_COLUMNS = {column.name: column for column in COLUMNS}

Fields = dict[str, Any]


def certainty_by_name(
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    comparisons: Sequence[Comparison],
    settings: Settings,
    groups: Groups | None,
) -> Iterator[tuple[int, Fields]]:
    """What there is to add to pairs, with the place of each: ``chance``, and ``intervals`` where there are groups.

    The arguments are those of :func:`~closedist.pairs.certainty.with_certainty`, but groups of inputs.
    """
    views, logits = views_asked(settings), logits_asked(settings)
    width = max(model.dimension for model in models) + 1
    for which, members, local in of_few_models(torch.tensor(pairs), _ROOT_COLUMNS // width) if views or logits else ():
        some, places = [models[index] for index in members], which.tolist()
        replicates: list[dict[str, Tensor]] = []
        chance: dict[str, Tensor] = {}
        if views:
            side_by_side = joint([model.embeddings for model in some], view_names(names, members))
            chance |= _chance(side_by_side, local, views)
            if groups is not None:
                replicates += _views_without(side_by_side, local, views, groups)
        if logits:
            roots = ManyLogitRoots.of(stacked(some), None if groups is None else groups.codes)
            chance |= _chance_of_logits(roots, local, logits)
            if groups is not None:
                both = roots.without_groups(local.to(roots.mean.device), replicate_factors)
                replicates.append(_stacked(of_logits(roots, without, local, logits) for without in both))
        found = _intervals([comparisons[place] for place in places], replicates, groups)
        for place, of_pair, row in zip(places, found, _rows(chance, len(places)), strict=True):
            yield place, {"chance": row} | ({"intervals": of_pair} if groups is not None else {})


def _chance(views: Joint, pairs: Tensor, measures: Iterable[Measure]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for measure in measures:
        if (expected := measure.chance_of_joint) is not None:
            found |= view_values(expected(views), pairs, measure)
    return found


def _chance_of_logits(many: ManyLogitRoots, pairs: Tensor, measures: Sequence[LogitMeasure]) -> dict[str, Tensor]:
    """The root of the mean square of what is one, else the mean."""
    first, second = many.of_pairs(pairs.to(many.mean.device))
    known = [measure for measure in measures if measure.chance]
    return of_logits(many, (first.permuted(), second.permuted()), pairs, known)


def _views_without(
    views: Joint, pairs: Tensor, measures: Sequence[Measure], groups: Groups
) -> Iterator[dict[str, Tensor]]:
    """(G, m) by name, from roots where they are enough; of many pairs of inputs none."""
    of_roots = [one for one in measures if one.moments]
    of_rows = [one for one in measures if not one.moments]
    if of_roots:
        yield _stacked(of_views(without, pairs, of_roots) for without in moments_without(views, groups))
    if of_rows and len(groups.sizes) * views.num_inputs**2 <= _PAIRS_OF_INPUTS:
        yield _stacked(of_views(without, pairs, of_rows) for without in rows_without(views, groups))


def _stacked(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    listed = list(parts)
    return {name: torch.stack([part[name] for part in listed]).cpu() for name in listed[0]}


def _intervals(
    comparisons: Sequence[Comparison], replicates: Iterable[Mapping[str, Tensor]], groups: Groups | None
) -> list[dict[str, Any]]:
    """Of each comparison the intervals of the numbers that it has."""
    found = {}
    for part in replicates:
        for name, of_groups in part.items():
            values = [getattr(comparison, name) for comparison in comparisons]
            if groups is not None and None not in values:
                at = torch.tensor(values, dtype=torch.float64)
                found[name] = jackknife(at, of_groups, groups.sizes, SCALES.get(name) or _scale(_COLUMNS[name]))
    return by_number(found) if found else [{} for _ in comparisons]


def _scale(column: Column) -> Scale:
    """Measures of second moments are off on few inputs, as m_CCA is; those of neighbours are of this many inputs."""
    biased = {column_of(measure) for measure in MEASURES if measure.moments}
    corrected = column.name.removesuffix(REVERSE) in biased
    return scale_of(column.low, column.high, column.larger_is_closer, corrected=corrected)


def _rows(columns: Mapping[str, Tensor], count: int) -> list[dict[str, float]]:
    lists = {name: values.tolist() for name, values in columns.items()}
    return [{name: values[index] for name, values in lists.items()} for index in range(count)]


def permuted_by_name(
    models: Sequence[Representations], names: Sequence[str], settings: Settings, orders: Tensor
) -> dict[str, Tensor]:
    """(P,) by name: what two models would give if the second one's inputs were permuted; of many pairs of inputs none.

    Args:
        models, names: two of them.
        settings: what was asked for.
        orders: (P, N) permutations.
    """
    pair = torch.tensor([[0, 1]])
    few = orders.numel() * orders.shape[1] <= 16 * _PAIRS_OF_INPUTS
    views = [one for one in views_asked(settings) if one.moments or few]
    found: list[dict[str, Tensor]] = []
    if views:
        together = joint([model.embeddings for model in models], view_names(names, (0, 1)))
        first, second = together.columns
        permuted = (replace(together, columns=Columns.of([first, second[order]])) for order in orders)
        found.append(_stacked(of_views(one, pair, views) for one in permuted))
    if logits := logits_asked(settings):
        roots = ManyLogitRoots.of(stacked(models))
        both = roots.with_second_permuted(orders)
        found.append(_stacked(of_logits(roots, one, pair, logits) for one in both))
    return {name: values[:, 0] for part in found for name, values in part.items() if name in (settings.measures or ())}
