"""What the predictions of compared pairs say input by input: Jensen–Shannon, quantiles of KL, chance, intervals."""

from collections.abc import Sequence
from typing import Any

import torch

from closedist.certainty.chance import chance_of_predictions
from closedist.certainty.groups import Groups
from closedist.certainty.intervals import by_number, wilson
from closedist.certainty.of_pairs import effective_number, means_without, pair_intervals
from closedist.measures.by_input import by_input_of_pairs, quantiles
from closedist.representations import Representations

_BATCH_ELEMENTS = 1 << 21  # divergences of all inputs and pairs at once: 16 MB, four times


def of_predictions(
    models: Sequence[Representations], pairs: Sequence[tuple[int, int]], groups: Groups | None
) -> list[dict[str, Any]]:
    """By field, of every pair, for any number of labels; intervals where groups of inputs are to be left out."""
    step = max(1, _BATCH_ELEMENTS // models[0].num_inputs)
    batches = (pairs[start : start + step] for start in range(0, len(pairs), step))
    return [fields for batch in batches for fields in _of_batch(models, batch, groups)]


def _of_batch(
    models: Sequence[Representations], pairs: Sequence[tuple[int, int]], groups: Groups | None
) -> list[dict[str, Any]]:
    numbers = sorted({number for pair in pairs for number in pair})
    within = {number: index for index, number in enumerate(numbers)}
    local = [(within[i], within[j]) for i, j in pairs]
    rows = by_input_of_pairs([models[number] for number in numbers], torch.tensor(local))
    inputs = effective_number(rows.kl).tolist()
    result: list[dict[str, Any]] = [
        {
            "js_divergence": float(rows.js[index].mean()),
            "kl_quantiles": quantiles(rows.kl[index]),
            "kl_inputs": inputs[index],
            "chance": chance_of_predictions(rows.of_pair(index, pair)),
        }
        for index, pair in enumerate(local)
    ]
    if groups is None:
        return result
    columns = {"kl": rows.kl, "kl_reverse": rows.kl_reverse, "js_divergence": rows.js, "same_top_label": rows.same_top}
    replicates = {name: means_without(column, groups.codes, groups.sizes) for name, column in columns.items()}
    values = {name: column.mean(-1) for name, column in columns.items()}
    found = pair_intervals(values, replicates, groups.sizes.to(rows.kl.device))
    if groups.independent:
        found["same_top_label"] = wilson(values["same_top_label"], rows.kl.shape[-1])
    for fields, intervals in zip(result, by_number(found), strict=True):
        fields |= {"intervals": intervals}
    return result
