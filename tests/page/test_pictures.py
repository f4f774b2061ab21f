"""Pictures for print show the numbers that the library gives, on whatever axes they are drawn."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

import closedist
from closedist import Representations, compare_all
from closedist.cli import COMMANDS, make_app, run
from closedist.cli.draw import Kind
from closedist.explanation.groups import group_models, model_map
from closedist.page.draw import PICTURES, Drawn, picture
from closedist.page.pair_pictures import draw_label_shares, draw_labels, draw_side, square_around
from closedist.page.pictures import draw_dendrogram, draw_heatmap, draw_map, list_models, shade
from closedist.page.style import PAGE_WIDTH, closedist_style, new_figure
from tests.page.pages import LABELS, N, small_models

NAMES = ["$x^2$", "a" * 200, "two\nlines", "plain", "last"]


@pytest.fixture
def axes():
    with closedist_style():
        yield new_figure(5, 4).subplots()


@pytest.fixture
def groups():
    points = np.array([[0.0, 0], [0.1, 0], [5, 0], [5.2, 0], [9, 9]])
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    return group_models(distances, 1.0, names=NAMES), model_map(distances, names=NAMES)


def drawn(axes):
    """Every text within the figure; the layout does not cut any off."""
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    outer = axes.get_tightbbox(canvas.get_renderer())
    assert outer.x0 >= -1
    assert outer.x1 <= axes.figure.bbox.width + 1
    return [text.get_text() for text in axes.findobj(lambda found: hasattr(found, "get_text")) if text.get_text()]


def test_darker_is_closer_for_distances_and_similarities_and_what_is_infinite_is_farthest():
    similar = np.array([[np.nan, 0.9, 0.5], [0.9, np.nan, 0.7], [0.5, 0.7, np.nan]])
    found = shade(similar, larger_is_closer=True)
    assert found.nearness[0, 1] == 1
    assert found.nearness[0, 2] == 0
    assert found.nearness[1, 2] == pytest.approx(0.5)
    assert (found.low, found.high) == (0.5, 0.9)
    apart = np.array([[np.nan, 0.001, np.inf], [0.001, np.nan, 0.1], [np.inf, 0.1, np.nan]])
    found = shade(apart, larger_is_closer=False)
    assert found.logarithmic
    assert (found.nearness[0, 1], found.nearness[0, 2], found.nearness[1, 2]) == (1, 0, 0)
    assert np.isnan(found.nearness[0, 0])


def test_a_heat_map_has_every_cells_number_and_all_names_as_text_in_the_order_asked_for(axes):
    values = np.arange(25.0).reshape(5, 5) / 25
    draw_heatmap(axes, values, NAMES, title="measure", larger_is_closer=True, order=[4, 3, 2, 1, 0])
    texts = drawn(axes)
    for i, j in combinations(range(5), 2):
        assert f"{values[i, j]:.2f}" in texts
        assert f"{values[j, i]:.2f}" in texts
    assert f"{values[2, 2]:.2f}" not in [text.get_text() for text in axes.texts]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown[0] == "1  last"
    assert shown[-1] == r"5  \$x^2\$"
    assert "two·lines" in shown[2]
    assert all(len(name) < 40 for name in shown)
    cell = next(text for text in axes.texts if text.get_text() == f"{values[4, 3]:.2f}")
    assert cell.get_position() == (1, 0)


def test_a_heat_maps_title_lies_on_no_number_of_a_column():
    for count in (5, 30):
        with closedist_style():
            figure = new_figure(PAGE_WIDTH, 0.8 * PAGE_WIDTH)
            axes = figure.subplots()
            names = [f"model{index}" for index in range(count)]
            draw_heatmap(axes, np.eye(count), names, title="logit correlation", larger_is_closer=True)
            figure.draw_without_rendering()
        title = axes.title.get_window_extent()
        for label in axes.get_xticklabels():
            assert not title.overlaps(label.get_window_extent())


def test_a_dendrogram_merges_at_the_distances_of_the_linkage_and_cuts_at_the_threshold(axes, groups):
    found, _ = groups
    draw_dendrogram(axes, found)
    drawn(axes)
    heights = sorted(float(line.get_xdata()[1]) for line in axes.lines if len(line.get_xdata()) == 4)
    assert heights == pytest.approx(sorted(found.linkage[:, 2]))
    (cut,) = (line for line in axes.lines if len(line.get_xdata()) == 2)
    assert list(cut.get_xdata()) == [1.0, 1.0]
    assert "3 groups" in axes.get_title()


def test_a_map_has_each_model_at_its_place_with_its_number_and_groups_share_a_colour(axes, groups):
    found, places = groups
    draw_map(axes, places, found)
    texts = drawn(axes)
    points = np.array([line.get_xydata()[0] for line in axes.lines])
    assert np.allclose(points, places.points[list(found.order)])
    assert {"1", "2", "3", "4", "5"} <= set(texts)
    color = dict(zip(found.order, (line.get_color() for line in axes.lines), strict=True))
    assert color[0] == color[1] != color[2] == color[3]
    assert color[4] not in (color[0], color[2])


def test_the_list_beside_a_map_names_every_model_also_of_a_hundred(axes):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 2))
    names = [f"run{i:03}" for i in range(100)]
    found = group_models(np.linalg.norm(points[:, None] - points, axis=-1), 0.5, names=names)
    list_models(axes, found)
    texts = " ".join(drawn(axes))
    assert all(name in texts for name in names)


def test_a_side_has_every_input_in_the_colour_of_its_label_and_the_labels_number_in_its_cloud(axes):
    rng = np.random.default_rng(0)
    points, predicted = rng.normal(size=(50, 2)), rng.integers(0, 3, 50)
    square = square_around(points, 2 * points)
    draw_side(axes, points, predicted, square)
    drawn(axes)
    assert sum(len(part.get_offsets()) for part in axes.collections) == 50
    for label, part in enumerate(axes.collections):
        assert np.allclose(part.get_offsets(), points[predicted == label])
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2"]
    assert (np.abs(2 * points - square.mean(0)) <= (square[1] - square[0]) / 2).all()


def test_labels_are_drawn_least_alike_on_top_with_what_explain_says_of_them(axes):
    p, q = small_models()[:2]
    found = closedist.explain(p, q)
    draw_labels(axes, found, most=3)
    drawn(axes)
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert [name.split("   ")[1] for name in names] == [f"{row.correlation:.3f}" for row in found.labels[:3]]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    line = axes.containers[0].lines[0]
    assert line.get_xdata() == pytest.approx([row.mean_difference for row in found.labels[:3]])
    (bars,) = axes.containers[0].lines[2]
    widths = [segment[1, 0] - segment[0, 0] for segment in bars.get_segments()]
    assert widths == pytest.approx([2 * row.deviation for row in found.labels[:3]])


def test_shares_are_drawn_in_per_cent(axes):
    found = closedist.explain(*small_models()[:2])
    draw_label_shares(axes, found)
    drawn(axes)
    for container, name in zip(axes.containers, ("share_of_distance", "share_of_kl"), strict=True):
        shown = [bar.get_width() for bar in container]
        assert shown == pytest.approx([100 * getattr(row, name) for row in found.labels])


FILES = [f"m{index}.safetensors" for index in range(3)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index, model in enumerate(small_models(3)):
        model.save(tmp_path / f"m{index}.safetensors")
    return tmp_path


def draw(*tokens):
    return run(make_app("closedist", COMMANDS), ["draw", *map(str, tokens)])


def test_the_command_knows_every_picture():
    assert Kind.__args__ == tuple(PICTURES)


@pytest.mark.parametrize("kind", Kind.__args__)
def test_the_command_draws_every_kind_and_says_where(folder, capsys, kind):
    files = FILES[:2] if kind in ("pair", "labels") else FILES
    assert draw(kind, *files) == 0
    assert capsys.readouterr().out.strip() == f"{kind}.png"
    with Image.open(folder / f"{kind}.png") as shown:
        assert shown.width == 1380
        grey = np.asarray(shown.convert("L"))
        assert len(np.unique(grey)) > 50
        assert min(edge.min() for edge in (grey[0], grey[-1], grey[:, 0], grey[:, -1])) > 200  # nothing is cut off
    first = (folder / f"{kind}.png").read_bytes()
    assert draw(kind, *files) == 0
    assert (folder / f"{kind}.png").read_bytes() == first


def test_the_ending_says_the_form(folder):
    for name, start in (("a.pdf", b"%PDF"), ("deeper/b.svg", b"<?xml")):
        assert draw("map", *FILES, "-o", name) == 0
        assert (folder / name).read_bytes().startswith(start)


@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_a_pair_of_any_dimension_is_drawn(folder, dimension):
    for index, model in enumerate(small_models(2, dimension)):
        model.save(folder / f"m{index}.safetensors")
    assert draw("pair", *FILES[:2]) == 0


def test_a_label_named_by_its_number_is_written_once():
    names = ["0", "1", "two", "3", "4"]
    f, g = np.random.default_rng(0).normal(size=(2, 200, 2))
    models = [Representations(f + x, 2 * g[:5], label_names=names) for x in (0.0, 0.3 * g)]
    figure = picture("pair", Drawn(models, ["p", "q"], compare_all(models)))
    assert {text.get_text() for text in figure.legends[0].get_texts()} <= {"0", "1", "2 two", "3", "4"}


def test_black_boxes_and_two_labels_are_drawn(folder):
    rng = np.random.default_rng(0)
    for labels in (2, 8):
        table = rng.normal(size=(N, labels))
        for index in range(2):
            Representations.from_logits(table + index * rng.normal(size=table.shape)).save(f"m{index}.safetensors")
        for kind in Kind.__args__:
            assert draw(kind, *FILES[:2]) == 0


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["map", *FILES[:1]], "needs two files or more"),
        (["map", *FILES, "-o", "map.jpg"], "write it as map.pdf"),
        (["pair", *FILES], "draw pair shows two models, and there are 3 files"),
        (["heatmap", *FILES, "--measure=nonsense"], "--measure: 'nonsense'; these models have logit_correlation, "),
        (["map", *FILES, "--measure=kl"], "--measure: of a heatmap, and draw map takes none; leave it out"),
        (["heatmap", *FILES, "--threshold=1"], "--threshold: of a map or a dendrogram, and draw heatmap takes none"),
        (["labels", "m0.safetensors", "m0.safetensors"], "have equal logits"),
        (["heatmap", *FILES, "-o", "m0.safetensors/x.png"], "m0.safetensors"),
    ],
)
def test_a_mistake_is_one_line(folder, capsys, tokens, words):
    assert draw(*tokens) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not list(folder.glob("*.png"))


def test_labels_have_their_names(folder, capsys):
    assert draw("labels", *FILES[:2], "-o", "labels.svg") == 0
    picture = (folder / "labels.svg").read_text()
    assert LABELS[1] in picture  # text of an SVG is written beside its outlines as a comment
