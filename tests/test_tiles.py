"""Pairs in tiles of models: the numbers of each pair alone, however tiles are cut and whoever computes."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closedist import Comparison, InputError, Representations, compare, compare_all
from closedist.measures import likelihood
from closedist.measures.moments import moments
from closedist.measures.roots import pair_roots
from closedist.measures.stack import stacked
from closedist.pairs import tiles
from tests.random_models import noisy, random_model, represent

CHOICES = ("pivot_label", "left_out_label", "input_set", "label_names", "num_label_subsets", "ignored_labels")
DIMENSIONS = (2, 3, 2, 4, 3)


def family(num_inputs: int, seed: int = 0) -> list[Representations]:
    """Five models and near copies of two of them: 1e-2 and 1e-6 apart."""
    models = [random_model(seed + index, num_inputs, 7, d) for index, d in enumerate(DIMENSIONS)]
    models += [noisy(models[0], 1e-2, seed + 7), noisy(models[3], 1e-6, seed + 8)]
    return [represent(model) for model in models]


def assert_equal(found: Comparison, alone: Comparison) -> None:
    """To what rounding leaves where models are 1e-6 apart, and choices to the bit."""
    for name, value in asdict(found).items():
        expected = getattr(alone, name)
        if name in CHOICES:
            assert value == expected, name
        elif isinstance(value, float) or (isinstance(value, tuple) and value and isinstance(value[0], float)):
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-15), name


@given(
    side=st.integers(1, 8),
    stack_bytes=st.sampled_from([1, 1000, 1 << 28]),
    batch_bytes=st.sampled_from([1, 20_000, 1 << 25]),
    num_inputs=st.sampled_from([50, 90]),
    threads=st.sampled_from([1, 2]),
)
@settings(max_examples=15, deadline=None)
def test_every_size_of_tile_gives_the_numbers_of_each_pair_alone(
    side: int, stack_bytes: int, batch_bytes: int, num_inputs: int, threads: int
) -> None:
    models = family(num_inputs)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with mock.patch.multiple(tiles, TILE=side, STACK_BYTES=stack_bytes, BATCH_BYTES=batch_bytes):
            together = compare_all(models, num_samples=10)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for (i, j), found in zip(combinations(range(len(models)), 2), together, strict=True):
        assert found.names == (str(i), str(j))
        assert_equal(found, compare(models[i], models[j], num_samples=10))


def test_no_bit_depends_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 2)
    monkeypatch.setattr(likelihood, "CACHED_ELEMENTS", 7 * 7 * 20)  # 20 inputs of 7 models at once
    monkeypatch.setattr(likelihood, "SMALLEST_BLOCK", 20)
    models, before, found = family(90), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(compare_all(models, num_samples=10, as_rows=True))
    finally:
        torch.set_num_threads(before)
    for name, alone in found[0].items():
        for several in found[1:]:
            np.testing.assert_array_equal(several[name], alone, err_msg=name)


@pytest.mark.parametrize("wanted", [[(0, j) for j in range(1, 7)], [(2, 3)], [(4, 6), (0, 1), (0, 6), (4, 5)], []])
def test_some_pairs_are_in_the_order_asked_for(wanted: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 2)
    models = family(90)
    found = compare_all(models, pairs=wanted, num_samples=10)
    assert [c.names for c in found] == [(str(i), str(j)) for i, j in wanted]
    for (i, j), c in zip(wanted, found, strict=True):
        assert_equal(c, compare(models[i], models[j], num_samples=10))


def test_tiles_hold_every_pair_once_and_no_more_models_than_allowed() -> None:
    pairs = torch.tensor(list(combinations(range(11), 2)))
    parts = list(tiles.tiles(pairs, 3, 4))
    assert sorted(torch.cat(parts).tolist()) == list(range(55))
    assert all(len(torch.unique(pairs[part, 0])) <= 3 and len(torch.unique(pairs[part, 1])) <= 4 for part in parts)


@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-6, 1e-10])
def test_the_root_of_a_pair_has_the_products_of_its_columns_and_the_digits_of_their_differences(step: float) -> None:
    p = random_model(0, 200, 6, 3)
    models = stacked([represent(p), represent(noisy(p, step, 1))])
    pair = torch.tensor([[0, 1]])
    root = moments(models, pair).over_inputs
    assert root.angles is not None
    first, second = pair_roots(root, pair)
    columns = models.inputs(slice(0, 200))
    columns = (columns - columns.mean(1, keepdim=True)) / 199**0.5
    for side, expected in ((first, columns[0]), (second, columns[1])):
        torch.testing.assert_close(side.vectors[0].T @ side.vectors[0], expected.T @ expected, rtol=1e-12, atol=1e-14)
    gap, expected = ((b - a).norm() for a, b in ((first.vectors, second.vectors), columns))
    assert float(gap) == pytest.approx(float(expected), rel=1e-9 if step > 1e-8 else 1e-5)


def test_arrays_have_what_comparisons_have() -> None:
    models = family(90)
    comparisons, arrays = compare_all(models, num_samples=10), compare_all(models, num_samples=10, as_rows=True)
    assert {"kl", "llv", "certificate", "pivot_label", "num_inputs"} < set(arrays)
    assert not {"m_svd_embeddings", "input_set", "label_names", "intervals", "reduction"} & set(arrays)
    assert list(zip(arrays["first"], arrays["second"], strict=True)) == list(combinations(range(7), 2))
    for name in list(arrays)[2:]:
        for value, c in zip(arrays[name].tolist(), comparisons, strict=True):
            expected = getattr(c, name)
            assert value == expected or (expected is None and np.isnan(value)), name


def test_arrays_of_several_numbers_are_matrices_and_only_there_where_asked_for() -> None:
    models = family(90)
    wanted = ["m_svd_embeddings", "input_set", "kl"]
    arrays = compare_all(models, num_samples=10, as_rows=wanted)
    assert list(arrays) == ["first", "second", *wanted]
    for row, c in enumerate(compare_all(models, num_samples=10)):
        subsets, inputs = arrays["m_svd_embeddings"][row], arrays["input_set"][row]
        assert tuple(subsets[~np.isnan(subsets)]) == c.m_svd_embeddings
        assert tuple(inputs[inputs >= 0]) == c.input_set
    with pytest.raises(InputError, match="as_rows: 'm_svd' is no number of a comparison; these are "):
        compare_all(models, as_rows=["m_svd"])


def test_names_of_labels_are_an_array_where_asked_for() -> None:
    p, q = (Representations(m.embeddings, m.unembeddings, label_names=list("abcdefg")) for m in family(90)[:2])
    assert compare_all([p, q], as_rows=["label_names"])["label_names"][0].tolist() == list(compare(p, q).label_names)
    assert compare_all(family(90)[:2], as_rows=["label_names"])["label_names"].tolist() == [None]


class Later:
    """An executor that computes when results are asked for, and has seen what was sent to it."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def submit(self, function, /, *arguments):
        self.sent.append(arguments)
        return SimpleNamespace(result=lambda: function(*arguments))


