"""Result files: the paper's names, their content, one reader for folders and archives, and what strangers may send."""

import json
import struct
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from closedist import Representations, compare
from closedist.comparison import COLUMNS
from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.paper.results.archive import MAX_CONTENTS_BYTES, MAX_FILE_BYTES, open_results
from closedist.paper.results.names import (
    Configuration,
    accuracies_file_name,
    dates,
    distances_file_name,
    loss_file_name,
    mcca_file_name,
    newest_date,
)
from closedist.paper.results.tables import (
    MODELS,
    AccuracyRow,
    Distances,
    LossRow,
    MCCARow,
    read_accuracies,
    read_distances,
    read_losses,
    read_mcca,
    write_accuracies,
    write_distances,
    write_losses,
    write_mcca,
)

SMALL = Configuration("SmallMLP", width=16, num_classes=4, rep_dim=2, train_steps=15_000)
RESNET = Configuration("ResNetCIFAR10", width=128, num_classes=10, rep_dim=3, train_steps=20_000)
SUM_OF_MEANS = Settings(reduction="mean", combine="sum", weight=1)


def papers_table(pairs: int = 3) -> dict[str, Any]:
    """A distances file as the paper's code writes it: none of our keys."""
    return {
        "model_seeds": [f"0vs{i + 1}" for i in range(pairs)],
        "KL_div": [0.1 * i for i in range(pairs)],
        "distance": [0.2 + 0.1 * i for i in range(pairs)],
        "t_1": [0.2 + 0.1 * i for i in range(pairs)],
        "t_2": [0.1] * pairs,
        "m_SVDs_f": [[0.9, 0.95, 0.99 - 0.1 * i] for i in range(pairs)],
        "m_SVDs_g": [[0.97]] * pairs,
        "input_idxs": [[5, 7, 11]] * pairs,
        "y_pivot_idx": [1] * pairs,
        "lo_idx": [0] * pairs,
    }


def write(folder: Path, name: str, table: Any) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(table))
    return name


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


# --- names


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("D_model_distances_test_maxmax_w1e-05_SmallMLP_16_cls4.json", (SMALL, "D", "test", Settings())),
        (
            "D_model_distances_test_maxmax_w1e-05_SmallMLP_g_20_f_20_16_cls4.json",
            (replace(SMALL, fix_length_g=20.0, fix_length_f=20), "D", "test", Settings()),
        ),
        (
            "D_model_distances_train_mean_w1_0_SmallMLP_f_0_5_16_cls4_x.json",
            (replace(SMALL, fix_length_f=0.5), "D", "train", SUM_OF_MEANS, "_x"),
        ),
        ("D_model_distances_test_maxmax_w1e-05_ResNetCIFAR10_128_fd3_20000.json", (RESNET, "D", "test", Settings())),
    ],
)
def test_distances_have_the_papers_names(name: str, arguments: tuple[Any, ...]) -> None:
    assert distances_file_name(*arguments) == name


def test_accuracies_of_all_length_settings_share_a_name() -> None:
    assert accuracies_file_name(SMALL, "D", "test") == "D_model_acc_test_SmallMLP_16_cls4.json"
    fixed = accuracies_file_name(replace(SMALL, fix_length_g=20, fix_length_f=20), "D", "test")
    assert fixed == "D_model_acc_test_SmallMLP_16_cls4.json"
    assert accuracies_file_name(RESNET, "D", "train") == "D_model_acc_train_ResNetCIFAR10_128_fd3_20000.json"


def test_short_cifar_names_mean_the_resnet_after_20000_steps_and_no_other() -> None:
    assert mcca_file_name(replace(RESNET, rep_dim=2)) == "mcca_cifar_fd2.json"
    assert loss_file_name(replace(RESNET, rep_dim=5)) == "loss_cifar_fd5.json"
    assert mcca_file_name(replace(RESNET, train_steps=5000)) == "mcca_cifar_fd3_ResNetCIFAR10_5000.json"
    assert loss_file_name(replace(RESNET, model_type="SmallCIFAR10")) == "loss_cifar_fd3_SmallCIFAR10_20000.json"


