"""Errors in the words of the door: what Python calls subset_size is --subset-size on the command line."""

import re
from collections.abc import Iterable
from dataclasses import fields

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
