"""closedist: are two trained models really the same?

Representations hold a model's embeddings and unembeddings; ``compare`` says how close two models are in distribution
and in representation, and whether the bounds that link the two hold. Names load on first use, so that importing the
package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closedist.comparison import Comparison
    from closedist.errors import InputError
    from closedist.extraction import extract, extract_logits
    from closedist.measures.cca import linear_cka, mean_cca, mean_cca_matrix
    from closedist.measures.likelihood import kl_divergence
    from closedist.measures.llv import llv_distance
    from closedist.measures.svd import mean_svd
    from closedist.pairs import compare, compare_all
    from closedist.representations import Representations

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "closedist.comparison",
    "InputError": "closedist.errors",
    "Representations": "closedist.representations",
    "compare": "closedist.pairs",
    "compare_all": "closedist.pairs",
    "extract": "closedist.extraction",
    "extract_logits": "closedist.extraction",
    "kl_divergence": "closedist.measures.likelihood",
    "linear_cka": "closedist.measures.cca",
    "llv_distance": "closedist.measures.llv",
    "mean_cca": "closedist.measures.cca",
    "mean_cca_matrix": "closedist.measures.cca",
    "mean_svd": "closedist.measures.svd",
}

__all__ = [
    "Comparison",
    "InputError",
    "Representations",
    "compare",
    "compare_all",
    "extract",
    "extract_logits",
    "kl_divergence",
    "linear_cka",
    "llv_distance",
    "mean_cca",
    "mean_cca_matrix",
    "mean_svd",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'closedist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
