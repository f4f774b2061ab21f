"""The record of a comparison of two models: a number is a field with its row of COLUMNS, and here only.

The printed tables, JSON, result files and the table in docs/measures.md are made from COLUMNS.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, log
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

from closedist.certainty.interval import Interval
from closedist.certainty.limits import TOLERANCE, USUAL_LIMITS, Limits
from closedist.certainty.verdict import Verdict, verdict_of
from closedist.comparison.column import Column, distance, similarity
from closedist.comparison.measured import measured_columns
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
        float | None,
        similarity("same top label", "share of the inputs that get the same label from both", "same_top", PREDICTIONS),
    ] = None
    kl: Annotated[
        float | None,
        distance("KL divergence", "mean of KL(p‖q) over inputs", "KL_div", PREDICTIONS, "nats", note="p to q"),
    ] = None
    kl_reverse: Annotated[
        float | None,
        distance(
            "KL divergence",
            "mean of KL(q‖p) over inputs",
            "KL_div_reverse",
            PREDICTIONS,
            "nats",
            note="q to p",
            called=("kl",),
        ),
    ] = None
    js_divergence: Annotated[
        float | None,
        distance(
            "Jensen–Shannon", "mean of ½KL(p‖m) + ½KL(q‖m), m = (p + q)/2", "", PREDICTIONS, "nats", high=log(2) + 1e-12
        ),
    ] = None
    llv: Annotated[
        float | None,
        distance("d_LLV", "standard deviations that log-likelihoods differ by, at most", "distance", PREDICTIONS),
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
        float | None,
        similarity(
            "m_CCA",
            "mean canonical correlation",
            "m_CCA_f",
            REPRESENTATION,
            note="embeddings",
            called=("mean_cca", "cca"),
        ),
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
        similarity(
            "linear CKA",
            "linear centred kernel alignment",
            "CKA_f",
            REPRESENTATION,
            note="embeddings",
            called=("linear_cka", "cka"),
        ),
    ] = None
    debiased_cka_embeddings: Annotated[
        float | None,
        similarity(
            "debiased CKA",
            "linear CKA by unbiased estimates, for few inputs",
            "",
            REPRESENTATION,
            low=-inf,
            called=("debiased_cka", "debiased"),
        ),
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
    measures: Annotated[
        dict[str, float | None], Column("measures", "numbers that measures= named and that are no field, by name")
    ] = field(default_factory=dict, hash=False)
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

    @property
    def has_verdict(self) -> bool:
        """Intervals were asked for, and what a verdict rests on is known."""
        known = self.num_labels == 2 or self.certificate_centred is not None
        return known and "logit_correlation" in self.intervals

    @property
    def broken_bounds(self) -> tuple[str, ...]:
        """Bounds among ``measures`` that do not hold here: none unless a theorem or its code is wrong."""
        return tuple(column.name for column in COLUMNS if column.name in self.measures and not _holds(self, column))

    if not TYPE_CHECKING:  # so that a name that is none is still found by a type checker

        def __getattr__(self, name: str) -> float | None:
            """A number of ``measures`` by its name, None where it was not asked for."""
            if name in _MEASURED:
                return self.measures.get(name)
            raise AttributeError(f"a Comparison has no {name!r}")

    def verdict(
        self, tolerance: float = TOLERANCE, *, max_kl: float | None = None, min_same_top: float | None = None
    ) -> Verdict:
        """The same, not the same, or undecided, within a tolerance and other limits (docs/certainty.md).

        Args:
            tolerance: how far the mean correlation of log-odds may be from 1.
            max_kl: how large KL may be in either direction, in nats; by default it is not looked at.
            min_same_top: the share of the inputs that must get the same label from both; likewise.

        Raises:
            InputError: no intervals were asked for, or not the measures that it rests on, the models' log-odds are not
                known, or a limit that is out of its range.
        """
        return self.within(Limits(tolerance, max_kl, min_same_top))

    def within(self, limits: Limits) -> Verdict:
        """The verdict of limits that are at hand."""
        if not self.has_verdict:
            if self.black_boxes is None:
                remedy = ONLY_LOGITS
            elif self.intervals:
                remedy = 'and on measures that were not named; name "default" too'
            else:
                remedy = "none were asked for: compare(…, intervals=True)"
            raise InputError(f"intervals: a verdict rests on them; {remedy}")
        return verdict_of(
            self.certificate_centred,
            self.dissimilarity_centred,
            self.logit_correlation,
            self.intervals,
            self.num_inputs,
            limits=limits,
        )

    def __str__(self) -> str:
        """A table for a person."""
        from closedist.comparison.table import pair_table  # which is made of COLUMNS

        return pair_table(self)


def _columns() -> tuple[Column, ...]:
    hints = get_type_hints(Comparison, include_extras=True)
    declared = {name: get_args(hint) for name, hint in hints.items()}
    return tuple(replace(column, name=name, type=kind) for name, (kind, column) in declared.items())


FIELDS = _columns()
COLUMNS = (*FIELDS, *measured_columns(FIELDS))
_MEASURED = {column.name for column in COLUMNS[len(FIELDS) :]}
_ROUNDING = 1e-9  # in a bound that holds with equality
Comparison.__doc__ = "\n    ".join(
    [f"{Comparison.__doc__}\n", "Attributes:", *(f"    {column.name}: {column.meaning}" for column in FIELDS)]
)


def _holds(c: Comparison, bound: Column) -> bool:
    """Whether a number is not below what it bounds from above, nor above what it bounds from below, where these are."""
    value = getattr(c, bound.name)
    if value is None:
        return True
    room = _ROUNDING * (1.0 + abs(value))
    lower, upper = (
        [number for name in names if (number := getattr(c, name)) is not None] for names in (bound.above, bound.below)
    )
    return all(number <= value + room for number in lower) and all(number >= value - room for number in upper)


def values_of(comparisons: Sequence[Comparison], name: str) -> list[float]:
    """A number of several comparisons, each of which has it.

    Raises:
        InputError: one of them has none.
    """
    values = [getattr(comparison, name) for comparison in comparisons]
    if None in values:
        raise InputError(
            f"{name}: comparison {values.index(None)} has none (two labels, terms by mean, only logits known, or "
            "not asked for by measures=)"
        )
    return values


def as_dict(comparison: Comparison, limits: Limits = USUAL_LIMITS) -> dict[str, Any]:
    """Every field and derived fact of a comparison as what JSON can hold: numbers, strings, lists, None.

    What is infinite, since some log-odds vary in one model only, is None, and ``infinite`` is true. Where there are
    intervals, there is the verdict within the limits.
    """
    values = numbers(comparison)
    infinite = [name for name in values if getattr(comparison, name) == inf]
    derived = {
        "infinite": bool(infinite),
        "bound_informative": comparison.bound_informative,
        "verdict": asdict(comparison.within(limits)) if comparison.has_verdict else None,
    }
    bounds = {"broken_bounds": list(comparison.broken_bounds)} if comparison.measures else {}
    return {name: _finite(value) for name, value in values.items()} | derived | bounds


def numbers(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison by its name in COLUMNS, as plain values; of ``measures`` those that it has."""
    fields = (column.name for column in FIELDS if column.name != "measures")
    return {name: plain(getattr(comparison, name)) for name in (*fields, *comparison.measures)}


def plain(value: Any) -> Any:
    """Lists for tuples, and dictionaries with strings for keys; None for what is not finite within these."""
    if isinstance(value, Interval):
        value = asdict(value)
    if isinstance(value, dict):
        return {f"{key:g}" if isinstance(key, float) else str(key): _finite(plain(part)) for key, part in value.items()}
    return [_finite(plain(part)) for part in value] if isinstance(value, tuple) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
