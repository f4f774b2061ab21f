"""What a page holds is what the library says of the models, and everything is text."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

import closedist
from closedist import InputError, Representations
from closedist.page import content as made
from closedist.page import details, embeddings
from tests.page.pages import NAMES, C, N, content_of, coordinates, small_models, unpack, written


def logits(model):
    z = model.embeddings.double().numpy() @ model.unembeddings.double().numpy().T
    return z - z.mean(1, keepdims=True)


def matrix(content, name):
    return unpack(next(measure for measure in content["measures"] if measure["name"] == name)["values"])


def test_the_matrices_are_what_compare_all_says_with_both_directions_of_kl(tmp_path):
    models = small_models()
    content = content_of(written(tmp_path / "page.html", models))
    for (i, j), c in zip(combinations(range(5), 2), closedist.compare_all(models), strict=True):
        for name in ("llv", "dissimilarity", "certificate", "mean_cca_embeddings", "cka_embeddings", "bound"):
            assert matrix(content, name)[i, j] == matrix(content, name)[j, i] == np.float32(getattr(c, name))
        assert matrix(content, "kl")[i, j] == np.float32(c.kl)
        assert matrix(content, "kl")[j, i] == np.float32(c.kl_reverse)
        z, w = logits(models[i]), logits(models[j])
        assert matrix(content, "same_top_label")[i, j] == np.float32((z.argmax(1) == w.argmax(1)).mean())
        z, w = z - z.mean(0), w - w.mean(0)
        correlation = (z * w).sum() / np.linalg.norm(z) / np.linalg.norm(w)
        assert matrix(content, "logit_correlation")[i, j] == pytest.approx(correlation, abs=1e-6)


@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_a_linear_copy_is_carried_onto_its_original(tmp_path, dimension):
    models = small_models(3, dimension)
    content = content_of(written(tmp_path / "page.html", models))
    view = content["pairs"]["0,2"]["view"]
    assert view["fit"] == pytest.approx(1.0)
    if dimension <= 3:
        first, second = (coordinates(content["points"][index]) for index in (0, 2))
        second = second @ np.array(view["map"])[:-1] + np.array(view["map"])[-1]
        assert np.allclose(first, models[0].embeddings, atol=1e-3)
    else:
        assert content["points"] == [None] * 3
        first, second = coordinates(view["first"]), coordinates(view["second"])
        assert first.shape == (N, 2)
    assert np.allclose(first, second, atol=2e-3)
    assert content["pairs"]["0,1"]["view"]["fit"] < 0.999


def test_the_leading_canonical_directions_are_those_that_two_models_share():
    rng = np.random.default_rng(0)
    shared, g = rng.normal(size=(N, 2)), rng.normal(size=(C, 6))
    p, q = (
        Representations(np.hstack([shared, 5 * rng.normal(size=(N, 4))]) @ rng.normal(size=(6, 6)), g) for _ in range(2)
    )
    view = embeddings.Embeddings([p, q], list(range(N))).of_pair(0, 1, canonical=True)
    assert view["fit"] > 0.999
    first, second = coordinates(view["first"]), coordinates(view["second"])
    assert np.allclose(first, second, atol=1e-3)
    assert np.allclose(np.cov(first.T), np.eye(2), atol=0.01)
    centred = p.embeddings.numpy() - p.embeddings.numpy().mean(0)
    left = centred - first @ np.linalg.lstsq(first, centred)[0]
    assert view["drawn"] == pytest.approx(1 - np.square(left).sum() / np.square(centred).sum(), rel=1e-3)
    assert view["drawn"] < 0.5
    assert np.linalg.norm(first - shared @ np.linalg.lstsq(shared, first)[0]) < 0.1 * np.linalg.norm(first)


def test_embeddings_of_few_dimensions_stay_as_they_are_beside_those_of_many():
    flat, deep = small_models(3, 2)[0], small_models(3, 6)[0]
    for pair in ([flat, deep], [deep, flat]):
        view = embeddings.Embeddings(pair, list(range(N))).of_pair(0, 1, canonical=True)
        first, second = coordinates(view["first"]), coordinates(view["second"])
        assert first.shape == second.shape == (N, 2)
        assert 0 < view["fit"] < 0.2
        if pair[0] is flat:
            assert np.allclose(first, flat.embeddings, atol=1e-3)


def test_predicted_labels_are_those_of_the_drawn_inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(made, "DRAWN", 50)
    monkeypatch.setattr(made, "LISTED", 20)
    models = small_models()
    content = content_of(written(tmp_path / "page.html", models))
    rows = unpack(content["rows"])
    assert 50 <= len(rows) <= 70
    assert len(set(rows.tolist())) == len(rows)
    for model, predicted in zip(models, content["predicted"], strict=True):
        assert np.array_equal(unpack(predicted), logits(model)[rows].argmax(1))
    listed = {record["row"] for pair in content["pairs"].values() for record in pair["inputs"]}
    assert len(listed & set(rows.tolist())) >= 20


def test_of_many_pairs_each_model_with_its_nearest_and_some_from_near_to_far_are_explained(monkeypatch):
    monkeypatch.setattr(details, "MOST_EXPLAINED", 30)
    points = np.random.default_rng(0).normal(size=(20, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    pairs = details.explained_pairs(distances)
    assert len(pairs) == len(set(pairs)) == 30
    far = distances + np.diag(np.full(20, np.inf))
    assert {tuple(sorted((i, int(far[i].argmin())))) for i in range(20)} <= set(pairs)
    assert max(distances[pair] for pair in pairs) == distances.max()


def test_pairs_without_an_explanation_keep_their_numbers_and_low_dimensional_embeddings(tmp_path, monkeypatch):
    monkeypatch.setattr(details, "MOST_EXPLAINED", 4)
    content = content_of(written(tmp_path / "page.html"))
    without = [pair for pair in content["pairs"].values() if "labels" not in pair]
    assert len(without) == 6
    assert all(pair["view"]["map"] for pair in without)
    assert content["settings"]["explained"].startswith("4 of 10 pairs")
    content = content_of(written(tmp_path / "page.html", small_models(5, 6)))
    assert sum(pair["view"] is None for pair in content["pairs"].values()) == 6


def test_a_dictionary_of_models_names_them(tmp_path):
    content = content_of(written(tmp_path / "page.html", dict(zip("abc", small_models(3), strict=True))))
    assert [model["name"] for model in content["models"]] == ["a", "b", "c"]


def test_names_are_nowhere_markup_and_no_longer_than_a_line(tmp_path):
    path = written(tmp_path / "page.html", names=NAMES)
    page = path.read_text()
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<b>bold" not in page
    assert "onerror='" in page  # a label's name, as text
    assert "<img" not in page
    assert "\u202e" not in page
    assert "x" * 500 not in page
    assert content_of(path)["models"][3]["name"] == NAMES[3]


def test_texts_and_pictures_of_inputs_are_in_the_page_while_there_is_room(tmp_path, monkeypatch):
    Image.new("RGB", (200, 100), "red").save(tmp_path / "red.png")
    rng = np.random.default_rng(0)
    given = ["a text", rng.integers(0, 255, (8, 8), dtype=np.uint8), rng.random((3, 8, 8)), tmp_path / "red.png", None]
    found = content_of(written(tmp_path / "page.html", inputs=given * (N // 5)))["inputs"]
    assert found["0"] == {"text": "a text"}
    assert all(found[row]["image"].startswith("data:image/webp;base64,") for row in "123")
    assert "4" not in found
    monkeypatch.setattr(made, "ROOM", 100)
    assert 1 < len(content_of(written(tmp_path / "page.html", inputs=["ten letters"] * N))["inputs"]) < 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": ["only one"]}, "inputs: 1, but the models have 300 inputs"),
        ({"inputs": [np.zeros(4)] * N}, "row .*array of shape .* is no image"),
        ({"names": ["one"]}, "names: 1 for 5 models"),
        ({"comparisons": []}, "comparisons: 0, but 5 models have 10 pairs"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        written(tmp_path / "page.html", **options)
    assert list(tmp_path.iterdir()) == []


def test_black_boxes_and_two_labels_have_a_page(tmp_path):
    rng = np.random.default_rng(0)
    for labels in (2, 8):
        table = rng.normal(size=(60, labels))
        boxes = [Representations.from_logits(table + 0.2 * i * rng.normal(size=table.shape)) for i in range(3)]
        content = content_of(written(tmp_path / "page.html", boxes))
        assert content["models"][0]["blackBox"]
        assert ("llv" in {measure["name"] for measure in content["measures"]}) == (labels > 2)
        assert ("three labels" in content["missing"]) == (labels == 2)
        assert ("input set" in content["settings"]) == (labels > 2)


def test_of_two_models_the_verdict_comes_first_and_every_number_has_its_interval_and_chance(tmp_path):
    models = small_models(2)
    content = content_of(written(tmp_path / "page.html", models))
    c = closedist.compare(*models, intervals=True)
    assert content["verdict"] == str(c.verdict())
    pair = content["pairs"]["0,1"]
    assert pair["verdict"] == {"kind": c.verdict().kind, "sentence": str(c.verdict())}
    assert set(pair["intervals"]) == set(c.intervals)
    for name, interval in c.intervals.items():
        assert pair["intervals"][name] == pytest.approx([interval.low, interval.high], rel=1e-3, abs=1e-9)
    assert pair["chance"] == pytest.approx(dict(c.chance), rel=1e-3)
    assert "20 blocks" in content["settings"]["intervals"]
    assert any("20 blocks" in note for note in pair["notes"])


def test_of_many_models_the_verdicts_are_counted(tmp_path):
    models = small_models()
    content = content_of(written(tmp_path / "page.html", models))
    kinds = [c.verdict().kind for c in closedist.compare_all(models, intervals=True)]
    assert [content["pairs"][f"{i},{j}"]["verdict"]["kind"] for i, j in combinations(range(5), 2)] == kinds
    assert content["verdict"].startswith("Of 10 pairs, ")
    for kind, words in (("same", "the same"), ("not the same", "not the same")):
        count = kinds.count(kind)
        assert f"{count} {'is' if count == 1 else 'are'} {words}" in content["verdict"]


def test_where_there_are_no_intervals_there_is_no_verdict_and_the_page_says_why(tmp_path, monkeypatch):
    for models in ([model.at(inputs=range(7)) for model in small_models()], small_models()):
        monkeypatch.setattr("closedist.page.write.MOST_EXPLAINED", 10 if models[0].num_inputs == 7 else 9)
        content = content_of(written(tmp_path / "page.html", models))
        assert content["verdict"] == ""
        assert "verdict" not in content["pairs"]["0,1"]
        assert content["settings"]["intervals"].startswith("none")


def test_a_term_of_a_label_that_varies_in_one_model_only_is_infinite_on_the_page_too(tmp_path):
    table = np.random.default_rng(0).normal(size=(N, 4))
    flat = table.copy()
    flat[:, 3] = flat[:, 2]
    models = [Representations.from_logits(part) for part in (table, flat)]
    comparisons = closedist.compare_all(models, pivots=[2], constant_labels="ignore")
    content = content_of(written(tmp_path / "page.html", models, comparisons=comparisons))
    assert "Infinity" in [row[7] for row in content["pairs"]["0,1"]["labels"]]


def test_an_input_set_that_was_given_is_named(tmp_path):
    models = small_models()
    given = closedist.compare_all(models, input_set=[4, 17, 3])
    content = content_of(written(tmp_path / "page.html", models, comparisons=given))
    assert content["settings"]["input set"] == "given: 4, 17, 3, the pivot input first"


def test_what_is_below_zero_has_a_minus(tmp_path):
    model = small_models()[0]
    against = Representations(-model.embeddings, model.unembeddings)
    assert "correlate by −1.000" in content_of(written(tmp_path / "page.html", [model, against]))["sentence"]
    third = content_of(written(tmp_path / "page.html", [model, against, *small_models(2)]))["sentence"]
    assert "(−1.000" in third


def test_every_fork_of_the_dendrogram_says_how_stable_it_is(tmp_path):
    overview = content_of(written(tmp_path / "page.html"))["overview"]
    assert len(overview["support"]) == len(overview["linkage"]) == 4
    assert overview["replicates"] == 20
    assert overview["support"][-1] == 1
    few = [model.at(inputs=range(7)) for model in small_models()]
    assert content_of(written(tmp_path / "page.html", few))["overview"]["support"] == []


def test_the_page_says_how_it_was_made(tmp_path):
    models = [Representations(m.embeddings, m.unembeddings, input_ids=np.arange(N)) for m in small_models()]
    content = content_of(written(tmp_path / "page.html", models, inputs=["text"] * N, notes=["from a test"]))
    assert content["settings"]["closedist"] == closedist.__version__
    assert "seed 0" in content["settings"]["input set"]
    assert "1e−05" in content["settings"]["d_LLV"]
    assert {"digest of the input ids", "digest of the inputs' texts"} <= set(content["settings"])
    assert content["notes"] == ["from a test"]
    digests = [model["digest"] for model in content["models"]]
    assert len(set(digests)) == 5
    again = content_of(written(tmp_path / "page.html", models))
    assert [model["digest"] for model in again["models"]] == digests
