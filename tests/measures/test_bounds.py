"""The bounds on d_{f,g} could fail, and would be seen to: none holds because a measure was set to it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from closedist import Comparison, Representations, compare_all
from closedist.measures import bounds, svd
from closedist.measures.bounds import holding, within_rounding
from closedist.paper.results.tables import Distances
from tests.random_models import noisy, random_model, represent

BOUNDS = {
    "unsigned certificate": "unsigned_certificate",
    "certificate": "certificate",
    "quadratic bound": "quadratic_bound",
    "paper's bound": "linear_bound",
}


@pytest.fixture(scope="module")
def models(shared: Path) -> list[Representations]:
    """Published models, some close to others and some not, and one nearly a copy of the first."""
    arrays = np.load(shared / "golden" / "reps_cls4_w32.npz")
    published = [Representations(f, g) for f, g in zip(arrays["f"], arrays["g"], strict=True)]
    return [*published, Representations(arrays["f"][0] + 1e-4 * arrays["f"][1], arrays["g"][0])]


def counted(comparisons: list[Comparison]) -> dict[str, tuple[int, int]]:
    fields = ("dissimilarity", "unsigned_certificate", "certificate", "quadratic_bound", "bound")
    columns = [[getattr(c, field) for c in comparisons] for field in fields]
    given = (None if None in column else column for column in columns)
    return {name: (int(holds.sum()), len(holds)) for name, holds in holding(*given).items()}


def hundredth(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *arguments: 0.01 * function(*arguments)


def test_every_bound_holds_for_every_pair(models: list[Representations]) -> None:
    assert counted(compare_all(models)) == dict.fromkeys(BOUNDS, (15, 15))


@pytest.mark.parametrize("broken", BOUNDS)
def test_a_bound_broken_on_purpose_is_counted_and_changes_no_dissimilarity(
    broken: str, models: list[Representations], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = compare_all(models)
    monkeypatch.setattr(bounds, BOUNDS[broken], hundredth(getattr(bounds, BOUNDS[broken])))
    found = compare_all(models)
    for c, before in zip(found, expected, strict=True):
        assert c.dissimilarity == before.dissimilarity
        assert c.dissimilarity_embeddings == before.dissimilarity_embeddings
        assert c.dissimilarity_unembeddings == before.dissimilarity_unembeddings
        assert c.m_svd_unembeddings == before.m_svd_unembeddings
        assert c.certificate == before.certificate * (0.01 if broken == "certificate" else 1)
        assert c.unsigned_certificate == before.unsigned_certificate * (0.01 if broken == "unsigned certificate" else 1)
    counts = counted(found)
    assert counts[broken][0] <= 3
    assert {name: count for name, count in counts.items() if name != broken} == dict.fromkeys(
        set(BOUNDS) - {broken}, (15, 15)
    )


def test_a_certificate_broken_on_purpose_is_counted_where_terms_are_averaged(
    models: list[Representations], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counted(compare_all(models, reduction="mean")) == dict.fromkeys(list(BOUNDS)[:2], (15, 15))
    monkeypatch.setattr(bounds, "certificate", hundredth(bounds.certificate))
    assert counted(compare_all(models, reduction="mean"))["certificate"][0] <= 3


def test_a_dissimilarity_broken_on_purpose_is_counted(
    models: list[Representations], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(svd, "nuclear_norm", lambda matrices: torch.zeros(matrices.shape[:-2]).double())
    monkeypatch.setattr(svd, "_SMALL", 0.0)
    assert counted(compare_all(models))["certificate"][0] <= 3


def test_only_rounding_is_taken_for_rounding() -> None:
    bound = torch.tensor([1.0, 1.0, 1.0, 1e-20, 1e-20, 0.0, 0.0, torch.inf], dtype=torch.float64)
    value = torch.tensor([0.5, 1 + 9e-13, 1 + 2e-12, 1e-20 + 1e-32, 1.1e-20, 9e-29, 2e-28, 1.0], dtype=torch.float64)
    expected = [0.5, 1.0, 1 + 2e-12, 1e-20, 1.1e-20, 0.0, 2e-28, 1.0]
    assert within_rounding(value, bound).tolist() == pytest.approx(expected, rel=1e-15, abs=0)


def test_rounding_alone_breaks_no_bound_of_models_that_agree_more_and_more() -> None:
    for seed in range(10):
        first = random_model(seed, 60, 6, 3)
        copies = [represent(noisy(first, 10.0**-i, i)) for i in range(1, 16)]
        one_against_all = [(0, j) for j in range(1, len(copies) + 1)]
        counts = counted(compare_all([represent(first), *copies], pairs=one_against_all))
        assert counts == dict.fromkeys(BOUNDS, (15, 15))


def test_a_bound_that_is_not_there_is_not_counted() -> None:
    assert set(holding([0.1], None, [0.2], None, None)) == {"certificate"}
    given = [0.1, 0.3], [0.3, 0.2], [0.2, 0.2], [0.1, 0.4], [0.5, 0.2]
    assert {name: holds.tolist() for name, holds in holding(*given).items()} == {
        "unsigned certificate": [True, False],
        "certificate": [False, False],  # the unsigned one may not exceed it
        "quadratic bound": [False, True],  # the certificate may not exceed it either
        "paper's bound": [True, False],
    }


@pytest.mark.parametrize("name", ["unsigned_certificate", "certificate", "quadratic_bound"])
def test_a_bound_that_is_no_number_does_not_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, where None would drop the bound of this pair, or of all."""
    measured = getattr(bounds, name)
    monkeypatch.setattr(bounds, name, lambda *args: measured(*args) * float("nan"))
    p, q = (represent(random_model(seed, 100, 6, 3)) for seed in (0, 1))
    holds = Distances.of([(0, 1)], compare_all([p, q])).bounds_holding()
    assert not all(bool(each.all()) for each in holds.values())
    assert len(holds) == 4
