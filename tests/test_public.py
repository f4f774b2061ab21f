"""The public names: each has a docstring that says its shapes, and is in the documentation."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import closedist
from closedist.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTATION = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


@pytest.mark.parametrize("name", sorted(set(closedist.__all__) - {"InputError"}))
def test_a_public_name_says_its_shapes_and_is_documented(name):
    docstring = inspect.getdoc(getattr(closedist, name)) or ""
    assert len(docstring.splitlines()) > 2
    if name != "Comparison":  # whose fields are numbers
        assert re.search(r"\([NnBC], ?\w+'?\)|\(N,\)|N inputs|Representations", docstring), f"{name} states no shape"
    assert name in DOCUMENTATION


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert command in DOCUMENTATION


def test_every_public_function_of_the_package_has_a_docstring():
    for path in sorted((ROOT / "closedist").rglob("*.py")):
        module = compile(path.read_text(), str(path), "exec")
        assert module.co_consts[0], f"{path} has no docstring"


def test_importing_the_package_does_not_import_pytorch():
    code = "import sys, closedist; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"
