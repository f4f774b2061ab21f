"""Activations of layers: what modules put out, pooled over real positions, whatever the batches."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import closedist
from closedist.extraction.activation_files import read_activations
from tests.small_language_models import build, tokens


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.relu(self.linear(x))) + 1


class Net(nn.Module):
    def __init__(self, width=5):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(3, width)
        self.blocks = nn.ModuleList([Block(width), Block(width)])
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def inputs(n=20):
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(1))


def test_layers_are_the_modules_outputs_in_the_order_in_which_they_run():
    model, x = Net(), inputs()
    found = closedist.activations(model, [x[:7], x[7:]], ["head", "stem", "blocks.?"])
    assert list(found) == ["stem", "blocks.0", "blocks.1", "head"]
    stem = model.stem(x)
    first = torch.relu(model.blocks[0].linear(stem)) + 1
    assert_allclose(found["stem"], stem.detach(), rtol=1e-6)
    assert_allclose(found["blocks.0"], first.detach(), rtol=1e-6)
    assert_allclose(found["head"], model.eval()(x).detach(), rtol=1e-6)


def test_what_a_later_layer_changes_in_place_is_kept_as_it_was():
    model, x = Net(), inputs()
    found = closedist.activations(model, [x], ["blocks.0.linear", "blocks.0.relu"])
    assert (found["blocks.0.linear"] < 0).any()
    assert (found["blocks.0.relu"] >= 0).all()


def test_all_layers_leave_out_what_a_module_hands_on_as_it_got_it():
    names = list(closedist.activations(nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 2))), [inputs()]))
    assert names == ["0", "1.0"]
    names = list(closedist.activations(Net(), [inputs()]))
    assert {"blocks.0.linear", "blocks.0.relu", "blocks.0", "head"} <= set(names)


def test_a_module_that_runs_more_than_once_is_there_each_time():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(3, 3)

        def forward(self, x):
            return self.one(self.one(x))

    model = Twice()
    found = closedist.activations(model, [inputs()], "one")
    assert_allclose(found["one:2"], model(inputs()).detach(), rtol=1e-6)
    assert list(found) == ["one", "one:2"]


def test_the_model_is_afterwards_as_it_was():
    model = Net().train()
    model.blocks[0].eval()
    closedist.activations(model, [inputs()])
    assert [model.training, model.blocks[0].training, model.blocks[1].drop.training] == [True, False, True]
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(9, 4)

    def forward(self, input_ids, attention_mask=None):
        return self.embed(input_ids).sum((1, 2))


IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0], [0, 0, 0, 7]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("mean", lambda e: [e[[1, 2, 3, 4]].mean(0), e[[5, 6]].mean(0), e[7]]),
        ("cls", lambda e: [e[1], e[5], e[7]]),
        ("last", lambda e: [e[4], e[6], e[7]]),
        (None, lambda e: list(e[[1, 2, 3, 4, 5, 6, 7]])),
        (lambda output: output.amax(1), lambda e: [e[IDS[i]].amax(0) for i in range(3)]),
    ],
)
def test_sequences_are_pooled_over_their_real_positions(pool, expected):
    model = Sequences()
    found = closedist.activations(model, [{"input_ids": IDS, "attention_mask": MASK}], "embed", pool=pool)
    assert_allclose(found["embed"], torch.stack(expected(model.embed.weight.detach())), rtol=1e-6)


def test_maps_are_pooled_over_their_places_or_each_place_is_an_input():
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten())
    x = torch.randn(2, 3, 5, 5)
    maps = model[0](x).detach()
    assert_allclose(closedist.activations(model, [x], "0")["0"], maps.mean((2, 3)), atol=1e-6)
    places = closedist.activations(model, [x], "0", pool=None)["0"]
    assert_allclose(places, maps.permute(0, 2, 3, 1).reshape(-1, 6), atol=1e-6)
    with pytest.raises(closedist.InputError, match="maps"):
        closedist.activations(model, [x], "0", pool="cls")


def test_hidden_states_are_those_of_the_model_by_number():
    model = build("GPT-2")
    ids = tokens()
    found = closedist.activations(model, [{"input_ids": ids[:3]}, {"input_ids": ids[3:]}], "hidden_states", pool=None)
    with torch.no_grad():
        states = model.eval()(ids, output_hidden_states=True).hidden_states
    assert list(found) == ["hidden_states.0", "hidden_states.1", "hidden_states.2"]
    for one, state in zip(found.values(), states, strict=True):
        assert_allclose(one, state.flatten(0, 1), atol=1e-5)
    some = closedist.activations(model, [{"input_ids": ids}], ["hidden_states.1", "transformer.h.0"])
    assert_allclose(some["hidden_states.1"], some["transformer.h.0"], atol=1e-6)


def test_an_encoders_layers_have_its_mask_and_a_decoders_theirs():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config)
    batch = {
        "input_ids": torch.tensor([[3, 4, 5], [6, 7, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
        "labels": torch.tensor([[2, 3], [4, -100]]),
    }
    found = closedist.activations(model, [batch], ["encoder.block.0", "decoder.block.0", "hidden_states"], pool=None)
    assert [len(found[name]) for name in ("encoder.block.0", "decoder.block.0")] == [5, 3]
    assert [len(found[name]) for name in ("hidden_states.encoder.1", "hidden_states.decoder.1")] == [5, 3]


def test_a_file_holds_the_layers_and_nothing_is_left_beside_it(tmp_path):
    model, x = Net().half().float(), inputs()
    expected = closedist.activations(model, [x[:9], x[9:]])
    found = closedist.activations(model, [x[:9], x[9:]], file=tmp_path / "deep" / "layers.safetensors")
    again = read_activations(tmp_path / "deep" / "layers.safetensors")
    assert list(found) == list(expected) == list(again)
    for name, rows in expected.items():
        assert torch.equal(found[name], rows)
        assert torch.equal(again[name], rows)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["layers.safetensors"]
    from safetensors.torch import load_file

    assert set(load_file(tmp_path / "deep" / "layers.safetensors")) == set(expected)


def test_layers_of_several_kinds_of_numbers_lie_where_their_kind_may(tmp_path):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Identity(), nn.Identity()

        def forward(self, x):
            return self.two(self.one(x[:, :1].half() * 3).double() / 3)

    found = closedist.activations(Mixed(), [inputs(5)], file=tmp_path / "f.safetensors")
    assert {name: rows.dtype for name, rows in found.items()} == {"one": torch.float16, "two": torch.float64}
    header = (tmp_path / "f.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert json.loads(header[8 : 8 + size])["two"]["data_offsets"][0] % 8 == size % 8 == 0


def test_moments_of_one_model_and_of_two_are_those_of_the_activations():
    x, other = inputs(200), Net(7)
    batches = [x[:33], x[33:120], x[120:]]
    joint = closedist.activations({"a": Net(), "b": other}, batches, ["blocks.?", "head"], moments_only=True)
    a, b = (closedist.activations(model, batches, ["blocks.?", "head"]) for model in (Net(), other))
    for measure in ("cka", "debiased", "procrustes", "cca", "r2"):
        expected = closedist.layer_matrix(a, b, measure)
        found = closedist.layer_matrix(joint, measure=measure)
        assert found.rows == ("a/blocks.0", "a/blocks.1", "a/head")
        assert found.columns == ("b/blocks.0", "b/blocks.1", "b/head")
        assert_allclose(found.values, expected.values, atol=1e-6 if measure in ("cca", "r2") else 1e-9)
    alone = closedist.activations(other, batches, "blocks.?", moments_only=True)
    assert_allclose(closedist.layer_matrix(alone).values[0, 1], closedist.linear_cka(b["blocks.0"], b["blocks.1"]))


def test_layers_without_rows_to_match_have_no_joint_root():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 2))
    with pytest.raises(closedist.InputError, match="Pool them alike"):
        closedist.activations(model, [torch.randn(4, 3, 5, 5)], pool=None, moments_only=True)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.linear(nn.functional.dropout(x, 0.5, training=True))


def test_what_cannot_be_right_is_said_at_once():
    x = inputs()
    loader = DataLoader(TensorDataset(x), batch_size=4, shuffle=True)
    cases = [
        (lambda: closedist.activations(Net(), loader), "shuffle=False"),
        (lambda: closedist.activations(Net(), []), "there are none"),
        (lambda: closedist.activations(Net(), [x], "encoder.*"), "names no module.*stem"),
        (lambda: closedist.activations(Net(), [x], []), "layers: none"),
        (lambda: closedist.activations(Net(), [x], "hidden_states"), "Hugging Face"),
        (lambda: closedist.activations(Net(), [x], pool="max"), "pool: 'max'"),
        (lambda: closedist.activations(Net(), [x], pool=lambda output: output.sum()), "matrix"),
        (lambda: closedist.activations(Net(), [x, x * float("inf")]), "number 1 makes layer stem"),
        (lambda: closedist.activations(Noisy(), [x]), "a second time"),
        (lambda: closedist.activations(Net(), [x], file="f", moments_only=True), "file"),
        (lambda: closedist.activations({}, [x]), "0 models"),
        (lambda: closedist.activations("gpt2", [x]), "Module"),
    ]
    for call, said in cases:
        with pytest.raises(closedist.InputError, match=said):
            call()


def test_padding_that_no_mask_tells_of_is_found():
    model = build("GPT-2", pad_token_id=0)
    ids = tokens().clamp(min=1)
    padded = ids.clone()
    padded[1, -3:] = 0
    with pytest.raises(closedist.InputError, match="attention_mask"):
        closedist.activations(model, [{"input_ids": padded}], "hidden_states")
    mask = (padded != 0).long()
    assert closedist.activations(model, [{"input_ids": padded, "attention_mask": mask}], "hidden_states")
    assert closedist.activations(model, [{"input_ids": ids}], "hidden_states")


def test_rows_are_what_they_are_however_inputs_are_cut_into_batches():
    x = inputs(50)
    whole = closedist.activations(Net(), [x], "head")["head"]
    parts = closedist.activations(Net(), list(x.split(7)), "head")["head"]
    assert_allclose(whole, parts, atol=1e-6)
    assert np.asarray(whole).shape == (50, 4)


@pytest.mark.parametrize("layers", [None, 3, [], [0]])
def test_layers_that_are_no_names_are_refused_in_words(layers):
    with pytest.raises(closedist.InputError, match="layers: none"):
        closedist.activations(nn.Sequential(nn.Linear(3, 2)), [torch.ones(4, 3)], layers)


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("", "b")])
def test_names_that_do_not_tell_the_models_apart_are_refused(names):
    models = {name: nn.Sequential(nn.Linear(3, 2)) for name in names}
    with pytest.raises(closedist.InputError, match="none begins with the other"):
        closedist.activations(models, [torch.randn(4, 3)], moments_only=True)


@pytest.mark.parametrize("file", ["", "."])
def test_a_folder_in_place_of_a_file_is_refused_before_the_model_runs_to_the_end(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    batches = (seen.append(i) or torch.randn(4, 3) for i in range(9))
    with pytest.raises(closedist.InputError, match="name the file"):
        closedist.activations(nn.Sequential(nn.Linear(3, 2)), batches, file=file)
    assert len(seen) < 9


def test_a_function_that_pools_to_whole_numbers_is_refused(tmp_path):
    with pytest.raises(closedist.InputError, match=r"pool: of layer 0 it gives torch\.int64"):
        closedist.activations(
            nn.Sequential(nn.Linear(3, 2)), [torch.randn(4, 3)], pool=lambda x: x.argmax(1, keepdim=True)
        )


def test_a_model_without_modules_inside_is_told_how_to_be_watched():
    with pytest.raises(closedist.InputError, match=r"Linear has no modules inside; pass nn\.Sequential"):
        closedist.activations(nn.Linear(3, 2), [torch.randn(4, 3)])


class Nested(nn.Module):
    def forward(self, x):
        return torch.arange(3), {"deep": (None, [2 * x])}


def test_a_tensor_deep_inside_an_output_stands_for_the_layer():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.nested = Nested()

        def forward(self, x):
            return self.nested(x)

    x = torch.randn(4, 3)
    assert_allclose(closedist.activations(Outer(), [x], ["nested"])["nested"], 2 * x)


@pytest.mark.parametrize("length", [4, 6])  # as many positions as inputs, and not
def test_a_recurrent_layer_that_has_time_first_gives_a_row_an_input(length):
    class Recurrent(nn.Module):
        def __init__(self, batch_first):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.lstm = batch_first, nn.LSTM(3, 5, batch_first=batch_first)

        def forward(self, x):
            return self.lstm(x if self.first else x.transpose(0, 1))[0]

    x = torch.randn(4, length, 3)
    for pool in ("mean", "last", None):
        found, expected = (
            closedist.activations(Recurrent(first), [x], ["lstm"], pool=pool)["lstm"] for first in (False, True)
        )
        assert_allclose(found, expected)
