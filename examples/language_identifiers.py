"""Two published language identifiers as black boxes, langid and py3langid: are they one model, and how do they differ?

The second is the first's successor with a model of its own. Both score pieces of the translations that Django ships;
labels are the languages that both know. Prints what docs/examples.md shows. Takes ten seconds on one core.

    pip install langid py3langid django
    python examples/language_identifiers.py
"""

import gettext
import logging
from collections.abc import Mapping
from pathlib import Path

import django
import numpy as np
from langid.langid import LanguageIdentifier as FirstIdentifier
from langid.langid import model as first_model
from py3langid.langid import MODEL_FILE
from py3langid.langid import LanguageIdentifier as SecondIdentifier

import closedist

LENGTH, PIECES = 120, 30  # characters of a text; texts a language


def texts() -> tuple[list[str], list[str]]:
    """Pieces of equal length of each translation, and which translation each is from."""
    pieces, sources = [], []
    for file in sorted(Path(django.__file__).parent.glob("conf/locale/*/LC_MESSAGES/django.mo")):
        with file.open("rb") as opened:
            catalog: Mapping[object, str] = gettext.GNUTranslations(opened)._catalog  # type: ignore[attr-defined]
        words = " ".join(text for key, text in catalog.items() if key and "%" not in text)
        for start in range(0, min(len(words) - LENGTH, LENGTH * PIECES), LENGTH):
            pieces.append(words[start : start + LENGTH])
            sources.append(file.parts[-3])
    return pieces, sources


def member(identifier: FirstIdentifier | SecondIdentifier, pieces: list[str], labels: list[str]) -> np.ndarray:
    """(N, C) scores, which are log-probabilities but for a constant."""
    scores = [dict(identifier.rank(piece)) for piece in pieces]
    return np.array([[float(score[label]) for label in labels] for score in scores])


def main() -> None:
    """Score, compare, explain."""
    logging.disable(logging.WARNING)
    first, second = FirstIdentifier.from_modelstring(first_model), SecondIdentifier.from_model_file(MODEL_FILE)
    labels = sorted(set(first.nb_classes) & set(second.nb_classes))
    pieces, sources = texts()
    print(f"{len(pieces):,} texts of {len(set(sources))} translations, {len(labels)} languages that both know")
    p, q = (
        closedist.Representations.from_logits(member(identifier, pieces, labels), label_names=labels, groups=sources)
        for identifier in (first, second)
    )
    print(closedist.compare(p, q, intervals=True))
    print(closedist.explain(p, q, names=("langid", "py3langid")))


if __name__ == "__main__":
    main()
