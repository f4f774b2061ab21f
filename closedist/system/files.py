"""Reading and writing files so that a killed process, a full disk or a hostile file does no harm."""

import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from closedist.errors import InputError

MAX_JSON_BYTES = 1 << 24  # 16 MiB: far above any config or metrics; parsed, the worst of them takes some 400 MB
TEMPORARY_SUFFIX = ".tmp"


def check_name_part(option: str, text: str) -> None:
    """See that a text given on the command line can be part of a file's name, and of nothing else.

    Raises:
        InputError: it has a path separator or another character in it that has no place in a name, or is too long.
    """
    if not re.fullmatch(r"[\w.+ -]{0,64}", text):
        raise InputError(
            f"{option}: {text[:80]!r} cannot be part of a file's name; use up to 64 letters, digits, '-', '_', '+' and "
            "'.', and choose folders with their own options"
        )


def number_in_name(value: float | str) -> str:
    """A number as names of files have it: 1e-05 → 1e-05, 1.0 → 1_0."""
    return str(value).replace(".", "_")


def write_atomically(path: Path, write: bytes | Callable[[Path], None]) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk and rename it.

    A reader sees the old file or the new one, never a part of it.

    Args:
        path: the final name; its folder is created where missing.
        write: the bytes, or a function that writes them to the path it is given.

    Raises:
        InputError: the folder cannot be created or written to, or the disk is full.
    """
    # a random name, since two containers or two machines that share a folder can have equal process ids
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if callable(write):
                temporary.touch()
                mode = temporary.stat().st_mode
                write(temporary)
                if temporary.stat().st_mode != mode:  # safetensors makes files that only their owner can read
                    temporary.chmod(mode)
            else:
                temporary.write_bytes(write)
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; choose another folder or make room, then run the same "
            "command again"
        ) from error


def remove(path: Path) -> None:
    """Delete a file that has served its time, if it is there.

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot delete {path}: {error.strerror or error}; run the same command again") from error


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, atomically. NaN and infinity are refused, since no other reader accepts them."""
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Parse a JSON file of at most ``max_bytes`` strictly.

    Raises:
        InputError: the file is missing, unreadable, too large, not JSON, or has a duplicate key or a NaN in it.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)  # not by its stated size: a device has none
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise InputError(f"{path} has more than {max_bytes:,} bytes, far more than such a file needs")
    return parse_json(data, str(path))


def parse_json(data: bytes, name: str) -> Any:
    """Parse JSON bytes strictly; ``name`` says in errors where they came from.

    Raises:
        InputError: not JSON in UTF-8, nested too deeply, or with a duplicate key, a NaN, an infinity or a huge integer.
    """

    def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise InputError(f"{name}: the key {key!r} occurs twice; remove one of them")
            result[key] = value
        return result

    def refuse_constant(constant: str) -> Any:
        raise InputError(f"{name}: {constant} is not a number that JSON allows")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=refuse_duplicates, parse_constant=refuse_constant)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # JSONDecodeError, UnicodeDecodeError, integers of over 4300 digits
        raise InputError(f"{name} is not valid JSON: {error}") from error
