"""A planted difference comes first in its list, and every share and influence is what it is called."""

import csv
import io
import json

import numpy as np
import pytest
from scipy.special import log_softmax

from closedist import InputError, Representations, compare, explain, kl_divergence
from closedist.explanation.records import as_csv, text

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


def test_directions_of_both_are_listed_from_the_lowest_canonical_correlation(arrays):
    f, g = arrays
    rng = np.random.default_rng(13)
    other = f @ rng.normal(size=(M, M)) + rng.normal(size=(N, M)) * np.linspace(0.1, 3, M)
    found = explain(Representations(f, g), Representations(other, g))
    bases = [np.linalg.qr(part - part.mean(0))[0] for part in (f, other)]
    correlations = np.sort(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False))
    assert [row.correlation for row in found.directions] == pytest.approx(correlations.tolist())
    assert sum(row.of_first for row in found.directions) == pytest.approx(1.0)


def test_a_bias_comes_first_among_the_labels_though_every_correlation_is_1(arrays):
    f, g = arrays
    bias = 0.01 * np.random.default_rng(1).normal(size=C)
    bias[4] = 0.5
    found = explain(Representations(f, g), Representations(3 * f, g / 3, bias=bias))
    assert found.labels[0].label == 4
    assert all(label.correlation == pytest.approx(1.0) for label in found.labels)
    assert found.labels[0].mean_difference == pytest.approx(0.5 - bias.mean())


def test_a_label_that_varies_in_one_model_only_comes_before_those_that_correlate_and_a_constant_in_both_last():
    rng = np.random.default_rng(8)
    table = rng.normal(size=(N, 6))
    first, second = table - table.mean(1, keepdims=True), table + 0.05 * rng.normal(size=table.shape)
    second[:, 4] = 0.0
    second[:, :4] -= second[:, :4].mean(1, keepdims=True)
    for part in (first, second):  # a label of no logit, beside others whose mean is 0
        part[:, 5] = 0.0
    first[:, :5] -= first[:, :5].mean(1, keepdims=True)
    found = explain(Representations.from_logits(first), Representations.from_logits(second))
    assert {label.label: label.correlation for label in found.labels}[4] is None
    assert found.labels[0].label == 4
    assert found.labels[-1].label == 5
    assert found.labels[-1].correlation is None


def test_the_terms_of_t1_are_those_of_the_definition_against_the_pivot_that_compare_chose(arrays):
    f, g = arrays
    rng = np.random.default_rng(9)
    p, q = Representations(f, g), Representations(f + 0.3 * rng.normal(size=f.shape), g, bias=rng.normal(size=C))
    found, c = explain(p, q), compare(p, q)
    assert (found.pivot_label, found.left_out_label) == (c.pivot_label, c.left_out_label)
    own, other = log_softmax(logits(p), 1), log_softmax(logits(q), 1)
    k = found.pivot_label
    for label in found.labels:
        j = label.label
        if j == k:
            assert label.term is label.rest_term is label.pivot_term is None
            continue
        s, t = (np.std(part[:, j] - part[:, k], ddof=1) for part in (own, other))
        assert label.rest_term == pytest.approx(np.std(own[:, j] / s - other[:, j] / t, ddof=1), rel=1e-8)
        assert label.pivot_term == pytest.approx(np.std(own[:, k] / s - other[:, k] / t, ddof=1), rel=1e-8)
    terms = {label.label: label.term for label in found.labels if label.label not in (k, found.left_out_label)}
    assert max(terms.values()) == pytest.approx(c.label_term, rel=1e-12)
    assert explain(p, q, pivot_label=2).pivot_label == 2
    assert explain(*(model.at(labels=[0, 1]) for model in (p, q))).pivot_label is None


def test_of_many_directions_that_one_model_lacks_those_that_labels_see_most_are_listed_and_all_are_counted(arrays):
    f, g = arrays
    rng = np.random.default_rng(10)
    more, unseen = rng.normal(size=(N, 3)), rng.normal(size=(N, 20))
    pull = np.diag([1.0, 0.3, 0.1]) @ rng.normal(size=(3, C))
    large = Representations(np.hstack([f, more, unseen]), np.hstack([g, pull.T, np.zeros((C, 20))]))
    for found in (explain(large, Representations(f, g)), explain(Representations(f, g), large)):
        assert {found.only_first, found.only_second} == {0, 23}
        assert len(found.directions) == 2 + M
        assert [row.correlation for row in found.directions[:2]] == [0.0, 0.0]
        assert all(row.correlation > 0.9999 for row in found.directions[2:])
        assert "21 more that only" in str(found)
        assert "6 in which both agree" in str(found)
        strong = pull[0] - pull[0].mean()
        ends = {*found.directions[0].higher, *found.directions[0].lower}
        assert {int(strong.argmax()), int(strong.argmin())} <= ends
    assert found.directions[0].of_first == 0 < found.directions[0].of_second


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
    q = Representations(np.hstack([f, f[:, ::-1] ** 3]), np.hstack([g[::-1], g]), label_names=hostile)
    for names in (("m" * 99, "n\n"), ("m" * 14, "n" * 14), ("m" * 15, "n")):
        for first, second in ((p, q), (q, p)):
            shown = text(explain(first, second, names=names, input_names=["\u202e" + "i" * 999] * N))
            assert max(map(len, shown.splitlines())) <= 80
            assert "\u202e" not in shown


