"""Intervals: the grouped jackknife against what is known exactly, its ends, and Wilson's interval."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor

from closedist.certainty.intervals import (
    ARTANH,
    CORRECTED_SIMILARITY,
    LOG,
    SHARE,
    SIMILARITY,
    Scale,
    jackknife,
    scale_of,
    wilson,
)

PLAIN = Scale(torch.clone, torch.clone, -math.inf, math.inf)
seeds = st.integers(0, 2**32 - 1)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def means_without(rows: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of each column, and without each group of consecutive rows."""
    sums = torch.stack([part.sum(0) for part in rows.split(sizes.tolist())])
    total = sums.sum(0)
    return total / len(rows), (total - sums) / (len(rows) - sizes)[:, None]


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(8, 40))
def test_of_a_mean_of_single_inputs_the_standard_error_is_the_textbooks(seed: int, count: int) -> None:
    rows = torch.from_numpy(np.random.default_rng(seed).normal(size=(count, 3)))
    sizes = torch.ones(count)
    found = jackknife(*means_without(rows, sizes.long()), sizes, PLAIN)
    textbook = rows.std(0) / math.sqrt(count)
    torch.testing.assert_close(found.standard_error, textbook, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.bias, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seeds, st.lists(st.integers(1, 30), min_size=8, max_size=15))
def test_a_mean_has_no_bias_however_unequal_the_groups(seed: int, sizes: list[int]) -> None:
    rows = torch.from_numpy(np.random.default_rng(seed).normal(size=(sum(sizes), 2)) + 5)
    found = jackknife(*means_without(rows, torch.tensor(sizes)), torch.tensor(sizes), PLAIN)
    torch.testing.assert_close(found.bias, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-10)


def test_the_quantiles_are_those_of_t_with_one_degree_less_than_there_are_groups() -> None:
    found = jackknife(numbers(0.0), torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None], torch.ones(20), PLAIN)
    assert float(found.high / found.standard_error) == pytest.approx(2.0930, abs=1e-4)
    assert float(found.at_most / found.standard_error) == pytest.approx(1.7291, abs=1e-4)
    assert float(found.low) == pytest.approx(-float(found.high))
    assert float(found.at_least) == pytest.approx(-float(found.at_most))


def test_unequal_groups_count_as_the_equal_ones_that_they_are_worth() -> None:
    replicates = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    sizes = torch.tensor([100.0] * 5 + [1e-9] * 15)  # five groups, as good as
    found = jackknife(numbers(0.0), replicates, sizes, PLAIN)
    assert float(found.high / found.standard_error) == pytest.approx(2.7764, abs=1e-3)  # t with 4 degrees


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(1e-300, 1e300))
def test_an_interval_on_the_log_scale_is_positive_and_moves_with_the_unit(seed: int, unit: float) -> None:
    generator = np.random.default_rng(seed)
    value, replicates = numbers(1.0), torch.from_numpy(np.exp(generator.normal(size=(20, 1))))
    found = jackknife(value, replicates, torch.ones(20), LOG)
    other = jackknife(value * unit, replicates * unit, torch.ones(20), LOG)
    assert 0 < float(found.low) < float(found.at_least) < 1 < float(found.at_most) < float(found.high)
    torch.testing.assert_close(other.low, found.low * unit, rtol=1e-9, atol=0)
    torch.testing.assert_close(other.high, found.high * unit, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("end", "scale"), [(0.0, LOG), (1.0, ARTANH), (-1.0, ARTANH), (math.inf, LOG)])
def test_where_everything_lies_at_an_end_of_the_scale_there_is_nothing_to_be_unsure_of(
    end: float, scale: Scale
) -> None:
    found = jackknife(numbers(end), numbers(*[end] * 20)[:, None], torch.ones(20), scale)
    assert found.as_list()[0].__dict__ == {
        "low": end, "high": end, "standard_error": 0, "bias": 0, "at_least": end, "at_most": end
    }  # fmt: skip


def test_where_only_some_do_the_scale_is_the_identity_within_what_the_statistic_can_be() -> None:
    replicates = numbers(*[0.0] * 10, *[1e-16] * 10)[:, None]
    found = jackknife(numbers(1e-16), replicates, torch.ones(20), LOG)
    error = float(found.standard_error)
    assert error == pytest.approx(math.sqrt(19) * 0.5e-16)
    assert float(found.low) == 0
    assert float(found.high) == pytest.approx(1e-16 + 2.0930 * error, rel=1e-4)
    found = jackknife(numbers(0.99), numbers(*[1.0] * 10, *[0.98] * 10)[:, None], torch.ones(20), SIMILARITY)
    assert float(found.high) == 1
    assert float(found.low) == pytest.approx(0.99 - 2.0930 * 0.01 * math.sqrt(19), rel=1e-4)


