"""Embeddings of a thinned set of inputs, and the best linear map that carries one model's onto another's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.measures.projection import Projection
from closedist.measures.stack import stacked
from closedist.page.packed import packed, points, rounded
from closedist.representations import Representations

SHOWN_AS_THEY_ARE = 3  # dimensions; more by two canonical directions
CANONICAL = 2
FITTED_INPUTS = 20_000  # at most: a map of as many columns as any network has is sure long before


@dataclass(frozen=True)
class Sides:
    """A pair's drawn inputs.

    Attributes:
        first, second: (k, d) the first model's, and the second's carried onto them by the best linear map.
        fit: the share that the map explains of the first's variance in the directions that are drawn.
        drawn: the share of the first's variance that these have.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    fit: float
    drawn: float


def drawn_inputs(num_inputs: int, most: int, seed: int) -> list[int]:
    """At most so many inputs, at random where there are more, in ascending order."""
    if num_inputs <= most:
        return list(range(num_inputs))
    return sorted(map(int, np.random.default_rng(seed).choice(num_inputs, most, replace=False)))


class Embeddings:
    """The embeddings of n models at the inputs that the page draws, and maps between them.

    Args:
        models: on the same N inputs.
        rows: (k,) which of them are drawn.
        as_they_are: up to how many dimensions a model's own coordinates are drawn.
    """

    def __init__(
        self, models: Sequence[Representations], rows: Sequence[int], as_they_are: int = SHOWN_AS_THEY_ARE
    ) -> None:
        """Take the inputs that maps are fitted on, evenly spread where there are many."""
        self._models = stacked(models)
        self._as_they_are = as_they_are
        self._rows = torch.as_tensor(rows)
        count = self._models.num_inputs
        self._fitted = torch.linspace(0, count - 1, min(count, FITTED_INPUTS)).round().long()
        self._centred = [self._at(index, self._fitted) for index in range(len(models))]
        self._means = [part.mean(0) for part in self._centred]
        self._centred = [part - mean for part, mean in zip(self._centred, self._means, strict=True)]
        self._spaces: dict[int, Projection] = {}

    def of_model(self, index: int) -> dict[str, Any] | None:
        """A model's own coordinates where these are few enough to be looked at."""
        return points(self._drawn(index).numpy()) if self._few(index) else None

    def predicted(self, index: int) -> dict[str, Any]:
        """What :meth:`labels_of` says, packed."""
        return packed(self.labels_of(index), "uint32")

    def labels_of(self, index: int) -> NDArray[np.int64]:
        """(k,) the most likely label at every input that is drawn."""
        models = self._models
        inputs = models.inputs(self._rows)[index]
        logits = inputs @ models.labels[index].mT + models.bias[index]
        return np.asarray(logits.argmax(-1).cpu().numpy())

    def of_pair(self, i: int, j: int, *, canonical: bool) -> dict[str, Any] | None:
        """How the second is carried onto the first.

        Where both have their own coordinates in the page this is a map; else, if ``canonical``, the coordinates of
        both: along the leading canonical directions where the first has more than three dimensions.

        Returns:
            ``map``, or ``first`` and ``second``; ``fit``, the share that the map explains of the first's variance where
            it is drawn; and ``drawn``, the share of the first's variance that the drawn directions have.
        """
        if self._few(i) and self._few(j):
            matrix, fit = self._best_map(j, self._centred[i])
            shift = self._means[i] - self._means[j] @ matrix
            return {"map": rounded(torch.cat([matrix, shift[None]]).numpy()), "fit": rounded(fit), "drawn": 1}
        if not canonical:
            return None
        sides = self.sides(i, j)
        view = {"first": points(sides.first), "second": points(sides.second)}
        return view | {"fit": rounded(sides.fit), "drawn": rounded(sides.drawn)}

    def sides(self, i: int, j: int) -> Sides:
        """The drawn inputs in both models, the second carried onto the first."""
        drawn = 1.0
        if self._few(i):
            shown, shift = torch.eye(len(self._means[i]), dtype=torch.float64), self._means[i]
        else:
            shown, shift = self._canonical(i, j), torch.zeros(CANONICAL, dtype=torch.float64)
            loadings = (
                self._centred[i].mT @ (self._centred[i] @ shown) / len(self._fitted)
            )  # the variates have variance 1
            drawn = float(
                loadings.square().sum() * len(self._fitted) / self._centred[i].square().sum().clamp(min=1e-300)
            )
        matrix, fit = self._best_map(j, self._centred[i] @ shown)
        first = (self._drawn(i) - self._means[i]) @ shown + shift
        second = (self._drawn(j) - self._means[j]) @ matrix + shift
        return Sides(first.numpy(), second.numpy(), fit, drawn)

    def _canonical(self, i: int, j: int) -> Tensor:
        """(M, 2) the map of the first's embeddings to its leading canonical directions, each of variance 1."""
        first, second = self._space(i), self._space(j)
        directions = torch.linalg.svd(first.left.mT @ second.left)[0][:, :CANONICAL]
        canonical: Tensor = len(self._fitted) ** 0.5 * (first.right * first.inverse_sizes) @ directions
        return canonical

    def _best_map(self, source: int, target: Tensor) -> tuple[Tensor, float]:
        """The least-squares map of a model's centred embeddings onto these, and the share of these that it explains."""
        space = self._space(source)
        total = float(target.square().sum())
        explained = float(space.coordinates(target.mT).square().sum())
        return space.solve(target.mT).mT, explained / total if total else 1.0

    def _few(self, index: int) -> bool:
        return self._models.members[index].dimension <= self._as_they_are

    def _at(self, index: int, rows: Tensor) -> Tensor:
        embeddings = self._models.members[index].embeddings
        return embeddings[rows.to(embeddings.device)].double().cpu()

    def _drawn(self, index: int) -> Tensor:
        return self._at(index, self._rows)

    def _space(self, index: int) -> Projection:
        if index not in self._spaces:
            self._spaces[index] = Projection.onto(self._centred[index], len(self._fitted))
        return self._spaces[index]
