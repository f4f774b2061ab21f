"""The record of a comparison of two models, and how it reads: as a table for a person, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import inf, isinf
from typing import Any

from closedist.errors import InputError
from closedist.measures.settings import Combine, Reduction

TWO_LABELS = "two labels have one log-odds: d_LLV, d_f,g and its bounds need three labels"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything closedist says of two models. Distances are dimensionless, divergences in nats.

    Two labels have no label subsets, K = 0: d_LLV, d_{f,g}, the bounds, and what they are made of, are None.

    Attributes:
        llv: d_LLV, the log-likelihood variance distance.
        label_term, input_term: t1 and t2.
        label_scale_term, input_scale_term: t3 and t4.
        pivot_label, left_out_label: the choice of labels with the smallest t1.
        input_set: the inputs of the smallest t2, the pivot input first.
        kl, kl_reverse: mean over inputs of KL(p‖q) and KL(q‖p).
        mean_cca_embeddings, mean_cca_unembeddings: mean canonical correlations; None for a black box's unembeddings.
        cka_embeddings: linear CKA.
        m_svd_embeddings: one per label subset, in lexicographic order.
        m_svd_unembeddings: of the input set.
        dissimilarity_embeddings, dissimilarity_unembeddings: d_SVD = 1 − m_SVD to full relative accuracy, the largest
            over label subsets and that of the input set.
        dissimilarity: d_{f,g}, the larger of the two.
        certificate: at least d_{f,g}, from the distributions alone.
        quadratic_bound: 2·max(t1, t2)², at least the certificate; None where terms are averaged.
        bound: the paper's, 2·K·d_LLV; None where terms are averaged.
        subset_size: K.
        weight, reduction, combine: λ and how terms became t1, t3, t4 and d_LLV.
        num_inputs, num_labels: N and C.
        num_label_subsets: how many label subsets of size K there are. Where m_svd_embeddings are fewer, they are a
            sample; ``dissimilarity`` is then the largest over the sample and the certificate's own subset, and d_{f,g}
            lies between it and ``certificate``.
        num_pivots: from how many pivot labels the choice was made; C unless ``pivots`` said otherwise.
        ignored_labels: how many labels were left out because their log-odds against the pivot vary in neither model.
        num_samples, seed: of the search for the input set; None where it was given.
        label_names: the names of the pivot and the left-out label, where the models have names.
    """

    llv: float | None = None
    label_term: float | None = None
    input_term: float | None = None
    label_scale_term: float | None = None
    input_scale_term: float | None = None
    pivot_label: int | None = None
    left_out_label: int | None = None
    input_set: tuple[int, ...] | None = None
    kl: float
    kl_reverse: float
    mean_cca_embeddings: float
    mean_cca_unembeddings: float | None
    cka_embeddings: float
    m_svd_embeddings: tuple[float, ...] = ()
    m_svd_unembeddings: float | None = None
    dissimilarity_embeddings: float | None = None
    dissimilarity_unembeddings: float | None = None
    dissimilarity: float | None = None
    certificate: float | None = None
    quadratic_bound: float | None = None
    bound: float | None = None
    subset_size: int
    weight: float
    reduction: Reduction
    combine: Combine
    num_inputs: int
    num_labels: int
    num_label_subsets: int = 0
    num_pivots: int = 0
    ignored_labels: int = 0
    num_samples: int | None = None
    seed: int
    label_names: tuple[str, str] | None = None

    @property
    def bound_informative(self) -> bool:
        """d_LLV < 1/(2K), so that the paper's bound says more than d_{f,g} ≤ 1."""
        return self.bound is not None and self.bound < 1

    @property
    def subsets_sampled(self) -> bool:
        """Not all label subsets were gone through: d_{f,g} lies between ``dissimilarity`` and ``certificate``."""
        return len(self.m_svd_embeddings) < self.num_label_subsets

    def __str__(self) -> str:
        """A table for a person."""
        return pair_table(self)


