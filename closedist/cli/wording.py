"""Errors in the words of the door: what Python calls subset_size is --subset-size on the command line."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin

from cyclopts import MissingArgumentError

from closedist.measures.settings import Settings

_OF_TEXTS = ("context", "device", "device_map", "dtype", "max_tokens", "num_pivots", "positions", "tokenizer")
ARGUMENTS = (*(field.name for field in fields(Settings)), *_OF_TEXTS)


def in_options(message: str, options: Iterable[str]) -> str:
    """A message of the library with its arguments as options: ``name=value`` is --name value.

    A name that could be a word of any sentence, such as weight, is one only there and in ``name:`` at a beginning.

    Args:
        message: of an InputError.
        options: that the command has, such as --subset-size.
    """
    for option in options:
        name = option.removeprefix("--").replace("-", "_")
        if name not in ARGUMENTS:
            continue
        message = re.sub(rf"(?<![\w/.]){name}=True( to closedist\.\w+)?", option, message)
        message = re.sub(rf"(?<![\w/.]){name}=[\"']?(\w+)[\"']?", rf"{option} \1", message)
        message = re.sub(rf"(^|: ){name}: ", rf"\1{option}: ", message)
        if "_" in name:
            message = re.sub(rf"(?<![\w/.-]){name}(?![\w/-]|\.\w)", option, message)
    return message


def two_files(command: str, files: Sequence[Path]) -> str:
    """What to say where a command has fewer than the two files that it needs."""
    if files and files[0].is_dir():
        return f"{files[0]} is a folder; give its files, as in: closedist {command} {files[0] / '*.safetensors'}"
    return f"{command} needs two files or more, as in: closedist {command} p.safetensors q.safetensors"


def missing(error: MissingArgumentError) -> str:
    """What is missing of a command line, and what it can be."""
    argument, command = error.argument, " ".join(error.command_chain or ())
    if argument is None or error.keyword is not None or argument.tokens:  # an option whose value is missing
        return " ".join(str(error).split())
    hint = argument.hint
    choices = f", one of {', '.join(map(str, get_args(hint)))}" if get_origin(hint) is Literal else ""
    name = argument.name
    if argument.field_info.is_positional and name.startswith("--"):
        name = f"{argument.field_info.name.upper()} (or {name})"
    return f"{command} needs {name}{choices}; closedist {command} --help says what it is"
