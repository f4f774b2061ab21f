"""Errors on the command line advise options that are there, and following the advice works."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from closedist.cli import COMMANDS, make_app, run
from closedist.cli.wording import in_options
from closedist.representations import Representations
from tests.random_models import noisy, random_model, represent


def command(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), [str(word) for word in words])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("subset_size: 5; pass subset_size=3 or fewer", "--subset-size: 5; pass --subset-size 3 or fewer"),
        ('remove it, or pass constant_labels="ignore"', "remove it, or pass --constant-labels ignore"),
        ("pass same_inputs=True to closedist.compare, or", "pass --same-inputs, or"),
        ("p.npz: weight: inf; a number", "p.npz: --weight: inf; a number"),
        ("my_weight: 1; subset_sizes=2", "my_weight: 1; subset_sizes=2"),
        ("(subset_size + 1); a smaller subset_size.", "(--subset-size + 1); a smaller --subset-size."),
        ("/subset_size/p.npz, subset_size.npz: the weight", "/subset_size/p.npz, subset_size.npz: the weight"),
        ("files: a; pivots: b", "files: a; pivots: b"),
    ],
)
def test_arguments_are_called_by_their_options_and_nothing_else_is(message: str, said: str) -> None:
    options = ("--subset-size", "--constant-labels", "--same-inputs", "--weight", "--files", "-o")
    assert in_options(message, options) == said


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two models of five labels; q saw other inputs, and labels 3 and 4 are one to both."""
    model = random_model(0, 30, 5, 2)
    model.g[4] = model.g[3]
    found = []
    for name, one, first in (("p", model, 0), ("q", noisy(model, 0.1, 1), 1)):
        one.g[4] = one.g[3]
        p = represent(one)
        again = Representations(p.embeddings, p.unembeddings, input_digests=np.arange(first, first + 30))
        again.save(tmp_path / f"{name}.safetensors")
        found.append(tmp_path / f"{name}.safetensors")
    return found


@pytest.mark.parametrize("name", ["compare", "report"])
def test_the_options_that_errors_advise_lead_to_a_result(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    options = ["--subset-size", "4", *(["-o", str(tmp_path / "page.html")] if name == "report" else [])]
    advised = []
    while command(name, *files, *options) == 2:
        error = capsys.readouterr().err
        found = re.search(r"(?:pass|at most that)\b ?(--[a-z-]+(?: (?!to|or)\w+)?)?", error)
        assert found is not None, error
        assert not re.search(r"\b[a-z]+_[a-z]+[:=]", error), error
        if found[1] is None:
            assert error.startswith("closedist: --subset-size: 4 with 5 labels")
            options[1] = "3"
        elif found[1].startswith("--subset-size"):
            options[1] = found[1].split()[1]
        else:
            options += shlex.split(found[1])
        advised.append(found[0])
        assert len(advised) < 6, advised
    assert len(advised) == 4
    assert {"pass --same-inputs", "pass --constant-labels ignore"} < set(advised)
