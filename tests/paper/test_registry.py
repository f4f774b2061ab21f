"""Data sets and networks are rows of registries: rows fit together, and what no row has is refused by name."""

import json
import re
from pathlib import Path

import pytest
import torch

from closedist.errors import InputError
from closedist.paper.config import (
    CIFAR10,
    IMAGE_DIMENSIONS,
    PAPERS,
    RADIAL,
    DatasetConfig,
    ModelVariationsConfig,
    TrainConfig,
    paper_dataset,
    paper_models,
    paper_training,
    read_config,
)
from closedist.paper.models.classifier import build_classifier
from closedist.paper.models.inputs import as_network_input
from closedist.paper.models.networks import NETWORKS
from closedist.paper.registry import DATA_SETS, DataSet, load_split
from closedist.paper.runs import training_runs

PACKAGE = Path(__file__).resolve().parents[2] / "closedist"


@pytest.mark.parametrize("row", DATA_SETS.values(), ids=DATA_SETS)
def test_every_network_of_a_data_set_takes_its_inputs(row: DataSet) -> None:
    kind = torch.uint8 if row.images else torch.float32
    inputs = as_network_input(torch.ones(1, *row.input_shape, dtype=kind))
    for model_type in row.networks:
        model = build_classifier(
            model_type,
            input_shape=row.input_shape,
            num_classes=4,
            num_features=4,
            rep_dim=3,
            nonlinearity="relu",
            fix_length_f=0,
            fix_length_g=0,
            seed=0,
        )
        assert model.eval().embed(inputs).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "num_classes", "rep_dim"), [(RADIAL, 4, 2), (RADIAL, 18, 2), *((CIFAR10, 10, d) for d in IMAGE_DIMENSIONS)]
)
def test_the_default_configs_of_a_data_set_are_there_and_are_its_own(name: str, num_classes: int, rep_dim: int) -> None:
    for model_type in DATA_SETS[name].networks:
        names = DATA_SETS[name].config_names(
            num_classes=num_classes, suffix="", network=model_type.lower(), rep_dim=rep_dim
        )
        dataset = read_config(PAPERS / names[0], DatasetConfig)
        models = read_config(PAPERS / names[1], ModelVariationsConfig)
        assert (dataset.dataset_name, dataset.num_classes) == (name, num_classes)
        assert (models.model_type, models.num_classes, models.rep_dim) == (model_type, num_classes, rep_dim)
        assert read_config(PAPERS / names[2], TrainConfig).dataset_name == name


def test_a_data_set_that_no_row_has_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    unknown = paper_dataset(4).model_copy(update={"dataset_name": "cifar100"})
    training = paper_training().model_copy(update={"dataset_name": "cifar100"})
    with pytest.raises(InputError, match=rf"'cifar100', and there are {RADIAL}, {CIFAR10}: correct it"):
        load_split(unknown, "train", tmp_path)
    with pytest.raises(InputError, match="'cifar100'"):
        next(training_runs(unknown, paper_models(4), training, "day"))


@pytest.mark.parametrize("model_type", ["ResNetCIFAR10", "Perceptron"])
def test_a_network_that_a_data_set_does_not_have_is_refused_with_those_that_it_has(model_type: str) -> None:
    models = paper_models(4).model_copy(update={"model_type": model_type})
    with pytest.raises(InputError, match=rf"{model_type} cannot be trained on {RADIAL}.*\(SmallMLP\)"):
        next(training_runs(paper_dataset(4), models, paper_training(), "day"))


@pytest.mark.parametrize("name", ["../cifar10", "", "cifar 10", "a\n", 41 * "a"])
def test_a_name_that_could_not_be_part_of_a_files_name_is_refused_with_its_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(paper_dataset(4).model_dump() | {"dataset_name": name}))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: dataset_name: "):
        read_config(path, DatasetConfig)


def test_every_network_is_one_of_a_data_set_and_the_other_way_round() -> None:
    assert {model_type for row in DATA_SETS.values() for model_type in row.networks} == set(NETWORKS)


def test_every_kind_of_result_is_written_in_one_place() -> None:
    sources = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    copies = "paper/shipped.py"  # of results that are there
    for kind, home in (
        ("distances", "paper/measurements.py"),
        ("accuracies", "paper/measurements.py"),
        ("mcca", "paper/measurements.py"),
        ("losses", "paper/result_files.py"),  # without torch, since a figure asks for them too
    ):
        writes = re.compile(rf"\bwrite_{kind}\(")
        assert {path for path, text in sources.items() if writes.search(text)} - {copies} == {
            "paper/results/tables.py",
            home,
        }
