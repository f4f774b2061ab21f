"""What the repository ships: results in which every bound holds, and checkpoints that give those results again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from closedist.cli import COMMANDS, make_app, run
from closedist.paper.drawing import Sources, draw
from closedist.paper.families import read_family, with_family
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement
from closedist.paper.plan import synthetic_runs
from closedist.paper.registry import load_split
from closedist.paper.results.archive import open_results
from closedist.paper.results.tables import Distances, read_accuracies, read_distances
from closedist.paper.sweep import CPU
from closedist.paper.trained_models import accuracy, family_representations

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results.zip"
DATE = "2026-11-24"
DISTANCES = [name for name in open_results(RESULTS).names if "_model_distances_" in name]


def test_the_shipped_results_hold_the_papers_third_figure():
    wanted = {
        f"{DATE}_model_distances_test_maxmax_w1e-05_SmallMLP_{w}_cls{c}.json" for w in (16, 32, 64, 128) for c in (4, 6)
    }
    assert wanted <= set(DISTANCES)
    assert all(len(read_distances(RESULTS, name)) == 190 for name in wanted)


@pytest.mark.parametrize("name", DISTANCES)
def test_every_bound_holds_for_every_shipped_pair(name):
    d = read_distances(RESULTS, name)
    assert "certificate" in d
    assert "quadratic_bound" in d
    assert np.all(d["dissimilarity"] <= d["certificate"])
    assert np.all(d["certificate"] <= d["quadratic_bound"])
    assert np.all(d["dissimilarity"] <= 2 * d.subset_size * d["llv"])


def paper_runs():
    """The paper's 80 trainings, each with its shipped file of representations, if any."""
    runs = synthetic_runs((4, 6, 10, 18), (16, 32, 64, 128, 256), (0, 20), 20, DATE)
    return [with_family(run_, ROOT / "representations") for run_ in runs]


SHIPPED = [run_ for run_ in paper_runs() if run_.family]


def test_every_shipped_file_of_representations_is_of_one_of_the_papers_trainings():
    assert {run_.family.path for run_ in SHIPPED} == set((ROOT / "representations").iterdir())
    assert all(run_.family.seeds == tuple(range(20)) for run_ in SHIPPED)
    assert 20 * len(SHIPPED) >= 340


@pytest.mark.parametrize("run_", SHIPPED, ids=lambda run_: run_.name.family)
def test_the_shipped_representations_give_the_shipped_results(run_):
    tensors = load_file(run_.family.path)
    assert (tensors["embeddings"].dtype, tuple(tensors["embeddings"].shape)) == (torch.float32, (20, 2000, 2))
    assert tuple(tensors["unembeddings"].shape) == (20, run_.name.num_classes, 2)
    models = list(read_family(run_.family.path).values())[:3]
    d = read_distances(RESULTS, Measurement().file_name(run_))
    rows = [d.model_seeds.index(pair) for pair in ((0, 1), (0, 2), (1, 2))]
    measured = Distances.of([(0, 1), (0, 2), (1, 2)], Measurement().compare(models))
    assert d.drawn_sets == (200, 0)
    assert set(d.columns) == set(measured.columns)
    for name, values in measured.columns.items():
        np.testing.assert_allclose(d[name][rows], values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("shipped", "options"),
    [
        (["representations"], ["--widths=16"]),
        (["results.zip"], ["--labels=4,6", "--lengths=0"]),
        (["representations", "results.zip"], ["--labels=4,6", "--lengths=0"]),
    ],
)
def test_a_fresh_clone_has_nothing_to_train_of_what_is_shipped(tmp_path, monkeypatch, capsys, shipped, options):
    for name in shipped:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert run(make_app("closedist", COMMANDS), ["reproduce", "--dry-run", "--threads=1", *options]) == 0
    (total,) = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith(" all")]
    models, there, left = (int(cell) for cell in total[1:4])
    assert (there, left) == (models, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(shipped)


@pytest.mark.parametrize("labels", [4, 6])
@pytest.mark.parametrize("width", [16, 64])
def test_the_shipped_checkpoints_give_the_shipped_results(labels, width):
    (run_,) = synthetic_runs((labels,), (width,), (0,), 5, DATE)
    folders = Folders.under(ROOT)
    models = family_representations(run_, "test", folders, CPU)
    _, targets = load_split(run_.dataset, "test", folders.data)
    rows = read_accuracies(RESULTS, f"{DATE}_model_acc_test_SmallMLP_{width}_cls{labels}.json")
    recorded = {row.model_seed: row.accuracy for row in rows if (row.fix_g, row.fix_f) == (0, 0)}
    for seed, model in enumerate(models):
        assert abs(accuracy(model, targets) - recorded[seed]) <= 1 / len(targets)
    d = read_distances(RESULTS, Measurement().file_name(run_))
    by_pair = dict(zip(d.model_seeds, zip(d["kl"], d["label_term"], strict=True), strict=True))
    comparison = Measurement().compare(models[:2])[0]
    kl, label_term = by_pair[0, 1]
    assert comparison.kl == pytest.approx(kl, rel=1e-4)
    assert comparison.label_term == pytest.approx(label_term, rel=1e-4)


@pytest.mark.parametrize(
    ("plot_type", "options"),
    [
        ("d_LLV_train_synthetic", ["--num-classes=6", "--format=png"]),
        ("d_LLV_vs_width", ["--format=png"]),
        ("synthetic_data", ["--format=png"]),
        ("KL_table", []),
    ],
)
def test_a_fresh_clone_draws_at_once(tmp_path, plot_type, options):
    folders = (f"--results-folder={RESULTS}", f"--figures-folder={tmp_path}")
    assert run(make_app("closedist", COMMANDS), ["make-plot", f"--plot-type={plot_type}", *folders, *options]) == 0
    assert list(tmp_path.iterdir())


def test_every_setting_of_the_paper_has_its_figure_in_a_fresh_clone():
    figures = draw("d_LLV_train_synthetic", Sources(replace(Folders.under(ROOT), results=RESULTS))).figures
    lengths = ("", "_f_20", "_g_20", "_g_20_f_20")
    names = {f"d_LLV_train_synthetic_cls{labels}{length}" for labels in (4, 6, 10, 18) for length in lengths}
    assert names <= set(figures)
