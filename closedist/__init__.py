"""closedist: are two trained models really the same?

Representations hold a model's embeddings and unembeddings; ``compare`` says how close two models are in distribution
and in representation, and whether the bounds that link the two hold. Names load on first use, so that importing the
package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closedist.comparison import Comparison, rows
    from closedist.errors import InputError
    from closedist.explanation.distances import distances
    from closedist.explanation.groups import contradiction, group_models, model_map
    from closedist.explanation.pair import explain
    from closedist.explanation.records import Explanation
    from closedist.extraction import extract, extract_logits
    from closedist.extraction.activations import activations
    from closedist.extraction.scikit_learn import from_sklearn
    from closedist.measures.canonical import (
        pwcca,
        pwcca_matrix,
        regularised_cca_distance,
        regularised_cca_distance_matrix,
        svcca,
        svcca_matrix,
    )
    from closedist.measures.catalogue import list_measures
    from closedist.measures.cca import eigenspace_overlap, eigenspace_overlap_matrix, mean_cca, mean_cca_matrix
    from closedist.measures.cka import linear_cka, linear_cka_matrix, rv_coefficient, rv_coefficient_matrix
    from closedist.measures.debiased_cka import debiased_cka, debiased_cka_matrix
    from closedist.measures.distillation import distillation_loss
    from closedist.measures.input_geometry import (
        distance_correlation,
        distance_correlation_matrix,
        rbf_cka,
        rbf_cka_matrix,
        rsa,
        rsa_matrix,
    )
    from closedist.measures.likelihood import kl_divergence, kl_matrix
    from closedist.measures.llv import llv_distance
    from closedist.measures.logit_bounds import capacity_floor
    from closedist.measures.logit_correlation import label_correlations
    from closedist.measures.logit_distance import logit_distance, logit_distance_by_input, logit_distance_by_label
    from closedist.measures.mean_svd import mean_svd, mean_svd_matrix
    from closedist.measures.neighbour_overlap import (
        jaccard,
        jaccard_matrix,
        mutual_knn,
        mutual_knn_matrix,
        rank_similarity,
        rank_similarity_matrix,
    )
    from closedist.measures.neighbour_similarity import (
        cknna,
        cknna_matrix,
        second_order_cosine,
        second_order_cosine_matrix,
    )
    from closedist.measures.probe_transfer import probe_transfer
    from closedist.measures.regression import gulp_distance, gulp_distance_matrix, linear_r2, linear_r2_matrix
    from closedist.measures.representation_distance import representation_distance
    from closedist.measures.shape import (
        angular_shape_distance,
        angular_shape_distance_matrix,
        bures_distance,
        bures_distance_matrix,
        procrustes_distance,
        procrustes_distance_matrix,
        riemannian_distance,
        riemannian_distance_matrix,
    )
    from closedist.measures.subset_dissimilarity import subset_dissimilarity
    from closedist.measures.top_k import kl_of_top_k
    from closedist.page.write import report
    from closedist.pairs import compare, compare_all
    from closedist.pairs.layers import layer_matrix
    from closedist.representations import Representations
    from closedist.representations.alignment import align

__version__ = "0.2.0"

_HOMES = {
    "Comparison": "closedist.comparison",
    "Explanation": "closedist.explanation.records",
    "InputError": "closedist.errors",
    "Representations": "closedist.representations",
    "activations": "closedist.extraction.activations",
    "align": "closedist.representations.alignment",
    "angular_shape_distance": "closedist.measures.shape",
    "angular_shape_distance_matrix": "closedist.measures.shape",
    "bures_distance": "closedist.measures.shape",
    "bures_distance_matrix": "closedist.measures.shape",
    "capacity_floor": "closedist.measures.logit_bounds",
    "cknna": "closedist.measures.neighbour_similarity",
    "cknna_matrix": "closedist.measures.neighbour_similarity",
    "compare": "closedist.pairs",
    "compare_all": "closedist.pairs",
    "contradiction": "closedist.explanation.groups",
    "debiased_cka": "closedist.measures.debiased_cka",
    "debiased_cka_matrix": "closedist.measures.debiased_cka",
    "distance_correlation": "closedist.measures.input_geometry",
    "distance_correlation_matrix": "closedist.measures.input_geometry",
    "distances": "closedist.explanation.distances",
    "distillation_loss": "closedist.measures.distillation",
    "eigenspace_overlap": "closedist.measures.cca",
    "eigenspace_overlap_matrix": "closedist.measures.cca",
    "explain": "closedist.explanation.pair",
    "extract": "closedist.extraction",
    "extract_logits": "closedist.extraction",
    "from_sklearn": "closedist.extraction.scikit_learn",
    "group_models": "closedist.explanation.groups",
    "gulp_distance": "closedist.measures.regression",
    "gulp_distance_matrix": "closedist.measures.regression",
    "jaccard": "closedist.measures.neighbour_overlap",
    "jaccard_matrix": "closedist.measures.neighbour_overlap",
    "kl_divergence": "closedist.measures.likelihood",
    "kl_matrix": "closedist.measures.likelihood",
    "kl_of_top_k": "closedist.measures.top_k",
    "label_correlations": "closedist.measures.logit_correlation",
    "layer_matrix": "closedist.pairs.layers",
    "linear_cka": "closedist.measures.cka",
    "linear_cka_matrix": "closedist.measures.cka",
    "linear_r2": "closedist.measures.regression",
    "linear_r2_matrix": "closedist.measures.regression",
    "list_measures": "closedist.measures.catalogue",
    "llv_distance": "closedist.measures.llv",
    "logit_distance": "closedist.measures.logit_distance",
    "logit_distance_by_input": "closedist.measures.logit_distance",
    "logit_distance_by_label": "closedist.measures.logit_distance",
    "mean_cca": "closedist.measures.cca",
    "mean_cca_matrix": "closedist.measures.cca",
    "mean_svd": "closedist.measures.mean_svd",
    "mean_svd_matrix": "closedist.measures.mean_svd",
    "model_map": "closedist.explanation.groups",
    "mutual_knn": "closedist.measures.neighbour_overlap",
    "mutual_knn_matrix": "closedist.measures.neighbour_overlap",
    "probe_transfer": "closedist.measures.probe_transfer",
    "procrustes_distance": "closedist.measures.shape",
    "procrustes_distance_matrix": "closedist.measures.shape",
    "pwcca": "closedist.measures.canonical",
    "pwcca_matrix": "closedist.measures.canonical",
    "rank_similarity": "closedist.measures.neighbour_overlap",
    "rank_similarity_matrix": "closedist.measures.neighbour_overlap",
    "rbf_cka": "closedist.measures.input_geometry",
    "rbf_cka_matrix": "closedist.measures.input_geometry",
    "regularised_cca_distance": "closedist.measures.canonical",
    "regularised_cca_distance_matrix": "closedist.measures.canonical",
    "report": "closedist.page.write",
    "representation_distance": "closedist.measures.representation_distance",
    "riemannian_distance": "closedist.measures.shape",
    "riemannian_distance_matrix": "closedist.measures.shape",
    "rows": "closedist.comparison",
    "rsa": "closedist.measures.input_geometry",
    "rsa_matrix": "closedist.measures.input_geometry",
    "rv_coefficient": "closedist.measures.cka",
    "rv_coefficient_matrix": "closedist.measures.cka",
    "second_order_cosine": "closedist.measures.neighbour_similarity",
    "second_order_cosine_matrix": "closedist.measures.neighbour_similarity",
    "subset_dissimilarity": "closedist.measures.subset_dissimilarity",
    "svcca": "closedist.measures.canonical",
    "svcca_matrix": "closedist.measures.canonical",
}

__all__ = [
    "Comparison",
    "Explanation",
    "InputError",
    "Representations",
    "activations",
    "align",
    "angular_shape_distance",
    "angular_shape_distance_matrix",
    "bures_distance",
    "bures_distance_matrix",
    "capacity_floor",
    "cknna",
    "cknna_matrix",
    "compare",
    "compare_all",
    "contradiction",
    "debiased_cka",
    "debiased_cka_matrix",
    "distance_correlation",
    "distance_correlation_matrix",
    "distances",
    "distillation_loss",
    "eigenspace_overlap",
    "eigenspace_overlap_matrix",
    "explain",
    "extract",
    "extract_logits",
    "from_sklearn",
    "group_models",
    "gulp_distance",
    "gulp_distance_matrix",
    "jaccard",
    "jaccard_matrix",
    "kl_divergence",
    "kl_matrix",
    "kl_of_top_k",
    "label_correlations",
    "layer_matrix",
    "linear_cka",
    "linear_cka_matrix",
    "linear_r2",
    "linear_r2_matrix",
    "list_measures",
    "llv_distance",
    "logit_distance",
    "logit_distance_by_input",
    "logit_distance_by_label",
    "mean_cca",
    "mean_cca_matrix",
    "mean_svd",
    "mean_svd_matrix",
    "model_map",
    "mutual_knn",
    "mutual_knn_matrix",
    "probe_transfer",
    "procrustes_distance",
    "procrustes_distance_matrix",
    "pwcca",
    "pwcca_matrix",
    "rank_similarity",
    "rank_similarity_matrix",
    "rbf_cka",
    "rbf_cka_matrix",
    "regularised_cca_distance",
    "regularised_cca_distance_matrix",
    "report",
    "representation_distance",
    "riemannian_distance",
    "riemannian_distance_matrix",
    "rows",
    "rsa",
    "rsa_matrix",
    "rv_coefficient",
    "rv_coefficient_matrix",
    "second_order_cosine",
    "second_order_cosine_matrix",
    "subset_dissimilarity",
    "svcca",
    "svcca_matrix",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'closedist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
