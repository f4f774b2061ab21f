"""What is measured of a student beside its teacher, on one split."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from closedist.measures.cca import mean_cca
from closedist.measures.likelihood import kl_divergence
from closedist.measures.logit_bounds import canonical_correlations, logit_variances, mean_cca_bound, variance_apart
from closedist.measures.logit_distance import logit_distances
from closedist.measures.logit_roots import logit_roots
from closedist.measures.representation_distance import representation_distances
from closedist.representations import Representations


@dataclass(frozen=True)
class Scores:
    """A student's numbers; distances and d_rep in the *teacher's* coordinates, which all its students share.

    Attributes:
        acc: share of inputs with the right label; acc_to_teacher: with the teacher's.
        kl_to_teacher: KL(teacher‖student) in nats; kl_from_teacher: KL(student‖teacher).
        d_logit, d_logit_centred, relative_d_logit, logit_scale: of the logits; the last is the factor on the student's.
        d_rep: the root of the least-squares form; d_rep_volume, relative_d_rep: the other two.
        m_cca, m_cca_bound: of the embeddings, and the least that d_logit allows.
        variance_apart: Σλ(1 − ρ²), which d_logit_centred² is never below.
        d_LLD: d_logit², under the published files' name.
    """

    acc: float
    acc_to_teacher: float
    kl_to_teacher: float
    kl_from_teacher: float
    d_logit: float
    d_logit_centred: float
    relative_d_logit: float
    logit_scale: float
    d_rep: float
    d_rep_volume: float
    relative_d_rep: float
    m_cca: float
    m_cca_bound: float
    variance_apart: float
    d_LLD: float  # noqa: N815 (the published key)

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def top_labels(model: Representations) -> Tensor:
    """(N,) each input's most likely label."""
    return (model.embeddings @ model.unembeddings.T).argmax(1)


def score(teacher: Representations, student: Representations, labels: Tensor) -> Scores:
    """All scores of a student on inputs with these labels, (N,)."""
    roots, _ = logit_roots(teacher, student)
    logits, by_map = logit_distances(roots), representation_distances(roots)
    rank = torch.tensor(min(teacher.dimension, student.dimension))
    chosen = top_labels(student)
    variances = logit_variances(roots)
    return Scores(
        acc=_share(chosen == labels),
        acc_to_teacher=_share(chosen == top_labels(teacher)),
        kl_to_teacher=kl_divergence(teacher, student),
        kl_from_teacher=kl_divergence(student, teacher),
        d_logit=float(logits.distance),
        d_logit_centred=float(logits.centred),
        relative_d_logit=float(logits.relative),
        logit_scale=float(logits.factor),
        d_rep=float(by_map.distance),
        d_rep_volume=float(by_map.volume),
        relative_d_rep=float(by_map.relative),
        m_cca=mean_cca(teacher.embeddings, student.embeddings),
        m_cca_bound=float(mean_cca_bound(logits.centred, variances, rank)),
        variance_apart=float(variance_apart(variances, canonical_correlations(roots))),
        d_LLD=float(logits.distance) ** 2,
    )


def _share(right: Tensor) -> float:
    return float(right.double().mean())
