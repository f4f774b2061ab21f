"""The lists of an explanation for a person, in 80 columns; names of models are at most 14 characters long."""

from collections.abc import Sequence
from math import isfinite

from closedist.explanation.differences import Direction, InputDifference, LabelDifference, LabelPair, Name
from closedist.explanation.table import left_out, one_line, table

LONGEST = 14  # characters of a name in a table
SIDE = 11  # characters of the names on either side of a direction
SIGNS = {"Ġ": "a space", "▁": "a space", "Ċ": "a line break"}  # in a tokenizer's names of its tokens
ALIKE = 0.9999  # canonical correlation: directions above are counted, not listed
Names = tuple[str, str]


def summary(
    labels: Sequence[LabelDifference], pairs: Sequence[LabelPair], names: Names, num_inputs: int, kl: float
) -> str:
    """Which answers changed, and which labels KL comes from, in two sentences."""
    first, second = names
    changed = sum(pair.count for pair in pairs)
    answers = f"{changed:,} of {num_inputs:,} inputs get another label"
    if pairs:
        most = pairs[0]
        given, instead = (_named(name) for name in (most.first, most.second))
        answers += f", {most.count:,} of them {instead} in the place of {given}" if changed > 1 else ""
    carried = [f"{_named(row.label)} {row.share_of_kl:.0%}" for row in labels[:3] if row.share_of_kl is not None]
    return f"{answers}. Of KL({first}‖{second}), {kl:.3g} nats, come from label {', '.join(carried)}."


def labels_printed(
    labels: Sequence[LabelDifference], names: Names, pivot: tuple[Name, Name | None] | None, most: int
) -> str:
    """The labels, and what the columns say; ``pivot`` are the pivot label and that which t1 leaves out."""
    rows = [
        (
            one_line(row.label, LONGEST),
            f"{row.share_of_kl:.1%}",
            f"{row.lost:,}",
            f"{row.gained:,}",
            "" if row.where_given is None else f"{row.where_given:+.3f}",
            "constant" if row.correlation is None else f"{row.correlation:.4f}",
            "" if row.term is None else f"{row.term:.4f}" if isfinite(row.term) else "∞",
        )
        for row in labels[:most]
    ]
    heads = ("label", "of KL", "lost", "gained", "where given", "correlation", "t1 term")
    shown = table("labels, those that carry most of KL first", heads, rows, more=left_out(len(rows), len(labels)))
    first, second = names
    lines = [
        f"lost, gained: inputs given it by {first} alone, by {second} alone",
        f"where given: over the inputs that {first} gives the label, the mean",
        f"  of {second}'s logit of it less {first}'s; logits are centred",
        "correlation: of both models' logits of the label, over all inputs",
    ]
    if pivot is not None:
        against, left = (one_line(name, LONGEST) for name in pivot)
        lines.append(f"t1 term: the larger one against pivot label {against}; t1 leaves out {left}")
    return "\n".join([shown, *(f"  {line}" for line in lines)])


def pairs_printed(pairs: Sequence[LabelPair], names: Names, most: int) -> str:
    """Which label one model gives where the other gives another."""
    if not pairs:
        return "both give every input the same label"
    first, second = names
    same = 1 - sum(pair.share for pair in pairs)
    return table(
        f"labels given by {first} and by {second}; {same:.1%} get the same",
        (first, second, "inputs", "share"),
        [
            (one_line(row.first, 24), one_line(row.second, 24), f"{row.count:,}", f"{row.share:.2%}")
            for row in pairs[:most]
        ],
        more=left_out(min(most, len(pairs)), len(pairs)),
    )


def inputs_printed(inputs: Sequence[InputDifference], names: Names, kl: float, most: int) -> str:
    """The inputs, with both models' labels; ``kl`` is the mean over all."""
    first, second = names
    pairs = bool(inputs) and isinstance(inputs[0].input_id, list | tuple)
    head = "seq., position" if pairs else "input"
    shown = table(
        f"inputs, largest KL first (the mean is {kl:.4g} nats)",
        (head, "KL", first, "", second, ""),
        [
            (
                one_line(row.input if row.input_id is None else row.input_id, 16),
                f"{row.kl:.3g}",
                one_line(row.first_label, LONGEST),
                f"{row.first_probability:.0%}",
                one_line(row.second_label, LONGEST),
                f"{row.second_probability:.0%}",
            )
            for row in inputs[:most]
        ],
    )
    tokens = "".join(f"{row.first_label}{row.second_label}" for row in inputs[:most] if pairs)
    signs = [f"{sign} is {meaning}" for sign, meaning in SIGNS.items() if sign in tokens]
    return f"{shown}\n  in the tokenizer's names {', '.join(signs)}" if signs else shown


def directions_printed(found: Sequence[Direction], names: Names, only: tuple[int, int], most: int) -> str:
    """The directions in which models differ; ``only`` counts those that only the first and only the second has."""
    first, second = names
    apart = [row for row in found if row.correlation < ALIKE]
    alike = f"{len(found) - len(apart):,} in which both agree (correlation above {ALIKE})"
    if not apart:
        return f"directions of the embeddings: {alike}"
    shown = apart[:most]
    rows = [
        (
            f"only {first}"
            if row.of_second == 0
            else f"only {second}"
            if row.of_first == 0
            else f"{row.correlation:.4f}",
            f"{row.of_first:.1%}",
            f"{row.of_second:.1%}",
            f"{_listed(row.higher)} | {_listed(row.lower)}" if row.higher else "no label sees it",
        )
        for row in shown
    ]
    more = []
    for name, count, lacked in zip(names, only, ("of_second", "of_first"), strict=True):
        listed = sum(getattr(row, lacked) == 0 for row in shown)
        more += [f"{count - listed:,} more that only {name} has"] if count > listed else []
    hidden = sum(bool(row.of_first and row.of_second) for row in apart[most:])
    more += [f"{hidden:,} more of both"] if hidden else []
    more += [alike] if len(apart) < len(found) else []
    heads = ("correlation", f"of {first}", f"of {second}", "tells apart")
    title = "directions of the embeddings, least alike first, and their share of variance"
    shown_table = table(title, heads, rows)
    return "\n".join([shown_table, *(f"  … and {line}" for line in more)])


def _named(name: Name) -> str:
    """A name within a sentence, where punctuation alone would be read as the sentence's own."""
    text = one_line(name, 24)
    return text if any(map(str.isalnum, text)) else f"“{text}”"


def _listed(names: Sequence[Name]) -> str:
    """As many names, whole, as fit into so many characters."""
    said = one_line(names[0], SIDE)
    for index, name in enumerate(map(str, names[1:]), 1):
        more = f"{said}, {name}"
        if len(more) + (2 if index + 1 < len(names) else 0) > SIDE:
            return said if len(said) + 2 > SIDE else f"{said} …"
        said = more
    return said
