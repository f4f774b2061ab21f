"""Causal language models of Hugging Face: extraction, rotated twins, vocabularies, and the two commands."""

import builtins
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.extraction.files import load_aligned
from closedist.extraction.hugging_face import read_with
from closedist.measures.settings import Settings
from closedist.representations import Representations
from closedist.representations.alignment import over_same_labels
from tests.small_language_models import (
    CONFIGS,
    SMALL,
    VOCABULARY,
    build,
    log_probabilities,
    own_log_probabilities,
    tokenizer,
    tokens,
)

transformers = pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_language_model_becomes_the_member_with_its_log_probabilities(name: str) -> None:
    model = build(name)
    member = closedist.extract(model, [{"input_ids": part} for part in tokens().split(3)])
    own = own_log_probabilities(model, input_ids=tokens())
    torch.testing.assert_close(log_probabilities(member), own.flatten(0, 1), atol=1e-5, rtol=0)
    assert (member.bias is not None) == ("bias" in name)
    assert model.training
    assert member.input_ids is not None
    assert member.input_ids[-1].tolist() == [3, 11]


def test_padded_positions_are_left_out() -> None:
    model = build("Llama")
    mask = torch.ones(4, 12, dtype=torch.long)
    mask[0, 7:], mask[2, 3:] = 0, 0
    member = closedist.extract(model, [{"input_ids": tokens(), "attention_mask": mask}])
    own = own_log_probabilities(model, input_ids=tokens(), attention_mask=mask)[mask.bool()]
    torch.testing.assert_close(log_probabilities(member), own, atol=1e-5, rtol=0)


def test_half_precision_passes_the_self_check_and_keeps_its_numbers() -> None:
    member = closedist.extract(build("Llama").to(torch.bfloat16), [{"input_ids": tokens()}])
    assert member.embeddings.dtype == member.unembeddings.dtype == torch.bfloat16


@pytest.mark.parametrize("size", [0.0, 0.1], ids=["freshly initialised", "as if trained"])
def test_a_soft_capped_model_stops_with_what_was_found(size: float) -> None:
    options = SMALL | {"head_dim": 8, "num_key_value_heads": 1}
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.Gemma2Config(**options))
    with torch.no_grad():
        model.get_output_embeddings().weight.add_(torch.randn(VOCABULARY, 16), alpha=size)
    with pytest.raises(InputError, match=r"soft-capped to 30·tanh\(f·g/30\) \(final_logit_softcapping of its config\)"):
        closedist.extract(model, [{"input_ids": tokens()}])
    assert not any(module._forward_pre_hooks for module in model.modules())
    member = closedist.extract_logits(model, [{"input_ids": tokens()}])
    own = own_log_probabilities(model, input_ids=tokens()).flatten(0, 1)
    torch.testing.assert_close(log_probabilities(member), own, atol=1e-5, rtol=0)
    model.config.final_logit_softcapping = None
    assert closedist.extract(model, [{"input_ids": tokens()}]).num_labels == VOCABULARY


def test_eight_bit_integers_are_read_as_the_affine_map_they_are() -> None:
    class Int8(nn.Module):
        """A Linear layer whose weight is stored as integers, one scale a row."""

        def __init__(self, layer: nn.Linear) -> None:
            super().__init__()
            scale = layer.weight.detach().abs().amax(1, keepdim=True) / 127
            self.register_buffer("packed", (layer.weight.detach() / scale).round().to(torch.int8))
            self.register_buffer("scale", scale)

        def forward(self, x: Tensor) -> Tensor:
            return x @ (self.packed.to(x.dtype) * self.scale).T

    model = build("Llama")
    model.lm_head = Int8(model.lm_head)
    member = closedist.extract(model, [{"input_ids": tokens()}])
    own = own_log_probabilities(model, input_ids=tokens()).flatten(0, 1)
    torch.testing.assert_close(log_probabilities(member), own, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "norm"), [("GPT-2", "transformer.ln_f"), ("Llama", "model.norm")])
