"""reproduce --paper logit-distance: each set-up that this machine can train, in its folder; the rest is named."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from closedist.cli import COMMANDS, make_app, run
from closedist.cli.distil import distil
from closedist.paper import reproduce_distillation
from closedist.paper.distillation.estimate import seconds_left
from closedist.paper.distillation.plan import with_epochs, with_widths
from closedist.paper.distillation.setups import SET_UPS
from closedist.paper.folders import Folders
from closedist.paper.reproduce_distillation import run_second_paper, second_paper


@pytest.fixture
def small_parts(monkeypatch):
    """The set-ups with networks and trainings that take no time."""
    small = {name: with_epochs(with_widths(row, (8,)), 2, 2) for name, row in SET_UPS.items() if "cifar" not in name}
    monkeypatch.setattr(reproduce_distillation, "SET_UPS", small)


def test_the_second_paper_s_plan_has_five_teachers_and_five_students_of_each_loss(tmp_path):
    parts = {part.name: part for part in second_paper(5, 5, Folders.under(tmp_path, tmp_path / "data"))}
    assert parts["spirals"].models == 5 + 5 * 5 * 3
    assert parts["spirals"].plan.kinds == ("kl", "l1-raw", "l2-raw")
    assert parts["digits-smaller-students"].plan.set_up.student.dimension == 3
    assert all(part.missing == part.models for part in parts.values())


@pytest.mark.slow
def test_everything_is_trained_drawn_and_found_again(tmp_path, small_parts):
    folders = Folders.under(tmp_path, tmp_path / "data")
    parts = second_paper(1, 2, folders)
    report = run_second_paper(parts, folders, ["png"], lambda epochs: None)
    assert report.trained == sum(part.models for part in parts)
    drawn = {path.relative_to(folders.figures).as_posix() for path in report.figure_files}
    assert {
        "constructed_pairs.md",
        "digits/distillation_curves_l1_l2.png",
        "digits/distillation_at_one_kl.png",
        "digits/distillation_last_epoch.md",
        "digits-smaller-students/distillation_bound.png",
        "spirals/spirals.png",
        "spirals-interpolation/distillation_curves_kl_l1-raw.png",
    } <= drawn
    left_out = "\n".join(report.left_out)
    assert "cifar-100-python/train" in left_out
    assert "sub_dinov2_base.npz" in left_out
    assert run_second_paper(parts, folders, ["png"], lambda epochs: None).trained == 0
    assert [part.seconds(folders.data) for part in parts] == [0.0] * len(parts)


def test_the_estimate_counts_what_is_left(tmp_path, small_parts):
    folders = Folders.under(tmp_path, tmp_path / "data")
    digits = second_paper(2, 1, folders)[0]
    asked = []

    def noted(plan, teachers, programs, data_folder):
        asked.append((teachers, programs))
        return seconds_left(plan, teachers, programs, data_folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce_distillation, "seconds_left", noted)
        assert digits.seconds(folders.data) > 0
        run_second_paper([second_paper(1, 1, folders)[0]], folders, ["png"], lambda epochs: None)
        assert digits.seconds(folders.data) > 0
    assert asked == [(True, 2), (True, 1)]


def test_what_has_its_files_is_part_of_the_plan(tmp_path):
    folders = Folders.under(tmp_path, tmp_path / "data")
    assert not {"sub", "cifar10"} & {part.name for part in second_paper(1, 1, folders)}
    (tmp_path / "data/cifar-10-batches-bin").mkdir(parents=True)
    (tmp_path / "data/sub_dinov2_base.npz").touch()
    assert {"sub", "cifar10"} <= {part.name for part in second_paper(1, 1, folders)}


def test_the_plan_is_printed_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["reproduce", "--paper=logit-distance", "--dry-run", "--teachers=2", "--students=3"]
    assert run(make_app("closedist", COMMANDS), command) == 0
    out = capsys.readouterr().out
    assert "spirals-extrapolation" in out
    assert str(2 + 2 * 3 * 3) in out
    assert not list(tmp_path.rglob("*.pt"))


def test_every_set_up_has_its_name_on_the_command_line():
    named = get_args(get_type_hints(distil, include_extras=True)["data"])
    assert set(named) == set(SET_UPS)
    for name, row in SET_UPS.items():
        assert row.name == name
        assert replace(row, student_dimension=2).student.dimension == 2


ROOT = Path(reproduce_distillation.__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "distilled_spirals.zip").exists(), reason="not in a checkout: no shipped students")
def test_what_is_shipped_is_drawn_and_not_trained(tmp_path, capsys):
    for name in ("distilled_spirals.zip", "distilled_digits.zip", "distilled_digits_smaller.zip"):
        shutil.copy(ROOT / name, tmp_path / name)
    folders = Folders.under(tmp_path, tmp_path / "data")
    parts = {part.name: part for part in second_paper(5, 5, folders)}
    assert {name for name, part in parts.items() if part.shipped} == {"digits", "spirals"}  # of fewer students: trained
    shipped = [parts["digits"], parts["spirals"]]
    report = run_second_paper(shipped, folders, ["png"], lambda epochs: None)
    assert (report.trained, report.result_files) == (0, [])
    drawn = {path.relative_to(folders.figures).as_posix() for path in report.figure_files}
    assert {"digits/distillation_at_one_kl.png", "spirals/spirals.png", "spirals/distillation_bound.png"} <= drawn
    assert not any(part.shipped for part in second_paper(4, 5, folders))  # figures would show a fifth teacher
    spirals = parts["spirals"]
    own = folders.results / "distilled/spirals" / f"metrics-{spirals.plan.teacher_name(400)}.json"
    own.parent.mkdir(parents=True)
    own.write_text("{}")  # begun here, and gone on with here
    assert {part.name: part for part in second_paper(5, 5, folders)}["spirals"].missing == spirals.models - 1
