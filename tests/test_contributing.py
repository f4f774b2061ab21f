"""CONTRIBUTING.md says where new things go; here some are put there, in a copy of the package, and show everywhere."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Contribution:
    """A copy of the package that a contributor changes; every file touched has to be one that CONTRIBUTING.md names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "closedist", folder / "closedist", ignore=shutil.ignore_patterns("__pycache__"))
        self.doors = (ROOT / "CONTRIBUTING.md").read_text()

    def write(self, door: str, name: str, text: str) -> None:
        """A new file where ``door``, as ``measures/NAME.py``, says."""
        assert f"`{door}`" in self.doors
        (self.folder / "closedist" / door.replace("NAME", name)).write_text(text)

    def insert(self, door: str, before: str, text: str) -> None:
        """Lines into a file that is there, before a line that occurs once."""
        assert f"`{door}`" in self.doors
        path = self.folder / "closedist" / door
        content = path.read_text()
        assert content.count(before) == 1
        path.write_text(content.replace(before, text + before))

    def run(self, code: str) -> Any:
        """What the changed package prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def contribution(tmp_path: Path) -> Contribution:
    return Contribution(tmp_path)


TOY_DATA = '''"""Points of space, labelled by their largest coordinate."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from closedist.paper.config import DatasetConfig


def load_toy(config: DatasetConfig, split: str, folder: Path) -> tuple[Tensor, Tensor]:
    """(n, 3) float32 points and their labels."""
    points = np.random.default_rng(config.random_seed + (split == "test")).normal(size=(config.num_points, 3))
    return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(points.argmax(1))
'''
TOY_DATA_SET = """        DataSet(
            "toy_points", load=lambda *given: _of("toy").load_toy(*given), input_shape=(3,), networks=("SmallMLP",)
        ),
"""
TRAIN_TOY = """
import contextlib, json, sys
from pathlib import Path
from closedist.cli import COMMANDS, make_app, run

models = {"random_seeds": [0, 1], "model_type": "SmallMLP", "nonlinearity": "relu", "num_classes": 3,
          "num_features": [4], "rep_dim": 2, "fix_length_gs": [0], "fix_length_fs": [0]}
data = {"random_seed": 0, "dataset_name": "toy_points", "num_points": 200, "num_classes": 3}
training = {"dataset_name": "toy_points", "random_seed": 0, "batch_size": 20, "train_steps": 30,
            "learning_rate": 0.01, "optimizer_type": "ADAM"}
options = []
for option, config in {"dataset": data, "model-var": models, "train": training}.items():
    Path(f"{option}.json").write_text(json.dumps(config))
    options.append(f"--{option}-config={option}.json")
options.append("--date-str=day")
measured = [*options, "--layer-size=4", "--num-classes=3"]
with contextlib.redirect_stdout(sys.stderr):
    codes = [run(make_app("closedist", COMMANDS), list(command)) for command in (
        ["train-variations", *options, "--train-epochs=4"],
        ["train-variations", *options],
        ["get-distances", *measured, "--dist-type=max"],
        ["get-accuracies", *measured],
        ["cal-mcca", *options, "--final-dim=2"],
    )]
print(json.dumps({
    "codes": codes,
    "trained": sorted(path.name for path in Path("checkpoints").glob("daytrained*")),
    "results": {path.name: json.loads(path.read_text()) for path in Path("results").iterdir()},
}))
"""


def test_a_new_data_set_is_its_file_and_its_row(contribution: Contribution) -> None:
    contribution.write("paper/data/NAME.py", "toy", TOY_DATA)
    door = "paper/registry.py"
    contribution.insert(door, "        DataSet(\n            CIFAR10,", TOY_DATA_SET)
    done = contribution.run(TRAIN_TOY)
    assert done["codes"] == [0] * 5
    model = "daytrained_toy_points_SmallMLP_classes3_seed{}_features4_fd2_data200_lr0_01_steps{}"
    assert done["trained"] == sorted(model.format(seed, steps) for seed in (0, 1) for steps in (30, 40))
    distances, accuracies, correlations = (
        "day_model_distances_test_max_w1_0_SmallMLP_4_cls3_toy_points.json",
        "day_model_acc_test_SmallMLP_4_cls3_toy_points.json",
        "mcca_cifar_fd2_SmallMLP_30_toy_points.json",
    )
    assert set(done["results"]) == {distances, accuracies, correlations}
    assert done["results"][distances]["model_seeds"] == ["0vs1"]
    assert min(done["results"][accuracies]["accuracy"]) > 0.5  # it has learned these labels


TOY_FIGURE = '''"""A figure of nothing but its label counts."""

from collections.abc import Mapping

