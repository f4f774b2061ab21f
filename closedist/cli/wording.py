"""Errors in the words of the door: what Python calls subset_size=3 is --subset-size 3 on the command line."""

import re
from collections.abc import Iterable
from dataclasses import fields

from closedist.measures.settings import Settings

_OF_TEXTS = ("context", "device", "device_map", "dtype", "max_tokens", "num_pivots", "positions", "tokenizer")
ARGUMENTS = (*(field.name for field in fields(Settings)), *_OF_TEXTS)


def in_options(message: str, options: Iterable[str]) -> str:
    """A message of the library with its arguments as options: ``name=value`` anywhere, ``name:`` where it begins.

    Args:
        message: of an InputError.
        options: that the command has, such as --subset-size.
    """
    for option in options:
        name = option.removeprefix("--").replace("-", "_")
        if name in ARGUMENTS:
            message = re.sub(rf"\b{name}=True( to closedist\.\w+)?", option, message)
            message = re.sub(rf"\b{name}=[\"']?(\w+)[\"']?", rf"{option} \1", message)
            message = re.sub(rf"(^|: ){name}: ", rf"\1{option}: ", message)
    return message
