"""What KL can be where only the top k log-probabilities are known: an interval that holds, and cannot be narrower."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import closedist
from closedist import InputError, Representations, kl_of_top_k

Array = NDArray[np.float64]


def distribution(seed: int, labels: int = 12, spread: float = 2.0) -> Array:
    z = spread * np.random.default_rng(seed).normal(size=labels)
    return np.asarray(np.exp(z) / np.exp(z).sum())


def divergence(p: Array, q: Array) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(p > 0, p * np.log(p / q), 0).sum())


def top(p: Array, k: int) -> tuple[Any, Any]:
    ids = np.argsort(-p)[:k]
    with np.errstate(divide="ignore"):
        return ids[None], np.log(p[ids])[None]


def listed(p: Array, ids: list[int]) -> tuple[Any, Any]:
    return np.array(ids)[None], np.log(p[ids])[None]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12), st.floats(0.1, 4))
def test_the_divergence_lies_in_the_interval(seed: int, k: int, other_k: int, spread: float) -> None:
    p, q = distribution(seed, spread=spread), distribution(seed + 1, spread=spread)
    low, high = kl_of_top_k(*top(p, k), *top(q, other_k))
    assert low <= divergence(p, q) * (1 + 1e-12) + 1e-14
    assert divergence(p, q) <= high * (1 + 1e-12) + 1e-14
    low, high = kl_of_top_k(*top(p, k), *top(q, other_k), floor=float(np.log(q.min())))
    assert low <= divergence(p, q) * (1 + 1e-12) + 1e-14 <= high * (1 + 1e-12) + 2e-14


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9), min_size=1))
def test_the_lowest_is_attained_and_nothing_is_below_it(seed: int, own: set[int], other: set[int]) -> None:
    p, q = np.append(distribution(seed, 10), 0), np.append(distribution(seed + 1, 10), 0)  # label 10 nobody lists
    low, _ = kl_of_top_k(*listed(p, sorted(own)), *listed(q, sorted(other)))
    theirs, ours = sorted(other - own), sorted(own - other)  # labels whose p, and whose q, is not known

    r, s = (max(1 - one[sorted(which)].sum(), 0.0) for one, which in ((p, own), (q, other)))
    given = min(r, q[theirs].sum() * (p[ours].sum() + r) / (q[theirs].sum() + s)) if theirs else 0.0
    outside = p[ours].sum() + r - given
    best_p, best_q = np.zeros(11), np.zeros(11)
    best_p[sorted(own)], best_q[sorted(other)] = p[sorted(own)], q[sorted(other)]
    best_p[theirs], best_p[10] = given * q[theirs] / max(q[theirs].sum(), 1e-300), max(r - given, 0)
    best_q[ours] = s * p[ours] / max(outside, 1e-300)
    best_q[10] = max(s - best_q[ours].sum(), 1e-300)
    assert best_p.sum() == pytest.approx(1)
    assert best_q.sum() == pytest.approx(1)
    assert divergence(best_p, best_q) == pytest.approx(low, rel=1e-6, abs=1e-9)

    generator = np.random.default_rng(seed)
    for _ in range(20):
        some_p, some_q = best_p.copy(), best_q.copy()
        for values, known, left in ((some_p, own, r), (some_q, other, s)):
            free = [label for label in range(11) if label not in known]
            values[free] = left * generator.dirichlet(np.full(len(free), generator.choice([0.1, 1, 10])))
        assert divergence(some_p, some_q) >= low - 1e-12


def test_the_lowest_of_one_bucket_is_the_bucket() -> None:
    """Where both list the same labels, the rest is one bucket."""
    p, q = distribution(1), distribution(2)
    low, high = kl_of_top_k(*listed(p, [0, 3, 5]), *listed(q, [5, 0, 3]))
    rest = np.array([p[[0, 3, 5]].sum(), q[[0, 3, 5]].sum()])
    bucketed = divergence(np.append(p[[0, 3, 5]], 1 - rest[0]), np.append(q[[0, 3, 5]], 1 - rest[1]))
    assert low == pytest.approx(bucketed, rel=1e-12)
    assert high == math.inf


def test_p_may_not_have_enough_left_for_what_q_lists() -> None:
    """B = r: p lists nearly everything of its own, q mostly what p does not."""
    p, q = np.array([0.9, 0.05, 0.05, 0.0]), np.array([0.05, 0.0, 0.75, 0.2])
    low, _ = kl_of_top_k(*listed(p, [0]), *listed(q, [2]))
    worst = 0.1 * np.log(0.1 / 0.75) + 0.9 * np.log(0.9 / 0.25)
    assert low == pytest.approx(worst, rel=1e-12)
    assert low == pytest.approx(divergence(np.array([0.9, 0.1]), np.array([0.25, 0.75])), rel=1e-12)


def test_the_highest_at_a_floor_is_attained() -> None:
    p, q, floor = np.array([0.5, 0.3, 0.2, 0.0, 0.0]), np.array([0.6, 0.0, 0.0, 0.01, 0.39]), math.log(1e-3)
    low, high = kl_of_top_k(*listed(p, [0, 1]), *listed(q, [0, 3]), floor=floor)
    attaining_p, attaining_q = np.array([0.5, 0.3, 0.2, 0, 0]), np.array([0.6, 1e-3, 1e-3, 0.01, 0.388])
    assert high == pytest.approx(divergence(attaining_p, attaining_q), rel=1e-12)
    assert low < high
    _, high = kl_of_top_k(*listed(p, [0, 1]), *listed(q, [0, 3]), floor=math.log(0.02))
    assert high == pytest.approx(divergence(np.array([0.5, 0.3, 0, 0.2]), np.array([0.6, 0.02, 0.37, 0.01])), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_where_all_labels_are_listed_it_is_the_divergence(dtype: type) -> None:
    p, q = (np.stack([distribution(seed + 10 * i) for i in range(50)]) for seed in (1, 2))
    order = np.random.default_rng(0).permuted(np.tile(np.arange(12), (50, 1)), axis=1)
    log_q = np.log(np.take_along_axis(q, order, 1)).astype(dtype)
    low, high = kl_of_top_k(np.tile(np.arange(12), (50, 1)), np.log(p).astype(dtype), order, log_q)
    right = np.mean([divergence(*pair) for pair in zip(p, q, strict=True)])
    assert low == high == pytest.approx(right, rel=1e-12 if dtype is np.float64 else 1e-5)
    boxes = [Representations.from_logits(np.log(one)) for one in (p, q)]
    assert low == pytest.approx(closedist.kl_divergence(*boxes), rel=1e-5)


def test_the_same_model_has_a_lowest_of_zero_and_more_labels_narrow_the_interval() -> None:
    p, q = distribution(1), distribution(2)
    assert kl_of_top_k(*top(p, 4), *top(p, 4))[0] == pytest.approx(0, abs=1e-15)
    lows = [kl_of_top_k(*top(p, k), *top(q, k))[0] for k in range(1, 13)]
    assert all(above - below > -1e-14 for below, above in pairwise(lows))
    assert lows[-1] == pytest.approx(divergence(p, q), rel=1e-12)


def test_many_inputs_are_a_mean_however_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(top(distribution(seed), 3), top(distribution(seed + 1), 5)) for seed in range(40)]
    arrays = [np.concatenate([row[side][part] for row in rows]) for side in (0, 1) for part in (0, 1)]
    singles = [kl_of_top_k(*p, *q, floor=-20) for p, q in rows]
    whole = kl_of_top_k(*arrays, floor=-20)
    assert whole == pytest.approx(np.mean(singles, axis=0), rel=1e-12)
    monkeypatch.setattr("closedist.measures.top_k._COMPARED", 50)
    assert kl_of_top_k(*arrays, floor=-20) == pytest.approx(whole, rel=1e-12)
    words = np.array([f"token {i:02}" for i in range(12)])  # in the order of their numbers: the same sums
    tensors = [torch.from_numpy(arrays[1]), torch.from_numpy(arrays[3])]
    named = kl_of_top_k(words[arrays[0]], tensors[0], words[arrays[2]].tolist(), tensors[1], floor=-20)
    assert named == kl_of_top_k(*arrays, floor=-20)


def test_a_label_that_one_rules_out() -> None:
    p, q = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    with np.errstate(divide="ignore"):
        log_q = np.log(q)
    ids = np.array([[0, 1]])
    assert kl_of_top_k(ids, np.log(p), ids, log_q) == (math.inf, math.inf)
    assert kl_of_top_k(ids, log_q, ids, np.log(p)) == (pytest.approx(np.log(2)), pytest.approx(np.log(2)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log_probs": [[1.0, 2.0]]}, r"log_probs: the probabilities of row 0 sum to 10\.1.*not logits"),
        ({"other_log_probs": [[-0.1, -0.1]]}, "other_log_probs: the probabilities of row 0"),
        ({"log_probs": [[math.nan, -1.0]]}, "row 0 sum to nan"),
        ({"log_probs": [-1.0, -2.0]}, r"log_probs: shape \(2,\)"),
        ({"ids": [[4, 4]]}, "ids: row 0 lists a label twice"),
        ({"other_ids": [[4, 5, 6]]}, r"other_ids: shape \(1, 3\)"),
        ({"ids": [["a", "b"]]}, "in the same way"),
        ({"ids": [[1, 2], [1, 2]], "log_probs": [[-1.0, -2.0]] * 2}, "1 inputs, log_probs have 2"),
        ({"floor": 1.0}, "floor: 1.0"),
    ],
)
def test_what_is_no_list_of_log_probabilities(changes: dict[str, Any], words: str) -> None:
    given = {"ids": [[4, 5]], "log_probs": [[-1.0, -2.0]], "other_ids": [[5, 6]], "other_log_probs": [[-1.0, -2.0]]}
    with pytest.raises(InputError, match=words):
        kl_of_top_k(**(given | changes))


class TestFilledRows:
    """Top-k log-probabilities whose rest is a constant are no logits."""

    Z = np.random.default_rng(0).normal(size=(40, 100))

    @pytest.mark.parametrize("fill", [-100.0, 0.0, -11.5, -65504.0])
    @pytest.mark.parametrize("k", [1, 5, 20])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
    def test_they_are_refused_with_what_to_do(self, fill: float, k: int, dtype: type) -> None:
        filled = np.full((40, 100), fill, dtype)
        for row, z in enumerate(self.Z):
            filled[row, np.argsort(-z)[:k]] = np.sort(z)[::-1][:k]
        with pytest.raises(
            InputError, match=rf"logits: row 0 is .* in {100 - k} of its 100 entries.*kl_of_top_k"
        ) as caught:
            Representations.from_logits(filled)
        assert closedist.kl_divergence(*[Representations(filled, np.eye(100))] * 2) == 0  # as the message says
        assert "Representations(logits, np.eye(C))" in str(caught.value)

    def test_one_row_of_many_is_enough(self) -> None:
        some = self.Z.copy()
        some[7, 5:] = -9.0
        with pytest.raises(InputError, match="row 7 is -9 in 95 of its 100"):
            Representations.from_logits(some)

    def test_logits_with_some_equal_entries_are_logits(self) -> None:
        masked = self.Z.copy()
        masked[:, 60:] = -1e4  # labels that are padding
        for logits in (masked, np.zeros((3, 100)), 5 * np.eye(3), np.round(self.Z), np.maximum(self.Z, 0)):
            assert Representations.from_logits(logits).num_labels == logits.shape[1]
