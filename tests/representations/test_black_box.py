"""What from_logits takes for logits and what for probabilities: the same at every door, and never one for the other."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from closedist import InputError, Representations, extract_logits, kl_divergence

Z, W = 3 * np.random.default_rng(0).normal(size=(2, 200, 6))


def softmax(z: NDArray[Any]) -> NDArray[Any]:
    """In the type that the logits come in."""
    powers = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def naively_normalised(z: NDArray[Any]) -> NDArray[Any]:
    """As softmax, with the rounding of logits that are large."""
    return np.asarray(
        np.exp(z - (np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)) + z.max(1, keepdims=True)))
    )


def divergence(z: NDArray[np.float64], w: NDArray[np.float64]) -> float:
    p, q = softmax(z), softmax(w)
    return float((p * np.log(p / q)).sum(1).mean())


class Table(nn.Module):
    """Puts out the rows of these numbers."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = values

    def forward(self, rows: Tensor) -> Tensor:
        return self.values[rows]


def through_a_model(values: Any) -> Representations:
    """The other door: a model that puts the values out, in batches."""
    return extract_logits(Table(torch.as_tensor(values)), torch.arange(len(values)).split(70))


DOORS: list[Callable[[Any], Representations]] = [Representations.from_logits, through_a_model]
doors = pytest.mark.parametrize("door", DOORS, ids=["from_logits", "extract_logits"])


