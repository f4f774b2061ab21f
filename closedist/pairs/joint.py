"""Every number of pairs of models as comparisons or arrays: what is checked before, and who computes it."""

import operator
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.agreement import of_predictions
from closedist.measures.checks import check_comparable, check_enough_inputs, only_logits
from closedist.measures.settings import Settings
from closedist.pairs.elsewhere import Workers, elsewhere
from closedist.pairs.measured import distances_of_logits
from closedist.pairs.records import Arrays, Columns, arrays, checked_names, of_call, records
from closedist.pairs.tiles import Found, in_tiles
from closedist.pairs.wanted import check_can_be_had, kept, wants_choices
from closedist.representations import Representations
from closedist.representations.names import model_names


def members_and_names(
    models: Sequence[Representations] | Mapping[str, Representations], names: Sequence[str] | None
) -> tuple[Sequence[Representations], Sequence[str]]:
    """The models, and what to call them: as they are named, else p and q, or their numbers.

    Raises:
        InputError: a dictionary of models with names besides, or not a name for each.
    """
    if isinstance(models, Mapping):
        if names is not None:
            raise InputError("names: the dictionary of models has them already; leave one out")
        return list(models.values()), list(models)
    if not isinstance(models, Sequence):
        raise InputError(
            f"models: {type(models).__name__}; a list of Representations is needed, or a dictionary by name, as in "
            '{"p": p, "q": q}'
        )
    called = model_names(len(models)) if names is None else names
    if len(called) != len(models):
        raise InputError(f"names: {len(called)} for {len(models)} models; give each model one")
    return models, called


def measure_pairs(
    models: Sequence[Representations],
    pairs: Sequence[tuple[int, int]] | None,
    settings: Settings,
    names: Sequence[str] | None = None,
    workers: Workers | None = None,
) -> list[Comparison]:
    """A comparison of every pair (i, j), without pairs of all in ``itertools.combinations`` order.

    Args:
        models, pairs: what is compared.
        settings: how.
        names: what the comparisons and errors call the models.
        workers: who computes; None for this process.

    Raises:
        InputError: the models cannot be compared, a pair is none of them, or a setting is out of its range.
    """
    _, names = members_and_names(models, names)
    asked, found = _found(models, pairs, settings, names, workers)
    results: dict[int, Comparison] = {}
    for part in found:
        named = {"names": [(names[i], names[j]) for i, j in asked[part.which].tolist()]}
        results.update(zip(part.which.tolist(), records(part.columns | named), strict=True))
    return [results[index] for index in range(len(asked))]


def measure_arrays(
    models: Sequence[Representations],
    pairs: Sequence[tuple[int, int]] | None,
    settings: Settings,
    wanted: bool | Sequence[str] = True,
    names: Sequence[str] | None = None,
    workers: Workers | None = None,
) -> Arrays:
    """The same as one array a column, with an entry a pair, and the models' numbers "first" and "second".

    Args:
        wanted: names of columns, or True for all that have one number a pair.
        models, pairs, settings, names, workers: as for :func:`measure_pairs`.

    Raises:
        InputError: as :func:`measure_pairs`, or a name is no column's.
    """
    columns = checked_names(wanted, settings)
    _, names = members_and_names(models, names)
    asked, found = _found(models, pairs, settings, names, workers)
    return arrays(((part.which, part.columns) for part in found), asked.numpy(), columns)


def _found(
    models: Sequence[Representations],
    pairs: Sequence[tuple[int, int]] | None,
    settings: Settings,
    names: Sequence[str],
    workers: Workers | None,
) -> tuple[Tensor, Iterator[Found]]:
    """The pairs, (m, 2) indices, and their numbers part by part; all that can be checked before is checked."""
    check_comparable(models, names, same_inputs=settings.same_inputs)
    if pairs is None:
        asked = torch.combinations(torch.arange(len(models)))
    else:
        asked = torch.tensor(checked_pairs(pairs, len(models)), dtype=torch.int64).reshape(-1, 2)
    check_can_be_had(models, names, settings)
    if only_logits(*models):
        return asked, iter([_by_likelihoods(models, asked, settings)])
    check_enough_inputs(models[0])
    settings.check_ranges(models[0].num_inputs, models[0].num_labels)
    dimensions = torch.tensor([model.dimension for model in models])
    larger = dimensions[asked].amax(-1)
    sizes = torch.zeros_like(larger)
    for dimension in torch.unique(larger).tolist() if wants_choices(settings) else []:
        sizes[larger == dimension] = settings.size(dimension, models[0].num_labels, models[0].num_inputs)
    if workers is None:
        return asked, in_tiles(models, names, asked, sizes, settings)
    return asked, elsewhere(workers, models, names, asked, sizes, settings)


def _by_likelihoods(models: Sequence[Representations], pairs: Tensor, settings: Settings) -> Found:
    """What needs no unembeddings, of models of which one is a black box of too many labels to have any."""
    columns: Columns = {}
    if settings.wants("kl", "kl_reverse", "same_top_label", "logit_correlation"):
        found, correlations, same_top = of_predictions(models, pairs)
        first, second = pairs.to(found.device).T
        columns = {"kl": found[first, second], "kl_reverse": found[second, first], "same_top_label": same_top}
        columns["logit_correlation"] = correlations[first, second]
    columns |= distances_of_logits(models, pairs, settings)
    return Found(torch.arange(len(pairs)), kept(columns, settings) | of_call(models[0], 0, settings))


def checked_pairs(pairs: Sequence[tuple[int, int]], num_models: int) -> list[tuple[int, int]]:
    """The pairs (i, j) as plain integers.

    Raises:
        InputError: one is no pair of so many models, i < j.
    """
    try:
        checked = [(operator.index(i), operator.index(j)) for i, j in pairs]
    except (TypeError, ValueError) as error:
        raise InputError(f"pairs: {pairs!r}; pairs of whole numbers are needed, such as [(0, 1), (0, 2)]") from error
    for i, j in checked:
        if not 0 <= i < j < num_models:
            raise InputError(f"pairs: ({i}, {j}) is no pair of {num_models} models; give 0 ≤ i < j < {num_models}")
    return checked
