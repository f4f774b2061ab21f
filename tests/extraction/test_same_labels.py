"""Models of two towers: labels are inputs, the same in every batch or refused; the right way is two matrices."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.errors import InputError


class Towers(nn.Module):
    """CLIP in small: an image is like a text where their embeddings of length 1 are."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.images, self.texts, self.scale = nn.Linear(8, 5), nn.Linear(6, 5), 20.0

    def encode_image(self, image: Tensor) -> Tensor:
        return nn.functional.normalize(self.images(image), dim=-1)

    def encode_text(self, text: Tensor, text_mask: Tensor | None = None) -> Tensor:
        masked = text if text_mask is None else text * text_mask
        return nn.functional.normalize(self.texts(masked), dim=-1)

    def forward(self, image: Tensor, text: Tensor, text_mask: Tensor | None = None) -> dict[str, Tensor]:
        return {"logits_per_image": self.scale * self.encode_image(image) @ self.encode_text(text, text_mask).T}


def drawn(count: int, width: int, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def pairs(*sizes: int, masked: bool = False) -> list[dict[str, Tensor]]:
    """Batches of images with a text of their own each."""
    batches = [{"image": drawn(n, 8, seed), "text": drawn(n, 6, 9 + seed)} for seed, n in enumerate(sizes)]
    return [batch | {"text_mask": torch.ones(len(batch["text"]), 6)} for batch in batches] if masked else batches


def with_texts(texts: Tensor, *sizes: int, masked: bool = False) -> list[dict[str, Tensor]]:
    """Batches of images, all with the same texts."""
    mask = {"text_mask": torch.ones(len(texts), 6)} if masked else {}
    return [{"image": drawn(n, 8, seed), "text": texts.clone()} | mask for seed, n in enumerate(sizes)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(7, 7, 7), (7, 7, 3), (7, 3), (5, 7)])
def test_labels_that_are_each_batchs_own_texts_are_refused(sizes: tuple[int, ...], masked: bool) -> None:
    with pytest.raises(InputError, match=r"batches: number 1 has .*labels.*Representations\(scale \* image_embeddings"):
        closedist.extract_logits(Towers(), pairs(*sizes, masked=masked))


def test_other_texts_are_refused_where_there_are_as_many() -> None:
    batches = with_texts(drawn(7, 6, 1), 4, 4) + with_texts(drawn(7, 6, 2), 4)
    with pytest.raises(InputError, match="number 2 has other labels than the first, made from its own text;"):
        closedist.extract_logits(Towers(), batches)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(4, 4, 2), (7, 7, 3), (7,), (1, 7)])
def test_the_same_texts_in_every_batch_are_the_labels(sizes: tuple[int, ...], masked: bool) -> None:
    """Also in a batch of as many images as texts."""
    model, texts = Towers(), drawn(7, 6, 1)
    member = closedist.extract_logits(model, with_texts(texts, *sizes, masked=masked))
    images = torch.cat([batch["image"] for batch in with_texts(texts, *sizes)])
    expected = model(images, texts)["logits_per_image"].detach()
    torch.testing.assert_close(member.embeddings, expected - expected.mean(1, keepdim=True), atol=1e-5, rtol=0)


def test_two_towers_are_two_matrices_with_a_scale() -> None:
    """As docs/two-towers.md writes it."""
    first, second, texts, images = Towers(0), Towers(1), drawn(7, 6, 1), drawn(30, 8, 2)
    with torch.no_grad():
        p, q = (
            closedist.Representations(model.scale * model.encode_image(images), model.encode_text(texts))
            for model in (first, second)
        )
        logits = [model(images, texts)["logits_per_image"].double().log_softmax(-1) for model in (first, second)]
    by_hand = float((logits[0].exp() * (logits[0] - logits[1])).sum(1).mean())
    compared = closedist.compare(p, q)
    assert compared.kl == pytest.approx(by_hand, rel=1e-5)
    assert compared.mean_cca_unembeddings is not None


@pytest.mark.parametrize("extra", [{}, {"token_type_ids": torch.zeros(4, 6)}])
def test_a_classifier_is_run_again_only_where_a_batch_has_as_many_inputs_as_there_are_labels(extra: Any) -> None:
    calls = []

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 4)

        def forward(self, x: Tensor, **others: Tensor) -> Tensor:
            calls.append(len(x))
            return self.layer(x)  # type: ignore[no-any-return]

    model = Classifier()
    assert closedist.extract_logits(model, [{"x": drawn(n, 6, n)} | extra for n in (5, 4, 3)]).num_inputs == 12
    assert calls == ([5, 4, 3] if not extra else [5, 5, 4, 3])
    calls.clear()
    assert closedist.extract_logits(model, [{"x": drawn(n, 6, n)} for n in (4, 3)]).num_inputs == 7
    assert calls == [4, 3, 3]
