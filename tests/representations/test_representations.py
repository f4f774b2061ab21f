"""Representations: what they accept, what they keep, and that they come back from disk as they were."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from closedist import InputError, Representations, compare

F = np.random.default_rng(0).normal(size=(6, 2))
G = np.random.default_rng(1).normal(size=(4, 2))


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        lambda array: torch.from_numpy(array).requires_grad_(),
        lambda array: array.tolist(),
        lambda array: array.astype(np.longdouble),
        lambda array: array.astype(">f8"),
        lambda array: np.asfortranarray(array),
        lambda array: np.ascontiguousarray(array[::-1])[::-1],
    ],
)
def test_any_array_of_real_numbers_will_do(convert: object) -> None:
    p = Representations(convert(F), convert(G))  # type: ignore[operator]
    assert p.embeddings.dtype == torch.float64
    assert not p.embeddings.requires_grad
    assert (p.num_inputs, p.num_labels, p.dimension) == (6, 4, 2)
    assert compare(p, Representations(p.embeddings, p.unembeddings)).kl == 0


def test_integers_become_double_and_other_precisions_stay() -> None:
    assert Representations([[1, 2]], [[3, 4], [5, 6]]).embeddings.dtype == torch.float64
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert Representations(torch.from_numpy(F).to(dtype), G).embeddings.dtype == dtype


def test_memory_is_shared_and_an_array_on_disk_is_only_read(tmp_path: Path) -> None:
    assert Representations(F, G).embeddings.data_ptr() == F.ctypes.data
    np.save(tmp_path / "f.npy", F)
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    assert Representations(mapped, G).embeddings.data_ptr() == mapped.ctypes.data


def test_it_says_what_it_is() -> None:
    assert repr(Representations(F, G)) == "Representations(6 inputs, 4 labels, dimension 2; float64)"
    box = Representations.from_logits(F @ G.T, label_names=list("abcd"))
    assert repr(box) == "Representations(6 inputs, 4 labels, dimension 4, black box, label_names; float64)"


def test_a_black_box_is_its_centred_logits_and_the_identity() -> None:
    logits = (F @ G.T).astype(np.float32)
    p = Representations.from_logits(logits)
    assert p.embeddings.dtype == torch.float32
    assert torch.allclose(p.embeddings.double().mean(1), torch.zeros(6, dtype=torch.float64), atol=1e-6)
    assert torch.equal(p.unembeddings, torch.eye(4))
    shifted = Representations.from_logits(logits + np.arange(6, dtype=np.float32)[:, None])
    assert torch.allclose(shifted.embeddings, p.embeddings, atol=1e-5)


@pytest.mark.parametrize("black_box", [False, True])
@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        ([4, 1, 2], [3, 0]),
        (slice(1, 5), range(1, 4)),
        (np.arange(6) > 3, torch.tensor([True, False, True, True])),
        (torch.tensor([5, 0]), None),
        (None, slice(None, None, 2)),
        ([1, 1, 1], None),
    ],
)
def test_a_part_is_conditional_on_its_labels(inputs: Any, labels: Any, black_box: bool) -> None:
    bias = np.arange(4.0)
    p = Representations(F, G, bias, [5, 3, 1, 9, 7, -2], list("abcd"))
    if black_box:
        p = Representations.from_logits(F @ G.T + bias, [5, 3, 1, 9, 7, -2], list("abcd"))
    rows = np.arange(6) if inputs is None else np.arange(6)[np.asarray(inputs) if type(inputs) is not slice else inputs]
    columns = np.arange(4) if labels is None else np.arange(4)[labels if type(labels) is slice else np.asarray(labels)]
    part = p.at(inputs=inputs, labels=labels)
    probabilities = np.exp(F @ G.T + bias)[rows][:, columns]
    scores = part.embeddings @ part.unembeddings.T + (0 if part.bias is None else part.bias)
    expected = probabilities / probabilities.sum(1, keepdims=True)
    assert np.allclose(scores.softmax(-1).numpy(), expected, rtol=1e-12)
    assert part.input_ids is not None
    assert part.label_names is not None
    assert part.input_ids.tolist() == np.array([5, 3, 1, 9, 7, -2])[rows].tolist()
    assert part.label_names.tolist() == np.array(list("abcd"))[columns].tolist()
    assert part.black_box == black_box


def test_neighbouring_rows_share_the_memory_of_the_whole() -> None:
    p = Representations(F, G)
    assert p.at(inputs=[2, 3, 4]).embeddings.data_ptr() == p.embeddings[2:].data_ptr()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"inputs": [6]}, "inputs: 6 is none of the 6 inputs, which are numbered 0 … 5"),
        ({"labels": [0, -1]}, "labels: -1 is none of the 4 labels"),
        ({"labels": [2, 0, 2]}, "labels: one is named twice"),
        ({"inputs": []}, "at least one"),
        ({"inputs": slice(9, 12)}, "at least one"),
        ({"inputs": np.ones(5, bool)}, "a mask of 6"),
        ({"labels": [0.5]}, "labels: float64"),
        ({"labels": 2}, "whole numbers"),
    ],
)
def test_a_part_that_is_none(choice: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Representations(F, G).at(**choice)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_saved_and_loaded_is_the_same(tmp_path: Path, dtype: torch.dtype) -> None:
    names = ["a", "ß", "new\nline", ""]
    p = Representations(
        torch.from_numpy(F).to(dtype),
        torch.from_numpy(G).to(dtype).T.contiguous().T,
        torch.arange(4.0),
        [5, 3, 1, 9, 7, -2],
        names,
    )
    p.save(tmp_path / "folder" / "p.safetensors")
    q = Representations.load(tmp_path / "folder" / "p.safetensors")
    for name in ("embeddings", "unembeddings", "bias"):
        assert torch.equal(getattr(p, name), getattr(q, name)), name
        assert getattr(p, name).dtype == getattr(q, name).dtype
    assert q.input_ids is not None
    assert q.label_names is not None
    assert q.input_ids.tolist() == [5, 3, 1, 9, 7, -2]
    assert q.label_names.tolist() == names
    assert not q.black_box


def test_matrices_that_share_memory_are_saved(tmp_path: Path) -> None:
    tied = torch.arange(12.0).reshape(4, 3)
    Representations(tied[:2], tied).save(tmp_path / "tied.safetensors")
    loaded = Representations.load(tmp_path / "tied.safetensors")
    assert torch.equal(loaded.embeddings, tied[:2])
    assert torch.equal(loaded.unembeddings, tied)


def test_pairs_of_numbers_name_inputs_too(tmp_path: Path) -> None:
    ids = [(sequence, position) for sequence in range(2) for position in range(3)]
    Representations(F, G, input_ids=ids).save(tmp_path / "p.safetensors")
    q = Representations.load(tmp_path / "p.safetensors")
    assert q.input_ids is not None
    assert q.input_ids.tolist() == [list(pair) for pair in ids]


def test_a_black_box_stays_one_on_disk(tmp_path: Path) -> None:
    Representations.from_logits(F @ G.T).save(tmp_path / "p.safetensors")
    assert Representations.load(tmp_path / "p.safetensors").black_box


def test_a_file_of_bare_tensors_will_do(tmp_path: Path) -> None:
    save_file({"embeddings": torch.ones(3, 2), "unembeddings": torch.ones(4, 2)}, tmp_path / "p.safetensors")
    p = Representations.load(tmp_path / "p.safetensors")
    assert p.bias is None
    assert p.input_ids is None


def test_a_file_that_is_missing_or_lacks_something(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere"):
        Representations.load(tmp_path / "nowhere.safetensors")
    save_file({"embeddings": torch.ones(3, 2), "other": torch.ones(4, 2)}, tmp_path / "p.safetensors")
    with pytest.raises(InputError, match='no tensor "unembeddings"; it has embeddings, other'):
        Representations.load(tmp_path / "p.safetensors")
    save_file(
        {"embeddings": torch.ones(3, 2), "unembeddings": torch.full((4, 2), torch.nan)}, tmp_path / "p.safetensors"
    )
    with pytest.raises(InputError, match=r"p\.safetensors: unembeddings: NaN at \[0, 0\]"):
        Representations.load(tmp_path / "p.safetensors")
    with pytest.raises(InputError, match=r"cannot read|not a whole"):
        Representations.load(tmp_path)


def whole_file(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.safetensors"
    Representations(F, G, np.zeros(4), list("abcdef"), list(range(4))).save(path)
    return path.read_bytes()


def load_or_refuse(path: Path) -> None:
    """Anything but a whole model or the package's own error fails the test."""
    try:
        p = Representations.load(path)
    except InputError:
        return
    assert p.embeddings.ndim == p.unembeddings.ndim == 2


