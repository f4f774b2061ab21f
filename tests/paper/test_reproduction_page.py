"""docs/reproduction.md says what the shipped files give: every number, interval and verdict of it."""

import importlib.util
import json
import re
import shutil
import sys
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import stats

from closedist.comparison import COLUMNS
from closedist.paper.results.tables import Distances

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
import reproduction_tables  # noqa: E402
from reproduction import claims, tables  # noqa: E402
from reproduction.trainings import ARTANH, LOG, MEAN, Training, estimate, llv, mean_over_kept  # noqa: E402

PAGE = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")


def made_up(values, *, width=16, lengths="free", kept=range(6), labels=4, anew=True, dissimilarity=0.01):
    """A training of six seeds whose pairs have these d_LLV."""
    pairs = tuple(combinations(range(6), 2))
    columns = {
        "llv": np.broadcast_to(np.asarray(values, dtype=float), len(pairs)).copy(),
        "dissimilarity": np.full(len(pairs), dissimilarity),
        "bound": np.full(len(pairs), 0.5),
        "certificate": np.full(len(pairs), 0.02),
        "quadratic_bound": np.full(len(pairs), 0.03),
    }
    return Training(labels, lengths, width, Distances(pairs, columns), frozenset(kept), anew)


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page_is_what_the_script_makes_of_the_shipped_files():
    assert reproduction_tables.replaced(PAGE, reproduction_tables.blocks()) == PAGE


def test_no_measured_number_stands_outside_of_what_the_script_makes():
    written = PAGE.partition("\n## How long it takes")[0]
    for name in re.findall(r"<!-- /([\w-]+) -->", written):
        written = re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", "", written, flags=re.DOTALL)
    thresholds = {"0.9", "0.01", "0.1"}  # of the verdicts
    assert set(re.findall(r"\d+\.\d+", written.replace("torch 2.13.0", ""))) <= thresholds


def test_a_page_without_a_mark_is_refused():
    with pytest.raises(ValueError, match="bounds"):
        reproduction_tables.replaced(PAGE.replace("<!-- /bounds -->", ""), {"bounds": "text"})


def test_the_table_of_contents_has_every_section():
    sections = re.findall(r"^##+ (.+)$", PAGE, flags=re.MULTILINE)
    links = dict(re.findall(r"\[([^\]]+)\]\(#([\w-]+)\)", PAGE.partition("\n## ")[0]))
    assert set(links) == set(sections)
    assert all(anchor == re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title, anchor in links.items())


@pytest.mark.parametrize(("labels", "width"), [(4, 32), (10, 64)])
def test_the_means_are_those_of_the_result_files(labels, width):
    with zipfile.ZipFile(ROOT / "results.zip") as archive:
        names = archive.namelist()
        distances = json.loads(
            archive.read(next(n for n in names if n.endswith(f"05_SmallMLP_{width}_cls{labels}.json")))
        )
        accuracies = json.loads(
            archive.read(next(n for n in names if n.endswith(f"test_SmallMLP_{width}_cls{labels}.json")))
        )
    rows = zip(*(accuracies[key] for key in ("model_seed", "fix_g", "fix_f", "accuracy")), strict=True)
    good = {seed for seed, g, f, accuracy in rows if g == f == 0 and accuracy > 0.9}
    pairs = [tuple(map(int, pair.split("vs"))) for pair in distances["model_seeds"]]
    mean = np.mean([d for d, pair in zip(distances["distance"], pairs, strict=True) if good.issuperset(pair)])
    section = PAGE.partition(f"<!-- widths-{labels} -->")[2].partition("<!-- /")[0]
    (row,) = re.findall(rf"^\| free \| {width} \| (\d+) \| \d+ \| ([\d.]+) \[", section, flags=re.MULTILINE)
    assert row == (str(len(good)), f"{mean:.3g}")


# --- intervals -----------------------------------------------------------------------------------------------------


def test_the_interval_of_a_plain_mean_is_students():
    values = np.random.default_rng(0).normal(5, 1, 12)
    found = estimate(
        lambda without: float(np.delete(values, [] if without is None else without).mean()), range(12), MEAN
    )
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high))


@pytest.mark.parametrize(("scale", "back"), [(LOG, np.exp), (ARTANH, np.tanh)])
def test_on_another_scale_the_interval_is_taken_there_and_back(scale, back):
    values = np.random.default_rng(0).normal(0.2, 0.1, 12)
    found = estimate(
        lambda without: float(back(np.delete(values, [] if without is None else without).mean())), range(12), scale
    )
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((back(low), back(high)))


