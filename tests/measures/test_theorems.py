"""The theorems behind the numbers (docs/mathematics.md), on random models and with nothing clamped."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from closedist.certainty.of_pairs import _about_the_mean
from closedist.measures.any_pivot import certificate_any_pivot
from closedist.measures.bounds import certificate, unsigned_certificate
from closedist.measures.centred_odds import apart, centred_units
from closedist.measures.moments import moments
from closedist.measures.stack import stacked
from closedist.measures.subset_search import label_gradients
from closedist.measures.terms import axis_of
from tests.random_models import noisy, random_model, represent, seeds
from tests.slow_reference import Array, Model, log_likelihoods, terms

ROUNDING = 1e-12


def unit_odds(table: Array, pivot: int, items: list[int]) -> Array:
    odds = table[:, items] - table[:, [pivot]]
    odds = odds - odds.mean(0)
    return odds / np.linalg.norm(odds, axis=0)


def d_svd(cross: Array) -> float:
    return float(1 - np.linalg.norm(cross, "nuc") / len(cross))


def largest(cross: Array, size: int) -> float:
    """D(K), by enumeration."""
    return max(d_svd(cross[np.ix_(s, s)]) for s in combinations(range(len(cross)), size))


@st.composite
def pairs(draw: st.DrawFn, max_labels: int = 9) -> tuple[Model, Model]:
    """Two models on the same inputs and labels: strangers, alike, or one against the reverse of something like it."""
    seed, num_labels = draw(seeds), draw(st.integers(4, max_labels))
    p = random_model(seed, draw(st.integers(12, 60)), num_labels, draw(st.integers(1, 5)))
    kind = draw(st.sampled_from(["stranger", "alike", "close", "reverse"]))
    if kind == "stranger":
        return p, random_model(seed + 1, len(p.f), num_labels, draw(st.integers(1, 5)))
    q = noisy(p, 1e-3 if kind == "close" else 0.4, seed + 1)
    return p, Model(-q.f, q.g, q.b) if kind == "reverse" else q


def cross_of(pair: tuple[Model, Model], pivot: int = 0, left_out: int = 1) -> tuple[Array, list[int]]:
    rest = [j for j in range(len(pair[0].g)) if j not in (pivot, left_out)]
    p, q = (unit_odds(log_likelihoods(model), pivot, rest) for model in pair)
    return p.T @ q, rest


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_a_larger_subset_is_no_worse_and_one_svd_bounds_every_size(pair: tuple[Model, Model]) -> None:
    """1 − ‖A‖_*/|J| ≤ 1 − mean of the K smallest g ≤ D(K) ≤ 1 − mean of the K smallest |ρ|; D(K + 1) ≤ D(K)."""
    cross, rest = cross_of(pair)
    table = torch.from_numpy(cross)[None]
    gradients = label_gradients(table)[0]
    assert float(gradients.sum()) == pytest.approx(np.linalg.norm(cross, "nuc"))
    worst = [largest(cross, size) for size in range(1, len(rest) + 1)]
    for size in range(1, len(rest) + 1):
        below = float(1 - gradients.sort().values[:size].mean())
        unsigned = float(1 - np.sort(np.abs(np.diag(cross)))[:size].mean())
        signed = float(1 - np.sort(np.diag(cross))[:size].mean())
        assert d_svd(cross) <= below + ROUNDING
        assert below <= worst[size - 1] + ROUNDING
        assert worst[size - 1] <= unsigned + ROUNDING
        assert unsigned <= min(signed, 1) + ROUNDING
        its_labels = gradients.topk(size, largest=False).indices.numpy()
        assert below <= d_svd(cross[np.ix_(its_labels, its_labels)]) + ROUNDING
    assert all(later <= earlier + ROUNDING for earlier, later in pairwise(worst))


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_the_certificates_bound_both_sides_and_d_llv_bounds_them(pair: tuple[Model, Model]) -> None:
    """d ≤ unsigned certificate ≤ certificate ≤ 2·max(t1, t2)², on the label and on the input side."""
    tables = [log_likelihoods(model) for model in pair]
    cross, rest = cross_of(pair)
    size = max(1, len(rest) - 1)
    inputs = list(range(1, size + 1))
    found = [terms(*tables, j, 0) for j in rest]
    of_inputs = [terms(tables[0].T, tables[1].T, i, 0) for i in inputs]
    decorrelation, input_decorrelation = (torch.tensor([[t[3] for t in side]]) for side in (found, of_inputs))
    used = torch.ones_like(decorrelation, dtype=torch.bool)
    upper = float(certificate(decorrelation, used, input_decorrelation))
    unsigned = float(unsigned_certificate(decorrelation, used, input_decorrelation))
    input_units = [unit_odds(table.T, 0, inputs) for table in tables]
    d = max(largest(cross, size), d_svd(input_units[0].T @ input_units[1]))
    t = max(max(terms_of[:2]) for terms_of in [*found, *of_inputs])
    assert d <= unsigned + ROUNDING
    assert unsigned <= min(1, upper) + ROUNDING
    assert upper <= 2 * t**2 + ROUNDING


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_the_regression_on_the_other_models_log_odds_explains_what_d_says(pair: tuple[Model, Model]) -> None:
    """Mean R² of one model's K log-odds on the other's ≥ (1 − d)² for every subset, and 2d of the variance is left."""
    cross, rest = cross_of(pair)
    size = max(1, len(rest) - 1)
    worst = largest(cross, size)
    p, q = (unit_odds(log_likelihoods(model), 0, rest) for model in pair)
    for subset in combinations(range(len(rest)), size):
        basis, sizes, _ = np.linalg.svd(p[:, subset], full_matrices=False)
        assume(sizes[-1] > 1e-6 or sizes[-1] < 1e-13)
        basis = basis[:, sizes > 1e-9]
        explained = np.linalg.norm(basis.T @ q[:, subset]) ** 2 / size
        assert explained >= (1 - worst) ** 2 - 1e-9
        left, _, right = np.linalg.svd(cross[np.ix_(subset, subset)])
        rest_of_it = np.linalg.norm(p[:, subset] @ (left @ right) - q[:, subset]) ** 2 / size
        assert rest_of_it == pytest.approx(2 * d_svd(cross[np.ix_(subset, subset)]), abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 4))
def test_the_root_of_d_is_a_pseudometric_at_fixed_choices(seed: int, size: int) -> None:
    models = [random_model(seed, 40, 7, 3)]
    models += [noisy(models[0], 0.3, seed + 1), random_model(seed + 2, 40, 7, 2)]
    units = [unit_odds(log_likelihoods(model), 0, list(range(1, size + 1))) for model in models]
    d = {(i, j): max(0.0, d_svd(units[i].T @ units[j])) ** 0.5 for i in range(3) for j in range(3)}
    for i, j, k in ((0, 1, 2), (1, 0, 2), (0, 2, 1)):
        assert d[i, k] <= d[i, j] + d[j, k] + 1e-7


@settings(max_examples=40, deadline=None)
@given(pairs(max_labels=7))
def test_the_certificate_over_any_pivot_bounds_the_label_side_at_every_choice(pair: tuple[Model, Model]) -> None:
    num_labels = len(pair[0].g)
    size = max(1, num_labels - 3)
    models = stacked([represent(model) for model in pair])
    indices = torch.tensor([[0, 1]])
    axis = axis_of(moments(models, indices).over_inputs, models.labels, indices)
    found = float(certificate_any_pivot(axis, size))
    by_pivot = []
    for pivot in range(num_labels):
        rest = [j for j in range(num_labels) if j != pivot]
        p, q = (unit_odds(log_likelihoods(model), pivot, rest) for model in pair)
        unlike = np.sort(1 - np.abs((p * q).sum(0)))[::-1]
        by_pivot.append(unlike[:size].mean())
        for left_out in rest:
            assert largest(cross_of(pair, pivot, left_out)[0], size) <= found + 1e-10
    assert found == pytest.approx(max(by_pivot), rel=1e-8, abs=1e-12)


def test_pairs_at_once_have_the_certificate_over_any_pivot_of_each() -> None:
    models = stacked([represent(random_model(seed, 50, 6, 3)) for seed in range(4)])
    indices = torch.tensor([[0, 1], [1, 3], [0, 2]])
    measured = moments(models, indices)
    together = certificate_any_pivot(axis_of(measured.over_inputs, models.labels, indices), 3)
    for index, pair in enumerate(indices):
        alone = certificate_any_pivot(axis_of(measured.over_inputs, models.labels, pair[None]), 3)
        assert float(together[index]) == pytest.approx(float(alone), rel=1e-9)


def test_labels_with_equal_rows_are_no_pair_for_it() -> None:
    p, q = random_model(0, 40, 6, 2), random_model(1, 40, 6, 2)
    both = [Model(m.f, m.g[[0, 1, 2, 3, 4, 5, 5]], m.b[[0, 1, 2, 3, 4, 5, 5]]) for m in (p, q)]
    indices = torch.tensor([[0, 1]])
    values = []
    for pair in ((p, q), both):
        models = stacked([represent(model) for model in pair])
        values.append(
            float(certificate_any_pivot(axis_of(moments(models, indices).over_inputs, models.labels, indices), 2))
        )
    assert np.isfinite(values[1])
    assert values[1] >= values[0] - ROUNDING  # the same table, with one label twice


@st.composite
def with_odd_labels(draw: st.DrawFn) -> tuple[Model, Model]:
    """Labels that are equal, or whose logit less the mean of all varies in one of the models only, or in neither."""
    pair = draw(pairs())
    odd = draw(st.sampled_from(["none", "equal", "flat in one", "flat in both"]))
    if odd == "none":
        return pair
    rows = []
    for index, model in enumerate(pair):
        g = model.g - model.g.mean(0)
        flat = odd == "flat in both" or (odd == "flat in one" and index == 0)
        row = np.zeros((1, g.shape[1])) if flat else g[-1:]
        rows.append(Model(model.f, np.vstack([g, row, row, row]), np.append(model.b, [0.0, 0.0, 0.0])))
    return rows[0], rows[1]


@settings(max_examples=150, deadline=None)
@given(with_odd_labels(), st.data())
def test_the_verdict_s_d_svd_is_at_most_its_certificate(pair: tuple[Model, Model], data: st.DataObject) -> None:
    """Of the K labels that agree least, which the verdict takes, and of any others that are held without a group."""
    indices = torch.tensor([[0, 1]])
    models = stacked([represent(model) for model in pair])
    size = data.draw(st.integers(1, models.num_labels - 1))
    axis = axis_of(moments(models, indices).over_inputs, models.labels, indices)
    unlike = apart(*centred_units(axis))
    h, other = (_about_their_mean(model) for model in pair)
    constant, other_constant = (~part.any(0) for part in (h, other))
    correlations = np.where(constant & other_constant, 1.0, (h * other).sum(0))
    expected = 1 - np.sort(correlations)[:size].mean()

    held = torch.tensor(data.draw(st.permutations(range(models.num_labels)))[:size])
    for labels in (unlike.topk(size).indices, held[None]):
        upper, d = (float(value) for value in _about_the_mean(axis, labels).values())
        chosen = labels[0].numpy()
        own = np.diag((constant & other_constant)[chosen].astype(float))
        cross = h[:, chosen].T @ other[:, chosen] + own
        assert d == pytest.approx(d_svd(cross), abs=1e-11)
        assert upper == pytest.approx(expected, abs=1e-11)
        assert d_svd(cross) <= upper + ROUNDING
        assert -ROUNDING <= d <= upper * (1 + ROUNDING) + 1e-20


def _about_their_mean(model: Model) -> Array:
    """(N, C) logits less their mean over the labels, over the inputs too, at unit length; what is constant is 0."""
    logits = model.f @ model.g.T
    logits = logits - logits.mean(1, keepdims=True)
    logits -= logits.mean(0)
    norms = np.linalg.norm(logits, axis=0)
    return np.divide(logits, norms, out=np.zeros_like(logits), where=norms > 1e-12 * norms.max())
