"""Training: many models in one program, each as if it were alone, on the published trajectory."""

import json

import pytest
import torch

from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config
from closedist.paper.data.radial import radial_split
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU, train_runs
from closedist.paper.trained_models import trained_model
from closedist.paper.training.learners import build_learners
from closedist.paper.training.loop import Diverged, Losses, diverged_models
from tests.small import small_dataset, small_family, small_run, small_training, workplace


def learners_of(run):
    return build_learners(
        [run.untrained(seed).state_dict() for seed in run.models.random_seeds],
        run.models,
        run.training,
        fix_length_f=run.name.fix_length_f,
        fix_length_g=run.name.fix_length_g,
        device=CPU,
    )


def test_every_published_model_is_matched_after_314_steps(shared, tmp_path):
    golden = shared / "golden" / "trajectory"
    dataset = read_config(golden / "radial_classification_20000_0_cls4.json", DatasetConfig)
    models = read_config(golden / "model_variations.json", ModelVariationsConfig)
    training = read_config(golden / "train_314_steps.json", TrainConfig)
    runs = list(training_runs(dataset, models, training, "2025-01-01"))
    place = workplace(tmp_path)
    assert train_runs(runs, place) == 8
    inputs, _ = radial_split(dataset, "test")
    for run in runs:
        for seed in models.random_seeds:
            with torch.no_grad():
                ours = trained_model(run, seed, place.folders.checkpoints, CPU)(inputs)
                published = trained_model(run, seed, golden / "checkpoints", CPU)(inputs)
            assert (ours - published).abs().mean() <= 0.01 * published.abs().mean()


@pytest.mark.parametrize("fix_length_f", [0, 20])
@pytest.mark.parametrize("fix_length_g", [0, 3.5])
@pytest.mark.parametrize("nonlinearity", ["relu", "leaky_relu"])
@pytest.mark.parametrize("optimizer", ["ADAM", "SGD"])
def test_a_step_is_the_one_that_autograd_and_torch_optim_take(fix_length_f, fix_length_g, nonlinearity, optimizer):
    training = small_training(optimizer_type=optimizer, weight_decay=0.01)
    run = small_run(small_family((3, 7), (8,), fix_length_g, fix_length_f, nonlinearity), training)
    inputs, labels = radial_split(small_dataset(), "train")
    learners = learners_of(run)
    plain = [run.untrained(seed) for seed in run.models.random_seeds]
    settings = {"lr": 1e-3, "weight_decay": 0.01}
    kind = torch.optim.Adam if optimizer == "ADAM" else torch.optim.SGD
    optimizers = [
        kind(model.parameters(), **settings, **({} if optimizer == "ADAM" else {"momentum": 0.9})) for model in plain
    ]
    for first in (0, 96, 192):
        batch = slice(first, first + 96)
        losses = learners.step(inputs[batch], labels[batch])
        for index, (model, one) in enumerate(zip(plain, optimizers, strict=True)):
            one.zero_grad()
            loss = torch.nn.functional.nll_loss(model(inputs[batch]), labels[batch])
            loss.backward()
            one.step()
            torch.testing.assert_close(losses[index], loss.detach(), rtol=1e-5, atol=1e-9)
    for ours, model in zip(learners.state_dicts(), plain, strict=True):
        for key, value in model.state_dict().items():
            # single weights whose gradient is near zero can differ: Adam divides it by its own size
            assert (ours[key] - value).abs().mean() <= 2e-6 * (1 + value.abs().mean())


def test_one_seed_alone_gives_what_it_gives_among_twenty(tmp_path):
    alone = small_run(small_family((13,)), small_training(300))
    among = small_run(small_family(tuple(range(20))), small_training(300))
    train_runs([alone], workplace(tmp_path / "alone"))
    train_runs([among], workplace(tmp_path / "among"))
    inputs, _ = radial_split(small_dataset(), "test")
    with torch.no_grad():
        first = trained_model(alone, 13, tmp_path / "alone" / "checkpoints", CPU)(inputs)
        second = trained_model(among, 13, tmp_path / "among" / "checkpoints", CPU)(inputs)
    assert (first - second).abs().mean() <= 0.01 * first.abs().mean()


def test_a_diverging_neighbour_changes_nothing(tmp_path):
    run = small_run(small_family((0, 1)))
    inputs, labels = radial_split(small_dataset(), "train")
    healthy, troubled = learners_of(run), learners_of(run)
    state = troubled.training_state()
    stack_of_second = next(iter(troubled._parameters.values()))[1]
    stack_of_second.fill_(float("nan"))
    assert state["parameters"].isnan().any()
    for learners in (healthy, troubled):
        learners.step(inputs[:96], labels[:96])
    for key, value in healthy.state_dicts()[0].items():
        assert torch.equal(value, troubled.state_dicts()[0][key])


def test_training_that_diverges_names_seed_step_and_loss_and_keeps_the_others(tmp_path):
    run = small_run(small_family((0, 1)), small_training(1200, learning_rate=1e6, optimizer_type="SGD"))
    with pytest.raises(Diverged, match=r"seed 0 by step \d+ \(training loss (nan|inf)\).*learning rate"):
        train_runs([run], workplace(tmp_path))
    assert not (tmp_path / "checkpoints" / run.name.trained(0)).exists()
    losses = Losses(
        600,
        torch.tensor([[1.0, 0.5], [1.0, float("nan")]], dtype=torch.float64),
        torch.empty(2, 0, dtype=torch.float64),
        torch.tensor([[0.4], [float("nan")]], dtype=torch.float64),
    )
    message = str(diverged_models(losses, (4, 9), 0.1))
    assert "seed 9 by step 500 (training loss nan)" in message
    assert "seed 4" not in message


def test_a_model_that_the_last_step_breaks_has_no_checkpoint_either(tmp_path):
    run = small_run(small_family((0, 1)), small_training(1, learning_rate=1e30))
    for _ in range(2):  # anew, and from the final state
        with pytest.raises(Diverged, match=r"seed 0 by step 0 \(test loss nan\), seed 1 by"):
            train_runs([run], workplace(tmp_path))
    assert not list((tmp_path / "checkpoints").glob("daytrained*"))


def test_after_a_bare_checkpoint_losses_are_of_the_steps_since(tmp_path):
    nan = torch.full((1, 2), torch.nan, dtype=torch.float64)
    losses = Losses(16_700, nan, nan, nan[:, :1])
    assert losses.recorded_steps() == [16_000, 16_500, 16_699]
    assert "seed 3 by step 16000" in str(diverged_models(losses, (3,), 0.1))


def test_losses_are_recorded_every_500_and_2000_steps_with_the_last_ones(tmp_path):
    run = small_run(small_family((0, 1)), small_training(2300))
    place = workplace(tmp_path)
    train_runs([run], place)
    metrics = json.loads((place.folders.metrics / run.name.metrics(1)).read_text())
    assert len(metrics["train_loss"]) == 6  # steps 0, 500, …, 2000 and the rest
    assert len(metrics["test_loss"]) == 3  # steps 0 and 2000, and the final one
    assert metrics["train_loss"][-1] < metrics["train_loss"][1] < metrics["train_loss"][0]
    inputs, labels = radial_split(small_dataset(), "test")
    with torch.no_grad():
        final = torch.nn.functional.nll_loss(trained_model(run, 1, place.folders.checkpoints, CPU)(inputs), labels)
    assert metrics["test_loss"][-1] == pytest.approx(final.item(), rel=1e-5)
