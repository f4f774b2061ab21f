"""Every trained model of one kind is on the page that a reproduction writes, with the points that it was tested on."""

import re

import pytest

from closedist.cli.reproduce import _print_summary
from closedist.errors import InputError
from closedist.paper import reproduce
from closedist.paper.pages import write_pages
from closedist.paper.plan import make_plan
from closedist.paper.registry import load_split
from closedist.paper.reproduce import run_plan, train_plan
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU, train_runs
from tests.page.pages import content_of
from tests.small import small_dataset, small_family, small_training, workplace


def runs_of(lengths=(0,)):
    family = small_family((0, 1), (8, 16)).model_copy(update={"fix_length_gs": lengths})
    return list(training_runs(small_dataset(), family, small_training(50), "day"))


def test_the_page_has_all_models_of_free_lengths_and_the_points(tmp_path):
    place = workplace(tmp_path)
    runs = runs_of((0, 20))
    train_runs(runs, place)
    (path,) = write_pages(runs, place.folders, CPU, seed=3)
    assert path.parent == place.folders.figures
    page = content_of(path)
    expected = [f"SmallMLP, width {width}, seed {seed}" for width in (8, 16) for seed in (0, 1)]
    assert [model["name"] for model in page["models"]] == expected
    assert "seed 3" in page["settings"]["input set"]
    points, labels = load_split(runs[0].dataset, "test", place.folders.data)
    row, shown = next(iter(page["inputs"].items()))
    x, y, label = re.fullmatch(r"\((.+), (.+)\), label (\d+)", shown["text"]).groups()
    assert (float(x), float(y)) == pytest.approx(points[int(row)].tolist(), abs=0.006)
    assert int(label) == labels[int(row)]


def test_models_that_are_not_there_are_left_out_and_of_one_there_is_no_page(tmp_path):
    place = workplace(tmp_path)
    narrow, wide = runs_of()
    assert write_pages([narrow, wide], place.folders, CPU, seed=0) == []
    train_runs([narrow], place)
    (path,) = write_pages([narrow, wide], place.folders, CPU, seed=0)
    assert len(content_of(path)["models"]) == 2


def test_a_reproduction_writes_pages_and_its_last_lines_say_where(tmp_path, capsys, monkeypatch):
    place = workplace(tmp_path)
    pieces = make_plan(runs_of(), place.folders, CPU)

    def again():
        return run_plan(
            pieces,
            labels=[4],
            seed=0,
            folders=place.folders,
            device=CPU,
            formats=("png",),
            train=lambda part: train_plan(part, place, lambda seconds: None),
        )

    report = again()
    assert [path.exists() for path in report.page_files] == [True]
    _print_summary(report, place.folders.results, place.folders.figures)
    assert f"open {report.page_files[0]}" in capsys.readouterr().out

    def broken(*_):
        raise InputError("checkpoint x is broken")

    monkeypatch.setattr(reproduce, "write_pages", broken)
    assert "a page to look at: checkpoint x is broken" in again().left_out
