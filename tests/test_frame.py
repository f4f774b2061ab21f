"""Many pairs as a table: rows for data frames, CSV, one model against the others, and models that share a name."""

import csv
import io
import json
from dataclasses import fields
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import closedist
from closedist import Comparison, InputError, Representations, compare, compare_all
from closedist.cli import COMMANDS, make_app, run
from closedist.extraction.files import distinct_names
from tests.random_models import noisy, random_model, represent

FIRST = random_model(0, 60, 5, 2)
MODELS = {"full": FIRST, "8 bits": noisy(FIRST, 0.01, 1), "4 bits, new": noisy(FIRST, 0.3, 2)}
REPRESENTATIONS = {name: represent(model) for name, model in MODELS.items()}
FIELDS = [field.name for field in fields(Comparison) if field.name not in ("names", "measures")]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.safetensors" for name in MODELS]
    for path, one in zip(paths, REPRESENTATIONS.values(), strict=True):
        one.save(path)
    return paths


def command(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), ["compare", *map(str, words)])


def test_a_comparison_says_of_which_models_it_is() -> None:
    p, q, r = REPRESENTATIONS.values()
    assert compare(p, q).names == ("p", "q")
    assert compare(p, q, names=["here", "there"]).names == ("here", "there")
    assert str(compare(p, q, names=["here", "there"])).startswith("p  here\nq  there\n\n60 inputs")
    assert [c.names for c in compare_all([p, q, r])] == [("0", "1"), ("0", "2"), ("1", "2")]
    named = compare_all(REPRESENTATIONS)
    assert [c.names for c in named] == list(combinations(MODELS, 2))
    assert named == compare_all([p, q, r], names=list(MODELS)) == compare_all([p, q, r])  # names are no result
    assert [c.names for c in compare_all(REPRESENTATIONS, pairs=[(0, 2)])] == [("full", "4 bits, new")]


def test_names_that_do_not_fit() -> None:
    p, q, _ = REPRESENTATIONS.values()
    for call in (lambda: compare(p, q, names=["p"]), lambda: compare_all({"p": p}, names=["p"])):
        with pytest.raises(InputError, match=r"^(names|models): "):
            call()
    with pytest.raises(InputError, match="model there has 59 inputs, model here has 60"):
        compare_all({"here": p, "there": q.at(inputs=slice(59))})
    with pytest.raises(InputError, match="model p has 4 labels, model p has 5"):
        compare(p, q.at(labels=slice(4)), names=["p", "p"])


def test_pairs_in_tiles_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closedist.pairs.tiles.TILE", 1)
    assert [c.names for c in compare_all(REPRESENTATIONS)] == list(combinations(MODELS, 2))


def test_rows_hold_every_field_and_make_a_data_frame() -> None:
    comparisons = compare_all(REPRESENTATIONS, num_subsets=5)
    rows = closedist.rows(comparisons)
    assert all(list(row) == ["first", "second", *FIELDS] for row in rows)
    assert all(type(row) is dict for row in rows)
    for row, c in zip(rows, comparisons, strict=True):
        assert (row["first"], row["second"]) == c.names
        for name in FIELDS:
            value = getattr(c, name)
            assert row[name] == (list(value) if isinstance(value, tuple) else value)
    frame = pytest.importorskip("pandas").DataFrame(rows)
    assert frame["kl"].dtype == np.float64
    assert frame["kl"].idxmin() == 0


def test_csv_is_one_row_a_pair_that_any_reader_takes(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*files, "--csv") == 0
    text = capsys.readouterr().out
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["first", "second", *FIELDS]
    comparisons = compare_all(REPRESENTATIONS)
    assert [tuple(line[:2]) for line in lines] == [(str(p), str(q)) for p, q in combinations(files, 2)]
    for line, c in zip(lines, comparisons, strict=True):
        read = dict(zip(header, line, strict=True))
        assert (float(read["kl"]), float(read["certificate"])) == (c.kl, c.certificate)
        assert json.loads(read["input_set"]) == list(c.input_set or ())
        assert read["label_names"] == ""
    frame = pytest.importorskip("pandas").read_csv(io.StringIO(text))
    assert frame["kl"].tolist() == [c.kl for c in comparisons]


