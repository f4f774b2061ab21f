"""The record of a comparison of two models: a number is a field with its row of COLUMNS, and here only.

The printed tables, JSON, result files and the table in docs/measures.md are made from COLUMNS.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isinf
from typing import Annotated, Any, get_args, get_type_hints

from closedist.comparison.column import Column, distance, similarity
from closedist.errors import InputError
from closedist.measures.settings import Combine, Reduction

TWO_LABELS = "two labels have one log-odds: d_LLV, d_f,g and its bounds need three labels"
ONLY_LOGITS = (
    "of so many labels only the logits of a model are known: what needs unembeddings or embeddings is not given; "
    "extract these (closedist.extract) for it"
)
DISTRIBUTION, REPRESENTATION, BOUNDS = "close in distribution?", "close in representation?", "bounds on d_f,g"


def _how(c: "Comparison") -> str:
    terms = "t1, t2, λ·t3, λ·t4"
    return f"the {'largest' if c.combine == 'max' else 'sum'} of {terms}; terms by {c.reduction}"


def _labels(c: "Comparison") -> str:
    pivot, left_out = map(repr, c.label_names or (c.pivot_label, c.left_out_label))  # a token may be a space
    tried = "" if c.num_pivots == c.num_labels else f", of {c.num_pivots} pivots tried"
    ignored = f", {c.ignored_labels} constant labels ignored" if c.ignored_labels else ""
    infinite = ", infinite since log-odds vary in one model only" if c.label_term == inf else ""
    return f"pivot label {pivot}, left-out label {left_out}{tried}{ignored}{infinite}"


def _inputs(c: "Comparison") -> str:
    inputs = c.input_set or ()
    shown = ", ".join(map(str, inputs[:6]))
    return f"input set {shown}" if len(inputs) <= 6 else f"input set {shown}, … ({len(inputs)} inputs)"


def _subsets(c: "Comparison") -> str:
    if c.subsets_sampled:
        return f"at least (over {len(c.m_svd_embeddings):,} sampled label subsets), at most the certificate"
    plural = "s" if c.num_label_subsets > 1 else ""
    return f"the largest 1 − m_SVD of {c.num_label_subsets:,} label subset{plural} and the input set"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything closedist says of two models, p and q.

    Two labels have no label subsets, K = 0: d_LLV, d_{f,g}, the bounds, and what they are made of, are None. Where only
    the logits of a model are known, of more than 10,000 labels, what needs its unembeddings or embeddings is, too.
    """

    kl: Annotated[
        float,
        distance("KL divergence", "mean of KL(p‖q) over inputs", "KL_div", DISTRIBUTION, "nats", note="{p} to {q}"),
    ]
    kl_reverse: Annotated[
        float,
        distance(
            "KL divergence", "mean of KL(q‖p) over inputs", "KL_div_reverse", DISTRIBUTION, "nats", note="{q} to {p}"
        ),
    ]
    llv: Annotated[
        float | None, distance("d_LLV", "max(t1, t2, λ·t3, λ·t4), or their sum", "distance", DISTRIBUTION, note=_how)
    ] = None
    label_term: Annotated[
        float | None,
        distance("t1, over inputs", "largest or mean term of the labels", "t_1", DISTRIBUTION, note=_labels),
    ] = None
    input_term: Annotated[
        float | None, distance("t2, over labels", "largest term of the input set", "t_2", DISTRIBUTION, note=_inputs)
    ] = None
    label_scale_term: Annotated[
        float | None,
        distance(
            "t3, scales", "largest or mean scale term of the labels", "t_3", DISTRIBUTION, note="times {c.weight:g}"
        ),
    ] = None
    input_scale_term: Annotated[
        float | None, distance("t4, scales", "that of the input set", "t_4", DISTRIBUTION, note="times {c.weight:g}")
    ] = None
    pivot_label: Annotated[int | None, Column("pivot label", "k, which log-odds are taken against", "y_pivot_idx")] = (
        None
    )
    left_out_label: Annotated[
        int | None, Column("left-out label", "l: of all (k, l) those with the smallest t1", "lo_idx")
    ] = None
    label_names: Annotated[tuple[str, str] | None, Column("names", "those of k and l, where the models have names")] = (
        None
    )
    input_set: Annotated[
        tuple[int, ...] | None, Column("input set", "1 + K inputs, the pivot input first", "input_idxs")
    ] = None
    mean_cca_embeddings: Annotated[
        float | None, similarity("m_CCA", "mean canonical correlation", "m_CCA_f", REPRESENTATION, note="embeddings")
    ] = None
    mean_cca_unembeddings: Annotated[
        float | None,
        similarity(
            "m_CCA",
            "that of the unembeddings, which a black box has not",
            "m_CCA_g",
            REPRESENTATION,
            note="unembeddings",
        ),
    ] = None
    cka_embeddings: Annotated[
        float | None,
        similarity("linear CKA", "linear centred kernel alignment", "CKA_f", REPRESENTATION, note="embeddings"),
    ] = None
    m_svd_embeddings: Annotated[
        tuple[float, ...], similarity("m_SVD, embeddings", "one a label subset, in lexicographic order", "m_SVDs_f")
    ] = ()
    m_svd_unembeddings: Annotated[
        float | None, similarity("m_SVD, unembeddings", "that of the input set", "m_SVDs_g")
    ] = None
    dissimilarity_embeddings: Annotated[
        float | None, distance("d_SVD, embeddings", "largest 1 − m_SVD over label subsets, all digits of it", high=1)
    ] = None
    dissimilarity_unembeddings: Annotated[
        float | None, distance("d_SVD, unembeddings", "1 − m_SVD of the input set, likewise", high=1)
    ] = None
    dissimilarity: Annotated[
        float | None,
        distance(
            "d_f,g",
            "the larger d_SVD; where label subsets are a sample, d_{f,g} is at least that",
            "d_fg",
            REPRESENTATION,
            high=1,
            note=_subsets,
        ),
    ] = None
    certificate: Annotated[
        float | None,
        distance("certificate", "upper bound on d_{f,g}, from correlations of log-odds", "certificate", BOUNDS, high=2),
    ] = None
    bound: Annotated[
        float | None, distance("2K·d_LLV", "the paper's upper bound on d_{f,g}; none for means", "bound", BOUNDS)
    ] = None
    quadratic_bound: Annotated[
        float | None,
        distance("2·max(t1, t2)²", "upper bound on the certificate; none for means", "quadratic_bound", BOUNDS),
    ] = None
    subset_size: Annotated[int, Column("K", "labels in a subset, and inputs besides the pivot in an input set")]
    weight: Annotated[float, Column("λ", "weight of the scale terms")]
    reduction: Annotated[Reduction, Column("reduction", "how terms become t1, t3 and t4: max or mean")]
    combine: Annotated[Combine, Column("combine", "how t1, t2, λ·t3 and λ·t4 become d_LLV: max or sum")]
    num_inputs: Annotated[int, Column("N", "inputs")]
    num_labels: Annotated[int, Column("C", "labels")]
    num_label_subsets: Annotated[
        int, Column("label subsets", "of size K; where m_svd_embeddings are fewer, they are a sample")
    ] = 0
    num_pivots: Annotated[int, Column("pivots", "labels that k was chosen from, C unless pivots said otherwise")] = 0
    ignored_labels: Annotated[int, Column("ignored labels", "whose log-odds against k vary in neither model")] = 0
    num_samples: Annotated[int | None, Column("input sets", "drawn; none where the set was given", "num_samples")] = (
        None
    )
    seed: Annotated[int, Column("seed", "of input sets and of sampled label subsets", "sample_seed")]
    names: Annotated[tuple[str, str], Column("models", "what p and q are called")] = field(
        default=("p", "q"), compare=False
    )

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


