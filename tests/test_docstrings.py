"""Every public function has an example in its docstring, and every example of the package runs as it is shown."""

import doctest
import importlib
from pathlib import Path

import pytest

import closedist

GIVEN = ("Comparison", "Explanation", "InputError")  # nobody makes these
FOLDER = Path(closedist.__file__).parent
WITH_EXAMPLES = [path for path in sorted(FOLDER.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", [name for name in closedist.__all__ if name not in GIVEN])
def test_a_public_function_shows_how_it_is_used(name: str) -> None:
    assert ">>> " in (getattr(closedist, name).__doc__ or "")


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_examples_give_what_they_show(path: Path) -> None:
    parts = path.relative_to(FOLDER.parent).with_suffix("").parts
    found = doctest.testmod(importlib.import_module(".".join(part for part in parts if part != "__init__")))
    assert found.attempted > 0
    assert found.failed == 0
