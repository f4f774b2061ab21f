"""The record of a comparison: what its numbers are (COLUMNS), and how it reads as text and as JSON."""

from closedist.comparison.asked import asked
from closedist.comparison.column import Column
from closedist.comparison.frame import as_csv, rows
from closedist.comparison.matrix import matrix_table, reference_table
from closedist.comparison.record import COLUMNS, FIELDS, Comparison, as_dict, values_of
from closedist.comparison.table import left_out, pair_table

__all__ = [
    "COLUMNS",
    "FIELDS",
    "Column",
    "Comparison",
    "as_csv",
    "as_dict",
    "asked",
    "left_out",
    "matrix_table",
    "pair_table",
    "reference_table",
    "rows",
    "values_of",
]