def test_ten_rows_of_each_list_are_printed_or_as_many_as_are_asked_for_and_the_rest_counted():
    rng = np.random.default_rng(11)
    f, g = rng.normal(size=(N, M)), rng.normal(size=(30, M))
    names = [f"name {y}" for y in range(30)]
    p = Representations(f, g, label_names=names)
    found = explain(p, Representations(f, g + 0.3 * rng.normal(size=g.shape)))
    for shown, most in ((str(found), 10), (text(found, 17), 17)):
        labels = shown.split("\n\n")[3]
        assert [str(row.label) in labels for row in found.labels[:most]] == [True] * most
        assert f"… and {30 - most} more" in labels
        assert f"… and {len(found.label_pairs) - most} more" in shown


def test_json_and_csv_hold_every_record():
    rng = np.random.default_rng(12)
    table = rng.normal(size=(40, 4))
    flat = table.copy()
    flat[:, 3] = flat[:, 2]  # log-odds that vary in one model only: infinite terms
    found = explain(Representations.from_logits(table), Representations.from_logits(flat), num_inputs=7)
    assert any(label.term == np.inf for label in found.labels)
    read = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [label["label"] for label in read["labels"]] == [label.label for label in found.labels]
    assert [row["input"] for row in read["inputs"]] == [row.input for row in found.inputs]
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == len(found.rows()) == 4 + len(found.label_pairs) + 7
    assert [float(row["kl"]) for row in rows if row["list"] == "inputs"] == [row.kl for row in found.inputs]


def test_equal_models_differ_nowhere(arrays):
    f, g = arrays
    found = explain(Representations(f, g), Representations(f, g))
    assert found.label_pairs == ()
    assert found.kl == 0.0
    assert found.equal
    assert all(label.correlation == pytest.approx(1.0) for label in found.labels)
    assert {(label.share_of_distance, label.share_of_kl) for label in found.labels} == {(None, None)}
    assert "equal for every label" in str(found)
    assert "%" not in str(found)
    assert not explain(Representations(f, g), Representations(f * (1 + 1e-7), g)).equal


def test_what_makes_no_sense_is_refused(arrays):
    p = Representations(*arrays)
    with pytest.raises(InputError, match="at least 1"):
        explain(p, p, num_inputs=0)
    with pytest.raises(InputError, match="give each model one"):
        explain(p, p, names=("one",))
    with pytest.raises(InputError, match="pivot_label: 10; the models have labels 0 … 9"):
        explain(p, p, pivot_label=C)
    with pytest.raises(InputError, match="input_names: 1 for 400 inputs"):
        explain(p, p, input_names=["one"])


def test_other_inputs_are_refused_by_the_models_names_unless_they_are_said_to_be_the_same(arrays):
    f, g = arrays
    p, q = (Representations(f, g, input_digests=np.arange(N) + shift) for shift in (0, 1))
    with pytest.raises(InputError, match="of model small is another input than that of model large"):
        explain(p, q, names=("large", "small"))
    assert explain(p, q, same_inputs=True).equal


@pytest.mark.parametrize("case", ["mislabelled", "dropped"])
def test_a_class_that_was_tampered_with_in_training_leads(case):
    rng = np.random.default_rng(20)
    centres = 4 * rng.normal(size=(6, 5))
    inputs = np.concatenate([centre + rng.normal(size=(60, 5)) for centre in centres])
    logits = inputs @ centres.T - 0.5 * (centres**2).sum(1)
    tampered, instead = 2, 4
    other = logits.copy()
    if case == "dropped":
        other[:, tampered] -= 9.0  # hardly ever seen in training
    else:  # called another in four cases of five
        other[:, instead] = np.logaddexp(logits[:, instead], logits[:, tampered] + np.log(0.8))
        other[:, tampered] += np.log(0.2)
    found = explain(*map(Representations.from_logits, (logits, other)))
    changed = sum(pair.count for pair in found.label_pairs)
    assert tampered in {label.label for label in found.labels[:2]}
    of_tampered = next(label for label in found.labels if label.label == tampered)
    assert of_tampered.lost == max(label.lost for label in found.labels) == changed
    assert of_tampered.where_given < -1
    said = str(found).split("\n\n")[1].replace("\n", " ")
    assert said.startswith(f"{changed} of 360 inputs get another label")
    assert f"come from label {found.labels[0].label} " in said


def test_tokens_are_told_as_their_tokenizer_names_them_and_punctuation_is_quoted():
    rng = np.random.default_rng(5)
    first = rng.normal(size=(40, 4))
    second = first[:, [1, 0, 3, 2]] + 0.1 * rng.normal(size=first.shape)
    labels, positions = [".", ",", "Ġthe", "Ċ"], [(i // 8, i % 8) for i in range(40)]
    of_tokens, of_inputs = (
        str(explain(*(Representations.from_logits(x, label_names=labels, **more) for x in (first, second))))
        for more in ({"input_ids": positions}, {})
    )
    assert "in the tokenizer's names Ġ is a space, Ċ is a line break" in of_tokens
    assert "is a space" not in of_inputs  # a label's own letter may be a Maltese one
    sentence = of_tokens.split("\n\n")[1]
    assert "“.”" in sentence or "“,”" in sentence
    assert "“Ġthe”" not in sentence


def test_answers_lost_and_gained_and_what_happens_where_a_label_is_given_are_counted(arrays):
    f, g = arrays
    p, q = Representations(f, g), Representations(f, g[[1, 0, *range(2, C)]] + 0.1)
    first, second = (one.embeddings.double().numpy() @ one.unembeddings.double().numpy().T for one in (p, q))
    a, b = first.argmax(1), second.argmax(1)
    delta = (second - second.mean(1, keepdims=True)) - (first - first.mean(1, keepdims=True))
    for label in explain(p, q).labels:
        y = label.label
        assert label.lost == ((a == y) & (b != y)).sum()
        assert label.gained == ((b == y) & (a != y)).sum()
        if (a == y).any():
            assert label.where_given == pytest.approx(delta[a == y, y].mean(), abs=1e-6)
        else:
            assert label.where_given is None
