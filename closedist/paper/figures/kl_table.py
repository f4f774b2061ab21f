"""The paper's table as text: KL falls to zero as the unembeddings grow, while no representational distance moves."""

import csv
import io
from collections.abc import Sequence

from closedist.paper.constructed import KLTableRow
from closedist.paper.figures.plots import Plots
from closedist.paper.results.student_tables import latex_row

HEAD = ["$\\|g\\|$", "$d_{\\mathrm{KL}}$", "$d_{\\mathrm{LLV}}$", "$m_{\\mathrm{CCA}}$", "$\\max d_{\\mathrm{SVD}}$"]


def to_latex(rows: Sequence[KLTableRow]) -> str:
    """A tabular for ``\\input`` with the rules of the booktabs package."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{rllll}",
        "\\toprule",
        latex_row(HEAD),
        "\\midrule",
        *(latex_row([cells[0], _latex_number(cells[1]), *cells[2:]]) for cells in map(_cells, rows)),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def to_markdown(rows: Sequence[KLTableRow]) -> str:
    """A table as GitHub and most note-taking programs show it."""
    head = ["length of g", "KL (nats)", "d_LLV", "m_CCA of f", "largest d_SVD of f"]
    lines = [head, ["---:"] * len(head), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def to_csv(rows: Sequence[KLTableRow]) -> str:
    """Comma-separated values with a header, in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["g_length", "kl", "d_llv", "m_cca_f", "max_d_svd_f"])
    writer.writerows((row.length, row.kl, row.llv, row.mean_cca, row.largest_d_svd) for row in rows)
    return text.getvalue()


def make_kl_table(rows: Sequence[KLTableRow]) -> Plots:
    """KL_table: the rows in every format that a table has."""
    formats = {"latex": ("tex", to_latex(rows)), "markdown": ("md", to_markdown(rows)), "csv": ("csv", to_csv(rows))}
    return Plots({}, tables={"KL_table": formats})


def _cells(row: KLTableRow) -> list[str]:
    kl = f"{row.kl:#.3g}" if row.kl >= 1e-4 else f"{row.kl:.2e}"
    return [f"{row.length:g}", kl, f"{row.llv:.4f}", f"{row.mean_cca:.4f}", f"{row.largest_d_svd:.4f}"]


def _latex_number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"${mantissa} \\cdot 10^{{{int(exponent)}}}$" if exponent else text
