"""Every field against the independent slow implementation, scikit-learn, statsmodels, and published known answers."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_linnerud

from closedist import (
    InputError,
    Representations,
    compare,
    compare_all,
    kl_divergence,
    kl_matrix,
    linear_cka,
    linear_cka_matrix,
    llv_distance,
    mean_cca,
    mean_cca_matrix,
    mean_svd,
    mean_svd_matrix,
)
from closedist.measures.input_sets import draw_input_sets
from tests.random_models import linear_map, models, random_model, represent
from tests.slow_reference import Model, log_likelihoods, mean_cca_iterated
from tests.slow_reference import compare as slow_compare
from tests.slow_reference import linear_cka as slow_cka
from tests.slow_reference import mean_cca as slow_cca
from tests.slow_reference import mean_svd as slow_svd


def assert_fields_equal(comparison: object, expected: dict[str, object]) -> None:
    for name, value in expected.items():
        ours = getattr(comparison, name)
        if value is None and name == "mean_cca_unembeddings":
            continue  # of deficient rank, which the reference cannot do
        if isinstance(value, (float, tuple)) and name != "input_set":
            assert ours == pytest.approx(value, rel=1e-7, abs=1e-7), name
        else:
            assert ours == value, name


@given(
    pair=models(2, same_dimension=False),
    reduction=st.sampled_from(["max", "mean"]),
    combine=st.sampled_from(["max", "sum"]),
    weight=st.sampled_from([1e-5, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_every_field_equals_the_slow_reference(pair: list[Model], reduction: str, combine: str, weight: float) -> None:
    p, q = pair
    num_inputs, num_labels = p.f.shape[0], p.g.shape[0]
    size = min(max(p.g.shape[1], q.g.shape[1]), num_labels - 2)
    size = min(size, p.g.shape[1], q.g.shape[1])  # scikit-learn divides by the deviation of a null direction otherwise
    sets = draw_input_sets(num_inputs, size + 1, 5, seed=3).tolist()
    ours = compare(
        represent(p),
        represent(q),
        reduction=reduction,
        combine=combine,
        weight=weight,
        num_samples=5,
        seed=3,
        subset_size=size,
    )
    assert_fields_equal(ours, slow_compare(p, q, sets, size, reduction, combine, weight))


@given(models(2, max_labels=7))
@settings(max_examples=25, deadline=None)
def test_a_black_box_of_the_logits_is_as_far_as_the_model_itself(pair: list[Model]) -> None:
    size = min(pair[0].g.shape[1], pair[0].g.shape[0] - 2)
    options = {"subset_size": size, "num_samples": 5}
    boxes = [Representations.from_logits(m.f @ m.g.T + m.b) for m in pair]
    likelihoods = [Representations.from_logits(log_likelihoods(m)) for m in pair]
    whole = compare(*map(represent, pair), **options)
    for c in (compare(*boxes, **options), compare(*likelihoods, **options)):
        for name in ("llv", "label_term", "input_term", "dissimilarity", "certificate", "kl", "kl_reverse"):
            assert getattr(c, name) == pytest.approx(getattr(whole, name), rel=1e-8, abs=1e-9), name
        assert (c.pivot_label, c.left_out_label, c.input_set) == (
            whole.pivot_label,
            whole.left_out_label,
            whole.input_set,
        )
        assert c.mean_cca_unembeddings is None


def test_linnerud_has_the_published_canonical_correlations_and_singular_values() -> None:
    data = load_linnerud()
    assert mean_cca(data.data, data.target) == pytest.approx(0.3562448272, abs=1e-9)
    assert mean_svd(data.data, data.target) == pytest.approx(0.4121611892, abs=1e-9)


@pytest.mark.parametrize("dimensions", [(1, 1), (2, 2), (3, 3), (4, 2), (2, 5)])
def test_single_measures_equal_other_peoples(dimensions: tuple[int, int]) -> None:
    generator = np.random.default_rng(sum(dimensions))
    z, noise = generator.normal(size=(50, dimensions[0])), generator.normal(size=(50, dimensions[1]))
    w = z @ generator.normal(size=dimensions) + noise
    assert mean_svd(z, w) == pytest.approx(slow_svd(z, w), rel=1e-9)
    assert mean_cca(z, w) == pytest.approx(slow_cca(z, w), rel=1e-9)
    assert mean_cca(z, w) == pytest.approx(mean_cca_iterated(z, w), abs=1e-5)
    assert linear_cka(z, w) == pytest.approx(slow_cka(z, w), rel=1e-9)


def test_all_pairs_of_views_at_once_equal_each_pair_alone() -> None:
    generator = np.random.default_rng(2)
    views = [generator.normal(size=(60, width)) for width in (3, 2, 3)]
    views.append(views[0] @ generator.normal(size=(3, 4)))
    matrix = mean_cca_matrix(views)
    for i, z in enumerate(views):
        for j, w in enumerate(views):
            assert float(matrix[i, j]) == pytest.approx(mean_cca(z, w), rel=1e-12)
    with pytest.raises(InputError, match=r"views\[1\]: all rows are equal"):
        mean_cca_matrix([views[0], np.ones((60, 2))])
    with pytest.raises(InputError, match=r"views\[0\] and views\[1\]: 60 and 59 rows"):
        mean_cca_matrix([views[0], views[1][1:]])
    with pytest.raises(InputError, match=r"^views\[0\]: "):
        mean_cca_matrix([views[0][:, 0], views[1]])
    columns = mean_cca_matrix([views[0][:, :1], views[1][:, :1]])
    assert float(columns[0, 1]) == pytest.approx(mean_cca(views[0][:, :1], views[1][:, :1]), rel=1e-12)
    with pytest.raises(InputError, match="at least one"):
        mean_cca_matrix([])
    with pytest.raises(InputError, match=r"views\[0\]: shape \(\); a matrix"):
        mean_cca_matrix([1.0])


def test_all_pairs_of_many_wide_views_at_once_equal_each_pair_alone() -> None:
    generator = np.random.default_rng(2)
    common = generator.normal(size=(250, 20))
    views = [common @ generator.normal(size=(20, 20)) + generator.normal(size=(250, 20)) for _ in range(11)]
    matrix = mean_cca_matrix(views)
    assert (matrix.diagonal() == 1.0).all()
    similarities = linear_cka_matrix(views)
    for i, j in [(0, 0), (0, 1), (0, 10), (3, 4), (3, 7), (4, 4), (9, 10)]:
        for row, column in ((i, j), (j, i)):
            assert float(matrix[row, column]) == pytest.approx(mean_cca(views[i], views[j]), rel=1e-12)
            assert float(similarities[row, column]) == pytest.approx(linear_cka(views[i], views[j]), rel=1e-12)


@pytest.mark.parametrize(
    ("one", "all_pairs"),
    [(mean_cca, mean_cca_matrix), (linear_cka, linear_cka_matrix), (mean_svd, mean_svd_matrix)],
)
@pytest.mark.parametrize("num_inputs", [12, 300])
def test_every_matrix_of_views_of_any_widths_has_each_pair_alone(one, all_pairs, num_inputs, monkeypatch) -> None:
    monkeypatch.setattr("closedist.measures.joint._TOGETHER_BYTES", 8 * num_inputs * 12)  # a few at a time
    generator = np.random.default_rng(4)
    common = generator.normal(size=(num_inputs, 3))
    widths = [2, 5, 30, 3, 30, 1, 4, 5, 2, 3, 6]
    noise = [0.1 * generator.normal(size=(num_inputs, width)) for width in widths]
    views = {f"v{i}": common @ generator.normal(size=(3, n.shape[1])) + n for i, n in enumerate(noise)}
    matrix = all_pairs(views)
    assert isinstance(matrix, np.ndarray)
    for i, z in enumerate(views.values()):
        for j, w in enumerate(views.values()):
            if i != j:
                assert matrix[i, j] == pytest.approx(one(z, w), rel=1e-11), (i, j)
    with pytest.raises(InputError, match=r"views\['bad'\]: all rows are equal|views\['bad'\]: column 0 is constant"):
        all_pairs({"good": views["v0"], "bad": np.ones((num_inputs, 2))})


def test_a_matrix_of_divergences_has_each_pair_alone() -> None:
    generator = np.random.default_rng(5)
    models = [Representations(generator.normal(size=(60, d)), generator.normal(size=(5, d))) for d in (2, 3, 2)]
    matrix = kl_matrix({"a": models[0], "b": models[1], "c": models[2]})
    for i, p in enumerate(models):
        for j, q in enumerate(models):
            assert matrix[i, j] == pytest.approx(kl_divergence(p, q), rel=1e-10, abs=1e-15)
    with pytest.raises(InputError, match="model other has 59 inputs"):
        kl_matrix({"one": models[0], "other": models[1].at(inputs=slice(59))})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_tall_views_in_low_precision_have_the_rank_that_rounding_leaves(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    z, w = torch.randn(1000, 3, generator=generator), torch.randn(1000, 5, generator=generator)
    w[:, :3] += z
    repeated = (z @ torch.randn(3, 5, generator=generator)).to(dtype)
    expected = slow_cca(z.double().numpy(), w.double().numpy())
    assert mean_cca(repeated, w) == pytest.approx(expected, rel=1e-2)
    assert float(mean_cca_matrix([repeated, w])[0, 1]) == pytest.approx(mean_cca(repeated, w), rel=1e-9)


def test_rounding_of_products_in_single_precision_is_no_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(800, 60, generator=generator)
    w = z + torch.randn(800, 60, generator=generator)
    wide = [(view + 5) @ torch.randn(60, 300, generator=generator) for view in (z, w)]
    assert mean_cca(*wide) == pytest.approx(mean_cca(z, w), rel=1e-4)


def test_an_input_in_the_middle_of_all_is_no_sign_of_a_constant_view() -> None:
    z = [[-1.0], [0.0], [1.0]]
    for measure in (mean_svd, mean_cca, linear_cka):
        assert measure(z, z) == pytest.approx(1)


def test_the_larger_dimension_is_the_default_subset_size() -> None:
    p, q = (represent(random_model(seed, 40, 8, dimension)) for seed, dimension in enumerate((2, 4)))
    assert compare(p, q).subset_size == compare(q, p).subset_size == 4
    assert compare(p, p).subset_size == 2


def test_no_mean_correlation_is_above_one() -> None:
    for seed in range(30):
        generator = np.random.default_rng(seed)
        z = generator.normal(size=(40, 4))
        w = z @ generator.normal(size=(4, 4))
        assert mean_cca(z, w) <= 1
        assert bool((mean_cca_matrix([z, w]) <= 1).all())
        assert bool((mean_cca_matrix([z[:20], w[:20]]) <= 1).all())


def test_a_direction_above_rounding_counts_however_many_inputs_there_are() -> None:
    a, b, c, d = np.random.default_rng(0).normal(size=(4, 4000))
    z, w = np.stack([a, b, a + 5e-14 * c], 1), np.stack([a, b, d], 1)
    assert mean_cca(z, w) == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize("condition", [1, 1e3, 3e4, 1e7, 1e9])
def test_tall_views_correlate_as_well_when_badly_conditioned(condition: float) -> None:
    generator = np.random.default_rng(3)
    views = [generator.normal(size=(400, 5)) for _ in range(3)]
    views[1] += views[0] @ generator.normal(size=(5, 5))
    bad = [view @ linear_map(index, 5, condition) for index, view in enumerate(views)]
    matrix = mean_cca_matrix(bad)
    for i, z in enumerate(views):
        for j, w in enumerate(views):
            assert float(matrix[i, j]) == pytest.approx(slow_cca(z, w), rel=1e-10 + 1e-15 * condition)
            assert mean_cca(bad[i], bad[j]) == pytest.approx(float(matrix[i, j]), rel=1e-10 + 1e-15 * condition)


def test_cka_of_more_columns_than_rows_is_the_same_formula() -> None:
    generator = np.random.default_rng(0)
    z, w = generator.normal(size=(20, 35)), generator.normal(size=(20, 30))
    assert linear_cka(z, w) == pytest.approx(slow_cka(z, w), rel=1e-9)


def test_cka_of_a_turned_copy_does_not_exceed_1_by_rounding() -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        z = generator.normal(size=(50, 3))
        turned = z @ np.linalg.qr(generator.normal(size=(3, 3)))[0] * generator.uniform(0.1, 10)
        assert 1 - 1e-12 < linear_cka(z, turned) <= 1
        p, q = (Representations(view, generator.normal(size=(5, 3))) for view in (z, turned))
        assert 1 - 1e-12 < compare(p, q).cka_embeddings <= 1


def test_canonical_correlations_count_the_rank_in_the_precision_of_the_data() -> None:
    generator = np.random.default_rng(1)
    z, w = generator.normal(size=(100, 3)), generator.normal(size=(100, 3))
    repeated = np.concatenate([z, z @ generator.normal(size=(3, 2))], 1)
    assert mean_cca(repeated, w) == pytest.approx(slow_cca(z, w), rel=1e-9)
    assert mean_cca(repeated.astype(np.float32), w.astype(np.float32)) == pytest.approx(slow_cca(z, w), rel=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 4])
def test_tall_views_of_deficient_rank_correlate_as_their_independent_columns(rank: int) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        z, w = generator.normal(size=(100, rank)), generator.normal(size=(100, 5))
        repeated = z @ generator.normal(size=(rank, 5))
        assert float(mean_cca_matrix([repeated, w])[0, 1]) == pytest.approx(mean_cca(z, w), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("rows", [150, 2000])
def test_every_direction_of_half_precision_data_counts(dtype: torch.dtype, rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(rows, 100, generator=generator)
    w = z + torch.randn(rows, 100, generator=generator)
    rounded = [view.to(dtype) for view in (z, w)]
    expected = slow_cca(*(view.double().numpy() for view in rounded))
    assert mean_cca(*rounded) == pytest.approx(expected, rel=1e-9)
    assert float(mean_cca_matrix(rounded)[0, 1]) == pytest.approx(mean_cca(*rounded), rel=1e-9)


@pytest.mark.parametrize("measure", [mean_svd, mean_cca, linear_cka])
@pytest.mark.parametrize("exponent", [-250, -160, -50, 50, 160, 250, 307])
def test_the_size_of_a_view_changes_no_single_measure(measure: Callable[..., float], exponent: int) -> None:
    z, w = (np.random.default_rng(seed).uniform(-1, 1, size=(30, 3)) for seed in (1, 2))
    expected = measure(z, w)
    assert measure(z * 10.0**exponent, w) == pytest.approx(expected, rel=1e-12)
    assert measure(w, z * 10.0**exponent) == pytest.approx(expected, rel=1e-12)
    one_sided = np.abs(z) * 10.0**exponent
    for view in (one_sided, -one_sided):
        assert measure(view, w) == pytest.approx(measure(np.abs(z), w), rel=1e-12)


@pytest.mark.parametrize("measure", [mean_svd, mean_cca])
def test_the_sizes_and_offsets_of_columns_change_neither_m_svd_nor_m_cca(measure: Callable[..., float]) -> None:
    z, w = (np.random.default_rng(seed).normal(size=(30, 3)) for seed in (1, 2))
    expected = measure(z, w)
    scales, offsets = np.array([1e-9, 1.0, 1e9]), np.array([1.0, -1e3, 1e5])
    assert measure((z + offsets) * scales, w) == pytest.approx(expected, rel=1e-9)
    assert measure(w, (z + offsets) * scales) == pytest.approx(expected, rel=1e-9)


def test_mean_svd_of_repeated_columns_is_the_root_of_the_widths_ratio() -> None:
    z = np.random.default_rng(7).normal(size=(50, 1))
    assert mean_svd(z, np.repeat(z, 9, 1)) == pytest.approx(3)


@pytest.mark.parametrize("measure", [mean_svd, mean_cca, linear_cka])
def test_no_single_measure_exceeds_one_by_rounding(measure: Callable[..., float]) -> None:
    views = np.random.default_rng(6).normal(size=(200, 12, 3))
    assert all(1 - 1e-12 < measure(view, view) <= 1 for view in views)


@pytest.mark.parametrize("measure", [mean_svd, mean_cca, linear_cka])
def test_two_inputs_are_enough_for_a_single_measure(measure: Callable[..., float]) -> None:
    assert measure([[0.0], [1.0]], [[3.0], [-2.0]]) == pytest.approx(1)


def test_single_measures_are_those_of_the_comparison() -> None:
    p, q = (represent(random_model(seed, 40, 6, 2)) for seed in (1, 2))
    c = compare(p, q)
    assert kl_divergence(p, q) == pytest.approx(c.kl, rel=1e-12)
    assert kl_divergence(q, p) == pytest.approx(c.kl_reverse, rel=1e-12)
    assert llv_distance(p, q) == pytest.approx(c.llv, rel=1e-12)
    fixed = llv_distance(p, q, pivot_label=c.pivot_label, left_out_label=c.left_out_label, input_set=c.input_set)
    assert fixed == pytest.approx(c.llv, rel=1e-12)
    assert mean_cca(p.embeddings, q.embeddings) == pytest.approx(c.mean_cca_embeddings, rel=1e-12)
    assert linear_cka(p.embeddings, q.embeddings) == pytest.approx(c.cka_embeddings, rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight": 10.0},
        {"reduction": "mean"},
        {"combine": "sum", "weight": 1.0},
        {"num_samples": 3},
        {"seed": 7},
        {"subset_size": 1},
        {"pivots": [4, 2, 4]},
        {"input_set": [5, 3, 1, 8]},
    ],
)
def test_d_llv_alone_has_the_options_of_the_comparison(options: dict[str, Any]) -> None:
    first, second = random_model(1, 40, 6, 2), random_model(2, 40, 6, 3)
    near = Model(second.f, np.vstack([second.g[:5], second.g[5:] + 1]), second.b)
    for p, q in ((first, second), (second, first), (second, near)):
        c = compare(represent(p), represent(q), **options)
        assert llv_distance(represent(p), represent(q), **options) == pytest.approx(c.llv, rel=1e-12)


def test_a_comparison_says_how_it_was_made() -> None:
    p, q = (represent(random_model(seed, 40, 6, 2)) for seed in (1, 2))
    c = compare(p, q, weight=0.5, reduction="mean", combine="sum", num_samples=7, seed=3, pivots=[1, 4])
    assert (c.weight, c.reduction, c.combine, c.num_samples, c.seed, c.num_pivots) == (0.5, "mean", "sum", 7, 3, 2)
    assert (c.num_inputs, c.num_labels, c.subset_size) == (40, 6, 2)
    given = compare(p, q, input_set=[3, 1, 2])
    assert (given.num_samples, given.input_set, given.num_pivots) == (None, (3, 1, 2), 6)


def test_d_llv_alone_has_the_defaults_of_the_comparison() -> None:
    of_comparison = inspect.signature(compare).parameters
    for name, parameter in inspect.signature(llv_distance).parameters.items():
        if name not in ("pivot_label", "left_out_label"):
            other = of_comparison[name]
            assert (parameter.kind, parameter.default) == (other.kind, other.default)
    together = inspect.signature(compare_all).parameters
    of_a_pair_alone = {"p", "q", "input_search", "permutations"}
    assert set(of_comparison) - set(together) == of_a_pair_alone
    assert all(together[name] == parameter for name, parameter in of_comparison.items() if name not in of_a_pair_alone)
