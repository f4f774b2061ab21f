"""What the paper's result files are called, and how to find the newest that a figure needs."""

import re
from collections.abc import Callable, Iterable, Sequence
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


@dataclass(frozen=True)
class Configuration:
    """The models that a result file is about, as far as its name says; lengths are 0 where they are free."""

    model_type: str
    width: int
    num_classes: int
    rep_dim: int
    train_steps: int
    fix_length_g: float = 0
    fix_length_f: float = 0
    dataset: str = RADIAL

    @property
    def other_data(self) -> str:
        """Nothing of the paper's two data sets, of any other its name, so that no two data sets share a file."""
        return "" if self.dataset in (RADIAL, CIFAR10) else f"_{self.dataset}"


def distances_file_name(of: Configuration, date: str, split: str, settings: Settings, extra_suffix: str = "") -> str:
    """The name of the file with the distances between all pairs of seeds of one configuration.

    Args:
        of: the models.
        date: the first part of the name.
        split: "train" or "test".
        settings: of which the name has the reduction (the commands' dist-type), combine (their sum-or-max) unless it is
            the sum, and λ as Python prints the float.
        extra_suffix: the last part of the name.

    Raises:
        InputError: the date or the suffix cannot be part of a name.
    """
    combine = "" if settings.combine == "sum" else settings.combine
    method = f"{_split(split)}_{settings.reduction}{combine}_w{number_in_name(float(settings.weight))}"
    fixed = (("g", of.fix_length_g), ("f", of.fix_length_f))
    lengths = "".join(f"_{name}_{number_in_name(f'{r:g}')}" for name, r in fixed if r > 0)
    return _dated(of, date, f"{DISTANCES_PART}{method}_{of.model_type}{lengths}", extra_suffix)


def accuracies_file_name(of: Configuration, date: str, split: str, extra_suffix: str = "") -> str:
    """The name of the file with every model's accuracy; all length settings of a width share one file.

    Arguments and errors as for :func:`distances_file_name`.
    """
    return _dated(of, date, f"{ACCURACIES_PART}{_split(split)}_{of.model_type}", extra_suffix)


def mcca_file_name(of: Configuration) -> str:
    """The name of the file with the canonical correlations of every pair of CIFAR-10 models."""
    return f"mcca_cifar_{_images(of)}"


def loss_file_name(of: Configuration) -> str:
    """The name of the file with the final losses of the CIFAR-10 models."""
    return f"loss_cifar_{_images(of)}"


def _dated(of: Configuration, date: str, what: str, extra_suffix: str) -> str:
    check_name_part("--date-str", date)
    check_name_part("--extra-suff", extra_suffix)
    size = f"cls{of.num_classes}" if of.model_type == SMALL_MLP else f"fd{of.rep_dim}_{of.train_steps}"
    return f"{date}{what}_{of.width}_{size}{of.other_data}{extra_suffix}.json"


def label_counts_in(names: Iterable[str]) -> list[int]:
    """The numbers of labels that names of result files say, ascending."""
    return sorted({int(match[1]) for name in names if (match := re.search(r"_cls(\d+)", name))})


def _images(of: Configuration) -> str:
    usual = (of.model_type, of.train_steps) == (RESNET, RESNET_STEPS)
    return f"fd{of.rep_dim}{'' if usual else f'_{of.model_type}_{of.train_steps}'}{of.other_data}.json"


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
