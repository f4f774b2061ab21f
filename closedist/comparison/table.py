"""A comparison for a person, at 80 columns: the verdict, then each number with its interval and what chance gives."""

import textwrap
from collections.abc import Sequence
from itertools import islice
from math import inf, isinf

from closedist.certainty.interval import Interval
from closedist.certainty.limits import LARGE_TOLERANCE, TOLERANCE, USUAL_LIMITS, Limits
from closedist.comparison.column import Column
from closedist.comparison.naming import short_names
from closedist.comparison.record import COLUMNS, DETAILS, MOST_SUBSETS, ONLY_LOGITS, TWO_LABELS, Comparison

WIDTH = 80
ROUNDING = 1e-14  # what is smaller is shown as 0
FEW_INPUTS = 20  # times the dimension: below, m_CCA is too large and CKA of noise is near 1
SEEN_BIAS = 0.005  # below, it is what rounding leaves
FEW_KL_INPUTS = 30  # below, KL is not estimated
_SHOWN = 8  # indices of a list


def pair_table(
    comparison: Comparison,
    names: Sequence[str] | None = None,
    *,
    details: bool = False,
    limits: Limits = USUAL_LIMITS,
) -> str:
    """A readable table of one comparison, at 80 columns.

    Args:
        comparison: of two models.
        names: what to call them; by default what the comparison calls them.
        details: whether to show the terms of d_LLV, the bounds, and what was chosen.
        limits: of the verdict.
    """
    c = comparison
    lines = [*wrapped(_verdict(c, limits)), ""] if c.intervals else []
    (p, q), _ = short_names(names or c.names, WIDTH - 3)
    lines += [] if (p, q) == ("p", "q") else [f"p  {p}", f"q  {q}", ""]
    size = f", K = {c.subset_size}" if c.subset_size else ""
    lines += [f"{c.num_inputs:,} inputs, {c.num_labels:,} labels{size}"]
    if c.intervals or c.chance:
        interval = "95 % interval" if c.intervals else ""
        head = f"{'':30}{'value':>10}   {interval:<22}by chance"
        lines[-1] += head[len(lines[-1]) :] if len(lines[-1]) < 35 else "\n" + head
    hidden = set() if details else _beside(c)
    for group in dict.fromkeys(column.group for column in COLUMNS if column.group):
        rows = [column for column in COLUMNS if column.group == group and getattr(c, column.name) is not None]
        rows = [column for column in rows if column.name not in hidden]
        if rows:
            lines += [group, *(_row(c, column) for column in rows)]
    if details:
        lines += [line for said in _choices(c) for line in wrapped(said, "  ")]
    notes = [line for note in notes_of(c, limits) for line in wrapped(note, "  ", "- ")]
    if c.p_values:
        titles = {column.name: _title(column) for column in COLUMNS}
        lines += ["p-values", *(f"  {titles[name]:<28}{value:>10.3g}" for name, value in c.p_values.items())]
    return "\n".join([*lines, *(["to know", *notes] if notes else [])])


def _beside(c: Comparison) -> set[str]:
    """The numbers that are shown with the details only: those that say no more than others here."""
    names = {column.name for column in COLUMNS if column.group == DETAILS}
    if c.dissimilarity_exact:
        names.add("unsigned_certificate")
    cka, debiased = c.cka_embeddings or 0.0, c.debiased_cka_embeddings
    if debiased is not None and abs(debiased - cka) < 0.005 and not _few_inputs(c):
        names.add("debiased_cka_embeddings")
    return names


def _few_inputs(c: Comparison) -> bool:
    known = c.dimensions is not None and c.mean_cca_embeddings is not None
    return known and c.num_inputs < FEW_INPUTS * max(c.dimensions or (0,))


def left_out(comparison: Comparison) -> str:
    """Why a comparison has not all numbers, or ""."""
    if comparison.llv is not None:
        return ""
    if comparison.black_boxes is None:
        return ONLY_LOGITS
    return TWO_LABELS if comparison.num_labels == 2 and comparison.logit_correlation is not None else ""


