"""The commands extract and compare-models: causal language models from Hugging Face."""

import json
import sys
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, Common, Count, Natural, Tolerance
from closedist.errors import InputError
from closedist.measures.settings import Combine, ConstantLabels, Reduction, Settings

if TYPE_CHECKING:
    from closedist.comparison import Comparison
    from closedist.extraction.copies import Copies
    from closedist.extraction.hugging_face import Loading
    from closedist.extraction.language_models import Extracted, Look
    from closedist.extraction.texts import Text

MODEL = "A folder that save_pretrained wrote, or a name on the Hugging Face hub."
Texts = Annotated[tuple[Path, ...], Parameter(help="UTF-8 text files.", json_list=False)]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Shown = Literal["json", "csv", "table"]
DeviceMap = Literal["auto", "balanced", "balanced_low_0", "sequential"]


def extract(
    model: Annotated[str, Parameter(help=MODEL)],
    texts: Texts,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    max_tokens: int = 20_000,
    context: int | None = None,
    positions: str = "all",
    tokenizer: str | None = None,
    dtype: Dtype = "auto",
    device: str = "cpu",
    device_map: DeviceMap | None = None,
    nan_labels: Literal["error", "ignore"] = "error",
    common: Common = DEFAULTS,
) -> None:
    """Write a language model's representations on texts: every position is an input, every token a label.

    A stopped extraction goes on when the same command is run again. Needs the package transformers.

    Args:
        output: the safetensors file, for closedist compare.
        max_tokens: how many positions at most, over all texts.
        context: tokens of a sequence; default: 512 or the most that the model takes.
        positions: which positions of a sequence are inputs: all, last, or a number s for every s-th.
        tokenizer: the folder or name of a tokenizer; default: the model's own.
        dtype: of the weights; auto takes them as they are stored.
        device: where the model runs, such as cpu or cuda.
        device_map: let the package accelerate place the weights, over GPUs, memory and disk.
        nan_labels: leave out tokens whose rows in the head are not finite (ignore), or stop (error).
    """
    common.set_up()
    from closedist.extraction.hugging_face import Loading
    from closedist.extraction.language_models import extract_language_model
    from closedist.extraction.texts import Text

    text = Text(texts, max_tokens, context, _positions(positions), tokenizer)
    loading = Loading(dtype, device, device_map, nan_labels)
    print(f"{output}: {extract_language_model(model, text, output, loading)!r}")