def test_results_of_another_data_set_than_the_papers_carry_its_name_so_that_no_two_share_a_file() -> None:
    def names(dataset: str) -> list[str]:
        small, resnet = replace(SMALL, dataset=dataset), replace(RESNET, dataset=dataset)
        return [
            distances_file_name(small, "D", "test", Settings(), "_x"),
            accuracies_file_name(small, "D", "test", "_x"),
            accuracies_file_name(resnet, "D", "test"),
            mcca_file_name(resnet),
            loss_file_name(replace(resnet, train_steps=5000)),
        ]

    assert names("radial_classification") == names("cifar10")
    assert names("toy") == [
        "D_model_distances_test_maxmax_w1e-05_SmallMLP_16_cls4_toy_x.json",
        "D_model_acc_test_SmallMLP_16_cls4_toy_x.json",
        "D_model_acc_test_ResNetCIFAR10_128_fd3_20000_toy.json",
        "mcca_cifar_fd3_toy.json",
        "loss_cifar_fd3_ResNetCIFAR10_5000_toy.json",
    ]


def test_a_split_is_train_or_test() -> None:
    with pytest.raises(InputError, match="'validation' is neither"):
        accuracies_file_name(SMALL, "D", "validation")


# --- content

KEYS = {  # in the file's order: the paper's, then ours
    "model_seeds": "", "KL_div": "kl", "distance": "llv", "t_1": "label_term", "t_2": "input_term",
    "m_SVDs_f": "m_svd_embeddings", "m_SVDs_g": "m_svd_unembeddings", "input_idxs": "input_set",
    "y_pivot_idx": "pivot_label", "lo_idx": "left_out_label", "logit_correlation": "logit_correlation",
    "same_top": "same_top_label", "KL_div_reverse": "kl_reverse", "certificate": "certificate", "d_fg": "dissimilarity",
    "unsigned_certificate": "unsigned_certificate", "m_CCA_f": "mean_cca_embeddings",
    "m_CCA_g": "mean_cca_unembeddings", "CKA_f": "cka_embeddings", "t_3": "label_scale_term",
    "t_4": "input_scale_term", "bound": "bound", "quadratic_bound": "quadratic_bound",
    "num_samples": "num_samples", "sample_seed": "seed",
}  # fmt: skip


