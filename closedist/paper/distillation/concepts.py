"""Is a concept that nobody taught the student still in its embeddings? By a fitted probe, and by one carried over."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from closedist.errors import InputError
from closedist.measures.probe_transfer import probe_transfer
from closedist.measures.projection import Projection
from closedist.representations import Representations

PENALTY = 1e3  # C of scikit-learn's logistic regression: next to none


@dataclass(frozen=True)
class ConceptScores:
    """What is left of the concept that the teacher's second head reads.

    Attributes:
        concept_fitted: accuracy of a logistic regression fitted on the student's whitened embeddings.
        concept_carried: accuracy of the teacher's head on the student's embeddings, carried by the map that the labels
            dictate; nothing is fitted.
        concept_lost: the mean share of the variance of the head's rows, each less the rows' mean, that this map loses.
        concept_lost_by_best_map: the same for the best linear map.
    """

    concept_fitted: float
    concept_carried: float
    concept_lost: float
    concept_lost_by_best_map: float

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def concept_scores(teacher: Representations, head: Tensor, student: Representations, concepts: Tensor) -> ConceptScores:
    """How much of a concept survives in a student.

    Args:
        teacher, student: representations of the same inputs and labels, without biases.
        head: (concepts, M) the teacher's second head.
        concepts: (N,) int64, of every input; copies of one original lie together.
    """
    rows = head.double()
    unembeddings, other = (model.unembeddings.double() for model in (teacher, student))
    centred, other = unembeddings - unembeddings.mean(0), other - other.mean(0)
    carried = rows @ Projection.onto(centred, len(centred)).solve(other.T).T
    shares = probe_transfer(teacher, student, rows - rows.mean(0))
    return ConceptScores(
        concept_fitted=fitted_accuracy(student.embeddings, concepts),
        concept_carried=head_accuracy(student.embeddings, carried, concepts),
        concept_lost=float(shares.share_lost.mean()),
        concept_lost_by_best_map=float(shares.share_lost_by_best_map.mean()),
    )


def head_accuracy(embeddings: Tensor, head: Tensor, labels: Tensor) -> float:
    """Share of inputs whose label is the head's most likely one."""
    return float(((embeddings.double() @ head.double().T).argmax(1) == labels).double().mean())


def fitted_accuracy(embeddings: Tensor, concepts: Tensor) -> float:
    """Accuracy of a probe fitted on one half of the inputs and tested on the other, the mean of both ways round.

    The embeddings are whitened by the half that is fitted on, so that no re-parametrisation of a model changes the
    number: a penalty on raw embeddings prefers long ones. Halves are the first and the last inputs.

    Args:
        embeddings: (N, M).
        concepts: (N,) int64.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise InputError('concept probes need scikit-learn: pip install "closedist[experiments]"') from error
    half = len(embeddings) // 2
    parts = (slice(None, half), slice(half, None))
    shares = []
    for fitted, tested in (parts, parts[::-1]):
        known = embeddings[fitted].double()
        mean = known.mean(0)
        by_inputs = Projection.onto(known - mean, half)
        whiten = by_inputs.right * by_inputs.inverse_sizes * half**0.5
        probe = LogisticRegression(C=PENALTY, max_iter=10_000)
        probe.fit(((known - mean) @ whiten).numpy(), concepts[fitted].numpy())
        answers = torch.from_numpy(probe.predict(((embeddings[tested].double() - mean) @ whiten).numpy()))
        shares.append(float((answers == concepts[tested]).double().mean()))
    return sum(shares) / 2
