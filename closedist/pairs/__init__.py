"""Compare models: the same predictions? the same up to rotation? the same representations? and how sure is that?"""

from closedist.pairs.alone import measure_alone
from closedist.pairs.call import compare, compare_all
from closedist.pairs.certainty import with_certainty
from closedist.pairs.joint import measure_arrays, measure_pairs, members_and_names
from closedist.pairs.threads import fitting_threads

__all__ = [
    "compare",
    "compare_all",
    "fitting_threads",
    "measure_alone",
    "measure_arrays",
    "measure_pairs",
    "members_and_names",
    "with_certainty",
]
