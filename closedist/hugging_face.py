"""What closedist asks of ``transformers``, an optional extra, and its many-line errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from closedist.errors import InputError


def transformers_library() -> Any:
    """The package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise InputError("language models need the package transformers: pip install 'closedist[hf]'") from error
    return transformers


def read_with(read: Any, name: str, what: str, **options: Any) -> Any:
    """Call a reader of ``transformers``, which says of every failure what it is in many lines."""
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise InputError(
            f"there is no folder {name}; give one that save_pretrained wrote, or a model's name on the hub"
        )
    try:
        with quiet():
            return read(name, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            f"cannot read the {what} of {name}: {first_line(error)}; give a folder that save_pretrained wrote, or the "
            "name of a causal language model"
        ) from error


def first_line(error: BaseException) -> str:
    """The beginning of an error's text."""
    return str(error).strip().partition("\n")[0].rstrip(".")


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and warnings of ``transformers``, which are as they were afterwards."""
    library = transformers_library().utils.logging
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()
