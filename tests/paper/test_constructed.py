"""The constructed models: where they come from, and the numbers that the paper's code printed for them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from closedist.errors import InputError
from closedist.paper.constructed import (
    ANGULAR_NOISE,
    NOISE_STEP,
    NOISE_STEPS,
    PERMUTATION,
    UNEMBEDDING_LENGTHS,
    KLTableRow,
    circle_model,
    compare_noisy_copies,
    kl_table,
    noisy_copy,
    permuted_pair,
)
from closedist.paper.results.tables import Distances

# the published table, and half a unit of its last printed digit
PUBLISHED_KL = {
    1: (0.788, 5e-4),
    2: (1.057, 5e-4),
    3: (0.886, 5e-4),
    4: (0.614, 5e-4),
    5: (0.382, 5e-4),
    6: (0.223, 5e-4),
    8: (0.0686, 5e-5),
    10: (0.0197, 5e-5),
    12: (0.0054, 5e-5),
    15: (0.00077, 5e-6),
    18: (0.00010, 5e-6),
    20: (0.00003, 5e-6),
}
RUNS_AGREE_TO = 3e-4


def angles(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arctan2(points[:, 1], points[:, 0])


def turn(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """An angle between −π and π."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize("num_classes", NOISE_STEP)
def test_inputs_lie_around_their_labels_direction(num_classes: int) -> None:
    model = circle_model(num_classes, np.random.default_rng(3))
    f, g = model.embeddings.numpy(), model.unembeddings.numpy()
    labels = np.repeat(np.arange(num_classes), 500)
    np.testing.assert_allclose(np.linalg.norm(g, axis=1), 20)
    np.testing.assert_allclose(turn(angles(g) - 2 * np.pi * np.arange(num_classes) / num_classes), 0, atol=1e-12)
    departure = turn(angles(f) - angles(g)[labels])
    assert 0.95 * ANGULAR_NOISE < np.abs(departure).max() <= ANGULAR_NOISE
    assert np.std(departure) == pytest.approx(ANGULAR_NOISE / np.sqrt(3), rel=0.05)
    excess = np.linalg.norm(f, axis=1) - 5
    assert (excess >= 0).all()
    assert excess.mean() == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.05)  # |normal| has that mean


def test_noise_goes_on_the_embeddings_alone() -> None:
    rng = np.random.default_rng(0)
    model = circle_model(4, rng)
    copy = noisy_copy(model, 0.3, rng)
    assert (copy.embeddings - model.embeddings).numpy().std() == pytest.approx(0.3, rel=0.05)
    np.testing.assert_array_equal(copy.unembeddings, model.unembeddings)


def test_the_second_model_of_a_pair_exchanges_the_directions_and_keeps_the_lengths() -> None:
    first, second = permuted_pair(7.0)
    f, g = first.embeddings.numpy().reshape(7, 500, 2), first.unembeddings.numpy()
    moved_f, moved_g = second.embeddings.numpy().reshape(7, 500, 2), second.unembeddings.numpy()
    permutation = list(PERMUTATION)
    np.testing.assert_allclose(moved_g, g[permutation])
    np.testing.assert_allclose(np.linalg.norm(g, axis=1), 7)
    np.testing.assert_allclose(np.linalg.norm(moved_f, axis=2), np.linalg.norm(f, axis=2))
    np.testing.assert_allclose(angles(moved_f.reshape(-1, 2)), angles(f[permutation].reshape(-1, 2)))


def test_a_seed_gives_the_same_inputs_at_every_length_and_other_seeds_give_others() -> None:
    np.testing.assert_array_equal(permuted_pair(1.0)[0].embeddings, permuted_pair(20.0)[0].embeddings)
    assert not np.array_equal(permuted_pair(1.0, seed=1)[0].embeddings, permuted_pair(1.0, seed=0)[0].embeddings)


@pytest.fixture(scope="module")
def table() -> list[KLTableRow]:
    return kl_table()


def test_kl_falls_to_zero_as_the_paper_reports(table: list[KLTableRow]) -> None:
    assert [row.length for row in table] == list(UNEMBEDDING_LENGTHS) == list(PUBLISHED_KL)
    for row in table:
        published, rounding = PUBLISHED_KL[int(row.length)]
        assert row.kl == pytest.approx(published, abs=rounding + min(RUNS_AGREE_TO, 0.01 * published)), row
    assert table[-1].kl < 1e-4


def test_no_representational_distance_follows_kl(table: list[KLTableRow]) -> None:
    for row in table:
        assert 1.317 <= row.llv <= 1.318
        assert 0 <= row.mean_cca <= 0.0014
        assert 0.999 <= row.largest_d_svd <= 1.0


@pytest.mark.parametrize("num_classes", [4, 6])
def test_every_bound_holds_for_every_noisy_copy(num_classes: int) -> None:
    comparisons = compare_noisy_copies(num_classes)
    distances = Distances.of([(0, i + 1) for i in range(len(comparisons))], comparisons)
    assert len(distances) == NOISE_STEPS
    assert len({c.input_set for c in comparisons}) == 1
    certificate, quadratic = distances["certificate"], distances["quadratic_bound"]
    assert certificate is not None
    assert quadratic is not None
    assert (distances["dissimilarity"] <= certificate).all()
    assert (certificate <= quadratic).all()
    assert (distances["dissimilarity"] <= 4 * distances["llv"]).all()
    assert (distances["dissimilarity_embeddings"] <= 2 * distances["label_term"] ** 2).all()
    assert (distances["dissimilarity_unembeddings"] <= 2 * distances["input_term"] ** 2).all()
    near, far = distances["llv"][:50].mean(), distances["llv"][-50:].mean()
    assert near < 0.1 < 0.25 < far  # from equal to different, as far as the figure shows and beyond


def test_a_label_count_without_noise_is_refused() -> None:
    with pytest.raises(InputError, match="4, 5, 6, 10, 18 labels, not 7"):
        compare_noisy_copies(7)
