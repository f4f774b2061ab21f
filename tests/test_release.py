"""What a release says of itself is one thing everywhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import closedist

ROOT = Path(__file__).parents[1]


def test_the_version_is_one() -> None:
    version = closedist.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0].split()[0] == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "closedist.__version__"}


def test_the_command_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "closedist", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == closedist.__version__


def test_files_that_a_wheel_needs_beside_modules_are_named() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["closedist"]
    package = ROOT / "closedist"
    taken = {path for pattern in named for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".py"}
    others |= set((package / "paper" / "configs").glob("*"))  # a link, which rglob passes over
    assert {path for path in others if "__pycache__" not in path.parts} == taken
