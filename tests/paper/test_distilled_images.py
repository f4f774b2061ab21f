"""Students of image networks: a stack is what each is alone, batch norm included, and a stop changes no bit."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from closedist import InputError
from closedist.cli import COMMANDS, make_app, run
from closedist.paper.data.cifar100 import load_cifar100
from closedist.paper.distillation import image_networks
from closedist.paper.distillation.image_networks import ImageNetwork
from closedist.paper.distillation.networks import initial_weights, stacked, unstacked
from closedist.paper.distillation.plan import Distillation, with_epochs, with_widths
from closedist.paper.distillation.setups import SET_UPS, Data
from closedist.paper.distillation.training import Group, Schedule, Stopped, train
from closedist.paper.models.networks import NETWORKS, Network
from tests.paper.test_distillation import assert_equal_models, run_all, weights_of

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (24, 3, 32, 32), dtype=torch.uint8, generator=GENERATOR)


class Normed(nn.Module):
    """The least network with batch norm."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm1d(12), nn.Linear(12, outputs)

    def forward(self, images):
        return self.last(self.norm(images.flatten(1)[:, :12]))


@pytest.fixture
def normed(monkeypatch):
    row = Network(lambda shape, width, rep_dim, nonlinearity: Normed(rep_dim), "one by one")
    monkeypatch.setitem(NETWORKS, "Normed", row)
    image_networks._template.cache_clear()
    return ImageNetwork("Normed", 0, 3, {"linear": 10})


def test_a_stack_embeds_images_as_each_network_alone():
    network = ImageNetwork("SmallCIFAR10", 84, 5, {"linear": 10})
    states = [initial_weights(network, seed, xavier_heads=True) for seed in (1, 2)]
    both = network.embed(stacked(states), IMAGES.unsqueeze(0), None)
    for state, embeddings in zip(states, both, strict=True):
        module = NETWORKS["SmallCIFAR10"].build_f((3, 32, 32), 84, 5, "leaky_relu")
        module.load_state_dict({key[8:]: value for key, value in state.items() if key.startswith("encoder.")})
        alone = module((IMAGES.float() / 255 - 0.5) / 0.5)
        torch.testing.assert_close(embeddings, alone, rtol=1e-4, atol=1e-5)


