"""Extraction to disk: the same numbers as in memory, and a stopped run goes on after its last whole batch."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import closedist
from closedist.errors import InputError
from closedist.extraction.batches import model_digest
from closedist.representations import Representations


class Counting(nn.Module):
    """Counts its forward passes, and is interrupted at the one with this number."""

    def __init__(self, width: int = 6, bias: bool = True, interrupted_at: int = -1) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.trunk, self.head = nn.Linear(4, width), nn.Linear(width, 5, bias=bias)
        self.passes, self.interrupted_at = 0, interrupted_at

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        if self.passes == self.interrupted_at:
            raise KeyboardInterrupt
        return self.head(self.trunk(x).tanh())


def batches(count: int = 8, seed: int = 0) -> list[Tensor]:
    return list(torch.randn(count, 3, 4, generator=torch.Generator().manual_seed(seed)))


FIRST = 3  # passes for the first batch: to find the head, to check it, and to check it with saturated logits


def assert_same(p: Representations, q: Representations) -> None:
    assert torch.equal(p.embeddings, q.embeddings)
    assert torch.equal(p.unembeddings, q.unembeddings)
    assert (p.bias is None) == (q.bias is None)
    assert p.bias is None or q.bias is None or torch.equal(p.bias, q.bias)
    assert np.array_equal(p.input_ids, q.input_ids)
    assert (p.label_names is None) == (q.label_names is None)
    assert p.label_names is None or np.array_equal(p.label_names, q.label_names)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    width=st.integers(1, 7),
    bias=st.booleans(),
    names=st.sampled_from([None, list("abcde"), ["é", "日本", "", " ", "x"], [5, 4, 3, 2, 1]]),
    dtype=st.sampled_from([None, torch.float16, torch.bfloat16, torch.float64]),
)
def test_a_file_holds_what_memory_would(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    width: int,
    bias: bool,
    names: list[Any] | None,
    dtype: torch.dtype | None,
) -> None:
    model, x = Counting(width, bias), list(torch.randn(sum(sizes), 4).split(sizes))
    folder = tmp_path_factory.mktemp("extraction")
    in_memory = closedist.extract(model, x, label_names=names, dtype=dtype)
    on_disk = closedist.extract(model, x, file=folder / "p.safetensors", label_names=names, dtype=dtype)
    assert_same(on_disk, in_memory)
    assert_same(Representations.load(folder / "p.safetensors"), in_memory)
    assert [path.name for path in folder.iterdir()] == ["p.safetensors"]


def test_embeddings_on_disk_are_mapped_and_not_read(tmp_path: Path) -> None:
    member = closedist.extract(Counting(), batches(), file=tmp_path / "deeper" / "p.safetensors")
    with open("/proc/self/maps") as maps:
        mapped = maps.read()
    assert str(tmp_path / "deeper" / "p.safetensors") in mapped
    assert member.num_inputs == 24


def test_sequences_keep_their_names_on_disk(tmp_path: Path) -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 3), nn.Linear(3, 5)

        def forward(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
            return self.head(self.embed(tokens))

    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]])
    x = [{"tokens": torch.randint(9, (2, 5)), "attention_mask": mask}] * 3
    model = Tokens()
    for positions in ("all", "last", 2):
        on_disk = closedist.extract(model, x, file=tmp_path / "p.safetensors", positions=positions)
        assert_same(on_disk, closedist.extract(model, x, positions=positions))


@settings(max_examples=15, deadline=None)
@given(stop=st.integers(FIRST + 1, FIRST + 7))
def test_an_interrupted_run_goes_on_after_its_last_whole_batch(
    tmp_path_factory: pytest.TempPathFactory, stop: int
) -> None:
    path = tmp_path_factory.mktemp("extraction") / "p.safetensors"
    with pytest.raises(KeyboardInterrupt):
        closedist.extract(Counting(interrupted_at=stop), batches(), file=path)
    assert not path.exists()
    again = Counting()
    assert_same(closedist.extract(again, batches(), file=path), closedist.extract(Counting(), batches()))
    done = stop - FIRST  # whole batches before the interruption: the first one comes with the check
    assert again.passes == FIRST + 8 - done


def interrupted(path: Path, model: nn.Module | None = None, **settings: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        closedist.extract(model or Counting(interrupted_at=FIRST + 4), batches(), file=path, **settings)


def passes_to_finish(path: Path, model: Counting, inputs: list[Tensor], **settings: Any) -> int:
    member = closedist.extract(model, inputs, file=path, **settings)
    passes = model.passes
    assert_same(member, closedist.extract(model, inputs, **settings))
    return passes


def test_another_model_begins_anew(tmp_path: Path) -> None:
    interrupted(tmp_path / "p")
    changed = Counting()
    with torch.no_grad():
        changed.trunk.bias[0] += 1e-6
    assert passes_to_finish(tmp_path / "p", changed, batches()) == FIRST + 7


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    interrupted(tmp_path / "p")
    assert passes_to_finish(tmp_path / "p", Counting(), batches(), dtype=torch.float64) == FIRST + 7


def test_other_inputs_are_computed_from_the_first_that_differs(tmp_path: Path) -> None:
    interrupted(tmp_path / "p")  # four whole batches
    inputs = [*batches()[:2], *batches(seed=1)]
    assert passes_to_finish(tmp_path / "p", Counting(), inputs) == FIRST + 8


def test_fewer_inputs_than_an_earlier_run_had_are_enough(tmp_path: Path) -> None:
    interrupted(tmp_path / "p")
    assert passes_to_finish(tmp_path / "p", Counting(), batches()[:2]) == FIRST


@pytest.mark.parametrize("damage", ["half a line", "flipped byte", "lost tail", "not a journal", "header only"])
def test_damaged_leftovers_cost_time_and_nothing_else(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "p"
    interrupted(path)
    partial, journal = tmp_path / "p.partial", tmp_path / "p.journal"
    lines = journal.read_bytes()
    data = bytearray(partial.read_bytes())
    if damage == "half a line":
        journal.write_bytes(lines[:-9])
    elif damage == "flipped byte":
        data[-1] ^= 1
    elif damage == "lost tail":
        del data[-5:]
    elif damage == "header only":
        del data[100:]
    else:
        journal.write_bytes(b'{"a": 1}\n[NaN\n')
    partial.write_bytes(data)
    lost = {"half a line": 1, "flipped byte": 1, "lost tail": 1, "not a journal": 3, "header only": 3}[damage]
    # the first batch is run for the check in any case
    assert passes_to_finish(path, Counting(), batches()) == FIRST + 4 + lost


def test_a_killed_process_loses_at_most_one_batch(tmp_path: Path) -> None:
    program = f"""
