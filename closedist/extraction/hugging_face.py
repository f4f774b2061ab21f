"""What closedist asks of ``transformers``, an optional extra, and its many-line errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError
from torch import OutOfMemoryError, nn

from closedist.errors import InputError

_SHOWN_WEIGHTS = 4


def transformers_library() -> Any:
    """The package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise InputError("language models need the package transformers: pip install transformers") from error
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
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, MemoryError, SafetensorError) as error:
        # Python's, PyTorch's on a GPU, PyTorch's on the CPU
        if isinstance(error, MemoryError | OutOfMemoryError) or "allocate memory" in str(error):
            raise InputError(
                f"{name}: its {what} do not fit into memory ({first_line(error)}); take a smaller model, a smaller "
                "--dtype or a machine with more memory"
            ) from error
        raise InputError(
            f"cannot read the {what} of {name}: {first_line(error)}; give a folder that save_pretrained wrote, or the "
            "name of a causal language model"
        ) from error


def read_causal_model(name: str, dtype: str) -> nn.Module:
    """A causal language model, all of whose weights are in the checkpoint.

    Raises:
        InputError: it cannot be read, or ``transformers`` had to make up weights that the checkpoint lacks or has in
            another shape.
    """
    read = transformers_library().AutoModelForCausalLM.from_pretrained
    # weights of other shapes are told of here, by name, and not by an error that names none
    model, info = read_with(read, name, "weights", dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True)
    for key, found, wanted in sorted(info["mismatched_keys"]):
        raise InputError(
            f"{name}: {key} has shape {tuple(found)} in the checkpoint and {tuple(wanted)} by its config.json: "
            "give the config.json that the model was saved with"
        )
    tensors = {**dict(model.named_parameters(remove_duplicate=False)), **dict(model.named_buffers())}
    absent = set(info["missing_keys"])
    # a tied weight is there under another name
    present = {id(tensor) for key, tensor in tensors.items() if key not in absent}
    absent = {key for key in absent if key not in tensors or id(tensors[key]) not in present}
    if absent:
        shown = ", ".join(sorted(absent)[:_SHOWN_WEIGHTS]) + (", …" if len(absent) > _SHOWN_WEIGHTS else "")
        raise InputError(
            f"{name}: the checkpoint lacks weights of a {type(model).__name__}, which would be random: {shown}. Save "
            "the model together with its head, as AutoModelForCausalLM, or give one that was trained as a causal "
            "language model"
        )
    return cast(nn.Module, model)


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