def values_of(comparisons: Sequence[Comparison], name: str) -> list[float]:
    """A number of several comparisons, each of which has it.

    Args:
        comparisons, name: whose field.

    Raises:
        InputError: one of them has none.
    """
    values = [getattr(comparison, name) for comparison in comparisons]
    if None in values:
        raise InputError(f"{name}: comparison {values.index(None)} has none (two labels, or terms by mean)")
    return values


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Every field and derived fact of a comparison as what JSON can hold: numbers, strings, lists, None.

    What is infinite, since some log-odds vary in one model only, is None, and ``infinite`` is true.
    """
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(comparison).items()}
    finite = {name: None if isinstance(value, float) and isinf(value) else value for name, value in fields.items()}
    return finite | {
        "infinite": comparison.llv == inf,
        "bound_informative": comparison.bound_informative,
        "subsets_sampled": comparison.subsets_sampled,
    }


def pair_table(comparison: Comparison, names: Sequence[str] = ("p", "q")) -> str:
    """A readable table of one comparison.

    Args:
        comparison: of two models.
        names: what to call them.
    """
    c = comparison
    pivot, left_out = map(repr, c.label_names or (c.pivot_label, c.left_out_label))  # a token may be a space
    groups = {
        "close in distribution?": [
            *_row("KL divergence", c.kl, f"nats, {names[0]} to {names[1]}"),
            *_row("", c.kl_reverse, f"nats, {names[1]} to {names[0]}"),
            *_row("d_LLV", c.llv, _how(c)),
            *_row("  t1, over inputs", c.label_term, f"pivot label {pivot}, left-out label {left_out}{_searched(c)}"),
            *_row("  t2, over labels", c.input_term, f"input set {_shortened(c.input_set or ())}"),
            *_row("  t3, t4, scales", c.label_scale_term, f"and {_number(c.input_scale_term)}, times {c.weight:g}"),
        ],
        "close in representation?": [
            *_row("d_f,g", c.dissimilarity, _subsets(c)),
            *_row("m_CCA", c.mean_cca_embeddings, "embeddings"),
            *_row("", c.mean_cca_unembeddings, "unembeddings"),
            *_row("linear CKA", c.cka_embeddings, "embeddings"),
        ],
        "bounds on d_f,g": [
            *_bound("certificate", c.certificate),
            *_bound("2·max(t1, t2)²", c.quadratic_bound),
            *_bound(f"2K·d_LLV, K = {c.subset_size}", c.bound),
        ],
    }
    size = f", K = {c.subset_size}" if c.subset_size else ""
    lines = [f"{names[0]} and {names[1]}: {c.num_inputs:,} inputs, {c.num_labels:,} labels{size}"]
    for title, rows in groups.items():
        lines += ["", title, *rows] if rows else []
    if c.llv is None:
        lines += ["", TWO_LABELS]
    return "\n".join(line.rstrip() for line in lines)


def matrix_table(comparisons: Sequence[Comparison], names: Sequence[str]) -> str:
    """Readable matrices of all pairs: d_LLV, d_{f,g} and its bounds, KL (row to column), m_CCA and CKA.

    Args:
        comparisons: of all pairs, in ``itertools.combinations`` order.
        names: one a model.

    Raises:
        InputError: the numbers of comparisons and names do not fit.
    """
    pairs = list(combinations(range(len(names)), 2))
    if len(pairs) != len(comparisons):
        raise InputError(
            f"names: {len(names)} models have {len(pairs)} pairs, but there are {len(comparisons)} comparisons"
        )
    by_pair = dict(zip(pairs, comparisons, strict=True))
    numbers = [str(index) for index in range(len(names))]
    llv = ("d_LLV (upper right) and the bound 2·max(t1, t2)² on d_f,g (lower left)", "llv", "quadratic_bound", "0")
    if any(c.quadratic_bound is None for c in comparisons):
        llv = ("d_LLV", "llv", "llv", "0")
    blocks = ["\n".join(f"{number}  {name}" for number, name in zip(numbers, names, strict=True))]
    for title, upper, lower, diagonal in (
        llv,
        ("d_f,g (upper right) and its certificate (lower left)", "dissimilarity", "certificate", "0"),
        ("KL divergence in nats, row to column", "kl", "kl_reverse", "0"),
        (
            "m_CCA of the embeddings (upper right) and linear CKA (lower left)",
            "mean_cca_embeddings",
            "cka_embeddings",
            "1",
        ),
    ):
        if any(getattr(c, upper) is None for c in comparisons):
            continue
        rows = [["", *numbers]]
        for i, number in enumerate(numbers):
            cells = [
                diagonal if i == j else _number(getattr(by_pair[min(i, j), max(i, j)], upper if i < j else lower))
                for j in range(len(names))
            ]
            rows.append([number, *cells])
        blocks.append(f"{title}\n{_aligned(rows)}")
    if any(c.llv is None for c in comparisons):
        blocks.append(TWO_LABELS)
    return "\n\n".join(blocks)


def _row(what: str, value: float | None, note: str) -> list[str]:
    return [] if value is None else [f"  {what:<20} {_number(value):>10}   {note}"]


def _bound(what: str, value: float | None) -> list[str]:
    return _row(what, value, "" if value is None or value < 1 else "says nothing above 1")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3e}"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _shortened(indices: Sequence[int]) -> str:
    shown = ", ".join(map(str, indices[:6]))
    return shown if len(indices) <= 6 else f"{shown}, … ({len(indices)} inputs)"


def _how(c: Comparison) -> str:
    terms = "t1, t2, λ·t3, λ·t4"
    return f"the {'largest' if c.combine == 'max' else 'sum'} of {terms}; terms by {c.reduction}"


def _searched(c: Comparison) -> str:
    tried = "" if c.num_pivots == c.num_labels else f", of {c.num_pivots} pivots tried"
    ignored = f", {c.ignored_labels} constant labels ignored" if c.ignored_labels else ""
    infinite = ", infinite since log-odds vary in one model only" if c.label_term == inf else ""
    return tried + ignored + infinite


def _subsets(c: Comparison) -> str:
    if c.subsets_sampled:
        return f"at least (over {len(c.m_svd_embeddings):,} sampled label subsets), at most the certificate"
    plural = "s" if c.num_label_subsets > 1 else ""
    return f"the largest 1 − m_SVD of {c.num_label_subsets:,} label subset{plural} and the input set"
