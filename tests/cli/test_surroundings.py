"""A notebook's backend, a terminal without UTF-8, an exception of another library: no command ends in a traceback."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from closedist.cli import COMMANDS, UNFORESEEN, make_app, run
from closedist.cli.surroundings import make_fit
from closedist.representations import Representations

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    random = np.random.default_rng(0)
    names = [str(tmp_path / f"{name}.safetensors") for name in "pq"]
    for name in names:
        Representations(random.normal(size=(30, 3)), random.normal(size=(6, 3)), label_names=list("abcdeλ")).save(name)
    return names


def test_a_notebooks_backend_that_is_not_there_does_not_matter(tmp_path: Path) -> None:
    words = ["make-plot", "--plot-type=synthetic_data", "--num-classes=4", f"--config-folder={CONFIGS}"]
    program = [sys.executable, "-m", "closedist", *words, f"--figures-folder={tmp_path}"]
    surroundings = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    subprocess.run(program, check=True, capture_output=True, cwd=tmp_path, env=surroundings)
    assert (tmp_path / "synthetic_data_cls4.png").stat().st_size > 1000


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> str:
    """What a command prints to a terminal of this encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("MPLBACKEND", "agg")
    make_fit()
    run(make_app("closedist", COMMANDS), list(words))
    monkeypatch.undo()
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.buffer.seek(0)
        texts.append(stream.buffer.read().decode(encoding))
    return "".join(texts)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_without_utf8_shows_the_table_and_the_help(
    monkeypatch: pytest.MonkeyPatch, encoding: str, files: list[str]
) -> None:
    table = printed(monkeypatch, encoding, "compare", *files, "--details")
    assert {"ascii": "2*max(t1, t2)^2", "cp1252": "2·max(t1, t2)²", "utf-8": "2·max(t1, t2)²"}[encoding] in table
    assert ("λ" if encoding == "utf-8" else "lambda") + {"ascii": "*t3"}.get(encoding, "·t3") in table
    assert ("λ" if encoding == "utf-8" else "lambda") + ", which weights the" in printed(
        monkeypatch, encoding, "compare", "--help"
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_name_in_another_alphabet_is_told_by_its_numbers(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    said = printed(monkeypatch, encoding, "compare", "ж.safetensors", "q.safetensors")
    assert "cannot read \\u0436.safetensors" in said


def test_an_exception_that_nobody_foresaw_is_one_line_and_debug_says_where(
    files: list[str],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG, "closedist.cli")

    def fail(path: str) -> Representations:
        raise NotImplementedError("the kernel\nis not there")

    monkeypatch.setattr(Representations, "load", fail)
    app = make_app("closedist", COMMANDS)
    assert run(app, ["compare", *files]) == UNFORESEEN
    error = capsys.readouterr().err
    assert error.startswith("closedist: NotImplementedError: the kernel is not there; ")
    assert error.count("\n") == 1
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.exc_info is not None
    assert record.exc_info[0] is NotImplementedError
