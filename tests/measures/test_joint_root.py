"""Views that come batch by batch give what the whole ones give, from a root factor whose size does not grow."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import closedist
from closedist.measures.catalogue import MEASURES
from closedist.measures.joint import joint
from closedist.measures.joint_root import JointRoot


def views(n=300, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4)) + 2
    y = np.tanh(x @ random.normal(size=(4, 6))) + 0.3 * random.normal(size=(n, 6))
    return [torch.tensor(one) for one in (x, y, np.c_[x[:, :2], x[:, 0]] * 1e3, x @ random.normal(size=(4, 4)))]


def streamed(views, sizes=7, **options):
    root = JointRoot([f"views[{i}]" for i in range(len(views))], **options)
    for start in range(0, len(views[0]), sizes):
        root.add([view[start : start + sizes] for view in views])
    return root.joint()


@pytest.mark.parametrize("sizes", [1, 7, 100, 300])
@pytest.mark.parametrize("measure", [one for one in MEASURES if one.moments], ids=lambda one: one.name)
def test_a_measure_of_second_moments_is_that_of_the_whole_views(measure, sizes):
    whole = views()
    if measure.name in ("bures_distance", "riemannian_distance"):
        whole = [whole[0], whole[3]]
    assert_allclose(measure.of_joint(streamed(whole, sizes)), measure.of_joint(joint(whole)), atol=1e-9)


def test_rsa_of_squared_distances_is_too():
    for kind in ("pearson", "cosine"):
        expected = closedist.rsa_matrix(views(), kind)
        from closedist.measures.input_geometry import rsa_of

        assert_allclose(rsa_of(streamed(views()), kind), expected, atol=1e-9)


def test_a_large_mean_that_drifts_costs_no_digits():
    drift = torch.linspace(0, 1e4, 300, dtype=torch.float64)[:, None]
    whole = [view + 1e5 + drift for view in views()[:2]]
    for measure in [one for one in MEASURES if one.name in ("linear_cka", "debiased_cka", "mean_cca")]:
        assert_allclose(measure.of_joint(streamed(whole)), measure.of_joint(joint(whole)), atol=1e-8)


def test_what_is_kept_does_not_grow_with_the_inputs():
    few, many = (streamed(views(n), 50).columns.side.shape for n in (100, 2000))
    assert few == many == (17 + 4, 17)


def test_fewer_inputs_than_columns_are_enough():
    whole = [view[:9] for view in views()]
    for measure in [one for one in MEASURES if one.name in ("linear_cka", "procrustes_distance", "debiased_cka")]:
        assert_allclose(measure.of_joint(streamed(whole, 4)), measure.of_joint(joint(whole)), atol=1e-9)


def test_only_the_first_views_with_the_others_are_compared_where_so_asked():
    whole = views()
    for measure in [
        one for one in MEASURES if one.moments and one.name not in ("bures_distance", "riemannian_distance")
    ]:
        some = measure.of_joint(streamed(whole, first=1))[:1, 1:]
        assert_allclose(some, measure.of_joint(joint(whole))[:1, 1:], atol=1e-9)


def test_what_needs_activations_says_so_of_moments():
    for measure in [one for one in MEASURES if not one.moments]:
        with pytest.raises(closedist.InputError, match="moments_only"):
            measure.of_joint(streamed(views()))


def test_a_constant_view_rows_that_do_not_match_and_no_rows_are_refused():
    constant = [views()[0], torch.full((300, 2), 0.1)]
    with pytest.raises(closedist.InputError, match="constant"):
        streamed(constant)
    root = JointRoot(["a", "b"])
    with pytest.raises(closedist.InputError, match="at least two"):
        root.joint()
    with pytest.raises(closedist.InputError, match="3 and 4 rows"):
        root.add([torch.ones(3, 2), torch.ones(4, 2)])
