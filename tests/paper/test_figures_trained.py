"""Figures of trained models: which files they take, what they say is missing, and that the docs show each of them."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from closedist.errors import InputError
from closedist.paper.config import paper_image_models, paper_image_training, paper_images
from closedist.paper.drawing import NEEDS, Sources, draw
from closedist.paper.figures.registry import FIGURES, PaperFigure
from closedist.paper.figures.trained import make_llv_train_synthetic, make_llv_vs_width
from closedist.paper.folders import Folders
from closedist.paper.plan import image_runs
from closedist.paper.results.tables import LossRow, MCCARow, read_distances, write_losses, write_mcca
from closedist.paper.runs import training_runs
from tests.made_results import (
    DATE,
    accuracies_name,
    accuracies_table,
    distances_name,
    distances_table,
    write_table,
)

ALL_LENGTHS = ((0, 0), (20, 0), (0, 20), (20, 20))
ROOT = Path(__file__).resolve().parents[2]


def write_scatter_files(folder: Path, num_classes: int, date: str = DATE) -> None:
    for seed, lengths in enumerate(ALL_LENGTHS):
        for width in (16, 32, 64, 128):
            name = distances_name(num_classes, width, lengths, date)
            write_table(folder, name, distances_table(seed=100 * num_classes + 10 * seed + width))


def write_width_files(folder: Path, num_classes: int, widths: tuple[int, ...], accuracy: float = 0.95) -> None:
    for width in widths:
        name = distances_name(num_classes, width)
        write_table(folder, name, distances_table(num_seeds=6, scale=2 / width, seed=width))
        write_table(folder, accuracies_name(num_classes, width), accuracies_table([accuracy] * 6, [0.99] * 6))


def test_the_figures_of_one_label_count_leave_those_of_all_as_they_are(tmp_path: Path) -> None:
    write_scatter_files(tmp_path, 4)
    assert list(make_llv_train_synthetic(tmp_path, None, (4,)).figures)[-2:] == [
        "d_LLV_train_synthetic_cls4_all",
        "d_LLV_train_synthetic_cls4_sorted",
    ]


def test_every_trained_configuration_has_its_row_and_all_share_two_figures(tmp_path: Path) -> None:
    write_scatter_files(tmp_path, 4)
    write_scatter_files(tmp_path, 6)
    plots = make_llv_train_synthetic(tmp_path)
    assert list(plots.figures) == [
        *(f"d_LLV_train_synthetic_cls{c}{end}" for c in (4, 6) for end in ("", "_g_20", "_f_20", "_g_20_f_20")),
        "d_LLV_train_synthetic_all",
        "d_LLV_train_synthetic_sorted",
    ]
    figure = plots.figures["d_LLV_train_synthetic_cls6_g_20"]
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes[::3]] == [f"width {w}" for w in (16, 32, 64, 128)]
    table = read_distances(tmp_path, distances_name(6, 64, (20, 0)))
    points = np.asarray(figure.axes[6].collections[0].get_offsets())
    np.testing.assert_array_equal(points, np.c_[table["llv"], table["dissimilarity"]][table["llv"] < 0.25])
    assert len(plots.figures["d_LLV_train_synthetic_sorted"].axes) == 8
    assert f"4 labels: results of {DATE}, 16 of 16 files" in plots.notes


@pytest.fixture
def one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures with a single row, which are quick to draw."""
    monkeypatch.setattr("closedist.paper.figures.trained.SCATTER_WIDTHS", (16,))


@pytest.mark.usefixtures("one_width")
def test_each_label_count_takes_its_own_newest_date(tmp_path: Path) -> None:
    write_scatter_files(tmp_path, 4, "2025-04-22")
    write_scatter_files(tmp_path, 6, "2025-04-22")
    write_scatter_files(tmp_path, 6, "2025-05-01")
    write_table(tmp_path, distances_name(4, 16, date="2025-06-01"), distances_table())  # newer, but one of four
    notes = make_llv_train_synthetic(tmp_path).notes
    assert "4 labels: results of 2025-04-22, 4 of 4 files" in notes
    assert "6 labels: results of 2025-05-01, 4 of 4 files" in notes
    asked = make_llv_train_synthetic(tmp_path, "2025-06-01")
    assert next(iter(asked.figures)) == "d_LLV_train_synthetic_cls4"
    assert len(asked.figures["d_LLV_train_synthetic_cls4"].axes) == 3


