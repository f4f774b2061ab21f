"""Models of different labels and inputs, brought to what they have in common."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import closedist
from closedist import InputError, Representations
from closedist.cli import COMMANDS, make_app, run

LANGUAGES = [f"language {i}" for i in range(12)]
GENERATOR = np.random.default_rng(0)
F, G, B = GENERATOR.normal(size=(20, 3)), GENERATOR.normal(size=(12, 3)), GENERATOR.normal(size=12)


def model(labels: Any = range(12), inputs: Any = range(20), black_box: bool = False, noise: float = 0.0) -> Any:
    """One model, asked about some labels and inputs in some order."""
    labels, inputs = list(labels), list(inputs)
    names, ids = [LANGUAGES[i] for i in labels], [[i // 7, i % 7] for i in inputs]
    g = G + noise * np.random.default_rng(1).normal(size=G.shape)
    if black_box:
        return Representations.from_logits((F @ g.T + B)[inputs][:, labels], ids, names)
    return Representations(F[inputs], g[labels], B[labels], ids, names)


@given(
    orders=st.tuples(*[st.permutations(range(12))] * 2),
    inputs=st.tuples(*[st.permutations(range(20))] * 2),
    counts=st.tuples(st.integers(9, 12), st.integers(9, 12), st.integers(14, 20), st.integers(14, 20)),
    black_box=st.booleans(),
)
def test_aligned_is_the_same_as_asked_about_the_common_labels_and_inputs(
    orders: Any, inputs: Any, counts: Any, black_box: bool
) -> None:
    mine, other = orders[0][: counts[0]], orders[1][: counts[1]]
    here, there = inputs[0][: counts[2]], inputs[1][: counts[3]]
    p, q = closedist.align([model(mine, here), model(other, there, black_box, noise=0.3)])
    labels, rows = [i for i in mine if i in other], [i for i in here if i in there]
    expected = closedist.kl_divergence(model(labels, rows), model(labels, rows, black_box, noise=0.3))
    assert closedist.kl_divergence(p, q) == pytest.approx(expected, rel=1e-9)
    for one in (p, q):
        assert one.label_names is not None
        assert one.input_ids is not None
        assert one.label_names.tolist() == [LANGUAGES[i] for i in labels]
        assert one.input_ids.tolist() == [[i // 7, i % 7] for i in rows]


def test_what_is_left_out_is_said_and_that_probabilities_are_conditional(caplog: pytest.LogCaptureFixture) -> None:
    closedist.align([model(range(10)), model(range(1, 12), range(15))])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [
        "9 labels are common to all models; left out are 1 of p ('language 0'), 2 of q ('language 10', 'language 11'); "
        "probabilities are conditional on the common ones. 15 inputs are common to all models; left out are 5 of p "
        "((2, 1), (2, 2), (2, 3), …)"
    ]


def test_another_order_leaves_nothing_out_and_the_same_order_copies_nothing(caplog: pytest.LogCaptureFixture) -> None:
    p, q = closedist.align([model(), model(range(11, -1, -1), range(19, -1, -1))])
    assert closedist.kl_divergence(p, q) < 1e-28
    whole = model()
    assert closedist.align([whole, model()])[0].embeddings.data_ptr() == whole.embeddings.data_ptr()
    assert caplog.messages == []


def test_a_refusal_names_the_remedy_and_the_remedy_works() -> None:
    for other in (
        model(range(11)),
        model(range(11, -1, -1)),
        model(inputs=range(19)),
        model(inputs=[1, 0, *range(2, 20)]),
    ):
        with pytest.raises(
            InputError, match=r"closedist\.align keeps the (labels|inputs) that all models have .*--align"
        ):
            closedist.compare(model(), other)
        assert closedist.compare(*closedist.align([model(), other]), num_subsets=5).kl < 1e-28
    nameless = Representations(F, G[:11])
    with pytest.raises(InputError) as caught:
        closedist.compare(model(), nameless)
    assert "align" not in str(caught.value)


def test_models_without_names_stay_as_they_are() -> None:
    nameless, other = Representations(F, G), Representations(2 * F, G)
    p, q = closedist.align([nameless, other])
    assert torch.equal(p.embeddings, nameless.embeddings)
    assert torch.equal(q.unembeddings, other.unembeddings)
    p, _ = closedist.align([nameless, model()])  # as compare takes them: names on one side only
    assert p.num_labels == 12


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            [model(range(5)), model(range(5, 12))],
            "label_names: no name is common to all models: 'language 0', .* in p; ",
        ),
        ([model(), model(range(11)), Representations(F, G)], "label_names: model 2 has none"),
        ([model(), model(), Representations(F, G[:7])], "label_names: model 2 has none"),
        ([model(range(5)), model(range(4, 12))], "label_names: only 'language 4' is common to all models"),
        ([Representations(F, G, None, None, list("aabcdefghijk")), model()], "two labels of model p are called 'a'"),
        ([model(), Representations(F, G, None, [1] * 20)], "two inputs of model q are called 1"),
        ([model(), Representations(F, G, None, None, range(12))], "no name is common to all models: 'language 0'"),
    ],
)
def test_models_that_have_nothing_to_be_aligned_by(models: list[Representations], words: str) -> None:
    with pytest.raises(InputError, match=words):
        closedist.align(models)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    p, q = model(range(10)), model(range(11, 0, -1), range(5, 20), noise=0.3)
    for name, one in (("p", p), ("q", q)):
        one.save(tmp_path / name)
    words = ["compare", str(tmp_path / "p"), str(tmp_path / "q"), "--num-subsets", "5", "--json"]
    assert run(make_app("closedist", COMMANDS), words) == 2
    assert "--align compares over the labels that all have" in capsys.readouterr().err
    assert run(make_app("closedist", COMMANDS), [*words, "--align"]) == 0
    [read] = json.loads(capsys.readouterr().out)
    assert read["kl"] == closedist.kl_divergence(*closedist.align([p, q]))
    assert (read["num_inputs"], read["num_labels"]) == (15, 9)
    assert "left out are 1 of p ('language 0'), 2 of q ('language 11', 'language 10')" in read["note"]
    assert "conditional on the common ones" in read["note"]