def test_distances_written_are_the_distances_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    models = [Representations(rng.normal(size=(60, 2)), rng.normal(size=(5, 2))) for _ in range(3)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    comparisons = [compare(models[i], models[j], num_samples=10) for i, j in pairs]
    write_distances(tmp_path / "d.json", pairs, comparisons)
    raw = json.loads((tmp_path / "d.json").read_text())
    assert list(raw) == list(KEYS)
    assert list(papers_table()) == list(KEYS)[:10]
    expected_columns = {key: [getattr(c, field) for c in comparisons] for key, field in KEYS.items() if field}
    expected_columns |= {
        "model_seeds": ["0vs1", "0vs2", "1vs2"],
        "m_SVDs_g": [[c.m_svd_unembeddings] for c in comparisons],
    }
    assert raw == json.loads(json.dumps(expected_columns))
    read, expected = read_distances(tmp_path, "d.json"), Distances.of(pairs, comparisons)
    assert read.model_seeds == expected.model_seeds
    assert read.subset_size == expected.subset_size == 2
    single = {column.name for column in COLUMNS if column.key and not column.several} - {"m_svd_unembeddings"}
    sides = {"dissimilarity_embeddings", "dissimilarity_unembeddings"}
    assert read.columns.keys() == expected.columns.keys() == single | sides | {"subset_size"}
    for name, column in read.columns.items():
        np.testing.assert_array_equal(column, expected[name], err_msg=name)
        np.testing.assert_allclose(column, [getattr(c, name) for c in comparisons], atol=1e-15, err_msg=name)
    assert read["dissimilarity"].tolist() == [c.dissimilarity for c in comparisons]


def test_means_have_no_quadratic_bound_in_the_file_and_none_when_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    p, q = (Representations(rng.normal(size=(60, 2)), rng.normal(size=(5, 2))) for _ in range(2))
    comparison = compare(p, q, reduction="mean", num_samples=10)
    write_distances(tmp_path / "d.json", [(0, 1)], [comparison])
    read = read_distances(tmp_path, "d.json")
    assert "quadratic_bound" not in read
    assert "quadratic_bound" not in Distances.of([(0, 1)], [comparison])
    assert "certificate" in read


def test_a_file_of_the_papers_code_gives_the_largest_d_svd_of_both_sides(tmp_path: Path) -> None:
    read = read_distances(tmp_path, write(tmp_path, "d.json", papers_table()))
    np.testing.assert_allclose(read["dissimilarity_embeddings"], [0.1, 0.11, 0.21])
    np.testing.assert_allclose(read["dissimilarity_unembeddings"], [0.03] * 3)
    np.testing.assert_allclose(read["dissimilarity"], [0.1, 0.11, 0.21])
    assert "certificate" not in read
    kept = read.select(np.array([True, False, True]))
    assert kept.model_seeds == ((0, 1), (0, 3))
    np.testing.assert_allclose(kept["dissimilarity"], [0.1, 0.21])


def test_the_golden_numbers_of_the_papers_code_read_as_a_result_file(shared: Path, tmp_path: Path) -> None:
    expected = json.loads((shared / "golden" / "expected_cls4_w64.json").read_text())["pairs"]
    pairs = [pair for pair in expected if (pair["dist_type"], pair["sum_or_max"]) == ("max", "max")]
    table = {
        "model_seeds": ["{}vs{}".format(*pair["seeds"]) for pair in pairs],
        "KL_div": [pair["kl_12"] for pair in pairs],
        "distance": [pair["distance"] for pair in pairs],
        "t_1": [pair["t_1"] for pair in pairs],
        "t_2": [pair["t_2"] for pair in pairs],
        "m_SVDs_f": [pair["m_svd_f"] for pair in pairs],
        "m_SVDs_g": [pair["m_svd_g"] for pair in pairs],
        "input_idxs": [pair["input_set"] for pair in pairs],
    }
    read = read_distances(tmp_path, write(tmp_path, "d.json", table))
    assert read["llv"].mean() == pytest.approx(0.252, abs=5e-4)  # the published mean for width 64
    assert read["dissimilarity"].mean() == pytest.approx(0.031, abs=5e-4)
    assert (read["dissimilarity"] <= 2 * np.maximum(read["label_term"], read["input_term"]) ** 2).all()


def test_accuracies_correlations_and_losses_written_are_read(tmp_path: Path) -> None:
    accuracies = [AccuracyRow(0, 0, 20, 4, 2, 0.97), AccuracyRow(1, 0.5, 0, 4, 2, 0.5)]
    write_accuracies(tmp_path / "a.json", accuracies)
    assert read_accuracies(tmp_path, "a.json") == accuracies
    for models in ("", "2026-01-01trained_x"):
        correlations = [MCCARow((0, 1), 0.5, 0.6, 0.55, 0.65, models)]
        losses = [LossRow(0, 1.1, 1.2, models), LossRow(1, 1.0, 1.25, models)]
        write_mcca(tmp_path / "m.json", correlations)
        write_losses(tmp_path / "l.json", losses)
        assert read_mcca(tmp_path, "m.json") == correlations
        assert read_losses(tmp_path, "l.json") == losses
        content = json.loads((tmp_path / "m.json").read_text())
        assert ("models" in content) == bool(models)  # without them, as the paper's code writes it


@pytest.mark.parametrize("models", ["2026-01-01", ["a"], ["a", 3], ["a", "b" * 256], None])
def test_names_that_are_no_column_of_short_texts_are_refused(tmp_path: Path, models: object) -> None:
    write_losses(tmp_path / "l.json", [LossRow(0, 1.1, 1.2), LossRow(1, 1.0, 1.25)])
    content = json.loads((tmp_path / "l.json").read_text())
    (tmp_path / "l.json").write_text(json.dumps(content | {"models": models}))
    with pytest.raises(InputError, match="models"):
        read_losses(tmp_path, "l.json")


# --- wrong content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_1": ["0.2", 0.3, 0.4]}, r"t_1\[0\] is '0.2', not a valid number"),
        ({"t_1": [True, 0.3, 0.4]}, r"t_1\[0\] is True"),
        ({"t_1": [0.2, 0.3]}, "differ in length"),
        ({"t_1": 0.2}, "no list named 't_1'"),
        ({"distance": [0.1, -1.0, 0.1]}, r"distance\[1\] is -1.0, not greater than or equal to -0.0001"),
        ({"distance": [0.1, 10**400, 0.1]}, r"distance\[1\] is 1000"),
        ({"m_SVDs_f": [[0.9], [], [0.8]]}, r"m_SVDs_f\[1\] is \[\]: Value should have at least 1 item"),
        ({"m_SVDs_f": [[0.9], [[0.9]], [0.8]]}, r"m_SVDs_f\[1\] is \[0.9\]"),
        ({"m_SVDs_g": [1.5, 0.9, 0.9]}, r"m_SVDs_g\[0\] is 1.5"),
        ({"model_seeds": ["0vs1", "0-2", "0vs3"]}, r"model_seeds\[1\] is '0-2', not two seeds"),
        ({"input_idxs": [[1, 2, 3], [1, 2], [1, 2, 3]]}, "not lists of one length"),
        ({"certificate": [0.1]}, "'certificate' has 1 entries, 'model_seeds' 3"),
    ],
)
def test_wrong_entries_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    name = write(tmp_path, "d.json", papers_table() | change)
    with pytest.raises(InputError, match=message) as error:
        read_distances(tmp_path, name)
    assert "d.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_of_many_wrong_entries_the_first_is_the_error() -> None:
    with pytest.raises(ValidationError) as error:
        MODELS[LossRow].model_validate({"model_seed": [0, 1], "train_loss": [0.5, None, None], "test_loss": [1.0]})
    assert [problem["loc"] for problem in error.value.errors()] == [("train_loss", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a table"),
        ('{"model_seed": [], "fix_g": [], "fix_f": [], "num_classes": [], "fd": [], "accuracy": []}', "no entries"),
        ('{"accuracy": [0.5], "accuracy": [0.9]}', "occurs twice"),
        ('{"accuracy": [NaN]}', "NaN is not a number"),
        ('{"accuracy": [0.5]', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_accuracies(tmp_path, "a.json")


@pytest.mark.parametrize(
    ("column", "value"), [("num_classes", 10**9), ("num_classes", 4.0), ("accuracy", 97.2), ("model_seed", -1)]
)
def test_absurd_accuracies_are_refused(tmp_path: Path, column: str, value: float) -> None:
    table = {"model_seed": [0], "fix_g": [0], "fix_f": [0], "num_classes": [4], "fd": [2], "accuracy": [0.9]}
    with pytest.raises(InputError, match=rf"{column}\[0\]"):
        read_accuracies(tmp_path, write(tmp_path, "a.json", table | {column: [value]}))


# --- archives


def test_an_archive_reads_as_its_folder_wherever_the_files_lie_in_it(tmp_path: Path) -> None:
    name = write(tmp_path / "results", "d.json", papers_table())
    data = (tmp_path / "results" / name).read_bytes()
    junk = {"__MACOSX/results/._d.json": b"\0", "results/readme.txt": b"hello"}
    archive = zipped(tmp_path / "packed.zip", {"results/d.json": data} | junk)
    assert open_results(archive).names == open_results(tmp_path / "results").names == ("d.json",)
    np.testing.assert_array_equal(
        read_distances(archive, name)["llv"], read_distances(tmp_path / "results", name)["llv"]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed.zip", "results"]  # nothing was unpacked


def test_a_missing_or_empty_folder_gives_way_to_the_archive_beside_it(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "results.zip", {"d.json": json.dumps(papers_table()).encode()})
    assert open_results(tmp_path / "results").place == archive
    (tmp_path / "results").mkdir()
    assert open_results(tmp_path / "results").place == archive
    write(tmp_path / "results", "d.json", papers_table())
    assert open_results(tmp_path / "results").place == tmp_path / "results"


def test_no_results_at_all_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--results-folder"):
        open_results(tmp_path / "nowhere")


def test_an_empty_folder_has_no_results(tmp_path: Path) -> None:
    assert open_results(tmp_path).names == ()
    with pytest.raises(InputError, match=r"has no d\.json"):
        read_distances(tmp_path, "d.json")


@pytest.mark.parametrize("name", ["../d.json", "/etc/d.json", "a/../../d.json", "C:d.json", "a\\..\\d.json"])
def test_names_that_point_out_of_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "r.zip", {name: b"{}"})
    with pytest.raises(InputError, match="points out of the archive"):
        open_results(archive)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "r.zip", {"a/d.json": b"{}", "b/d.json": b"{}"})
    with pytest.raises(InputError, match=r"two files named 'd\.json'"):
        open_results(archive)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "r.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("d.json", "w") as member:
        for _ in range(MAX_FILE_BYTES // (1 << 20) + 1):
            member.write(bytes(1 << 20))
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(InputError, match="a result file may have"):
        open_results(bomb)


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    text = json.dumps(papers_table()).encode() + b" " * 1_000_000
    path = zipped(tmp_path / "r.zip", {"d.json": text})
    honest, lie = struct.pack("<L", len(text)), struct.pack("<L", 10)
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(InputError, match=r"cannot be read|not valid JSON"):
        read_distances(path, "d.json")


def test_an_endless_table_of_contents_is_refused_unread(tmp_path: Path) -> None:
    names = MAX_CONTENTS_BYTES // 65_000 + 1  # names may have 65,535 bytes
    path = zipped(tmp_path / "r.zip", {f"{i:065000}": b"" for i in range(names)})
    with pytest.raises(InputError, match="far more files"):
        open_results(path)
    data = bytearray(zipped(path, {"d.json": b"{}"}).read_bytes())
    data[-10:-6] = struct.pack("<L", MAX_CONTENTS_BYTES + 1)  # a lie
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="not a readable zip archive"):
        open_results(path)


def test_a_file_beyond_the_limit_is_refused_in_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closedist.paper.results.archive.MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match="has more than 100 bytes"):
        read_distances(tmp_path, write(tmp_path, "d.json", papers_table()))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"d.json": b"{}"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="encrypted"):
        read_distances(path, "d.json")


