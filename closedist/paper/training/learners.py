"""From a configuration's state dicts to models that train together."""

from collections.abc import Sequence

import torch

from closedist.errors import InputError
from closedist.paper.config import ModelVariationsConfig, TrainConfig
from closedist.paper.models.classifier import build_classifier
from closedist.paper.models.networks import NETWORKS
from closedist.paper.training.arithmetic import Arithmetic, Precision
from closedist.paper.training.loop import Learners, StateDict
from closedist.paper.training.single_model import SingleModel
from closedist.paper.training.stacked_cnn import StackedCNNs
from closedist.paper.training.stacked_mlp import StackedMLPs


def seeds_together(model_type: str) -> int | None:
    """How many seeds train in one program where that is fastest; None is all of them."""
    return 1 if NETWORKS[model_type].trains == "one by one" else None


def build_learners(
    state_dicts: Sequence[StateDict],
    variations: ModelVariationsConfig,
    training: TrainConfig,
    *,
    fix_length_f: float,
    fix_length_g: float,
    device: torch.device,
    precision: Precision = "float32",
) -> Learners:
    """Models with the given weights, ready for their first step.

    Args:
        state_dicts: one a model.
        variations: the family that they belong to.
        training: the optimiser and its settings.
        fix_length_f, fix_length_g: the member's fixed lengths; 0 is free.
        device: where they train.
        precision: ``float32``, or ``bf16`` for the image models.

    Raises:
        InputError: bf16 for a model type that is trained in float32 only.
    """
    trains = NETWORKS[variations.model_type].trains
    if trains == "as MLPs":
        if precision != "float32":
            raise InputError(
                f"--precision: {variations.model_type} is trained in float32, not {precision}; leave the option out"
            )
        return StackedMLPs(
            state_dicts,
            num_classes=variations.num_classes,
            fix_length_f=fix_length_f,
            fix_length_g=fix_length_g,
            nonlinearity=variations.nonlinearity,
            config=training,
            device=device,
        )
    arithmetic = Arithmetic(device, precision)
    if trains == "one by one":
        (weights,) = state_dicts
        model = build_classifier(
            variations.model_type,
            num_classes=variations.num_classes,
            num_features=variations.num_features[0],
            rep_dim=variations.rep_dim,
            nonlinearity=variations.nonlinearity,
            fix_length_f=fix_length_f,
            fix_length_g=fix_length_g,
            seed=0,  # of weights that are replaced
        )
        model.load_state_dict(weights)
        return SingleModel(model, training, arithmetic)
    return StackedCNNs(
        state_dicts,
        num_classes=variations.num_classes,
        fix_length_f=fix_length_f,
        fix_length_g=fix_length_g,
        nonlinearity=variations.nonlinearity,
        config=training,
        arithmetic=arithmetic,
    )
