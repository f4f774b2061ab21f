"""What the repository ships: results in which every bound holds, and checkpoints that give those results again."""

from pathlib import Path

import numpy as np
import pytest

from closedist.cli import COMMANDS, make_app, run
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement
from closedist.paper.plan import synthetic_runs
from closedist.paper.registry import load_split
from closedist.paper.results.archive import open_results
from closedist.paper.results.tables import read_accuracies, read_distances
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


@pytest.mark.parametrize("plot_type", ["d_LLV_train_synthetic", "d_LLV_vs_width", "synthetic_data", "KL_table"])
def test_a_fresh_clone_draws_at_once(tmp_path, plot_type):
    folders = (f"--results-folder={RESULTS}", f"--figures-folder={tmp_path}")
    plot = ["make-plot", f"--plot-type={plot_type}", *folders, *([] if plot_type == "KL_table" else ["--format=png"])]
    assert run(make_app("closedist", COMMANDS), plot) == 0
    assert list(tmp_path.iterdir())
