"""From a model of the user's own to Representations: what enters the last layer, and that layer's rows."""

from closedist.extraction.collect import extract, extract_logits

__all__ = ["extract", "extract_logits"]
