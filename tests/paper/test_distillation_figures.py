"""What the second paper's figures show: students' curves, students at one KL, theorem F.1, the spirals, tables."""

import csv
import io

import numpy as np
import pytest

from closedist import InputError, Representations
from closedist.paper.figures.distillation import (
    make_distillation_at_one_kl,
    make_distillation_bound,
    make_distillation_curves,
    make_distillation_table,
)
from closedist.paper.figures.spirals import make_spirals
from closedist.paper.results.effects import inverse_variance, random_effects
from closedist.paper.results.student_metrics import Metrics, ModelName
from tests.paper.test_figures import assert_nothing_is_cut_or_covered, texts

EPOCHS = (4, 9, 14, 19)


def family(losses=("kl", "l1", "l2"), teachers=3, seeds=4, published=False):
    """Students whose scores fall or rise by the epoch, with differences between teachers and students."""
    rng = np.random.default_rng(0)
    students = []
    for loss in losses:
        for teacher in range(teachers):
            for seed in range(seeds):
                shift = 0.1 * rng.normal() + 0.2 * teacher
                columns = {
                    "kl_to_teacher": np.array([2.0, 1.0, 0.5, 0.2]) * (1.2 if loss == "kl" else 1.0) + 0.01 * shift,
                    "acc": np.array([0.3, 0.5, 0.7, 0.8]) + 0.02 * shift,
                    "d_logit": np.array([9.0, 7.0, 5.0, 4.0]) + shift,
                    "d_logit_centred": np.array([8.0, 6.0, 4.0, 3.0]) + shift,
                    "variance_apart": np.array([30.0, 20.0, 10.0, 5.0]),
                    "m_cca": np.array([0.5, 0.6, 0.7, 0.8]) + 0.1 * shift,
                }
                if published:
                    del columns["variance_apart"]
                table = {key: tuple(values.tolist()) for key, values in columns.items()}
                tests = {**table, "concept_fitted": (0.3, 0.3, 0.4, 0.4)}
                name = ModelName(f"{loss}{teacher}{seed}", "digits", "standard", loss, teacher, seed, 5)
                students.append(Metrics(name, EPOCHS, table, tests, published))
    return students


def lines(axes, style):
    return [np.asarray(line.get_ydata()) for line in axes.lines if line.get_linestyle() == style]


def test_there_is_a_figure_for_each_pairing_of_losses():
    plots = make_distillation_curves(family())
    assert set(plots.figures) == {f"distillation_curves_{pair}" for pair in ("kl_l1", "l1_l2", "kl_l2")}
    for figure in plots.figures.values():
        assert_nothing_is_cut_or_covered(figure)


def test_curves_are_means_with_intervals_over_teachers_and_students_and_the_paper_s_means():
    students = family()
    axes = {a.get_title(): a for a in make_distillation_curves(students).figures["distillation_curves_kl_l1"].axes}
    panel = axes["m_CCA, test"]
    table = np.array([s.test["m_cca"] for s in students if s.name.loss == "kl"]).reshape(3, 4, 4)
    np.testing.assert_allclose(lines(panel, "-")[0], table.mean((0, 1)))
    expected = [inverse_variance(table[..., epoch]).value for epoch in range(4)]
    np.testing.assert_allclose(lines(panel, ":")[0], expected)
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(max(random_effects(table[..., epoch]).high for epoch in range(4)))
    assert sorted(lines(panel, "None")[0]) == pytest.approx(sorted(table[..., -1].flatten()))
    assert "concept, fitted probe" in axes  # measured on test inputs only
    assert "concept, fitted probe, train" not in axes


def test_every_student_is_a_point_at_one_kl():
    plots = make_distillation_at_one_kl(family())
    figure = plots.figures["distillation_at_one_kl"]
    assert_nothing_is_cut_or_covered(figure)
    panel = next(axes for axes in figure.axes if axes.get_title() == "m_CCA")
    assert sum(len(line.get_xdata()) for line in panel.lines if line.get_marker() == ".") == 3 * 3 * 4
    assert [label.get_text() for label in panel.get_xticklabels()] == ["kl", "l1", "l2"]
    assert "nats" in texts(figure)


def test_every_student_is_a_path_through_all_kls():
    students = family()
    figure = make_distillation_at_one_kl(students).figures["distillation_over_kl"]
    assert_nothing_is_cut_or_covered(figure)
    panel = next(axes for axes in figure.axes if axes.get_title() == "m_CCA")
    paths = [line.get_xydata() for line in panel.lines if len(line.get_xdata()) == len(EPOCHS)]
    assert len(paths) == len(students)
    np.testing.assert_allclose(paths[0], np.column_stack([students[0].test[k] for k in ("kl_to_teacher", "m_cca")]))


