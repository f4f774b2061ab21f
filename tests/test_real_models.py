"""Models that nobody here made: what docs/real-models.md says of them, where their packages are installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def printed(script: str, packages: tuple[str, ...], *words: str) -> str:
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        pytest.skip(f"examples/{script} needs {', '.join(absent)}, which ship the models")
    command = [sys.executable, f"examples/{script}", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_two_identifiers_of_languages_are_not_the_same() -> None:
    said = printed("language_identifiers.py", ("langid", "py3langid", "django"))
    assert "96 languages are known to both" in said
    assert "Not the same within 5 %" in said
    (row,) = (line.split() for line in said.splitlines() if line.split()[:2] == ["logit", "correlation"])
    assert float(row[2]) == pytest.approx(0.69, abs=0.03)


def test_two_generations_of_a_recogniser_of_text_are_not_the_same() -> None:
    said = printed("text_recognisers.py", ("rapidocr", "rapidocr_onnxruntime", "onnxruntime"), "60")
    assert "6,551 characters that both know" in said
    assert "Not the same within 5 %" in said
