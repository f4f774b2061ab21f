"""The command export-representations."""

from typing import Annotated

from cyclopts import Parameter

from closedist.cli.options import (
    CHECKPOINTS,
    DATA,
    DEFAULTS,
    REPRESENTATIONS,
    CheckpointFolder,
    Common,
    Cuda,
    DataFolder,
    Labels,
    Lengths,
    RepresentationsFolder,
    Seeds,
    Widths,
    check_folders,
    device,
    folders_of,
    today,
)


def export_representations(
    *,
    date_str: Annotated[str, Parameter(show_default=False)] = "",
    labels: Labels = (4, 6, 10, 18),
    widths: Widths = (16, 32, 64, 128, 256),
    lengths: Lengths = (0, 20),
    seeds: Seeds = 20,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    representations_folder: RepresentationsFolder = REPRESENTATIONS,
    common: Common = DEFAULTS,
) -> None:
    """Write the test representations of every training of the paper's whose models are all there.

    A training of which the folder has such a file, of whatever date, is passed over.

    Args:
        date_str: The first part of the checkpoints' names. Default: the date under which `reproduce` was begun there.
        labels: Label counts.
        widths: Widths of the networks.
        lengths: Fixed lengths of f and of g; 0 is free.
        seeds: How many seeds, from 0 on.
    """
    common.set_up()
    folders = folders_of(data=data_folder, checkpoints=checkpoint_folder, representations=representations_folder)
    check_folders(folders)
    from closedist.paper.plan import date_of_folder, synthetic_runs
    from closedist.paper.trained_models import export_families

    date = date_str or date_of_folder(checkpoint_folder, today())
    runs = synthetic_runs(labels, widths, lengths, seeds, date)
    written = 0
    for path in export_families(runs, folders, device(cuda)):
        print(path)
        written += 1
    print(f"{written} files written, for trainings of date {date} whose {seeds} models are all there")
    if not written:
        print(
            f"In {checkpoint_folder} none has all of its models, or {representations_folder} has its file already; "
            "--date-str names another date, --checkpoint-folder another folder"
        )
