"""Checkpoints that are no whole language model, and models that encode one sequence and decode another."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.errors import InputError
from closedist.hugging_face import read_causal_model

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
