"""One logit an input, of sigmoid classifiers and reward heads: never KL 0 without a word; binary=True is [0, z]."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import closedist
from closedist import InputError, Representations

EXTRACTIONS: list[Callable[..., Representations]] = [closedist.extract, closedist.extract_logits]
ANSWERS: dict[str, Callable[[Tensor], Tensor]] = {
    "logit": lambda z: z,
    "logit without its axis": lambda z: z.squeeze(-1),
    "sigmoid": torch.sigmoid,
    "sigmoid without its axis": lambda z: z.squeeze(-1).sigmoid(),
}


class OneLogit(nn.Module):
    """A sigmoid classifier with a bias, or a reward head without one."""

    def __init__(self, seed: int, answer: Callable[[Tensor], Tensor] = ANSWERS["logit"], bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.trunk, self.head, self.answer = nn.Linear(8, 5), nn.Linear(5, 1, bias=bias), answer
        nn.init.normal_(self.head.weight, std=3)

    def forward(self, x: Tensor) -> Any:
        return self.answer(self.logit(x))

    def logit(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.trunk(x)))


def points(count: int = 40) -> Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(9))


def divergence(*models: OneLogit) -> float:
    """KL of two sigmoid classifiers, written out."""
    z, w = (model.logit(points()).detach().double().numpy()[:, 0] for model in models)
    p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-w))
    return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


@pytest.mark.parametrize("extraction", EXTRACTIONS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_one_logit_is_refused_with_what_to_pass(
    extraction: Callable[..., Any], answer: Callable[[Tensor], Tensor]
) -> None:
    with pytest.raises(InputError, match=r"binary=True"):
        extraction(OneLogit(1, answer), [points()])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_extract_gives_the_two_labels_of_one_logit(answer: Callable[[Tensor], Tensor], bias: bool) -> None:
    models = [OneLogit(seed, answer, bias) for seed in (1, 2)]
    p, q = (closedist.extract(model, points().split(15), binary=True, label_names=["no", "yes"]) for model in models)
    assert torch.equal(p.unembeddings, torch.cat([torch.zeros(1, 5), models[0].head.weight.detach()]))
    assert (p.bias is not None) == bias
    if p.bias is not None:
        assert p.bias.tolist() == [0.0, models[0].head.bias.item()]
    assert closedist.kl_divergence(p, q) == pytest.approx(divergence(*models), rel=1e-5)
    assert divergence(*models) > 0.1


@pytest.mark.parametrize("answer", [ANSWERS["logit"], ANSWERS["logit without its axis"]])
def test_extract_logits_gives_the_two_labels_of_one_logit(answer: Callable[[Tensor], Tensor]) -> None:
    models = [OneLogit(seed, answer) for seed in (1, 2)]
    p, q = (closedist.extract_logits(model, points().split(15), binary=True) for model in models)
    assert p.num_labels == 2
    assert closedist.kl_divergence(p, q) == pytest.approx(divergence(*models), rel=1e-5)
    white, _ = (closedist.extract(model, points().split(15), binary=True) for model in models)
    assert closedist.kl_divergence(white, p) < 1e-12


class TestWhatMayBeASigmoid:
    """Outputs between 0 and 1, which as logits would be read wrongly and as probabilities of a reward too."""

    @pytest.mark.parametrize("answer", [ANSWERS["sigmoid"], ANSWERS["sigmoid without its axis"]])
    def test_it_is_refused_as_a_logit_and_both_remedies_work(self, answer: Callable[[Tensor], Tensor]) -> None:
        models = [OneLogit(seed, answer) for seed in (1, 2)]
        with pytest.raises(
            InputError, match=r"binary: all outputs .* between 0 and 1.*torch\.logit\(p\).*torch\.stack"
        ):
            closedist.extract_logits(models[0], [points()], binary=True)
        first = [OneLogit(seed, lambda z: torch.logit(z.sigmoid())) for seed in (1, 2)]
        p, q = (closedist.extract_logits(model, [points()], binary=True) for model in first)
        assert closedist.kl_divergence(p, q) == pytest.approx(divergence(*models), rel=1e-4)

    def test_rewards_between_0_and_1_are_compared_as_two_columns(self) -> None:
        rewards = points()[:, :1].sigmoid()
        for outputs in (rewards, rewards[:, 0]):  # squeezed, too
            with pytest.raises(InputError, match=r"torch.stack\(\[0 \* z, z\], -1\) of z = z.flatten\(\)"):
                closedist.extract_logits(nn.Identity(), [outputs], binary=True)
            z = outputs.flatten()
            member = closedist.extract_logits(nn.Identity(), [torch.stack([0 * z, z], -1)])
            odds = member.embeddings[:, 1:] - member.embeddings[:, :1]
            torch.testing.assert_close(odds, rewards)


class TestSelfCheck:
    """What extract finds out of a model with one logit that is no member."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
    @pytest.mark.parametrize("answer", [ANSWERS["logit"], ANSWERS["sigmoid"]])
    def test_any_precision_and_size_passes(
        self, answer: Callable[[Tensor], Tensor], size: float, dtype: torch.dtype
    ) -> None:
        model = OneLogit(1, answer).to(dtype)
        with torch.no_grad():
            model.head.weight.mul_(size)
        assert closedist.extract(model, [points().to(dtype)], binary=True).num_labels == 2

    @pytest.mark.parametrize("last", [lambda z: z, torch.sigmoid])
    def test_what_follows_the_head_is_found(self, last: Callable[[Tensor], Tensor]) -> None:
        hot = OneLogit(1, lambda z: last(2 * z))
        with pytest.raises(InputError, match="2 times what the head gives"):
            closedist.extract(hot, [points()], binary=True)
        member = closedist.extract(hot, [points()], binary=True, scale=2)
        odds = member.embeddings @ member.unembeddings[1] + member.bias[1]  # type: ignore[index]
        torch.testing.assert_close(odds, 2 * hot.logit(points())[:, 0].detach(), rtol=1e-5, atol=1e-5)
        capped = OneLogit(1, lambda z: last(30 * (z / 30).tanh()))
        with pytest.raises(InputError, match=r"not softmax\(f·g \+ b\) of its head"):
            closedist.extract(capped, [points()], binary=True)

    @pytest.mark.parametrize("answer", [torch.zeros_like, torch.ones_like, lambda z: 1 - z.sigmoid()])
    def test_an_output_of_something_else_is_refused(self, answer: Callable[[Tensor], Tensor]) -> None:
        with pytest.raises(InputError, match=r"not softmax\(f·g \+ b\) of its head"):
            closedist.extract(OneLogit(1, answer), [points()], head="head", binary=True)

    def test_the_model_may_put_out_both_labels_itself(self) -> None:
        for answer in (lambda z: torch.cat([0 * z, z], -1), lambda z: torch.cat([-z, z], -1).mul(0.5).softmax(-1)):
            member = closedist.extract(OneLogit(1, answer), [points()], head="head", binary=True)
            assert member.num_labels == 2


