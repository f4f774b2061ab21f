"""One call from models to the page."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from closedist.certainty.groups import FEWEST
from closedist.comparison import Comparison
from closedist.errors import InputError
from closedist.measures.checks import check_comparable
from closedist.measures.settings import DEFAULTS, Settings
from closedist.page.content import content
from closedist.page.details import MOST_EXPLAINED
from closedist.page.inputs import Input, check_count
from closedist.page.render import page
from closedist.pairs import fitting_threads, measure_pairs, members_and_names, with_certainty
from closedist.representations import Representations
from closedist.system.files import write_atomically


def report(
    models: Sequence[Representations] | Mapping[str, Representations],
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    inputs: Sequence[Input] | None = None,
    comparisons: Sequence[Comparison] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write one HTML page that shows how near models are to each other, and where any two of them differ.

    It needs no net and no server, and fetches nothing: open the file. Embeddings are drawn at 1,000 inputs and those
    listed for the pairs, which the page says.

    Args:
        models: two or more representations of the same N inputs and C labels, in the same order; or a dictionary
            of them by name.
        path: of the page; written whole or not at all.
        names: of the models; by default p and q, or their numbers.
        inputs: for each of the N rows a text, an image (an array (height, width) or (height, width, 3), or the path of
            a picture), or None.
        comparisons: what :func:`compare_all` gave for these models, where other than its default settings are wanted;
            by default with intervals, of up to 300 pairs.
        notes: lines that the page shows with its settings, such as where the models are from.

    Raises:
        InputError: the models cannot be compared, an argument does not fit them, or the file cannot be written.

    Examples:
        >>> import numpy as np, closedist, pathlib, tempfile
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> models = {"cold": closedist.Representations(f, g), "hot": closedist.Representations(f, 2 * g)}
        >>> page = pathlib.Path(tempfile.mkdtemp(), "report.html")
        >>> closedist.report(models, page)
        >>> page.read_text()[:15]
        '<!doctype html>'
    """
    members, called = members_and_names(models, names)
    check_comparable(members, called, same_inputs=comparisons is not None)  # which looked at their inputs themselves
    check_count(inputs, members[0].num_inputs)
    pairs = len(members) * (len(members) - 1) // 2
    found = compare_for_page(members, called, DEFAULTS) if comparisons is None else comparisons
    if len(found) != pairs:
        raise InputError(f"comparisons: {len(found)}, but {len(members)} models have {pairs} pairs; pass all of them")
    with fitting_threads(members):
        shown = content(members, called, found, inputs, notes)
    write_atomically(Path(path), page(shown).encode())


def compare_for_page(
    models: Sequence[Representations], names: Sequence[str], settings: Settings
) -> Sequence[Comparison]:
    """All pairs, up to 300 with intervals: of more these take minutes, and of few inputs there are none.

    Raises:
        InputError: as :func:`closedist.compare_all`.
    """
    comparisons = measure_pairs(models, None, settings, names)
    if len(comparisons) > MOST_EXPLAINED or models[0].num_inputs < FEWEST:
        return comparisons
    pairs = list(combinations(range(len(models)), 2))
    return with_certainty(models, names, pairs, comparisons, settings, intervals=True)
