"""Is this model a member of the family? Its own output against softmax(f·g + b), before anything is reported."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from closedist.errors import InputError
from closedist.extraction.binary import with_complement
from closedist.extraction.diagnosis import explain, own_scores

# what configs and models call a number that multiplies or divides the logits
FACTOR_NAMES = (
    "logit_scale",
    "logits_scaling",
    "logits_scale",
    "lm_head_multiplier",
    "output_multiplier",
    "output_multiplier_scale",
)
SATURATING = 200.0  # logits beyond every usual soft cap; the check runs once more with logits of this size
_LABEL_BLOCK = 8192


@dataclass(frozen=True)
class Evidence:
    """What the head saw and what the model said, for the same n inputs.

    Attributes:
        embeddings: (n, M) the head's input.
        outputs: (n, C) each: the tensors of the output that may be logits, log-probabilities or probabilities; or,
            (n, 1), the probability of the second of two labels.
    """

    embeddings: Tensor
    outputs: list[Tensor]


def check_member(
    evidence: list[Evidence], unembeddings: Tensor, bias: Tensor | None, scale: float | None, model: nn.Module
) -> float:
    """Check that log p(y|x) = s·(f(x)·g(y) + b(y)) − log Σ … is what the model says, to its arithmetic's tolerance.

    Args:
        evidence: from a batch as it is, and from the same batch with embeddings that saturate what follows the head.
        unembeddings, bias: (C, M) and (C,) or None.
        scale: s where the caller knows it; None tries 1 and what the model's config names.
        model: whose config names factors and soft caps.

    Returns:
        s, the factor that the embeddings and the bias need.

    Raises:
        InputError: the model says something else; the message says what was found.
    """
    if not evidence[0].outputs:
        raise InputError(
            f"model: no tensor of its output has the head's labels, {unembeddings.shape[0]:,}, at its positions; "
            'a model that picks one position of a sequence needs positions="last"; another head may be the one (head=)'
        )
    scores = [scores_of(part.embeddings, unembeddings, bias) for part in evidence]
    candidates = [scale] if scale is not None else [1.0, *named_factors(model)]
    for factor in candidates:
        if all(
            any(_reproduces(factor * z, output, part, unembeddings, factor) for output in part.outputs)
            for z, part in zip(scores, evidence, strict=True)
        ):
            return factor
    used = 1.0 if scale is None else scale
    outputs = (with_complement(part.outputs[0]) for part in evidence)
    raise InputError(explain([(used * z, output) for z, output in zip(scores, outputs, strict=True)], model))


def saturating_factor(embeddings: Tensor, unembeddings: Tensor, bias: Tensor | None, scale: float) -> float:
    """By how much to multiply embeddings (n, M) so that logits reach ±200, a power of two of at least 1."""
    z = scores_of(embeddings, unembeddings, bias)
    if bias is not None:
        z = z - bias.double()
    z = z - z.mean(-1, keepdim=True)
    largest = float(z.abs().amax()) * abs(scale)
    room = 2.0**-4 * torch.finfo(embeddings.dtype).max / max(float(embeddings.abs().amax()), 1e-30)
    if largest == 0.0 or largest >= SATURATING:
        return 1.0
    return float(2.0 ** torch.tensor(min(SATURATING / largest, room, 2.0**40)).double().log2().floor())


def scores_of(embeddings: Tensor, unembeddings: Tensor, bias: Tensor | None) -> Tensor:
    """f·g + b in float64, (n, C), a block of labels at a time."""
    f = embeddings.detach().cpu().double()
    z = torch.cat([f @ unembeddings[rows].double().T for rows in _label_blocks(unembeddings)], dim=1)
    return z if bias is None else z + bias.double()


def named_factors(model: nn.Module) -> list[float]:
    """Factors of the logits that the model or its config names, in every sense: v, 1/v or, of a parameter, exp(v)."""
    config = getattr(model, "config", None)
    factors: list[float] = []
    for place in (config, getattr(config, "text_config", None), model, getattr(model, "model", None)):
        for name in FACTOR_NAMES:
            value = getattr(place, name, None)
            if isinstance(value, Tensor) and value.numel() == 1:
                meant = [float(value), float(value.detach().double().exp())]
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                meant = [float(value)]
            else:
                continue
            for factor in meant:
                factors += [f for f in (factor, 1 / factor if factor else 0.0) if 0 < abs(f) < float("inf")]
    return factors


def _reproduces(z: Tensor, output: Tensor, part: Evidence, unembeddings: Tensor, factor: float) -> bool:
    """Every log-probability agrees as far as the precision of the model's own arithmetic goes."""
    scores = own_scores(output)
    own = scores if output.shape[-1] == 1 else scores.log_softmax(-1)
    ours = z.log_softmax(-1)[:, -own.shape[-1] :]
    f, g = part.embeddings, unembeddings
    dimension = g.shape[1]
    eps = max(_eps(output), _eps(f), _eps(g))
    spread = _longest(f) * max(_longest(g[rows]) for rows in _label_blocks(g))
    size = max(1.0, float(z.abs().amax()), abs(factor) * spread / dimension**0.5)
    # rounding of what is stored, the largest score of a row included, and of sums over M terms, which are never kept in
    # less than float32
    rounding = eps * (scores.abs() + scores.amax(-1, keepdim=True).abs() + size)
    tolerance = 4 * rounding + 2 * dimension**0.5 * min(eps, torch.finfo(torch.float32).eps) * size
    agrees = ((ours - own).abs() <= tolerance) & torch.isfinite(scores)
    underflown = (scores < -60.0) & (ours < -9.0) & bool((output >= 0).all())  # a probability of 0, in float16 too
    return bool((agrees | underflown).all())


def _longest(rows: Tensor) -> float:
    return float(torch.linalg.vector_norm(rows.double(), dim=-1).amax())


def _label_blocks(unembeddings: Tensor) -> list[slice]:
    return [slice(start, start + _LABEL_BLOCK) for start in range(0, len(unembeddings), _LABEL_BLOCK)]


def _eps(tensor: Tensor) -> float:
    if tensor.dtype == torch.float32 and tensor.is_cuda and torch.get_float32_matmul_precision() != "highest":
        return 2.0**-10  # products in TF32
    return torch.finfo(tensor.dtype).eps
