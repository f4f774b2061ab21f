"""Views that come batch by batch, of which no more than the joint root factor is kept: (Σd)² numbers for any N."""

from collections.abc import Sequence

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.joint import Columns, Joint
from closedist.measures.roots import CentredRoot
from closedist.measures.views import check_varies


class JointRoot:
    """The root factor of n views side by side, and of the squared norms of their rows, which debiased CKA needs.

    A squared norm ‖x − c‖² is taken about the mean c of the first batch, and that about the mean of all is a
    combination of columns: ‖x − c‖² − 2(x − c)·δ and a constant, with δ from the one mean to the other.
    """

    def __init__(self, names: Sequence[str], first: int | None = None) -> None:
        """Names of the views, for errors, and how many of them are compared with the others (:class:`Joint`)."""
        self.names, self.first = tuple(names), first
        self._root = CentredRoot()
        self._waiting: list[Tensor] = []
        self._widths: tuple[int, ...] = ()
        self._origins: list[Tensor] = []
        self._spacings: list[float] = []
        self._largest: Tensor | None = None

    def add(self, views: Sequence[Tensor]) -> None:
        """Take in the rows of the same inputs in every view, (B, d) each.

        Raises:
            InputError: they have different numbers of rows, other widths than before, or there are not n of them.
        """
        for name, view in zip(self.names, views, strict=True):
            if len(view) != len(views[0]):
                raise InputError(
                    f"{self.names[0]} and {name}: {len(views[0])} and {len(view)} rows of one batch; layers of one "
                    "table need a row for each of the same inputs. Pool them alike, or name fewer layers"
                )
        widths = tuple(view.shape[1] for view in views)
        if not self._widths:
            self._widths = widths
            self._origins = [view.to(_place(view), torch.float64).mean(0) for view in views]
            self._spacings = [torch.finfo(view.dtype).eps for view in views]
        if widths != self._widths:
            raise InputError(f"layers: {widths} columns in one batch and {self._widths} in the first; they must agree")
        place = self._origins[0].device
        rows = [view.to(place, torch.float64) for view in views]
        largest = torch.stack([view.abs().amax() if len(view) else view.new_zeros(()) for view in rows])
        self._largest = largest if self._largest is None else torch.maximum(self._largest, largest)
        squares = [(view - origin).square().sum(1) for view, origin in zip(rows, self._origins, strict=True)]
        self._waiting.append(torch.cat([*rows, torch.stack(squares, 1)], 1))
        if sum(map(len, self._waiting)) >= self._waiting[0].shape[1]:  # a QR of few rows costs as much as one of many
            self._take()

    def joint(self) -> Joint:
        """What all measures of second moments need of the rows so far.

        Raises:
            InputError: there are fewer than two rows, or a view is constant.
        """
        self._take()
        if self._root.count < 2 or self._largest is None:
            raise InputError(f"{self.names[0]}: {self._root.count} rows; at least two are needed")
        root, count = self._root.unscaled(), len(self.names)
        columns = Columns(root[:, :-count], self._widths)
        means = self._root.mean[:-count].split_with_sizes(list(self._widths))
        squares = []
        parts = zip(self.names, columns, means, self._origins, root[:, -count:].mT, self._largest, strict=True)
        for name, view, mean, origin, square, largest in parts:
            check_varies(view.norm(), (self._root.count * view.shape[1]) ** 0.5 * largest, name)
            squares.append(square - 2.0 * (view @ (mean - origin)))
        mean, spacings = self._root.mean[:-count], tuple(self._spacings)
        return Joint(columns, self._root.count, mean, spacings, self.names, torch.stack(squares), self.first)

    def _take(self) -> None:
        if self._waiting:
            self._root.add(torch.cat(self._waiting))
            self._waiting.clear()


def _place(view: Tensor) -> torch.device:
    return torch.device("cpu") if view.device.type == "mps" else view.device