def test_means_over_pairs_leave_out_all_pairs_of_a_seed_and_inaccurate_models():
    rng = np.random.default_rng(1)
    table = {pair: rng.uniform(1, 2) for pair in combinations(range(6), 2)}
    found = mean_over_kept(made_up(list(table.values()), kept=range(5)), llv, MEAN)

    def mean(seeds):
        return np.mean([table[pair] for pair in combinations(seeds, 2)])

    without = [mean([seed for seed in range(5) if seed != out]) for out in range(5)]
    error = np.sqrt(4 / 5 * np.sum((without - np.mean(without)) ** 2))
    assert found.value == pytest.approx(mean(range(5)))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 4) * error)


# --- verdicts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [((3, 2, 1), "holds"), ((3, 1, 2), "holds in part"), ((1, 2, 3), "does not hold"), ((1, 1, 1.001), "open")],
)
def test_a_trend_s_verdict_is_of_the_ends_and_of_every_step(levels, verdict):
    noise = np.random.default_rng(2).normal(0, 0.01, 15)
    group = [made_up(level + noise, width=width) for level, width in zip(levels, (16, 32, 64), strict=True)]
    group[2] = made_up(levels[2] - noise, width=64)
    (trend,) = tables.trends_of(group, llv).values()
    assert trend.verdict == verdict


def test_widths_with_few_accurate_models_have_no_part_in_a_trend():
    few = made_up(9, width=32, kept=range(4))
    (trend,) = tables.trends_of([made_up(3), few, made_up(1, width=64)], llv).values()
    assert [t.width for t in trend.trainings] == [16, 64]
    assert tables.trends_of([made_up(3), few], llv) == {}


def test_a_bound_that_is_crossed_is_counted_and_its_claim_does_not_hold():
    sound, broken = made_up(1), made_up(1, dissimilarity=0.6)
    earlier = made_up(1, dissimilarity=0.6, anew=False)
    assert "| all | all | 40 | 30 | 15, 15, 15 | 30, 30, 30 |" in tables.bounds([sound, broken, earlier])
    assert claims._bound([sound, earlier]).verdict == "holds"
    row = claims._bound([sound, broken])
    assert "crossed by 15 of 30" in row.ours
    assert row.verdict == "does not hold"
    assert claims._bound([earlier]).verdict == "open"


def test_the_coverage_counts_representations_and_results_apart():
    text = tables.coverage([made_up(1), made_up(1, width=32, anew=False)])
    assert "**40 of the 1,600 models**" in text
    assert "| 4 | free | R | r | – | – | – |" in text


def test_other_numbers_of_accurate_models_than_the_paper_s_are_told():
    assert claims._accurate_models([made_up(1, kept=range(19))]).verdict == "holds"
    assert claims._accurate_models([made_up(1, kept=range(18))]).verdict == "does not hold"
    assert claims._accurate_models([made_up(1, kept=range(19)), made_up(1, width=32)]).verdict == "holds in part"


# --- results.zip ---------------------------------------------------------------------------------------------------


def load_make_results():
    spec = importlib.util.spec_from_file_location("make_results", ROOT / "docs" / "make_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(archive):
    with zipfile.ZipFile(archive) as file:
        return {name: json.loads(file.read(name)) for name in file.namelist()}


def test_results_are_made_of_the_representations_that_are_there_and_all_others_stay(tmp_path):
    make_results = load_make_results().make_results
    archive, folder = tmp_path / "results.zip", tmp_path / "representations"
    shutil.copy(ROOT / "results.zip", archive)
    folder.mkdir()
    (shipped,) = (ROOT / "representations").glob("*_SmallMLP_g_20_16_cls4.safetensors")
    tensors = load_file(shipped)
    tensors["embeddings"][3] += torch.randn(tensors["embeddings"][3].shape, generator=torch.Generator().manual_seed(0))
    save_file(tensors, folder / shipped.name)
    before = contents(archive)
    measured, kept = make_results(archive, folder)
    after = contents(archive)
    trainings = sum("SmallMLP" in name and "_distances_" in name for name in before)
    assert (measured, kept) == (1, trainings - 1)
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    accuracies = f"{load_make_results().DATE}_model_acc_test_SmallMLP_16_cls4.json"
    distances = f"{load_make_results().DATE}_model_distances_test_maxmax_w1e-05_SmallMLP_g_20_16_cls4.json"
    assert changed == {accuracies, distances}
    for pair, now, then in zip(
        *(after[distances]["model_seeds"], *(of[distances]["distance"] for of in (after, before))), strict=True
    ):
        assert (now == pytest.approx(then, rel=1e-6)) == ("3" not in pair.split("vs"))
    rows = zip(*(after[accuracies][key] for key in ("model_seed", "fix_g", "fix_f")), strict=True)
    moved = [a != b for a, b in zip(after[accuracies]["accuracy"], before[accuracies]["accuracy"], strict=True)]
    assert [row for row, other in zip(rows, moved, strict=True) if other] == [(3, 20.0, 0.0)]
    assert {column.key for column in COLUMNS if column.key} <= after[distances].keys()
    first = archive.read_bytes()
    make_results(archive, folder)
    assert archive.read_bytes() == first
