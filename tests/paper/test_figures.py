"""What each figure shows: its artists' points, lines, labels and limits, not its pixels."""

from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from closedist import InputError, Representations, compare
from closedist.page.style import CLASS_COLORS, class_style, closedist_style, new_figure, plain_log_ticks, save
from closedist.paper.constructed import KLTableRow, compare_all_noisy_copies
from closedist.paper.figures.embeddings import draw_representations, draw_side_by_side, plane_model
from closedist.paper.figures.kl_table import make_kl_table
from closedist.paper.figures.llv_scatter import (
    PALE,
    draw_overview,
    draw_scatters,
    draw_three_bounds,
    make_llv_constructed,
)
from closedist.paper.figures.llv_sorted import draw_sorted
from closedist.paper.figures.llv_vs_width import draw_llv_vs_width, good_pairs
from closedist.paper.figures.loss_vs_mcca import draw_loss_diff_vs_mcca, why_apart
from closedist.paper.figures.pairs_in_plane import make_cifar10_reps, make_quickstart
from closedist.paper.figures.synthetic_data import make_synthetic_data
from closedist.paper.results.tables import AccuracyRow, Distances, LossRow, MCCARow, read_distances
from tests.made_results import distances_table, write_table

Floats = NDArray[np.float64]


def distances(folder: Path, **changes: float) -> Distances:
    write_table(folder, "d.json", distances_table(**changes))  # type: ignore[arg-type]
    return read_distances(folder, "d.json")


def scatters(axes: Axes) -> list[Floats]:
    """The (n, 2) points of every scatter, in drawing order."""
    return [np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)]


def texts(figure: Figure) -> str:
    """All words on a figure."""
    found = [text.get_text() for text in figure.findobj(Text)]
    return "\n".join(text for text in found if text)


def tick_labels(axes: Axes) -> tuple[list[Text], list[Text]]:
    """The labels of the x and the y axis within its limits; others are there but not drawn."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    return (
        [label for label in axes.get_xticklabels() if x0 <= label.get_position()[0] <= x1],
        [label for label in axes.get_yticklabels() if y0 <= label.get_position()[1] <= y1],
    )


def assert_nothing_is_cut_or_covered(figure: Figure) -> None:
    """Every text lies on the figure; of an axis no tick label, and of its titles none, covers another."""
    with closedist_style():
        figure.draw_without_rendering()
        groups: list[list[Text]] = [
            [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
        ]
        for axes in figure.axes:
            groups += tick_labels(axes)
            titles = {text.get_position()[0]: text for text in axes.findobj(Text) if text.get_text() in titles_of(axes)}
            groups += [list(titles.values()), [axes.xaxis.label, axes.yaxis.label], list(axes.texts)]
        for group in groups:
            boxes = [text.get_window_extent() for text in group if text.get_text() and text.get_visible()]
            for box in boxes:
                low, high = box.min, box.max
                assert (low >= figure.bbox.min - 1).all(), [text.get_text() for text in group]
                assert (high <= figure.bbox.max + 1).all(), [text.get_text() for text in group]
            for first, second in combinations(boxes, 2):
                assert not first.overlaps(second), [text.get_text() for text in group]


def titles_of(axes: Axes) -> set[str]:
    """An axes' titles: its middle, left and right one."""
    return {axes.get_title(loc) for loc in ("left", "center", "right")} - {""}


# --- synthetic_data


@pytest.mark.parametrize("num_classes", [4, 18])
def test_every_training_point_is_drawn_in_its_labels_colour(num_classes: int) -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(500, 2)), rng.integers(0, num_classes, 500)
    (figure,) = make_synthetic_data({num_classes: (points, labels)}).figures.values()
    axes = figure.axes[0]
    drawn = scatters(axes)
    assert len(drawn) == num_classes
    for label, group in enumerate(drawn):
        np.testing.assert_array_equal(group, points[labels == label])
        color = matplotlib.colors.to_rgba(class_style(label)[0])
        np.testing.assert_allclose(axes.collections[label].get_facecolor()[0], color)  # type: ignore[index]
    assert axes.get_xlim()[1] > np.abs(points).max()
    assert axes.get_aspect() == 1
    written = [text.get_text() for text in axes.texts]
    assert sorted(written) == sorted([str(label) for label in range(num_classes)] * 2)  # both ends of every wedge
    assert_nothing_is_cut_or_covered(figure)


