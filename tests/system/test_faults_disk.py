"""A full disk and one that becomes read-only: one line, nothing damaged, and the same command goes on afterwards."""

import errno
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
import torch

from closedist import InputError, Representations
from closedist.paper.sweep import train_runs
from closedist.system.files import write_atomically
from closedist.system.locks import exclusive
from tests.small import contents, small_family, small_run, small_training, workplace


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


def fill(disk: Path, left: int) -> Path:
    """Leave only so many bytes."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - left))
    return ballast


def one_line(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_that_does_not_fit_leaves_the_one_before_it(disk):
    write_atomically(disk / "a", b"before")
    before = contents(disk)
    assert "No space left" in one_line(write_atomically, disk / "a", bytes(2 << 20))
    assert contents(disk) == before


def test_representations_that_do_not_fit_leave_those_before_them(disk):
    Representations(torch.ones(4, 2), torch.ones(3, 2)).save(disk / "p.safetensors")
    before = contents(disk)
    large = Representations(torch.ones(1 << 18, 2), torch.ones(3, 2))
    assert "No space left" in one_line(large.save, disk / "p.safetensors")
    assert contents(disk) == before


@pytest.mark.parametrize("left", [4096, 20_000])
def test_a_training_on_a_full_disk_goes_on_once_there_is_room(disk, tmp_path, left):
    run = small_run(small_family((0, 1)), small_training(60))
    train_runs([run], workplace(tmp_path / "whole"))
    ballast = fill(disk, left)
    place = workplace(disk)
    assert "make room" in one_line(train_runs, [run], place)
    for name, data in contents(disk).items():
        assert name == "ballast" or data == contents(tmp_path / "whole")[name]
    ballast.unlink()
    train_runs([run], place)
    assert contents(disk) == contents(tmp_path / "whole")


def test_a_training_whose_disk_became_read_only_goes_on_once_it_is_not(disk, tmp_path):
    run = small_run(small_family((0, 1)), small_training(60))
    train_runs([run], workplace(tmp_path / "whole"))
    place = workplace(disk)
    train_runs([run], place)
    (place.folders.checkpoints / run.name.trained(1)).unlink()  # as if stopped before its last model
    before = contents(disk)
    remount(disk, "ro")
    assert "Read-only" in one_line(train_runs, [run], place)
    assert contents(disk) == before
    remount(disk, "rw")
    train_runs([run], place)
    assert contents(disk) == contents(tmp_path / "whole")


def test_a_lock_that_nobody_holds_any_more_is_taken_over(tmp_path):
    waited = []
    (tmp_path / ".lock").write_bytes(b"left by a killed process")
    with exclusive(tmp_path / ".lock", lambda: waited.append(1)):
        pass
    assert not waited


def test_where_a_file_system_has_no_locks_a_warning_says_so_and_the_work_goes_on(tmp_path, caplog, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    waited = []
    with exclusive(tmp_path / "new" / ".lock", lambda: waited.append(1)):
        assert "has no file locks (Function not implemented)" in caplog.text
    assert (waited, contents(tmp_path)) == ([], {})


def test_a_lock_in_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "a").write_bytes(b"a file, not a folder")
    assert "choose another folder" in one_line(exclusive(tmp_path / "a" / ".lock", print).__enter__)


def test_never_two_hold_a_lock_though_each_removes_its_file(tmp_path):
    inside, most, said = [], [], []

    def work() -> None:
        for _ in range(20):
            with exclusive(tmp_path / ".lock", lambda: said.append(1)):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most), contents(tmp_path)) == (1, 80, {})
    assert said


def test_two_at_once_train_each_model_once_to_the_same_bytes_and_say_so(tmp_path, caplog):
    run = small_run(small_family((0, 1)), small_training(300))
    train_runs([run], workplace(tmp_path / "whole"))
    place, trained = workplace(tmp_path / "shared"), []
    lock = place.folders.checkpoints / f".{run.name.state((), 0)}.lock"
    second = threading.Thread(target=lambda: trained.append(train_runs([run], place)))
    # flock is held by open files, so that two threads meet at it as two processes do
    with exclusive(place.folders.checkpoints / f".{run.name.state((0, 1), 0)}.lock", lambda: None):
        pass
    with exclusive(lock, lambda: None):
        second.start()
        deadline = time.monotonic() + 60
        while "another run is at work" not in caplog.text and second.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "another run is at work" in caplog.text
    trained.append(train_runs([run], place))
    second.join()
    assert sum(trained) == 2
    assert contents(tmp_path / "shared") == contents(tmp_path / "whole")
