"""What closedist asks of ``transformers``, an optional extra, and its many-line errors as one line."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, cast
from urllib.parse import urlsplit
from weakref import finalize

import torch
from torch import OutOfMemoryError, nn

from closedist.errors import InputError
from closedist.system.files import read_json
from closedist.system.kinds import kind_of

SAVED = "give a folder that save_pretrained wrote, or the name of a causal language model"
DTYPES = ("auto", "float32", "bfloat16", "float16")
NanLabels = Literal["error", "ignore"]
_OF_GGUF = (
    "transformers opens a GGUF and saves it as a folder: AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=NAME)"
    ".save_pretrained(OTHER_FOLDER), and AutoTokenizer likewise; give that"
)
_SHOWN_WEIGHTS = 4
_MODELS = ("model folder", "adapter folder")


@dataclass(frozen=True)
class Loading:
    """How the weights of models are read.

    Attributes:
        dtype: auto (as stored), float32, bfloat16 or float16.
        device: where a model runs, such as cpu or cuda.
        device_map: lets accelerate place it instead, such as auto: over all GPUs, memory and disk.
        nan_labels: what to do where the head's rows of tokens are not finite: stop, or leave these tokens out. Such
            rows of no token are always left out.
    """

    dtype: str = "auto"
    device: str = "cpu"
    device_map: str | None = None
    nan_labels: NanLabels = "error"


AS_STORED = Loading()


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


def _meant_here(path: Path) -> bool:
    """Whether a name of nothing is a folder's with a slip, and none to ask the hub for: names there have one slash."""
    if len(path.parts) > 2:
        return True
    if not path.parent.is_dir():
        return False
    models = [each.name for each in path.parent.iterdir() if each.is_dir() and kind_of(each) in _MODELS]
    return bool(models) if len(path.parts) == 2 else bool(get_close_matches(path.name, models))


@cache
def _hub_is_known() -> bool:
    """Whether the hub's address has a number here: without a network the hub's library tries for a minute."""
    if any(key.lower() in ("https_proxy", "http_proxy", "all_proxy") for key in os.environ):
        return True  # which looks addresses up itself
    try:
        socket.getaddrinfo(urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname, None)
    except OSError:
        return False
    return True


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
    path = Path(name).expanduser()
    if not path.exists() and (name.startswith((".", "/", "~")) or _meant_here(path)):
        raise InputError(f"there is no folder {name}; {remedy}")
    if path.is_file():
        raise InputError(f"{name} is a file and no folder; {_OF_GGUF if kind_of(path) == 'gguf' else remedy}")
    cached_only = not path.exists() and not _hub_is_known()
    if cached_only:
        options["local_files_only"] = True
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
        if cached_only:
            raise InputError(
                f"there is no folder {name} here, the Hugging Face hub cannot be reached (is there a network?), and "
                f"its cache lacks the {what} of {name}; {remedy}"
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


def load_causal_model(name: str, loading: Loading) -> nn.Module:
    """A causal language model where it is to run.

    Raises:
        InputError: as :func:`read_causal_model`, or there is no such device or type.
    """
    if loading.dtype not in DTYPES:
        raise InputError(f"dtype: {loading.dtype!r}; it is one of {', '.join(DTYPES)}")
    if loading.device_map is not None:
        if loading.device != "cpu":
            raise InputError(f"device: {loading.device!r}, but device_map places the weights; leave one of both out")
        return read_causal_model(name, loading.dtype, loading.device_map)
    try:
        place = torch.device(loading.device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: {loading.device!r} is none that PyTorch can use here; cpu always is") from error
    return read_causal_model(name, loading.dtype).to(place)


def read_causal_model(name: str, dtype: str, device_map: str | None = None) -> nn.Module:
    """A causal language model, all of whose weights are in the checkpoint; an adapter is put onto its base.

    Args:
        name: a folder or a model's name on the hub.
        dtype: of the weights.
        device_map: how accelerate spreads them over GPUs, memory and disk; by default they are read into memory.

    Raises:
        InputError: it cannot be read, accelerate is needed and not installed, or ``transformers`` had to make up
            weights that the checkpoint lacks or has in another shape.
    """
    if device_map is not None and find_spec("accelerate") is None:
        raise InputError("device_map: the package accelerate places weights: pip install accelerate")
    base = base_of(name)
    if base is None:
        return cast(nn.Module, _read_whole_model(name, dtype, device_map))
    model = _read_whole_model(base, dtype, device_map)
    info = read_with(model.load_adapter, name, "adapter", f"is {base} the model that it was trained on?")
    if absent := set(getattr(info, "missing_keys", ())):  # transformers before 5 says nothing
        raise InputError(f"{name}: the adapter lacks weights, which would be random: {_some_of(absent)}; save it again")
    if any(part.is_meta for each in _without_hook(model) for part in each.parameters(recurse=False)):
        raise InputError(
            f"{name}: its base is on disk, where accelerate does not find an adapter's weights; merge the two "
            "(model.merge_and_unload().save_pretrained(FOLDER)) and give that folder, or leave --device-map out"
        )
    return cast(nn.Module, model)


def _without_hook(model: nn.Module) -> list[nn.Module]:
    """The modules for whose turn accelerate brings nothing."""
    return [module for module in model.modules() if not hasattr(module, "_hf_hook")]


def _read_whole_model(name: str, dtype: str, device_map: str | None) -> Any:
    read = transformers_library().AutoModelForCausalLM.from_pretrained
    # weights of other shapes are told of here, by name, and not by an error that names none
    options: dict[str, Any] = {"dtype": dtype, "output_loading_info": True, "ignore_mismatched_sizes": True}
    if device_map is None:
        model, info = read_with(read, name, "weights", **options)
    else:
        scratch = TemporaryDirectory(prefix="closedist-")  # for weights that are not as they lie in the checkpoint
        placed = {"device_map": device_map, "offload_folder": scratch.name}
        model, info = read_with(read, name, "weights", **options, **placed)
        finalize(model, scratch.cleanup)
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
    """Without the progress bars and warnings of ``transformers`` and its hub, which are as they were afterwards."""
    library, hub = transformers_library().utils.logging, logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)
    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        hub.setLevel(level)
        if bars:
            library.enable_progress_bar()
