"""Extraction from PyTorch classifiers: the member is the model's own distribution, and the model stays as it was."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import closedist
from closedist.errors import InputError
from closedist.representations import Representations

LABELS, INPUTS = 7, 24


def mlp(bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, LABELS, bias=bias))


def cnn(bias: bool = True) -> nn.Module:
    convolutions = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return nn.Sequential(*convolutions, nn.Dropout(0.5), nn.Linear(16, LABELS, bias=bias))


class Answering(nn.Module):
    """A trunk and a head, and what the model makes of the logits."""

    def __init__(self, answer: Callable[[Tensor, Tensor], Any], bias: bool = True) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 16), nn.Tanh())
        self.head = nn.Linear(16, LABELS, bias=bias)
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        embeddings = self.trunk(x)
        return self.answer(self.head(embeddings), embeddings)


def points(count: int = INPUTS) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(1))


def images() -> Tensor:
    return torch.randn(INPUTS, 1, 8, 8, generator=torch.Generator().manual_seed(2))


def log_probabilities(p: Representations) -> Tensor:
    scores = p.embeddings.double() @ p.unembeddings.double().T
    return (scores if p.bias is None else scores + p.bias.double()).log_softmax(-1)


def own_log_probabilities(model: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(model).eval()(inputs).double().log_softmax(-1)


def all_hooks(model: nn.Module) -> list[Any]:
    return [hook for module in model.modules() for hook in [*module._forward_pre_hooks, *module._forward_hooks]]


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("build", "inputs"), [(mlp, points()), (cnn, images())])
def test_a_classifier_becomes_the_member_with_its_log_probabilities(
    build: Callable[[bool], nn.Module], inputs: Tensor, bias: bool
) -> None:
    model = build(bias)
    member = closedist.extract(model, [inputs])
    torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, inputs), atol=1e-5, rtol=0)
    assert (member.bias is None) != bias
    assert member.input_ids is not None
    assert member.input_ids.tolist() == list(range(INPUTS))


@pytest.mark.parametrize(
    "answer",
    [
        lambda logits, f: (logits, f),
        lambda logits, f: (f, logits),
        lambda logits, f: {"loss": logits.sum(), "logits": logits},
        lambda logits, f: logits.log_softmax(-1),
        lambda logits, f: logits.softmax(-1),
        lambda logits, f: logits - 1e3,
    ],
    ids=["tuple", "tuple, logits last", "dictionary", "log-probabilities", "probabilities", "shifted"],
)
def test_the_models_own_output_is_found_in_whatever_form_it_comes(answer: Callable[[Tensor, Tensor], Any]) -> None:
    model = Answering(answer)
    member = closedist.extract(model, [points()])
    expected = model.head(model.trunk(points())).double().log_softmax(-1).detach()
    torch.testing.assert_close(log_probabilities(member), expected, atol=1e-5, rtol=0)


def test_batches_may_be_tensors_pairs_dictionaries_or_a_loader() -> None:
    model, x, labels = Answering(lambda logits, f: logits), points(), torch.zeros(INPUTS)
    expected = closedist.extract(model, [x]).embeddings
    loader = DataLoader(TensorDataset(x, labels), batch_size=5)
    for batches in (list(x.split(7)), [(x, labels)], [{"x": x}], [({"x": x}, labels)], loader, iter([x])):
        torch.testing.assert_close(closedist.extract(model, batches).embeddings, expected)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_the_size_of_batches_changes_nothing(sizes: list[int]) -> None:
    model, x = cnn(), torch.randn(sum(sizes), 1, 8, 8)
    once, in_parts = closedist.extract(model, [x]), closedist.extract(model, x.split(sizes))
    torch.testing.assert_close(once.embeddings, in_parts.embeddings, atol=1e-6, rtol=1e-5)


def test_training_mode_dropout_and_batch_statistics_are_left_as_they_were() -> None:
    model = cnn().train()
    model[1].eval()  # a frozen batch norm
    model[6].weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    member = closedist.extract(model, [images()])
    torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, images()), atol=1e-5, rtol=0)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [parameter.requires_grad for parameter in model[6].parameters()] == [False, True]
    assert torch.is_grad_enabled()
    assert not member.embeddings.requires_grad


class FailingLater(nn.Module):
    """Breaks on its second batch."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.calls = mlp(), 0

    def forward(self, x: Tensor) -> Tensor:
        if float(x.sum()) == 0.0:
            raise RuntimeError("out of memory, say")
        return self.net(x)


