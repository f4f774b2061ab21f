"""The verdict: who counts as the same, and what it says to a person."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import InputError, Representations
from closedist.certainty.groups import contiguous_blocks
from closedist.certainty.interval import Interval
from closedist.certainty.limits import Limits
from closedist.certainty.of_pairs import pair_intervals
from closedist.certainty.verdict import Verdict, verdict, verdict_of
from closedist.measures.settings import Settings
from tests.certainty.prepared import prepared
from tests.random_models import linear_map, mapped, noisy, random_model, represent
from tests.slow_reference import Model

limits = st.floats(0, 1)


def interval(at_least: float, at_most: float) -> Interval:
    return Interval(at_least, at_most, 0.0, 0.0, at_least, at_most)


def judged(p: Model | Representations, q: Model | Representations, tolerance: float = 0.05) -> Verdict:
    members = [model if isinstance(model, Representations) else represent(model) for model in (p, q)]
    groups = contiguous_blocks(members[0].num_inputs)
    ready = prepared(members, groups, Settings())
    values = ready.values()
    fields = ("certificate_centred", "dissimilarity_centred")
    replicates = ready.replicates().values
    found = pair_intervals(values, {name: replicates[name] for name in fields}, groups.sizes)
    certificate, d = (found[name].as_list()[0] for name in fields)
    return verdict(
        float(values["certificate_centred"]),
        certificate,
        float(values["dissimilarity_centred"]),
        d,
        members[0].num_inputs,
        tolerance=tolerance,
    )


P = random_model(0, 1000, 6, 3)


def test_a_person_would_say_the_same_of_copies() -> None:
    twin = mapped(P, linear_map(1, 3, 30.0), np.ones(3))
    eight_bit = Model(_rounded(P.f), _rounded(P.g), P.b)
    for other in (P, twin, eight_bit, Model(2 * P.f, P.g, P.b), Representations.from_logits(P.f @ P.g.T + P.b)):
        found = judged(P, other)
        assert found.kind == "same"
        assert str(found).startswith("The same within 5 %: preferences between labels (log-odds) correlate by at least")
        assert found.inputs_needed is None


def _rounded(values: np.ndarray) -> np.ndarray:
    step = np.abs(values).max() / 127
    return np.round(values / step) * step


def test_a_person_would_say_not_the_same_of_strangers() -> None:
    shuffled = Model(P.f[np.random.default_rng(0).permutation(1000)], P.g, P.b)
    for other in (random_model(1, 1000, 6, 3), shuffled):
        found = judged(P, other)
        assert found.kind == "not the same"
        assert "even after the best rotation" in found.sentence
        assert "the lower limit of d_SVD" in found.reason


def test_a_model_and_its_reverse_are_not_the_same_and_it_says_why() -> None:
    found = judged(P, Model(-P.f, P.g, P.b))
    assert found.kind == "not the same"
    assert found.reason == "the same up to a rotation of the log-odds, but not label by label"
    assert "label by label at most -1.00" in found.sentence
    assert "Turned, their mean correlation is at least 1, label" in found.sentence


@pytest.mark.parametrize(("noise", "kind"), [(0.3, "same"), (0.35, "not the same")])
def test_few_inputs_leave_it_undecided_and_more_decide(noise: float, kind: str) -> None:
    """Pairs on both sides of the tolerance, at 40 inputs and at many."""
    p = random_model(5, 20_000, 6, 3)
    f = p.f + noise * np.random.default_rng(1).normal(size=p.f.shape)
    few = judged(Model(p.f[:40], p.g, p.b), Model(f[:40], p.g, p.b))
    assert few.kind == "undecided"
    assert few.sentence.startswith("Undecided at 40 inputs within 5 %")
    assert few.inputs_needed is not None
    assert f"about {few.inputs_needed:,} inputs would decide" in few.sentence
    assert judged(p, Model(f, p.g, p.b)).kind == kind


@settings(max_examples=200, deadline=None)
@given(limits, limits, limits, limits, st.floats(0.001, 0.999))
def test_every_verdict_has_its_limit(a: float, b: float, c: float, d: float, tolerance: float) -> None:
    upright, turned = interval(*sorted((a, b))), interval(*sorted((c, d)))
    certificate, dissimilarity = (a + b) / 2, (c + d) / 2
    found = verdict(certificate, upright, dissimilarity, turned, 100, tolerance=tolerance)
    assert (found.kind == "same") == (upright.high <= tolerance)
    if found.kind == "not the same":
        assert turned.low > tolerance or (upright.low > tolerance >= turned.high)
    if found.kind == "undecided":
        assert upright.high > tolerance >= turned.low
        assert found.inputs_needed is None or found.inputs_needed > 100
    else:
        assert found.inputs_needed is None
    assert found.tolerance == tolerance
    assert found.sentence.endswith(".")
    assert found.sentence == str(found)


def test_the_inputs_needed_shrink_the_half_width_to_the_distance() -> None:
    found = verdict(0.03, interval(0.01, 0.09), 0.02, interval(0.0, 0.05), 1000)
    assert found.inputs_needed == 1000 * 3**2  # 0.06 wide above, 0.02 from the tolerance
    found = verdict(0.20, interval(0.1, 0.3), 0.07, interval(0.04, 0.1), 1000)
    assert found.inputs_needed == 2300  # 0.03 below, 0.02 from the tolerance: 2,250
    found = verdict(0.06, interval(0.03, 0.09), 0.04, interval(0.03, 0.06), 1000)
    assert found.inputs_needed == 9000  # both: the certificate 0.03 below at 0.01, d 0.02 above at 0.01
    assert verdict(0.05, interval(0.01, 0.09), 0.05, interval(0.01, 0.09), 1000).inputs_needed is None


def test_chance_is_said_where_it_is() -> None:
    args = (0.9, interval(0.8, 1.0), 0.8, interval(0.7, 0.9), 500)
    assert "no closer than models that have nothing to do with each other" in verdict(*args, by_chance=True).sentence
    assert "closer" not in verdict(*args).sentence
    assert "at most 0.30 (95 % sure); 0.95 was asked for." in verdict(*args).sentence


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1, 5, float("nan")])
def test_a_tolerance_is_between_zero_and_one(tolerance: float) -> None:
    with pytest.raises(InputError, match=r"tolerance: .*between 0 and 1"):
        Limits(tolerance)


def test_noise_within_the_tolerance_is_the_same_and_beyond_it_is_not() -> None:
    assert judged(P, noisy(P, 0.02, 1)).kind == "same"
    assert judged(P, noisy(P, 0.02, 1), tolerance=1e-6).kind == "not the same"
    assert judged(P, noisy(P, 2.0, 1)).kind == "not the same"


def of_numbers(**intervals: Interval) -> Verdict:
    given = {"certificate_centred": interval(1.9, 2), "dissimilarity_centred": interval(0, 0.01)}
    given |= {"logit_correlation": interval(0.5, 0.6), "same_top_label": interval(0.9, 1.0)} | intervals
    return verdict_of(1.95, 0.005, 0.55, given, 100, limits=Limits())


def test_chance_is_a_logit_correlation_that_may_be_zero() -> None:
    far = {"dissimilarity_centred": interval(0.5, 0.9)}
    assert "nothing to do" in of_numbers(**far, logit_correlation=interval(-0.1, 0.1)).sentence
    for low, high in ((0.1, 0.2), (-0.3, -0.1)):
        assert "nothing to do" not in of_numbers(**far, logit_correlation=interval(low, high)).sentence


@pytest.mark.parametrize(
    ("low", "high", "kind", "reason"),
    [
        (0.97, 0.99, "same", "upper limit of the certificate"),
        (0.1, 0.3, "not the same", "lower limit of d_SVD"),
        (-0.99, -0.97, "not the same", "but not label by label"),
        (0.9, 0.97, "undecided", "lies between"),
        (-0.4, 0.6, "not the same", "lower limit of d_SVD"),
    ],
)
def test_two_labels_are_judged_by_the_correlation_of_their_log_odds(
    low: float, high: float, kind: str, reason: str
) -> None:
    around = Interval(low, high, 0.01, 0.0, low, high)
    given = {"logit_correlation": around, "same_top_label": interval(0.9, 1.0)}
    found = verdict_of(None, None, (low + high) / 2, given, 100, limits=Limits())
    assert found.kind == kind
    assert reason in found.reason