def test_rotated_twins_are_the_same_model_in_other_coordinates(name: str, norm: str) -> None:
    """The last norm is followed by an invertible matrix, and the head undoes it: one distribution, other weights."""
    model, twin = build(name), build(name)
    generator = torch.Generator().manual_seed(2)
    matrix = torch.randn(16, 16, generator=generator, dtype=torch.float64)
    turn = nn.Linear(16, 16, bias=False)
    head = nn.Linear(16, VOCABULARY, bias=False)  # not tied to the embeddings of tokens any more
    with torch.no_grad():
        turn.weight.copy_(matrix)
        head.weight.copy_(model.lm_head.weight.double() @ torch.linalg.inv(matrix))
    parent, _, last = norm.rpartition(".")
    setattr(twin.get_submodule(parent), last, nn.Sequential(twin.get_submodule(norm), turn))
    twin.lm_head = head

    batches = [{"input_ids": part} for part in tokens(40).split(10)]
    p, q = closedist.extract(model, batches), closedist.extract(twin, batches)
    compared = closedist.compare(p, q, num_subsets=20)
    assert compared.kl < 1e-8
    assert compared.kl_reverse < 1e-8
    assert compared.llv < 1e-4
    assert compared.certificate < 1e-6
    assert compared.mean_cca_embeddings > 1 - 1e-6
    assert not torch.allclose(p.unembeddings, q.unembeddings, atol=0.1)
    assert not torch.allclose(p.embeddings, q.embeddings, atol=0.1)
    assert compared.cka_embeddings < 0.99  # CKA is blind to rotations only


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as save_pretrained writes them, and a text."""
    place = tmp_path_factory.mktemp("models")
    for model, name, changes, words in (
        ("first", "Llama", {}, tokenizer()),
        ("second", "GPT-2", {}, tokenizer()),
        ("padded", "GPT-2", {"vocab_size": 80}, tokenizer()),
        ("swapped", "GPT-2", {}, tokenizer(swapped=(2, 3))),
        ("short", "GPT-2", {"n_positions": 20}, tokenizer()),
    ):
        build(name, **changes).save_pretrained(place / model)
        words.save_pretrained(place / model)
    (place / "text.txt").write_text(
        "The quick brown fox, so they say, jumps over the lazy dog; (why?) nobody knows. " * 9
    )
    return place


def command(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), [str(word) for word in words])


def test_extract_then_compare_equals_compare_models(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = folder / "text.txt"
    for name in ("first", "second"):
        assert (
            command("extract", folder / name, text, "-o", tmp_path / f"{name}.safetensors", "--max-tokens", "400") == 0
        )
    p, q = (Representations.load(tmp_path / f"{name}.safetensors") for name in ("first", "second"))
    expected = closedist.compare(p, q, num_subsets=5)
    capsys.readouterr()
    options = ("--max-tokens", "400", "--num-subsets", "5", "--json")
    assert command("compare-models", folder / "first", folder / "second", text, *options) == 0
    result = json.loads(capsys.readouterr().out)
    for field in ("llv", "kl", "certificate", "dissimilarity", "num_inputs"):
        assert result[field] == pytest.approx(getattr(expected, field), rel=1e-6)
    assert result["note"] == ""
    assert p.num_inputs == 400
    assert p.label_names is not None
    assert p.label_names[:4].tolist() == ["<s>", "?", "a", "b"]


def test_every_piece_of_a_text_begins_as_the_tokenizer_begins_a_text(folder: Path) -> None:
    from closedist.extraction.texts import Text, read_vocabulary, token_windows

    vocabulary = read_vocabulary(str(folder / "first"))
    windows = token_windows(vocabulary, Text((folder / "text.txt",), max_tokens=100, context=30)).tokens
    assert [len(window) for window in windows] == [30, 30, 30, 10]
    assert {window[0] for window in windows} == {0}
    inside = [token for window in windows for token in window[1:]]
    written = vocabulary.tokenizer((folder / "text.txt").read_text(), add_special_tokens=False)["input_ids"]
    assert inside == written[: len(inside)]


def test_the_member_on_disk_is_the_models_own_distribution(folder: Path, tmp_path: Path) -> None:
    from closedist.extraction.language_models import extract_language_model
    from closedist.extraction.texts import Text, read_vocabulary, token_windows

    text = Text((folder / "text.txt", folder / "text.txt"), max_tokens=300, positions=3)
    member = extract_language_model(str(folder / "second"), text, tmp_path / "p.safetensors")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "second")
    windows = token_windows(read_vocabulary(str(folder / "second")), text).tokens
    own = torch.cat([own_log_probabilities(model, input_ids=torch.tensor([window]))[0, ::3] for window in windows])
    torch.testing.assert_close(log_probabilities(member), own, atol=1e-5, rtol=0)


def test_a_padded_vocabulary_is_compared_over_the_shared_tokens_and_the_result_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (folder / "text.txt", "--max-tokens", "300", "--folder", tmp_path)
    assert command("compare-models", folder / "first", folder / "padded", *options) == 0
    out = capsys.readouterr().out
    assert "compared over the 67 labels that all have; the labels beyond them, 13 of" in out
    p, q = (Representations.load(tmp_path / f"{role}.safetensors") for role in ("first", "second"))
    assert (p.num_labels, q.num_labels) == (67, 80)
    (_, cut), note = load_aligned([tmp_path / "first.safetensors", tmp_path / "second.safetensors"])
    assert "67 labels" in note
    assert torch.equal(cut.unembeddings, q.unembeddings[:67])


def test_different_vocabularies_are_refused_before_any_weights_are_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
    )
    assert command("compare-models", folder / "first", folder / "swapped", folder / "text.txt") == 2
    error = capsys.readouterr().err
    assert "different vocabularies: label 2 is 'a' in" in error
    assert "'b' in" in error


def test_only_one_model_is_in_memory_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    from closedist.extraction import language_models
    from closedist.extraction.texts import Text

    alive: list[weakref.ref[Any]] = []
    load = language_models.load_causal_model

    def watched(*arguments: Any) -> Any:
        assert all(reference() is None for reference in alive), "the first model is still there"
        model = load(*arguments)
        alive.append(weakref.ref(model))
        return model

    monkeypatch.setattr(language_models, "load_causal_model", watched)
    text = Text((folder / "text.txt",), max_tokens=300)
    result = language_models.compare_language_models(
        str(folder / "first"), str(folder / "second"), text, num_pivots=3, settings=Settings(num_subsets=2)
    )
    assert len(alive) == 2
    assert result.comparison.num_pivots == 3


def test_logits_are_computed_of_the_first_sequence_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from closedist.extraction import language_models
    from closedist.extraction.texts import Text

    shapes: list[tuple[int, ...]] = []
    load = language_models.load_causal_model

    def watched(*arguments: Any) -> Any:
        model: Any = load(*arguments)
        model.lm_head.register_forward_hook(lambda module, args, output: shapes.append(tuple(output.shape)))
        return model

    monkeypatch.setattr(language_models, "load_causal_model", watched)
    text = Text((folder / "text.txt",), max_tokens=300, context=20)
    member = language_models.extract_language_model(str(folder / "first"), text, tmp_path / "p.safetensors")
    assert member.num_inputs == 300
    assert {shape[:-1] for shape in shapes} == {(1, 20)}
    assert len(shapes) == 2  # as it is, and with logits of ±200


def test_a_comparison_that_was_stopped_keeps_its_first_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from closedist.extraction import language_models
    from closedist.extraction.texts import Text

    models, text = (str(folder / "first"), str(folder / "second")), Text((folder / "text.txt",), max_tokens=300)
    whole = language_models.compare_language_models(*models, text, folder=tmp_path, settings=Settings(num_subsets=2))
    (tmp_path / "second.safetensors").unlink()
    extracted = []
    extract = language_models.extract
    monkeypatch.setattr(
        language_models, "extract", lambda *a, **k: extracted.append(k["file"].name) or extract(*a, **k)
    )
    again = language_models.compare_language_models(*models, text, folder=tmp_path, settings=Settings(num_subsets=2))
    assert extracted == ["second.safetensors"]
    assert again == whole
    longer = Text((folder / "text.txt",), max_tokens=301)
    language_models.compare_language_models(*models, longer, folder=tmp_path, settings=Settings(num_subsets=2))
    assert extracted == ["second.safetensors", "first.safetensors", "second.safetensors"]


def test_files_of_different_texts_are_not_compared(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from closedist.extraction.language_models import extract_language_model
    from closedist.extraction.texts import Text

    words = (folder / "text.txt").read_text().split(" ")
    (tmp_path / "other.txt").write_text(" ".join([*words[:9], "Pack", *words[10:]]))  # as long, from a word on other
    paths = [tmp_path / "p.safetensors", tmp_path / "q.safetensors"]
    for path, text in zip(paths, (folder / "text.txt", tmp_path / "other.txt"), strict=True):
        extract_language_model(str(folder / "first"), Text((text,), max_tokens=200, context=20), path)
    assert command("compare", *paths, "--num-subsets", "2") == 2
    row = re.search(r"row (\d+) of model .*q.safetensors is another input.*--same-inputs", capsys.readouterr().err)
    p, q = (Representations.load(path) for path in paths)
    assert p.input_digests is not None
    assert q.input_digests is not None
    assert row is not None
    assert int(row[1]) == int(np.flatnonzero(p.input_digests != q.input_digests)[0]) == 40  # the sequence's first
    assert command("compare", *paths, "--num-subsets", "2", "--same-inputs") == 0


def test_labels_without_names_are_left_to_compare() -> None:
    named = Representations(np.eye(4), np.eye(4), label_names=list("abcd"))
    unnamed = Representations(np.eye(4), np.eye(4))
    assert over_same_labels([named, unnamed], ["p", "q"]) == ([named, unnamed], "")


@pytest.mark.parametrize("name", ["GPT-2", "Llama", "GPT-NeoX"])
def test_a_folder_without_tokenizer_says_so_and_takes_a_named_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Of such a folder transformers makes up a tokenizer for the one kind of model, and raises for the other."""
    build(name).save_pretrained(tmp_path / "bare")
    text, file = folder / "text.txt", tmp_path / "p.safetensors"
    extraction = ("extract", tmp_path / "bare", text, "-o", file)
    for words in (extraction, ("compare-models", folder / "first", tmp_path / "bare", text)):
        assert command(*words) == 2
        assert re.search(r"/bare has no tokenizer; name a folder that.*--tokenizer FOLDER$", capsys.readouterr().err)
    assert command(*extraction, "--tokenizer", folder / "first") == 0
    member = Representations.load(file)
    assert member.label_names is not None
    assert member.label_names[2] == "a"
    options = (text, "--tokenizer", folder / "first", "--max-tokens", "100", "--num-subsets", "2")
    assert command("compare-models", tmp_path / "bare", folder / "second", *options) == 0


