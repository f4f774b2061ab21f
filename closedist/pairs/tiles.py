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
from closedist.measures.moments import Alone, one_by_one, together
from closedist.measures.settings import Settings
from closedist.measures.stack import stacked
from closedist.pairs.choices import at_choices
from closedist.pairs.records import Columns
from closedist.pairs.whole import of_all_pairs
from closedist.representations import Representations

TILE = 24  # models on each side: what they need for themselves is then little beside their pairs
STACK_BYTES = 1 << 28  # unembeddings of models that are gone through together
TILE_BYTES = 1 << 28  # of what the models of a tile need for themselves, and of their angles
BATCH_BYTES = 1 << 25  # of what pairs need that are measured at once


@dataclass(frozen=True)
class Found:
    """Numbers of some pairs with the same K: their positions among all pairs, and a column a number."""

    which: Tensor
    size: int
    columns: Columns


def in_tiles(
    models: Sequence[Representations],
    names: Sequence[str],
    pairs: Tensor,
    sizes: Tensor,
    settings: Settings,
) -> Iterator[Found]:
    """Every number of every pair, tile by tile.

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
    alone, kl = each_model(models, names, pairs, width)
    most = int(sizes.max()) + 1 if len(sizes) else 1
    for which in tiles(pairs, *_shape(models[0], width, most, settings)):
        members, local = torch.unique(pairs[which], return_inverse=True)
        stack = stacked([models[index] for index in members.tolist()], kl.device, width)
        there, local = members.to(kl.device), local.to(kl.device)
        measured = together(stack, alone.select(there), kl[there[:, None], there], local)
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
                yield Found(which[batch], size, columns)


def each_model(
    models: Sequence[Representations], names: Sequence[str], pairs: Tensor, width: int
) -> tuple[Alone, Tensor]:
    """What belongs to each of n models by itself, and (n, n) divergences of the pairs asked for.

    Args:
        models, names, pairs: as for :func:`in_tiles`.
        width: to which M is filled up.
    """
    together_at_most = max(1, STACK_BYTES // (8 * models[0].num_labels * width))
    parts: list[Alone] = []
    kl = torch.zeros(len(models), len(models), dtype=torch.float64)
    for low in range(0, len(models), together_at_most):
        high = min(low + together_at_most, len(models))
        inside = pairs[((pairs >= low) & (pairs < high)).all(-1)] - low
        stack = stacked(models[low:high], parts[0].shared.device if parts else None, width)
        part, found, _ = one_by_one(stack, inside.to(stack.device), names=names[low:high])
        parts.append(part)
        kl[low:high, low:high] = found.cpu()
    across = pairs[pairs[:, 0] // together_at_most != pairs[:, 1] // together_at_most]
    for which in tiles(across, together_at_most, together_at_most):
        members, local = torch.unique(across[which], return_inverse=True)
        kl[members[:, None], members] += divergences([models[index] for index in members.tolist()], local).cpu()
    alone = Alone.joined(parts)
    return alone, kl.to(alone.shared.device)


def tiles(pairs: Tensor, rows: int, columns: int) -> Iterator[Tensor]:
    """Positions of pairs, (m, 2) indices, in tiles of at most so many first and so many second models."""
    ranks = [torch.unique(side, return_inverse=True)[1] for side in pairs.T]
    if len(pairs) and int(ranks[0].max()) < rows:  # few models against many
        columns = max(columns, rows * columns // (int(ranks[0].max()) + 1))
    tile = ranks[0] // rows * (len(pairs) + 1) + ranks[1] // columns
    order = tile.argsort(stable=True)
    if len(order):
        yield from torch.split(order, torch.unique(tile, return_counts=True)[1].tolist())


def _shape(model: Representations, width: int, items: int, settings: Settings) -> tuple[int, int]:
    """How many models on each side of a tile."""
    inputs = min(model.num_inputs, items * (1 if settings.input_set is not None else settings.num_samples))
    of_model = 16 * width * (model.num_labels + inputs + 2 * width)
    of_pair = 32 * (width + 1) ** 2
    side = max(1, min(TILE, TILE_BYTES // (4 * of_model), int((TILE_BYTES / 2 / of_pair) ** 0.5)))
    return side, side


def _at_once(model: Representations, width: int, size: int, settings: Settings) -> int:
    """How many pairs of a tile are measured at once."""
    coordinates = 2 * (width + 1)
    sets = 1 if settings.input_set is not None else settings.num_samples
    of_pair = 8 * (2 * coordinates * (coordinates + model.num_labels) + 4 * sets * (size + 1))
    of_pair += 24 * min(model.num_labels, 1024) ** 2
    return max(1, BATCH_BYTES // of_pair)
