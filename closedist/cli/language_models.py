"""The commands extract and compare-models: causal language models from Hugging Face."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from closedist.cli.options import DEFAULTS, Common
from closedist.measures.settings import Combine, ConstantLabels, Reduction, Settings

Texts = Annotated[tuple[Path, ...], Parameter(help="UTF-8 text files.", json_list=False)]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


def extract(
    model: Annotated[str, Parameter(help="A folder that save_pretrained wrote, or a name on the Hugging Face hub.")],
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
        nan_labels: leave out tokens whose rows in the head are not finite (ignore), or stop (error).
    """
    common.set_up()
    from closedist.extraction.language_models import extract_language_model
    from closedist.extraction.texts import Text

    text = Text(texts, max_tokens, context, _positions(positions), tokenizer)
    print(
        f"{output}: {extract_language_model(model, text, output, dtype=dtype, device=device, nan_labels=nan_labels)!r}"
    )


def compare_models(
    first: Annotated[str, Parameter(help="A folder that save_pretrained wrote, or a name on the Hugging Face hub.")],
    second: Annotated[str, Parameter(help="The other model.")],
    texts: Texts,
    /,
    *,
    max_tokens: int = 20_000,
    context: int | None = None,
    positions: str = "all",
    tokenizer: str | None = None,
    dtype: Dtype = "auto",
    device: str = "cpu",
    folder: Path | None = None,
    num_pivots: int | None = None,
    nan_labels: Literal["error", "ignore"] = "error",
    constant_labels: ConstantLabels = Settings.constant_labels,
    weight: float = Settings.weight,
    reduction: Reduction = Settings.reduction,
    combine: Combine = Settings.combine,
    num_samples: int = Settings.num_samples,
    subset_size: int | None = None,
    num_subsets: int = 20,
    json_output: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common = DEFAULTS,
) -> None:
    """Compare two language models on texts; only one of them is in memory at a time. Needs the package transformers.

    Args:
        max_tokens: how many positions at most, over all texts.
        context: tokens of a sequence; default: 512 or the most that both models take.
        positions: which positions of a sequence are inputs: all, last, or a number s for every s-th.
        tokenizer: the folder or name of a tokenizer for both; default: each model's own.
        dtype: of the weights; auto takes them as they are stored.
        device: where the models run, such as cpu or cuda.
        folder: keep both representations here, and go on with them when run again.
        num_pivots: choose the pivot label among so many of the texts' most frequent tokens; default: among all tokens.
        nan_labels: leave out tokens whose rows in a head are not finite (ignore), or stop (error).
        constant_labels: leave out tokens that no model distinguishes (ignore), or stop (error).
        weight: λ, of the scale terms.
        reduction: of the terms over labels.
        combine: of the four terms.
        num_samples: how many input sets are drawn.
        subset_size: K, the size of label subsets.
        num_subsets: sample so many label subsets; d_f,g lies between the largest of these and the certificate.
        json_output: print JSON.
    """
    common.set_up()
    from closedist.comparison import as_dict, pair_table
    from closedist.extraction.files import distinct_names
    from closedist.extraction.language_models import compare_language_models
    from closedist.extraction.texts import Text

    compared = compare_language_models(
        first,
        second,
        Text(texts, max_tokens, context, _positions(positions), tokenizer),
        dtype=dtype,
        device=device,
        folder=folder,
        num_pivots=num_pivots,
        nan_labels=nan_labels,
        settings=Settings(
            constant_labels=constant_labels,
            weight=weight,
            reduction=reduction,
            combine=combine,
            num_samples=num_samples,
            seed=common.seed,
            subset_size=subset_size,
            num_subsets=num_subsets,
        ),
    )
    if json_output:
        result = {"first": first, "second": second, "note": compared.note, **as_dict(compared.comparison)}
        print(json.dumps(result, indent=1))
        return
    print(pair_table(compared.comparison, distinct_names([Path(first), Path(second)])))
    if compared.note:
        print(f"\n{compared.note}")


def _positions(text: str) -> "int | Literal['all', 'last']":
    if text == "all":
        return "all"
    if text == "last":
        return "last"
    from closedist.errors import InputError

    try:
        return int(text)
    except ValueError:
        raise InputError(f"--positions: {text!r}; all, last or a whole number is needed") from None