def test_a_tokenizer_of_another_model_is_found_out_before_any_weights_are_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build("GPT-2", vocab_size=20).save_pretrained(tmp_path / "small")
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights read")
    )
    options = ("--tokenizer", folder / "first", "-o", tmp_path / "p.safetensors")
    assert command("extract", tmp_path / "small", folder / "text.txt", *options) == 2
    assert re.search(
        r"tokenizer: the texts have token \d+, '.', but the model knows 20 tokens", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["MODELS/nothing", "TEXT"], "there is no folder"),
        (["MODELS/first", "MODELS/absent.txt"], "cannot read"),
        (["MODELS/first"], r"extract needs TEXT \(or --text\)"),
        (["MODELS/first", "MODELS/first/model.safetensors"], "is not UTF-8"),
        (["MODELS/short", "TEXT", "--context", "21"], r"context: 21 tokens; the models take 1 … 20"),
        (["MODELS/first", "TEXT", "--context", "1"], "begins with 1 of the tokenizer's own"),
        (["MODELS/first", "TEXT", "--max-tokens", "1"], "max-tokens: 1"),
        (["MODELS/first", "TEXT", "--positions", "some"], "--positions: 'some'"),
        (["MODELS/first", "TEXT", "--positions", "0"], "positions: 0"),
        (["MODELS/first", "TEXT", "--device", "nonsense"], "device: 'nonsense'"),
    ],
)
def test_a_users_mistake_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    filled = [word.replace("MODELS", str(folder)).replace("TEXT", str(folder / "text.txt")) for word in words]
    assert command("extract", *filled, "-o", tmp_path / "p.safetensors") == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1


