"""Where there are more than 10,000 label subsets the worst one is searched for; nothing has to be asked for."""

import math
from itertools import combinations

import numpy as np
import pytest

from closedist import compare, compare_all, mean_svd
from closedist.pairs import choices
from tests.random_models import noisy, random_model, represent
from tests.slow_reference import Model


def d_svd(p: Model, q: Model, pivot: int, labels: tuple[int, ...]) -> float:
    return 1 - mean_svd(*(model.f @ (model.g[list(labels)] - model.g[pivot]).T for model in (p, q)))


def test_it_finds_what_going_through_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = 0
    for seed in range(8):
        p = random_model(seed, 80, 12, 4)
        q = noisy(p, 0.3, seed)
        every = compare(represent(p), represent(q))
        with monkeypatch.context() as patch:
            patch.setattr(choices, "MAX_ENUMERATED", 10)
            c = compare(represent(p), represent(q))
        assert (every.dissimilarity_exact, c.dissimilarity_exact) == (True, False)
        assert c.num_label_subsets == every.num_label_subsets == math.comb(10, 4)
        assert len(c.m_svd_embeddings) == 1
        assert c.dissimilarity_embeddings <= every.dissimilarity_embeddings * (1 + 1e-12)
        assert c.dissimilarity_embeddings == pytest.approx(1 - c.m_svd_embeddings[0], rel=1e-9)
        assert c.dissimilarity_embeddings == pytest.approx(d_svd(p, q, c.pivot_label, c.worst_labels), rel=1e-9)
        found += c.worst_labels == every.worst_labels
    assert found >= 6


def test_the_worst_labels_are_those_of_the_largest_dissimilarity() -> None:
    p, q = random_model(0, 60, 7, 2), random_model(1, 60, 7, 2)
    c = compare(represent(p), represent(q))
    rest = [label for label in range(7) if label not in (c.pivot_label, c.left_out_label)]
    assert c.worst_labels == max(combinations(rest, 2), key=lambda labels: d_svd(p, q, c.pivot_label, labels))


def test_of_many_labels_a_few_hundred_candidates_are_enough_for_a_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vocabulary, a network of a thousand classes, pairs of models of different dimension: no option is needed."""
    monkeypatch.setattr(choices, "TABLED", 100)
    family = [random_model(seed, 300, 400, dimension) for seed, dimension in ((0, 8), (1, 8), (2, 30))]
    family.append(noisy(family[0], 0.1, 3))
    for c in compare_all([represent(model) for model in family]):
        assert not c.dissimilarity_exact
        assert c.num_label_subsets == min(math.comb(398, c.subset_size), 2**63 - 1)
        assert c.dissimilarity <= c.unsigned_certificate <= c.certificate
        assert c.dissimilarity > 0.3 * c.unsigned_certificate
        sampled = compare(represent(family[0]), represent(family[1]), num_subsets=300)
    (same,) = compare_all([represent(family[0]), represent(family[1])])
    assert same.dissimilarity_embeddings > np.max(1 - np.array(sampled.m_svd_embeddings))


def test_pairs_at_once_find_what_each_finds() -> None:
    family = [represent(noisy(random_model(0, 80, 20, 8), 0.3, seed)) for seed in range(4)]
    for (i, j), c in zip(combinations(range(4), 2), compare_all(family), strict=True):
        alone = compare(family[i], family[j])
        assert (c.worst_labels, c.dissimilarity_exact) == (alone.worst_labels, False)
        assert c.dissimilarity == pytest.approx(alone.dissimilarity, rel=1e-9)
