"""The paper's result files: what is in them, written as the paper's code reads them, read with every value checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from closedist.measures.bounds import holding
from closedist.paper.results.archive import ResultsSource, open_results
from closedist.paper.results.columns import Floats, ResultTable
from closedist.paper.results.names import (
    DatedFiles,
    accuracies_file_name,
    dates,
    distances_file_name,
    loss_file_name,
    mcca_file_name,
    newest_date,
)
from closedist.system.files import write_json

if TYPE_CHECKING:  # so that reading results does not load torch
    from closedist.comparison import Comparison

Source = Path | str | ResultsSource

LARGEST_CLASS_COUNT = 1_000_000
SLACK = 1e-4  # what float32 may leave beyond the interval from 0 to 1
M_SVD_RANGE = (-SLACK, 1 + SLACK)

__all__ = [
    "AccuracyRow",
    "DatedFiles",
    "Distances",
    "LossRow",
    "MCCARow",
    "accuracies_file_name",
    "dates",
    "distances_file_name",
    "loss_file_name",
    "mcca_file_name",
    "newest_date",
    "read_accuracies",
    "read_distances",
    "read_losses",
    "read_mcca",
    "write_accuracies",
    "write_distances",
    "write_losses",
    "write_mcca",
]


# --- what is in the files ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Distances:
    """A distances file: one entry a pair of models, in the file's order.

    Attributes:
        model_seeds: the two seeds of each pair.
        kl: d_KL of the first from the second model, in nats.
        llv: d_LLV as the file's setting defines it ("distance" in the file).
        label_term: t1.
        input_term: t2.
        m_svd_embeddings: for each pair, m_SVD of every label subset in lexicographic order.
        m_svd_unembeddings: for each pair, m_SVD of the unembeddings.
        subset_size: K, the inputs besides the pivot in an input set; the paper's M.
        certificate: ours, an upper bound of d_{f,g}; None in files of the paper's code, and so for the following.
        quadratic_bound: ours, 2·max(t1, t2)².
        bound: the paper's, 2·K·d_LLV, as it was measured.
        kl_reverse: d_KL of the second from the first model, in nats.
        mean_cca_embeddings: m_CCA of the embeddings.
        exact_dissimilarity: d_{f,g} to full relative accuracy, where 1 − m_SVD would round.
        drawn_sets: how many input sets were drawn and by which seed; None where the file does not say.
    """

    model_seeds: tuple[tuple[int, int], ...]
    kl: Floats
    llv: Floats
    label_term: Floats
    input_term: Floats
    m_svd_embeddings: tuple[Floats, ...]
    m_svd_unembeddings: Floats
    subset_size: int
    certificate: Floats | None = None
    quadratic_bound: Floats | None = None
    bound: Floats | None = None
    kl_reverse: Floats | None = None
    mean_cca_embeddings: Floats | None = None
    exact_dissimilarity: Floats | None = None
    drawn_sets: tuple[int, int] | None = None

    @classmethod
    def of(cls, model_seeds: Sequence[tuple[int, int]], comparisons: Sequence["Comparison"]) -> "Distances":
        """The table of comparisons just made, one a pair of seeds; there must be at least one."""

        def column(values: Callable[["Comparison"], Any]) -> Floats:
            return np.array([_plain(values(comparison)) for comparison in comparisons], dtype=np.float64)

        def optional(values: Callable[["Comparison"], Any]) -> Floats | None:
            return None if any(values(comparison) is None for comparison in comparisons) else column(values)

        return cls(
            model_seeds=tuple(model_seeds),
            kl=column(lambda c: c.kl),
            llv=column(lambda c: c.llv),
            label_term=column(lambda c: c.label_term),
            input_term=column(lambda c: c.input_term),
            m_svd_embeddings=tuple(np.array(_plain(c.m_svd_embeddings), dtype=np.float64) for c in comparisons),
            m_svd_unembeddings=column(lambda c: c.m_svd_unembeddings),
            subset_size=comparisons[0].subset_size,
            certificate=optional(lambda c: c.certificate),
            quadratic_bound=optional(lambda c: c.quadratic_bound),
            bound=optional(lambda c: c.bound),
            kl_reverse=column(lambda c: c.kl_reverse),
            mean_cca_embeddings=column(lambda c: c.mean_cca_embeddings),
            exact_dissimilarity=column(lambda c: c.dissimilarity),
        )

    def __len__(self) -> int:
        return len(self.model_seeds)

    @property
    def d_svd_embeddings(self) -> Floats:
        """(pairs,) the largest d_SVD of the embeddings over all label subsets."""
        return np.array([1 - m_svd.min() for m_svd in self.m_svd_embeddings])

    @property
    def d_svd_unembeddings(self) -> Floats:
        """(pairs,) d_SVD of the unembeddings."""
        return 1 - self.m_svd_unembeddings

    @property
    def dissimilarity(self) -> Floats:
        """(pairs,) d_{f,g}, the largest d_SVD of embeddings and unembeddings."""
        if self.exact_dissimilarity is not None:
            return self.exact_dissimilarity
        return np.maximum(self.d_svd_embeddings, self.d_svd_unembeddings)

    def bounds_holding(self) -> dict[str, NDArray[np.bool_]]:
        """For which pairs each bound that is there holds."""
        return holding(self.dissimilarity, self.certificate, self.quadratic_bound, self.bound)

    def select(self, keep: NDArray[np.bool_]) -> "Distances":
        """The pairs for which ``keep``, (pairs,) booleans, is true."""
        chosen = np.flatnonzero(keep)

        def part(column: Floats | None) -> Floats | None:
            return None if column is None else column[chosen]

        return replace(
            self,
            model_seeds=tuple(self.model_seeds[i] for i in chosen),
            kl=self.kl[chosen],
            llv=self.llv[chosen],
            label_term=self.label_term[chosen],
            input_term=self.input_term[chosen],
            m_svd_embeddings=tuple(self.m_svd_embeddings[i] for i in chosen),
            m_svd_unembeddings=self.m_svd_unembeddings[chosen],
            certificate=part(self.certificate),
            quadratic_bound=part(self.quadratic_bound),
            bound=part(self.bound),
            kl_reverse=part(self.kl_reverse),
            mean_cca_embeddings=part(self.mean_cca_embeddings),
            exact_dissimilarity=part(self.exact_dissimilarity),
        )


@dataclass(frozen=True)
class AccuracyRow:
    """One model's accuracy: its seed, the lengths its g and f were fixed to (0: free), labels, dimension, accuracy."""

    seed: int
    fix_g: float
    fix_f: float
    num_classes: int
    fd: int
    accuracy: float


