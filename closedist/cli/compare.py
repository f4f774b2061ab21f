"""The command compare: representations on disk against each other."""

import json
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from closedist.cli.cluster import NO_CLUSTER, Cluster
from closedist.cli.options import (
    DEFAULTS,
    MEASURING,
    OUTPUT,
    PLAIN_FILES,
    SURE,
    USUAL,
    Common,
    Count,
    Files,
    MaxKL,
    Measuring,
    MinSameTop,
    Rows,
    Tolerance,
    Words,
)
from closedist.cli.wording import two_files
from closedist.errors import InputError
from closedist.measures.settings import InputSearch, Settings


def compare(
    files: Annotated[tuple[Path, ...], Parameter(help="Two or more files.", json_list=False)],
    /,
    *,
    against: Path | None = None,
    measuring: Measuring = USUAL,
    input_set: Annotated[Rows | None, MEASURING] = None,
    input_search: Annotated[InputSearch, MEASURING] = Settings.input_search,
    pivots: Annotated[Rows | None, MEASURING] = None,
    tolerance: Tolerance | None = None,
    max_kl: MaxKL = None,
    min_same_top: MinSameTop = None,
    check: Annotated[bool, SURE] = False,
    intervals: Annotated[bool | None, Parameter(negative="--no-intervals"), SURE] = None,
    groups: Annotated[Path | None, SURE] = None,
    permutations: Annotated[Count | None, SURE] = None,
    read: Files = PLAIN_FILES,
    measures: Annotated[Words | None, MEASURING] = None,
    details: Annotated[bool, OUTPUT] = False,
    everything: Annotated[bool, Parameter(name="--all"), OUTPUT] = False,
    number: Annotated[str | None, OUTPUT] = None,
    json_output: Annotated[bool, Parameter(name="--json"), OUTPUT] = False,
    csv_output: Annotated[bool, Parameter(name="--csv"), OUTPUT] = False,
    cluster: Cluster = NO_CLUSTER,
    common: Common = DEFAULTS,
) -> int:
    """Compare models by their saved representations or logits: a table for two, a matrix for more.

    A file is one that closedist wrote (safetensors), or another with arrays called embeddings, unembeddings, bias or
    logits: .npz, .safetensors or .pt; or logits alone: .npy, .pt or .csv, one row an input, one column a label.
    Language models are compared by closedist compare-models.

    Args:
        against: Compare this file with each of the others, in place of all pairs.
        input_set: Measure at this set, as in 4,17,3 (the pivot input first), in place of the search.
        input_search: Take the best of random input sets, or search a diverse one; two files only.
        pivots: Choose the pivot label among these, as in 3,17. Default: among all labels.
        tolerance: Within which two models count as the same: 0.05, the default, asks for log-odds that correlate by
            0.95.
        check: Exit with 0 where all pairs are the same within the tolerance and the other limits given, 1 where a pair
            is not, 3 where that is undecided.
        intervals: Print confidence intervals and verdicts. Default: for up to 300 pairs.
        groups: A file with a line an input, the name of its group (document, patient); groups are left out whole.
        permutations: Permute the inputs so often, for p-values, such as 999; two files only.
        details: Show what a pair's table leaves out: the terms of d_LLV, the bounds, what was chosen.
        measures: Measure these and nothing else, as in kl,procrustes,logit_distance; "default" for all else too.
        everything: Show matrices of all numbers of many models.
        number: Which number the matrix of many models shows, by its name in Python. Default: logit_correlation.
        json_output: Print JSON.
        csv_output: Print CSV, a line a pair.
    """
    common.set_up()
    cluster.check(common)
    if json_output and csv_output:
        raise InputError("--json and --csv: output is one or the other; leave one out")
    paths = [*files] if against is None else [against, *(path for path in files if path.resolve() != against.resolve())]
    if len(paths) < 2:
        raise InputError(two_files("compare", paths))
    alone = len(paths) == 2
    if alone and cluster.slurm:
        raise InputError("--slurm: for three files or more; two are one pair, which takes no cluster; leave it out")
    if alone and number is not None:
        raise InputError(
            "--number: for the matrix of three files or more; two have a table of all numbers; leave it out"
        )
    for option, value in (("--permutations", permutations), ("--input-search", input_search != "random")):
        if value and not alone:
            raise InputError(f"{option}: for two files only, and these are {len(paths)}; leave it out")
    wanted = check or any(value is not None for value in (tolerance, max_kl, min_same_top, groups))
    if intervals is False and wanted:
        raise InputError("--no-intervals: verdicts, --check and --groups rest on intervals; leave it out")
    from itertools import combinations

    from closedist.cli.verdicts import MOST_PAIRS, clusters, exit_code, limits_of, read_groups
    from closedist.comparison import as_csv, as_dict, asked, left_out, matrix_table, pair_table, reference_table
    from closedist.extraction.files import distinct_names, load_some
    from closedist.pairs import measure_alone, measure_pairs, with_certainty

    models, note = read.load(paths)
    settings = measuring.settings(
        input_set=input_set,
        input_search=input_search,
        pivots=pivots,
        same_inputs=read.same_inputs,
        measures=asked(measures),
    )
    limits = limits_of(tolerance, max_kl, min_same_top)
    others = range(1, len(paths))
    pairs = list(combinations(range(len(paths)), 2)) if against is None else [(0, other) for other in others]
    sure = wanted or len(pairs) <= MOST_PAIRS if intervals is None else intervals
    labels = None if groups is None else read_groups(groups, models[0].num_inputs)
    called = [str(path) for path in paths]
    if alone:
        comparisons = [
            measure_alone(models, called, settings, intervals=sure, groups=labels, permutations=permutations)
        ]
    else:
        load = partial(load_some, [path.absolute() for path in paths], read.names, read.align)
        with cluster.workers(common, load) if cluster.slurm else nullcontext() as workers:
            comparisons = measure_pairs(models, pairs, settings, called, workers)
        if sure:
            comparisons = with_certainty(models, called, pairs, comparisons, settings, intervals=True, groups=labels)
    code = exit_code(comparisons, limits) if check else 0
    if csv_output:
        print(as_csv(comparisons), end="")
        if note:
            print(note, file=sys.stderr)
        return code
    if json_output:
        notes = "; ".join(filter(None, [note, left_out(comparisons[0])]))
        rows = [{"first": c.names[0], "second": c.names[1], "note": notes, **as_dict(c, limits)} for c in comparisons]
        print(json.dumps(rows, indent=1))
        return code
    names = distinct_names(paths)
    if alone:
        print(pair_table(comparisons[0], names, details=details, limits=limits))
    elif against is None:
        print(matrix_table(comparisons, names, number=number, everything=everything, limits=limits))
        print(f"\n{clusters(comparisons, names)}--all shows every number, --number NAME another one")
        if not sure:
            print(f"--intervals adds verdicts, which are left out above {MOST_PAIRS} pairs")
    else:
        print(reference_table(comparisons, names[0], names[1:], everything=everything, limits=limits))
    if note:
        print(f"\n{note}")
    return code
