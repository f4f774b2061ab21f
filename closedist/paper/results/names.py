"""What the paper's result files are called, and how to find the newest that a figure needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from closedist.errors import InputError
from closedist.measures.settings import Settings
from closedist.paper.config import CIFAR10, RADIAL
from closedist.paper.results.archive import ResultsSource
from closedist.system.files import check_name_part, number_in_name

SMALL_MLP = "SmallMLP"
RESNET = "ResNetCIFAR10"
RESNET_STEPS = 20_000
DISTANCES_PART = "_model_distances_"
ACCURACIES_PART = "_model_acc_"


def distances_file_name(
    *,
    date: str,
    split: str,
    settings: Settings,
    model_type: str,
    fix_length_g: float,
    fix_length_f: float,
    width: int,
    num_classes: int,
    rep_dim: int,
    train_steps: int,
    dataset: str = RADIAL,
    extra_suffix: str = "",
) -> str:
    """The name of the file with the distances between all pairs of seeds of one configuration.

    Args:
        split: "train" or "test".
        settings: of which the name has the reduction (the commands' dist-type), combine (their sum-or-max) unless it is
            the sum, and λ as Python prints the float.
        fix_length_g: the length the unembeddings were fixed to, 0 where free; ``fix_length_f`` the embeddings'.
        dataset: the data set, which the name says unless it is one of the paper's two.

    Raises:
        InputError: the date or the suffix cannot be part of a name.
    """
    combine = "" if settings.combine == "sum" else settings.combine
    method = f"{_split(split)}_{settings.reduction}{combine}_w{number_in_name(float(settings.weight))}"
    lengths = "".join(
        f"_{name}_{number_in_name(f'{r:g}')}" for name, r in (("g", fix_length_g), ("f", fix_length_f)) if r > 0
    )
    network = f"{model_type}{lengths}_{_configuration(model_type, width, num_classes, rep_dim, train_steps)}"
    return _dated(date, f"{DISTANCES_PART}{method}_{network}", dataset, extra_suffix)


def accuracies_file_name(
    *,
    date: str,
    split: str,
    model_type: str,
    fix_length_g: float = 0,
    fix_length_f: float = 0,
    width: int,
    num_classes: int,
    rep_dim: int,
    train_steps: int,
    dataset: str = RADIAL,
    extra_suffix: str = "",
) -> str:
    """The name of the file with every model's accuracy; all length settings of a width share one file.

    Args:
        split: "train" or "test".
        fix_length_g: accepted for symmetry with :func:`distances_file_name`; not part of the name, nor is the other.

    Raises:
        InputError: the date or the suffix cannot be part of a name.
    """
    network = f"{model_type}_{_configuration(model_type, width, num_classes, rep_dim, train_steps)}"
    return _dated(date, f"{ACCURACIES_PART}{_split(split)}_{network}", dataset, extra_suffix)


def mcca_file_name(
    *, rep_dim: int, model_type: str = RESNET, train_steps: int = RESNET_STEPS, dataset: str = CIFAR10
) -> str:
    """The name of the file with the canonical correlations of every pair of CIFAR-10 models."""
    return f"mcca_cifar_fd{rep_dim}{_images(model_type, train_steps, dataset)}.json"


def loss_file_name(
    *, rep_dim: int, model_type: str = RESNET, train_steps: int = RESNET_STEPS, dataset: str = CIFAR10
) -> str:
    """The name of the file with the final losses of the CIFAR-10 models."""
    return f"loss_cifar_fd{rep_dim}{_images(model_type, train_steps, dataset)}.json"


def _dated(date: str, of: str, dataset: str, extra_suffix: str) -> str:
    check_name_part("--date-str", date)
    check_name_part("--extra-suff", extra_suffix)
    return f"{date}{of}{_foreign(dataset)}{extra_suffix}.json"


def _configuration(model_type: str, width: int, num_classes: int, rep_dim: int, train_steps: int) -> str:
    return f"{width}_cls{num_classes}" if model_type == SMALL_MLP else f"{width}_fd{rep_dim}_{train_steps}"


def _images(model_type: str, train_steps: int, dataset: str) -> str:
    usual = (model_type, train_steps) == (RESNET, RESNET_STEPS)
    return ("" if usual else f"_{model_type}_{train_steps}") + _foreign(dataset)


def _foreign(dataset: str) -> str:
    """What a name says of the data: nothing of the paper's two, of any other its name, so that no two share a file."""
    return "" if dataset in (RADIAL, CIFAR10) else f"_{dataset}"


def _split(split: str) -> str:
    if split not in ("train", "test"):
        raise InputError(f"split: {split!r} is neither 'train' nor 'test'")
    return split


# --- the newest date -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatedFiles:
    """Which date a figure takes its results from.

    Attributes:
        date: the date as file names have it; None where no date has any file that is needed.
        found: the needed files that are there, in the order of need.
        missing: the needed files that are not.
    """

    date: str | None
    found: tuple[str, ...]
    missing: tuple[str, ...]


def dates(source: ResultsSource) -> tuple[str, ...]:
    """All dates of distances and accuracies in a source, oldest first."""
    parts = (DISTANCES_PART, ACCURACIES_PART)
    return tuple(sorted({name.split(part)[0] for name in source.names for part in parts if part in name}))


def newest_date(source: ResultsSource, needed: Callable[[str], Sequence[str]], date: str | None = None) -> DatedFiles:
    """The newest date that has all the files needed; where none has all, the newest among those with the most.

    Args:
        needed: the names of the files needed, given a date.
        date: this date and no other.
    """
    best = DatedFiles(None, (), tuple(needed(date or "DATE")))
    for candidate in dates(source) if date is None else (date,):
        names = needed(candidate)
        found = tuple(name for name in names if name in source)
        if found and len(found) >= len(best.found):
            best = DatedFiles(candidate, found, tuple(name for name in names if name not in source))
    return best
