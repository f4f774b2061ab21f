"""Distances of logits at the edge: duplicate labels, short ranks, few inputs, extreme scales, single precision."""

import numpy as np
import pytest
import torch

from closedist import InputError, Representations, mean_cca
from closedist.measures import logit_bounds as bounds
from closedist.measures.logit_distance import logit_distance, logit_distances
from closedist.measures.logit_roots import logit_roots
from closedist.measures.representation_distance import representation_distance, representation_distances
from closedist.measures.subset_dissimilarity import subset_dissimilarity
from tests.measures.test_logit_distance import TIGHT, centred_logits


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


def test_embeddings_of_a_short_rank_are_measured_where_they_vary():
    rng = np.random.default_rng(4)
    f, g = rng.normal(size=(50, 3)), rng.normal(size=(7, 3))
    f[:, 2] = f[:, 0] - f[:, 1]
    p, q = Representations(f, g), Representations(rng.normal(size=(50, 2)), rng.normal(size=(7, 2)))
    c, delta = centred_logits(p), centred_logits(p) - centred_logits(q)
    roots, _ = logit_roots(p, q)
    by_map = representation_distances(roots)
    left = np.linalg.pinv(g - g.mean(0)) @ delta.T
    assert float(by_map.distance) == pytest.approx(np.sqrt(np.square(left).sum(0).mean()), rel=1e-9)
    variances = np.sort(np.linalg.eigvalsh(np.cov(c.T, bias=True)))[::-1][:3]
    np.testing.assert_allclose(bounds.logit_variances(roots), variances, rtol=1e-9, atol=1e-10)
    apart = bounds.variance_apart(bounds.logit_variances(roots), bounds.canonical_correlations(roots))
    assert float(apart) <= float(logit_distances(roots).centred) ** 2 * TIGHT
    rank = torch.tensor(2)
    least = bounds.mean_cca_bound(logit_distances(roots).centred, bounds.logit_variances(roots), rank)
    assert mean_cca(p.embeddings, q.embeddings) >= float(least) - 1e-9
    assert np.isfinite(float(by_map.relative))


@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_fewer_inputs_than_dimensions_have_distances_too(inputs):
    rng = np.random.default_rng(5)
    p, q = (Representations(rng.normal(size=(inputs, 5)), rng.normal(size=(9, 5))) for _ in range(2))
    delta = centred_logits(p) - centred_logits(q)
    roots, _ = logit_roots(p, q)
    found = logit_distances(roots)
    assert float(found.distance) == pytest.approx(np.sqrt(np.square(delta).sum(1).mean()), rel=1e-9)
    assert float(found.centred) == pytest.approx(np.sqrt(delta.var(0).sum()), rel=1e-9, abs=1e-12)
    left = np.linalg.pinv(p.unembeddings.numpy() - p.unembeddings.numpy().mean(0)) @ delta.T
    assert representation_distance(p, q) == pytest.approx(np.sqrt(np.square(left).sum(0).mean()), rel=1e-9)


def test_single_precision_is_read_as_it_is_and_reckoned_in_double():
    rng = np.random.default_rng(6)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((40, 3), (8, 3), (40, 2), (8, 2))]
    single = [Representations(*arrays[:2]), Representations(*arrays[2:])]
    double = [Representations(*(part.astype(np.float64) for part in pair)) for pair in (arrays[:2], arrays[2:])]
    assert logit_distance(*single) == pytest.approx(logit_distance(*double), rel=1e-13)
    assert representation_distance(*single) == pytest.approx(representation_distance(*double), rel=1e-13)


def test_a_vocabulary_s_weights_count_only_what_they_say():
    rng = np.random.default_rng(9)
    labels = 20_000
    p, q = (Representations(rng.normal(size=(30, 4)), rng.normal(size=(labels, 4))) for _ in range(2))
    weights = np.zeros(labels)
    weights[rng.choice(labels, 50, replace=False)] = 1.0  # the tokens that are used
    used = [Representations(m.embeddings, m.unembeddings[torch.from_numpy(weights > 0)]) for m in (p, q)]
    assert logit_distance(p, q, weights) == pytest.approx(logit_distance(*used), rel=1e-10)