def test_a_wedges_number_stands_where_its_points_are() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4000, 2))
    labels = ((np.arctan2(points[:, 1], points[:, 0]) % np.pi) // (np.pi / 6)).astype(int)
    (figure,) = make_synthetic_data({6: (points, labels)}).figures.values()
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        assert int((np.arctan2(y, x) % np.pi) // (np.pi / 6)) == int(text.get_text())


def test_points_and_labels_must_fit() -> None:
    with pytest.raises(InputError, match=r"\(3, 2\) and \(2,\)"):
        make_synthetic_data({1: (np.zeros((3, 2)), np.zeros(2, dtype=int))})


# --- scatters of distances


def test_a_row_of_scatters_shows_the_pairs_below_the_limit_and_both_bounds(tmp_path: Path) -> None:
    table = distances(tmp_path, num_seeds=8)
    figure = draw_scatters({"width 16": table}, "4 labels")
    left, middle, right = figure.axes
    near = table["llv"] < 0.25
    assert 0 < near.sum() < len(table)
    np.testing.assert_array_equal(scatters(left)[0], np.c_[table["llv"], table["dissimilarity"]][near])
    sides = ("dissimilarity_unembeddings", "dissimilarity_embeddings")
    for axes, term, bounded in ((middle, table["label_term"], sides[1]), (right, table["input_term"], sides[0])):
        shown = term < 0.25
        for points, side in zip(scatters(axes), sorted(sides, key=bounded.__eq__), strict=True):
            np.testing.assert_array_equal(points, np.c_[term, table[side]][shown])
        (curve,) = axes.lines
        np.testing.assert_allclose(curve.get_ydata(), 2 * np.asarray(curve.get_xdata()) ** 2)
    papers, ours = left.lines
    np.testing.assert_allclose(papers.get_ydata(), 4 * np.asarray(papers.get_xdata()))
    np.testing.assert_allclose(ours.get_ydata(), 2 * np.asarray(ours.get_xdata()) ** 2)
    assert papers.get_linestyle() != ours.get_linestyle()
    assert papers.get_xdata()[-1] == ours.get_xdata()[-1] == 0.25  # type: ignore[index]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert f"{near.sum()} of 28 pairs below 1/(2M)" in texts(figure)
    assert left.get_ylabel() == "width 16\n$d_{f,g}$"
    assert middle.get_xlabel() == "label term $t_1$"
    assert_nothing_is_cut_or_covered(figure)


def legend_of(axes: Axes) -> dict[str, str]:
    """By its text, the colour of each entry of an axes' legend."""
    legend = axes.get_legend()
    assert legend is not None
    looks = (artist.get_edgecolor() if isinstance(artist, PathCollection) else artist.get_color()  # type: ignore[attr-defined]
             for artist in legend.legend_handles)  # fmt: skip
    return {
        text.get_text(): matplotlib.colors.to_hex(np.atleast_2d(look)[0] if not isinstance(look, str) else look)
        for text, look in zip(legend.get_texts(), looks, strict=True)
    }


def test_each_columns_legend_names_its_points_and_curves_and_pale_is_what_no_curve_bounds(tmp_path: Path) -> None:
    figure = draw_scatters({"width 16": distances(tmp_path, num_seeds=8)})
    left, middle, right = (legend_of(axes) for axes in figure.axes)
    assert {"pair with $d_{\\mathrm{LLV}}$ < 1/(2M)", "its bound 2 $d_{\\mathrm{LLV}}$$^2$"} < set(left)
    assert "its bound 2M $d_{\\mathrm{LLV}}$ = 4 $d_{\\mathrm{LLV}}$" in left
    for legend, term, bounded, free in (
        (middle, "t_1", "embeddings' largest $d_{\\mathrm{SVD}}$", "unembeddings': not bounded"),
        (right, "t_2", "unembeddings' $d_{\\mathrm{SVD}}$", "embeddings': not bounded"),
    ):
        assert set(legend) == {bounded, free, f"its bound 2 ${term}^2$"}
        assert legend[free] == PALE
        assert legend[bounded] != PALE


def markers_within(axes: Axes) -> bool:
    """Whether no marker of an axes' scatters reaches beyond its frame."""
    frame = axes.get_window_extent()
    for points in (c for c in axes.collections if isinstance(c, PathCollection)):
        radius = np.sqrt(points.get_sizes().max()) / 2 * axes.figure.dpi / 72
        at = axes.transData.transform(points.get_offsets())
        if len(at) and not ((at - radius >= frame.min).all() and (at + radius <= frame.max).all()):
            return False
    return True


def test_no_point_is_cut_at_an_edge(tmp_path: Path) -> None:
    ends = [0.0, 0.1, np.nextafter(0.25, 0), 0.2, 0.2, 0.2]  # of d_LLV, t1 and t2 alike
    least = [[1.0, 1.0], [0.5, 0.5], [0.999999, 0.9999999], [0.9, 0.9], [0.2, 0.1], [1e-4, 0.1]]
    content = distances_table() | {"distance": ends, "t_1": ends, "t_2": ends, "m_SVDs_f": least}
    write_table(tmp_path, "d.json", content)
    table = read_distances(tmp_path, "d.json")
    for figure in (draw_scatters({"a": table, "b": table}), draw_overview({"4 labels": [table]})):
        assert len(scatters(figure.axes[0])[0]) == 6
        assert_nothing_is_cut_or_covered(figure)
        assert all(markers_within(axes) for axes in figure.axes)


def test_all_rows_of_a_figure_have_one_range(tmp_path: Path) -> None:
    near, far = distances(tmp_path, scale=0.01), distances(tmp_path, scale=0.2)
    figure = draw_scatters({"width 128": near, "width 16": far})
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_the_papers_line_follows_the_size_of_the_subsets(tmp_path: Path) -> None:
    content = distances_table() | {"input_idxs": [[0, 1, 2, 3]] * 6}
    write_table(tmp_path, "d.json", content)
    axes = draw_scatters({"K = 3": read_distances(tmp_path, "d.json")}).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 6 * np.asarray(axes.lines[0].get_xdata()))
    assert axes.lines[0].get_xdata()[-1] == pytest.approx(1 / 6)  # type: ignore[index]
    assert axes.get_xlim()[1] == pytest.approx(1 / 6, rel=0.05)


def test_a_configuration_without_a_close_pair_leaves_its_panels_empty_and_says_so(tmp_path: Path) -> None:
    table = distances(tmp_path, scale=5.0)
    figure = draw_scatters({"width 16": table})
    assert "0 of 6 pairs below 1/(2M)" in texts(figure)
    (reason,) = figure.axes[0].texts
    assert reason.get_text() == f"no pair is below 0.25;\nthe smallest is {table['llv'].min():.3g}"
    assert_nothing_is_cut_or_covered(figure)


def test_equal_models_are_drawn_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    content = distances_table() | {"distance": [0.0] * 6, "m_SVDs_f": [[1.0, 1.0]] * 6, "m_SVDs_g": [[1.0]] * 6}
    write_table(tmp_path, "d.json", content)
    table = read_distances(tmp_path, "d.json")
    for figure in (draw_scatters({"x": table}), draw_three_bounds({"x": table}), draw_overview({"x": [table]})):
        assert_nothing_is_cut_or_covered(figure)
    assert not [str(warning.message) for warning in recwarn]


def test_constructed_pairs_fill_a_row_for_each_label_count_the_same_for_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closedist.paper.constructed.NOISE_STEPS", 30)
    (figure,), (again,) = (
        make_llv_constructed(compare_all_noisy_copies((4,), 1, threads)).figures.values() for threads in (1, None)
    )
    assert figure.axes[0].get_ylabel().startswith("4 labels\n")
    points = scatters(figure.axes[0])[0]
    assert len(points) == 30
    assert (points[:, 1] <= 2 * points[:, 0] ** 2).all()
    np.testing.assert_array_equal(points, scatters(again.axes[0])[0])
    assert_nothing_is_cut_or_covered(figure)


def test_the_overview_holds_every_close_pair_of_every_configuration(tmp_path: Path) -> None:
    four = [distances(tmp_path, seed=seed) for seed in (0, 1)]
    six = [distances(tmp_path, seed=2, scale=0.3)]
    figure = draw_overview({"4 labels": four, "6 labels": six})
    first, second = scatters(figure.axes[0])
    assert len(first) == sum((table["llv"] < 0.25).sum() for table in four)
    assert len(second) == (six[0]["llv"] < 0.25).sum()
    assert f"4 labels: {len(first)} of 12 pairs" in texts(figure)
    assert "pairs of models with $d_{\\mathrm{LLV}}$ < 1/(2M)" in texts(figure)
    assert_nothing_is_cut_or_covered(figure)


def test_three_bounds_stand_above_every_pair(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    models = [Representations(rng.normal(size=(50, 2)), rng.normal(size=(6, 2))) for _ in range(3)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    table = Distances.of(pairs, [compare(models[i], models[j], num_samples=10) for i, j in pairs])
    papers_file = distances(tmp_path)
    figure = draw_three_bounds({"width 16": table, "of the paper's code": papers_file}, "6 labels")
    axes = figure.axes[0]
    pairs_drawn, certificates, without = scatters(axes)
    np.testing.assert_array_equal(pairs_drawn, np.c_[table["llv"], table["dissimilarity"]])
    assert "certificate" in table
    np.testing.assert_array_equal(certificates, np.c_[table["llv"], table["certificate"]])
    np.testing.assert_array_equal(without[:, 0], papers_file["llv"])  # its certificates are not known
    quadratic, papers, largest = axes.lines
    np.testing.assert_allclose(quadratic.get_ydata(), 2 * np.asarray(quadratic.get_xdata()) ** 2)
    np.testing.assert_allclose(papers.get_ydata(), 4 * np.asarray(papers.get_xdata()))
    assert list(largest.get_ydata()) == [1, 1]
    assert {"width 16: its certificate", "the paper's bound 4 $d_{\\mathrm{LLV}}$"} <= set(texts(figure).split("\n"))
    low, high = axes.get_xlim()
    assert low < min(table["llv"].min(), papers_file["llv"].min())
    assert high > max(table["llv"].max(), papers_file["llv"].max())
    assert_nothing_is_cut_or_covered(figure)


def test_sorted_lines_rise_through_every_pair(tmp_path: Path) -> None:
    table = distances(tmp_path, num_seeds=6)
    one = {"width 16": table, "width 32": table}
    figure = draw_sorted(
        {"4 labels": {"free lengths": one}, "6 labels": {"free lengths": one, "both of length 20": one}}
    )
    assert len(figure.axes) == 4
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), np.sort(table["llv"]))
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 16))
    assert [line.get_label() for line in figure.axes[0].lines[::2]] == ["width 16", "width 32"]
    assert figure.axes[0].lines[1].get_ydata()[0] == 0.25  # type: ignore[index]
    assert not figure.axes[1].lines  # 4 labels have no fixed lengths here
    assert [text.get_text() for text in figure.axes[1].texts] == ["no results"]
    assert figure.axes[0].get_yscale() == "log"
    assert_nothing_is_cut_or_covered(figure)


