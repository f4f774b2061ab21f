"""What inputs and labels may be called, whatever holds the names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import closedist
from closedist import InputError, Representations
from closedist.representations.names import as_names

WORDS = ["ant", "bee", "", "日本"]


def pandas(make: Callable[[Any], Any]) -> Any:
    return make(pytest.importorskip("pandas"))


@pytest.mark.parametrize(
    "holder",
    [
        lambda: WORDS,
        lambda: tuple(WORDS),
        lambda: np.array(WORDS),
        lambda: np.array(WORDS, dtype=object),
        lambda: np.array(WORDS, dtype=np.dtypes.StringDType()),
        lambda: dict(enumerate(WORDS)),
        lambda: {str(i): WORDS[i] for i in (2, 0, 3, 1)},
        lambda: pandas(lambda pd: pd.Series(WORDS, index=[7, 5, 3, 1])),
        lambda: pandas(lambda pd: pd.Series(WORDS, dtype=object)),
        lambda: pandas(lambda pd: pd.Series(WORDS, dtype="string")),
        lambda: pandas(lambda pd: pd.Index(WORDS)),
        lambda: pandas(lambda pd: pd.Categorical(WORDS)),
        lambda: pandas(lambda pd: pd.Series(pd.Categorical(WORDS))),
    ],
)
def test_strings_are_strings_whatever_holds_them(holder: Callable[[], Any], tmp_path: Path) -> None:
    p = Representations(np.ones((3, 2)), np.eye(4)[:, :2], label_names=holder())
    p.save(tmp_path / "p")
    for names in (p.label_names, Representations.load(tmp_path / "p").label_names):
        assert names is not None
        assert names.dtype.kind == "U"
        assert names.tolist() == WORDS


def test_names_of_several_columns_come_from_a_data_frame() -> None:
    rows = [["first text", "0"], ["second", "17"]]
    names = as_names(pandas(lambda pd: pd.DataFrame(rows)), "input_ids", 2, "input")
    assert names is not None
    assert names.tolist() == rows


@pytest.mark.parametrize(
    "holder",
    [
        lambda: [5, -3, 2**63 - 1, -(2**63)],
        lambda: np.array([5, -3, 2**63 - 1, -(2**63)], dtype=object),
        lambda: {"0": 5, "1": -3, "2": 2**63 - 1, "3": -(2**63)},
        lambda: torch.tensor([5, -3, 2**63 - 1, -(2**63)]),
        lambda: pandas(lambda pd: pd.Series([5, -3, 2**63 - 1, -(2**63)], dtype="Int64")),
    ],
)
def test_whole_numbers_stay_what_they_are(holder: Callable[[], Any]) -> None:
    names = as_names(holder(), "input_ids", 4, "input")
    assert names is not None
    assert names.dtype == np.int64
    assert names.tolist() == [5, -3, 2**63 - 1, -(2**63)]
    small = as_names(np.array([3, 1], np.uint8), "input_ids", 2, "input")
    assert small is not None
    assert small.tolist() == [3, 1]


@pytest.mark.parametrize("number", [2**63, 2**63 + 5, 2**64 - 1, 2**70, -(2**63) - 1])
def test_numbers_that_do_not_fit_are_refused_and_taken_as_strings(number: int) -> None:
    holders: list[Any] = [[1, number], np.array([1, number], dtype=object)]
    if 0 <= number < 2**64:
        holders.append(np.array([1, number], np.uint64))
    for holder in holders:
        with pytest.raises(InputError, match=f"^input_ids: {number} does not fit .*strings$"):
            as_names(holder, "input_ids", 2, "input")
        names = as_names([str(one) for one in holder], "input_ids", 2, "input")
        assert names is not None
        assert names.tolist() == ["1", str(number)]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (np.array(["a", None], dtype=object), "label_names: None at 1 is of type NoneType"),
        (np.array([["a", "b"], ["c", 0.5]], dtype=object), "0.5 at 1, 1 is of type float"),
        (np.array([1, True], dtype=object), "True at 1 is of type bool"),
        (np.array([1, "a"], dtype=object), "integers and strings; make all of them strings"),
        (np.array([0.0, 1.0]), "entries of type float64; integers or strings"),
        (torch.ones(2, dtype=torch.bfloat16), "entries of type float64; integers or strings"),
        ([["a"], ["b", "c"]], "one entry for each label, 2 of them"),
        (["a"], r"shape \(1,\); one entry for each label"),
        ({0: "a", 2: "b"}, "the dictionary has no key 1; its keys must be 0 … 1, its values the names"),
        ({"ant": 0, "bee": 1}, "has no key 0"),
        ({0: "a", 1: "b", 2: "c"}, "has 3 keys"),
    ],
)
def test_what_is_no_name(names: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_names(names, "label_names", 2, "label")


def test_a_models_id2label_names_the_labels_that_are_extracted() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 4))
    p = closedist.extract(model, [torch.randn(5, 3)], label_names=dict(enumerate(WORDS)))
    assert p.label_names is not None
    assert p.label_names.tolist() == WORDS
