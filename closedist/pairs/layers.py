"""Layers against layers: one measure of all pairs of layers, of one model or of two."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.comparison.table import WIDTH
from closedist.errors import InputError
from closedist.measures.catalogue import Measure, measure_called
from closedist.measures.joint import Joint, joint

Layers = Mapping[str, ArrayLike | Tensor]
_EQUAL = 1e-9  # of values, within which layers are equally close and the one nearest in depth is named
_NAME = 19  # characters of one of three names in a line
_SHOWN = 12  # columns, above which a printed table shows each row's own and closest layer alone


def _cut(name: str) -> str:
    """A name of so few characters that three stand beside their numbers; its end tells layers apart."""
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


@dataclass(frozen=True)
class Match:
    """A layer beside the one at the same depth, and beside the closest.

    Attributes:
        row: the layer.
        same_depth, value: the other model's layer at the same share of its depth, and what the measure gives of both.
        closest, closest_value: the other model's closest layer (of one model's own: the closest other one).
    """

    row: str
    same_depth: str
    value: float
    closest: str
    closest_value: float


@dataclass(frozen=True)
class LayerMatrix:
    """A measure of all pairs of layers.

    Attributes:
        values: (rows, columns) float64.
        rows, columns: names of the layers, in the order in which the models run them.
        measure: which one; ``measure.larger_is_closer`` says how to read it.
        num_inputs: N.
    """

    values: NDArray[np.float64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    measure: Measure
    num_inputs: int

    def matches(self) -> list[Match]:
        """For each layer of the rows the layer of the columns at the same depth and the closest: a curve over depth."""
        sign = -1.0 if self.measure.larger_is_closer else 1.0
        found = []
        for index, (name, values) in enumerate(zip(self.rows, self.values, strict=True)):
            depth = 0 if len(self.rows) == 1 else round(index * (len(self.columns) - 1) / (len(self.rows) - 1))
            others = [at for at in range(len(values)) if not (self.rows == self.columns and at == index)] or [index]
            best = min(sign * values[at] for at in others)
            equal = [at for at in others if sign * values[at] <= best + _EQUAL]
            closest = min(equal, key=lambda at: (abs(at - depth), at))
            found.append(
                Match(name, self.columns[depth], float(values[depth]), self.columns[closest], float(values[closest]))
            )
        return found

    def __str__(self) -> str:
        """The table, or of many layers a line for each with what it is closest to."""
        title = f"{self.measure.title}, {self.num_inputs:,} inputs"
        wide = max(map(len, self.rows))
        if len(self.columns) > _SHOWN or self.rows != self.columns:
            cells = [
                (_cut(match.row), _cut(match.same_depth), match.value, _cut(match.closest), match.closest_value)
                for match in self.matches()
            ]
            own, other = max(len(row[0]) for row in cells), max(10, *(len(row[1]) for row in cells))
            head = f"{'':<{own}}  {'same depth':<{other}}           closest"
            lines = [f"{a:<{own}}  {b:<{other}} {near:7.4f}  {c} {nearest:.4f}" for a, b, near, c, nearest in cells]
            return "\n".join([f"{title}: at the same depth, and the closest", head, *lines])
        cell = max(7, *map(len, self.columns))
        if wide + len(self.columns) * (cell + 2) >= WIDTH:
            return "\n".join([title, *self._numbered()])
        head = " " * wide + "".join(f"  {name:>{cell}}" for name in self.columns)
        lines = [
            f"{name:<{wide}}" + "".join(f"  {value:{cell}.4f}" for value in values)
            for name, values in zip(self.rows, self.values, strict=True)
        ]
        return "\n".join([title, head, *lines])

    def _numbered(self) -> list[str]:
        """The names with their numbers, and the table by these."""
        places = range(len(self.rows))
        head = "  " + "".join(f"{place:>6}" for place in places)
        rows = [f"{place:>2}" + "".join(f"{value:6.2f}" for value in self.values[place]) for place in places]
        return [*(f"{place:>2}  {name}" for place, name in zip(places, self.rows, strict=True)), "", head, *rows]


def layer_matrix(
    a: Layers | Joint, b: Layers | None = None, measure: str = "linear_cka", **options: Any
) -> LayerMatrix:
    """A measure of all pairs of layers, exactly and not by minibatches: of one model, or of one against another.

    Args:
        a: a dictionary of (N, M) activations by layer, such as :func:`closedist.activations` gives, or the joint root
            that it gives with ``moments_only=True``, of one model or of two.
        b: the other model's activations of the same N inputs, or None.
        measure: a name, or short name, of :func:`closedist.list_measures`. Entry (i, j) of one that is not symmetric
            has row i for its first view.
        options: arguments of that measure, such as ``k`` or ``alpha``.

    Returns:
        Its ``values`` (rows, columns), ``rows`` and ``columns``; it prints as a table.

    Raises:
        InputError: no such measure or argument of it, the layers do not fit together, or the measure needs activations
            where no more than moments were kept.

    Examples:
        >>> import numpy as np, closedist
        >>> z = np.random.default_rng(0).normal(size=(200, 3))
        >>> table = closedist.layer_matrix({"first": z, "second": z[:, ::-1]}, {"last": 2 * z + 1}, "procrustes")
        >>> table.rows, table.columns, table.values.round(6).tolist()
        (('first', 'second'), ('last',), [[0.0], [0.0]])
    """
    chosen = measure_called(measure)
    known = list(inspect.signature(chosen.of_joint).parameters)[1:]
    for option in options:
        if option not in known:
            what = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"{option}: no argument of {chosen.name}; {what}")
    views = a if isinstance(a, Joint) else _joint(a, b)
    if isinstance(a, Joint) and b is not None:
        raise InputError("b: a joint root holds all layers; read both models at once, activations({'a': …, 'b': …}, …)")
    values = chosen.of_joint(views, **options).cpu().numpy()
    names, split = views.names, views.first
    rows, columns = (names, names) if split is None else (names[:split], names[split:])
    if split is not None:
        values = np.ascontiguousarray(values[:split, split:])
    return LayerMatrix(values, rows, columns, chosen, views.num_inputs)


def _joint(a: Layers, b: Layers | None) -> Joint:
    for name, layers in (("a", a), ("b", b)):
        if layers is not None and (not isinstance(layers, Mapping) or not layers):
            raise InputError(f"{name}: a dictionary of activations by layer is needed, with at least one")
    if b is None:
        return joint(list(a.values()), list(map(str, a)))
    names = list(map(str, [*a, *b]))
    if len(set(names)) < len(names):  # errors, and a table of both, must tell them apart
        names = [*(f"a/{name}" for name in a), *(f"b/{name}" for name in b)]
    return joint([*a.values(), *b.values()], names, first=len(a))
