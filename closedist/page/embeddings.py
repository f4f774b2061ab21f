"""Embeddings of a thinned set of inputs, and the best linear map that carries one model's onto another's."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from closedist.measures.cca import orthonormal_basis, precisions
from closedist.measures.stack import family
from closedist.page.packed import packed, points, rounded
from closedist.representations import Representations

SHOWN_AS_THEY_ARE = 3  # dimensions; more by two canonical directions
CANONICAL = 2
FITTED_INPUTS = 20_000  # at most: a map of as many columns as any network has is sure long before


class Embeddings:
    """The embeddings of n models at the inputs that the page draws, and maps between them.

    Args:
        models: on the same N inputs.
        rows: (k,) which of them are drawn.
    """

    def __init__(self, models: Sequence[Representations], rows: Sequence[int]) -> None:
        """Take the inputs that maps are fitted on, evenly spread where there are many."""
        self._models = family(models)
        self._rows = torch.as_tensor(rows)
        count = self._models.num_inputs
        self._fitted = torch.linspace(0, count - 1, min(count, FITTED_INPUTS)).round().long()
        self._centred = [self._at(index, self._fitted) for index in range(len(models))]
        self._means = [part.mean(0) for part in self._centred]
        self._centred = [part - mean for part, mean in zip(self._centred, self._means, strict=True)]
        self._bases: dict[int, Tensor] = {}

    def of_model(self, index: int) -> dict[str, Any] | None:
        """A model's own coordinates where these are few enough to be looked at."""
        return points(self._drawn(index).numpy()) if self._few(index) else None

    def predicted(self, index: int) -> dict[str, Any]:
        """The most likely label at every input that is drawn."""
        models = self._models
        inputs = models.inputs(self._rows)[index]
        return packed((inputs @ models.labels[index].mT + models.bias[index]).argmax(-1).cpu().numpy(), "uint32")

    def of_pair(self, i: int, j: int, *, canonical: bool) -> dict[str, Any] | None:
        """How the second is carried onto the first.

        Where both have their own coordinates in the page this is a map; else, if ``canonical``, the coordinates of
        both: along the leading canonical directions where the first has more than three dimensions.

        Returns:
            ``map``, or ``first`` and ``second``; and ``fit``, the share of the first's variance that the map explains.
        """
        if self._few(i) and self._few(j):
            matrix, fit = _best_map(self._centred[i], self._centred[j])
            shift = self._means[i] - self._means[j] @ matrix
            return {"map": rounded(torch.cat([matrix, shift[None]]).numpy()), "fit": rounded(fit)}
        if not canonical:
            return None
        if self._few(i):
            target, drawn = self._centred[i], self._drawn(i)
        else:
            first, second = self._basis(i), self._basis(j)
            directions = torch.linalg.svd(first.mT @ second)[0][:, :CANONICAL]
            scale = len(first) ** 0.5  # so that every coordinate varies by 1
            back = _best_map(first @ directions * scale, self._centred[i])[0]
            target = self._centred[i] @ back
            drawn = (self._drawn(i) - self._means[i]) @ back
        matrix, fit = _best_map(target, self._centred[j])
        carried = (self._drawn(j) - self._means[j]) @ matrix + (self._means[i] if self._few(i) else 0.0)
        return {"first": points(drawn.numpy()), "second": points(carried.numpy()), "fit": rounded(fit)}

    def _few(self, index: int) -> bool:
        return self._models.members[index].dimension <= SHOWN_AS_THEY_ARE

    def _at(self, index: int, rows: Tensor) -> Tensor:
        embeddings = self._models.members[index].embeddings
        return embeddings[rows.to(embeddings.device)].double().cpu()

    def _drawn(self, index: int) -> Tensor:
        return self._at(index, self._rows)

    def _basis(self, index: int) -> Tensor:
        if index not in self._bases:
            precision = precisions([self._models.members[index].embeddings], torch.device("cpu"))[0]
            self._bases[index] = orthonormal_basis(self._centred[index], precision)[0]
        return self._bases[index]


def _best_map(target: Tensor, source: Tensor) -> tuple[Tensor, float]:
    """The least-squares map of centred columns onto others, and the share of their variance that it explains."""
    matrix = torch.linalg.lstsq(source, target, driver="gelsd").solution
    total = float(target.square().sum())
    return matrix, 1.0 - float((target - source @ matrix).square().sum()) / total if total else 1.0
