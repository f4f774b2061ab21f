"""The input side of d_LLV: random input sets, and the search for the one with the smallest t2."""

import numpy as np
import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.pairwise import squared_distances
from closedist.measures.terms import BLOCK_ELEMENTS, ZERO, Axis, points, square_norm, squared_terms


def draw_input_sets(num_inputs: int, size: int, num_samples: int, seed: int) -> Tensor:
    """(num_samples, size) input sets, the pivot input first, of different inputs throughout where N allows it.

    Where N is too small for that many disjoint sets, every set is drawn by itself.

    Raises:
        InputError: fewer inputs than one set needs.
    """
    if size > num_inputs:
        raise InputError(
            f"embeddings: {num_inputs} inputs; an input set of {size} different inputs (subset_size + 1) is needed; "
            "give more inputs or a smaller subset_size"
        )
    generator = np.random.default_rng(seed)
    if num_samples * size <= num_inputs:
        return torch.from_numpy(generator.permutation(num_inputs)[: num_samples * size].reshape(num_samples, size))
    sets = [generator.choice(num_inputs, size, replace=False) for _ in range(num_samples)]
    return torch.from_numpy(np.stack(sets))


def search_input_sets(axis: Axis, sets: Tensor) -> Tensor:
    """Each pair's set with the smallest t2, the first where none is below 1; a set with an s_i of 0 is passed over.

    Args:
        axis: pairs over labels, items are the inputs that occur in ``sets``.
        sets: (S, K + 1) positions among the items, the pivot input first; cheapest where the items are the sets
            one after the other.

    Returns:
        (m,) indices of sets.

    Raises:
        InputError: some s_i is 0 in every set.
    """
    items = points(axis)
    coordinates, square, known = items.coordinates, items.square, items.powers
    in_order = torch.equal(sets.flatten(), torch.arange(axis.items.shape[1], device=sets.device))

    def in_sets(values: Tensor, some: slice) -> Tensor:
        """(n, L, …) values of items to (n, S, K + 1, …), where they are in order without a copy."""
        if in_order:
            return values.reshape(len(values), *sets.shape, *values.shape[2:])[:, some]
        return values[:, sets[some]]

    parts: list[Tensor] = []
    of_set = sets.shape[1] * axis.items.shape[-1] if in_order else max(sets.shape[1], axis.items.shape[1])
    step = max(1, BLOCK_ELEMENTS // (len(axis.pairs) * of_set))
    for some in (slice(start, start + step) for start in range(0, sets.shape[0], step)):
        if in_order:
            vectors, squares = in_sets(coordinates, some), in_sets(square, some)
            squared = square_norm(vectors[:, :, 1:] - vectors[:, :, :1])
            squared[squared <= ZERO**2 * (squares[:, :, 1:] + squares[:, :, :1])] = 0.0
        else:  # items are in many sets: distances from pivot inputs to all, and not vectors, are taken for each
            from_pivots = squared_distances(coordinates, square, sets[some, 0])
            squared = from_pivots[:, torch.arange(from_pivots.shape[1], device=sets.device)[:, None], sets[some, 1:]]
        usable, other_usable = axis.both((squared > 0.0).all(-1))
        inverse, other_inverse = axis.both(squared.rsqrt_())
        first, second, gap = (in_sets(values, some) for values in (known.first, known.second, known.gap))
        of_items = [(first[:, :, of], second[:, :, of], gap[:, :, of]) for of in (slice(1, None), slice(0, 1))]
        rest, pivot = squared_terms(inverse, other_inverse, *of_items)
        largest = torch.maximum(rest, pivot).amax(-1).clamp_(min=0.0)
        parts.append(largest.masked_fill_(~(usable & other_usable), torch.inf))
    squared_t2 = torch.cat(parts, -1)
    usable = torch.isfinite(squared_t2)
    if not bool(usable.any(-1).all()):
        raise InputError(
            "input_set: in every set, given or drawn, the pivot input and another have log-likelihoods that differ by "
            "a constant only (equal embeddings, up to what the unembeddings see); remove repeated inputs or give others"
        )
    smallest = squared_t2.min(-1)
    return torch.where(smallest.values < 1.0, smallest.indices, usable.to(torch.uint8).argmax(-1))
