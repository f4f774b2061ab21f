"""Options that several commands share, and how their text becomes values. Nothing here imports PyTorch."""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from closedist.errors import InputError

if TYPE_CHECKING:
    import torch

    from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
    from closedist.paper.folders import Folders

FOLDERS = "Folders and log"
LARGEST = 8192  # width, label count or fixed length: what the configs take
MOST = 1000  # values of a list


def in_order(kind: Any, tokens: Sequence[Token]) -> tuple[float, ...]:
    """The values of a list such as ``64,64,32``, of the kind that the option's type has.

    Raises:
        ValueError: an entry is not such a number, or there are too many; cyclopts names the option.
    """
    number = get_args(kind)[0]
    parts = [part for token in tokens for part in token.value.split(",")]
    try:
        values = tuple(number(part) for part in parts)
    except ValueError:
        example = "4,16" if number is int else "0,20"
        raise ValueError(f"{','.join(parts)[:80]!r} is not a list of numbers; write it as {example}") from None
    if len(values) > MOST:
        raise ValueError(f"{len(values):,} values; give at most {MOST:,}")
    return values


def listed(kind: Any, tokens: Sequence[Token]) -> tuple[float, ...]:
    """The same of a list whose order says nothing.

    Raises:
        ValueError: as above, or an entry is given twice.
    """
    values = in_order(kind, tokens)
    if len(set(values)) < len(values):
        text = ",".join(token.value for token in tokens)
        raise ValueError(f"{text!r} names a value twice; leave one out")
    return values


def shown(values: tuple[float, ...]) -> str:
    """A list's default as one would write it."""
    return ",".join(map(str, values))


LIST = Parameter(converter=listed, n_tokens=1, negative=(), show_default=shown)
Natural = Annotated[int, Parameter(validator=Number(gte=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
NonNegative = Annotated[float, Parameter(validator=Number(gte=0, lt=math.inf))]
Tolerance = Annotated[float, Parameter(validator=Number(gt=0, lt=1))]
Layers = Annotated[
    tuple[int, ...],
    Parameter(converter=in_order, n_tokens=1, negative=(), show_default=False),
    Parameter(validator=Number(gte=1, lte=LARGEST)),
]
Widths = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=1, lte=LARGEST))]
Labels = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=3, lte=LARGEST))]
Lengths = Annotated[tuple[float, ...], LIST, Parameter(validator=Number(gte=0, lte=LARGEST))]
Seeds = Annotated[int, Parameter(validator=Number(gte=2, lte=MOST))]
Rows = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=0, lt=2**62), show_default=False)]
Words = Annotated[tuple[str, ...], LIST, Parameter(show_default=False)]


@Parameter(name="*", group=FOLDERS)
@dataclass(frozen=True)
class Common:
    """Options of every command.

    Attributes:
        data_folder: where image files are looked for.
        checkpoint_folder: trained and untrained models.
        results_folder: distances and accuracies.
        figures_folder: figures and tables.
        metrics_folder: losses during training.
        representations_folder: those of all seeds of a training, which stand for its checkpoints on test inputs.
        config_folder: where configs are looked for.
        seed: of all random draws that are not part of a training.
        threads: processor threads; results are equal to the bit for equal numbers. Default: all cores.
        log: how much to say on standard error.
    """

    data_folder: Path = Path("downloaded_data")
    checkpoint_folder: Path = Path("checkpoints")
    results_folder: Path = Path("results")
    figures_folder: Path = Path("figures")
    metrics_folder: Path = Path("metrics")
    representations_folder: Path = Path("representations")
    config_folder: Path = Path("configs")
    seed: Natural = 0
    threads: Count | None = None
    log: Literal["debug", "info", "warning"] = "info"

    @property
    def folders(self) -> "Folders":
        """The folders by their role."""
        from closedist.paper.folders import Folders

        return Folders(
            checkpoints=self.checkpoint_folder,
            results=self.results_folder,
            figures=self.figures_folder,
            metrics=self.metrics_folder,
            data=self.data_folder,
            representations=self.representations_folder,
        )

    def check_folders(self) -> None:
        """Refuse a file where a folder is to be written to, before anything is computed.

        Raises:
            InputError: one of the folders is a file.
        """
        for role in ("checkpoint", "results", "figures", "metrics", "representations"):
            path: Path = getattr(self, f"{role}_folder")
            if path.exists() and not path.is_dir():
                raise InputError(f"--{role}-folder: {path} is a file; give a folder, which is written to")

    def start_log(self) -> None:
        """Apply the log level."""
        logging.basicConfig(level=self.log.upper(), format="%(message)s", stream=sys.stderr)
        for noisy in ("matplotlib", "fontTools", "PIL"):
            logging.getLogger(noisy).setLevel(logging.WARNING)

    def set_up(self, default_threads: int | None = None) -> None:
        """Apply the log level and the number of threads; where neither option nor default says one, PyTorch's."""
        import torch

        self.start_log()
        threads = self.threads or default_threads
        if threads is not None:
            torch.set_num_threads(threads)


