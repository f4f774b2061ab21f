"""Tiny language models with random weights, and a tokenizer that reads letters."""

from typing import Any

import torch
from torch import Tensor

from closedist.representations import Representations

VOCABULARY = 67
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 48,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": (
        "GPT2Config",
        {
            "vocab_size": VOCABULARY,
            "n_embd": 16,
            "n_layer": 2,
            "n_head": 2,
            "n_positions": 48,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
    ),
    "Llama": ("LlamaConfig", SMALL),
    "Llama, tied": ("LlamaConfig", SMALL | {"tie_word_embeddings": True}),
    "Phi, with a bias": ("PhiConfig", SMALL),
    "GPT-NeoX": ("GPTNeoXConfig", SMALL),
    "Cohere, logit_scale": ("CohereConfig", SMALL | {"logit_scale": 0.3}),
    "Granite, logits_scaling": ("GraniteConfig", SMALL | {"logits_scaling": 7.0}),
}


def build(name: str, **changes: Any) -> Any:
    """A tiny model with random weights of the size that training gives."""
    import transformers

    kind, options = CONFIGS[name]
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, kind)(**options | changes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model.train()


def tokens(count: int = 4, length: int = 12) -> Tensor:
    return torch.randint(VOCABULARY, (count, length), generator=torch.Generator().manual_seed(1))


def log_probabilities(p: Representations) -> Tensor:
    scores = p.embeddings.double() @ p.unembeddings.double().T
    return (scores if p.bias is None else scores + p.bias.double()).log_softmax(-1)


def own_log_probabilities(model: Any, **inputs: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        own: Tensor = model(**inputs).logits.double().log_softmax(-1)
    model.train()
    return own


def tokenizer(size: int = VOCABULARY, swapped: tuple[int, int] | None = None) -> Any:
    """One token a character; a token beginning each text."""
    import transformers
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    characters = ["<s>", "?", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;:()'\n-"][:size]
    if swapped is not None:
        i, j = swapped
        characters[i], characters[j] = characters[j], characters[i]
    core = Tokenizer(models.WordLevel({one: index for index, one in enumerate(characters)}, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", unk_token="?")