def _columns() -> tuple[Column, ...]:
    hints = get_type_hints(Comparison, include_extras=True)
    declared = {name: get_args(hint) for name, hint in hints.items()}
    return tuple(replace(column, name=name, type=kind) for name, (kind, column) in declared.items())


COLUMNS = _columns()
Comparison.__doc__ = "\n    ".join(
    [f"{Comparison.__doc__}\n", "Attributes:", *(f"    {column.name}: {column.meaning}" for column in COLUMNS)]
)


def values_of(comparisons: Sequence[Comparison], name: str) -> list[float]:
    """A number of several comparisons, each of which has it.

    Raises:
        InputError: one of them has none.
    """
    values = [getattr(comparison, name) for comparison in comparisons]
    if None in values:
        raise InputError(
            f"{name}: comparison {values.index(None)} has none (two labels, terms by mean, or only logits known)"
        )
    return values


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Every field and derived fact of a comparison as what JSON can hold: numbers, strings, lists, None.

    What is infinite, since some log-odds vary in one model only, is None, and ``infinite`` is true.
    """
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(comparison).items()}
    infinite = [name for name, value in values.items() if isinstance(value, float) and isinf(value)]
    derived = {"bound_informative": comparison.bound_informative, "subsets_sampled": comparison.subsets_sampled}
    return values | dict.fromkeys(infinite) | {"infinite": bool(infinite)} | derived


def pair_table(comparison: Comparison, names: Sequence[str] | None = None) -> str:
    """A readable table of one comparison.

    Args:
        comparison: of two models.
        names: what to call them; by default what the comparison calls them.
    """
    c, names = comparison, names or comparison.names
    size = f", K = {c.subset_size}" if c.subset_size else ""
    lines = [f"{names[0]} and {names[1]}: {c.num_inputs:,} inputs, {c.num_labels:,} labels{size}"]
    for group in dict.fromkeys(column.group for column in COLUMNS if column.group):
        rows = [column for column in COLUMNS if column.group == group and getattr(c, column.name) is not None]
        lines += ["", group] if rows else []
        for above, column in zip(["", *(row.title for row in rows)], rows, strict=False):
            title = "" if column.title == above else column.title
            value = written(getattr(c, column.name))
            lines.append(f"  {title:<20} {value:>10}   {_note(column, c, names)}".rstrip())
    return "\n".join([*lines, "", left_out(c)] if left_out(c) else lines)


def left_out(comparison: Comparison) -> str:
    """Why a comparison has not all numbers, or ""."""
    if comparison.llv is not None:
        return ""
    return TWO_LABELS if comparison.num_labels == 2 else ONLY_LOGITS


def _note(column: Column, c: Comparison, names: Sequence[str]) -> str:
    if column.group == BOUNDS and getattr(c, column.name) >= 1:
        return "says nothing above 1"
    note = column.note.format(p=names[0], q=names[1], c=c) if isinstance(column.note, str) else column.note(c)
    return ", ".join(filter(None, (column.unit, note)))


def written(value: float) -> str:
    """A number for a person."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3e}"