# --- d_LLV against width


def test_only_pairs_of_good_models_with_free_lengths_count(tmp_path: Path) -> None:
    table = distances(tmp_path, num_seeds=7)
    rows = [AccuracyRow(s, 0, 0, 4, 2, 0.9 if s == 3 else 0.95) for s in range(7)]  # 0.9 is not above 0.9
    rows += [AccuracyRow(3, 20, 20, 4, 2, 0.99), AccuracyRow(9, 20, 0, 4, 2, 0.99)]
    pairs = good_pairs(64, table, rows)
    kept = [3 not in pair for pair in table.model_seeds]
    assert (pairs.models, pairs.of_models, sum(kept)) == (6, 7, 15)
    np.testing.assert_array_equal(pairs.llv, table["llv"][kept])
    np.testing.assert_array_equal(pairs.dissimilarity, table["dissimilarity"][kept])
    deviation = table["llv"][kept].std(ddof=1)
    assert f"6 of 7 models, d_LLV {table['llv'][kept].mean():.3f} ± {deviation:.3f}" in str(pairs)


def test_fewer_than_five_good_models_are_not_enough(tmp_path: Path) -> None:
    table = distances(tmp_path, num_seeds=7)
    for good, enough in ((4, False), (5, True)):
        rows = [AccuracyRow(s, 0, 0, 4, 2, 0.95 if s < good else 0.5) for s in range(7)]
        assert good_pairs(64, table, rows).enough is enough


