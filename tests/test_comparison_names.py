"""Names and numbers of many models fit into 80 columns, and what differs stays."""

import pytest

from closedist import compare_all
from closedist.comparison import matrix_table, reference_table
from closedist.comparison.naming import short_names
from tests.random_models import noisy, random_model, represent

RUNS = [f"Med_lr{rate}_width128_batch256_ep30000_of_a_long_training_seed{seed}_test" for seed in "01" for rate in "12"]
APART = ["x" * 60 + first + "y" * 40 + last + "z" * 60 for first in "ab" for last in "bc"]
BASE = random_model(0, 200, 6, 3)
COMPARISONS = compare_all([represent(noisy(BASE, 0.1 * index, index)) for index in range(4)], intervals=True)


@pytest.mark.parametrize("names", [RUNS, APART, ["p" * 90 + str(index) + "q" * 90 for index in range(4)]])
@pytest.mark.parametrize("room", [10, 24, 77])
def test_names_that_are_cut_differ(names: list[str], room: int) -> None:
    short, _ = short_names(names, room)
    assert len(set(short)) == 4
    assert max(map(len, short)) <= room


def test_words_that_all_share_are_in_the_pattern() -> None:
    short, pattern = short_names(RUNS)
    assert short == ["lr1_seed0", "lr2_seed0", "lr1_seed1", "lr2_seed1"]
    assert pattern == "Med_*_width128_batch256_ep30000_of_a_long_training_*_test"
    assert short_names(["one", "two"]) == (["one", "two"], "")


@pytest.mark.parametrize("names", [RUNS, APART, list("abcd")])
@pytest.mark.parametrize("everything", [False, True])
def test_tables_of_many_models_fit_into_a_terminal(names: list[str], everything: bool) -> None:
    matrix = matrix_table(COMPARISONS, names, everything=everything)
    against = reference_table(COMPARISONS[:3], names[0], names[1:], everything=everything)
    for table in (matrix, against):
        assert max(map(len, table.splitlines())) <= 80
        assert "≠ not the same" in table
    assert f"{COMPARISONS[2].dissimilarity:.4f}" in against
