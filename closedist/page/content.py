"""Models become the plain dictionary that the page shows."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.certainty.groups import FEWEST
from closedist.comparison import Comparison, left_out
from closedist.explanation.groups import contradiction, group_models, model_map
from closedist.explanation.stability import distances_without_groups
from closedist.explanation.table import one_line
from closedist.page.certain import certainty_of, verdict_of_all
from closedist.page.details import LONGEST_NAME, as_lists, explained_pairs, explanations
from closedist.page.embeddings import Embeddings, drawn_inputs
from closedist.page.inputs import Input, shown_inputs
from closedist.page.measures import CORRELATED, Measure, distance_at, distances_of, measures_of
from closedist.page.packed import packed, rounded
from closedist.pairs.certainty import groups_of
from closedist.representations import Representations

DRAWN = 1_000  # inputs, at random
LISTED = 400  # at most so many more, those listed for the most pairs
ROOM = 4 << 20  # bytes of texts and thumbnails


def content(
    models: Sequence[Representations],
    names: Sequence[str],
    comparisons: Sequence[Comparison],
    inputs: Sequence[Input] | None,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Everything that the page shows, as JSON can hold it.

    Args:
        models: n on the same N inputs and C labels.
        names: one a model.
        comparisons: of all pairs, in ``itertools.combinations`` order.
        inputs: N texts or images, or None.
        notes: lines to show with the settings.
    """
    called = [one_line(name, LONGEST_NAME) for name in names]
    measures = measures_of(len(models), comparisons)
    distances = distances_of(measures[0])
    all_pairs = list(combinations(range(len(models)), 2))
    pivots = {pair: found.pivot_label for pair, found in zip(all_pairs, comparisons, strict=True)}
    explained = explanations(models, explained_pairs(distances), pivots)
    often = Counter(row.input for found in explained.values() for row in found.inputs)
    rows = _drawn_rows(models[0].num_inputs, [row for row, _ in often.most_common(LISTED)], comparisons[0].seed)
    embeddings = Embeddings(models, rows)
    pairs = {}
    for (i, j), comparison in zip(all_pairs, comparisons, strict=True):
        found = explained.get((i, j))
        lists = {} if found is None else as_lists(found)
        view = {"view": embeddings.of_pair(i, j, canonical=found is not None)}
        pairs[f"{i},{j}"] = lists | view | certainty_of(comparison)
    first = models[0]
    ids = next((model.input_ids for model in models if model.input_ids is not None), None)
    important = [row for row, _ in often.most_common()]
    shown = shown_inputs(inputs, ids, list(dict.fromkeys([*important, *rows])), ROOM)
    return {
        "verdict": verdict_of_all(comparisons),
        "sentence": sentence(called, measures, first.num_inputs),
        "contradiction": _contradiction(called, measures),
        "models": [_model(model, name) for model, name in zip(models, called, strict=True)],
        "numInputs": first.num_inputs,
        "labels": _label_names(models),
        "measures": [_as_dict(measure) for measure in measures],
        "missing": _missing(comparisons[0]),
        "overview": _overview(distances, called, _replicates(models, names)),
        "rows": packed(rows, "uint32"),
        "points": [embeddings.of_model(index) for index in range(len(models))],
        "predicted": [embeddings.predicted(index) for index in range(len(models))],
        "pairs": pairs,
        "inputs": {str(row): entry for row, entry in shown.items() if entry},
        "settings": _settings(models, comparisons[0], inputs, len(explained), len(comparisons)),
        "notes": [one_line(note, 500) for note in notes],
    }


def sentence(names: Sequence[str], measures: Sequence[Measure], num_inputs: int) -> str:
    """What there is to say in a line or two."""
    correlation, same = (measure.values for measure in measures[:2])
    if len(names) == 2:
        return (
            f"{names[0]} and {names[1]} give {same[0, 1]:.1%} of {num_inputs:,} inputs the same label; their "
            f"logits correlate by {minus(f'{correlation[0, 1]:.3f}')}."
        )
    pairs = list(combinations(range(len(names)), 2))
    i, j = max(pairs, key=lambda pair: correlation[pair])
    k, m = min(pairs, key=lambda pair: correlation[pair])
    return (
        f"{len(names)} models on {num_inputs:,} inputs: {names[i]} and {names[j]} are the closest (their logits "
        f"correlate by {minus(f'{correlation[i, j]:.3f}')}, and {same[i, j]:.1%} of the inputs get the same label), "
        f"{names[k]} and {names[m]} the farthest ({minus(f'{correlation[k, m]:.3f}')}, "
        f"{same[k, m]:.1%})."
    )


def minus(number: str) -> str:
    """A number as text with a minus sign where there is a hyphen."""
    return number.replace("-", "−")


