"""The second paper's two constructed pairs as a table: m_CCA and KL each say nothing of the other."""

from collections.abc import Mapping

from closedist.measures.cca import mean_cca
from closedist.measures.likelihood import kl_divergence
from closedist.measures.logit_distance import logit_distance
from closedist.measures.representation_distance import representation_distance
from closedist.paper.figures.plots import Plots
from closedist.paper.results.student_tables import Rows, table_formats
from closedist.representations import Representations

HEAD = ["pair", "KL", "KL reversed", "m_CCA of f", "m_CCA of g", "same top label", "d_logit", "d_rep"]


def make_constructed_pairs(pairs: Mapping[str, tuple[Representations, Representations]]) -> Plots:
    """constructed_pairs: a row for each pair of models."""
    rows: Rows = [HEAD, *([name, *_numbers(*pair)] for name, pair in pairs.items())]
    return Plots({}, tables={"constructed_pairs": table_formats(rows)})


def _numbers(p: Representations, q: Representations) -> list[str]:
    top, other = ((model.embeddings @ model.unembeddings.T).argmax(1) for model in (p, q))
    numbers = (
        kl_divergence(p, q),
        kl_divergence(q, p),
        mean_cca(p.embeddings, q.embeddings),
        mean_cca(p.unembeddings, q.unembeddings),
        float((top == other).double().mean()),
        logit_distance(p, q),
        representation_distance(p, q),
    )
    return [f"{number:.4g}" for number in numbers]
