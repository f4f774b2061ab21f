"""The networks are those of the published checkpoints: same names, same shapes, same first weights."""

import re
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from closedist.errors import InputError
from closedist.paper.models.classifier import Classifier, build_classifier
from closedist.paper.models.networks import scale_to_length

MLP_LAYERS = ("l1", "l2", "l3", "l4")


def classifier(model_type="SmallMLP", *, classes=4, width=16, rep_dim=2, fix_f=0, fix_g=0, seed=0) -> Classifier:
    return build_classifier(
        model_type,
        num_classes=classes,
        num_features=width,
        rep_dim=rep_dim,
        nonlinearity="leaky_relu",
        fix_length_f=fix_f,
        fix_length_g=fix_g,
        seed=seed,
    )


def from_name(name: str) -> Classifier:
    """The model that a checkpoint's name describes."""
    found = re.search(r"SmallMLP(?:_fixf(\d+))?(?:_fixg(\d+))?_classes(\d+)_seed(\d+)_features(\d+)_fd(\d+)", name)
    fix_f, fix_g, classes, seed, width, rep_dim = (int(number or 0) for number in found.groups())
    return classifier(classes=classes, width=width, rep_dim=rep_dim, fix_f=fix_f, fix_g=fix_g, seed=seed)


def published(folder: Path, kind: str) -> list[Path]:
    paths = sorted(chain((folder / "checkpoints").iterdir(), (folder / "golden/trajectory/checkpoints").iterdir()))
    return [path for path in paths if re.match(rf"[\d-]+{kind}_", path.name)]


def test_first_weights_are_bit_equal_to_the_published_untrained_checkpoints(shared):
    paths = published(shared, "untrained")
    assert len(paths) == 28
    for path in paths:
        expected = torch.load(path, weights_only=True)
        ours = from_name(path.name).state_dict()
        assert list(ours) == list(expected)
        for key, value in expected.items():
            assert torch.equal(ours[key], value), f"{path.name}: {key}"


def test_published_trained_checkpoints_load_strictly_and_give_the_published_representations(shared):
    paths = [path for path in published(shared, "trained") if path.name.endswith("steps15000")]
    assert len(paths) == 20
    test_data = np.load(shared / "golden/radial_test_seed1_cls4.npz")
    points = torch.from_numpy(test_data["data"])
    for path in paths:
        model = from_name(path.name)
        model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        width, seed = model.f_net.l1.out_features, int(re.search(r"seed(\d+)", path.name).group(1))
        golden = np.load(shared / f"golden/reps_cls4_w{width}.npz")
        for ours, theirs in ((model.embed(points), golden["f"][seed]), (model.unembed(), golden["g"][seed])):
            torch.testing.assert_close(ours.detach(), torch.from_numpy(theirs), atol=1e-4, rtol=1e-5)


def test_published_checkpoints_with_a_fixed_length_load_strictly(shared):
    for path in published(shared, "trained"):
        model = from_name(path.name)
        model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        fixed = "_fixg20_" in path.name
        lengths = model.unembed().norm(dim=1)
        assert torch.allclose(lengths, torch.full((4,), 20.0)) == fixed, path.name


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.01)])
def test_our_weights_load_strictly_into_plain_pytorch_and_give_the_same_distribution(activation):
    def mlp(sizes):
        return nn.ModuleDict(
            {name: nn.Linear(a, b, bias=name != "l4") for name, (a, b) in zip(MLP_LAYERS, pairwise(sizes), strict=True)}
        )

    def run(layers, hidden):
        for name in MLP_LAYERS[:-1]:
            hidden = activation(layers[name](hidden))
        return layers["l4"](hidden)

    plain = nn.ModuleDict({"f_net": mlp([2, 32, 32, 32, 3]), "g_net": mlp([4, 32, 32, 32, 3])})
    ours = build_classifier(
        "SmallMLP",
        num_classes=5,
        num_features=32,
        rep_dim=3,
        nonlinearity="relu" if isinstance(activation, nn.ReLU) else "leaky_relu",
        fix_length_f=0,
        fix_length_g=0,
        seed=3,
    )
    plain.load_state_dict(ours.state_dict(), strict=True)
    points = torch.randn(50, 2)
    embeddings = run(plain["f_net"], points)
    unembeddings = torch.stack([run(plain["g_net"], torch.eye(5)[label, :-1]) for label in range(5)])
    expected = torch.log_softmax(embeddings.double() @ unembeddings.double().T, 1)
    torch.testing.assert_close(ours(points), expected, atol=1e-6, rtol=1e-6)


