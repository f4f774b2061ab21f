"""Result files made up for the figures: as the paper's code writes them, their distances within the bounds."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from closedist.measures.settings import DEFAULTS
from closedist.paper.results.names import Configuration, accuracies_file_name, distances_file_name

DATE = "2025-04-22"


def distances_table(num_seeds: int = 4, scale: float = 0.2, seed: int = 0) -> dict[str, Any]:
    """d_LLV around ``scale``; the unembeddings' d_SVD below 2·t2², the embeddings' two d_SVD below 2·t1²."""
    rng = np.random.default_rng(seed)
    pairs = list(combinations(range(num_seeds), 2))
    t1 = scale * rng.uniform(0.5, 2.0, len(pairs))
    t2 = t1 * rng.uniform(0.3, 1.2, len(pairs))
    of_embeddings = np.minimum(2 * t1**2, 1)[:, None] * rng.uniform(0.1, 0.9, (len(pairs), 2))
    of_unembeddings = np.minimum(2 * t2**2, 1) * rng.uniform(0.1, 0.9, len(pairs))
    return {
        "model_seeds": [f"{first}vs{second}" for first, second in pairs],
        "KL_div": (t1**2).tolist(),
        "distance": np.maximum(t1, t2).tolist(),
        "t_1": t1.tolist(),
        "t_2": t2.tolist(),
        "m_SVDs_f": (1 - of_embeddings).tolist(),
        "m_SVDs_g": (1 - of_unembeddings)[:, None].tolist(),
        "input_idxs": [[3, 1, 4]] * len(pairs),
        "y_pivot_idx": [0] * len(pairs),
        "lo_idx": [1] * len(pairs),
    }


def distances_name(num_classes: int, width: int, lengths: tuple[int, int] = (0, 0), date: str = DATE) -> str:
    return distances_file_name(
        Configuration("SmallMLP", width, num_classes, 2, 15_000, *lengths), date, "test", DEFAULTS
    )


def accuracies_name(num_classes: int, width: int, date: str = DATE) -> str:
    return accuracies_file_name(Configuration("SmallMLP", width, num_classes, 2, 15_000), date, "test")


def accuracies_table(accuracies: list[float], fixed: list[float] | None = None) -> dict[str, Any]:
    """Models with free lengths, seeds 0, 1, …, then those with both lengths fixed."""
    fixed = fixed or []
    count = len(accuracies) + len(fixed)
    lengths = [0] * len(accuracies) + [20] * len(fixed)
    return {
        "model_seed": [*range(len(accuracies)), *range(len(fixed))],
        "fix_g": lengths,
        "fix_f": lengths,
        "num_classes": [4] * count,
        "fd": [2] * count,
        "accuracy": accuracies + fixed,
    }


def write_table(folder: Path, name: str, table: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(table))
