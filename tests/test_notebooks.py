"""The notebooks run from top to bottom, show no error, and say what their text says of the numbers."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from notebooks.execute import execute

FOLDER = Path(__file__).parents[1] / "notebooks"
pytest.importorskip("sklearn", reason="two of the notebooks read scikit-learn's digits")


def run(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names that a notebook leaves, and the notebook as it came out."""
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    executed = copy.deepcopy(notebook)
    names = execute(executed)
    for before, after in zip(notebook["cells"], executed["cells"], strict=True):
        kinds = [[output["output_type"] for output in cell.get("outputs", [])] for cell in (before, after)]
        assert kinds[0] == kinds[1], "".join(before["source"])  # what is kept is of these cells
    return names, executed


def test_every_notebook_is_kept_with_its_outputs_and_without_errors() -> None:
    found = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    assert found == ["a_sweep_of_seeds", "language_model_and_copies", "two_classifiers"]
    for name in found:
        cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        assert not [out for cell in code for out in cell["outputs"] if out["output_type"] == "error"]


def test_two_classifiers_are_equally_good_and_not_the_same() -> None:
    names, _ = run("two_classifiers")
    assert all(accuracy > 0.94 for accuracy in names["accuracies"])
    assert names["c"].same_top_label > 0.94
    assert names["c"].verdict().kind == "not the same"
    assert names["c"].logit_correlation == pytest.approx(0.84, abs=0.05)
    regression_network, _, networks = names["comparisons"]
    assert networks.kl < regression_network.kl  # by KL the second network is nearer
    assert networks.logit_correlation < regression_network.logit_correlation + 0.1  # by correlation hardly


def test_a_copy_of_8_bits_is_the_model_and_a_pruned_one_is_not() -> None:
    pytest.importorskip("transformers")
    names, _ = run("language_model_and_copies")
    of = dict(zip(list(names["extracted"])[1:], names["comparisons"], strict=True))
    assert of["8 bits"].verdict().kind == "same"
    assert of["8 bits"].kl < 1e-3
    assert of["half pruned"].verdict().kind == "not the same"
    assert of["another seed"].verdict().kind == "not the same"
    assert of["another seed"].kl < of["half pruned"].kl
    assert of["another seed"].mean_cca_embeddings < of["half pruned"].mean_cca_embeddings


def test_wide_networks_are_nearer_by_kl_and_by_their_embeddings() -> None:
    names, executed = run("a_sweep_of_seeds")
    assert all(accuracy > 0.9 for accuracy in names["accuracies"].values())
    narrow, wide = names["medians"][16], names["medians"][256]
    assert wide["kl"] < narrow["kl"]
    assert wide["mean_cca_embeddings"] > narrow["mean_cca_embeddings"]
    assert wide["logit_correlation"] < narrow["logit_correlation"] + 0.05
    pictures = [
        out["data"].get("image/png") for cell in executed["cells"] for out in cell.get("outputs", ()) if "data" in out
    ]
    assert any(pictures)


def test_an_error_in_a_cell_is_an_error_of_the_test() -> None:
    cell = {"cell_type": "code", "source": ["1 / 0"]}
    with pytest.raises(ZeroDivisionError):
        execute({"cells": [cell]})
