"""The paper's parser accepts all its options with every command, and its README relies on that; so do we, ours too."""

from cyclopts import App

from closedist.errors import InputError

# every option that the paper's commands take, and whether a value follows it
PAPER_OPTIONS = {
    "--output-folder": True,
    "--dataset-config": True,
    "--model-var-config": True,
    "--train-config": True,
    "--model-config": True,
    "--date-str": True,
    "--continue-from": True,
    "--train-seed": True,
    "--train-epochs": True,
    "--lr": True,
    "--weight-decay": True,
    "--layer-size": True,
    "--num-classes": True,
    "--dist-type": True,
    "--extra-suff": True,
    "--weight": True,
    "--sum-or-max": True,
    "--num-samples": True,
    "--final-dim": True,
    "--plot-type": True,
    "--use-train": False,
    "--cuda": False,
    "--data-folder": True,
    # ours, which these commands take everywhere
    "--checkpoint-folder": True,
    "--results-folder": True,
    "--figures-folder": True,
    "--metrics-folder": True,
    "--config-folder": True,
    "--seed": True,
    "--threads": True,
    "--log": True,
}


def without_unused_options(app: App, tokens: list[str]) -> tuple[list[str], list[str]]:
    """Drop those of the paper's options that the command, the first token, does not have itself.

    Returns:
        What is left, and the names of the options dropped.
    """
    command = app[tokens[0]]
    own = {name for argument in command.assemble_argument_collection() for name in argument.names}
    kept, dropped, rest = [tokens[0]], [], tokens[1:]
    while rest:
        token = rest.pop(0)
        name = token.partition("=")[0].replace("_", "-")
        if name in PAPER_OPTIONS and name not in own:
            dropped.append(name)
            if PAPER_OPTIONS[name] and "=" not in token and rest and not rest[0].startswith("--"):
                rest.pop(0)
        else:
            kept.append(token)
    return kept, list(dict.fromkeys(dropped))


def check_whole_numbers(app: App, tokens: list[str]) -> None:
    """Refuse a fraction for an option that counts, which cyclopts would round.

    Raises:
        InputError: the value of such an option has a decimal point.
    """
    arguments = app[tokens[0]].assemble_argument_collection()
    counting = {name for argument in arguments if argument.hint in (int, int | None) for name in argument.names}
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        name, equals, value = token.partition("=")
        value = value if equals else following
        if name.replace("_", "-") in counting and "." in value:
            raise InputError(f"{name}: {value!r} is not a whole number")
