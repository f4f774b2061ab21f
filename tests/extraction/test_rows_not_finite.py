"""Rows of the head that belong to no label and may hold no numbers: named, and left out."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist import InputError, Representations
from closedist.cli import COMMANDS, make_app, run

BATCHES = list(torch.randn(4, 10, 5, generator=torch.Generator().manual_seed(0)))


def classifier(*not_finite: int, value: float = torch.nan, in_bias: bool = False) -> nn.Module:
    """Eight labels, the rows of some of which are not finite."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 8))
    with torch.no_grad():
        for row in not_finite:
            (model[2].bias if in_bias else model[2].weight[:, 1])[row] = value
    return model


def log_probabilities(p: Representations) -> Tensor:
    scores = p.embeddings.double() @ p.unembeddings.double().T
    return (scores if p.bias is None else scores + p.bias.double()).log_softmax(-1)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("in_bias", [False, True])
@pytest.mark.parametrize("rows", [(6, 7), (0, 3, 7), (4,)])
def test_rows_that_are_not_finite_are_named_and_what_the_error_advises_works(
    rows: tuple[int, ...], in_bias: bool, value: float
) -> None:
    model = classifier(*rows, value=value, in_bias=in_bias)
    with pytest.raises(InputError) as caught:
        closedist.extract(model, BATCHES)
    text = str(caught.value)
    assert f"of the 8 rows of 2 {len(rows)} are not finite: {', '.join(map(str, rows))}." in text
    others = [label for label in range(8) if label not in rows]
    advised = re.search(r"pass labels=(?:range\((\d+)\)| the numbers of the others)$", text)
    assert advised is not None
    assert (advised[1] == "6") == (rows == (6, 7))
    left = range(int(advised[1])) if advised[1] else others
    p = closedist.extract(model, BATCHES, labels=left, label_names=[f"name {label}" for label in others])
    with torch.no_grad():
        own = model(torch.cat(BATCHES)).double()[:, others].log_softmax(-1)
    torch.testing.assert_close(log_probabilities(p), own, atol=1e-6, rtol=0)
    assert p.label_names is not None
    assert p.label_names.tolist() == [f"name {label}" for label in others]


def test_extracting_some_labels_is_a_part_of_extracting_all() -> None:
    model, mask = classifier(), np.arange(8) % 3 > 0
    some, whole = closedist.extract(model, BATCHES, labels=mask), closedist.extract(model, BATCHES)
    assert torch.equal(some.embeddings, whole.embeddings)
    assert torch.equal(some.unembeddings, whole.at(labels=np.flatnonzero(mask)).unembeddings)


def test_labels_that_the_head_does_not_have() -> None:
    for labels, words in (([8], "8 is none of the 8 labels"), ([-1], "-1"), ([1, 0, 1], "twice"), ([], "at least")):
        with pytest.raises(InputError, match=f"^labels: .*{words}"):
            closedist.extract(classifier(), BATCHES, labels=labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """whole: 67 rows; tail: 80, of which those after 67 are NaN; inside: the rows of two tokens NaN."""
    transformers = pytest.importorskip("transformers", reason="the extra closedist[hf] is not installed")
    from tests.extraction.test_language_models import VOCABULARY, build, tokenizer

    place = tmp_path_factory.mktemp("models")
    for name, size, wrong in (("whole", VOCABULARY, []), ("tail", 80, range(67, 80)), ("inside", 80, [40, 60])):
        model: Any = build("Llama", vocab_size=size)
        assert isinstance(model, transformers.PreTrainedModel)
        with torch.no_grad():
            model.lm_head.weight[list(wrong)] = torch.nan
        model.save_pretrained(place / name)
        tokenizer().save_pretrained(place / name)
    (place / "text.txt").write_text("The quick brown fox, so they say, jumps over the lazy dog; nobody knows. " * 9)
    return place


def command(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), [str(word) for word in words])


@pytest.mark.parametrize("pair", [("whole", "tail"), ("tail", "whole"), ("tail", "tail")])
def test_rows_of_no_token_are_left_out(folder: Path, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--max-tokens", "200", "--num-subsets", "5", "--num-pivots", "3", "--json")
    assert command("compare-models", *(folder / name for name in pair), folder / "text.txt", *options) == 0
    read = json.loads(capsys.readouterr().out)
    assert (read["num_labels"], read["num_pivots"]) == (67, 3)
    assert (read["kl"] == 0) == (pair[0] == pair[1])


def test_rows_of_tokens_stop_an_extraction_or_are_left_out_as_asked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("extract", folder / "inside", folder / "text.txt", "-o", tmp_path / "p", "--max-tokens", "200")
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert "the rows of 2 tokens in its head are not finite, the first that of 'M' (label 40)" in error
    assert "--nan-labels ignore" in error
    assert command(*words, "--nan-labels", "ignore") == 0
    p = Representations.load(tmp_path / "p")
    assert p.num_labels == 78
    assert p.label_names is not None
    assert not {"M", ")"} & set(p.label_names.tolist())


def test_a_token_that_one_model_is_without_is_left_out_of_both(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("compare-models", folder / "whole", folder / "inside", folder / "text.txt", "--nan-labels=ignore")
    assert command(*words, "--max-tokens", "200", "--num-subsets", "5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_labels"] == 65


def test_pivots_are_counted_among_the_labels_that_are_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("compare-models", folder / "inside", folder / "inside", folder / "text.txt", "--num-pivots", "1")
    assert command(*words, "--max-tokens", "200", "--num-subsets", "5", "--nan-labels=ignore", "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert read["label_names"][0] == " "  # the most frequent token, beyond the first row that is left out
