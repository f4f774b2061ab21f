"""Digits, against mpmath: models that nearly agree, the ends of float64, samples as small as they may be."""

import numpy as np
import pytest
import torch
from mpmath import exp, mpf, workdps

from closedist import InputError, Representations, compare, kl_divergence
from closedist.measures import svd
from closedist.measures.likelihood import _divergence
from closedist.measures.moments import moments
from closedist.measures.roots import CentredRoot, pair_roots
from closedist.measures.stack import stacked
from closedist.measures.svd import dissimilarity
from closedist.measures.terms import Axis, axis_of, points
from tests.exact_reference import d_svd, measures
from tests.random_models import noisy, random_model, represent
from tests.slow_reference import Model, log_likelihoods, std

FIELDS = ("label_term", "input_term", "certificate", "kl", "kl_reverse")


def assert_digits(p: Model, q: Model, rel: float, kl_rel: float | None = None) -> None:
    c = compare(represent(p), represent(q), num_samples=5)
    exact = measures(p, q, c.pivot_label, c.left_out_label, c.input_set)
    for name in FIELDS:
        tolerance = rel if kl_rel is None or not name.startswith("kl") else kl_rel
        assert getattr(c, name) == pytest.approx(float(exact[name]), rel=tolerance, abs=0), name
    assert c.label_term == pytest.approx(float(exact["smallest_label_term"]), rel=rel, abs=0)
    assert c.dissimilarity <= c.certificate <= c.quadratic_bound


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("noise", "rel", "kl_rel"), [(1e-3, 1e-9, 1e-9), (1e-6, 1e-7, 1e-7), (1e-9, 1e-5, 1e-5)])
def test_models_that_differ_by_noise_keep_their_digits(seed: int, noise: float, rel: float, kl_rel: float) -> None:
    p = random_model(seed, 30, 6, 3)
    assert_digits(p, noisy(p, noise, seed), rel, kl_rel)


@pytest.mark.parametrize("scale", [30, 300])
def test_log_likelihoods_hundreds_of_nats_apart(scale: float) -> None:
    p, q = random_model(1, 25, 5, 2), random_model(2, 25, 5, 2)
    p = Model(p.f * scale, p.g, p.b)
    assert np.ptp(p.f @ p.g.T) > 5 * scale
    assert_digits(p, q, 1e-9)
    assert_digits(p, Model(p.f, noisy(p, 1e-3, 3).g, p.b), 1e-9)


@pytest.mark.parametrize("exponent", [-150, 150])
def test_embeddings_of_extreme_size_with_unembeddings_to_match(exponent: int) -> None:
    p, q = random_model(1, 25, 5, 2), random_model(2, 25, 5, 2)
    p = Model(p.f * 10.0**exponent, p.g * 10.0**-exponent, p.b)
    assert_digits(p, q, 1e-9)


@pytest.mark.parametrize("exponent", [-150, -20, 20, 150])
def test_log_odds_of_extreme_size(exponent: int) -> None:
    p, q = (random_model(seed, 25, 5, 2, bias=False) for seed in (1, 2))
    p, q = (Model(m.f * 10.0**exponent, m.g, m.b) for m in (p, q))
    with workdps(400 if exponent == -150 else 50):
        assert_digits(p, q, 1e-9)


@pytest.mark.parametrize("exponent", [-200, -153, 153, 200])
def test_log_odds_beyond_that_are_a_stated_error(exponent: int) -> None:
    p, q = (random_model(seed, 25, 5, 2, bias=False) for seed in (1, 2))
    p, q = (represent(Model(m.f * 10.0**exponent, m.g, m.b)) for m in (p, q))
    with pytest.raises(InputError, match=r"log-odds|log-likelihoods"):
        compare(p, q)


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_as_few_inputs_and_labels_as_there_may_be(dimension: int) -> None:
    p, q = (random_model(seed, dimension + 2, dimension + 2, dimension) for seed in (1, 2))
    assert_digits(p, q, 1e-9)


def test_two_inputs_and_three_labels_are_the_least() -> None:
    p, q = (random_model(seed, 2, 3, 2) for seed in (1, 2))
    c = compare(represent(p), represent(q))
    exact = measures(p, q, c.pivot_label, c.left_out_label, c.input_set)
    for name in FIELDS:
        assert getattr(c, name) == pytest.approx(float(exact[name]), rel=1e-9), name
    root = CentredRoot()
    root.add(torch.zeros(1, 3, dtype=torch.float64))
    with pytest.raises(InputError, match="at least two rows; there are 1"):
        root.root()