def test_every_pair_stands_at_its_width_with_the_mean_the_middle_half_and_the_models_kept(tmp_path: Path) -> None:
    rows = [AccuracyRow(s, 0, 0, 4, 2, 0.95 if s < 6 else 0.5) for s in range(7)]
    four = [good_pairs(w, distances(tmp_path, num_seeds=7, scale=2 / w), rows) for w in (16, 64)]
    six = [good_pairs(16, distances(tmp_path, num_seeds=7), rows), good_pairs(64, distances(tmp_path), rows[5:])]
    figure = draw_llv_vs_width({"4 labels": four, "6 labels": six})
    left, right = figure.axes
    assert left.get_ylabel() == "$d_{\\mathrm{LLV}}$"
    assert right.get_ylabel() == "$d_{f,g}$"
    for axes, quantity in ((left, "llv"), (right, "dissimilarity")):
        values = [getattr(pairs, quantity) for pairs in four]
        points, others = scatters(axes)
        np.testing.assert_array_equal(points[:, 1], np.concatenate(values))
        np.testing.assert_array_equal(others[:, 1], getattr(six[0], quantity))  # width 64 has too few good models
        widths = np.repeat([4, 6], [len(y) for y in values])
        assert (np.abs(points[:, 0] - widths) < 0.5).all()
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [y.mean() for y in values])
        bars = next(c for c in axes.collections if isinstance(c, LineCollection)).get_segments()
        np.testing.assert_allclose([bar[:, 1] for bar in bars], [np.quantile(y, (0.25, 0.75)) for y in values])
        assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "64"]
        written = [text.get_text() for text in axes.texts]
        assert written == ["6 of 7", "6 of 7", "6 of 7", "1 of 2", "fewer than 5 models kept"]
        assert markers_within(axes)
    assert_nothing_is_cut_or_covered(figure)


