"""The command draw: a picture of models on disk, for print."""

import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, NO_NAMES, ArrayNames, Common, Count, NonNegative
from closedist.errors import InputError
from closedist.measures.settings import Settings

Kind = Literal["heatmap", "map", "dendrogram", "pair", "labels"]
Format = Literal["png", "pdf", "svg"]


def draw(
    kind: Annotated[Kind, Parameter(help="Of all models: heatmap, map, dendrogram. Of two: pair, labels.")],
    files: Annotated[tuple[Path, ...], Parameter(help="Two or more files, as compare takes them.", json_list=False)],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    measure: str = "logit_correlation",
    threshold: NonNegative | None = None,
    num_samples: Count = Settings.num_samples,
    align: Annotated[bool, Parameter(negative=())] = False,
    same_inputs: Annotated[bool, Parameter(negative=())] = False,
    arrays: ArrayNames = NO_NAMES,
    common: Common = DEFAULTS,
) -> None:
    """Draw models as a picture for print.

    Args:
        output: its file, whose ending says the form: .png, .pdf or .svg; default: KIND.png.
        measure: what a heat map shows, as JSON calls it: logit_correlation, kl, llv, dissimilarity, ….
        threshold: the largest distance within a group, in a map or a dendrogram; default: where logits correlate
            by 0.9.
        num_samples: how many input sets are drawn for d_LLV.
        align: over the labels and the inputs that all files have, matched by their names.
        same_inputs: the inputs are the same, though in another form (image size, normalisation, tokenizer).
    """
    common.set_up()
    path = Path(f"{kind}.png") if output is None else output
    ending = path.suffix.lower().removeprefix(".")
    if ending not in get_args(Format):
        raise InputError(
            f"--output: {path} ends in none of .png, .pdf and .svg; write it as {path.with_suffix('.pdf')}"
        )
    if len(files) < 2:
        raise InputError(f"draw needs two files or more, as in: closedist draw {kind} p.safetensors q.safetensors")
    from closedist.comparison.naming import short_names
    from closedist.extraction.files import distinct_names, load_aligned
    from closedist.page.draw import OF_A_PAIR, Drawn, picture
    from closedist.page.measures import CORRELATED, distance_at
    from closedist.page.style import save
    from closedist.pairs import measure_pairs

    if kind in OF_A_PAIR and len(files) > 2:
        raise InputError(f"draw {kind} shows two models, and there are {len(files)} files; give two of them")
    models, note = load_aligned(files, arrays.given, align=align, say=lambda said: print(said, file=sys.stderr))
    names, pattern = short_names(distinct_names(files))
    settings = Settings(num_samples=num_samples, seed=common.seed, same_inputs=same_inputs)
    comparisons = measure_pairs(models, None, settings, names)
    at = distance_at(CORRELATED) if threshold is None else threshold
    figure = picture(kind, Drawn(models, names, comparisons, measure, at))
    print(*save(figure, path.parent, path.stem, (ending,)))
    for line in filter(None, [note, pattern and f"names are what differs in {pattern}"]):
        print(line, file=sys.stderr)
