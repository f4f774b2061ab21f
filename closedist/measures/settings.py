"""How a distance is asked for: the arguments that compare, compare_all and llv_distance share.

Each default is written here once, and signatures take theirs from ``DEFAULTS``; nothing here loads torch.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

from closedist.errors import InputError

MOST_SAMPLES = 1_000_000  # input sets: minutes, where the search's gain has long ended
MOST_SUBSETS = 1_000_000  # label subsets, for the same reason
DEFAULT_MEASURES = "default"  # what stands for all measures that are not named

Reduction = Literal["max", "mean"]
Combine = Literal["max", "sum"]
ConstantLabels = Literal["error", "ignore"]
InputSearch = Literal["random", "diverse"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How d_LLV is put together and how its labels and inputs are found, checked as far as that goes without models.

    Attributes:
        weight: λ of the scale terms.
        reduction: "max" or "mean" of the terms over labels.
        combine: "max" or "sum" of t1, t2, λ·t3 and λ·t4.
        input_set: 1 + K indices of inputs, the pivot input first; None for the best of ``num_samples`` random sets.
        input_search: "random" for the best of random sets, "diverse" for a search that keeps log-odds apart (one pair).
        num_samples, seed: of the search for the input set; the seed is also that of sampled label subsets.
        subset_size: K; None for min(max(M, M'), C − 2, N − 1).
        num_subsets: how many label subsets at most, a sample where there are more; None for all, and above 10,000 for a
            search.
        pivots: the pivot labels to choose from, kept in ascending order; None for all.
        labels: the pivot and the left-out label; None for the choice with the smallest t1.
        constant_labels: "ignore" leaves out labels whose log-odds against the pivot vary in neither model.
        same_inputs: the models' inputs are the same, also where ``extract`` saw others.
        measures: names of comparison.COLUMNS, "default" for all that there is without names; None for that alone.

    Raises:
        InputError: a setting that no model could make right.
    """

    weight: float = 1e-5
    reduction: Reduction = "max"
    combine: Combine = "max"
    input_set: Sequence[int] | None = None
    input_search: InputSearch = "random"
    num_samples: int = 200
    seed: int = 0
    subset_size: int | None = None
    num_subsets: int | None = None
    pivots: Sequence[int] | None = None
    labels: Sequence[int] | None = None
    constant_labels: ConstantLabels = "error"
    same_inputs: bool = False
    measures: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Keep indices as tuples, and refuse what no model could make right."""
        labels = _indices("pivot_label and left_out_label", self.labels)
        pivots = _indices("pivots", self.pivots)
        object.__setattr__(self, "input_set", _indices("input_set", self.input_set))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "pivots", None if pivots is None else tuple(sorted(set(pivots))))
        for name in ("num_samples", "subset_size", "num_subsets", "seed"):
            count = getattr(self, name)
            if count is not None and (isinstance(count, bool) or not isinstance(count, Integral)):
                raise InputError(f"{name}: {count!r}; a whole number is needed")
        if not isinstance(self.weight, Real):
            raise InputError(f"weight: {self.weight!r}; a number is needed")
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise InputError(f"weight: {self.weight}; a finite number ≥ 0 is needed")
        for name, allowed in (
            ("reduction", ("max", "mean")),
            ("combine", ("max", "sum")),
            ("constant_labels", ("error", "ignore")),
            ("input_search", ("random", "diverse")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name}: {getattr(self, name)!r}; it is one of {', '.join(map(repr, allowed))}")
        for name in ("num_samples", "subset_size", "num_subsets"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise InputError(f"{name}: {count}; at least 1 is needed")
        if self.num_samples > MOST_SAMPLES:
            raise InputError(f"num_samples: {self.num_samples:,}; at most {MOST_SAMPLES:,} input sets can be drawn")
        if self.num_subsets is not None and self.num_subsets > MOST_SUBSETS:
            raise InputError(f"num_subsets: {self.num_subsets:,}; at most {MOST_SUBSETS:,} label subsets can be drawn")
        if self.seed < 0:
            raise InputError(f"seed: {self.seed}; an integer ≥ 0 is needed")

    def wants(self, *names: str) -> bool:
        """Whether any of these numbers, which there are by default, was asked for."""
        return self.named is None or not self.named.isdisjoint(names)

    @property
    def named(self) -> frozenset[str] | None:
        """The only numbers that are wanted; None where all are that there are by default."""
        return None if self.measures is None or DEFAULT_MEASURES in self.measures else self.measures

    def check_ranges(self, num_inputs: int, num_labels: int) -> None:
        """Input set and labels against N and C."""
        for name, what, chosen, count in (
            ("input_set", "inputs", self.input_set, num_inputs),
            ("pivots", "labels", self.pivots, num_labels),
            ("pivot_label and left_out_label", "labels", self.labels, num_labels),
        ):
            if chosen is None:
                continue
            outside = [index for index in chosen if not 0 <= index < count]
            if outside or not chosen:
                raise InputError(f"{name}: {list(chosen)}; indices of the {count} {what}, 0 … {count - 1}, are needed")
            if len(set(chosen)) < len(chosen):
                raise InputError(f"{name}: {list(chosen)} has the same index twice; all must differ")

    def size(self, dimension: int, num_labels: int, num_inputs: int) -> int:
        """K for a pair of models, of which ``dimension`` is the larger M; 0 for two labels, which have no subsets."""
        size = self.subset_size or min(dimension, num_labels - 2, num_inputs - 1)
        if size > num_labels - 2:
            raise InputError(
                f"subset_size: {size} with {num_labels} labels; besides the pivot and the left-out label there are "
                f"{num_labels - 2}, so {'pass at most that' if num_labels > 2 else 'leave it out'}"
            )
        if size and self.input_set is not None and len(self.input_set) != size + 1:
            raise InputError(
                f"input_set: {len(self.input_set)} inputs; {size + 1} are needed, the pivot input and K = {size} more "
                f"(or pass subset_size={len(self.input_set) - 1})"
            )
        return size


def _indices(name: str, values: Iterable[int] | None) -> tuple[int, ...] | None:
    """Whole numbers as a tuple, from any sequence or one-dimensional array of them."""
    if values is None:
        return None
    try:
        return tuple(operator.index(value) for value in values)
    except TypeError as error:
        raise InputError(f"{name}: {values!r}; a sequence of whole numbers is needed") from error


DEFAULTS = Settings()