def test_weights_that_do_not_fit_into_memory_are_not_blamed_on_the_folder(folder: Path) -> None:
    with pytest.raises(InputError, match="weights do not fit into memory") as caught:
        read_with(lambda name: torch.empty(1 << 50), str(folder), "weights")
    assert "save_pretrained" not in str(caught.value)


def test_without_transformers_the_commands_say_what_to_install(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "transformers":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return original(name, *rest)

    monkeypatch.delitem(sys.modules, "transformers")
    monkeypatch.setattr(builtins, "__import__", absent)
    assert command("extract", folder / "first", folder / "text.txt", "-o", tmp_path / "p.safetensors") == 2
    assert "pip install transformers" in capsys.readouterr().err


def test_from_eight_texts_on_the_texts_are_the_groups(folder: Path, tmp_path: Path) -> None:
    from closedist.extraction.language_models import compare_language_models, extract_language_model
    from closedist.extraction.texts import Text

    models = str(folder / "first"), str(folder / "second")
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text((folder / "text.txt").read_text()[number * 100 : number * 100 + 60])
    text = Text(tuple(paths), context=20)
    member = extract_language_model(models[0], text, tmp_path / "p.safetensors")
    assert sorted(set(member.groups.tolist())) == list(range(8))
    of_first = member.groups == 0
    assert of_first[: of_first.sum()].all()
    compared = compare_language_models(*models, text, intervals=True).comparison
    assert compared.groups == "8 given groups"
    few = compare_language_models(*models, Text(tuple(paths[:7]), context=20), intervals=True).comparison
    assert few.groups == "20 blocks of neighbouring inputs"
    assert few.verdict().sentence
