"""Layers of models from Hugging Face on texts, of one model or of two that read the same tokens."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from closedist.errors import InputError
from closedist.extraction.activations import Layers, activations
from closedist.extraction.hugging_face import base_of, read_causal_model, read_with, transformers_library
from closedist.extraction.pooling import Pool
from closedist.extraction.texts import Text, read_vocabulary, token_windows
from closedist.measures.joint import Joint, joint

_POSITIONS_AT_ONCE = 4096
_CAUSAL = ("ForCausalLM", "LMHeadModel")
_SHOWN = 4


def layers_on_texts(
    models: Sequence[str],
    text: Text,
    layers: Layers = "hidden_states",
    *,
    pool: Pool = None,
    dtype: str = "auto",
    device: str = "cpu",
    moments_only: bool = True,
    names: Sequence[str] = ("a", "b"),
) -> Joint:
    """Layers of one or two models, both in memory, that read the same texts, for :func:`closedist.layer_matrix`.

    Args:
        models: folders or names on the hub, one or two.
        text: what they read; its ``positions`` are not used, ``pool`` says what is an input.
        layers, pool, moments_only: as in :func:`closedist.activations`; with pool None every token is an input.
        dtype: of the weights.
        device: where they run.
        names: of two models, which come before those of their layers.

    Returns:
        The joint root of all (N, M) layers, or these themselves side by side.

    Raises:
        InputError: a model or a text cannot be read, or the models split the texts into other tokens.
    """
    vocabularies = [read_vocabulary(model, text.tokenizer) for model in models]
    limits = [one.max_context for one in vocabularies if one.max_context is not None]
    windows = [token_windows(one, text, max_context=min(limits, default=None)).tokens for one in vocabularies]
    if windows[0] != windows[-1]:
        raise InputError(
            f"{models[-1]} splits the texts into other tokens than {models[0]}; layers are compared on the same "
            "inputs. Name one tokenizer for both where both know its tokens"
        )
    if device != "cpu":
        try:
            torch.empty(0, device=torch.device(device))
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"device: {device!r} is none that PyTorch can use here; cpu always is") from error
    read = [read_layered_model(model, dtype).to(device) for model in models]
    named: Any = read[0] if len(read) == 1 else dict(zip(names, read, strict=True))
    batches = _batches(windows[0])
    if moments_only:
        return activations(named, batches, layers, pool=pool, moments_only=True)
    found = activations(named, batches, layers, pool=pool)
    own = sum(name.startswith(f"{names[0]}/") for name in found)
    return joint(list(found.values()), list(found), first=own if len(read) == 2 else None)


def read_layered_model(name: str, dtype: str = "auto") -> nn.Module:
    """A model without the head that its architecture may put on top, all of its weights from the checkpoint.

    Raises:
        InputError: it cannot be read, or ``transformers`` had to make up weights.
    """
    library = transformers_library()
    causal = base_of(name) is not None
    if not causal:
        config = read_with(library.AutoConfig.from_pretrained, name, "config")
        causal = any(kind.endswith(_CAUSAL) for kind in getattr(config, "architectures", None) or ())
    if causal:
        model = read_causal_model(name, dtype)
        return cast(nn.Module, getattr(model, "base_model", model))
    remedy = "give a folder that save_pretrained wrote, or the name of a model"
    read = library.AutoModel.from_pretrained
    model, info = read_with(read, name, "weights", remedy, dtype=dtype, output_loading_info=True)
    absent = sorted(key for key in info["missing_keys"] if "pooler" not in key)  # on top of all layers
    if absent:
        shown = ", ".join(absent[:_SHOWN]) + (", …" if len(absent) > _SHOWN else "")
        raise InputError(f"{name}: the checkpoint lacks weights, which would be random: {shown}; save the whole model")
    return cast(nn.Module, model)


def _batches(windows: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    """Sequences of equal length together, so that none is padded."""
    groups: list[list[tuple[int, ...]]] = []
    for window in windows:
        last = groups[-1] if groups else []
        if not last or len(last[0]) != len(window) or (len(last) + 1) * len(window) > _POSITIONS_AT_ONCE:
            groups.append([])
        groups[-1].append(window)
    return [{"input_ids": torch.tensor(group)} for group in groups]
