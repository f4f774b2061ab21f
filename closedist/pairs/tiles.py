"""Pairs of models in tiles of models: memory for some models at a time, and for any number of them.

What belongs to one model is computed once, in one pass over its inputs. A tile has the pairs of some models with some
others; its models are gone through once more for how they lie to each other, and all else costs nothing that depends on
the number of inputs or of other models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.label_table import ConstantOddsError
from closedist.measures.likelihood import divergences
from closedist.measures.moments import Alone, Moments, one_by_one, together
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack, stacked
from closedist.pairs.choices import at_choices
from closedist.pairs.measured import measured_by_name
from closedist.pairs.parts import tiles
from closedist.pairs.records import Columns, of_call
from closedist.pairs.threads import are_large, fitting_threads
from closedist.pairs.wanted import kept, wants_pass
from closedist.pairs.whole import facts_of, of_all_pairs
from closedist.representations import Representations
from closedist.system.memory import keep_freed_memory
from closedist.system.threads import one_thread, side_by_side

TILE = 60  # models on each side: what they need for themselves is then little beside their pairs
STACK_BYTES = 1 << 28  # unembeddings of models that are gone through together
TILE_BYTES = 3 << 27  # of what the models of a tile need for themselves, and of their angles
BATCH_BYTES = 1 << 26  # of what pairs need that are measured at once


@dataclass(frozen=True)
class Found:
    """Numbers of some pairs: their positions among all pairs, and by names in COLUMNS one for each, or one for all."""

    which: Tensor
    columns: Columns


def in_tiles(
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Tensor,
    sizes: Tensor,
    settings: Settings,
) -> Iterator[Found]:
    """Every number of every pair that is wanted, tile by tile.

    Args:
        models: n comparable models.
        names: what errors call them.
        pairs: (m, 2) indices.
        sizes: (m,) K of each pair.
        settings: how they are compared.

    Raises:
        InputError: a model's embeddings or unembeddings do not vary, or what was asked for cannot be had.
    """
    width = max(model.dimension for model in models)
    with fitting_threads(models):
        by_name = measured_by_name(models, names, pairs, settings)
    if not wants_pass(settings):
        facts: Columns = dict(facts_of(models, pairs))
        yield Found(torch.arange(len(pairs)), by_name | facts | of_call(models[0], 0, settings))
        return
    keep_freed_memory()
    large = are_large(models)
    with fitting_threads(models) as threads:
        alone, kl = each_model(models, names, pairs, width, 1 if large else threads)
    most = int(sizes.max()) + 1 if len(sizes) else 1
    largest = TILE_BYTES // threads
    all_tiles = list(tiles(pairs, *_shape(pairs, models[0], width, most, settings, largest)))

    def of_tile(which: Tensor) -> list[Found]:
        members, local = torch.unique(pairs[which], return_inverse=True)
        stack = stacked([models[index] for index in members.tolist()], kl.device, width)
        there, local = members.to(kl.device), local.to(kl.device)
        measured = together(stack, alone.select(there), kl[there[:, None], there], local)
        return list(_in_batches(stack, measured, local, which))

    def _in_batches(stack: Stack, measured: Moments, local: Tensor, which: Tensor) -> Iterator[Found]:
        for size in torch.unique(sizes[which]).tolist():
            with_size = (sizes[which] == size).nonzero()[:, 0]
            for batch in torch.split(with_size, _at_once(models[0], width, size, settings)):
                some = local[batch.to(kl.device)]
                columns: Columns = dict(of_all_pairs(stack, measured, some))
                try:
                    columns |= at_choices(stack, measured, some, size, settings) if size else {}
                except ConstantOddsError as error:
                    model = int(pairs[which[batch[error.pair]], error.model])
                    raise error.explained(names[model]) from error
                named = {name: values[which[batch]] for name, values in by_name.items()}
                yield Found(which[batch], named | kept(columns, settings) | of_call(models[0], size, settings))

    if len(all_tiles) < threads and large:
        for which in all_tiles:
            yield from of_tile(which)
        return
    with one_thread():
        for found in side_by_side(of_tile, all_tiles, min(threads, len(all_tiles)) or 1):
            yield from found


def each_model(
    models: Sequence[Representations], names: Sequence[str], pairs: Tensor, width: int, threads: int = 1
) -> tuple[Alone, Tensor]:
    """What belongs to each of n models by itself, and (n, n) divergences of the pairs asked for.

    Args:
        models, names, pairs: as for :func:`in_tiles`.
        width: to which M is filled up.
        threads: as for :func:`~closedist.measures.moments.one_by_one`.
    """
    together_at_most = max(1, STACK_BYTES // (8 * models[0].num_labels * width))
    parts: list[Alone] = []
    kl = torch.zeros(len(models), len(models), dtype=torch.float64)
    for low in range(0, len(models), together_at_most):
        high = min(low + together_at_most, len(models))
        inside = pairs[((pairs >= low) & (pairs < high)).all(-1)] - low
        stack = stacked(models[low:high], parts[0].shared.device if parts else None, width)
        part, found, _ = one_by_one(stack, inside.to(stack.device), names=names[low:high], threads=threads)
        parts.append(part)
        kl[low:high, low:high] = found.cpu()
    across = pairs[pairs[:, 0] // together_at_most != pairs[:, 1] // together_at_most]
    for which in tiles(across, together_at_most, together_at_most):
        members, local = torch.unique(across[which], return_inverse=True)
        kl[members[:, None], members] += divergences([models[index] for index in members.tolist()], local).cpu()
    alone = Alone.joined(parts)
    return alone, kl.to(alone.shared.device)


def _shape(
    pairs: Tensor, model: Representations, width: int, items: int, settings: Settings, largest: int
) -> tuple[int, int]:
    """How many first and second models a tile has; a few first ones are compared with more others."""
    inputs = min(model.num_inputs, items * (1 if settings.input_set is not None else settings.num_samples))
    of_model = 16 * width * (model.num_labels + inputs + 2 * width)
    of_pair = 72 * (width + 1) ** 2
    side = max(1, min(TILE, largest // (2 * of_model), int((largest / 2 / of_pair) ** 0.5)))
    num_firsts, num_seconds = (len(torch.unique(column)) for column in pairs.T)
    firsts = _evenly(num_firsts, side)
    return firsts, _evenly(num_seconds, max(1, min(side * side // firsts, largest // (2 * of_model))))


def _evenly(count: int, most: int) -> int:
    """How many are in a part, where parts of so many at most are of like size."""
    parts = max(1, -(-count // most))
    return max(1, -(-count // parts))


def _at_once(model: Representations, width: int, size: int, settings: Settings) -> int:
    """How many pairs of a tile are measured at once."""
    coordinates = 2 * (width + 1)
    sets = 1 if settings.input_set is not None else settings.num_samples
    of_pair = 8 * (2 * coordinates * (coordinates + model.num_labels) + 4 * sets * (size + 1))
    of_pair += 24 * min(model.num_labels, 1024) ** 2
    return max(1, BATCH_BYTES // of_pair)
