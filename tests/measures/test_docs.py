"""docs/measures.md: its example runs, and nothing public is missing from it."""

import contextlib
import dataclasses
import io
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


def test_the_worked_example_runs_and_prints_what_the_page_says() -> None:
    code = TEXT.split("```python\n")[-1].split("```")[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/measures.md", "exec"), {})
    numbers = re.compile(r"^  (d_LLV|d_f,g|certificate|m_CCA, embeddings) +([\d.e-]+)", re.MULTILINE)
    shown = [(name, float(value)) for name, value in numbers.findall(TEXT)]
    ours = [(name, float(value)) for name, value in numbers.findall(printed.getvalue())]
    assert len(ours) == 8
    for (name, value), (documented, there) in zip(ours, shown, strict=True):
        assert name == documented
        assert abs(value - there) < 0.02 + 0.05 * there  # another version of scikit-learn may fit a little differently
