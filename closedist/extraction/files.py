"""Files that others wrote, as Representations: of NumPy, of PyTorch, safetensors with other names, logits as CSV."""

import csv
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from closedist.errors import InputError, brief, printable
from closedist.representations import Representations
from closedist.representations.alignment import aligned_with_note, over_same_labels
from closedist.representations.names import read_names
from closedist.system.kinds import kind_of, not_read, of_weights, some_of

_NAMES = ("input_ids", "label_names", "groups")
ROLES = ("embeddings", "unembeddings", "bias", "logits", *_NAMES)
_ENDINGS = (".safetensors", ".npz", ".npy", ".pt", ".pth", ".csv", ".tsv")
_MISSING = ("", "na", "n/a", "nan", "null", "none")
_ID_TITLES = ("", "id", "index", "input", "input_id", "input_ids")  # "" is what a data frame writes above its index

log = logging.getLogger(__name__)

Arrays = tuple[Mapping[str, Any], Sequence[str]]  # those that were asked for, and the names of all that there are


def load_some(
    paths: Sequence[Path], names: Mapping[str, str], align: bool, which: Sequence[int]
) -> list[Representations]:
    """The models with these numbers, as :func:`load_aligned` gives them among all; for a task on another machine."""
    models = load_aligned(paths, names, align=align, say=log.debug)[0]
    return [models[index] for index in which]


def load_aligned(
    paths: Sequence[str | Path],
    names: Mapping[str, str] | None = None,
    *,
    align: bool = False,
    say: Callable[[str], None] = log.info,
) -> tuple[list[Representations], str]:
    """Open files of representations for one comparison.

    Args:
        paths: files that ``extract`` or ``Representations.save`` wrote, or of others, as ``read`` takes them.
        names: what these others call their arrays.
        align: bring the models to the labels and inputs that all have, by their names.
        say: is called with a line on what was read from each file of others.

    Returns:
        The representations over the labels that all have, and a note on what was left out, or "".

    Raises:
        InputError: a file cannot be read, or two have different labels.
    """
    models, present = [], {}
    for place in map(Path, paths):
        model, said, present[place] = _read(place, names or {})
        models.append(model)
        if said:
            say(said)
    for role, name in (names or {}).items():
        if not any(name in own for own in present.values()):
            shown = "; ".join(f"{place} has {some_of(own) or 'none with names'}" for place, own in present.items())
            raise InputError(f'--{role}-name: no file has an array "{name}": {shown}; correct it, or leave it out')
    called = distinct_names([Path(one) for one in paths])
    if align:
        return aligned_with_note(models, called)
    try:
        return over_same_labels(models, called)
    except InputError as error:
        raise InputError(f"{error}; --align compares over the labels that all have") from error


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """What to call files or folders: by their names, and by as much of where they lie as tells them apart.

    A file's ending is left out where that does not matter: runs/a/p.npz and runs/b/p.npz are a/p and b/p, p.npz and
    p.pt stay themselves. A path that is there twice is numbered.
    """
    different = list(dict.fromkeys(paths))
    ways = [[printable(name) for name in _ways_to_call(path)] for path in different]
    names = [called[0] for called in ways]
    for level in range(1, max(map(len, ways))):
        twice = {name for name, count in Counter(names).items() if count > 1}
        longer = [called[min(level, len(called) - 1)] for called in ways]
        names = [new if name in twice else name for name, new in zip(names, longer, strict=True)]
    name_of, seen, numbered = dict(zip(different, names, strict=True)), Counter[str](), []
    for name in map(name_of.__getitem__, paths):
        seen[name] += 1
        numbered.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return numbered


def _ways_to_call(path: Path) -> list[str]:
    """Names of a path, the shortest first."""
    parts = path.parts[:-1]
    name = path.stem if path.suffix.lower() in _ENDINGS else path.name
    return [name, path.name, *(str(Path(*parts[-depth:], name)) for depth in range(1, len(parts) + 1))]