def _contradiction(names: Sequence[str], measures: Sequence[Measure]) -> str:
    """The pairs about which KL and m_CCA of the embeddings disagree most; "" where there is no saying."""
    found = {measure.column.name: measure for measure in measures}
    kl, cca = found["kl"], found["mean_cca_embeddings"]
    if len(names) < 3 or not np.isfinite(kl.distances).all():
        return ""
    seen = contradiction(kl.distances, cca.distances.clip(min=0.0), names=names)
    if seen.close_then_far is None or seen.far_then_close is None:
        return f"{kl.column.title} and {cca.column.title} rank all pairs alike."
    (a, b), (c, d) = seen.close_then_far, seen.far_then_close
    return (
        f"{kl.column.title} and {cca.column.title} disagree most about {a} and {b}, close in distribution and far in "
        f"representation, and about {c} and {d}, the other way round."
    )


def _missing(c: Comparison) -> str:
    """Why there are not all numbers; "" where there are."""
    reason = left_out(c)
    return f"{reason[0].upper()}{reason[1:]}." if reason else ""


def _replicates(models: Sequence[Representations], names: Sequence[str]) -> NDArray[np.float64] | None:
    """Distances without each group of inputs; None where there are too few to leave any out."""
    if models[0].num_inputs < FEWEST:
        return None
    return distances_without_groups(models, groups_of(models, names, None).codes, same_inputs=True)


def _overview(
    distances: NDArray[np.float64], names: Sequence[str], replicates: NDArray[np.float64] | None
) -> dict[str, Any]:
    threshold = distance_at(CORRELATED)
    groups = group_models(distances, threshold, names=names, replicates=replicates)
    places = model_map(distances, names=names)
    return {
        "order": list(groups.order),
        "linkage": rounded(groups.linkage),
        "support": rounded(groups.support, 3),
        "replicates": 0 if replicates is None else len(replicates),
        "threshold": rounded(threshold),
        "map": rounded(places.points),
        "mapShows": rounded(places.shown, 3),
        "distances": packed(distances, "float32"),
    }


def _drawn_rows(num_inputs: int, listed: Sequence[int], seed: int) -> list[int]:
    if num_inputs <= DRAWN + LISTED:
        return list(range(num_inputs))
    return sorted({*drawn_inputs(num_inputs, DRAWN, seed), *listed})


def _label_names(models: Sequence[Representations]) -> list[str]:
    named = next((model.label_names for model in models if model.label_names is not None), None)
    if named is None:
        return [str(index) for index in range(models[0].num_labels)]
    return [one_line(name, LONGEST_NAME) for name in named.tolist()]


def _as_dict(measure: Measure) -> dict[str, Any]:
    return {
        "name": measure.column.name,
        "title": measure.title,
        "meaning": measure.column.meaning.replace("{f,g}", "f,g"),
        "unit": measure.column.unit,
        "largerIsCloser": measure.column.larger_is_closer,
        "directed": measure.directed,
        "values": packed(measure.values, "float32"),
    }


def _model(model: Representations, name: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    for tensor in (model.embeddings, model.unembeddings, model.bias):
        if tensor is not None:
            digest.update(tensor.float().cpu().numpy().tobytes())
    return {
        "name": name,
        "dimension": model.dimension,
        "blackBox": model.black_box,
        "digest": digest.hexdigest()[:16],
    }


def _settings(
    models: Sequence[Representations], c: Comparison, inputs: Sequence[Input] | None, explained: int, pairs: int
) -> dict[str, str]:
    first = models[0]
    settings = {
        "closedist": version("closedist"),
        "inputs": f"{first.num_inputs:,}",
        "labels": f"{first.num_labels:,}",
        "intervals": f"95 %, by leaving out {c.groups} in turn" if c.groups else "none: they are for up to 300 pairs",
        "groups": f"complete linkage on √(2·(1 − logit correlation)), at first cut where it is {CORRELATED:g}",
        "explained": f"{explained:,} of {pairs:,} pairs have labels and inputs listed"
        + ("" if explained == pairs else ": every model with its nearest, and others evenly from near to far"),
    }
    if c.llv is not None:
        settings["d_LLV"] = (
            f"weight λ {minus(f'{c.weight:g}')}; terms by {c.reduction}, combined by {c.combine}; K {c.subset_size}"
        )
        settings["input set"] = (
            f"given: {', '.join(map(str, c.input_set or ()))}, the pivot input first"
            if c.num_samples is None
            else f"best of {c.num_samples} drawn with seed {c.seed}"
        )
    if first.input_ids is not None:
        digest = hashlib.sha256("\n".join(map(str, first.input_ids.tolist())).encode()).hexdigest()
        settings["digest of the input ids"] = digest[:16]
    if inputs is not None and all(isinstance(given, str) for given in inputs):
        digest = hashlib.sha256("\n".join(map(str, inputs)).encode()).hexdigest()
        settings["digest of the inputs' texts"] = digest[:16]
    return settings
