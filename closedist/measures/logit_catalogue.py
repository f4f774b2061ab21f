"""Every distance of logits, and of representations by way of the labels, in one table, with the bounds between them.

The table is read wherever a number is written, so that it names what computes a number and nothing here loads torch.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

Family = Literal["logit_distance", "representation_distance"]


@dataclass(frozen=True, kw_only=True)
class LogitMeasure:
    """A number of two models' logits.

    Attributes:
        name: of its column.
        family: which one word asks for all of; one pass computes them together.
        title, meaning: what tables call it, and what it is in a line.
        home: what it is of :class:`~closedist.measures.logit_numbers.LogitNumbers`, by names with dots.
        low, high, larger_is_closer: as of a Column.
        directed: whether q to p is another number.
        embeddings: whether it is of embeddings and unembeddings, which a black box has not.
        whole: a count.
        chance: whether the mean over permuted inputs is known: of its square, or of itself where it may be negative.
        above, below: the numbers that it is proved never to be below, or above.
    """

    name: str
    family: Family
    title: str
    meaning: str
    home: str
    low: float = 0.0
    high: float = inf
    larger_is_closer: bool | None = False
    directed: bool = False
    embeddings: bool = False
    whole: bool = False
    chance: bool = False
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def _logit(name: str, title: str, meaning: str, home: str, **more: object) -> LogitMeasure:
    return LogitMeasure(name=name, family="logit_distance", title=title, meaning=meaning, home=home, **more)  # type: ignore[arg-type]


def _representation(name: str, title: str, meaning: str, home: str, **more: object) -> LogitMeasure:
    return LogitMeasure(
        name=name,
        family="representation_distance",
        title=title,
        meaning=meaning,
        home=home,
        directed=True,
        embeddings=True,
        **more,  # type: ignore[arg-type]
    )


LOGIT_MEASURES: tuple[LogitMeasure, ...] = (
    _logit("logit_distance", "d_logit", "root mean square over inputs of the distance of the logits, centred over "
           "the labels: 0 for equal predictions only", "logits.distance", chance=True),
    _logit("logit_distance_centred", "d_logit, centred", "the same about the mean over inputs: what is left after the "
           "best bias", "logits.centred", chance=True),
    _logit("logit_distance_rms", "d_logit/√C", "of a single label's logit", "logits.rms", chance=True),
    _logit("logit_cosine", "cosine of logits", "of the two models' logits, centred over the labels", "logits.cosine",
           low=-1.0, high=1.0, larger_is_closer=True, chance=True),
    _logit("logit_distance_relative", "d_logit, relative", "over the root mean square of the first model's logits",
           "logits.relative", directed=True, chance=True),
    _logit("logit_factor", "factor", "by which the second model's logits are closest to the first's: a temperature "
           "of 1/factor", "logits.factor", low=-inf, larger_is_closer=None, directed=True, chance=True),
    _logit("logit_distance_at_factor", "d_logit at factor", "what is left of it at that factor", "logits.at_factor",
           directed=True),
    _logit("logit_map_part", "map part", "of d_logit: embeddings that disagree after the best map that the labels give",
           "logits.map_part", directed=True, embeddings=True, chance=True),
    _logit("logit_span_part", "span part", "of d_logit: logits outside the column space of the first's unembeddings",
           "logits.span_part", directed=True, embeddings=True, chance=True),
    _logit("capacity_floor", "capacity floor", "no model of the second's dimension comes closer to the first than "
           "this in centred d_logit", "capacity_floor", larger_is_closer=None, directed=True, embeddings=True,
           below=("logit_distance_centred",)),
    _logit("kl_bound", "¼·d_logit²", "upper bound on KL both ways", "kl_bound", above=("kl", "kl_reverse"),
           chance=True),
    _representation("representation_distance", "d_rep", "root mean square of what is left of the first model's "
                    "embeddings after the map that the labels dictate, in their units", "representations.distance",
                    chance=True),
    _representation("representation_distance_volume", "d_rep, volume", "the mean over subsets of labels weighted by "
                    "squared volume: the published notion, finite and exact", "representations.volume", chance=True),
    _representation("representation_distance_relative", "d_rep, relative", "in units that no re-parametrisation "
                    "changes: 1 where the map does no better than the mean", "representations.relative", chance=True),
    _representation("unembedding_distance", "d_rep, unembed.", "of the unembeddings, after the map that the inputs "
                    "dictate", "representations.unembeddings"),
    _representation("unembedding_distance_volume", "the same, volume", "its mean over subsets of inputs, weighted "
                    "likewise", "representations.volume_unembeddings"),
    _representation("identified_rank", "identified rank", "of the first model's unembeddings: directions of its "
                    "embeddings beyond are in none of these", "representations.identified_rank",
                    larger_is_closer=None, whole=True),
    _representation("representation_bound", "bound on d_rep", "d_logit over the smallest singular value of the first's "
                    "unembeddings", "representation_bound", above=("representation_distance",)),
    _representation("representation_volume_bound", "bound on its volume", "d_logit·√tr of their inverse Gram matrix",
                    "representation_volume_bound", above=("representation_distance_volume",)),
    _representation("unembedding_bound", "bound, unembed.", "centred d_logit over the smallest deviation of the "
                    "first's embeddings", "unembedding_bound", above=("unembedding_distance",)),
    _representation("mean_cca_bound", "least m_CCA", "that logits this close allow", "mean_cca_bound", high=1.0,
                    larger_is_closer=True, below=("mean_cca_embeddings",)),
)  # fmt: skip
