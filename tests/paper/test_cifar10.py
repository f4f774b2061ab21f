"""Both published layouts of CIFAR-10 give the same images, and no file can do more than be refused."""

import hashlib
import os
import pickle
import struct
import tarfile
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch

from closedist.errors import InputError
from closedist.paper.data import cifar10
from closedist.paper.data.cifar10 import BINARY_FOLDER, PYTHON_FOLDER, load_cifar10, normalise
from closedist.paper.data.inert_pickle import read_inert_pickle

PER_FILE = 4
NUM_POINTS = 5 * PER_FILE
NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def made_up_records() -> dict[str, tuple[np.ndarray, list[int]]]:
    """Random pixels and labels for each of the six files."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8), rng.integers(0, 10, PER_FILE).tolist())
        for name in NAMES
    }


def python_2_pickle(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A file as the authors of CIFAR-10 wrote it: protocol 2 by Python 2, with byte strings and NumPy's old names."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    contents = pixels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    )
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    shape = b"".join(number(size) for size in pixels.shape) + b"\x86"
    state = b"(" + number(1) + shape + dtype + b"\x89" + b"T" + struct.pack("<i", len(contents)) + contents + b"tb"
    label_list = b"](" + b"".join(number(label) for label in labels) + b"e"
    items = text(b"batch_label") + text(b"a batch") + text(b"labels") + label_list + text(b"data") + array + state
    return b"\x80\x02}(" + items + b"u."


def write_binary(folder: Path, records: dict[str, tuple[np.ndarray, list[int]]]) -> Path:
    (folder / BINARY_FOLDER).mkdir(parents=True)
    for name, (pixels, labels) in records.items():
        content = b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, pixels, strict=True))
        (folder / BINARY_FOLDER / f"{name}.bin").write_bytes(content)
    return folder


def write_pickled(folder: Path, records: dict[str, tuple[np.ndarray, list[int]]], write=python_2_pickle) -> Path:
    (folder / PYTHON_FOLDER).mkdir(parents=True)
    for name, (pixels, labels) in records.items():
        (folder / PYTHON_FOLDER / name).write_bytes(write(pixels, labels))
    return folder


def by_python_3(protocol: int, key_type=bytes):
    def write(pixels: np.ndarray, labels: list[int]) -> bytes:
        content = {"data": pixels, "labels": labels}
        if key_type is bytes:
            content = {key.encode(): value for key, value in content.items()}
        return pickle.dumps(content, protocol=protocol)

    return write


@pytest.mark.parametrize(
    "write",
    [python_2_pickle, by_python_3(2), by_python_3(4, str), by_python_3(5)],
    ids=["published", "protocol 2", "protocol 4", "protocol 5"],
)
def test_both_layouts_give_identical_tensors(tmp_path, write):
    records = made_up_records()
    binary = write_binary(tmp_path / "a", records)
    pickled = write_pickled(tmp_path / "b", records, write)
    for split, names in (("train", NAMES[:5]), ("test", NAMES[5:])):
        for folder in (binary, pickled):
            images, labels = load_cifar10(folder, split, NUM_POINTS)
            assert images.dtype == torch.uint8
            assert labels.dtype == torch.int64
            expected = np.concatenate([records[name][0] for name in names]).reshape(-1, 3, 32, 32)
            assert torch.equal(images, torch.from_numpy(expected))
            assert labels.tolist() == [label for name in names for label in records[name][1]]


def test_the_published_pickle_of_these_tests_is_one_that_python_reads():
    pixels, labels = made_up_records()["test_batch"]
    content = pickle.loads(python_2_pickle(pixels, labels), encoding="bytes")
    assert np.array_equal(content[b"data"], pixels)
    assert content[b"labels"] == labels


def test_a_pixel_scales_to_minus_one_to_one_as_half_and_half():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(normalise(pixels), (pixels.float() / 255 - 0.5) / 0.5)
    assert normalise(pixels)[[0, 255]].tolist() == [-1, 1]
    assert pixels[255] == 255  # the bytes themselves stay


class Hostile:
    """Pickles to an instruction that makes a file when it is followed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def hostile_pickles(proof: Path) -> dict[str, bytes]:
    pixels = np.zeros((PER_FILE, 3072), dtype=np.uint8)
    touch = f"touch {proof}".encode()
    call = touch + b"\n"
    nested = np.empty(1, dtype=object)
    nested[0] = Hostile(proof)
    return {
        "os.system": pickle.dumps({b"data": Hostile(proof), b"labels": [0] * PER_FILE}),
        "inside an array": pickle.dumps({b"data": nested, b"labels": [0]}, protocol=2),
        "builtins.eval": b"c__builtin__\neval\n(V__import__('os').system('" + touch + b"')\ntR.",
        "builtins.getattr": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\nVos\ntR.",
        "old instance": b"(V" + call + b"ios\nsystem\n.",
        "old object": b"(cos\nsystem\nV" + call + b"o.",
        "persistent": b"Pos.system\n.",
        "extension": b"\x82\x01.",
        "through NumPy": b"cnumpy.f2py.crackfortran\nmyeval\n(V__import__('os').system('" + touch + b"')\ntR.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0fos.system.touch\x93(\x8c\x01atR.",
        "changing the reader": b"cnumpy\ndtype\n}(V__setstate__\nV1\nub.",
        "changing a function": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}(X\x0c\x00\x00\x00__defaults__K\x01ub.",
        "array of objects": pickle.dumps({b"data": np.array([None]), b"labels": [0]}),
        "array by columns": pickle.dumps({b"data": np.asfortranarray(pixels[:, :6]), b"labels": [0]}, protocol=4),
        "array too small": python_2_pickle(pixels, [0]).replace(b"J\x00\x0c\x00\x00", b"J\xff\xff\xff\x7f"),
        "no dictionary": pickle.dumps([1, 2, 3]),
        "not a pickle": b"\x00" * 100,
        "nothing": b"",
        "cut short": python_2_pickle(pixels, [0] * PER_FILE)[:-50],
    }


