"""What a distance of logits is proved to say (SEQUEL.md 1.4): each theorem on random pairs, definitions written out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import mean_svd
from closedist.measures.by_input import by_input
from closedist.measures.logit_bounds import canonical_correlations, logit_variances, variance_apart
from closedist.measures.logit_distance import logit_distance, logit_distance_by_input, logit_distances
from closedist.measures.logit_roots import logit_roots
from closedist.measures.probe_transfer import probe_transfer
from closedist.measures.representation_distance import representation_distance
from closedist.measures.subset_dissimilarity import subset_dissimilarity
from closedist.representations import Representations
from tests.measures.test_logit_distance import TIGHT, centred_logits, pairs

ROUNDING = 1e-13  # of what sums of probabilities lose


def log_probabilities(model):
    logits = centred_logits(model)
    return logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) - logits.max(1)[:, None]


def cooler(model, factor):
    """The same model with smaller logits, so that no probability is next to nothing."""
    bias = None if model.bias is None else model.bias * factor
    return Representations(model.embeddings * factor, model.unembeddings, bias=bias)


@given(pairs())
@settings(max_examples=20, deadline=None)
def test_t1_the_uniform_mean_is_bounded_by_the_worst_choice_of_labels(pair):
    p, q = pair
    g = p.unembeddings.numpy()
    smallest = min(
        np.linalg.svd(g[list(set(labels) - {pivot})] - g[pivot], compute_uv=False)[-1]
        for labels in combinations(range(p.num_labels), p.dimension + 1)
        for pivot in labels
    )
    bound = np.sqrt(2 * p.dimension / (p.num_labels - 1)) * logit_distance(p, q) / smallest
    assert np.sqrt(subset_dissimilarity(p, q).mean) <= bound * TIGHT


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_t4_logits_this_close_leave_the_embeddings_correlated(pair):
    p, q = pair
    c, f, other = centred_logits(p), p.embeddings.numpy(), q.embeddings.numpy()
    variances = np.sort(np.linalg.eigvalsh(np.cov(c.T, bias=True)))[::-1][: p.dimension]
    bases = [np.linalg.qr(part - part.mean(0))[0] for part in (f, other)]
    correlations = np.zeros(p.dimension)
    found = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    correlations[: len(found)] = found
    expected = (variances * (1 - np.square(correlations))).sum()
    roots, _ = logit_roots(p, q)
    apart = variance_apart(logit_variances(roots), canonical_correlations(roots))
    assert float(apart) == pytest.approx(expected, rel=1e-6, abs=1e-10 * variances.sum())
    assert float(apart) <= float(logit_distances(roots).centred) ** 2 * TIGHT


@given(pairs(), st.sampled_from([1.0, 0.1, 0.01]))
@settings(max_examples=30, deadline=None)
def test_t7_kl_of_every_input_is_at_most_a_quarter_of_its_squared_distance_and_an_eighth_of_its_range(pair, factor):
    p, q = (cooler(model, factor) for model in pair)
    delta = centred_logits(p) - centred_logits(q)
    kl = by_input([p, q]).kl.flatten().numpy()
    assert (kl <= logit_distance_by_input(p, q).numpy() ** 2 / 4 * TIGHT + ROUNDING).all()
    assert (kl <= np.square(delta.max(1) - delta.min(1)) / 8 * TIGHT + ROUNDING).all()


@given(pairs(), st.sampled_from([0.3, 0.1, 0.01]))
@settings(max_examples=30, deadline=None)
def test_t8_where_no_label_is_unlikely_a_small_kl_means_a_small_distance_of_logits(pair, factor):
    p, q = (cooler(model, factor) for model in pair)
    least = np.minimum(np.exp(log_probabilities(p)), np.exp(log_probabilities(q))).min(1)  # (N,) τ(x)
    kl = by_input([p, q]).kl.flatten().numpy()
    assert logit_distance(p, q) ** 2 <= 2 / least.min() * (kl.mean() + ROUNDING) * TIGHT
    assert (logit_distance_by_input(p, q).numpy() ** 2 <= 2 / least * (kl + ROUNDING) * TIGHT).all()


@given(pairs(labels=(4, 7)), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_t9_it_bounds_the_first_paper_s_d_svd_for_every_choice_of_labels(pair, size):
    p, q = pair
    c, other = centred_logits(p), centred_logits(q)
    squared = float(logit_distances(logit_roots(p, q)[0]).centred) ** 2
    spread = (c - other).var(0)  # Var Δ_y
    for pivot in range(p.num_labels):
        allowed = (squared + p.num_labels * spread[pivot]) / 2
        if pivot == spread.argmin():
            allowed = min(allowed, squared)
        odds, others = (np.delete(part - part[:, [pivot]], pivot, 1) for part in (c, other))
        deviations = odds.std(0) * others.std(0)
        for labels in combinations(range(p.num_labels - 1), size):
            chosen = list(labels)
            apart = 1 - mean_svd(odds[:, chosen], others[:, chosen])
            assert apart <= allowed / (size * deviations[chosen].min()) * TIGHT + ROUNDING


@given(pairs(), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_t10_what_a_carried_probe_reads_is_off_by_no_more_than_d_rep(pair, seed):
    p, q = pair
    probes = np.random.default_rng(seed).normal(size=(3, p.dimension))
    (f, g, b), (other, h, b_other) = (
        (m.embeddings.numpy(), m.unembeddings.numpy(), 0.0 if m.bias is None else m.bias.numpy()) for m in (p, q)
    )
    inverse = np.linalg.pinv(g - g.mean(0))
    shift = inverse @ np.broadcast_to(b_other - b, (p.num_labels,))
    left = f - other @ (inverse @ (h - h.mean(0))).T - shift
    root_mean_square = np.sqrt(np.square(left @ probes.T).mean(0))
    assert (root_mean_square <= np.linalg.norm(probes, axis=1) * representation_distance(p, q) * TIGHT).all()
    found = probe_transfer(p, q, probes)
    read = (f @ probes.T).var(0)
    np.testing.assert_allclose(found.share_lost, (left @ probes.T).var(0) / read, rtol=1e-6, atol=1e-12)
    regressors = np.column_stack([other, np.ones(len(other))])
    rest = f @ probes.T - regressors @ np.linalg.lstsq(regressors, f @ probes.T)[0]
    np.testing.assert_allclose(found.share_lost_by_best_map, rest.var(0) / read, rtol=1e-6, atol=1e-12)
    assert (found.share_lost_by_best_map.numpy() <= (left @ probes.T).var(0) / read * TIGHT + 1e-12).all()
