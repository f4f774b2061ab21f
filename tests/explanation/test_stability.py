"""Distances without each group of inputs are those of the models on the other inputs."""

import numpy as np
import pytest

from closedist import InputError, Representations, group_models
from closedist.explanation.stability import distances_without_groups

N, C = 120, 5


def some_models(count=4):
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(N, 3)), rng.normal(size=(C, 3))
    return [Representations(f + 0.2 * i * rng.normal(size=f.shape), g, bias=rng.normal(size=C)) for i in range(count)]


def distances(models, rows):
    logits = [m.embeddings.numpy()[rows] @ m.unembeddings.numpy().T for m in models]
    centred = [z - z.mean(1, keepdims=True) for z in logits]
    units = [(h - h.mean(0)) / np.linalg.norm(h - h.mean(0)) for h in centred]
    return np.array([[np.linalg.norm(u - v) for v in units] for u in units])


def test_each_replicate_is_what_the_other_inputs_give():
    models = some_models()
    given = np.random.default_rng(1).integers(0, 9, N)
    for groups, codes in ((None, np.arange(N) * 20 // N), (given, given)):
        found = distances_without_groups(models, groups)
        assert found.shape == (len(np.unique(codes)), 4, 4)
        for group, matrix in enumerate(found):
            np.testing.assert_allclose(matrix, distances(models, codes != group), atol=1e-7)


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    whole = distances_without_groups(some_models())
    monkeypatch.setattr("closedist.explanation.stability._ELEMENTS", 4 * C * 2)
    np.testing.assert_allclose(distances_without_groups(some_models()), whole, rtol=1e-9, atol=1e-7)


def test_a_group_that_rests_on_a_few_inputs_is_not_found_again_without_them():
    rng = np.random.default_rng(2)
    f, g = rng.normal(size=(N, 3)), rng.normal(size=(C, 3))
    moved = f.copy()
    moved[:6] += 12 * rng.normal(size=(6, 3))  # all in the first block
    models = [Representations(part, g) for part in (f, f + 1e-3 * rng.normal(size=f.shape), moved, -f)]
    matrix = distances(models, np.arange(N))
    close = group_models(matrix, 0.5 * matrix[0, 2], replicates=distances_without_groups(models))
    assert dict(zip(map(len, close.members), close.stability, strict=True))[2] == pytest.approx(0.95)


def test_what_cannot_be_left_out_is_refused():
    models = [model.at(inputs=range(5)) for model in some_models()]
    with pytest.raises(InputError, match="at least 8"):
        distances_without_groups(models)
    with pytest.raises(InputError, match="groups: shape"):
        distances_without_groups(some_models(), groups=[1, 2])
