"""closedist explain: from two files to where they differ, as text, JSON and CSV, and what it says where it cannot."""

import csv
import io
import json

import numpy as np
import pytest

from closedist import Representations
from closedist.cli import COMMANDS, make_app, run

N, C = 60, 12
LABELS = [f"class {y}" for y in range(C)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two models of which the second has labels 3 and 7 exchanged, and a text for every input."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(N, 4)), 2 * rng.normal(size=(C, 4))
    order = np.arange(C)
    order[[3, 7]] = 7, 3
    Representations(f, g, label_names=LABELS).save("p.safetensors")
    Representations(f + 0.01 * rng.normal(size=f.shape), g[order]).save("q.safetensors")
    (tmp_path / "texts.txt").write_text("\n".join(f"text {row}" for row in range(N)), encoding="utf-8")
    return tmp_path


def explain(*tokens):
    return run(make_app("closedist", COMMANDS), ["explain", *map(str, tokens)])


FILES = ("p.safetensors", "q.safetensors")


def test_the_labels_that_were_exchanged_come_first_by_name_and_the_columns_are_explained(folder, capsys):
    assert explain(*FILES) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "where p and q differ, over 60 inputs"
    start = lines.index("labels, those that carry most of KL first")
    assert {" ".join(line.split()[:2]) for line in lines[start + 2 : start + 4]} == {"class 3", "class 7"}
    assert "of q's logit of it less p's" in shown
    assert "of 60 inputs get another label" in lines[2]
    assert "… and 2 more" in shown


def test_rows_are_as_many_as_asked_for_in_every_form(folder, capsys):
    assert explain(*FILES, "--rows=2") == 0
    assert "… and 10 more" in capsys.readouterr().out
    assert explain(*FILES, "--rows=2", "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert [len(read[name]) for name in ("labels", "label_pairs", "inputs")] == [2, 2, 2]
    assert explain(*FILES, "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert [len(read[name]) for name in ("labels", "inputs")] == [C, 50]
    assert read["names"] == ["p", "q"]
    assert explain(*FILES, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows if row["list"] == "labels"] == [label["label"] for label in read["labels"]]


def test_inputs_have_the_names_that_a_file_gives(folder, capsys):
    assert explain(*FILES, "--inputs=texts.txt", "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert [row["input_id"] for row in read["inputs"]] == [f"text {row['input']}" for row in read["inputs"]]


def test_the_terms_are_against_the_pivot_asked_for(folder, capsys):
    assert explain(*FILES, "--pivot-label=5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["pivot_label"] == "class 5"


def test_files_of_others_are_read_by_the_names_of_their_arrays(folder, capsys):
    p = Representations.load("p.safetensors")
    np.savez("theirs.npz", f=p.embeddings.numpy(), head=p.unembeddings.numpy())
    assert explain("p.safetensors", "theirs.npz", "--embeddings-name=f", "--unembeddings-name=head") == 0
    assert "equal for every label" in capsys.readouterr().out


def test_long_names_are_told_apart_by_what_differs(folder, capsys):
    for seed, source in enumerate(FILES):
        (folder / source).rename(folder / f"2026-11-24trained_cifar10_Net_seed{seed}_steps20000_reps_test.safetensors")
    assert explain(*sorted(folder.glob("*.safetensors"))) == 0
    assert capsys.readouterr().out.startswith("where seed0 and seed1 differ")


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ([*FILES, "--json", "--csv"], "one or the other"),
        ([*FILES, "--pivot-label=12"], "--pivot-label: 12; the models have labels 0 … 11"),
        ([*FILES, "--inputs=short.txt"], "--inputs short.txt: 1, but the models have 60 inputs"),
        ([*FILES, "--inputs=images.npy"], "--inputs: images.npy holds images without names"),
        ([*FILES, "--rows=0"], "--rows"),
        (["p.safetensors", "nowhere.safetensors"], "nowhere.safetensors"),
        (["p.safetensors", "fewer.safetensors"], "model fewer has 59 inputs"),
    ],
)
def test_a_mistake_is_one_line(folder, capsys, tokens, words):
    (folder / "short.txt").write_text("one line")
    np.save("images.npy", np.zeros((N, 4, 4), dtype=np.uint8))
    Representations.load("p.safetensors").at(inputs=range(N - 1)).save("fewer.safetensors")
    assert explain(*tokens) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
