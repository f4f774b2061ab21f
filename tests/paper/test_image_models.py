"""Image models train as a plain PyTorch loop would train each alone, and go on from a saved state to the same bits."""

import pytest
import torch
from torch.nn import functional

from closedist.errors import InputError
from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
from closedist.paper.data.cifar10 import normalise
from closedist.paper.folders import Folders
from closedist.paper.models.classifier import Classifier, build_classifier
from closedist.paper.runs import training_runs
from closedist.paper.sweep import Workplace, train_runs
from closedist.paper.training.learners import build_learners, seeds_together
from closedist.paper.training.loop import Learners
from closedist.paper.training.stacked_cnn import StackedCNNs
from tests.small import write_images

CPU = torch.device("cpu")
BATCH = 6


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def family(
    model_type="SmallCIFAR10", *, seeds=(0, 1, 2), width=16, rep_dim=3, nonlinearity="leaky_relu", fix_f=0, fix_g=0
):
    return ModelVariationsConfig(
        random_seeds=seeds,
        model_type=model_type,
        nonlinearity=nonlinearity,
        num_classes=10,
        num_features=(width,),
        rep_dim=rep_dim,
        fix_length_fs=(fix_f,),
        fix_length_gs=(fix_g,),
    )


def training(optimizer="ADAM", steps=4, **changes) -> TrainConfig:
    values = {"learning_rate": 1e-3, "weight_decay": 0.0} | changes
    return TrainConfig(
        dataset_name="cifar10", random_seed=0, batch_size=BATCH, train_steps=steps, optimizer_type=optimizer, **values
    )


def untrained(models: ModelVariationsConfig, seed: int) -> Classifier:
    return build_classifier(
        models.model_type,
        num_classes=10,
        num_features=models.num_features[0],
        rep_dim=models.rep_dim,
        nonlinearity=models.nonlinearity,
        fix_length_f=models.fix_length_fs[0],
        fix_length_g=models.fix_length_gs[0],
        seed=seed,
    )


def learners(models: ModelVariationsConfig, config: TrainConfig, precision="float32", device=CPU) -> Learners:
    return build_learners(
        [untrained(models, seed).state_dict() for seed in models.random_seeds],
        models,
        config,
        fix_length_f=models.fix_length_fs[0],
        fix_length_g=models.fix_length_gs[0],
        device=device,
        precision=precision,
    )


def batches(count: int, size: int = BATCH) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(0, 256, (size, 3, 32, 32), dtype=torch.uint8, generator=generator),
            torch.randint(0, 10, (size,), generator=generator),
        )
        for _ in range(count)
    ]


def plain_loop(models: ModelVariationsConfig, config: TrainConfig, seed: int, data) -> tuple[list[float], Classifier]:
    """What anyone would write: the losses before each step, and the trained model."""
    model = untrained(models, seed)
    options = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer_type == "ADAM":
        optimizer = torch.optim.Adam(model.parameters(), **options)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, **options)
    losses = []
    for images, labels in data:
        optimizer.zero_grad()
        loss = functional.nll_loss(model(normalise(images)), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("models", "config"),
    [
        (family(), training()),
        (family("MedCIFAR10", nonlinearity="relu"), training("SGD", weight_decay=0.1)),
        (family(fix_f=4, fix_g=2.5), training(weight_decay=0.01)),
    ],
    ids=["small, Adam", "medium, SGD", "fixed lengths"],
)
def test_stacked_seeds_train_as_each_would_alone_in_a_plain_loop(models, config, threads):
    torch.set_num_threads(threads)
    data = batches(3)
    stacked = learners(models, config)
    assert isinstance(stacked, StackedCNNs)
    losses = torch.stack([stacked.step(*batch) for batch in data], 1)
    test = batches(1, size=210)[0]
    test_losses = stacked.evaluate(*test)
    for index, seed in enumerate(models.random_seeds):
        expected, model = plain_loop(models, config, seed, data)
        torch.testing.assert_close(losses[index], torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-5)
        weights = stacked.state_dicts()[index]
        assert list(weights) == list(model.state_dict())
        apart = torch.cat([(weights[key] - value).abs().flatten() for key, value in model.state_dict().items()])
        # Adam divides by the gradient's size, so the few weights whose gradient is rounding noise may move otherwise
        assert (apart > 1e-5).double().mean() < 0.01
        assert apart.max() < 2 * len(data) * config.learning_rate
        expected_test = functional.nll_loss(model(normalise(test[0])), test[1])
        torch.testing.assert_close(test_losses[index], expected_test.detach(), rtol=1e-4, atol=1e-4)


def test_the_resnet_trains_as_in_a_plain_loop_with_its_statistics():
    models, config = family("ResNetCIFAR10", seeds=(4,), rep_dim=2), training("SGD", learning_rate=1e-2)
    data = batches(2)
    alone = learners(models, config)
    losses = torch.cat([alone.step(*batch) for batch in data])
    expected, model = plain_loop(models, config, 4, data)
    torch.testing.assert_close(losses, torch.tensor(expected, dtype=torch.float64), rtol=1e-4, atol=1e-4)
    (weights,) = alone.state_dicts()
    assert list(weights) == list(model.state_dict())
    for key, value in model.state_dict().items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-3)
    untrained(models, 0).load_state_dict(weights, strict=True)
    assert weights["f_net.bn1.num_batches_tracked"] == 2


def test_resnets_train_one_after_another_and_small_cnns_together():
    assert [seeds_together(kind) for kind in ("ResNetCIFAR10", "SmallCIFAR10", "MedCIFAR10")] == [1, None, None]


