"""Replicates of every number against direct deletion: the tables of log-likelihoods with the group's rows taken out."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import compare
from closedist.certainty.groups import contiguous_blocks, given_groups
from closedist.certainty.of_pairs import effective_number, means_without, pair_intervals
from closedist.measures.settings import Settings
from tests.certainty.prepared import Prepared, prepared
from tests.random_models import linear_map, mapped, noisy, random_model, represent, seeds
from tests.slow_reference import Array, Model, choose, label_tables, log_likelihoods, t1_of, terms


def unit_columns(table: Array) -> Array:
    centred = table - table.mean(0)
    return centred / np.linalg.norm(centred, axis=0)


def cca(f: Array, g: Array) -> float:
    q, r = (np.linalg.qr(view - view.mean(0))[0] for view in (f, g))
    return float(np.linalg.svd(q.T @ r, compute_uv=False).mean())


def directly(p: Model, q: Model, ready: Prepared, pair: int, kept: Array) -> dict[str, float]:
    """The numbers of one pair on some inputs, at the labels chosen on all."""
    held, size = ready.held, ready.held.input_distance.shape[1]
    pivot, left_out = int(held.labels.pivot[pair]), int(held.labels.left_out[pair])
    tables = [log_likelihoods(Model(model.f[kept], model.g, model.b)) for model in (p, q)]
    rest = [j for j in range(len(p.g)) if j not in (pivot, left_out)]
    found = {j: terms(*tables, j, pivot) for j in rest}
    correlation_distance = np.sort([found[j][3] for j in rest])[::-1]
    unsigned = np.sort(1 - np.abs(1 - correlation_distance))[::-1]
    of_inputs = held.input_distance[pair].numpy()
    units = [unit_columns(table[:, rest] - table[:, [pivot]]) for table in tables]
    cross = units[0].T @ units[1]
    d = max(1 - np.linalg.norm(cross[np.ix_(s, s)], "nuc") / size for s in combinations(range(len(rest)), size))
    h = [table - table.mean(0) - table.mean(1, keepdims=True) + table.mean() for table in tables]
    rows = [part / np.linalg.norm(part, axis=0) for part in h]
    least = held.least[pair].numpy()
    of_least = np.linalg.norm(rows[0][:, least].T @ rows[1][:, least], "nuc")
    f = [model.f[kept] - model.f[kept].mean(0) for model in (p, q)]
    t1 = max(max(found[j][:2]) for j in rest)
    t3 = max(found[j][2] for j in rest)
    t2, t4 = float(held.input_term[pair]), float(held.input_scale_term[pair])
    return {
        "label_term": t1,
        "label_scale_term": t3,
        "llv": max(t1, t2, 1e-5 * t3, 1e-5 * t4),
        "bound": 2 * size * max(t1, t2, 1e-5 * t3, 1e-5 * t4),
        "quadratic_bound": 2 * max(t1, t2) ** 2,
        "dissimilarity_embeddings": d,
        "dissimilarity": max(d, float(held.input_dissimilarity[pair])),
        "certificate": max(correlation_distance[:size].mean(), of_inputs.mean()),
        "certificate_centred": np.sort(1 - (rows[0] * rows[1]).sum(0))[::-1][:size].mean(),
        "dissimilarity_centred": 1 - of_least / size,
        "unsigned_certificate": max(unsigned[:size].mean(), (1 - np.abs(1 - of_inputs)).mean()),
        "logit_correlation": (h[0] * h[1]).sum() / np.sqrt((h[0] ** 2).sum() * (h[1] ** 2).sum()),
        "cka_embeddings": (f[0].T @ f[1]).__pow__(2).sum()
        / np.linalg.norm(f[0].T @ f[0])
        / np.linalg.norm(f[1].T @ f[1]),
        "mean_cca_embeddings": cca(*f),
    }


@settings(max_examples=8, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(4, 7), st.booleans(), st.booleans())
def test_every_replicate_is_the_number_without_the_group(
    seed: int, dimension: int, num_labels: int, close: bool, scattered: bool
) -> None:
    p = random_model(seed, 60, num_labels, dimension)
    family = [p, noisy(p, 0.3, seed) if close else random_model(seed + 1, 60, num_labels, dimension)]
    family.append(random_model(seed + 2, 60, num_labels, dimension))
    names = np.arange(60) % 9
    groups = given_groups(np.random.default_rng(seed).permutation(names) if scattered else np.sort(names), 60)
    ready = prepared([represent(model) for model in family], groups, Settings(num_samples=5))
    replicates = ready.replicates()
    for pair, (i, j) in enumerate(ready.pairs.tolist()):
        kept = 0
        for group in range(len(groups.sizes)):
            there = (groups.codes != group).numpy()
            expected = directly(family[i], family[j], ready, pair, there)
            assert set(expected) == set(replicates.values)
            for name, value in expected.items():
                found = float(replicates.values[name][group, pair])
                assert found == pytest.approx(value, rel=1e-8, abs=1e-12), name
            tables = [log_likelihoods(Model(m.f[there], m.g, m.b)) for m in (family[i], family[j])]
            by_pair = label_tables(*tables)
            chosen = choose(by_pair, num_labels, "max")
            held = (int(ready.held.labels.pivot[pair]), int(ready.held.labels.left_out[pair]))
            kept += chosen == held
        assert int(replicates.choice_kept[pair]) == kept


def test_means_over_labels_and_sums_of_terms_have_replicates_too() -> None:
    p, q = random_model(0, 60, 5, 2), random_model(1, 60, 5, 2)
    groups = contiguous_blocks(60)
    ready = prepared([represent(p), represent(q)], groups, Settings(reduction="mean", combine="sum", weight=0.5))
    replicates = ready.replicates()
    assert "bound" not in replicates.values
    pivot, left_out = int(ready.held.labels.pivot), int(ready.held.labels.left_out)
    for group in range(20):
        kept = (groups.codes != group).numpy()
        tables = [log_likelihoods(Model(m.f[kept], m.g, m.b)) for m in (p, q)]
        t1 = t1_of(label_tables(*tables), list(range(5)), pivot, left_out, "mean")
        assert float(replicates.values["label_term"][group, 0]) == pytest.approx(t1, rel=1e-9)
        t3 = np.mean([terms(*tables, j, pivot)[2] for j in range(5) if j not in (pivot, left_out)])
        llv = t1 + float(ready.held.input_term) + 0.5 * (t3 + float(ready.held.input_scale_term))
        assert float(replicates.values["llv"][group, 0]) == pytest.approx(llv, rel=1e-9)


def test_the_values_are_those_of_compare() -> None:
    members = [represent(random_model(seed, 80, 6, 2)) for seed in (3, 4)]
    ready = prepared(members, contiguous_blocks(80), Settings())
    comparison = compare(*members, intervals=True)
    for name, value in ready.values().items():
        if name != "unsigned_certificate":
            assert float(value) == pytest.approx(getattr(comparison, name), rel=1e-9), name


def test_of_a_model_and_itself_or_its_twin_there_is_nothing_to_be_unsure_of() -> None:
    p = random_model(5, 200, 5, 3)
    twin = mapped(p, linear_map(0, 3, 100.0), np.ones(3))
    for other in (p, twin):
        ready = prepared([represent(p), represent(other)], contiguous_blocks(200), Settings())
        replicates = ready.replicates().values
        found = pair_intervals(_with_similarities(ready), replicates, torch.ones(20))
        for name in ("label_term", "certificate", "dissimilarity"):
            assert float(found[name].high) < 1e-9, name
        for name in ("logit_correlation", "mean_cca_embeddings"):
            assert float(found[name].low) > 1 - 1e-9, name
            assert float(found[name].standard_error) < 1e-9, name


def test_of_a_model_and_its_reverse_the_certificate_is_two_and_the_correlation_minus_one() -> None:
    p = random_model(6, 200, 5, 3)
    ready = prepared([represent(p), represent(Model(-p.f, p.g, p.b))], contiguous_blocks(200), Settings())
    found = pair_intervals(_with_similarities(ready), ready.replicates().values, torch.ones(20))
    assert float(found["certificate"].low) == pytest.approx(2)
    assert float(found["certificate"].high) == pytest.approx(2)
    assert float(found["logit_correlation"].high) == pytest.approx(-1)
    assert float(found["dissimilarity"].high) < 1e-12
    assert float(found["unsigned_certificate"].high) < 1e-12


def _with_similarities(ready: Prepared) -> dict[str, torch.Tensor]:
    """The values of all fields: where nothing varies, those without a group serve for the similarities."""
    replicates = ready.replicates().values
    return {name: of_groups[0] for name, of_groups in replicates.items()} | ready.values()


def test_where_the_input_side_leads_the_certificate_is_a_fact() -> None:
    p = random_model(7, 150, 6, 2)
    f = noisy(p, 0.02, 7).f
    f[:3] += np.random.default_rng(0).normal(size=(3, 2))  # the inputs of the set
    ready = prepared(
        [represent(p), represent(Model(f, p.g, p.b))], contiguous_blocks(150), Settings(input_set=(0, 1, 2))
    )
    values = ready.values()
    found = pair_intervals(values, {"certificate": ready.replicates().values["certificate"]}, torch.ones(20))
    assert float(found["certificate"].low) == float(found["certificate"].high) == float(values["certificate"])


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(8, 60))
def test_sums_without_a_group_are_those_of_the_other_inputs(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    by_input = torch.from_numpy(generator.exponential(size=(3, count)))
    groups = given_groups(np.concatenate([np.arange(8), generator.integers(0, 8, count - 8)]), count)
    found = means_without(by_input, groups.codes, groups.sizes)
    for group in range(8):
        torch.testing.assert_close(found[group], by_input[:, groups.codes != group].mean(1), rtol=1e-12, atol=0)


def test_the_effective_number_is_of_the_inputs_that_carry_the_mean() -> None:
    few = torch.zeros(3, 100, dtype=torch.float64)
    few[0, :9] = 1e-200
    few[1] = 5
    assert effective_number(few).tolist() == pytest.approx([9, 100, 100])
