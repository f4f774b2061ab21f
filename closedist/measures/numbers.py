"""Is an argument a number?"""

import math
from numbers import Real


def is_number(value: object) -> bool:
    """Whether it is a finite real number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