# --- representations


def plane_representations(seed: int, num_inputs: int = 300, num_classes: int = 10) -> Representations:
    rng = np.random.default_rng(seed)
    order = rng.permutation(num_classes)
    angle = 2 * np.pi * order / num_classes
    g = 4 * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    labels = np.arange(num_inputs) % num_classes
    return Representations(g[labels] + 0.5 * rng.normal(size=(num_inputs, 2)), g)


def test_embeddings_take_the_colour_of_the_predicted_label_with_the_bias() -> None:
    f = np.array([[1.0, 0.2], [0.2, 1.0], [-1.0, -1.0]])
    g = np.array([[1.0, 0.0], [0.0, 1.0], [-0.5, -0.5]])
    assert plane_model("a", f, g).predicted.tolist() == [0, 1, 2]
    model = plane_model("a", f, g, bias=[5.0, 0.0, 0.0])
    assert model.predicted.tolist() == [0, 0, 0]
    left, right = draw_representations(model).axes
    assert [len(points) for points in scatters(left)] == [3, 0, 0]
    np.testing.assert_array_equal(scatters(left)[0], f)
    ends = [(line.get_xdata()[1], line.get_ydata()[1]) for line in right.lines[:3]]  # type: ignore[index]
    np.testing.assert_array_equal(ends, g)
    assert [text.get_text() for text in right.texts] == ["0", "1", "2"]


