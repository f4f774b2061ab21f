"""Students at one KL: read off where a curve is there for the last time, and intervals that hold what they say."""

import numpy as np
import pytest

from closedist import InputError
from closedist.paper.results.effects import inverse_variance, on_log_scale, random_effects
from closedist.paper.results.matched import at_one_kl, estimated, last_crossing
from closedist.paper.results.student_metrics import Metrics, ModelName


def student(loss, kl, teacher=400, seed=40, **scores):
    name = ModelName(f"{loss}-{teacher}-{seed}", "digits", "standard", loss, teacher, seed, 5)
    test = {"kl_to_teacher": kl, **scores}
    return Metrics(name, (4, 9, 14, 19), {}, {key: tuple(map(float, values)) for key, values in test.items()}, False)


def test_the_one_kl_is_the_largest_of_the_smallest():
    students = [student("kl", (3, 2, 1, 0.5)), student("l2", (4, 1, 0.2, 0.3))]
    assert at_one_kl(students, ("kl", "l2")).kl == 0.5


def test_scores_are_read_between_the_two_epochs_where_the_curve_crosses():
    students = [student("kl", (3, 2, 1, 1), acc=(0, 1, 2, 3)), student("l2", (4, 1.5, 0.5, 0.1), acc=(0, 10, 20, 30))]
    found = at_one_kl(students, ("kl", "l2"))
    assert found.kl == 1
    assert found.scores["acc"].flatten().tolist() == [3.0, 15.0]
    assert found.epochs.flatten().tolist() == [19.0, 11.5]


@pytest.mark.parametrize(
    ("curve", "place"),
    [
        ((4.0, 2.0, 0.5), 1 + 2 / 3),
        ((0.5, 2.0, 0.5), 1 + 2 / 3),  # the last of two
        ((2.0, 0.5, 2.0), 1 + 1 / 3),  # on the way up again
        ((2.0, 1.0, 2.0), 1.0),  # touched
        ((2.0, 3.0, 1.0), 2.0),
        ((1.0, 1.0, 1.0), 2.0),
        ((0.9, 0.5, 0.2), None),
        ((1.0,), 0.0),
        ((0.5,), None),
    ],
)
def test_a_curve_is_left_where_it_is_at_the_level_for_the_last_time(curve, place):
    found = last_crossing(curve, 1.0)
    assert found == (None if place is None else pytest.approx(place))


def test_a_student_that_is_closer_from_its_first_evaluation_on_is_not_comparable():
    students = [
        student("kl", (3, 2, 1.5, 1), acc=(0, 1, 2, 3)),
        student("kl", (3, 2, 1.5, 1), seed=41, acc=(0, 1, 2, 5)),
        student("l2", (0.9, 0.8, 0.7, 0.6), acc=(9, 9, 9, 9)),
        student("l2", (2, 0.8, 0.7, 0.6), seed=41, acc=(9, 9, 9, 9)),
    ]
    found = at_one_kl(students, ("kl", "l2"))
    assert (found.not_comparable("kl"), found.not_comparable("l2")) == (0, 1)
    assert found.estimate("acc", "kl").value == 4.0
    assert found.estimate("acc", "l2") is None
    assert found.difference("acc", "kl", "l2") is None


