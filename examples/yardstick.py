"""How large is large? Ranges of the main numbers for eight kinds of pairs, from a rounded copy to an unrelated network.

Trains small networks on scikit-learn's 8×8 digits for each of 20 seeds, measures eight pairs a seed on 600 test images,
and prints the table that README.md shows. With --write the ranges go to examples/yardstick.json and the table into
README.md. Takes not quite two minutes on one core; needs `pip install ".[experiments]"`.

    python examples/yardstick.py [--write]
"""

import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import closedist

SEEDS, EPOCHS, DIMENSION = 20, 30, 8
NUMBERS = {
    "logit correlation": "logit_correlation",
    "d_LLV": "llv",
    "d_f,g": "dissimilarity",
    "KL, nats": "kl",
}
ROOT = Path(__file__).resolve().parents[1]
STORED = Path(__file__).with_suffix(".json")
Row = dict[str, object]


def mlp() -> nn.Module:
    """Two layers below the features."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, DIMENSION), nn.Tanh(), nn.Linear(DIMENSION, 10)
    )


def cnn() -> nn.Module:
    """Two convolutions below the features."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, DIMENSION),
        nn.Tanh(),
        nn.Linear(DIMENSION, 10),
    )


def trained(
    build: Callable[[], nn.Module],
    images: Tensor,
    targets: Tensor,
    seed: int,
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
) -> nn.Module:
    """AdamW on batches of 64; the targets are labels, or a teacher's probabilities or logits."""
    torch.manual_seed(seed)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss(model(images[batch]), targets[batch]).backward()
            optimizer.step()
    return model


@torch.no_grad()
def changed(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy of which every matrix is changed."""
    found = copy.deepcopy(model)
    for parameter in found.parameters():
        if parameter.ndim > 1:
            parameter.copy_(change(parameter))
    return found


def rounded(weights: Tensor, bits: int) -> Tensor:
    """2^bits − 1 levels a row, from the row's largest weight down to its negative."""
    step = weights.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return (weights / step).round() * step


def without_half(weights: Tensor) -> Tensor:
    """The smaller half of the weights set to zero."""
    return weights * (weights.abs() > weights.abs().median())


def pairs(seed: int, images: Tensor, labels: Tensor) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """One pair of every kind: its name, a network, and what it is compared with."""
    torch.manual_seed(seed)
    shuffled = labels[torch.randperm(len(labels))]
    first = trained(mlp, images, labels, seed)
    with torch.no_grad():
        logits = first(images)
    yield "the first, weights in 8 bits", first, changed(first, lambda weights: rounded(weights, 8))
    yield "the first, weights in 4 bits", first, changed(first, lambda weights: rounded(weights, 4))
    yield "distilled from its logits", first, trained(mlp, images, logits, SEEDS + seed, distillation_loss)
    yield "the first, half of its weights 0", first, changed(first, without_half)
    yield "distilled from its probabilities", first, trained(mlp, images, logits.softmax(1), SEEDS + seed)
    yield "another seed", first, trained(mlp, images, labels, SEEDS + seed)
    yield "another architecture, a CNN", first, trained(cnn, images, labels, SEEDS + seed)
    yield "unrelated: from shuffled labels", first, trained(mlp, images, shuffled, SEEDS + seed)


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The squared distance of logits."""
    return closedist.distillation_loss(student, teacher, "l2")


def measured() -> list[Row]:
    """A row a kind of pair: its name, every number's smallest and largest value over seeds, and the verdicts."""
    digits, labels = load_digits(return_X_y=True)
    x, x_test, y, _ = train_test_split(digits / 8 - 1, labels, test_size=600, random_state=0, stratify=labels)
    images, test = (torch.tensor(part, dtype=torch.float32).reshape(-1, 1, 8, 8) for part in (x, x_test))
    found: dict[str, list[closedist.Comparison]] = {}
    for seed in range(SEEDS):
        for name, first, second in pairs(seed, images, torch.tensor(y)):
            p, q = (closedist.extract(model, test.split(100)) for model in (first, second))
            found.setdefault(name, []).append(closedist.compare(p, q, intervals=True))
    return [_row(name, comparisons) for name, comparisons in found.items()]


def _row(name: str, comparisons: list[closedist.Comparison]) -> Row:
    ranges = {}
    for title, field in NUMBERS.items():
        values = [getattr(comparison, field) for comparison in comparisons]
        ranges[title] = [float(f"{end:.8g}") for end in (min(values), max(values))]
    verdicts = [comparison.verdict().kind for comparison in comparisons]
    return {"pair": name, **ranges, "verdict": {kind: verdicts.count(kind) for kind in sorted(set(verdicts))}}


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [["the second model is", *NUMBERS, "verdict at 5 %"], ["---"] * (len(NUMBERS) + 2)]
    for row in rows:
        ranges = [f"{_short(low)} … {_short(high)}" for low, high in (row[title] for title in NUMBERS)]
        counts = row["verdict"]
        said = ", ".join(f"{kind} {count}×" if len(counts) > 1 else kind for kind, count in counts.items())
        lines.append([str(row["pair"]), *ranges, said])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _short(number: float) -> str:
    """Two digits, and more of what is nearly 1."""
    if 0.99 < number < 1:
        return f"{number:.6f}"
    return f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.2g}"


def replaced(page: str, rows: list[Row]) -> str:
    """The page with the table between its marks."""
    made = f"<!-- yardstick -->\n\n{table(rows)}\n\n<!-- /yardstick -->"
    return re.sub("<!-- yardstick -->.*<!-- /yardstick -->", lambda _: made, page, flags=re.DOTALL)


def main() -> None:
    """Measure, print, and write where asked to."""
    torch.set_num_threads(1)  # threads that share such small products wait longer than they work
    rows = measured()
    print(table(rows))
    if "--write" in sys.argv[1:]:
        STORED.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        readme = ROOT / "README.md"
        readme.write_text(replaced(readme.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
