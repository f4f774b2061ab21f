"""Logit correlation, the same top label and the unsigned certificate of every pair, against their definitions."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import Representations, compare, compare_all
from closedist.measures import logit_correlation
from tests.random_models import linear_map, mapped, noisy, random_model, represent, seeds
from tests.slow_reference import Model, label_tables, log_likelihoods


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(2, 7), st.integers(1, 4), st.booleans())
def test_they_are_what_the_tables_of_log_likelihoods_say(seed: int, labels: int, dimension: int, close: bool) -> None:
    p = random_model(seed, 50, labels, dimension)
    family = [p, noisy(p, 0.1, seed) if close else random_model(seed + 1, 50, labels, dimension)]
    family.append(random_model(seed + 2, 50, labels, dimension))
    tables = [log_likelihoods(model) for model in family]
    for (i, j), c in zip(combinations(range(3), 2), compare_all([represent(model) for model in family]), strict=True):
        h, g = (t - t.mean(0) - t.mean(1, keepdims=True) + t.mean() for t in (tables[i], tables[j]))
        assert c.logit_correlation == pytest.approx((h * g).sum() / np.linalg.norm(h) / np.linalg.norm(g), abs=1e-12)
        assert c.same_top_label == (tables[i].argmax(1) == tables[j].argmax(1)).mean()
        if labels == 2:
            assert c.unsigned_certificate is None
            continue
        terms = label_tables(tables[i], tables[j])
        used = [label for label in range(labels) if label not in (c.pivot_label, c.left_out_label)]
        of_labels = sorted((1 - abs(1 - terms[label, c.pivot_label][3]) for label in used), reverse=True)
        steps = [t[list(c.input_set[1:])] - t[c.input_set[0]] for t in (tables[i], tables[j])]
        of_inputs = [1 - abs(np.corrcoef(a, b)[0, 1]) for a, b in zip(*steps, strict=True)]
        expected = max(np.mean(of_labels[: c.subset_size]), np.mean(of_inputs))
        assert c.unsigned_certificate == pytest.approx(expected, rel=1e-7, abs=1e-13)


def test_the_function_and_the_column_are_one_number() -> None:
    p, q = (represent(random_model(seed, 60, 6, 3)) for seed in (0, 1))
    assert compare(p, q).logit_correlation == pytest.approx(logit_correlation.logit_correlation(p, q), abs=1e-13)


def test_a_reversed_model_has_no_unsigned_certificate_to_speak_of_and_a_signed_one_of_two() -> None:
    p = random_model(3, 80, 6, 2)
    c = compare(represent(p), represent(Model(-p.f, p.g, -p.b)))
    assert c.logit_correlation == pytest.approx(-1)
    assert c.unsigned_certificate < 1e-12
    assert c.dissimilarity <= c.unsigned_certificate
    assert c.certificate == pytest.approx(2)


def test_more_labels_than_a_black_box_may_have_still_say_who_is_predicted() -> None:
    z = torch.randn(40, 10_001, generator=torch.Generator().manual_seed(0))
    w = torch.where(torch.arange(40)[:, None] < 10, -z, z)
    c = compare(Representations.from_logits(z), Representations.from_logits(w))
    assert c.same_top_label == pytest.approx(0.75)
    centred = [x.double() - x.double().mean(1, keepdim=True) for x in (z, w)]
    first, second = ((x - x.mean(0)).flatten().numpy() for x in centred)
    cosine = (first @ second) / np.linalg.norm(first) / np.linalg.norm(second)
    assert c.logit_correlation == pytest.approx(cosine, abs=1e-12)
    assert c.certificate is None


def test_a_linear_map_of_one_model_changes_none_of_them() -> None:
    p, q = random_model(1, 70, 5, 2), random_model(2, 70, 5, 2)
    twin = mapped(q, linear_map(0, 2, 10.0), np.zeros(2))
    c, d = compare(represent(p), represent(q)), compare(represent(p), represent(twin))
    for name in ("logit_correlation", "same_top_label", "unsigned_certificate"):
        assert getattr(c, name) == pytest.approx(getattr(d, name), rel=1e-9), name
