"""The second paper's appendices G and H: the pairs are its own, and they show what the paper says they show."""

import json

import numpy as np
import pytest

from closedist import kl_divergence, logit_distance, mean_cca, representation_distance
from closedist.paper.distillation.constructed import equal_answers_other_unembeddings, equal_embeddings_other_answers

PAIRS = {"ex1": equal_embeddings_other_answers, "ex2": equal_answers_other_unembeddings}


@pytest.mark.parametrize(("key", "file"), [("ex1", "example_max_mcca"), ("ex2", "example_small_kl")])
def test_the_pairs_are_the_published_ones(shared, key, file):
    arrays = np.load(shared / "golden" / "sequel" / f"{file}.npz")
    for side, model in zip("12", PAIRS[key](), strict=True):
        np.testing.assert_allclose(model.embeddings, arrays[f"f{side}"], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(model.unembeddings, arrays[f"g{side}"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("key", "kl"), [("ex1", ("kl12", "kl21")), ("ex2", ("true_kl12", "true_kl21"))])
def test_their_numbers_are_an_independent_program_s(shared, key, kl):
    expected = json.loads((shared / "golden/sequel/examples_numbers.json").read_text())[key]
    p, q = PAIRS[key]()
    assert kl_divergence(p, q) == pytest.approx(expected[kl[0]], rel=1e-8)
    assert kl_divergence(q, p) == pytest.approx(expected[kl[1]], rel=1e-8)
    assert logit_distance(p, q) == pytest.approx(expected["d_logit"], rel=1e-10)
    assert representation_distance(p, q) == pytest.approx(expected["d_rep_ls"], rel=1e-10)
    assert representation_distance(p, q, "volume") == pytest.approx(expected["volume"], rel=1e-10)


def test_a_perfect_m_cca_of_both_sides_allows_disagreement_on_every_input():
    p, q = equal_embeddings_other_answers()
    assert mean_cca(p.embeddings, q.embeddings) == pytest.approx(1.0)
    assert mean_cca(p.unembeddings, q.unembeddings) == pytest.approx(1.0)
    top, other = ((m.embeddings @ m.unembeddings.T).argmax(1) for m in (p, q))
    assert not bool((top == other).any())


def test_a_kl_of_a_two_hundredth_allows_unembeddings_apart():
    p, q = equal_answers_other_unembeddings()
    assert kl_divergence(p, q) == pytest.approx(0.0045, abs=5e-5)
    assert mean_cca(p.unembeddings, q.unembeddings) == pytest.approx(0.674, abs=5e-4)
