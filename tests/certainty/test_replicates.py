"""Replicates of root factors against refits: the inputs of each group deleted, everything computed anew."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from closedist.certainty.groups import contiguous_blocks, given_groups
from closedist.certainty.intervals import LOG, jackknife
from closedist.certainty.replicates import replicate_factors, side_by_side, without_group
from closedist.measures.group_roots import GroupedRows, GroupRoots
from closedist.measures.roots import CentredRoot, cut, pair_roots
from tests.random_models import noisy, random_model, seeds
from tests.slow_reference import Model, log_likelihoods, std, terms


def roots_of(rows: Tensor, codes: Tensor, step: int) -> tuple[Tensor, GroupRoots]:
    """The root of all rows and the groups', in blocks."""
    whole, grouped = CentredRoot(), GroupedRows(int(codes.max()) + 1)
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        whole.add(rows[block])
        grouped.add(rows[block], codes[block])
    return whole.root(), grouped.result()


def deviations_without(rows: Tensor, codes: Tensor, combinations: Tensor) -> Tensor:
    """(G, V) directly."""
    groups = range(int(codes.max()) + 1)
    return torch.stack([(rows[codes != group] @ combinations).std(0) for group in groups])


def replicated(root: Tensor, groups: GroupRoots, combinations: Tensor) -> Tensor:
    factors: Tensor = replicate_factors(root, groups)
    norms: Tensor = (factors @ root @ combinations).norm(dim=-2)
    return norms


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(12, 80), st.integers(1, 6), st.integers(1, 100), st.booleans())
def test_a_deviation_without_a_group_is_that_of_the_other_inputs(
    seed: int, count: int, width: int, step: int, scattered: bool
) -> None:
    generator = np.random.default_rng(seed)
    rows = torch.from_numpy((generator.normal(size=(count, width)) + 3) * 10.0 ** generator.integers(-80, 80, width))
    combinations = torch.from_numpy(generator.normal(size=(width, 5))) / rows.std(0)[:, None]
    names = generator.permutation(np.arange(count) % 9) if scattered else np.sort(generator.integers(0, 4, count))
    codes = (
        given_groups(names, count).codes if scattered else torch.from_numpy(np.unique(names, return_inverse=True)[1])
    )
    assume(len(torch.unique(codes)) > 1 and int(torch.bincount(codes).max()) <= count - width - 3)
    found = replicated(*roots_of(rows, codes, step), combinations)
    torch.testing.assert_close(found, deviations_without(rows, codes, combinations), rtol=1e-9, atol=0)


def test_a_singular_root_of_equal_models_is_no_hindrance() -> None:
    generator = np.random.default_rng(0)
    rows = torch.from_numpy(generator.normal(size=(200, 4)))
    rows = torch.cat([rows, rows @ torch.from_numpy(generator.normal(size=(4, 4)))], 1)
    codes = contiguous_blocks(200).codes
    root, groups = roots_of(rows, codes, 64)
    factors = replicate_factors(root, groups)
    assert bool(torch.isfinite(factors).all())
    combinations = torch.from_numpy(generator.normal(size=(8, 6)))
    found = replicated(root, groups, combinations)
    torch.testing.assert_close(found, deviations_without(rows, codes, combinations), rtol=1e-9, atol=0)


def test_what_varies_in_one_group_only_is_gone_without_it() -> None:
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(160, 3)))
    codes = contiguous_blocks(160).codes
    rows[:, 2] = torch.where(codes == 7, rows[:, 2], 0.25)
    found = replicated(*roots_of(rows, codes, 1000), torch.eye(3, dtype=torch.float64))
    assert float(found[7, 2]) < 1e-7  # the root of a rounding error
    torch.testing.assert_close(found[:7], deviations_without(rows, codes, torch.eye(3, dtype=torch.float64))[:7])


def test_pairs_are_cut_from_the_roots_of_many_models() -> None:
    generator = np.random.default_rng(2)
    rows = torch.from_numpy(generator.normal(size=(120, 4 * 3)))  # four models of two dimensions and the shared column
    codes = contiguous_blocks(120).codes
    joint, groups = roots_of(rows, codes, 50)
    pairs = torch.tensor([[0, 2], [1, 3], [0, 1]])
    sides = pair_roots(cut(joint, 4), pairs)
    factors = replicate_factors(side_by_side(sides), groups.of_pairs(pairs, 4))
    assert factors.shape[:2] == (3, 20)
    for group in (0, 13):
        first, second = without_group(sides, factors[:, group])
        left = rows[codes != group].reshape(-1, 4, 3)
        for pair, (i, j) in enumerate(pairs.tolist()):
            gap = first.vectors[pair] - second.vectors[pair]
            torch.testing.assert_close(gap.norm(dim=0), (left[:, i, :2] - left[:, j, :2]).std(0), rtol=1e-9, atol=0)
            gap = first.shared[pair] - second.shared[pair]
            torch.testing.assert_close(gap.norm(), (left[:, i, 2] - left[:, j, 2]).std(), rtol=1e-9, atol=0)
            torch.testing.assert_close(first.own[pair, :, :2].norm(dim=0), left[:, i, :2].std(0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("noise", [1e-3, 1e-6, 1e-9])
def test_the_standard_error_of_a_tiny_distance_keeps_its_digits(noise: float) -> None:
    """The deviation of ℓ(j)/s − ℓ'(j)/s', a rest term of d_LLV, down to 1e-9, against nineteen digits."""
    p = random_model(0, 400, 5, 3)
    q = noisy(p, noise, 1)
    codes = contiguous_blocks(400).codes
    exact_p, exact_q = (log_likelihoods(model, np.longdouble) for model in (p, q))

    rows = torch.cat([_features(model, table) for model, table in ((p, exact_p), (q, exact_q))], 1)
    root, groups = roots_of(rows, codes, 128)
    sides = pair_roots(cut(root, 2), torch.tensor([[0, 1]]))
    factors = replicate_factors(side_by_side(sides), groups.of_pairs(torch.tensor([[0, 1]]), 2))[0]
    g, other = (torch.from_numpy(model.g) for model in (p, q))
    found, exact = [], []
    for group in range(20):
        first, second = without_group(sides, factors[None, group])
        single, other_single = first.single(g)[0], second.single(other)[0]
        s, t = (single[1] - single[0]).norm(), (other_single[1] - other_single[0]).norm()
        found.append(float((single[1] / s - other_single[1] / t).norm()))
        kept = (codes != group).numpy()
        exact.append(float(terms(exact_p[kept], exact_q[kept], 1, 0)[0]))
    assert found == pytest.approx(exact, rel=1e-6)
    value = float(terms(exact_p, exact_q, 1, 0)[0])
    assert value < 10 * noise
    errors = [
        float(
            jackknife(
                torch.tensor(value).double(), torch.tensor(replicates).double(), torch.ones(20), LOG
            ).standard_error
        )
        for replicates in (found, exact)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    assert float(std(np.array(exact))) > 0


def _features(model: Model, table: np.ndarray) -> Tensor:
    """f and −log Z (up to the label's own part), as one row an input."""
    shared = table[:, 0] - model.f.astype(np.longdouble) @ model.g[0] - model.b[0]
    return torch.from_numpy(np.column_stack([model.f, shared.astype(np.float64)]))
