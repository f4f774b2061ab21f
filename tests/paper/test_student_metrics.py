"""Metrics of distilled models are read under names that say what they are, ours and the published code's."""

import json
import zipfile

import pytest

from closedist import InputError
from closedist.paper.results.archive import open_results
from closedist.paper.results.student_metrics import parse_name, read_metrics

NAME = "synthetic-standard-logitdistill-l1-mlp-tseed400-epoch249-seed40"
PUBLISHED = {
    "epoch_num": [49, 99],
    "loss": [1.0, 0.5],
    **{
        split: {
            "acc": [0.5, 0.9],
            "f1": [0.5, 0.9],
            "acc_to_teacher": [0.5, 0.9],
            "kl_to_teacher": [0.4, 0.1],
            "m_cca": [0.8, 0.9],
            "cca": [0.7, 0.8],
            "d_rep": [0.2, 0.02],
            "d_LLD": [25.0, 4.0],
        }
        for split in ("train", "test")
    },
}


def write(folder, content, name=NAME):
    (folder / f"metrics-{name}.json").write_text(json.dumps(content))
    return open_results(folder)


def test_published_files_load_and_their_d_rep_is_what_it_should_have_been(tmp_path):
    (found,) = read_metrics(write(tmp_path, PUBLISHED))
    assert found.published
    assert found.epochs == (49, 99)
    assert found.test["d_rep_squared_uniform"] == pytest.approx((0.2 * 105, 0.02 * 105))
    assert "d_rep" not in found.test
    assert found.test["d_logit"] == (5.0, 2.0)
    assert found.test["cca"] == (0.7, 0.8)  # an R², kept under its own name
    assert (found.name.loss, found.name.teacher, found.name.seed) == ("l1-raw", 400, 40)


@pytest.mark.parametrize(("data", "choices"), [("sub", 33 * 250), ("cifar100", 100 * 200)])
def test_the_number_of_choices_is_the_data_set_s(tmp_path, data, choices):
    (found,) = read_metrics(write(tmp_path, PUBLISHED, NAME.replace("synthetic", data)))
    assert found.test["d_rep_squared_uniform"] == pytest.approx((0.2 * choices, 0.02 * choices))


def test_our_files_keep_their_own_d_rep(tmp_path):
    (found,) = read_metrics(write(tmp_path, {**PUBLISHED, "configuration": "0123"}))
    assert not found.published
    assert found.test["d_rep"] == (0.2, 0.02)
    assert found.name.loss == "l1"


def test_an_archive_is_read_as_a_folder_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as archive:
        archive.writestr(f"runs/metrics-{NAME}.json", json.dumps(PUBLISHED))
    assert read_metrics(open_results(tmp_path / "results.zip"))[0].name.text == NAME


@pytest.mark.parametrize(
    ("text", "loss", "teacher", "dimension"),
    [
        ("synthetic-standard-kldistill-mlp-tseed400-epoch249-seed40", "kl", 400, 2),
        ("cifar100-standard-logitdistill-l2-resnet18-50-tseed0-epoch49-seed3", "l2-raw", 0, 50),
        ("sub-standard-cbm-mlp-10-epoch499-seed400", None, None, 10),
        ("synthetic-interpolation-finetuned-kldistill-mlp-tseed400-epoch249-seed40", "kl", 400, 2),
        ("synthetic-standard-classifier-epoch499-seed400", None, None, 2),
    ],
)
def test_names_say_what_a_model_is(text, loss, teacher, dimension):
    name = parse_name(text, published=True)
    assert (name.loss, name.teacher, name.dimension) == (loss, teacher, dimension)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch_num": "all"}, "epoch_num"),
        ({"epoch_num": [49]}, "test, acc: 1 numbers|train, acc: 1 numbers"),
        ({"test": {"acc": [0.5, None]}}, "test, acc: an entry is no finite number"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        read_metrics(write(tmp_path, {**PUBLISHED, **change}))


def test_what_is_missing_or_unknown_is_said(tmp_path):
    with pytest.raises(InputError, match="has no metrics-"):
        read_metrics(open_results(tmp_path))
    with pytest.raises(InputError, match="known of synthetic, sub, cifar100 only"):
        read_metrics(write(tmp_path, PUBLISHED, NAME.replace("synthetic", "birds")))
    with pytest.raises(InputError, match="is no name of a distilled model"):
        parse_name("notes", published=True)
