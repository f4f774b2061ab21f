"""The paper's table as text: KL falls to zero as the unembeddings grow, while no representational distance moves."""

import csv
import io
from collections.abc import Callable, Sequence

from closedist.errors import InputError
from closedist.paper.constructed import KLTableRow


def to_latex(rows: Sequence[KLTableRow]) -> str:
    """A tabular for ``\\input`` with the rules of the booktabs package."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{tabular}{rllll}",
        "\\toprule",
        "$\\|g\\|$ & $d_{\\mathrm{KL}}$ & $d_{\\mathrm{LLV}}$ & $m_{\\mathrm{CCA}}$ & $\\max d_{\\mathrm{SVD}}$ \\\\",
        "\\midrule",
        *(" & ".join((cells[0], _latex_number(cells[1]), *cells[2:])) + " \\\\" for cells in map(_cells, rows)),
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


# by --format: the renderer and the ending of the file
RENDERERS: dict[str, tuple[Callable[[Sequence[KLTableRow]], str], str]] = {
    "latex": (to_latex, "tex"),
    "markdown": (to_markdown, "md"),
    "csv": (to_csv, "csv"),
}


def render_kl_table(rows: Sequence[KLTableRow], format_: str = "latex") -> tuple[str, str]:
    """The table as text, and the ending of a file with it.

    Raises:
        InputError: the format is none of latex, markdown and csv.
    """
    if format_ not in RENDERERS:
        raise InputError(f"format: {format_!r} is not one that KL_table has; it has {', '.join(RENDERERS)}")
    renderer, ending = RENDERERS[format_]
    return renderer(rows), ending


def _cells(row: KLTableRow) -> list[str]:
    kl = f"{row.kl:#.3g}" if row.kl >= 1e-4 else f"{row.kl:.2e}"
    return [f"{row.length:g}", kl, f"{row.llv:.4f}", f"{row.mean_cca:.4f}", f"{row.largest_d_svd:.4f}"]


def _latex_number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return f"${mantissa} \\cdot 10^{{{int(exponent)}}}$" if exponent else text