@dataclass(frozen=True)
class MCCARow:
    """The mean canonical correlations of one pair of models, for embeddings (f) and unembeddings (g) on both splits.

    ``models`` is the models' name without their seeds; "" in files of the paper's code.
    """

    model_seeds: tuple[int, int]
    train_f_mcca: float
    train_g_mcca: float
    test_f_mcca: float
    test_g_mcca: float
    models: str = ""


@dataclass(frozen=True)
class LossRow:
    """One model's final losses in nats an input, and its name without the seed; "" in files of the paper's code."""

    model_seed: int
    train_loss: float
    test_loss: float
    models: str = ""


# --- writing -------------------------------------------------------------------------------------------------------


def write_distances(path: Path, model_seeds: Sequence[tuple[int, int]], comparisons: Sequence["Comparison"]) -> None:
    """Write a distances file: the paper's keys, then ours, each a list with one entry a pair."""

    def column(values: Callable[["Comparison"], Any]) -> list[Any]:
        return [_plain(values(comparison)) for comparison in comparisons]

    write_json(
        path,
        {
            "model_seeds": [f"{first}vs{second}" for first, second in model_seeds],
            "KL_div": column(lambda c: c.kl),
            "distance": column(lambda c: c.llv),
            "t_1": column(lambda c: c.label_term),
            "t_2": column(lambda c: c.input_term),
            "m_SVDs_f": column(lambda c: c.m_svd_embeddings),
            "m_SVDs_g": column(lambda c: [c.m_svd_unembeddings]),
            "input_idxs": column(lambda c: c.input_set),
            "y_pivot_idx": column(lambda c: c.pivot_label),
            "lo_idx": column(lambda c: c.left_out_label),
            "KL_div_reverse": column(lambda c: c.kl_reverse),
            "t_3": column(lambda c: c.label_scale_term),
            "t_4": column(lambda c: c.input_scale_term),
            "m_CCA_f": column(lambda c: c.mean_cca_embeddings),
            "m_CCA_g": column(lambda c: c.mean_cca_unembeddings),
            "CKA_f": column(lambda c: c.cka_embeddings),
            "d_fg": column(lambda c: c.dissimilarity),
            "certificate": column(lambda c: c.certificate),
            "bound": column(lambda c: c.bound),
            "quadratic_bound": column(lambda c: c.quadratic_bound),
            "num_samples": column(lambda c: c.num_samples),
            "sample_seed": column(lambda c: c.seed),
        },
    )


def write_accuracies(path: Path, rows: Sequence[AccuracyRow]) -> None:
    """Write an accuracies file, one entry a model."""
    write_json(
        path,
        {
            "model_seed": [row.seed for row in rows],
            "fix_g": [row.fix_g for row in rows],
            "fix_f": [row.fix_f for row in rows],
            "num_classes": [row.num_classes for row in rows],
            "fd": [row.fd for row in rows],
            "accuracy": [row.accuracy for row in rows],
        },
    )


