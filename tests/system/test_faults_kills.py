"""SIGKILL at fifty random moments: every file under its final name is whole, and the command ends as if undisturbed."""

import json
import os
import random
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from closedist.extraction import extract
from closedist.measures.settings import Settings
from closedist.paper.measurements import Measurement, measure_accuracies, measure_distances
from closedist.paper.reproduce import measure_runs
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU, train_runs
from tests.small import contents, small_dataset, small_family, small_training, workplace

KILLS_EACH = 10  # of five works: fifty


def small_runs():
    return list(training_runs(small_dataset(), small_family((0, 1), (8, 16)), small_training(400), "day"))


def train(root):
    train_runs(small_runs(), workplace(root, checkpoint_every=50))


def distances(root):
    list(measure_distances(small_runs(), Measurement(settings=Settings(num_samples=20)), workplace(root).folders, CPU))


def accuracies(root):
    measure_accuracies(small_runs(), "test", "", workplace(root).folders, CPU)


def reproduce(root):
    """What the command does between its plan and its figures."""
    train(root)
    measure_runs(small_runs(), Measurement(), workplace(root).folders, CPU)


def extraction(root):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10))
    extract(model, list(torch.randn(300, 32, 8)), file=root / "p.safetensors")


def in_a_child(work, root):
    """Start a work in a forked process; its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        work(root)
        status = 0
    finally:
        os._exit(status)


def assert_whole(root):
    """Every file under its final name loads; what a kill can leave besides begins with a dot or says what it is."""
    for path in root.rglob("*"):
        if path.name.startswith(".") or path.is_dir() or path.suffix in (".partial", ".journal", ".lock"):
            continue
        if path.suffix == ".json":
            assert json.loads(path.read_bytes())
        elif path.suffix == ".safetensors":
            assert load_file(path)
        else:
            assert torch.load(path, weights_only=True)


def final(root):
    return {n: d for n, d in contents(root).items() if not Path(n).name.startswith(".") and not n.endswith(".lock")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("work", [train, distances, accuracies, reproduce, extraction])
def test_killed_at_random_moments_a_work_ends_in_the_undisturbed_files(tmp_path, work):
    torch.set_num_threads(1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        root.mkdir()
        if work in (distances, accuracies):
            train(root)
    start = time.monotonic()
    assert os.waitpid(in_a_child(work, whole), 0)[1] == 0
    duration = time.monotonic() - start
    generator = random.Random(0)
    for _ in range(KILLS_EACH):
        child = in_a_child(work, killed)
        time.sleep(generator.uniform(0, 0.5) * duration)
        os.kill(child, 9)
        os.waitpid(child, 0)
        assert_whole(killed)
    work(killed)
    assert final(killed) == final(whole)
    assert final(whole)
