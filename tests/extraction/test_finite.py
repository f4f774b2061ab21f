"""Mistakes that used to show when all was done: they show at once, and nothing invalid takes the file's name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.errors import InputError
from closedist.representations import Representations

LABELS = 4


class Counting(nn.Module):
    """A classifier that counts its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.passes = nn.Linear(3, LABELS), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.head(x)


def batches(count: int = 6) -> list[Tensor]:
    return list(torch.randn(count, 5, 3, generator=torch.Generator().manual_seed(1)))


CHECKS = 3  # passes for the first batch


@pytest.mark.parametrize("names", [["a", "b"], [0.5, 1.5, 2.5, 3.5], [None] * LABELS])
def test_wrong_label_names_show_before_the_second_batch(tmp_path: Path, names: list[Any]) -> None:
    model = Counting()
    with pytest.raises(InputError, match="label_names: "):
        closedist.extract(model, batches(), file=tmp_path / "p", label_names=names)
    assert model.passes <= CHECKS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [np.int32, np.uint8])
def test_label_names_may_be_integers_of_any_size(tmp_path: Path, kind: type[np.integer[Any]]) -> None:
    names = np.arange(LABELS).astype(kind)
    member = closedist.extract(Counting(), batches(), file=tmp_path / "p", label_names=names)
    assert member.label_names is not None
    assert member.label_names.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("value", "what"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("extraction", [closedist.extract, closedist.extract_logits])
def test_a_batch_that_gives_no_finite_numbers_is_named_as_it_comes(
    extraction: Any, number: int, value: float, what: str
) -> None:
    inputs, model = batches(), nn.Sequential(nn.Identity(), Counting())
    inputs[number][1, 0] = value
    with pytest.raises(InputError, match=rf"batches: number {number} makes the model give ({what}|NaN)"):
        extraction(model, inputs)
    assert model[1].passes <= CHECKS + number


def test_what_was_done_before_a_wrong_batch_is_kept_and_goes_on_when_it_is_mended(tmp_path: Path) -> None:
    inputs, path = batches(), tmp_path / "p"
    inputs[4][0, 0] = float("nan")
    with pytest.raises(InputError, match="number 4"):
        closedist.extract(Counting(), inputs, file=path)
    assert not path.exists()
    inputs[4][0, 0] = 0.0
    again = Counting()
    member = closedist.extract(again, inputs, file=path)
    assert again.passes == CHECKS + 2
    assert torch.equal(member.embeddings, torch.cat(inputs))


def test_embeddings_that_float16_cannot_hold_are_refused_as_they_come(tmp_path: Path) -> None:
    inputs, model = batches(), Counting()
    inputs[1][0, 0] = 1e5
    with pytest.raises(InputError, match=r"dtype: torch\.float16 cannot hold .* number 1, up to 1e\+05; pass dtype="):
        closedist.extract(model, inputs, file=tmp_path / "p", dtype=torch.float16)
    assert model.passes <= CHECKS + 1
    assert not (tmp_path / "p").exists()


def test_a_file_that_cannot_be_opened_never_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    before = closedist.extract(Counting(), batches(2), file=path).embeddings.clone()

    def refuse(source: Any) -> Representations:
        raise InputError(f"{source}: invalid")

    with monkeypatch.context() as patched:
        patched.setattr(Representations, "load", refuse)
        with pytest.raises(InputError, match="invalid"):
            closedist.extract(Counting(), batches(3), file=path)
    assert torch.equal(Representations.load(path).embeddings, before)
    assert closedist.extract(Counting(), batches(3), file=path).num_inputs == 15
