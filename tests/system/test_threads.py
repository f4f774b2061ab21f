"""Tasks side by side: each once, in their order, whoever computes them."""

import sys
import threading

import pytest

from closedist.system.threads import one_thread, side_by_side


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_their_tasks_and_each_task_is_done_once(threads: int) -> None:
    done: list[int] = []

    def do(task: int) -> int:
        done.append(task)
        return task * task

    with one_thread():
        assert list(side_by_side(do, range(40), threads)) == [task * task for task in range(40)]
    assert sorted(done) == list(range(40))


def test_the_thread_that_asks_works_too() -> None:
    asking, another = threading.get_ident(), threading.Event()

    def do(task: int) -> int:
        if threading.get_ident() == asking:
            another.set()
        else:
            assert another.wait(60)  # as long as it takes until the one that asks has done a task
        return threading.get_ident()

    assert len(set(side_by_side(do, range(6), 2))) == 2


def test_the_error_is_that_of_the_first_task_that_has_one_and_what_was_set_is_set_back() -> None:
    before, reached = sys.getswitchinterval(), threading.Event()

    def do(task: int) -> int:
        if task == 3:
            reached.set()
            raise ValueError(task)
        if task == 1:
            assert reached.wait(60)  # the later one fails before
            raise ValueError(task)
        return task

    found = side_by_side(do, range(6), 2)
    assert next(found) == 0
    with pytest.raises(ValueError, match="1"):
        list(found)
    assert sys.getswitchinterval() == before
