"""docs/measures.md: its example runs, and nothing public is missing from it."""

import contextlib
import dataclasses
import io
import re
from pathlib import Path

import closedist

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "measures.md").read_text()


def test_every_public_name_and_every_field_is_documented() -> None:
    fields = {field.name for field in dataclasses.fields(closedist.Comparison)}
    functions = set(closedist.__all__) - {"Comparison", "InputError"}
    everywhere = "\n".join(path.read_text() for path in sorted(DOCS.glob("*.md")))
    for names, text in ((fields, TEXT), (functions, everywhere)):
        for name in names:
            assert re.search(rf"[`\s(](closedist\.)?{name}[`(.=]", text), name  # as code: some are everyday words


def test_the_worked_example_runs_and_prints_what_the_page_says() -> None:
    code = TEXT.split("```python\n")[-1].split("```")[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/measures.md", "exec"), {})
    numbers = re.compile(r"^  (d_LLV|d_f,g|certificate|m_CCA) +([\d.e-]+)", re.MULTILINE)
    shown = [(name, float(value)) for name, value in numbers.findall(TEXT)]
    ours = [(name, float(value)) for name, value in numbers.findall(printed.getvalue())]
    assert len(ours) == 8
    for (name, value), (documented, there) in zip(ours, shown, strict=True):
        assert name == documented
        assert abs(value - there) < 0.02 + 0.05 * there  # another version of scikit-learn may fit a little differently
