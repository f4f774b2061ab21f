"""What a model outside of the family does to its logits, in words that help."""

import math

import torch
from torch import Tensor, nn

from closedist.representations import distance_from_probabilities

CAP_NAMES = ("final_logit_softcapping", "logits_soft_cap", "softcap", "output_softcap")
_CLOSE = 0.02  # share of the deviation that a recognised relation may leave unexplained
_CAPS = 60
_ROUNDED = 1e-2  # what half precision leaves of a row's sum of 1, in whatever type it comes


def own_scores(output: Tensor) -> Tensor:
    """A model's output as float64 scores whose softmax is its distribution: logits, or the log of probabilities.

    Of the probability of the second of two labels, (n, 1), it is the logarithm.
    """
    values = output.detach().cpu().double()
    probabilities = values.shape[-1] == 1 or distance_from_probabilities(values) < _ROUNDED
    return values.log() if probabilities else values


def explain(observations: list[tuple[Tensor, Tensor]], model: nn.Module) -> str:
    """Say how the model's output relates to the scores z = f·g + b of its head.

    Args:
        observations: (n, C) float64 scores and the (n, C) output for the same inputs: as they are, and saturated.
        model: whose config may name a soft cap.

    Returns:
        One line: what was found, and the remedy.
    """
    # probabilities, so the deviation itself is compared and not a share of it
    if all(_root_mean_square(y.detach().cpu().double() - z.sigmoid()) < _CLOSE for z, y in observations):
        return (
            "model: its output is sigmoid(f·g + b) of its head: it gives a probability for each label by itself, which "
            "is no distribution over labels, and distances between distributions over labels say nothing of it. Where "
            "the softmax of f·g + b is meant, let the model return f·g + b"
        )
    (z, y), saturated = observations[0], observations[-1]
    y, z_high, y_high = own_scores(y), saturated[0], own_scores(saturated[1])
    found = (
        _not_finite(y)
        or _soft_cap(z_high, y_high, model)
        or _temperature(z, y)
        or _offset(z, y)
        or _by_input_or_label(z, y)
        or _unknown(z, y)
    )
    remedy = "closedist.extract_logits gives the black-box member with the model's own output"
    return (
        f"model: its output is not softmax(f·g + b) of its head: {found}. Nothing can be said of f and g then; {remedy}"
    )


def _not_finite(y: Tensor) -> str | None:
    if bool(torch.isfinite(y).all()):
        return None
    row, label = (~torch.isfinite(y)).nonzero()[0].tolist()
    return f"label {label} has the logit {float(y[row, label])}"


def _soft_cap(z: Tensor, y: Tensor, model: nn.Module) -> str | None:
    """y = c·tanh(z/c)."""
    config = getattr(model, "config", None)
    for place in (config, getattr(config, "text_config", None)):
        for name in CAP_NAMES:
            cap = getattr(place, name, None)
            if isinstance(cap, (int, float)) and cap > 0 and _is_capped(z, y, float(cap)):
                return (
                    f"logits are soft-capped to {cap:g}·tanh(f·g/{cap:g}) ({name} of its config). "
                    f"Set config.{name} = None to compare the model without it"
                )
    largest = float(y.abs().amax())
    if largest == 0.0 or float(z.abs().amax()) < 1.5 * largest:
        return None
    low, high = 0.99 * largest, 100 * largest
    for _ in range(3):  # the best of a grid, then of finer ones around it
        caps = torch.logspace(math.log10(low), math.log10(high), _CAPS, dtype=torch.float64).tolist()
        best = min(range(_CAPS), key=lambda i: _left(caps[i] * (z / caps[i]).tanh(), z, y))
        low, high = caps[max(best - 1, 0)], caps[min(best + 1, _CAPS - 1)]
    if not _is_capped(z, y, caps[best]):
        return None
    return f"logits are soft-capped, close to {caps[best]:.3g}·tanh(f·g/{caps[best]:.3g})"


def _is_capped(z: Tensor, y: Tensor, cap: float) -> bool:
    return _left(cap * (z / cap).tanh(), z, y) < _CLOSE


def _temperature(z: Tensor, y: Tensor) -> str | None:
    """y = s·z up to a number for each input, which softmax does not see."""
    z, y = _centred(z), _centred(y)
    factor = float((z * y).sum() / z.square().sum()) if bool(z.any()) else 0.0
    if factor == 0.0 or _left(factor * z, z, y) > _CLOSE:
        return None
    return (
        f"logits are {factor:.6g} times what the head gives, a temperature of {1 / factor:.6g}. "
        "Where that is a constant of the model, pass scale= its exact value"
    )


def _offset(z: Tensor, y: Tensor) -> str | None:
    """y = z + c(y): a bias outside of the head."""
    z, y = _centred(z), _centred(y)
    offset = (y - z).mean(0, keepdim=True)
    if len(z) < 2 or _left(z + offset, z, y) > _CLOSE:
        return None
    largest = float(offset.abs().amax())
    return f"something that does not depend on the input, up to {largest:.3g} nats, is added after the head"


def _by_input_or_label(z: Tensor, y: Tensor) -> str | None:
    """y = s(x)·z, as of normalised embeddings, or y = s(y)·z, as of normalised rows."""
    zc, yc = _centred(z), _centred(y)
    by_input = (zc * yc).sum(1, keepdim=True) / zc.square().sum(1, keepdim=True).clamp(min=1e-300)
    if _left(by_input * zc, zc, yc) < _CLOSE:
        low, high = float(by_input.amin()), float(by_input.amax())
        return f"logits are the head's times a factor between {low:.3g} and {high:.3g} that depends on the input"
    by_label = (z * y).sum(0) / z.square().sum(0).clamp(min=1e-300)
    if len(z) > 1 and _left(by_label * z, z, y) < _CLOSE:
        low, high = float(by_label.amin()), float(by_label.amax())
        return f"logits are the head's times a factor between {low:.3g} and {high:.3g} that depends on the label"
    return None


def _unknown(z: Tensor, y: Tensor) -> str:
    deviation = (z.log_softmax(-1) - y.log_softmax(-1)).abs()
    row, label = divmod(int(deviation.argmax()), deviation.shape[1])
    return (
        f"log-probabilities differ by up to {float(deviation[row, label]):.3g} nats (at label {label}) and "
        "no factor, offset or soft cap explains it: another layer follows, or the head is not linear (does it round "
        "what enters it?)"
    )


def _root_mean_square(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(-1, keepdim=True)


def _left(prediction: Tensor, z: Tensor, y: Tensor) -> float:
    """The share of the deviation of y from z, root mean square, that a relation leaves unexplained."""
    deviation = _root_mean_square(y - z)
    return _root_mean_square(y - prediction) / deviation if deviation > 0 else 1.0
