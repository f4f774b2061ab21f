"""Logits of more labels than there can be unembeddings: what needs only logits works, the rest is refused or None."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import closedist
from closedist import InputError, Representations
from closedist.cli import COMMANDS, make_app, run
from closedist.measures.by_input import by_input
from closedist.representations import MAX_BLACK_BOX_LABELS

LABELS = MAX_BLACK_BOX_LABELS + 1
GENERATOR = np.random.default_rng(0)
Z = GENERATOR.normal(size=(30, LABELS)).astype(np.float32)
W = (
    Z
    + 0.5 * GENERATOR.normal(size=(30, LABELS)).astype(np.float32)
    + 100 * GENERATOR.normal(size=(30, 1)).astype(np.float32)
)
P, Q = Representations.from_logits(Z), Representations.from_logits(W)


def log_probabilities(z: Any) -> NDArray[np.float64]:
    z = np.asarray(z, np.float64)
    return np.asarray(z - np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)) - z.max(1, keepdims=True))


def by_numpy(z: Any, w: Any) -> NDArray[np.float64]:
    p, q = log_probabilities(z), log_probabilities(w)
    return np.asarray((np.exp(p) * (p - q)).sum(1))


def test_kl_in_both_directions_and_by_input() -> None:
    assert closedist.kl_divergence(P, Q) == pytest.approx(by_numpy(Z, W).mean(), rel=1e-9)
    assert closedist.kl_divergence(Q, P) == pytest.approx(by_numpy(W, Z).mean(), rel=1e-9)
    found = by_input([P, Q])
    np.testing.assert_allclose(found.kl.numpy(), by_numpy(Z, W), rtol=1e-9)
    assert torch.equal(found.same_top, torch.from_numpy((Z.argmax(1) == W.argmax(1)).astype(float)))


def test_compare_gives_what_needs_only_logits_and_says_why_that_is_all() -> None:
    c = closedist.compare(P, Q, names=["here", "there"])
    assert (c.kl, c.kl_reverse) == pytest.approx((by_numpy(Z, W).mean(), by_numpy(W, Z).mean()), rel=1e-9)
    assert (c.num_inputs, c.num_labels, c.names) == (30, LABELS, ("here", "there"))
    measured = {field.name for field in dataclasses.fields(c) if type(getattr(c, field.name)) is float}
    assert measured >= {"kl", "kl_reverse"}
    assert (c.llv, c.certificate, c.mean_cca_embeddings, c.cka_embeddings) == (None,) * 4
    assert "only the logits of a model are known" in str(c)
    assert "closedist.extract" in str(c)
    of_inputs = (z - z.mean(1, keepdims=True, dtype=float) for z in (Z, W))
    h, h2 = (z - z.mean(0) for z in of_inputs)
    expected = (h * h2).sum() / np.linalg.norm(h) / np.linalg.norm(h2)
    assert c.logit_correlation == pytest.approx(expected, rel=1e-9)
    several = closedist.compare_all([P, Q, P], pairs=[(0, 2), (1, 2)])
    assert (several[0].kl, several[0].logit_correlation) == (0, pytest.approx(1.0, abs=1e-12))
    sure = closedist.compare(P, Q, intervals=True)
    assert "kl" in sure.intervals
    assert "No verdict" in str(sure)
    with pytest.raises(InputError, match="a verdict rests on them; of so many labels only the logits"):
        sure.verdict()
    assert several[1].kl == pytest.approx(c.kl_reverse, rel=1e-12)


def test_a_model_with_unembeddings_is_compared_with_the_logits_of_another() -> None:
    f, g, b = GENERATOR.normal(size=(30, 4)), GENERATOR.normal(size=(LABELS, 4)), GENERATOR.normal(size=LABELS)
    logits = f @ g.T + b
    member = Representations(f, g, b)
    assert closedist.kl_divergence(member, P) == pytest.approx(by_numpy(logits, Z).mean(), rel=1e-9)
    assert closedist.kl_divergence(P, member) == pytest.approx(by_numpy(Z, logits).mean(), rel=1e-9)
    assert closedist.compare(member, Representations.from_logits(logits)).kl < 1e-20
    difference = (logits - logits.mean(1, keepdims=True)) - (Z - Z.mean(1, keepdims=True, dtype=float))
    assert closedist.logit_distance(member, P) == pytest.approx(np.sqrt((difference**2).sum(1).mean()), rel=1e-9)


def test_the_distance_of_logits_has_its_own_numbers() -> None:
    delta = log_probabilities(Z) - log_probabilities(W)
    delta -= delta.mean(1, keepdims=True)
    assert closedist.logit_distance(P, Q) == pytest.approx(np.sqrt((delta**2).sum(1).mean()), rel=1e-9)
    np.testing.assert_allclose(closedist.logit_distance_by_input(P, Q).numpy(), np.sqrt((delta**2).sum(1)), rtol=1e-9)
    by_label = closedist.logit_distance_by_label(P, Q).numpy()
    np.testing.assert_allclose(by_label, np.sqrt((delta**2).mean(0)), rtol=1e-9)
    weights = GENERATOR.random(LABELS)
    weighted = delta - (delta @ weights)[:, None] / weights.sum()
    expected = np.sqrt((weights * weighted**2).sum(1).mean())
    assert closedist.logit_distance(P, Q, weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", [closedist.llv_distance, closedist.explain])
def test_what_needs_unembeddings_is_refused_with_the_remedy(measure: Any) -> None:
    with pytest.raises(
        InputError, match=r"10,001 labels only the logits are known.*10,000 labels. Extract.*closedist\.extract"
    ):
        measure(P, Q)


def test_saved_and_loaded_they_are_the_same_logits(tmp_path: Path) -> None:
    Q.save(tmp_path / "q.safetensors")
    loaded = Representations.load(tmp_path / "q.safetensors")
    assert loaded.black_box
    assert torch.equal(loaded.stored, torch.from_numpy(W))
    assert (tmp_path / "q.safetensors").stat().st_size < W.nbytes + 1000
    assert closedist.kl_divergence(loaded, Q) == 0


def test_on_the_command_line_what_there_is_is_said_and_why_it_is_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, logits in (("p.npy", Z), ("q.npy", W), ("r.npy", Z)):
        np.save(tmp_path / name, logits)
    paths = [str(tmp_path / name) for name in ("p.npy", "q.npy", "r.npy")]
    for count, options in ((2, []), (3, []), (2, ["--csv"]), (2, ["--json"])):
        assert run(make_app("closedist", COMMANDS), ["compare", *paths[:count], *options]) == 0
        out, err = capsys.readouterr()
        assert "10,001 labels, dimension 10001, black box" in err
        assert ("only the logits of a model are known" in out) == (options != ["--csv"])
        shown = closedist.compare(P, Q).logit_correlation if count == 3 else by_numpy(Z, W).mean()
        assert f"{shown:.4f}"[: 4 if count == 3 else -1] in out


def test_fewer_labels_have_the_same_numbers_by_unembeddings_and_without() -> None:
    p, q = (Representations.from_logits(z[:, :50]) for z in (Z, W))
    members = [Representations(one.embeddings, one.unembeddings) for one in (p, q)]
    for measure in (closedist.kl_divergence, closedist.logit_distance):
        assert measure(p, q) == pytest.approx(measure(*members), rel=1e-5)
    assert closedist.compare(p, q, num_subsets=5, subset_size=3).kl == pytest.approx(
        by_numpy(Z[:, :50], W[:, :50]).mean(), rel=1e-9
    )


def test_a_vocabulary_of_150_000_takes_little_memory_beside_the_logits() -> None:
    program = """
import resource
import numpy as np, closedist
z = 10 * np.random.default_rng(0).random((200, 150_000), dtype=np.float32)
w = np.ascontiguousarray(0.9 * z[:, ::-1] + 100)
closedist.kl_divergence(*(closedist.Representations.from_logits(one[:, :9]) for one in (z, w)))  # loads what it needs
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
kl = closedist.kl_divergence(closedist.Representations.from_logits(z), closedist.Representations.from_logits(w))
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
right = 0.0
for a, b in zip(z.astype(float), w.astype(float)):
    p, q = a - np.log(np.exp(a).sum()), b - np.log(np.exp(b).sum())
    right += (np.exp(p) * (p - q)).sum() / 200
print(more // 1024, abs(kl / right - 1))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    megabytes, deviation = done.stdout.split()
    assert int(megabytes) < 300
    assert float(deviation) < 1e-9
