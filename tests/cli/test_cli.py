"""The command line from outside: the paper's commands letter for letter, and one line for every mistake."""

import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from closedist.cli import COMMANDS, PAPER_COMMANDS, make_app, run
from closedist.cli.paper_options import PAPER_OPTIONS
from closedist.paper.checkpoint import write_weights
from closedist.paper.config import DatasetConfig, read_config
from closedist.paper.data.radial import radial_split
from tests.small import contents, small_dataset, small_family, small_run, small_training

ROOT = Path(__file__).resolve().parents[2]
DISTANCES = ("--dist-type=max", "--weight=0.00001", "--sum-or-max=max", "--num-samples=20")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the three configs of a small family, trained."""
    folder = tmp_path_factory.mktemp("trained")
    configs = folder / "configs"
    configs.mkdir()
    for name, config in {
        "radial_classification_20000_0_cls4.json": small_dataset(),
        "model_variations_config_4_classes.json": small_family((0, 1, 2), (8,)),
        "radial_classification_0_128_ADAM_0_0001.json": small_training(60),
    }.items():
        (configs / name).write_text(json.dumps(config.model_dump()))
    with contextlib.chdir(folder):
        assert closedist(*TRAIN) == 0
    return folder


@pytest.fixture
def project(trained, tmp_path, monkeypatch):
    """A working directory of the test's own with the small family in it."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRAIN = (
    "train-variations",
    "--dataset-config=radial_classification_20000_0_cls4.json",
    "--model-var-config=configs/model_variations_config_4_classes.json",
    "--train-config",
    "configs/radial_classification_0_128_ADAM_0_0001.json",
    "--date-str=day",
)


def closedist(*tokens):
    return run(make_app("closedist", COMMANDS), list(tokens))


def paper(*tokens):
    return run(make_app("run.py", PAPER_COMMANDS), list(tokens))


def test_the_papers_commands_train_and_measure_in_any_order_of_options(project, capsys):
    assert paper("get-distances", *DISTANCES, "--num-classes", "4", "--layer-size=8", "--date-str", "day") == 0
    assert paper("get-accuracies", "--date-str=day", "--layer-size=8", "--num-classes=4") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "results/day_model_distances_test_maxmax_w1e-05_SmallMLP_8_cls4.json",
        "results/day_model_acc_test_SmallMLP_8_cls4.json",
    ]
    distances = json.loads(Path("results/day_model_distances_test_maxmax_w1e-05_SmallMLP_8_cls4.json").read_text())
    assert distances["model_seeds"] == ["0vs1", "0vs2", "1vs2"]
    assert all(len(column) == 3 for column in distances.values())
    assert {"certificate", "quadratic_bound", "KL_div_reverse"} <= set(distances)
    accuracies = json.loads(Path("results/day_model_acc_test_SmallMLP_8_cls4.json").read_text())
    assert accuracies["model_seed"] == [0, 1, 2]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies["accuracy"])


def test_both_commands_write_the_same_files(project):
    options = ("--date-str=day", "--layer-size=8", "--num-classes=4", *DISTANCES)
    assert paper("get-distances", *options, "--results-folder=one") == 0
    assert closedist("get-distances", *options, "--results-folder=two") == 0
    assert contents(project / "one") == contents(project / "two")


def test_options_of_the_paper_that_a_command_does_not_need_are_accepted_and_named(project, capsys):
    unneeded = (
        "--continue-from",
        "3",
        "--plot-type=KL_table",
        "--final-dim",
        "2",
        "--model-config=none.json",
        "--figures-folder=elsewhere",
        "--seed",
        "1",
    )
    assert paper("get-accuracies", *unneeded, "--date-str=day", "--layer-size=8", "--num-classes=4") == 0
    dropped = "--continue-from, --plot-type, --final-dim, --model-config, --figures-folder, --seed"
    ignored = f"get-accuracies does not use {dropped}"
    assert ignored in capsys.readouterr().err.splitlines()
    # an option without its value takes no other option for it, and is named once
    assert paper("get-accuracies", "--weight", "--date-str=day", "--weight=1", "--layer-size=8", "--num-classes=4") == 0
    assert "get-accuracies does not use --weight" in capsys.readouterr().err.splitlines()


