"""The whole paper in one command: a plan that knows what is there, and files that a kill does not change."""

import json
import random
import subprocess
import sys
import time

import pytest

from closedist.cli import COMMANDS, make_app, run
from closedist.cli.reproduce import _print_summary
from closedist.errors import InputError
from closedist.measures import bounds
from closedist.measures.settings import Settings
from closedist.paper.config import paper_training
from closedist.paper.measurements import Measurement, measure_distances
from closedist.paper.plan import (
    date_of_folder,
    image_runs,
    make_plan,
    remember_date,
    synthetic_runs,
)
from closedist.paper.reproduce import Report, bounds_held, draw_synthetic, measure_runs, train_plan
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU, train_runs
from tests.small import contents, small_dataset, small_family, small_run, small_training, workplace


def small_runs(steps=300, seeds=(0, 1, 2)):
    return list(training_runs(small_dataset(), small_family(seeds, (8, 16)), small_training(steps), "day"))


def test_the_plan_of_the_paper_has_1600_models():
    runs = synthetic_runs((4, 6, 10, 18), (16, 32, 64, 128, 256), (0, 20), 20, "day")
    assert sum(len(run.models.random_seeds) for run in runs) == 1600
    assert len({run.name for run in runs}) == 80
    assert [run.name.rep_dim for run in image_runs(10, "day")] == [2, 3, 5]


def test_the_plan_counts_what_is_there_and_what_a_saved_state_spares(tmp_path):
    place = workplace(tmp_path)
    narrow, wide = small_runs()
    train_runs([narrow], place)
    first, second = make_plan([narrow, wide], place.folders, CPU)
    assert (first.missing, first.steps_left, first.seconds) == (0, 0, 0)
    assert (second.missing, second.steps_left) == (3, 900)
    assert second.seconds > 0
    train_runs([small_runs(200)[1]], place)
    assert make_plan([wide], place.folders, CPU)[0].steps_left == 300
    shorter = small_runs(100)[1]  # the state of a longer training is of no use to it
    assert make_plan([shorter], place.folders, CPU)[0].steps_left == 300


def test_the_plan_counts_the_saved_state_of_each_of_the_models_that_train_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("closedist.paper.sweep.seeds_together", lambda model_type: 1)
    place = workplace(tmp_path)
    train_runs(small_runs(200, (0,)), place)
    train_runs(small_runs(100, (1,)), place)
    assert [piece.steps_left for piece in make_plan(small_runs(), place.folders, CPU)] == [100 + 200 + 300] * 2


def test_a_plan_trains_what_is_missing_and_reports_all_of_its_estimate(tmp_path):
    place = workplace(tmp_path)
    runs = small_runs()
    train_runs(runs[:1], place)
    pieces = make_plan(runs, place.folders, CPU)
    told = []
    assert train_plan(pieces, place, told.append) == 3
    assert sum(told) == pytest.approx(sum(piece.seconds for piece in pieces))
    assert train_plan(make_plan(runs, place.folders, CPU), place, told.append) == 0


def test_result_files_are_kept_where_they_have_these_seeds_measured_so_and_made_anew_where_not(tmp_path):
    place = workplace(tmp_path)
    runs = small_runs()
    train_runs(runs, place)
    fewer = small_runs(seeds=(0, 1))
    files = measure_runs(fewer, Measurement(), place.folders, CPU)

    def written():
        return {path: path.stat().st_mtime_ns for path in files if "_distances_" in path.name}

    of_fewer = written()
    assert measure_runs(runs, Measurement(), place.folders, CPU) == files
    of_all = written()
    assert all(of_all[path] > of_fewer[path] for path in of_all)
    for seeds in (runs, fewer):
        assert measure_runs(seeds, Measurement(), place.folders, CPU) == files
        assert written() == of_all
    for other in (Measurement(settings=Settings(seed=1)), Measurement(settings=Settings(num_samples=10))):
        list(measure_distances(runs, other, place.folders, CPU))  # as a command with other options would
        of_other = written()
        measure_runs(runs, Measurement(), place.folders, CPU)
        assert all(written()[path] > of_other[path] for path in of_other)


def test_a_call_with_fewer_seeds_says_which_results_of_more_it_keeps_and_which_it_replaces(tmp_path, caplog):
    place = workplace(tmp_path)
    train_runs(small_runs(), place)
    with caplog.at_level("INFO", "closedist.paper.reproduce"):
        measure_runs(small_runs(), Measurement(), place.folders, CPU)
        assert not caplog.messages
        measure_runs(small_runs(seeds=(0, 1)), Measurement(), place.folders, CPU)
        measure_runs(small_runs(seeds=(0, 1)), Measurement(settings=Settings(seed=1)), place.folders, CPU)
    assert caplog.messages == [
        "files of distances that are kept, and drawn, with more seeds than now asked for: 2",
        "files of distances that had more seeds, and are replaced by these seeds': 2",
    ]


def test_accuracies_of_other_lengths_stay_where_a_later_call_measures_its_own(tmp_path):
    place = workplace(tmp_path)
    free, fixed = (
        list(training_runs(small_dataset(), small_family(fix_length_g=length), small_training(300), "day"))
        for length in (0, 20)
    )
    train_runs([*free, *fixed], place)
    together = measure_runs([*free, *fixed], Measurement(), place.folders, CPU)[0].read_bytes()
    for first, second in ((free, fixed), (fixed, free)):
        apart = workplace(tmp_path / str(first[0].name.fix_length_g))
        train_runs([*free, *fixed], apart)
        measure_runs(first, Measurement(), apart.folders, CPU)
        assert measure_runs(second, Measurement(), apart.folders, CPU)[0].read_bytes() == together