def test_a_statistic_that_does_not_exist_without_some_group_can_be_anything() -> None:
    for missing in (math.inf, math.nan):
        found = jackknife(numbers(0.5), numbers(*[0.5] * 19, missing)[:, None], torch.ones(20), LOG)
        assert (float(found.low), float(found.high), float(found.standard_error)) == (0, math.inf, math.inf)


def test_the_centre_moves_by_the_bias_only_where_it_exceeds_the_standard_error() -> None:
    small, large = numbers(*[0.399] * 10, *[0.401] * 10) + 1e-5, numbers(*[0.4099] * 10, *[0.4101] * 10)
    replicates = torch.stack([small, large], 1)
    found = jackknife(numbers(0.4, 0.4), replicates, torch.ones(20), CORRECTED_SIMILARITY)
    torch.testing.assert_close(found.bias, numbers(19e-5, 0.19), rtol=1e-6, atol=0)
    middle = torch.tanh((torch.atanh(found.low) + torch.atanh(found.high)) / 2)
    torch.testing.assert_close(middle, numbers(0.4, 0.21), rtol=1e-6, atol=0)
    plain = jackknife(numbers(0.4, 0.4), replicates, torch.ones(20), SIMILARITY)
    middle = torch.tanh((torch.atanh(plain.low) + torch.atanh(plain.high)) / 2)
    torch.testing.assert_close(middle, numbers(0.4, 0.4), rtol=1e-6, atol=0)


@pytest.mark.parametrize("distance", [0.0, 0.03, 1.0])
def test_noise_that_adds_to_a_distance_does_not_pass_for_it(distance: float) -> None:
    """‖mean of the rows‖, whose square noise makes larger by its variance: of a distance 0 it is nothing else."""
    generator = torch.Generator().manual_seed(0)
    scale, sizes = scale_of(0.0, math.inf, larger_is_closer=False, corrected=True), torch.full((20,), 10)
    held = 0
    for _ in range(200):
        rows = torch.randn(200, 30, generator=generator, dtype=torch.float64)
        rows[:, 0] += distance
        value, without = means_without(rows, sizes)
        found = jackknife(value.norm(), without.norm(dim=1), sizes, scale)
        held += bool(found.low <= distance <= found.high)
        assert float(value.norm()) > 0.2  # the log of which is far from that of the distance
    assert held >= 0.87 * 200


@pytest.mark.parametrize("unequal", [False, True])
def test_clusters_are_covered_where_independence_would_be_too_sure(unequal: bool) -> None:
    """Means of clustered inputs, 1,500 repetitions: nominal 95 %."""
    generator = np.random.default_rng(0)
    sizes = torch.from_numpy(generator.integers(10, 60, 20)) if unequal else torch.full((20,), 30)
    count, repetitions = int(sizes.sum()), 1500
    centres = generator.normal(size=(20, repetitions)).repeat(sizes.numpy(), axis=0)
    rows = torch.from_numpy(centres + generator.normal(size=(count, repetitions)))
    found = jackknife(*means_without(rows, sizes), sizes, PLAIN)
    covered = float(((found.low < 0) & (found.high > 0)).double().mean())
    assert 0.93 < covered < 0.98
    blocks = torch.full((count // 2,), 2)
    rows = rows[: 2 * len(blocks)]
    independent = jackknife(*means_without(rows, blocks), blocks, PLAIN)
    assert float(((independent.low < 0) & (independent.high > 0)).double().mean()) < 0.6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1))
def test_wilsons_interval_is_statsmodels(count: int, share: float) -> None:
    successes = round(share * count)
    (found,) = wilson(numbers(successes / count), count).as_list()
    low, high = proportion_confint(successes, count, method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    low, high = proportion_confint(successes, count, alpha=0.1, method="wilson")
    assert (found.at_least, found.at_most) == pytest.approx((low, high), abs=1e-12)
    assert 0 <= found.low <= found.at_least
    assert found.at_most <= found.high <= 1


def test_a_rate_on_groups_stays_within_what_a_rate_can_be() -> None:
    found = jackknife(numbers(0.98), torch.linspace(0.95, 1, 20, dtype=torch.float64)[:, None], torch.ones(20), SHARE)
    assert float(found.high) == 1
