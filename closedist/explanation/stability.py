"""Whether models would be grouped the same way on other inputs: their distances without each group of inputs."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from closedist.certainty.groups import contiguous_blocks, given_groups
from closedist.measures.checks import check_comparable
from closedist.measures.stack import stacked
from closedist.representations import Representations
from closedist.representations.names import model_names

_ELEMENTS = 1 << 22  # logits of all models at once: 32 MB


def distances_without_groups(
    models: Sequence[Representations], groups: ArrayLike | Tensor | None = None, *, same_inputs: bool = False
) -> NDArray[np.float64]:
    """√(2·(1 − logit correlation)) of all pairs without each group of inputs, for ``stability`` of ``group_models``.

    Distances below 1e-7 are rounding: they come from sums, not from root factors.

    Args:
        models: n on the same N inputs and C labels.
        groups: (N,) integers or strings, equal for inputs that belong together, 8 groups or more; by default 20 blocks
            of neighbouring inputs.
        same_inputs: as for :func:`closedist.compare`.

    Returns:
        (G, n, n) float64.

    Raises:
        InputError: the models cannot be compared, or there are too few inputs or groups.

    Examples:
        >>> import numpy as np, closedist
        >>> from closedist.explanation.stability import distances_without_groups
        >>> rng = np.random.default_rng(0)
        >>> f, g = rng.normal(size=(200, 2)), rng.normal(size=(5, 2))
        >>> found = distances_without_groups([closedist.Representations(sign * f, g) for sign in (1, 2, -1)])
        >>> found.shape, round(float(found[:, 0, 1].max()), 3), round(float(found[:, 0, 2].min()), 3)
        ((20, 3, 3), 0.0, 2.0)
    """
    check_comparable(models, model_names(len(models)), same_inputs=same_inputs)
    num_inputs = models[0].num_inputs
    found = contiguous_blocks(num_inputs) if groups is None else given_groups(groups, num_inputs)
    together = stacked(models)
    count, labels, device = len(models), together.num_labels, together.device
    products = torch.zeros(len(found.sizes), count, count, dtype=torch.float64, device=device)
    sums = torch.zeros(len(found.sizes), count, labels, dtype=torch.float64, device=device)
    for group in range(len(found.sizes)):
        for rows in torch.split((found.codes == group).nonzero().flatten(), max(1, _ELEMENTS // (count * labels))):
            inputs = together.inputs(rows)
            logits = together.logits(inputs, out=inputs.new_empty(*inputs.shape[:2], labels))
            products[group] += logits.flatten(1) @ logits.flatten(1).mT
            sums[group] += logits.sum(1)
    left = (num_inputs - found.sizes.to(device, torch.float64))[:, None, None]
    rest = sums.sum(0) - sums
    covariances = products.sum(0) - products - rest @ rest.mT / left
    sizes = covariances.diagonal(dim1=-2, dim2=-1).clamp(min=1e-300).sqrt()
    correlations = (covariances / (sizes[..., None] * sizes[:, None])).clamp(-1.0, 1.0)
    distances = (2.0 * (1.0 - correlations)).sqrt()
    distances.diagonal(dim1=-2, dim2=-1).zero_()
    return distances.cpu().numpy()
