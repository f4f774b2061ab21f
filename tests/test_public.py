"""The public names: each has a docstring that says its shapes, and is in the documentation."""

import ast
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


@pytest.mark.parametrize("name", sorted(set(closedist.__all__) - {"Comparison", "Explanation", "InputError"}))
def test_a_public_name_says_its_shapes_and_is_called_in_the_documentation(name):
    docstring = inspect.getdoc(getattr(closedist, name)) or ""
    assert re.search(r"\([NnBC], ?\w+'?\)|\(N,\)|N inputs|Representations", docstring), f"{name} states no shape"
    assert re.search(rf"\b{name}(\(|\.\w+\()", DOCUMENTATION), f"{name} is called in no document"


@pytest.mark.parametrize("name", [name for name in closedist.__all__ if inspect.isfunction(getattr(closedist, name))])
def test_a_public_function_says_what_each_argument_is(name):
    function = getattr(closedist, name)
    docstring = inspect.getdoc(function) or ""
    for parameter in inspect.signature(function).parameters if "arguments are those of" not in docstring else ():
        assert re.search(rf"\b{parameter}\b", docstring), parameter


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert re.search(rf"(closedist|run\.py) {command}\b", DOCUMENTATION)


def undocumented(body, place):
    """The public functions, classes and methods without a docstring, wherever they are."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            overloaded = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
            if not ast.get_docstring(node) and not overloaded:
                yield f"{place}.{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{place}.{node.name}")


def test_every_public_function_class_and_method_of_the_package_has_a_docstring():
    for path in sorted((ROOT / "closedist").rglob("*.py")):
        assert list(undocumented(ast.parse(path.read_text()).body, path)) == []


def test_importing_the_package_does_not_import_pytorch():
    code = "import sys, closedist; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"