def test_cifar10_reps_shows_every_seed_and_two_side_by_side_and_prints_what_they_share() -> None:
    models = {seed: plane_representations(seed) for seed in (0, 1, 2)}
    names = [f"class{label}" for label in range(10)]
    plots = make_cifar10_reps(models, names, family="MedCIFAR10, 20,000 steps")
    assert list(plots.figures) == [
        "cifar10_reps_seed0",
        "cifar10_reps_seed1",
        "cifar10_reps_seed2",
        "cifar10_reps_seeds0and1",
    ]
    c = compare(models[0], models[1])
    (note,) = plots.notes
    for number in (c.mean_cca_embeddings, c.kl, c.kl_reverse):
        assert f"{number:.3f}" in note
    assert all("MedCIFAR10, 20,000 steps" in texts(figure) for figure in plots.figures.values())
    side_by_side = plots.figures["cifar10_reps_seeds0and1"]
    assert len({axes.get_xlim() + axes.get_ylim() for axes in side_by_side.axes}) == 1
    assert f"$m_{{\\mathrm{{CCA}}}}$ {c.mean_cca_embeddings:.3f}, KL {c.kl:.3f}" in texts(side_by_side)
    for axes, seed in zip(side_by_side.axes, (0, 1), strict=True):
        model = models[seed]
        predicted = (model.embeddings @ model.unembeddings.T).argmax(1).numpy()
        for label, points in enumerate(scatters(axes)):
            np.testing.assert_array_equal(points, model.embeddings.numpy()[predicted == label])
            (face,) = axes.collections[label].get_facecolor()  # type: ignore[misc]
            np.testing.assert_allclose(face, matplotlib.colors.to_rgba(CLASS_COLORS[label]))
    for figure in plots.figures.values():
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [f"{i} class{i}" for i in range(10)]
        assert_nothing_is_cut_or_covered(figure)


def test_every_point_and_the_origin_are_within_the_frame() -> None:
    f = np.array([[100.0, 101.0], [110.0, 100.0]])
    figure = draw_side_by_side(plane_model("a", f, np.eye(2)), plane_model("b", -f, np.eye(2)), "")
    for axes, points in zip(figure.axes, (f, -f), strict=True):
        (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
        for x, y in [*points, (0, 0)]:
            assert x0 < x < x1
            assert y0 < y < y1
        assert x1 - x0 == pytest.approx(y1 - y0)
        assert axes.get_aspect() == 1


def test_a_label_that_is_not_drawn_is_not_in_the_legend() -> None:
    g = np.array([[3.0, 0.0], [1.0, 0.5], [0.0, 3.0], [-3.0, -3.0]])
    f = np.array([[2.0, 0.1], [0.1, 2.0], [-1.0, -1.0]])  # label 1 is never the largest
    model = plane_model("a", f, g)
    for figure, drawn in ((draw_side_by_side(model, model, ""), "023"), (draw_representations(model), "0123")):
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == list(drawn)
        assert "a: embeddings, 3 of 4 labels predicted" in texts(figure)
        assert_nothing_is_cut_or_covered(figure)


def test_numbers_of_clouds_that_share_their_middle_do_not_cover_each_other() -> None:
    angle = np.linspace(0, 2 * np.pi, 7)[:6]
    g = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    near = 1e-3 * g.repeat(5, axis=0)  # most inputs at the origin, and a few of every label further out
    f = np.concatenate((near, *(radius * g for radius in (0.5, 1, 2))))
    model = plane_model("a", f, g)
    for axes in draw_side_by_side(model, model, "").axes:
        places = np.array([text.get_position() for text in axes.texts])
        assert [text.get_text() for text in axes.texts] == list("012345")
        apart = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(6, 1)]
        assert apart.min() > 0.04 * np.ptp(axes.get_xlim())
        for (x, y), cloud in zip(places, (f[model.predicted == label] for label in range(6)), strict=True):
            assert np.linalg.norm(cloud - (x, y), axis=1).min() < 0.01  # in its own cloud
    assert_nothing_is_cut_or_covered(draw_side_by_side(model, model, ""))


