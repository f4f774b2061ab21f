"""Training speed: ours beside a plain PyTorch loop and beside the arithmetic floor, in one run.

    python benchmarks/train.py [--labels 6] [--seeds 20] [--widths 16,64,256] [--threads 2]

Prints milliseconds for one step of one model: (a) ours, all seeds in one program; (b) one model at a time with a
DataLoader, a forward pass of f on the batch and of g on the label vectors, cross-entropy and Adam; (c) the floor: the
step's floating-point operations at the rate of a large matrix product measured in the same run.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from on_threads import on_threads
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from closedist.paper.config import paper_dataset, paper_models, paper_training
from closedist.paper.data.radial import radial_split
from closedist.paper.runs import TrainingRun, training_runs
from closedist.paper.training.learners import build_learners
from closedist.paper.training.loop import limited_threads


def seconds_per_call(call: Callable[[], object], repeats: int) -> float:
    """The median over ``repeats`` timed calls, after a fifth as many untimed ones."""
    for _ in range(max(1, repeats // 5)):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def ours(run: TrainingRun, inputs: Tensor, labels: Tensor, repeats: int) -> float:
    seeds = run.models.random_seeds
    learners = build_learners(
        [run.untrained(seed).state_dict() for seed in seeds],
        run.models,
        run.training,
        fix_length_f=0,
        fix_length_g=0,
        device=torch.device("cpu"),
    )
    order = torch.randperm(len(labels))[: run.training.batch_size]
    with limited_threads(learners):
        return seconds_per_call(lambda: learners.step(inputs[order], labels[order]), repeats) / len(seeds)


def plain_loop(run: TrainingRun, inputs: Tensor, labels: Tensor, steps: int) -> float:
    model = run.untrained(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=run.training.learning_rate)
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=run.training.batch_size, shuffle=True)
    times = []
    start = time.perf_counter()
    while len(times) < steps:
        for batch, targets in loader:
            optimizer.zero_grad()
            logits = model.f_net(batch) @ model.g_net(model.label_vectors).T
            torch.nn.functional.cross_entropy(logits, targets).backward()
            optimizer.step()
            now = time.perf_counter()
            times.append(now - start)
            start = now
    return statistics.median(times[steps // 5 :])


def operations(run: TrainingRun, width: int) -> float:
    """Multiplications and additions of one step of one model, with the products that the gradient needs."""
    rep_dim, labels, batch = run.models.rep_dim, run.models.num_classes, run.training.batch_size
    total = 0.0
    for rows, first in ((batch, 2), (labels, labels - 1)):
        layers = list(pairwise((first, width, width, width, rep_dim)))
        forward = [2.0 * rows * fan_in * fan_out for fan_in, fan_out in layers]
        # the gradient by the weights costs as much again, and by the inputs too, but for the first layer
        total += 3 * sum(forward) - forward[0]
    return total + 3 * 2.0 * batch * labels * rep_dim


def matrix_product_rate() -> float:
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return 2 * 2048**3 / seconds_per_call(lambda: a @ b, 7)


def main() -> None:
    parser = argparse.ArgumentParser(description="Training speed, ours beside a plain loop and the floor.")
    parser.add_argument("--labels", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--widths", default="16,64,256")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    on_threads(options.threads)
    dataset, training = paper_dataset(options.labels), paper_training()
    inputs, labels = radial_split(dataset, "train")
    rate = matrix_product_rate()
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, torch {torch.__version__}")
    print(f"{options.seeds} seeds, {options.labels} labels; matrix products at {rate / 1e9:.0f} GFLOP/s")
    print("width | ours ms | plain ms | floor ms | plain/ours | ours/floor | ours: s for 15,000 steps of a model")
    for width in map(int, options.widths.split(",")):
        models = paper_models(
            options.labels,
            random_seeds=tuple(range(options.seeds)),
            num_features=(width,),
            fix_length_gs=(0,),
            fix_length_fs=(0,),
        )
        (run,) = training_runs(dataset, models, training, "benchmark")
        mine = ours(run, inputs, labels, 300 if width < 128 else 60)
        plain = plain_loop(run, inputs, labels, 400)
        floor = operations(run, width) / rate
        print(
            f"{width:5d} | {mine * 1e3:7.4f} | {plain * 1e3:8.3f} | {floor * 1e3:8.4f} | {plain / mine:10.1f} | "
            f"{mine / floor:10.2f} | {mine * training.train_steps:.2f}"
        )


if __name__ == "__main__":
    main()
