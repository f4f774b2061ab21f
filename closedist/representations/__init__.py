"""A model as the matrices that every measure looks at, the names of its inputs and labels, and models side by side."""

from closedist.representations.arrays import Chosen, as_index, as_tensor, distance_from_probabilities
from closedist.representations.model import MAX_BLACK_BOX_LABELS, Representations

__all__ = ["MAX_BLACK_BOX_LABELS", "Chosen", "Representations", "as_index", "as_tensor", "distance_from_probabilities"]