def notes_of(c: Comparison, limits: Limits = USUAL_LIMITS) -> list[str]:
    """What must be known to read the numbers of a comparison, a sentence each; none where there is nothing."""
    notes, tolerance = [left_out(c)], limits.tolerance
    if not c.intervals and c.logit_correlation is not None:
        notes.append("no intervals were asked for, so that there is no verdict: compare(…, intervals=True)")
    if c.intervals and tolerance > LARGE_TOLERANCE:
        notes.append(
            f"a tolerance of {tolerance:g} asks for little: log-odds that share {(1 - tolerance) ** 2:.0%} of their "
            f"variance count as the same; the usual one is {TOLERANCE:g}"
        )
    m_cca = c.mean_cca_embeddings
    same = c.has_verdict and c.within(limits).kind == "same"
    others, kl, back = 1 - (1 if c.same_top_label is None else c.same_top_label), c.kl or 0.0, c.kl_reverse or 0.0
    if same and max(kl, back, others) > tolerance:
        notes.append(
            f"the verdict is about log-odds up to a scale, not about probabilities: KL is {written(kl)} and "
            f"{written(back)} nats, and the likeliest label is another one for {others:.0%} of the inputs"
        )
    if same and m_cca is not None and m_cca < 1 - tolerance:
        notes.append(
            f"the verdict is about what labels see; in directions that no label sees the embeddings differ: m_CCA is "
            f"{m_cca:.2f}"
        )
    notes += _corrected(c)
    if c.dimensions is not None and _few_inputs(c):
        notes.append(
            f"{c.num_inputs:,} inputs are few for dimension {max(c.dimensions):,} (below "
            f"{FEW_INPUTS * max(c.dimensions):,}): m_CCA and CKA come out too large, d_f,g too small; the debiased CKA "
            "does not"
        )
    if c.kl_inputs is not None and c.kl_inputs < FEW_KL_INPUTS and c.kl:
        notes.append(
            f"KL rests on {c.kl_inputs:.0f} of the {c.num_inputs:,} inputs: as a number of the models it is not "
            "estimated"
        )
    if c.input_set_rank is not None and c.input_set_rank < 1 + 0.05 * (c.subset_size - 1):
        notes.append(
            f"the log-odds of the input set are nearly parallel, {c.input_set_rank:.2f} directions of "
            f"{c.subset_size} in effect: its part of d_LLV and d_f,g tests little"
            f"{'' if c.input_search == 'diverse' else '; a diverse search may find others'}"
        )
    notes += _beside_a_black_box(c)
    if c.dimensions is not None and c.subset_size == c.num_inputs - 1 < min(max(c.dimensions), c.num_labels - 2):
        notes.append(
            f"K is {c.subset_size:,}, as many as {c.num_inputs:,} inputs allow (each is in the input set), and another "
            "for more inputs; give all pairs one subset_size"
        )
    if c.mean_cca_unembeddings is not None and c.dimensions and c.num_labels <= min(c.dimensions) + 1:
        notes.append("so few labels span the unembeddings of both: their m_CCA is 1 for any two models")
    if c.certificate is not None and c.certificate >= 1:
        notes.append(
            "a certificate of 1 or more bounds nothing: log-odds of the labels that agree least do not correlate, or "
            "negatively"
        )
    if c.label_term == inf:
        notes.append("d_LLV is infinite since log-odds vary in one model only")
    if c.ignored_labels:
        notes.append(f"{c.ignored_labels:,} constant labels ignored")
    interval = c.intervals.get("dissimilarity")
    if interval is not None and c.dissimilarity and interval.low == interval.high:
        notes.append("d_f,g is that of the named input set: a fact about these inputs, which has no interval")
    if len(c.llv_by_seed) > 1 and max(c.llv_by_seed) > 1.01 * min(c.llv_by_seed):
        low, high = (written(end(c.llv_by_seed)) for end in (min, max))
        of_one = "; its interval is that of the set taken" if "llv" in c.intervals else ""
        notes.append(
            f"d_LLV depends on the search for the input set: {low} to {high} over {len(c.llv_by_seed)} seeds{of_one}"
        )
    if c.broken_bounds:
        titles = {column.name: _title(column) for column in COLUMNS}
        broken = ", ".join(f"{titles[name]} ({name})" for name in c.broken_bounds)
        notes.append(f"bounds that do not hold here, though they are proved: {broken}; please report it")
    unsure = [name for name, value in c.measures.items() if value is not None and name not in c.intervals]
    if c.intervals and unsure:
        notes.append(f"measures of pairs of inputs have no interval where there are so many: {', '.join(unsure)}")
    if c.groups:
        notes.append(f"the intervals leave out {c.groups} in turn")
    if c.p_values:
        notes.append("p-values: how often permuted inputs (of d_SVD, unembeddings: labels) come out as close")
    return [note for note in notes if note]


def _beside_a_black_box(c: Comparison) -> list[str]:
    """What depends on one of the two being a black box."""
    if c.black_boxes is None or len(set(c.black_boxes)) < 2:
        return []
    box, other = "pq" if c.black_boxes[0] else "qp"
    notes = []
    if c.subset_size:
        notes.append(
            f"{box} is a black box, so that K is {c.subset_size} here and may be another for other pairs: d_f,g and "
            "the certificates depend on it; give all pairs one subset_size"
        )
    if c.cka_embeddings is not None:
        notes.append(
            f"linear CKA is of {other}'s embeddings and {box}'s logits, which need not be near 1 for one model twice; "
            "m_CCA is"
        )
    return notes


