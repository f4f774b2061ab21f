"""What the table of measures says of each, as properties: what it does not see, its range, symmetry, triangles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import closedist
from closedist.measures.catalogue import CHANGES, MEASURES
from tests.measures.test_views_written_out import SAME_COLUMNS

SEEDS = st.integers(0, 10_000)
EXACT = settings(max_examples=4, deadline=None)
FEW_NEIGHBOURS = {"mutual_knn": 4, "jaccard": 4, "rank_similarity": 4, "second_order_cosine": 4, "cknna": 4}


def measured(measure, x, y):
    options = {"k": FEW_NEIGHBOURS[measure.name]} if measure.name in FEW_NEIGHBOURS else {}
    return getattr(closedist, measure.name)(x, y, **options)


def pair_of(measure, random, count=40):
    x = random.normal(size=(count, 4)) @ np.diag([2.0, 1.0, 1.0, 0.5]) @ random.normal(size=(4, 4))
    y = np.tanh(x @ random.normal(size=(4, 5))) + 0.4 * random.normal(size=(count, 5))
    return x, y[:, :4] if measure.name in SAME_COLUMNS else y


def changed(view, change, random):
    width = view.shape[1]
    match change:
        case "shift":
            return view + 5 * random.normal(size=width)
        case "scale":
            return view * 37.0
        case "reordered":
            return view[:, np.roll(np.arange(width), 1)]
        case "rescaled":
            return view * np.exp(random.normal(size=width))
        case "rotated":
            return view @ np.linalg.qr(random.normal(size=(width, width)))[0]
    left, right = (np.linalg.qr(random.normal(size=(width, width)))[0] for _ in range(2))
    return view @ left @ np.diag(np.exp(random.uniform(-1.5, 1.5, width))) @ right


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
@EXACT
@given(seed=SEEDS)
def test_a_measure_does_not_see_what_its_row_says(measure, change, seed):
    random = np.random.default_rng(seed)
    x, y = pair_of(measure, random)
    both = [measured(measure, changed(x, change, random), y), measured(measure, x, changed(y, change, random))]
    if change in measure.invariances:
        assert_allclose(both, measured(measure, x, y), atol=1e-8)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
def test_and_sees_what_its_row_does_not_name(measure):
    random = np.random.default_rng(0)
    for change in [one for one in CHANGES if one not in measure.invariances]:
        seen = 0.0
        for _ in range(10):
            x, y = pair_of(measure, random)
            plain = measured(measure, x, y)
            seen = max(seen, abs(measured(measure, changed(x, change, random), y) - plain))
            seen = max(seen, abs(measured(measure, x, changed(y, change, random)) - plain))
        assert seen > 1e-3, f"{measure.name} does not see {CHANGES[change]}; its row should say so"


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.metric], ids=lambda one: one.name)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, spread=st.floats(0.01, 3))
def test_what_is_called_a_metric_obeys_the_triangle_inequality(measure, seed, spread):
    random = np.random.default_rng(seed)
    x, y = pair_of(measure, random)
    way = random.uniform()
    between = way * x + (1 - way) * y[:, :4] + spread * random.normal(size=x.shape)
    assert measured(measure, x, y) <= measured(measure, x, between) + measured(measure, between, y) + 1e-9


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
@EXACT
@given(seed=SEEDS)
def test_it_stays_in_its_range_and_is_symmetric_where_it_says_so(measure, seed):
    random = np.random.default_rng(seed)
    x, y = pair_of(measure, random)
    value, reverse = measured(measure, x, y), measured(measure, y, x)
    assert measure.low <= value <= measure.high
    if measure.symmetric:
        assert_allclose(value, reverse, atol=1e-9)
    assert_allclose(measured(measure, x, x), 1.0 if measure.larger_is_closer else 0.0, atol=1e-7)


@pytest.mark.parametrize("measure", [one for one in MEASURES if not one.symmetric], ids=lambda one: one.name)
def test_what_is_not_symmetric_differs_in_the_two_orders(measure):
    x, y = pair_of(measure, np.random.default_rng(1))
    assert abs(measured(measure, x, y) - measured(measure, y, x)) > 1e-3


def test_every_name_is_public_documented_and_found_by_its_short_one():
    from closedist.measures.catalogue import measure_called

    names = [one.name for one in MEASURES] + [one.short for one in MEASURES if one.short != one.name]
    assert len(set(names)) == len(names)
    for one in closedist.list_measures():
        assert measure_called(one.short) is measure_called(one.name) is one
        assert all([one.chance, one.misleads, one.source])
        for name in (one.name, f"{one.name}_matrix"):
            assert name in closedist.__all__
            assert getattr(closedist, name).__doc__
        assert not math.isnan(one.low + one.high)
        assert str(one).startswith(one.name)
    with pytest.raises(closedist.InputError, match="it is one of cka, "):
        measure_called("ckb")


def test_a_single_entry_in_many_that_differs_in_late_digits_is_variation():
    view = np.ones((100_000, 1))
    other = view + np.random.default_rng(0).normal(size=view.shape)
    with pytest.raises(closedist.InputError, match="all rows are equal"):
        closedist.linear_cka(view, other)
    view[7] += 1e-12  # little of the norm of all entries, far more than its own rounding
    assert 0.0 <= closedist.linear_cka(view, other) <= 1.0


@pytest.mark.parametrize("scale", [1e-200, 1e-70, 1e70, 1e200, 1e305])
@pytest.mark.parametrize("measure", [closedist.linear_cka, closedist.mean_cca, closedist.mean_svd])
def test_views_may_be_of_any_size_that_float64_holds(measure, scale):
    view, other = np.random.default_rng(0).normal(size=(2, 50, 3))
    assert_allclose(measure(scale * view, other), measure(view, other), rtol=1e-12)