@pytest.mark.parametrize(
    "header",
    [
        {"embeddings": {"dtype": "F64", "shape": [10**9, 10**9], "data_offsets": [0, 64]}},
        {"embeddings": {"dtype": "F64", "shape": [4, 2], "data_offsets": [0, 10**15]}},
        {"embeddings": {"dtype": "F64", "shape": [4, 2], "data_offsets": [64, 0]}},
        {"embeddings": {"dtype": "F64", "shape": [-4, -2], "data_offsets": [0, 64]}},
        {"embeddings": {"dtype": "X64", "shape": [4, 2], "data_offsets": [0, 64]}},
        {"embeddings": {"dtype": "BOOL", "shape": [64], "data_offsets": [0, 64]}},
        {"embeddings": None},
        [],
    ],
)
def test_a_false_header_is_refused(tmp_path: Path, header: object) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "false.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
    with pytest.raises(InputError):
        Representations.load(path)
    path.write_bytes(struct.pack("<Q", 2**62) + text)
    with pytest.raises(InputError):
        Representations.load(path)


def test_names_that_are_no_names_are_refused(tmp_path: Path) -> None:
    for stored in (b"[1, 2", b'{"a": 1}', b"\xff\xfe", b"[" * 100_000, b'[["a"], "b"]'):
        tensors = {
            "embeddings": torch.ones(3, 2),
            "unembeddings": torch.ones(4, 2),
            "label_names": torch.frombuffer(bytearray(stored), dtype=torch.uint8),
        }
        save_file(tensors, tmp_path / "p.safetensors")
        with pytest.raises(InputError, match="label_names"):
            Representations.load(tmp_path / "p.safetensors")
    save_file(tensors | {"label_names": torch.ones(4, dtype=torch.bfloat16)}, tmp_path / "p.safetensors")
    with pytest.raises(InputError, match="neither int64 nor a JSON list"):
        Representations.load(tmp_path / "p.safetensors")


@pytest.mark.slow
def test_twenty_thousand_broken_files_are_loaded_or_refused(tmp_path: Path) -> None:
    whole, rng, path = whole_file(tmp_path), random.Random(0), tmp_path / "broken.safetensors"
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    for _ in range(20_000):
        broken = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            broken[rng.randrange(header if rng.random() < 0.9 else len(broken))] = rng.randrange(256)
        if rng.random() < 0.2:
            broken = broken[: rng.randrange(len(broken))]
        path.write_bytes(broken)
        load_or_refuse(path)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_broken_files_are_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = bytearray(whole_file(folder))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255))
    path = folder / "broken.safetensors"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    load_or_refuse(path)


def test_who_may_read_a_file_is_what_the_umask_says(tmp_path: Path) -> None:
    Representations(np.ones((4, 2)), np.ones((3, 2))).save(tmp_path / "p.safetensors")
    (tmp_path / "other").touch()
    assert (tmp_path / "p.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("name", ["", "p.npz", "p.pt"])
def test_nothing_is_written_under_the_name_of_another_kind_of_file(name, tmp_path):
    with pytest.raises(InputError, match="what is written is a safetensors file, as in "):
        Representations(F, G).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
