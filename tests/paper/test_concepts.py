"""A concept that nobody taught a student: measured so that no re-parametrisation of either model moves the number."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from closedist import Representations
from closedist.paper.distillation.concepts import concept_scores, fitted_accuracy, head_accuracy


def blobs(seed=0, noise=0.5, inputs=400, dimension=3, concepts=4):
    """Embeddings in which four concepts lie apart, with their labels in no order."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, concepts, inputs)
    centres = rng.normal(size=(concepts, dimension))
    return centres[labels] + noise * rng.normal(size=(inputs, dimension)), torch.from_numpy(labels)


def stretched(dimension, seed=1, condition=1e3):
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(dimension, dimension)))[0] for _ in range(2))
    return u @ np.diag(np.geomspace(1, condition, dimension)) @ v


def test_a_fitted_probe_is_as_good_as_one_without_a_penalty():
    embeddings, concepts = blobs()
    halves = (slice(None, 200), slice(200, None))
    expected = []
    for fitted, tested in (halves, halves[::-1]):
        probe = LogisticRegression(C=np.inf, max_iter=10_000).fit(embeddings[fitted], concepts[fitted])
        expected.append(probe.score(embeddings[tested], concepts[tested]))
    assert fitted_accuracy(torch.from_numpy(embeddings), concepts) == pytest.approx(np.mean(expected), abs=0.0026)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_no_re_parametrisation_moves_a_fitted_probe(scale):
    embeddings, concepts = blobs()
    moved = scale * (embeddings @ stretched(3).T + 5.0)
    assert fitted_accuracy(torch.from_numpy(moved), concepts) == pytest.approx(
        fitted_accuracy(torch.from_numpy(embeddings), concepts), abs=0.0026
    )


def test_embeddings_without_the_concept_give_chance():
    _, concepts = blobs(inputs=4000)
    noise = torch.from_numpy(np.random.default_rng(3).normal(size=(4000, 3)))
    assert fitted_accuracy(noise, concepts) == pytest.approx(0.25, abs=0.03)


def test_a_student_with_the_teacher_s_distribution_keeps_the_head_whatever_its_coordinates():
    embeddings, concepts = blobs()
    rng = np.random.default_rng(2)
    g, head = rng.normal(size=(10, 3)), rng.normal(size=(4, 3))
    turn = stretched(3)
    teacher = Representations(embeddings, g)
    student = Representations(embeddings @ turn.T, g @ np.linalg.inv(turn))
    found = concept_scores(teacher, torch.from_numpy(head), student, concepts)
    assert found.concept_carried == head_accuracy(torch.from_numpy(embeddings), torch.from_numpy(head), concepts)
    assert found.concept_lost < 1e-12
    assert found.concept_fitted == pytest.approx(fitted_accuracy(teacher.embeddings, concepts), abs=0.0026)


def test_a_student_that_lost_a_direction_loses_what_the_head_reads_there():
    embeddings, concepts = blobs()
    g = np.random.default_rng(2).normal(size=(10, 3))
    teacher = Representations(embeddings, g)
    shuffled = embeddings.copy()
    shuffled[:, 0] = np.random.default_rng(4).permutation(shuffled[:, 0])
    student = Representations(shuffled, g)
    head = np.zeros((4, 3))
    head[:, 0] = [-1.5, -0.5, 0.5, 1.5]
    found = concept_scores(teacher, torch.from_numpy(head), student, concepts)
    expected = np.var(embeddings[:, 0] - shuffled[:, 0]) / np.var(embeddings[:, 0])
    assert found.concept_lost == pytest.approx(expected, rel=1e-9)
    assert found.concept_lost_by_best_map <= 1.0 + 1e-12