def extraction_record(path: Path) -> dict[str, Any]:
    """What ``extract`` noted in the file: digests of the model and the inputs, and settings. Empty for other files.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        if kind_of(path) != "safetensors":
            return {}
        with safe_open(str(path), framework="np") as file:
            record = json.loads((file.metadata() or {}).get("extraction", "{}"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InputError(not_read(path, error)) from error
    except (ValueError, RecursionError):
        return {}  # a note that is not ours
    return record if isinstance(record, dict) else {}


def read(path: Path, names: Mapping[str, str] | None = None) -> tuple[Representations, str]:
    """Representations from any file that holds embeddings and unembeddings, or logits.

    Args:
        path: a safetensors file, a .npz or a .pt of named tensors; a .npy or .pt of one array, which is logits; or a
            .csv of logits, one row an input, with label names above and input ids at the left where it has these.
        names: what the file calls its "embeddings", "unembeddings", "bias" or "logits", where not so.

    Returns:
        The representations, and a line that says what was read; "" for the files of ``Representations.save``.

    Raises:
        InputError: it cannot be read or has no such arrays; the message says what it is and what it has.
    """
    model, said, _ = _read(path, names or {})
    return model, said


def _read(path: Path, names: Mapping[str, str]) -> tuple[Representations, str, Sequence[str]]:
    """What ``read`` returns, and the names of all arrays of the file where names were given."""
    reader = _reader(path)
    if reader is None or (reader is _from_safetensors and not names):
        return Representations.load(path), "", []
    wanted = {role: (names.get(role, role), role) for role in ROLES}
    try:
        arrays, present = reader(path, set(chain(*wanted.values())))
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory; cut it to fewer inputs, or use a larger machine") from error
    except Exception as error:  # a damaged file can make the readers of NumPy and PyTorch fail in any way
        raise InputError(f"{path} is not a whole file: {brief(error)}; write it again") from error
    found = {
        role: next(name for name in ways if name in arrays) for role, ways in wanted.items() if {*ways} & {*arrays}
    }
    if reader is _from_safetensors and not {*names.values()} & {*arrays}:
        return Representations.load(path), "", present  # with all that ``save`` writes
    used = _chosen(found, {role for role in found if found[role] == names.get(role)}, path)
    try:
        model = _made({role: arrays[name] for role, name in used.items()})
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if model is None:
        remedy = of_weights(present) or (
            ". Say which these are: --embeddings-name and --unembeddings-name, or --logits-name"
        )
        has = some_of(present) or "no arrays with names"
        raise InputError(f"{path} has neither embeddings and unembeddings nor logits; it has {has}{remedy}")
    if "bias" in names and "bias" not in found:
        raise InputError(f'{path} has no array "{names["bias"]}" for --bias-name; it has {some_of(present)}')
    shown = ", ".join(role if name == role else f"{role} from {name}" for role, name in used.items())
    return model, f"{path}: {model!r} ({shown})", present


def _chosen(found: Mapping[str, str], named: set[str], path: Path) -> dict[str, str]:
    """The arrays to make a model of: those that the user named go before others that could be one too.

    Raises:
        InputError: the file has logits and embeddings, and both were named.
    """
    vectors = {"embeddings", "unembeddings"}
    if "logits" in named and named & vectors:
        raise InputError(f"{path} has both: logits and embeddings; leave --logits-name or the others out")
    left_out = vectors | {"bias"} if "logits" in named else {"logits"} if named & vectors else set()
    return {role: name for role, name in found.items() if role not in left_out}


def _reader(path: Path) -> Callable[[Path, set[str]], Arrays] | None:
    try:
        kind = kind_of(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if kind == "" and path.suffix.lower() in (".csv", ".tsv"):
        return _from_csv
    return {"safetensors": _from_safetensors, "npz": _from_npz, "npy": _from_npy, "torch": _from_torch}.get(kind)


def _made(arrays: Mapping[str, Any]) -> Representations | None:
    """Embeddings with unembeddings, else logits, else None."""
    named = {name: arrays.get(name) for name in _NAMES}
    if "embeddings" in arrays and "unembeddings" in arrays:
        return Representations(arrays["embeddings"], arrays["unembeddings"], arrays.get("bias"), **named)
    return Representations.from_logits(arrays["logits"], **named) if "logits" in arrays else None


def _from_safetensors(path: Path, wanted: set[str]) -> Arrays:
    with safe_open(str(path), framework="pt") as file:
        present = list(file.keys())
        arrays = {name: file.get_tensor(name) for name in present if name in wanted}
    return arrays | {name: read_names(arrays.get(name), name, path) for name in _NAMES if name in arrays}, present


def _from_npz(path: Path, wanted: set[str]) -> Arrays:
    with np.load(path) as archive:
        return {
            name: _plain(path, archive.__getitem__, name) for name in archive.files if name in wanted
        }, archive.files


def _from_npy(path: Path, wanted: set[str]) -> Arrays:
    return {"logits": _plain(path, lambda file: np.load(file, mmap_mode="r"), path)}, []


def _plain(path: Path, load: Callable[[Any], Any], what: Any) -> Any:
    try:
        return load(what)
    except ValueError as error:
        if "allow_pickle" not in str(error) and "Python objects" not in str(error):
            raise
        raise InputError(
            f"{path}: {Path(what).name} holds Python objects, which may hold code and are never loaded; save numbers, "
            "and names as np.array(names, dtype=str)"
        ) from error


def _from_torch(path: Path, wanted: set[str]) -> Arrays:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except UnpicklingError as error:
        raise InputError(
            f"{path} holds more than plain tensors, a whole model perhaps, and code in a file is never run: save its "
            "tensors, torch.save({'embeddings': f, 'unembeddings': g}, path), or make representations of the model in "
            "Python, closedist.extract(model, batches)"
        ) from error
    if isinstance(held, Tensor):
        return {"logits": held}, []
    if not isinstance(held, Mapping):
        raise InputError(
            f"{path} holds a {type(held).__name__}; a tensor of logits or a dictionary of tensors is needed"
        )
    return {name: held[name] for name in held if name in wanted}, [str(name) for name in held]


def _from_csv(path: Path, wanted: set[str]) -> Arrays:
    """One row an input, one column a label.

    The first line is a header where one of its cells, the first apart, is no number, or where it counts 0, 1, 2, … or
    1, 2, 3, … or begins as a column of ids does; the first column is ids where its title says so or an entry of it is
    no number and not merely missing.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        line = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max(",;\t", key=line.count))
        rows = [(reader.line_num, row) for row in reader if row]
    if not rows:
        raise InputError(f"{path} is empty; a line of logits for each input is needed")
    first = rows[0][1]
    titled = first[0].strip().lower() in _ID_TITLES
    counts = first == _counted(first) or (len(first) > 2 and first == _counted(first, 1))
    header = titled or not all(map(_is_number, first[1:])) or counts
    body = rows[1:] if header else rows
    with_ids = titled or not all(_is_number(row[0]) or row[0].strip().lower() in _MISSING for _, row in body)
    if len(first) == with_ids:
        raise InputError(
            f"{path} has no column of numbers; a line of logits for each input is needed, one for each label"
        )
    logits = np.empty((len(body), len(first) - with_ids))
    for index, (number, row) in enumerate(body):
        logits[index] = _numbers(row, len(first), int(with_ids), f"{path}, line {number}")
    arrays: dict[str, Any] = {"logits": logits}
    if with_ids:
        arrays["input_ids"] = _as_integers([row[0] for _, row in body])
    titles = first[with_ids:]
    if header and titles != _counted(titles):
        arrays["label_names"] = _as_integers(titles)
    return arrays, list(arrays)


def _numbers(row: list[str], width: int, start: int, place: str) -> list[float]:
    if len(row) != width:
        raise InputError(
            f"{place}: {len(row)} cells, the first line has {width}; every line needs a logit for each label"
        )
    wrong = next((column for column in range(start, width) if not _is_number(row[column])), None)
    if wrong is not None:
        raise InputError(f"{place}, column {wrong + 1}: {row[wrong][:40]!r} is no number; a logit is needed")
    return [float(cell) for cell in row[start:]]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _counted(cells: list[str], start: int = 0) -> list[str]:
    return [str(number) for number in range(start, start + len(cells))]


def _as_integers(cells: list[str]) -> list[str] | list[int]:
    return [int(cell) for cell in cells] if all(cell.lstrip("-").isdecimal() for cell in cells) else cells
