"""closedist compare for somebody who wants a verdict: exit codes for CI, groups, permutations, the matrix of many."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from closedist import Representations, compare
from closedist.cli import COMMANDS, UNFORESEEN, make_app, run
from closedist.comparison import pair_table
from tests.random_models import noisy, random_model, represent
from tests.slow_reference import Model

P = random_model(0, 300, 6, 2)
MODELS = {
    "p": P,
    "close": noisy(P, 0.02, 1),
    "between": noisy(P, 0.15, 2),
    "reversed": Model(-P.f, P.g, -P.b),
    "other": random_model(1, 300, 6, 3),
}
Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    for name, model in MODELS.items():
        represent(model).save(f"{name}.safetensors")
    return lambda *words: run(make_app("closedist", COMMANDS), ["compare", *map(str, words)])


def files(*names: str) -> list[str]:
    return [f"{name}.safetensors" for name in names]


def test_check_tells_a_job_by_its_exit_code(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    between = compare(represent(P), represent(MODELS["between"]), intervals=True)
    undecided = float(between.certificate_centred or 0)
    for names, options, code in (
        (("p", "close"), ["--check"], 0),
        (("p", "other"), ["--check"], 1),
        (("p", "reversed"), ["--check"], 1),
        (("p", "between"), ["--check", f"--tolerance={undecided}"], 3),
        (("p", "between"), [f"--tolerance={undecided}"], 0),
        (("p", "other"), [], 0),
        (("p", "close", "other"), ["--check"], 1),
        (("p", "close", "between"), ["--check", "--tolerance=0.9"], 0),
        (("close", "other"), ["--against=p.safetensors", "--check"], 1),
    ):
        for form in ([], ["--json"], ["--csv"]):
            assert command(*files(*names), *options, *form) == code, (names, options, form)
            assert capsys.readouterr().out
    assert command("p.safetensors", "nowhere.safetensors", "--check") == 2
    assert UNFORESEEN not in (0, 1, 2, 3)


def test_limits_of_kl_and_of_the_same_label_decide_too(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    hot = represent(P)
    bias = None if hot.bias is None else 4 * hot.bias
    Representations(4 * hot.embeddings, hot.unembeddings, bias=bias).save("hot.safetensors")  # of another temperature
    kl = compare(hot, Representations.load("hot.safetensors"), intervals=True).intervals
    low, high = (max(getattr(kl[name], end) for name in ("kl", "kl_reverse")) for end in ("at_least", "at_most"))
    for names, options, code, words in (
        (("p", "hot"), [], 0, "The same within 5 %"),
        (("p", "hot"), ["--max-kl=0.001"], 1, "Beyond the limits given: KL is at least"),
        (("p", "hot"), [f"--max-kl={(low + high) / 2}"], 3, "Undecided by the limits given: KL is"),
        (
            ("p", "hot"),
            [f"--max-kl={2 * high}", "--min-same-top=0.9"],
            0,
            "Within the limits given: KL is at most",
        ),
        (("p", "other"), ["--max-kl=1000"], 1, "Log-odds: not the same within 5 %"),
        (("p", "other"), ["--tolerance=0.99", "--min-same-top=0.99"], 1, "of the inputs get the same label, and 0.99"),
    ):
        assert command(*files(*names), *options, "--check") == code, (names, options)
        assert words in " ".join(capsys.readouterr().out.split())
    assert command(*files("p", "hot"), "--max-kl=0.001", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"]["kind"] == "not the same"
    assert command(*files("p", "close", "hot"), "--max-kl=0.001", "--check") == 1
    assert "= the same within 5 % and the limits given" in capsys.readouterr().out
    assert command(*files("p", "hot"), "--max-kl=0.001", "--no-intervals") == 2


def test_a_verdict_of_the_same_says_in_the_same_breath_that_answers_changed() -> None:
    rng = np.random.default_rng(0)
    near = rng.normal(size=(400, 3)) * [1, 1, 0.02]  # two labels of three nearly tie at every input
    p = Representations.from_logits(near @ [[1, 1, -2], [1, 1, -2], [1, -1, 0]])
    q = Representations.from_logits(near @ [[1, 1, -2], [1, 1, -2], [-1, 1, 0]])
    found = compare(p, q, intervals=True).verdict(tolerance=0.3)
    at_most = compare(p, q, intervals=True).intervals["same_top_label"].at_most
    assert found.kind == "same"
    assert at_most < 0.7
    assert found.sentence.endswith(f"Yet at least {1 - at_most:.1%} of the inputs get another label.")


def test_the_verdict_of_two_files_comes_first(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*files("p", "reversed")) == 0
    said = capsys.readouterr().out
    assert said.startswith("Not the same within 5 %: the same up to a rotation of the log-odds")
    assert command(*files("p", "reversed"), "--tolerance", "0.2") == 0
    assert capsys.readouterr().out.startswith("Not the same within 20 %")
    assert command(*files("p", "close"), "--no-intervals") == 0
    assert capsys.readouterr().out.startswith("p  p\nq  close\n\n300 inputs")
    assert command(*files("p", "close"), "--details") == 0
    alone = compare(*(represent(MODELS[name]) for name in ("p", "close")), intervals=True)
    assert capsys.readouterr().out == f"{pair_table(alone, ['p', 'close'], details=True)}\n"


def test_groups_come_from_a_file(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"patient {i // 20}" for i in range(300)]
    Path("lines.txt").write_text("\n".join(names))
    Path("table.csv").write_text("input,patient\n" + "\n".join(f"{i},{name}" for i, name in enumerate(names)))
    expected = compare(*(represent(MODELS[name]) for name in ("p", "other")), intervals=True, groups=names)
    for path in ("lines.txt", "table.csv"):
        assert command(*files("p", "other"), "--groups", path, "--json") == 0
        [row] = json.loads(capsys.readouterr().out)
        assert row["groups"] == "15 given groups"
        assert row["intervals"]["kl"]["low"] == expected.intervals["kl"].low
    Path("short.txt").write_text("\n".join(names[:-3]))
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00")
    for path, said in (
        ("short.txt", "has 297 lines, the models have 300"),
        ("none.txt", "cannot read"),
        ("bytes.txt", "no text"),
    ):
        assert command(*files("p", "other"), "--groups", path) == 2
        assert said in capsys.readouterr().err


def test_what_excludes_what(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    three = files("p", "close", "other")
    for words, said in (
        ([*three, "--permutations=9"], "--permutations: for two files only"),
        ([*three, "--input-search=diverse"], "--input-search: for two files only"),
        ([*three[:2], "--check", "--no-intervals"], "--no-intervals"),
        ([*three[:2], "--tolerance=1.5"], "--tolerance"),
        ([*three, "--number=color"], "number: 'color' is none"),
    ):
        assert command(*words) == 2
        assert said in capsys.readouterr().err


def test_permutations_and_the_diverse_search(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*files("p", "other"), "--permutations=19", "--input-search=diverse", "--json") == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["p_values"]["logit_correlation"] >= 0.05
    assert row["input_search"] == "diverse"


def test_a_matrix_shows_one_number_with_verdicts_and_groups_of_models(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*files(*MODELS)) == 0
    said = capsys.readouterr().out
    assert "logit correlation; = the same within 5 %, ≠ not the same, ? undecided" in said
    rows = {line.split()[0]: line.split()[1:] for line in said.partition("undecided\n")[2].splitlines()[1:6]}
    assert rows["0"][0] == "·"
    assert rows["0"][1] == "1.00="
    assert rows["0"][3] == "-1.00≠"
    assert rows["3"][0] == rows["0"][3]
    assert "any two logit correlations are 0.9 or more:\n  3: p, close, between\n  in none: reversed, other" in said
    assert "KL divergence" not in said
    assert command(*files(*MODELS), "--all", "--number=kl", "--no-intervals") == 0
    everything = capsys.readouterr().out
    assert "KL divergence in nats, row to column\n" in everything
    assert "KL divergence in nats, row to column" in everything
    assert "≠" not in everything


def test_many_models_fit_eighty_columns(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(20):
        represent(noisy(P, 0.3, seed)).save(f"{'long ' * 20}{seed}.safetensors")
    assert command(*sorted(map(str, Path().glob("long*")))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len([line for line in lines if line.startswith("19")]) >= 3  # its name, and its row in two blocks


def test_above_three_hundred_pairs_intervals_are_asked_for(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("closedist.cli.verdicts.MOST_PAIRS", 2)
    assert command(*files("p", "close", "other")) == 0
    assert "≠" not in capsys.readouterr().out
    assert command(*files("p", "close", "other"), "--tolerance=0.05") == 0
    assert "≠" in capsys.readouterr().out


def test_csv_holds_what_there_is(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*files("p", "close"), "--csv") == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    c = compare(represent(P), represent(MODELS["close"]), intervals=True)
    assert float(row["unsigned_certificate"]) == c.unsigned_certificate
    assert json.loads(row["intervals"])["kl"]["high"] == c.intervals["kl"].high


def test_groups_are_kept_with_representations(tmp_path: Path) -> None:
    for names in (np.arange(300) % 10, [f"text {i % 10}" for i in range(300)]):
        p = Representations(P.f, P.g, P.b, groups=names)
        p.save(tmp_path / "p.safetensors")
        np.savez(tmp_path / "p.npz", embeddings=P.f, unembeddings=P.g, bias=P.b, groups=np.array(names))
        read = Representations.load(tmp_path / "p.safetensors")
        assert read.groups.tolist() == list(names)
        part = read.at(inputs=[5, 3], labels=[1, 0])
        assert part.groups.tolist() == [names[5], names[3]]
        box = Representations.from_logits(P.f @ P.g.T, groups=names)
        assert box.at(labels=[2, 1]).groups.tolist() == list(names)
        assert "groups" in repr(box)


def test_what_is_measured_is_named(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    two, three = files("p", "close"), files("p", "close", "between")
    assert command(*two, "--measures", "default,procrustes,logit_distance") == 0
    out = capsys.readouterr().out
    assert "\nsame predictions?\n" in out
    assert "\nembeddings as views\n  Procrustes distance" in out
    assert "\ndistance of logits\n  d_logit  " in out
    assert max(map(len, out.splitlines())) <= 80
    assert command(*two, "--measures=procrustes,r2", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["linear_r2_reverse"] > 0.9
    assert row["kl"] is None
    assert row["intervals"].keys() == {"procrustes_distance", "linear_r2", "linear_r2_reverse"}
    assert command(*three, "--measures=procrustes,r2", "--csv") == 0
    assert (
        len([float(line["procrustes_distance"]) for line in csv.DictReader(io.StringIO(capsys.readouterr().out))]) == 3
    )
    assert command(*three, "--measures=procrustes,r2", "--number=linear_r2") == 0
    assert "linear R², row to column" in capsys.readouterr().out
    assert command(*two, "--measures=procrustes,cak") == 2
    assert capsys.readouterr().err.startswith("closedist: --measures: 'cak' is no measure; these are cka")
    assert command(*two, "--measures=procrustes", "--check") == 2
    assert "a verdict rests on them" in capsys.readouterr().err
    assert command(*files("p", "close"), "--measures=bures", "--against=other.safetensors") == 2
    assert "bures_distance compares covariances column by column" in capsys.readouterr().err
