"""docs/second-paper.md has the numbers of the shipped run of digits × rotation, and its figures can be drawn."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from closedist.cli import COMMANDS, make_app, run
from closedist.paper.results.archive import open_results
from closedist.paper.results.student_metrics import read_metrics

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "distilled_digits.zip"
SPIRALS = ROOT / "distilled_spirals.zip"


@pytest.mark.parametrize("archive", [ARCHIVE, SPIRALS])
def test_the_page_has_every_line_that_its_command_prints(archive, capsys):
    runpy.run_path(str(ROOT / "examples" / "distillation.py"))["main"](str(archive))
    page = (ROOT / "docs" / "second-paper.md").read_text()
    printed = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(printed) > 30
    for line in printed:
        assert line in page


def test_the_shipped_run_is_whole():
    models = read_metrics(open_results(ARCHIVE))
    students = [model for model in models if model.name.teacher is not None]
    assert len(models) - len(students) == 5
    assert len(students) == 5 * 5 * 4
    for student in students:
        assert student.epochs == tuple(range(4, 150, 5))
        for apart, distance in zip(student.test["variance_apart"], student.test["d_logit_centred"], strict=True):
            assert apart <= distance**2


def test_every_teacher_of_the_shipped_spirals_has_all_its_students():
    models = read_metrics(open_results(SPIRALS))
    teachers = {model.name.seed for model in models if model.name.teacher is None}
    students = {(one.name.teacher, one.name.loss, one.name.seed) for one in models if one.name.teacher is not None}
    assert teachers == set(range(400, 405))
    losses, seeds = ("kl", "l1-raw", "l2-raw"), range(40, 45)
    assert students == {(teacher, loss, seed) for teacher in teachers for loss in losses for seed in seeds}
    for student in (model for model in models if model.name.teacher is not None):
        assert student.epochs == tuple(range(4, 250, 5))


@pytest.mark.parametrize(
    ("figure", "archive"),
    [
        ("distillation_curves", ARCHIVE),
        ("distillation_at_one_kl", ARCHIVE),
        ("distillation_bound", ARCHIVE),
        ("spirals", SPIRALS),
    ],
)
def test_the_shipped_run_is_drawn(figure, archive, tmp_path):
    options = [f"--results-folder={archive}", f"--figures-folder={tmp_path}", "--format=png"]
    assert run(make_app("closedist", COMMANDS), ["make-plot", f"--plot-type={figure}", *options]) == 0
    assert list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("figure", "place", "shipped"),
    [("spirals", ARCHIVE, SPIRALS.name), ("distillation_curves", ROOT / "results.zip", ARCHIVE.name)],
)
def test_where_an_archive_has_nothing_to_draw_the_one_that_has_is_named(figure, place, shipped, tmp_path, capsys):
    options = [f"--plot-type={figure}", f"--results-folder={place}", f"--figures-folder={tmp_path}"]
    assert run(make_app("closedist", COMMANDS), ["make-plot", *options]) == 2
    assert f"--results-folder={shipped}" in capsys.readouterr().err


def test_the_practitioner_s_scripts_run(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "distilled"
    options = ["--teachers=1", "--students=1", "--loss=kl,l2", "--epochs=2", "--widths=8", "-o", str(folder)]
    assert run(make_app("closedist", COMMANDS), ["distil", "--data=digits", *options]) == 0
    capsys.readouterr()
    script = runpy.run_path(str(ROOT / "examples" / "will_it_survive.py"))
    script["main"](folder)
    out = capsys.readouterr().out
    assert "q = 5:   0.000" in out
    assert "kl, seed 40" in out
    monkeypatch.setattr(sys, "argv", ["distillation.py", "--pack", str(folder), str(tmp_path / "packed.zip")])
    runpy.run_path(str(ROOT / "examples" / "distillation.py"), run_name="__main__")
    packed = read_metrics(open_results(tmp_path / "packed.zip"))
    whole = {model.name.text: model for model in read_metrics(open_results(folder))}
    assert len(packed) == len(whole) == 3
    for model in packed:
        for key, values in model.test.items():
            assert values == pytest.approx(whole[model.name.text].test[key], rel=1e-5)


@pytest.mark.slow
def test_the_practitioner_s_commands_run(tmp_path):
    page = (ROOT / "docs" / "distillation.md").read_text()
    commands = [line for block in re.findall(r"```bash\n(.+?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        words = command.replace("examples/", f"{ROOT}/examples/").split()
        program = [sys.executable, "-m", "closedist"] if words[0] == "closedist" else [sys.executable]
        done = subprocess.run(
            [*program, *words[1:]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
    assert list((tmp_path / "figures").glob("distillation_curves_*.png"))
