"""Views of the same inputs without each group of inputs: from one root where second moments are enough, else anew."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from closedist.certainty.groups import Groups
from closedist.certainty.replicates import replicate_factors
from closedist.measures.group_roots import GroupedRows
from closedist.measures.joint import Columns, Joint
from closedist.measures.roots import triangular


def moments_without(views: Joint, groups: Groups) -> Iterator[Joint]:
    """The root of the views without each group, for measures that look at second moments alone.

    The squared norms of the rows, which debiased CKA needs, are one more column a view; about the mean c' of the rows
    that are left, they are ‖x − c‖² − 2(x − c)·(c' − c) and a constant.

    Args:
        views: whose rows are the N inputs.
        groups: of these.
    """
    count = views.num_inputs
    squares = views.lengths.square().mT
    rows = torch.cat([views.columns.side, squares - squares.mean(0)], 1)
    grouped = GroupedRows(len(groups.sizes))
    codes = groups.codes.to(rows.device)
    for part in torch.split(codes.argsort(stable=True), groups.sizes.tolist()):
        grouped.add(rows[part], codes[part])
    of_groups = grouped.result()
    root = triangular(rows) / math.sqrt(count - 1)
    factors = replicate_factors(root, of_groups)
    width = views.columns.side.shape[1]
    for factor, step, size in zip(factors, of_groups.steps, groups.sizes.tolist(), strict=True):
        others = count - size
        left = factor @ root * math.sqrt(others - 1)
        columns = Columns(left[:, :width], views.columns.widths)
        moved = Columns((-size / others * step[None, :width]), views.columns.widths)  # the means of the rows left
        norms = left[:, width:].mT - torch.stack([2.0 * x @ mean[0] for x, mean in zip(columns, moved, strict=True)])
        yield replace(views, columns=columns, num_inputs=others, squares=norms)


def rows_without(views: Joint, groups: Groups) -> Iterator[Joint]:
    """The rows of the views without each group, about their own mean, for measures of pairs of inputs."""
    codes = groups.codes.to(views.columns.side.device)
    for group, size in enumerate(groups.sizes.tolist()):
        left: Tensor = views.columns.side[codes != group]
        columns = Columns(left - left.mean(0), views.columns.widths)
        yield replace(views, columns=columns, num_inputs=views.num_inputs - size)
