"""The paper's result files: what is in them, written as the paper's code reads them, read with every value checked."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from closedist.comparison import COLUMNS, Column, Comparison
from closedist.measures.bounds import holding
from closedist.paper.results.reading import (
    SLACK,
    Correlation,
    Count,
    Length,
    Seed,
    SeedPair,
    Share,
    Source,
    Text,
    file_model,
    list_of,
    read_columns,
)
from closedist.system.files import write_json

Floats = NDArray[np.float64]


# --- distances -----------------------------------------------------------------------------------------------------

# what the paper's code writes of a pair, in its order; ours follow in the order of COLUMNS
PAPERS = ("kl", "llv", "label_term", "input_term", "m_svd_embeddings", "m_svd_unembeddings", "input_set")
PAPERS_LABELS = ("pivot_label", "left_out_label")  # no figure needs them


@dataclass(frozen=True)
class Distances:
    """A table of comparisons: one entry a pair of models, in the file's order.

    Attributes:
        model_seeds: the two seeds of each pair.
        columns: (pairs,) each, by names of COLUMNS: what a file of distances has one number of for every pair, and
            ``subset_size``, ``dissimilarity`` and its two sides, which follow from that.
    """

    model_seeds: tuple[tuple[int, int], ...]
    columns: Mapping[str, Floats]

    @classmethod
    def of(cls, model_seeds: Sequence[tuple[int, int]], comparisons: Sequence[Comparison]) -> "Distances":
        """The table of comparisons just made, one a pair of seeds, as their file would give it."""
        return _table(_content(model_seeds, comparisons))

    def __len__(self) -> int:
        return len(self.model_seeds)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]

    @property
    def subset_size(self) -> int:
        """K, the inputs besides the pivot in an input set; the paper's M."""
        return int(self["subset_size"][0])

    @property
    def drawn_sets(self) -> tuple[int, int] | None:
        """How many input sets were drawn and by which seed; None where the file does not say."""
        counts, seeds = (set(self[name].tolist()) if name in self else set() for name in ("num_samples", "seed"))
        return (int(counts.pop()), int(seeds.pop())) if len(counts) == len(seeds) == 1 else None

    def bounds_holding(self) -> dict[str, NDArray[np.bool_]]:
        """For which pairs each bound that is there holds."""
        names = ("unsigned_certificate", "certificate", "quadratic_bound", "bound")
        bounds = (self.columns.get(name) for name in names)
        return holding(self["dissimilarity"], *bounds)

    def select(self, keep: NDArray[np.bool_]) -> "Distances":
        """The pairs for which ``keep``, (pairs,) booleans, is true."""
        seeds = tuple(pair for pair, kept in zip(self.model_seeds, keep, strict=True) if kept)
        return Distances(seeds, {name: values[keep] for name, values in self.columns.items()})


def write_distances(path: Path, model_seeds: Sequence[tuple[int, int]], comparisons: Sequence[Comparison]) -> None:
    """Write a distances file: the paper's keys, then ours, each a list with one entry a pair."""
    _write(path, _content(model_seeds, comparisons))


def read_distances(source: Source, name: str) -> Distances:
    """Read a distances file of ours or of the paper's code.

    Args:
        source: a results folder, a ``results.zip``, or either as ``open_results`` gives it.
        name: the file's name, without folders.

    Raises:
        InputError: the file is missing, or not what a distances file is; the message names the key and the entry.
    """
    return _table(read_columns(source, name, _distances_model()))


def _keys() -> dict[str, str]:
    """The keys of a file by the names of their columns, in the file's order."""
    ours = {column.name: column.key for column in COLUMNS if column.key}
    return {name: ours[name] for name in (*PAPERS, *PAPERS_LABELS)} | ours


@cache
def _distances_model() -> type[BaseModel]:
    columns = {"model_seeds": list_of(SeedPair)} | {column.key: _entries(column) for column in COLUMNS if column.key}
    keys = _keys()
    return file_model(columns, {"model_seeds", *(keys[name] for name in PAPERS)})


def _entries(column: Column) -> Any:
    """What is under a column's key."""
    entry: Any = Annotated[float, Field(ge=column.low - SLACK, le=column.high + SLACK)]
    if column.several or column.name == "m_svd_unembeddings":
        entry = Annotated[list_of(entry), BeforeValidator(_in_list), Field(min_length=1)]
    entries = list_of(entry if column.name in PAPERS else entry | None)
    return Annotated[entries, AfterValidator(_of_one_length)] if column.name == "input_set" else entries


def _in_list(entry: Any) -> Any:
    return entry if isinstance(entry, list) else [entry]


