"""The radial data and the order in which training sees it."""

import itertools

import numpy as np
import torch

from closedist.paper.config import paper_dataset
from closedist.paper.data.radial import radial_split
from closedist.paper.training.batch_order import batch_indices
from tests.small import small_dataset


def test_the_test_points_are_the_published_ones(shared):
    points, labels = radial_split(paper_dataset(4), "test")
    published = np.load(shared / "golden" / "radial_test_seed1_cls4.npz")
    assert np.array_equal(points.numpy(), published["data"])
    assert np.array_equal(labels.numpy(), published["targets"])


def test_opposite_points_have_the_same_label():
    points, labels = radial_split(small_dataset(num_classes=6, num_points=500), "train")
    angles = torch.atan2(-points[:, 1].double(), -points[:, 0].double()) % torch.pi
    expected = (angles / (torch.pi / 6)).floor().clamp(max=5).long()
    assert (expected == labels).float().mean() > 0.995  # but for points within rounding of an edge
    assert set(labels.tolist()) == set(range(6))


def test_equal_weighting_keeps_as_many_of_every_class_as_the_rarest_has():
    config = small_dataset(num_classes=5).model_copy(update={"equal_weighting_classes": True})
    points, labels = radial_split(config, "train")
    counts = torch.bincount(labels)
    assert len(set(counts.tolist())) == 1
    everything, all_labels = radial_split(small_dataset(num_classes=5), "train")
    assert counts[0] == torch.bincount(all_labels).min()
    first_of_class_0 = everything[all_labels == 0][: counts[0]]
    assert {tuple(p) for p in points[labels == 0].tolist()} == {tuple(p) for p in first_of_class_0.tolist()}


def test_an_epoch_is_a_permutation_cut_into_batches_of_which_the_last_is_short():
    batches = list(itertools.islice(batch_indices(0, 1000, 96), 11))
    assert [len(batch) for batch in batches] == [96] * 10 + [40]
    assert sorted(torch.cat(batches).tolist()) == list(range(1000))


def test_batches_from_any_step_on_are_those_of_an_undisturbed_run():
    whole = list(itertools.islice(batch_indices(5, 100, 7), 2500))
    for start in (0, 1, 14, 15, 16, 2000, 2001, 2490):
        rest = list(itertools.islice(batch_indices(5, 100, 7, start), 2500 - start))
        assert all(torch.equal(a, b) for a, b in zip(rest, whole[start:], strict=True))