def test_columns_of_different_scale_are_not_taken_for_constants() -> None:
    p = random_model(3, 30, 5, 2)
    scales = np.array([1e100, 1e-100])
    assert_digits(Model(p.f * scales, p.g / scales, p.b), random_model(4, 30, 5, 2), 1e-9)


def test_a_large_common_part_of_the_embeddings_costs_only_its_own_digits() -> None:
    p, q = random_model(5, 30, 5, 2), random_model(6, 30, 5, 2)
    assert_digits(Model(p.f + 1e6, p.g, p.b), q, 1e-8)


def test_a_large_constant_common_to_all_biases_costs_no_digits() -> None:
    p, q = random_model(5, 30, 5, 2), random_model(6, 30, 5, 2)
    assert_digits(Model(p.f, p.g, p.b + 1e9), q, 1e-9)


def test_two_labels_and_one_input_have_a_divergence() -> None:
    logits = np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])
    p, q = (Representations.from_logits(values) for values in logits)
    assert kl_divergence(p, q) == pytest.approx(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5), rel=1e-12)


@pytest.mark.parametrize("size", [1e-1, 5e-4, 1e-4, 1e-7])
def test_a_divergence_is_positive_and_keeps_its_digits(size: float) -> None:
    p = random_model(7, 20, 6, 2)
    q = noisy(p, size, 8)
    exact = measures(p, q, 0, 1, (0, 1, 2))["kl"]
    ours = kl_divergence(represent(p), represent(q))
    assert ours > 0
    assert ours == pytest.approx(float(exact), rel=1e-8 if size < 1e-4 else 1e-9)


