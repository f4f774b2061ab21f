"""The logit correlation: what it is, what it sees and what it does not, its two bounds and its breakdown by label."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from closedist import InputError, Representations
from closedist.measures.logit_correlation import (
    label_correlations,
    logit_correlation,
    logit_correlations_of_pairs,
    logit_decorrelation,
    rotated_decorrelations,
)
from closedist.measures.moments import moments
from closedist.measures.roots import CentredRoot
from closedist.measures.stack import stacked
from tests.exact_reference import log_likelihoods as exact_log_likelihoods
from tests.random_models import linear_map, mapped, models, noisy, random_model, represent, seeds
from tests.slow_reference import Array, Model, log_likelihoods


def double_centred(table: Array) -> Array:
    return table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()


def cosine(a: Array, b: Array) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@settings(max_examples=40, deadline=None)
@given(models(same_dimension=False), st.booleans())
def test_it_is_the_correlation_of_all_double_log_odds(pair: list[Model], written_out: bool) -> None:
    p, q = pair
    tables = [log_likelihoods(model) for model in pair]
    expected = cosine(*map(double_centred, tables))
    if written_out and len(p.f) * len(p.g) < 250:  # every ℓ(y|x) − ℓ(y'|x) − ℓ(y|x̃) + ℓ(y'|x̃)
        odds = [t[:, None, :] - t[None, :, :] for t in tables]
        doubled = [o[..., :, None] - o[..., None, :] for o in odds]
        assert cosine(*doubled) == pytest.approx(expected, abs=1e-10)
    assert logit_correlation(represent(p), represent(q)) == pytest.approx(expected, abs=1e-10)
    found = label_correlations(represent(p), represent(q))
    for label in range(len(p.g)):
        columns = [double_centred(table)[:, label] for table in tables]
        assert float(found[label]) == pytest.approx(cosine(*columns), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(3, 9))
def test_the_best_rotation_of_labels_or_of_inputs_leaves_less(seed: int, m: int, n: int, num_labels: int) -> None:
    """Theorem: 1 − ‖HᵀH'‖_*/(‖H‖‖H'‖) and 1 − ‖HH'ᵀ‖_*/(‖H‖‖H'‖) are at most 1 − logit correlation."""
    p, q = random_model(seed, 30, num_labels, m), random_model(seed + 1, 30, num_labels, n)
    if seed % 2:
        q = noisy(p, 0.1, seed)
    inputs, labels = roots(p, q)
    decorrelation = logit_decorrelation(inputs, labels)
    of_labels, of_inputs = rotated_decorrelations(inputs, labels)
    assert float(of_labels) <= float(decorrelation) + 1e-14
    assert float(of_inputs) <= float(decorrelation) + 1e-14
    h, other = (double_centred(log_likelihoods(model)) for model in (p, q))
    size = np.linalg.norm(h) * np.linalg.norm(other)
    assert float(of_labels) == pytest.approx(1 - np.linalg.norm(h.T @ other, "nuc") / size, abs=1e-10)
    assert float(of_inputs) == pytest.approx(1 - np.linalg.norm(h @ other.T, "nuc") / size, abs=1e-10)


def roots(p: Model, q: Model) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    found = []
    for parts in ((p.f, q.f), (p.g, q.g)):
        root = CentredRoot()
        root.add(torch.from_numpy(np.concatenate(parts, 1)))
        found.append(tuple(root.root().split([part.shape[1] for part in parts], 1)))
    return found[0], found[1]


@settings(max_examples=40, deadline=None)
@given(models(count=3, same_dimension=False))
def test_the_root_of_twice_its_complement_is_a_pseudometric(family: list[Model]) -> None:
    p, q, r = map(represent, family)
    distance = {
        (i, j): np.sqrt(2 * (1 - logit_correlation(a, b)))
        for i, a in enumerate((p, q, r))
        for j, b in enumerate((p, q, r))
    }
    assert distance[0, 2] <= distance[0, 1] + distance[1, 2] + 1e-7
    assert distance[0, 1] == pytest.approx(distance[1, 0], abs=1e-7)
    assert distance[1, 1] < 1e-7


@settings(max_examples=30, deadline=None)
@given(models(count=1), seeds)
def test_it_sees_the_distribution_only_and_no_temperature(family: list[Model], seed: int) -> None:
    p, d = family[0], family[0].f.shape[1]
    twin = mapped(p, linear_map(seed, d, 100.0), np.random.default_rng(seed).normal(size=d))
    assert logit_correlation(represent(p), represent(twin)) == pytest.approx(1, abs=1e-12)
    assert logit_correlation(represent(p), represent(Model(7 * p.f, p.g, p.b))) == pytest.approx(1, abs=1e-12)
    assert logit_correlation(represent(p), represent(Model(-p.f, p.g, p.b))) == pytest.approx(-1, abs=1e-12)
    black_box = Representations.from_logits(log_likelihoods(p))
    assert logit_correlation(represent(p), black_box) == pytest.approx(1, abs=1e-12)


def test_it_sees_which_label_is_which() -> None:
    p = random_model(0, 50, 8, 3)
    swapped = Model(p.f, p.g[[0, 1, 2, 7, 4, 5, 6, 3]], p.b)
    assert logit_correlation(represent(p), represent(swapped)) < 0.9
    by_label = label_correlations(represent(p), represent(swapped))
    assert set(by_label.topk(2, largest=False).indices.tolist()) == {3, 7}
    assert float(by_label[[0, 1, 2, 4, 5, 6]].min()) > 0.95


def test_close_models_keep_the_digits_of_its_complement() -> None:
    p = random_model(3, 30, 5, 2)
    for size in (1e-3, 1e-6, 1e-9):
        q = noisy(p, size, 4)
        tables = [exact_log_likelihoods(model) for model in (p, q)]
        centred = []
        for rows in tables:
            n, c = len(rows), len(rows[0])
            by_label = [sum(row[y] for row in rows) / n for y in range(c)]
            grand = sum(by_label) / c
            centred.append([[v - sum(row) / c - by_label[y] + grand for y, v in enumerate(row)] for row in rows])
        products = [
            sum((a * b for r, s in zip(left, right, strict=True) for a, b in zip(r, s, strict=True)), mpf(0))
            for left, right in ((centred[0], centred[1]), (centred[0], centred[0]), (centred[1], centred[1]))
        ]
        exact = 1 - products[0] / (products[1] * products[2]) ** 0.5
        assert float(logit_decorrelation(*roots(p, q))) == pytest.approx(float(exact), rel=1e-5, abs=0)


@pytest.mark.parametrize("num_inputs", [4, 40])  # rows as they are, and coordinates of each model's own
def test_all_pairs_at_once_are_the_pairs(num_inputs: int) -> None:
    family = [represent(random_model(seed, num_inputs, 6, 3)) for seed in range(4)]
    pairs = torch.tensor(list(combinations(range(4), 2)))
    measured = moments(stacked(family), pairs)
    found = logit_correlations_of_pairs(measured.over_inputs, measured.over_labels, pairs)
    for value, (i, j) in zip(found.tolist(), pairs.tolist(), strict=True):
        assert value == pytest.approx(logit_correlation(family[i], family[j]), abs=1e-12)


def test_two_labels_are_enough_and_one_input_is_not() -> None:
    p, q = random_model(0, 30, 2, 2), random_model(1, 30, 2, 2)
    odds = [log_likelihoods(model) @ [1, -1] for model in (p, q)]
    expected = np.corrcoef(*odds)[0, 1]
    assert logit_correlation(represent(p), represent(q)) == pytest.approx(expected, abs=1e-12)
    alone = represent(Model(p.f[:1], p.g, p.b))
    with pytest.raises(InputError, match="model p do not vary over its 1 inputs"):
        logit_correlation(alone, alone)


def test_a_label_that_varies_in_one_model_only_correlates_with_nothing() -> None:
    p = random_model(0, 30, 5, 2)
    g = p.g - p.g.mean(0)
    g[3] = 0
    g[4] -= g.mean(0) * 5  # so that the mean stays zero
    found = label_correlations(represent(p), represent(Model(p.f, g, p.b)))
    assert float(found[3]) == 0
    assert float(found[0]) > 0.5
