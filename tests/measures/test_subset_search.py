"""The search for the worst label subset: its gradients, its steps, and what it finds."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist.measures.subset_search import _vertex_gradients, label_gradients, worst_subsets
from tests.measures.test_theorems import cross_of, d_svd, largest, pairs
from tests.random_models import noisy, random_model
from tests.slow_reference import Model


def phi(cross: np.ndarray, x: np.ndarray) -> float:
    root = np.sqrt(x)
    return float(np.linalg.norm(root[:, None] * cross * root, "nuc"))


@settings(max_examples=40, deadline=None)
@given(pairs(), st.data())
def test_a_gradient_at_a_vertex_bounds_every_swap(pair: tuple[Model, Model], data: st.DataObject) -> None:
    """φ(1_T) ≤ ∇φ(1_S)·1_T for T with at most one label that S has not, and equality at S."""
    cross, rest = cross_of(pair)
    size = data.draw(st.integers(1, len(rest)))
    subset = data.draw(st.permutations(range(len(rest))))[:size]
    gradient = _vertex_gradients(torch.from_numpy(cross)[None], torch.tensor([subset]))[0].numpy()
    assert gradient[list(subset)].sum() == pytest.approx(np.linalg.norm(cross[np.ix_(subset, subset)], "nuc"))
    for count in range(1, len(rest) + 1):
        for other in combinations(range(len(rest)), count):
            if len(set(other) - set(subset)) > 1:
                continue
            block = cross[np.ix_(other, other)]
            assert np.linalg.norm(block, "nuc") <= gradient[list(other)].sum() * (1 + 1e-9) + 1e-9


def test_the_gradients_are_the_derivatives() -> None:
    cross, _ = cross_of((random_model(0, 50, 9, 5), random_model(1, 50, 9, 5)))
    table, subset, step = torch.from_numpy(cross)[None], [0, 2, 5], 1e-7
    vertex = np.isin(np.arange(7), subset).astype(float)
    found = _vertex_gradients(table, torch.tensor([subset]))[0].numpy()
    inside = label_gradients(table)[0].numpy()
    for label in range(7):
        towards = np.eye(7)[label] * step
        assert found[label] == pytest.approx((phi(cross, vertex + towards) - phi(cross, vertex)) / step, rel=1e-4)
        assert inside[label] == pytest.approx(
            (phi(cross, np.ones(7) + towards) - phi(cross, np.ones(7))) / step, rel=1e-4
        )


def test_it_finds_what_an_enumeration_finds_nearly_always() -> None:
    exact, shortfall = 0, []
    for seed in range(36):
        generator = np.random.default_rng(seed)
        num_labels, dimension = int(generator.integers(7, 14)), int(generator.integers(2, 7))
        size = min(dimension + int(generator.integers(0, 3)), num_labels - 3)
        p = random_model(seed, 200, num_labels, dimension)
        q = (
            random_model(seed + 100, 200, num_labels, dimension)
            if seed % 3 == 0
            else noisy(p, 0.1 * (1 + seed % 9), seed)
        )
        cross, _ = cross_of((p, q))
        best = largest(cross, size)
        (subset,) = worst_subsets(torch.from_numpy(cross)[None], size).tolist()
        assert subset == sorted(set(subset))
        assert len(subset) == size
        found = d_svd(cross[np.ix_(subset, subset)])
        exact += found > best - 1e-9
        shortfall.append((best - found) / best)
    assert exact >= 31
    assert max(shortfall) < 0.12


def test_pairs_at_once_find_what_each_finds() -> None:
    tables = torch.stack(
        [torch.from_numpy(cross_of((random_model(s, 60, 12, 4), random_model(s + 9, 60, 12, 4)))[0]) for s in range(5)]
    )
    together = worst_subsets(tables, 4)
    for index in range(5):
        assert worst_subsets(tables[index : index + 1], 4)[0].tolist() == together[index].tolist()


def test_one_label_or_all_of_them() -> None:
    cross, rest = cross_of((random_model(0, 50, 8, 3), random_model(1, 50, 8, 3)))
    table = torch.from_numpy(cross)[None]
    assert int(worst_subsets(table, 1)) == int(np.abs(np.diag(cross)).argmin())
    assert worst_subsets(table, len(rest))[0].tolist() == list(range(len(rest)))


def test_on_many_labels_it_beats_a_sample_and_its_bracket_holds() -> None:
    """300 labels, subsets of 40: far too many to go through."""
    p = random_model(0, 1000, 300, 40)
    cross, rest = cross_of((p, noisy(p, 0.2, 1)))
    table = torch.from_numpy(cross)[None]
    (subset,) = worst_subsets(table, 40).numpy()
    found = d_svd(cross[np.ix_(subset, subset)])
    generator = np.random.default_rng(0)
    sampled = [generator.choice(len(rest), 40, replace=False) for _ in range(300)]
    assert found > 1.15 * max(d_svd(cross[np.ix_(s, s)]) for s in sampled)
    below = float(1 - label_gradients(table)[0].topk(40, largest=False).values.mean())
    assert below <= found <= 1 - np.sort(np.abs(np.diag(cross)))[:40].mean()
