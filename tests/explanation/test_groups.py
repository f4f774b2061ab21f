"""Groups keep their promise, the map its distances, and contradictions are found where they were planted."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import InputError
from closedist.explanation.groups import contradiction, group_models, model_map


def distances_of(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.0, 4.0))
@settings(max_examples=50, deadline=None)
def test_any_two_models_of_a_group_are_within_the_threshold_and_no_two_groups_could_be_one(seed, count, threshold):
    distances = distances_of(np.random.default_rng(seed).normal(size=(count, 3)))
    found = group_models(distances, threshold)
    assert sorted(sum(found.members, ())) == list(range(count))
    for group in found.members:
        assert all(distances[i, j] <= threshold for i, j in combinations(group, 2))
    for one, other in combinations(found.members, 2):
        assert max(distances[i, j] for i in one for j in other) > threshold
    for group, medoid in zip(found.members, found.medoids, strict=True):
        assert distances[medoid, list(group)].sum() == min(distances[i, list(group)].sum() for i in group)


def test_planted_groups_are_found_and_their_stability_counted():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(5, 2)) * 0.1, rng.normal(size=(3, 2)) * 0.1 + 10])
    same, moved = distances_of(points), distances_of(points)
    moved[7] = moved[:, 7] = 50.0
    moved[7, 7] = 0.0
    found = group_models(same, 1.0, names=list("abcdefgh"), replicates=[same, moved])
    assert [sorted(group) for group in found.members] == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert found.stability == (1.0, 0.5)
    assert len(found.support) == 7
    assert found.support[-1] == 1.0  # all models
    by_size = {int(row[3]): support for row, support in zip(found.linkage, found.support, strict=True)}
    assert by_size[5] == 1.0  # a to e
    assert by_size[3] == 0.5  # f, g and h, which was moved
    assert group_models(same, 1.0).support == ()
    assert "5 like" in str(found)


@given(st.integers(0, 2**32 - 1), st.integers(2, 10))
@settings(max_examples=30, deadline=None)
def test_points_of_a_plane_keep_their_distances_on_the_map(seed, count):
    distances = distances_of(np.random.default_rng(seed).normal(size=(count, 2)))
    found = model_map(distances)
    np.testing.assert_allclose(distances_of(found.points), distances, atol=1e-6)
    assert found.shown == pytest.approx(1.0, abs=1e-6)


def test_a_map_says_how_little_it_shows():
    corners = np.eye(9)  # all as far from each other: eight dimensions, of which two are shown
    assert model_map(distances_of(corners)).shown == pytest.approx(2 / 8)


def test_the_pair_that_two_measures_contradict_is_named():
    rng = np.random.default_rng(1)
    first = distances_of(rng.normal(size=(6, 2)))
    second = first.copy()
    second[0, 1] = second[1, 0] = first.max() * 2
    first[0, 1] = first[1, 0] = first[first > 0].min() / 2
    found = contradiction(first, second, names=list("abcdef"))
    assert found.close_then_far == ("a", "b")
    assert -1 <= found.agreement < 1


def test_measures_that_rank_all_pairs_alike_contradict_each_other_nowhere():
    distances = distances_of(np.random.default_rng(2).normal(size=(5, 2)))
    found = contradiction(distances, distances**2)
    assert (found.close_then_far, found.far_then_close) == (None, None)
    assert found.agreement == pytest.approx(1.0)


def test_a_measure_that_is_the_same_for_all_pairs_agrees_with_nothing():
    flat = np.ones((4, 4)) - np.eye(4)
    assert contradiction(flat, distances_of(np.random.default_rng(3).normal(size=(4, 2)))).agreement is None


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        ([[0, 1], [2, 0]], "mean of both directions"),
        ([[0, -1], [-1, 0]], "≥ 0"),
        ([[1, 1], [1, 1]], "0 on the diagonal"),
        ([[0.0]], "two models"),
        ([[0, np.nan], [np.nan, 0]], "finite"),
    ],
)
def test_what_is_no_distance_is_refused(distances, message):
    with pytest.raises(InputError, match=message):
        group_models(distances, 1.0)
