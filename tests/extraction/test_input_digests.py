"""Two models that were given different inputs are not compared without a word; the same inputs in other batches are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import closedist
from closedist.errors import InputError

EXTRACTIONS: list[Callable[..., Any]] = [closedist.extract, closedist.extract_logits]


def network(seed: int, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 5)).to(dtype)


def images() -> Tensor:
    return torch.randn(40, 2, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("extraction", EXTRACTIONS)
class TestInputs:
    """Classifiers of images."""

    def test_flipped_images_are_refused_and_the_first_row_named(self, extraction: Callable[..., Any]) -> None:
        flipped = torch.cat([images()[:3], images()[3:].flip(-1)])
        p, q = extraction(network(0), images().split(7)), extraction(network(1), flipped.split(7))
        said = (
            r"inputs: row 3 of model q is another input than that of model p, as are 37 of all 40 rows; .*same_inputs"
        )
        for measure in (closedist.compare, closedist.kl_divergence, closedist.llv_distance):
            with pytest.raises(InputError, match=said):
                measure(p, q)

    def test_what_the_error_says_to_do_works(self, extraction: Callable[..., Any]) -> None:
        p, q = extraction(network(0), [images()]), extraction(network(1), [2 * images()])  # another normalisation
        forced = closedist.compare(p, q, same_inputs=True)
        names = [f"image {i}" for i in range(40)]
        own = [
            closedist.Representations.from_logits(one.embeddings, names)
            if one.black_box
            else closedist.Representations(one.embeddings, one.unembeddings, one.bias, names)
            for one in (p, q)
        ]
        assert closedist.compare(*own).llv == pytest.approx(forced.llv)
        closedist.kl_divergence(*own)

    def test_the_same_images_in_another_order_are_called_that(self, extraction: Callable[..., Any]) -> None:
        p, q = extraction(network(0), [images()]), extraction(network(1), [images().flip(0)])
        with pytest.raises(InputError, match=r"40 of all 40 rows \(the same inputs in another order\)"):
            closedist.compare(p, q)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
    def test_batches_names_and_precision_do_not_matter(
        self, extraction: Callable[..., Any], dtype: torch.dtype
    ) -> None:
        class Named(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = network(1, dtype)

            def forward(self, pixel_values: Tensor, flag: bool) -> Any:
                return self.net(pixel_values)

        p = extraction(network(0), images().split(7))
        q = extraction(Named(), [{"pixel_values": part.to(dtype), "flag": True} for part in images().split(9)])
        assert np.array_equal(p.input_digests, q.input_digests)
        assert len(set(p.input_digests.tolist())) == 40
        closedist.compare(p, q)

    def test_parts_and_files_keep_them(self, extraction: Callable[..., Any], tmp_path: Path) -> None:
        p = extraction(network(0), [images()])
        p.at(inputs=[3, 5, 4], labels=[0, 1, 2]).save(tmp_path / "p.safetensors")
        read = closedist.Representations.load(tmp_path / "p.safetensors").input_digests
        assert np.array_equal(read, p.input_digests[[3, 5, 4]])


def test_a_file_that_was_written_while_extracting_has_the_digests_of_memory(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stopping() -> Any:
        yield from images().split(7)[:3]
        raise Stopped

    path = tmp_path / "p.safetensors"
    with pytest.raises(Stopped):
        closedist.extract(network(0), stopping(), file=path)
    on_disk = closedist.extract(network(0), images().split(7), file=path)
    in_memory = closedist.extract(network(0), [images()])
    assert in_memory.input_digests is not None
    assert np.array_equal(on_disk.input_digests, in_memory.input_digests)


class Tagger(nn.Module):
    """A label for every token, which looks at the others only through their mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(30, 6), nn.Linear(6, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **others: Any) -> Tensor:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        words = self.words(input_ids) * mask[..., None]
        return self.head(words + words.sum(1, keepdim=True) / mask.sum(1)[:, None, None])  # type: ignore[no-any-return]


def texts(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(1, 30, (length,), generator=generator) for length in lengths]


def padded(sequences: list[Tensor], side: str, dtype: torch.dtype = torch.int64) -> dict[str, Tensor]:
    width = max(map(len, sequences)) + 1
    ids, mask = torch.zeros(2, len(sequences), width, dtype=dtype)
    for row, sequence in enumerate(sequences):
        where = slice(len(sequence)) if side == "right" else slice(width - len(sequence), width)
        ids[row, where], mask[row, where] = sequence.to(dtype), 1
    return {"input_ids": ids, "attention_mask": mask}


def test_padding_its_side_and_the_width_of_integers_do_not_matter() -> None:
    sequences = texts(5, 5, 7, 3)
    alone = closedist.extract(Tagger(), [{"input_ids": one[None]} for one in sequences])
    left = closedist.extract(Tagger(), [padded(sequences, "left")])
    extra = {"token_type_ids": torch.zeros(2, 6, dtype=torch.int64), "labels": torch.tensor([1, 0])}
    right = closedist.extract(
        Tagger(), [padded(sequences[:2], "right", torch.int32) | extra, padded(sequences[2:], "right")]
    )
    assert alone.input_digests is not None
    assert len(set(alone.input_digests.tolist())) == 20
    for other in (left, right):
        assert np.array_equal(alone.input_digests, other.input_digests)
        assert np.array_equal(alone.input_ids, other.input_ids)
    last = closedist.extract(Tagger(), [padded(sequences, "left")], positions="last")
    assert np.array_equal(last.input_digests, alone.input_digests[[4, 9, 16, 19]])


def test_another_token_changes_all_positions_of_its_sequence_and_no_other() -> None:
    sequences = texts(5, 5, 7, 3)
    p = closedist.extract(Tagger(), [padded(sequences, "right")])
    sequences[1][4] = sequences[1][4] % 29 + 1
    q = closedist.extract(Tagger(), [padded(sequences, "right")])
    assert p.input_digests is not None
    assert np.flatnonzero(p.input_digests != q.input_digests).tolist() == [5, 6, 7, 8, 9]


def test_rows_that_no_tensor_of_a_batch_has_are_told_by_the_whole_batch() -> None:
    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 5)

        def forward(self, points: Tensor) -> Tensor:
            return self.head(torch.cat([points, points.square()]))  # type: ignore[no-any-return]

    one = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    p, q = (closedist.extract(Pairs(), [points]) for points in (one, one + 1))
    assert p.input_digests is not None
    assert len(set(p.input_digests.tolist())) == 16
    with pytest.raises(InputError, match="row 0 of model q is another input"):
        closedist.compare(p, q)


@pytest.mark.parametrize("digests", [[1, 2], np.zeros(3, np.int32), np.zeros((2, 1), np.int64)])
def test_digests_are_one_int64_an_input(digests: Any) -> None:
    with pytest.raises(InputError, match=r"input_digests: .*one int64 for each of the 3 inputs"):
        closedist.Representations(np.eye(3), np.eye(3), input_digests=digests)
