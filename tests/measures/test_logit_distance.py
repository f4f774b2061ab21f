"""d_logit, d_rep and their bounds: invariances, theorems, enumeration, and models at the edge."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import closedist.measures.logit_roots as logit_roots_module
from closedist import Representations, kl_divergence, mean_cca
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
    weights = np.random.default_rng(seed).uniform(0.1, 2.0, p.num_labels) if seed % 2 else np.ones(p.num_labels)
    delta = centred_logits(p) - centred_logits(q)
    g = p.unembeddings.numpy()
    total = value = 0.0
    subsets = [list(labels) for labels in combinations(range(p.num_labels), p.dimension + 1)]
    expected = []
    for labels in subsets:
        square = np.column_stack([g[labels], np.ones(len(labels))])
        expected.append(np.square(np.linalg.solve(square, delta[:, labels].T)[:-1]).sum(0).mean())
        volume = np.linalg.det(square) ** 2 * np.prod(weights[labels])
        total, value = total + volume, value + volume * expected[-1]
    roots, _ = logit_roots(p, q, weights if seed % 2 else None)
    assert float(representation_distances(roots).volume) ** 2 == pytest.approx(value / total, rel=1e-10)
    own = squared_by_subset(p, q, logit_roots(p, q)[0], torch.tensor(subsets)).numpy() * roots.unit**2
    np.testing.assert_allclose(own, expected, rtol=1e-6)


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
    # the span of the unembeddings is known to their condition times rounding, and parts that are 0 are roots of it
    spreads = torch.linalg.svdvals(after.unembeddings())
    slack = size * max(1e-9, 100 * torch.finfo(torch.float64).eps * float(spreads[0] / spreads[-1]))
    for name, value in vars(logit_distances(before)).items():
        assert float(value) == pytest.approx(float(getattr(logit_distances(after), name)), rel=1e-8, abs=slack), name
    own, other = representation_distances(before), representation_distances(after)
    assert float(own.relative) == pytest.approx(float(other.relative), rel=1e-8, abs=1e-9)
    variances, moved_variances = (bounds.logit_variances(roots) for roots in (before, after))
    np.testing.assert_allclose(variances, moved_variances, rtol=1e-8, atol=1e-10 * size**2)
    apart = [
        float(bounds.variance_apart(bounds.logit_variances(roots), bounds.canonical_correlations(roots)))
        for roots in (before, after)
    ]
    assert apart[0] == pytest.approx(apart[1], rel=1e-8, abs=1e-9 * size**2)
    rank = torch.tensor(min(p.dimension, q.dimension))
    least = [
        float(bounds.mean_cca_bound(logit_distances(roots).centred, bounds.logit_variances(roots), rank))
        for roots in (before, after)
    ]
    assert least[0] == pytest.approx(least[1], rel=1e-8, abs=1e-8)


def test_d_rep_has_the_units_of_its_first_argument():
    rng = np.random.default_rng(7)
    p, q = (Representations(rng.normal(size=(30, 2)), rng.normal(size=(6, 2))) for _ in range(2))
    longer = [Representations(10 * model.embeddings, model.unembeddings / 10) for model in (p, q)]
    assert representation_distance(longer[0], q) == pytest.approx(10 * representation_distance(p, q))
    assert representation_distance(p, longer[1]) == pytest.approx(representation_distance(p, q))


def reparametrised(model, rng):
    """The same distribution: f → Bf + c, g → B⁻ᵀg + h, b → b − G B⁻¹c."""
    m = model.dimension
    u, v = (np.linalg.qr(rng.normal(size=(m, m)))[0] for _ in range(2))
    stretch = u @ np.diag(np.geomspace(1, 1e6, m)) @ v
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


@given(pairs(), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_it_needs_logits_only_and_no_order_of_inputs(pair, seed):
    p, q = pair
    expected = logit_distance(p, q)
    boxes = [Representations.from_logits(centred_logits(model)) for model in pair]
    for other in ((boxes[0], boxes[1]), (p, boxes[1]), (boxes[0], q)):
        assert logit_distance(*other) == pytest.approx(expected, rel=1e-9)
    order = np.random.default_rng(seed).permutation(p.num_inputs)
    turned = [Representations(m.embeddings[order], m.unembeddings, bias=m.bias) for m in pair]
    assert logit_distance(*turned) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(
        logit_distance_by_input(*turned), logit_distance_by_input(p, q)[torch.from_numpy(order)], rtol=1e-7, atol=1e-12
    )


@pytest.mark.parametrize("block_bytes", [1, 1 << 25])
def test_the_size_of_blocks_changes_no_number(monkeypatch, block_bytes):
    rng = np.random.default_rng(8)
    p, q = (
        Representations(rng.normal(size=(500, m)) + 3, rng.normal(size=(90, m)), bias=bias)
        for m, bias in ((2, rng.normal(size=90)), (3, None))
    )
    monkeypatch.setattr(logit_roots_module, "_BLOCK_BYTES", block_bytes)
    delta = centred_logits(p) - centred_logits(q)
    assert logit_distance(p, q) == pytest.approx(np.sqrt(np.square(delta).sum(1).mean()), rel=1e-12)
    weights = rng.uniform(0, 1, 90)
    own, other = (logits - (logits * weights).sum(1)[:, None] / weights.sum() for logits in map(centred_logits, (p, q)))
    expected = np.sqrt((np.square(own - other) * weights).sum(1).mean())
    assert logit_distance(p, q, weights) == pytest.approx(expected, rel=1e-12)
