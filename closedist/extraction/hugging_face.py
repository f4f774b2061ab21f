"""What closedist asks of ``transformers``, an optional extra, and its many-line errors as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from torch import OutOfMemoryError, nn

from closedist.errors import InputError
from closedist.system.files import read_json

SAVED = "give a folder that save_pretrained wrote, or the name of a causal language model"
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


def read_with(read: Any, name: str, what: str, remedy: str = SAVED, **options: Any) -> Any:
    """Call a reader of ``transformers``, which says of every failure what it is in many lines.

    Args:
        read: the reader.
        name: a folder or a model's name on the hub.
        what: what it reads there, in errors.
        remedy: what to do where that fails.
        options: of the reader.

    Raises:
        InputError: it failed, in whatever way.
    """
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise InputError(f"there is no folder {name}; {remedy}")
    try:
        with quiet():
            return read(name, **options)
    except Exception as error:  # of a folder that is not what it should be each reader has its own
        # Python's, PyTorch's on a GPU, PyTorch's on the CPU
        if isinstance(error, MemoryError | OutOfMemoryError) or "allocate memory" in str(error):
            raise InputError(
                f"{name}: its {what} do not fit into memory ({first_line(error)}); take a smaller model, a smaller "
                "--dtype or a machine with more memory"
            ) from error
        raise InputError(f"cannot read the {what} of {name}: {first_line(error)}; {remedy}") from error


def base_of(name: str) -> str | None:
    """The base model that an adapter (LoRA and its kin) names, or None of what is a model by itself.

    Raises:
        InputError: it is an adapter that names none, or the package that opens adapters is not installed.
    """
    transformers_library()
    from transformers.utils.peft_utils import find_adapter_config_file

    path = read_with(find_adapter_config_file, name, "config")
    if path is None:
        return None
    config = read_json(Path(path))
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise InputError(
            f"{name} is an adapter whose {Path(path).name} does not name its base model; write the base's folder or "
            "name there, as base_model_name_or_path"
        )
    if find_spec("peft") is None:
        raise InputError(
            f"{name} is an adapter of {base}: pip install peft, which opens it; or merge the two where peft is "
            "(model.merge_and_unload().save_pretrained(FOLDER)) and give that folder"
        )
    return base


def read_causal_model(name: str, dtype: str) -> nn.Module:
    """A causal language model, all of whose weights are in the checkpoint; an adapter is put onto its base.

    Raises:
        InputError: it cannot be read, or ``transformers`` had to make up weights that the checkpoint lacks or has in
            another shape.
    """
    base = base_of(name)
    if base is None:
        return cast(nn.Module, _read_whole_model(name, dtype))
    model = _read_whole_model(base, dtype)
    info = read_with(model.load_adapter, name, "adapter", f"is {base} the model that it was trained on?")
    if absent := set(getattr(info, "missing_keys", ())):  # transformers before 5 says nothing
        raise InputError(f"{name}: the adapter lacks weights, which would be random: {_some_of(absent)}; save it again")
    return cast(nn.Module, model)


def _read_whole_model(name: str, dtype: str) -> Any:
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
        raise InputError(
            f"{name}: the checkpoint lacks weights of a {type(model).__name__}, which would be random: "
            f"{_some_of(absent)}. Save the model together with its head, as AutoModelForCausalLM, or give one that was "
            "trained as a causal language model"
        )
    return model


def _some_of(keys: set[str]) -> str:
    return ", ".join(sorted(keys)[:_SHOWN_WEIGHTS]) + (", …" if len(keys) > _SHOWN_WEIGHTS else "")


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
