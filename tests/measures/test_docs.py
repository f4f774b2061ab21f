"""docs/measures.md: its tables are those of the code, and nothing public is missing from the documentation."""

import dataclasses
import re
import runpy
from pathlib import Path

import closedist

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "measures.md").read_text()


def test_every_public_name_is_documented() -> None:
    everywhere = "\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
    for name in set(closedist.__all__) - {"Comparison", "InputError"}:
        pattern = rf"[`\s(](closedist\.)?{name}[`(.=]"  # as code: some names are everyday words
        assert re.search(pattern, everywhere), name


def test_the_table_of_the_numbers_is_that_of_columns() -> None:
    make_tables = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))
    assert make_tables["replaced"](TEXT) == TEXT, "run python docs/make_tables.py"
    for field in dataclasses.fields(closedist.Comparison):
        assert f"\n| `{field.name}` | " in TEXT
