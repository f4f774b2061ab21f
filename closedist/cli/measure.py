"""The commands get-distances, get-accuracies and cal-mcca."""

from typing import TYPE_CHECKING

from closedist.cli.cluster import NO_CLUSTER, Cluster
from closedist.cli.options import (
    CHECKPOINTS,
    DATA,
    DEFAULTS,
    NO_CONFIGS,
    REPRESENTATIONS,
    RESULTS,
    CheckpointFolder,
    Common,
    ConfigFiles,
    Count,
    Cuda,
    DataFolder,
    DateStr,
    NonNegative,
    RepresentationsFolder,
    ResultsFolder,
    Seed,
    Widths,
    device,
    folders_of,
)
from closedist.cli.overrides import NO_OVERRIDES, Overrides
from closedist.errors import InputError
from closedist.measures.settings import Combine, Reduction, Settings

if TYPE_CHECKING:
    from closedist.paper.folders import Folders
    from closedist.paper.runs import TrainingRun


def get_distances(
    *,
    date_str: DateStr,
    layer_size: Widths,
    num_classes: int,
    dist_type: Reduction,
    configs: ConfigFiles = NO_CONFIGS,
    extra_suff: str = "",
    weight: NonNegative = 1.0,
    sum_or_max: Combine = "sum",
    num_samples: Count = 10,
    use_train: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    results_folder: ResultsFolder = RESULTS,
    representations_folder: RepresentationsFolder = REPRESENTATIONS,
    seed: Seed = 0,
    cluster: Cluster = NO_CLUSTER,
    common: Common = DEFAULTS,
) -> None:
    """Measure all pairs of seeds: d_LLV, KL, m_SVD, m_CCA, the paper's bound and our sharper ones.

    Args:
        layer_size: Widths, as in 16,32.
        num_classes: The number of labels of the models.
        dist_type: Reduce the terms over labels by their maximum or their mean.
        extra_suff: Part of the default model variations config's name and of the result file's.
        weight: λ, which weights the scale terms.
        sum_or_max: Combine the four terms by their sum or their maximum.
        num_samples: How many input sets are drawn.
        use_train: Measure on the training inputs instead of the test inputs.
    """
    common.set_up()
    cluster.check(common, cuda)
    from closedist.paper.measurements import Measurement, measure_distances

    measurement = Measurement(
        split="train" if use_train else "test",
        settings=Settings(reduction=dist_type, combine=sum_or_max, weight=weight, num_samples=num_samples, seed=seed),
        extra_suffix=extra_suff + overrides.result_suffix,
    )
    folders = folders_of(
        data=data_folder,
        checkpoints=checkpoint_folder,
        results=results_folder,
        representations=representations_folder,
    )
    runs = _runs(folders, configs, overrides, date_str, layer_size, num_classes, extra_suff)
    if cluster.slurm:
        from closedist.paper.cluster.works import measuring_works

        queue = cluster.queue(common, checkpoint_folder)
        works = measuring_works(runs, measurement, folders, cluster.device)
        cluster.run(queue, works)
        if not cluster.no_wait:
            for work in works:
                print(results_folder / work.files[0].name)
        return
    for path in measure_distances(runs, measurement, folders, device(cuda)):
        print(path)


def get_accuracies(
    *,
    date_str: DateStr,
    layer_size: Widths,
    num_classes: int,
    configs: ConfigFiles = NO_CONFIGS,
    extra_suff: str = "",
    use_train: bool = False,
    overrides: Overrides = NO_OVERRIDES,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    results_folder: ResultsFolder = RESULTS,
    representations_folder: RepresentationsFolder = REPRESENTATIONS,
    common: Common = DEFAULTS,
) -> None:
    """Measure every model's accuracy.

    Args:
        layer_size: Widths, as in 16,32.
        num_classes: The number of labels of the models.
        extra_suff: Part of the default model variations config's name and of the result file's.
        use_train: Measure on the training inputs instead of the test inputs.
    """
    common.set_up()
    from closedist.paper.measurements import measure_accuracies

    folders = folders_of(
        data=data_folder,
        checkpoints=checkpoint_folder,
        results=results_folder,
        representations=representations_folder,
    )
    runs = _runs(folders, configs, overrides, date_str, layer_size, num_classes, extra_suff)
    split = "train" if use_train else "test"
    suffix = extra_suff + overrides.result_suffix
    for path in measure_accuracies(runs, split, suffix, folders, device(cuda)):
        print(path)


def cal_mcca(
    *,
    final_dim: int,
    date_str: DateStr = "",
    configs: ConfigFiles = NO_CONFIGS,
    cuda: Cuda = False,
    data_folder: DataFolder = DATA,
    checkpoint_folder: CheckpointFolder = CHECKPOINTS,
    results_folder: ResultsFolder = RESULTS,
    common: Common = DEFAULTS,
) -> None:
    """Measure m_CCA between all pairs of seeds of a CIFAR-10 model, on training and test images.

    Args:
        final_dim: The representation dimension, 2, 3 or 5 in the paper.
    """
    common.set_up()
    from closedist.paper.config import CIFAR10
    from closedist.paper.measurements import measure_mcca
    from closedist.paper.registry import DATA_SETS
    from closedist.paper.runs import training_runs
    from closedist.paper.trained_models import with_available_seeds

    defaults = DATA_SETS[CIFAR10].config_names(network="resnetcifar10", rep_dim=final_dim)
    dataset, models, training = configs.read(*defaults)
    if models.rep_dim != final_dim:
        raise InputError(
            f"--final-dim: {final_dim}, but the model variations config has rep_dim {models.rep_dim}: pass two that "
            "belong together"
        )
    run = next(training_runs(dataset, models, training, date_str))
    folders = folders_of(data=data_folder, checkpoints=checkpoint_folder, results=results_folder)
    run = with_available_seeds(run, "train", checkpoint_folder)  # both splits are measured
    print(measure_mcca(run, folders, device(cuda)))


def _runs(
    folders: "Folders",
    configs: ConfigFiles,
    overrides: Overrides,
    date_str: str,
    layer_size: Widths,
    num_classes: int,
    extra_suff: str,
) -> "list[TrainingRun]":
    """The trainings that get-distances and get-accuracies speak of.

    Raises:
        InputError: the label count or a width is not the configs'.
    """
    from closedist.paper.config import RADIAL
    from closedist.paper.families import with_family
    from closedist.paper.registry import DATA_SETS
    from closedist.paper.runs import training_runs
    from closedist.system.files import check_name_part

    check_name_part("--extra-suff", extra_suff)
    check_name_part("--extra-suff and what other options append to it", extra_suff + overrides.result_suffix)
    defaults = DATA_SETS[RADIAL].config_names(num_classes=num_classes, suffix=extra_suff)
    dataset, models, training = configs.read(*defaults)
    if num_classes != models.num_classes:
        raise InputError(
            f"--num-classes: {num_classes}, but the model variations config has {models.num_classes}; pass the config "
            "that belongs to it with --model-var-config and --dataset-config"
        )
    chosen = type(models).model_validate(models.model_dump() | {"num_features": layer_size})
    training = overrides.applied(training, dataset, folders.data)
    runs = training_runs(dataset, chosen, training, date_str, overrides.suffix)
    return [with_family(run, folders.representations, date_str) for run in runs]
