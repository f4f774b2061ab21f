"""Comparisons become matrices of distances, and what is no matrix of distances says how to make one."""

import numpy as np
import pytest

import closedist
from closedist import InputError
from tests.page.pages import small_models

NAMES = list("abcd")


@pytest.fixture(scope="module")
def comparisons():
    return closedist.compare_all(small_models(4), names=NAMES)


@pytest.mark.parametrize(
    ("measure", "distance"),
    [
        ("logit_correlation", lambda c: np.sqrt(2 * (1 - c.logit_correlation))),
        ("kl", lambda c: (c.kl + c.kl_reverse) / 2),
        ("mean_cca_embeddings", lambda c: 1 - c.mean_cca_embeddings),
        ("llv", lambda c: c.llv),
    ],
)
def test_every_entry_is_that_of_its_pair(comparisons, measure, distance):
    found = closedist.distances(comparisons, measure)
    for c in comparisons:
        i, j = (NAMES.index(name) for name in c.names)
        assert found[i, j] == found[j, i] == pytest.approx(distance(c), rel=1e-12, abs=1e-12)
    assert not np.diagonal(found).any()


def test_a_single_comparison_is_the_matrix_of_two_models(comparisons):
    assert closedist.distances(comparisons[0]).shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda cs: (cs[:-1],), "are not all pairs"),
        (lambda cs: (cs[::-1],), "are not all pairs of 4 models in order"),
        (lambda cs: ([],), "comparisons: a list of comparisons of all pairs"),
        (lambda cs: (np.eye(3),), "comparisons: a list of comparisons of all pairs"),
        (lambda cs: (cs, "nonsense"), "measure: 'nonsense'; it is one of logit_correlation, "),
        (lambda cs: (cs, "pivot_label"), "measure: 'pivot_label'"),
    ],
)
def test_what_makes_no_matrix_is_refused(comparisons, arguments, words):
    with pytest.raises(InputError, match=words):
        closedist.distances(*arguments(comparisons))


def test_comparisons_in_the_place_of_distances_are_refused_with_the_remedy(comparisons):
    for given in (comparisons, comparisons[0]):
        for ask in (lambda it: closedist.group_models(it, 0.1), closedist.model_map):
            with pytest.raises(InputError, match=r"closedist\.distances\(comparisons\)"):
                ask(given)


def test_one_comparison_in_the_place_of_a_list_is_refused_with_the_remedy(comparisons):
    with pytest.raises(InputError, match=r"rows\(\[c\]\)"):
        closedist.rows(comparisons[0])
    with pytest.raises(InputError, match="a list of comparisons is needed"):
        closedist.rows([1])
