"""What a newcomer runs first: quickstart, and compare on files of their own."""

import json
from pathlib import Path

import pytest

from closedist import Representations, compare
from closedist.cli import COMMANDS, make_app, run
from closedist.comparison import pair_table
from closedist.measures import bounds
from closedist.paper import quickstart
from closedist.paper.config import paper_training
from tests.page.pages import content_of
from tests.random_models import noisy, random_model, represent


def closedist(*tokens):
    return run(make_app("closedist", COMMANDS), list(tokens))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few_steps(monkeypatch):
    """Quickstart with three seeds of its two widths and 600 steps instead of 15,000."""
    monkeypatch.setattr(quickstart, "SEEDS", 3)
    monkeypatch.setattr(quickstart, "paper_training", lambda: paper_training().model_copy(update={"train_steps": 600}))


def test_quickstart_trains_measures_draws_and_says_where_everything_is(folder, few_steps, capsys, monkeypatch):
    assert closedist("quickstart", "--threads=1") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Training 6 models for 600 steps each")
    for name in ("data", "embeddings", "bounds"):
        path = Path("quickstart/figures") / f"{name}.png"
        assert str(path) in shown
        assert path.read_bytes().startswith(b"\x89PNG")
    rows = [line.split() for line in shown.splitlines() if line.split()[:1] in (["16"], ["64"])]
    assert [len(row) for row in rows] == [9, 9]
    assert max(map(len, shown.splitlines())) < 80
    assert "most alike" not in shown  # after 600 steps no two are
    assert "broken" not in shown
    assert shown.endswith("open quickstart/report.html\n")
    page = content_of(Path("quickstart/report.html"))
    assert {model["name"] for model in page["models"]} == {f"width {w}, seed {s}" for w in (16, 64) for s in range(3)}
    assert page["inputs"]["0"]["text"].endswith(("label 0", "label 1", "label 2", "label 3", "label 4", "label 5"))
    assert len(list(Path("quickstart/results").iterdir())) == 4
    assert closedist("quickstart", "--threads=1") == 0  # nothing is left to train
    assert capsys.readouterr().out == shown
    for column, bound in ((6, "certificate"), (7, "quadratic_bound"), (8, "linear_bound")):
        with monkeypatch.context() as patch:  # a bound that fails is seen, and d_fg stays what it is
            right = getattr(bounds, bound)
            patch.setattr(bounds, bound, lambda *arguments, right=right: 0.01 * right(*arguments))
            assert closedist("quickstart", "--threads=1") == 0
        broken = capsys.readouterr().out
        assert "6 of these are broken" in broken
        after = [line.split() for line in broken.splitlines() if line.split()[:1] in (["16"], ["64"])]
        for row, before in zip(after, rows, strict=True):
            assert [cell for i, cell in enumerate(row) if i != column] == [
                cell for i, cell in enumerate(before) if i != column
            ]
    assert closedist("quickstart", "--threads=1", "--seed=1") == 0
    for path in Path("quickstart/results").glob("*_distances_*"):
        assert set(json.loads(path.read_text())["sample_seed"]) == {1}


@pytest.fixture
def files(folder):
    """Three saved models: one, nearly the same, and another."""
    models = [random_model(0, 60, 6, 2), noisy(random_model(0, 60, 6, 2), 1e-3, 1), random_model(1, 60, 6, 3)]
    for name, model in zip("pqr", models, strict=True):
        represent(model).save(Path(f"{name}.safetensors"))
    return [f"{name}.safetensors" for name in "pqr"]


def test_compare_prints_a_table_for_two_files_and_a_matrix_for_more(files, capsys):
    assert closedist("compare", *files[:2]) == 0
    assert (
        capsys.readouterr().out
        == f"{pair_table(compare(*map(Representations.load, files[:2]), intervals=True), ['p', 'q'])}\n"
    )
    assert closedist("compare", *files) == 0
    assert "logit correlation; = the same within 5 %" in capsys.readouterr().out


def test_compare_takes_the_options_of_the_function(files, capsys):
    options = ("--input-set=5,1,9,30", "--pivots=2,4", "--subset-size=3", "--reduction=mean", "--weight=0.5", "--json")
    assert closedist("compare", files[0], files[2], *options) == 0
    (row,) = json.loads(capsys.readouterr().out)
    p, r = Representations.load(files[0]), Representations.load(files[2])
    same = compare(p, r, input_set=[5, 1, 9, 30], pivots=[2, 4], subset_size=3, reduction="mean", weight=0.5)
    assert (row["first"], row["second"]) == ("p.safetensors", "r.safetensors")
    assert row["llv"] == pytest.approx(same.llv)
    assert row["pivot_label"] in (2, 4)
    assert row["input_set"] == [5, 1, 9, 30]


def test_compare_of_one_file_says_what_is_missing(files, capsys):
    assert closedist("compare", files[0]) == 2
    assert "two files or more" in capsys.readouterr().err


def test_compare_opens_files_of_any_name_and_names_them_in_errors(files, capsys):
    named = Path("[1] é.safetensors")
    Path(files[0]).rename(named)
    assert closedist("compare", str(named), files[1]) == 0
    Representations([[1.0, 2.0]] * 60, [[label, label**2] for label in range(6)]).save(named)
    assert closedist("compare", files[1], str(named)) == 2
    assert f"model {named} gives all inputs the same embedding" in capsys.readouterr().err
