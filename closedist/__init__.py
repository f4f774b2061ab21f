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
    from closedist.extraction.scikit_learn import from_sklearn
    from closedist.measures.cca import mean_cca, mean_cca_matrix
    from closedist.measures.cka import linear_cka, linear_cka_matrix
    from closedist.measures.distillation import distillation_loss
    from closedist.measures.likelihood import kl_divergence, kl_matrix
    from closedist.measures.llv import llv_distance
    from closedist.measures.logit_bounds import capacity_floor
    from closedist.measures.logit_correlation import label_correlations
    from closedist.measures.logit_distance import logit_distance, logit_distance_by_input, logit_distance_by_label
    from closedist.measures.probe_transfer import probe_transfer
    from closedist.measures.representation_distance import representation_distance
    from closedist.measures.subset_dissimilarity import subset_dissimilarity
    from closedist.measures.svd import mean_svd, mean_svd_matrix
    from closedist.measures.top_k import kl_of_top_k
    from closedist.page.write import report
    from closedist.pairs import compare, compare_all
    from closedist.representations import Representations
    from closedist.representations.alignment import align

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "closedist.comparison",
    "Explanation": "closedist.explanation.records",
    "InputError": "closedist.errors",
    "Representations": "closedist.representations",
    "align": "closedist.representations.alignment",
    "capacity_floor": "closedist.measures.logit_bounds",
    "compare": "closedist.pairs",
    "compare_all": "closedist.pairs",
    "contradiction": "closedist.explanation.groups",
    "distances": "closedist.explanation.distances",
    "distillation_loss": "closedist.measures.distillation",
    "explain": "closedist.explanation.pair",
    "extract": "closedist.extraction",
    "extract_logits": "closedist.extraction",
    "from_sklearn": "closedist.extraction.scikit_learn",
    "group_models": "closedist.explanation.groups",
    "kl_divergence": "closedist.measures.likelihood",
    "kl_matrix": "closedist.measures.likelihood",
    "kl_of_top_k": "closedist.measures.top_k",
    "label_correlations": "closedist.measures.logit_correlation",
    "linear_cka": "closedist.measures.cka",
    "linear_cka_matrix": "closedist.measures.cka",
    "llv_distance": "closedist.measures.llv",
    "logit_distance": "closedist.measures.logit_distance",
    "logit_distance_by_input": "closedist.measures.logit_distance",
    "logit_distance_by_label": "closedist.measures.logit_distance",
    "mean_cca": "closedist.measures.cca",
    "mean_cca_matrix": "closedist.measures.cca",
    "mean_svd": "closedist.measures.svd",
    "mean_svd_matrix": "closedist.measures.svd",
    "model_map": "closedist.explanation.groups",
    "probe_transfer": "closedist.measures.probe_transfer",
    "report": "closedist.page.write",
    "representation_distance": "closedist.measures.representation_distance",
    "rows": "closedist.comparison",
    "subset_dissimilarity": "closedist.measures.subset_dissimilarity",
}

__all__ = [
    "Comparison",
    "Explanation",
    "InputError",
    "Representations",
    "align",
    "capacity_floor",
    "compare",
    "compare_all",
    "contradiction",
    "distances",
    "distillation_loss",
    "explain",
    "extract",
    "extract_logits",
    "from_sklearn",
    "group_models",
    "kl_divergence",
    "kl_matrix",
    "kl_of_top_k",
    "label_correlations",
    "linear_cka",
    "linear_cka_matrix",
    "llv_distance",
    "logit_distance",
    "logit_distance_by_input",
    "logit_distance_by_label",
    "mean_cca",
    "mean_cca_matrix",
    "mean_svd",
    "mean_svd_matrix",
    "model_map",
    "probe_transfer",
    "report",
    "representation_distance",
    "rows",
    "subset_dissimilarity",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'closedist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
