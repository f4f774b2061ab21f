"""compare and compare_all: what a user asks, as settings and a list of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, overload

from numpy.typing import ArrayLike
from torch import Tensor

from closedist.comparison import Comparison, asked
from closedist.errors import InputError
from closedist.measures.settings import DEFAULTS, Combine, ConstantLabels, InputSearch, Reduction, Settings
from closedist.pairs.alone import measure_alone
from closedist.pairs.certainty import with_certainty
from closedist.pairs.elsewhere import Executor, Workers
from closedist.pairs.joint import checked_pairs, measure_arrays, measure_pairs, members_and_names
from closedist.pairs.records import Arrays
from closedist.representations import Representations

Models = Sequence[Representations] | Mapping[str, Representations]


def compare(
    p: Representations,
    q: Representations,
    *,
    weight: float = DEFAULTS.weight,
    reduction: Reduction = DEFAULTS.reduction,
    combine: Combine = DEFAULTS.combine,
    input_set: Sequence[int] | None = DEFAULTS.input_set,
    input_search: InputSearch = DEFAULTS.input_search,
    num_samples: int = DEFAULTS.num_samples,
    seed: int = DEFAULTS.seed,
    subset_size: int | None = DEFAULTS.subset_size,
    num_subsets: int | None = DEFAULTS.num_subsets,
    pivots: Sequence[int] | None = DEFAULTS.pivots,
    constant_labels: ConstantLabels = DEFAULTS.constant_labels,
    same_inputs: bool = DEFAULTS.same_inputs,
    measures: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    intervals: bool = False,
    groups: ArrayLike | Tensor | None = None,
    permutations: int | None = None,
) -> Comparison:
    """Compare two models on the same N inputs and C labels.

    Two labels have one log-odds and no subsets: what needs three, d_LLV, d_{f,g} and the bounds, is then None. Where
    only the logits of a model are known, of more than 10,000 labels, all but the logit correlation, the KL divergences
    and what else predictions say is None.

    Args:
        p, q: the representations, of the same inputs and labels in the same order; the dimensions may differ.
        weight: λ of the scale terms in d_LLV.
        reduction: "max" or "mean" of the terms over labels.
        combine: "max" or "sum" of t1, t2, λ·t3 and λ·t4.
        input_set: 1 + K indices of inputs, the pivot input first; by default the best of ``num_samples`` random ones.
        input_search: "diverse" for a search that keeps the log-odds of the inputs apart and has no seed up to 10,000
            inputs, in place of the best of random sets.
        num_samples, seed: of the search for the input set; the seed is also that of sampled label subsets.
        subset_size: K, by default min(max(M, M'), C − 2, N − 1).
        num_subsets: sample so many label subsets where there are more; by default all are gone through up to 10,000,
            and above that the worst one is searched for.
        pivots: the pivot labels to choose from, by default all.
        constant_labels: "ignore" leaves out labels whose log-odds against the pivot vary in neither model.
        same_inputs: the inputs are the same, though :func:`closedist.extract` saw others: in another image size,
            normalisation or tokenizer. By default such models are refused.
        measures: names of what is measured, and of nothing else: columns, "default" for what there is without names,
            "logit_distance" or "representation_distance" with all that belongs to it, or a measure of two views of
            :func:`closedist.list_measures`. What is no field is in ``c.measures`` by its name.
        names: what the result and errors call the two models; by default p and q.
        intervals: whether to measure how sure the numbers are, by leaving out groups of inputs; a verdict needs it.
        groups: (N,) integers or strings, equal for inputs that are drawn together, such as documents or patients; by
            default the models' own, and else 20 blocks of neighbouring inputs.
        permutations: how many to make for ``p_values``, such as 999; by default none.

    Returns:
        A :class:`Comparison`.

    Raises:
        InputError: the models cannot be compared, or an argument is out of its range; the message says what to do.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> p = closedist.Representations(f, g)
        >>> rotation = np.array([[0.6, 0.8], [-0.8, 0.6]])
        >>> c = closedist.compare(p, closedist.Representations(f @ rotation, g @ rotation))  # the same distribution
        >>> c.llv < 1e-6, c.mean_cca_embeddings > 1 - 1e-9
        (True, True)
        >>> closedist.compare(p, closedist.Representations(-f, g), intervals=True).verdict().kind
        'not the same'
        >>> c = closedist.compare(p, closedist.Representations(f, 2 * g), measures=["procrustes", "logit_distance"])
        >>> round(c.measures["procrustes_distance"], 6), round(c.measures["logit_factor"], 6), c.kl
        (0.0, 0.5, None)
    """
    settings = Settings(
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=input_set,
        input_search=input_search,
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
        pivots=pivots,
        constant_labels=constant_labels,
        same_inputs=same_inputs,
        measures=asked(measures),
    )
    members, called = members_and_names([p, q], names)
    return measure_alone(members, called, settings, intervals=intervals, groups=groups, permutations=permutations)


@overload
def compare_all(models: Models, *, as_rows: Literal[False] = False, **how: Any) -> list[Comparison]: ...
@overload
def compare_all(models: Models, *, as_rows: Literal[True] | Sequence[str], **how: Any) -> Arrays: ...
def compare_all(  # type: ignore[misc]  # "how" stands for the arguments below
    models: Models,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
    as_rows: bool | Sequence[str] = False,
    executor: Executor | None = None,
    weight: float = DEFAULTS.weight,
    reduction: Reduction = DEFAULTS.reduction,
    combine: Combine = DEFAULTS.combine,
    input_set: Sequence[int] | None = DEFAULTS.input_set,
    num_samples: int = DEFAULTS.num_samples,
    seed: int = DEFAULTS.seed,
    subset_size: int | None = DEFAULTS.subset_size,
    num_subsets: int | None = DEFAULTS.num_subsets,
    pivots: Sequence[int] | None = DEFAULTS.pivots,
    constant_labels: ConstantLabels = DEFAULTS.constant_labels,
    same_inputs: bool = DEFAULTS.same_inputs,
    measures: Sequence[str] | None = None,
    intervals: bool = False,
    groups: ArrayLike | Tensor | None = None,
) -> list[Comparison] | Arrays:
    """Compare pairs of models jointly, in tiles of models: what belongs to one model is computed once.

    The arguments are those of :func:`compare`, and so is every result, to about ten digits. What takes a pass a pair,
    Jensen–Shannon, quantiles of KL, chance and debiased CKA, comes with ``intervals``; p-values and the spread of d_LLV
    over seeds are for two models.

    Args:
        models: n ≥ 2 representations of the same N inputs and C labels, or a dictionary of them by their names.
        pairs: which (i, j), i < j, to compare; for one model against all others ``[(0, j) for j in range(1, n)]``. By
            default all n(n − 1)/2, in the order of ``itertools.combinations``.
        names: what the results and errors call the models; by default p and q, or their numbers.
        as_rows: give a dictionary of arrays in place of comparisons, which for hundreds of models are gigabytes: a
            column a number with an entry a pair, NaN where there is none, after "first" and "second", the models'
            numbers. Names in place of ``True`` say which columns; only so are there those of several numbers, such as
            "m_svd_embeddings" and "input_set", which are matrices, and "label_names".
        executor: who computes, any executor of ``concurrent.futures``, submitit, dask or Ray: tasks of some models with
            some others. By default this process, with as many threads as ``torch.get_num_threads()`` says.

    Returns:
        A comparison for every pair, or arrays.

    Raises:
        InputError: as :func:`compare`, or a pair is none of the models.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> noise = rng.normal(size=f.shape)
        >>> models = {f"noise {s}": closedist.Representations(f + s * noise, g) for s in (0, 0.1, 1)}
        >>> [(c.names, round(c.kl, 3)) for c in closedist.compare_all(models, pairs=[(0, 1), (0, 2)])]
        [(('noise 0', 'noise 0.1'), 0.002), (('noise 0', 'noise 1'), 0.228)]
    """
    settings = Settings(
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=input_set,
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
        pivots=pivots,
        constant_labels=constant_labels,
        same_inputs=same_inputs,
        measures=asked(measures),
    )
    members, names = members_and_names(models, names)
    pairs = None if pairs is None else checked_pairs(pairs, len(members))
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor: {executor!r} has no submit(); give one of concurrent.futures, as ProcessPoolExecutor(4)"
        )
    workers = None if executor is None else Workers(executor)
    if as_rows is not False:
        if intervals:
            raise InputError("as_rows: arrays have no intervals; leave intervals out, or ask for comparisons")
        return measure_arrays(members, pairs, settings, as_rows, names, workers)
    found = measure_pairs(members, pairs, settings, names, workers)
    if not intervals:
        return found
    every = list(combinations(range(len(members)), 2)) if pairs is None else pairs
    return with_certainty(members, names, every, found, settings, intervals=True, groups=groups)
