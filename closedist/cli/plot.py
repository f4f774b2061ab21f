"""The command make-plot."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from closedist.cli.options import (
    DEFAULTS,
    FIGURE_FORMATS,
    LARGEST,
    NO_CONFIGS,
    Common,
    ConfigFiles,
    Cuda,
    DateStr,
    config_file,
    formats_of,
    image_run,
    image_training,
)
from closedist.errors import InputError

if TYPE_CHECKING:
    from closedist.paper.figures.plots import Plots
    from closedist.paper.results.tables import LossRow
    from closedist.paper.runs import TrainingRun

log = logging.getLogger(__name__)

PlotType = Literal[
    "cifar10_reps",
    "d_LLV_constructed",
    "d_LLV_train_synthetic",
    "d_LLV_vs_width",
    "loss_diff_vs_mcca",
    "synthetic_data",
    "KL_table",
]
TABLE_FORMATS = ("latex", "markdown", "csv")
FROM_RESULTS = ("d_LLV_train_synthetic", "d_LLV_vs_width", "loss_diff_vs_mcca")
DEFAULT_LABELS = 6
SMALLEST_LABELS = 3
IMAGE_FAMILIES = tuple(
    f"model_variations_config_{family}_128_fd2.json" for family in ("resnetcifar10", "medcifar10", "smallcifar10")
)
IMAGE_DEFAULTS = ("cifar10_0_cls10.json", IMAGE_FAMILIES[0], "cifar10_0_32_ADAM_0_0001_20000steps.json")


def make_plot(
    *,
    plot_type: PlotType,
    date_str: DateStr = "",
    num_classes: Annotated[
        int | None, Parameter(help="Only this number of labels.", validator=Number(gte=SMALLEST_LABELS, lte=LARGEST))
    ] = None,
    format: str | None = None,
    configs: ConfigFiles = NO_CONFIGS,
    cuda: Cuda = False,
    common: Common = DEFAULTS,
) -> None:
    """Draw one of the paper's figures, or its KL table, from result files or from nothing but a seed.

    Results are read from --results-folder, which may be a results.zip.

    Args:
        plot_type: which figure.
        format: of figures png, pdf and svg (default png,pdf); of the table latex (default), markdown and csv.
    """
    common.set_up(default_threads=1)  # matrices here are small: more threads would wait for each other
    if plot_type == "KL_table":
        _table(common, formats_of(format, TABLE_FORMATS, ("latex",)))
        return
    formats = formats_of(format, FIGURE_FORMATS, ("png", "pdf"))
    from closedist.paper.figures.style import save

    unread = _unread_archive(common.results_folder) if plot_type in FROM_RESULTS else ""
    try:
        plots = _plots(plot_type, date_str or None, num_classes, configs, cuda, common)
    except InputError as error:
        raise InputError(f"{error}. {unread}" if unread else str(error)) from error
    if unread:
        print(unread)
    for note in plots.notes:
        print(note)
    for name, figure in plots.figures.items():
        for path in save(figure, common.figures_folder, name, formats):
            print(path)


def _unread_archive(folder: Path) -> str:
    """What to say where there is an archive beside the results folder that is not read, since the folder has files."""
    from closedist.paper.results.archive import unread_archive

    archive = unread_archive(folder)
    if archive is None:
        return ""
    return f"Results are read from {folder}, and not from {archive}: for that, add --results-folder={archive}"


def _plots(
    plot_type: PlotType, date: str | None, num_classes: int | None, configs: ConfigFiles, cuda: bool, common: Common
) -> "Plots":
    from closedist.paper.figures import plots, trained

    if plot_type == "synthetic_data":
        from closedist.paper.config import paper_dataset
        from closedist.paper.data.radial import radial_split

        return plots.make_synthetic_data(*radial_split(paper_dataset(num_classes or DEFAULT_LABELS), "train"))
    if plot_type == "d_LLV_constructed":
        from closedist.paper.constructed import NOISE_STEP, compare_all_noisy_copies

        label_counts = tuple(NOISE_STEP) if num_classes is None else (num_classes,)
        return plots.make_llv_constructed(compare_all_noisy_copies(label_counts, common.seed, common.threads))
    if plot_type == "cifar10_reps":
        return _cifar10_reps(date or "", configs, cuda, common)
    if plot_type == "loss_diff_vs_mcca":
        return _loss_diff_vs_mcca(date or "", configs, common)
    make = trained.make_llv_vs_width if plot_type == "d_LLV_vs_width" else trained.make_llv_train_synthetic
    chosen = trained.LABEL_COUNTS if num_classes is None else (num_classes,)
    return make(common.results_folder, date, chosen)


def _cifar10_reps(date: str, configs: ConfigFiles, cuda: bool, common: Common) -> "Plots":
    from closedist.cli.options import device
    from closedist.paper.data.cifar10 import LABEL_NAMES
    from closedist.paper.figures.plots import make_cifar10_reps
    from closedist.paper.trained_models import family_representations

    run = _image_family(date, configs, common)
    models = family_representations(run, "test", common.folders, device(cuda))
    print(f"{run.name.model_type}, {run.name.steps:,} steps, date {run.name.date}")
    return make_cifar10_reps(dict(zip(run.models.random_seeds, models, strict=True)), LABEL_NAMES, common.seed)


def _families(configs: ConfigFiles, common: Common) -> list[ConfigFiles]:
    """The models that the configs name; else the ResNets, then smaller networks, those whose configs are there."""
    if configs.model_var_config:
        return [configs]
    there = [Path(name) for name in IMAGE_FAMILIES if config_file(name, common.config_folder).is_file()]
    return [replace(configs, model_var_config=name) for name in there or [Path(IMAGE_FAMILIES[0])]]


def _image_family(date: str, configs: ConfigFiles, common: Common) -> "TrainingRun":
    """The first family of which there are models."""
    from closedist.paper.trained_models import NoModelsError

    missing = []
    for family in _families(configs, common):
        try:
            return image_run(common, family, 2, date)
        except NoModelsError as error:
            missing.append(error)
    raise missing[0]


def _loss_diff_vs_mcca(date: str, configs: ConfigFiles, common: Common) -> "Plots":
    """Draw the first family of which there are result files."""
    from closedist.paper.figures.trained import NoResultsError, make_loss_diff_vs_mcca

    missing: list[InputError] = []
    notes: list[str] = []
    for family in _families(configs, common):
        gathered, lost = _gather_losses(date, family, common)
        notes += lost
        models, training = family.read(common.config_folder, *IMAGE_DEFAULTS)[1:]
        try:
            plots = make_loss_diff_vs_mcca(
                common.results_folder, models.model_type, training.train_steps, gathered=gathered
            )
        except NoResultsError as error:
            # that there is m_CCA without losses says more than that there is nothing of another family
            missing.insert(0 if lost else len(missing), NoResultsError("; ".join([str(error), *lost])))
            continue
        print(f"{models.model_type}, {training.train_steps:,} steps")
        return replace(plots, notes=[*plots.notes, *notes])
    raise missing[0]


def _gather_losses(date: str, configs: ConfigFiles, common: Common) -> "tuple[dict[int, list[LossRow]], list[str]]":
    """The final losses, by dimension, that a file of m_CCA lacks, from the metrics; and why some could not be had.

    They are written beside the file of m_CCA, unless that is in an archive.
    """
    from closedist.paper.config import IMAGE_DIMENSIONS
    from closedist.paper.figures.loss_vs_mcca import why_apart
    from closedist.paper.measurements import final_losses, loss_file, mcca_file, run_of_pairs
    from closedist.paper.results.archive import open_results
    from closedist.paper.results.tables import read_losses, read_mcca, write_losses

    source = open_results(common.results_folder)
    gathered, failed = {}, []
    for rep_dim in IMAGE_DIMENSIONS:
        try:
            run = image_training(common, _of_dimension(configs, rep_dim), rep_dim, date)
        except InputError as missing:  # no config for it; its result files may be there all the same
            log.debug("dimension %d: %s", rep_dim, missing)
            continue
        correlated, path = mcca_file(run, common.folders), loss_file(run, common.folders)
        if correlated.name not in source:
            continue
        correlations = read_mcca(source, correlated.name)
        measured = correlations[0].models
        if date and measured and not measured.startswith(f"{date}trained_"):
            failed.append(
                f"dimension {rep_dim}: m_CCA is of {measured}, not of --date-str={date}: run cal-mcca with it"
            )
        if path.name in source and not why_apart(correlations, read_losses(source, path.name)):
            continue
        try:
            run = run_of_pairs(run, correlations, common.folders)
            losses = final_losses(run, common.folders)
        except InputError as error:
            failed.append(f"dimension {rep_dim}: {error}")
            continue
        gathered[rep_dim] = losses
        print(f"dimension {rep_dim}: losses of the models of date {run.name.date}")
        if source.place.is_dir():
            try:
                write_losses(path, losses)
                print(path)
            except InputError as error:  # they are drawn all the same
                failed.append(f"dimension {rep_dim}: {error}")
    return gathered, failed


def _of_dimension(configs: ConfigFiles, rep_dim: int) -> ConfigFiles:
    """The same configs for another dimension, where their name says for which they are (…_fd2.json)."""
    given = configs.model_var_config
    if given is None:
        return configs
    stem, mark, _ = given.stem.rpartition("_fd")
    return replace(configs, model_var_config=given.with_name(f"{stem}_fd{rep_dim}.json") if mark else given)


def _table(common: Common, formats: tuple[str, ...]) -> None:
    from closedist.paper.constructed import kl_table
    from closedist.paper.figures.kl_table import render_kl_table
    from closedist.system.files import write_atomically

    rows = kl_table(seed=common.seed)
    for name in formats:
        text, ending = render_kl_table(rows, name)
        print(text)
        path = common.figures_folder / Path("KL_table").with_suffix(f".{ending.lstrip('.')}")
        write_atomically(path, text.encode())
        print(path)