def test_batch_norm_learns_its_means_in_training_and_uses_them_after(normed):
    stack = stacked([initial_weights(normed, seed, xavier_heads=True) for seed in (1, 2)])
    assert normed.buffers == {
        "encoder.norm.running_mean",
        "encoder.norm.running_var",
        "encoder.norm.num_batches_tracked",
    }
    batch = IMAGES[:16].repeat(2, 1, 1, 1).reshape(2, 16, 3, 32, 32)
    normed.embed(stack, batch, [])
    alone = Normed(3)
    alone.load_state_dict({key[8:]: value[0] for key, value in initial_stack(normed).items() if "encoder" in key})
    alone.train()((IMAGES[:16].float() / 255 - 0.5) / 0.5)
    torch.testing.assert_close(stack["encoder.norm.running_mean"][0], alone.norm.running_mean)
    before = stack["encoder.norm.running_mean"].clone()
    first, again = (normed.embed(stack, batch, None) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(before, stack["encoder.norm.running_mean"])


def initial_stack(network):
    return stacked([initial_weights(network, seed, xavier_heads=True) for seed in (1, 2)])


def small(network, kinds=("kl", "l2")):
    labels = torch.arange(24) % 10
    data = Data(IMAGES[:16], IMAGES[16:], {"linear": labels[:16]}, {"linear": labels[16:]})
    set_up = with_epochs(SET_UPS["cifar10"], 4, 4)
    schedules = {
        name: replace(getattr(set_up, name), batch_size=8, evaluate_every=2)
        for name in ("teacher_schedule", "student_schedule")
    }
    set_up = replace(set_up, load=lambda folder: data, teacher=network, students=network, **schedules)
    return Distillation(set_up, 1, 2, kinds)


@pytest.mark.parametrize("name", ["SmallCIFAR10", "Normed"])
def test_students_of_images_are_trained_and_scored(tmp_path, normed, name):
    files = run_all(small(ImageNetwork(name, 84, 3, {"linear": 10})), tmp_path)
    assert files[0].name == "metrics-cifar10-standard-kldistill-smallcifar10-3-tseed400-epoch3-seed40.json"
    weights = weights_of(tmp_path)
    if name == "Normed":
        state = weights[files[0].name.removeprefix("metrics-").replace(".json", ".pt")]
        assert int(state["encoder.norm.num_batches_tracked"]) == 4 * 2  # as many steps as there were, in training only


def test_a_stopped_training_with_batch_norm_goes_on_to_the_same_bits(tmp_path, normed, monkeypatch):
    from closedist.paper.distillation import training

    schedule = Schedule(4, 8, 1e-2, 1.0, 0, 1)

    def objective(embeddings, weights, rows):
        return torch.bmm(embeddings, weights["linear.weight"].mT).square().mean((1, 2))

    def trained(path, stop_after=None):
        class Requests:
            def __enter__(self):
                return lambda: stop_after is not None and len(done) > stop_after

            def __exit__(self, *error):
                return False

        done = []
        monkeypatch.setattr(training, "stop_requests", Requests)
        return train(
            Group(normed, (1, 2), objective),
            initial_stack(normed),
            IMAGES,
            schedule,
            state_file=path,
            digest="x",
            evaluate=lambda epoch, weights: done.append(epoch),
            advance=lambda epochs: None,
            device=torch.device("cpu"),
        )

    undisturbed = unstacked(trained(tmp_path / "a"))
    with pytest.raises(Stopped):
        trained(tmp_path / "b", stop_after=1)
    resumed = unstacked(trained(tmp_path / "b"))
    assert_equal_models(dict(enumerate(undisturbed)), dict(enumerate(resumed)))


def test_networks_of_images_have_no_widths_to_choose():
    with pytest.raises(InputError, match="--widths: the networks of cifar10"):
        with_widths(SET_UPS["cifar10"], (8,))


def cifar100(folder: Path, **changes):
    rng = np.random.default_rng(0)
    place = folder / "cifar-100-python"
    place.mkdir(exist_ok=True)
    for split, count in (("train", 30), ("test", 20)):
        content = {
            "data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
            "fine_labels": (np.arange(count) % 100).tolist(),
            **changes,
        }
        (place / split).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_cifar100_is_read_as_data(tmp_path):
    images, labels = load_cifar100(cifar100(tmp_path), "test")
    assert images.shape == (20, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert labels.tolist() == list(range(20))
    content = pickle.loads((tmp_path / "cifar-100-python/test").read_bytes())
    assert torch.equal(images.flatten(1), torch.from_numpy(content["data"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fine_labels": [100] * 20}, "labels from 0 to 99"),
        ({"fine_labels": "none"}, "list 'fine_labels'"),
        ({"data": np.zeros((20, 5), np.uint8)}, "pixels of shape"),
        ({"data": np.zeros((20, 3072))}, "not of unsigned bytes"),
    ],
)
def test_what_is_not_cifar100_is_refused(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        load_cifar100(cifar100(tmp_path, **changes), "test")


def test_without_cifar100_it_is_said_which_file_belongs_where(tmp_path, capsys):
    command = ["distil", "--data=cifar100", f"--data-folder={tmp_path}", "-o", str(tmp_path / "out")]
    assert run(make_app("closedist", COMMANDS), command) == 2
    error = capsys.readouterr().err
    assert "cifar-100-python/train" in error
    assert "cifar-100-python.tar.gz" in error


def test_without_torchvision_it_is_said_what_to_install(tmp_path, capsys):
    pytest.importorskip("sklearn")
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("torchvision is there")
    command = ["distil", "--data=cifar100", f"--data-folder={cifar100(tmp_path)}", "-o", str(tmp_path / "out")]
    assert run(make_app("closedist", COMMANDS), command) == 2
    assert "pip install torchvision" in capsys.readouterr().err
