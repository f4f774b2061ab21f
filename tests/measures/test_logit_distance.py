"""d_logit, d_rep and their bounds: invariances, theorems, enumeration, and models at the edge."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import InputError, Representations, kl_divergence, mean_cca
from closedist.measures import logit_bounds as bounds
from closedist.measures.logit_distance import (
    logit_distance,
    logit_distance_by_input,
    logit_distance_by_label,
    logit_distances,
)
from closedist.measures.logit_roots import logit_roots
from closedist.measures.probe_transfer import probe_transfer
from closedist.measures.projection import Projection
from closedist.measures.representation_distance import representation_distance, representation_distances
from closedist.measures.subset_dissimilarity import squared_by_subset, subset_dissimilarity

TIGHT = 1 + 1e-9  # rounding in a bound that holds with equality


@st.composite
def pairs(draw, labels=(4, 9), most_dimensions=3):
    """Two models on the same inputs and labels, of any two dimensions, with or without biases, far or close."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_labels = draw(st.integers(*labels))
    n = draw(st.integers(12, 40))
    shared = rng.normal(size=(n, 3))
    models = []
    for _ in range(2):
        m = draw(st.integers(1, min(most_dimensions, num_labels - 1)))
        noise = 10.0 ** draw(st.integers(-3, 1))
        f = shared @ rng.normal(size=(3, m)) + noise * rng.normal(size=(n, m)) + rng.normal(size=m)
        g = rng.normal(size=(num_labels, m)) + rng.normal(size=m)
        bias = rng.normal(size=num_labels) if draw(st.booleans()) else None
        models.append(Representations(f, g, bias=bias))
    return tuple(models)


def centred_logits(model):
    f, g = model.embeddings.numpy(), model.unembeddings.numpy()
    logits = f @ g.T + (0 if model.bias is None else model.bias.numpy())
    return logits - logits.mean(1, keepdims=True)