def resnet_shapes(rep_dim: int) -> dict[str, tuple[int, ...]]:
    """The paper's ResNet, written out from its description."""

    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 3, 3)}
    norm("bn1", 64)
    channels_in = 64
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (channels, channels_in, 3, 3)
            norm(f"{name}.bn1", channels)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            norm(f"{name}.bn2", channels)
            if channels_in != channels:
                shapes[f"{name}.shortcut.0.weight"] = (channels, channels_in, 1, 1)
                norm(f"{name}.shortcut.1", channels)
            channels_in = channels
    return shapes | {"linear.weight": (rep_dim, 512), "linear.bias": (rep_dim,)}


def lenet_shapes(channels: int, *sizes: int) -> dict[str, tuple[int, ...]]:
    shapes = {"conv1.weight": (6, 3, 5, 5), "conv1.bias": (6,)}
    shapes |= {"conv2.weight": (channels, 6, 5, 5), "conv2.bias": (channels,)}
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        shapes |= {f"fc{number}.weight": (fan_out, fan_in), f"fc{number}.bias": (fan_out,)}
    return shapes


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [
        ("SmallCIFAR10", lenet_shapes(16, 400, 120, 84, 2)),
        ("MedCIFAR10", lenet_shapes(32, 800, 120, 128, 128, 64, 2)),
        ("ResNetCIFAR10", resnet_shapes(2)),
    ],
)
def test_names_shapes_and_order_of_the_image_models_are_those_of_the_design(model_type, expected):
    model = classifier(model_type, classes=10, width=128)
    shapes = {key: tuple(value.shape) for key, value in model.f_net.state_dict().items()}
    assert list(shapes.items()) == list(expected.items())
    g_shapes = {key: tuple(value.shape) for key, value in model.g_net.state_dict().items()}
    assert g_shapes == {
        "l1.weight": (128, 9),
        "l1.bias": (128,),
        "l2.weight": (128, 128),
        "l2.bias": (128,),
        "l3.weight": (128, 128),
        "l3.bias": (128,),
        "l4.weight": (2, 128),
    }
    assert {key.split(".")[0] for key in model.state_dict()} == {"f_net", "g_net"}
    images = torch.rand(2, 3, 32, 32)
    log_likelihood = model.eval()(images)
    assert log_likelihood.dtype == torch.float64
    assert log_likelihood.shape == (2, 10)
    torch.testing.assert_close(log_likelihood.exp().sum(1), torch.ones(2, dtype=torch.float64))


def test_the_resnet_has_the_published_number_of_parameters():
    f_net = classifier("ResNetCIFAR10", classes=10, width=128).f_net
    assert sum(parameter.numel() for parameter in f_net.parameters()) == 11_169_858


def test_first_weights_follow_the_seed_and_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    first, again, other = (classifier("SmallCIFAR10", classes=10, seed=seed).state_dict() for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first)


def test_fixed_lengths_are_kept_and_the_embedding_of_zero_stays_zero():
    model = classifier(fix_f=20, fix_g=0.5)
    points = torch.randn(30, 2)
    torch.testing.assert_close(model.embed(points).norm(dim=1), torch.full((30,), 20.0))
    torch.testing.assert_close(model.unembed().norm(dim=1), torch.full((4,), 0.5))
    assert torch.equal(scale_to_length(torch.zeros(1, 3), 20), torch.zeros(1, 3))
    torch.testing.assert_close(scale_to_length(torch.tensor([[1e-9, 0.0]]), 20.0), torch.tensor([[2.0, 0.0]]))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.floats(0.1, 100))
def test_one_vector_added_to_all_unembeddings_changes_no_distribution(seed, size):
    generator = torch.Generator().manual_seed(seed)
    model = classifier(seed=seed)
    points = torch.randn(20, 2, generator=generator)
    shift = size * torch.randn(2, generator=generator, dtype=torch.float64)
    moved = (model.embed(points).double() @ (model.unembed().double() + shift).T).log_softmax(1)
    torch.testing.assert_close(moved, model(points), atol=1e-10, rtol=1e-10)


def test_a_width_that_leaves_no_layer_is_refused():
    with pytest.raises(InputError, match="num_features: 1"):
        classifier("MedCIFAR10", classes=10, width=1)
