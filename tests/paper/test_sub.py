"""SUB's embeddings: a file read as data, split as the published code splits it, asked for by name."""

import numpy as np
import pytest

from closedist import InputError
from closedist.cli import COMMANDS, make_app, run
from closedist.paper.data.sub import FILE, sub_splits


def birds(count=200, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "embeddings": rng.normal(size=(count, 768)).astype(np.float32),
        "classes": np.arange(count) % 33,
        "attributes": rng.integers(0, 33, count),
    }
    return {**arrays, **changes}


def test_the_parts_are_stratified_and_of_the_published_sizes(tmp_path):
    arrays = birds(660)
    np.savez(tmp_path / FILE, **arrays)
    train, test = sub_splits(tmp_path)
    assert (len(train.labels), len(test.labels)) == (369, 198)  # 80 % of 70 %, and 30 %
    assert np.bincount(test.labels).tolist() == [6] * 33
    rows = {tuple(row[:3]) for row in arrays["embeddings"]}
    seen = [tuple(row[:3].tolist()) for row in (*train.inputs, *test.inputs)]
    assert len(set(seen)) == len(seen)
    assert {tuple(np.float32(value) for value in row) for row in seen} <= rows


def test_without_its_file_it_is_said_which_belongs_where(tmp_path, capsys):
    command = ["distil", "--data=sub", f"--data-folder={tmp_path}", "-o", str(tmp_path / "out")]
    assert run(make_app("closedist", COMMANDS), command) == 2
    error = capsys.readouterr().err
    assert FILE in error
    assert "facebook/dinov2-base" in error
    assert "Jessica-bader/SUB" in error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"embeddings": np.zeros((200, 5), np.float32)}, "embeddings of shape"),
        ({"classes": np.full(200, 33)}, "classes are"),
        ({"attributes": np.zeros(200)}, "attributes are"),
        ({"classes": np.array(["a"] * 200, dtype=object)}, "cannot be read"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(tmp_path, changes, said):
    np.savez(tmp_path / FILE, **birds(**changes))
    with pytest.raises(InputError, match=said):
        sub_splits(tmp_path)


def test_students_of_birds_are_scored_on_their_attribute(tmp_path, capsys):
    np.savez(tmp_path / FILE, **birds(660))
    options = ["--teachers=1", "--students=1", "--loss=l2", "--epochs=1", "--widths=8"]
    command = ["distil", "--data=sub", f"--data-folder={tmp_path}", *options, "-o", str(tmp_path / "out")]
    assert run(make_app("closedist", COMMANDS), command) == 0
    assert "concept, fitted probe" in capsys.readouterr().out
    assert (tmp_path / "out/sub-standard-logitdistill-l2-mlp-10-tseed400-epoch0-seed40.pt").exists()
