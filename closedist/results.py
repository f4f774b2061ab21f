"""The paper's result files: their names, what is in them, and how to find them by date (DESIGN's formats)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from closedist.archive import ResultsSource, open_results
from closedist.errors import InputError
from closedist.files import write_json

if TYPE_CHECKING:  # so that reading results does not load torch
    from closedist.compare import Comparison

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Source = Path | str | ResultsSource

SMALL_MLP = "SmallMLP"
RESNET = "ResNetCIFAR10"
RESNET_STEPS = 20_000
DISTANCES_PART = "_model_distances_"
ACCURACIES_PART = "_model_acc_"


# --- names ---------------------------------------------------------------------------------------------------------


def distances_file_name(
    *,
    date: str,
    split: str,
    reduction: str,
    combine: str,
    weight: float,
    model_type: str,
    fix_length_g: float,
    fix_length_f: float,
    width: int,
    num_classes: int,
    rep_dim: int,
    train_steps: int,
    extra_suffix: str = "",
) -> str:
    """The name of the file with the distances between all pairs of seeds of one configuration.

    Args:
        split: "train" or "test".
        reduction: "max" or "mean", the commands' dist-type.
        combine: "max" or "sum", the commands' sum-or-max; "sum" leaves no trace in the name.
        weight: λ, written as Python prints the float.
        fix_length_g: the length the unembeddings were fixed to, 0 where free; ``fix_length_f`` the embeddings'.
    """
    method = f"{_split(split)}_{reduction}{'' if combine == 'sum' else combine}_w{_number(float(weight))}"
    lengths = "".join(f"_{name}_{_number(r)}" for name, r in (("g", fix_length_g), ("f", fix_length_f)) if r > 0)
    tail = _configuration_tail(model_type, width, num_classes, rep_dim, train_steps)
    return f"{date}{DISTANCES_PART}{method}_{model_type}{lengths}_{tail}{extra_suffix}.json"


def accuracies_file_name(
    *,
    date: str,
    split: str,
    model_type: str,
    fix_length_g: float = 0,
    fix_length_f: float = 0,
    width: int,
    num_classes: int,
    rep_dim: int,
    train_steps: int,
    extra_suffix: str = "",
) -> str:
    """The name of the file with every model's accuracy; all length settings of a width share one file.

    Args:
        split: "train" or "test".
        fix_length_g: accepted for symmetry with :func:`distances_file_name`; not part of the name, nor is the other.
    """
    tail = _configuration_tail(model_type, width, num_classes, rep_dim, train_steps)
    return f"{date}{ACCURACIES_PART}{_split(split)}_{model_type}_{tail}{extra_suffix}.json"


def mcca_file_name(*, rep_dim: int, model_type: str = RESNET, train_steps: int = RESNET_STEPS) -> str:
    """The name of the file with the canonical correlations of every pair of CIFAR-10 models."""
    return f"mcca_cifar_fd{rep_dim}{_cifar_tail(model_type, train_steps)}.json"


def loss_file_name(*, rep_dim: int, model_type: str = RESNET, train_steps: int = RESNET_STEPS) -> str:
    """The name of the file with the final losses of the CIFAR-10 models."""
    return f"loss_cifar_fd{rep_dim}{_cifar_tail(model_type, train_steps)}.json"


def _configuration_tail(model_type: str, width: int, num_classes: int, rep_dim: int, train_steps: int) -> str:
    return f"{width}_cls{num_classes}" if model_type == SMALL_MLP else f"{width}_fd{rep_dim}_{train_steps}"


def _cifar_tail(model_type: str, train_steps: int) -> str:
    return "" if (model_type, train_steps) == (RESNET, RESNET_STEPS) else f"_{model_type}_{train_steps}"


def _split(split: str) -> str:
    if split not in ("train", "test"):
        raise InputError(f"split: {split!r} is neither 'train' nor 'test'")
    return split


def _number(value: float) -> str:
    """A number in a file name: 1e-05 → 1e-05, 1.0 → 1_0, 20 → 20."""
    return str(value).replace(".", "_")


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
        certificate: ours, an upper bound of d_{f,g}; None in files of the paper's code, and so for the following.
        quadratic_bound: ours, 2·max(t1, t2)².
        kl_reverse: d_KL of the second from the first model, in nats.
        mean_cca_embeddings: m_CCA of the embeddings.
    """

    model_seeds: tuple[tuple[int, int], ...]
    kl: Floats
    llv: Floats
    label_term: Floats
    input_term: Floats
    m_svd_embeddings: tuple[Floats, ...]
    m_svd_unembeddings: Floats
    certificate: Floats | None = None
    quadratic_bound: Floats | None = None
    kl_reverse: Floats | None = None
    mean_cca_embeddings: Floats | None = None

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
        return np.maximum(self.d_svd_embeddings, self.d_svd_unembeddings)

    def select(self, keep: NDArray[np.bool_]) -> "Distances":
        """The pairs for which ``keep``, (pairs,) booleans, is true."""
        chosen = np.flatnonzero(keep)

        def part(column: Floats | None) -> Floats | None:
            return None if column is None else column[chosen]

        return Distances(
            model_seeds=tuple(self.model_seeds[i] for i in chosen),
            kl=self.kl[chosen],
            llv=self.llv[chosen],
            label_term=self.label_term[chosen],
            input_term=self.input_term[chosen],
            m_svd_embeddings=tuple(self.m_svd_embeddings[i] for i in chosen),
            m_svd_unembeddings=self.m_svd_unembeddings[chosen],
            certificate=part(self.certificate),
            quadratic_bound=part(self.quadratic_bound),
            kl_reverse=part(self.kl_reverse),
            mean_cca_embeddings=part(self.mean_cca_embeddings),
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
    """The mean canonical correlations of one pair of models, for embeddings (f) and unembeddings (g) on both splits."""

    model_seeds: tuple[int, int]
    train_f_mcca: float
    train_g_mcca: float
    test_f_mcca: float
    test_g_mcca: float


@dataclass(frozen=True)
class LossRow:
    """One model's final losses in nats an input."""

    model_seed: int
    train_loss: float
    test_loss: float


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
    write_json(path, {"model_seeds": seeds} | {key: [getattr(row, key) for row in rows] for key in keys})


def write_losses(path: Path, rows: Sequence[LossRow]) -> None:
    """Write a losses file, one entry a model."""
    keys = ("model_seed", "train_loss", "test_loss")
    write_json(path, {key: [getattr(row, key) for row in rows] for key in keys})


def _plain(value: Any) -> Any:
    """NumPy and torch values as the plain numbers and lists that JSON knows."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value
