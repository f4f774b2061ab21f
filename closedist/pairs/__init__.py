"""Compare models: close in distribution? close in representation? and does the bound that links the two hold?"""

from closedist.pairs.call import compare, compare_all
from closedist.pairs.joint import measure_pairs, members_and_names

__all__ = ["compare", "compare_all", "measure_pairs", "members_and_names"]
