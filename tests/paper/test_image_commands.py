"""Every command that the paper runs on CIFAR-10, on a made-up set of images."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import closedist
from closedist.paper.data.cifar10 import load_cifar10, normalise
from closedist.paper.models.classifier import build_classifier
from closedist.paper.results.tables import (
    read_accuracies,
    read_distances,
    read_losses,
    read_mcca,
)
from tests.small_images import CONFIGS, MODELS, NUM_POINTS, TRAINED, paper, write_configs


def trained_model(model_type: str, seed: int) -> closedist.paper.models.classifier.Classifier:
    model = build_classifier(
        model_type,
        num_classes=10,
        num_features=16,
        rep_dim=2,
        nonlinearity="leaky_relu",
        fix_length_f=0,
        fix_length_g=0,
        seed=0,
    )
    model.load_state_dict(torch.load(Path("checkpoints", "day" + TRAINED.format(model_type, seed)), weights_only=True))
    return model.eval()


@pytest.mark.parametrize("model_type", ["SmallCIFAR10", pytest.param("ResNetCIFAR10", marks=pytest.mark.slow)])
def test_the_papers_commands_train_measure_and_draw_image_models(images, capsys, model_type):
    seeds = [0, 1]
    write_configs(model_type, seeds)
    assert paper("train-variations", *CONFIGS, "--output-folder=checkpoints", "--date-str=day") == 0
    for split, option in (("test", ()), ("train", ("--use-train",))):
        assert paper("get-accuracies", *CONFIGS, *MODELS, *option) == 0
        pixels, labels = load_cifar10(images / "downloaded_data", split, NUM_POINTS)
        rows = read_accuracies(images / "results", f"day_model_acc_{split}_{model_type}_16_fd2_3.json")
        for row, seed in zip(rows, seeds, strict=True):
            with torch.no_grad():
                predicted = trained_model(model_type, seed)(normalise(pixels)).argmax(1)
            assert row.accuracy == pytest.approx((predicted == labels).double().mean().item())
    assert paper("cal-mcca", "--final-dim=2", "--date-str=day", *CONFIGS) == 0
    assert paper("make-plot", "--plot-type=loss_diff_vs_mcca", "--date-str=day", *CONFIGS) == 0

    shutil.rmtree(images / "downloaded_data")  # what follows needs the saved representations alone
    for seed in seeds:
        (images / "checkpoints" / ("day" + TRAINED.format(model_type, seed))).rename(f"weights{seed}")
    assert paper("get-distances", *CONFIGS, *MODELS, "--dist-type=max", "--sum-or-max=max", "--weight=1e-5") == 0
    assert paper("make-plot", "--plot-type=cifar10_reps", "--date-str=day", *CONFIGS) == 0
    capsys.readouterr()

    saved = [
        closedist.Representations.load(
            images / "checkpoints" / f"day{TRAINED.format(model_type, seed)}_reps_test.safetensors"
        )
        for seed in seeds
    ]
    expected = closedist.compare_all(saved, num_samples=10, weight=1e-5)
    distances = read_distances(images / "results", f"day_model_distances_test_maxmax_w1e-05_{model_type}_16_fd2_3.json")
    assert distances.model_seeds == tuple((a, b) for a in seeds for b in seeds if a < b)
    assert distances["llv"].tolist() == pytest.approx([c.llv for c in expected], rel=1e-9)
    mcca = read_mcca(images / "results", f"mcca_cifar_fd2_{model_type}_3.json")
    assert [row.test_f_mcca for row in mcca] == pytest.approx([c.mean_cca_embeddings for c in expected], rel=1e-6)
    losses = read_losses(images / "results", f"loss_cifar_fd2_{model_type}_3.json")
    for row, seed in zip(losses, seeds, strict=True):
        metrics = json.loads((images / "metrics" / f"day{TRAINED.format(model_type, seed)}_metrics.json").read_text())
        assert row.test_loss == metrics["test_loss"][-1]
    names = {path.name for path in (images / "figures").iterdir()}
    assert {"loss_diff_vs_mcca.png", "cifar10_reps_seed0.png", "cifar10_reps_seeds0and1.png"} <= names


def test_the_precision_of_a_run_is_kept_by_its_saved_state(images, capsys):
    write_configs("SmallCIFAR10", [0])
    train = ("train-variations", *CONFIGS, "--date-str=day")
    assert paper(*train, "--precision=bf16") == 0
    (images / "checkpoints" / ("day" + TRAINED.format("SmallCIFAR10", 0))).unlink()
    assert paper(*train) == 2
    assert "--precision bf16: give the same to go on from it" in capsys.readouterr().err


def test_images_in_no_layout_are_an_error_that_says_where_they_belong(images, capsys, monkeypatch):
    shutil.rmtree(images / "downloaded_data")
    monkeypatch.setattr("closedist.paper.data.cifar10.ARCHIVE_URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    write_configs("SmallCIFAR10", [0])
    assert paper("train-variations", *CONFIGS, "--date-str=day") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "downloaded_data/cifar-10-batches-bin" in error
    assert "--data-folder" in error


def test_a_data_folder_that_cannot_be_made_is_an_error_that_says_what_belongs_where(images, capsys):
    write_configs("SmallCIFAR10", [0])
    (images / "occupied").write_text("a file where a folder should be")
    assert paper("train-variations", *CONFIGS, "--date-str=day", "--data-folder=occupied/data") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "Not a directory" in error
    assert "occupied/data/cifar-10-batches-bin" in error


def test_seeds_with_representations_and_seeds_with_checkpoints_are_measured_together(images):
    write_configs("SmallCIFAR10", [0, 1, 2])
    assert paper("train-variations", *CONFIGS, "--output-folder=checkpoints", "--date-str=day") == 0
    distances = ("get-distances", *CONFIGS, *MODELS, "--dist-type=max")
    assert paper(*distances, "--results-folder=whole") == 0
    names = [f"day{TRAINED.format('SmallCIFAR10', seed)}" for seed in (0, 1, 2)]
    (images / "checkpoints" / names[0]).unlink()
    (images / "checkpoints" / f"{names[1]}_reps_test.safetensors").unlink()
    assert paper(*distances, "--results-folder=mixed") == 0
    whole, mixed = (next((images / folder).iterdir()) for folder in ("whole", "mixed"))
    assert read_distances(mixed.parent, mixed.name)["llv"].tolist() == pytest.approx(
        read_distances(whole.parent, whole.name)["llv"].tolist(), rel=1e-5
    )
    for path in (images / "checkpoints").glob("dayuntrained*"):
        path.rename(path.with_name(path.name.replace("dayuntrained", "1Jununtrained")))
    for path in (images / "checkpoints").glob("daytrained*"):
        path.rename(path.with_name(path.name.replace("daytrained", "1Juntrained")))
    # of the newest date, which ends as "untrained" begins; on training images too, for which it needs checkpoints
    assert paper("cal-mcca", "--final-dim=2", *CONFIGS) == 0
    assert [row.model_seeds for row in read_mcca(images / "results", "mcca_cifar_fd2_SmallCIFAR10_3.json")] == [(1, 2)]


def test_a_default_family_whose_config_is_not_there_is_passed_over(images, capsys):
    configs = Path(__file__).parents[2] / "configs"
    (images / "mine").mkdir()
    for name in ("model_variations_config_smallcifar10_128_fd2.json", "cifar10_0_32_ADAM_0_0001_20000steps.json"):
        shutil.copy(configs / name, images / "mine")
    plot = ("make-plot", "--plot-type=cifar10_reps", "--config-folder=mine", "--format=png")
    assert paper(*plot) == 2
    assert "no two seeds of DATEtrained_cifar10_SmallCIFAR10" in capsys.readouterr().err
    shutil.rmtree(images / "mine")
    assert paper(*plot) == 2
    assert "model_variations_config_resnetcifar10_128_fd2.json" in capsys.readouterr().err


def test_without_configs_the_largest_image_models_that_there_are_are_drawn(images, capsys):
    configs = f"--config-folder={Path(__file__).parents[2] / 'configs'}"
    plot = ("make-plot", "--plot-type=cifar10_reps", configs, "--format=png")
    assert paper(*plot) == 2
    assert "ResNetCIFAR10" in capsys.readouterr().err
    generator = torch.Generator().manual_seed(0)
    for model_type in ("SmallCIFAR10", "MedCIFAR10"):
        for seed in (0, 3):
            model = closedist.Representations(
                torch.randn(50, 2, generator=generator), torch.randn(10, 2, generator=generator)
            )
            name = f"daytrained_cifar10_{model_type}_classes10_seed{seed}_features128_fd2_data50000_lr0_0001_steps20000"
            model.save(images / "checkpoints" / f"{name}_reps_test.safetensors")
        assert paper(*plot) == 0
        assert f"{model_type}, 20,000 steps, date day" in capsys.readouterr().out
    assert {path.name for path in (images / "figures").iterdir()} == {
        "cifar10_reps_seed0.png",
        "cifar10_reps_seed3.png",
        "cifar10_reps_seeds0and3.png",
    }
