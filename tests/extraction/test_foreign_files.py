"""Files that others wrote: read as what they hold, or refused with what they are and which command takes them."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import closedist
from closedist import InputError, Representations
from closedist.cli import COMMANDS, make_app, run
from closedist.extraction.files import read
from tests.random_models import noisy, random_model, represent

MODEL = random_model(0, 30, 5, 2)
OTHER = noisy(MODEL, 0.1, 1)
LOGITS = MODEL.f @ MODEL.g.T + MODEL.b
ARRAYS = {"bias": MODEL.b, "unembeddings": MODEL.g, "embeddings": MODEL.f}
RENAMED = {"head.b": MODEL.b, "head.w": MODEL.g, "features": MODEL.f}
NAMES = ("--embeddings-name=features", "--unembeddings-name", "head.w", "--bias-name=head.b")
WORDS = ["ant", "bee, the", "cat", "dog", "3"]
IDS = [f"image {i}" for i in range(30)]


def tensors(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def write_csv(path: Path, separator: str, head: list[str] | None, ids: list[Any] | None) -> None:
    def quoted(cell: Any) -> str:
        return f'"{cell}"' if separator in str(cell) else str(cell)

    lines = [] if head is None else [head]
    lines += [[*([] if ids is None else [ids[i]]), *map(repr, row)] for i, row in enumerate(LOGITS.tolist())]
    path.write_text("\ufeff" + "\n".join(separator.join(map(quoted, line)) for line in lines) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[Path], Any]] = {
    "p.npz": lambda path: np.savez(path, **ARRAYS),
    "small.npz": lambda path: np.savez_compressed(path, **ARRAYS, images=np.zeros(3)),
    "p.pt": lambda path: torch.save(tensors(ARRAYS), path),
    "old.pth": lambda path: torch.save(tensors(ARRAYS), path, _use_new_zipfile_serialization=False),
    "foreign.safetensors": lambda path: save_file(tensors(RENAMED), path),
    "foreign.npz": lambda path: np.savez(path, **RENAMED),
}
BLACK_BOXES: dict[str, Callable[[Path], Any]] = {
    "logits.npz": lambda path: np.savez(path, logits=LOGITS),
    "z.npy": lambda path: np.save(path, LOGITS),
    "z.pt": lambda path: torch.save(torch.from_numpy(LOGITS), path),
    "named.pt": lambda path: torch.save({"logits": torch.from_numpy(LOGITS), "label_names": WORDS}, path),
    "bare.csv": lambda path: write_csv(path, ",", None, None),
    "names.csv": lambda path: write_csv(path, ",", WORDS, None),
    "both.tsv": lambda path: write_csv(path, "\t", ["id", *WORDS], IDS),
    "ids.csv": lambda path: write_csv(path, ";", None, IDS),
    "frame.csv": lambda path: write_csv(path, ",", ["", *"01234"], list(range(30))),
    "frame_without_index.CSV": lambda path: write_csv(path, ",", [*"01234"], None),
    "counted_from_1.csv": lambda path: write_csv(path, ",", [*"12345"], None),
    "token_ids.csv": lambda path: write_csv(path, ",", ["", "50256", "13", "11", "262", "290"], list(range(7, 37))),
}


def compare(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), ["compare", *map(str, words)])


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", [*WRITERS, *BLACK_BOXES])
def test_whatever_holds_a_model_it_is_compared_and_what_was_read_is_said(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, ours = tmp_path / name, tmp_path / "q.safetensors"
    (WRITERS | BLACK_BOXES)[name](path)
    represent(OTHER).save(ours)
    options = NAMES if name.startswith("foreign") else ()
    assert compare(path, ours, "--json", *(option for option in options if "bias" not in option)) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"{path}: Representations(30 inputs, 5 labels, dimension ")
    assert err.count("\n") == 1
    if not options:
        kl = closedist.kl_divergence(represent(MODEL), represent(OTHER))
        assert json.loads(out)[0]["kl"] == pytest.approx(kl, rel=1e-9)
    p, said = read(path, {"embeddings": "features", "unembeddings": "head.w", "bias": "head.b"} if options else None)
    assert p.black_box == (name in BLACK_BOXES)
    assert closedist.kl_divergence(p, represent(MODEL)) < 1e-25
    assert said.endswith("(embeddings from features, unembeddings from head.w, bias from head.b)") == bool(options)


@pytest.mark.parametrize(
    ("name", "labels", "inputs"),
    [
        ("named.pt", WORDS, None),
        ("bare.csv", None, None),
        ("names.csv", WORDS, None),
        ("both.tsv", WORDS, IDS),
        ("ids.csv", None, IDS),
        ("frame.csv", None, list(range(30))),
        ("frame_without_index.CSV", None, None),
        ("counted_from_1.csv", [1, 2, 3, 4, 5], None),
        ("token_ids.csv", [50256, 13, 11, 262, 290], list(range(7, 37))),
    ],
)
def test_names_of_labels_and_inputs_are_read_where_there_are_any(
    name: str, labels: list[Any] | None, inputs: list[Any] | None, tmp_path: Path
) -> None:
    BLACK_BOXES[name](tmp_path / name)
    p, _ = read(tmp_path / name)
    assert (None if p.label_names is None else p.label_names.tolist()) == labels
    assert (None if p.input_ids is None else p.input_ids.tolist()) == inputs


def test_what_pandas_writes_is_read(tmp_path: Path) -> None:
    frame = pytest.importorskip("pandas").DataFrame(LOGITS, columns=WORDS, index=IDS)
    for options in ({}, {"index_label": "input_id"}, {"sep": ";"}):
        frame.to_csv(tmp_path / "p.csv", **options)
        p, _ = read(tmp_path / "p.csv")
        assert p.label_names is not None
        assert p.input_ids is not None
        assert (p.label_names.tolist(), p.input_ids.tolist()) == (WORDS, IDS)
        assert closedist.kl_divergence(p, represent(MODEL)) < 1e-25


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a,b,c\n1,2,3\n1,2\n", r"line 3: 2 cells, the first line has 3"),
        ("a,b,c\n1,2,3\n\n1,x,3\n", r"line 4, column 2: 'x' is no number"),
        ("a,b,c\n1,,3\n", "line 2, column 2: ''"),
        ("a,b,c\n,2,3\n1,2,3\n", "line 2, column 1: ''"),
        ("a,b,c\n1,2,3\nNA,2,3\n", "line 3, column 1: 'NA' is no number"),
        ("a,b,c\n1,-inf,3\n", r"logits: infinity at \[0, 1\]"),
        ("a,b,c\n", "shape"),
        ("", "empty"),
    ],
)
def test_lines_that_are_no_logits_are_named(lines: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(lines)
    with pytest.raises(InputError, match=words):
        read(tmp_path / "p.csv")


class RunsCode:
    """A pickle of this makes a folder when it is loaded with its code."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"embeddings": torch.ones(2, 2), "unembeddings": RunsCode(mark)}, tmp_path / "p.pt")
    np.savez(tmp_path / "p.npz", embeddings=MODEL.f, unembeddings=np.array([RunsCode(mark)], dtype=object))
    np.save(tmp_path / "p.npy", np.array([RunsCode(mark)], dtype=object))
    for name, words in (("p.pt", "more than plain tensors"), ("p.npz", "unembeddings holds Python"), ("p.npy", "hold")):
        with pytest.raises(InputError, match=words):
            read(tmp_path / name)
    assert not mark.exists()


