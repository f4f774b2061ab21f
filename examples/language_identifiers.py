"""Two programs that tell languages apart, langid and py3langid, on the translations that Django ships.

The second is the first, made new: its models were trained anew. Both are black boxes here: a text goes in, a
log-probability of each language comes out, and only the languages that both know are compared. Inputs are the
messages of Django's own interface in every language that it is translated into; intervals leave out a language's
messages whole. Prints the numbers of docs/real-models.md. Half a minute on one core.

    pip install langid py3langid Django
    python examples/language_identifiers.py [MESSAGES OF A LANGUAGE]
"""

import gettext
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

import closedist

SHORTEST = 20  # characters of a message: fewer say little of a language


def translations(known: set[str], each: int) -> list[tuple[str, str]]:
    """So many messages of every language of Django's that is among the known: its code, and the message."""
    import django

    found = []
    for folder in sorted((Path(django.__file__).parent / "conf" / "locale").iterdir()):
        code, path = folder.name.split("_")[0], folder / "LC_MESSAGES" / "django.mo"
        if code not in known or code in dict(found) or not path.exists():
            continue  # pt_BR is Portuguese, of which pt was read
        with open(path, "rb") as file:
            messages = sorted({str(text) for key, text in gettext.GNUTranslations(file)._catalog.items() if key})
        found += [(code, text) for text in messages if len(text) >= SHORTEST and "%" not in text][:each]
    return found


def log_probabilities(package: str, texts: list[str]) -> tuple[np.ndarray, list[str]]:
    """What the package's model says of each text, up to a constant, and its languages."""
    module = import_module(f"{package}.langid")
    if package == "langid":
        identifier = module.LanguageIdentifier.from_modelstring(module.model)
    else:
        identifier = module.LanguageIdentifier.from_model_file(module.MODEL_FILE)
    ranked = [dict(identifier.rank(text)) for text in texts]
    names = sorted(ranked[0])
    return np.array([[float(one[name]) for name in names] for one in ranked]), names


def main(each: int) -> None:
    """Compare, and say where they differ."""
    languages = {package: set(log_probabilities(package, ["a"])[1]) for package in ("langid", "py3langid")}
    shared = set.intersection(*languages.values())
    inputs = translations(shared, each)
    codes, texts = [code for code, _ in inputs], [text for _, text in inputs]
    models = {}
    for package in languages:
        logits, names = log_probabilities(package, texts)
        keep = [names.index(name) for name in sorted(shared)]
        models[package] = closedist.Representations.from_logits(
            logits[:, keep],
            label_names=sorted(shared),
            groups=codes,
            input_ids=[f"{n} {t}" for n, t in enumerate(texts)],
        )
        right = np.array(sorted(shared))[logits[:, keep].argmax(1)] == np.array(codes)
        print(f"{package}: {len(names)} languages, {right.mean():.1%} of the messages in their own")
    print(f"{len(texts):,} messages of {len(set(codes))} languages; {len(shared)} languages are known to both\n")
    p, q = models.values()
    print(closedist.compare(p, q, intervals=True))
    print()
    print(closedist.explain(p, q, names=list(models)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
