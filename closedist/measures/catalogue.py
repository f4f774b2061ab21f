"""Every measure of two views in one table: what it does not see, its range, what chance gives, when it misleads.

The table is read wherever a number is written, so that it names the functions and nothing here loads torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from closedist.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from closedist.measures.joint import Joint

Change = Literal["shift", "scale", "reordered", "rescaled", "rotated", "mapped"]
CHANGES: dict[Change, str] = {
    "shift": "a vector added to all rows",
    "scale": "one factor for all columns",
    "reordered": "columns in another order",
    "rescaled": "a factor for each column",
    "rotated": "a rotation or reflection",
    "mapped": "an invertible linear map",
}
_ORDER: tuple[Change, ...] = ("shift", "scale", "reordered")
_RESCALED: tuple[Change, ...] = (*_ORDER, "rescaled")
_ROTATED: tuple[Change, ...] = (*_ORDER, "rotated")
_MAPPED: tuple[Change, ...] = (*_RESCALED, "rotated", "mapped")
_HALF_PI = 1.5707963267948966


@dataclass(frozen=True)
class Measure:
    """A measure of two views, (n, d) and (n, e), of the same n inputs.

    Attributes:
        name: of the function, ``closedist.NAME(z, w)``; that for many views is ``closedist.NAME_matrix(views)``.
        short: what tables, ``layer_matrix`` and the command line call it too.
        title: what a figure calls it.
        invariances: the changes of either view by itself that it does not see.
        low, high: its range.
        larger_is_closer: a similarity, which is 1 of a view with itself; else a distance, which is 0.
        symmetric: whether both orders of the views give one number.
        metric: whether it obeys the triangle inequality.
        moments: whether second moments are enough, so that activations need not be kept.
        chance: what unrelated views give.
        misleads: when not to believe it.
        source: of the definition.
        home: where it is for all pairs of views that are side by side: a module of ``measures`` and a function.
        expected: where its mean over permuted inputs is, likewise, for measures that have a closed form of it.
    """

    name: str
    short: str
    title: str
    invariances: tuple[Change, ...]
    low: float
    high: float
    larger_is_closer: bool
    symmetric: bool
    metric: bool
    moments: bool
    chance: str
    misleads: str
    source: str
    home: str
    expected: str = ""

    @property
    def of_joint(self) -> "Callable[[Joint], Tensor]":
        """The same for all pairs of views that are side by side."""
        return _at(self.home)

    @property
    def chance_of_joint(self) -> "Callable[[Joint], Tensor] | None":
        """What all pairs of views would give if the inputs of one were permuted; None where only permutations say."""
        return _at(self.expected) if self.expected else None

    def __str__(self) -> str:
        """A line: its name, and what it does not see."""
        return f"{self.name}: does not see {', '.join(CHANGES[change] for change in self.invariances)}"


def _at(place: str) -> "Callable[[Joint], Tensor]":
    module, function = place.split(".")
    found: Callable[[Joint], Tensor] = getattr(import_module(f"closedist.measures.{module}"), function)
    return found


def _similarity(
    home: str,
    name: str,
    short: str,
    title: str,
    invariances: tuple[Change, ...],
    chance: str,
    misleads: str,
    source: str,
    *,
    low: float = 0.0,
    symmetric: bool = True,
    moments: bool = True,
    expected: str = "",
) -> Measure:
    return Measure(
        name, short, title, invariances, low, 1.0, True, symmetric, False, moments, chance, misleads, source, home,
        expected,
    )  # fmt: skip


def _distance(
    home: str,
    name: str,
    short: str,
    title: str,
    invariances: tuple[Change, ...],
    high: float,
    chance: str,
    misleads: str,
    source: str,
    *,
    expected: str = "",
) -> Measure:
    return Measure(
        name, short, title, invariances, 0.0, high, False, True, True, True, chance, misleads, source, home, expected
    )


MEASURES: tuple[Measure, ...] = (
    _similarity(
        "cka.linear_cka_of", "linear_cka", "cka", "linear CKA", _ROTATED,
        "tr Σ·tr Σ'/((n − 1)‖Σ‖‖Σ'‖); 0.84 of noise at n = 100, d = 512",
        "few inputs; one direction of large variance rules it", "Kornblith et al. 2019",
        expected="chance.linear_cka_of",
    ),
    _similarity(
        "cka.linear_cka_of", "rv_coefficient", "rv", "RV coefficient", _ROTATED,
        "as linear CKA, which it is", "as linear CKA", "Escoufier 1973",
        expected="chance.linear_cka_of",
    ),
    _similarity(
        "debiased_cka.debiased_cka_of", "debiased_cka", "debiased", "debiased CKA", _ROTATED,
        "0", "one direction of large variance rules it; noisy at few inputs", "Song et al. 2012", low=-1.0,
        expected="chance.zero_of",
    ),
    _distance(
        "shape.procrustes_of", "procrustes_distance", "procrustes", "Procrustes distance", _ROTATED, 2**0.5,
        "below √2, far below where d nears n", "few inputs; directions of large variance rule it", "Schönemann 1966",
    ),
    _distance(
        "shape.angular_of", "angular_shape_distance", "angular", "angular shape distance", _ROTATED, _HALF_PI,
        "below π/2, as Procrustes", "as Procrustes", "Williams et al. 2021",
    ),
    _distance(
        "shape.bures_of", "bures_distance", "bures", "Bures distance", ("shift", "scale"), 2**0.5,
        "that of the two covariances", "compares coordinates; 0 does not mean equal views", "Bures 1969",
        expected="shape.bures_of",
    ),
    _distance(
        "shape.riemannian_of", "riemannian_distance", "riemannian", "Riemannian distance", ("shift", "scale"),
        float("inf"),
        "that of the two covariances", "compares coordinates; small variances count fully", "Pennec et al. 2006",
        expected="shape.riemannian_of",
    ),
    _similarity(
        "regression.linear_r2_of", "linear_r2", "r2", "linear R²", _ROTATED,
        "d/(n − 1)", "few inputs: pass groups; a wide first view explains all", "Kornblith et al. 2019",
        symmetric=False,
        expected="chance.linear_r2_of",
    ),
    _distance(
        "regression.gulp_of", "gulp_distance", "gulp", "GULP", _ROTATED, float("inf"),
        "near √(Σ(s²/(s² + λ))² of both)", "λ decides which directions count", "Boix-Adserà et al. 2022",
    ),
    _similarity(
        "cca.mean_cca_of", "mean_cca", "cca", "m_CCA", _MAPPED,
        "√(d/(n − 1)) and more", "n below 20·d; directions of no variance count", "Hotelling 1936",
        expected="chance.mean_cca_of",
    ),
    _similarity(
        "canonical.svcca_of", "svcca", "svcca", "SVCCA", _ROTATED,
        "√(k/(n − 1)) for k axes kept", "jumps where an axis more is kept", "Raghu et al. 2017",
    ),
    _similarity(
        "canonical.pwcca_of", "pwcca", "pwcca", "PWCCA", _ORDER,
        "√(d/(n − 1))", "the first view's coordinates decide the weights", "Morcos et al. 2018", symmetric=False,
    ),
    _distance(
        "canonical.regularised_cca_of", "regularised_cca_distance", "regularised_cca", "regularised CCA",
        ("shift", "reordered", "rotated"), _HALF_PI,
        "below π/2", "α means nothing across scales or numbers of inputs", "Williams et al. 2021",
    ),
    _similarity(
        "cca.eigenspace_overlap_of", "eigenspace_overlap", "eigenspace", "eigenspace overlap", _MAPPED,
        "(smaller rank)/(n − 1)", "directions of next to no variance count as all others", "May et al. 2019",
        expected="chance.eigenspace_overlap_of",
    ),
    _similarity(
        "mean_svd.mean_svd_of", "mean_svd", "svd", "m_SVD", _RESCALED,
        "about √(d/n)", "depends on the coordinates: a rotation changes it", "Nielsen et al. 2025",
    ),
    _similarity(
        "input_geometry.rbf_cka_of", "rbf_cka", "rbf_cka", "RBF-CKA", _ROTATED,
        "above 0, near 1 of few inputs", "few inputs; a small bandwidth makes all views alike", "Kornblith et al. 2019",
        moments=False,
    ),
    _similarity(
        "input_geometry.distance_correlation_of", "distance_correlation", "dcor", "distance correlation", _ROTATED,
        "above 0, near 1 where n is not far above d", "few inputs", "Székely et al. 2007", moments=False,
    ),
    _similarity(
        "input_geometry.rsa_of", "rsa", "rsa", "RSA", _ROTATED,
        "0 (cosine: near 1)", "distances of one input are dependent: no textbook p-value", "Kriegeskorte et al. 2008",
        low=-1.0, moments=False,
        expected="chance.zero_of",
    ),
    _similarity(
        "neighbour_overlap.mutual_knn_of", "mutual_knn", "mutual_knn", "mutual k nearest neighbours", _ROTATED,
        "k/(n − 1)", "sees k neighbours only; falls with more inputs", "Huh et al. 2024", moments=False,
        expected="chance.mutual_knn_of",
    ),
    _similarity(
        "neighbour_overlap.jaccard_of", "jaccard", "jaccard", "Jaccard of neighbours", _ROTATED,
        "k/(2n)", "sees k neighbours only; falls with more inputs", "Schumacher et al. 2021", moments=False,
    ),
    _similarity(
        "neighbour_overlap.rank_similarity_of", "rank_similarity", "rank", "neighbours' rank similarity", _ROTATED,
        "about 0", "1 of a few shared neighbours of equal ranks", "Wang et al. 2022", moments=False,
    ),
    _similarity(
        "neighbour_similarity.second_order_cosine_of", "second_order_cosine", "second_order", "second-order cosine",
        _ROTATED,
        "well above 0", "cosines to near neighbours are all positive", "Hamilton et al. 2016", low=-1.0, moments=False,
    ),
    _similarity(
        "neighbour_similarity.cknna_of", "cknna", "cknna", "CKNNA", _ROTATED,
        "about 0", "sees k neighbours only; inputs far from the mean rule it", "Huh et al. 2024", low=-1.0,
        moments=False,
    ),
)  # fmt: skip


def list_measures() -> tuple[Measure, ...]:
    """Every measure of two views, (n, d) and (n, e): ``for one in closedist.list_measures(): print(one)``.

    What compares two whole models (KL, d_LLV, d_{f,g}, …) is a field of ``compare``: ``closedist.comparison.COLUMNS``.

    Examples:
        >>> import closedist
        >>> [one.short for one in closedist.list_measures() if one.metric][:3]
        ['procrustes', 'angular', 'bures']
    """
    return MEASURES


def measure_called(name: str) -> Measure:
    """A measure by its function's name or its short one.

    Raises:
        InputError: there is none of this name.
    """
    for one in MEASURES:
        if name in (one.name, one.short):
            return one
    raise InputError(f"measure: {name!r}; it is one of {', '.join(one.short for one in MEASURES)}")
