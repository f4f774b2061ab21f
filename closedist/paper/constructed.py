"""The paper's constructed models: two-dimensional, their labels around a circle, so that every distance can be steered.

Both experiments start from a model with C unembeddings of one length at evenly spaced angles, and inputs whose
embeddings lie close to their label's direction. Noise on the embeddings gives pairs from equal to different
(d_LLV_constructed); exchanging the labels' directions gives pairs whose distributions agree ever better as the
unembeddings grow, while their representations do not (KL_table).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from closedist.comparison import Comparison, values_of
from closedist.errors import InputError
from closedist.pairs import compare, compare_all
from closedist.representations import Representations

Floats = NDArray[np.float64]

INPUTS_PER_LABEL = 500
ANGULAR_NOISE = np.pi / 64  # uniform within ± this
LENGTH_NOISE = 0.01
NOISE_STEPS = 250
INPUT_SETS = 300
GROUP = 50  # copies compared jointly with the model: few enough for the cache
NOISE_STEP = {4: 0.005, 5: 0.004, 6: 0.004, 10: 0.0025, 18: 0.002}  # ν by the number of labels
UNEMBEDDING_LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20)  # of the rows of KL_table
KL_INPUT_SETS = 100
PERMUTATION = (5, 0, 2, 4, 6, 1, 3)  # π: label y takes the direction of label π(y)


@dataclass(frozen=True)
class CircleInputs:
    """Inputs around a circle of labels: how each departs from its label's direction.

    Attributes:
        angular_noise: (C, n) radians.
        lengths: (C, n) Euclidean lengths of the embeddings.
    """

    angular_noise: Floats
    lengths: Floats

    def embeddings(self, label_angles: Floats) -> Floats:
        """(C·n, 2) embeddings around the labels' (C,) angles, label by label."""
        angles = label_angles[:, None] + self.angular_noise
        return (self.lengths[..., None] * _directions(angles)).reshape(-1, 2)


def draw_inputs(num_classes: int, length: float, rng: np.random.Generator) -> CircleInputs:
    """Draw 500 inputs a label: uniform angular noise within ±π/64, lengths |0.01·normal| + ``length``."""
    shape = (num_classes, INPUTS_PER_LABEL)
    angular_noise = rng.uniform(-ANGULAR_NOISE, ANGULAR_NOISE, shape)
    return CircleInputs(angular_noise, np.abs(LENGTH_NOISE * rng.normal(size=shape)) + length)


def label_angles(num_classes: int) -> Floats:
    """(C,) evenly spaced angles in radians, the first 0."""
    return 2 * np.pi * np.arange(num_classes) / num_classes


def circle_model(num_classes: int, rng: np.random.Generator) -> Representations:
    """The first model of d_LLV_constructed: unembeddings of length 20, embeddings of length about 5."""
    angles = label_angles(num_classes)
    inputs = draw_inputs(num_classes, 5.0, rng)
    return Representations(embeddings=inputs.embeddings(angles), unembeddings=20.0 * _directions(angles))


def noisy_copy(model: Representations, scale: float, rng: np.random.Generator) -> Representations:
    """The same model with ``scale`` times standard normal noise on every coordinate of its embeddings."""
    embeddings = np.asarray(model.embeddings)
    noise = scale * rng.normal(size=embeddings.shape)
    return Representations(embeddings=embeddings + noise, unembeddings=model.unembeddings)


def compare_noisy_copies(num_classes: int, seed: int = 0) -> list[Comparison]:
    """d_LLV_constructed: a model against 250 copies of itself, the i-th with noise of i·ν on its embeddings.

    The input set is searched among 300 for the first copy and kept for the others.

    Raises:
        InputError: the paper gives no ν for this number of labels.
    """
    if num_classes not in NOISE_STEP:
        known = ", ".join(map(str, NOISE_STEP))
        raise InputError(f"num_classes: the constructed models have {known} labels, not {num_classes}")
    rng = np.random.default_rng(seed)
    model = circle_model(num_classes, rng)
    copies = [noisy_copy(model, i * NOISE_STEP[num_classes], rng) for i in range(1, NOISE_STEPS + 1)]
    input_set = compare(model, copies[0], num_samples=INPUT_SETS, seed=seed).input_set
    comparisons: list[Comparison] = []
    for start in range(0, NOISE_STEPS, GROUP):
        group = copies[start : start + GROUP]
        comparisons += compare_all([model, *group], pairs=[(0, i + 1) for i in range(len(group))], input_set=input_set)
    return comparisons


def compare_all_noisy_copies(
    label_counts: Sequence[int], seed: int, num_threads: int | None
) -> dict[int, list[Comparison]]:
    """``compare_noisy_copies`` for several label counts at once, by label count.

    Args:
        label_counts, seed: of the models.
        num_threads: how many label counts at a time; None for as many as there are processors.

    Raises:
        InputError: the paper gives no ν for a number of labels.
    """
    longest_first = sorted(label_counts, reverse=True)
    pool = ThreadPoolExecutor(num_threads or os.cpu_count())
    try:
        found = list(pool.map(partial(compare_noisy_copies, seed=seed), longest_first))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, what has not begun does not begin
    by_count = dict(zip(longest_first, found, strict=True))
    return {num_classes: by_count[num_classes] for num_classes in label_counts}


def permuted_pair(unembedding_length: float, seed: int = 0) -> tuple[Representations, Representations]:
    """A row of KL_table: seven labels, the second model with the labels' directions permuted by π.

    The i-th input of label y keeps its length and takes the angular noise of the i-th input of label π(y), around its
    label's new direction. A seed gives the same inputs at every length.

    Args:
        unembedding_length: the length of all unembeddings; the embeddings' is about 2.
        seed: of the inputs.
    """
    permutation = list(PERMUTATION)
    angles = label_angles(len(permutation))
    inputs = draw_inputs(len(permutation), 2.0, np.random.default_rng(seed))
    moved = CircleInputs(inputs.angular_noise[permutation], inputs.lengths)
    first = Representations(embeddings=inputs.embeddings(angles), unembeddings=unembedding_length * _directions(angles))
    second = Representations(
        embeddings=moved.embeddings(angles[permutation]),
        unembeddings=unembedding_length * _directions(angles[permutation]),
    )
    return first, second


@dataclass(frozen=True)
class KLTableRow:
    """One pair of constructed models.

    Attributes:
        length: of the unembeddings.
        kl: d_KL in nats, of the first from the second model.
        llv: d_LLV with λ = 1e-5 and maxima.
        mean_cca: m_CCA of the embeddings.
        largest_d_svd: the embeddings' largest d_SVD.
    """

    length: float
    kl: float
    llv: float
    mean_cca: float
    largest_d_svd: float


def kl_table(lengths: Sequence[float] = UNEMBEDDING_LENGTHS, seed: int = 0) -> list[KLTableRow]:
    """Compare the permuted pair of constructed models at every length; a seed gives the same inputs in every row."""
    rows = []
    for length in lengths:
        first, second = permuted_pair(length, seed)
        c = compare(first, second, num_samples=KL_INPUT_SETS, seed=seed)
        names = ("kl", "llv", "mean_cca_embeddings", "dissimilarity_embeddings")
        rows.append(KLTableRow(length, *(value for name in names for value in values_of([c], name))))
    return rows


def _directions(angles: Floats) -> Floats:
    """(…, 2) unit vectors at the given (…,) angles."""
    return np.stack((np.cos(angles), np.sin(angles)), axis=-1)
