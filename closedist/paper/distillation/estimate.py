"""How long a distillation will take here, from a few steps of its programs."""

import time
from pathlib import Path

import torch
from torch import Tensor

from closedist.paper.distillation.networks import Network, StateDict, initial_weights, stacked
from closedist.paper.distillation.plan import Distillation
from closedist.paper.distillation.training import Group, Schedule, one_epoch

STEPS = 2


def seconds_left(plan: Distillation, teachers: bool, programs: int, data_folder: Path) -> float:
    """Seconds of training, evaluations aside.

    Args:
        plan: what is trained.
        teachers: whether its teachers still are.
        programs: how many teachers' students still are.
        data_folder: where data files are.
    """
    set_up = plan.set_up
    inputs = set_up.load(data_folder).train
    seconds = 0.0
    if teachers:
        of_teachers = Group(set_up.teacher, plan.teacher_seeds, _objective)
        seconds += _seconds(of_teachers, inputs, set_up.teacher_schedule)
    if programs:
        of_students = Group(set_up.student, plan.student_seeds, _objective, len(plan.kinds))
        seconds += programs * _seconds(of_students, inputs, set_up.student_schedule)
    return seconds


def _objective(embeddings: Tensor, weights: StateDict, rows: Tensor) -> Tensor:
    """A loss that costs about what the real ones do."""
    return torch.bmm(embeddings, weights["linear.weight"].mT).square().mean((1, 2))


def _seconds(group: Group, inputs: Tensor, schedule: Schedule) -> float:
    """Of a whole training, from two steps after one to warm up."""
    state = _started(group.network, len(group.seeds) * group.kinds)
    optimizer = torch.optim.Adam([value for value in state.values() if value.requires_grad], fused=True)
    generators = [torch.Generator().manual_seed(seed) for seed in group.seeds]
    size = min(schedule.batch_size, len(inputs))
    one_epoch(group, state, inputs[:size], size, optimizer, generators)
    start = time.perf_counter()
    one_epoch(group, state, inputs[: STEPS * size], size, optimizer, generators)
    steps = len(inputs[: STEPS * size]) / size
    return (time.perf_counter() - start) / steps * len(inputs) / size * schedule.epochs


def _started(network: Network, count: int) -> StateDict:
    stack = stacked([initial_weights(network, 0, xavier_heads=True)] * count)
    return {key: value.requires_grad_(key not in network.buffers) for key, value in stack.items()}
