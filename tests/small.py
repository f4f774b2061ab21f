"""A family of models small enough to train inside a test."""

import subprocess
from pathlib import Path

import numpy as np

from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
from closedist.paper.folders import Folders
from closedist.paper.runs import TrainingRun, training_runs
from closedist.paper.sweep import Workplace


def small_dataset(num_classes: int = 4, num_points: int = 1000) -> DatasetConfig:
    return DatasetConfig(
        random_seed=0, dataset_name="radial_classification", num_points=num_points, num_classes=num_classes
    )


def small_family(
    seeds: tuple[int, ...] = (0, 1, 2),
    widths: tuple[int, ...] = (8,),
    fix_length_g: float = 0,
    fix_length_f: float = 0,
    nonlinearity: str = "leaky_relu",
    num_classes: int = 4,
) -> ModelVariationsConfig:
    return ModelVariationsConfig.model_validate(
        {
            "random_seeds": seeds,
            "model_type": "SmallMLP",
            "nonlinearity": nonlinearity,
            "num_classes": num_classes,
            "num_features": widths,
            "rep_dim": 2,
            "fix_length_gs": (fix_length_g,),
            "fix_length_fs": (fix_length_f,),
        }
    )


def small_training(steps: int = 700, **changes: object) -> TrainConfig:
    values = {
        "dataset_name": "radial_classification",
        "random_seed": 0,
        "batch_size": 96,
        "train_steps": steps,
        "learning_rate": 1e-3,
        "optimizer_type": "ADAM",
    }
    return TrainConfig.model_validate(values | changes)


def small_run(models: ModelVariationsConfig | None = None, training: TrainConfig | None = None) -> TrainingRun:
    (run,) = training_runs(small_dataset(), models or small_family(), training or small_training(), "day")
    return run


def write_configs(folder: Path, models: ModelVariationsConfig, training: TrainConfig) -> list[str]:
    """The three configs as files, and the options that name them."""
    configs = {"dataset-config": small_dataset(), "model-var-config": models, "train-config": training}
    options = []
    for option, config in configs.items():
        path = folder / f"{option}.json"
        path.write_text(config.model_dump_json())
        options.append(f"--{option}={path}")
    return options


def started(command: list[str], folder: Path) -> "subprocess.Popen[str]":
    """The command as a process in a folder of its own, its output kept."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workplace(root: Path, **changes: object) -> Workplace:
    return Workplace(Folders.under(root, root / "data"), **changes)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_images(data_folder: Path, per_file: int) -> None:
    """A made-up CIFAR-10 in the binary layout: random pixels and labels, ``per_file`` images a file."""
    rng = np.random.default_rng(0)
    folder = data_folder / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        labels = rng.integers(0, 10, (per_file, 1), dtype=np.uint8)
        pixels = rng.integers(0, 256, (per_file, 3072), dtype=np.uint8)
        (folder / f"{name}.bin").write_bytes(np.hstack([labels, pixels]).tobytes())