HOSTILE = sorted(hostile_pickles(Path("x")))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_runs_nothing_and_is_refused_by_name(tmp_path, kind):
    proof = tmp_path / "it_ran"
    folder = write_pickled(tmp_path, made_up_records())
    (folder / PYTHON_FOLDER / "data_batch_3").write_bytes(hostile_pickles(proof)[kind])
    with pytest.raises(InputError, match="data_batch_3"):
        load_cifar10(folder, "train", NUM_POINTS)
    assert not proof.exists()


def test_the_hostile_pickle_of_these_tests_does_run_where_it_is_trusted(tmp_path):
    proof = tmp_path / "it_ran"
    pickle.loads(hostile_pickles(proof)["os.system"])
    assert proof.exists()


def test_whatever_a_pickle_may_name_it_gets_only_stand_ins():
    for name in (
        "numpy\ndtype",
        "numpy\nndarray",
        "numpy.core.multiarray\n_reconstruct",
        "numpy._core.numeric\n_frombuffer",
    ):
        found = read_inert_pickle(b"c" + name.encode() + b"\n.", "a file")
        assert found not in (np.dtype, np.ndarray, np.frombuffer)
        assert getattr(found, "__module__", "").split(".")[0] != "numpy"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "data_batch_2.bin has 12,291 bytes, not the 30,730,000 of 10,000 images"),
        (lambda data: data[:-3073], "data_batch_2.bin has 9,219 bytes"),
        (lambda data: data + data, "data_batch_2.bin has 24,584 bytes"),
        (lambda data: b"", "data_batch_2.bin has 0 bytes"),
        (lambda data: data[:3073] + b"\x0a" + data[3074:], "image 1 has the label 10"),
    ],
    ids=["a byte short", "an image short", "doubled", "empty", "mislabelled"],
)
def test_broken_binary_files_are_refused(tmp_path, change, message):
    folder = write_binary(tmp_path, made_up_records())
    path = folder / BINARY_FOLDER / "data_batch_2.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=message):
        load_cifar10(folder, "train", NUM_POINTS)


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((3, 3072), np.uint8), [0] * 3, "3 labels and pixels of shape"),
        (np.zeros((4, 3071), np.uint8), [0] * 4, "pixels of shape"),
        (np.zeros((4, 3072), np.uint8), [0] * 3, "3 labels"),
        (np.zeros((4, 3072), np.uint8), [0, 1, 2, 10], "image 3 has the label 10"),
        (np.zeros((4, 3072), np.uint8), [0, 1, 2, -1], "no number from 0 to 9"),
        (np.zeros((4, 3072), np.uint8), [0, 1, 2, True], "no number from 0 to 9"),
        (np.zeros((4, 3072), np.uint8), ["a"] * 4, "no number from 0 to 9"),
        (np.zeros((4, 3072), np.float32), [0] * 4, "unsigned bytes"),
        (np.zeros((4, 3072), np.uint8).tolist(), [0] * 4, "no array 'data'"),
    ],
)
def test_foreign_pickles_are_refused(tmp_path, pixels, labels, message):
    folder = write_pickled(tmp_path, made_up_records())
    (folder / PYTHON_FOLDER / "test_batch").write_bytes(by_python_3(2)(pixels, labels))
    with pytest.raises(InputError, match=message):
        load_cifar10(folder, "test", NUM_POINTS)


