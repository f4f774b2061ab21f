"""The command report: models on disk become a page to look at."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, NO_NAMES, ArrayNames, Common, Count, Words
from closedist.errors import InputError
from closedist.measures.settings import DEFAULT_MEASURES, ConstantLabels, Settings


def report(
    files: Annotated[tuple[Path, ...], Parameter(help="Two or more files, as compare takes them.", json_list=False)],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("report.html"),
    inputs: Path | None = None,
    num_samples: Count = Settings.num_samples,
    subset_size: Count | None = None,
    constant_labels: ConstantLabels = Settings.constant_labels,
    measures: Words = (),
    align: Annotated[bool, Parameter(negative=())] = False,
    same_inputs: Annotated[bool, Parameter(negative=())] = False,
    arrays: ArrayNames = NO_NAMES,
    common: Common = DEFAULTS,
) -> None:
    """Write one HTML page of models: every pair, which belong together, and where any two of them differ.

    Args:
        output: the page; it needs no net and fetches nothing.
        inputs: what to show of the inputs, in the models' order: a text file with a line a row, a .npy file of images,
            or a folder of pictures, taken by name.
        num_samples: how many input sets are drawn for d_LLV.
        subset_size: K, the size of label subsets.
        constant_labels: leave out labels that no model distinguishes (ignore), or stop (error).
        measures: show these too, as in procrustes,logit_distance.
        align: compare over the labels and the inputs that all files have, matched by their names.
        same_inputs: the inputs are the same, though in another form (image size, normalisation, tokenizer).
    """
    common.set_up()
    if len(files) < 2:
        raise InputError("report needs two files or more, as in: closedist report p.safetensors q.safetensors")
    if output.is_dir():
        raise InputError(f"--output: {output} is a folder; name the page's file, as in {output / 'report.html'}")
    from closedist.comparison import asked
    from closedist.comparison.naming import short_names
    from closedist.extraction.files import distinct_names, extraction_record, load_aligned
    from closedist.page.inputs import check_count, read_inputs
    from closedist.page.write import compare_for_page, report

    models, note = load_aligned(files, arrays.given, align=align, say=lambda said: print(said, file=sys.stderr))
    names, pattern = short_names(distinct_names(files))
    shown = None if inputs is None else read_inputs(inputs)
    check_count(shown, models[0].num_inputs, f"--inputs {inputs}")
    digest = extraction_record(files[0]).get("inputs")
    settings = Settings(
        num_samples=num_samples,
        seed=common.seed,
        subset_size=subset_size,
        constant_labels=constant_labels,
        same_inputs=same_inputs,
        measures=asked([DEFAULT_MEASURES, *measures]),
    )
    report(
        models,
        output,
        names=names,
        inputs=shown,
        comparisons=compare_for_page(models, names, settings),
        notes=[
            *filter(None, [note, pattern and f"names are what differs in {pattern}"]),
            *([] if digest is None else [f"extracted from the inputs with digest {digest}"]),
        ],
    )
    print(output)
