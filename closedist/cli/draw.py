"""The command draw: a picture of models on disk, for print."""

import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from closedist.cli.options import (
    DEFAULTS,
    PLAIN_FILES,
    USUAL,
    Common,
    Files,
    Measuring,
    NonNegative,
    check_output,
)
from closedist.cli.wording import two_files
from closedist.errors import InputError

Kind = Literal["heatmap", "map", "dendrogram", "pair", "labels"]
Format = Literal["png", "pdf", "svg"]


def draw(
    kind: Annotated[Kind, Parameter(help="Of all models: heatmap, map, dendrogram. Of two: pair, labels.")],
    files: Annotated[tuple[Path, ...], Parameter(help="Two or more files, as compare takes them.", json_list=False)],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    measure: Annotated[str | None, Parameter(name=["--measure", "--number"])] = None,
    threshold: NonNegative | None = None,
    measuring: Measuring = USUAL,
    read: Files = PLAIN_FILES,
    common: Common = DEFAULTS,
) -> None:
    """Draw models as a picture for print: heat map, map, dendrogram, a pair, its labels.

    Args:
        output: The picture's file, whose ending says the form: .png, .pdf or .svg. Default: KIND.png.
        measure: What a heat map shows, as JSON calls it: logit_correlation, kl, llv, dissimilarity, …. Default:
            logit_correlation.
        threshold: The largest distance within a group, in a map or a dendrogram. Default: where logits correlate
            by 0.9.
    """
    common.set_up()
    path = Path(f"{kind}.png") if output is None else output
    check_output(path, f"{kind}.png")
    ending = path.suffix.lower().removeprefix(".")
    if ending not in get_args(Format):
        raise InputError(
            f"--output: {path} ends in none of .png, .pdf and .svg; write it as {path.with_suffix('.pdf')}"
        )
    for option, given, kinds in (
        ("--measure", measure, ("heatmap",)),
        ("--threshold", threshold, ("map", "dendrogram")),
    ):
        if given is not None and kind not in kinds:
            raise InputError(f"{option}: of a {' or a '.join(kinds)}, and draw {kind} takes none; leave it out")
    if len(files) < 2:
        raise InputError(two_files(f"draw {kind}", files))
    from closedist.comparison.naming import short_names
    from closedist.extraction.files import distinct_names
    from closedist.page.draw import OF_A_PAIR, Drawn, picture
    from closedist.page.style import save
    from closedist.pairs import measure_pairs

    if kind in OF_A_PAIR and len(files) > 2:
        raise InputError(f"draw {kind} shows two models, and there are {len(files)} files; give two of them")
    models, note = read.load(files)
    names, pattern = short_names(distinct_names(files))
    settings = measuring.settings(same_inputs=read.same_inputs)
    comparisons = measure_pairs(models, None, settings, names)
    at = Drawn.threshold if threshold is None else threshold
    figure = picture(kind, Drawn(models, names, comparisons, measure or Drawn.measure, at))
    print(*save(figure, path.parent, path.stem, (ending,)))
    for line in filter(None, [note, pattern and f"names are what differs in {pattern}"]):
        print(line, file=sys.stderr)
