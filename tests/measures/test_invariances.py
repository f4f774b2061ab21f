"""What must not change a measure, what must hold between them, and how far rounding may go."""

from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import Comparison, Representations, compare, compare_all, llv_distance
from closedist.measures import likelihood
from closedist.measures.moments import moments
from closedist.measures.stack import stacked
from closedist.measures.terms import axis_of, written_out
from tests.random_models import linear_map, mapped, models, noisy, random_model, represent, seeds
from tests.slow_reference import Model

NUMBERS = (
    "llv",
    "label_term",
    "input_term",
    "label_scale_term",
    "input_scale_term",
    "kl",
    "kl_reverse",
    "mean_cca_embeddings",
    "mean_cca_unembeddings",
    "cka_embeddings",
    "m_svd_unembeddings",
    "dissimilarity",
    "certificate",
    "quadratic_bound",
    "bound",
)
CHOICES = ("pivot_label", "left_out_label", "input_set")


def assert_same(c: Comparison, other: Comparison, except_for: tuple[str, ...] = (), rel: float = 1e-9) -> None:
    for name in NUMBERS:
        if name not in except_for:
            assert getattr(c, name) == pytest.approx(getattr(other, name), rel=rel, abs=1e-10), name
    for name in CHOICES:
        if name not in except_for:
            assert getattr(c, name) == getattr(other, name), name


@given(
    model=models(1),
    map_seed=seeds,
    condition=st.floats(0, 6).map(lambda exponent: 10**exponent),
)
@settings(max_examples=50, deadline=None)
def test_a_linear_map_and_its_inverse_leave_the_same_model(model: list[Model], map_seed: int, condition: float) -> None:
    (p,) = model
    dimension = p.g.shape[1]
    shift = np.random.default_rng(map_seed).normal(size=dimension)
    twin = mapped(p, linear_map(map_seed, dimension, condition), shift)
    c = compare(represent(p), represent(twin), num_samples=20)
    assert 0 <= c.kl < 1e-10
    assert c.llv < 1e-9
    assert c.dissimilarity < 1e-9
    assert c.dissimilarity <= c.certificate <= c.quadratic_bound
    assert c.mean_cca_embeddings == pytest.approx(1, abs=1e-9)


@given(models(2, same_dimension=False))
@settings(max_examples=30, deadline=None)
def test_swapping_the_models_swaps_the_divergences_and_changes_nothing_else(pair: list[Model]) -> None:
    p, q = map(represent, pair)
    there, back = compare(p, q, num_samples=10), compare(q, p, num_samples=10)
    assert_same(there, back, except_for=("kl", "kl_reverse"))
    assert there.kl == pytest.approx(back.kl_reverse, rel=1e-12)
    assert there.kl_reverse == pytest.approx(back.kl, rel=1e-12)


