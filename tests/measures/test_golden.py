"""What the paper's published code says of its own checkpoints: 40 pairs of models in three settings."""

import json
from pathlib import Path

import numpy as np
import pytest

from closedist import Representations, compare

WIDTHS = (16, 32, 64, 128)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_of_the_published_code_comes_out(shared: Path, width: int) -> None:
    arrays = np.load(shared / "golden" / f"reps_cls4_w{width}.npz")
    models = [Representations(f, g) for f, g in zip(arrays["f"], arrays["g"], strict=True)]
    expected = json.loads((shared / "golden" / f"expected_cls4_w{width}.json").read_text())["pairs"]
    assert len(expected) == 30
    for golden in expected:
        i, j = golden["seeds"]
        c = compare(
            models[i],
            models[j],
            weight=golden["weight"],
            reduction=golden["dist_type"],
            combine=golden["sum_or_max"],
            input_set=golden["input_set"],
        )
        assert (c.pivot_label, c.left_out_label) == (golden["pivot_label"], golden["left_out_label"])
        assert c.label_term == pytest.approx(golden["t_1"], abs=1e-6)
        assert c.input_term == pytest.approx(golden["t_2"], abs=1e-6)
        assert c.llv == pytest.approx(golden["distance"], rel=1e-5)
        assert c.m_svd_embeddings == pytest.approx(golden["m_svd_f"], abs=1e-9)
        assert c.m_svd_unembeddings == pytest.approx(golden["m_svd_g"], abs=1e-9)
        assert c.kl == pytest.approx(golden["kl_12"], rel=1e-4)
        assert c.kl_reverse == pytest.approx(golden["kl_21"], rel=1e-4)
        assert c.mean_cca_embeddings == pytest.approx(golden["mcca_f"], abs=1e-5)
        assert c.mean_cca_unembeddings == pytest.approx(golden["mcca_g"], abs=1e-5)


def test_all_bounds_hold_on_the_published_models_and_ours_say_more(shared: Path) -> None:
    informative = {"bound": 0, "quadratic_bound": 0}
    count = 0
    for width in WIDTHS:
        arrays = np.load(shared / "golden" / f"reps_cls4_w{width}.npz")
        models = [Representations(f, g) for f, g in zip(arrays["f"], arrays["g"], strict=True)]
        for golden in json.loads((shared / "golden" / f"expected_cls4_w{width}.json").read_text())["pairs"]:
            if (golden["dist_type"], golden["sum_or_max"]) != ("max", "max"):
                continue
            i, j = golden["seeds"]
            c = compare(models[i], models[j], input_set=golden["input_set"])
            assert c.dissimilarity <= c.certificate <= c.quadratic_bound
            assert c.dissimilarity <= c.bound
            count += 1
            for name in informative:
                informative[name] += getattr(c, name) < 1
    assert count == 40
    assert informative["quadratic_bound"] > informative["bound"]
