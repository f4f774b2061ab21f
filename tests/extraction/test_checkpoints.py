"""Checkpoints that are no whole language model, and models that encode one sequence and decode another."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import closedist
from closedist.errors import InputError
from closedist.extraction.hugging_face import read_causal_model

transformers = pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")

SMALL: dict[str, Any] = {
    "vocab_size": 31,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 24,
}


class TestWeightsThatAreNotThere:
    """transformers fills in random numbers and only warns."""

    @pytest.mark.parametrize(
        ("kind", "lacking"),
        [("LlamaConfig", r"lm_head\.weight"), ("BertConfig", r"cls\.predictions\.\S+, .*…")],
    )
    def test_a_model_without_its_head_is_refused_by_the_weights_it_lacks(
        self, tmp_path: Path, kind: str, lacking: str
    ) -> None:
        transformers.AutoModel.from_config(getattr(transformers, kind)(**SMALL)).save_pretrained(tmp_path)
        with pytest.raises(InputError, match=rf"lacks weights of a \w+, .*{lacking}.*Save the model together"):
            read_causal_model(str(tmp_path), "auto")

    @pytest.mark.parametrize("whole", [True, False])
    def test_a_head_that_is_tied_to_the_embeddings_of_tokens_is_not_missing(self, tmp_path: Path, whole: bool) -> None:
        config = transformers.LlamaConfig(**SMALL, tie_word_embeddings=True)
        kind = transformers.AutoModelForCausalLM if whole else transformers.AutoModel
        saved = kind.from_config(config)
        saved.save_pretrained(tmp_path)
        model: Any = read_causal_model(str(tmp_path), "auto")
        assert torch.equal(model.lm_head.weight, saved.get_input_embeddings().weight)

    def test_weights_of_another_shape_than_the_config_says_are_named_with_both(self, tmp_path: Path) -> None:
        transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SMALL)).save_pretrained(tmp_path)
        transformers.LlamaConfig(**SMALL | {"vocab_size": 32}).save_pretrained(tmp_path)
        with pytest.raises(InputError, match=r"lm_head\.weight has shape \(31, 8\) in the checkpoint and \(32, 8\) by"):
            read_causal_model(str(tmp_path), "auto")

    def test_a_checkpoint_that_is_cut_short_is_one_line(self, tmp_path: Path) -> None:
        transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SMALL)).save_pretrained(tmp_path)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(InputError, match=r"cannot read the weights of .*header"):
            read_causal_model(str(tmp_path), "auto")


ENCODERS_AND_DECODERS: dict[str, dict[str, Any]] = {
    "T5": {"vocab_size": 31, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2},
    "Bart": {
        "vocab_size": 31,
        "d_model": 8,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 12,
        "decoder_ffn_dim": 12,
        "max_position_embeddings": 24,
    },
}


def encoder_decoder(name: str) -> Any:
    special = {"pad_token_id": 0, "decoder_start_token_id": 1, "bos_token_id": 1, "eos_token_id": 2}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**ENCODERS_AND_DECODERS[name] | special)
    return getattr(transformers, f"{name}ForConditionalGeneration")(config).eval()


def source_and_target(width: int) -> tuple[dict[str, Tensor], Tensor]:
    """Three padded sequences of 9 tokens to encode, and as many of other lengths to decode."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(3, 31, (3, 9), generator=generator)
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[1, 4:], mask[2, 7:] = 0, 0
    labels = torch.randint(3, 31, (3, width), generator=generator)
    labels[0, 5:], labels[2, 2:] = -100, -100
    return {"input_ids": source, "attention_mask": mask, "labels": labels}, labels != -100


@pytest.mark.parametrize("name", ENCODERS_AND_DECODERS)
class TestDecoders:
    """The head of an encoder-decoder model sees the decoder's positions."""

    @pytest.mark.parametrize("width", [9, 6])
    def test_the_inputs_are_the_positions_that_have_a_label(self, name: str, width: int) -> None:
        model, (batch, kept) = encoder_decoder(name), source_and_target(width)
        member = closedist.extract(model, [batch])
        with torch.no_grad():
            own = model(**batch).logits.double()[kept].log_softmax(-1)
        scores = member.embeddings.double() @ member.unembeddings.double().T
        scores = scores if member.bias is None else scores + member.bias
        torch.testing.assert_close(scores.log_softmax(-1), own, atol=1e-5, rtol=0)
        assert member.input_ids is not None
        assert member.input_ids.tolist() == kept.nonzero().tolist()
        black_box = closedist.extract_logits(model, [batch])
        assert black_box.num_inputs == len(own)

    def test_the_decoders_own_mask_comes_before_the_labels(self, name: str) -> None:
        batch, kept = source_and_target(6)
        mask = torch.ones(3, 6, dtype=torch.long)
        mask[:, 4:] = 0
        member = closedist.extract(encoder_decoder(name), [batch | {"decoder_attention_mask": mask}])
        assert member.num_inputs == 12 != int(kept.sum())