@Parameter(name="*")
@dataclass(frozen=True)
class ConfigFiles:
    """The three configs; a name that is no file is looked for in the config folder.

    Attributes:
        dataset_config: the data.
        model_var_config: the family of models.
        train_config: how they are trained.
    """

    dataset_config: Path | None = None
    model_var_config: Path | None = None
    train_config: Path | None = None

    def read(
        self, folder: Path, default_dataset: str, default_models: str, default_training: str
    ) -> tuple["DatasetConfig", "ModelVariationsConfig", "TrainConfig"]:
        """Read all three, the default's name taken where none is given."""
        from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config

        return (
            read_config(config_file(self.dataset_config or default_dataset, folder), DatasetConfig),
            read_config(config_file(self.model_var_config or default_models, folder), ModelVariationsConfig),
            read_config(config_file(self.train_config or default_training, folder), TrainConfig),
        )


def config_file(name: Path | str, folder: Path) -> Path:
    """Where a config is, if it is there: at its name or, if no file is, in the config folder."""
    path = Path(name)
    return path if path.is_file() else folder / path  # an absolute path stays itself


@Parameter(name="*")
@dataclass(frozen=True)
class ArrayNames:
    """What files of others call their arrays.

    Attributes:
        embeddings_name: what the files call their embeddings, where not so.
        unembeddings_name: what they call their unembeddings.
        bias_name: what they call their bias.
        logits_name: what they call their logits.
    """

    embeddings_name: str | None = None
    unembeddings_name: str | None = None
    bias_name: str | None = None
    logits_name: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """By the role of the array."""
        roles = ("embeddings", "unembeddings", "bias", "logits")
        return {role: name for role in roles if (name := getattr(self, f"{role}_name")) is not None}


NO_NAMES = ArrayNames()
DEFAULTS = Common()
NO_CONFIGS = ConfigFiles()

Cuda = Annotated[bool, Parameter(name="--cuda", negative=(), help="Compute on the GPU.")]
DateStr = Annotated[str, Parameter(name="--date-str", help="The first part of the names of checkpoints and results.")]


def formats_of(text: str | None, known: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that --format names; the default where it is not given.

    Raises:
        InputError: one is not known.
    """
    chosen = default if text is None else tuple(text.split(","))
    for name in chosen:
        if name not in known:
            raise InputError(f"--format: {name!r} is not one of {', '.join(known)}; write it as --format={known[0]}")
    return chosen


def device(cuda: bool) -> "torch.device":
    """The GPU where asked for, else the CPU.

    Raises:
        InputError: there is no GPU that PyTorch can use.
    """
    import torch

    if cuda and not torch.cuda.is_available():
        raise InputError("--cuda: PyTorch finds no GPU here; leave the option out, or install PyTorch's CUDA build")
    return torch.device("cuda" if cuda else "cpu")


def today() -> str:
    """Today's date as the files' names have it."""
    return date.today().isoformat()
