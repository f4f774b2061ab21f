"""Compare models: close in distribution? close in representation? and does the bound that links the two hold?"""

from collections.abc import Sequence
from dataclasses import dataclass

from closedist.measures._joint import measure_pairs
from closedist.measures._label_table import ConstantLabels, Reduction
from closedist.measures._settings import Combine, Settings, indices, sorted_indices
from closedist.representations import Representations


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything closedist says of two models. Distances are dimensionless, divergences in nats.

    Attributes:
        llv: d_LLV, the log-likelihood variance distance.
        label_term, input_term: t1 and t2.
        label_scale_term, input_scale_term: t3 and t4.
        pivot_label, left_out_label: the choice of labels with the smallest t1.
        input_set: the inputs of the smallest t2, the pivot input first.
        kl, kl_reverse: mean over inputs of KL(p‖q) and KL(q‖p).
        mean_cca_embeddings, mean_cca_unembeddings: mean canonical correlations; None for a black box's unembeddings.
        cka_embeddings: linear CKA.
        m_svd_embeddings: one per label subset, in lexicographic order.
        m_svd_unembeddings: of the input set.
        dissimilarity_embeddings, dissimilarity_unembeddings: d_SVD = 1 − m_SVD to full relative accuracy, the largest
            over label subsets and that of the input set.
        dissimilarity: d_{f,g}, the larger of the two.
        certificate: at least d_{f,g}, from the distributions alone.
        quadratic_bound: 2·max(t1, t2)², at least the certificate; None where terms are averaged.
        bound: the paper's, 2·K·d_LLV; None where terms are averaged.
        subset_size: K.
        weight, reduction, combine: λ and how terms became t1, t3, t4 and d_LLV.
        num_inputs, num_labels: N and C.
        num_label_subsets: how many label subsets of size K there are. Where m_svd_embeddings are fewer, they are a
            sample; ``dissimilarity`` is then the largest over the sample and the certificate's own subset, and d_{f,g}
            lies between it and ``certificate``.
        num_pivots: from how many pivot labels the choice was made; C unless ``pivots`` said otherwise.
        ignored_labels: how many labels were left out because their log-odds against the pivot vary in neither model.
        num_samples, seed: of the search for the input set; None where it was given.
        label_names: the names of the pivot and the left-out label, where the models have names.
    """

    llv: float
    label_term: float
    input_term: float
    label_scale_term: float
    input_scale_term: float
    pivot_label: int
    left_out_label: int
    input_set: tuple[int, ...]
    kl: float
    kl_reverse: float
    mean_cca_embeddings: float
    mean_cca_unembeddings: float | None
    cka_embeddings: float
    m_svd_embeddings: tuple[float, ...]
    m_svd_unembeddings: float
    dissimilarity_embeddings: float
    dissimilarity_unembeddings: float
    dissimilarity: float
    certificate: float
    quadratic_bound: float | None
    bound: float | None
    subset_size: int
    weight: float
    reduction: Reduction
    combine: Combine
    num_inputs: int
    num_labels: int
    num_label_subsets: int
    num_pivots: int
    ignored_labels: int
    num_samples: int | None
    seed: int
    label_names: tuple[str, str] | None = None

    @property
    def bound_informative(self) -> bool:
        """d_LLV < 1/(2K), so that the paper's bound says more than d_{f,g} ≤ 1."""
        return self.bound is not None and self.bound < 1

    @property
    def subsets_sampled(self) -> bool:
        """Not all label subsets were gone through: d_{f,g} lies between ``dissimilarity`` and ``certificate``."""
        return len(self.m_svd_embeddings) < self.num_label_subsets

    def __str__(self) -> str:
        """A table for a person."""
        from closedist.tables import pair_table

        return pair_table(self)


def compare(
    p: Representations,
    q: Representations,
    *,
    weight: float = 1e-5,
    reduction: Reduction = "max",
    combine: Combine = "max",
    input_set: Sequence[int] | None = None,
    num_samples: int = 200,
    seed: int = 0,
    subset_size: int | None = None,
    num_subsets: int | None = None,
    pivots: Sequence[int] | None = None,
    constant_labels: ConstantLabels = "error",
) -> Comparison:
    """Compare two models on the same N inputs and C labels.

    Args:
        p, q: the representations, of the same inputs and labels in the same order; the dimensions may differ.
        weight: λ of the scale terms in d_LLV.
        reduction: "max" or "mean" of the terms over labels.
        combine: "max" or "sum" of t1, t2, λ·t3 and λ·t4.
        input_set: 1 + K indices of inputs, the pivot input first; by default the best of ``num_samples`` random ones.
        num_samples, seed: of the search for the input set; the seed is also that of sampled label subsets.
        subset_size: K, by default min(max(M, M'), C − 2).
        num_subsets: sample so many label subsets where there are more; by default all, up to 10,000.
        pivots: the pivot labels to choose from, by default all.
        constant_labels: "ignore" leaves out labels whose log-odds against the pivot vary in neither model.

    Returns:
        A :class:`Comparison`.

    Raises:
        InputError: the models cannot be compared, or an argument is out of its range; the message says what to do.
    """
    return compare_all(
        [p, q],
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=input_set,
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
        pivots=pivots,
        constant_labels=constant_labels,
    )[0]


def compare_all(
    models: Sequence[Representations],
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    names: Sequence[str] | None = None,
    weight: float = 1e-5,
    reduction: Reduction = "max",
    combine: Combine = "max",
    input_set: Sequence[int] | None = None,
    num_samples: int = 200,
    seed: int = 0,
    subset_size: int | None = None,
    num_subsets: int | None = None,
    pivots: Sequence[int] | None = None,
    constant_labels: ConstantLabels = "error",
) -> list[Comparison]:
    """Compare pairs of models jointly: one pass over the inputs for all.

    The arguments are those of :func:`compare`, and so is every result, to about ten digits.

    Args:
        models: n ≥ 2 representations of the same N inputs and C labels.
        pairs: which (i, j), i < j, to compare; for one model against all others ``[(0, j) for j in range(1, n)]``. By
            default all n(n − 1)/2, in the order of ``itertools.combinations``.
        names: what errors call the models; by default p and q, or their numbers.

    Returns:
        A comparison for every pair.

    Raises:
        InputError: as :func:`compare`, or a pair is none of the models.
    """
    settings = Settings(
        weight=weight,
        reduction=reduction,
        combine=combine,
        input_set=indices("input_set", input_set),
        num_samples=num_samples,
        seed=seed,
        subset_size=subset_size,
        num_subsets=num_subsets,
        pivots=sorted_indices("pivots", pivots),
        constant_labels=constant_labels,
    )
    return [Comparison(**fields) for fields in measure_pairs(models, pairs, settings, names)]
