"""Stopped, killed or continued, training ends in the files of an undisturbed run, to the last bit."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from closedist.errors import InputError
from closedist.paper.checkpoint import write_weights
from closedist.paper.sweep import train_runs
from closedist.paper.training.loop import Interrupted
from tests.small import contents, small_family, small_run, small_training, workplace, write_configs


def command(root: Path, options: list[str], *more: str) -> list[str]:
    folders = [f"--{kind}-folder={root / kind}" for kind in ("checkpoint", "metrics", "results", "figures")]
    start = [sys.executable, "-m", "closedist", "train-variations", "--date-str=day", "--threads=1"]
    return [*start, *folders, *options, *more]


@pytest.mark.slow
def test_killed_at_random_moments_training_ends_in_the_same_files(tmp_path):
    options = write_configs(tmp_path, small_family((0, 1), (8, 16)), small_training(4000))
    undisturbed = tmp_path / "undisturbed"
    start = time.monotonic()
    subprocess.run(command(undisturbed, options, "--checkpoint-every=300"), check=True, capture_output=True)
    duration = time.monotonic() - start
    killed = tmp_path / "killed"
    generator = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            command(killed, options, "--checkpoint-every=300"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(generator.uniform(0.4, 1.0) * duration * 0.8)
        process.kill()
        process.wait()
    subprocess.run(command(killed, options, "--checkpoint-every=300"), check=True, capture_output=True)
    for folder in ("checkpoint", "metrics"):
        left = {name: data for name, data in contents(killed / folder).items() if not name.startswith(".")}
        assert left == contents(undisturbed / folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_training_with_its_state_saved_and_the_command_goes_on(tmp_path, number):
    options = write_configs(tmp_path, small_family((0, 1), (8, 16)), small_training(200_000))
    process = subprocess.Popen(command(tmp_path, options), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "checkpoint").glob(".*lock")):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in error
    assert "Traceback" not in error
    (state,) = (tmp_path / "checkpoint").glob("daystate*")
    assert 0 < int(state.stem.rpartition("steps")[2]) < 200_000


def test_continued_from_a_shorter_training_it_equals_the_long_one(tmp_path):
    short, long = small_run(training=small_training(600)), small_run(training=small_training(2700))
    train_runs([long], workplace(tmp_path / "whole"))
    place = workplace(tmp_path / "parts")
    train_runs([short], place)
    train_runs([long], place, continue_from=600)
    whole, parts = contents(tmp_path / "whole"), contents(tmp_path / "parts")
    for seed in long.models.random_seeds:
        for name in (f"checkpoints/{long.name.trained(seed)}", f"metrics/{long.name.metrics(seed)}"):
            assert parts[name] == whole[name]


def test_any_date_finds_its_states_again():
    for date in ("day", "GROUP_A_", "STEP", "a.b+"):
        name = replace(small_run().name, date=date)
        match = name.state_pattern().fullmatch(name.state((0, 1), 600))
        assert match
        assert match["step"] == "600"


def test_fewer_seeds_continue_from_the_state_of_more(tmp_path):
    place = workplace(tmp_path)
    train_runs([small_run(small_family((0, 1, 2)), small_training(300))], place)
    one = small_run(small_family((1,)), small_training(900))
    train_runs([one], place, continue_from=300)
    train_runs([small_run(small_family((0, 1, 2)), small_training(900))], workplace(tmp_path / "whole"))
    name = one.name.trained(1)
    assert (place.folders.checkpoints / name).read_bytes() == (tmp_path / "whole" / "checkpoints" / name).read_bytes()
    assert not (place.folders.checkpoints / one.name.trained(0)).exists()


def test_a_bare_checkpoint_is_continued_with_a_fresh_optimiser_and_that_is_said(tmp_path, caplog):
    place = workplace(tmp_path)
    run = small_run(small_family((0,)), small_training(400))
    bare = run.untrained(5)  # weights from elsewhere, as if published
    write_weights(place.folders.checkpoints / run.name.at(150).trained(0), bare.state_dict())
    train_runs([run], place, continue_from=150)
    assert "fresh optimiser" in caplog.text
    trained = torch.load(place.folders.checkpoints / run.name.trained(0), weights_only=True)
    assert any(not torch.equal(trained[key], value) for key, value in bare.state_dict().items())


def test_continuing_from_a_step_that_was_never_saved_names_the_file_that_is_missing(tmp_path):
    run = small_run(small_family((0,)), small_training(400))
    with pytest.raises(InputError, match="steps150"):
        train_runs([run], workplace(tmp_path), continue_from=150)


def test_what_is_trained_is_not_trained_again(tmp_path):
    place, run = workplace(tmp_path), small_run()
    assert train_runs([run], place) == 3
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert train_runs([run], place) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}


def test_killed_while_checkpoints_are_written_it_goes_on_from_the_final_state(tmp_path):
    place, run = workplace(tmp_path), small_run()
    train_runs([run], place)
    whole = contents(tmp_path)
    os.unlink(place.folders.checkpoints / run.name.trained(1))
    os.unlink(place.folders.metrics / run.name.metrics(1))
    assert train_runs([run], place) == 1
    assert contents(tmp_path) == whole


def test_a_state_of_another_configuration_is_refused(tmp_path):
    place = workplace(tmp_path)
    train_runs([small_run(training=small_training(300))], place)
    other = small_run(training=small_training(600, batch_size=64))
    with pytest.raises(InputError, match="state of another configuration"):
        train_runs([other], place)


def test_models_trained_with_another_configuration_are_not_taken_for_these(tmp_path):
    place = workplace(tmp_path)
    train_runs([small_run(training=small_training(300))], place)
    with pytest.raises(InputError, match="trained with another configuration"):
        train_runs([small_run(training=small_training(300, batch_size=64))], place)


def test_stopping_is_possible_after_every_step(tmp_path, monkeypatch):
    place, run = workplace(tmp_path / "stopped"), small_run(training=small_training(530))
    for stop_after in (1, 3, 500):
        counter = iter(range(1, 10_000))
        monkeypatch.setattr(
            "closedist.paper.sweep.stop_requests", lambda counter=counter, last=stop_after: _Stopping(counter, last)
        )
        with pytest.raises(Interrupted):
            train_runs([run], place)
    monkeypatch.undo()
    train_runs([run], place)
    train_runs([run], workplace(tmp_path / "whole"))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


class _Stopping:
    """Asks to stop after a number of steps, as a user's Ctrl-C would."""

    def __init__(self, counter, last):
        self.counter, self.last = counter, last

    def __enter__(self):
        return lambda: next(self.counter) >= self.last

    def __exit__(self, *error):
        return None
