"""The same seed gives the same files, to the bit at equal threads, and nearly the same numbers at others."""

import pytest
import torch

from closedist.measures.settings import Settings
from closedist.paper.data.radial import radial_split
from closedist.paper.measurements import Measurement
from closedist.paper.sweep import CPU, train_runs
from closedist.paper.trained_models import represent, trained_model
from tests.small import contents, small_dataset, small_family, small_run, small_training, workplace


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def trained(root, count, threads):
    threads(count)
    run = small_run(small_family((0, 1), (64,)), small_training(200))
    train_runs([run], workplace(root))
    return run


@pytest.mark.parametrize("count", [1, 2])
def test_two_trainings_at_equal_threads_write_the_same_bytes(tmp_path, threads, count):
    trained(tmp_path / "first", count, threads)
    trained(tmp_path / "second", count, threads)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_trainings_at_one_and_two_threads_agree_to_one_percent_in_log_likelihood(tmp_path, threads):
    inputs, _ = radial_split(small_dataset(), "test")
    outputs = []
    for count in (1, 2):
        run = trained(tmp_path / str(count), count, threads)
        with torch.no_grad():
            outputs.append(trained_model(run, 0, tmp_path / str(count) / "checkpoints", CPU)(inputs))
    assert (outputs[0] - outputs[1]).abs().mean() <= 0.01 * outputs[0].abs().mean()


def test_measures_are_equal_to_the_bit_at_equal_threads_and_to_nine_digits_at_others(tmp_path, threads):
    run = trained(tmp_path, 1, threads)
    inputs, _ = radial_split(small_dataset(), "test")
    models = [represent(trained_model(run, seed, tmp_path / "checkpoints", CPU), inputs) for seed in (0, 1)]
    found = {}
    for count in (1, 2):
        threads(count)
        first, second = (Measurement(settings=Settings(num_samples=20)).compare(models)[0] for _ in range(2))
        assert (first.llv, first.kl, first.dissimilarity) == (second.llv, second.kl, second.dissimilarity)
        found[count] = (first.llv, first.kl, first.dissimilarity)
    assert found[1] == pytest.approx(found[2], rel=1e-9)
