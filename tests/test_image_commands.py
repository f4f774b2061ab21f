"""Every command that the paper runs on CIFAR-10, on a made-up set of images."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

import closedist
from closedist.cli import PAPER_COMMANDS, make_app, run
from closedist.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config
from closedist.data.cifar10 import load_cifar10, normalise
from closedist.folders import Folders
from closedist.models.classifier import build_classifier
from closedist.reproduce import Report, finish_images
from closedist.results import (
    LossRow,
    MCCARow,
    read_accuracies,
    read_distances,
    read_losses,
    read_mcca,
    write_losses,
    write_mcca,
)
from closedist.runs import training_runs
from closedist.sweep import CPU
from tests.small import write_images

NUM_POINTS = 100
CONFIGS = ("--dataset-config=images.json", "--model-var-config=models.json", "--train-config=training.json")
MODELS = ("--date-str=day", "--layer-size=16", "--num-classes=10")
TRAINED = "trained_cifar10_{}_classes10_seed{}_features16_fd2_data100_lr0_001_steps3"


def paper(*tokens: str) -> int:
    return run(make_app("run.py", PAPER_COMMANDS), list(tokens))


def write_configs(model_type: str, seeds: list[int]) -> None:
    contents = {
        "images": {"random_seed": 0, "dataset_name": "cifar10", "num_points": NUM_POINTS, "num_classes": 10},
        "models": {
            "random_seeds": seeds,
            "model_type": model_type,
            "nonlinearity": "leaky_relu",
            "num_classes": 10,
            "num_features": [16],
            "rep_dim": 2,
            "fix_length_gs": [0],
            "fix_length_fs": [0],
        },
        "training": {
            "dataset_name": "cifar10",
            "random_seed": 0,
            "batch_size": 8,
            "train_steps": 3,
            "learning_rate": 0.001,
            "optimizer_type": "ADAM",
        },
    }
    for name, content in contents.items():
        Path(f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A working directory with a made-up CIFAR-10 where commands look for it."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "downloaded_data", per_file=NUM_POINTS // 5)
    shutil.copy(Path(__file__).parents[1] / "configs/cifar10_0_cls10.json", tmp_path)
    return tmp_path


def trained_model(model_type: str, seed: int) -> closedist.models.classifier.Classifier:
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
    assert distances.llv.tolist() == pytest.approx([c.llv for c in expected], rel=1e-9)
    mcca = read_mcca(images / "results", f"mcca_cifar_fd2_{model_type}_3.json")
    assert [row.test_f_mcca for row in mcca] == pytest.approx([c.mean_cca_embeddings for c in expected], rel=1e-6)
    losses = read_losses(images / "results", f"loss_cifar_fd2_{model_type}_3.json")
    for row, seed in zip(losses, seeds, strict=True):
        metrics = json.loads((images / "metrics" / f"day{TRAINED.format(model_type, seed)}_metrics.json").read_text())
        assert row.test_loss == metrics["test_loss"][-1]
    names = {path.name for path in (images / "figures").iterdir()}
    assert {"loss_diff_vs_mcca.pdf", "cifar10_reps_seed0.pdf", "cifar10_reps_seeds0and1.png"} <= names


def test_the_precision_of_a_run_is_kept_by_its_saved_state(images, capsys):
    write_configs("SmallCIFAR10", [0])
    train = ("train-variations", *CONFIGS, "--date-str=day")
    assert paper(*train, "--precision=bf16") == 0
    (images / "checkpoints" / ("day" + TRAINED.format("SmallCIFAR10", 0))).unlink()
    assert paper(*train) == 2
    assert "--precision bf16: give the same to go on from it" in capsys.readouterr().err


def test_images_in_no_layout_are_an_error_that_says_where_they_belong(images, capsys, monkeypatch):
    shutil.rmtree(images / "downloaded_data")
    monkeypatch.setattr("closedist.data.cifar10.ARCHIVE_URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
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


PLOT_LOSSES = ("make-plot", "--plot-type=loss_diff_vs_mcca", *CONFIGS, "--format=png")


@pytest.fixture
def two_dates(images):
    """Models of the same seeds of two dates; those of the second have test losses that are 1 higher."""
    write_configs("SmallCIFAR10", [0, 1, 2])
    for date in ("2026-01-01", "2026-01-02"):
        assert paper("train-variations", *CONFIGS, f"--date-str={date}") == 0
    for path in (images / "metrics").glob("2026-01-02*"):
        losses = json.loads(path.read_text())
        losses["test_loss"][-1] += 1
        path.write_text(json.dumps(losses))
    return images


def recorded(folder, date):
    """The final test losses of a date's models."""
    return [
        json.loads((folder / "metrics" / f"{date}{TRAINED.format('SmallCIFAR10', seed)}_metrics.json").read_text())[
            "test_loss"
        ][-1]
        for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize("date", ["2026-01-01", "2026-01-02"])
def test_losses_are_those_of_the_date_whose_models_were_correlated(two_dates, date):
    assert paper("cal-mcca", "--final-dim=2", f"--date-str={date}", *CONFIGS) == 0
    for path in (two_dates / "checkpoints").glob("*trained*steps3"):
        path.unlink()  # metrics are all that is needed
    assert paper(*PLOT_LOSSES) == 0
    file = two_dates / "results/loss_cifar_fd2_SmallCIFAR10_3.json"
    assert [(row.test_loss, row.models[:10]) for row in read_losses(file.parent, file.name)] == [
        (loss, date) for loss in recorded(two_dates, date)
    ]


def test_losses_of_another_date_or_of_too_few_seeds_are_gathered_anew_or_not_drawn(two_dates, capsys):
    file = two_dates / "results/loss_cifar_fd2_SmallCIFAR10_3.json"
    for date in ("2026-01-01", "2026-01-02"):
        assert paper("cal-mcca", "--final-dim=2", f"--date-str={date}", *CONFIGS) == 0
        assert paper(*PLOT_LOSSES) == 0
        assert [row.test_loss for row in read_losses(file.parent, file.name)] == recorded(two_dates, date)
    write_losses(file, read_losses(file.parent, file.name)[:2])
    assert paper(*PLOT_LOSSES) == 0
    assert [row.test_loss for row in read_losses(file.parent, file.name)] == recorded(two_dates, "2026-01-02")
    assert paper("cal-mcca", "--final-dim=2", "--date-str=2026-01-01", *CONFIGS) == 0
    for path in (two_dates / "metrics").glob("2026-01-01*seed1*"):
        path.unlink()
    capsys.readouterr()
    assert paper(*PLOT_LOSSES) == 2
    error = capsys.readouterr().err
    assert "m_CCA is of 2026-01-01trained_cifar10_SmallCIFAR10_classes10_features16" in error
    assert "2026-01-01trained_cifar10_SmallCIFAR10_classes10_seed1" in error


def test_losses_of_models_of_another_learning_rate_or_of_nobody_knows_which_are_gathered_anew(two_dates, capsys):
    folder = two_dates / "results"
    file = folder / "loss_cifar_fd2_SmallCIFAR10_3.json"
    expected = recorded(two_dates, "2026-01-01")
    write_losses(file, [LossRow(seed, 9.0, 9.0 + seed) for seed in (0, 1, 2)])
    correlate = ("cal-mcca", "--final-dim=2", "--date-str=2026-01-01", *CONFIGS)
    assert paper(*correlate) == 0
    assert paper(*PLOT_LOSSES) == 0
    assert [row.test_loss for row in read_losses(folder, file.name)] == expected
    config = Path("training.json").read_text()
    Path("training.json").write_text(config.replace("0.001", "0.1"))
    assert paper("train-variations", *CONFIGS, "--date-str=2026-01-01") == 0
    assert paper(*correlate) == 0
    Path("training.json").write_text(config)
    assert paper(*PLOT_LOSSES) == 2
    assert "lr0_1_steps3, not only of models like DATEtrained" in capsys.readouterr().err
    assert [row.test_loss for row in read_losses(folder, file.name)] == expected
    assert paper(*correlate) == 0
    capsys.readouterr()
    assert paper(*PLOT_LOSSES, "--date-str=2026-01-02") == 0
    assert "not of --date-str=2026-01-02: run cal-mcca with it" in capsys.readouterr().out


def test_m_cca_of_no_date_has_the_losses_of_the_newest_that_has_all_seeds(two_dates, capsys):
    file = two_dates / "results/mcca_cifar_fd2_SmallCIFAR10_3.json"
    write_mcca(file, [MCCARow((0, 2), 0.1, 0.2, 0.5, 0.9)])
    for path in (two_dates / "metrics").glob("2026-01-02*seed2*"):
        path.unlink()
    assert paper(*PLOT_LOSSES) == 0
    assert "dimension 2: losses of the models of date 2026-01-01" in capsys.readouterr().out
    for path in (two_dates / "metrics").iterdir():
        path.unlink()
    file.with_name("loss_cifar_fd2_SmallCIFAR10_3.json").unlink()
    assert paper(*PLOT_LOSSES) == 2
    assert "metrics has no date with metrics like DATEtrained_cifar10_SmallCIFAR10" in capsys.readouterr().err


def test_losses_of_an_archive_are_gathered_and_nothing_is_written_beside_it(two_dates):
    assert paper("cal-mcca", "--final-dim=2", *CONFIGS) == 0
    results = two_dates / "results"
    with zipfile.ZipFile("results.zip", "w") as archive:
        for path in results.iterdir():
            archive.write(path, f"results/{path.name}")
    shutil.rmtree(results)
    assert paper(*PLOT_LOSSES) == 0
    assert not results.exists()


def test_a_dimension_whose_losses_are_lost_leaves_the_others_to_be_drawn(images, capsys):
    write_configs("SmallCIFAR10", [0, 1])
    assert paper("train-variations", *CONFIGS, "--date-str=day") == 0
    for path in (images / "metrics").iterdir():
        path.unlink()
    assert paper("cal-mcca", "--final-dim=2", *CONFIGS) == 0
    assert paper(*PLOT_LOSSES) == 2
    error = capsys.readouterr().err
    assert "dimension 2" in error
    assert "_metrics.json" in error
    write_mcca(images / "results/mcca_cifar_fd3_SmallCIFAR10_3.json", [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)])
    write_losses(images / "results/loss_cifar_fd3_SmallCIFAR10_3.json", [LossRow(0, 1.0, 1.0), LossRow(1, 1.0, 1.2)])
    assert paper(*PLOT_LOSSES) == 0
    assert "_metrics.json" in capsys.readouterr().out


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
    assert read_distances(mixed.parent, mixed.name).llv.tolist() == pytest.approx(
        read_distances(whole.parent, whole.name).llv.tolist(), rel=1e-5
    )
    for path in (images / "checkpoints").glob("dayuntrained*"):
        path.rename(path.with_name(path.name.replace("dayuntrained", "1Jununtrained")))
    for path in (images / "checkpoints").glob("daytrained*"):
        path.rename(path.with_name(path.name.replace("daytrained", "1Juntrained")))
    # of the newest date, which ends as "untrained" begins; on training images too, for which it needs checkpoints
    assert paper("cal-mcca", "--final-dim=2", *CONFIGS) == 0
    assert [row.model_seeds for row in read_mcca(images / "results", "mcca_cifar_fd2_SmallCIFAR10_3.json")] == [(1, 2)]


