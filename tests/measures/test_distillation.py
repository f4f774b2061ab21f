"""The losses of distillation: equal to the published ones, and blind to what no distribution shows."""

import json
import math

import numpy as np
import pytest
import torch

import closedist
from closedist import InputError, Representations
from closedist.measures.distillation import KINDS, distillation_loss
from closedist.measures.logit_distance import logit_distance


@pytest.mark.parametrize("case", ["random_c6_m2", "close_c10_m3", "c4_m3_one_subset", "trained_kl", "trained_l2"])
@pytest.mark.parametrize(("key", "kind"), [("KL", "kl"), ("L1", "l1-raw"), ("L2", "l2-raw")])
def test_the_published_losses_are_matched(shared, case, key, kind):
    folder = shared / "golden" / "sequel"
    arrays = np.load(folder / f"{case}.npz")
    student, teacher = (torch.from_numpy(arrays[f"f{i}"] @ arrays[f"g{i}"].T) for i in (1, 2))
    expected = json.loads((folder / f"{case}.json").read_text())["losses student=1 teacher=2"][key]
    assert float(distillation_loss(student, teacher, kind)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", ["kl", "l1", "l2"])
def test_a_constant_of_each_input_costs_nothing_and_pulls_on_nothing(kind):
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(8, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    shift = torch.randn(8, 1, generator=generator, dtype=torch.float64).requires_grad_()
    loss = distillation_loss(student + shift, teacher, kind, temperature=2.0)
    assert float(loss) == pytest.approx(float(distillation_loss(student, teacher, kind, temperature=2.0)))
    loss.backward()
    assert float(shift.grad.abs().max()) < 1e-12


def test_l2_is_the_squared_distance_of_logits():
    rng = np.random.default_rng(0)
    f, g, other, h = (rng.normal(size=shape) for shape in ((30, 2), (5, 2), (30, 3), (5, 3)))
    loss = distillation_loss(torch.from_numpy(f @ g.T), torch.from_numpy(other @ h.T), "l2")
    assert math.sqrt(float(loss)) == pytest.approx(logit_distance(Representations(f, g), Representations(other, h)))


def test_kl_at_a_high_temperature_becomes_the_squared_distance():
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(8, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    hot = float(distillation_loss(student, teacher, "kl", temperature=1e4))
    assert hot == pytest.approx(float(distillation_loss(student, teacher, "l2")) / (2 * 5), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_that_equals_its_teacher_has_no_loss(kind):
    logits = torch.randn(4, 3, dtype=torch.float64)
    assert float(distillation_loss(logits, logits, kind)) == pytest.approx(0.0, abs=1e-15)


def test_what_makes_no_sense_is_refused():
    logits = torch.zeros(4, 3)
    with pytest.raises(InputError, match=r"both must be \(batch, labels\)"):
        distillation_loss(logits, logits[:, :2], "kl")
    for shape, remedy in (((4, 1), r"\[0 \* z, z\]"), ((0, 3), "at least one input")):
        with pytest.raises(InputError, match=remedy):
            distillation_loss(torch.zeros(shape), torch.zeros(shape), "kl")
    with pytest.raises(InputError, match="one of 'kl'"):
        distillation_loss(logits, logits, "mse")
    with pytest.raises(InputError, match="above 0"):
        distillation_loss(logits, logits, "kl", temperature=0)
    assert closedist.distillation_loss is distillation_loss
