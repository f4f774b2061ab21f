"""compare --slurm: tiles of pairs as one job array, the same rows to the last digit that is printed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from closedist import InputError, compare_all
from closedist.system.slurm import JobArray, Resources
from tests.local_cluster import LocalProcesses
from tests.random_models import noisy, random_model, represent

FIRST = random_model(0, 80, 6, 2)
MODELS = [represent(FIRST)] + [represent(noisy(FIRST, 0.1 * seed, seed)) for seed in (1, 2)]


class Local(LocalProcesses):
    resources = Resources()


def test_a_job_array_is_submitted_once_and_gives_the_same_numbers(tmp_path: Path) -> None:
    cluster = Local()
    array = JobArray(cluster, tmp_path, "compare", 60.0)
    found = compare_all(MODELS, num_samples=5, executor=array)
    assert len(cluster.jobs) == len(array._tasks) == 3
    assert list(map(str, found)) == list(map(str, compare_all(MODELS, num_samples=5)))


def fails(*arguments: object) -> None:
    raise ValueError("out of luck")


def test_a_task_that_failed_is_an_error_with_its_reason(tmp_path: Path) -> None:
    array = JobArray(Local(), tmp_path, "compare", 60.0)
    task = array.submit(fails, 1)
    with pytest.raises(InputError, match=r"task \d+ failed: .*out of luck; see the logs in "):
        task.result()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "closedist", "compare", *words]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for index, model in enumerate(MODELS):
        model.save(tmp_path / f"m{index}.safetensors")
    return [f"m{index}.safetensors" for index in range(len(MODELS))]


def test_options_that_need_slurm_and_one_that_compare_has_not(tmp_path: Path, files: list[str]) -> None:
    for words, said in (
        (["--partition=big"], "options of the group SLURM need --slurm"),
        (["--slurm", "--no-wait"], "--no-wait: compare prints what the tasks find"),
    ):
        done = subprocess.run(command(*files, *words), cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.slow
def test_a_real_slurm_prints_what_this_machine_prints(tmp_path: Path, files: list[str]) -> None:
    if not shutil.which("sbatch"):
        pytest.skip("there is no sbatch on this machine")
    if "UP" not in subprocess.run(["scontrol", "ping"], capture_output=True, text=True).stdout:
        pytest.skip("SLURM's controller is not running")
    for output in ([], ["--csv"]):
        here, there = (
            subprocess.run(command(*files, *output, *words), cwd=tmp_path, capture_output=True, text=True)
            for words in (["--threads=1"], ["--slurm"])
        )
        assert there.returncode == 0, there.stderr
        if output:
            for line, other in zip(here.stdout.splitlines(), there.stdout.splitlines(), strict=True):
                for value, same in zip(line.split(","), other.split(","), strict=True):
                    assert value == same or float(value) == pytest.approx(float(same), rel=1e-9)
        else:
            assert there.stdout == here.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == files
