"""Groups of inputs that are left out together: contiguous blocks, or what the user knows to belong together."""

import heapq
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.errors import InputError

BLOCKS = 20  # where nothing is known of the inputs
FEWEST = 8  # groups, below which a standard error means nothing
MOST = 40  # groups: more of them are put together, whole, since each costs as much as a comparison and adds little


@dataclass(frozen=True)
class Groups:
    """N inputs in G groups.

    Attributes:
        codes: (N,) int64 the group of each input, 0 … G − 1.
        sizes: (G,) int64 how many inputs each has.
        num_given: how many groups the user gave, None for blocks. They are more than G where some were put together.
        independent: nothing says that inputs belong together, as positions of one sequence do.
    """

    codes: Tensor
    sizes: Tensor
    num_given: int | None
    independent: bool = False

    @property
    def effective_number(self) -> float:
        """N²/Σn²: how many groups of equal size these are worth."""
        sizes = self.sizes.double()
        return float(sizes.sum().square() / sizes.square().sum())

    def __str__(self) -> str:
        """What they are, for a person."""
        if self.num_given is None:
            return f"{len(self.sizes)} blocks of neighbouring inputs"
        together = f", put together into {len(self.sizes)}" if self.num_given > len(self.sizes) else ""
        return f"{self.num_given:,} given groups{together}"


def contiguous_blocks(num_inputs: int) -> Groups:
    """20 blocks of neighbouring inputs of nearly equal size; one block an input where there are fewer.

    Raises:
        InputError: fewer than 8 inputs.
    """
    if num_inputs < FEWEST:
        raise InputError(
            f"intervals: {num_inputs} inputs; at least {FEWEST}, and in practice hundreds, are needed to say how sure "
            "a number is. Give more inputs, or ask for no intervals (on the command line --no-intervals)"
        )
    count = min(BLOCKS, num_inputs)
    codes = torch.arange(num_inputs) * count // num_inputs
    return Groups(codes, torch.bincount(codes), None, independent=True)


def sequence_blocks(sequences: NDArray[np.int64]) -> Groups:
    """20 blocks of neighbouring sequences, each with all its inputs; of inputs where there are fewer than 8 sequences.

    Args:
        sequences: (N,) the sequence that each input belongs to.

    Raises:
        InputError: fewer than 8 inputs.
    """
    _, first, numbers = np.unique(sequences, return_index=True, return_inverse=True)
    if len(first) < FEWEST:
        return replace(contiguous_blocks(len(sequences)), independent=False)
    in_order = first.argsort().argsort()[numbers]
    codes = torch.from_numpy(in_order * min(BLOCKS, len(first)) // len(first))
    return Groups(codes, torch.bincount(codes), None)


def given_groups(groups: ArrayLike | Tensor, num_inputs: int) -> Groups:
    """The groups that these names say: documents, patients, whatever is drawn as one.

    More than 40 are put together into 40 of nearly equal size, each with all its inputs.

    Args:
        groups: (N,) integers or strings, equal for inputs that belong together.
        num_inputs: N.

    Raises:
        InputError: not one name an input, or fewer than 8 groups.
    """
    names = groups.cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if names.dtype.kind == "O" and all(isinstance(name, str) for name in names.flat):
        names = names.astype(np.str_)
    if names.dtype.kind not in "iuU":
        raise InputError(f"groups: entries of type {names.dtype}; integers or strings are needed, one for each input")
    if names.shape != (num_inputs,):
        raise InputError(f"groups: shape {names.shape}; one entry for each of the {num_inputs:,} inputs is needed")
    distinct, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if len(distinct) < FEWEST:
        raise InputError(
            f"groups: {len(distinct)} different ones; at least {FEWEST} are needed to say how sure a number is. Give "
            f"smaller groups, or none for {BLOCKS} blocks of neighbouring inputs"
        )
    if len(distinct) > MOST:
        codes = _put_together(sizes)[codes]
    found = torch.from_numpy(codes.astype(np.int64))
    return Groups(found, torch.bincount(found), len(distinct))


def _put_together(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The larger group of each group: the largest first, each onto what is smallest so far."""
    target = np.empty(len(sizes), dtype=np.int64)
    heap = [(0, index) for index in range(MOST)]
    for group in np.argsort(-sizes, kind="stable"):
        size, index = heap[0]
        target[group] = index
        heapq.heapreplace(heap, (size + int(sizes[group]), index))
    return target