@given(pair=models(2, same_dimension=False), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_permuting_labels_permutes_the_choice_and_changes_no_value(pair: list[Model], seed: int) -> None:
    num_labels = pair[0].g.shape[0]
    order = np.random.default_rng(seed).permutation(num_labels)
    whole = compare(*map(represent, pair), num_samples=10)
    permuted = compare(*(Representations(m.f, m.g[order], m.b[order]) for m in pair), num_samples=10)
    assert permuted.label_term == pytest.approx(whole.label_term, rel=1e-9)
    assert permuted.input_term == pytest.approx(whole.input_term, rel=1e-9)
    chosen = (order[permuted.pivot_label], order[permuted.left_out_label])
    if chosen == (whole.pivot_label, whole.left_out_label):  # at a tie another choice of the same t1 is as good
        assert_same(whole, permuted, except_for=("pivot_label", "left_out_label"))
    else:
        tied = llv_distance(
            *map(represent, pair), pivot_label=int(chosen[0]), left_out_label=int(chosen[1]), weight=0, num_samples=10
        )
        assert tied == pytest.approx(max(whole.label_term, whole.input_term), rel=1e-9)


@given(pair=models(2, same_dimension=False), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_permuting_inputs_changes_no_value_at_the_same_input_set(pair: list[Model], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(pair[0].f.shape[0])
    whole = compare(*map(represent, pair), num_samples=10)
    moved = tuple(int(np.flatnonzero(order == i)[0]) for i in whole.input_set)
    permuted = compare(*(Representations(m.f[order], m.g, m.b) for m in pair), input_set=moved)
    assert permuted.label_term == pytest.approx(whole.label_term, rel=1e-9)
    if (permuted.pivot_label, permuted.left_out_label) == (whole.pivot_label, whole.left_out_label):
        assert_same(whole, permuted, except_for=("input_set",))


@given(models(3, same_dimension=False))
@settings(max_examples=30, deadline=None)
def test_at_fixed_labels_and_inputs_the_triangle_inequality_holds(three: list[Model]) -> None:
    p, q, r = map(represent, three)
    size = min(max(m.g.shape[1] for m in three), p.num_labels - 2)
    fixed = {
        "pivot_label": 0,
        "left_out_label": 1,
        "input_set": list(range(size + 1)),
        "subset_size": size,
        "weight": 1.0,
    }
    direct = llv_distance(p, r, **fixed)
    assert direct <= llv_distance(p, q, **fixed) + llv_distance(q, r, **fixed) + 1e-12


@given(
    pair=models(2, same_dimension=False),
    noise=st.none() | st.integers(-12, 0),
    seed=seeds,
    combine=st.sampled_from(["max", "sum"]),
)
@settings(max_examples=100, deadline=None)
def test_the_chain_of_bounds_holds_for_models_near_and_far(
    pair: list[Model], noise: int | None, seed: int, combine: str
) -> None:
    p = pair[0]
    q = pair[1] if noise is None else noisy(p, 10.0**noise, seed)
    c = compare(represent(p), represent(q), num_samples=10, combine=combine)
    assert 0 <= c.dissimilarity <= c.certificate <= c.quadratic_bound
    assert c.dissimilarity <= c.bound
    assert c.bound == pytest.approx(2 * c.subset_size * c.llv)
    assert c.bound_informative == (c.llv < 1 / (2 * c.subset_size))
    assert min(c.m_svd_embeddings) == pytest.approx(1 - c.dissimilarity_embeddings, abs=1e-12)


@given(pair=models(2, same_dimension=False), reduction=st.sampled_from(["max", "mean"]))
@settings(max_examples=30, deadline=None)
def test_the_certificate_holds_where_terms_are_averaged_too(pair: list[Model], reduction: str) -> None:
    c = compare(*map(represent, pair), num_samples=10, reduction=reduction)
    assert c.dissimilarity <= c.certificate
    assert (c.bound is None) == (c.quadratic_bound is None) == (reduction == "mean")


@given(pair=models(2), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_a_vector_common_to_all_unembeddings_or_a_constant_of_all_biases_changes_nothing(
    pair: list[Model], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    moved = [
        Representations(m.f, m.g + 10 * generator.normal(size=m.g.shape[1]), m.b + generator.normal()) for m in pair
    ]
    assert_same(compare(*map(represent, pair), num_samples=10), compare(*moved, num_samples=10), rel=1e-8)


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_sign_of_all_coordinates_changes_nothing(dimension: int) -> None:
    p, q = (random_model(seed, 60, 9, dimension) for seed in (1, 2))
    negated = [Model(-m.f, -m.g, m.b) for m in (p, q)]
    assert_same(compare(represent(p), represent(q)), compare(*map(represent, negated)), rel=1e-9)


def test_a_label_in_the_middle_of_all_is_a_label_like_others() -> None:
    f = np.random.default_rng(0).normal(size=(30, 1))
    g = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    assert_same(
        compare(Representations(f, g), Representations(2 * f + 0.1 * f**2, g)),
        compare(Representations(f, g + 5), Representations(2 * f + 0.1 * f**2, g + 5)),
        rel=1e-8,
    )


def test_a_missing_bias_is_a_bias_of_zeros() -> None:
    p, q = random_model(1, 60, 6, 2), random_model(2, 60, 6, 2, bias=False)
    without = Representations(q.f, q.g)
    assert_same(compare(represent(p), without), compare(represent(p), represent(q)), rel=1e-12)
    assert_same(compare(without, represent(p)), compare(represent(q), represent(p)), rel=1e-12)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_streamed_in_any_block_size_equals_unstreamed(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = [represent(random_model(seed, 301, 5, 3)) for seed in (1, 2)]
    whole = compare(*pair)
    monkeypatch.setattr(likelihood, "CACHED_ELEMENTS", block * 5)
    monkeypatch.setattr(likelihood, "SMALLEST_BLOCK", block)
    monkeypatch.setattr("closedist.measures.moments.FEATURE_BYTES", block * 64)
    assert_same(whole, compare(*pair), rel=1e-12)


@pytest.mark.parametrize("limit", [None, "TILE", "STACK_BYTES", "TILE_BYTES", "BATCH_BYTES"])
def test_all_pairs_together_equal_each_pair_alone(limit: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if limit is not None:  # tiles of one model on each side, chunks of one model, or a pair a batch
        monkeypatch.setattr(f"closedist.pairs.tiles.{limit}", 1)
    four = [represent(random_model(seed, 100, 7, dimension)) for seed, dimension in enumerate((2, 3, 2, 4))]
    four.append(represent(noisy(random_model(0, 100, 7, 2), 1e-6, 9)))
    together = compare_all(four, num_samples=20)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    for (i, j), c in zip(pairs, together, strict=True):
        [same] = compare_all([four[i], four[j]], num_samples=20)
        alone = asdict(same)
        for name, value in asdict(c).items():
            if isinstance(value, float):
                assert value == pytest.approx(alone[name], rel=1e-8, abs=1e-15), (name, i, j)
            elif name not in ("m_svd_embeddings", "names"):
                assert value == alone[name], (name, i, j)


def test_one_model_against_all_others_gives_what_all_pairs_give() -> None:
    first = represent(random_model(0, 100, 7, 2))
    models = [first] + [represent(noisy(random_model(0, 100, 7, 2), 10.0**-i, i)) for i in range(1, 7)]
    star = compare_all(models, pairs=[(0, i) for i in range(1, 7)])
    for some, whole in zip(star, compare_all(models)[:6], strict=True):
        assert_same(some, whole, rel=1e-9)
    assert compare_all(models, pairs=[]) == []


@pytest.mark.parametrize("reduction", ["max", "mean"])
@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (1, 1.0), (2, 1e4)])
def test_near_models_choose_together_as_they_choose_alone(seed: int, scale: float, reduction: str) -> None:
    first = random_model(seed, 300, 12, 3)
    first = Model(scale * first.f, first.g, first.b)
    models = [represent(first)] + [represent(noisy(first, 10.0**-i, i)) for i in (2, 5, 7, 8)]
    options = {"reduction": reduction, "num_samples": 70}
    for c, (i, j) in zip(compare_all(models, **options), combinations(range(5), 2), strict=True):
        bounds = ("bound", "quadratic_bound") if reduction == "mean" else ()
        assert_same(c, compare(models[i], models[j], **options), except_for=bounds, rel=1e-6)


@pytest.mark.parametrize("pairs", [[(0, 1)], [(1, 3)], [(0, 2), (1, 3)], [(2, 3), (0, 1), (0, 3)]])
def test_some_pairs_of_many_models_are_measured_as_each_alone(pairs: list[tuple[int, int]]) -> None:
    models = [represent(random_model(seed, 60, 7, dimension)) for seed, dimension in enumerate((3, 2, 3, 3))]
    for (i, j), c in zip(pairs, compare_all(models, pairs=pairs), strict=True):
        assert_same(c, compare(models[i], models[j]), rel=1e-9)


def test_some_pairs_of_an_axis_are_written_out_as_among_all() -> None:
    members = stacked([represent(random_model(seed, 60, 7, 2)) for seed in range(4)])
    pairs = torch.combinations(torch.arange(4))
    axis = axis_of(moments(members, pairs).over_inputs, members.labels, pairs)
    pivot = torch.arange(6)
    whole = written_out(axis, pivot)
    for which in (torch.tensor([4]), torch.tensor([3, 1])):
        some = written_out(axis.some(which), pivot[which])
        for name, values in vars(some).items():
            np.testing.assert_allclose(values, getattr(whole, name)[which], rtol=1e-12, err_msg=name)


def test_two_runs_give_the_same_bits() -> None:
    three = [represent(random_model(seed, 200, 9, 3)) for seed in range(3)]
    assert compare_all(three) == compare_all(three)
