"""Embeddings as they come, block by block: in memory, or in a file that a stopped run goes on with."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.errors import InputError
from closedist.extraction.batches import combined_digest
from closedist.extraction.input_digests import mixed
from closedist.extraction.positions import Positions, sequence_ids
from closedist.representations import Representations
from closedist.representations.names import stored_names
from closedist.system.files import parse_json, write_atomically
from closedist.system.locks import exclusive

HEADER_BYTES = 4096  # room at the start of the file for the safetensors header, which is known last
_CODES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


@dataclass(frozen=True)
class Block:
    """One batch's share of the embeddings.

    Attributes:
        batch: the digest of its inputs.
        rows: how many embeddings.
        lengths: the number of real tokens of every sequence; None where an input is not a sequence.
        digests: fingerprints of every row of the batch, an input or a sequence of them.
        checksum: of the embeddings' bytes.
    """

    batch: str
    rows: int
    lengths: list[int] | None
    digests: list[int]
    checksum: int


@dataclass(frozen=True)
class Rest:
    """All of a model's representations but the embeddings."""

    unembeddings: Tensor
    bias: Tensor | None
    label_names: NDArray[Any] | None
    positions: Positions
    groups: NDArray[Any] | None = None

    def groups_at(self, ids: NDArray[np.int64]) -> NDArray[Any] | None:
        """(N,) the groups of the inputs of these ids, where each input or sequence has one.

        Raises:
            InputError: there is not one for each.
        """
        if self.groups is None:
            return None
        numbers = ids if ids.ndim == 1 else ids[:, 0]
        count = int(numbers.max()) + 1
        if len(self.groups) != count:
            what = "inputs" if ids.ndim == 1 else "sequences"
            raise InputError(f"groups: {len(self.groups):,} for {count:,} {what}; give one for each")
        return np.asarray(self.groups[numbers])


def input_ids(blocks: list[Block], positions: Positions) -> NDArray[np.int64]:
    """(N,) numbers of the inputs, or (N, 2) numbers of sequence and position."""
    if any(block.lengths is None for block in blocks):
        return np.arange(sum(block.rows for block in blocks))
    return sequence_ids([length for block in blocks for length in block.lengths or []], positions)


def input_digests(blocks: list[Block], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) fingerprints of the inputs of these ids: of rows, or those of sequences mixed with positions."""
    rows = np.array([digest for block in blocks for digest in block.digests], np.int64)
    return rows if ids.ndim == 1 else mixed(rows[ids[:, 0]], ids[:, 1])


class MemoryBlocks:
    """Blocks that are kept in memory."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._embeddings: list[Tensor] = []

    def holds(self, batch: str) -> bool:
        """Whether the next block is there already: never."""
        return False

    def append(self, batch: str, embeddings: Tensor, lengths: list[int] | None, digests: list[int]) -> None:
        """Take the next block."""
        self._blocks.append(Block(batch, len(embeddings), lengths, digests, 0))
        self._embeddings.append(embeddings)

    def gathered(self, positions: Positions) -> tuple[Tensor, NDArray[np.int64], NDArray[np.int64]]:
        """All blocks as one matrix, the names of its rows, and fingerprints of these; the blocks are let go."""
        matrix = torch.cat(self._embeddings)
        self._embeddings.clear()
        ids = input_ids(self._blocks, positions)
        return matrix, ids, input_digests(self._blocks, ids)

    def finish(self, rest: Rest) -> Representations:
        """Everything together."""
        embeddings, ids, digests = self.gathered(rest.positions)
        told = {"input_digests": digests, "groups": rest.groups_at(ids)}
        return Representations(embeddings, rest.unembeddings, rest.bias, ids, rest.label_names, **told)


