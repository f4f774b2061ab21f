"""Two labels: what they have is measured, what needs three is None and the table says why."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import closedist.pairs.joint
from closedist import (
    Comparison,
    InputError,
    Representations,
    compare,
    compare_all,
    extract,
    kl_divergence,
    llv_distance,
)
from closedist.cli import COMMANDS, make_app, run
from closedist.comparison import as_dict, matrix_table, pair_table
from closedist.paper.measurements import Measurement
from tests.random_models import noisy, random_model, represent
from tests.slow_reference import Array, Model

THREE = [random_model(0, 80, 2, 2), random_model(1, 80, 2, 3), noisy(random_model(0, 80, 2, 2), 1e-5, 2)]
WITH_TWO_LABELS = {
    *("kl", "kl_reverse", "js_divergence", "kl_inputs", "same_top_label", "logit_correlation", "num_inputs"),
    *("mean_cca_embeddings", "mean_cca_unembeddings", "cka_embeddings", "debiased_cka_embeddings"),
}
WHY = "two labels have one log-odds"


def probability(model: Model) -> Array:
    """(N,) of label 1, from the one log-odds."""
    return np.asarray(1 / (1 + np.exp(-(model.f @ (model.g[1] - model.g[0]) + model.b[1] - model.b[0]))))


def divergence(first: Model, second: Model) -> float:
    p, q = probability(first), probability(second)
    return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


def mean_cca(first: Model, second: Model) -> float:
    bases = [np.linalg.qr(model.f - model.f.mean(0))[0] for model in (first, second)]
    return float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).mean())


def linear_cka(first: Model, second: Model) -> float:
    f, other = (model.f - model.f.mean(0) for model in (first, second))
    return float(np.linalg.norm(f.T @ other) ** 2 / (np.linalg.norm(f.T @ f) * np.linalg.norm(other.T @ other)))


@pytest.mark.parametrize("limit", [None, "TILE", "STACK_BYTES", "TILE_BYTES", "BATCH_BYTES"])
def test_two_labels_have_divergences_and_similarities_of_their_embeddings(
    limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(closedist.pairs.tiles, limit, 1)
    comparisons = compare_all([represent(model) for model in THREE])
    for (i, j), c in zip([(0, 1), (0, 2), (1, 2)], comparisons, strict=True):
        p, q = THREE[i], THREE[j]
        assert c.kl == pytest.approx(divergence(p, q), rel=1e-5 if (i, j) == (0, 2) else 1e-12)
        assert c.kl_reverse == pytest.approx(divergence(q, p), rel=1e-5 if (i, j) == (0, 2) else 1e-12)
        assert c.mean_cca_embeddings == pytest.approx(mean_cca(p, q), abs=1e-12)
        assert c.cka_embeddings == pytest.approx(linear_cka(p, q), abs=1e-12)
        assert c.mean_cca_unembeddings == pytest.approx(1.0)  # of the one difference of the two rows
        assert (c.num_inputs, c.num_labels, c.subset_size, c.num_label_subsets) == (80, 2, 0, 0)


def test_what_needs_three_labels_is_none() -> None:
    c = compare(*map(represent, THREE[:2]))
    of_three = compare(*(represent(random_model(seed, 80, 3, 2)) for seed in (0, 1)))
    for field in dataclasses.fields(Comparison):
        value, kind = getattr(c, field.name), type(getattr(of_three, field.name))
        if kind is float and field.name not in WITH_TWO_LABELS | {"weight"}:
            assert value is None, field.name
    assert (c.pivot_label, c.left_out_label, c.input_set, c.num_samples) == (None, None, None, None)
    assert c.m_svd_embeddings == ()
    assert not c.bound_informative
    assert c.dissimilarity_exact is None


def test_a_person_reads_what_there_is_and_why_not_more() -> None:
    models = [represent(model) for model in THREE]
    text = pair_table(compare(*models[:2]), ["first", "second"])
    assert text.startswith("p  first\nq  second\n\n80 inputs, 2 labels ")
    assert all(word in text for word in ("KL divergence", "m_CCA", "linear CKA", "p to q, nats", WHY))
    assert not any(word in text for word in ("None", "bounds on", "pivot", "input set", "certificate", "t1"))
    rows = [line for line in text.splitlines() if WHY not in line]
    assert not any("d_LLV" in line or "d_f,g" in line for line in rows)
    matrix = matrix_table(compare_all(models), ["a", "b", "c"], everything=True)
    assert WHY in matrix
    assert "None" not in matrix
    assert not any(word in matrix for word in ("nan", "d_f,g (upper right)", "d_LLV (upper right)"))
    assert all(word in matrix for word in ("KL divergence in nats", "m_CCA (upper right) and linear CKA"))
    assert WHY not in str(compare(*(represent(random_model(seed, 80, 3, 2)) for seed in (0, 1))))


def test_json_holds_none() -> None:
    c = compare(*map(represent, THREE[:2]))
    read = json.loads(json.dumps(as_dict(c), allow_nan=False))
    assert read["kl"] == c.kl
    assert read["llv"] is None
    assert read["input_set"] is None
    assert read["infinite"] is False


def test_black_boxes_and_sigmoid_classifiers_of_two_labels() -> None:
    torch.manual_seed(0)
    points = torch.randn(60, 4)
    sigmoids = [nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Sigmoid()) for _ in range(2)]
    c = compare(*(extract(model, [points], binary=True) for model in sigmoids))
    p, q = (model(points).detach().double().numpy() for model in sigmoids)
    right = float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))
    assert c.kl == pytest.approx(right, rel=1e-4)
    boxes = compare(*(Representations.from_logits(np.hstack([1 - one, one])) for one in (p, q)))
    assert boxes.kl == pytest.approx(right, rel=1e-10)
    assert boxes.mean_cca_unembeddings is None
    assert boxes.llv is None


def test_a_label_subset_is_refused_and_the_remedy_works() -> None:
    p, q = map(represent, THREE[:2])
    with pytest.raises(InputError, match=r"subset_size: 1 with 2 labels.*leave it out"):
        compare(p, q, subset_size=1)
    assert compare(p, q, input_set=[0, 1, 2], pivots=[1]).kl == compare(p, q).kl


def test_d_llv_alone_is_refused_with_what_there_is() -> None:
    p, q = map(represent, THREE[:2])
    with pytest.raises(
        InputError, match=r"unembeddings: 2 labels; d_LLV needs at least 3 .*closedist\.compare"
    ) as raised:
        llv_distance(p, q)
    assert "KL" in str(raised.value)
    assert compare(p, q).kl == pytest.approx(kl_divergence(p, q), rel=1e-12)


def test_the_papers_distances_of_two_labels_are_refused() -> None:
    """Their files are about d_LLV."""
    with pytest.raises(InputError, match="unembeddings: 2 labels; d_LLV needs at least 3"):
        Measurement().compare([represent(model) for model in THREE])


def test_the_command_compare_takes_two_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(tmp_path / f"{name}.safetensors") for name in "abc"]
    for model, file in zip(THREE, files, strict=True):
        represent(model).save(file)

    def closedist(*tokens: str) -> tuple[int, str]:
        code = run(make_app("closedist", COMMANDS), list(tokens))
        return code, capsys.readouterr().out

    right = compare(*map(represent, THREE[:2]))
    code, out = closedist("compare", *files[:2])
    assert code == 0
    assert WHY in out
    assert f"{right.kl:.4f}" in out
    code, out = closedist("compare", *files)
    assert code == 0
    assert WHY in out
    code, out = closedist("compare", *files, "--json")
    assert code == 0
    rows = json.loads(out)
    assert rows[0]["kl"] == pytest.approx(right.kl, rel=1e-12)
    assert all(row["llv"] is None and WHY in row["note"] for row in rows)
    assert run(make_app("closedist", COMMANDS), ["compare", *files, "--subset-size=1"]) == 2
    assert "leave it out" in capsys.readouterr().err


def test_a_file_with_one_label_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import save_file

    file = str(tmp_path / "reward.safetensors")
    save_file({"embeddings": torch.randn(9, 3), "unembeddings": torch.randn(1, 3)}, file)
    assert run(make_app("closedist", COMMANDS), ["compare", file, file]) == 2
    error = capsys.readouterr().err
    assert "reward.safetensors: unembeddings: 1 label" in error.replace("\n", " ")
    assert "[0 * g, g]" in error.replace("\n", " ")
