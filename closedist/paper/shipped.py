"""Results of any date stand for a training whose models are not there: they are taken over under the run's own date."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from closedist.measures.settings import DEFAULTS
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement, accuracies_file
from closedist.paper.results.archive import ResultsSource, open_results, unread_archive
from closedist.paper.results.tables import AccuracyRow, read_accuracies, read_distances, write_accuracies
from closedist.paper.runs import TrainingRun
from closedist.system.files import write_json


def runs_with_results(
    runs: Sequence[TrainingRun], measurement: Measurement, folders: Folders
) -> dict[TrainingRun, tuple[ResultsSource, str]]:
    """Of those runs that lack models, the ones whose distances and accuracies are there: where, and of which date.

    Results are looked for in the folder, then in the archive beside it; of several dates the newest is taken.

    Raises:
        InputError: a result file is damaged.
    """
    sources = _sources(folders)
    lacking = [run for run in runs if not run.on_images and run.unavailable(folders.checkpoints, measurement.split)]
    found = ((run, _results(run, measurement, folders, sources)) for run in lacking)
    return {run: results for run, results in found if results}


def take_over(runs: Sequence[TrainingRun], measurement: Measurement, folders: Folders) -> int:
    """Copy such results to files of the runs' own date, where these are not there; returns how many runs' were copied.

    Raises:
        InputError: a result file is damaged, or the folder cannot be written.
    """
    copied = 0
    for run, (source, date) in runs_with_results(runs, measurement, folders).items():
        if (source.place, date) == (folders.results, run.name.date):
            continue
        own = measurement.file_name(run)
        write_json(folders.results / own, source.read_json(_of_date(own, run, date)))
        path = accuracies_file(run, measurement.split, measurement.extra_suffix, folders)
        rows = read_accuracies(folders.results, path.name) if path.exists() else []
        others = [row for row in rows if not _is_of(row, run)]
        taken = [row for row in read_accuracies(source, _of_date(path.name, run, date)) if _is_of(row, run)]
        write_accuracies(path, sorted([*others, *taken], key=lambda row: (row.fix_g, row.fix_f, row.model_seed)))
        copied += 1
    return copied


def _sources(folders: Folders) -> list[ResultsSource]:
    """The folder and the archive beside it, as far as there are such."""
    archive = unread_archive(folders.results)
    places = [folders.results, *([archive] if archive else [])]
    return [open_results(place) for place in places if place.exists() or place.with_name(f"{place.name}.zip").exists()]


def _results(
    run: TrainingRun, measurement: Measurement, folders: Folders, sources: Sequence[ResultsSource]
) -> tuple[ResultsSource, str] | None:
    seeds = set(run.models.random_seeds)
    wanted = set(combinations(run.models.random_seeds, 2))
    accuracies = accuracies_file(run, measurement.split, measurement.extra_suffix, folders).name
    for source in sources:
        for date in _dates(source, measurement.file_name(run).removeprefix(run.name.date)):
            of_models = _of_date(accuracies, run, date)
            if of_models not in source:
                continue
            table = read_distances(source, _of_date(measurement.file_name(run), run, date))
            # the name says neither how many input sets were drawn nor by which seed, and older files do not either
            drawn = table.drawn_sets or (DEFAULTS.num_samples, DEFAULTS.seed)
            if drawn != (measurement.settings.num_samples, measurement.settings.seed):
                continue
            accurate = {row.model_seed for row in read_accuracies(source, of_models) if _is_of(row, run)}
            if wanted <= set(table.model_seeds) and seeds <= accurate:
                return source, date
    return None


def _dates(source: ResultsSource, ending: str) -> Iterator[str]:
    """The dates of the files whose names end so, the newest first."""
    return (name.removesuffix(ending) for name in reversed(source.names) if name.endswith(ending))


def _of_date(name: str, run: TrainingRun, date: str) -> str:
    return date + name.removeprefix(run.name.date)


def _is_of(row: AccuracyRow, run: TrainingRun) -> bool:
    return (row.fix_g, row.fix_f) == (run.name.fix_length_g, run.name.fix_length_f)
