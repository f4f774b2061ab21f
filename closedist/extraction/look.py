"""The page to look at of language models: every position of the texts is an input, shown as its token in context."""

from collections.abc import Sequence
from pathlib import Path

from closedist.comparison import Comparison
from closedist.extraction.language_models import Extracted
from closedist.measures.settings import Settings
from closedist.page.write import compare_for_page, report

BEFORE, AFTER = 24, 4  # tokens of context
MARKS = ("⟦", "⟧")  # around the token after which models say what follows


def write_page(
    path: Path, found: Extracted, names: Sequence[str], settings: Settings, comparison: Comparison | None
) -> None:
    """Write the page of models while their representations are there.

    Args:
        path: of the page.
        found: the models, and what they read.
        names: theirs.
        settings: how they are compared.
        comparison: of two models, where it is made already; else all pairs are compared.

    Raises:
        InputError: as :func:`closedist.report`.
    """
    comparisons = compare_for_page(found.models, names, settings) if comparison is None else [comparison]
    notes = [found.note] * bool(found.note) + [f"a model says what follows {MARKS[0]}the marked token{MARKS[1]}"]
    report(found.models, path, names=names, inputs=texts_of(found), comparisons=comparisons, notes=notes)


def texts_of(found: Extracted) -> list[str]:
    """Every input's token, marked, between those before and after it in its sequence."""
    tokenizer, ids = found.vocabulary.tokenizer, found.models[0].input_ids
    texts = []
    for sequence, offset in [] if ids is None else ids.tolist():
        tokens = found.windows.tokens[sequence]
        parts = tokens[max(0, offset - BEFORE) : offset], tokens[offset : offset + 1], tokens[offset + 1 :][:AFTER]
        before, token, after = (str(tokenizer.decode(list(part), clean_up_tokenization_spaces=False)) for part in parts)
        texts.append(f"{'…' if offset > BEFORE else ''}{before}{MARKS[0]}{token}{MARKS[1]}{after}")
    return texts