from closedist.paper.figures.plots import Plots
from closedist.page.style import new_figure


def make_toy(data: Mapping[int, object]) -> Plots:
    """An empty figure a label count."""
    return Plots({f"toy_cls{count}": new_figure(1, 1) for count in data}, [f"{len(data)} label counts"])
'''
TOY_FIGURE_ROW = """        PaperFigure("toy_figure", "points", "toy:make_toy", "nothing"),
"""
DRAW_TOY = """
import contextlib, io, json
from pathlib import Path
from closedist.cli import COMMANDS, make_app, run

said = io.StringIO()
with contextlib.redirect_stdout(said):
    code = run(make_app("closedist", COMMANDS), ["make-plot", "--plot-type=toy_figure", "--format=png"])
    help = run(make_app("closedist", COMMANDS), ["make-plot", "--help"])
print(json.dumps({"code": code, "said": said.getvalue(), "help": help}))
"""


def test_a_new_figure_is_its_file_and_its_row(contribution: Contribution) -> None:
    contribution.write("paper/figures/NAME.py", "toy", TOY_FIGURE)
    contribution.insert("paper/figures/registry.py", '        PaperFigure(\n            "KL_table"', TOY_FIGURE_ROW)
    done = contribution.run(DRAW_TOY)
    assert (done["code"], done["help"]) == (0, 0)
    drawn, options = done["said"].split("figures/toy_cls6.png\n")
    assert drawn == "1 label counts\n"
    assert "toy_figure" in options


TOY_MEASURE = '''"""How much more one model's embeddings are stretched along their first coordinate than the other's."""

from torch import Tensor


def stretch_ratios(vectors: Tensor, pairs: Tensor) -> Tensor:
    """(P,) ratios, at least 1, from the (r, M) root factors of n models."""
    spread = vectors.norm(dim=-2)
    stretch = (spread[:, 0] / spread[:, -1])[pairs]
    return stretch.amax(-1) / stretch.amin(-1)
'''
ROW = """    stretch: Annotated[float, Column("stretch", "of the embeddings", "toy_stretch", REPRESENTATION, low=1)]
"""
LINE = """        "stretch": stretch_ratios(measured.over_inputs.vectors, pairs),
"""
USE = """
import json, tempfile
from pathlib import Path
import numpy as np
import closedist
from closedist.comparison import COLUMNS, as_dict
from closedist.paper.results.tables import read_distances, write_distances

def model(scale):
    draw = np.random.default_rng(0).normal
    return closedist.Representations(draw(size=(40, 2)) * [scale, 1], draw(size=(5, 2)))

comparisons = closedist.compare_all([model(1), model(2), model(8)], num_samples=5)
folder = Path(tempfile.mkdtemp())
write_distances(folder / "d.json", [(0, 1), (0, 2), (1, 2)], comparisons)
print(json.dumps({
    "package": closedist.__file__,
    "field": [c.stretch for c in comparisons],
    "documented": closedist.Comparison.__doc__,
    "table": str(comparisons[0]),
    "json": as_dict(comparisons[1]),
    "file": json.loads((folder / "d.json").read_text()),
    "read": read_distances(folder, "d.json")["stretch"].tolist(),
    "row": [c.title for c in COLUMNS if c.name == "stretch"],
}))
"""


def test_a_new_measure_is_its_file_its_row_and_the_line_that_computes_it(contribution: Contribution) -> None:
    contribution.write("measures/NAME.py", "stretch", TOY_MEASURE)
    contribution.insert("comparison/record.py", "    m_svd_embeddings: ", ROW)
    contribution.insert(
        "pairs/whole.py", "from closedist.measures.stack", "from closedist.measures.stretch import stretch_ratios\n"
    )
    contribution.insert("pairs/whole.py", '        "cka_embeddings": ', LINE)
    shown = contribution.run(USE)
    assert shown["package"].startswith(str(contribution.folder))
    assert shown["field"] == shown["read"] == shown["file"]["toy_stretch"] == pytest.approx([2, 8, 4])
    assert "    stretch: of the embeddings" in shown["documented"]
    assert "\n  stretch                         2.0000\n" in shown["table"]
    assert shown["json"]["stretch"] == pytest.approx(8)
    assert shown["row"] == ["stretch"]


def test_a_number_that_is_computed_without_a_row_is_refused(contribution: Contribution) -> None:
    contribution.insert(
        "pairs/whole.py",
        '        "cka_embeddings": ',
        LINE.replace("stretch_ratios(measured.over_inputs.vectors, pairs)", "pairs[:, 0]"),
    )
    with pytest.raises(AssertionError, match=r"TypeError.*'stretch'"):
        contribution.run(USE)
