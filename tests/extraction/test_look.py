"""compare-models --report: a page of language models, whose inputs are tokens in context."""

from pathlib import Path

import pytest

from closedist.cli import COMMANDS, make_app, run
from tests.page.pages import content_of
from tests.small_language_models import build, tokenizer

pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")

WORDS = "The quick brown fox, so they say, jumps over the lazy dog; (why?) nobody knows. "
OPTIONS = ("--num-subsets", "2", "--num-samples", "20", "--context", "16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    for name, kind in (("base", "Llama"), ("other", "GPT-2"), ("third", "GPT-NeoX")):
        build(kind).save_pretrained(place / name)
        tokenizer().save_pretrained(place / name)
    (place / "text.txt").write_text(WORDS * 2)
    return place


def compare(folder, *tokens):
    return run(make_app("closedist", COMMANDS), ["compare-models", *map(str, tokens), *OPTIONS])


def test_two_models_have_a_page_whose_inputs_are_tokens_in_context(folder, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert compare(folder, folder / "base", folder / "other", folder / "text.txt", "--report", page) == 0
    assert f"open {page}" in capsys.readouterr().err
    content = content_of(page)
    assert [model["name"] for model in content["models"]] == ["base", "other"]
    texts = [shown["text"] for shown in content["inputs"].values()]
    assert any("Thequick⟦b⟧rown" in text.replace(" ", "") for text in texts)  # this tokenizer spells
    assert all(text.count("⟦") == text.count("⟧") == 1 for text in texts)
    labels = {row[0] for row in content["pairs"]["0,1"]["labels"]}
    assert {"b", "?"} <= labels
    assert any("⟦the marked token⟧" in note for note in content["notes"])


def test_copies_have_a_page_of_all_pairs(folder, tmp_path):
    page = tmp_path / "page.html"
    models = [folder / name for name in ("base", "other", "third")]
    assert compare(folder, *models, "--text", folder / "text.txt", "--report", page, "--differences", "0") == 0
    content = content_of(page)
    assert [model["name"] for model in content["models"]] == ["base", "other", "third"]
    assert len(content["pairs"]) == 3


def test_a_folder_in_the_place_of_the_page_is_refused_before_anything_is_read(folder, tmp_path, capsys):
    assert compare(folder, folder / "base", Path("nowhere"), folder / "text.txt", "--report", tmp_path) == 2
    assert f"--report: {tmp_path} is a folder" in capsys.readouterr().err
