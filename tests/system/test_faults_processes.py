"""The command as processes: two at once in one folder, and a folder that becomes read-only while it is written to."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.small import contents, small_family, small_training, started, write_configs

pytestmark = pytest.mark.slow

SECONDS = 240  # before a process that should have ended is given up


@pytest.fixture
def train(tmp_path):
    """A command that trains two widths of three models."""
    options = write_configs(tmp_path, small_family((0, 1, 2), (8, 16)), small_training(6000))
    return ["train-variations", "--date-str=day", "--checkpoint-every=100", *options]


def start(command, folder):
    return started([sys.executable, "-m", "closedist", *command, "--threads=1"], folder)


def end(process):
    """Its exit code and what it said on standard error."""
    _, error = process.communicate(timeout=SECONDS)
    return process.returncode, error


def halt_between_writes(process, folder):
    """Halt the process (SIGSTOP) at a moment when no file in the folder is half written."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if not [name for name in os.listdir(folder) if name.startswith(".") and not name.endswith(".lock")]:
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.003)
    raise AssertionError(f"{folder} always has a half written file")


def test_two_processes_of_a_command_end_in_the_files_of_one_and_the_second_says_that_it_waits(train, tmp_path):
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    assert end(start(train, whole))[0] == 0
    (code, error), (other_code, other_error) = map(end, [start(train, shared), start(train, shared)])
    assert (code, other_code) == (0, 0), error + other_error
    assert "another run is at work" in error + other_error
    assert contents(shared) == contents(whole)
    measure = ["get-distances", "--date-str=day", "--layer-size=8,16", "--num-classes=4", "--dist-type=max", *train[3:]]
    assert end(start(measure, whole))[0] == 0
    assert [end(process)[0] for process in [start(measure, shared), start(measure, shared)]] == [0, 0]
    assert contents(shared) == contents(whole)
    assert any(name.startswith("results/") for name in contents(whole))


def test_a_folder_made_read_only_midway_stops_the_command_which_goes_on_afterwards(train, tmp_path):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("making a folder read-only for root needs a mount, and that needs root")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert end(start(train, whole))[0] == 0
    checkpoints = stopped / "checkpoints"
    checkpoints.mkdir(parents=True)
    mounted = subprocess.run(["mount", "--bind", checkpoints, checkpoints], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no folder can be mounted here: {mounted.stderr.strip()}")
    subprocess.run(["umount", checkpoints], check=True)
    process = start(train, stopped)
    deadline = time.monotonic() + SECONDS
    while not list(checkpoints.glob("*state*_steps[1-9]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    halt_between_writes(process, checkpoints)  # a file open for writing would keep the mount from becoming read-only
    subprocess.run(["mount", "--bind", checkpoints, checkpoints], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", checkpoints], check=True)
        process.send_signal(signal.SIGCONT)
        code, error = end(process)
    finally:
        subprocess.run(["umount", checkpoints], check=True)
    assert (code, error.count("\n")) == (2, 1), error
    assert "Read-only file system" in error
    assert set(contents(stopped)) != set(contents(whole))
    code, error = end(start(train, stopped))
    assert (code, error[:18]) == (0, "going on from step"), error
    assert contents(stopped) == contents(whole)
