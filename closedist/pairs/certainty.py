"""How sure the numbers of compared pairs are, against what, and what a pass over a single pair adds to them.

It comes after the comparison and holds what that chose, so that nothing is chosen twice. Models are taken some at a
time, their pairs in batches, and all groups of inputs are left out of a batch at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from closedist.certainty.groups import Groups, contiguous_blocks, given_groups, sequence_blocks
from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.checks import only_logits
from closedist.measures.debiased_cka import centred_view, debiased_similarity, own_hsic
from closedist.measures.moments import prepared
from closedist.measures.settings import Settings
from closedist.measures.views import as_view
from closedist.pairs.measured_certainty import certainty_by_name
from closedist.pairs.of_predictions import of_predictions
from closedist.pairs.of_roots import Batch, llv_by_seed
from closedist.pairs.threads import fitting_threads
from closedist.pairs.wanted import kept, wants_pass
from closedist.representations import Representations

Pairs = Sequence[tuple[int, int]]
Fields = dict[str, Any]
_TILE_COLUMNS = 512  # of a root factor: what its groups' roots cost is its square, times their number
_BATCH_ELEMENTS = 1 << 22  # numbers of a batch of pairs: 32 MB
_PASS_WORK = 1 << 34  # N·C·M: above, one more pass over the inputs is not spent on what is only told beside


def with_certainty(
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Pairs,
    comparisons: Sequence[Comparison],
    settings: Settings,
    *,
    intervals: bool,
    groups: ArrayLike | Tensor | None = None,
    spread: bool = False,
) -> list[Comparison]:
    """The comparisons with Jensen–Shannon, quantiles of KL, chance and debiased CKA, and, where asked, intervals.

    Of large models, whose pass over the inputs takes long, without intervals only what is said of predictions.

    Args:
        models, names, pairs, settings: as they were compared.
        comparisons: one a pair.
        intervals: whether to leave out groups of inputs in turn, for confidence intervals.
        groups: (N,) integers or strings, equal for inputs that are drawn together; by default the models' own, and else
            20 blocks of neighbouring inputs.
        spread: whether d_LLV is measured with four more seeds of the search for the input set.

    Raises:
        InputError: the groups are not one for each input, or fewer than 8.
    """
    with fitting_threads(models):
        left_out = groups_of(models, names, groups) if intervals else None
        passed = wants_pass(settings)
        found: list[Fields] = of_predictions(models, pairs, left_out) if passed else [{} for _ in pairs]
        if left_out is not None:
            found = [of_pair | {"groups": str(left_out)} for of_pair in found]
        known = not only_logits(*models)
        width = max(model.dimension for model in models)
        if known:
            for place, of_pair in certainty_by_name(models, names, pairs, comparisons, settings, left_out):
                _merge(found[place], of_pair)
        if passed and known and (intervals or models[0].num_inputs * models[0].num_labels * width <= _PASS_WORK):
            for tile in _tiles(models, pairs):
                for place, of_pair in _of_tile(tile, names, comparisons, settings, left_out, spread):
                    _merge(found[place], of_pair)
        return [
            replace(comparison, **_kept(of_pair, settings))
            for of_pair, comparison in zip(found, comparisons, strict=True)
        ]


def _kept(fields: Fields, settings: Settings) -> Fields:
    """What is wanted of a pair's fields, and of intervals and chance, which are by field."""
    by_field = {name: kept(fields[name], settings) for name in ("intervals", "chance") if name in fields}
    return kept(fields, settings) | by_field


def _merge(fields: Fields, others: Fields) -> None:
    """Put more fields to a pair's; what is by field itself is joined."""
    for name, value in others.items():
        fields[name] = fields.get(name, {}) | value if isinstance(value, dict) else value


def groups_of(models: Sequence[Representations], names: Sequence[str], groups: ArrayLike | Tensor | None) -> Groups:
    """The groups that are given, or the models' own, or blocks of neighbouring inputs, where there are sequences whole.

    Raises:
        InputError: fewer than 8 groups, not one entry for each input, or models that have different groups.
    """
    if groups is not None:
        return given_groups(groups, models[0].num_inputs)
    own = [(model.groups, name) for model, name in zip(models, names, strict=True) if model.groups is not None]
    for other, name in own[1:]:
        if not np.array_equal(own[0][0], other):
            raise InputError(
                f"groups: those of model {name} are not those of model {own[0][1]}; say which hold, as groups= (on the "
                "command line --groups FILE)"
            )
    if own:
        return given_groups(own[0][0], models[0].num_inputs)
    ids = next((model.input_ids for model in models if model.input_ids is not None), None)
    if ids is not None and ids.ndim == 2 and ids.dtype.kind == "i":  # numbers of sequences and positions
        return sequence_blocks(ids[:, 0])
    return contiguous_blocks(models[0].num_inputs)


