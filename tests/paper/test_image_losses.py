"""loss_diff_vs_mcca: m_CCA and final losses of the very same models, on a made-up set of images."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config
from closedist.paper.folders import Folders
from closedist.paper.reproduce import Report, finish_images
from closedist.paper.results.tables import LossRow, MCCARow, read_losses, read_mcca, write_losses, write_mcca
from closedist.paper.runs import training_runs
from closedist.paper.sweep import CPU
from tests.small_images import CONFIGS, TRAINED, paper, write_configs

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


def test_a_damaged_result_file_is_named_and_no_other_network_drawn_in_its_place(images, capsys):
    configs = f"--config-folder={Path(__file__).parents[2] / 'configs'}"
    for model_type, tail in (("ResNetCIFAR10", ""), ("MedCIFAR10", "_MedCIFAR10_20000")):
        write_mcca(images / f"results/mcca_cifar_fd2{tail}.json", [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)])
        write_losses(images / f"results/loss_cifar_fd2{tail}.json", [LossRow(0, 1.0, 1.0), LossRow(1, 1.0, 1.2)])
        assert paper("make-plot", "--plot-type=loss_diff_vs_mcca", configs, "--format=png") == 0
        assert "ResNetCIFAR10, 20,000 steps" in capsys.readouterr().out, model_type
    (images / "results/mcca_cifar_fd2.json").write_text("{}")
    assert paper("make-plot", "--plot-type=loss_diff_vs_mcca", configs, "--format=png") == 2
    assert "mcca_cifar_fd2.json" in capsys.readouterr().err


def test_a_reproduction_keeps_correlations_and_losses_of_more_seeds(two_dates, monkeypatch):
    monkeypatch.setattr("closedist.paper.reproduce._draw", lambda *arguments: None)
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