def test_a_damaged_result_file_is_named_and_no_other_network_drawn_in_its_place(images, capsys):
    configs = f"--config-folder={Path(__file__).parents[1] / 'configs'}"
    for model_type, tail in (("ResNetCIFAR10", ""), ("MedCIFAR10", "_MedCIFAR10_20000")):
        write_mcca(images / f"results/mcca_cifar_fd2{tail}.json", [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)])
        write_losses(images / f"results/loss_cifar_fd2{tail}.json", [LossRow(0, 1.0, 1.0), LossRow(1, 1.0, 1.2)])
        assert paper("make-plot", "--plot-type=loss_diff_vs_mcca", configs, "--format=png") == 0
        assert "ResNetCIFAR10, 20,000 steps" in capsys.readouterr().out, model_type
    (images / "results/mcca_cifar_fd2.json").write_text("{}")
    assert paper("make-plot", "--plot-type=loss_diff_vs_mcca", configs, "--format=png") == 2
    assert "mcca_cifar_fd2.json" in capsys.readouterr().err


def test_a_default_family_whose_config_is_not_there_is_passed_over(images, capsys):
    configs = Path(__file__).parents[1] / "configs"
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
    configs = f"--config-folder={Path(__file__).parents[1] / 'configs'}"
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


def test_a_reproduction_keeps_correlations_and_losses_of_more_seeds(two_dates):
    dataset = read_config(Path("images.json"), DatasetConfig)
    models = read_config(Path("models.json"), ModelVariationsConfig)
    training = read_config(Path("training.json"), TrainConfig)
    folders = Folders.under(two_dates, two_dates / "downloaded_data")

    def finish(date, seeds):
        (run_of_date,) = training_runs(dataset, models.model_copy(update={"random_seeds": seeds}), training, date)
        report = Report()
        finish_images([run_of_date], 0, folders, CPU, ("png",), report)
        return {path.name: path.read_bytes() for path in report.result_files if "_cifar_" in path.name}

    of_all = finish("2026-01-01", (0, 1, 2))
    assert finish("2026-01-01", (0, 2)) == of_all
    other = finish("2026-01-02", (0, 2))
    assert all(of_all[name] != other[name] for name in of_all)
    assert finish("2026-01-01", (0, 1, 2)) == of_all
    short = folders.results / "loss_cifar_fd2_SmallCIFAR10_3.json"
    write_losses(short, read_losses(folders.results, short.name)[:2])
    assert len(read_mcca(folders.results, "mcca_cifar_fd2_SmallCIFAR10_3.json")) == 3
    finish("2026-01-01", (0, 1))  # not beside m_CCA of more seeds, which could not be drawn
    assert len(read_mcca(folders.results, "mcca_cifar_fd2_SmallCIFAR10_3.json")) == 1