def test_no_hook_and_no_mode_survives_an_exception() -> None:
    failing = FailingLater().train()
    with pytest.raises(RuntimeError, match="out of memory"):
        closedist.extract(failing, [points(), torch.zeros(4, 5)])
    refused = Answering(lambda logits, f: logits.sin()).train()
    with pytest.raises(InputError):
        closedist.extract(refused, [points()])
    for model in (failing, refused):
        assert all_hooks(model) == []
        assert all(module.training for module in model.modules())
    assert torch.is_grad_enabled()


def test_extraction_takes_copies_so_that_training_on_changes_no_member() -> None:
    model, x = nn.Sequential(nn.Linear(5, LABELS)), points()
    member = closedist.extract(model, [x])
    expected = log_probabilities(member)
    with torch.no_grad():
        x.zero_()
        model[0].weight.zero_()
    assert torch.equal(log_probabilities(member), expected)


def test_compiled_and_wrapped_models_are_taken_apart() -> None:
    model = mlp()
    expected = closedist.extract(model, [points()]).embeddings
    wrapped = nn.DataParallel(model)
    assert torch.equal(closedist.extract(wrapped, [points()]).embeddings, expected)
    assert torch.equal(closedist.extract(torch.compile(model), [points()]).embeddings, expected)
    model.compile()
    assert torch.equal(closedist.extract(model, [points()]).embeddings, expected)


class TestHead:
    """Which layer is the last."""

    def test_it_may_be_given_as_a_module_or_by_name(self) -> None:
        model = Answering(lambda logits, f: logits)
        by_itself = closedist.extract(model, [points()]).embeddings
        assert torch.equal(closedist.extract(model, [points()], head="head").embeddings, by_itself)
        assert torch.equal(closedist.extract(model, [points()], head=model.head).embeddings, by_itself)

    def test_among_layers_as_wide_as_the_output_the_one_with_its_values_is_found(self) -> None:
        model = nn.Sequential(nn.Linear(5, LABELS), nn.Tanh(), nn.Linear(LABELS, LABELS), nn.LogSoftmax(-1))
        member = closedist.extract(model, [points()])
        assert torch.equal(member.unembeddings, model[2].weight)

    def test_what_the_model_says_of_itself_comes_first(self) -> None:
        model = Answering(lambda logits, f: logits)
        model.get_classifier = lambda: model.head  # type: ignore[assignment]
        model.later = nn.Linear(2, 2)
        assert closedist.extract(model, [points()]).num_labels == LABELS

    def test_where_it_cannot_be_told_the_error_lists_the_candidates(self) -> None:
        twins = Answering(lambda logits, f: logits)
        twins.second = nn.Linear(16, LABELS)
        twins.answer = lambda logits, f: logits + twins.second(f)
        with pytest.raises(InputError, match=r"pass head=.*trunk\.0 \(5 → 16\), head \(16 → 7\), second \(16 → 7\)"):
            closedist.extract(twins, [points()])

    @pytest.mark.parametrize("head", ["tail", nn.Linear(16, 7), 3])
    def test_a_head_that_is_no_part_of_the_model_is_refused(self, head: Any) -> None:
        with pytest.raises(InputError, match="head: "):
            closedist.extract(mlp(), [points()], head=head)

    def test_a_layer_that_is_not_the_last_does_not_pass_the_self_check(self) -> None:
        model = nn.Sequential(nn.Linear(5, LABELS), nn.ReLU(), nn.Linear(LABELS, LABELS))
        with pytest.raises(InputError, match=r"not softmax\(f·g \+ b\)"):
            closedist.extract(model, [points()], head="0")

    def test_a_head_that_a_forward_pass_uses_twice_is_refused(self) -> None:
        model = Answering(lambda logits, f: logits)
        model.answer = lambda logits, f: logits + model.head(f)
        with pytest.raises(InputError, match="ran head 2 times"):
            closedist.extract(model, [points()], head="head")

    @pytest.mark.parametrize("bias", [True, False])
    def test_an_affine_module_of_any_kind_is_read_by_asking_it(self, bias: bool) -> None:
        class Adapted(nn.Module):
            """A frozen layer and a low-rank change of it, as fine-tuning adds."""

            def __init__(self) -> None:
                super().__init__()
                self.base = nn.Linear(16, LABELS, bias=bias)
                self.down, self.up = nn.Linear(16, 2, bias=False), nn.Linear(2, LABELS, bias=False)

            def forward(self, x: Tensor) -> Tensor:
                return self.base(x) + 3 * self.up(self.down(x))

        model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), Adapted())
        member = closedist.extract(model, [points()], head="2")
        torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, points()), atol=1e-5, rtol=0)
        assert (member.bias is None) != bias

    def test_parametrised_weights_count_as_they_are_used(self) -> None:
        model = mlp()
        nn.utils.parametrizations.weight_norm(model[2])
        member = closedist.extract(model, [points()])
        torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, points()), atol=1e-5, rtol=0)