def compare_models(
    first: Annotated[str, Parameter(help=MODEL, show_default=False)] = "",
    second: Annotated[str, Parameter(help="The other model, or a copy.", show_default=False)] = "",
    rest: Annotated[
        tuple[str, ...],
        Parameter(help="UTF-8 text files; with --text, more copies.", json_list=False, show_default=False),
    ] = (),
    /,
    *,
    text: Annotated[
        tuple[Path, ...], Parameter(json_list=False, consume_multiple=True, negative=(), show_default=False)
    ] = (),
    max_tokens: int = 20_000,
    context: int | None = None,
    positions: str = "all",
    tokenizer: str | None = None,
    dtype: Dtype = "auto",
    device: str = "cpu",
    device_map: DeviceMap | None = None,
    folder: Path | None = None,
    num_pivots: Count | None = None,
    nan_labels: Literal["error", "ignore"] = "error",
    constant_labels: ConstantLabels = Settings.constant_labels,
    weight: float = Settings.weight,
    reduction: Reduction = Settings.reduction,
    combine: Combine = Settings.combine,
    num_samples: int = Settings.num_samples,
    subset_size: int | None = None,
    num_subsets: int | None = None,
    tolerance: Tolerance | None = None,
    intervals: bool = True,
    details: Annotated[bool, Parameter(negative=())] = False,
    differences: Natural = 20,
    per_token: Path | None = None,
    report: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative=())] = False,
    csv_output: Annotated[bool, Parameter(name="--csv", negative=())] = False,
    common: Common = DEFAULTS,
) -> None:
    """Compare two language models on texts, or with --text many copies of one (quantised, pruned) with it.

    closedist compare-models MODEL OTHER TEXT…, or closedist compare-models REFERENCE COPY… --text TEXT…: a row a copy,
    the closest first. Only one model is in memory at a time. Needs the package transformers.

    Args:
        text: UTF-8 text files; what stands after the first model are then copies of it.
        max_tokens: how many positions at most, over all texts.
        context: tokens of a sequence; default: 512 or the most that all models take.
        positions: which positions of a sequence are inputs: all, last, or a number s for every s-th.
        tokenizer: the folder or name of a tokenizer for all; default: each model's own.
        dtype: of the weights; auto takes them as they are stored.
        device: where the models run, such as cpu or cuda.
        device_map: let the package accelerate place the weights, over GPUs, memory and disk.
        folder: keep the representations here, and go on with them when run again.
        num_pivots: choose the pivot label among so many of the texts' most frequent tokens; default: among all tokens,
            with --text among 64.
        nan_labels: leave out tokens whose rows in a head are not finite (ignore), or stop (error).
        constant_labels: leave out tokens that no model distinguishes (ignore), or stop (error).
        weight: λ, of the scale terms.
        reduction: of the terms over labels.
        combine: of the four terms.
        num_samples: how many input sets are drawn.
        subset_size: K, the size of label subsets.
        num_subsets: sample so many label subsets where there are too many; default: search for the worst one.
        tolerance: within which the models count as the same; default: 0.05.
        intervals: confidence intervals, which the verdict rests on; texts are left out in turn, from 8 texts on.
        details: show what the table leaves out: the terms of d_LLV, the bounds, what was chosen.
        differences: with --text, show so many tokens in context where a copy differs most from the reference.
        per_token: with --text, write document, position, token, KL and both top tokens to this file, .safetensors or
            .parquet.
        report: write a page to look at, an HTML file: which tokens, and where in the texts, models differ; with --text
            of all pairs.
        json_output: print JSON.
        csv_output: with --text, print CSV, a line a copy.
    """
    common.set_up()
    if json_output and csv_output:
        raise InputError("--json and --csv: output is one or the other; leave one out")
    from closedist.extraction.hugging_face import Loading
    from closedist.extraction.texts import Text

    files = text or tuple(map(Path, rest))
    _check_named(second, files, bool(text))
    if report is not None and report.is_dir():
        raise InputError(f"--report: {report} is a folder; name the page's file, as in {report / 'report.html'}")
    look = None if report is None else _look(report, [first, second, *(rest if text else ())])
    reading = Text(files, max_tokens, context, _positions(positions), tokenizer)
    loading = Loading(dtype, device, device_map, nan_labels)
    settings = Settings(
        constant_labels=constant_labels,
        weight=weight,
        reduction=reduction,
        combine=combine,
        num_samples=num_samples,
        seed=common.seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
    )
    of_two = (("--tolerance", tolerance is not None), ("--no-intervals", not intervals), ("--details", details))
    for option, given in of_two if text else ():
        if given:
            raise InputError(
                f"{option}: of two models and their verdict; copies have a row of numbers each; leave it out"
            )
    if text:
        shown: Shown = "json" if json_output else "csv" if csv_output else "table"
        _compare_copies(
            first, (second, *rest), reading, loading, folder, num_pivots, settings, shown, differences, per_token, look
        )
        return
    for option, given in (("--csv", csv_output), ("--per-token", per_token is not None)):
        if given:
            raise InputError(f"{option}: of copies of one reference; name the texts with --text after the models")
    from closedist.certainty.verdict import TOLERANCE
    from closedist.comparison import as_dict, pair_table
    from closedist.extraction.files import distinct_names
    from closedist.extraction.language_models import compare_language_models

    compared = compare_language_models(
        first,
        second,
        reading,
        loading,
        folder=folder,
        num_pivots=num_pivots,
        settings=settings,
        intervals=intervals,
        look=look,
    )
    within = TOLERANCE if tolerance is None else tolerance
    if json_output:
        result = {"first": first, "second": second, "note": compared.note, **as_dict(compared.comparison, within)}
        print(json.dumps(result, indent=1))
        return
    called = distinct_names([Path(first), Path(second)])
    print(pair_table(compared.comparison, called, details=details, tolerance=within))
    if compared.note:
        print(f"\n{compared.note}")


def _look(path: Path, models: list[str]) -> "Look":
    """What writes the page of these models, and says where it is."""
    from closedist.extraction.files import distinct_names
    from closedist.extraction.look import write_page

    names = distinct_names([Path(model) for model in models])

    def look(found: "Extracted", settings: Settings, comparison: "Comparison | None") -> None:
        write_page(path, found, names, settings, comparison)
        print(f"to look at it, open {path}", file=sys.stderr)

    return look


def _check_named(second: str, texts: tuple[Path, ...], of_copies: bool) -> None:
    """Find out that models or texts were not named, or are where the other belongs."""
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
) -> None:
    """Compare copies with their reference, and print what was asked for: the closest last where lists are shown."""
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
        return
    for part in reversed(copies.by_token) if differences else ():
        print(differences_table(copies, part, differences), end="\n\n")
    print(copies_table(copies.rows, copies.reference))
    print()
    print(*(line for note in [_summary(copies), *copies.notes] for line in wrap(note, 80)), sep="\n")


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
