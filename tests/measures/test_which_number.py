"""docs/which-number.md: its numbers are those that its command prints."""

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "which-number.md").read_text()
ROW = re.compile(r"^  (\S.*?)  +(-?[\d.]+)(?:   (\S+ … \S+|± \S+))?(?: +(-?[\d.]+))?$", re.MULTILINE)


def numbers(text: str) -> list[tuple[str, list[float]]]:
    """Every row of the tables: its title, and all numbers of it."""
    rows = []
    for title, value, interval, chance in ROW.findall(text):
        ends = re.findall(r"[\d.]+", interval)
        rows.append((title, [float(number) for number in (value, *ends, chance) if number]))
    return rows


def test_both_extreme_pairs_are_what_the_page_shows() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(ROOT / "examples" / "extremes.py"), run_name="__main__")
    shown = [block for block in PAGE.split("```") if block.startswith("text\n")]
    assert len(shown) == 2
    pairs = re.split(r"^20 unseen directions$", printed.getvalue(), flags=re.MULTILINE)
    for block, pair in zip(shown, pairs, strict=True):
        theirs, ours = numbers(block), numbers(pair)
        assert len(ours) >= 11
        assert [title for title, _ in theirs] == [title for title, _ in ours]
        for (title, documented), (_, found) in zip(theirs, ours, strict=True):
            assert documented == pytest.approx(found, rel=0.01, abs=2e-4), title
        sentence = " ".join(block.removeprefix("text\n").split("\n\n")[0].split())
        assert sentence in " ".join(pair.split())