def test_every_option_of_the_paper_is_known_to_one_of_its_commands():
    own = set()
    for command in PAPER_COMMANDS:
        for argument in make_app("run.py", PAPER_COMMANDS)[command].assemble_argument_collection():
            own |= set(argument.names)
    assert set(PAPER_OPTIONS) - own == {"--model-config"}  # which the paper's parser takes and nothing uses


def test_no_help_imports_pytorch():
    code = (
        "import sys; from closedist.cli import COMMANDS, make_app, run\n"
        "for command in ([], *([name] for name in COMMANDS)):\n"
        "    code = run(make_app('closedist', COMMANDS), [*command, '--help'])\n"
        "    assert not code and 'torch' not in sys.modules, command\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Usage") == 1 + len(COMMANDS)


def test_a_command_that_run_py_does_not_have_is_one_line(capsys):
    assert paper("compare", "a.safetensors", "b.safetensors") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_run_py_lists_the_papers_commands():
    result = subprocess.run([sys.executable, "run.py", "-h"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0
    assert all(command in result.stdout for command in PAPER_COMMANDS)


def fails(capsys, *tokens):
    """Run a command that a user got wrong: exit code 2, one line on standard error, which is returned."""
    capsys.readouterr()
    assert closedist(*tokens) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith("closedist: ")
    return error


CONFIG = "configs/model_variations_config_4_classes.json"
MEASURE = ("get-distances", "--date-str=day", "--num-classes=4", "--dist-type=max")


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        ((*MEASURE, "--layer-size=abc"), "--layer-size"),
        ((*MEASURE, "--layer-size=8,8"), "twice"),
        ((*MEASURE, "--layer-size=-3"), "--layer-size"),
        ((*MEASURE, "--layer-size=1000000"), "--layer-size"),
        ((*MEASURE, "--layer-size=16"), "steps60"),
        ((*MEASURE, "--layer-size=8", "--dist-type=median"), "--dist-type"),
        ((*MEASURE, "--layer-size=8", "--weight=-1"), "--weight"),
        ((*MEASURE, "--layer-size=8", "--num-samples=0"), "--num-samples"),
        ((*MEASURE, "--layer-size=8", "--seed=-1"), "--seed"),
        ((*MEASURE, "--layer-size=8", "--threads=0"), "--threads"),
        ((*MEASURE, "--layer-size=8", "--unheard-of=1"), "--unheard-of"),
        (("get-distances", "--date-str=never", "--layer-size=8", "--num-classes=4", "--dist-type=max"), "never"),
        (("get-distances", "--date-str=day", "--layer-size=8", "--num-classes=5", "--dist-type=max"), "_cls5.json"),
        (("get-accuracies", "--date-str=day", "--layer-size=8"), "--num-classes"),
        (("train-variations",), "--dataset-config"),
        ((*TRAIN, "--lr=0"), "--lr"),
        ((*TRAIN, "--lr=nan"), "--lr"),
        ((*TRAIN, "--weight-decay=-1"), "--weight-decay"),
        ((*TRAIN, "--train-epochs=0"), "--train-epochs"),
        ((*TRAIN, "--train-epochs=1000000000"), "train_steps"),
        ((*TRAIN, f"--train-seed={2**64}"), "random_seed"),
        (("quickstart", "--results-folder=elsewhere"), "--results-folder"),
        ((*TRAIN, "--checkpoint-every=0"), "--checkpoint-every"),
        ((*TRAIN, "--continue-from=60"), "--continue-from"),
        (("reproduce", "--labels=4,x"), "--labels"),
        (("reproduce", "--labels=2"), "--labels"),
        (("reproduce", "--lengths=nan"), "--lengths"),
        (("reproduce", "--seeds=1"), "--seeds"),
        (("reproduce", "--seeds=2.5"), "--seeds: '2.5' is not a whole number"),
        (("train-variations", "--train_seed", "2.6"), "'2.6' is not a whole number"),
        ((*MEASURE, "--layer-size=8", f"--extra-suff={60 * 'x'}", "--lr=0.1"), "what other options append"),
        (("reproduce", "--dry-run", "--format=jpg"), "--format"),
        (("reproduce", "--dry-run", "--checkpoint-every=0"), "--checkpoint-every"),
        (("reproduce", "--dry-run", f"--results-folder={CONFIG}"), f"--results-folder: {CONFIG} is a file"),
        (("make-plot", "--plot-type=KL_table", "--format=gif"), "--format"),
        (("make-plot", "--plot-type=pie"), "pie"),
        (("make-plot", "--plot-type=synthetic_data", "--num-classes=-3"), "--num-classes"),
        (("make-plot", "--plot-type=synthetic_data", "--num-classes=0"), "--num-classes"),
        (("make-plot", "--plot-type=synthetic_data", "--format="), "--format"),
        (("compare", "one.safetensors"), "two files"),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(project, capsys, tokens, named):
    before = contents(project)
    assert named in fails(capsys, *tokens)
    assert contents(project) == before


def test_a_gpu_that_is_not_there_is_said_to_be(project, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert "--cuda" in fails(capsys, *MEASURE, "--layer-size=8", "--cuda")


def test_broken_and_foreign_checkpoints_are_named_with_a_remedy(project, capsys):
    name = small_run(small_family((0, 1, 2)), small_training(60)).name
    path = Path("checkpoints") / name.trained(1)
    whole = path.read_bytes()
    measure = (*MEASURE, "--layer-size=8")
    path.write_bytes(whole[: len(whole) // 2])
    error = fails(capsys, *measure)
    assert str(path) in error
    assert "train again" in error
    path.write_bytes(b"")
    assert str(path) in fails(capsys, *measure)
    other = small_family((0,)).model_copy(update={"rep_dim": 3})
    write_weights(path, small_run(other).untrained(0).state_dict())
    assert "has representation dimension 3, the config says 2" in fails(capsys, *measure)
    write_weights(path, small_run(small_family((0,), (16,))).untrained(0).state_dict())
    assert "shape" in fails(capsys, *measure)
    path.unlink()
    error = fails(capsys, *measure)
    assert "missing" in error
    assert path.name in error
    assert not list(Path().glob("results/*"))


def test_a_folder_that_cannot_be_written_is_named(project, capsys):
    Path("occupied").write_text("a file where a folder should be")
    assert "occupied" in fails(capsys, *MEASURE, "--layer-size=8", "--results-folder=occupied/results")
    assert "occupied" in fails(capsys, *TRAIN, "--output-folder=occupied")


def test_command_line_changes_of_the_training_have_names_of_their_own(project):
    assert closedist(*TRAIN, "--train-seed=4", "--weight-decay=0.5", "--lr=0.01", "--train-epochs=2") == 0
    (path,) = Path("checkpoints").glob("daytrained*seed0*lr0_01*")
    assert path.name.endswith("_lr0_01_steps22_trainseed4_wd0_5")  # two epochs of ⌈1000/96⌉ batches


def test_what_was_trained_with_changes_is_measured_with_them_under_a_name_of_its_own(project, capsys):
    changes = ("--train-seed=4", "--lr=0.01", "--train-epochs=2")
    measure = ("get-distances", "--date-str=day", "--layer-size=8", "--num-classes=4", *DISTANCES)
    assert "steps22_trainseed4" in fails(capsys, *measure, *changes)
    assert closedist(*TRAIN, *changes) == 0
    assert closedist(*measure, *changes) == 0
    assert closedist("get-accuracies", "--date-str=day", "--layer-size=8", "--num-classes=4", *changes) == 0
    names = {path.name for path in Path("results").iterdir()}
    assert names == {
        "day_model_distances_test_maxmax_w1e-05_SmallMLP_8_cls4_lr0_01_epochs2_trainseed4.json",
        "day_model_acc_test_SmallMLP_8_cls4_lr0_01_epochs2_trainseed4.json",
    }


@pytest.mark.parametrize("change", ["--lr=0.01", "--train-epochs=2"])
def test_what_was_trained_with_one_change_leaves_the_results_of_the_configs_alone(project, change):
    assert closedist(*TRAIN, change) == 0
    for measure in (("get-distances", *DISTANCES), ("get-accuracies",)):
        command = (*measure, "--date-str=day", "--layer-size=8", "--num-classes=4")
        assert closedist(*command) == 0
        (path,) = (file for file in Path("results").iterdir() if "cls4.json" in file.name)
        of_configs = path.read_bytes()
        assert closedist(*command, change) == 0
        assert path.read_bytes() == of_configs
        (other,) = set(Path("results").iterdir()) - {path}
        assert other.read_bytes() != of_configs
        for file in (path, other):
            file.unlink()


def test_an_epoch_is_of_the_points_that_are_trained_on(project):
    equal = json.loads(Path("configs/radial_classification_20000_0_cls4.json").read_text())
    Path("equal.json").write_text(json.dumps(equal | {"equal_weighting_classes": True}))
    others = [token for token in TRAIN if not token.startswith(("--dataset-config", "--date-str"))]
    assert closedist(*others, "--dataset-config=equal.json", "--date-str=equal", "--train-epochs=1") == 0
    dataset = read_config(Path("equal.json"), DatasetConfig)
    batches = math.ceil(len(radial_split(dataset, "train")[1]) / 96)
    assert batches < math.ceil(1000 / 96)
    assert list(Path("checkpoints").glob(f"equaltrained*_steps{batches}"))


def test_an_archive_that_is_not_read_since_the_folder_has_results_is_named(project, capsys):
    Path("results").mkdir()
    Path("results/other.json").write_text("{}")
    Path("results.zip").write_bytes(b"")
    error = fails(capsys, "make-plot", "--plot-type=d_LLV_vs_width")
    assert error.rstrip().endswith("not from results.zip: for that, add --results-folder=results.zip")


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(*tokens, **options):
        raise KeyboardInterrupt

    def interrupted_import(*tokens, **options):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    for stop in (interrupted, interrupted_import):
        app = make_app("closedist", COMMANDS)
        monkeypatch.setattr(type(app), "__call__", stop)
        assert run(app, ["reproduce"]) == 130
        assert capsys.readouterr().err == "stopped; run the same command again to go on\n"
        for keeps in (["--folder", "kept"], ["--folder=kept"]):
            assert run(app, ["compare-models", "a", "b", "text", *keeps]) == 130
            assert capsys.readouterr().err == "stopped; run the same command again to go on\n"
        for anew in (["compare"], ["compare-models", "a", "b", "text"], []):
            assert run(app, anew) == 130
            assert capsys.readouterr().err == "stopped\n"


def help_of(command):
    """What a command's help says, by its groups, without their borders and line breaks."""
    done = subprocess.run(
        [sys.executable, "-m", "closedist", command, "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    groups = re.split(r"╭─ ([^─]+) ─+╮", done.stdout)
    return dict(zip(groups[1::2], groups[2::2], strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_in_sentences_and_shows_no_folder_that_is_not_used(command):
    groups = help_of(command)
    assert ("Folders" in groups) == (command in (*PAPER_COMMANDS, "reproduce", "export-representations", "distil"))
    assert not re.findall(r"INT\.\.\.|FLOAT\.\.\.|\[default: (?:False|None|)\]", " ".join(groups.values()))
    app = make_app("closedist", COMMANDS)
    for argument in app[command].assemble_argument_collection(parse_docstring=True):
        said = argument.parameter.help
        if argument.show:
            assert said, argument.name
            assert said[0].isupper() or said.startswith(("λ", "α")), said
            assert said.rstrip().endswith("."), said


def test_an_empty_folder_is_told_where_the_configs_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    measure = ("get-distances", "--date-str=day", "--layer-size=16", "--num-classes=4", "--dist-type=max")
    error = fails(capsys, *measure)
    advised = re.search(r"--config-folder (\S+)", error)
    assert "configs" not in {path.name for path in tmp_path.iterdir()}
    error = fails(capsys, *measure, f"--config-folder={advised[1]}")  # what is advised is there
    assert "config" not in error.partition("checkpoint")[0]
    error = fails(capsys, "train-variations", "--dataset-config=a", "--model-var-config=b", "--train-config=c")
    assert "--config-folder" in error


@pytest.mark.parametrize(
    "words",
    [
        ["extract", "nowhere", "text.txt", "-o", "."],
        ["draw", "heatmap", "p.safetensors", "q.safetensors", "-o", "."],
        ["layers", "nowhere", "-t", "text.txt", "-o", "."],
        ["report", "p.safetensors", "q.safetensors", "-o", "."],
    ],
)
def test_a_folder_in_the_place_of_an_output_file_is_refused_before_anything_is_opened(words, capsys):
    assert "--output: . is a folder; name the file, as in " in fails(capsys, *words)


def test_compare_of_a_language_model_names_the_command_for_it(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    assert "closedist compare-models" in fails(capsys, "compare", tmp_path.as_posix(), tmp_path.as_posix())
