"""closedist layers: from models and a text to a table, a page or a picture."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import closedist
from closedist.cli import COMMANDS, make_app, run
from closedist.page.layers import draw_layers, layers_page
from tests.small_language_models import build, tokenizer

transformers = pytest.importorskip("transformers")
TEXT = "the quick brown fox jumps over the lazy dog, and then it sleeps. " * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    words = tokenizer()
    for name, kind in (("one", "GPT-2"), ("two", "Llama")):
        build(kind).save_pretrained(place / name)
        words.save_pretrained(place / name)
    torch.manual_seed(0)
    encoder = transformers.BertConfig(
        vocab_size=67, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertForMaskedLM(encoder).save_pretrained(place / "encoder")
    words.save_pretrained(place / "encoder")
    tokenizer(swapped=(5, 9)).save_pretrained(place / "other words")
    build("GPT-2").save_pretrained(place / "other words")
    (place / "text.txt").write_text(TEXT)
    return place


@pytest.fixture
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def layers(*tokens):
    return run(make_app("closedist", COMMANDS), ["layers", *map(str, tokens)])


def test_it_prints_the_table_of_a_models_layers(inside, capsys):
    assert layers("one", "--text", "text.txt") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("linear CKA, ")
    from closedist.extraction.layered_models import read_layered_model
    from closedist.extraction.texts import Text, read_vocabulary, token_windows

    windows = token_windows(read_vocabulary("one"), Text((inside / "text.txt",))).tokens
    batches = [{"input_ids": torch.tensor([window])} for window in windows]
    found = closedist.activations(read_layered_model("one"), batches, "hidden_states", pool=None)
    assert f"{closedist.linear_cka(found['hidden_states.0'], found['hidden_states.2']):.4f}" in printed


@pytest.mark.parametrize("measure", ["debiased", "mutual_knn"])
def test_two_models_give_a_page_with_every_number(inside, tmp_path, measure, capsys):
    page = tmp_path / "report.html"
    assert layers("one", "two", "--text", "text.txt", "--measure", measure, "-o", page) == 0
    assert capsys.readouterr().out.strip() == str(page)
    text = page.read_text()
    assert len(re.findall(r'<td class="s\d+" title=', text)) == 9
    assert "one/hidden_states.0, two/hidden_states.2: " in text
    assert "<script" not in text
    assert "http" not in re.sub(r"http-equiv", "", text)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_ending_says_which_picture_is_made(inside, tmp_path, ending):
    assert (
        layers("one", "encoder", "-t", "text.txt", "--pool", "mean", "--context=20", "-o", tmp_path / f"p.{ending}")
        == 0
    )
    begin = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert (tmp_path / f"p.{ending}").read_bytes().startswith(begin)


def test_modules_are_named_by_patterns(inside, capsys):
    assert layers("one", "--text", "text.txt", "--layers", "h.*.mlp") == 0
    assert "h.1.mlp" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (["one", "--text", "text.txt", "--measure", "cosine"], "--measure: 'cosine'; it is one of cka"),
        (["one", "--text", "text.txt", "-o", "page.txt"], "--output: page.txt"),
        (["one", "--text", "none.txt"], "cannot read none.txt"),
        (["one", "--text", "text.txt", "--layers", "encoder.*"], "--layers: 'encoder.*' names no module"),
        (["one", "--text", "text.txt", "--measure", "riemannian"], "full rank"),
        (["one", "other words", "--text", "text.txt"], "other tokens"),
        (["one", "--text", "text.txt", "--device", "cuda:99"], "--device: "),
        (["./absent", "--text", "text.txt"], "no folder ./absent"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_what_to_do(inside, tokens, said, capsys):
    assert layers(*tokens) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def small():
    random = np.random.default_rng(0)
    a = {"one <b>": random.normal(size=(30, 3)), "two": random.normal(size=(30, 4))}
    return closedist.layer_matrix(a, {"x": random.normal(size=(30, 5))}, "gulp")


def test_a_page_says_what_the_measure_does_not_see_and_hides_no_markup():
    text = layers_page(small(), ["p & q", "r"], ["read: nothing"])
    assert "one &lt;b&gt;" in text
    assert "<b>" not in text
    for word in ("GULP", "smaller is closer", "Boix-Adserà", "a rotation or reflection", "read: nothing", "30 inputs"):
        assert word in text


def test_the_shade_is_the_darker_the_closer():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    a = {f"{size}": x + size * random.normal(size=(60, 3)) for size in (0.0, 0.5, 5.0)}
    for measure in ("cka", "procrustes"):
        shades = re.findall(r'class="s(\d+)" title="0.0, ', layers_page(closedist.layer_matrix(a, measure=measure)))
        assert_allclose(int(shades[0]), 63)
        assert int(shades[0]) > int(shades[1]) > int(shades[2])


def test_another_ending_and_a_folder_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(closedist.InputError, match="html, png"):
        draw_layers(small(), tmp_path / "p.jpeg")
    (tmp_path / "file").write_text("")
    with pytest.raises(closedist.InputError, match="cannot write"):
        draw_layers(small(), tmp_path / "file" / "p.html")
