"""Choices among many: ties, tiles, chosen pivots, constant labels, sampled subsets, the search for inputs."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import Comparison, InputError, Representations, compare, compare_all, llv_distance, mean_svd
from closedist.comparison import as_dict, pair_table
from closedist.measures import svd
from closedist.measures.input_sets import draw_input_sets
from closedist.measures.label_table import ConstantOddsError, LabelTable, label_table, pivot_scores
from closedist.measures.moments import moments
from closedist.measures.pruning import promising_pivots
from closedist.measures.stack import stacked
from closedist.measures.terms import axis_of
from tests.random_models import linear_map, mapped, models, noisy, random_model, represent
from tests.slow_reference import Model, choose, input_terms, label_tables, log_likelihoods, search, t1_of, t2_of


def scores(p: Representations, q: Representations, reduction: str, pivots: list[int] | None = None) -> list[float]:
    members, pair = stacked([p, q]), torch.tensor([[0, 1]])
    axis = axis_of(moments(members, pair).over_inputs, members.labels, pair)
    found = pivot_scores(label_table(axis), reduction, torch.tensor(pivots or range(p.num_labels)), "ignore")[0]
    return (found.sqrt() if reduction == "max" else found).tolist()


@given(pair=models(2, max_labels=12), reduction=st.sampled_from(["max", "mean"]))
@settings(max_examples=40, deadline=None)
def test_every_pivots_score_is_its_smallest_t1(pair: list[Model], reduction: str) -> None:
    table = label_tables(*map(log_likelihoods, pair))
    labels = list(range(pair[0].g.shape[0]))
    expected = [min(t1_of(table, labels, k, left, reduction) for left in labels if left != k) for k in labels]
    assert scores(*map(represent, pair), reduction) == pytest.approx(expected, rel=1e-8)


@given(pair=models(2, max_labels=3))
@settings(max_examples=40, deadline=None)
def test_with_three_labels_two_pivots_tie_and_the_smaller_is_taken(pair: list[Model]) -> None:
    for reduction in ("max", "mean"):
        found = scores(*map(represent, pair), reduction)
        assert found.count(min(found)) == 2
        c = compare(*map(represent, pair), reduction=reduction, num_samples=5)
        assert c.pivot_label == found.index(min(found))
        assert (c.pivot_label, c.left_out_label) == choose(label_tables(*map(log_likelihoods, pair)), 3, reduction)


@pytest.mark.parametrize("reduction", ["max", "mean"])
@pytest.mark.parametrize("tile", [1, 2, 5, 8, 19])
def test_tiles_of_any_size_make_the_same_table(reduction: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = (represent(random_model(seed, 60, 20, 3)) for seed in (1, 2))
    whole = compare(p, q, reduction=reduction, num_subsets=5)
    expected = scores(p, q, reduction)
    monkeypatch.setattr("closedist.measures.label_table.TILE", tile)
    monkeypatch.setattr("closedist.measures.label_table.UNTILED", 1)
    monkeypatch.setattr("closedist.measures.terms.BLOCK_ELEMENTS", 20)
    assert scores(p, q, reduction) == pytest.approx(expected, rel=1e-12)
    tiled = compare(p, q, reduction=reduction, num_subsets=5)
    assert (tiled.pivot_label, tiled.left_out_label) == (whole.pivot_label, whole.left_out_label)
    assert tiled.label_term == pytest.approx(whole.label_term, rel=1e-12)
    assert tiled.certificate == pytest.approx(whole.certificate, rel=1e-12)


@pytest.mark.parametrize("reduction", ["max", "mean"])
@pytest.mark.parametrize("tile", [2, 100])
def test_chosen_pivots_are_scored_as_among_all(reduction: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closedist.measures.label_table.TILE", tile)
    monkeypatch.setattr("closedist.measures.label_table.UNTILED", 1)
    p, q = (represent(random_model(seed, 60, 15, 3)) for seed in (1, 2))
    everything = scores(p, q, reduction)
    pivots = [1, 4, 5, 6, 14]
    assert scores(p, q, reduction, pivots) == pytest.approx([everything[k] for k in pivots], rel=1e-12)
    c = compare(p, q, pivots=[14, 5, 1, 6, 4, 4], reduction=reduction, num_subsets=5)
    assert c.pivot_label == min(pivots, key=lambda k: everything[k])
    assert c.num_pivots == 5
    assert "of 5 pivots tried" in pair_table(c, details=True)


@pytest.fixture
def pruned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pivots are ruled out by bounds among few labels too; how many were left, call by call."""
    left: list[int] = []

    def spy(table: LabelTable, pivots: torch.Tensor, constant_labels: str) -> torch.Tensor:
        found = promising_pivots(table, pivots, constant_labels)  # type: ignore[arg-type]
        left.append(len(found))
        return found

    monkeypatch.setattr("closedist.measures.labels.promising_pivots", spy)
    monkeypatch.setattr("closedist.measures.labels.PRUNED", 1)
    for module in ("pruning", "label_table"):
        monkeypatch.setattr(f"closedist.measures.{module}.TILE", 8)
    return left