def test_what_a_pair_does_not_have_is_an_empty_cell_and_notes_go_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, one in REPRESENTATIONS.items():
        labels = [0, 1, 2] if name == "full" else [1, 2]
        part = one.at(labels=labels)
        names = [f"label {label}" for label in labels]
        Representations(part.embeddings, part.unembeddings, part.bias, None, names).save(
            tmp_path / f"{name}.safetensors"
        )
    assert command(*sorted(tmp_path.glob("*.safetensors")), "--csv", "--align") == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 3
    assert all(row["llv"] == row["input_set"] == "" for row in rows)
    assert "left out are 1 of full ('label 0')" in err


@pytest.mark.parametrize("among", [True, False])
def test_one_model_against_the_others(among: bool, files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    reference, others = files[1], [files[0], files[2]]
    given = files if among else others
    assert command(*given, "--against", reference, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["first"], row["second"]) for row in rows] == [(str(reference), str(other)) for other in others]
    kl = [closedist.kl_divergence(REPRESENTATIONS["8 bits"], REPRESENTATIONS[other.stem]) for other in others]
    assert [float(row["kl"]) for row in rows] == pytest.approx(kl, rel=1e-9)
    assert command(*given, "--against", reference) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert max(map(len, lines)) <= 80
    *_, header, first, second, legend = lines
    assert header.strip().startswith("8 bits  ")
    assert [line.strip().partition("  ")[0] for line in (first, second)] == ["full", "4 bits, new"]
    assert all(line.split("  ")[-6] in "=≠?" for line in (first, second))
    assert "= the same within 5 %, ≠ not the same" in legend
    assert f"{kl[1]:.4f}" in second
    assert command(*given, "--against", reference, "--all") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "reverse" in out
    assert command(others[0], "--against", reference) == 0
    assert "p  8 bits\nq  full\n\n60 inputs" in capsys.readouterr().out


def test_options_that_exclude_each_other(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*files, "--json", "--csv") == 2
    assert "--json and --csv" in capsys.readouterr().err
    for same in (files[0], files[0].parent / "." / ".." / files[0].parent.name / files[0].name):
        assert command(same, "--against", files[0]) == 2
        assert "two files or more" in capsys.readouterr().err


def test_a_hostile_file_name_does_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "a\x1b[2J\n.npz", tmp_path / "b.npz") == 2
    error = capsys.readouterr().err
    assert "a\\x1b[2J\\n.npz" in error
    assert "\x1b" not in error


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["p.safetensors", "q.safetensors"], ["p", "q"]),
        (["runs/a/p.safetensors", "runs/b/p.safetensors", "runs/b/q.safetensors"], ["a/p", "b/p", "q"]),
        (["p.npz", "p.pt"], ["p.npz", "p.pt"]),
        (["x/a/p.npz", "y/a/p.npz"], ["x/a/p", "y/a/p"]),
        (["p.npz", "runs/p.npz"], ["p.npz", "runs/p"]),
        (["p.npz", "p.npz"], ["p", "p (2)"]),
        (["runs/a/p.npz", "runs/b/p.npz", "runs/a/p.npz"], ["a/p", "b/p", "a/p (2)"]),
        (["models/Qwen2.5-0.5B", "models/Qwen2.5-1.5B"], ["Qwen2.5-0.5B", "Qwen2.5-1.5B"]),
        (["org/model", "other/model"], ["org/model", "other/model"]),
        (["/p.npz", "/runs/p.npz"], ["/p", "runs/p"]),
        (["red\x1b[31m.npz", "two\nlines.npz"], ["red\\x1b[31m", "two\\nlines"]),
    ],
)
def test_paths_of_one_name_are_told_apart(paths: list[str], names: list[str]) -> None:
    assert distinct_names([Path(path) for path in paths]) == names


def test_files_of_one_name_are_told_apart_in_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / run / "p.safetensors" for run in ("a", "b", "c")]
    for path, one in zip(paths, REPRESENTATIONS.values(), strict=True):
        one.save(path)
    assert command(*paths[:2]) == 0
    assert "\n\np  a/p\nq  b/p\n\n" in capsys.readouterr().out
    assert command(*paths) == 0
    assert capsys.readouterr().out.startswith("0  a/p\n1  b/p\n2  c/p\n")
