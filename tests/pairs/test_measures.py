"""compare(measures=[…]): what is named is measured, as each function by itself measures it, and nothing else is."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
import torch

import closedist
from closedist import InputError, Representations, compare, compare_all, list_measures
from closedist.comparison import COLUMNS, FIELDS, as_csv, as_dict, matrix_table, pair_table, reference_table
from closedist.measures import logit_bounds
from closedist.measures.logit_catalogue import LOGIT_MEASURES
from closedist.measures.logit_distance import logit_distances
from closedist.measures.logit_roots import logit_roots
from closedist.measures.representation_distance import representation_distances
from closedist.pairs import measured, measured_certainty
from tests.random_models import noisy, random_model, represent

P = random_model(0, 120, 6, 3)
FAMILY = [represent(model) for model in (P, noisy(P, 0.2, 1), random_model(2, 120, 6, 3, bias=False))]
WIDTHS = [represent(random_model(seed, 120, 6, dimension)) for seed, dimension in ((3, 2), (4, 4), (5, 3))]
VIEWS = [one.name for one in list_measures()]
DISTANCES = ["logit_distance", "representation_distance"]
MEASURED = [column.name for column in COLUMNS[len(FIELDS) :]]
FIELD = {"linear_cka": "cka_embeddings", "mean_cca": "mean_cca_embeddings", "debiased_cka": "debiased_cka_embeddings"}


def number(c, name):
    return getattr(c, FIELD.get(name, name))


@pytest.mark.parametrize("name", VIEWS)
def test_a_measure_of_two_views_is_its_function_of_the_embeddings(name: str) -> None:
    function = getattr(closedist, name)
    for (i, j), c in zip(combinations(range(3), 2), compare_all(FAMILY, measures=[name]), strict=True):
        z, w = FAMILY[i].embeddings, FAMILY[j].embeddings
        assert number(c, name) == pytest.approx(function(z, w), rel=1e-9, abs=1e-9)
        if f"{name}_reverse" in MEASURED:
            assert number(c, f"{name}_reverse") == pytest.approx(function(w, z), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("family", [FAMILY, WIDTHS], ids=["one width", "widths"])
def test_a_distance_of_logits_is_its_function_both_ways_and_no_bound_is_broken(family) -> None:
    for (i, j), c in zip(combinations(range(3), 2), compare_all(family, measures=DISTANCES), strict=True):
        assert c.broken_bounds == ()
        assert c.measures["logit_distance"] == pytest.approx(closedist.logit_distance(family[i], family[j]), rel=1e-11)
        for end, p, q in (("", family[i], family[j]), ("_reverse", family[j], family[i])):
            roots = logit_roots(p, q)[0]
            logits, representations = logit_distances(roots), representation_distances(roots)
            expected = {
                "representation_distance": closedist.representation_distance(p, q),
                "representation_distance_volume": closedist.representation_distance(p, q, "volume"),
                "representation_distance_relative": representations.relative,
                "unembedding_distance": representations.unembeddings,
                "logit_distance_relative": logits.relative,
                "logit_factor": logits.factor,
                "logit_distance_at_factor": logits.at_factor,
                "logit_map_part": logits.map_part,
                "logit_span_part": logits.span_part,
                "capacity_floor": closedist.capacity_floor(p)[min(q.dimension, p.dimension) - 1],
            }
            for name, value in expected.items():
                assert c.measures[name + end] == pytest.approx(float(value), rel=1e-9, abs=1e-12), name + end
            smallest = np.linalg.svd(p.unembeddings - p.unembeddings.mean(0), compute_uv=False)[-1]
            bound = c.measures[f"representation_bound{end}"]
            assert bound == pytest.approx(c.measures["logit_distance"] / smallest, rel=1e-9)
            smallest = np.linalg.svd(p.embeddings - p.embeddings.mean(0), compute_uv=False)[-1] / 120**0.5
            bound = c.measures[f"unembedding_bound{end}"]
            assert bound == pytest.approx(c.measures["logit_distance_centred"] / smallest, rel=1e-9)


def test_embeddings_in_other_units_have_their_distance_in_these_and_the_bound_too() -> None:
    p, q = FAMILY[:2]
    large = Representations(p.embeddings * 1000, p.unembeddings / 1000, p.bias)
    c, d = (compare(model, q, measures=DISTANCES) for model in (p, large))
    for name, power in (("representation_distance", 1), ("representation_bound", 1), ("representation_volume_bound", 1),
                        ("unembedding_distance", -1), ("unembedding_bound", -1), ("logit_distance", 0)):  # fmt: skip
        assert d.measures[name] == pytest.approx(c.measures[name] * 1000.0**power, rel=1e-9), name


def test_who_names_nothing_gets_what_there_always_was() -> None:
    for plain, named in zip(compare_all(FAMILY), compare_all(FAMILY, measures=["default"]), strict=True):
        assert plain == named
        assert plain.measures == named.measures == {}
        assert set(as_dict(plain)) == {column.name for column in FIELDS} - {"measures"} | {
            "infinite", "bound_informative", "verdict"}  # fmt: skip
    assert compare(*FAMILY[:2], intervals=True) == compare(*FAMILY[:2], intervals=True, measures=["default"])
    assert set(compare_all(FAMILY, as_rows=True)) == set(compare_all(FAMILY, as_rows=True, measures=["default"]))
    assert not set(MEASURED) & set(compare_all(FAMILY, as_rows=True))


def test_what_is_named_leaves_all_else_out_and_default_puts_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = FAMILY[:2]
    everything = compare(p, q, measures=["default", "procrustes", "logit_distance"])
    assert all(getattr(everything, column.name) == getattr(compare(p, q), column.name) for column in FIELDS[:10])
    assert compare(p, q, measures=["llv"]).llv == everything.llv
    assert compare(p, q, measures=["llv"]).certificate is None
    assert compare(p, q, measures=["kl"], intervals=True).intervals.keys() == {"kl", "kl_reverse"}
    for module in ("each_model", "at_choices"):  # neither likelihoods nor choices are worked out for them
        monkeypatch.setattr(f"closedist.pairs.tiles.{module}", None)
    c = compare(p, q, measures=["procrustes", "cka", "debiased", "logit_distance"])
    numbers = {column.name for column in FIELDS if column.larger_is_closer is not None}
    assert {name for name in numbers if getattr(c, name) not in (None, ())} == {
        "cka_embeddings", "debiased_cka_embeddings"}  # fmt: skip
    assert {"procrustes_distance", "logit_distance", "logit_factor_reverse"} <= c.measures.keys()
    assert c.procrustes_distance == c.measures["procrustes_distance"] == everything.procrustes_distance
    assert c.gulp_distance is None


def test_in_parts_and_elsewhere_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["default", *(one for one in VIEWS if one not in ("bures_distance", "riemannian_distance")), *DISTANCES]
    family = [*FAMILY, *WIDTHS]
    whole = compare_all(family, measures=names)
    monkeypatch.setattr(measured, "_VIEW_BYTES", 1)
    monkeypatch.setattr(measured, "_ROOT_COLUMNS", 1)
    for part in (
        compare_all(family, measures=names),
        compare_all(family, measures=names, executor=ThreadPoolExecutor(1)),
    ):
        for c, d in zip(whole, part, strict=True):
            assert list(c.measures) == list(d.measures)
            for name, value in c.measures.items():
                assert d.measures[name] == pytest.approx(value, rel=1e-8, abs=1e-9), name


@pytest.mark.parametrize("columns", [512, 1])
def test_an_interval_is_made_of_what_the_numbers_are_without_each_group(
    columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_certainty, "_ROOT_COLUMNS", columns)
    groups = np.arange(120) % 8
    names = [*VIEWS, *DISTANCES]
    kept = [np.flatnonzero(groups != group) for group in range(8)]
    without = [compare_all([model.at(inputs=rows) for model in FAMILY], measures=names) for rows in kept]
    for index, c in enumerate(compare_all(FAMILY, measures=names, intervals=True, groups=groups)):
        assert c.intervals.keys() == c.measures.keys() | FIELD.values() - c.measures.keys()
        for name, interval in c.intervals.items():
            replicates = np.array([getattr(part[index], name) for part in without])
            error = np.sqrt(7 / 8 * ((replicates - replicates.mean()) ** 2).sum())
            assert interval.standard_error == pytest.approx(error, rel=1e-5, abs=1e-9), name
            assert interval.low <= interval.high


def test_a_number_has_one_interval_however_it_is_asked_for() -> None:
    few = [model.at(inputs=slice(40)) for model in FAMILY[::2]]
    named, default = compare(*few, measures=["cka", "cca"], intervals=True), compare(*few, intervals=True)
    for name in ("cka_embeddings", "mean_cca_embeddings"):
        for end in ("low", "high", "bias"):
            assert getattr(named.intervals[name], end) == pytest.approx(getattr(default.intervals[name], end), abs=1e-7)
        assert named.chance[name] == pytest.approx(default.chance[name])


def test_too_many_pairs_of_inputs_have_no_interval_and_a_word_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_certainty, "_PAIRS_OF_INPUTS", 1000)
    c = compare(*FAMILY[:2], measures=["rbf_cka", "procrustes"], intervals=True)
    assert c.intervals.keys() == {"procrustes_distance"}
    assert "rbf_cka" in str(c).partition("measures of pairs of inputs have no interval")[2]


@pytest.mark.parametrize(
    "broken", ["representation_bound", "representation_volume_bound", "unembedding_bound", "kl_bound"]
)
def test_a_bound_that_is_wrong_is_counted(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(logit_bounds, broken)
    monkeypatch.setattr(logit_bounds, broken, lambda *given: right(*given) / 100)
    c = compare(*FAMILY[:2], measures=["default", *DISTANCES])
    assert broken in c.broken_bounds
    assert broken in as_dict(c)["broken_bounds"]
    assert broken in str(c).partition("bounds that do not hold here")[2]


def test_lower_bounds_that_are_wrong_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = represent(random_model(7, 120, 6, 4)), represent(random_model(8, 120, 6, 2))
    assert compare(p, q, measures=["default", *DISTANCES]).broken_bounds == ()
    monkeypatch.setattr(logit_bounds, "floor_of", lambda variances, dimension: variances.sum(-1))
    monkeypatch.setattr(logit_bounds, "mean_cca_bound", lambda distance, variances, rank: torch.ones(1).double())
    c = compare(p, q, measures=["default", *DISTANCES])
    assert set(c.broken_bounds) == {
        "capacity_floor",
        "capacity_floor_reverse",
        "mean_cca_bound",
        "mean_cca_bound_reverse",
    }


def test_rows_json_csv_and_tables_have_what_was_named() -> None:
    names = ["kl", "procrustes", "linear_r2", "logit_distance"]
    comparisons = compare_all(FAMILY, measures=names)
    arrays = compare_all(FAMILY, measures=names, as_rows=True)
    assert arrays["linear_r2_reverse"] == pytest.approx([c.linear_r2_reverse for c in comparisons])
    assert "llv" not in arrays
    assert list(compare_all(FAMILY, measures=names, as_rows=["kl", "logit_distance"])) == [
        "first", "second", "kl", "logit_distance"]  # fmt: skip
    c = comparisons[0]
    assert json.loads(json.dumps(as_dict(c)))["procrustes_distance"] == c.measures["procrustes_distance"]
    row = next(csv.DictReader(io.StringIO(as_csv(comparisons))))
    assert row["logit_distance"] == str(c.measures["logit_distance"])
    assert closedist.distances(comparisons, "linear_r2")[0, 1] == pytest.approx(
        1 - (c.linear_r2 + c.linear_r2_reverse) / 2
    )
    printed = [
        pair_table(compare(*FAMILY[:2], measures=["default", *VIEWS, *DISTANCES], intervals=True, names=("p", "q"))),
        matrix_table(comparisons, list("abc"), number="procrustes_distance"),
        reference_table(comparisons[:2], "a", ["b", "c"]),
    ]
    assert all("Procrustes distance" in text and "linear R²" in text for text in printed[:2])
    assert {"Procrustes", "distance", "linear", "R²", "reverse"} <= set(printed[2].split())  # a word of a title a line
    for text in printed:
        assert max(map(len, text.splitlines())) <= 80
    assert "Procrustes distance\n" in printed[1]
    assert "linear R², row to column" in printed[1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["procrust"], r"^measures: 'procrust' is no measure; these are procrustes, "),
        ([], r'^measures: no names; leave it out for what there is by default, which is called "default"'),
        (["kl", "logit_distence"], r"^measures: 'logit_distence' is no measure; these are logit_distance, "),
    ],
)
def test_a_name_that_is_none_comes_back_with_those_that_are(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(*FAMILY[:2], measures=names)


def test_what_these_models_cannot_have_is_refused_by_name() -> None:
    p = FAMILY[0]
    box = Representations.from_logits(p.embeddings @ p.unembeddings.T)
    with pytest.raises(
        InputError, match=r"^measures: representation_distance needs embeddings .* model box is a black"
    ):
        compare_all({"p": p, "box": box}, measures=["representation_distance"])
    c = compare(p, box, measures=["logit_distance", "procrustes"])
    assert c.measures["logit_distance"] == pytest.approx(closedist.logit_distance(p, box))
    assert c.measures["logit_map_part"] is None
    two = [represent(random_model(seed, 120, 2, 2)) for seed in (0, 1)]
    with pytest.raises(InputError, match=r"^measures: llv needs three labels, and these models have two"):
        compare(*two, measures=["llv"])
    assert compare(*two, measures=["logit_distance"]).measures["logit_distance"] > 0
    with pytest.raises(InputError, match="model p and model q: 2 and 4 columns; bures_distance"):
        compare(*WIDTHS[:2], measures=["bures"])
    with pytest.raises(InputError, match="as_rows: 'llv' is not among what is measured"):
        compare_all(FAMILY, measures=["kl"], as_rows=["llv"])
    with pytest.raises(InputError, match="a verdict rests on them; and on measures that were not named"):
        compare(*FAMILY[:2], measures=["kl"], intervals=True).verdict()


def test_more_labels_than_a_black_box_may_have_still_have_a_distance_of_logits() -> None:
    z = torch.randn(30, 10_001, generator=torch.Generator().manual_seed(0))
    p, q = Representations.from_logits(z), Representations.from_logits(2 * z)
    c = compare(p, q, measures=["logit_distance"])
    assert c.measures["logit_distance"] == pytest.approx(closedist.logit_distance(p, q))
    assert c.kl is None
    assert compare(p, q, measures=["kl", "logit_distance"]).kl == pytest.approx(closedist.kl_divergence(p, q))


def test_every_measure_of_the_tables_is_a_row_and_asked_for_by_all_its_names() -> None:
    for one in list_measures():
        for word in (one.name, one.short):
            assert number(compare(*FAMILY[:2], measures=[word]), one.name) is not None
    assert {one.name for one in LOGIT_MEASURES} <= set(MEASURED)


def test_chance_is_the_mean_of_permuted_inputs() -> None:
    """Of the squares of what is a root of a mean square; the other closed forms are means themselves."""
    rng = np.random.default_rng(0)
    p, q = represent(random_model(20, 40, 5, 3)), represent(random_model(21, 40, 5, 3))
    names = ["rv", "debiased", "r2", "eigenspace", "mutual_knn", "bures", "riemannian", "rsa", *DISTANCES]
    c = compare(p, q, measures=names)
    closed = c.chance.keys() & c.measures.keys() - {"debiased_cka_embeddings"}
    assert {
        "rv_coefficient",
        "bures_distance",
        "linear_r2_reverse",
        "logit_distance",
        "representation_distance",
        "kl_bound",
    } <= closed
    found: dict[str, list[float]] = {name: [] for name in closed}
    for _ in range(300):
        order = rng.permutation(40)
        other = compare(p, q.at(inputs=order), measures=names)
        for name in closed:
            found[name].append(other.measures[name])
    squared = {name for name in closed if "distance" in name or "part" in name} - {
        "bures_distance",
        "riemannian_distance",
    }
    for name in closed:
        values = np.array(found[name]) ** (2 if name in squared else 1)
        chance = c.chance[name] ** (2 if name in squared else 1)
        room = 5 * values.std() / 300**0.5 + 1e-9 * abs(chance)
        assert chance == pytest.approx(values.mean(), abs=room + 1e-9), name


def test_permutations_say_what_chance_gives_where_no_closed_form_does() -> None:
    p, q = FAMILY[0], FAMILY[2]
    names = ["procrustes", "svcca", "rbf_cka", "linear_r2", "logit_distance", "mutual_knn"]
    near = compare(p, FAMILY[1], measures=names, permutations=19)
    assert {value for name, value in near.p_values.items() if "span" not in name} == {0.05}
    assert near.p_values.keys() == {
        name for name in near.measures if not name.startswith(("logit_factor", "capacity_floor"))
    }
    far = compare(p, q, measures=names, permutations=39)
    alone = [
        closedist.procrustes_distance(p.embeddings, q.embeddings[order])
        for order in torch.from_numpy(np.stack([np.random.default_rng(0).permutation(120)]))
    ]
    assert far.chance["procrustes_distance"] == pytest.approx(alone[0], abs=0.1)
    assert far.p_values["logit_distance"] > 0.05
    assert compare(p, q, measures=["default", "rv"], permutations=19).p_values.keys() > {"kl", "rv_coefficient"}


def test_a_page_shows_what_was_named(tmp_path) -> None:
    models = dict(zip("abc", FAMILY, strict=True))
    named = compare_all(models, measures=["default", "procrustes", "r2", "logit_distance"])
    closedist.report(models, tmp_path / "page.html", comparisons=named)
    assert "Procrustes distance" in (tmp_path / "page.html").read_text()
    only = compare_all(models, measures=["procrustes"])
    with pytest.raises(InputError, match=r'comparisons: .*"default"'):
        closedist.report(models, tmp_path / "other.html", comparisons=only)


def test_intervals_hold_the_number_of_all_inputs_about_as_often_as_they_should() -> None:
    """Inputs drawn again and again from many: nominal 95 %, of 40 draws no fewer than 32."""
    model = random_model(30, 20_000, 5, 3)
    many = [represent(model), represent(noisy(model, 0.5, 31))]
    names = ["procrustes", "linear_r2", "logit_distance"]
    truth = compare(*many, measures=names).measures
    held = dict.fromkeys(("procrustes_distance", "linear_r2", "logit_distance", "logit_distance_at_factor"), 0)
    for start in range(0, 40 * 250, 250):
        rows = np.arange(start, start + 250)
        c = compare(*(model.at(inputs=rows) for model in many), measures=names, intervals=True)
        for name in held:
            held[name] += c.intervals[name].low <= truth[name] <= c.intervals[name].high
            assert c.intervals[name].high - c.intervals[name].low < 0.5 * truth[name]
    assert min(held.values()) >= 32, held
