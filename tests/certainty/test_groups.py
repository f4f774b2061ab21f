"""Groups of inputs: blocks, names, many of them, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import InputError
from closedist.certainty.groups import MOST, contiguous_blocks, given_groups, sequence_blocks


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 5000))
def test_blocks_are_neighbours_of_nearly_equal_size(num_inputs: int) -> None:
    groups = contiguous_blocks(num_inputs)
    assert len(groups.sizes) == min(20, num_inputs)
    assert int(groups.sizes.sum()) == num_inputs == len(groups.codes)
    assert int(groups.sizes.max() - groups.sizes.min()) <= 1
    assert bool((groups.codes.diff() >= 0).all())
    assert groups.num_given is None


def test_names_become_groups_whatever_they_are() -> None:
    numbers = np.arange(30) % 9
    for names in (numbers, torch.from_numpy(numbers), [f"patient {n}" for n in numbers], (numbers + 5).astype(object)):
        if isinstance(names, np.ndarray) and names.dtype.kind == "O":
            names = np.array([str(name) for name in names], dtype=object)
        groups = given_groups(names, 30)
        assert groups.num_given == 9
        for first in range(30):
            assert groups.codes[first] == groups.codes[first % 9]
        assert len(set(groups.codes[:9].tolist())) == 9
        assert groups.sizes.tolist() == torch.bincount(groups.codes).tolist()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=41, max_size=200), st.integers(0, 2**32 - 1))
def test_many_groups_are_put_together_whole_and_evenly(sizes: list[int], seed: int) -> None:
    names = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    groups = given_groups(names, len(names))
    assert groups.num_given == len(sizes)
    assert len(groups.sizes) == MOST
    for name in range(len(sizes)):
        assert len(set(groups.codes[names == name].tolist())) == 1
    assert int(groups.sizes.max() - groups.sizes.min()) <= 20  # one more group at most


def test_a_few_large_groups_are_worth_less_than_their_number() -> None:
    even = given_groups(np.repeat(np.arange(10), 5), 50)
    assert even.effective_number == pytest.approx(10)
    uneven = given_groups(np.concatenate([np.zeros(991, int), np.arange(1, 10)]), 1000)
    assert 1 < uneven.effective_number < 1.1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (np.arange(7).repeat(10), "7 different ones; at least 8"),
        (np.arange(69), "one entry for each of the 70 inputs"),
        (np.zeros((70, 2), int), "one entry for each of the 70 inputs"),
        (np.linspace(0, 1, 70), "integers or strings"),
        ([None] * 70, "integers or strings"),
    ],
)
def test_what_cannot_be_groups_is_refused_by_name(names: object, message: str) -> None:
    with pytest.raises(InputError, match="groups: .*" + message):
        given_groups(names, 70)  # type: ignore[arg-type]


def test_fewer_than_eight_inputs_give_no_interval() -> None:
    with pytest.raises(InputError, match="intervals: 7 inputs"):
        contiguous_blocks(7)


def test_positions_of_sequences_are_not_independent() -> None:
    assert contiguous_blocks(100).independent
    assert not sequence_blocks(np.arange(100) // 5).independent
    assert not sequence_blocks(np.arange(100) // 50).independent  # fewer than 8 sequences
    assert not given_groups(np.arange(100) // 5, 100).independent