class TestSelfCheck:
    """Nothing is reported for a model that is not in the family, and the error says what it does instead."""

    @pytest.mark.parametrize(
        ("answer", "found"),
        [
            (lambda z, f: z / 2.5, r"0\.4 times what the head gives, a temperature of 2\.5\..*scale="),
            (lambda z, f: 5 * (z / 5).tanh(), r"soft-capped, close to 5·tanh\(f·g/5\)"),
            (lambda z, f: 30 * (z / 30).tanh(), r"soft-capped, close to 30·tanh"),
            (lambda z, f: z + torch.arange(LABELS), r"does not depend on the input.* is added after the head"),
            (lambda z, f: z / f.norm(dim=-1, keepdim=True), r"a factor between .* that depends on the input"),
            (lambda z, f: z * torch.arange(1, LABELS + 1), r"a factor between .* that depends on the label"),
            (lambda z, f: z.masked_fill(torch.arange(LABELS) == 2, -torch.inf), r"label 2 has the logit -inf"),
            (lambda z, f: z.relu(), r"differ by up to .* nats \(at label \d\)"),
        ],
        ids=["temperature", "soft cap", "wide soft cap", "offset", "cosine", "by label", "masked", "other"],
    )
    def test_what_follows_the_head_is_named(self, answer: Callable[[Tensor, Tensor], Tensor], found: str) -> None:
        model = Answering(answer, bias=False)
        with pytest.raises(InputError, match=found):
            closedist.extract(model, [points()])

    def test_a_head_that_rounds_what_enters_it_is_no_member_and_no_temperature_is_blamed(self) -> None:
        class Rounding(nn.Linear):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward((x * 8).round() / 8)

        model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), Rounding(16, LABELS))
        with pytest.raises(InputError, match="does it round what enters it"):
            closedist.extract(model, [points()])

    @settings(max_examples=25, deadline=None)
    @given(cap=st.floats(1, 60), size=st.floats(1e-4, 1e2))
    def test_a_soft_cap_shows_however_small_the_logits_are(self, cap: float, size: float) -> None:
        model = Answering(lambda z, f: cap * (z / cap).tanh(), bias=False)
        with torch.no_grad():
            model.head.weight.mul_(size)
        with pytest.raises(InputError, match="soft-capped"):
            closedist.extract(model, [points()])

    @settings(max_examples=25, deadline=None)
    @given(
        size=st.floats(1e-6, 1e4),
        offset=st.floats(-1e4, 1e4),
        dtype=st.sampled_from(["float32", "float64", "bfloat16"]),
    )
    def test_no_size_of_logits_and_no_precision_makes_a_member_fail(
        self, size: float, offset: float, dtype: str
    ) -> None:
        model = Answering(lambda z, f: z + offset)
        with torch.no_grad():
            model.head.weight.mul_(size)
        member = closedist.extract(model.to(getattr(torch, dtype)), [points().to(getattr(torch, dtype))])
        assert member.embeddings.dtype == getattr(torch, dtype)

    def test_a_temperature_that_the_caller_knows_is_taken_into_f(self) -> None:
        model = Answering(lambda z, f: z / 2.5)
        member = closedist.extract(model, [points()], scale=1 / 2.5)
        torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, points()), atol=1e-5, rtol=0)
        with pytest.raises(InputError, match="scale"):
            closedist.extract(model, [points()], scale=0.0)

    @pytest.mark.parametrize("learned", [True, False])
    def test_a_factor_that_the_model_names_is_taken_into_f(self, learned: bool) -> None:
        model = Answering(lambda z, f: z * 8)
        model.logit_scale = nn.Parameter(torch.tensor(8.0).log()) if learned else 1 / 8  # type: ignore[assignment]
        member = closedist.extract(model, [points()])
        torch.testing.assert_close(log_probabilities(member), own_log_probabilities(model, points()), atol=1e-5, rtol=0)


