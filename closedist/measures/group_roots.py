"""Root factors of groups of rows, from the same pass that makes the root of all rows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from closedist.measures.roots import CentredRoot


@dataclass(frozen=True)
class GroupRoots:
    """What is left of each of G groups of rows.

    Attributes:
        roots: (…, G, r, c) square roots of the groups' sums of squares, each about its own mean; zero-padded to the
            largest r.
        steps: (…, G, c) from the mean of all rows to each group's.
        sizes: (G,) int64 numbers of rows.
    """

    roots: Tensor
    steps: Tensor
    sizes: Tensor

    def of_pairs(self, pairs: Tensor, num_models: int) -> "GroupRoots":
        """The columns of pairs of models, (m, 2) indices, where c is those of ``num_models`` models side by side."""
        width = self.steps.shape[-1] // num_models
        columns = (pairs[:, :, None] * width + torch.arange(width, device=pairs.device)).flatten(1)
        return GroupRoots(self.roots[..., columns].movedim(-2, 0), self.steps[:, columns].movedim(1, 0), self.sizes)


class GroupedRows:
    """The groups' root factors and means, updated block by block as :class:`CentredRoot` is."""

    def __init__(self, num_groups: int) -> None:
        self._groups = [CentredRoot() for _ in range(num_groups)]

    def add(self, rows: Tensor, codes: Tensor) -> None:
        """Take in a float64 block, (rows, c), with the group of each row, (rows,)."""
        if bool((codes == codes[0]).all()):  # a view
            self._groups[int(codes[0])].add(rows)
            return
        for group in torch.unique(codes).tolist():
            self._groups[group].add(rows[codes == group])

    def result(self) -> GroupRoots:
        """The groups as they are after the last block; every group has had a row."""
        sizes = torch.tensor([group.count for group in self._groups])
        means = torch.stack([group.mean for group in self._groups])
        weights = (sizes.double() / sizes.sum()).to(means.device)
        factors = [group.unscaled() for group in self._groups]
        roots = means.new_zeros(len(factors), max(len(factor) for factor in factors), means.shape[-1])
        for padded, factor in zip(roots, factors, strict=True):
            padded[: len(factor)] = factor
        return GroupRoots(roots, means - weights @ means, sizes.to(means.device))