@given(pairs())
@settings(max_examples=25, deadline=None)
def test_the_roots_give_what_the_table_of_logits_gives(pair):
    p, q = pair
    c, other = centred_logits(p), centred_logits(q)
    delta = c - other
    found = logit_distances(logit_roots(p, q)[0])
    assert float(found.distance) ** 2 == pytest.approx(np.square(delta).sum(1).mean(), rel=1e-9)
    assert float(found.centred) ** 2 == pytest.approx(delta.var(0).sum(), rel=1e-9)
    assert float(found.relative) ** 2 == pytest.approx(np.square(delta).sum() / np.square(c).sum(), rel=1e-9)
    factor = (c * other).sum() / np.square(other).sum()
    assert float(found.factor) == pytest.approx(factor, rel=1e-9, abs=1e-12)
    assert float(found.at_factor) ** 2 == pytest.approx(np.square(c - factor * other).sum(1).mean(), rel=1e-8)
    assert float(found.map_part**2 + found.span_part**2) == pytest.approx(float(found.distance) ** 2, rel=1e-9)
    np.testing.assert_allclose(logit_distance_by_input(p, q), np.linalg.norm(delta, axis=1), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(logit_distance_by_label(p, q) ** 2, np.square(delta).mean(0), rtol=1e-7, atol=1e-12)


@given(pairs(), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_volume_weighted_mean_is_that_of_the_enumeration(pair, seed):
    p, q = pair
    weights = np.random.default_rng(seed).uniform(0.1, 2.0, p.num_labels) if seed % 2 else None
    roots, _ = logit_roots(p, q, weights)
    g = p.unembeddings.numpy()
    total = value = 0.0
    subsets = list(combinations(range(p.num_labels), p.dimension + 1))
    each = squared_by_subset(p, q, roots, torch.tensor(subsets)).numpy()
    for labels, squared in zip(subsets, each, strict=True):
        square = np.column_stack([g[list(labels)], np.ones(len(labels))])
        volume = np.linalg.det(square) ** 2 * (1 if weights is None else np.prod(weights[list(labels)]))
        total, value = total + volume, value + volume * squared
    volume = float(representation_distances(roots).volume) / roots.unit
    assert volume**2 == pytest.approx(value / total, rel=1e-8)


@given(pairs(labels=(3, 4)))
@settings(max_examples=20, deadline=None)
def test_with_one_subset_only_all_forms_agree(pair):
    p, q = pair
    if p.num_labels != p.dimension + 1:
        p = Representations(p.embeddings, p.unembeddings[: p.dimension + 1])
        q = Representations(q.embeddings, q.unembeddings[: p.dimension + 1])
    least = representation_distance(p, q) ** 2
    assert representation_distance(p, q, "volume") ** 2 == pytest.approx(least, rel=1e-9)
    assert subset_dissimilarity(p, q).mean == pytest.approx(least, rel=1e-7)


@given(pairs(), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_re_parametrisation_changes_no_number_but_those_in_the_first_model_s_units(pair, seed):
    p, q = pair
    rng = np.random.default_rng(seed)
    moved = tuple(reparametrised(model, rng) for model in (p, q))
    (before, _), (after, _) = logit_roots(p, q), logit_roots(*moved)
    size = float(before.logits(centred=False)[0].norm())
    for name, value in vars(logit_distances(before)).items():
        assert float(value) == pytest.approx(float(getattr(logit_distances(after), name)), rel=1e-7, abs=1e-9 * size), (
            name
        )
    own, other = representation_distances(before), representation_distances(after)
    assert float(own.relative) == pytest.approx(float(other.relative), rel=1e-7, abs=1e-9)
    np.testing.assert_allclose(
        bounds.logit_variances(before), bounds.logit_variances(after), rtol=1e-7, atol=1e-10 * size**2
    )


def reparametrised(model, rng):
    """The same distribution: f → Bf + c, g → B⁻ᵀg + h, b → b − G B⁻¹c."""
    m = model.dimension
    u, v = (np.linalg.qr(rng.normal(size=(m, m)))[0] for _ in range(2))
    stretch = u @ np.diag(np.logspace(0, 3, m)) @ v
    shift, common = rng.normal(size=m), rng.normal(size=m)
    f = model.embeddings.numpy() @ stretch.T + shift
    g = model.unembeddings.numpy() @ np.linalg.inv(stretch) + common
    bias = 0.0 if model.bias is None else model.bias.numpy()
    return Representations(f, g, bias=bias - model.unembeddings.numpy() @ np.linalg.inv(stretch) @ shift)


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_every_bound_holds(pair):
    p, q = pair
    roots, _ = logit_roots(p, q)
    found, by_map = logit_distances(roots), representation_distances(roots)
    labels = Projection.onto(roots.unembeddings(), roots.num_labels)
    inputs = Projection.onto(roots.embeddings()[0], roots.num_inputs)
    unit = roots.unit
    assert float(by_map.distance) <= float(bounds.representation_bound(found.distance, labels)) * unit * TIGHT
    assert float(by_map.volume) <= float(bounds.representation_volume_bound(found.distance, labels)) * unit * TIGHT
    assert float(by_map.unembeddings) <= float(bounds.unembedding_bound(found.centred, inputs)) / unit * TIGHT
    for first, second in ((p, q), (q, p)):
        assert kl_divergence(first, second) <= float(bounds.kl_bound(found.distance)) * TIGHT
    rank = torch.tensor(min(p.dimension, q.dimension))
    least = bounds.mean_cca_bound(found.centred, bounds.logit_variances(roots), rank)
    assert mean_cca(p.embeddings, q.embeddings) >= float(least) - 1e-9
    if q.dimension < p.dimension:
        assert float(found.centred) >= float(bounds.capacity_floor(p)[q.dimension - 1]) / TIGHT


@given(pairs(), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_a_carried_probe_loses_no_less_than_the_best_one(pair, seed):
    p, q = pair
    probes = np.random.default_rng(seed).normal(size=(3, p.dimension))
    found = probe_transfer(p, q, probes)
    assert bool((found.share_lost >= found.share_lost_by_best_map - 1e-9).all())
    f = p.embeddings.numpy()
    g, other = (m.unembeddings.numpy() - m.unembeddings.numpy().mean(0) for m in (p, q))
    moved = q.embeddings.numpy() @ (np.linalg.pinv(g) @ other).T
    expected = ((f - moved) @ probes.T).var(0) / (f @ probes.T).var(0)
    np.testing.assert_allclose(found.share_lost, expected, rtol=1e-6, atol=1e-12)


@given(pairs(), pairs())
@settings(max_examples=20, deadline=None)
def test_it_is_a_metric(pair, other):
    p, q = pair
    n, c = min(p.num_inputs, other[0].num_inputs), min(p.num_labels, other[0].num_labels)
    a, b, third = (
        Representations(m.embeddings[:n], m.unembeddings[:c], bias=None if m.bias is None else m.bias[:c])
        for m in (p, q, other[0])
    )
    assert logit_distance(a, b) == pytest.approx(logit_distance(b, a), rel=1e-9)
    assert logit_distance(a, third) <= (logit_distance(a, b) + logit_distance(b, third)) * TIGHT
    assert logit_distance(a, a) <= 1e-12 * float(np.linalg.norm(centred_logits(a)))


def test_duplicate_labels_make_the_uniform_mean_infinite_and_leave_the_volume_weighted_one_finite():
    rng = np.random.default_rng(0)
    g, other = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    g[1] = g[0]
    p, q = Representations(rng.normal(size=(50, 2)), g), Representations(rng.normal(size=(50, 2)), other)
    found = subset_dissimilarity(p, q)
    assert (found.singular, found.mean, found.largest_share) == (4, np.inf, 1.0)
    assert np.isfinite(found.median)
    assert np.isfinite(representation_distance(p, q, "volume"))


def test_directions_that_no_label_sees_are_left_out_and_counted():
    rng = np.random.default_rng(1)
    f, g = rng.normal(size=(60, 3)), rng.normal(size=(5, 3))
    g[:, 2] = 7.0  # constant over the labels
    p, q = Representations(f, g), Representations(f + np.array([0.0, 0.0, 3.0]), g)
    found = representation_distances(logit_roots(p, q)[0])
    assert int(found.identified_rank) == 2
    assert float(found.distance) < 1e-12


def test_fewer_labels_than_dimensions_leave_no_subset():
    rng = np.random.default_rng(2)
    p, q = (Representations(rng.normal(size=(20, 5)), rng.normal(size=(4, 5))) for _ in range(2))
    assert np.isfinite(representation_distance(p, q))
    with pytest.raises(InputError, match="4 labels, but 6 are needed"):
        subset_dissimilarity(p, q)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_scale_of_the_embeddings_changes_no_distance_of_logits(scale):
    rng = np.random.default_rng(3)
    f, g, other, h = (rng.normal(size=shape) for shape in ((30, 2), (5, 2), (30, 3), (5, 3)))
    expected = logit_distance(Representations(f, g), Representations(other, h))
    p = Representations(f * scale, g / scale)
    assert logit_distance(p, Representations(other, h)) == pytest.approx(expected, rel=1e-9)
    ratio = representation_distance(p, Representations(other, h)) / scale
    assert ratio == pytest.approx(representation_distance(Representations(f, g), Representations(other, h)), rel=1e-9)


def test_one_input_is_enough_for_d_logit():
    p, q = Representations([[1.0, 2.0]], np.eye(3, 2)), Representations([[0.0, 1.0]], np.eye(3, 2))
    assert logit_distance(p, q) == pytest.approx(np.sqrt(np.square([1 / 3, 1 / 3, -2 / 3]).sum()))
