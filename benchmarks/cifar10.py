"""Training speed on images: ours beside a plain PyTorch loop and beside the arithmetic floor, in one run.

    python benchmarks/cifar10.py [--models SmallCIFAR10] [--seeds 10] [--threads 2] [--precision bf16] [--cuda]

Prints milliseconds for one step of one model on batches of 32, on random images, since speed does not depend on what
they show: (a) ours, as train-variations trains; (b) one model at a time with a DataLoader over normalised images, and
Adam; (c) the floor: the step's floating-point operations at the rate of a large float32 matrix product measured in the
same run.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from on_threads import on_threads
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from closedist.paper.config import DatasetConfig, ModelVariationsConfig, TrainConfig
from closedist.paper.data.cifar10 import normalise
from closedist.paper.runs import TrainingRun, training_runs
from closedist.paper.training.arithmetic import Precision
from closedist.paper.training.learners import build_learners, seeds_together

WIDTH = 128
IMAGES = 2048
SECONDS = 8  # about how long each measurement takes
DATASET = DatasetConfig(random_seed=0, dataset_name="cifar10", num_points=50_000, num_classes=10)
TRAINING = TrainConfig(
    dataset_name="cifar10", random_seed=0, batch_size=32, train_steps=20_000, learning_rate=1e-4, optimizer_type="ADAM"
)


def training_run(model_type: str, seeds: int) -> TrainingRun:
    models = ModelVariationsConfig(
        random_seeds=tuple(range(seeds)),
        model_type=model_type,
        nonlinearity="leaky_relu",
        num_classes=10,
        num_features=(WIDTH,),
        rep_dim=2,
        fix_length_fs=(0,),
        fix_length_gs=(0,),
    )
    (run,) = training_runs(DATASET, models, TRAINING, "benchmark")
    return run


def seconds_per_call(call: Callable[[], object], device: torch.device) -> float:
    """The median over as many calls as the time allows, after three untimed ones."""

    def timed() -> float:
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    first = min(timed() for _ in range(3))
    return statistics.median(timed() for _ in range(max(5, round(SECONDS / first))))


def ours(run: TrainingRun, images: Tensor, labels: Tensor, device: torch.device, precision: Precision) -> float:
    seeds = run.models.random_seeds[: seeds_together(run.models.model_type)]
    learners = build_learners(
        [run.untrained(seed).state_dict() for seed in seeds],
        run.models,
        TRAINING,
        fix_length_f=0,
        fix_length_g=0,
        device=device,
        precision=precision,
    )
    images, labels = images.to(device), labels.to(device)

    def step() -> None:
        batch = torch.randint(IMAGES, (TRAINING.batch_size,)).to(device)
        learners.step(images[batch], labels[batch])

    return seconds_per_call(step, device) / len(seeds)


def plain_loop(run: TrainingRun, images: Tensor, labels: Tensor, device: torch.device) -> float:
    model = run.untrained(0).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=TRAINING.learning_rate)
    data = TensorDataset(normalise(images), labels)
    batches = iter(())

    def step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(DataLoader(data, batch_size=TRAINING.batch_size, shuffle=True))
            batch = next(batches)
        inputs, targets = (tensor.to(device) for tensor in batch)
        optimizer.zero_grad()
        functional.nll_loss(model(inputs), targets).backward()
        optimizer.step()

    return seconds_per_call(step, device)


def operations(run: TrainingRun, images: Tensor) -> float:
    """Multiplications and additions of one step of one model, forward and backward, as PyTorch counts them."""
    model = run.untrained(0).train()
    with FlopCounterMode(display=False) as counter:
        model(normalise(images[: TRAINING.batch_size])).sum().backward()
    return counter.get_total_flops()


def matrix_product_rate(device: torch.device) -> float:
    a, b = (torch.randn(2048, 2048, device=device) for _ in range(2))
    return 2 * 2048**3 / seconds_per_call(lambda: a @ b, device)


def main() -> None:
    parser = argparse.ArgumentParser(description="Training speed on images, ours beside a plain loop and the floor.")
    parser.add_argument("--models", default="SmallCIFAR10,MedCIFAR10,ResNetCIFAR10")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--cuda", action="store_true")
    options = parser.parse_args()
    on_threads(options.threads)
    device = torch.device("cuda" if options.cuda else "cpu")
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (IMAGES,))
    rate = matrix_product_rate(device)
    on = torch.cuda.get_device_name() if options.cuda else f"{platform.machine()}, {options.threads} threads"
    print(f"{on}, torch {torch.__version__}, ours in {options.precision}; matrix products at {rate / 1e9:.0f} GFLOP/s")
    print(
        "model | seeds together | ours ms | plain ms | floor ms | plain/ours | ours/floor | ours: min for 20,000 steps"
    )
    for model_type in options.models.split(","):
        run = training_run(model_type, options.seeds)
        together = min(options.seeds, seeds_together(model_type) or options.seeds)
        mine = ours(run, images, labels, device, options.precision)
        plain = plain_loop(run, images, labels, device)
        floor = operations(run, images) / rate
        print(
            f"{model_type} | {together} | {mine * 1e3:.2f} | {plain * 1e3:.2f} | {floor * 1e3:.2f} | "
            f"{plain / mine:.2f} | {mine / floor:.2f} | {mine * TRAINING.train_steps / 60:.1f}"
        )


if __name__ == "__main__":
    main()
