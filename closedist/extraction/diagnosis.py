"""What a model outside of the family does to its logits, in words that help."""

import math

import torch
from torch import Tensor, nn

from closedist.representations.arrays import distance_from_probabilities

CAP_NAMES = ("final_logit_softcapping", "logits_soft_cap", "softcap", "output_softcap")
_CLOSE = 0.02  # share of the deviation or of the logits that a recognised relation may leave over
_CAPS = 60
Seen = list[tuple[Tensor, Tensor]]  # (n, C) scores z of the head and y of the model: as they are, and saturated
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

    A cause is named only where it holds of what was seen, and the simplest one that does.

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
    first, *saturated = [(z, own_scores(y)) for z, y in observations]
    seen = [first, *(one for one in saturated if bool(torch.isfinite(one[1]).all()))]  # probabilities of 0 say nothing
    found = (
        _not_finite(seen[0][1])
        or _named_soft_cap(seen, model)
        or _temperature(seen)
        or _offset(seen)
        or _by_input(seen)
        or _by_label(seen)
        or _soft_cap(seen)
        or _unknown(*seen[0])
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


def _named_soft_cap(seen: Seen, model: nn.Module) -> str | None:
    config = getattr(model, "config", None)
    for place in (config, getattr(config, "text_config", None)):
        for name in CAP_NAMES:
            cap = getattr(place, name, None)
            if isinstance(cap, (int, float)) and cap > 0 and _is_capped(seen, float(cap)):
                return (
                    f"logits are soft-capped to {cap:g}·tanh(f·g/{cap:g}) ({name} of its config). "
                    f"Set config.{name} = None to compare the model without it"
                )
    return None


def _temperature(seen: Seen) -> str | None:
    """y = s·z up to a number for each input, which softmax does not see."""
    z, y = map(_centred, seen[0])
    factor = float((z * y).sum() / z.square().sum()) if bool(z.any()) else 0.0
    if factor == 0.0 or not (_explains(factor * z, *seen[0]) and _fits(factor * seen[-1][0], seen[-1][1])):
        return None
    return (
        f"logits are {factor:.6g} times what the head gives, a temperature of {1 / factor:.6g}. "
        "Where that is a constant of the model, pass scale= its exact value"
    )


def _offset(seen: Seen) -> str | None:
    """y = z + c(y): a bias outside of the head."""
    z, y = map(_centred, seen[0])
    offset = (y - z).mean(0, keepdim=True)
    if len(z) < 2 or not (_explains(z + offset, z, y) and _fits(seen[-1][0] + offset, seen[-1][1])):
        return None
    largest = float(offset.abs().amax())
    return f"something that does not depend on the input, up to {largest:.3g} nats, is added after the head"


def _by_input(seen: Seen) -> str | None:
    """y = s(x)·z, as of normalised embeddings; of two labels that says nothing."""
    factors = []
    for z, y in (map(_centred, one) for one in seen):
        factor = (z * y).sum(1, keepdim=True) / z.square().sum(1, keepdim=True).clamp(min=1e-300)
        if z.shape[1] < 3 or not _explains(factor * z, z, y):
            return None
        factors.append(factor)
    low, high = float(factors[0].amin()), float(factors[0].amax())
    return f"logits are the head's times a factor between {low:.3g} and {high:.3g} that depends on the input"


def _by_label(seen: Seen) -> str | None:
    """y = s(y)·z, as of normalised rows; of one input that says nothing."""
    z, y = seen[0]
    factor = (z * y).sum(0) / z.square().sum(0).clamp(min=1e-300)
    if len(z) < 2 or not (_explains(factor * z, z, y) and _fits(factor * seen[-1][0], seen[-1][1])):
        return None
    low, high = float(factor.amin()), float(factor.amax())
    return f"logits are the head's times a factor between {low:.3g} and {high:.3g} that depends on the label"


def _soft_cap(seen: Seen) -> str | None:
    """y = c·tanh(z/c), for the best c of a grid, then of finer ones around it."""
    z, y = seen[-1]
    largest = float(y.abs().amax())
    if largest == 0.0 or float(z.abs().amax()) < 1.5 * largest:
        return None
    low, high = 0.99 * largest, 100 * largest
    for _ in range(3):
        caps = torch.logspace(math.log10(low), math.log10(high), _CAPS, dtype=torch.float64).tolist()
        left = [_root_mean_square(_centred(y - cap * (z / cap).tanh())) for cap in caps]
        best = left.index(min(left))
        low, high = caps[max(best - 1, 0)], caps[min(best + 1, _CAPS - 1)]
    if not _is_capped(seen, caps[best]):
        return None
    return f"logits are soft-capped, close to {caps[best]:.3g}·tanh(f·g/{caps[best]:.3g})"


def _is_capped(seen: Seen, cap: float) -> bool:
    """It shows in what is saturated; small logits it hardly changes."""
    (z, y), (z_high, y_high) = seen[0], seen[-1]
    return _explains(cap * (z_high / cap).tanh(), z_high, y_high) and _fits(cap * (z / cap).tanh(), y)


def _unknown(z: Tensor, y: Tensor) -> str:
    deviation = (z.log_softmax(-1) - y.log_softmax(-1)).abs()
    row, label = divmod(int(deviation.argmax()), deviation.shape[1])
    return (
        f"log-probabilities differ by up to {float(deviation[row, label]):.3g} nats (at label {label}) and "
        "no factor, offset or soft cap explains it: another layer follows, or the head is not linear (does it round "
        "what enters it?)"
    )


def _explains(prediction: Tensor, z: Tensor, y: Tensor) -> bool:
    """Whether little is left of the deviation of y from z, and beside y itself: of a large z all that is small is."""
    size = min(_root_mean_square(_centred(y - z)), _root_mean_square(_centred(y)))
    return _root_mean_square(_centred(y - prediction)) < _CLOSE * size


def _fits(prediction: Tensor, y: Tensor) -> bool:
    """Whether little is left beside y."""
    return _root_mean_square(_centred(y - prediction)) < _CLOSE * _root_mean_square(_centred(y))


def _root_mean_square(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(-1, keepdim=True)
