"""docs/measures.md: its example runs, and nothing public is missing from it."""

import contextlib
import dataclasses
import io
import re
from pathlib import Path

import closedist

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "measures.md").read_text()


def test_every_public_name_and_every_field_is_documented() -> None:
    fields = {field.name for field in dataclasses.fields(closedist.Comparison)}
    measures = set(closedist.__all__) - {"Comparison", "InputError", "extract", "extract_logits"}
    for name in measures | fields:
        assert re.search(rf"`(closedist\.)?{name}[`(.=]", TEXT), name  # as code: some names are everyday words


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
