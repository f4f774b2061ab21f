"""One reference and many copies: every number of the table beside numpy's, from the models' own logits."""

import csv
import io
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.stats import t as student
from torch import nn

from closedist.cli import COMMANDS, make_app, run
from closedist.comparison.copies import copies_table
from closedist.errors import InputError
from closedist.extraction import language_models
from closedist.extraction.copies import Copies, compare_copies
from closedist.extraction.texts import Text, read_vocabulary
from closedist.measures.settings import Settings
from tests.small_language_models import VOCABULARY, build, tokenizer

transformers = pytest.importorskip("transformers", reason="transformers, the extra closedist[hf], is not installed")

FEW = Settings(num_subsets=2, num_samples=20)
OPTIONS = ("--num-subsets", "2", "--num-samples", "20")
COPIES = ("int8", "8 bits", "4 bits", "3 bits")
CONTEXT = 16
WORDS = "The quick brown fox, so they say, jumps over the lazy dog; (why?) nobody knows. "
Array = NDArray[Any]


def rounded(model: Any, bits: int) -> Any:
    """Every matrix as whole multiples of a step a row, from its largest entry down to the negative of that."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                step = parameter.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
                parameter.copy_((parameter / step).round() * step)
    return model


def int8(model: Any) -> Any:
    """The layers below the head as 8-bit integers, as torch makes them on a CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.ao.quantization.quantize_dynamic(model.model, {nn.Linear}, dtype=torch.qint8, inplace=True)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, copies of the first with rounded weights, and eight texts."""
    place = tmp_path_factory.mktemp("copies")
    models = {"base": build("Llama"), "GPT-2": build("GPT-2"), "NeoX": build("GPT-NeoX"), "int8": build("Llama")}
    models |= {f"{bits} bits": rounded(build("Llama"), bits) for bits in (8, 4, 3)}
    for name, model in models.items():
        model.save_pretrained(place / name)
        tokenizer().save_pretrained(place / name)
    for number in range(8):
        (place / f"{number}.txt").write_text((WORDS * 2)[5 * number : 60 + 17 * number])
    return place


@pytest.fixture(autouse=True)
def _int8_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's dynamic integers are made of a model in memory, and in no folder."""
    load = language_models.load_causal_model

    def quantised(name: str, *rest: Any) -> Any:
        model = load(name, *rest)
        return int8(model) if Path(name).name == "int8" else model

    monkeypatch.setattr(language_models, "load_causal_model", quantised)


def texts(folder: Path, count: int = 8) -> tuple[Path, ...]:
    return tuple(folder / f"{number}.txt" for number in range(count))


def compared(folder: Path, *names: str, count: int = 8, **options: Any) -> Copies:
    text = Text(texts(folder, count), context=CONTEXT, **options)
    return compare_copies(str(folder / "base"), [str(folder / name) for name in names], text, settings=FEW)


def sequences(folder: Path, count: int = 8) -> list[tuple[int, list[int]]]:
    """What the models read, by document: 15 characters a sequence, after the token that begins it."""
    known = tokenizer()
    found = []
    for document, path in enumerate(texts(folder, count)):
        ids = known(path.read_text(), add_special_tokens=False)["input_ids"]
        found += [(document, [0, *ids[start : start + CONTEXT - 1]]) for start in range(0, len(ids), CONTEXT - 1)]
    return found