@dataclass(frozen=True)
class _Tile:
    """Some models, and those of the pairs that are among them.

    Attributes:
        models: the models, and ``numbers`` which of all they are.
        pairs: (m, 2) indices among them, and ``places`` which of all pairs they are.
    """

    models: list[Representations]
    numbers: list[int]
    pairs: list[tuple[int, int]]
    places: list[int]


def _tiles(models: Sequence[Representations], pairs: Pairs) -> Iterator[_Tile]:
    """All pairs, so many models at a time as a root factor has columns for."""
    width = max(model.dimension for model in models) + 1
    step = max(1, _TILE_COLUMNS // (2 * width))
    together = len(models) * width <= _TILE_COLUMNS
    by_block: dict[tuple[int, int], list[int]] = {}
    for place, (i, j) in enumerate(pairs):
        by_block.setdefault((0, 0) if together else (i // step, j // step), []).append(place)
    for places in by_block.values():
        numbers = sorted({index for place in places for index in pairs[place]})
        within = {number: index for index, number in enumerate(numbers)}
        local = [(within[pairs[place][0]], within[pairs[place][1]]) for place in places]
        yield _Tile([models[number] for number in numbers], numbers, local, places)


def _of_tile(
    tile: _Tile,
    names: Sequence[str],
    comparisons: Sequence[Comparison],
    settings: Settings,
    groups: Groups | None,
    spread: bool,
) -> Iterator[tuple[int, Fields]]:
    """What there is to add to the pairs of a tile, with the place of each among all."""
    pairs = torch.tensor(tile.pairs)
    codes = None if groups is None else groups.codes
    members, measured = prepared(tile.models, [names[number] for number in tile.numbers], pairs, codes)
    pairs = pairs.to(members.device)
    alike: dict[tuple[Any, ...], list[int]] = {}  # so that what is held has one shape
    for index, place in enumerate(tile.places):
        c = comparisons[place]
        alike.setdefault((c.subset_size, c.num_label_subsets, c.dissimilarity_exact), []).append(index)
    rank, width = measured.over_inputs.vectors.shape[-2:]
    roots = 0 if groups is None else 2 * (width + 1) * rank * len(groups.sizes)
    step = max(1, _BATCH_ELEMENTS // (roots + members.num_labels * min(rank, 2 * (width + 1))))
    for indices in alike.values():
        for some in (indices[start : start + step] for start in range(0, len(indices), step)):
            records = [comparisons[tile.places[index]] for index in some]
            fields = Batch(members, measured, pairs[some], records, settings).fields(groups)
            yield from zip([tile.places[index] for index in some], fields, strict=True)
    views = [_centred(model) for model in tile.models]
    for (i, j), place in zip(tile.pairs, tile.places, strict=True):
        if comparisons[place].debiased_cka_embeddings is None:
            yield place, {"debiased_cka_embeddings": _debiased_cka(views[i], views[j])}
        if spread and comparisons[place].input_search == "random" and comparisons[place].llv is not None:
            pair = pairs[[tile.places.index(place)]]
            yield place, {"llv_by_seed": llv_by_seed(members, measured, pair, comparisons[place], settings)}


def _centred(model: Representations) -> tuple[Tensor, float]:
    """The centred embeddings, and what debiased CKA has of them by themselves."""
    view = centred_view(as_view(model.embeddings, "embeddings"), "embeddings")
    return view, own_hsic(view) if len(view) >= 4 else 0.0


def _debiased_cka(first: tuple[Tensor, float], second: tuple[Tensor, float]) -> float | None:
    """None where there are too few inputs, or their rows differ in too few of them."""
    (x, own), (y, other) = first, second
    return debiased_similarity(x, y.to(x.device), (own, other)) if min(own, other) > 0 else None