def _corrected(c: Comparison) -> list[str]:
    """Why a number lies outside its interval: that is around the number less its bias."""
    known = {name: getattr(c, name) for name in ("mean_cca_embeddings", *c.measures) if name in c.intervals}
    ends = {name: (of.low, of.high) for name, of in c.intervals.items() if abs(of.bias) > SEEN_BIAS}
    outside = [name for name, value in known.items() if name in ends and not ends[name][0] <= value <= ends[name][1]]
    notes = []
    if "mean_cca_embeddings" in outside:
        outside.remove("mean_cca_embeddings")
        bias = c.intervals["mean_cca_embeddings"].bias
        expected = written(known["mean_cca_embeddings"] - bias)
        notes.append(
            f"m_CCA is about {bias:.2g} too large for so few inputs; its interval makes up for that"
            if bias > 0
            else f"m_CCA lies outside its interval, which is around {expected}, what many groups would give if it goes "
            "on as it falls where one is left out: each has directions of its own, and those left out "
            f"({c.groups}) are too few to know it"
        )
    if outside:
        titles = "; ".join(_title(column) for column in COLUMNS if column.name in outside)
        notes.append(f"outside its interval, which is corrected for the bias of so few inputs or groups: {titles}")
    return notes


def written(value: float) -> str:
    """A number for a person."""
    if abs(value) < ROUNDING:
        return "0"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


def _verdict(c: Comparison, limits: Limits) -> str:
    if not c.has_verdict and c.black_boxes is None:
        return "No verdict: without embeddings it is not worked out for so many labels."
    if not c.has_verdict:
        return 'No verdict: it rests on measures that were not named ("default" names them).'
    return str(c.within(limits))


def _row(c: Comparison, column: Column) -> str:
    title = _title(column)
    if column.name == "dissimilarity" and not c.dissimilarity_exact:
        title += ", at least"
    chance, value = c.chance.get(column.name), getattr(c, column.name)
    told = f"{value:.0f}" if column.type == int | None else written(value)
    return (
        f"  {title:<28}{told:>10}   {_interval(c.intervals.get(column.name)):<22}"
        f"{'' if chance is None else written(chance)}"
    ).rstrip()


def _title(column: Column) -> str:
    return ", ".join(filter(None, (column.title, column.note, column.unit)))


def _interval(interval: Interval | None) -> str:
    if interval is None or interval.low == interval.high or interval.high < ROUNDING:
        return ""
    if isinf(interval.standard_error):
        return "not known"
    low, high = written(interval.low), written(interval.high)
    if low != high:
        return f"{low} … {high}"
    half = (interval.high - interval.low) / 2
    return "" if half < 100 * ROUNDING else f"± {half:.1g}"


def _choices(c: Comparison) -> list[str]:
    """What was chosen, a line each."""
    said = [f"d_LLV is the {'largest' if c.combine == 'max' else 'sum'} of t1, t2, λ·t3, λ·t4; terms by {c.reduction}"]
    said[0] += f"; λ = {c.weight:g}"
    if c.pivot_label is None:
        said.clear()
    else:
        pivot, left = map(repr, c.label_names or (c.pivot_label, c.left_out_label))  # a token may be a space
        tried = "" if c.num_pivots == c.num_labels else f", of {c.num_pivots} pivots tried"
        kept = "" if c.choice_kept is None else f"; without each of the {c.groups} in turn, {c.choice_kept} times again"
        said.append(f"pivot label {pivot}, left-out label {left}{tried}{kept}")
        exact = "the largest of all" if c.dissimilarity_exact else "the largest found of"
        said.append(f"worst labels {_list(c.worst_labels)}: {exact} {_count(c.num_label_subsets)} subsets")
        way = "given" if c.input_search is None else c.input_search + " search"
        way += f", {c.num_samples} sets of seed {c.seed}" if c.input_search == "random" else ""
        rank = "" if c.input_set_rank is None else f"; {c.input_set_rank:.2f} directions of {c.subset_size}"
        said.append(f"input set {_list(c.input_set)} ({way}{rank})")
        if c.llv_by_seed:
            said.append(f"d_LLV over seeds {', '.join(map(written, c.llv_by_seed))}")
    if c.kl_quantiles:
        parts = ", ".join(f"{percent:g} % {written(value)}" for percent, value in c.kl_quantiles.items())
        said.append(f"KL(p‖q) of single inputs, quantiles: {parts}; it rests on {c.kl_inputs:,.0f} inputs")
    return said


def _list(indices: Sequence[int] | None) -> str:
    shown = ", ".join(map(str, islice(indices or (), _SHOWN)))
    return shown if len(indices or ()) <= _SHOWN else f"{shown}, … ({len(indices or ()):,})"


def _count(total: int) -> str:
    """A count as a person says it: 43,758, or 3.2e+12."""
    return f"{total:,}" if total < 10**9 else f"{total:.1e}" if total < MOST_SUBSETS else f"over {total:.0e}"


def wrapped(text: str, indent: str = "", bullet: str = "") -> list[str]:
    """Lines of at most 79 characters, the first with a bullet."""
    return textwrap.wrap(
        text,
        WIDTH - 1,
        initial_indent=indent + bullet,
        subsequent_indent=indent + " " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
