"""Comparisons as rows: for data frames, and as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from closedist.comparison.record import Comparison, numbers
from closedist.errors import InputError


def rows(comparisons: Iterable[Comparison]) -> list[dict[str, Any]]:
    """Comparisons as plain dictionaries, one a pair, as ``pandas.DataFrame`` and ``polars.DataFrame`` take them.

    Args:
        comparisons: of any pairs of Representations.

    Returns:
        Of every pair the names of its models, "first" and "second", and then the fields of a :class:`Comparison`; what
        has several numbers is a list or a dictionary, what a pair does not have is None. Last the numbers that
        ``measures=`` named and that are no field.

    Examples:
        >>> import numpy as np, closedist
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> models = {"cold": closedist.Representations(f, g), "hot": closedist.Representations(f, 2 * g)}
        >>> [row] = closedist.rows(closedist.compare_all(models))
        >>> row["first"], row["second"], round(row["kl"], 2)
        ('cold', 'hot', 0.12)
    """
    if isinstance(comparisons, Comparison):
        raise InputError("comparisons: one Comparison; a list is needed, as in closedist.rows([c])")
    listed = list(comparisons)
    if not all(isinstance(c, Comparison) for c in listed):
        raise InputError("comparisons: a list of comparisons is needed, as closedist.compare_all gives it")
    found = [dict(zip(("first", "second"), c.names, strict=True)) | numbers(c) for c in listed]
    titles = dict.fromkeys(name for row in found for name in row if name != "names")
    return [{name: row.get(name) for name in titles} for row in found]


def as_csv(comparisons: Iterable[Comparison]) -> str:
    """The same as CSV with a line of names above; lists as JSON, and nothing where there is None."""
    found = rows(comparisons)
    return csv_of(found, list(found[0]) if found else ["first", "second"])


def csv_of(records: Iterable[Mapping[str, Any]], titles: Sequence[str]) -> str:
    """Records as CSV with a line of titles above, their keys."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    for record in records:
        values = (record[title] for title in titles)
        writer.writerow(
            [json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value for value in values]
        )
    return text.getvalue()
