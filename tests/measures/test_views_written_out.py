"""Every measure of two views against its definition written out in numpy, and where peers are known to be wrong."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import closedist
from closedist.measures import catalogue
from tests.measures import written_out

NAMES = [one.name for one in closedist.list_measures()]
SAME_COLUMNS = ("bures_distance", "riemannian_distance")


def views(name, n=60, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5)) @ random.normal(size=(5, 5)) + 3
    y = np.tanh(x @ random.normal(size=(5, 7))) + 0.3 * random.normal(size=(n, 7))
    return x, y[:, :5] if name in SAME_COLUMNS else y


@pytest.mark.parametrize("name", NAMES)
def test_a_measure_is_its_definition_written_out(name):
    x, y = views(name)
    assert_allclose(getattr(closedist, name)(x, y), written_out.MEASURES[name](x, y), atol=1e-9)
    assert_allclose(getattr(closedist, name)(torch.tensor(y), x), written_out.MEASURES[name](y, x), atol=1e-9)


@pytest.mark.parametrize("together", [1 << 30, 8 * 60 * 12, 1], ids=["all", "a few", "one with one"])
@pytest.mark.parametrize("name", NAMES)
def test_all_pairs_are_the_single_ones_however_many_fit_side_by_side(name, together, monkeypatch):
    monkeypatch.setattr("closedist.measures.joint._TOGETHER_BYTES", together)
    random = np.random.default_rng(1)
    x, y = views(name)
    more = [x + random.normal(size=x.shape), x[:, :3], np.exp(y[:, :6] / 9), y[:, :5]]
    many = [x, y, *(one for one in more if name not in SAME_COLUMNS or one.shape[1] == x.shape[1])]
    matrix = getattr(closedist, f"{name}_matrix")(many)
    single = [[getattr(closedist, name)(one, other) for other in many] for one in many]
    assert_allclose(matrix, single, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_fewer_inputs_than_columns_are_no_special_case(name):
    random = np.random.default_rng(2)
    if name == "riemannian_distance":
        with pytest.raises(closedist.InputError, match="full rank"):
            closedist.riemannian_distance(random.normal(size=(12, 20)), random.normal(size=(12, 20)))
        return
    x, y = random.normal(size=(2, 12, 20))
    y = y if name == "bures_distance" else y[:, :17]
    assert_allclose(getattr(closedist, name)(x, y), written_out.MEASURES[name](x, y), atol=1e-8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("svcca", {"threshold": 0.7}),
        ("gulp_distance", {"regularisation": 0.5}),
        ("regularised_cca_distance", {"alpha": 0.0}),
        ("regularised_cca_distance", {"alpha": 0.9}),
        ("rbf_cka", {"bandwidth": 0.3}),
        ("rbf_cka", {"bandwidth": 20.0}),
        ("rsa", {"kind": "pearson"}),
        ("rsa", {"kind": "cosine"}),
        ("mutual_knn", {"k": 3, "metric": "cosine"}),
        ("jaccard", {"k": 1, "metric": "cosine"}),
        ("rank_similarity", {"k": 59}),
        ("second_order_cosine", {"k": 4}),
        ("cknna", {"k": 5, "metric": "cosine"}),
    ],
)
def test_so_it_is_with_every_argument(name, options):
    x, y = views(name)
    assert_allclose(getattr(closedist, name)(x, y, **options), written_out.MEASURES[name](x, y, **options), atol=1e-9)
    matrix = getattr(closedist, f"{name}_matrix")([y, x], **options)
    assert_allclose(matrix[1, 0], written_out.MEASURES[name](x, y, **options), atol=1e-9)


def test_regression_across_groups_is_that_of_scikit_learn():
    linear_model, model_selection = (
        pytest.importorskip("sklearn.linear_model"),
        pytest.importorskip("sklearn.model_selection"),
    )
    x, y = views("linear_r2")
    groups = np.arange(60) // 7
    predicted = model_selection.cross_val_predict(
        linear_model.LinearRegression(), x, y, groups=groups, cv=model_selection.LeaveOneGroupOut()
    )
    expected = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()
    assert_allclose(closedist.linear_r2(x, y, groups=groups), expected, atol=1e-9)
    doubled = np.c_[x, x[:, :1]]
    assert_allclose(closedist.linear_r2(doubled, y, groups=groups), expected, atol=1e-9)


def test_representational_similarity_is_that_of_rsatoolbox():
    import rsatoolbox

    x, y = views("rsa")
    dissimilarities = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(one), method="euclidean") for one in (x, y)]
    for kind, method in (("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine")):
        expected = rsatoolbox.rdm.compare(*dissimilarities, method=method)[0, 0]
        assert_allclose(closedist.rsa(x, y, kind), expected, atol=1e-9)


MOMENTS = [one.name for one in catalogue.MEASURES if one.moments and one.name != "riemannian_distance"]
LINEAR = ("mean_cca", "eigenspace_overlap", "linear_r2")


@pytest.mark.parametrize("name", LINEAR)
def test_a_column_twice_changes_nothing_where_the_span_counts(name):
    x, y = views(name)
    assert_allclose(getattr(closedist, name)(np.c_[x, x[:, 1]], y), written_out.MEASURES[name](x, y), atol=1e-9)


@pytest.mark.parametrize("name", [one for one in MOMENTS if one != "mean_svd"])  # which a constant column has none of
def test_a_column_of_zeros_adds_nothing(name):
    x, y = views(name)
    more = np.insert(x, 2, 0.0, axis=1), np.insert(y, 2, 0.0, axis=1) if name in SAME_COLUMNS else y
    assert_allclose(getattr(closedist, name)(*more), getattr(closedist, name)(x, y), atol=1e-9)


BASES = [*LINEAR, "svcca", "pwcca", "regularised_cca_distance", "gulp_distance"]
CONDITIONS = [1e1, 0.9e3, 1.1e3, 0.9e5, 1.1e5, 1e6]  # on both sides of where the way changes
BY_EIGENVALUES = "regularised_cca_distance"  # netrep's, whose definition rounds beyond 1e3


@pytest.mark.parametrize(
    ("name", "condition"),
    [(name, one) for name in BASES for one in CONDITIONS if name != BY_EIGENVALUES or one < 2e3],
)
def test_a_view_of_any_condition_is_measured_as_it_is(name, condition):
    random = np.random.default_rng(6)
    x, y = views(name, n=400)
    left, right = (np.linalg.qr(random.normal(size=(5, 5)))[0] for _ in range(2))
    x = left_basis(x) @ left @ np.diag(np.geomspace(1, 1 / condition, 5)) @ right
    assert_allclose(getattr(closedist, name)(x, y), written_out.MEASURES[name](x, y), atol=1e-9)
    assert_allclose(getattr(closedist, name)(y, x), written_out.MEASURES[name](y, x), atol=1e-9)


def left_basis(x):
    return np.linalg.qr(x - x.mean(0))[0]


@pytest.mark.parametrize("name", MOMENTS)
def test_a_column_twice_gives_what_the_definition_gives(name):
    x, y = views(name)
    x, y = np.c_[x, x[:, 1]], y[:, :5] if name in SAME_COLUMNS else y
    y = np.c_[y, y[:, 0]] if name in SAME_COLUMNS else y
    assert_allclose(getattr(closedist, name)(x, y), written_out.MEASURES[name](x, y), atol=2e-7)


@pytest.mark.parametrize("name", LINEAR)
def test_a_map_of_condition_a_million_changes_nothing_where_the_span_counts(name):
    random = np.random.default_rng(3)
    x, y = views(name, n=500)
    left, right = (np.linalg.qr(random.normal(size=(5, 5)))[0] for _ in range(2))
    hard = left @ np.diag(np.logspace(0, -6, 5)) @ right
    assert_allclose(getattr(closedist, name)(x @ hard, y), getattr(closedist, name)(x, y), atol=1e-9)
    assert_allclose(getattr(closedist, name)(x @ hard, x), 1.0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_far_from_zero_is_measured_as_it_is(name):
    x, y = (one.astype(np.float32) + np.float32(1000) for one in views(name))
    expected = written_out.MEASURES[name](x.astype(np.float64), y.astype(np.float64))
    assert_allclose(getattr(closedist, name)(x, y), expected, atol=1e-9)


def test_noise_of_few_inputs_is_near_one_by_the_plain_cka_and_nothing_by_the_debiased():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(2, 100, 512))
    assert closedist.linear_cka(x, y) > 0.8
    assert abs(closedist.debiased_cka(x, y)) < 0.05
    assert closedist.linear_r2(x, y) > 0.999  # 512 columns explain 100 inputs
    assert closedist.linear_r2(x, y, groups=np.arange(100) % 10) < 0.05
    assert abs(closedist.rsa(x, y)) < 0.1


@pytest.mark.parametrize("distance", ["procrustes_distance", "angular_shape_distance", "gulp_distance"])
def test_a_small_distance_keeps_its_digits(distance):
    random = np.random.default_rng(5)
    x = random.normal(size=(200, 4))
    step = random.normal(size=(200, 4))
    near, nearer = (getattr(closedist, distance)(x, x + size * step) for size in (1e-5, 1e-9))
    assert_allclose(nearer / near, 1e-4, rtol=1e-4)


def test_the_bures_distance_of_gram_matrices_is_that_of_procrustes():
    x, y = views("procrustes_distance", n=8)
    x, y = (one - one.mean(0) for one in (x, y))
    grams = [one @ one.T / np.trace(one @ one.T) for one in (x, y)]
    values, axes = np.linalg.eigh(grams[0])
    half = (axes * np.sqrt(values.clip(min=0))) @ axes.T
    fidelity = np.sqrt(np.linalg.eigvalsh(half @ grams[1] @ half).clip(min=0)).sum()
    assert_allclose(closedist.procrustes_distance(x, y), np.sqrt(2 - 2 * fidelity), atol=1e-7)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("svcca", {"threshold": 0.0}, "threshold"),
        ("svcca", {"threshold": "0.9"}, "threshold: '0.9'"),
        ("gulp_distance", {"regularisation": None}, "regularisation: None"),
        ("regularised_cca_distance", {"alpha": "half"}, "alpha: 'half'"),
        ("rbf_cka", {"bandwidth": True}, "bandwidth: True"),
        ("gulp_distance", {"regularisation": -1.0}, "regularisation"),
        ("regularised_cca_distance", {"alpha": 1.5}, "alpha"),
        ("rbf_cka", {"bandwidth": 0.0}, "bandwidth"),
        ("rsa", {"kind": "kendall"}, "kind"),
        ("mutual_knn", {"k": 60}, "k: 60"),
        ("cknna", {"k": 0}, "k: 0"),
        ("jaccard", {"metric": "manhattan"}, "metric"),
        ("linear_r2", {"groups": np.zeros(60)}, "one group"),
        ("linear_r2", {"groups": np.zeros(3)}, r"shape \(3,\)"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(name, options, said):
    with pytest.raises(closedist.InputError, match=said):
        getattr(closedist, name)(*views(name), **options)


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_view_and_views_of_other_inputs_are_refused(name):
    x, y = views(name)
    with pytest.raises(closedist.InputError, match=r"constant|full rank"):
        getattr(closedist, name)(np.ones_like(x), y)
    with pytest.raises(closedist.InputError, match="rows"):
        getattr(closedist, name)(x[:-1], y)
    with pytest.raises(closedist.InputError, match="none"):
        getattr(closedist, f"{name}_matrix")([])


@pytest.mark.parametrize("mean", [0.1, 1000.1])
def test_a_constant_column_has_no_correlation_whatever_its_mean(mean):
    x, y = views("mean_svd")
    layers = {"x": np.c_[x, np.full(60, mean)], "y": y, "small": x * [1, 1, 1, 1, 1e-13]}
    with pytest.raises(closedist.InputError, match="x: column 5 is constant"):
        closedist.layer_matrix(layers, measure="mean_svd")
    del layers["x"]
    assert np.isfinite(closedist.layer_matrix(layers, measure="mean_svd").values).all()


@pytest.mark.parametrize("name", SAME_COLUMNS)
def test_covariances_of_other_widths_are_refused_with_what_to_take(name):
    with pytest.raises(closedist.InputError, match="procrustes_distance"):
        getattr(closedist, name)(*views("linear_cka"))
