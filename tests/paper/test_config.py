"""Configs: the paper's files are read and ours equal them; a mistake is named with its file, key and remedy."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from closedist.errors import InputError
from closedist.paper.config import (
    DatasetConfig,
    ModelVariationsConfig,
    TrainConfig,
    paper_dataset,
    paper_image_models,
    paper_image_training,
    paper_images,
    paper_models,
    paper_training,
    read_config,
)
from tests.small import contents

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("num_classes", [4, 6, 10, 18])
def test_the_shipped_radial_configs_are_the_ones_that_reproduce_uses_for_any_number_of_labels(num_classes):
    dataset = read_config(CONFIGS / f"radial_classification_20000_0_cls{num_classes}.json", DatasetConfig)
    models = read_config(CONFIGS / f"model_variations_config_{num_classes}_classes.json", ModelVariationsConfig)
    assert dataset == paper_dataset(num_classes)
    assert models == paper_models(num_classes)
    assert (models.random_seeds, models.num_features) == (tuple(range(20)), (16, 32, 64, 128, 256))
    assert (models.fix_length_fs, models.fix_length_gs, models.rep_dim) == ((0, 20), (0, 20), 2)
    assert (dataset.num_points, dataset.equal_weighting_classes) == (20_000, False)


@pytest.mark.parametrize("rep_dim", [2, 3, 5])
def test_the_shipped_image_configs_are_the_papers(rep_dim):
    models = paper_image_models(rep_dim)
    assert (models.model_type, models.rep_dim, models.num_features) == ("ResNetCIFAR10", rep_dim, (128,))
    assert (models.random_seeds, models.num_classes) == (tuple(range(10)), 10)
    assert (models.fix_length_fs, models.fix_length_gs) == ((0,), (0,))
    assert (paper_images().dataset_name, paper_images().num_points) == ("cifar10", 50_000)


def test_the_shipped_trainings_are_the_papers():
    for training, batch, steps in ((paper_training(), 128, 15_000), (paper_image_training(), 32, 20_000)):
        assert (training.batch_size, training.train_steps, training.learning_rate) == (batch, steps, 1e-4)
        assert (training.optimizer_type, training.weight_decay, training.random_seed) == ("ADAM", 0, 0)


@pytest.mark.slow
def test_a_wheel_has_the_configs_of_the_repository(tmp_path):
    source = tmp_path / "source"  # what is built leaves files beside it
    for folder in ("closedist", "configs"):
        shutil.copytree(CONFIGS.parent / folder, source / folder, symlinks=True)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CONFIGS.parent / file, source)
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={tmp_path}", source]
    subprocess.run([sys.executable, "-m", *command], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.Path(wheel) / "closedist" / "paper" / "configs"
    assert {path.name: path.read_bytes() for path in files.iterdir()} == contents(CONFIGS)


def test_the_published_configs_are_read(shared):
    folder = shared / "golden" / "trajectory"
    assert read_config(folder / "train_314_steps.json", TrainConfig).train_steps == 314
    assert read_config(folder / "model_variations.json", ModelVariationsConfig).fix_length_gs == (0, 20)
    assert read_config(folder / "radial_classification_20000_0_cls4.json", DatasetConfig) == paper_dataset(4)


VALID = json.loads((CONFIGS / "radial_classification_0_128_ADAM_0_0001.json").read_text())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rat": 0.1}, "learning_rat"),
        ({"batch_size": 0}, "batch_size"),
        ({"train_steps": "many"}, "train_steps"),
        ({"train_steps": 1e3}, "train_steps"),
        ({"optimizer_type": "LION"}, "optimizer_type"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": True}, "learning_rate"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_file(tmp_path, change, named):
    path = tmp_path / "training.json"
    path.write_text(json.dumps(VALID | change))
    with pytest.raises(InputError, match=named) as error:
        read_config(path, TrainConfig)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named(tmp_path):
    path = tmp_path / "training.json"
    path.write_text(json.dumps({key: value for key, value in VALID.items() if key != "batch_size"}))
    with pytest.raises(InputError, match="'batch_size' is missing"):
        read_config(path, TrainConfig)


def test_a_seed_named_twice_is_refused(tmp_path):
    path = tmp_path / "models.json"
    path.write_text(json.dumps(paper_models(4).model_dump() | {"random_seeds": [0, 1, 1]}))
    with pytest.raises(InputError, match="random_seeds names a value twice"):
        read_config(path, ModelVariationsConfig)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"batch_size": 1, "batch_size": 2}', "occurs twice"),
        ('{"batch_size": NaN}', "NaN"),
        ("[1, 2]", "not an object"),
        ("{", "not valid JSON"),
        ("\xff\xfe", "not"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_file_that_is_no_config_is_refused_in_one_line(tmp_path, text, complaint):
    path = tmp_path / "training.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=complaint):
        read_config(path, TrainConfig)


def test_the_digest_tells_configurations_apart():
    assert paper_training().digest == paper_training().digest
    assert paper_training().digest != paper_training().model_copy(update={"batch_size": 64}).digest