ARCHIVE_FILES = {f"results/{i}.json": json.dumps(papers_table(i)).encode() for i in (1, 2, 3)}


@settings(max_examples=300, deadline=None)
@given(
    cut=st.integers(0, 3000),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
)
def test_damaged_archives_raise_nothing_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, cut: int, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    data = bytearray(zipped(path, ARCHIVE_FILES).read_bytes())
    data = data[: max(1, len(data) - max(0, cut - 1500))]
    for position, byte in changes:
        data[position % len(data)] = byte
    path.write_bytes(bytes(data))
    with suppress(InputError):
        source = open_results(path)
        for name in source.names:
            read_distances(source, name)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(key=st.sampled_from([*sorted(papers_table()), "certificate", "d_fg"]), value=VALUES)
def test_any_column_that_is_not_numbers_raises_nothing_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "mutated"
    name = write(folder, "d.json", papers_table() | {key: value})
    with suppress(InputError):
        assert len(read_distances(folder, name)) == 3


# --- dates


def named(folder: Path, *names: str) -> Path:
    for name in names:
        write(folder, name, {})
    return folder


def files_of(date: str) -> list[str]:
    return [f"{date}_model_distances_a.json", f"{date}_model_acc_b.json"]


def test_the_newest_date_with_all_files_is_taken_over_a_newer_one_with_some(tmp_path: Path) -> None:
    named(tmp_path, *files_of("2025-04-22"), *files_of("2025-05-01"), files_of("2026-01-01")[0], "mcca_cifar_fd2.json")
    source = open_results(tmp_path)
    assert dates(source) == ("2025-04-22", "2025-05-01", "2026-01-01")
    assert newest_date(source, files_of).date == "2025-05-01"
    assert newest_date(source, files_of).missing == ()


