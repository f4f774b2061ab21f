"""The second paper's measures against its own functions' numbers, and ours against an independent prototype's."""

import json

import numpy as np
import pytest
import torch

from closedist import Representations, mean_cca
from closedist.measures.logit_bounds import logit_variances, mean_cca_bound
from closedist.measures.logit_distance import logit_distance, logit_distances
from closedist.measures.logit_roots import logit_roots
from closedist.measures.representation_distance import representation_distances
from closedist.measures.subset_dissimilarity import paper_subsets, subset_dissimilarity

CASES = (
    "c4_m3_one_subset",
    "close_c10_m3",
    "example_max_mcca",
    "example_small_kl",
    "random_c6_m2",
    "same_c12_m3",
    "trained_kl",
    "trained_l2",
)
PUBLISHED = ("c4_m3_one_subset", "close_c10_m3", "random_c6_m2", "same_c12_m3", "trained_kl", "trained_l2")


@pytest.fixture
def golden(shared):
    folder = shared / "golden" / "sequel"
    if not folder.is_dir():
        pytest.skip(f"the second paper's golden numbers are not at {folder}")
    return folder


def models(golden, case):
    arrays = np.load(golden / f"{case}.npz")
    return tuple(Representations(arrays[f"f{side}"], arrays[f"g{side}"]) for side in (1, 2))


@pytest.mark.parametrize("case", CASES)
def test_every_part_equals_the_prototype_s(golden, case):
    expected = json.loads((golden / "own_numbers.json").read_text())[case]
    p, q = models(golden, case)
    roots, _ = logit_roots(p, q)
    found, by_map = logit_distances(roots), representation_distances(roots)
    size = float(roots.logits(centred=False)[0].square().sum())
    squares = {
        "d_logit_squared": found.distance,
        "centred": found.centred,
        "ls": by_map.distance,
        "vol": by_map.volume,
        "relative": by_map.relative,
    }
    for key, value in squares.items():
        assert float(value) ** 2 == pytest.approx(expected[key], rel=1e-8, abs=1e-12 * size), key
    parts = (float(found.map_part) ** 2, float(found.span_part) ** 2)
    assert parts == pytest.approx(expected["parts"], rel=1e-8, abs=1e-12 * size)
    relative, cosine, factor, at_factor = expected["scale"]
    assert float(found.relative) == pytest.approx(relative, rel=1e-8, abs=1e-7)
    assert float(found.cosine) == pytest.approx(cosine, rel=1e-8)
    assert float(found.factor) == pytest.approx(factor, rel=1e-8)
    assert float(found.at_factor) == pytest.approx(at_factor, rel=1e-8, abs=1e-6 * size**0.5)
    rank = torch.tensor(min(p.dimension, q.dimension))
    bound = mean_cca_bound(found.centred, logit_variances(roots), rank)
    assert float(bound) == pytest.approx(expected["T6"], rel=1e-8, abs=1e-10)
    assert mean_cca(p.embeddings, q.embeddings) == pytest.approx(expected["mcca"], rel=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_the_uniform_mean_over_all_subsets_equals_the_prototype_s(golden, case):
    expected = json.loads((golden / "own_numbers.json").read_text())[case]["uniform"]
    p, q = models(golden, case)
    assert subset_dissimilarity(p, q).mean == pytest.approx(expected, rel=1e-8, abs=1e-18)


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_published_functions_are_matched(golden, case):
    content = json.loads((golden / f"{case}.json").read_text())
    p, q = models(golden, case)
    published = content["calculate_d_2_logit(f1,f2,g1,g2)"]
    assert logit_distance(p, q) ** 2 == pytest.approx(published, rel=1e-6, abs=1e-9)
    assert mean_cca(p.embeddings, q.embeddings) == pytest.approx(content["mCCA(f2,f1)"]["mean"], rel=1e-5)
    for entry in content["d_rep"]:
        mean = next(value for key, value in entry.items() if "the mean of squared norms" in key)
        draw = (entry["num_pivots"], entry["num_combinations"], entry["seed"])
        assert subset_dissimilarity(p, q, draw).mean == pytest.approx(mean, rel=1e-6, abs=1e-9)


def test_the_published_choices_of_labels_are_drawn(golden):
    for key, rows in json.loads((golden / "sampler.json").read_text()).items():
        words = dict(zip(("C", "M", "pivots", "draws", "seed"), _numbers(key), strict=True))
        drawn = paper_subsets(words["C"], words["M"], words["pivots"], words["draws"], words["seed"])
        assert drawn == rows


def _numbers(key):
    return [int("".join(filter(str.isdigit, part))) for part in key.split("_")]