def write_mcca(path: Path, rows: Sequence[MCCARow]) -> None:
    """Write an mCCA file, one entry a pair of models."""
    keys = ("train_f_mcca", "train_g_mcca", "test_f_mcca", "test_g_mcca")
    seeds = ["{}vs{}".format(*row.model_seeds) for row in rows]
    columns = {key: [getattr(row, key) for row in rows] for key in keys}
    write_json(path, {"model_seeds": seeds} | columns | _models(rows))


def write_losses(path: Path, rows: Sequence[LossRow]) -> None:
    """Write a losses file, one entry a model."""
    keys = ("model_seed", "train_loss", "test_loss")
    write_json(path, {key: [getattr(row, key) for row in rows] for key in keys} | _models(rows))


def _models(rows: Sequence[MCCARow] | Sequence[LossRow]) -> dict[str, list[str]]:
    """A column of ours, where the rows have it."""
    return {"models": [row.models for row in rows]} if all(row.models for row in rows) else {}


def _plain(value: Any) -> Any:
    """NumPy and torch values as the plain numbers and lists that JSON knows."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


# --- reading -------------------------------------------------------------------------------------------------------


def read_distances(source: Source, name: str) -> Distances:
    """Read a distances file of ours or of the paper's code.

    Args:
        source: a results folder, a ``results.zip``, or either as :func:`open_results` gives it.
        name: the file's name, without folders.

    Raises:
        InputError: the file is missing, or not what a distances file is; the message names the key and the entry.
    """
    keys = ("model_seeds", "KL_div", "distance", "t_1", "t_2", "m_SVDs_f", "m_SVDs_g", "input_idxs")
    table = ResultTable(open_results(source), name, keys)
    return Distances(
        model_seeds=table.seed_pairs("model_seeds"),
        kl=table.floats("KL_div"),
        llv=table.floats("distance", minimum=0),
        label_term=table.floats("t_1", minimum=0),
        input_term=table.floats("t_2", minimum=0),
        m_svd_embeddings=table.float_lists("m_SVDs_f", *M_SVD_RANGE),
        m_svd_unembeddings=np.array([values.min() for values in table.float_lists("m_SVDs_g", *M_SVD_RANGE)]),
        subset_size=table.entries_per_list("input_idxs") - 1,
        certificate=table.optional_floats("certificate"),
        quadratic_bound=table.optional_floats("quadratic_bound"),
        bound=table.optional_floats("bound"),
        kl_reverse=table.optional_floats("KL_div_reverse"),
        mean_cca_embeddings=table.optional_floats("m_CCA_f"),
        exact_dissimilarity=table.optional_floats("d_fg"),
        drawn_sets=_drawn_sets(table),
    )


def _drawn_sets(table: ResultTable) -> tuple[int, int] | None:
    columns = [table.optional_floats(key) for key in ("num_samples", "sample_seed")]
    counts, seeds = ([] if column is None else sorted(set(column.tolist())) for column in columns)
    return (int(counts[0]), int(seeds[0])) if len(counts) == len(seeds) == 1 else None


def read_accuracies(source: Source, name: str) -> list[AccuracyRow]:
    """Read an accuracies file; arguments and errors as for :func:`read_distances`."""
    table = ResultTable(open_results(source), name, ("model_seed", "fix_g", "fix_f", "num_classes", "fd", "accuracy"))
    columns = zip(
        table.integers("model_seed"),
        table.floats("fix_g", minimum=0).tolist(),
        table.floats("fix_f", minimum=0).tolist(),
        table.integers("num_classes", maximum=LARGEST_CLASS_COUNT),
        table.integers("fd", maximum=LARGEST_CLASS_COUNT),
        table.floats("accuracy", minimum=0, maximum=1).tolist(),
        strict=True,
    )
    return [AccuracyRow(*row) for row in columns]


def read_mcca(source: Source, name: str) -> list[MCCARow]:
    """Read an mCCA file; arguments and errors as for :func:`read_distances`."""
    keys = ("train_f_mcca", "train_g_mcca", "test_f_mcca", "test_g_mcca")
    table = ResultTable(open_results(source), name, ("model_seeds", *keys))
    columns: list[list[Any]] = [table.floats(key, -SLACK, 1 + SLACK).tolist() for key in keys]
    columns.append(table.texts("models"))
    return [MCCARow(*row) for row in zip(table.seed_pairs("model_seeds"), *columns, strict=True)]


def read_losses(source: Source, name: str) -> list[LossRow]:
    """Read a losses file; arguments and errors as for :func:`read_distances`."""
    table = ResultTable(open_results(source), name, ("model_seed", "train_loss", "test_loss"))
    losses = (table.floats("train_loss").tolist(), table.floats("test_loss").tolist())
    return [LossRow(*row) for row in zip(table.integers("model_seed"), *losses, table.texts("models"), strict=True)]
