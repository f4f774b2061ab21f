"""From a configuration's state dicts to models that train together."""

from collections.abc import Sequence

import torch

from closedist.config import ModelType, ModelVariationsConfig, TrainConfig
from closedist.models.stacked_mlp import StackedMLPs
from closedist.training import Learners, StateDict


def seeds_together(model_type: ModelType) -> int | None:
    """How many seeds train in one program where that is fastest; None is all of them."""
    return 1 if model_type == "ResNetCIFAR10" else None


def build_learners(
    state_dicts: Sequence[StateDict],
    variations: ModelVariationsConfig,
    training: TrainConfig,
    *,
    fix_length_f: float,
    fix_length_g: float,
    device: torch.device,
) -> Learners:
    """Models with the given weights, ready for their first step.

    Args:
        state_dicts: one a model.
        variations: the family that they belong to.
        training: the optimiser and its settings.
        fix_length_f, fix_length_g: the member's fixed lengths; 0 is free.
        device: where they train.
    """
    return StackedMLPs(
        state_dicts,
        num_classes=variations.num_classes,
        fix_length_f=fix_length_f,
        fix_length_g=fix_length_g,
        nonlinearity=variations.nonlinearity,
        config=training,
        device=device,
    )
