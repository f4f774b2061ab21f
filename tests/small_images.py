"""Image models small enough to train inside a test, and the paper's commands on them."""

import json
from pathlib import Path

from closedist.cli import PAPER_COMMANDS, make_app, run

NUM_POINTS = 100
CONFIGS = ("--dataset-config=images.json", "--model-var-config=models.json", "--train-config=training.json")
MODELS = ("--date-str=day", "--layer-size=16", "--num-classes=10")
TRAINED = "trained_cifar10_{}_classes10_seed{}_features16_fd2_data100_lr0_001_steps3"


def paper(*tokens: str) -> int:
    return run(make_app("run.py", PAPER_COMMANDS), list(tokens))


def write_configs(model_type: str, seeds: list[int]) -> None:
    contents = {
        "images": {"random_seed": 0, "dataset_name": "cifar10", "num_points": NUM_POINTS, "num_classes": 10},
        "models": {
            "random_seeds": seeds,
            "model_type": model_type,
            "nonlinearity": "leaky_relu",
            "num_classes": 10,
            "num_features": [16],
            "rep_dim": 2,
            "fix_length_gs": [0],
            "fix_length_fs": [0],
        },
        "training": {
            "dataset_name": "cifar10",
            "random_seed": 0,
            "batch_size": 8,
            "train_steps": 3,
            "learning_rate": 0.001,
            "optimizer_type": "ADAM",
        },
    }
    for name, content in contents.items():
        Path(f"{name}.json").write_text(json.dumps(content))
