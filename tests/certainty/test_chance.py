"""Chance: the closed forms and the fast permutations against permuted models that are measured as any others."""

import numpy as np
import pytest
import torch

from closedist import Representations, compare
from closedist.certainty.chance import chance_of_pairs, chance_of_predictions
from closedist.certainty.permutations import (
    divergences_permuted,
    input_side_dissimilarities,
    inputs_permuted,
    labels_permuted,
    p_values,
    permutations,
)
from closedist.measures.by_input import by_input
from closedist.measures.likelihood import Workspace, log_likelihoods
from closedist.measures.logit_correlation import logit_correlation
from closedist.measures.moments import moments
from closedist.measures.settings import Settings
from closedist.measures.stack import Stack, stacked
from closedist.measures.svd import label_subsets
from closedist.measures.terms import axis_of
from tests.random_models import noisy, random_model, represent
from tests.slow_reference import Model
from tests.slow_reference import log_likelihoods as slow_log_likelihoods

PAIR = torch.tensor([[0, 1]])
FIELDS = ("label_term", "dissimilarity_embeddings", "cka_embeddings", "mean_cca_embeddings", "kl", "kl_reverse")


def two(num_inputs: int = 150, num_labels: int = 6) -> tuple[Representations, Representations]:
    p = random_model(0, num_inputs, num_labels, 3)
    q = random_model(1, num_inputs, num_labels, 2)
    return represent(p), represent(Model(q.f + p.f[:, :2], q.g + p.g[:, :2], q.b))  # somewhat alike


def rows_of(models: Stack) -> tuple[torch.Tensor, torch.Tensor]:
    """Each model's embeddings and −log Z."""
    inputs = models.inputs(slice(0, models.num_inputs))
    shared = torch.cat([-block.normaliser for _, block in log_likelihoods(models, inputs, Workspace.of(models))], 1)
    first, second = torch.cat([inputs, shared.unsqueeze(-1)], -1)
    return first, second


def labels_of(models: Stack) -> tuple[torch.Tensor, torch.Tensor]:
    return models.labels[0], models.labels[1]


def as_arrays(model: Representations) -> Model:
    return Model(model.embeddings.numpy(), model.unembeddings.numpy(), model.bias.numpy())


def tables_of(p: Representations, q: Representations) -> list[torch.Tensor]:
    return [torch.from_numpy(slow_log_likelihoods(as_arrays(model))) for model in (p, q)]


def permuted(q: Representations, order: torch.Tensor, of_labels: bool) -> Representations:
    if of_labels:
        return Representations(q.embeddings, q.unembeddings[order], q.bias[order])
    return Representations(q.embeddings[order], q.unembeddings, q.bias)


EPS = torch.full((1,), torch.finfo(torch.float64).eps, dtype=torch.float64)


def test_permuted_inputs_are_what_compare_says_of_permuted_inputs() -> None:
    p, q = two()
    models = stacked([p, q])
    orders = permutations(150, 7, 0)
    subsets = label_subsets(4, 3, None, 0)[None]
    found = inputs_permuted(rows_of(models), labels_of(models), (EPS, EPS), orders, Settings(), subsets)
    tables = tables_of(p, q)
    found |= divergences_permuted((tables[0].exp(), tables[1].exp()), (tables[0], tables[1]), orders, of_labels=False)
    for index, order in enumerate(orders):
        other = permuted(q, order, False)
        comparison = compare(p, other)
        for name in FIELDS:
            assert float(found[name][index]) == pytest.approx(getattr(comparison, name), rel=1e-8), name
        assert float(found["logit_correlation"][index]) == pytest.approx(logit_correlation(p, other), abs=1e-12)


def test_permuted_labels_are_what_compare_says_of_permuted_labels() -> None:
    p, q = two()
    models = stacked([p, q])
    orders = permutations(6, 7, 0)
    sides = axis_of(moments(models, PAIR).over_inputs, models.labels, PAIR).sides
    subsets = label_subsets(4, 3, None, 0)[None]
    found = labels_permuted(sides, labels_of(models), orders, Settings(), subsets)
    tables = tables_of(p, q)
    found |= divergences_permuted((tables[0].exp(), tables[1].exp()), (tables[0], tables[1]), orders, of_labels=True)
    for index, order in enumerate(orders):
        other = permuted(q, order, True)
        comparison = compare(p, other)
        for name in ("label_term", "dissimilarity_embeddings", "kl", "kl_reverse"):
            assert float(found[name][index]) == pytest.approx(getattr(comparison, name), rel=1e-8), name
        assert float(found["logit_correlation"][index]) == pytest.approx(logit_correlation(p, other), abs=1e-12)


def test_the_input_side_with_permuted_labels() -> None:
    p, q = two()
    input_set, orders = [3, 40, 77, 12], permutations(6, 5, 0)
    odds = [table[input_set][1:] - table[input_set][:1] for table in tables_of(p, q)]
    found = input_side_dissimilarities(odds[0], odds[1], orders)
    for index, order in enumerate(orders):
        comparison = compare(p, permuted(q, order, True), input_set=input_set)
        assert float(found[index]) == pytest.approx(comparison.dissimilarity_unembeddings, rel=1e-9)


