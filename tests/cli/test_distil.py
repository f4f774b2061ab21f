"""closedist distil from outside: what it says, what it writes, and what it refuses."""

import json

import pytest
import torch

from closedist.cli import COMMANDS, make_app, run


def closedist(*arguments):
    return run(make_app("closedist", COMMANDS), list(arguments))


def test_students_are_trained_scored_and_found_again(tmp_path, capsys):
    options = ["distil", "--data=digits", "--teachers=1", "--students=1", "--loss=kl,l2", "--epochs=1", "--widths=8,8"]
    assert closedist(*options, "-o", str(tmp_path)) == 0
    first = capsys.readouterr().out
    assert "2 students" in first
    assert "relative d_rep" in first
    assert "concept, fitted probe" in first
    assert "at KL" in first
    assert max(map(len, first.replace(str(tmp_path), "f").splitlines())) <= 120
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert closedist(*options, "-o", str(tmp_path)) == 0
    assert capsys.readouterr().out == first
    assert written == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_a_baseline_learns_from_labels_and_students_may_be_smaller(tmp_path, capsys):
    options = ["--teachers=1", "--students=2", "--loss=l2,labels", "--epochs=2", "--widths=8", "--dimension=2"]
    assert closedist("distil", "--data=digits", *options, "-o", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "labels" in out
    assert "at KL" not in out  # one loss of distillation has nothing to be compared with
    names = {path.name for path in tmp_path.glob("*.pt")}
    assert "digits-standard-classifier-mlp-tseed400-epoch1-seed40.pt" in names  # dimension 2 is not in a name
    assert "digits-standard-logitdistill-l2-mlp-tseed400-epoch1-seed41.pt" in names


def test_weights_are_kept_and_scores_written_at_the_epochs_asked_for(tmp_path, capsys):
    options = [
        "--teachers=1",
        "--students=1",
        "--loss=l2",
        "--epochs=4",
        "--widths=8",
        "--evaluate-every=2",
        "--keep=2",
    ]
    assert closedist("distil", "--data=digits", *options, "-o", str(tmp_path)) == 0
    name = "digits-standard-logitdistill-l2-mlp-5-tseed400-epoch{}-seed40"
    early, late = (torch.load(tmp_path / f"{name.format(epoch)}.pt", weights_only=True) for epoch in (1, 3))
    assert early.keys() == late.keys()
    assert not torch.equal(early["linear.weight"], late["linear.weight"])
    assert json.loads((tmp_path / f"metrics-{name.format(3)}.json").read_text())["epoch_num"] == [1, 3]
    assert not (tmp_path / f"metrics-{name.format(1)}.json").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--loss=mse", "--loss: 'mse'"),
        ("--loss=kl,kl", "twice"),
        ("--temperature=0", "temperature"),
        ("--label-share=1", "label-share"),
        ("--widths=8,x", "'8,x' is not a list of numbers"),
        ("--widths=0", "--widths"),
        ("--keep=7", "--keep: no evaluation after 7 epochs; they are every 5"),
        ("--keep=155", "--keep: no evaluation after 155 epochs"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path, capsys, option, said):
    assert closedist("distil", "--data=digits", option, "-o", str(tmp_path)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "there").write_text("")
    assert closedist("distil", "--data=digits", "-o", str(tmp_path / "there")) == 2
    assert "is a file" in capsys.readouterr().err
