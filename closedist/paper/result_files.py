"""Which result files belong to a training on images, and the losses that lie beside its m_CCA: read without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from closedist.errors import InputError
from closedist.paper.figures.loss_vs_mcca import why_apart
from closedist.paper.folders import Folders
from closedist.paper.results.archive import ResultsSource
from closedist.paper.results.names import Configuration, loss_file_name, mcca_file_name
from closedist.paper.results.tables import LossRow, MCCARow, read_losses, write_losses
from closedist.paper.runs import TrainingRun


def configuration(run: TrainingRun) -> Configuration:
    """What the names of a run's result files say of its models."""
    return Configuration(
        model_type=run.name.model_type,
        width=run.name.width,
        num_classes=run.name.num_classes,
        rep_dim=run.name.rep_dim,
        train_steps=run.name.steps,
        fix_length_g=run.name.fix_length_g,
        fix_length_f=run.name.fix_length_f,
        dataset=run.name.dataset,
    )


def mcca_file(run: TrainingRun, folders: Folders) -> Path:
    """Where the canonical correlations of a CIFAR-10 training go."""
    return folders.results / mcca_file_name(configuration(run))


def loss_file(run: TrainingRun, folders: Folders) -> Path:
    """Where the final losses of a CIFAR-10 training are gathered."""
    return folders.results / loss_file_name(configuration(run))


def collect_losses(run: TrainingRun, folders: Folders) -> Path:
    """Gather the final losses of all seeds from their metrics files; returns the file written.

    Raises:
        InputError: a metrics file is missing or broken, or a folder cannot be written.
    """
    from closedist.paper.trained_models import final_losses

    path = loss_file(run, folders)
    write_losses(path, final_losses(run, folders))
    return path


def losses_beside(
    correlations: Sequence[MCCARow], run: TrainingRun, source: ResultsSource, folders: Folders
) -> tuple[list[LossRow], list[str]]:
    """The final losses of the very models whose m_CCA a file has: from their file or else, then written, from metrics.

    Args:
        correlations: the file's rows.
        run: a training of such models, whose date may be "" and whose seeds may be others.
        source: the results; nothing is written beside an archive.

    Returns:
        The losses, none where they cannot be had, and lines for the user.

    Raises:
        InputError: the file of losses is damaged.
    """
    at = f"dimension {run.name.rep_dim}:"
    path = loss_file(run, folders)
    losses = read_losses(source, path.name) if path.name in source else []
    apart = why_apart(correlations, losses) if losses else f"{source.place} has no {path.name}"
    models = correlations[0].models
    if run.name.date and models and not models.startswith(f"{run.name.date}trained_"):
        other = f"{at} m_CCA is of {models}, not of --date-str={run.name.date}: run cal-mcca with it"
        return ([], [f"{other}; {apart}"]) if apart else (losses, [other])
    if not apart:
        return losses, []
    from closedist.paper.trained_models import final_losses, run_of_pairs

    try:
        run = run_of_pairs(run, correlations, folders)
        losses = final_losses(run, folders)
    except InputError as error:
        return [], [f"{at} {apart}; {error}"]
    notes = [f"{at} losses of the models of date {run.name.date}"]
    if source.place.is_dir():
        try:
            write_losses(path, losses)
            notes.append(str(path))
        except InputError as error:  # they are drawn all the same
            notes.append(f"{at} {error}")
    return losses, notes
