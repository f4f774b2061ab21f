"""The command make-plot."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from closedist.cli.options import (
    CHECKPOINTS,
    DATA,
    DEFAULTS,
    FIGURES,
    LARGEST,
    METRICS,
    NO_CONFIGS,
    REPRESENTATIONS,
    RESULTS,
    CheckpointFolder,
    Common,
    ConfigFiles,
    Cuda,
    DataFolder,
    DateStr,
    FiguresFolder,
    MetricsFolder,
    RepresentationsFolder,
    ResultsFolder,
    Seed,
    device,
    folders_of,
    formats_of,
)
from closedist.errors import InputError
from closedist.paper.figures import registry

if TYPE_CHECKING:
    from closedist.paper.runs import TrainingRun

    PlotType = str
else:
    PlotType = Literal[tuple(registry.FIGURES)]
SMALLEST_LABELS = 3
WHICH = "Which figure, by what it shows in the papers, of which the second is on distillation:\n\n" + "\n".join(
    f"- {figure.name}: {figure.shows}{' (second)' if figure.paper == registry.SECOND else ''}."
    for figure in registry.FIGURES.values()
)


def make_plot(
    *,
    plot_type: Annotated[PlotType, Parameter(help=WHICH, show_choices=False)],
    date_str: DateStr = "",
    num_classes: Annotated[
        int | None, Parameter(help="Only this number of labels.", validator=Number(gte=SMALLEST_LABELS, lte=LARGEST))
    ] = None,
    format: str | None = None,
    configs: ConfigFiles = NO_CONFIGS,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    results_folder: ResultsFolder = RESULTS,
    figures_folder: FiguresFolder = FIGURES,
    metrics_folder: MetricsFolder = METRICS,
    representations_folder: RepresentationsFolder = REPRESENTATIONS,
    seed: Seed = 0,
    common: Common = DEFAULTS,
) -> None:
    """Draw one of the paper's figures, or its KL table, from result files or from nothing but a seed.

    Results are read from --results-folder, which may be a results.zip.

    Args:
        format: Forms to write, as in png,pdf: of figures png, pdf and svg (default png); of the table latex (default),
            markdown and csv.
    """
    figure = registry.FIGURES[plot_type]
    formats = formats_of(format, figure.formats, ("latex",) if figure.is_table else ("png",))
    if figure.reads_results:
        common.start_log()  # nothing is computed, and PyTorch takes as long to load as the figures to draw
    else:
        common.set_up(default_threads=1)  # matrices here are small: more threads would wait for each other
    from closedist.paper.drawing import Sources, draw
    from closedist.paper.results.archive import unread_archive

    sources = Sources(
        folders_of(
            data=data_folder,
            checkpoints=checkpoint_folder,
            results=results_folder,
            figures=figures_folder,
            metrics=metrics_folder,
            representations=representations_folder,
        ),
        seed=seed,
        threads=common.threads,
        date=date_str or None,
        labels=None if num_classes is None else (num_classes,),
        families=_image_families(configs, date_str),
        device=device(cuda) if figure.needs == "representations" else None,
    )
    # the second paper's students are in archives of their own
    passed_over = figure.reads_results and figure.paper != registry.SECOND
    folder, archive = results_folder, unread_archive(results_folder) if passed_over else None
    unread = f"Results are read from {folder}, and not from {archive}: for that, add --results-folder={archive}"
    try:
        plots = draw(figure.name, sources)
    except InputError as error:
        raise InputError(f"{error}. {unread}" if archive else str(error)) from error
    for note in [unread, *plots.notes] if archive else plots.notes:
        print(note)
    for path in plots.save(figures_folder, formats):
        if figure.is_table:
            print(path.read_text(encoding="utf-8"))
        print(path)


def _image_families(configs: ConfigFiles, date: str) -> "Iterator[dict[int, TrainingRun]]":
    """The image models that the configs name, else the ResNets and then smaller networks; by dimension.

    Those of other dimensions have the config whose name differs in it alone (…_fd3.json), or the same but for it.
    """
    from closedist.paper.config import CIFAR10, IMAGE_DIMENSIONS, ModelVariationsConfig, read_config
    from closedist.paper.registry import DATA_SETS
    from closedist.paper.runs import training_runs

    cifar10 = DATA_SETS[CIFAR10]
    defaults = [cifar10.config_names(network=network.lower(), rep_dim=2) for network in cifar10.networks]
    there = [names for names in defaults if configs.place(names[1]).is_file()]
    for names in defaults[:1] if configs.model_var_config else there or defaults[:1]:
        dataset, models, training = configs.read(*names)
        path = configs.file(configs.model_var_config or names[1])
        stem, mark, _ = path.stem.rpartition("_fd")
        by_dimension = {models.rep_dim: models}
        for rep_dim in IMAGE_DIMENSIONS:
            other = path.with_name(f"{stem}_fd{rep_dim}.json")
            same = mark and other.is_file()
            others = (
                read_config(other, ModelVariationsConfig) if same else models.model_copy(update={"rep_dim": rep_dim})
            )
            by_dimension.setdefault(others.rep_dim, others)
        yield {
            rep_dim: next(training_runs(dataset, models, training, date)) for rep_dim, models in by_dimension.items()
        }