def _of_one_length(input_sets: list[list[float]]) -> list[list[float]]:
    lengths = {len(inputs) for inputs in input_sets}
    if len(lengths) > 1 or lengths == {1}:
        raise PydanticCustomError("lengths", "its entries are not lists of one length, a pivot input and others")
    return input_sets


def _content(model_seeds: Sequence[tuple[int, int]], comparisons: Sequence[Comparison]) -> dict[str, list[Any]]:
    """What a file of distances holds, by key."""
    columns = {key: [getattr(comparison, name) for comparison in comparisons] for name, key in _keys().items()}
    as_lists = {"m_SVDs_g": [[m_svd] for m_svd in columns["m_SVDs_g"]]}  # the paper's code has a list of one
    return {"model_seeds": list(model_seeds)} | columns | as_lists


def _table(content: Mapping[str, Sequence[Any]]) -> Distances:
    """What is drawn, from what a file holds."""
    entries = {name: content[key] for name, key in _keys().items() if key in content and None not in content[key]}
    numbers = {name: values for name, values in entries.items() if not isinstance(values[0], list | tuple)}
    columns = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    sides = ("embeddings", "unembeddings")
    columns |= {
        f"dissimilarity_{side}": 1 - np.array([min(m_svd) for m_svd in entries[f"m_svd_{side}"]]) for side in sides
    }
    columns["subset_size"] = np.array([len(inputs) - 1.0 for inputs in entries["input_set"]])
    larger = np.maximum(*(columns[f"dissimilarity_{side}"] for side in sides))
    return Distances(tuple(content["model_seeds"]), {"dissimilarity": larger} | columns)


# --- accuracies, correlations and losses ---------------------------------------------------------------------------


@dataclass(frozen=True)
class AccuracyRow:
    """One model's accuracy: its seed, the lengths its g and f were fixed to (0: free), labels, dimension, accuracy."""

    model_seed: Seed
    fix_g: Length
    fix_f: Length
    num_classes: Count
    fd: Count
    accuracy: Share


@dataclass(frozen=True)
class MCCARow:
    """The mean canonical correlations of one pair of models, for embeddings (f) and unembeddings (g) on both splits.

    ``models`` is the models' name without their seeds; "" in files of the paper's code.
    """

    model_seeds: SeedPair
    train_f_mcca: Correlation
    train_g_mcca: Correlation
    test_f_mcca: Correlation
    test_g_mcca: Correlation
    models: Text = ""


@dataclass(frozen=True)
class LossRow:
    """One model's final losses in nats an input, and its name without the seed; "" in files of the paper's code."""

    model_seed: Seed
    train_loss: float
    test_loss: float
    models: Text = ""


Row = TypeVar("Row", AccuracyRow, MCCARow, LossRow)


def write_accuracies(path: Path, rows: Sequence[AccuracyRow]) -> None:
    """Write an accuracies file, one entry a model."""
    _write_rows(path, rows)


def write_mcca(path: Path, rows: Sequence[MCCARow]) -> None:
    """Write an mCCA file, one entry a pair of models."""
    _write_rows(path, rows)


def write_losses(path: Path, rows: Sequence[LossRow]) -> None:
    """Write a losses file, one entry a model."""
    _write_rows(path, rows)


def read_accuracies(source: Source, name: str) -> list[AccuracyRow]:
    """Read an accuracies file; arguments and errors as for :func:`read_distances`."""
    return _read_rows(source, name, AccuracyRow)


def read_mcca(source: Source, name: str) -> list[MCCARow]:
    """Read an mCCA file; arguments and errors as for :func:`read_distances`."""
    return _read_rows(source, name, MCCARow)


def read_losses(source: Source, name: str) -> list[LossRow]:
    """Read a losses file; arguments and errors as for :func:`read_distances`."""
    return _read_rows(source, name, LossRow)


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(rows[0])}
    _write(path, {key: values for key, values in columns.items() if "" not in values})


def _read_rows(source: Source, name: str, kind: type[Row]) -> list[Row]:
    columns = read_columns(source, name, MODELS[kind])
    return [kind(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _rows_model(kind: type[AccuracyRow | MCCARow | LossRow]) -> type[BaseModel]:
    columns = {key: list_of(entry) for key, entry in get_type_hints(kind, include_extras=True).items()}
    return file_model(columns, {field.name for field in fields(kind) if field.default is MISSING})


MODELS = {kind: _rows_model(kind) for kind in (AccuracyRow, MCCARow, LossRow)}


def _write(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    seeds = ["{}vs{}".format(*pair) for pair in columns.get("model_seeds", ())]
    write_json(path, {key: seeds if key == "model_seeds" else values for key, values in columns.items()})