def test_unembeddings_that_coincide_share_a_label() -> None:
    g = np.array([[5.0, 5.0], [5.01, 5.0], [0.0, -3.0]])
    _, right = draw_representations(plane_model("a", g, g)).axes
    assert [text.get_text() for text in right.texts] == ["0, 1", "2"]


def test_what_cannot_be_drawn_in_the_plane_is_refused() -> None:
    with pytest.raises(InputError, match="only representations of dimension 2"):
        make_cifar10_reps({0: Representations(np.eye(4)[:, :3], np.eye(4)[:, :3])})
    with pytest.raises(InputError, match="2 names for 10 labels"):
        make_cifar10_reps({0: plane_representations(0)}, ["a", "b"])


def test_quickstart_draws_the_data_two_seeds_and_the_bounds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pair = {f"seed {seed}": plane_representations(seed, num_classes=6) for seed in (3, 4)}
    table = distances(tmp_path)
    data = (rng.normal(size=(50, 2)), rng.integers(0, 6, 50))
    plots = make_quickstart(data, pair, compare(*pair.values()), {"width 16": table})
    assert list(plots.figures) == ["data", "embeddings", "bounds"]
    assert "seed 4" in texts(plots.figures["embeddings"])
    assert len(scatters(plots.figures["bounds"].axes[0])[0]) == 6


# --- loss against m_CCA


def test_loss_differences_stand_over_the_test_correlations_of_their_pair() -> None:
    correlations = [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9), MCCARow((0, 2), 0.1, 0.2, 0.6, 0.9)]
    losses = [LossRow(0, 9.0, 1.20), LossRow(1, 9.0, 1.25), LossRow(2, 9.0, 1.10)]
    figure = draw_loss_diff_vs_mcca(dict.fromkeys((2, 3, 5), (correlations, losses)))
    assert [axes.get_title() for axes in figure.axes] == [f"dimension {d}, 2 pairs" for d in (2, 3, 5)]
    for axes in figure.axes:
        np.testing.assert_allclose(scatters(axes)[0], [[0.5, 0.05], [0.6, 0.1]])
        assert axes.get_xlim()[0] <= 0
        assert axes.get_xlim()[1] >= 1
        assert -0.1 * axes.get_ylim()[1] < axes.get_ylim()[0] < 0  # room for points at 0
        assert axes.get_ylim()[1] > 0.1
    assert figure.axes[0].get_ylabel() == "|difference of test loss| (nats)"
    assert_nothing_is_cut_or_covered(figure)


def test_losses_of_other_models_than_were_correlated_are_found_out() -> None:
    correlations = [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9)]
    assert why_apart(correlations, [LossRow(0, 1.0, 1.0)]) == "the losses lack seed 1, of which there is m_CCA"
    named = [LossRow(0, 1.0, 1.0, "b"), LossRow(1, 1.0, 1.0, "b")]
    unnamed = [LossRow(0, 1.0, 1.0), LossRow(1, 1.0, 1.0)]
    of_a = [MCCARow((0, 1), 0.1, 0.2, 0.5, 0.9, "a")]
    assert why_apart(of_a, named) == "m_CCA is of a, losses of b"
    assert "losses of models that their file does not name" in why_apart(of_a, unnamed)
    for losses in (named, unnamed):  # m_CCA of the paper's code may be of any models
        assert not why_apart(correlations, losses)


