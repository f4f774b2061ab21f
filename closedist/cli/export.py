"""The command export-representations."""

from closedist.cli.options import DEFAULTS, Common, Cuda, Labels, Lengths, Seeds, Widths, device, today


def export_representations(
    *,
    date_str: str = "",
    labels: Labels = (4, 6, 10, 18),
    widths: Widths = (16, 32, 64, 128, 256),
    lengths: Lengths = (0, 20),
    seeds: Seeds = 20,
    cuda: Cuda = False,
    common: Common = DEFAULTS,
) -> None:
    """Write the test representations of every training of the paper's whose models are all there.

    A training of which the folder has such a file, of whatever date, is passed over.

    Args:
        date_str: the first part of the checkpoints' names. Default: the date under which `reproduce` was begun there.
        labels: label counts.
        widths: widths of the networks.
        lengths: fixed lengths of f and of g; 0 is free.
        seeds: how many seeds, from 0 on.
    """
    common.set_up()
    common.check_folders()
    from closedist.paper.plan import date_of_folder, synthetic_runs
    from closedist.paper.trained_models import export_families

    date = date_str or date_of_folder(common.checkpoint_folder, today())
    runs = synthetic_runs(labels, widths, lengths, seeds, date)
    written = 0
    for path in export_families(runs, common.folders, device(cuda)):
        print(path)
        written += 1
    print(f"{written} files written, for trainings of date {date} whose {seeds} models are all there")
