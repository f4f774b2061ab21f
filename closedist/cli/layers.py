"""The command layers: every layer of a model against every other, or against another model's."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from closedist.cli.language_models import Dtype
from closedist.cli.options import DEFAULTS, OF_TEXTS, Common, check_output
from closedist.errors import InputError


def layers(
    model: Annotated[str, Parameter(help="A folder that save_pretrained wrote, or a name on the Hugging Face hub.")],
    other: Annotated[str | None, Parameter(help="Another model, whose layers are the columns.")] = None,
    /,
    *,
    text: Annotated[tuple[Path, ...], Parameter(name=["--text", "-t"], json_list=False)],
    measure: str = "cka",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    layers: Annotated[tuple[str, ...], Parameter(json_list=False, show_default=" ".join)] = ("hidden_states",),
    pool: Literal["tokens", "mean", "cls", "last"] = "tokens",
    max_tokens: Annotated[int, OF_TEXTS] = 20_000,
    context: Annotated[int | None, OF_TEXTS] = None,
    tokenizer: Annotated[str | None, OF_TEXTS] = None,
    dtype: Annotated[Dtype, OF_TEXTS] = "auto",
    device: Annotated[str, OF_TEXTS] = "cpu",
    common: Common = DEFAULTS,
) -> None:
    """Compare every layer of a language model with every other, or with those of another model, on texts.

    All pairs of layers come from one pass over the texts. Needs the package transformers.

    Args:
        text: UTF-8 text files.
        measure: Which measure: cka, debiased, procrustes, cca, r2, mutual_knn, or another of closedist.list_measures().
        output: The page (.html) or picture (.png, .svg, .pdf) to write. Default: print a table.
        layers: Which layers: hidden_states, or names of modules, which may be patterns such as 'h.*.mlp'.
        pool: What an input is: every one of the tokens, or each sequence by the mean, first (cls) or last one of them.
        max_tokens: How many tokens are read at most, over all texts.
        context: How many tokens a sequence has. Default: 512, or the most that the models take.
        tokenizer: The folder or name of a tokenizer for all. Default: each model's own.
        dtype: The type of the weights; auto takes them as they are stored.
        device: Where models run, such as cpu or cuda.
    """
    if output is not None:
        check_output(output, "layers.html")
    common.set_up()
    from closedist.extraction.files import distinct_names
    from closedist.extraction.layered_models import layers_on_texts
    from closedist.extraction.texts import Text
    from closedist.measures.catalogue import measure_called
    from closedist.page.layers import ENDINGS, draw_layers
    from closedist.pairs.layers import layer_matrix

    try:
        chosen = measure_called(measure)
    except InputError as error:
        raise InputError(f"--{error}") from error
    if output is not None and output.suffix.removeprefix(".").lower() not in ENDINGS:
        raise InputError(f"--output: {output}: the ending says what is written; it is one of {', '.join(ENDINGS)}")
    models = [model] if other is None else [model, other]
    names = distinct_names([Path(one) for one in models])
    try:
        found = layers_on_texts(
            models,
            Text(text, max_tokens, context, tokenizer=tokenizer),
            list(layers),
            pool=None if pool == "tokens" else pool,
            dtype=dtype,
            device=device,
            moments_only=chosen.moments,
            names=names,
        )
        matrix = layer_matrix(found, measure=measure)
    except InputError as error:
        raise InputError(f"--{error}" if str(error).startswith(("layers: ", "device: ")) else str(error)) from error
    if output is None:
        print(matrix)
        return
    read = f"Read: {', '.join(map(str, text))}; {matrix.num_inputs:,} inputs, {pool}; layers {', '.join(layers)}."
    draw_layers(matrix, output, names=[*names, *names][:2], notes=[read, f"Models: {', '.join(models)}."])
    print(output)
