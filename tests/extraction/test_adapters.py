"""Adapters, LoRA and its kin: opened with the base that they name, or refused with what to install or to mend."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import closedist
from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.extraction import hugging_face
from closedist.extraction.language_models import compare_language_models, extract_language_model
from closedist.extraction.texts import Text
from closedist.measures.settings import Settings
from tests.small_language_models import build, log_probabilities, own_log_probabilities, tokenizer, tokens

pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")
peft = pytest.importorskip("peft", reason="peft, of the extra closedist[hf], is not installed")

KINDS: dict[str, dict[str, Any]] = {
    "attention": {"target_modules": ["q_proj", "v_proj"]},
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "head of its own": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "DoRA": {"target_modules": ["q_proj"], "use_dora": True},
}


def adapted(model: Any, kind: str = "attention") -> Any:
    torch.manual_seed(5)
    lora = peft.LoraConfig(r=4, task_type="CAUSAL_LM", init_lora_weights=False, **KINDS[kind])
    model = peft.get_peft_model(model, lora)
    if kind == "head of its own":
        with torch.no_grad():
            model.lm_head.modules_to_save["default"].weight.add_(1.0)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base with its tokenizer, an adapter of it, the two merged, and a text."""
    model = build("Llama")
    for place in (tmp_path / "base", tmp_path / "merged"):
        tokenizer().save_pretrained(place)
    model.save_pretrained(tmp_path / "base")
    model.name_or_path = str(tmp_path / "base")
    both = adapted(model)
    both.save_pretrained(tmp_path / "adapter")
    both.merge_and_unload().save_pretrained(tmp_path / "merged")
    (tmp_path / "text.txt").write_text("The quick brown fox, so they say, jumps over the lazy dog. " * 9)
    return tmp_path


def text(folder: Path) -> Text:
    return Text((folder / "text.txt",), max_tokens=200)


def changed_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_adapters_folder_is_its_base_and_the_adapter_as_if_merged(folder: Path) -> None:
    assert not (folder / "adapter" / "config.json").exists()
    few = Settings(num_subsets=2)
    compared = compare_language_models(str(folder / "adapter"), str(folder / "merged"), text(folder), settings=few)
    assert compared.comparison.kl < 1e-9
    other = compare_language_models(str(folder / "base"), str(folder / "adapter"), text(folder), settings=few)
    assert other.comparison.kl > 1e-3


def test_an_adapters_own_tokenizer_is_taken_before_its_bases(folder: Path) -> None:
    tokenizer(swapped=(2, 3)).save_pretrained(folder / "adapter")
    member = extract_language_model(str(folder / "adapter"), text(folder), folder / "p.safetensors")
    assert member.label_names is not None
    assert member.label_names[2:4].tolist() == ["b", "a"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_adapter_becomes_the_member_with_its_log_probabilities(kind: str) -> None:
    model = adapted(build("Llama"), kind)
    member = closedist.extract(model, [{"input_ids": tokens()}])
    own = own_log_probabilities(model, input_ids=tokens())
    torch.testing.assert_close(log_probabilities(member), own.flatten(0, 1), atol=2e-5, rtol=0)


def test_without_peft_it_says_what_to_install_or_to_merge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugging_face, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"adapter is an adapter of .*base: pip install peft.*merge_and_unload"):
        extract_language_model(str(folder / "adapter"), text(folder), folder / "p.safetensors")
    extract_language_model(str(folder / "merged"), text(folder), folder / "p.safetensors")


def drop_a_weight(folder: Path) -> None:
    path = folder / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    del weights[min(weights)]
    save_file(weights, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: shutil.rmtree(folder / "base"),
            r"there is no folder .*base; .*adapter is an adapter that names it: correct base_model_name",
        ),
        (lambda folder: changed_config(folder, base_model_name_or_path=None), "does not name its base model"),
        (drop_a_weight, "the adapter lacks weights, which would be random: .*lora_A"),
        (
            lambda folder: (folder / "adapter" / "adapter_model.safetensors").unlink(),
            r"cannot read the adapter of .*is .*base the model that it was trained on\?",
        ),
        (lambda folder: (folder / "adapter" / "adapter_config.json").write_text("{"), "is not valid JSON"),
    ],
    ids=["no base", "names no base", "a weight is missing", "no weights", "no JSON"],
)
def test_what_is_wrong_with_an_adapter_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], message: str
) -> None:
    spoil(folder)
    words = ["extract", str(folder / "adapter"), str(folder / "text.txt"), "-o", str(folder / "p.safetensors")]
    assert run(make_app("closedist", COMMANDS), words) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