class FileBlocks:
    """Blocks that go to disk as they come, with a journal of which there are.

    ``NAME.partial`` grows into the safetensors file NAME: room for the header, then one embedding after the other. A
    line of ``NAME.journal`` is written after its block, so that a killed process loses no more than the block it was
    at; the checksum finds a block that a power failure damaged. When all are there, the other tensors and the header
    are filled in and the file is renamed.
    """

    def __init__(self, path: Path, key: dict[str, Any], dtype: torch.dtype, dimension: int) -> None:
        if dtype not in _CODES:
            raise InputError(f"dtype: {dtype} embeddings cannot be stored; pass dtype=torch.float32")
        self.path, self.key, self.dtype, self.dimension = path, key, dtype, dimension
        self.partial, self.journal = path.with_name(f"{path.name}.partial"), path.with_name(f"{path.name}.journal")
        self.blocks: list[Block] = []
        self._reached = 0  # blocks that this run has come to
        path.parent.mkdir(parents=True, exist_ok=True)
        known = self._read_journal()
        self._file: IO[bytes] = open(self.partial, "r+b" if known else "w+b")  # noqa: SIM115 — closed by file_blocks
        self._file.seek(HEADER_BYTES)
        for block in known:
            size = self._bytes_of(block.rows)
            data = self._file.read(size)
            if len(data) < size or zlib.crc32(data) != block.checksum:
                break
            self.blocks.append(block)
        self._cut(len(self.blocks))

    def holds(self, batch: str) -> bool:
        """Whether the next block is there, of these very inputs; one of others is dropped with all that follow."""
        if self._reached == len(self.blocks):
            return False
        if self.blocks[self._reached].batch == batch:
            self._reached += 1
            return True
        self._cut(self._reached)
        return False

    def append(self, batch: str, embeddings: Tensor, lengths: list[int] | None, digests: list[int]) -> None:
        """Write the next block, then its line of the journal."""
        data = _bytes(embeddings)
        block = Block(batch, len(embeddings), lengths, digests, zlib.crc32(data))
        with _writing(self.path):
            self._file.write(data)
            self._file.flush()
            with open(self.journal, "ab") as journal:
                journal.write(_line(asdict(block)))
        self.blocks.append(block)
        self._reached += 1

    def finish(self, rest: Rest) -> Representations:
        """Fill in the rest, open the file and give it its name, so that under this is never what cannot be opened."""
        with _writing(self.path):
            self._cut(self._reached)  # fewer batches than an earlier run had
            rows = sum(block.rows for block in self.blocks)
            end = self._bytes_of(rows)
            record = json.dumps(self.key | {"inputs": combined_digest(block.batch for block in self.blocks)})
            header: dict[str, Any] = {
                "__metadata__": {"format": "closedist representations 1", "extraction": record},
                "embeddings": _entry(_CODES[self.dtype], (rows, self.dimension), 0, end),
            }
            ids = input_ids(self.blocks, rest.positions)
            for name, tensor in _tensors_after(end, rest, ids, input_digests(self.blocks, ids)):
                data = _bytes(tensor)
                header[name] = _entry(_CODES.get(tensor.dtype, "U8"), tuple(tensor.shape), end, end + len(data))
                self._file.write(data)
                end += len(data)
            text = json.dumps(header).encode()
            self._file.seek(0)
            self._file.write((HEADER_BYTES - 8).to_bytes(8, "little") + text.ljust(HEADER_BYTES - 8))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            made = Representations.load(self.partial)  # what is mapped stays so under the new name
            os.replace(self.partial, self.path)
            self.journal.unlink()
            return made

    def close(self) -> None:
        """Let go of the file; what is in it stays for the next run."""
        self._file.close()

    def _bytes_of(self, rows: int) -> int:
        return rows * self.dimension * self.dtype.itemsize

    def _cut(self, count: int) -> None:
        """Keep the first ``count`` blocks and go to their end."""
        del self.blocks[count:]
        end = HEADER_BYTES + self._bytes_of(sum(block.rows for block in self.blocks))
        with _writing(self.path):
            write_atomically(self.journal, b"".join(map(_line, [self.key, *map(asdict, self.blocks)])))
            self._file.truncate(end)
            self._file.seek(end)

    def _read_journal(self) -> list[Block]:
        """The blocks of an earlier run of the same model and settings; a last line that is not whole does not count."""
        if not (self.journal.is_file() and self.partial.is_file()):
            return []
        lines = self.journal.read_bytes().split(b"\n")[:-1]
        try:
            key, *blocks = [parse_json(line, str(self.journal)) for line in lines]
            return [Block(**block) for block in blocks] if key == self.key else []
        except (InputError, TypeError, ValueError):
            return []  # not a journal of ours: begin anew


@contextmanager
def file_blocks(
    path: Path, key: dict[str, Any], dtype: torch.dtype, dimension: int, on_wait: Callable[[], None]
) -> Iterator[FileBlocks]:
    """The blocks of one file, for one process at a time.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    with exclusive(path.with_name(f"{path.name}.lock"), on_wait):
        with _writing(path):
            blocks = FileBlocks(path, key, dtype, dimension)
        try:
            yield blocks
        finally:
            with _writing(path):
                blocks.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Name the file where writing it fails; what the user's own model and batches raise is left alone."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error


def _tensors_after(
    end: int, rest: Rest, ids: NDArray[np.int64], digests: NDArray[np.int64]
) -> list[tuple[str, Tensor]]:
    """What follows the embeddings, which end at byte ``end``: every tensor at a multiple of its item size, and no gaps.

    So wide items come first, and where they would not fit, a few bytes called "alignment" before them.
    """
    tensors = {
        "unembeddings": rest.unembeddings,
        "input_ids": stored_names(ids),
        "input_digests": torch.from_numpy(digests),
    }
    if rest.bias is not None:
        tensors["bias"] = rest.bias
    for name, names in (("label_names", rest.label_names), ("groups", rest.groups_at(ids))):
        if names is not None:
            tensors[name] = stored_names(names)
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())
    filler = [("alignment", torch.zeros(-end % 8, dtype=torch.uint8))] if end % 8 else []
    return filler + ordered


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _entry(code: str, shape: tuple[int, ...], start: int, end: int) -> dict[str, Any]:
    return {"dtype": code, "shape": list(shape), "data_offsets": [start, end]}