def test_what_is_missing_is_noted_with_the_command_that_makes_it(tmp_path: Path) -> None:
    write_table(tmp_path, distances_name(4, 32), distances_table())
    (taken, missing, *_) = make_llv_train_synthetic(tmp_path, label_counts=(4,)).notes
    assert taken == f"4 labels: results of {DATE}, 1 of 16 files"
    assert distances_name(4, 16) in missing
    assert "and 14 more" in missing
    command = (
        f"closedist get-distances --date-str={DATE} --layer-size=16,32,64,128 --num-classes=4 --dist-type=max "
        "--weight=0.00001 --sum-or-max=max --num-samples=200"
    )
    assert command in missing


def test_a_label_count_that_has_none_is_told_which_have(tmp_path: Path) -> None:
    write_scatter_files(tmp_path, 4)
    with pytest.raises(InputError, match="it has results of 4 labels; once its models are trained"):
        make_llv_train_synthetic(tmp_path, label_counts=(5,))


def test_nothing_at_all_is_one_line_that_says_which_files_and_which_command(tmp_path: Path) -> None:
    for make in (make_llv_train_synthetic, make_llv_vs_width):
        with pytest.raises(InputError) as error:
            make(tmp_path)
        message = str(error.value)
        assert "\n" not in message
        assert distances_name(4, 16, date="DATE") in message
        assert "`closedist get-distances --date-str=DATE" in message
        assert "3 more likewise" in message
    assert "`closedist get-accuracies --date-str=DATE" in message


@pytest.mark.usefixtures("one_width")
def test_figures_of_an_archive_equal_those_of_its_folder(tmp_path: Path) -> None:
    write_scatter_files(tmp_path / "results", 4)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in (tmp_path / "results").iterdir():
            archive.write(path, f"results/{path.name}")
    of_folder = make_llv_train_synthetic(tmp_path / "results").figures
    of_archive = make_llv_train_synthetic(tmp_path / "packed.zip").figures
    assert list(of_folder) == list(of_archive)
    for name, figure in of_folder.items():
        for ours, other in zip(figure.axes, of_archive[name].axes, strict=True):
            for first, second in zip(ours.collections, other.collections, strict=True):
                np.testing.assert_array_equal(first.get_offsets(), second.get_offsets())


def test_four_and_six_labels_share_a_figure_and_the_others_have_their_own(tmp_path: Path) -> None:
    for num_classes in (4, 6, 10):
        write_width_files(tmp_path, num_classes, (16, 64))
    plots = make_llv_vs_width(tmp_path)
    assert list(plots.figures) == ["d_LLV_vs_width_cls4_cls6", "d_LLV_vs_width_cls10"]
    (legend,) = plots.figures["d_LLV_vs_width_cls4_cls6"].legends
    assert [text.get_text() for text in legend.get_texts()[::3]] == ["4 labels: a pair", "6 labels: a pair"]
    assert list(make_llv_vs_width(tmp_path, label_counts=(6,)).figures) == ["d_LLV_vs_width_cls6"]
    assert any(note.startswith("6 labels, width 64: 6 of 6 models, d_LLV 0.0") for note in plots.notes)


def test_a_label_count_that_the_paper_lacks_has_its_own_figure(tmp_path: Path) -> None:
    write_width_files(tmp_path, 8, (16,))
    assert list(make_llv_vs_width(tmp_path, label_counts=(8,)).figures) == ["d_LLV_vs_width_cls8"]


def test_widths_whose_models_are_not_good_enough_are_left_out_and_said_so(tmp_path: Path) -> None:
    write_width_files(tmp_path, 4, (64,))
    write_width_files(tmp_path, 4, (16,), accuracy=0.6)
    plots = make_llv_vs_width(tmp_path, label_counts=(4,))
    axes = plots.figures["d_LLV_vs_width_cls4"].axes[0]
    (means,) = axes.lines
    assert len(means.get_xdata()) == 1
    assert [text.get_text() for text in axes.texts] == ["0 of 6", "fewer than 5 models kept", "6 of 6"]
    reason = "4 labels, width 16: left out, fewer than 5 models have an accuracy above 0.9"
    assert reason in plots.notes
    write_width_files(tmp_path, 4, (64,), accuracy=0.6)
    with pytest.raises(InputError, match=re.escape(reason)):
        make_llv_vs_width(tmp_path, label_counts=(4,))