BOUNDS = {
    "unsigned certificate": "unsigned_certificate",
    "certificate": "certificate",
    "quadratic bound": "quadratic_bound",
    "paper's bound": "linear_bound",
}


def test_every_bound_holds_for_every_pair_and_one_that_did_not_would_be_counted(tmp_path, monkeypatch, capsys):
    place = workplace(tmp_path)
    runs = small_runs()
    train_runs(runs, place)
    report = Report(result_files=measure_runs(runs, Measurement(), place.folders, CPU))
    measured = {path: json.loads(path.read_text()) for path in report.result_files}
    assert bounds_held(report.result_files) == dict.fromkeys(BOUNDS, (6, 6))
    for broken, function in BOUNDS.items():
        for path in measured:
            path.unlink()
        with monkeypatch.context() as patch:
            right = getattr(bounds, function)
            patch.setattr(bounds, function, lambda *arguments, right=right: 0.01 * right(*arguments))
            assert measure_runs(runs, Measurement(), place.folders, CPU) == report.result_files
        held = bounds_held(report.result_files)
        assert held.pop(broken)[0] < 3
        assert set(held.values()) == {(6, 6)}
        _print_summary(report, place.folders.results, place.folders.figures)
        shown = capsys.readouterr().out
        said = [f"the {name} is a theorem, and yet" in shown for name in BOUNDS]
        assert said == [name == broken for name in BOUNDS]  # of one that holds nothing is said
        for path, before in measured.items():  # nothing else in the files has changed
            keys = {"certificate": "certificate", "quadratic bound": "quadratic_bound", "paper's bound": "bound"}
            keys |= {"unsigned certificate": "unsigned_certificate"}
            now = json.loads(path.read_text())
            assert {key: now[key] for key in now if key != keys[broken]} == {
                key: before[key] for key in before if key != keys[broken]
            }


def test_what_cannot_be_drawn_is_reported_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("closedist.paper.reproduce.CONSTRUCTED_LABELS", (4,))
    place = workplace(tmp_path)
    place.folders.results.mkdir()
    report = Report()
    draw_synthetic((4,), "day", 0, place.folders, ("png",), report)
    assert any("d_LLV_vs_width" in reason and "get-distances" in reason for reason in report.left_out)
    names = {path.name for path in report.figure_files}
    assert {"KL_table.tex", "KL_table.md", "synthetic_data_cls4.png"} <= names
    assert all(path.exists() for path in report.figure_files)


def test_a_reproduction_keeps_the_date_on_which_it_was_begun(tmp_path):
    assert date_of_folder(tmp_path, "2026-01-01") == "2026-01-01"
    remember_date(tmp_path, "2026-01-01")
    assert date_of_folder(tmp_path, "2026-01-02") == "2026-01-01"
    (tmp_path / "reproduce.json").write_text('{"date": "../../etc"}')
    with pytest.raises(InputError, match="does not hold a date"):
        date_of_folder(tmp_path, "2026-01-02")


def test_models_of_another_configuration_are_not_taken_into_a_plan(tmp_path):
    place = workplace(tmp_path)
    train_runs([small_run(training=small_training(300))], place)
    with pytest.raises(InputError, match="another configuration"):
        make_plan([small_run(training=small_training(300, weight_decay=0.1))], place.folders, CPU)


REPRODUCE = ("--labels=4", "--widths=16", "--seeds=5", "--threads=1", "--format=png", "--checkpoint-every=1000")


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(make_app("closedist", COMMANDS), ["reproduce", "--dry-run", *REPRODUCE]) == 0
    assert "width 16" in capsys.readouterr().out
    assert contents(tmp_path) == {}


def test_the_seed_reaches_the_input_sets_that_are_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "closedist.paper.plan.paper_training", lambda: paper_training().model_copy(update={"train_steps": 60})
    )
    monkeypatch.setattr("closedist.paper.reproduce.CONSTRUCTED_LABELS", (4,))
    options = ("--labels=4", "--widths=8", "--lengths=0", "--seeds=2", "--format=png", "--threads=1")
    for seed in (1, 2):
        assert run(make_app("closedist", COMMANDS), ["reproduce", *options, f"--seed={seed}"]) == 0
        (path,) = (tmp_path / "results").glob("*_distances_*")
        assert json.loads(path.read_text())["sample_seed"] == [seed]


@pytest.mark.slow
def test_killed_at_ten_random_moments_a_reproduction_ends_in_the_same_files(tmp_path):
    command = [sys.executable, "-m", "closedist", "reproduce", *REPRODUCE]
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    start = time.monotonic()
    subprocess.run(command, cwd=tmp_path / "undisturbed", check=True, capture_output=True)
    duration = time.monotonic() - start
    generator = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(
            command, cwd=tmp_path / "killed", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(generator.uniform(0.05, 0.3) * duration)
        process.kill()
        process.wait()
    subprocess.run(command, cwd=tmp_path / "killed", check=True, capture_output=True)
    whole = contents(tmp_path / "undisturbed")
    left = {name: data for name, data in contents(tmp_path / "killed").items() if "/." not in name}
    assert left == whole
