"""Small matrices are left to one thread: several wait for each other, 15 ms a step on a machine that is busy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import closedist
from closedist.explanation import pair
from closedist.measures import cca, joint
from closedist.page import write
from closedist.pairs import certainty, permuted
from closedist.representations import Representations
from closedist.system.threads import LARGE, threads_for

DOORS = {  # the first two views are of two widths: equal ones of few columns need no PyTorch
    "a measure of two views": (cca, "factors", lambda p, q, _: closedist.mean_cca(p.embeddings, q.embeddings[:, :1])),
    "of all pairs": (joint, "joint", lambda p, q, _: closedist.mean_cca_matrix([p.embeddings, q.embeddings])),
    "intervals": (certainty, "of_predictions", lambda p, q, _: closedist.compare(p, q, intervals=True)),
    "permutations": (permuted, "permutations", lambda p, q, _: closedist.compare(p, q, permutations=9)),
    "explain": (pair, "stacked", lambda p, q, _: closedist.explain(p, q)),
    "the page": (write, "content", lambda p, q, folder: closedist.report([p, q], folder / "page.html")),
}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("door", DOORS)
def test_small_models_are_measured_on_one_thread(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, call = DOORS[door]
    inside, seen = getattr(module, name), []

    def spy(*args: Any, **kwargs: Any) -> Any:
        seen.append(torch.get_num_threads())
        return inside(*args, **kwargs)

    monkeypatch.setattr(module, name, spy)
    generator = torch.Generator().manual_seed(0)
    p, q = (
        Representations(torch.randn(300, 2, generator=generator), torch.randn(5, 2, generator=generator))
        for _ in range(2)
    )
    call(p, q, tmp_path)
    assert seen
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_large_matrices_keep_them_all() -> None:
    with threads_for(LARGE) as had:
        assert torch.get_num_threads() == had == 2
