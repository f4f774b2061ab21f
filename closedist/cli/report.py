"""The command report: models on disk become a page to look at."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, MEASURING, PLAIN_FILES, USUAL, Common, Files, Measuring, Words, check_output
from closedist.cli.wording import two_files
from closedist.errors import InputError
from closedist.measures.settings import DEFAULT_MEASURES


def report(
    files: Annotated[tuple[Path, ...], Parameter(help="Two or more files, as compare takes them.", json_list=False)],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("report.html"),
    inputs: Path | None = None,
    measuring: Measuring = USUAL,
    read: Files = PLAIN_FILES,
    measures: Annotated[Words, MEASURING] = (),
    common: Common = DEFAULTS,
) -> None:
    """Write one HTML page of models: every pair, which belong together, and where any two of them differ.

    Args:
        output: The page; it needs no net and fetches nothing.
        inputs: What to show of the inputs, in the models' order: a text file with a line a row, a .npy file of images,
            or a folder of pictures, taken by name.
        measures: Show these too, as in procrustes,logit_distance.
    """
    common.set_up()
    if len(files) < 2:
        raise InputError(two_files("report", files))
    check_output(output, "report.html")
    from closedist.comparison import asked
    from closedist.comparison.naming import short_names
    from closedist.extraction.files import distinct_names, extraction_record
    from closedist.page.inputs import check_count, read_inputs
    from closedist.page.write import compare_for_page, report

    models, note = read.load(files)
    names, pattern = short_names(distinct_names(files))
    shown = None if inputs is None else read_inputs(inputs)
    check_count(shown, models[0].num_inputs, f"--inputs {inputs}")
    digest = extraction_record(files[0]).get("inputs")
    settings = measuring.settings(same_inputs=read.same_inputs, measures=asked([DEFAULT_MEASURES, *measures]))
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
