"""The command explain: where two models on disk differ."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, OUTPUT, PLAIN_FILES, Common, Count, Files, Natural
from closedist.errors import InputError


def explain(
    first: Annotated[Path, Parameter(help="A file, as compare takes it.")],
    second: Annotated[Path, Parameter(help="Another on the same inputs and labels.")],
    /,
    *,
    rows: Count | None = None,
    pivot_label: Natural | None = None,
    inputs: Path | None = None,
    read: Files = PLAIN_FILES,
    json_output: Annotated[bool, Parameter(name="--json"), OUTPUT] = False,
    csv_output: Annotated[bool, Parameter(name="--csv"), OUTPUT] = False,
    common: Common = DEFAULTS,
) -> None:
    """Say where two models differ: labels, labels given for others, inputs and directions, worst first.

    Args:
        rows: How many rows each list has. Default: 10, and in JSON and CSV all, with the 50 worst inputs.
        pivot_label: The number of the label that t1's terms are against. Default: that with the smallest t1.
        inputs: What to call the inputs, in the models' order: a text file with a line a row, or a folder of pictures,
            taken by name. Default: the files' ids.
        json_output: Print JSON.
        csv_output: Print CSV, a line a label, label pair, input or direction.
    """
    common.set_up()
    if json_output and csv_output:
        raise InputError("--json and --csv: output is one or the other; leave one out")
    from dataclasses import replace

    from closedist.comparison.naming import short_names
    from closedist.explanation.pair import explain
    from closedist.explanation.records import LISTS, PRINTED, as_csv, text
    from closedist.extraction.files import distinct_names
    from closedist.page.inputs import check_count, read_inputs

    paths = [first, second]
    (p, q), note = read.load(paths)
    shown = None if inputs is None else read_inputs(inputs)
    check_count(shown, p.num_inputs, f"--inputs {inputs}")
    if shown is not None and not all(isinstance(given, str | Path) for given in shown):
        raise InputError(f"--inputs: {inputs} holds images without names; give a text file with a line a row")
    if pivot_label is not None and pivot_label >= p.num_labels:
        raise InputError(f"--pivot-label: {pivot_label}; the models have labels 0 … {p.num_labels - 1}")
    found = explain(
        p,
        q,
        names=short_names(distinct_names(paths))[0],
        num_inputs=max(rows or 0, 50),
        pivot_label=pivot_label,
        input_names=None if shown is None else [given.name if isinstance(given, Path) else given for given in shown],
        same_inputs=read.same_inputs,
    )
    if rows is not None and (json_output or csv_output):
        found = replace(found, **{name: getattr(found, name)[:rows] for name in LISTS})
    if json_output:
        print(json.dumps(found.as_dict() | {"note": note}, ensure_ascii=False, indent=1))
    elif csv_output:
        print(as_csv(found), end="")
    else:
        print(text(found, rows or PRINTED))
    if note and not json_output:
        print(f"\n{note}", file=sys.stderr if csv_output else sys.stdout)
