"""How sure the numbers are, against what, and what they mean: intervals, chance, the verdict (docs/certainty.md).

Arrays and numbers in, numbers out; nothing here knows a comparison.
"""
