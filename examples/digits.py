"""Seven classifiers of handwritten digits: which are close in distribution, and which in representation?

Trains small networks of different seeds, widths and training lengths on scikit-learn's 8×8 digits, takes each one's
representations on the test images with ``closedist.extract``, sets a logistic regression beside them, and compares all
pairs. Prints the tables of docs/examples.md and draws its first picture. Takes about 15 seconds on one core.

    python examples/digits.py [FOLDER FOR THE PICTURES]
"""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import closedist
from closedist.comparison import matrix_table
from closedist.page.style import closedist_style, new_figure, save


def mlp(width: int, dimension: int) -> nn.Module:
    """Pixels to ``dimension`` features to ten logits."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, dimension), nn.Tanh(), nn.Linear(dimension, 10)
    )


def cnn(dimension: int) -> nn.Module:
    """Two convolutions, ``dimension`` features, ten logits."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 4 * 4, dimension),
        nn.Tanh(),
        nn.Linear(dimension, 10),
    )


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int) -> nn.Module:
    """Adam with a little weight decay, batches of 64."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=order).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    return model


def members() -> tuple[dict[str, closedist.Representations], Tensor]:
    """Every model's representations on the same test images, and the right labels."""
    images, digits = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(images / 8 - 1, digits, test_size=600, random_state=0, stratify=digits)
    pictures, test_pictures = (torch.tensor(part, dtype=torch.float32).reshape(-1, 1, 8, 8) for part in (x, x_test))
    labels = torch.tensor(y)

    plans = {
        "MLP": (lambda: mlp(64, 8), 30, 0),
        "MLP, seed 1": (lambda: mlp(64, 8), 30, 1),
        "MLP, 3 epochs": (lambda: mlp(64, 8), 3, 0),
        "MLP, wide": (lambda: mlp(512, 8), 30, 0),
        "CNN": (lambda: cnn(8), 15, 0),
        "CNN, seed 1": (lambda: cnn(8), 15, 1),
    }
    found = {}
    for name, (build, epochs, seed) in plans.items():
        torch.manual_seed(seed)
        model = train(build(), pictures, labels, epochs, seed)
        found[name] = closedist.extract(
            model, test_pictures.split(100)
        )  # finds the last layer, checks it, runs in eval mode

    # a logistic regression has the pixels for embeddings and its coefficients for unembeddings; its regularisation is
    # weak here, as that of the networks
    regression = LogisticRegression(C=1.0, max_iter=1000).fit(x, y)
    used = x.std(0) > 0  # pixels that are always blank say nothing
    found["logistic regression"] = closedist.Representations(
        x_test[:, used], regression.coef_[:, used], regression.intercept_
    )
    return found, torch.tensor(y_test)


def accuracy(member: closedist.Representations, labels: Tensor) -> float:
    """Of a model's most likely label."""
    logits = member.embeddings.double() @ member.unembeddings.double().T
    logits = logits if member.bias is None else logits + member.bias
    return float((logits.argmax(1) == labels).double().mean())


def heat_maps(names: list[str], comparisons: list[closedist.Comparison]) -> Figure:
    """All pairs by KL divergence, d_LLV and CKA, each dark where models are alike."""
    pairs = list(combinations(range(len(names)), 2))
    panels = {
        "KL divergence (nats, row to column)": lambda c: (c.kl, c.kl_reverse),
        "d_LLV": lambda c: (c.llv, c.llv),
        "1 − CKA of the embeddings": lambda c: (1 - c.cka_embeddings, 1 - c.cka_embeddings),
    }
    with closedist_style():
        figure = new_figure(10.2, 3.9)
        axes = figure.subplots(1, 3, sharey=True)
        for axis, (title, values) in zip(axes, panels.items(), strict=True):
            matrix = np.full((len(names), len(names)), np.nan)
            for (i, j), comparison in zip(pairs, comparisons, strict=True):
                matrix[i, j], matrix[j, i] = values(comparison)
            norm = LogNorm(np.nanmin(matrix), np.nanmax(matrix))
            axis.imshow(matrix, cmap="viridis", norm=norm)
            axis.grid(False)
            for i, j in np.argwhere(np.isfinite(matrix)):
                colour = "black" if norm(matrix[i, j]) > 0.55 else "white"
                axis.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", color=colour, fontsize=7)
            axis.set_title(title)
            axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
            axis.set_yticks(range(len(names)), names)
            axis.tick_params(length=0)
    return figure


def main(folder: Path) -> None:
    """Train, compare, print, draw."""
    found, labels = members()
    names = list(found)
    for name, member in found.items():
        print(f"{name:20} {accuracy(member, labels):.3f} accuracy   {member!r}")
    comparisons = closedist.compare_all(list(found.values()), intervals=True)
    print()
    print(matrix_table(comparisons, names, everything=True))
    print(*save(heat_maps(names, comparisons), folder, "digits_pairs", formats=("png",)), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("figures"))
