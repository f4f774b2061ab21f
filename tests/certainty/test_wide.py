"""Replicates of wide models by products of columns, against those from the pair's coordinates."""

import numpy as np
import pytest
import torch

from closedist import Representations
from closedist.certainty import wide
from closedist.certainty.groups import contiguous_blocks
from closedist.certainty.wide import wide_replicates
from closedist.measures.settings import Settings
from tests.certainty.prepared import Prepared, prepared
from tests.random_models import noisy, random_model, represent

GROUPS = contiguous_blocks(400)


@pytest.fixture(autouse=True)
def of_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "_WIDE", 1)


def boxes(noise: float, seed: int = 0) -> list[Representations]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 9)) + 0.3 * rng.normal(size=(400, 9))
    return [Representations.from_logits(part) for part in (logits, logits + noise * rng.normal(size=logits.shape))]


def narrow_and_wide() -> list[Representations]:
    """Of dimensions 3 and 6, one of which is a copy of another."""
    f = random_model(1, 400, 8, 6).f
    f[:, 5] = f[:, 0]
    return [represent(random_model(0, 400, 8, 3)), Representations(f, random_model(2, 400, 8, 6).g)]


def by_products(ready: Prepared) -> dict[str, torch.Tensor] | None:
    groups = ready.measured.groups
    assert groups is not None
    of_pair = groups.of_pairs(ready.pairs, 2)
    found = wide_replicates(ready.found.by_label, of_pair, ready.sides, ready.held, ready.values())
    return None if found is None else found.values


@pytest.mark.parametrize("settings", [Settings(), Settings(subset_size=2), Settings(reduction="mean", combine="sum")])
@pytest.mark.parametrize(
    "pair",
    [
        boxes(0.5),
        boxes(0.05),
        boxes(3.0, 1),
        narrow_and_wide(),
        [represent(random_model(s, 400, 7, 4)) for s in (3, 4)],
    ],
    ids=["boxes", "close boxes", "far boxes", "narrow and wide", "models"],
)
def test_products_of_columns_give_every_number_that_coordinates_give(
    pair: list[Representations], settings: Settings
) -> None:
    ready = prepared(pair, GROUPS, settings)
    found, expected = by_products(ready), ready.replicates().values
    assert found is not None
    assert set(found) == set(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-9, atol=1e-13, msg=lambda said, name=name: name + said)


def test_what_would_lose_digits_is_left_to_coordinates() -> None:
    base = random_model(0, 400, 8, 4)
    close = [represent(base), represent(noisy(base, 1e-4, 1))]
    assert by_products(prepared(close, GROUPS, Settings())) is None
    alone = [boxes(0.5)[i].embeddings.numpy().copy() for i in (0, 1)]
    for logits in alone:
        logits[:20, 4] += 1e4 * np.random.default_rng(5).normal(size=20)  # label 4 hardly varies but in the first group
    one_sided = [Representations.from_logits(logits) for logits in alone]
    assert by_products(prepared(one_sided, GROUPS, Settings())) is None
    few = [represent(random_model(seed, 24, 8, 24)) for seed in (0, 1)]  # without a group no direction is whole
    assert by_products(prepared(few, contiguous_blocks(24), Settings())) is None


def test_narrow_models_have_coordinates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "_WIDE", 10)
    assert by_products(prepared(boxes(0.5), GROUPS, Settings())) is None