@pytest.mark.parametrize("num_labels", [4, 10])
def test_closed_forms_are_the_means_over_permutations(num_labels: int) -> None:
    p, q = two(200, num_labels)
    models = stacked([p, q])
    axis = axis_of(moments(models, PAIR).over_inputs, models.labels, PAIR)
    ranks = (torch.tensor([3]), torch.tensor([2]))
    chance = {name: float(value) for name, value in chance_of_pairs(axis, ranks, 200, Settings()).items()}
    chance |= chance_of_predictions(by_input([p, q]))

    orders = permutations(200, 400, 1)
    null = inputs_permuted(rows_of(models), labels_of(models), (EPS, EPS), orders, Settings(), None)
    tables = tables_of(p, q)
    null |= divergences_permuted((tables[0].exp(), tables[1].exp()), (tables[0], tables[1]), orders, of_labels=False)
    top = [table.argmax(1) for table in tables]
    null["same_top_label"] = torch.stack([(top[0] == top[1][order]).double().mean() for order in orders])

    for name in ("cka_embeddings", "kl", "kl_reverse", "same_top_label", "logit_correlation"):  # exact
        mean, error = float(null[name].mean()), float(null[name].std() / 20)
        assert abs(mean - chance[name]) < 4 * error, name
    square = null["mean_cca_embeddings"].square()
    assert float(square.mean()) < chance["mean_cca_embeddings"] ** 2
    assert float(null["mean_cca_embeddings"].mean()) > 0.7 * chance["mean_cca_embeddings"]
    assert float(null["label_term"].mean()) == pytest.approx(chance["label_term"], rel=0.1)  # an approximation


def test_the_mean_square_of_a_canonical_correlation_is_exact() -> None:
    """E mean ρ² = max(M, M')/(N − 1), where m_CCA² ≤ mean ρ²."""
    generator = np.random.default_rng(0)
    f, g = (
        np.linalg.qr(x - x.mean(0))[0] for x in (generator.normal(size=(60, 4)), generator.exponential(size=(60, 2)))
    )
    squares = [np.linalg.norm(f.T @ g[generator.permutation(60)]) ** 2 / 2 for _ in range(2000)]
    assert np.mean(squares) == pytest.approx(4 / 59, abs=4 * np.std(squares) / np.sqrt(2000))


def test_p_values_are_uniform_for_unrelated_models_and_small_for_alike_ones() -> None:
    """Add-one p-values never reach zero, and say no more than there are permutations."""
    p, q = two()
    near = noisy(as_arrays(p), 0.1, 3)
    orders = permutations(150, 99, 0)
    for other, alike in ((q, False), (represent(near), True)):
        models = stacked([p, other])
        null = inputs_permuted(rows_of(models), labels_of(models), (EPS, EPS), orders, Settings(), None)
        comparison = compare(p, other)
        values = {name: getattr(comparison, name) for name in ("label_term", "cka_embeddings", "mean_cca_embeddings")}
        values["logit_correlation"] = logit_correlation(p, other)
        found = p_values(values, null, set(values) - {"label_term"})
        if alike:
            assert set(found.values()) == {0.01}
    unrelated = []
    for seed in range(60):
        a, b = random_model(2 * seed, 60, 5, 2), random_model(2 * seed + 1, 60, 5, 2)
        models = stacked([represent(a), represent(b)])
        null = inputs_permuted(
            rows_of(models), labels_of(models), (EPS, EPS), permutations(60, 39, seed), Settings(), None
        )
        value = logit_correlation(*models.members)
        null = {"logit_correlation": null["logit_correlation"]}
        unrelated.append(p_values({"logit_correlation": value}, null, {"logit_correlation"}))
    ranks = np.array([found["logit_correlation"] for found in unrelated])
    assert ranks.min() >= 1 / 40
    assert 0.35 < ranks.mean() < 0.65
    assert 0.1 < (ranks <= 0.25).mean() < 0.42


def test_permutations_are_permutations_and_the_seed_says_which() -> None:
    orders = permutations(20, 5, 3)
    assert orders.sort(1).values.tolist() == [list(range(20))] * 5
    assert torch.equal(orders, permutations(20, 5, 3))
    assert not torch.equal(orders, permutations(20, 5, 4))


def test_dissimilarity_by_chance_on_few_labels_is_far_below_one() -> None:
    generator = np.random.default_rng(0)
    small = []
    for seed in range(100):
        odds = torch.from_numpy(generator.normal(size=(2, 2, 4)))
        small.append(input_side_dissimilarities(odds[0], odds[1], permutations(4, 200, seed)))
    assert 0.005 < float(torch.cat(small).quantile(0.05)) < 0.1
