"""The commands extract and compare-models: causal language models from Hugging Face."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from closedist.cli.options import (
    DEFAULTS,
    OF_TEXTS,
    OUTPUT,
    SURE,
    USUAL,
    Common,
    Count,
    MaxKL,
    Measuring,
    MinSameTop,
    Natural,
    Tolerance,
    check_output,
)
from closedist.errors import InputError
from closedist.measures.settings import Settings

if TYPE_CHECKING:
    from closedist.certainty.limits import Limits
    from closedist.comparison import Comparison
    from closedist.extraction.copies import Copies
    from closedist.extraction.hugging_face import Loading
    from closedist.extraction.language_models import Extracted, Look
    from closedist.extraction.texts import Text

MODEL = "A folder that save_pretrained wrote, or a name on the Hugging Face hub."
TEXTS = Parameter(name=["--text", "-t"], help="UTF-8 text files.", json_list=False, consume_multiple=True)
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Shown = Literal["json", "csv", "table"]
DIFFERENCES = 5  # tokens in context that are shown unless --differences says more
DeviceMap = Literal["auto", "balanced", "balanced_low_0", "sequential"]


@Parameter(name="*")
@dataclass(frozen=True)
class Reading:
    """How language models read texts.

    Attributes:
        max_tokens: How many positions are read at most, over all texts.
        context: How many tokens a sequence has. Default: 512, or the most that all models take.
        positions: Which positions of a sequence are inputs: all, last, or a number s for every s-th.
        tokenizer: The folder or name of a tokenizer for all. Default: each model's own.
        dtype: The type of the weights; auto takes them as they are stored.
        device: Where models run, such as cpu or cuda.
        device_map: Let the package accelerate place the weights, over GPUs, memory and disk.
        nan_labels: Leave out tokens whose rows in a head are not finite (ignore), or stop (error).
    """

    max_tokens: Annotated[int, OF_TEXTS] = 20_000
    context: Annotated[int | None, OF_TEXTS] = None
    positions: Annotated[str, OF_TEXTS] = "all"
    tokenizer: Annotated[str | None, OF_TEXTS] = None
    dtype: Annotated[Dtype, OF_TEXTS] = "auto"
    device: Annotated[str, OF_TEXTS] = "cpu"
    device_map: Annotated[DeviceMap | None, OF_TEXTS] = None
    nan_labels: Annotated[Literal["error", "ignore"], OF_TEXTS] = "error"

    def of(self, texts: tuple[Path, ...]) -> "tuple[Text, Loading]":
        """These texts as they are read, and models as they are loaded."""
        from closedist.extraction.hugging_face import Loading
        from closedist.extraction.texts import Text

        text = Text(texts, self.max_tokens, self.context, _positions(self.positions), self.tokenizer)
        return text, Loading(self.dtype, self.device, self.device_map, self.nan_labels)


ALL_OF_IT = Reading()


def extract(
    model: Annotated[str, Parameter(help=MODEL)],
    /,
    text: Annotated[tuple[Path, ...], TEXTS],
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    reading: Reading = ALL_OF_IT,
    common: Common = DEFAULTS,
) -> None:
    """Write a language model's representations on texts: every position is an input, every token a label.

    A stopped extraction goes on when the same command is run again. Needs the package transformers.

    Args:
        output: The safetensors file, for closedist compare.
    """
    check_output(output, "model.safetensors")
    common.set_up()
    from closedist.extraction.language_models import extract_language_model

    read, loading = reading.of(text)
    found = extract_language_model(model, read, output, loading)
    print(f"{output}: {found.num_inputs:,} inputs, {found.num_labels:,} labels, dimension {found.dimension}")


def compare_models(
    first: Annotated[str, Parameter(name="MODEL", help=MODEL, show_default=False)] = "",
    second: Annotated[str, Parameter(name="OTHER", help="The other model, or a copy.", show_default=False)] = "",
    rest: Annotated[
        tuple[str, ...],
        Parameter(name="TEXT", help="UTF-8 text files; with --text, more copies.", json_list=False, show_default=False),
    ] = (),
    /,
    *,
    text: Annotated[tuple[Path, ...], Parameter(json_list=False, consume_multiple=True, show_default=False)] = (),
    folder: Path | None = None,
    num_pivots: Count | None = None,
    reading: Reading = ALL_OF_IT,
    measuring: Measuring = USUAL,
    tolerance: Tolerance | None = None,
    max_kl: MaxKL = None,
    min_same_top: MinSameTop = None,
    check: Annotated[bool, SURE] = False,
    intervals: Annotated[bool, Parameter(negative="--no-intervals"), SURE] = True,
    details: Annotated[bool, OUTPUT] = False,
    differences: Annotated[Natural | None, OUTPUT] = None,
    per_token: Annotated[Path | None, OUTPUT] = None,
    report: Annotated[Path | None, OUTPUT] = None,
    json_output: Annotated[bool, Parameter(name="--json"), OUTPUT] = False,
    csv_output: Annotated[bool, Parameter(name="--csv"), OUTPUT] = False,
    common: Common = DEFAULTS,
) -> int:
    """Compare two language models on texts, or with --text many copies of one (quantised, pruned) with it.

    closedist compare-models MODEL OTHER TEXT…, or closedist compare-models REFERENCE COPY… --text TEXT…: a row a copy,
    the closest first. Only one model is in memory at a time. Needs the package transformers.

    Args:
        text: UTF-8 text files; what stands after the first model are then copies of it.
        folder: Keep the representations here, and go on with them when run again.
        num_pivots: Choose the pivot label among so many of the texts' most frequent tokens. Default: among all tokens,
            with --text among 64.
        tolerance: Within which the models count as the same. Default: 0.05.
        check: Exit with 0 where the models, or all copies, are within the limits given, 1 where one is not, 3 where
            that is undecided.
        intervals: Print confidence intervals, which the verdict rests on; texts are left out in turn, from 8 texts on.
        details: Show what the table leaves out: the terms of d_LLV, the bounds, what was chosen.
        differences: With --text, show at most so many tokens in context where a copy differs most from the reference.
            Default: 5.
        per_token: With --text, write document, position, token, KL and both top tokens to this file, .safetensors or
            .parquet.
        report: Write a page to look at, an HTML file: which tokens, and where in the texts, models differ; with --text
            of all pairs.
        json_output: Print JSON.
        csv_output: With --text, print CSV, a line a copy.
    """
    common.set_up()
    if json_output and csv_output:
        raise InputError("--json and --csv: output is one or the other; leave one out")
    files = text or tuple(map(Path, rest))
    _check_named(first, second, files, bool(text))
    if report is not None and report.is_dir():
        raise InputError(f"--report: {report} is a folder; name the page's file, as in {report / 'report.html'}")
    if folder is not None and folder.is_file():
        raise InputError(f"--folder: {folder} is a file; name a folder, which need not be there yet")
    look = None if report is None else _look(report, [first, second, *(rest if text else ())])
    read, loading = reading.of(files)
    settings = measuring.settings()
    of_two = (("--tolerance", tolerance is not None), ("--no-intervals", not intervals), ("--details", details))
    for option, given in of_two if text else ():
        if given:
            raise InputError(
                f"{option}: of two models and their verdict; copies have a row of numbers each; leave it out"
            )
    from closedist.cli.verdicts import exit_code, limits_of

    limits = limits_of(tolerance, max_kl, min_same_top)
    if text and check and max_kl is None and min_same_top is None:
        raise InputError(
            "--check: say by how much a copy may differ, with --max-kl, --min-same-top or both, as in --max-kl 0.01"
        )
    if not (intervals or text) and (check or max_kl is not None or min_same_top is not None):
        raise InputError("--no-intervals: --check, --max-kl and --min-same-top rest on intervals; leave it out")
    if text:
        shown: Shown = "json" if json_output else "csv" if csv_output else "table"
        code = _compare_copies(
            first, (second, *rest), read, loading, folder, num_pivots, settings, shown,
            DIFFERENCES if differences is None else differences, per_token, look, limits,
        )  # fmt: skip
        return code if check else 0
    of_copies = (
        ("--csv", csv_output),
        ("--per-token", per_token is not None),
        ("--differences", differences is not None),
    )
    for option, given in of_copies:
        if given:
            raise InputError(f"{option}: of copies of one reference; name the texts with --text after the models")
    from closedist.comparison import as_dict, pair_table
    from closedist.extraction.files import distinct_names
    from closedist.extraction.language_models import compare_language_models

    compared = compare_language_models(
        first,
        second,
        read,
        loading,
        folder=folder,
        num_pivots=num_pivots,
        settings=settings,
        intervals=intervals,
        look=look,
    )
    code = exit_code([compared.comparison], limits) if check else 0
    if json_output:
        result = {"first": first, "second": second, "note": compared.note, **as_dict(compared.comparison, limits)}
        print(json.dumps(result, indent=1))
        return code
    called = distinct_names([Path(first), Path(second)])
    print(pair_table(compared.comparison, called, details=details, limits=limits))
    print("\nto see where in the texts they differ, name these with --text")
    if compared.note:
        print(f"\n{compared.note}")
    return code


def _look(path: Path, models: list[str]) -> "Look":
    """What writes the page of these models, and says where it is."""
    from closedist.extraction.files import distinct_names
    from closedist.extraction.look import write_page

    names = distinct_names([Path(model) for model in models])

    def look(found: "Extracted", settings: Settings, comparison: "Comparison | None") -> None:
        write_page(path, found, names, settings, comparison)
        print(f"to look at it, open {path}", file=sys.stderr)

    return look


def _check_named(first: str, second: str, texts: tuple[Path, ...], of_copies: bool) -> None:
    """Find out that models or texts were not named, or are where the other belongs."""
    if Path(first).suffix == ".txt" and Path(first).is_file():
        raise InputError(
            f"{first} is a text where a model should be; models come first, as in: closedist compare-models MODEL "
            "OTHER text.txt"
        )
    if of_copies and not second:
        raise InputError(
            "compare-models needs a reference and one or more copies of it before --text, as in: closedist "
            "compare-models REFERENCE COPY --text text.txt"
        )
    if not (second and texts):
        raise InputError(
            "compare-models needs two models and a text, as in: closedist compare-models MODEL OTHER text.txt"
        )
    folder = next((path for path in texts if path.is_dir()), None)
    if folder is not None:
        raise InputError(f"{folder} is a folder and no text; more models come before --text, the texts after it")


def _compare_copies(
    reference: str,
    others: tuple[str, ...],
    text: "Text",
    loading: "Loading",
    folder: Path | None,
    num_pivots: int | None,
    settings: Settings,
    shown: Shown,
    differences: int,
    per_token: Path | None,
    look: "Look | None",
    limits: "Limits",
) -> int:
    """Compare copies with their reference, and print what was asked for: the closest last where lists are shown.

    Returns:
        The exit code of --check.
    """
    from closedist.cli.verdicts import exit_code_of_copies
    from closedist.comparison.copies import copies_as_csv, copies_as_dicts, copies_table
    from closedist.extraction.copies import NUM_PIVOTS, compare_copies
    from closedist.extraction.per_token import check_per_token, differences_table, write_per_token

    if per_token is not None:
        check_per_token(per_token)
    copies = compare_copies(
        reference,
        others,
        text,
        loading,
        folder=folder,
        num_pivots=num_pivots or NUM_PIVOTS,
        settings=settings,
        look=look,
    )
    if per_token is not None:
        write_per_token(copies, text.files, per_token)
        print(f"{per_token}: {len(copies.rows) * len(copies.places.token):,} rows", file=sys.stderr)
    if shown != "table":
        print(*copies.notes, sep="\n", file=sys.stderr)
        as_text = copies_as_csv(copies.rows) if shown == "csv" else json.dumps(copies_as_dicts(copies.rows), indent=1)
        print(as_text.rstrip("\n"))
        return exit_code_of_copies(copies.rows, limits)
    for part in reversed(copies.by_token) if differences else ():
        print(differences_table(copies, part, differences), end="\n\n")
    print(copies_table(copies.rows, copies.reference, limits))
    print()
    print(*(line for note in [_summary(copies), *copies.notes] for line in wrap(note, 80)), sep="\n")
    return exit_code_of_copies(copies.rows, limits)


def _summary(copies: "Copies") -> str:
    perplexity = "" if copies.perplexity is None else f", of perplexity {copies.perplexity:.4g}"
    texts = len(set(copies.windows.documents))
    return (
        f"The reference is {copies.reference}{perplexity}: {len(copies.places.token):,} positions of {texts} "
        f"text{'s' if texts > 1 else ''}, a vocabulary of {copies.num_labels:,}."
    )


def _positions(text: str) -> "int | Literal['all', 'last']":
    if text == "all":
        return "all"
    if text == "last":
        return "last"
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--positions: {text!r}; all, last or a whole number is needed") from None
