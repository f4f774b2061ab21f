"""Configs: the paper's files are read and ours equal them; a mistake is named with its file, key and remedy."""

import json
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

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("num_classes", [4, 6, 10, 18])
def test_the_shipped_radial_configs_are_the_ones_that_reproduce_uses(num_classes):
    dataset = read_config(CONFIGS / f"radial_classification_20000_0_cls{num_classes}.json", DatasetConfig)
    models = read_config(CONFIGS / f"model_variations_config_{num_classes}_classes.json", ModelVariationsConfig)
    assert dataset == paper_dataset(num_classes)
    assert models == paper_models(num_classes)
    assert models.random_seeds == tuple(range(20))


@pytest.mark.parametrize("rep_dim", [2, 3, 5])
def test_the_shipped_image_configs_are_the_ones_that_reproduce_uses(rep_dim):
    path = CONFIGS / f"model_variations_config_resnetcifar10_128_fd{rep_dim}.json"
    assert read_config(path, ModelVariationsConfig) == paper_image_models(rep_dim)
    assert read_config(CONFIGS / "cifar10_0_cls10.json", DatasetConfig) == paper_images()
    training = read_config(CONFIGS / "cifar10_0_32_ADAM_0_0001_20000steps.json", TrainConfig)
    assert training == paper_image_training()


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