def test_losses_and_correlations_are_drawn_for_the_dimensions_that_have_both(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for dimension in (2, 5):
        write_mcca(results / f"mcca_cifar_fd{dimension}.json", [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)])
        write_losses(results / f"loss_cifar_fd{dimension}.json", [LossRow(0, 1.0, 1.0), LossRow(1, 1.0, 1.2)])
    write_mcca(results / "mcca_cifar_fd3.json", [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)])
    resnets = {run.name.rep_dim: run for run in image_runs(2, "")}
    plots = draw("loss_diff_vs_mcca", Sources(Folders.under(tmp_path), families=[resnets]))
    (figure,) = plots.figures.values()
    assert [axes.get_title() for axes in figure.axes] == ["dimension 2, 1 pairs", "dimension 5, 1 pairs"]
    family, note = plots.notes
    assert family == "ResNetCIFAR10, 20,000 steps"
    assert "has no loss_cifar_fd3.json" in note
    models = paper_image_models(2).model_copy(update={"model_type": "SmallCIFAR10"})
    training = paper_image_training().model_copy(update={"train_steps": 5000})
    (small,) = training_runs(paper_images(), models, training, "")
    with pytest.raises(InputError, match=r"mcca_cifar_fd2_SmallCIFAR10_5000\.json.*cal-mcca --final-dim=2"):
        draw("loss_diff_vs_mcca", Sources(Folders.under(tmp_path), families=[{2: small}]))


DRAW_WITHOUT_TORCH = """
import sys
from closedist.cli import COMMANDS, make_app, run
code = run(make_app("closedist", COMMANDS), ["make-plot", *sys.argv[1:]])
sys.exit(code or ("PyTorch was loaded" if "torch" in sys.modules else 0))
"""


@pytest.mark.parametrize("plot_type", ["d_LLV_train_synthetic", "d_LLV_vs_width"])
def test_what_result_files_hold_is_drawn_without_loading_torch(tmp_path: Path, plot_type: str) -> None:
    write_width_files(tmp_path / "results", 4, (16, 64))
    options = (f"--plot-type={plot_type}", "--num-classes=4", "--figures-folder=figures", "--results-folder=results")
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW_WITHOUT_TORCH, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert drawn.returncode == 0, drawn.stderr
    assert list((tmp_path / "figures").glob(f"{plot_type}_cls4*.png"))


def test_the_shipped_losses_and_canonical_correlations_are_drawn_without_loading_torch(tmp_path: Path) -> None:
    options = (
        "--plot-type=loss_diff_vs_mcca",
        f"--figures-folder={tmp_path}",
        f"--results-folder={ROOT / 'results.zip'}",
    )
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW_WITHOUT_TORCH, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert drawn.returncode == 0, drawn.stderr
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "plot_type", ["distillation_curves", "distillation_at_one_kl", "distillation_bound", "distillation_table"]
)
def test_students_are_drawn_without_loading_torch(tmp_path: Path, plot_type: str) -> None:
    archive = ROOT / "distilled_digits.zip"
    options = (f"--plot-type={plot_type}", f"--figures-folder={tmp_path}", f"--results-folder={archive}")
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW_WITHOUT_TORCH, *options], capture_output=True, text=True, check=False
    )
    assert drawn.returncode == 0, drawn.stderr
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_every_row_names_a_function_that_makes_its_figure(figure: PaperFigure) -> None:
    assert callable(figure.make)
    assert figure.needs in NEEDS


def test_the_documentation_has_a_section_for_every_figure_with_its_command_and_its_images() -> None:
    page = (ROOT / "docs" / "figures.md").read_text()
    assert sorted(re.findall(r"^## (.+)$", page, re.MULTILINE)) == sorted(FIGURES)
    for name, figure in FIGURES.items():
        assert f"| {figure.shows} | [`{name}`](#{name.lower()}) |" in page
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert f"closedist make-plot --plot-type={name}" in section
        images = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", section)
        assert figure.is_table or images
        for image in images:
            path = ROOT / "docs" / image
            assert path.is_file(), image
            assert path.stat().st_size < 150_000, image