def test_a_difference_pairs_students_of_one_teacher_and_one_seed():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4, 3))
    kl = np.array([3.0, 2.0, 1.5, 1.0])
    students = [
        student(loss, kl, teacher, seed, acc=np.full(4, shared[teacher, seed] + apart))
        for loss, apart in (("kl", 0.0), ("l2", 2.0))
        for teacher in range(4)
        for seed in range(3)
    ]
    found = at_one_kl(students, ("kl", "l2")).difference("acc", "l2", "kl")
    assert (found.low, found.value, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_distances_differ_by_factors():
    kl = np.array([3.0, 2.0, 1.5, 1.0])
    rng = np.random.default_rng(0)
    shared = np.exp(rng.normal(size=(4, 3)))
    students = [
        student(loss, kl, teacher, seed, d_rep=np.full(4, shared[teacher, seed] * factor))
        for loss, factor in (("kl", 1.0), ("l2", 5.0))
        for teacher in range(4)
        for seed in range(3)
    ]
    found = at_one_kl(students, ("kl", "l2"))
    ratio = found.difference("d_rep", "l2", "kl")
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((5.0, 5.0, 5.0))
    own = found.estimate("d_rep", "kl")
    logs = random_effects(np.log(shared))
    assert (own.low, own.value, own.high) == pytest.approx(tuple(np.exp([logs.low, logs.value, logs.high])))
    assert own.low > 0
    with pytest.raises(InputError, match="not above 0"):
        on_log_scale([[1.0, 0.0]])


def test_no_interval_of_a_share_leaves_it():
    table = np.array([[0.9, 1.0, 0.95], [1.0, 0.6, 0.99]])
    assert random_effects(table).high > 1
    found = estimated("acc", table)
    assert (found.high, found.low, found.value) == (1.0, max(0.0, random_effects(table).low), table.mean())


def test_students_that_are_missing_are_named():
    students = [student("kl", (2, 1, 1, 1)), student("kl", (2, 1, 1, 1), seed=41), student("l2", (2, 1, 1, 1))]
    with pytest.raises(InputError, match="loss l2: the student with seed 41 of teacher 400 is missing"):
        at_one_kl(students, ("kl", "l2"))
    with pytest.raises(InputError, match="loss l1: there are no students"):
        at_one_kl(students, ("kl", "l1"))
    with pytest.raises(InputError, match="keep one of the two"):
        at_one_kl([*students, students[0]], ("kl",))


def drawn(rng, teachers, seeds, sizes):
    teacher, seed, rest = sizes
    return (
        teacher * rng.normal(size=(teachers, 1))
        + seed * rng.normal(size=(1, seeds))
        + rest * rng.normal(size=(teachers, seeds))
    )


@pytest.mark.parametrize("sizes", [(1, 0, 1), (0, 1, 1), (1, 1, 0.3), (0, 0, 1), (1, 0.2, 0.2)])
def test_intervals_hold_the_mean_of_all_teachers_and_seeds(sizes):
    rng = np.random.default_rng(1)
    held = [found.low <= 0 <= found.high for found in (random_effects(drawn(rng, 5, 5, sizes)) for _ in range(1000))]
    assert np.mean(held) >= 0.935


def test_the_paper_s_bands_do_not_hold_it_where_teachers_differ():
    rng = np.random.default_rng(2)
    found = [inverse_variance(drawn(rng, 5, 5, (1, 0, 0.5))) for _ in range(300)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) < 0.6


def test_the_variance_of_the_mean_is_the_analysis_of_variance_s():
    table = drawn(np.random.default_rng(3), 6, 4, (2, 1, 0.5))
    rows, columns = table.mean(1), table.mean(0)
    rest = table - rows[:, None] - columns + table.mean()
    between = 4 * rows.var(ddof=1), 6 * columns.var(ddof=1), np.square(rest).sum() / 15
    assert random_effects(table).standard_error ** 2 == pytest.approx((between[0] + between[1] - between[2]) / 24)


def test_one_teacher_s_students_vary_among_themselves():
    table = np.array([[1.0, 2.0, 4.0]])
    assert random_effects(table).standard_error == pytest.approx(table.std(ddof=1) / np.sqrt(3))
    assert random_effects(table.T).standard_error == random_effects(table).standard_error
    with pytest.raises(InputError, match="two or more"):
        random_effects([[1.0]])


def test_the_paper_s_mean_weighs_every_teacher_by_the_inverse_of_its_variance():
    groups = [np.array([1.0, 2.0, 3.0]), np.array([5.0, 9.0])]
    found = inverse_variance(groups)
    weights = 3 / 1.0, 2 / 8.0
    assert found.value == pytest.approx((weights[0] * 2 + weights[1] * 7) / sum(weights))
    assert found.standard_error == pytest.approx(sum(weights) ** -0.5)
    with pytest.raises(InputError, match="different numbers"):
        inverse_variance([[1.0, 1.0], [1.0, 2.0]])
