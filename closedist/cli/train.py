"""The command train-variations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from closedist.cli.cluster import NO_CLUSTER, Cluster
from closedist.cli.options import (
    CHECKPOINTS,
    DATA,
    DEFAULTS,
    FOLDERS,
    METRICS,
    NO_CONFIGS,
    CheckpointFolder,
    Common,
    ConfigFiles,
    Count,
    Cuda,
    DataFolder,
    DateStr,
    MetricsFolder,
    Natural,
    device,
    folders_of,
    today,
)
from closedist.cli.overrides import NO_OVERRIDES, Overrides
from closedist.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from closedist.paper.runs import TrainingRun
    from closedist.paper.sweep import Workplace


def train_variations(
    *,
    configs: ConfigFiles = NO_CONFIGS,
    date_str: DateStr = "",
    continue_from: Natural = 0,
    checkpoint_every: Count = 5000,
    overrides: Overrides = NO_OVERRIDES,
    precision: Literal["float32", "bf16"] = "float32",
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    output_folder: Annotated[Path | None, FOLDERS] = None,
    metrics_folder: MetricsFolder = METRICS,
    cluster: Cluster = NO_CLUSTER,
    common: Common = DEFAULTS,
) -> None:
    """Train every seed of a family of models, all seeds of a configuration in one program.

    A stopped or killed training goes on by itself when the same command is run again.

    Args:
        output_folder: Where checkpoints go; the same as --checkpoint-folder.
        continue_from: Go on from this step's saved state, or from checkpoints trained for so many steps.
        checkpoint_every: Steps between two saves of the exact training state.
        precision: The precision of the image models' networks; bf16 is faster where the processor has it.
    """
    common.set_up()
    cluster.check(common, cuda)
    from closedist.paper.config import PAPERS

    if not (configs.dataset_config and configs.model_var_config and configs.train_config):
        raise InputError(
            "train-variations needs --dataset-config, --model-var-config and --train-config, names of files in "
            f"--config-folder, as in radial_classification_20000_0_cls4.json; the papers' are in {PAPERS}"
        )
    from closedist.paper.runs import training_runs
    from closedist.paper.sweep import Workplace, train_runs
    from closedist.system.progress import progress

    dataset, models, training = configs.read("", "", "")
    training = overrides.applied(training, dataset, data_folder)
    if continue_from and not continue_from < training.train_steps:
        raise InputError(
            f"--continue-from: {continue_from} is not between 0 and the {training.train_steps} steps to train"
        )
    place = Workplace(
        folders=folders_of(data=data_folder, checkpoints=output_folder or checkpoint_folder, metrics=metrics_folder),
        device=cluster.device if cluster.slurm else device(cuda),
        checkpoint_every=checkpoint_every,
        precision=precision,
    )
    runs = list(training_runs(dataset, models, training, date_str or today(), overrides.suffix))
    if cluster.slurm:
        trained = _train_on_cluster(cluster, common, runs, place, continue_from)
    else:
        total = sum(len(run.models.random_seeds) * training.train_steps for run in runs)
        with progress("training", total) as advance:
            trained = train_runs(runs, place, continue_from=continue_from, advance=advance)
    if cluster.no_wait:
        return
    there = sum(len(run.models.random_seeds) for run in runs) - trained
    print(f"trained {trained} models, {there} were there already; checkpoints are in {place.folders.checkpoints}")


def _train_on_cluster(
    cluster: Cluster, common: Common, runs: "Sequence[TrainingRun]", place: "Workplace", continue_from: int
) -> int:
    """Train what is missing of ``runs`` on the cluster; the number of models."""
    from closedist.paper.cluster.works import training_works
    from closedist.paper.plan import make_plan

    queue = cluster.queue(common, place.folders.checkpoints)
    pieces = make_plan(runs, place.folders, device(cuda=False))
    cluster.run(queue, training_works(pieces, place, continue_from))
    return sum(piece.missing for piece in pieces)
