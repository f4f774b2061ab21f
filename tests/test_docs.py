"""The how-to pages do what they say: their blocks run, in order; README's numbers were measured."""

import contextlib
import importlib
import io
import json
import re
import runpy
import shlex
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from closedist.cli import COMMANDS, make_app, run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOW_TO = ["classifier", "language-models", "many-models", "two-towers", "arrays", "ci"]
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
YARDSTICK = ROOT / "examples" / "yardstick.py"


def blocks(page: str) -> list[tuple[str, str]]:
    """The kind and content of every fenced block."""
    return BLOCK.findall(page)


def run_python(code: str, names: dict[str, Any]) -> str:
    """What a block prints; where it needs a framework that is not installed, the test skips and says so."""
    for framework in ("keras", "jax"):
        if f"import {framework}\n" in code:
            pytest.importorskip(framework)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "a page", "exec"), names)
    return printed.getvalue()


def assert_like(shown: str, printed: str) -> None:
    """The same words, and numbers that another processor or version may change a little."""
    assert NUMBER.sub("#", shown).split() == NUMBER.sub("#", printed).split()
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        assert float(ours) == pytest.approx(float(theirs), rel=0.05, abs=0.01)


@pytest.mark.parametrize("name", HOW_TO)
def test_a_how_to_page_runs_as_it_is_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    printed, ran = "", 0
    for kind, content in blocks((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")):
        if kind == "text":
            assert_like(content, printed)
        elif kind == "python":
            printed = run_python(content, names)
            ran += 1
        else:
            for line in content.splitlines():
                words = [found for word in shlex.split(line, comments=True) for found in sorted(glob(word)) or [word]]
                assert words[0] == "closedist"
                assert run(make_app("closedist", COMMANDS), words[1:]) == 0, line
    assert ran


@pytest.mark.parametrize("name", HOW_TO)
def test_a_how_to_page_is_short(name: str) -> None:
    assert len((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8").splitlines()) <= 80


def classes_1000() -> tuple[list[nn.Module], Any]:
    """Two networks of 1,000 classes, and images in batches."""
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        models.append(nn.Sequential(nn.Flatten(), nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 1000)))
    return models, torch.randn(300, 3, 4, 4).split(50)


def language_models() -> tuple[list[nn.Module], Any]:
    """Two of 97 tokens, and texts in batches."""
    sizes = {"vocab_size": 97, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16}
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        models.append(GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)))
    return models, [{"input_ids": part} for part in torch.randint(97, (20, 16)).split(5)]


@pytest.mark.parametrize("models", [classes_1000, language_models])
def test_the_first_lines_of_readme_take_a_thousand_classes_and_a_language_model(models: Any) -> None:
    (model, other_model), batches = models()
    kind, code = blocks(README)[0]
    assert kind == "python"
    printed = run_python(code, {"model": model, "other_model": other_model, "batches": batches})
    assert re.match(r"(The same|Not the same|Undecided)", printed)
    assert "logit correlation" in printed
    assert "directions" in printed


def test_readme_has_the_yardstick_that_was_measured() -> None:
    yardstick = runpy.run_path(str(YARDSTICK))
    rows = json.loads(YARDSTICK.with_suffix(".json").read_text(encoding="utf-8"))
    assert yardstick["replaced"](README, rows) == README, "run python examples/yardstick.py --write"
    assert len(rows) == 8


@pytest.mark.slow
def test_the_yardstick_comes_out_again() -> None:
    """Another processor trains other networks, so ranges need only overlap."""
    yardstick = runpy.run_path(str(YARDSTICK))
    stored = json.loads(YARDSTICK.with_suffix(".json").read_text(encoding="utf-8"))
    for ours, theirs in zip(yardstick["measured"](), stored, strict=True):
        assert ours["pair"] == theirs["pair"]
        for title in yardstick["NUMBERS"]:
            (low, high), (stored_low, stored_high) = ours[title], theirs[title]
            assert low <= stored_high, (ours["pair"], title)
            assert high >= stored_low, (ours["pair"], title)
        assert max(ours["verdict"], key=ours["verdict"].get) == max(theirs["verdict"], key=theirs["verdict"].get)


def test_the_papers_commands_in_readme_run_on_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the training, from the repository's root, with results and figures elsewhere."""
    monkeypatch.chdir(ROOT)
    section = README.split("## The first paper")[1].split("## The second paper")[0].replace("\\\n", " ")
    commands = [shlex.split(line)[2:] for line in section.splitlines() if line.startswith("    python run.py ")]
    assert [command[0] for command in commands] == ["train-variations", "get-accuracies", "get-distances", "make-plot"]
    for command in commands[1:]:
        written = "figures" if command[0] == "make-plot" else "results"
        folders = [f"--{written}-folder={tmp_path / written}"]
        assert run(make_app("run.py", COMMANDS), [*command, *folders]) == 0, command
    accuracies = [json.loads(path.read_text()) for path in (tmp_path / "results").glob("*_model_acc_*")]
    assert [len(found["accuracy"]) for found in accuracies] == [80, 80]  # widths 16 and 32; 20 seeds, four lengths
    assert len(list((tmp_path / "results").glob("*_model_distances_*"))) == 8
    assert list((tmp_path / "figures").glob("*.png"))


def test_every_page_is_in_the_navigation_and_every_file_that_pages_name_is_there() -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:\n")[1]
    assert sorted(re.findall(r": ([\w-]+\.md)$", navigation, re.MULTILINE)) == sorted(pages)
    for name, page in {**pages, "../README.md": README}.items():
        for path in re.findall(r"`(?:tests/)?((?:[a-z_]+/)?test_\w+\.py)`", page):
            assert (ROOT / "tests" / path).exists(), (name, path)
        for path in re.findall(r"\b((?:examples|benchmarks)/\w+\.py)\b", page):
            assert (ROOT / path).exists(), (name, path)
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page):
            assert (ROOT / "docs" / name).parent.joinpath(link).exists(), (name, link)


def test_readme_starts_with_what_it_answers_and_its_papers_come_later() -> None:
    titles = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    order = ["What is large?", "Where you come from", "Install", "The first paper", "The second paper"]
    assert [title for title in titles if title in order] == order


@pytest.mark.slow
def test_the_quantised_copies_come_in_the_order_of_their_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/quantised.md's command, on a model that is trained for a few steps only."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    example = importlib.import_module("quantised_copies")
    monkeypatch.setattr(example, "TRAIN_STEPS", 40)
    monkeypatch.setattr(example, "MORE_STEPS", 10)
    assert example.main(Path("copies")) == 0
    printed = capsys.readouterr().out
    command = (ROOT / "docs" / "quantised.md").read_text(encoding="utf-8").split("\n    closedist ")[1].split("\n")[0]
    assert f"closedist {command}" in printed
    divergences = printed.split("KL divergence from base (nats)")[1].split("\n\n")[0]
    order = re.findall(r"^(\d) bits ", divergences, re.MULTILINE)
    assert order == ["8", "6", "4", "3"]
