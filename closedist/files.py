"""Reading and writing files so that a killed process, a full disk or a hostile file does no harm."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from closedist.errors import InputError

MAX_JSON_BYTES = 1 << 28  # 256 MiB: far above any result file of ours, far below what exhausts a laptop
TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, write: bytes | Callable[[Path], None]) -> None:
    """Write a file under a temporary name in the same folder, flush it to disk and rename it.

    A reader sees the old file or the new one, never a part of it.

    Args:
        path: the final name; its folder is created where missing.
        write: the bytes, or a function that writes them to the path it is given.

    Raises:
        InputError: the folder cannot be created or written to, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if callable(write):
                write(temporary)
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


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON, atomically. NaN and infinity are refused, since no other reader accepts them."""
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


def read_json(path: Path) -> Any:
    """Parse a JSON file strictly.

    Raises:
        InputError: the file is missing, unreadable, too large, not JSON, or has a duplicate key or a NaN in it.
    """
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise InputError(f"{path} has {size:,} bytes; files above {MAX_JSON_BYTES:,} are refused")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
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