def test_of_dates_with_some_files_the_newest_with_most_is_taken_and_says_what_is_missing(tmp_path: Path) -> None:
    named(tmp_path, files_of("2025-04-22")[0], files_of("2025-05-01")[1])
    files = newest_date(open_results(tmp_path), files_of)
    assert (files.date, files.found, files.missing) == (
        "2025-05-01",
        (files_of("2025-05-01")[1],),
        (files_of("2025-05-01")[0],),
    )


def test_a_date_that_is_asked_for_is_the_only_one_looked_at(tmp_path: Path) -> None:
    source = open_results(named(tmp_path, *files_of("2025-04-22"), *files_of("2025-05-01")))
    assert newest_date(source, files_of, "2025-04-22").date == "2025-04-22"
    nothing = newest_date(source, files_of, "2024-01-01")
    assert nothing.date is None
    assert nothing.missing == tuple(files_of("2024-01-01"))


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    text = json.dumps(papers_table()).encode()
    path = zipped(tmp_path / "r.zip", {"d.json": text})
    checksum = struct.pack("<L", zlib.crc32(text))
    path.write_bytes(path.read_bytes().replace(checksum, b"\0\0\0\0"))
    with pytest.raises(InputError, match=r"d\.json cannot be read from the archive"):
        read_distances(path, "d.json")
