"""What a table and a command say beside their numbers, so that none misleads."""

from pathlib import Path

import numpy as np
import pytest

from closedist import InputError, Representations, compare, compare_all
from closedist.certainty.limits import Limits
from closedist.cli import COMMANDS, make_app, run
from closedist.comparison import pair_table
from tests.random_models import Model, noisy, random_model, represent

BASE = random_model(0, 800, 6, 3)


def closedist(*words: object) -> int:
    return run(make_app("closedist", COMMANDS), [str(word) for word in words])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for index, path in enumerate(paths):
        represent(noisy(BASE, 0.3 * index, index)).save(path)
    return paths


def told(p: Representations, q: Representations) -> str:
    return " ".join(pair_table(compare(p, q, intervals=True)).split())


def test_the_same_log_odds_at_another_temperature_are_told_from_the_same_probabilities() -> None:
    hot = told(represent(BASE), represent(Model(5 * BASE.f, BASE.g, 5 * BASE.b)))
    assert hot.startswith("The same within 5 %")
    assert "up to a scale, not about probabilities: KL is" in hot
    assert "too large for so few inputs" not in hot  # what rounding leaves of a bias
    assert "up to a scale" not in told(represent(BASE), represent(noisy(BASE, 1e-3, 1)))


def test_arguments_of_another_kind_are_named() -> None:
    c = compare(represent(BASE), represent(noisy(BASE, 0.1, 1)), intervals=True)
    with pytest.raises(InputError, match="tolerance: 'a'; a number between 0 and 1"):
        c.verdict("a")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="executor: 4 has no submit"):
        compare_all([represent(BASE), represent(BASE)], executor=4)  # type: ignore[call-overload]


def test_unembeddings_of_few_labels_span_everything() -> None:
    assert "their m_CCA is 1 for any two models" in told(*(represent(random_model(seed, 300, 4, 3)) for seed in (0, 1)))
    assert "for any two models" not in told(*(represent(random_model(seed, 300, 6, 3)) for seed in (0, 1)))


def test_a_matrix_of_kl_has_both_directions(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert closedist("compare", *files, "--number", "kl") == 0
    out = capsys.readouterr().out
    a, _, c = (Representations.load(path) for path in files)
    there, back = compare(a, c).kl, compare(a, c).kl_reverse
    assert f"{there:.2f}" != f"{back:.2f}"
    lines = [line.split() for line in out.splitlines() if line[:1] in "012" and "safetensors" not in line]
    rows = {line[0]: line for line in lines if len(line) == 4}
    assert rows["0"][3].startswith(f"{there:.2f}")
    assert rows["2"][1].startswith(f"{back:.2f}")
    assert "row to column" in out


def test_options_that_two_files_do_not_take(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert closedist("compare", *files[:2], "--number", "kl") == 2
    assert "--number: for the matrix of three files or more" in capsys.readouterr().err
    assert closedist("compare-models", "base", "copy", "--text", files[0], "--tolerance", "0.1") == 2
    assert "--tolerance: of two models and their verdict" in capsys.readouterr().err


def test_verdicts_that_are_left_out_are_told_of(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert closedist("compare", *files, "--no-intervals") == 0
    assert "--intervals adds verdicts" in capsys.readouterr().out
    assert closedist("compare", *files) == 0
    assert "--intervals adds verdicts" not in capsys.readouterr().out


def test_a_tolerance_that_asks_for_little_is_said_to() -> None:
    c = compare(represent(BASE), represent(noisy(BASE, 0.1, 1)), intervals=True)
    assert "a tolerance of 0.5 asks for little: log-odds that share 25%" in " ".join(
        pair_table(c, limits=Limits(0.5)).split()
    )
    assert "asks for little" not in pair_table(c, limits=Limits(0.3))


def test_p_values_have_a_line_each() -> None:
    c = compare(represent(BASE), represent(noisy(BASE, 0.1, 1)), permutations=9)
    lines = pair_table(c).splitlines()
    at = lines.index("p-values")
    assert [line.split()[-1] for line in lines[at + 1 : at + 1 + len(c.p_values)]] == [
        f"{value:.3g}" for value in c.p_values.values()
    ]


def test_k_that_the_inputs_do_not_allow_is_less_and_said() -> None:
    rng = np.random.default_rng(0)
    p, q = (Representations.from_logits(rng.normal(size=(20, 50))) for _ in range(2))
    c = compare(p, q)
    assert c.subset_size == 19
    assert "K is 19, as many as 20 inputs allow" in " ".join(str(c).split())
    assert "inputs allow" not in str(compare(represent(BASE), represent(BASE)))


def test_a_matrix_says_whose_groups_these_are_and_that_a_verdict_is_of_something_else(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert closedist("compare", *files, "--number", "same_top_label") == 0
    out = capsys.readouterr().out
    assert "a verdict is about where two models agree least, the number about all at once" in out
    correlations = [c.logit_correlation for c in compare_all([Representations.load(path) for path in files])]
    assert correlations[0] > 0.9 > correlations[1]  # type: ignore[operator]
    assert "2: a, b" in out
    assert "in none: c" in out
    assert max(map(len, out.splitlines())) < 80
    assert closedist("compare", *files, "--no-intervals") == 0
    assert "a verdict is about" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["draw"], "draw needs KIND, one of heatmap, map, dendrogram, pair, labels; closedist draw --help says"),
        (["get-distances"], "get-distances needs --date-str; closedist get-distances --help says what it is"),
        (["draw", "map", "x", "--threshold"], "--threshold requires an argument"),
        (["explain", "a", "b", "c"], "explain has no place for c; closedist explain --help shows what it takes"),
        (["compare-models", "a", "b", "t.txt", "--folder", __file__], "is a file; name a folder"),
    ],
)
def test_what_is_missing_is_said_as_that(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert closedist(*words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [["compare"], ["report"], ["draw", "map"]])
def test_a_folder_of_models_is_told_how_to_be_given(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert closedist(*command, tmp_path) == 2
    told = f"{tmp_path} is a folder; give its files, as in: closedist {' '.join(command)} {tmp_path}/*.safetensors"
    assert told in capsys.readouterr().err
