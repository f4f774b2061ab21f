"""Make results.zip again: every number of every pair that ``representations/`` has, and what else the archive had.

Run it at the root: ``python docs/make_results.py``. Trainings of the synthetic experiments without representations keep
their results, as those on CIFAR-10 do. All carry the date on which the reproduction was begun, whenever models were
trained.
"""

import io
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from closedist.paper.families import with_family
from closedist.paper.folders import Folders
from closedist.paper.measurements import Measurement
from closedist.paper.plan import synthetic_runs
from closedist.paper.reproduce import measure_runs
from closedist.paper.results.archive import open_results
from closedist.paper.runs import TrainingRun
from closedist.paper.shipped import runs_with_results
from closedist.paper.sweep import CPU
from closedist.system.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
DATE = "2026-11-24"
LABELS, WIDTHS, LENGTHS, SEEDS = (4, 6, 10, 18), (16, 32, 64, 128, 256), (0.0, 20.0), 20  # the paper's


def runs_of_the_paper(representations: Path) -> list[TrainingRun]:
    """All 80 trainings, each with the file of its representations where there is one."""
    return [with_family(run, representations) for run in synthetic_runs(LABELS, WIDTHS, LENGTHS, SEEDS, DATE)]


def make_results(archive: Path, representations: Path) -> tuple[int, int]:
    """Replace the archive; returns how many trainings were measured, and how many kept their results."""
    runs = runs_of_the_paper(representations)
    with tempfile.TemporaryDirectory() as place:
        folders = Folders.under(Path(place))
        if archive.exists():
            shutil.copy(archive, folders.results.with_name(f"{folders.results.name}.zip"))
        measured = [run for run in runs if not run.unavailable(folders.checkpoints, "test")]
        kept = list(runs_with_results(runs, Measurement(), folders)) if archive.exists() else []
        files = {path.name: path.read_bytes() for path in measure_runs([*measured, *kept], Measurement(), folders, CPU)}
    old = open_results(archive) if archive.exists() else None
    for name in old.names if old else ():
        if "SmallMLP" not in name:
            files[name] = json.dumps(old.read_json(name), indent=1, allow_nan=False).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as new:
        for name, content in sorted(files.items()):  # without the hour: equal results give equal bytes
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, compresslevel=9)
    write_atomically(archive, packed.getvalue())
    return len(measured), len(kept)


if __name__ == "__main__":
    counts = make_results(ROOT / "results.zip", ROOT / "representations")
    print("results.zip: {} trainings measured from their representations, {} with the results they had".format(*counts))
