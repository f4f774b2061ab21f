"""How often the intervals hold what they should, by simulation, as docs/certainty.md shows it."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from closedist import Representations
from closedist.measures.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COVERED = ("label_term", "certificate", "logit_correlation", "mean_cca_embeddings", "cka_embeddings", "same_top_label")
ALL_BUT_CHANCE = 0.87  # 95 % or somewhat less, in 100 repetitions


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / "coverage.py"))


def pairs(example: dict[str, Any]) -> dict[str, list[Representations]]:
    shipped = [
        next((ROOT / "checkpoints").glob(f"*MedCIFAR10*seed{seed}_*reps_test.safetensors"), None) for seed in (0, 1)
    ]
    found = {"random": example["random_pair"]()}
    if None not in shipped:
        found["CIFAR-10"] = [Representations.load(path) for path in shipped if path is not None]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["independent", "clusters"])
def test_intervals_hold_the_number_of_all_inputs(kind: str, example: dict[str, Any]) -> None:
    for name, members in pairs(example).items():
        shares = example["coverage"](members, 1000, 100, 1, kind, Settings())
        for field in COVERED:
            assert shares[field] >= ALL_BUT_CHANCE, (name, field)


@pytest.mark.slow
def test_clusters_that_are_ignored_make_them_too_narrow(example: dict[str, Any]) -> None:
    for members in pairs(example).values():
        shares = example["coverage"](members, 1000, 60, 1, "ignored", Settings())
        assert min(shares[field] for field in COVERED) < ALL_BUT_CHANCE


@pytest.mark.slow
def test_so_do_those_of_the_measures_that_are_named(example: dict[str, Any]) -> None:
    for name, members in pairs(example).items():
        shares = example["coverage_of_named"](members, 1000, 60, 1)
        assert all(share >= ALL_BUT_CHANCE - 0.02 for share in shares.values()), (name, shares)


def test_a_few_repetitions_run(example: dict[str, Any]) -> None:
    """What the slow ones do, so that it cannot break unseen."""
    members = [member.at(inputs=range(1000)) for member in example["random_pair"]()]
    for kind in ("independent", "clusters", "ignored"):
        shares = example["coverage"](members, 200, 3, 0, kind, Settings())
        assert set(COVERED) <= set(shares)
        assert all(0 <= share <= 1 for share in shares.values())
    of_distances = example["coverage_of_named"](members, 200, 3, 0)
    assert {"bures_distance", "procrustes_distance"} <= set(of_distances)