# --- the table

ROWS = [KLTableRow(1, 0.78758, 1.3173, 0.00101, 0.99940), KLTableRow(20, 2.74e-5, 1.3174, 0.00101, 0.99940)]


def test_the_table_renders_for_print_for_notes_and_for_programs(tmp_path: Path) -> None:
    paths = make_kl_table(ROWS).save(tmp_path, ("latex", "markdown", "csv"))
    assert [path.name for path in paths] == ["KL_table.tex", "KL_table.md", "KL_table.csv"]
    latex, markdown, values = (path.read_text() for path in paths)
    assert "1 & 0.788 & 1.3173 & 0.0010 & 0.9994 \\\\" in latex
    assert "20 & $2.74 \\cdot 10^{-5}$ & 1.3174" in latex
    assert latex.count("\\\\") == 3
    assert markdown.splitlines()[2] == "| 1 | 0.788 | 1.3173 | 0.0010 | 0.9994 |"
    assert {line.count("|") for line in markdown.splitlines()} == {6}
    assert [float(cell) for cell in values.splitlines()[2].split(",")] == [20, 2.74e-5, 1.3174, 0.00101, 0.99940]


# --- style


def test_figures_are_saved_in_every_format_the_same_bytes_each_time(tmp_path: Path) -> None:
    points, labels = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 4
    for folder in ("one", "two"):
        (figure,) = make_synthetic_data({4: (points, labels)}).figures.values()
        paths = save(figure, tmp_path / folder, "data", ("png", "pdf", "svg"))
        assert [path.name for path in paths] == ["data.png", "data.pdf", "data.svg"]
    for ending in ("png", "pdf", "svg"):
        assert (tmp_path / "one" / f"data.{ending}").read_bytes() == (tmp_path / "two" / f"data.{ending}").read_bytes()
    assert (tmp_path / "one" / "data.pdf").read_bytes().startswith(b"%PDF")


def test_neither_the_users_style_nor_pyplot_has_a_say(tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "black"}):
        figure = draw_scatters({"width 16": distances(tmp_path)})
        save(figure, tmp_path, "styled", ("pdf",))
    assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
    assert figure.axes[0].xaxis.label.get_fontsize() == 8
    assert pyplot.get_fignums() == []
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()}
    assert min(sizes) >= 6.5


def test_ten_classes_are_told_apart_in_every_colour_vision() -> None:
    """The smallest OKLab distance in normal vision and three dichromacies (Machado et al. 2009, severity 1)."""
    rgb = np.array([matplotlib.colors.to_rgb(color) for color in CLASS_COLORS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    visions = {
        "normal": np.eye(3),
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    }
    to_lms = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    to_lab = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    for vision, matrix in visions.items():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        lab = np.cbrt(seen @ np.array(to_lms).T) @ np.array(to_lab).T
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)[np.triu_indices(10, 1)]
        assert apart.min() > 0.15, vision


def test_eighteen_classes_differ_in_colour_or_marker() -> None:
    assert len({class_style(label) for label in range(30)}) == 30


def test_logarithmic_ticks_read_as_plain_numbers() -> None:
    with closedist_style():
        figure = new_figure(3, 3)
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log", xlim=(0.1, 1), ylim=(1e-6, 2))
        plain_log_ticks(axes.xaxis)
        plain_log_ticks(axes.yaxis)
        figure.draw_without_rendering()
    across, upwards = tick_labels(axes)
    assert [label.get_text() for label in upwards] == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"]
    assert {"0.1", "0.15", "0.2", "0.5", "1"} <= {label.get_text() for label in across}
