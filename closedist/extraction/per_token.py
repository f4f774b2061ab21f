"""Copies of a language model token by token: a file of all, and the tokens in context where two models differ most."""

import json
import unicodedata
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from closedist.errors import InputError
from closedist.extraction.copies import ByToken, Copies
from closedist.system.files import write_atomically

_ENDINGS = (".safetensors", ".parquet")
_SHOWN_TOKEN = 13  # columns of a token in a list of 80
_EQUAL = 1e-12  # nats, below which KL is rounding
_CONTEXT = 80 - 2 - 9 - 2 * (_SHOWN_TOKEN + 2)
_TOKENS_OF_CONTEXT = 48


def check_per_token(path: Path) -> None:
    """Find out before anything is computed whether such a file can be written.

    Raises:
        InputError: its ending is not known, or pyarrow is needed and not installed.
    """
    if path.suffix not in _ENDINGS:
        raise InputError(f"--per-token: {path}; its name ends in {' or '.join(_ENDINGS)}")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise InputError("--per-token: parquet needs the package pyarrow: pip install pyarrow; or name a .safetensors")


def write_per_token(copies: Copies, texts: Iterable[Path], path: Path) -> None:
    """A row for every copy and input: name, document, position, token, kl, top and other_top.

    Of safetensors names and documents are numbers, which its metadata resolve, and tokens are ids; of parquet all three
    are text.

    Args:
        copies: what was found.
        texts: the documents.
        path: where to.

    Raises:
        InputError: it cannot be written.
    """
    places, parts, files = copies.places, copies.by_token, [str(text) for text in texts]
    names = [part.name for part in parts]
    columns: dict[str, Any] = {
        "name": np.repeat(np.arange(len(parts)), len(places.token)),
        "document": np.tile(places.document, len(parts)),
        "position": np.tile(places.position, len(parts)),
        "token": np.tile(places.token, len(parts)),
        "kl": np.concatenate([part.kl for part in parts]),
        "top": np.concatenate([part.top for part in parts]),
        "other_top": np.concatenate([part.other_top for part in parts]),
    }
    if path.suffix == ".safetensors":
        known = {"reference": copies.reference, "names": names, "documents": files}
        metadata = {key: json.dumps(value, ensure_ascii=False) for key, value in known.items()}
        arrays = {key: np.ascontiguousarray(values) for key, values in columns.items()}
        write_atomically(path, lambda temporary: save_file(arrays, temporary, metadata))
        return
    import pyarrow
    from pyarrow import parquet

    texts_of = {"name": names, "document": files}
    for key, values in texts_of.items():
        columns[key] = pyarrow.DictionaryArray.from_arrays(columns[key], values)
    for key in ("token", "top", "other_top"):
        ids, codes = np.unique(columns[key], return_inverse=True)
        columns[key] = pyarrow.DictionaryArray.from_arrays(codes, [copies.spelled[token] for token in ids.tolist()])
    write_atomically(path, lambda temporary: parquet.write_table(pyarrow.table(columns), temporary))


def differences_table(copies: Copies, part: ByToken, count: int) -> str:
    """The tokens in context where the reference and a copy differ most, at most 80 columns wide.

    Args:
        copies: what was found.
        part: of one of the copies.
        count: how many.
    """
    if float(part.kl.max()) < _EQUAL:
        return f"{part.name} gives every token the probability that {copies.reference} gives it: they differ nowhere"
    head = f"{'KL':>9}  {'text up to the token':<{_CONTEXT}}  "
    head += f"{_fitted(copies.reference, _SHOWN_TOKEN)}  {_fitted(part.name, _SHOWN_TOKEN)}"
    title = f"Where {part.name} differs most from {copies.reference}, and which token each thinks likeliest to follow"
    lines = [*wrap(title, 80), head.rstrip()]
    for row in np.argsort(-part.kl, kind="stable")[:count].tolist():
        tops = [_fitted(repr(_token(copies, int(top[row]))), _SHOWN_TOKEN) for top in (part.top, part.other_top)]
        sequence, offset = copies.windows.tokens[copies.places.sequence[row]], int(copies.places.offset[row])
        read = sequence[max(0, offset + 1 - _TOKENS_OF_CONTEXT) : offset + 1]
        context = _fitted(repr(_text(copies, read))[1:-1], _CONTEXT, end=True)
        lines.append(f"{part.kl[row]:9.4g}  {context}  {'  '.join(tops)}".rstrip())
    return "\n".join(lines)


def _text(copies: Copies, ids: Iterable[int]) -> str:
    return str(copies.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def _token(copies: Copies, token: int) -> str:
    text = _text(copies, [token])  # a part of a character is no text by itself
    return copies.spelled[token] if not text or "\ufffd" in text else text


def _fitted(text: str, width: int, *, end: bool = False) -> str:
    """A text in exactly so many columns of a terminal: cut, with … in place of the rest, or padded."""
    if sum(map(_columns, text)) > width:
        kept, left = [], width - 1
        for one in reversed(text) if end else text:
            left -= _columns(one)
            if left < 0:
                break
            kept.append(one)
        text = "…" + "".join(reversed(kept)) if end else "".join(kept) + "…"
    return text + " " * (width - sum(map(_columns, text)))


def _columns(character: str) -> int:
    """How many columns of a terminal a printable character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
