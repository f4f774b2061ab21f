"""closedist report: from files to a page, and what it says where it cannot."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from closedist.cli import COMMANDS, make_app, run
from tests.page.pages import N, content_of, small_models


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, model in enumerate(small_models(3)):
        model.save(tmp_path / f"m{index}.safetensors")
    return tmp_path


FILES = [f"m{index}.safetensors" for index in range(3)]


def report(*tokens):
    return run(make_app("closedist", COMMANDS), ["report", *map(str, tokens)])


def test_it_writes_the_page_and_says_where(folder):
    command = [sys.executable, "-m", "closedist", "report", *FILES, "-o", "out/page.html"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "out/page.html"
    assert [model["name"] for model in content_of(folder / "out/page.html")["models"]] == ["m0", "m1", "m2"]


def test_the_seed_and_the_number_of_input_sets_are_those_asked_for(folder):
    assert report(*FILES, "--seed=7", "--num-samples=11") == 0
    assert content_of(folder / "report.html")["settings"]["input set"] == "best of 11 drawn with seed 7"


def test_inputs_are_lines_of_a_text_an_array_of_images_or_a_folder_of_pictures(folder):
    (folder / "texts.txt").write_text("\n".join(f"line {row}" for row in range(N)), encoding="utf-8")
    np.save(folder / "images.npy", np.zeros((N, 4, 4), dtype=np.uint8))
    (folder / "pictures").mkdir()
    for row in range(N):
        Image.new("RGB", (2, 2), (row % 256, 0, 0)).save(folder / "pictures" / f"{row:04}.png")
    (folder / "pictures/notes.txt").write_text("no picture")
    assert report(*FILES, "--inputs", "texts.txt") == 0
    assert content_of(folder / "report.html")["inputs"]["7"] == {"text": "line 7"}
    for inputs in ("images.npy", "pictures"):
        assert report(*FILES, "--inputs", inputs) == 0
        assert content_of(folder / "report.html")["inputs"]["7"]["image"].startswith("data:image/webp")


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (FILES[:1], "needs two files or more"),
        ([*FILES, "-o", "."], "--output: . is a folder"),
        ([*FILES, "--inputs", "nowhere.txt"], "--inputs: cannot read nowhere.txt"),
        ([*FILES, "--inputs", "short.txt"], "--inputs short.txt: 1, but the models have 300 inputs"),
        ([*FILES, "--inputs", "m0.safetensors"], "--inputs: m0.safetensors is neither text"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_page(folder, capsys, tokens, words):
    (folder / "short.txt").write_text("one line")
    assert report(*tokens) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list(folder.glob("*.html"))
