"""The record of a comparison of two models: a number is a field with its row of COLUMNS, and here only.

The printed tables, JSON, result files and the table in docs/measures.md are made from COLUMNS.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, log
from typing import Annotated, Any, get_args, get_type_hints

from closedist.certainty.interval import Interval
from closedist.certainty.verdict import TOLERANCE, Verdict, verdict_of
from closedist.comparison.column import Column, distance, similarity
from closedist.errors import InputError
from closedist.measures.settings import Combine, InputSearch, Reduction

TWO_LABELS = "two labels have one log-odds: d_LLV, d_f,g and its bounds need three labels"
ONLY_LOGITS = (
    "of so many labels only the logits of a model are known: what needs unembeddings or embeddings is not given; "
    "extract these (closedist.extract) for it"
)
PREDICTIONS, ROTATION, REPRESENTATION = "same predictions?", "same up to rotation?", "same representations?"
MOST_SUBSETS = 2**63 - 1  # that are counted: what data frames and JSON hold
DETAILS = "details"  # of a pair's table, where they are asked for


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything closedist says of two models, p and q.

    Two labels have no label subsets, K = 0: d_LLV, d_{f,g}, the bounds, and what they are made of, are None. Where only
    the logits of a model are known, of more than 10,000 labels, what needs its unembeddings or embeddings is, too.
    """

    logit_correlation: Annotated[
        float | None,
        similarity(
            "logit correlation",
            "of all double log-odds: sees signs and labels, no temperature, and nothing is chosen",
            "logit_correlation",
            PREDICTIONS,
            low=-1,
        ),
    ] = None
    same_top_label: Annotated[
        float,
        similarity("same top label", "share of the inputs that get the same label from both", "same_top", PREDICTIONS),
    ]
    kl: Annotated[
        float,
        distance("KL divergence", "mean of KL(p‖q) over inputs", "KL_div", PREDICTIONS, "nats", note="p to q"),
    ]
    kl_reverse: Annotated[
        float,
        distance("KL divergence", "mean of KL(q‖p) over inputs", "KL_div_reverse", PREDICTIONS, "nats", note="q to p"),
    ]
    js_divergence: Annotated[
        float | None,
        distance(
            "Jensen–Shannon", "mean of ½KL(p‖m) + ½KL(q‖m), m = (p + q)/2", "", PREDICTIONS, "nats", high=log(2) + 1e-12
        ),
    ] = None
    llv: Annotated[
        float | None, distance("d_LLV", "max(t1, t2, λ·t3, λ·t4), or their sum", "distance", PREDICTIONS)
    ] = None
    certificate: Annotated[
        float | None,
        distance(
            "certificate",
            "one minus the least mean correlation of log-odds, label by label: at least d_{f,g}",
            "certificate",
            PREDICTIONS,
            high=2,
        ),
    ] = None
    certificate_centred: Annotated[
        float | None,
        distance(
            "certificate, centred",
            "one minus the mean correlation of the K least alike log-odds against the mean of all labels",
            "",
            PREDICTIONS,
            high=2,
        ),
    ] = None
    dissimilarity: Annotated[
        float | None,
        distance(
            "d_f,g", "the larger d_SVD; where it is not exact, d_{f,g} is at least that", "d_fg", ROTATION, high=1
        ),
    ] = None
    dissimilarity_centred: Annotated[
        float | None,
        distance(
            "d_SVD, centred",
            "d_SVD of these log-odds: of the K labels that agree least, against the mean of all labels",
            "",
            ROTATION,
            high=1,
        ),
    ] = None
    unsigned_certificate: Annotated[
        float | None,
        distance(
            "unsigned certificate",
            "the certificate whatever the signs of the correlations: at least d_{f,g}",
            "unsigned_certificate",
            ROTATION,
            high=1,
        ),
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
    debiased_cka_embeddings: Annotated[
        float | None,
        similarity("debiased CKA", "linear CKA by unbiased estimates, for few inputs", "", REPRESENTATION, low=-inf),
    ] = None
    label_term: Annotated[
        float | None, distance("t1, over inputs", "largest or mean term of the labels", "t_1", DETAILS)
    ] = None
    input_term: Annotated[
        float | None, distance("t2, over labels", "largest term of the input set", "t_2", DETAILS)
    ] = None
    label_scale_term: Annotated[
        float | None, distance("t3, scales", "largest or mean scale term of the labels", "t_3", DETAILS)
    ] = None
    input_scale_term: Annotated[float | None, distance("t4, scales", "that of the input set", "t_4", DETAILS)] = None
    bound: Annotated[
        float | None, distance("2K·d_LLV", "the paper's upper bound on d_{f,g}; none for means", "bound", DETAILS)
    ] = None
    quadratic_bound: Annotated[
        float | None,
        distance("2·max(t1, t2)²", "upper bound on the certificate; none for means", "quadratic_bound", DETAILS),
    ] = None
    certificate_any_pivot: Annotated[
        float | None,
        distance(
            "certificate, any pivot",
            "the largest unsigned one over all pivots and labels: bounds d_SVD of the embeddings for any choice",
            "",
            DETAILS,
            high=1,
        ),
    ] = None
    m_svd_embeddings: Annotated[
        tuple[float, ...],
        similarity("m_SVD, embeddings", "one a label subset, in lexicographic order, or of the one found", "m_SVDs_f"),
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
    dissimilarity_exact: Annotated[
        bool | None, Column("d_f,g exact", "all label subsets were gone through, not searched or sampled")
    ] = None
    worst_labels: Annotated[
        tuple[int, ...] | None, Column("worst labels", "the label subset with the largest d_SVD that was found")
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
    input_search: Annotated[
        InputSearch | None, Column("input search", "how the input set was found; none where it was given")
    ] = None
    input_set_rank: Annotated[
        float | None,
        Column(
            "input set's rank", "how many directions the log-odds of the input set span in effect, at most K", low=0
        ),
    ] = None
    llv_by_seed: Annotated[
        tuple[float, ...],
        Column("d_LLV by seed", "with the input set searched for with this seed and the four that follow", low=0),
    ] = ()
    kl_quantiles: Annotated[
        dict[float, float],
        Column("KL by input", "quantiles of KL(p‖q) of single inputs, by the per cent; 100 is the largest"),
    ] = field(default_factory=dict, hash=False)
    kl_inputs: Annotated[
        float | None, Column("effective inputs of KL", "on how many inputs KL(p‖q) rests, (Σ kl)²/Σ kl²", low=0)
    ] = None
    intervals: Annotated[
        dict[str, Interval], Column("intervals", "95 % confidence intervals by the names of the fields")
    ] = field(default_factory=dict, hash=False)
    groups: Annotated[
        str | None, Column("groups of inputs", "what the intervals leave out in turn: blocks or given groups")
    ] = None
    choice_kept: Annotated[
        int | None, Column("choice kept", "without how many of these groups k and l would be chosen too")
    ] = None
    chance: Annotated[
        dict[str, float], Column("chance", "what models that have nothing to do with each other give, by field")
    ] = field(default_factory=dict, hash=False)
    p_values: Annotated[
        dict[str, float],
        Column("p-values", "how often permuted inputs (of d_SVD, unembeddings: labels) come out as close, by field"),
    ] = field(default_factory=dict, hash=False)
    subset_size: Annotated[int, Column("K", "labels in a subset, and inputs besides the pivot in an input set")]
    weight: Annotated[float, Column("λ", "weight of the scale terms")]
    reduction: Annotated[Reduction, Column("reduction", "how terms become t1, t3 and t4: max or mean")]
    combine: Annotated[Combine, Column("combine", "how t1, t2, λ·t3 and λ·t4 become d_LLV: max or sum")]
    dimensions: Annotated[tuple[int, int] | None, Column("M", "representation dimensions of p and q")] = None
    black_boxes: Annotated[
        tuple[bool, bool] | None, Column("black boxes", "whether only the logits of p and of q are known")
    ] = None
    num_inputs: Annotated[int, Column("N", "inputs")]
    num_labels: Annotated[int, Column("C", "labels")]
    num_label_subsets: Annotated[int, Column("label subsets", "how many of size K there are, 2⁶³ − 1 where more")] = 0
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

    def verdict(self, tolerance: float = TOLERANCE) -> Verdict:
        """The same, not the same, or undecided, within a tolerance (docs/certainty.md).

        Raises:
            InputError: no intervals were asked for, the models' log-odds are not known, or a tolerance that is not
                between 0 and 1.
        """
        correlation = self.intervals.get("logit_correlation")
        if correlation is None:
            remedy = ONLY_LOGITS if self.intervals else "none were asked for: compare(…, intervals=True)"
            raise InputError(f"intervals: a verdict rests on them; {remedy}")
        return verdict_of(
            self.certificate_centred,
            self.dissimilarity_centred,
            self.logit_correlation,
            self.intervals,
            self.num_inputs,
            tolerance=tolerance,
        )

    def __str__(self) -> str:
        """A table for a person."""
        from closedist.comparison.table import pair_table  # which is made of COLUMNS

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


def as_dict(comparison: Comparison, tolerance: float = TOLERANCE) -> dict[str, Any]:
    """Every field and derived fact of a comparison as what JSON can hold: numbers, strings, lists, None.

    What is infinite, since some log-odds vary in one model only, is None, and ``infinite`` is true. Where there are
    intervals, there is the verdict within the tolerance.
    """
    values = {column.name: _finite(plain(getattr(comparison, column.name))) for column in COLUMNS}
    infinite = [column.name for column in COLUMNS if getattr(comparison, column.name) == inf]
    known = "logit_correlation" in comparison.intervals
    derived = {
        "infinite": bool(infinite),
        "bound_informative": comparison.bound_informative,
        "verdict": asdict(comparison.verdict(tolerance)) if known else None,
    }
    return values | derived


def plain(value: Any) -> Any:
    """Lists for tuples, and dictionaries with strings for keys; None for what is not finite within these."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return {f"{key:g}" if isinstance(key, float) else str(key): _finite(plain(part)) for key, part in value.items()}
    return [_finite(plain(part)) for part in value] if isinstance(value, tuple) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