import sys, time, torch
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.extraction.test_files import Counting, batches
import closedist
def slowly():
    for batch in batches(200):
        time.sleep(0.02)
        yield batch
print("begins", flush=True)
closedist.extract(Counting(), slowly(), file={str(tmp_path / "p")!r})
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    journal = tmp_path / "p.journal"

    def done() -> int:
        return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0

    try:
        assert process.stdout is not None
        process.stdout.readline()
        while done() < 10:
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    whole = done()
    rows = ((tmp_path / "p.partial").stat().st_size - 4096) // (6 * 4 * 3)
    assert 10 <= whole < 200
    assert whole <= rows <= whole + 1  # at most the block that was being noted is lost
    assert passes_to_finish(tmp_path / "p", Counting(), batches(200)) == FIRST + 200 - whole


def test_the_file_says_where_it_comes_from(tmp_path: Path) -> None:
    from safetensors import safe_open

    closedist.extract(Counting(), batches(), file=tmp_path / "p")
    with safe_open(str(tmp_path / "p"), framework="pt") as file:
        source = json.loads(file.metadata()["extraction"])
    assert source["head"] == "head"
    assert source["positions"] == "all"
    assert len(source["model"]) == 64


def test_a_file_that_the_batches_lack_is_not_taken_for_the_output(tmp_path: Path) -> None:
    def broken() -> Iterator[Tensor]:
        yield from batches(2)
        raise FileNotFoundError(errno.ENOENT, "No such file", "image_17.jpg")

    with pytest.raises(FileNotFoundError, match=r"image_17\.jpg"):
        closedist.extract(Counting(), broken(), file=tmp_path / "out.safetensors")


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        closedist.extract(Counting(), batches(), file=tmp_path / "file" / "p")


def test_quantised_weights_of_several_tensors_are_part_of_a_models_fingerprint() -> None:
    """As torchao makes them: integers and their scales, in one tensor whose bytes nobody may look at."""
    from torch.testing._internal.two_tensor import TwoTensor

    def digest(*parts: float) -> str:
        layer = torch.nn.Linear(2, 3, bias=False)
        weight = TwoTensor(*(torch.full((3, 2), part) for part in parts))
        layer.weight = torch.nn.Parameter(weight, requires_grad=False)
        return model_digest(layer)

    assert digest(1.0, 2.0) == digest(1.0, 2.0)
    assert len({digest(1.0, 2.0), digest(1.0, 3.0), digest(2.0, 1.0)}) == 3
