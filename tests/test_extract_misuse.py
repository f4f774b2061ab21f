"""What users hand to extract that cannot work: said at once, with the remedy, and nothing wrong left behind."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import closedist
from closedist.errors import InputError

LABELS = 4


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, LABELS))


def points(count: int = 12) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(1))


EXTRACTIONS: list[Callable[..., Any]] = [closedist.extract, closedist.extract_logits]


@pytest.mark.parametrize("extraction", EXTRACTIONS)
class TestLoaders:
    """DataLoaders as people write them."""

    def test_a_loader_that_does_not_know_its_length_is_read_to_its_end(self, extraction: Callable[..., Any]) -> None:
        class Stream(IterableDataset[Tensor]):
            def __iter__(self) -> Iterator[Tensor]:
                return iter(points())

        member = extraction(mlp(), DataLoader(Stream(), batch_size=5))
        torch.testing.assert_close(member.embeddings, extraction(mlp(), [points()]).embeddings)

    @pytest.mark.parametrize(
        "options",
        [
            {"shuffle": True},
            {"shuffle": True, "batch_size": None},
            {"sampler": SubsetRandomSampler(range(4))},
            {"sampler": WeightedRandomSampler([0.5] * 12, 12)},
            {"batch_sampler": BatchSampler(RandomSampler(range(12)), 4, drop_last=False)},
        ],
        ids=["shuffled", "shuffled without batches", "subset", "weighted", "batch sampler"],
    )
    def test_an_order_that_is_drawn_in_every_pass_is_refused(
        self, extraction: Callable[..., Any], options: dict[str, Any]
    ) -> None:
        loader = DataLoader(TensorDataset(points()), **options)
        with pytest.raises(InputError, match=r"batches: .*a new order in every pass.*shuffle=False"):
            extraction(mlp(), loader)

    def test_a_generator_that_was_just_seeded_gives_every_model_one_order(self, extraction: Callable[..., Any]) -> None:
        def loader() -> DataLoader[Any]:
            drawn = torch.Generator().manual_seed(3)
            return DataLoader(TensorDataset(points()), batch_size=5, shuffle=True, generator=drawn)

        once = loader()
        first, second = extraction(mlp(), once), extraction(mlp(), loader())
        assert torch.equal(first.embeddings, second.embeddings)
        with pytest.raises(InputError, match="a new order in every pass"):
            extraction(mlp(), once)  # its generator has moved on