def test_an_executor_gets_tasks_of_some_models_and_gives_the_same_numbers() -> None:
    models = family(90)
    later = Later()
    comparisons = compare_all(models, num_samples=10, executor=later)
    assert len(later.sent) > 3
    assert max(len(given) for given, *_ in later.sent) < len(models)
    for c, expected in zip(comparisons, compare_all(models, num_samples=10), strict=True):
        assert c.names == expected.names
        assert_equal(c, expected)
        assert str(c) == str(expected)  # to the last printed digit


def test_what_is_wrong_with_a_model_is_said_wherever_it_is_found() -> None:
    models = {f"model {index}": model for index, model in enumerate(family(90))}
    twin = models["model 2"].unembeddings.clone()
    twin[4] = twin[1]
    models["model 2"] = Representations(models["model 2"].embeddings, twin)
    with pytest.raises(InputError, match="labels 1 and 4 of model model 2 have the same row"):
        compare_all(models, executor=Later())


def test_a_pool_of_processes_gives_the_same_numbers() -> None:
    models = family(90)[:4]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        comparisons = compare_all(models, num_samples=10, executor=pool)
    assert list(map(str, comparisons)) == list(map(str, compare_all(models, num_samples=10)))


def test_submitits_local_executor_gives_the_same_numbers(tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit")
    executor = submitit.LocalExecutor(tmp_path)
    executor.update_parameters(timeout_min=5)
    models = family(90)[:2]
    (c,) = compare_all(models, num_samples=10, executor=executor)
    assert str(c) == str(compare_all(models, num_samples=10)[0])
