"""Reading a pickle of arrays as data: nothing that it names is imported, and nothing that it asks for is called.

A pickle is a program. This reader answers every name in it that NumPy writes for a plain array with a stand-in of ours,
which only keeps what it is given, and every other name with an error. What comes back is made of numbers, bytes, text,
lists, tuples, dictionaries and arrays.
"""

import io
import math
import pickle
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from closedist.errors import InputError, brief

ARRAY_TYPE = "ndarray"  # what numpy.ndarray is answered with: a word, which can neither be called nor changed

# a damaged pickle can fail in any of the ways that its instructions can
FAILURES = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError
)  # fmt: skip


class PickledArray:
    """What a pickle says of one array: the stand-in that is filled instead of a NumPy array."""

    __slots__ = ("contents", "dtype", "shape")

    def __init__(self) -> None:
        self.shape: object = None
        self.dtype: object = None
        self.contents: object = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, self.shape, self.dtype, by_columns, self.contents = state
        if by_columns:
            raise pickle.UnpicklingError("an array is stored by columns")

    def as_bytes(self) -> npt.NDArray[np.uint8]:
        """The array, if it is one of unsigned bytes whose size fits its shape.

        Raises:
            pickle.UnpicklingError: it is not.
        """
        if not isinstance(self.dtype, _PickledType) or self.dtype.code != "u1":
            raise pickle.UnpicklingError("an array is not of unsigned bytes")
        if not isinstance(self.contents, bytes | bytearray) or not isinstance(self.shape, tuple):
            raise pickle.UnpicklingError("an array has no contents")
        if not all(isinstance(size, int) and size >= 0 for size in self.shape):
            raise pickle.UnpicklingError("an array has no shape")
        if math.prod(self.shape) != len(self.contents):
            raise pickle.UnpicklingError(f"an array of shape {self.shape} has {len(self.contents):,} bytes")
        return np.frombuffer(self.contents, dtype=np.uint8).reshape(self.shape)


class _PickledType:
    """The stand-in for numpy.dtype: keeps the type's code, such as u1."""

    __slots__ = ("code",)

    def __init__(self, code: object, *_alignment: object) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, _byte_order: object) -> None:
        """Byte order and field names mean nothing for single bytes."""


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # the name before NumPy 2

        def reconstruct(*_type_and_shape: object) -> PickledArray:
            return PickledArray()

        def from_buffer(contents: object, dtype: object, shape: object, order: object, *_axes: object) -> PickledArray:
            array = PickledArray()
            array.__setstate__((1, shape, dtype, order != "C", contents))
            return array

        def encode(text: str, encoding: str) -> bytes:  # how Python 3 writes bytes for Python 2
            return text.encode("latin1") if encoding == "latin1" else self._refuse("_codecs.encode", encoding)

        stand_ins = {
            "numpy.ndarray": ARRAY_TYPE,
            "numpy.dtype": _PickledType,
            "numpy._core.multiarray._reconstruct": reconstruct,
            "numpy._core.numeric._frombuffer": from_buffer,
            "_codecs.encode": encode,
        }
        return stand_ins.get(f"{module}.{name}") or self._refuse(module, name)

    def persistent_load(self, pid: object) -> NoReturn:
        self._refuse("persistent object", str(pid))

    @staticmethod
    def _refuse(module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data file needs")


def read_inert_pickle(data: bytes, name: str) -> Any:
    """The content of a pickle, with a ``PickledArray`` for each array in it; texts of Python 2 come as bytes.

    Args:
        data: the whole file.
        name: the file, for errors.

    Raises:
        InputError: it asks for anything but arrays and plain values, or is not a pickle.
    """
    try:
        return _InertUnpickler(io.BytesIO(data), encoding="bytes").load()
    except FAILURES as error:
        raise InputError(f"{name} is refused: {brief(error)}. Nothing in it was run; fetch the file again") from error
