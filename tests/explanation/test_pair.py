"""A planted difference comes first in its list, and every share and influence is what it is called."""

import numpy as np
import pytest
from scipy.special import log_softmax

from closedist import InputError, Representations, explain, kl_divergence
from closedist.explanation.records import text

N, C, M = 400, 10, 6


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, M)), 1.5 * rng.normal(size=(C, M))


def logits(model):
    f, g = model.embeddings.double().numpy(), model.unembeddings.double().numpy()
    return f @ g.T + (0 if model.bias is None else model.bias.numpy())


def test_swapped_labels_come_first_among_the_labels_and_the_pairs(arrays):
    f, g = arrays
    order = np.arange(C)
    order[[3, 7]] = 7, 3
    noisy = g[order] + 0.01 * np.random.default_rng(1).normal(size=g.shape)
    found = explain(Representations(f, g), Representations(f, noisy))
    assert {label.label for label in found.labels[:2]} == {3, 7}
    assert found.labels[1].correlation < 0.9 < found.labels[2].correlation
    assert {(pair.first, pair.second) for pair in found.label_pairs[:2]} == {(3, 7), (7, 3)}
    assert sum(label.share_of_distance for label in found.labels[:2]) > 0.95


def test_perturbed_inputs_come_first_among_the_inputs(arrays):
    f, g = arrays
    moved = f + 0.001 * np.random.default_rng(1).normal(size=f.shape)
    moved[100:121] += np.random.default_rng(2).normal(size=(21, M))
    found = explain(Representations(f, g), Representations(moved, g), num_inputs=21)
    assert {record.input for record in found.inputs} == set(range(100, 121))
    assert [record.kl for record in found.inputs] == sorted((record.kl for record in found.inputs), reverse=True)


def test_a_direction_that_is_removed_comes_first_among_the_directions(arrays):
    f, g = arrays
    direction = np.random.default_rng(3).normal(size=M)
    direction /= np.linalg.norm(direction)
    less = f - np.outer(f @ direction, direction)
    found = explain(Representations(f, g), Representations(less, g))
    first, second = found.directions[:2]
    assert first.correlation == 0.0
    assert second.correlation == pytest.approx(1.0)
    pull = (g - g.mean(0)) @ direction
    assert first.higher[0] in (pull.argmax(), pull.argmin())
    assert {*first.higher, *first.lower} >= {pull.argmax(), pull.argmin()}


def test_shares_add_up_and_records_are_those_of_the_table_of_logits(arrays):
    f, g = arrays
    rng = np.random.default_rng(4)
    p = Representations(f, g, bias=rng.normal(size=C))
    q = Representations(f + 0.3 * rng.normal(size=f.shape), g, label_names=[f"class {y}" for y in range(C)])
    found = explain(p, q, num_inputs=N)
    c, other = (part - part.mean(1, keepdims=True) for part in (logits(p), logits(q)))
    own, others = log_softmax(c, 1), log_softmax(other, 1)
    kl = (np.exp(own) * (own - others)).sum(1)
    assert found.kl == pytest.approx(kl.mean(), rel=1e-9)
    assert found.kl == pytest.approx(kl_divergence(p, q), rel=1e-9)
    assert found.distance**2 == pytest.approx(np.square(c - other).sum(1).mean(), rel=1e-9)
    assert sum(label.share_of_distance for label in found.labels) == pytest.approx(1.0)
    assert sum(label.share_of_kl for label in found.labels) == pytest.approx(1.0)
    for label in found.labels:
        y = int(str(label.label).removeprefix("class "))
        assert label.correlation == pytest.approx(np.corrcoef(c[:, y], other[:, y])[0, 1], rel=1e-9)
        assert label.mean_difference == pytest.approx((other - c)[:, y].mean(), rel=1e-6, abs=1e-9)
        assert label.deviation == pytest.approx((other - c)[:, y].std(), rel=1e-6)
    for record in found.inputs:
        assert record.kl == pytest.approx(kl[record.input], rel=1e-7, abs=1e-12)
        assert record.first_label == f"class {c[record.input].argmax()}"
        assert record.first_probability == pytest.approx(np.exp(own[record.input].max()), rel=1e-9)
    assert sum(record.influence["kl"] for record in found.inputs) == pytest.approx(found.kl, rel=1e-9)


def test_the_influence_on_the_correlation_is_what_leaving_the_input_out_changes(arrays):
    f, g = arrays
    other = f + 0.5 * np.random.default_rng(5).normal(size=f.shape)
    found = explain(Representations(f, g), Representations(other, g))

    def correlation(rows):
        h, k = f[rows] @ (g - g.mean(0)).T, other[rows] @ (g - g.mean(0)).T
        h, k = h - h.mean(0), k - k.mean(0)
        return (h * k).sum() / np.linalg.norm(h) / np.linalg.norm(k)

    everything = correlation(np.arange(N))
    for record in found.inputs[:5]:
        change = everything - correlation(np.delete(np.arange(N), record.input))
        assert record.influence["logit_correlation"] == pytest.approx(change, rel=0.05, abs=1e-6)


@pytest.mark.parametrize("rows", [7, 64])
def test_the_size_of_blocks_changes_nothing(arrays, monkeypatch, rows):
    f, g = arrays
    p, q = Representations(f, g), Representations(f[:, ::-1] + f, g)
    whole = explain(p, q, num_inputs=12)
    monkeypatch.setattr("closedist.explanation.pair._ROWS", rows * 2 * C)
    parts = explain(p, q, num_inputs=12)
    assert [record.input for record in parts.inputs] == [record.input for record in whole.inputs]
    assert parts.label_pairs == whole.label_pairs
    assert parts.kl == pytest.approx(whole.kl, rel=1e-12)


def test_black_boxes_have_labels_and_inputs_and_no_directions():
    rng = np.random.default_rng(6)
    table = rng.normal(size=(50, 4))
    p, q = (Representations.from_logits(part) for part in (table, table + 0.1 * rng.normal(size=table.shape)))
    found = explain(p, q)
    assert found.directions == ()
    assert len(found.labels) == 4


def test_it_reads_well_in_eighty_columns_whatever_the_names_are(arrays):
    f, g = arrays
    hostile = ["<script>" + "x" * 10_000, "a\nb", "\u202eright", "", *map(str, range(4, C))]
    p = Representations(f, g, label_names=hostile)
    shown = text(explain(p, Representations(f, g[::-1].copy(), label_names=hostile), names=("m" * 99, "n\n")))
    assert max(map(len, shown.splitlines())) <= 80
    assert "\u202e" not in shown


def test_equal_models_differ_nowhere(arrays):
    f, g = arrays
    found = explain(Representations(f, g), Representations(f, g))
    assert found.label_pairs == ()
    assert found.kl == 0.0
    assert all(label.correlation == pytest.approx(1.0) for label in found.labels)
    assert "same label" in str(found)


def test_what_makes_no_sense_is_refused(arrays):
    p = Representations(*arrays)
    with pytest.raises(InputError, match="at least 1"):
        explain(p, p, num_inputs=0)
    with pytest.raises(InputError, match="give each model one"):
        explain(p, p, names=("one",))