def test_of_several_layers_with_one_logit_the_one_with_the_models_values_is_the_head() -> None:
    class Gated(OneLogit):
        def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
            super().__init__(1, answer)
            self.gate = nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.gate(x)
            return self.answer(self.logit(x))

    for answer in ANSWERS.values():
        model = Gated(answer)
        member = closedist.extract(model, [points()], binary=True)
        assert torch.equal(member.unembeddings[1:], model.head.weight)


class Reward(nn.Module):
    """A reward model on sequences, which picks the last real token's reward itself, or gives that of every token."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed, self.score, self.last = nn.Embedding(7, 5), nn.Linear(5, 1, bias=False), last

    def forward(self, tokens: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        rewards = self.score(self.embed(tokens).cumsum(1))
        final = attention_mask.sum(1) - 1
        return {"logits": rewards[torch.arange(len(tokens)), final] if self.last else rewards}


def rewards(member: Representations) -> NDArray[np.float64]:
    odds = member.embeddings @ (member.unembeddings[1] - member.unembeddings[0])
    return np.asarray(odds.double())


def test_a_reward_model_gives_an_input_a_sequence_or_a_token() -> None:
    tokens = torch.randint(7, (6, 4), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(6, 4, dtype=torch.long)
    mask[::2, 3:] = 0
    batch = {"tokens": tokens, "attention_mask": mask}
    last = Reward(True)(**batch)["logits"][:, 0].detach()
    member = closedist.extract(Reward(True), [batch], positions="last", binary=True)
    np.testing.assert_allclose(rewards(member), last.double(), rtol=1e-5)
    np.testing.assert_allclose(rewards(closedist.extract_logits(Reward(True), [batch], binary=True)), last, rtol=1e-5)
    every = Reward(False)(**batch)["logits"][mask.bool()][:, 0].detach()
    for extraction in EXTRACTIONS:
        np.testing.assert_allclose(rewards(extraction(Reward(False), [batch], binary=True)), every, rtol=1e-5)


@pytest.mark.parametrize("extraction", EXTRACTIONS)
def test_binary_of_more_than_one_logit_is_refused(extraction: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"binary: .*gives 4 logits an input.*leave it out"):
        extraction(nn.Sequential(nn.Linear(8, 4)), [points()], binary=True)
