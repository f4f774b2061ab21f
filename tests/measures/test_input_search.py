"""The search for an input set without a seed: exact where nothing is asked of the rank, and it keeps vectors apart."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from closedist import InputError, Representations, llv_distance
from closedist.measures import input_search
from closedist.measures.input_search import diverse_input_set, effective_rank, searched_inputs
from closedist.measures.input_sets import draw_input_sets, search_input_sets
from closedist.measures.moments import moments
from closedist.measures.stack import stacked
from closedist.measures.terms import Axis, axis_of, unit_log_odds, written_out
from tests.random_models import noisy, random_model, represent, seeds
from tests.slow_reference import Model, input_terms, log_likelihoods

PAIR = torch.tensor([[0, 1]])
CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def axis_over_labels(p: Representations, q: Representations) -> Axis:
    models = stacked([p, q])
    return axis_of(moments(models, PAIR).over_labels, models.inputs(slice(0, models.num_inputs)), PAIR)


def term_of(axis: Axis, chosen: Tensor) -> float:
    terms = written_out(axis, chosen[None, 0], chosen[None, 1:])
    return float(torch.maximum(terms.rest, terms.pivot).max())


def rank_of(axis: Axis, chosen: Tensor) -> float:
    return float(effective_rank(*unit_log_odds(axis, chosen[None, 0], chosen[None, 1:])))


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3))
def test_without_a_floor_it_is_the_best_of_all_sets(seed: int, size: int) -> None:
    p = random_model(seed, 8, 5, 2)
    q = noisy(p, 0.3, seed) if seed % 2 else random_model(seed + 1, 8, 5, 2)
    tables = [log_likelihoods(model) for model in (p, q)]
    best = min(
        max(max(found[:2]) for found in input_terms(*tables, [first, *rest]))
        for first in range(8)
        for rest in combinations([i for i in range(8) if i != first], size)
    )
    axis = axis_over_labels(represent(p), represent(q))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_search, "FLOOR", -1.0)
        chosen = diverse_input_set(axis, size)
    assert len(set(chosen.tolist())) == size + 1
    assert term_of(axis, chosen) == pytest.approx(best, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 3))
def test_every_vector_lies_apart_from_those_before_in_both_models(seed: int, size: int) -> None:
    p = random_model(seed, 60, 7, 4)
    axis = axis_over_labels(represent(p), represent(noisy(p, 0.3, seed)))
    chosen = diverse_input_set(axis, size)
    assume(term_of(axis, chosen) < 1)
    for units in unit_log_odds(axis, chosen[None, 0], chosen[None, 1:]):
        for index in range(1, size):
            basis = torch.linalg.qr(units[0, :index].mT).Q
            outside = 1 - float((basis.mT @ units[0, index]).square().sum())
            assert outside >= input_search.FLOOR - 1e-9


def test_on_images_it_beats_two_hundred_random_sets_in_the_term_and_in_the_rank() -> None:
    names = sorted(CHECKPOINTS.glob("*MedCIFAR10*_reps_test.safetensors"))[:3]
    if len(names) < 3:
        pytest.skip("the shipped representations are not here")
    members = [Representations.load(name) for name in names]
    members = [Representations(m.embeddings[::4], m.unembeddings, m.bias) for m in members]
    for p, q in combinations(members, 2):
        axis = axis_over_labels(p, q)
        sets = draw_input_sets(p.num_inputs, 3, 200, 0)
        drawn = sets[search_input_sets(axis, sets)][0]
        chosen = diverse_input_set(axis, 2)
        assert term_of(axis, chosen) < term_of(axis, drawn)
        assert rank_of(axis, chosen) > rank_of(axis, drawn)
        fixed = llv_distance(p, q, input_set=chosen.tolist(), pivot_label=0, left_out_label=1)
        assert fixed >= term_of(axis, chosen) * (1 - 1e-9)


def test_the_rank_is_that_of_the_model_that_spans_less() -> None:
    apart = torch.eye(3, 5, dtype=torch.float64)[None]
    parallel = torch.ones(1, 3, 5, dtype=torch.float64) / 5**0.5
    assert float(effective_rank(apart, apart)) == pytest.approx(3)
    assert float(effective_rank(apart, parallel)) == pytest.approx(1)
    both = torch.cat([apart, parallel])
    assert effective_rank(both, both).tolist() == pytest.approx([3, 1])
    units = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]], dtype=torch.float64)
    shares = np.array([1.6, 0.4]) / 2
    assert float(effective_rank(units, units)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_where_log_odds_span_one_direction_only_the_closest_are_taken() -> None:
    p, q = random_model(0, 30, 6, 1), random_model(1, 30, 6, 1)
    axis = axis_over_labels(represent(p), represent(q))
    chosen = diverse_input_set(axis, 3)
    assert len(set(chosen.tolist())) == 4
    assert np.isfinite(term_of(axis, chosen))


def test_repeated_inputs_are_passed_over_and_nothing_but_them_is_refused() -> None:
    p, q = random_model(2, 12, 6, 4), random_model(3, 12, 6, 4)
    rows = [0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8]
    repeated = [represent(Model(m.f[rows], m.g, m.b)) for m in (p, q)]
    chosen = diverse_input_set(axis_over_labels(*repeated), 3)
    assert len({rows[int(index)] for index in chosen}) == 4
    two = [represent(Model(m.f[[0, 0, 0, 1, 1, 1]], m.g, m.b)) for m in (p, q)]
    assert len(diverse_input_set(axis_over_labels(*two), 3)) == 4
    with pytest.raises(InputError, match=r"input_search: no 5 inputs have log-likelihoods that differ"):
        diverse_input_set(axis_over_labels(*two), 4)


def test_many_inputs_are_searched_by_a_seeded_sample() -> None:
    assert searched_inputs(10_000, 0).tolist() == list(range(10_000))
    sample = searched_inputs(50_000, 1)
    assert len(set(sample.tolist())) == 10_000
    assert bool((sample.diff() > 0).all())
    assert torch.equal(sample, searched_inputs(50_000, 1))
    assert not torch.equal(sample, searched_inputs(50_000, 2))
