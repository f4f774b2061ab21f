"""Divergences by input, Jensen–Shannon and the same top label, against tables of probabilities and fifty digits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import exp, log, mpf

from closedist import kl_divergence
from closedist.measures.by_input import by_input, jensen_shannon, js_divergence, kl_by_input, quantiles, same_top_label
from tests.exact_reference import log_likelihoods as exact_log_likelihoods
from tests.random_models import models, noisy, random_model, represent, seeds
from tests.slow_reference import Model, log_likelihoods


@settings(max_examples=40, deadline=None)
@given(models(same_dimension=False))
def test_they_are_their_definitions(pair: list[Model]) -> None:
    p, q = map(represent, pair)
    a, b = (log_likelihoods(model) for model in pair)
    kl = (np.exp(a) * (a - b)).sum(1)
    m = np.log((np.exp(a) + np.exp(b)) / 2)
    js = (np.exp(a) * (a - m) + np.exp(b) * (b - m)).sum(1) / 2
    assert kl_by_input(p, q).numpy() == pytest.approx(kl, rel=1e-9, abs=1e-12)
    assert kl_by_input(q, p).numpy() == pytest.approx((np.exp(b) * (b - a)).sum(1), rel=1e-9, abs=1e-12)
    assert float(kl_by_input(p, q).mean()) == pytest.approx(kl_divergence(p, q), rel=1e-9)
    assert js_divergence(p, q) == pytest.approx(js.mean(), rel=1e-9)
    assert same_top_label(p, q) == (a.argmax(1) == b.argmax(1)).mean()
    found = by_input([p, q])
    shift = math.log(len(pair[0].g))
    for index, table in enumerate((a, b)):
        assert found.mean_likelihoods[index].numpy() == pytest.approx(np.exp(table).mean(0), abs=1e-12)
        assert found.mean_log_likelihoods[index].numpy() == pytest.approx(table.mean(0) + shift, abs=1e-10)
        entropy = (np.exp(table) * table).sum(1).mean()
        assert float(found.mean_negative_entropies[index]) == pytest.approx(entropy + shift, abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(models(same_dimension=False))
def test_jensen_shannon_is_symmetric_at_most_log_two_and_at_most_a_quarter_of_both_divergences(
    pair: list[Model],
) -> None:
    p, q = map(represent, pair)
    js = by_input([p, q]).js
    torch.testing.assert_close(js, by_input([q, p]).js, rtol=1e-9, atol=0)
    assert bool((js <= math.log(2)).all())
    assert bool((js <= (kl_by_input(p, q) + kl_by_input(q, p)) / 4 * (1 + 1e-9)).all())  # by convexity


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2, 1.0, 30.0])
def test_close_and_far_models_keep_their_digits(size: float) -> None:
    p = random_model(0, 6, 5, 2)
    q = noisy(p, size, 1)
    a, b = (exact_log_likelihoods(model) for model in (p, q))
    exact = []
    for row, other in zip(a, b, strict=True):
        middle = [log((exp(s) + exp(t)) / 2) for s, t in zip(row, other, strict=True)]
        exact.append(
            sum((exp(s) * (s - m) + exp(t) * (t - m) for s, t, m in zip(row, other, middle, strict=True)), mpf(0)) / 2
        )
    found = by_input([represent(p), represent(q)]).js.tolist()
    assert found == pytest.approx([float(value) for value in exact], rel=1e-6, abs=0)


@pytest.mark.parametrize("size", [1e-12, 1e-7, 1e-3, 0.5, 0.999, 1.001, 5.0, 50.0, 1000.0])
def test_a_terms_digits_depend_on_no_size(size: float) -> None:
    d = mpf(size)
    p, q = 1 / (1 + exp(-d)), exp(-d) / (1 + exp(-d))  # p/q = exp(d), p + q = 1
    exact = (p * log(2 * p) + (q * log(2 * q) if q > 0 else 0)) / 2
    found = jensen_shannon(*(torch.tensor([value], dtype=torch.float64) for value in (size, float(p), float(q))))
    assert float(found) == pytest.approx(float(exact), rel=1e-12, abs=0)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 3000))
def test_quantiles_are_numpys(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).exponential(size=count)
    found = quantiles(torch.from_numpy(values))
    assert list(found) == [50, 90, 99, 99.9, 100]
    assert list(found.values()) == pytest.approx(np.percentile(values, list(found)).tolist())


def test_two_labels_one_input_and_equal_models() -> None:
    p = random_model(0, 1, 2, 3)
    assert js_divergence(represent(p), represent(p)) == 0
    assert same_top_label(represent(p), represent(p)) == 1
    assert same_top_label(represent(p), represent(Model(-p.f, p.g, -p.b))) == 0


def test_many_blocks_of_inputs_are_one() -> None:
    p, q = random_model(0, 5000, 60, 3), random_model(1, 5000, 60, 3)
    a, b = (log_likelihoods(model) for model in (p, q))
    found = by_input([represent(p), represent(q)])
    assert found.kl.numpy() == pytest.approx((np.exp(a) * (a - b)).sum(1), rel=1e-8)
    assert found.top.numpy().tolist() == [a.argmax(1).tolist(), b.argmax(1).tolist()]
