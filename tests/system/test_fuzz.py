"""Twenty thousand damaged files for each reader: a value or the package's own error in one line, nothing else."""

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from closedist import Representations, compare
from closedist.errors import InputError
from closedist.paper.checkpoint import read_weights
from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config
from closedist.paper.results.tables import (
    AccuracyRow,
    LossRow,
    MCCARow,
    read_accuracies,
    read_distances,
    read_losses,
    read_mcca,
    write_accuracies,
    write_distances,
    write_losses,
    write_mcca,
)
from tests.small import small_dataset, small_family, small_run, small_training

ORDINARY = 300
MANY = 20_000
pytestmark = pytest.mark.filterwarnings(
    "ignore:Duplicate name", "ignore:Detected pickle protocol", "ignore:.*deprecated"
)
WORDS = (b"NaN", b"-1", b"1e999", b"1" * 400, b"null", b"true", b'"a"', b"[]", b"{}", b"[" * 2000, b"1000000000", b"0",
         b'"\\ud800"', b"\xff", b"\n", b",", b'"', b"]", b"}", b"../", b"-", b".", b"e", b"\0")  # fmt: skip


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, words put in, parts doubled, moved or cut off."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at:at] = rng.choice(WORDS)
        elif kind == 2:
            data[at : at + rng.randrange(1, 12)] = rng.choice(WORDS)
        elif kind == 3:
            data[at : at + rng.randrange(1, 40)] = b""
        elif kind == 4:
            part = data[at : at + rng.randrange(1, 40)]
            to = rng.randrange(len(data) + 1)
            data[to:to] = part
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def damaged_json(content: Any, rng: random.Random) -> bytes:
    """Valid JSON with one value replaced, left out or doubled, wherever it is in the structure."""
    content = json.loads(json.dumps(content))
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return json.dumps(content).encode()
        key = rng.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
            place = place[key]
            continue
        values = (None, True, -1, 0, 0.5, 1e308, 10**400, "", "x\ny", "0vs1", [], [[]], {}, [0.5], {"a": 1}, 2**63)
        if rng.random() < 0.2:
            del place[key]
        elif isinstance(place, list) and rng.random() < 0.3:
            place.append(place[key])
        else:
            place[key] = rng.choice(values)
        return json.dumps(content).encode()


def read_or_refused(read: Callable[[], object]) -> bool:
    """Whether a file was read; any error but the package's own, in one short line, fails the test."""
    try:
        read()
    except InputError as error:
        message = str(error)
        assert "\n" not in message, message
        assert len(message) < 2000, message
        return False
    return True


@pytest.fixture
def fast() -> Iterator[Path]:
    """A folder in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def fuzz_configs(folder: Path, count: int) -> None:
    kinds: list[Any] = [DatasetConfig, ModelVariationsConfig, TrainConfig]
    whole = [json.loads(config.model_dump_json()) for config in (small_dataset(), small_family(), small_training())]
    rng, path = random.Random(count), folder / "config.json"
    outcomes = set()
    for number in range(count):
        kind, content = kinds[number % 3], whole[number % 3]
        path.write_bytes(
            damaged_json(content, rng) if rng.random() < 0.4 else damaged(json.dumps(content).encode(), rng)
        )
        outcomes.add(read_or_refused(lambda kind=kind: read_config(path, kind)))
    assert outcomes == {True, False}


def fuzz_results(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    models = [Representations(generator.normal(size=(20, 2)), generator.normal(size=(4, 2))) for _ in range(2)]
    write_distances(folder / "d.json", [(0, 1)], [compare(*models, num_samples=3)])
    write_accuracies(folder / "a.json", [AccuracyRow(0, 0, 20, 4, 2, 0.97), AccuracyRow(1, 0.5, 0, 4, 2, 0.5)])
    write_mcca(folder / "m.json", [MCCARow((0, 1), 0.5, 0.6, 0.55, 0.65)])
    write_losses(folder / "l.json", [LossRow(0, 1.1, 1.2), LossRow(1, 1.0, 1.25)])
    readers: dict[str, Any] = {
        "d.json": read_distances, "a.json": read_accuracies, "m.json": read_mcca, "l.json": read_losses
    }  # fmt: skip
    whole = {name: (folder / name).read_bytes() for name in readers}
    rng, archive = random.Random(count), folder / "results.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in whole.items():
            file.writestr(f"results/{name}", data)
    outcomes = set()
    for number in range(count):
        name = list(readers)[number % 4]
        if number % 8 < 4:
            data = whole[name]
            data = damaged_json(json.loads(data), rng) if rng.random() < 0.5 else damaged(data, rng)
            (folder / name).write_bytes(data)
            source = folder
        else:
            archive.write_bytes(damaged(packed.getvalue(), rng))
            source = archive
        outcomes.add(read_or_refused(lambda source=source, name=name: readers[name](source, name)))
    assert outcomes == {True, False}


def fuzz_representations(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    path = folder / "p.safetensors"
    model = Representations(
        generator.normal(size=(6, 2)), generator.normal(size=(4, 2)), np.zeros(4), list("abcdef"), list(range(4))
    )
    model.save(path)
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    rng = random.Random(count)
    outcomes = set()
    for _ in range(count):
        kind = rng.randrange(3)
        if kind == 0:  # a valid header with a false value in it
            text = damaged_json(header, rng)
            broken = len(text).to_bytes(8, "little") + text + data
        elif kind == 1:  # an invalid header of the stated length
            text = damaged(whole[8 : 8 + size], rng)
            broken = len(text).to_bytes(8, "little") + text + data
        else:
            broken = damaged(whole, rng)
        path.unlink()  # what is mapped from the last one stays as it is
        path.write_bytes(broken)
        outcomes.add(read_or_refused(lambda: Representations.load(path)))
    assert outcomes == {True, False}


def fuzz_checkpoints(folder: Path, count: int) -> None:
    expected = small_run().untrained(0).state_dict()
    path, rng = folder / "model", random.Random(count)
    whole = []
    for zipped in (True, False):
        torch.save(expected, path, _use_new_zipfile_serialization=zipped)
        whole.append(path.read_bytes())
    outcomes = set()
    for number in range(count):
        path.write_bytes(damaged(whole[number % 2], rng))
        outcomes.add(read_or_refused(lambda: read_weights(path, expected)))
    assert False in outcomes


READERS = [fuzz_configs, fuzz_results, fuzz_representations, fuzz_checkpoints]


@pytest.mark.parametrize("fuzz", READERS)
def test_hundreds_of_damaged_files_are_read_or_refused_in_one_line(
    fast: Path, fuzz: Callable[[Path, int], None]
) -> None:
    fuzz(fast, ORDINARY)


@pytest.mark.slow
@pytest.mark.parametrize("fuzz", READERS)
def test_twenty_thousand_damaged_files_are_read_or_refused_in_one_line(
    fast: Path, fuzz: Callable[[Path, int], None]
) -> None:
    fuzz(fast, MANY)
