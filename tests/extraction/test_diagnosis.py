"""What a model names as its head is looked into, and what a self-check that failed names is the cause."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.errors import InputError
from closedist.extraction.diagnosis import explain

LABELS = 4


def points(count: int = 20) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(1))


class SquaredReLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


class Pooling(nn.Module):
    """A head that takes (B, H, W, M), as timm's ClassifierHead does."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.flatten = nn.Linear(6, LABELS), nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.flatten(self.fc(x.mean((1, 2))))
        return pooled


class Classifier(nn.Module):
    """A body, and a head that get_classifier() names as a whole."""

    def __init__(self, head: nn.Module, shape: tuple[int, ...] = (6,)) -> None:
        super().__init__()
        self.body, self.head, self.shape = nn.Linear(5, torch.Size(shape).numel()), head, shape

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).tanh().unflatten(1, self.shape))
        return logits


def head(kind: str) -> tuple[nn.Module, tuple[int, ...], str]:
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(6, 7), SquaredReLU(), nn.LayerNorm(7), nn.Linear(7, LABELS), nn.Dropout(0.5))
    return {
        "an MLP": (mlp, (6,), "head.3"),
        "pooling, then a layer": (Pooling(), (2, 2, 6), "head.fc"),
        "a layer, then softmax": (nn.Sequential(nn.Linear(6, LABELS), nn.Softmax(-1)), (6,), "head.0"),
        "as wide in the middle": (nn.Sequential(nn.Linear(6, LABELS), nn.ReLU(), nn.Linear(4, LABELS)), (6,), "head.2"),
    }[kind]


@pytest.mark.parametrize("kind", ["an MLP", "pooling, then a layer", "a layer, then softmax", "as wide in the middle"])
def test_of_a_container_that_a_model_calls_its_head_the_last_layer_is_the_head(kind: str) -> None:
    container, shape, name = head(kind)
    model = Classifier(container, shape)
    found, named = closedist.extract(model, [points()]), closedist.extract(model, [points()], head=name)
    assert torch.equal(found.embeddings, named.embeddings)
    assert torch.equal(found.unembeddings, named.unembeddings)


def test_a_head_that_the_model_names_but_does_not_run_is_looked_for() -> None:
    model = Classifier(nn.Linear(6, LABELS))
    model.unused = nn.ModuleList([nn.Linear(6, LABELS)])
    model.get_classifier = lambda: model.unused  # type: ignore[assignment, return-value]
    assert torch.equal(closedist.extract(model, [points()]).unembeddings, model.head.weight)


@pytest.mark.parametrize("count", [2, 20])
def test_a_head_that_is_not_linear_is_called_that_and_nothing_else(count: int) -> None:
    model = Classifier(head("an MLP")[0])
    with pytest.raises(InputError, match="head, a Sequential, is not linear in what enters it; pass head= the Linear"):
        closedist.extract(model, [points(count)], head="head")


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (1e3, 1.0), (1.0, 1e3), (1e15, 1e12), (1e-3, 1e3)])
@pytest.mark.parametrize("labels", [2, 3, 10])
@pytest.mark.parametrize("inputs", [2, 16])
def test_no_cause_is_made_up_where_output_and_scores_have_nothing_in_common(
    sizes: tuple[float, float], labels: int, inputs: int
) -> None:
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        z, y, y_high = torch.randn(3, inputs, labels, generator=generator, dtype=torch.float64)
        z, y, y_high = sizes[0] * z, sizes[1] * y, sizes[1] * y_high
        assert "no factor, offset or soft cap explains it" in explain([(z, y), (64 * z, y_high)], nn.Identity())


Follow = Callable[[Tensor], Tensor]
CAUSES: dict[str, tuple[Follow, str]] = {
    "temperature": (lambda z: 0.5 * z, "0.5 times what the head gives, a temperature of 2"),
    "offset": (lambda z: z + torch.arange(z.shape[-1]), "does not depend on the input, up to"),
    "by input": (lambda z: z / z.norm(dim=-1, keepdim=True), "a factor between .* that depends on the input"),
    "by label": (lambda z: z * (1 + torch.arange(z.shape[-1])), "a factor between .* that depends on the label"),
    "soft cap": (lambda z: 5 * (z / 5).tanh(), r"soft-capped, close to (5|4.99|5.01)·tanh"),
}


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("labels", [3, 10])
def test_a_cause_that_holds_is_named(cause: str, labels: int) -> None:
    follow, words = CAUSES[cause]
    z = torch.randn(16, labels, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert re.search(words, explain([(z, follow(z)), (64 * z, follow(64 * z))], nn.Identity()))


@pytest.mark.parametrize("size", [1e-15, 1.0, 1e15])
def test_deviations_are_judged_beside_the_size_of_the_logits(size: float) -> None:
    """Batch norms of random statistics, as of an untrained mobileone, make logits of 1e15."""
    model = Classifier(nn.Linear(6, LABELS))
    with torch.no_grad():
        model.head.weight.mul_(size)
        model.head.bias.mul_(size)
    assert closedist.extract(model, [points()]).num_labels == LABELS
    if size >= 1:
        hot = nn.Sequential(model, nn.Threshold(-1e30, 0.0))
        hot[1].forward = lambda z: 2 * z  # type: ignore[method-assign]
        with pytest.raises(InputError, match="2 times what the head gives"):
            closedist.extract(hot, [points()], head=model.head)


class TestPadding:
    """A classifier of Hugging Face picks the last token that is not padding, mask or not."""

    @staticmethod
    def model() -> Any:
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.LlamaConfig(vocab_size=50, pad_token_id=0, num_labels=LABELS, **sizes)
        return transformers.LlamaForSequenceClassification(config)

    @staticmethod
    def ids(padded: bool) -> Tensor:
        ids = torch.randint(1, 50, (6, 9), generator=torch.Generator().manual_seed(1))
        if padded:
            ids[0, 5:], ids[3, 2:] = 0, 0
        return ids

    @pytest.mark.parametrize("before", [0, 2], ids=["first batch", "third batch"])
    def test_a_missing_mask_is_named_and_cures_it(self, before: int) -> None:
        model = self.model()
        batches: list[dict[str, Tensor]] = [{"input_ids": self.ids(False)}] * before
        with pytest.raises(InputError, match="no attention_mask, but input_ids hold the pad token 0"):
            closedist.extract(model, [*batches, {"input_ids": self.ids(True)}], positions="last")
        masked = {"input_ids": self.ids(True), "attention_mask": (self.ids(True) != 0).long()}
        member = closedist.extract(model, [*batches, masked], positions="last")
        logits = member.embeddings @ member.unembeddings.T
        torch.testing.assert_close(logits[-6:], model(**masked).logits.detach(), atol=1e-5, rtol=0)

    def test_without_padding_no_mask_is_needed(self) -> None:
        assert closedist.extract(self.model(), [{"input_ids": self.ids(False)}], positions="last").num_inputs == 6

    def test_another_cause_is_not_blamed_on_the_mask(self) -> None:
        model = self.model()
        model.score.register_forward_hook(lambda module, args, output: 3 * output)
        with pytest.raises(InputError, match="3 times what the head gives"):
            closedist.extract(model, [{"input_ids": self.ids(False)}], positions="last")
        with pytest.raises(InputError, match=r"output is not softmax\(f·g \+ b\)"):
            closedist.extract(model, [{"input_ids": self.ids(True)}], positions="last")