def own_logits(folder: Path, name: str, count: int = 8, of: Path | None = None) -> Array:
    """(N, C) what the model itself says at every position."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / name).eval()
    model = int8(model) if name == "int8" else model
    with torch.no_grad():
        # of one and the same batches, which the integers that torch makes of activations depend on
        batches = language_models._batches([tuple(ids) for _, ids in sequences(of or folder, count)])
        parts = [model(**batch).logits.flatten(0, 1).double() for batch in batches]
    return torch.cat(parts).numpy()


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def command(*words: str | Path) -> int:
    return run(make_app("closedist", COMMANDS), [str(word) for word in words])


def test_every_number_of_a_row_is_numpys(folder: Path, tmp_path: Path) -> None:
    found = compared(folder, "GPT-2", *COPIES, "NeoX")
    log_p = log_softmax(own_logits(folder, "base"))
    following = np.concatenate([[*ids[1:], -1] for _, ids in sequences(folder)])
    known = following >= 0
    p_next = log_p[known, following[known]]
    assert found.perplexity == pytest.approx(np.exp(-p_next.mean()), rel=1e-5)
    for row, tokens in zip(found.rows, found.by_token, strict=True):
        log_q = log_softmax(own_logits(folder, row.name))
        kl = (np.exp(log_p) * (log_p - log_q)).sum(-1)
        assert row.name == tokens.name
        np.testing.assert_allclose(tokens.kl, kl, rtol=3e-3, atol=1e-8)
        assert row.kl == pytest.approx(kl.mean(), rel=1e-3)
        assert row.kl_reverse == pytest.approx((np.exp(log_q) * (log_q - log_p)).sum(-1).mean(), rel=1e-3)
        shown = (row.kl_median, row.kl_90, row.kl_99, row.kl_99_9, row.kl_max)
        np.testing.assert_allclose(shown, np.percentile(kl, [50, 90, 99, 99.9, 100]), rtol=3e-3)
        assert row.same_top_label == (log_p.argmax(-1) == log_q.argmax(-1)).mean()
        q_next = log_q[known, following[known]]
        assert row.perplexity == pytest.approx(np.exp(-q_next.mean()), rel=1e-5)
        assert row.perplexity_ratio == pytest.approx(np.exp(p_next.mean() - q_next.mean()), rel=1e-5)
        assert row.kl_inputs == pytest.approx(kl.sum() ** 2 / (kl**2).sum(), rel=1e-2)
    order = [row.name for row in found.rows]
    assert [row.kl for row in found.rows] == sorted(row.kl for row in found.rows)
    assert set(order[:2]) == {"int8", "8 bits"}
    assert order[2:4] == ["4 bits", "3 bits"]


def test_a_folder_that_torchao_quantised_is_a_copy(folder: Path, tmp_path: Path) -> None:
    torchao = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    settings = transformers.TorchAoConfig(torchao.Int8WeightOnlyConfig())
    model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base", quantization_config=settings)
    model.save_pretrained(tmp_path / "copy")
    tokenizer().save_pretrained(tmp_path / "copy")
    log_p = log_softmax(own_logits(folder, "base"))
    log_q = log_softmax(own_logits(tmp_path, "copy", of=folder))
    text = Text(texts(folder), context=CONTEXT)
    (row,) = compare_copies(str(folder / "base"), [str(tmp_path / "copy")], text, settings=FEW).rows
    assert row.kl == pytest.approx((np.exp(log_p) * (log_p - log_q)).sum(-1).mean(), rel=1e-3)


def test_perplexity_is_the_exponential_of_the_loss_that_transformers_gives(folder: Path) -> None:
    found = compared(folder, "GPT-2")
    for name, perplexity in (("base", found.perplexity), ("GPT-2", found.rows[0].perplexity)):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder / name).eval()
        losses, counts = [], []
        for _, ids in sequences(folder):
            if len(ids) > 1:
                words = torch.tensor([ids])
                losses.append(model(input_ids=words, labels=words).loss.item())
                counts.append(len(ids) - 1)
        assert perplexity == pytest.approx(np.exp(np.average(losses, weights=counts)), rel=1e-5)


@pytest.mark.parametrize(("count", "said"), [(8, "over the 8 texts"), (7, "over 20 blocks of whole sequences")])
def test_the_interval_is_the_jackknife_over_texts_or_over_blocks_of_whole_sequences(
    folder: Path, count: int, said: str
) -> None:
    found = compared(folder, "4 bits", count=count)
    (row,), (tokens,) = found.rows, found.by_token
    read = sequences(folder, count)
    of_sequence = [document if count == 8 else number * 20 // len(read) for number, (document, _) in enumerate(read)]
    groups = np.repeat(of_sequence, [len(ids) for _, ids in read])
    sizes = np.bincount(groups)
    without = np.array([np.log(tokens.kl[groups != group].mean()) for group in range(len(sizes))])
    error = np.sqrt((len(sizes) - 1) / len(sizes) * ((without - without.mean()) ** 2).sum())
    worth = sizes.sum() ** 2 / (sizes**2).sum()
    quantile = student.ppf(0.975, worth - 1)
    assert row.kl_low == pytest.approx(tokens.kl.mean() * np.exp(-quantile * error), rel=1e-9)
    assert row.kl_high == pytest.approx(tokens.kl.mean() * np.exp(quantile * error), rel=1e-9)
    assert said in found.notes[0]


def test_too_few_sequences_give_no_interval_and_the_table_says_so(folder: Path) -> None:
    found = compared(folder, "4 bits", count=1, max_tokens=5 * CONTEXT)
    assert (found.rows[0].kl_low, found.rows[0].kl_high) == (None, None)
    assert "4 sequences, 8 are needed; give more text or a smaller --context" in found.notes[0]


def test_one_text_that_was_read_is_told_in_the_singular(folder: Path) -> None:
    notes = " ".join(compared(folder, "4 bits", count=3, max_tokens=2 * CONTEXT).notes)
    assert f"Only the first of 3 texts was read: --max-tokens {2 * CONTEXT} ends there." in notes


def test_a_copy_that_is_the_reference_differs_in_nothing(folder: Path) -> None:
    (row,) = compared(folder, "base").rows
    assert row.name == "base (2)"
    assert (row.kl, row.kl_low, row.kl_high, row.kl_max, row.same_top_label, row.perplexity_ratio) == (0, 0, 0, 0, 1, 1)


def test_positions_without_a_next_token_have_no_perplexity(folder: Path) -> None:
    found = compared(folder, "4 bits", positions="last")
    assert found.perplexity is None
    assert found.rows[0].perplexity_ratio is None
    assert len(found.places.token) == len(sequences(folder))


def test_the_reference_is_extracted_once_and_kept_copies_are_not_extracted_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    extract = language_models.extract
    monkeypatch.setattr(language_models, "extract", lambda *a, **k: done.append(k["file"].name) or extract(*a, **k))
    words = ("compare-models", folder / "base", folder / "8 bits", folder / "4 bits")
    ending = ("--text", *texts(folder), "--folder", tmp_path, "--json", *OPTIONS)
    assert command(*words, *ending) == 0
    assert done == ["base.safetensors", "8 bits.safetensors", "4 bits.safetensors"]
    assert command(*words, folder / "3 bits", *ending) == 0
    assert done[3:] == ["3 bits.safetensors"]


def test_json_and_csv_have_the_same_rows_under_the_names_of_the_fields(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("compare-models", folder / "base", folder / "4 bits", folder / "8 bits", "--text", *texts(folder))
    assert command(*words, *OPTIONS, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert command(*words, *OPTIONS, "--csv") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    wanted = "name kl kl_low kl_high kl_reverse kl_median kl_90 kl_99 kl_99_9 kl_max same_top_label perplexity"
    wanted += " perplexity_ratio llv mean_cca_embeddings certificate logit_correlation"
    assert [row["name"] for row in rows] == ["8 bits", "4 bits"]
    for row, line in zip(rows, lines, strict=True):
        assert {*wanted.split()} <= {*row}
        assert list(row) == list(line)
        assert {name: str(value) for name, value in row.items()} == line


def test_the_table_and_the_tokens_in_context_fit_into_eighty_columns(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / "a-model-of-a-longer-name-Q4_K_M"
    long.symlink_to(folder / "4 bits")
    words = ("compare-models", folder / "base", long, folder / "3 bits", "--text", *texts(folder), *OPTIONS)
    assert command(*words) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    worst = out.split("Where ")[2].split("\n\n")[0].splitlines()
    assert worst[0].startswith("a-model-of-a-longer-name-Q4_K_M differs most from base")
    numbers = [float(line.split()[0]) for line in worst[-5:]]
    assert numbers == sorted(numbers, reverse=True)
    assert out.index("differs most") < out.index("KL divergence from base")
    assert "1  a-model-of-a-longer-name-Q4_K_M\n2  3 bits" in out
    assert command(*words, "--differences", "0") == 0
    assert "differs most" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sixteen-letters-", "another-of-a-longer-name-Q4_K_M"])
def test_names_of_any_length_leave_the_table_within_eighty_columns(folder: Path, name: str) -> None:
    rows = [replace(row, name=name) for row in compared(folder, "4 bits").rows]
    table = copies_table(rows, "base")
    assert max(map(len, table.splitlines())) <= 80
    assert name in table


def test_what_is_not_known_is_a_dash_and_too_few_positions_are_told_of(folder: Path) -> None:
    (row,) = compared(folder, "4 bits").rows
    table = copies_table([replace(row, kl_low=None, perplexity=None, kl_inputs=29.0)], "base")
    assert "rests on fewer than 30 positions" in table
    assert re.search(r"^4 bits +[\d.]+ +- ", table, re.MULTILINE)
    assert "rests on" not in copies_table([replace(row, kl_inputs=30.0)], "base")


@pytest.mark.parametrize("ending", ["safetensors", "parquet"])
def test_the_file_of_tokens_has_every_position_of_every_copy(folder: Path, tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    file = tmp_path / f"tokens.{ending}"
    words = ("compare-models", folder / "base", folder / "4 bits", folder / "3 bits", "--text", *texts(folder))
    assert command(*words, "--context", CONTEXT, "--per-token", file, "--json", *OPTIONS) == 0
    found = compared(folder, "4 bits", "3 bits")
    read = sequences(folder)
    documents = [document for document, ids in read for _ in ids]
    positions = [position for document in range(8) for position in range(documents.count(document))]
    tokens = [token for _, ids in read for token in ids]
    tops = [log_softmax(own_logits(folder, name)).argmax(-1) for name in ("base", "4 bits", "3 bits")]
    words_of: list[Any] = list(range(VOCABULARY))
    names: list[Any] = [0, 1]
    paths: list[Any] = list(range(8))
    if ending == "parquet":
        from pyarrow import parquet

        columns = parquet.read_table(file).to_pydict()
        words_of = read_vocabulary(str(folder / "base")).names
        names, paths = ["4 bits", "3 bits"], [str(path) for path in texts(folder)]
    else:
        columns = {name: column.tolist() for name, column in load_file(file).items()}
    assert sorted(columns) == ["document", "kl", "name", "other_top", "position", "token", "top"]
    assert columns["name"] == [name for name in names for _ in tokens]
    assert columns["document"] == [paths[document] for document in documents] * 2
    assert columns["position"] == positions * 2
    assert columns["token"] == [words_of[token] for token in tokens] * 2
    assert columns["top"] == [words_of[top] for top in tops[0]] * 2
    assert columns["other_top"] == [words_of[top] for top in np.concatenate(tops[1:])]
    assert columns["kl"] == [kl for part in found.by_token for kl in part.kl.tolist()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv", "TEXT"], "--csv: of copies of one reference; name the texts with --text after the models"),
        (["--per-token", "t.parquet", "TEXT"], "--per-token: of copies of one reference"),
        (["--differences", "3", "TEXT"], "--differences: of copies of one reference"),
        (["--text", "TEXT", "--per-token", "tokens.xlsx"], "its name ends in .safetensors or .parquet"),
        (["--text", "TEXT", "--json", "--csv"], "--json and --csv"),
        (["--text", "absent.txt"], "cannot read absent.txt"),
        ([], "needs two models and a text, as in: closedist compare-models MODEL OTHER text.txt"),
        (["FOLDER/3 bits", "TEXT"], "3 bits is a folder and no text; more models come before --text"),
        (["--text", "FOLDER/3 bits"], "3 bits is a folder and no text"),
        (["TEXT", "--text", "TEXT"], "0.txt is a file and no folder; give a folder that save_pretrained wrote"),
        (["FOLDER/q.gguf", "--text", "TEXT"], "q.gguf is a file and no folder; transformers opens a GGUF"),
        (
            ["--text", "TEXT", "--max-tokens", "50", "--subset-size", "60"],
            "different inputs (--subset-size + 1) is needed",
        ),
        (["--text", "TEXT", "--num-pivots", "0"], "--num-pivots"),
    ],
)
def test_a_users_mistake_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (folder / "q.gguf").write_bytes(b"GGUF" + bytes(60))
    filled = [word.replace("TEXT", str(folder / "0.txt")).replace("FOLDER", str(folder)) for word in words]
    assert command("compare-models", folder / "base", folder / "4 bits", *filled) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_texts_named_before_the_models_and_a_copy_that_was_forgotten_are_told_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--text", folder / "0.txt", folder / "base", folder / "4 bits"), (folder / "base", "--text", "t")):
        assert command("compare-models", *words) == 2
        assert "needs a reference and one or more copies of it before --text" in capsys.readouterr().err


def test_canonical_correlations_on_few_positions_are_told_of(folder: Path) -> None:
    assert not any("m_CCA" in note for note in compared(folder, "4 bits").notes)  # 16 dimensions
    assert "read 320 positions" in " ".join(compared(folder, "4 bits", max_tokens=319).notes)


def test_parquet_without_pyarrow_says_what_to_install_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from closedist.extraction import per_token

    monkeypatch.setattr(per_token, "find_spec", lambda name: None)
    monkeypatch.setattr(language_models, "load_causal_model", lambda *_: pytest.fail("weights read"))
    words = ("compare-models", folder / "base", folder / "4 bits", "--text", folder / "0.txt")
    assert command(*words, "--per-token", "tokens.parquet") == 2
    assert "parquet needs the package pyarrow: pip install pyarrow; or name a .safetensors" in capsys.readouterr().err


def test_one_of_several_copies_with_another_vocabulary_is_named(folder: Path, tmp_path: Path) -> None:
    build("GPT-2").save_pretrained(tmp_path / "swapped")
    tokenizer(swapped=(2, 3)).save_pretrained(tmp_path / "swapped")
    with pytest.raises(InputError, match=r"base and .*swapped have different vocabularies"):
        compare_copies(str(folder / "base"), [str(folder / "4 bits"), str(tmp_path / "swapped")], Text(texts(folder)))


def test_a_text_before_the_models_is_told_where_it_belongs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("compare-models", texts(folder)[0], folder / "base", folder / "3 bits") == 2
    assert "is a text where a model should be; models come first" in " ".join(capsys.readouterr().err.split())


def test_a_job_is_told_by_its_exit_code_which_copies_keep_the_limits(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row.name: row for row in compared(folder, "8 bits", "3 bits").rows}
    worst, best = rows["3 bits"], rows["8 bits"]
    assert worst.kl_low is not None
    assert worst.kl_high is not None
    assert worst.same_top_low is not None
    assert worst.same_top_high is not None
    assert best.kl_high is not None
    assert worst.same_top_low < worst.same_top_label < worst.same_top_high
    copies = (
        folder / "base",
        folder / "8 bits",
        folder / "3 bits",
        "--text",
        *texts(folder),
        *OPTIONS,
        "--context",
        CONTEXT,
    )
    between = (best.kl_high + worst.kl_low) / 2
    for options, code, words in (
        (("--max-kl", between), 1, f"3 bits  no: KL is at least {worst.kl_low:.3g} nats"),
        (("--max-kl", (worst.kl_low + worst.kl_high) / 2), 3, "3 bits  undecided: KL is"),
        (("--max-kl", 2 * worst.kl_high), 0, "3 bits  yes: KL is at most"),
        (("--min-same-top", (worst.same_top_label + worst.same_top_high) / 2), 3, "3 bits  undecided: "),
        (("--min-same-top", 0.01), 0, "8 bits  yes: at least"),
    ):
        assert command("compare-models", *copies, "--check", *options) == code, options
        said = capsys.readouterr().out
        assert " ".join(words.split()) in " ".join(said.split())
        assert command("compare-models", *copies, *options) == 0
        capsys.readouterr()
    assert command("compare-models", *copies, "--check") == 2
    assert "--check: say by how much a copy may differ, with --max-kl" in capsys.readouterr().err