@doors
@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda z: softmax(z), 1e-12),
        (lambda z: torch.from_numpy(z).softmax(-1), 1e-12),
        (lambda z: softmax(z.astype(np.float32)), 1e-6),
        (lambda z: torch.from_numpy(z).float().softmax(-1), 1e-6),
        (lambda z: torch.from_numpy(z).float().softmax(-1).double(), 1e-6),
        (lambda z: naively_normalised((z + 300).astype(np.float32)), 1e-3),
        (lambda z: torch.from_numpy(z).bfloat16().softmax(-1), 0.05),
        (lambda z: softmax(z.astype(np.float16) / 2), None),
    ],
    ids=["numpy", "torch", "float32", "torch float32", "upcast", "large logits", "bfloat16", "float16"],
)
def test_of_probabilities_the_logarithm_is_taken(
    door: Callable[[Any], Representations],
    make: Callable[[NDArray[np.float64]], Any],
    tolerance: float | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    p, q = door(make(Z)), door(make(W))
    right = divergence(Z, W) if tolerance is not None else divergence(Z / 2, W / 2)
    assert kl_divergence(p, q) == pytest.approx(right, rel=tolerance or 0.01)
    assert kl_divergence(door(Z), p) < 1e-4 if tolerance is not None else True
    notes = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(notes) == 2
    assert "read as probabilities" in notes[0].getMessage()


@doors
def test_logits_and_log_probabilities_are_taken_as_they_are(
    door: Callable[[Any], Representations], caplog: pytest.LogCaptureFixture
) -> None:
    for z, w in ((Z, W), (np.log(softmax(Z)), np.log(softmax(W))), (Z - Z.min() + 1, W - W.min() + 1)):
        assert kl_divergence(door(z), door(w)) == pytest.approx(divergence(Z, W), rel=1e-12)
    assert not caplog.records


@doors
@pytest.mark.parametrize(
    "logits",
    [
        Z - Z.mean(1, keepdims=True) + 1 / 6,  # every row sums to 1, but not without negative entries
        np.vstack([softmax(Z), [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]]),  # one row of many does not
        1.2 * softmax(Z),
    ],
)
def test_logits_that_look_like_probabilities_in_part_are_logits(
    door: Callable[[Any], Representations], logits: NDArray[np.float64], caplog: pytest.LogCaptureFixture
) -> None:
    box = door(logits)
    np.testing.assert_allclose(box.embeddings, logits - logits.mean(1, keepdims=True), atol=1e-12)
    assert not caplog.records


@doors
@pytest.mark.parametrize("rounded", [softmax(Z).round(3), softmax(Z) * 1.01, [[0.31, 0.68]]])
def test_rows_that_roughly_sum_to_1_are_refused_and_both_remedies_work(
    door: Callable[[Any], Representations], rounded: Any
) -> None:
    given = np.asarray(rounded)
    with pytest.raises(InputError, match=r"logits: no entry is negative and every row sums to 1 within") as raised:
        door(given)
    assert "z - z.mean(1, keepdims=True), which is the same model" in str(raised.value)
    assert "of probabilities pass the logarithm" in str(raised.value)
    for z in (given, torch.from_numpy(given)):
        centred = z - z.mean(1, keepdims=True)
        torch.testing.assert_close(door(centred).embeddings, torch.as_tensor(centred))
    p = given.clip(1e-6)
    logarithm = np.log(p) - np.log(p).mean(1, keepdims=True)
    torch.testing.assert_close(door(np.log(p)).embeddings, torch.from_numpy(logarithm))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(("labels", "decimals"), [(100, 2), (100, 3), (1000, 3)])
def test_probabilities_rounded_for_a_reader_are_no_logits(
    kind: type[np.floating[Any]], labels: int, decimals: int
) -> None:
    """Of many labels, a few decimals leave sums far from 1; logits between 0 and 1 that are on no such grid pass."""
    logits = np.random.default_rng(3).standard_normal((50, labels))
    rounded = softmax(logits).round(decimals).astype(kind)
    assert abs(rounded.sum(1) - 1).max() > 1e-4
    with pytest.raises(InputError, match="as rounded probabilities do; of probabilities pass the logarithm"):
        Representations.from_logits(rounded)
    assert Representations.from_logits(np.log(rounded.clip(1e-6))).num_labels == labels
    assert Representations.from_logits((softmax(logits) * 1.2).astype(kind)).num_labels == labels


@doors
@pytest.mark.parametrize("one_hot", [np.eye(3), np.eye(3, dtype=np.int64), np.float32([[0, 1, 0]]), np.eye(2)])
def test_a_probability_of_zero_is_refused_and_both_remedies_work(
    door: Callable[[Any], Representations], one_hot: NDArray[Any]
) -> None:
    """One-hot rows are predictions without doubt, or logits that happen to be so: nobody can tell."""
    given = one_hot.astype(float) if door is through_a_model else one_hot
    zero = np.argwhere(one_hot == 0)[0].tolist()
    with pytest.raises(InputError) as raised:
        door(given)
    assert f"the one at {zero} is 0" in str(raised.value)
    assert "np.log(p.clip(1e-6))" in str(raised.value)
    assert "z - z.mean(1, keepdims=True)" in str(raised.value)
    for z in (given - given.mean(1, keepdims=True), np.log(given.clip(1e-6))):
        assert door(z).num_labels == one_hot.shape[1]


def test_the_array_that_was_passed_is_left_as_it_was() -> None:
    p = softmax(Z)
    before = p.copy()
    Representations.from_logits(p)
    np.testing.assert_array_equal(p, before)


@pytest.mark.parametrize("size", [1, 200])
def test_probabilities_of_two_labels(size: int) -> None:
    p, q = (Representations.from_logits(softmax(z[:size, :2])) for z in (Z, W))
    assert kl_divergence(p, q) == pytest.approx(divergence(Z[:size, :2], W[:size, :2]), rel=1e-12)


class TestOneLabel:
    """One column, whose softmax is 1 for every model."""

    def test_logits_of_one_label_are_refused_and_the_remedy_works(self) -> None:
        z, w = Z[:, :1], W[:, :1]
        with pytest.raises(InputError, match=r"logits: shape \(200, 1\).*np\.hstack\(\[0 \* z, z\]\).*\[1 - p, p\]"):
            Representations.from_logits(z)
        with pytest.raises(InputError, match=r"logits: shape \(200,\).*np\.stack\(\[0 \* z, z\], axis=1\)"):
            Representations.from_logits(z[:, 0])
        p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-w))
        right = float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())
        for made in (
            [np.hstack([0 * one, one]) for one in (z, w)],
            [np.stack([0 * one, one], axis=1) for one in (z[:, 0], w[:, 0])],
            [np.hstack([1 - one, one]) for one in (p, q)],
        ):
            boxes = [Representations.from_logits(one) for one in made]
            assert kl_divergence(*boxes) == pytest.approx(right, rel=1e-12)

    @pytest.mark.parametrize("as_given", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
    def test_an_unembedding_of_one_label_is_refused_and_the_remedy_works(self, as_given: Any) -> None:
        f, g, b = as_given(Z), as_given(W[:1]), as_given(W[0, :1])
        for bias in (None, b):
            with pytest.raises(InputError, match=r"unembeddings: 1 label,.*np\.vstack\(\[0 \* g, g\]\).*\[0, b\]"):
                Representations(f, g, bias)
        p = Representations(f, np.vstack([0 * g, g]), [0, float(b[0])])
        z = np.asarray(f @ g.T + b)
        assert kl_divergence(p, Representations.from_logits(np.hstack([0 * z, z]))) < 1e-20


def test_the_log_of_a_probability_of_0_has_its_remedy() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5]] * 10)
    with np.errstate(divide="ignore"), pytest.raises(InputError, match=r"pass np\.log\(p\.clip\(1e-6\)\)"):
        Representations.from_logits(np.log(probabilities))
    assert Representations.from_logits(np.log(probabilities.clip(1e-6))).num_labels == 2