def test_students_that_are_not_comparable_are_said():
    students = family(("kl",), 1, 2) + [
        Metrics(s.name, EPOCHS, s.train, {**s.test, "kl_to_teacher": (0.1, 0.1, 0.1, 0.1)}, False)
        for s in family(("l2",), 1, 2)
    ]
    assert "l2: 2 students are closer" in make_distillation_at_one_kl(students).notes[0]


def test_the_bound_of_theorem_f1_lies_below_for_every_student():
    (figure,) = make_distillation_bound(family()).figures.values()
    assert_nothing_is_cut_or_covered(figure)
    for axes in figure.axes:
        above, below = lines(axes, "-"), lines(axes, "--")
        assert len(above) == len(below) == 12
        assert all((low < high).all() for low, high in zip(below, above, strict=True))
    with pytest.raises(InputError, match="does not measure it"):
        make_distillation_bound(family(published=True))


def test_tables_have_the_numbers_in_every_format():
    tables = make_distillation_table(family()).tables
    assert set(tables) == {"distillation_last_epoch", "distillation_at_one_kl"}
    for formats in tables.values():
        rows = list(csv.reader(io.StringIO(formats["csv"][1])))
        assert rows[0][1:] == ["kl", "l1", "l2"]
        assert "\\toprule" in formats["latex"][1]
        assert "_" not in formats["latex"][1].replace("\\_", "")
        assert formats["markdown"][1].count("\n") == len(rows) + 1
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(tables["distillation_last_epoch"]["csv"][1]))}
    table = np.array([s.test["m_cca"][-1] for s in family() if s.name.loss == "kl"]).reshape(3, 4)
    found = random_effects(table)
    assert rows["m_CCA"][0] == f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    table = np.array([s.test["d_logit"][-1] for s in family() if s.name.loss == "kl"]).reshape(3, 4)
    found = random_effects(np.log(table))
    low, value, high = np.exp([found.low, found.value, found.high])
    assert rows["d_logit"][0] == f"{value:.3f} [{low:.3f}, {high:.3f}]"


def test_one_student_of_each_loss_is_enough_to_draw():
    students = family(("kl", "l2"), 1, 1)
    for make in (make_distillation_curves, make_distillation_at_one_kl, make_distillation_bound):
        for figure in make(students).figures.values():
            assert_nothing_is_cut_or_covered(figure)
    assert "0.800" in make_distillation_table(students).tables["distillation_last_epoch"]["csv"][1]


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(InputError, match="students of one loss only, kl"):
        make_distillation_curves(family(("kl",)))
    with pytest.raises(InputError, match="metrics of teachers only"):
        make_distillation_table([])


def test_spirals_show_where_every_model_puts_the_inputs():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(70, 2)), np.arange(70) % 7
    models = {
        title: Representations(rng.normal(size=(70, 2)), rng.normal(size=(7, 2)))
        for title in ("teacher", "student, kl")
    }
    (figure,) = make_spirals(points, labels, models).figures.values()
    assert_nothing_is_cut_or_covered(figure)
    panel = next(axes for axes in figure.axes if axes.get_title() == "student, kl")
    shown = np.concatenate([np.asarray(c.get_offsets()) for c in panel.collections])
    g, other = (model.unembeddings.numpy() for model in models.values())
    by_labels = np.linalg.lstsq(g - g.mean(0), other - other.mean(0))[0]
    expected = models["student, kl"].embeddings.numpy() @ by_labels.T
    np.testing.assert_allclose(np.sort(shown, 0), np.sort(expected, 0), rtol=1e-6, atol=1e-9)
    turn = np.array([[0.0, -2.0], [0.5, 0.0]])
    twin = Representations(models["teacher"].embeddings.numpy() @ turn.T, g @ np.linalg.inv(turn))
    (figure,) = make_spirals(points, labels, {"teacher": models["teacher"], "student, l2": twin}).figures.values()
    places = [np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections]) for axes in figure.axes[1:]]
    np.testing.assert_allclose(*places, rtol=1e-6, atol=1e-9)
    wide = {"teacher": Representations(rng.normal(size=(70, 5)), rng.normal(size=(7, 5)))}
    with pytest.raises(InputError, match="in the plane, are needed"):
        make_spirals(points, labels, wide)
