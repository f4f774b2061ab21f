"""Which numbers of a comparison are computed, and which of those that come along are kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from closedist.comparison import COLUMNS, FIELDS
from closedist.comparison.measured import REVERSE
from closedist.errors import InputError
from closedist.measures.catalogue import MEASURES, Measure
from closedist.measures.logit_catalogue import LOGIT_MEASURES, LogitMeasure
from closedist.measures.settings import Settings
from closedist.representations import Representations

_OF_ONE_PASS = {  # over inputs and labels, without labels and inputs that are chosen
    "logit_correlation",
    "same_top_label",
    "kl",
    "kl_reverse",
    "js_divergence",
    "mean_cca_embeddings",
    "mean_cca_unembeddings",
    "cka_embeddings",
    "debiased_cka_embeddings",
}
_BESIDE = {"kl_quantiles": "kl", "kl_inputs": "kl", "llv_by_seed": "llv"}  # told of a number, where that is wanted
_NUMBERS = {column.name for column in FIELDS if column.larger_is_closer is not None}
_MEASURED = {column.name for column in COLUMNS[len(FIELDS) :]}  # where they are named only
_VIEW_OF = {word: column.name for column in FIELDS for word in (column.name, *column.called)}
_Value = TypeVar("_Value")


def wants_pass(settings: Settings) -> bool:
    """Whether any number needs log-likelihoods and the models' roots; views of embeddings alone need neither."""
    views = {column_of(measure) for measure in MEASURES}
    return settings.named is None or not settings.named.isdisjoint(_NUMBERS - views)


def wants_choices(settings: Settings) -> bool:
    """Whether any number needs chosen labels and inputs."""
    return settings.named is None or not settings.named.isdisjoint(_NUMBERS - _OF_ONE_PASS)


def column_of(measure: Measure) -> str:
    """The name of its number from p to q."""
    return _VIEW_OF.get(measure.name, measure.name)


def views_asked(settings: Settings) -> list[Measure]:
    """The measures of two views that were asked for by name, but for those that the pass over inputs gives anyway."""
    given = {"cka_embeddings", "mean_cca_embeddings"} if wants_pass(settings) else set()
    return [one for one in MEASURES if column_of(one) not in given and _is_named(column_of(one), settings)]


def logits_asked(settings: Settings) -> list[LogitMeasure]:
    """The distances of logits that were asked for by name."""
    return [one for one in LOGIT_MEASURES if _is_named(one.name, settings)]


def _is_named(name: str, settings: Settings) -> bool:
    return not (settings.measures or frozenset()).isdisjoint((name, f"{name}{REVERSE}"))


def kept(columns: Mapping[str, _Value], settings: Settings) -> dict[str, _Value]:
    """Of columns, or what is by their names, those that are wanted: numbers asked for, and all that is no number."""
    return {name: value for name, value in columns.items() if _is_kept(name, settings)}


def _is_kept(name: str, settings: Settings) -> bool:
    if name in (settings.measures or ()):
        return True
    number = _BESIDE.get(name, name)
    return settings.wants(number) if number in _NUMBERS else name not in _MEASURED


def check_can_be_had(models: Sequence[Representations], names: Sequence[str], settings: Settings) -> None:
    """Refuse what was asked for by name and these models have not.

    Raises:
        InputError: embeddings or unembeddings of a black box, or what needs three labels of two.
    """
    asked = settings.measures or frozenset()
    if models[0].num_labels == 2 and (found := _first(asked & (_NUMBERS - _OF_ONE_PASS))):
        raise InputError(
            f"measures: {found} needs three labels, and these models have two, which have one log-odds; name others, "
            'or "default" for what two labels have'
        )
    of_embeddings = {one.name for one in LOGIT_MEASURES if one.family == "representation_distance"}
    needs = [name for name in asked if name.removesuffix(REVERSE) in of_embeddings or name == "mean_cca_unembeddings"]
    for model, name in zip(models, names, strict=True):
        if model.black_box and (found := _first(needs)):
            raise InputError(
                f"measures: {found} needs embeddings and unembeddings, and model {name} is a black box; extract them "
                "(closedist.extract), or name logit_distance, which needs logits only"
            )


def _first(names: Iterable[str]) -> str | None:
    """The first of these in the order of COLUMNS."""
    some = set(names)
    return next((column.name for column in COLUMNS if column.name in some), None)