def test_a_diverged_seed_leaves_the_others_untouched():
    models = family(seeds=(0, 1, 2))
    weights = [untrained(models, seed).state_dict() for seed in models.random_seeds]
    healthy = learners(models, training())
    broken_weights = [{key: value.clone() for key, value in state.items()} for state in weights]
    for value in broken_weights[1].values():
        value.fill_(float("nan"))
    broken = build_learners(broken_weights, models, training(), fix_length_f=0, fix_length_g=0, device=CPU)
    for batch in batches(3):
        expected, found = healthy.step(*batch), broken.step(*batch)
        assert torch.equal(found[[0, 2]], expected[[0, 2]])
        assert torch.isnan(found[1])


@pytest.mark.parametrize("model_type", ["SmallCIFAR10", "MedCIFAR10", "ResNetCIFAR10"])
def test_evaluation_moves_nothing_and_depends_on_no_other_image(model_type):
    models = family(model_type, seeds=(0,))
    group = learners(models, training())
    group.step(*batches(1)[0])
    before = {key: value.clone() for key, value in group.training_state().items()}
    images, labels = batches(1, size=10)[0]
    together = group.evaluate(images, labels)
    one_by_one = torch.stack([group.evaluate(images[i : i + 1], labels[i : i + 1]) for i in range(10)]).mean(0)
    torch.testing.assert_close(together, one_by_one, rtol=1e-5, atol=1e-6)
    after = group.training_state()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize(
    ("model_type", "optimizer"), [("SmallCIFAR10", "ADAM"), ("SmallCIFAR10", "SGD"), ("ResNetCIFAR10", "ADAM")]
)
def test_a_saved_state_goes_on_to_the_same_bits(model_type, optimizer):
    models = family(model_type, seeds=(0,) if model_type == "ResNetCIFAR10" else (0, 1))
    data = batches(4)
    undisturbed, resumed = (learners(models, training(optimizer)) for _ in range(2))
    for batch in data[:2]:
        undisturbed.step(*batch)
    resumed.load_training_state({key: value.clone() for key, value in undisturbed.training_state().items()})
    for batch in data[2:]:
        assert torch.equal(undisturbed.step(*batch), resumed.step(*batch))
    for one, other in zip(undisturbed.state_dicts(), resumed.state_dicts(), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_saved_state_goes_on_with_another_number_of_threads():
    models = family(seeds=(0, 1, 2))
    data = batches(4)
    torch.set_num_threads(1)
    whole = learners(models, training())
    for batch in data[:2]:
        whole.step(*batch)
    torch.set_num_threads(2)
    halves = learners(models, training())
    halves.load_training_state(whole.training_state())
    for batch in data[2:]:
        torch.testing.assert_close(halves.step(*batch), whole.step(*batch), rtol=1e-5, atol=1e-6)
    assert torch.get_num_threads() == 2


def test_bf16_gives_nearly_the_same_losses_and_keeps_weights_in_float32():
    models = family(seeds=(0,))
    exact, rough = (learners(models, training("SGD"), precision) for precision in ("float32", "bf16"))
    batch = batches(1)[0]
    expected, found = exact.step(*batch), rough.step(*batch)
    assert found.dtype == torch.float64
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)
    assert all(value.dtype == torch.float32 for key, value in rough.state_dicts()[0].items())
    with pytest.raises(InputError, match="saved training state is of --precision bf16"):
        exact.load_training_state(rough.training_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("model_type", ["SmallCIFAR10", "ResNetCIFAR10"])
def test_steps_recorded_on_a_gpu_are_those_of_the_cpu_to_its_arithmetic(model_type):
    models = family(model_type, seeds=(0,) if model_type == "ResNetCIFAR10" else (0, 1))
    here, there = (learners(models, training("SGD"), device=torch.device(name)) for name in ("cpu", "cuda"))
    for images, labels in [*batches(3), *batches(2, size=2), *batches(2)]:
        found = there.step(images.cuda(), labels.cuda()).cpu()
        torch.testing.assert_close(found, here.step(images, labels), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(
        there.evaluate(images.cuda(), labels.cuda()).cpu(), here.evaluate(images, labels), rtol=1e-2, atol=1e-2
    )


def test_points_are_not_trained_in_bf16():
    with pytest.raises(InputError, match="--precision: SmallMLP is trained in float32"):
        learners(family("SmallMLP"), training(), "bf16")


@pytest.mark.parametrize(
    ("model_type", "seeds"),
    [("SmallCIFAR10", (0, 1)), pytest.param("ResNetCIFAR10", (0,), marks=pytest.mark.slow)],
)
def test_a_longer_training_continues_a_shorter_one_to_the_files_of_an_undisturbed_one(tmp_path, model_type, seeds):
    write_images(tmp_path / "data", per_file=4)
    dataset = DatasetConfig(random_seed=0, dataset_name="cifar10", num_points=20, num_classes=10)
    models = family(model_type, seeds=seeds)

    def train(root, steps, continue_from=0):
        runs = list(training_runs(dataset, models, training(steps=steps), "day"))
        train_runs(runs, Workplace(Folders.under(root, tmp_path / "data")), continue_from=continue_from)

    train(tmp_path / "undisturbed", 2)
    train(tmp_path / "stopped", 1)
    train(tmp_path / "stopped", 2, continue_from=1)
    for folder in ("checkpoints", "metrics"):
        files = [path for path in (tmp_path / "undisturbed" / folder).iterdir() if "trained_" in path.name]
        assert len(files) >= len(seeds)
        for path in files:
            assert (tmp_path / "stopped" / folder / path.name).read_bytes() == path.read_bytes(), path.name
