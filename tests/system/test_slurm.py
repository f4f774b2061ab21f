"""SLURM: time limits as sbatch reads them, and one line with the remedy for whatever it refuses."""

import os
import sys

import pytest

from closedist.errors import InputError
from closedist.system.slurm import Resources, Slurm, minutes_of


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("1:30", 2), ("1:30:00", 90), ("2-12", 3600), ("1-0:30", 1470), ("0-1:0:1", 61)],
)
def test_time_limits_are_read_as_sbatch_reads_them(text, minutes):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "0:59", "an hour", "-5", "1:2:3:4", "1-"])
def test_other_time_limits_are_refused(text):
    with pytest.raises(InputError, match="--time"):
        minutes_of(text)


def test_without_a_time_limit_it_comes_from_the_estimate_and_stays_within_a_day():
    assert Resources().time_limit(1) == 15
    assert Resources().time_limit(3600) == 240
    assert Resources().time_limit(1e9) == 1440
    assert Resources(minutes=7).time_limit(1e9) == 7


def fake_commands(folder, **scripts):
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "sbatch: error: invalid partition specified: big\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified",
            r"--partition: SLURM has no partition 'big' for you; it has gpu, main",
        ),
        (
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates "
            "accounting/QOS policy (job submit limit, user's size and/or time limits)",
            r"takes no more jobs of yours now \(Job violates.*--max-jobs.*when jobs have ended",
        ),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            r"SLURM does not answer \(Unable.*later",
        ),
        (
            "sbatch: error: CPU count per node can not be satisfied\nsbatch: error: Batch job submission failed: "
            "Requested node configuration is not available",
            r"refused the jobs \(Requested node configuration is not available\): change .*--cpus-per-task",
        ),
    ],
)
def test_what_sbatch_refuses_is_one_line_with_the_remedy(tmp_path, monkeypatch, capfd, said, shown):
    fake_commands(tmp_path, sbatch=f'echo "{said}" >&2; exit 1', srun="exit 1", sinfo="echo main; echo gpu; echo main")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(InputError, match=shown) as caught:
        Slurm(Resources(partition="big")).submit([print], 1.0, tmp_path, "name")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_without_sbatch_or_submitit_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no sbatch on this machine"):
        Slurm(Resources()).check_available()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match="pip install submitit"):
        Slurm(Resources()).check_available()