class Sequences(nn.Module):
    """A token model whose embedding depends on the token alone, so that padding cannot matter."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, LABELS)

    def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.head(self.embed(tokens))


@st.composite
def padded_batches(draw: st.DrawFn) -> tuple[list[list[int]], dict[str, Tensor], dict[str, Tensor]]:
    """Sequences of different lengths, padded on the right and on the left."""
    tokens = draw(st.lists(st.lists(st.integers(1, 10), min_size=1, max_size=6), min_size=1, max_size=4))
    width = max(map(len, tokens)) + draw(st.integers(0, 2))
    right = {"tokens": torch.tensor([one + [0] * (width - len(one)) for one in tokens])}
    left = {"tokens": torch.tensor([[0] * (width - len(one)) + one for one in tokens])}
    for batch in (right, left):
        batch["attention_mask"] = (batch["tokens"] > 0).long()
    return tokens, right, left


class TestPositions:
    """Every position of a sequence is an input."""

    @settings(max_examples=30, deadline=None)
    @given(padded_batches(), st.one_of(st.sampled_from(["all", "last"]), st.integers(1, 4)))
    def test_padding_and_its_side_change_nothing(
        self, padded: tuple[list[list[int]], dict[str, Tensor], dict[str, Tensor]], positions: Any
    ) -> None:
        tokens, right, left = padded
        model = Sequences()
        stride = positions if isinstance(positions, int) else 1
        names = [
            (sequence, number)
            for sequence, one in enumerate(tokens)
            for number in ([len(one) - 1] if positions == "last" else range(0, len(one), stride))
        ]
        expected = model.embed(torch.tensor([tokens[sequence][number] for sequence, number in names]))
        for batch in (right, left):
            member = closedist.extract(model, [batch], positions=positions)
            assert member.input_ids is not None
            assert [tuple(name) for name in member.input_ids.tolist()] == names
            assert torch.equal(member.embeddings, expected)

    def test_sequences_are_counted_through_all_batches(self) -> None:
        batches = [torch.ones(2, 3, dtype=torch.long), torch.ones(1, 2, dtype=torch.long)]
        ids = closedist.extract(Sequences(), batches).input_ids
        assert ids is not None
        assert ids.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1]]

    def test_a_model_that_picks_the_last_position_itself_is_extracted_there(self) -> None:
        class Pooled(Sequences):
            def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
                return super().forward(tokens)[:, -1]

        tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])
        member = closedist.extract(Pooled(), [tokens], positions="last")
        assert member.num_inputs == 2
        with pytest.raises(InputError, match='positions="last"'):
            closedist.extract(Pooled(), [tokens])

    @pytest.mark.parametrize("positions", [0, -1, True, "first", 1.5])
    def test_other_positions_are_refused(self, positions: Any) -> None:
        with pytest.raises(InputError, match="positions: "):
            closedist.extract(Sequences(), [torch.ones(1, 2, dtype=torch.long)], positions=positions)

    def test_a_mask_of_another_length_is_refused(self) -> None:
        batch = {"tokens": torch.ones(2, 3, dtype=torch.long), "attention_mask": torch.ones(2, 5)}
        with pytest.raises(InputError, match="attention_mask: shape"):
            closedist.extract(Sequences(), [batch])


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (points(), "an iterable of batches is needed"),
        ({"x": points()}, "an iterable of batches is needed"),
        ([], "there are none"),
        ([(points(), 1, 2)], "number 0 is a tuple of 3"),
        ([points().numpy()], "number 0 is a ndarray"),
    ],
)
def test_what_are_no_batches_is_refused(batches: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        closedist.extract(mlp(), batches)


class TestLogits:
    """Models outside of the family as black boxes."""

    @pytest.mark.parametrize("answer", [lambda z: z, lambda z: z.log_softmax(-1), lambda z: z.softmax(-1)])
    def test_any_output_gives_the_member_with_its_distribution(self, answer: Callable[[Tensor], Tensor]) -> None:
        model = Answering(lambda z, f: answer(2 * (z / 2).tanh())).train()
        member = closedist.extract_logits(model, points().split(5))
        expected = (2 * (model.head(model.trunk(points())) / 2).tanh()).double().log_softmax(-1).detach()
        torch.testing.assert_close(log_probabilities(member), expected, atol=1e-5, rtol=0)
        assert member.black_box
        assert model.training

    def test_a_label_of_probability_zero_is_refused(self) -> None:
        model = Answering(lambda z, f: z.masked_fill(torch.arange(LABELS) == 2, -torch.inf))
        with pytest.raises(InputError, match="infinity"):
            closedist.extract_logits(model, [points()])

    def test_padding_is_left_out_of_sequences(self) -> None:
        batch = {"tokens": torch.ones(2, 3, dtype=torch.long), "attention_mask": torch.tensor([[1, 1, 0], [1, 0, 0]])}
        assert closedist.extract_logits(Sequences(), [batch]).num_inputs == 3
        assert closedist.extract_logits(Sequences(), [batch], positions="last").num_inputs == 2

    def test_a_large_vocabulary_is_a_black_box_like_any_other(self) -> None:
        model = Answering(lambda z, f: z.sum(-1, keepdim=True) * torch.linspace(0, 1, 10_001))
        found = closedist.extract_logits(model, points().split(4))
        assert (found.num_inputs, found.num_labels) == (len(points()), 10_001)
        assert closedist.kl_divergence(found, found) == 0


def test_groups_of_inputs_and_of_sequences_come_with_the_representations(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 5))
    batches = [torch.randn(6, 4), torch.randn(3, 4)]
    names = [f"patient {i // 2}" for i in range(9)]
    assert closedist.extract(model, batches, groups=names).groups.tolist() == names
    sequences = [torch.randn(2, 5, 4), torch.randn(1, 3, 4)]
    for file in (None, tmp_path / "p.safetensors"):
        p = closedist.extract(model, sequences, groups=[7, 7, 9], file=file)
        assert p.groups.tolist() == [7] * 10 + [9] * 3
    with pytest.raises(InputError, match="groups: 2 for 3 sequences"):
        closedist.extract(model, sequences, groups=[7, 9])
