"""What the inputs are: a text, an image as an array or a file, or nothing, for each row."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from closedist.errors import InputError, brief
from closedist.explanation.table import one_line

Input = str | Path | NDArray[Any] | None

LONGEST_TEXT = 400
THUMBNAIL = 64  # pixels, the longer side at most
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_MOST_TEXT_BYTES = 1 << 30


def read_inputs(path: Path) -> Sequence[Input]:
    """The inputs that a file or a folder holds.

    Args:
        path: a text file with a line a row, a .npy file of (N, height, width) or (N, height, width, 3) images, or a
            folder whose pictures, by name, are the rows.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    try:
        if path.is_dir():
            return sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
        if path.suffix.lower() == ".npy":
            images = np.load(path, mmap_mode="r", allow_pickle=False)
            return images if images.ndim else [None]
        if path.stat().st_size > _MOST_TEXT_BYTES:
            raise InputError(f"--inputs: {path} has more than a GiB; give the rows' texts, or a .npy file of images")
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"--inputs: cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(
            f"--inputs: {path} is neither text in UTF-8 with a line a row nor a .npy file of images: {brief(error)}"
        ) from error


def check_count(inputs: Sequence[Input] | None, num_inputs: int, door: str = "inputs") -> None:
    """See that there is an input for every row; ``door`` is what the error calls the inputs.

    Raises:
        InputError: there are more or fewer.
    """
    if inputs is not None and len(inputs) != num_inputs:
        raise InputError(
            f"{door}: {len(inputs):,}, but the models have {num_inputs:,} inputs; give one for every row, in the order "
            "in which the models saw them"
        )


def shown_inputs(inputs: Sequence[Input] | None, ids: Any, rows: Sequence[int], room: int) -> dict[int, dict[str, Any]]:
    """What the page shows of inputs: ``id``, and ``text`` or ``image`` (a data URL) while there is room.

    Args:
        inputs: all N of them, or None.
        ids: of all N, or None.
        rows: which are shown, the most important first.
        room: bytes for texts and images.

    Raises:
        InputError: one is no text and no image.
    """
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        entry: dict[str, Any] = {} if ids is None else {"id": one_line(ids[row].tolist(), 80)}
        if inputs is not None and room > 0:
            entry |= _shown(inputs[row], row)
        room -= sum(len(value) for value in entry.values())
        found[row] = entry
    return found


def _shown(given: Input, row: int) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, str):
        return {"text": one_line(given, LONGEST_TEXT)}
    return {"image": _thumbnail(given, row)}


def _thumbnail(given: Path | NDArray[Any], row: int) -> str:
    from PIL import Image  # matplotlib brings it

    try:
        if isinstance(given, Path):
            with Image.open(given) as opened:
                picture = opened.convert("RGB")
        else:
            picture = Image.fromarray(_as_bytes(np.asarray(given))).convert("RGB")
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=80)
    except (OSError, ValueError, TypeError, Image.DecompressionBombError) as error:
        what = given if isinstance(given, Path) else f"an array of shape {np.shape(given)}"
        raise InputError(
            f"inputs: row {row}, {what}, is no image: {brief(error)}; give a text, a file that holds a picture, an "
            "array (height, width) or (height, width, 3), or None"
        ) from error
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _as_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values as they are; of other types, from the smallest to the largest or, within 0 and 1, as these."""
    if image.ndim == 3 and image.shape[0] in (1, 3) and image.shape[2] not in (1, 3):
        image = image.transpose(1, 2, 0)  # channels first, as PyTorch has it
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise ValueError("neither one number a pixel nor three")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype == np.uint8:
        return image
    values = image.astype(np.float64)
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    return np.rint((values - low) / (high - low) * 255).astype(np.uint8)
