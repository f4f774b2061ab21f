"""Files from strangers: refused in one line, nothing in them run, memory bounded."""

import bz2
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from closedist import Representations
from closedist.cli import COMMANDS, make_app, run
from closedist.errors import InputError
from closedist.measures.settings import DEFAULTS
from closedist.paper.checkpoint import read_weights, saved_states
from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config
from closedist.paper.result_files import collect_losses
from closedist.paper.results.archive import open_results
from closedist.paper.results.names import Configuration, distances_file_name
from closedist.paper.results.tables import read_accuracies
from closedist.paper.run_name import RunName
from closedist.paper.sweep import train_runs
from closedist.system.files import MAX_JSON_BYTES, read_json
from tests.small import contents, small_dataset, small_family, small_run, small_training, workplace


class Attack:
    """A pickle of this creates a file when it is loaded with its code."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def refusal(function, *arguments):
    """The one line with which a call is refused."""
    with pytest.raises(InputError) as error:
        function(*arguments)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1000
    return message


def in_two_gigabytes(code, *arguments):
    """Run Python in a process of its own that may use no more than 2 GiB beyond what PyTorch itself maps."""
    prelude = (
        "import resource, sys, closedist, torch; from pathlib import Path\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 30),) * 2)\n"
    )
    result = subprocess.run([sys.executable, "-c", prelude + code, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


# --- checkpoints


def weights():
    return small_run().untrained(0).state_dict()


def with_first(value):
    """A state dict of the right model in which one entry is something else."""
    state = weights()
    return state | {next(iter(state)): value}


def quantised():
    return torch.quantize_per_tensor(torch.zeros(8, 2), 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_not_run(tmp_path, legacy):
    path, mark = tmp_path / "model", tmp_path / "code-was-run"
    torch.save(weights() | {"extra": Attack(mark)}, path, _use_new_zipfile_serialization=not legacy)
    assert "not a whole PyTorch state dict" in refusal(read_weights, path, weights())
    path.write_bytes(pickle.dumps(Attack(mark)))
    assert "not a whole PyTorch state dict" in refusal(read_weights, path, weights())
    assert not mark.exists()


def test_a_checkpoint_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "model"
    torch.save(weights(), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        refusal(read_weights, path, weights())


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(8, 2).to_sparse(),
        torch.zeros(8, 2, device="meta"),
        torch.zeros(8, 2, dtype=torch.complex64),
        torch.zeros(1).expand(10**12, 10),
        quantised,
        "a word",
        None,
        [1, 2],
        torch.full((8, 2), float("nan")),
    ],
    ids=["sparse", "without contents", "complex", "10^13 entries of one number", "quantised", "text", "None", "list",
         "NaN"],
)  # fmt: skip
def test_a_checkpoint_of_anything_but_plain_finite_numbers_is_refused(tmp_path, value):
    path = tmp_path / "model"
    torch.save(with_first(value() if callable(value) else value), path)
    refusal(read_weights, path, weights())


def test_a_checkpoint_that_unpacks_to_far_more_than_its_model_is_refused(tmp_path):
    path = tmp_path / "model"
    torch.save(with_first(torch.zeros(10_000_000)), path)
    unpacked = zipfile.ZipFile(path)
    packed = tmp_path / "bomb"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in unpacked.namelist():
            archive.writestr(name, unpacked.read(name))
    assert packed.stat().st_size < 1 << 20
    assert "far larger than its model" in refusal(read_weights, packed, weights())


def test_a_folder_in_the_place_of_a_checkpoint_is_named(tmp_path):
    assert str(tmp_path) in refusal(read_weights, tmp_path, weights())


# --- training states


def stopped_training(root):
    """A training of 300 steps and one of 600 that would go on from its state."""
    place = workplace(root)
    train_runs([small_run(training=small_training(300))], place)
    (state,) = place.folders.checkpoints.glob("daystate*")
    return place, small_run(training=small_training(600)), state


def rewritten(state, change):
    """The state file again, with its tensors changed and its metadata kept."""
    from safetensors import safe_open

    with safe_open(state, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(state)
    change(tensors)
    save_file(tensors, state, metadata=metadata)


def test_a_training_state_with_code_in_it_is_refused_and_the_code_not_run(tmp_path):
    place, longer, state = stopped_training(tmp_path)
    mark = tmp_path / "code-was-run"
    torch.save({"parameters": Attack(mark)}, state)
    assert "delete it" in refusal(lambda: train_runs([longer], place, continue_from=300))
    state.write_bytes(pickle.dumps(Attack(mark)))
    assert "delete it" in refusal(lambda: train_runs([longer], place, continue_from=300))
    assert not mark.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("parameters"),
        lambda tensors: tensors.pop("losses.train"),
        lambda tensors: tensors.update(parameters=tensors["parameters"].reshape(-1)[:5].clone()),
        lambda tensors: tensors.update(parameters=tensors["parameters"].double()),
        lambda tensors: tensors.update({"losses.steps": torch.tensor(10**15)}),
        lambda tensors: tensors.update({"losses.recent": torch.zeros(3, 10_000, dtype=torch.float64)}),
        lambda tensors: tensors.update({"losses.test": torch.zeros(2, 1, dtype=torch.float64)}),
    ],
)
def test_a_training_state_of_other_shapes_is_refused(tmp_path, change):
    place, longer, state = stopped_training(tmp_path)
    rewritten(state, change)
    assert "delete it" in refusal(lambda: train_runs([longer], place, continue_from=300))


def test_a_training_state_cut_anywhere_is_refused(tmp_path):
    place, longer, state = stopped_training(tmp_path)
    whole = state.read_bytes()
    for length in (0, 4, 8, 50, len(whole) // 2, len(whole) - 1):
        state.write_bytes(whole[:length])
        refusal(saved_states, place.folders.checkpoints, longer.name, longer.digest)


# --- representations


def safetensors_bytes(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, start, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"embeddings": entry("F32", [10**9, 10**9], 0, 64), "unembeddings": entry("F32", [4, 2], 0, 32)},
        {"embeddings": entry("F32", [4, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 16, 48)},
        {"embeddings": entry("F32", [4, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 0, 32)},
        {"embeddings": entry("F32", [4, 2], 32, 64), "unembeddings": entry("F32", [4, 2], 64, 96)},
        {"embeddings": entry("F64", [4, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
        {"embeddings": entry("F32", [4, 2], 0, 32), "unembeddings": entry("F32", [2**62, 8], 32, 64)},
        {"embeddings": entry("I32", [4, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
        {"embeddings": entry("BOOL", [16, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
        {"embeddings": entry("C64", [2, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
        {"embeddings": entry("F32", [8], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
        {"\n" * 50 + "x" * 10_000: entry("F32", [4, 2], 0, 32), "unembeddings": entry("F32", [4, 2], 32, 64)},
    ],
    ids=["huge", "overlap", "the same bytes", "a gap", "other type than size", "overflow", "integers", "booleans",
         "complex", "a vector", "a name of many lines"],
)  # fmt: skip
def test_a_false_header_is_refused(tmp_path, header):
    path = tmp_path / "p.safetensors"
    path.write_bytes(safetensors_bytes(header, bytes(64)))
    refusal(Representations.load, path)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**62, 2**64 - 1])
def test_a_false_length_of_the_header_is_refused(tmp_path, length):
    path = tmp_path / "p.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b"{}")
    refusal(Representations.load, path)


def test_representations_that_are_a_pickle_are_refused_and_the_code_not_run(tmp_path):
    mark = tmp_path / "code-was-run"
    for data in (pickle.dumps(Attack(mark)), b"\x93NUMPY" + bytes(100)):
        (tmp_path / "p.safetensors").write_bytes(data)
        refusal(Representations.load, tmp_path / "p.safetensors")
    assert not mark.exists()


def test_names_that_would_fill_the_memory_are_refused(tmp_path):
    names = json.dumps(["x" * 1_000_000, *["y"] * 99_999]).encode()  # as an array 400 GB
    tensors = {
        "embeddings": torch.ones(4, 2),
        "unembeddings": torch.ones(100_000, 2),
        "label_names": torch.frombuffer(bytearray(names), dtype=torch.uint8),
    }
    save_file(tensors, tmp_path / "p.safetensors")
    assert "label_names" in refusal(Representations.load, tmp_path / "p.safetensors")


@pytest.mark.slow
def test_representations_of_a_billion_labels_are_refused_within_two_gigabytes(tmp_path):
    path, count = tmp_path / "p.safetensors", 10**9
    header = {"embeddings": entry("U8", [8, 1], 0, 8), "unembeddings": entry("U8", [count, 1], 8, 8 + count)}
    path.write_bytes(safetensors_bytes(header))
    os.truncate(path, path.stat().st_size + 8 + count)  # of which nothing is on the disk
    code = "try: closedist.Representations.load(sys.argv[1])\nexcept closedist.InputError as error: print(error)"
    assert "floating-point" in in_two_gigabytes(code, str(path))


# --- configs

VALID = {
    DatasetConfig: small_dataset().model_dump(),
    ModelVariationsConfig: json.loads(small_family().model_dump_json()),
    TrainConfig: small_training().model_dump(),
}


@pytest.mark.parametrize(
    ("kind", "key", "value", "named"),
    [
        (DatasetConfig, "num_classes", 10**9, "num_classes"),
        (DatasetConfig, "num_points", 10**15, "num_points"),
        (DatasetConfig, "num_points", "1000", "num_points"),
        (DatasetConfig, "dataset_name", "../../etc/passwd", "dataset_name"),
        (DatasetConfig, "random_seed", 2**63, "random_seed"),
        (ModelVariationsConfig, "num_classes", 10**9, "num_classes"),
        (ModelVariationsConfig, "model_type", "../SmallMLP", "model_type"),
        (ModelVariationsConfig, "num_features", [10**9], "num_features"),
        (ModelVariationsConfig, "num_features", "16", "num_features"),
        (ModelVariationsConfig, "random_seeds", ["0"], "random_seeds"),
        (ModelVariationsConfig, "random_seeds", list(range(20_000)), "random_seeds"),
        (ModelVariationsConfig, "rep_dim", 10**6, "rep_dim"),
        (TrainConfig, "learning_rate", "0.1", "learning_rate"),
        (TrainConfig, "batch_size", True, "batch_size"),
        (TrainConfig, "x\ny" * 5000, 1, "unknown key"),
    ],
)
def test_a_hostile_value_of_a_config_is_refused(tmp_path, kind, key, value, named):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(VALID[kind] | {key: value}))
    assert named in refusal(read_config, path, kind)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
@pytest.mark.parametrize(("kind", "key"), [(DatasetConfig, "min_length"), (TrainConfig, "learning_rate")])
def test_what_is_no_finite_number_is_refused_in_a_config(tmp_path, kind, key, number):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(VALID[kind] | {key: "HERE"}).replace('"HERE"', number))
    refusal(read_config, path, kind)


def test_a_key_that_occurs_twice_is_refused_in_a_config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(VALID[TrainConfig])[:-1] + ', "batch_size": 1}')
    assert "occurs twice" in refusal(read_config, path, TrainConfig)


def test_a_config_without_an_end_is_read_no_further_than_a_config_can_be(tmp_path):
    assert "more than" in refusal(read_json, Path("/dev/zero"))
    (tmp_path / "long.json").write_bytes(b"[" + b"[]," * (MAX_JSON_BYTES // 3 + 1))
    assert "more than" in refusal(read_json, tmp_path / "long.json")


# --- results and metrics


@pytest.mark.slow
def test_a_member_packed_so_that_its_size_is_no_limit_is_refused_within_two_gigabytes(tmp_path):
    bomb = tmp_path / "results.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("d.json", b"{}")
    small = bz2.compress(b"{}")
    compressor = bz2.BZ2Compressor()
    large = b"".join(compressor.compress(bytes(1 << 24)) for _ in range(160)) + compressor.flush()  # 2.5 GiB of zeros
    data = bomb.read_bytes().replace(small, large)
    shift = len(large) - len(small)
    local, central = data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02")
    data = bytearray(data)
    struct.pack_into("<L", data, local + 18, len(large))
    struct.pack_into("<L", data, central + 20, len(large))
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<L", data, end + 16, struct.unpack_from("<L", data, end + 16)[0] + shift)
    bomb.write_bytes(data)
    with zipfile.ZipFile(bomb) as archive:
        assert archive.getinfo("d.json").file_size == 2
    code = (
        "from closedist.paper.results.tables import read_accuracies\n"
        "try: read_accuracies(sys.argv[1], 'd.json')\nexcept closedist.InputError as error: print(error)"
    )
    assert "unusual way" in in_two_gigabytes(code, str(bomb))


def test_names_in_an_archive_are_shown_on_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("a\nb/d.json", "{}")
        archive.writestr("c\nd/d.json", "{}")
    assert "two files" in refusal(open_results, tmp_path / "r.zip")


@pytest.mark.slow
def test_the_largest_result_file_there_may_be_is_refused_within_two_gigabytes(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"accuracy": [[]' + b",[]" * ((1 << 26) // 3 - 100) + b"]}")
    code = (
        "from closedist.paper.results.tables import read_accuracies\n"
        "try: read_accuracies(sys.argv[1], 'a.json')\nexcept closedist.InputError as error: print(error)"
    )
    assert "no list named" in in_two_gigabytes(code, str(tmp_path))


def test_labels_without_number_are_refused_in_a_result_file(tmp_path):
    table = {"model_seed": [0], "fix_g": [0], "fix_f": [0], "num_classes": [10**9], "fd": [2], "accuracy": [0.9]}
    (tmp_path / "a.json").write_text(json.dumps(table))
    assert "num_classes[0]" in refusal(read_accuracies, tmp_path, "a.json")


@pytest.mark.parametrize(
    "metrics",
    ['{"train_loss": ["a"], "test_loss": [1]}', '{"train_loss": [], "test_loss": [1]}', "[]", "3", '{"train_loss": {}}',
     '{"train_loss": [1e999], "test_loss": [1]}', '{"train_loss": ["1.5"], "test_loss": [1]}',
     '{"train_loss": [true], "test_loss": [1]}', '{"train_loss": [1], "test_loss": [1%s]}' % ("0" * 400)],
)  # fmt: skip
def test_metrics_that_are_no_losses_are_refused(tmp_path, metrics):
    one, place = small_run(small_family((0,))), workplace(tmp_path)
    place.folders.metrics.mkdir()
    (place.folders.metrics / one.name.metrics(0)).write_text(metrics)
    assert "train_loss" in refusal(collect_losses, one, place.folders)


# --- the command line


@pytest.mark.parametrize("date", ["../../x", "a/b", "/etc/x", "a\\b", "a\nb", "a\0b", "x" * 300])
def test_a_date_that_would_lead_out_of_the_folder_is_refused(tmp_path, monkeypatch, capsys, date):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for kind, name in ((DatasetConfig, "d"), (ModelVariationsConfig, "m"), (TrainConfig, "t")):
        (inside / f"{name}.json").write_text(json.dumps(VALID[kind]))
    configs = ("--dataset-config=d.json", "--model-var-config=m.json", "--train-config=t.json", "--date-str", date)
    before = contents(tmp_path)
    for command in (
        ("train-variations",),
        ("get-distances", "--layer-size=8", "--num-classes=4", "--dist-type=max"),
        ("get-accuracies", "--layer-size=8", "--num-classes=4"),
    ):
        assert run(make_app("closedist", COMMANDS), [*command, *configs]) == 2
        error = capsys.readouterr().err
        assert "--date-str" in error
        assert error.count("\n") == 1
    assert contents(tmp_path) == before


def test_a_suffix_or_date_that_would_lead_out_of_the_folder_makes_no_file_name():
    models = Configuration("SmallMLP", width=8, num_classes=4, rep_dim=2, train_steps=1)
    assert "--extra-suff" in refusal(distances_file_name, models, "D", "test", DEFAULTS, "/../x")
    assert "--date-str" in refusal(distances_file_name, models, "../D", "test", DEFAULTS)
    name = small_run().name
    assert "--date-str" in refusal(lambda: RunName(**(vars(name) | {"date": "../x"})))


@pytest.mark.slow
def test_memory_limits_of_these_tests_are_real():
    with pytest.raises(AssertionError, match="MemoryError"):
        in_two_gigabytes("bytearray(3 << 30)")
