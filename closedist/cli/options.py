"""Options that several commands share, and how their text becomes values. Nothing here imports PyTorch."""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Group, Parameter, Token
from cyclopts.validators import Number

from closedist.errors import InputError
from closedist.measures.settings import Combine, ConstantLabels, Reduction, Settings

if TYPE_CHECKING:
    import torch

    from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
    from closedist.paper.folders import Folders
    from closedist.representations import Representations

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


def _ordered(position: int, name: str) -> Parameter:
    return Parameter(group=Group(name, sort_key=position))


# the groups of a command's help, in their order; what has none comes first
MEASURING = _ordered(1, "How d_LLV is computed")
SURE = _ordered(2, "How sure it is")
OF_FILES = _ordered(3, "What the files hold")
OF_TEXTS = _ordered(3, "How texts are read")
OUTPUT = _ordered(4, "Output")
FOLDERS = _ordered(5, "Folders")
THE_RUN = _ordered(6, "Run")
SLURM = _ordered(7, "SLURM")

LIST = Parameter(converter=listed, n_tokens=1, negative=(), show_default=shown, metavar="LIST")
Natural = Annotated[int, Parameter(validator=Number(gte=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
NonNegative = Annotated[float, Parameter(validator=Number(gte=0, lt=math.inf))]
Tolerance = Annotated[float, Parameter(validator=Number(gt=0, lt=1)), SURE]
MaxKL = Annotated[
    float | None,
    Parameter(
        help="How large KL may be in either direction, in nats, such as 0.01; it then decides the verdict too.",
        validator=Number(gt=0),
        show_default=False,
    ),
    SURE,
]
MinSameTop = Annotated[
    float | None,
    Parameter(
        help="Which share of the inputs must get the same label, such as 0.95; it then decides the verdict too.",
        validator=Number(gt=0, lt=1),
        show_default=False,
    ),
    SURE,
]
Layers = Annotated[
    tuple[int, ...],
    Parameter(converter=in_order, n_tokens=1, negative=(), show_default=False, metavar="LIST"),
    Parameter(validator=Number(gte=1, lte=LARGEST)),
]
Widths = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=1, lte=LARGEST))]
Labels = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=3, lte=LARGEST))]
Lengths = Annotated[tuple[float, ...], LIST, Parameter(validator=Number(gte=0, lte=LARGEST))]
Seeds = Annotated[int, Parameter(validator=Number(gte=2, lte=MOST))]
Rows = Annotated[tuple[int, ...], LIST, Parameter(validator=Number(gte=0, lt=2**62), show_default=False)]
Words = Annotated[tuple[str, ...], LIST, Parameter(show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every command.

    Attributes:
        threads: How many processor threads compute; for equal numbers of them results are equal to the bit. Default:
            all cores.
        log: How much to say on standard error.
    """

    threads: Annotated[Count | None, THE_RUN] = None
    log: Annotated[Literal["debug", "info", "warning"], THE_RUN] = "info"

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


Seed = Annotated[Natural, THE_RUN, Parameter(help="The seed of all random draws that are not part of a training.")]
DataFolder = Annotated[Path, FOLDERS, Parameter(help="Where image files are looked for.")]
CheckpointFolder = Annotated[Path, FOLDERS, Parameter(help="Trained and untrained models.")]
ResultsFolder = Annotated[Path, FOLDERS, Parameter(help="Distances and accuracies.")]
FiguresFolder = Annotated[Path, FOLDERS, Parameter(help="Figures and tables.")]
MetricsFolder = Annotated[Path, FOLDERS, Parameter(help="Losses during training.")]
RepresentationsFolder = Annotated[
    Path,
    FOLDERS,
    Parameter(help="Files for all seeds of a training, which stand for its checkpoints on test inputs."),
]
DATA, CHECKPOINTS, RESULTS = Path("downloaded_data"), Path("checkpoints"), Path("results")
FIGURES, METRICS, REPRESENTATIONS = Path("figures"), Path("metrics"), Path("representations")


def folders_of(**given: Path) -> "Folders":
    """The folders by their role; those that a command does not use have their default names."""
    from closedist.paper.folders import Folders

    return replace(Folders.under(Path()), **given)


def check_folders(folders: "Folders") -> None:
    """Refuse a file where a folder is to be written to, before anything is computed.

    Raises:
        InputError: one of the folders is a file.
    """
    for role in ("checkpoints", "results", "figures", "metrics", "representations"):
        path: Path = getattr(folders, role)
        if path.exists() and not path.is_dir():
            option = "checkpoint" if role == "checkpoints" else role
            raise InputError(f"--{option}-folder: {path} is a file; give a folder, which is written to")


def check_output(path: Path, example: str) -> None:
    """Refuse a folder where a file is to be written, before anything is computed.

    Raises:
        InputError: ``path`` is a folder.
    """
    if path.is_dir():
        raise InputError(f"--output: {path} is a folder; name the file, as in {path / example}")


@Parameter(name="*")
@dataclass(frozen=True)
class ConfigFiles:
    """The three configs; a name that is no file is looked for in the config folder.

    Attributes:
        dataset_config: The data.
        model_var_config: The family of models.
        train_config: How they are trained.
        config_folder: Where configs are looked for.
    """

    dataset_config: Path | None = None
    model_var_config: Path | None = None
    train_config: Path | None = None
    config_folder: Annotated[Path, FOLDERS] = Path("configs")

    def read(
        self, default_dataset: str, default_models: str, default_training: str
    ) -> tuple["DatasetConfig", "ModelVariationsConfig", "TrainConfig"]:
        """Read all three, the default's name taken where none is given.

        Raises:
            InputError: one is not there, or is not a config.
        """
        from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig, read_config

        return (
            read_config(self.file(self.dataset_config or default_dataset), DatasetConfig),
            read_config(self.file(self.model_var_config or default_models), ModelVariationsConfig),
            read_config(self.file(self.train_config or default_training), TrainConfig),
        )

    def place(self, name: Path | str) -> Path:
        """Where a config would be: at its name or, if no file is, in the config folder."""
        path = Path(name)
        return path if path.is_file() else self.config_folder / path  # an absolute path stays itself

    def file(self, name: Path | str) -> Path:
        """Where a config is.

        Raises:
            InputError: it is nowhere; the message says where the papers' are.
        """
        path = self.place(name)
        if not path.is_file():
            from closedist.paper.config import PAPERS

            raise InputError(
                f"there is no config {path}; the papers' come with closedist: --config-folder {PAPERS}"
                if (PAPERS / path.name).is_file()
                else f"there is no config {path}; --config-folder says where configs are, the papers' are in {PAPERS}"
            )
        return path


@Parameter(name="*")
@dataclass(frozen=True)
class Files:
    """How files are read, and what those of others call their arrays.

    Attributes:
        align: Compare over the labels and the inputs that all files have, matched by their names.
        same_inputs: Take the inputs for the same, though in another form (image size, normalisation, tokenizer).
        embeddings_name: What the files call their embeddings, where not so.
        unembeddings_name: What they call their unembeddings.
        bias_name: What they call their bias.
        logits_name: What they call their logits.
    """

    align: Annotated[bool, OF_FILES] = False
    same_inputs: Annotated[bool, OF_FILES] = False
    embeddings_name: Annotated[str | None, OF_FILES] = None
    unembeddings_name: Annotated[str | None, OF_FILES] = None
    bias_name: Annotated[str | None, OF_FILES] = None
    logits_name: Annotated[str | None, OF_FILES] = None

    @property
    def names(self) -> dict[str, str]:
        """Those given, by the role of the array."""
        roles = ("embeddings", "unembeddings", "bias", "logits")
        return {role: name for role in roles if (name := getattr(self, f"{role}_name")) is not None}

    def load(self, paths: Sequence[Path]) -> "tuple[list[Representations], str]":
        """The models, and what there is to say of how they were matched."""
        from closedist.extraction.files import load_aligned

        return load_aligned(paths, self.names, align=self.align, say=lambda said: print(said, file=sys.stderr))


@Parameter(name="*")
@dataclass(frozen=True)
class Measuring:
    """How d_LLV is put together, and how its labels and inputs are found.

    Attributes:
        weight: λ, which weights the scale terms.
        reduction: How the terms over labels become one.
        combine: How the four terms become one.
        num_samples: How many input sets are drawn.
        subset_size: K, the size of label subsets. Default: the representation dimension, or two less than the labels.
        num_subsets: Sample so many label subsets where there are more. Default: search for the worst one.
        constant_labels: Leave out labels that no model distinguishes (ignore), or stop (error).
        seed: The seed of what is drawn.
    """

    weight: Annotated[NonNegative, MEASURING] = Settings.weight
    reduction: Annotated[Reduction, MEASURING] = Settings.reduction
    combine: Annotated[Combine, MEASURING] = Settings.combine
    num_samples: Annotated[Count, MEASURING] = Settings.num_samples
    subset_size: Annotated[Count | None, MEASURING] = None
    num_subsets: Annotated[Count | None, MEASURING] = None
    constant_labels: Annotated[ConstantLabels, MEASURING] = Settings.constant_labels
    seed: Annotated[Natural, MEASURING] = Settings.seed

    def settings(self, **others: Any) -> Settings:
        """All settings of a comparison: these, and what a command has besides."""
        return Settings(**vars(self), **others)


DEFAULTS = Common()
NO_CONFIGS = ConfigFiles()
PLAIN_FILES = Files()
USUAL = Measuring()

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
