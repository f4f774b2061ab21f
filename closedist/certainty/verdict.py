"""The verdict: an equivalence test of two models with one stated tolerance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from closedist.certainty.interval import Interval
from closedist.certainty.limits import TOLERANCE, Limits, kept, of_both, worst


@dataclass(frozen=True)
class Verdict:
    """Whether two models count as the same.

    Attributes:
        kind: "same", "not the same" or "undecided".
        sentence: the whole of it for a person, with the numbers.
        reason: which limit decided it, or why none did.
        tolerance: how far the mean correlation of log-odds may be from 1.
        inputs_needed: about how many inputs would decide; None where it is decided or no number of them would.
    """

    kind: Literal["same", "not the same", "undecided"]
    sentence: str
    reason: str
    tolerance: float
    inputs_needed: int | None

    def __str__(self) -> str:
        """The sentence."""
        return self.sentence


def verdict_of(
    certificate: float | None,
    dissimilarity: float | None,
    correlation: float | None,
    intervals: Mapping[str, Interval],
    num_inputs: int,
    *,
    limits: Limits,
) -> Verdict:
    """The verdict from a pair's numbers and their intervals by field.

    It is about log-odds against the mean of all labels, so that no pivot label, left-out label, input set or seed
    decides it, and about the other limits where there are some. Two labels have one log-odds: the logit correlation is
    its own. No closer than chance are models whose logit correlation may be 0.
    """
    of_correlation = intervals["logit_correlation"]
    by_chance = of_correlation.low <= 0 <= of_correlation.high
    if certificate is None or dissimilarity is None:
        correlation = correlation or 0.0
        upright, turned = _distance(of_correlation), _distance(_size(of_correlation))
        numbers = (1.0 - correlation, upright, 1.0 - abs(correlation), turned)
    else:
        numbers = (certificate, intervals["certificate_centred"], dissimilarity, intervals["dissimilarity_centred"])
    found = verdict(*numbers, num_inputs, tolerance=limits.tolerance, by_chance=by_chance)
    same_top = intervals["same_top_label"]
    if found.kind != "not the same" and same_top.at_most < 1 - limits.tolerance and limits.min_same_top is None:
        words = f" Yet at least {1 - same_top.at_most:.1%} of the inputs get another label."
        found = replace(found, sentence=found.sentence + words)
    return _with_limits(found, limits, intervals)


def _with_limits(found: Verdict, limits: Limits, intervals: Mapping[str, Interval]) -> Verdict:
    """The verdict once the limits besides the tolerance are looked at too."""
    if limits.max_kl is None and limits.min_same_top is None:
        return found
    parts = kept(limits, *of_both(intervals))
    state = worst([part.state for part in parts])
    kind = "not the same" if state == "broken" or found.kind == "not the same" else found.kind
    kind = "undecided" if state == "open" and kind == "same" else kind
    said = {
        "met": "Within the limits given",
        "broken": "Beyond the limits given",
        "open": "Undecided by the limits given",
    }
    words = "; ".join(part.words for part in parts)
    return replace(
        found,
        kind=kind,
        sentence=f"{said[state]}: {words} (95 % sure). Log-odds: {found.sentence[0].lower()}{found.sentence[1:]}",
        reason=found.reason if state == "met" else f"{words}; of log-odds, {found.reason}",
    )


def _distance(of: Interval) -> Interval:
    """Of one minus the number."""
    return Interval(1.0 - of.high, 1.0 - of.low, of.standard_error, -of.bias, 1.0 - of.at_most, 1.0 - of.at_least)


def _size(of: Interval) -> Interval:
    """Of the absolute value; the bias that it has by itself around 0 is left out."""
    if of.low >= 0:
        return of
    if of.high <= 0:
        return Interval(-of.high, -of.low, of.standard_error, -of.bias, -of.at_most, -of.at_least)
    most, at_most = max(-of.low, of.high), max(-of.at_least, of.at_most)
    return Interval(0.0, most, of.standard_error, of.bias, 0.0, at_most)


def verdict(
    certificate: float,
    certificate_interval: Interval,
    dissimilarity: float,
    dissimilarity_interval: Interval,
    num_inputs: int,
    *,
    tolerance: float = TOLERANCE,
    by_chance: bool = False,
) -> Verdict:
    """Same, not the same, or undecided, each with 95 % confidence (one-sided).

    The certificate is one minus the least mean correlation of the two models' log-odds, label by label; d_SVD is one
    minus it after the best rotation. So a certificate below the tolerance makes them the same, and a d_SVD above it
    makes them different even when turned. A certificate above it with a d_SVD below it says that they are
    the same up to a rotation: labels in another order, a reversal, or errors of rounding near the tolerance.

    Args:
        certificate, certificate_interval: the signed one, of log-odds against the mean of all labels.
        dissimilarity, dissimilarity_interval: d_SVD of the same.
        num_inputs: N.
        tolerance: between 0 and 1.
        by_chance: models that have nothing to do with each other would come out as close.
    """
    upright, turned = certificate_interval, dissimilarity_interval
    asked = f"{1 - tolerance:g} was asked for"
    within = f"within {_percent(tolerance)}"
    if upright.at_most <= tolerance:
        return Verdict(
            "same",
            f"The same {within}: preferences between labels (log-odds) correlate by at least "
            f"{_correlation(upright.at_most)} where they agree least (95 % sure); {asked}.",
            f"the upper limit of the certificate, {upright.at_most:.3g}, is at most {tolerance:g}",
            tolerance,
            None,
        )
    if turned.at_least > tolerance:
        chance = " That is no closer than models that have nothing to do with each other." if by_chance else ""
        return Verdict(
            "not the same",
            f"Not the same {within}: even after the best rotation of one model's log-odds onto the other's, those that "
            f"agree least have a mean correlation of at most {_correlation(turned.at_least)} (95 % sure); {asked}."
            f"{chance}",
            f"the lower limit of d_SVD, {turned.at_least:.3g}, is above {tolerance:g}"
            + (", and no closer than chance" if by_chance else ""),
            tolerance,
            None,
        )
    if upright.at_least > tolerance and turned.at_most <= tolerance:
        return Verdict(
            "not the same",
            f"Not the same {within}: the same up to a rotation of the log-odds, but not label by label; another order "
            "of labels, a reversal or coarse rounding looks like this. Turned, their mean correlation is at least "
            f"{_correlation(turned.at_most)}, label by label at most {_correlation(upright.at_least)} (95 % sure); "
            f"{asked}.",
            "the same up to a rotation of the log-odds, but not label by label",
            tolerance,
            None,
        )
    needed = _inputs_needed(certificate, upright, dissimilarity, turned, tolerance, num_inputs)
    advice = "no number of inputs is likely to decide" if needed is None else f"about {needed:,} inputs would decide"
    return Verdict(
        "undecided",
        f"Undecided at {num_inputs:,} inputs {within}: the mean correlation of the two models' log-odds may be as low "
        f"as {_correlation(upright.at_most)} label by label, or as high as {_correlation(turned.at_least)} after the "
        f"best rotation (95 % sure); {asked}, and {advice}.",
        f"{tolerance:g} lies between the lower limit of d_SVD, {turned.at_least:.3g}, and the upper limit of the "
        f"certificate, {upright.at_most:.3g}",
        tolerance,
        needed,
    )


def _inputs_needed(
    certificate: float, upright: Interval, dissimilarity: float, turned: Interval, tolerance: float, num_inputs: int
) -> int | None:
    """N·(half-width/|ε − value|)², of the limit that would decide if the values stayed: half-widths fall as 1/√N."""
    if certificate <= tolerance:
        limits = [(certificate, upright.at_most)]
    elif dissimilarity > tolerance:
        limits = [(dissimilarity, turned.at_least)]
    else:
        limits = [(certificate, upright.at_least), (dissimilarity, turned.at_most)]
    ratios = [abs(limit - value) / max(abs(tolerance - value), 1e-300) for value, limit in limits]
    needed = max(num_inputs * max(ratios) * max(ratios), num_inputs + 1.0)
    if needed > 1e9:
        return None
    unit = int(10 ** max(0, math.floor(math.log10(needed)) - 1))  # two digits: it is a guess
    return math.ceil(needed / unit * (1 - 1e-9)) * unit


def _correlation(distance: float) -> str:
    """1 − distance with the digits that tell it from 1."""
    if distance < 1e-6:
        return "1"
    digits = 2 if distance >= 0.1 else 3 if distance >= 0.001 else 6
    return f"{1.0 - distance:.{digits}f}"


def _percent(tolerance: float) -> str:
    return f"{100 * tolerance:g} %"
