"""A real SLURM: tasks are cancelled, commands killed and nodes drained, and the same command ends in the same files.

Needs a SLURM of one node that belongs to this machine, and root; skips with the reason where there is none.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.small import contents, small_family, small_training, started, write_configs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node():
    """The name of this machine as a node of a SLURM cluster."""
    if not shutil.which("sbatch"):
        pytest.skip("there is no sbatch on this machine")
    if "UP" not in subprocess.run(["scontrol", "ping"], capture_output=True, text=True).stdout:
        pytest.skip("SLURM's controller is not running")
    if os.geteuid() != 0:
        pytest.skip("draining a node needs root")
    return socket.gethostname()


@pytest.fixture
def project(tmp_path):
    """A folder with three small configs, and the command that trains in it."""
    options = write_configs(tmp_path, small_family((0, 1), (8, 16, 32)), small_training(8000))
    return [sys.executable, "-m", "closedist", "train-variations", "--date-str=day", "--threads=1", *options]


def start(command, folder):
    return started([*command, "--slurm", "--task-minutes=0"], folder)


def finish(command, folder):
    """Run the command to its end; what it says on standard error."""
    process = start(command, folder)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return error


def trained(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "checkpoints").glob("daytrained*")}


def check_undisturbed(command, folder, tmp_path):
    """The files are those of a training without a cluster."""
    (tmp_path / "here").mkdir()
    subprocess.run(command, cwd=tmp_path / "here", check=True, capture_output=True)
    left = {name: data for name, data in contents(folder).items() if "/slurm/" not in name}
    assert left == contents(tmp_path / "here")


def until(condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def logs(folder):
    return sorted((folder / "checkpoints" / "slurm").glob("*_log.out"))


def training(folder):
    """The jobs that are in the middle of a training, so that its lock is there and its models are not."""
    record = folder / "checkpoints" / "slurm" / "jobs.json"
    tasks = json.loads(record.read_text())["tasks"] if record.exists() else []
    locked = {
        width for path in (folder / "checkpoints").glob(".*lock") for width in path.name.split("_") if "feat" in width
    }
    return [
        task["job"]
        for task in tasks
        if any(f"_{width}_" in file for width in locked for file in task["files"] if not os.path.exists(file))
    ]


def test_an_unknown_partition_is_one_line_with_those_that_there_are(node, project, tmp_path):
    process = start([*project, "--partition=nowhere"], tmp_path / "cluster")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2
    (line,) = error.splitlines()
    assert "no partition 'nowhere'" in line
    assert "main" in line


def test_after_scancel_of_a_running_task_the_same_command_does_what_is_left(node, project, tmp_path):
    folder = tmp_path / "cluster"
    process = start(project, folder)
    until(lambda: trained(folder) and training(folder))
    job = training(folder)[-1]
    subprocess.run(["scancel", job], check=True)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 2
    assert f"task {job} was cancelled" in error
    assert "the same command again does what is left" in error
    before = trained(folder)
    assert before
    finish(project, folder)
    assert before.items() <= trained(folder).items()
    assert any("going on from step" in log.read_text() for log in logs(folder))
    check_undisturbed(project, folder, tmp_path)


def test_after_sigkill_of_the_waiting_command_the_same_command_finds_its_jobs(node, project, tmp_path):
    folder = tmp_path / "cluster"
    process = start(project, folder)
    until(lambda: list((folder / "checkpoints").glob(".*lock")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "found 3 tasks of an earlier command" in finish(project, folder)
    assert len(logs(folder)) == 3
    check_undisturbed(project, folder, tmp_path)


def test_a_drained_and_resumed_node_changes_nothing(node, project, tmp_path):
    folder = tmp_path / "cluster"
    try:
        process = start(project, folder)
        until(lambda: list((folder / "checkpoints").glob(".*lock")))
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=drain", "reason=test"], check=True)
        until(lambda: len(trained(folder)) == 4)  # two of three tasks, the third waits for the node
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = trained(folder)
        assert len(before) == 4
    finally:
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=False)
    finish(project, folder)
    assert before.items() <= trained(folder).items()
    check_undisturbed(project, folder, tmp_path)


def test_out_of_time_a_task_is_requeued_and_goes_on_from_its_state(node, project, tmp_path):
    folder = tmp_path / "cluster"
    process = start(project, folder)
    until(lambda: training(folder))
    time.sleep(0.5)
    job = training(folder)[0]
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    log = (folder / "checkpoints" / "slurm" / f"{job}_0_log.out").read_text()
    assert "Requeued job" in log
    assert "going on from step" in log
    check_undisturbed(project, folder, tmp_path)
