"""Degenerate input ends in an InputError that names the argument, the shape and the remedy; never in a silent NaN."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import (
    InputError,
    Representations,
    compare,
    compare_all,
    kl_divergence,
    linear_cka,
    llv_distance,
    mean_cca,
    mean_svd,
)
from tests.random_models import random_model, represent

F = np.random.default_rng(0).normal(size=(30, 2))
G = np.random.default_rng(1).normal(size=(5, 2))
P = Representations(F, G)
Q = Representations(F + 0.1 * F[::-1], G)


def message(call: object, *arguments: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    text = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("argument", ["embeddings", "unembeddings", "bias"])
def test_numbers_that_are_not_finite(bad: float, argument: str) -> None:
    arrays = {"embeddings": F.copy(), "unembeddings": G.copy(), "bias": np.zeros(5)}
    arrays[argument][3] = bad
    text = message(Representations, **arrays)
    assert text.startswith(f"{argument}: {'NaN' if math.isnan(bad) else 'infinity'} at [3")
    assert str(arrays[argument].shape) in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((F[:, 0], G), ["embeddings", "(30,)", "matrix"]),
        ((F[:0], G), ["embeddings", "(0, 2)"]),
        ((F, G.T), ["unembeddings", "5 columns", "transposed"]),
        ((F, G, np.zeros(4)), ["bias", "(4,)", "(5,)"]),
        ((F, G, None, list(range(29))), ["input_ids", "(29,)", "30"]),
        ((F, G, None, None, ["a", "b"]), ["label_names", "(2,)", "5"]),
        ((F, G, None, None, [0.5] * 5), ["label_names", "float64", "integers or strings"]),
        ((F * 1j, G), ["embeddings", "complex128", "real numbers"]),
        (([["a"]], G), ["embeddings", "real numbers"]),
    ],
)
def test_arrays_that_make_no_model(arguments: tuple[object, ...], words: list[str]) -> None:
    text = message(Representations, *arguments)
    assert all(word in text for word in words), text


def test_arrays_that_are_no_logits() -> None:
    assert "logits: shape (3,)" in message(Representations.from_logits, [0.0, 1.0, 2.0])
    assert "complex" in message(Representations, torch.ones(3, 2, dtype=torch.complex64), G)


def test_logits_of_minus_infinity_and_unembeddings_of_too_many_labels() -> None:
    assert message(Representations.from_logits, [[0.0, -math.inf, 1.0]]).startswith("logits: infinity at [0, 1]")
    box = Representations.from_logits(np.zeros((2, 10_001), np.float32))
    assert "10,001 labels" in message(llv_distance, box, box)


def test_one_input() -> None:
    one = Representations(F[:1], G)
    assert message(compare, one, one).startswith("embeddings: 1 input;")


def test_a_pivot_against_which_only_the_left_out_label_varies() -> None:
    p = Representations(F, [[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    for measure in (compare, llv_distance):
        for reduction in ("max", "mean"):
            text = message(measure, p, p, pivots=[0], constant_labels="ignore", reduction=reduction)
            assert text.startswith("constant_labels: besides the left-out label none varies against pivot label 0")
    assert llv_distance(p, p, constant_labels="ignore", pivots=[2]) == pytest.approx(0, abs=1e-15)


def test_too_many_label_subsets_asked_for() -> None:
    assert "num_subsets: 1,000,000,000; at most" in message(compare, P, Q, num_subsets=10**9)


def test_tensors_that_nothing_can_be_computed_with() -> None:
    tensor = torch.from_numpy(G).float()
    assert "pass tensor.float()" in message(Representations, tensor.to(torch.float8_e4m3fn), tensor)
    assert "pass tensor.to_dense()" in message(Representations, tensor, tensor.to_sparse())
    assert message(mean_cca, tensor, tensor.to(torch.float8_e4m3fn)).startswith("w: torch.float8_e4m3fn")


def test_a_subset_size_above_what_labels_allow() -> None:
    assert "subset_size: 4 with 5 labels" in message(compare, P, P, subset_size=4)


def test_fewer_inputs_than_an_input_set() -> None:
    few = Representations(F[:3], np.random.default_rng(2).normal(size=(6, 2)))
    assert "3 inputs; an input set of 4 different inputs" in message(compare, few, few, subset_size=3)


def test_identical_label_rows() -> None:
    twin = G.copy()
    twin[4] = twin[1]
    text = message(compare, P, Representations(F, twin))
    assert text.startswith("unembeddings: labels 1 and 4 of model q")
    assert 'constant_labels="ignore"' in text


def test_constant_embeddings_and_unembeddings() -> None:
    assert message(compare, P, Representations(np.ones((30, 2)), G)).startswith("embeddings: model q gives all inputs")
    assert message(compare, Representations(F, np.ones((5, 2))), P).startswith("unembeddings: model p has the same row")


def test_repeated_inputs_only() -> None:
    repeated = Representations(np.repeat(F[:2], 15, axis=0)[[0, 29] + [0] * 28], G)
    assert message(compare, repeated, repeated, input_set=[0, 2, 1]).startswith("input_set:")


def test_different_numbers_of_inputs() -> None:
    text = message(compare, P, Representations(F[:-1], G))
    assert text == (
        "embeddings: model q has 29 inputs, model p has 30; both must be evaluated on the same inputs in the same "
        "order. Give both input_ids to find the difference"
    )


def test_a_padded_vocabulary_is_named() -> None:
    generator = np.random.default_rng(0)
    short, long = (Representations(F, generator.normal(size=(size, 2))) for size in (100, 102))
    for text in (message(compare, short, long), message(compare, long, short)):
        padded = "q" if text == message(compare, short, long) else "p"
        assert f"The vocabulary of model {padded} is probably padded by 2" in text
        assert "first 100 rows" in text
    assert "padded" not in message(compare, P, short)
    for size, padded in ((4, True), (6, True), (7, False)):
        other = Representations(F, generator.normal(size=(size, 2)))
        text = message(compare, P, other)
        assert text.startswith(
            f"unembeddings: model q has {size} labels, model p has 5; both must have the same labels"
        )
        assert ("padded" in text) == padded


@pytest.mark.parametrize(("attribute", "count"), [("input_ids", 30), ("label_names", 5)])
def test_other_inputs_or_labels_say_where_they_first_differ(attribute: str, count: int) -> None:
    names = [f"name {i}" for i in range(count)]
    other = names.copy()
    other[2], other[3] = other[3], other[2]
    p, q = Representations(F, G, **{attribute: names}), Representations(F, G, **{attribute: other})
    text = message(compare, p, q)
    assert text.startswith(f"{attribute}: the first difference is at 2: 'name 2' in model p, 'name 3' in model q")
    assert "in another order" in text
    assert "in another order" not in message(compare, p, Representations(F, G, **{attribute: [*names[:-1], "x"]}))
    assert compare(p, Representations(F, G)).kl == 0  # names on one side only are not compared
    numbers = Representations(F, G, **{attribute: list(range(count))})
    assert "in the same way" in message(compare, p, numbers)


def test_names_are_compared_with_the_first_model_that_has_any() -> None:
    names = list(range(30))
    members = [P, Representations(F, G, input_ids=names), Representations(F, G, input_ids=names[::-1])]
    assert message(compare_all, members).startswith("input_ids: the first difference is at 0: 0 in model 1, 29 in")


def test_names_of_several_columns_are_reordered_only_row_by_row() -> None:
    f = F[:2]
    p = Representations(f, G, input_ids=[[0, 1], [1, 0]])
    assert "in another order" in message(compare, p, Representations(f, G, input_ids=[[1, 0], [0, 1]]))
    assert "in another order" not in message(compare, p, Representations(f, G, input_ids=[[0, 0], [1, 1]]))


def test_inputs_named_by_two_numbers_say_where_they_first_differ() -> None:
    names = np.stack([np.repeat([1, 2, 3], 10), np.tile(np.arange(10), 3)], 1)
    other = names.copy()
    other[[7, 12]] = other[[12, 7]]
    text = message(compare, Representations(F, G, input_ids=names), Representations(F, G, input_ids=other))
    assert text == (
        "input_ids: the first difference is at 7: [1, 7] in model p, [2, 2] in model q (the same names in another "
        "order); both models must have the same inputs in the same order. closedist.align keeps the inputs that all "
        "models have (on the command line --align)"
    )
    other = names.copy()
    other[4, 1] = 11
    text = message(compare, Representations(F, G, input_ids=names), Representations(F, G, input_ids=other))
    assert text == (
        "input_ids: the first difference is at 4: [1, 4] in model p, [1, 11] in model q; both models must have the "
        "same inputs in the same order. closedist.align keeps the inputs that all models have (on the command line "
        "--align)"
    )
    text = message(
        compare, Representations(F, G, None, None, [1, 2, 3, 4, 5]), Representations(F, G, None, None, [*"abcde"])
    )
    assert text.endswith("name the labels of both in the same way")
    text = message(
        compare, Representations(F, G, None, None, [1, 2, 3, 4, 5]), Representations(F, G, None, None, [1, 2, 3, 4, 6])
    )
    assert "both models must have the same labels in the same order. closedist.align keeps the labels" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weight": -1.0}, ["weight", "-1.0"]),
        ({"weight": math.nan}, ["weight", "nan"]),
        ({"reduction": "median"}, ["reduction", "'median'", "'max', 'mean'"]),
        ({"combine": "mean"}, ["combine", "'max', 'sum'"]),
        ({"constant_labels": "drop"}, ["constant_labels", "'ignore'"]),
        ({"num_samples": 0}, ["num_samples", "at least 1"]),
        ({"subset_size": 0}, ["subset_size", "at least 1"]),
        ({"num_subsets": 0}, ["num_subsets", "at least 1"]),
        ({"seed": -1}, ["seed", "≥ 0"]),
        ({"input_set": [0, 1]}, ["input_set", "2 inputs", "3 are needed", "subset_size=1"]),
        ({"input_set": [0, 1, 30]}, ["input_set", "30 inputs"]),
        ({"input_set": [0, 1, 1]}, ["input_set", "twice"]),
        ({"pivots": [5]}, ["pivots", "5 labels"]),
        ({"pivots": []}, ["pivots", "are needed"]),
    ],
)
def test_options_out_of_range(options: dict[str, object], words: list[str]) -> None:
    text = message(compare, P, P, **options)
    assert text.startswith(f"{words[0]}: ")
    assert all(word in text for word in words), text


def test_labels_fixed_by_half_or_twice() -> None:
    assert "give both" in message(llv_distance, P, P, pivot_label=1)
    assert "give both" in message(llv_distance, P, P, left_out_label=1)
    text = message(llv_distance, P, P, pivot_label=1, left_out_label=1)
    assert text.startswith("pivot_label and left_out_label: [1, 1] has the same index twice")
    assert "indices of the 5 labels" in message(llv_distance, P, P, pivot_label=1, left_out_label=5)
    assert message(llv_distance, P, P, pivot_label=1, left_out_label=2.5).startswith("pivot_label and left_out_label: ")


def test_too_few_inputs_or_labels_for_d_llv_alone() -> None:
    one_input, two_labels = Representations(F[:1], G), Representations(F, G[:2])
    assert message(llv_distance, one_input, one_input).startswith("embeddings: 1 input; ")
    assert message(llv_distance, two_labels, two_labels).startswith("unembeddings: 2 labels; d_LLV needs at least 3 ")


def test_one_pair_of_many_without_a_label_to_compare_is_an_error_that_names_its_pivot() -> None:
    """Of three labels the first two share a row in two of the models, so that for these every pivot leaves nothing."""
    first, second, other = (np.random.default_rng(seed).normal(size=(3, 1)) for seed in (2, 3, 4))
    first[1], second[1], other = first[0], second[0], other[[1, 0, 2]]
    models = [Representations(F[:, :1], unembeddings) for unembeddings in (first, second, other)]
    assert compare(models[0], models[2], constant_labels="ignore", pivots=[0, 1]).pivot_label == 1
    for pairs in (None, [(0, 2), (0, 1)]):
        text = message(compare_all, models, pairs=pairs, constant_labels="ignore", pivots=[0, 1])
        assert text.startswith("constant_labels: besides the left-out label none varies against pivot label 0, ")


@pytest.mark.parametrize("limit", [None, "TILE", "STACK_BYTES", "TILE_BYTES", "BATCH_BYTES"])
def test_identical_label_rows_of_one_among_many_models(limit: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if limit is not None:
        monkeypatch.setattr(f"closedist.pairs.tiles.{limit}", 1)
    twin = np.random.default_rng(3).normal(size=(5, 2))
    twin[4] = twin[1]
    models = [represent(random_model(seed, 30, 5, 2)) for seed in range(4)]
    for where in range(4):
        these = [*models[:where], Representations(F, twin), *models[where + 1 :]]
        assert message(compare_all, these).startswith(f"unembeddings: labels 1 and 4 of model {where} ")


def test_identical_label_rows_in_d_llv_alone() -> None:
    twin = G.copy()
    twin[4] = twin[1]
    p, q = Representations(F, twin), Representations(F + 0.1 * F[::-1], twin)
    assert message(llv_distance, p, P).startswith("unembeddings: labels 1 and 4 of model p")
    fixed = {"pivot_label": 4, "left_out_label": 0}
    assert message(llv_distance, p, P, **fixed).startswith("unembeddings: labels 1 and 4 of model p")
    assert message(llv_distance, P, p, **fixed).startswith("unembeddings: labels 1 and 4 of model q")
    assert math.isinf(llv_distance(p, P, **fixed, constant_labels="ignore"))
    assert 0 < llv_distance(p, q, **fixed, constant_labels="ignore") < math.inf
    assert llv_distance(p, P, pivot_label=0, left_out_label=2) > 0  # against label 0 all of them vary


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_samples", 2.5),
        ("num_samples", "3"),
        ("seed", 1.5),
        ("subset_size", 2.0),
        ("subset_size", True),
        ("weight", None),
        ("weight", "a"),
        ("pivots", 3),
        ("input_set", [0.5, 1, 2]),
    ],
)
def test_settings_of_another_type(name: str, value: object) -> None:
    for measure in (compare, llv_distance):
        text = message(measure, P, P, **{name: value})
        assert text.startswith(f"{name}: {value!r}; a")
        assert text.endswith("needed")


def test_more_input_sets_than_can_be_drawn() -> None:
    assert message(compare, P, P, num_samples=10**7).startswith("num_samples: 10,000,000; at most")


def test_settings_may_be_tensors() -> None:
    given = compare(P, Q, pivots=torch.tensor([1, 1, 3]), input_set=np.arange(3), seed=np.int64(2))
    assert given == compare(P, Q, pivots=[1, 3], input_set=[0, 1, 2], seed=2)


def test_errors_call_models_by_their_names() -> None:
    constant = Representations(np.ones((30, 2)), G)
    assert "model there gives all" in message(compare_all, [P, constant], names=["here", "there"])
    assert message(compare_all, [P, Q], names=["here"]) == "names: 1 for 2 models; give each model one"


@pytest.mark.parametrize("measure", [compare, llv_distance, kl_divergence])
def test_models_that_cannot_be_compared_by_any_measure(measure: object) -> None:
    assert message(measure, P, Representations(F[:-1], G)).startswith(
        "embeddings: model q has 29 inputs, model p has 30"
    )
    assert message(measure, P, Representations(F, G[:-1])).startswith(
        "unembeddings: model q has 4 labels, model p has 5"
    )
    assert message(measure, P, F).startswith("model q: ndarray")
    assert "too large for float64" in message(measure, P, Representations(1e300 * F, 1e300 * G))


@pytest.mark.parametrize("measure", [compare, llv_distance])
def test_models_of_which_nothing_varies(measure: object) -> None:
    constant = Representations(np.ones((30, 2)), G)
    assert message(measure, P, constant).startswith("embeddings: model q gives all inputs the same")
    assert message(measure, constant, P).startswith("embeddings: model p gives all inputs the same")
    assert message(measure, P, Representations(F, np.ones((5, 2)))).startswith("unembeddings: model q has the same row")
    assert "log-odds of model q are of size" in message(measure, P, Representations(1e-160 * F, G))
    assert "log-odds of model q are of size" in message(measure, P, Representations(F, G, [1e160, -1e160, 0, 0, 0]))


def test_one_model_or_something_else() -> None:
    assert message(compare_all, [P]).startswith("models: 1 of them")
    assert message(compare_all, [P, P], pairs=[(1, 0)]) == "pairs: (1, 0) is no pair of 2 models; give 0 ≤ i < j < 2"
    assert message(compare_all, [P, P], pairs=[(1, 1)]).startswith("pairs: (1, 1) is no pair of 2 models")
    assert message(compare_all, [P, P], pairs=[(0, 2)]).startswith("pairs: (0, 2) is no pair of 2 models")
    for pairs in ([0, 1], [(0,)], [(0, 1, 2)], [(0.0, 1.0)], 5):
        assert message(compare_all, [P, P], pairs=pairs).startswith("pairs: ")
    assert compare_all([P, Q], pairs=((0, j) for j in [1])) == compare_all([P, Q])
    assert message(compare, P, F).startswith("model q: ndarray")


@pytest.mark.parametrize("measure", [mean_svd, mean_cca, linear_cka])
def test_single_measures_of_what_is_no_pair_of_views(measure: object) -> None:
    assert message(measure, F, F[:-1]).startswith("z and w: 30 and 29 rows")
    assert "matrix" in message(measure, F[:, 0], F)
    assert "NaN" in message(measure, F * math.nan, F)
    assert message(measure, F[:1], F[:1]).startswith("z and w: 1 and 1 rows")
    assert message(measure, np.ones((30, 2)), F).startswith("z: ")


def test_a_constant_column_has_no_correlation() -> None:
    one_constant = F.copy()
    one_constant[:, 1] = 1 / 3
    assert message(mean_svd, one_constant, F).startswith("z: column 1 is constant")
    assert message(mean_svd, F, one_constant * 1e6).startswith("w: column 1 is constant")


@pytest.mark.parametrize("measure", [mean_cca, linear_cka])
def test_rows_that_are_all_equal_are_noticed_whatever_their_size(measure: object) -> None:
    for row in ([1 / 3, 1e8 / 3, 1e-8 / 3], [-1 / 3, -1e8 / 3, -1e-8 / 3], [0.0, 0.0, 0.0], [-1e-150, 1e-150, 0.0]):
        equal = np.tile(row, (30, 1))
        assert message(measure, equal, F).startswith("z: all rows are equal")
        assert message(measure, F, equal).startswith("w: all rows are equal")


@pytest.mark.parametrize("measure", [mean_svd, mean_cca, linear_cka])
def test_an_error_names_the_view_that_is_at_fault(measure: object) -> None:
    not_a_number, infinite, minus_infinite = F.copy(), F.copy(), F.copy()
    not_a_number[3, 1], infinite[3, 1], minus_infinite[3, 1] = math.nan, math.inf, -math.inf
    for wrong, words in (
        (F[:, 0], "shape (30,)"),
        (not_a_number, "NaN or infinity"),
        (infinite, "NaN or infinity"),
        (minus_infinite, "NaN or infinity"),
        (F * 1j, "entries of type complex128"),
        (np.ones((30, 2)), ""),
    ):
        assert message(measure, wrong, F).startswith(f"z: {words}")
        assert message(measure, F, wrong).startswith(f"w: {words}")


@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 0.1]), min_size=18, max_size=18),
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 1e-160, 1e160]), min_size=8, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_numbers_a_result_is_finite_or_an_error(
    embeddings: list[float], unembeddings: list[float]
) -> None:
    q = Representations(np.reshape(embeddings, (9, 2)), np.reshape(unembeddings, (4, 2)))
    p = represent(random_model(0, 9, 4, 2))
    try:
        c = compare(p, q, num_samples=5)
    except InputError:
        return
    for name, value in dataclasses.asdict(c).items():
        if isinstance(value, float):
            assert math.isfinite(value), name
    assert c.dissimilarity <= c.certificate