def model_folder(path: Path) -> None:
    path.mkdir()
    (path / "config.json").write_text("{}")


def adapter_folder(path: Path) -> None:
    model_folder(path)
    (path / "config.json").rename(path / "adapter_config.json")


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (model_folder, "is the folder of a model: closedist extract writes"),
        (adapter_folder, "is the folder of an adapter: closedist compare-models"),
        (lambda path: path.mkdir(), r"is a folder; name the files in it, as in .*/\*\.safetensors"),
        (lambda path: save_file({"lm_head.weight": torch.ones(3, 2)}, path), "a model's weights: closedist extract"),
        (lambda path: torch.save({"fc.weight": torch.ones(3, 2)}, path), "a model's weights: closedist extract"),
        (lambda path: torch.save(torch.nn.Linear(2, 3), path), r"whole model perhaps.*closedist\.extract\(model"),
        (lambda path: torch.save([torch.ones(3, 2)], path), "holds a list; a tensor of logits or a dictionary"),
        (lambda path: path.write_bytes(b"GGUF" + bytes(100)), r"is a model for llama\.cpp"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)), "is an HDF5 file; read its arrays"),
        (lambda path: path.write_text("some words\n" * 9), r"is no file of representations: give .*\.npz, \.npy"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)), "is no file of representations"),
        (lambda path: path.write_bytes(bytes(8) + b"{" + bytes(99)), "is not a whole safetensors file"),
        (lambda path: np.savez(path.open("wb")), "is an archive with nothing in it"),
        (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00" + bytes(99)), "is not a whole file"),
        (
            lambda path: np.savez(path.open("wb"), MODEL.f, MODEL.g),
            "it has arr_0, arr_1. Say which .*--embeddings-name",
        ),
        (lambda path: np.savez(path.open("wb"), embeddings=MODEL.f), "neither embeddings and unembeddings nor logits"),
        (lambda path: np.savez(path.open("wb"), logits=MODEL.f[0]), r"logits: shape \(2,\)"),
        (lambda path: None, "cannot read"),
    ],
)
def test_anything_else_is_said_to_be_what_it_is(
    write: Callable[[Path], Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "p")
    represent(MODEL).save(tmp_path / "q.safetensors")
    assert compare(tmp_path / "q.safetensors", tmp_path / "p") == 2
    error = capsys.readouterr().err
    assert re.search(words, error), error
    assert error.count("\n") == 1
    with pytest.raises(InputError):
        Representations.load(tmp_path / "p")


def test_a_bias_that_a_file_does_not_have_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("p.npz", "q.npz"):
        np.savez(tmp_path / name, embeddings=MODEL.f, unembeddings=MODEL.g, b=MODEL.b)
    assert compare(tmp_path / "p.npz", tmp_path / "q.npz", "--bias-name=c") == 2
    assert 'has no array "c" for --bias-name; it has b, embeddings, unembeddings' in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_name_that_no_file_has_is_missed_and_one_that_some_file_has_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    places = [tmp_path / f"{name}.{ending}" for name in "pq"]
    for place, name in zip(places, ("embeddings", "f"), strict=True):
        arrays = {name: MODEL.f, "unembeddings": MODEL.g, "bias": MODEL.b}
        np.savez(place, **arrays) if ending == "npz" else save_file(tensors(arrays), place)
    assert compare(*places, "--embeddings-name=f") == 0
    capsys.readouterr()
    assert compare(places[0], places[0], "--embeddings-name=h") == 2
    assert '--embeddings-name: no file has an array "h": ' in capsys.readouterr().err
    assert compare(places[0], places[0], "--logits-name=z") == 2
    assert f"p.{ending} has bias, embeddings, unembeddings; correct it" in capsys.readouterr().err


def test_arrays_that_were_named_go_before_others(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", **ARRAYS, z=LOGITS)
    p, said = read(tmp_path / "p.npz", {"logits": "z"})
    assert p.black_box
    assert said.endswith("(logits from z)")
    np.savez(tmp_path / "q.npz", f=MODEL.f, logits=LOGITS)
    with pytest.raises(InputError, match="has neither embeddings and unembeddings nor logits; it has f, logits"):
        read(tmp_path / "q.npz", {"embeddings": "f"})
    with pytest.raises(InputError, match="leave --logits-name or the others out"):
        read(tmp_path / "q.npz", {"embeddings": "f", "logits": "logits"})


def test_files_of_ours_beside_named_ones_keep_what_the_models_were_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = represent(MODEL)
    digests = np.arange(p.num_inputs)
    for name, seen in (("p", digests), ("q", digests + 1)):
        Representations(p.embeddings, p.unembeddings, input_digests=seen).save(tmp_path / f"{name}.safetensors")
    np.savez(tmp_path / "r.npz", f=MODEL.f, unembeddings=MODEL.g)
    places = [tmp_path / name for name in ("p.safetensors", "q.safetensors", "r.npz")]
    assert compare(*places, "--embeddings-name=f") == 2
    assert "is another input than that of" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "arrays"), [("p.npz", ARRAYS), ("p.npy", LOGITS)])
def test_what_loading_advises_of_arrays_works(name: str, arrays: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    np.savez(path, **arrays) if isinstance(arrays, dict) else np.save(path, arrays)
    with pytest.raises(InputError) as caught:
        Representations.load(path)
    advised = str(caught.value).rpartition("in Python pass ")[2].partition(", ")[2]
    import numpy

    p = eval(advised, {"closedist": closedist, "numpy": numpy})
    assert closedist.kl_divergence(p, represent(MODEL)) < 1e-25


def test_a_safetensors_file_whose_first_byte_is_a_pickles_is_none(tmp_path: Path) -> None:
    for width in range(200):
        save_file(tensors(ARRAYS), tmp_path / "p", metadata={"note": "x" * width})
        if (tmp_path / "p").read_bytes()[0] == 0x80:
            break
    assert (tmp_path / "p").read_bytes()[0] == 0x80
    assert closedist.kl_divergence(Representations.load(tmp_path / "p"), represent(MODEL)) < 1e-25


def test_a_text_that_is_called_csv_has_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.csv").write_text("To be or not to be\nthat is the question\n")
    assert compare(tmp_path / "text.csv", tmp_path / "text.csv") == 2
    assert "text.csv has no column of numbers" in capsys.readouterr().err