@pytest.mark.parametrize("noise", [None, 1e-1, 1e-3, 1e-8])
@pytest.mark.parametrize("spread", [0.0, 1.5])  # of the sizes of unembeddings
def test_no_pivot_that_could_be_chosen_is_ruled_out(noise: float | None, spread: float, pruned: list[int]) -> None:
    for seed in range(5):
        p = random_model(seed, 100, 150, 4)
        p.g[:] *= np.exp(spread * np.random.default_rng(seed).normal(size=(150, 1)))
        q = random_model(seed + 9, 100, 150, 4) if noise is None else noisy(p, noise, 3)
        every = scores(represent(p), represent(q), "max")
        some = list(range(3, 150, 2))
        c = compare(represent(p), represent(q), num_subsets=3, num_samples=5)
        of_some = compare(represent(p), represent(q), num_subsets=3, num_samples=5, pivots=some)
        assert c.pivot_label == int(np.argmin(every))
        assert of_some.pivot_label == min(some, key=lambda k: every[k])
        assert c.label_term == pytest.approx(min(every), rel=1e-9)
    assert len(pruned) == 10
    assert min(pruned) < 20


@given(pair=models(2, max_labels=12))
@settings(max_examples=40, deadline=None)
def test_where_pivots_tie_the_smallest_is_taken_of_those_that_bounds_leave(pair: list[Model]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("closedist.measures.labels.PRUNED", 1)
        for module in ("pruning", "label_table"):
            patch.setattr(f"closedist.measures.{module}.TILE", 2)
        c = compare(*map(represent, pair), num_samples=5, num_subsets=3)
    num_labels = pair[0].g.shape[0]
    assert (c.pivot_label, c.left_out_label) == choose(label_tables(*map(log_likelihoods, pair)), num_labels, "max")


def test_constant_labels_are_seen_where_pivots_are_ruled_out_by_bounds(pruned: list[int]) -> None:
    p, q = random_model(1, 100, 60, 3), random_model(2, 100, 60, 3)
    for model in (p, q):
        model.g[40] = model.g[3] + 1e-9
    assert compare(represent(p), represent(q), num_subsets=3).ignored_labels == 0
    q.g[40] = q.g[3]
    with pytest.raises(InputError, match="labels 3 and 40 of model q"):
        compare(represent(p), represent(q), num_subsets=3)
    with pytest.raises(InputError, match="labels 3 and 40 of model q"):
        compare(represent(p), represent(q), num_subsets=3, pivots=[3, 20])
    assert compare(represent(p), represent(q), num_subsets=3, pivots=[4, 20]).llv < math.inf
    options = {"num_subsets": 3, "constant_labels": "ignore"}
    some = [3, 40, 41]  # the first two are infinitely far from each other
    best = some[int(np.argmin(scores(represent(p), represent(q), "max", some)))]
    assert compare(represent(p), represent(q), pivots=some, **options).pivot_label == best
    p.g[40] = p.g[3]
    p.g[50:], q.g[50:] = p.g[3], q.g[3]
    p.b[50:] = q.b[50:] = 0.0
    for shift in (0.0, 1e-9):  # many equal ones, and others that are near to them
        p.g[55:] += shift
        with pytest.raises(InputError, match=r"labels \d+ and \d+ of model p"):
            compare(represent(p), represent(q), num_subsets=3)
        ignoring = compare(represent(p), represent(q), **options)
        assert ignoring.pivot_label == int(np.argmin(scores(represent(p), represent(q), "max")))


def test_equal_labels_are_seen_in_any_coordinates_and_among_near_ones(pruned: list[int]) -> None:
    for first, second in [(2, 25), (7, 31), (0, 39), (11, 12)]:
        p, q = random_model(1, 60, 40, 2), random_model(6, 60, 40, 3)
        q.f[:, 2] = 1.0
        q.g[second, :2] = q.g[first, :2]  # they differ where no embedding looks
        q = mapped(q, linear_map(1, 3, 2.0), np.ones(3))
        with pytest.raises(InputError, match=f"labels {first} and {second} of model q"):
            compare(represent(p), represent(q), num_subsets=3)
    direction = torch.randn(2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    across = torch.tensor([-direction[1], direction[0]]) / direction.norm()
    points = (
        torch.ones(42, 2, dtype=torch.float64) + torch.linspace(-1e-6, 1e-6, 42, dtype=torch.float64)[:, None] * across
    )
    points[41] = points[0]  # between them are forty others on the line that is looked at
    table = LabelTable(None, points[None], points.square().sum(-1)[None], None, torch.arange(42))  # type: ignore[arg-type]
    with pytest.raises(ConstantOddsError, match="labels 0 and 41"):
        promising_pivots(table, torch.arange(42), "error")


def test_near_labels_are_told_from_equal_ones_in_a_tile_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closedist.measures.label_table.TILE", 4)
    monkeypatch.setattr("closedist.measures.label_table.UNTILED", 1)
    p, q = random_model(1, 100, 60, 3), random_model(2, 100, 60, 3)
    for model in (p, q):
        model.g[7] = model.g[3] + 1e-9
    near = compare(represent(p), represent(q), num_subsets=3)
    assert near.ignored_labels == 0
    for model in (p, q):
        model.g[7] = model.g[3]
    with pytest.raises(InputError, match="labels 3 and 7"):
        compare(represent(p), represent(q), num_subsets=3)
    assert compare(represent(p), represent(q), num_subsets=3, constant_labels="ignore").llv < math.inf


def with_unused_labels(model: Model, unused: list[int]) -> Model:
    g, b = model.g.copy(), model.b.copy()
    g[unused], b[unused] = g[unused[0]], 0.0
    return Model(model.f, g, b)


def test_where_nothing_is_left_to_compare_the_error_names_the_option_that_left_nothing() -> None:
    models = [with_unused_labels(random_model(seed, 50, 3, 1), [0, 1]) for seed in (1, 2)]
    p, q = map(represent, models)
    with pytest.raises(InputError, match=r"pivot label 0.*give another pivot_label or left_out_label"):
        llv_distance(p, q, constant_labels="ignore", pivot_label=0, left_out_label=2)
    with pytest.raises(InputError, match="give other pivots"):
        llv_distance(p, q, constant_labels="ignore", pivots=[0])


@pytest.mark.parametrize("unused", [[2, 5, 9], [0, 1, 6, 7]])
@pytest.mark.parametrize("tile", [3, 100])
@pytest.mark.parametrize("reduction", ["max", "mean"])
def test_labels_that_share_a_row_in_both_models_are_ignored_on_request(
    unused: list[int], tile: int, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("closedist.measures.label_table.TILE", tile)
    monkeypatch.setattr("closedist.measures.label_table.UNTILED", 1)
    p, q = (with_unused_labels(random_model(seed, 60, 10, 2), unused) for seed in (1, 2))
    with pytest.raises(InputError, match=rf"labels {unused[0]} and {unused[1]} of model p.*ignore"):
        compare(represent(p), represent(q))
    c = compare(represent(p), represent(q), constant_labels="ignore", reduction=reduction)
    assert math.isfinite(c.llv)
    assert c.ignored_labels == (len(unused) - 1 if c.pivot_label in unused else 0)
    table = {}
    for k, j in combinations(range(10), 2):
        if not {j, k} <= set(unused):
            pair = label_tables(*(log_likelihoods(m)[:, [k, j]] for m in (p, q)))
            table[j, k], table[k, j] = pair[1, 0], pair[0, 1]
    expected = {}
    for k in range(10):
        labels = [j for j in range(10) if j == k or (j, k) in table]
        expected[k] = min(t1_of(table, labels, k, left, reduction) for left in labels if left != k)
    assert c.label_term == pytest.approx(min(expected.values()), rel=1e-9)
    assert c.pivot_label == min(expected, key=lambda k: expected[k])
    assert scores(represent(p), represent(q), reduction) == pytest.approx([expected[k] for k in range(10)], rel=1e-9)
    assert c.dissimilarity <= c.certificate


@pytest.mark.parametrize("seed", [1, 5, 8])
def test_pairs_that_ignore_different_numbers_of_labels_are_measured_as_each_alone(seed: int) -> None:
    models = [represent(with_unused_labels(random_model(10 * seed + i, 60, 10, 2), [2, 5, 9])) for i in range(4)]
    together = compare_all(models, constant_labels="ignore", num_samples=3)
    assert {c.ignored_labels for c in together} == {0, 2}
    for (i, j), c in zip(combinations(range(4), 2), together, strict=True):
        alone = compare(models[i], models[j], constant_labels="ignore", num_samples=3)
        assert (c.ignored_labels, c.num_label_subsets) == (alone.ignored_labels, alone.num_label_subsets)
        assert c.m_svd_embeddings == pytest.approx(alone.m_svd_embeddings, rel=1e-9)
        assert c.dissimilarity == pytest.approx(alone.dissimilarity, rel=1e-9)


@pytest.mark.parametrize("reduction", ["max", "mean"])
def test_near_labels_are_told_apart_from_chosen_pivots_too(reduction: str) -> None:
    p, q = random_model(1, 60, 12, 3), random_model(2, 60, 12, 3)
    for model, step in ((p, 1e-5), (q, 3e-5)):
        model.g[7] = model.g[3] + step
    everything = scores(represent(p), represent(q), reduction)
    expected = label_tables(log_likelihoods(p, np.longdouble), log_likelihoods(q, np.longdouble))
    for k, score in enumerate(everything):
        exact = min(t1_of(expected, list(range(12)), k, left, reduction) for left in range(12) if left != k)
        assert score == pytest.approx(float(exact), rel=1e-6)
    for pivots in ([3, 7, 9], [0, 7, 11], [5]):
        some = scores(represent(p), represent(q), reduction, pivots)
        assert some == pytest.approx([everything[k] for k in pivots], rel=1e-9)


@pytest.mark.parametrize("reduction", ["max", "mean"])
def test_a_pivot_against_which_only_one_label_varies_has_nothing_to_compare(reduction: str) -> None:
    p, q = (with_unused_labels(random_model(seed, 60, 4, 2), [0, 1, 2]) for seed in (1, 2))
    c = compare(represent(p), represent(q), constant_labels="ignore", reduction=reduction, subset_size=1)
    assert (c.pivot_label, c.ignored_labels) == (3, 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("pivots", [[5], None])
def test_labels_that_differ_only_where_no_embedding_looks_are_equal_and_near_ones_are_not(
    seed: int, pivots: list[int] | None, scale: float
) -> None:
    p, q = random_model(seed, 60, 10, 2), random_model(seed + 5, 60, 10, 3)
    q.f[:] *= scale
    q.f[:, 2] = scale
    p.g[5], q.g[5, :2] = p.g[2], q.g[2, :2]
    q.g[0] = q.g[1:].mean(0)  # one label in the middle of all
    q = mapped(q, linear_map(seed, 3, 2.0), np.ones(3))  # in other coordinates, rounding shows
    options = {"pivots": pivots, "num_samples": 5, "subset_size": 2}
    with pytest.raises(InputError, match="labels 2 and 5 of model p"):
        compare(represent(p), represent(q), **options)
    with pytest.raises(InputError, match="labels 2 and 5 of model p"):
        compare(represent(q), represent(p), **options)
    c = compare(represent(p), represent(q), constant_labels="ignore", **options)
    assert c.ignored_labels == (1 if c.pivot_label in (2, 5) else 0)
    assert c.llv < math.inf
    other = random_model(seed + 10, 60, 10, 2)
    with pytest.raises(InputError, match="labels 2 and 5 of model q"):
        compare(represent(other), represent(q), **options)
    for model in (p, q):
        model.g[5, 0] += 1e-8
    assert compare(represent(p), represent(q), **options).llv < math.inf


def test_an_unused_pivot_leaves_out_its_likes_and_says_so() -> None:
    unused = [2, 5, 9]
    p, q = (represent(with_unused_labels(random_model(seed, 60, 10, 2), unused)) for seed in (1, 2))
    c = compare(p, q, constant_labels="ignore", pivots=[5])
    assert (c.pivot_label, c.ignored_labels) == (5, 2)
    assert c.num_label_subsets == math.comb(10 - 1 - 2 - 1, 2)
    assert "2 constant labels ignored" in str(c)
    with pytest.raises(InputError, match="subset_size: 8, but only 6 labels vary against pivot label 5"):
        compare(p, q, constant_labels="ignore", pivots=[5], subset_size=8)


def test_labels_that_share_a_row_in_one_model_only_make_the_distance_infinite() -> None:
    p, q = random_model(1, 60, 6, 2), random_model(2, 60, 6, 2)
    for first, second in ((p, with_unused_labels(q, [1, 2, 3])), (with_unused_labels(p, [1, 2, 3]), q)):
        c = compare(represent(first), represent(second), constant_labels="ignore", pivots=[1, 2, 3])
        infinite = [math.isinf(score) for score in scores(represent(first), represent(second), "max")]
        assert infinite == [False, True, True, True, False, False]
        assert c.llv == c.label_term == c.bound == c.quadratic_bound == math.inf
        assert not c.bound_informative
        assert 0 <= c.dissimilarity <= c.certificate < math.inf
        assert "vary in one model only" in str(c)
        as_json = as_dict(c)
        assert (as_json["infinite"], as_json["llv"], as_json["bound_informative"]) == (True, None, False)
        table = label_tables(log_likelihoods(p), log_likelihoods(q))  # of which only the other labels are used
        decorrelations = [1.0 if j in (1, 2, 3) else table[j, c.pivot_label][3] for j in range(6)]
        used = [d for j, d in enumerate(decorrelations) if j not in (c.pivot_label, c.left_out_label)]
        of_labels = sum(sorted(used)[-2:]) / 2
        of_inputs = sum(term[3] for term in input_terms(*map(log_likelihoods, (first, second)), list(c.input_set))) / 2
        assert c.certificate == pytest.approx(max(of_labels, of_inputs), rel=1e-9)
    # one such label is left out, where that is allowed to help
    one = with_unused_labels(p, [1, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        table = label_tables(log_likelihoods(one), log_likelihoods(q))
    table[1, 2] = table[2, 1] = (math.inf,) * 4
    for reduction in ("max", "mean"):
        expected = [min(t1_of(table, list(range(6)), k, j, reduction) for j in range(6) if j != k) for k in range(6)]
        assert scores(represent(one), represent(q), reduction) == pytest.approx(expected, rel=1e-9)
    alone = compare(represent(with_unused_labels(p, [1, 2])), represent(q), constant_labels="ignore", pivots=[1])
    assert (alone.left_out_label, math.isfinite(alone.llv)) == (2, True)


@pytest.mark.parametrize("reduction", ["max", "mean"])
@pytest.mark.parametrize("seed", range(4))
def test_log_likelihoods_that_are_equal_in_both_models_do_not_disturb_the_choice(seed: int, reduction: str) -> None:
    p = random_model(seed, 60, 7, 2)
    q = Model(p.f, p.g[[0, 1, 2, 3, 5, 6, 4]], p.b[[0, 1, 2, 3, 5, 6, 4]])  # three labels moved, four as they were
    q = mapped(q, linear_map(seed, 2, 3.0), np.ones(2))
    c = compare(represent(p), represent(q), reduction=reduction)
    table = label_tables(log_likelihoods(p), log_likelihoods(q))
    smallest = min(t1_of(table, list(range(7)), k, j, reduction) for k in range(7) for j in range(7) if j != k)
    assert c.label_term == pytest.approx(smallest, rel=1e-9)


@pytest.mark.parametrize("pivot", [0, 2])
def test_where_the_largest_term_occurs_twice_the_smallest_label_is_left_out(pivot: int) -> None:
    p, q = random_model(8, 60, 7, 2), random_model(58, 60, 7, 2)
    for model in (p, q):
        model.g[5:], model.b[5:] = model.g[4], model.b[4]
    q.g[4:] *= -3
    options = {"pivots": [pivot], "constant_labels": "ignore"}
    largest = compare(represent(p), represent(q), **options)
    assert largest.left_out_label == (1 if pivot == 0 else 0)
    averaged = compare(represent(p), represent(q), reduction="mean", **options)
    assert averaged.left_out_label == 4


@pytest.mark.parametrize("seed", range(3))
def test_sampled_subsets_bracket_the_dissimilarity_with_the_certificate(seed: int) -> None:
    p, q = random_model(seed, 100, 12, 3), random_model(seed + 10, 100, 12, 3)
    for other in (q, noisy(p, 0.1, seed)):
        whole = compare(represent(p), represent(other))
        sampled = compare(represent(p), represent(other), num_subsets=7)
        assert (whole.dissimilarity_exact, sampled.dissimilarity_exact) == (True, False)
        assert len(whole.m_svd_embeddings) == math.comb(10, 3) == sampled.num_label_subsets
        assert len(sampled.m_svd_embeddings) == 7
        assert set(np.round(sampled.m_svd_embeddings, 12)) <= set(np.round(whole.m_svd_embeddings, 12))
        assert max(1 - m for m in sampled.m_svd_embeddings) <= sampled.dissimilarity_embeddings + 1e-12
        assert sampled.dissimilarity <= whole.dissimilarity + 1e-12 <= whole.certificate + 1e-12
        assert "d_f,g, at least" in str(sampled)


@pytest.mark.parametrize("count", [1, 7, 50, 248, 494, 495])
def test_sampled_subsets_are_different_subsets_in_lexicographic_order(count: int) -> None:
    rows = svd.label_subsets(12, 4, count, seed=3).tolist()
    assert len(rows) == count
    assert rows == sorted(rows)
    assert len({tuple(row) for row in rows}) == count
    assert all(0 <= row[0] < row[1] < row[2] < row[3] < 12 for row in rows)
    assert svd.label_subsets(12, 4, count, seed=3).tolist() == rows
    assert count == 495 or svd.label_subsets(12, 4, count, seed=4).tolist() != rows


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_is_joined_by_the_subset_of_the_least_correlated_labels(seed: int) -> None:
    p, q = random_model(seed, 100, 12, 3), random_model(seed + 10, 100, 12, 3)
    c = compare(represent(p), represent(q), num_subsets=1)
    table = label_tables(log_likelihoods(p), log_likelihoods(q))
    rest = [j for j in range(12) if j not in (c.pivot_label, c.left_out_label)]
    worst = sorted(rest, key=lambda j: -table[j, c.pivot_label][3])[:3]
    its = mean_svd(*(m.f @ (m.g[worst] - m.g[c.pivot_label]).T for m in (p, q)))
    assert c.dissimilarity_embeddings == pytest.approx(1 - min(its, *c.m_svd_embeddings), rel=1e-9)


def test_a_sample_larger_than_there_are_subsets_is_all_of_them() -> None:
    p, q = (represent(random_model(seed, 50, 7, 2)) for seed in (1, 2))
    assert compare(p, q, num_subsets=1000).m_svd_embeddings == compare(p, q).m_svd_embeddings


def subset_values(c: Comparison, p: Model, q: Model) -> list[float]:
    rest = [j for j in range(p.g.shape[0]) if j not in (c.pivot_label, c.left_out_label)]
    return [
        mean_svd(*(m.f @ (m.g[list(subset)] - m.g[c.pivot_label]).T for m in (p, q)))
        for subset in combinations(rest, c.subset_size)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("scales", [(1.0, 1.0), (1e-3, 1e3)])
def test_label_subsets_come_in_lexicographic_order(size: int, scales: tuple[float, float]) -> None:
    p, q = random_model(1, 60, 7, 2), random_model(2, 60, 7, 2)
    p, q = (Model(scale * m.f, m.g, m.b) for m, scale in zip((p, q), scales, strict=True))
    p, q = (p, q) if size % 2 else (q, p)
    c = compare(represent(p), represent(q), subset_size=size)
    assert c.m_svd_embeddings == pytest.approx(subset_values(c, p, q), abs=1e-10)


@pytest.mark.parametrize(("dimension", "num_labels", "count"), [(8, 12, 45), (16, 20, 153)])
def test_the_subsets_of_a_usual_classifier_are_gone_through(dimension: int, num_labels: int, count: int) -> None:
    p, q = (random_model(seed, 100, num_labels, dimension) for seed in (1, 2))
    c = compare(represent(p), represent(q))
    rest = [j for j in range(num_labels) if j not in (c.pivot_label, c.left_out_label)]
    expected = []
    for subset in combinations(rest, dimension):
        z, w = (m.f @ (m.g[list(subset)] - m.g[c.pivot_label]).T for m in (p, q))
        z, w = ((view - view.mean(0)) / view.std(0, ddof=1) for view in (z, w))
        expected.append(np.linalg.svd(z.T @ w / 99, compute_uv=False).mean())
    assert len(expected) == count
    assert c.m_svd_embeddings == pytest.approx(expected, rel=1e-12)
    assert c.dissimilarity_embeddings == pytest.approx(1 - min(expected), rel=1e-12)
    sampled = compare(represent(p), represent(q), num_subsets=count - 1).m_svd_embeddings
    assert (len(sampled), set(sampled) <= set(c.m_svd_embeddings)) == (count - 1, True)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_subsets_of_many_labels_need_no_table_of_all_correlations(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = random_model(1, 60, 7, 2), random_model(2, 60, 7, 2)
    for other in (q, noisy(p, 1e-4, 3)):
        tabled = compare(represent(p), represent(other), subset_size=size)
        with monkeypatch.context() as patch:
            patch.setattr(svd, "TABLED", 1)
            direct = compare(represent(p), represent(other), subset_size=size)
        assert direct.m_svd_embeddings == pytest.approx(tabled.m_svd_embeddings, rel=1e-12)
        assert direct.dissimilarity == pytest.approx(tabled.dissimilarity, rel=1e-9)


@pytest.mark.parametrize("noise", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_small_dissimilarity_goes_on_where_one_minus_m_svd_ends(noise: float, size: int) -> None:
    p = random_model(1, 60, 6, 3)
    near, nearer = (represent(noisy(p, noise * factor, 5)) for factor in (1, 0.1))
    values = [
        compare(represent(p), q, subset_size=size, input_set=range(size + 1)).dissimilarity for q in (near, nearer)
    ]
    assert values[0] == pytest.approx(100 * values[1], rel=0.3)  # quadratic in the noise


def test_input_sets_are_disjoint_where_inputs_suffice_and_drawn_by_themselves_where_not() -> None:
    sets = draw_input_sets(600, 3, 200, seed=1)
    assert sorted(sets.flatten().tolist()) == list(range(600))
    few = draw_input_sets(10, 3, 200, seed=1)
    assert few.shape == (200, 3)
    assert all(len(set(row)) == 3 for row in few.tolist())
    assert torch.equal(sets, draw_input_sets(600, 3, 200, seed=1))
    assert not torch.equal(sets, draw_input_sets(600, 3, 200, seed=2))


def test_the_search_takes_the_smallest_t2_or_the_first_set_where_none_is_below_one() -> None:
    p, q = random_model(1, 80, 6, 2), random_model(2, 80, 6, 2)
    sets = draw_input_sets(80, 3, 20, seed=0).tolist()
    near = noisy(p, 0.1, 1)
    for other in (q, near):
        c = compare(represent(p), represent(other), num_samples=20)
        assert list(c.input_set) == search(log_likelihoods(p), log_likelihoods(other), sets)
    far = Model(p.f, -p.g, p.b)
    c = compare(represent(p), represent(far), num_samples=20)
    assert c.input_term >= 1
    assert list(c.input_set) == sets[0]
    p, q = random_model(10, 80, 8, 4), random_model(110, 80, 8, 4)
    sets = draw_input_sets(80, 5, 6, seed=0).tolist()
    values = [t2_of(log_likelihoods(p), log_likelihoods(q), one) for one in sets]
    assert 1 < min(values) < min(values[0], 2**0.5)  # near one, but above
    assert list(compare(represent(p), represent(q), num_samples=6).input_set) == sets[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_term_of_a_set_decides(seed: int) -> None:
    p = random_model(seed, 200, 8, 4)
    sets = draw_input_sets(200, 5, 40, seed=0).tolist()
    for q in (random_model(seed + 100, 200, 8, 4), noisy(p, 0.5, seed)):
        c = compare(represent(p), represent(q), num_samples=40)
        assert list(c.input_set) == search(log_likelihoods(p), log_likelihoods(q), sets)


@pytest.mark.parametrize("block", [1, 50, 200])
@pytest.mark.parametrize("num_inputs", [30, 200])  # the sets share inputs, or do not
def test_sets_and_subsets_are_gone_through_in_blocks_of_any_size(
    block: int, num_inputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [represent(random_model(seed, num_inputs, 7, 2)) for seed in range(3)]
    models.append(represent(noisy(random_model(0, num_inputs, 7, 2), 1e-3, 5)))
    whole = compare_all(models, num_samples=40)
    assert len({c.input_set for c in whole}) > 2
    monkeypatch.setattr("closedist.measures.input_sets.BLOCK_ELEMENTS", block)
    monkeypatch.setattr("closedist.measures.terms.BLOCK_ELEMENTS", block)
    monkeypatch.setattr(svd, "BLOCK_ELEMENTS", block)
    for c, expected in zip(compare_all(models, num_samples=40), whole, strict=True):
        assert c.input_set == expected.input_set
        assert c.input_term == pytest.approx(expected.input_term, rel=1e-12)
        assert c.m_svd_embeddings == pytest.approx(expected.m_svd_embeddings, rel=1e-12)
        assert c.dissimilarity_embeddings == pytest.approx(expected.dissimilarity_embeddings, rel=1e-9)


def test_an_input_set_may_hold_all_inputs() -> None:
    p, q = (represent(random_model(seed, 3, 6, 2)) for seed in (1, 2))
    assert sorted(compare(p, q).input_set) == [0, 1, 2]


def test_a_set_with_equal_inputs_is_passed_over() -> None:
    p, q = random_model(1, 60, 6, 2), random_model(2, 60, 6, 2)
    sets = draw_input_sets(60, 3, 20, seed=0).tolist()
    best = compare(represent(p), represent(q), num_samples=20).input_set
    q.f[best[1]] = q.f[best[0]]
    c = compare(represent(p), represent(q), num_samples=20)
    assert c.input_set != best
    others = [one for one in sets if tuple(one) != best]
    assert list(c.input_set) == search(log_likelihoods(p), log_likelihoods(q), others)
    far = Model(p.f, -p.g, p.b)
    p.f[sets[0][1]] = p.f[sets[0][0]]
    assert list(compare(represent(p), represent(far), num_samples=20).input_set) == sets[1]


@pytest.mark.parametrize("seed", range(3))
def test_inputs_that_differ_only_where_no_unembedding_looks_are_equal_and_near_ones_are_not(seed: int) -> None:
    p, q = random_model(seed, 60, 6, 2), random_model(seed + 5, 60, 6, 3)
    q.g[:, 2] = 0.0
    sets = draw_input_sets(60, 4, 15, seed=0).tolist()
    for one in sets[:7] + sets[8:]:
        q.f[one[2], :2] = q.f[one[0], :2]
    # in other coordinates, rounding shows
    hidden = represent(mapped(q, linear_map(seed, 3, 2.0), np.zeros(3)))
    assert list(compare(represent(p), hidden, num_samples=15, subset_size=3).input_set) == sets[7]
    with pytest.raises(InputError, match="input_set: in every set"):
        compare(represent(p), hidden, input_set=sets[0])
    with pytest.raises(InputError, match="input_set: in every set"):
        compare_all([represent(p), represent(noisy(p, 0.1, 1)), hidden], input_set=sets[0], subset_size=3)
    q.f[sets[0][2], 0] += 1e-9
    assert math.isfinite(compare(represent(p), represent(q), input_set=sets[0]).input_term)


def test_a_fixed_choice_is_measured_as_it_is() -> None:
    p, q = random_model(1, 60, 6, 2), random_model(2, 60, 6, 2)
    table = label_tables(log_likelihoods(p), log_likelihoods(q))
    for pivot, left_out in ((0, 5), (3, 1)):
        llv = llv_distance(
            represent(p), represent(q), pivot_label=pivot, left_out_label=left_out, weight=0, input_set=[0, 1, 2]
        )
        t1 = t1_of(table, list(range(6)), pivot, left_out, "max")
        assert llv == pytest.approx(
            max(t1, compare(represent(p), represent(q), input_set=[0, 1, 2]).input_term), rel=1e-9
        )