def test_an_oversized_file_is_not_read_whole(tmp_path):
    for folder, name in (
        (write_binary(tmp_path / "a", made_up_records()) / BINARY_FOLDER, "test_batch.bin"),
        (write_pickled(tmp_path / "b", made_up_records()) / PYTHON_FOLDER, "test_batch"),
    ):
        with open(folder / name, "wb") as file:
            file.truncate(1 << 40)  # a terabyte that takes no room
        with pytest.raises(InputError, match="larger than any file of CIFAR-10"):
            load_cifar10(folder.parent, "test", NUM_POINTS)


def test_a_missing_file_is_named(tmp_path):
    folder = write_binary(tmp_path, made_up_records())
    (folder / BINARY_FOLDER / "data_batch_4.bin").unlink()
    with pytest.raises(InputError, match=r"data_batch_4\.bin: No such file"):
        load_cifar10(folder, "train", NUM_POINTS)


@pytest.mark.parametrize("num_points", [0, 50_001])
def test_more_images_than_cifar10_has_cannot_be_asked_for(tmp_path, num_points):
    with pytest.raises(InputError, match="50,000 training images"):
        load_cifar10(tmp_path, "train", num_points)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine that stands for CIFAR-10's; what lies in its folder can be fetched."""
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    http = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(cifar10, "ARCHIVE_URL", f"http://127.0.0.1:{http.server_port}/cifar-10-binary.tar.gz")
    yield folder
    http.shutdown()
    http.server_close()


def test_the_archive_is_fetched_once_and_its_files_are_laid_out(tmp_path, server, monkeypatch):
    archive = server / "cifar-10-binary.tar.gz"
    written = write_binary(tmp_path / "original", made_up_records())
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(written / BINARY_FOLDER, arcname=BINARY_FOLDER)
    monkeypatch.setattr(cifar10, "ARCHIVE_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    fetched = tmp_path / "fetched"
    images, _ = load_cifar10(fetched, "train", NUM_POINTS)
    assert torch.equal(images, load_cifar10(written, "train", NUM_POINTS)[0])
    assert [path.name for path in fetched.iterdir()] == [BINARY_FOLDER]
    archive.unlink()
    load_cifar10(fetched, "test", NUM_POINTS)


def test_an_archive_with_another_md5_is_refused_and_leaves_nothing(tmp_path, server):
    (server / "cifar-10-binary.tar.gz").write_bytes(b"not what was published")
    with pytest.raises(InputError, match="could not be downloaded"):
        load_cifar10(tmp_path / "fetched", "train")
    assert list((tmp_path / "fetched").iterdir()) == []


def test_without_a_network_the_error_says_where_to_put_which_file(tmp_path, server):
    with pytest.raises(InputError) as error:  # the server has no such file
        load_cifar10(tmp_path, "train")
    for word in ("data_batch_1.bin", "test_batch.bin", str(tmp_path / BINARY_FOLDER), str(tmp_path / PYTHON_FOLDER)):
        assert word in str(error.value)
