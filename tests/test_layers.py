"""Layers against layers: exact, in one pass, with a table and curves that say which is which."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

import closedist
from closedist.measures import catalogue
from tests.measures import written_out

TITLES = [one.name for one in closedist.list_measures()]


def layers(count, width, seed, n=60):
    random = np.random.default_rng(seed)
    x = np.random.default_rng(9).normal(size=(n, 4))
    found = {}
    for index in range(count):
        x = np.tanh(x @ random.normal(size=(x.shape[1], width))) + 0.1 * random.normal(size=(n, width))
        found[f"layer.{index}"] = x
    return found


@pytest.mark.parametrize("name", TITLES)
def test_an_entry_is_the_measure_of_its_row_and_column(name):
    same_width = name in ("bures_distance", "riemannian_distance")
    a, b = layers(2, 5, 0), layers(3, 5 if same_width else 6, 1)
    found = closedist.layer_matrix(a, b, name)
    assert found.values.shape == (2, 3)
    assert (found.rows, found.columns) == (
        ("a/layer.0", "a/layer.1"),
        ("b/layer.0", "b/layer.1", "b/layer.2"),
    )
    for i, row in enumerate(a.values()):
        for j, column in enumerate(b.values()):
            assert_allclose(found.values[i, j], written_out.MEASURES[name](row, column), atol=1e-9)
    own = closedist.layer_matrix(a, measure=name)
    assert own.rows == own.columns == ("layer.0", "layer.1")
    assert_allclose(own.values[0, 1], written_out.MEASURES[name](a["layer.0"], a["layer.1"]), atol=1e-9)


def test_a_measures_arguments_are_passed_on_and_others_refused_with_what_there_is():
    a = layers(2, 5, 0)
    assert closedist.layer_matrix(a, measure="mutual_knn", k=3).values[0, 1] == closedist.mutual_knn(*a.values(), k=3)
    with pytest.raises(closedist.InputError, match="alpha: no argument of mutual_knn; it has k, metric"):
        closedist.layer_matrix(a, measure="mutual_knn", alpha=1)
    with pytest.raises(closedist.InputError, match="it is one of cka"):
        closedist.layer_matrix(a, measure="cosine")
    with pytest.raises(closedist.InputError, match="dictionary"):
        closedist.layer_matrix({})
    with pytest.raises(closedist.InputError, match="rows"):
        closedist.layer_matrix(a, layers(2, 5, 0, n=50))


@pytest.mark.parametrize("measure", ["cka", "procrustes"])
def test_a_match_is_the_layer_at_the_same_depth_and_the_closest(measure):
    a = layers(4, 5, 0)
    teacher = {f"t{i}": a[f"layer.{i // 2}"] + 0 for i in range(7)}
    found = closedist.layer_matrix(a, teacher, measure).matches()
    assert [match.same_depth for match in found] == ["t0", "t2", "t4", "t6"]
    assert [match.closest for match in found] == ["t0", "t2", "t4", "t6"]
    assert_allclose([match.closest_value for match in found], 1.0 if measure == "cka" else 0.0, atol=1e-7)
    own = closedist.layer_matrix(a, measure=measure).matches()
    assert all(match.closest != match.row for match in own)


def test_of_equally_close_layers_the_one_nearest_in_depth_is_named():
    a = layers(3, 5, 0)
    copies = {f"t{i}": a["layer.1"] for i in range(5)}
    assert closedist.layer_matrix(a, copies, "cka").matches()[1].closest == "t2"


def test_layers_may_be_called_by_number():
    a = list(layers(2, 5, 0).values())
    table = closedist.layer_matrix(dict(enumerate(a)))
    assert table.rows == ("0", "1")
    assert "1.0000" in str(table)


def test_the_table_names_every_layer_and_its_values():
    a = layers(3, 5, 0)
    printed = str(closedist.layer_matrix(a))
    assert printed.startswith("linear CKA, 60 inputs")
    for name in a:
        assert printed.count(name) == 2
    against = str(closedist.layer_matrix(a, layers(20, 5, 1), "debiased"))
    assert len(against.splitlines()) == 5
    assert "same depth           closest" in against
    assert "b/layer." in against


@pytest.mark.parametrize(("prefix", "count"), [("hidden_states.", 12), ("model.encoder.blocks.attention.", 9), ("", 3)])
def test_a_table_of_one_model_or_of_two_fits_into_eighty_columns(prefix: str, count: int) -> None:
    a = {f"{prefix}{index}": value for index, value in enumerate(layers(count, 5, 0).values())}
    b = {f"other/{name}": value for name, value in a.items()}
    for table in (closedist.layer_matrix(a), closedist.layer_matrix(a, b)):
        lines = str(table).splitlines()
        assert max(map(len, lines)) < 80
        assert all(any(name[-12:] in line for line in lines) for name in a)


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return x + self.feed(x)


class Transformer(nn.Module):
    """Twelve layers, and so 24 blocks of activations: after every attention and every feed-forward part."""

    def __init__(self, width, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(30, width)
        self.layers = nn.ModuleList([Layer(width) for _ in range(12)])

    def forward(self, x):
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return x


PATTERNS = ["layers.*.attention", "layers.*.feed"]


def batches(n):
    ids = torch.randint(30, (n, 8), generator=torch.Generator().manual_seed(2))
    return list(ids.split(64))


def test_two_transformers_of_twelve_layers_have_an_exact_table_of_24_by_24_from_one_pass():
    a, b = Transformer(8, 0), Transformer(12, 1)
    joint = closedist.activations({"a": a, "b": b}, batches(256), PATTERNS, pool=None, moments_only=True)
    found = closedist.layer_matrix(joint)
    assert found.values.shape == (24, 24)
    assert joint.num_inputs == 256 * 8
    of_a, of_b = (closedist.activations(one, batches(256), PATTERNS, pool=None) for one in (a, b))
    for i, j in ((0, 0), (5, 17), (23, 23), (12, 3)):
        expected = written_out.linear_cka(np.asarray(list(of_a.values())[i]), np.asarray(list(of_b.values())[j]))
        assert_allclose(found.values[i, j], expected, atol=1e-9)
    assert closedist.layer_matrix(joint, measure="debiased").values.shape == (24, 24)


def test_what_is_kept_of_two_transformers_does_not_grow_with_the_inputs():
    a, b = Transformer(4, 0), Transformer(4, 1)
    sizes = {
        closedist.activations({"a": a, "b": b}, batches(n), PATTERNS, pool=None, moments_only=True).columns.side.shape
        for n in (128, 512)
    }
    assert sizes == {(48 * 4 + 48, 48 * 4)}


def test_cka_by_minibatches_as_peers_take_it_is_another_number():
    """torch_cka's value: HSIC₁ of every minibatch by itself, averaged (Nguyen et al., 2021)."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 512, 64))
    y = y + 0.5 * x

    def hsic(k, other):
        n = len(k)
        k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
        return np.trace(k @ other) + k.sum() * other.sum() / ((n - 1) * (n - 2)) - 2 * (k @ other).sum() / (n - 2)

    parts = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 512, 8)]
    own = [[hsic(p @ p.T, q @ q.T) for p, q in ((u, v), (u, u), (v, v))] for u, v in parts]
    cross, first, second = np.mean(own, 0)
    exact = closedist.layer_matrix({"x": x}, {"y": y}, "debiased").values[0, 0]
    assert abs(cross / np.sqrt(first * second) - exact) > 1e-3
    assert_allclose(exact, written_out.debiased_cka(x, y), atol=1e-9)


def test_every_measure_of_the_table_takes_what_layer_matrix_passes():
    for one in catalogue.MEASURES:
        assert closedist.layer_matrix(layers(2, 4, 0), measure=one.short).measure is one


def test_what_the_documentation_shows_runs():
    text = (Path(__file__).resolve().parents[1] / "docs" / "layers.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block, "docs/layers.md", "exec"), names)
    assert names["table"].values.shape == (3, 6)
