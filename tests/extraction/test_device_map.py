"""Models that accelerate places: they are what they are in memory, and a missing package is named."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.extraction import hugging_face
from closedist.extraction.hugging_face import Loading
from closedist.extraction.language_models import extract_language_model
from closedist.extraction.texts import Text
from closedist.representations import Representations
from tests.small_language_models import build, tokenizer

pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")
pytest.importorskip("accelerate", reason="accelerate, of the extra closedist[hf], is not installed")


@pytest.fixture(params=["Llama", "Llama, tied", "weights of torch.save", "adapter"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of a model, with a text beside it."""
    (tmp_path / "text.txt").write_text("The quick brown fox, so they say, jumps over the lazy dog. " * 3)
    of = build("Llama, tied" if "tied" in request.param else "Llama")
    of.save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    if request.param == "weights of torch.save":
        (tmp_path / "base" / "model.safetensors").unlink()
        torch.save(of.state_dict(), tmp_path / "base" / "pytorch_model.bin")
    if request.param == "adapter":
        peft = pytest.importorskip("peft", reason="peft is not installed")
        of.name_or_path = str(tmp_path / "base")
        lora = peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
        peft.get_peft_model(of, lora).save_pretrained(tmp_path / "adapter")
        return tmp_path / "adapter"
    return tmp_path / "base"


@pytest.mark.parametrize("device_map", ["auto", {"": "disk"}], ids=["auto", "all on disk"])
def test_a_model_that_accelerate_places_gives_the_same_representations_and_is_known_as_the_same(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, device_map: Any
) -> None:
    text = Text((tmp_path / "text.txt",))
    expected = extract_language_model(str(model), text, tmp_path / "memory.safetensors")
    placed = Loading(device_map=device_map)
    if model.name == "adapter" and device_map != "auto":
        with pytest.raises(InputError, match=r"its base is on disk.*merge_and_unload.*or leave --device-map out"):
            extract_language_model(str(model), text, tmp_path / "placed.safetensors", placed)
        return
    found = extract_language_model(str(model), text, tmp_path / "placed.safetensors", placed)
    torch.testing.assert_close(found.embeddings, expected.embeddings, atol=1e-5, rtol=1e-5)
    assert torch.equal(found.unembeddings, expected.unembeddings)
    with caplog.at_level(logging.INFO):
        extract_language_model(str(model), text, tmp_path / "memory.safetensors", placed)
    assert "memory.safetensors already holds" in caplog.text


def test_weights_are_read_in_the_type_that_is_asked_for(model: Path, tmp_path: Path) -> None:
    words = ["extract", model, tmp_path / "text.txt", "-o", tmp_path / "p.safetensors"]
    options = ["--device-map", "auto", "--dtype", "bfloat16"]
    assert run(make_app("closedist", COMMANDS), [str(word) for word in [*words, *options]]) == 0
    assert Representations.load(tmp_path / "p.safetensors").unembeddings.dtype == torch.bfloat16


@pytest.mark.parametrize("command", ["extract", "compare-models"])
def test_without_accelerate_the_commands_say_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    build("Llama").save_pretrained(tmp_path / "m")
    tokenizer().save_pretrained(tmp_path / "m")
    (tmp_path / "text.txt").write_text("The quick brown fox")
    monkeypatch.setattr(hugging_face, "find_spec", lambda name: None)
    capsys.readouterr()
    models = [tmp_path / "m"] * (1 if command == "extract" else 2)
    output = ["-o", tmp_path / "p.safetensors"] if command == "extract" else []
    words = [command, *models, tmp_path / "text.txt", *output, "--device-map", "auto"]
    assert run(make_app("closedist", COMMANDS), [str(word) for word in words]) == 2
    error = capsys.readouterr().err
    assert error == "closedist: --device-map: the package accelerate places weights: pip install accelerate\n"


def test_a_device_and_a_map_of_devices_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device: 'cuda', but device_map places the weights"):
        hugging_face.load_causal_model(str(tmp_path), Loading(device="cuda", device_map="auto"))
