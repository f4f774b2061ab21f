"""What needs all pairs of inputs, for many inputs: in blocks, as closely as stated, in memory that is bounded."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist

import closedist
from closedist.measures import distance_tables, input_geometry
from tests.measures import written_out

NEIGHBOURS = ("mutual_knn", "jaccard", "rank_similarity", "second_order_cosine", "cknna")
IN_BLOCKS = ("rbf_cka", "distance_correlation", "rsa", *NEIGHBOURS)


def views(n, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 6)) * np.logspace(0, -1, 6)
    return x, np.tanh(x @ random.normal(size=(6, 8))) + 0.2 * random.normal(size=(n, 8))


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_blocks_of_rows_change_nothing(name, monkeypatch):
    x, y = views(83)
    whole = getattr(closedist, name)(x, y)
    monkeypatch.setattr(distance_tables, "BLOCK_ELEMENTS", 83 * 2 * 9)
    monkeypatch.setattr("closedist.measures.neighbour_overlap.BLOCK_ELEMENTS", 10 * 16 * 7)
    assert_allclose(getattr(closedist, name)(x, y), whole, rtol=1e-12)
    assert_allclose(whole, written_out.MEASURES[name](x, y), atol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "two far apart", "whole numbers", "a few different"])
def test_the_median_distance_is_exact_however_often_it_counts(kind, monkeypatch):
    random = np.random.default_rng(1)
    x = {
        "normal": random.normal(size=(150, 3)),
        "two far apart": random.normal(size=(151, 3)) + 1e6 * np.eye(151, 1, -7),
        "whole numbers": random.integers(0, 3, size=(150, 2)).astype(float),
        "a few different": random.integers(0, 2, size=(40, 2)).astype(float),
    }[kind]
    monkeypatch.setattr(distance_tables, "_SELECTED", 50)
    monkeypatch.setattr(distance_tables, "_CELLS", 5)
    assert_allclose(distance_tables.median_distance(torch.tensor(x)), np.median(pdist(x)), rtol=1e-12)


@pytest.mark.parametrize("far", [False, True])
def test_ranks_from_a_histogram_give_spearman_to_nine_digits(far, monkeypatch):
    x, y = views(900)
    if far:
        x[3] *= 1e7
    exact = closedist.rsa(x, y)
    monkeypatch.setattr(input_geometry, "_RANKED", 10)
    assert_allclose(closedist.rsa(x, y), exact, atol=1e-9)
    assert_allclose(exact, written_out.rsa(x, y), atol=1e-9)


def test_ranks_from_a_histogram_are_those_of_ties(monkeypatch):
    random = np.random.default_rng(2)
    x, y = random.integers(0, 3, size=(2, 300, 3)).astype(float)
    monkeypatch.setattr(input_geometry, "_RANKED", 10)
    assert_allclose(closedist.rsa(x, y), written_out.rsa(x, y), atol=1e-9)


def test_equally_near_neighbours_are_those_of_lower_number():
    x = np.array([0.0, 1, -1, 2, -2, 3, -3, 10])[:, None]
    found = written_out.neighbour_lists(x, 3)
    from closedist.measures.neighbours import nearest

    assert nearest(torch.tensor(x - x.mean(0)), 3).tolist() == found.tolist()
    assert found[0].tolist() == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_BLOCKS)
def test_twenty_thousand_inputs_need_a_tenth_of_one_table(name):
    code = f"""
import numpy as np, closedist, resource, sys
x, y = np.random.default_rng(0).normal(size=(2, 20_000, 8))
closedist.{name}(x[:100], y[:100])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
closedist.{name}(x, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    used = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert used < 480, f"{used:.0f} MB, where one table of 20,000 × 20,000 has 3,200"