@pytest.mark.parametrize("noise", [1.0, 1e-1, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_dissimilarity_keeps_its_digits_near_any_rotation_or_reflection(size: int, noise: float) -> None:
    generator = np.random.default_rng(size)
    views = []
    for _ in range(6):
        basis = np.linalg.qr(generator.normal(size=(9, size)))[0].T
        rotation = np.linalg.qr(generator.normal(size=(size, size)))[0] * generator.choice([-1, 1], size)
        rotated = rotation @ basis + noise * generator.normal(size=(size, 9))
        for unrotated in (rotated, basis + noise * generator.normal(size=(size, 9))):
            views.append((basis, unrotated / np.linalg.norm(unrotated, axis=1, keepdims=True)))
    units, other_units = (torch.from_numpy(np.stack(side)) for side in zip(*views, strict=True))
    ours = dissimilarity(units, other_units, torch.arange(size)[None, None])
    assert ours.shape == (12, 1)
    for values, (basis, other) in zip(ours, views, strict=True):
        assert float(values) == pytest.approx(float(d_svd(basis, other)), rel=1e-7, abs=0)


@pytest.mark.parametrize("tabled", [1, 1024])
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_near_subsets_are_as_dissimilar_as_each_alone(tabled: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svd, "TABLED", tabled)
    monkeypatch.setattr(svd, "BLOCK_ELEMENTS", block)
    generator = np.random.default_rng(0)
    units = generator.normal(size=(3, 5, 8))
    other_units = units + np.array([1e-3, 1e-6, 1.0])[:, None, None] * generator.normal(size=(3, 5, 8))
    units, other_units = (view / np.linalg.norm(view, axis=-1, keepdims=True) for view in (units, other_units))
    shared = torch.combinations(torch.arange(5), 3)[None]
    own = torch.stack([shared[0, 2:6], shared[0, 4:8], shared[0, :4]])
    for subsets in (shared, own):
        ours = dissimilarity(torch.from_numpy(units), torch.from_numpy(other_units), subsets)
        assert ours.shape == (3, subsets.shape[1])
        for pair, of_pair in enumerate(subsets.expand(3, -1, -1)):
            for value, subset in zip(ours[pair], of_pair, strict=True):
                exact = d_svd(units[pair, subset], other_units[pair, subset])
                assert float(value) == pytest.approx(float(exact), rel=1e-6, abs=0)


def test_inputs_of_tiny_log_odds_keep_their_digits_among_others() -> None:
    p, q = (random_model(seed, 20, 5, 2, bias=False) for seed in (1, 2))
    p.f[10:] *= 1e-9
    other = Model(np.vstack([p.f[:10], 1e-9 * q.f[10:]]), p.g, p.b)  # only the tiny ones differ
    exact = measures(p, other, 0, 1, (10, 11, 12))["kl"]
    assert kl_divergence(represent(p), represent(other)) == pytest.approx(float(exact), rel=1e-9, abs=0)


@pytest.mark.parametrize(("unlikely", "other"), [(-30.0, -45.0), (-45.0, -30.0), (-30.0, -31.5)])
def test_near_models_may_disagree_on_an_unlikely_label(unlikely: float, other: float) -> None:
    p = random_model(3, 20, 5, 2)
    q = noisy(p, 1e-9, 4)
    p.b[2], q.b[2] = unlikely, other
    exact = measures(p, q, 0, 1, (0, 1, 2))
    assert kl_divergence(represent(p), represent(q)) == pytest.approx(float(exact["kl"]), rel=1e-7, abs=0)
    assert kl_divergence(represent(q), represent(p)) == pytest.approx(float(exact["kl_reverse"]), rel=1e-7, abs=0)


@pytest.mark.parametrize("size", [1e-6, 9e-4, 0.1, 0.9, 1.9, 30.0])
def test_a_divergence_is_summed_to_all_digits_whatever_the_differences(size: float) -> None:
    generator = np.random.default_rng(0)
    p = generator.dirichlet(np.ones(5), size=(2, 3))
    difference = size * generator.uniform(0.9, 1.0, size=p.shape) * generator.choice([-1, 1], p.shape)
    q = p * np.exp(-difference)
    ours = _divergence(*map(torch.from_numpy, (difference, p, q)))
    for value, d, weights in zip(ours, difference, p, strict=True):
        exact = sum(mpf(w) * (exp(-mpf(x)) - 1 + mpf(x)) for x, w in zip(d.flat, weights.flat, strict=True))
        assert float(value) == pytest.approx(float(exact), rel=1e-13, abs=0)


def test_equal_models_are_at_distance_zero() -> None:
    p = represent(random_model(9, 50, 6, 3))
    c = compare(p, p)
    assert c.kl == 0
    assert c.llv < 1e-14
    assert c.dissimilarity <= c.certificate <= c.quadratic_bound < 1e-28


def test_a_model_in_half_precision_is_measured_in_double() -> None:
    p, q = random_model(1, 40, 5, 2), random_model(2, 40, 5, 2)
    halves = [Model(*(part.astype(np.float16) for part in (m.f, m.g, m.b))) for m in (p, q)]
    doubles = [Model(*(part.astype(np.float64) for part in (m.f, m.g, m.b))) for m in halves]
    in_half = compare(*(Representations(m.f, m.g, m.b) for m in halves))
    in_double = compare(*(Representations(m.f, m.g, m.b) for m in doubles))
    assert in_half.llv == in_double.llv
    assert in_half.kl == in_double.kl


@pytest.mark.parametrize("num_labels", [5, 30])
@pytest.mark.parametrize("noise", [1.0, 1e-3, 1e-6])
def test_how_far_each_label_is_in_two_models_keeps_its_digits_where_products_lose_them(
    noise: float, num_labels: int
) -> None:
    """Var(ℓ − ℓ') over the inputs, and Var ℓ, against nineteen digits; in both forms of an axis."""
    p = random_model(0, 90, num_labels, 3)
    q = noisy(p, noise, 1)
    models, pairs = stacked([represent(p), represent(q)]), torch.tensor([[0, 1]])
    measured = moments(models, pairs)
    first, second = (log_likelihoods(model, np.longdouble) for model in (p, q))
    for axis in (
        axis_of(measured.over_inputs, models.labels, pairs),
        Axis(measured.over_inputs, models.labels, pairs, pair_roots(measured.over_inputs, pairs)),
    ):
        found = points(axis).powers
        for power, expected in ((found.first, first), (found.second, second), (found.gap, first - second)):
            assert power[0].tolist() == pytest.approx((std(expected) ** 2).astype(float).tolist(), rel=1e-7, abs=0)
