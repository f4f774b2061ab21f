"""compare(intervals=True) and what comes with it, against what each number is by itself and against plain loops."""

from itertools import combinations

import numpy as np
import pytest
import torch

import closedist
from closedist import Comparison, InputError, Representations, compare, compare_all, debiased_cka
from closedist.certainty.limits import Limits
from closedist.certainty.of_pairs import SCALES
from closedist.comparison import as_dict, pair_table
from closedist.measures.by_input import js_divergence, kl_by_input
from closedist.pairs import certainty, of_predictions, of_roots
from tests.random_models import linear_map, mapped, noisy, random_model, represent
from tests.slow_reference import Model, log_likelihoods

P = random_model(0, 400, 6, 3)
CLOSE = noisy(P, 0.2, 1)
FAR = random_model(2, 400, 6, 3)


def rounded(values: np.ndarray) -> np.ndarray:
    step = np.abs(values).max() / 127
    return np.asarray(np.round(values / step) * step)


def test_a_number_without_a_group_is_what_compare_says_without_it() -> None:
    """The standard errors from comparisons of the other inputs, at the labels and inputs chosen on all."""
    groups = np.arange(400) % 10
    p, q = represent(P), represent(CLOSE)
    c = compare(p, q, intervals=True, groups=groups)
    numbers = ("kl", "js_divergence", "same_top_label", "logit_correlation", "cka_embeddings", "mean_cca_embeddings")
    without = []
    for group in range(10):
        kept = np.flatnonzero(groups != group)
        without.append(compare(p.at(inputs=kept), q.at(inputs=kept)))
    for name in numbers:
        replicates = np.array([getattr(other, name) for other in without])
        error = np.sqrt(0.9 * ((replicates - replicates.mean()) ** 2).sum())
        assert c.intervals[name].standard_error == pytest.approx(error, rel=1e-6), name
        assert c.intervals[name].low < getattr(c, name) < c.intervals[name].high
    assert c.groups == "10 given groups"
    chosen = sum((other.pivot_label, other.left_out_label) == (c.pivot_label, c.left_out_label) for other in without)
    assert c.choice_kept == chosen


def test_all_pairs_jointly_are_each_pair_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    family = [represent(model) for model in (P, CLOSE, FAR, random_model(3, 400, 6, 2), noisy(FAR, 0.1, 4))]
    alone = {pair: compare(family[pair[0]], family[pair[1]], intervals=True) for pair in combinations(range(5), 2)}
    for columns, batch in ((512, 1 << 22), (9, 1)):  # together, and a model at a time in batches of one pair
        monkeypatch.setattr(certainty, "_TILE_COLUMNS", columns)
        monkeypatch.setattr(certainty, "_BATCH_ELEMENTS", batch)
        monkeypatch.setattr(of_predictions, "_BATCH_ELEMENTS", batch)
        for pair, c in zip(combinations(range(5), 2), compare_all(family, intervals=True), strict=True):
            same = alone[pair]
            assert set(c.intervals) == set(same.intervals) == set(SCALES) - {"rv_coefficient"}
            for name, interval in c.intervals.items():
                for end in ("low", "high", "standard_error"):
                    expected = getattr(same.intervals[name], end)
                    assert getattr(interval, end) == pytest.approx(expected, rel=1e-6, abs=1e-10), name
            assert c.chance == pytest.approx(same.chance, rel=1e-6)
            for name in ("js_divergence", "debiased_cka_embeddings", "kl_inputs", "input_set_rank"):
                assert getattr(c, name) == pytest.approx(getattr(same, name), rel=1e-7), name
            assert c.certificate_any_pivot == pytest.approx(same.certificate_any_pivot, rel=1e-7)
            assert (c.choice_kept, c.groups) == (same.choice_kept, same.groups)


def test_models_of_very_different_dimension_have_intervals_too() -> None:
    """The smaller ones are filled up with columns of zeros."""
    family = [represent(random_model(seed, 400, 10, dimension)) for seed, dimension in enumerate((30, 3, 8))]
    for (i, j), c in zip(combinations(range(3), 2), compare_all(family, intervals=True), strict=True):
        alone = compare(family[i], family[j], intervals=True)
        for name in ("mean_cca_embeddings", "certificate", "cka_embeddings", "logit_correlation"):
            assert c.intervals[name].low == pytest.approx(alone.intervals[name].low, rel=1e-6), name
        assert c.chance == pytest.approx(alone.chance, rel=1e-6)
        assert c.chance["mean_cca_embeddings"] == pytest.approx((max(c.dimensions) / 399) ** 0.5)


@pytest.mark.parametrize("constant", [0.0, -1.0, 0.3, 1000.0])
def test_a_coordinate_that_never_varies_has_no_part_in_intervals(constant: float) -> None:
    """A pixel that is always black, a unit that is dead, beside a model of fewer dimensions."""
    p, q = random_model(0, 600, 10, 8), random_model(1, 600, 10, 60)
    q.f[:, 5] = constant
    without = Model(np.delete(q.f, 5, 1), np.delete(q.g, 5, 1), q.b + constant * q.g[:, 5])
    c, same = (compare(represent(p), represent(model), intervals=True) for model in (q, without))
    for name in ("mean_cca_embeddings", "certificate", "logit_correlation", "cka_embeddings"):
        assert c.intervals[name].low == pytest.approx(same.intervals[name].low, rel=1e-6), name


def test_intervals_change_no_number() -> None:
    family = [represent(model) for model in (P, CLOSE, FAR)]
    for plain, sure in zip(compare_all(family), compare_all(family, intervals=True), strict=True):
        assert plain.intervals == {}
        for column in closedist.comparison.COLUMNS:
            if getattr(plain, column.name) is not None and column.name not in ("intervals", "chance", "kl_quantiles"):
                assert getattr(plain, column.name) == getattr(sure, column.name), column.name


def test_one_pass_says_what_each_function_says() -> None:
    p, q = represent(P), represent(CLOSE)
    c = compare(p, q)
    kl = kl_by_input(p, q)
    assert c.js_divergence == pytest.approx(js_divergence(p, q), rel=1e-12)
    assert c.debiased_cka_embeddings == pytest.approx(debiased_cka(P.f, CLOSE.f), rel=1e-9)
    assert c.kl_inputs == pytest.approx(float(kl.sum() ** 2 / (kl**2).sum()), rel=1e-9)
    assert list(c.kl_quantiles) == [50, 90, 99, 99.9, 100]
    assert c.kl_quantiles[50] == pytest.approx(float(np.median(kl)), rel=1e-9)
    assert c.kl_quantiles[100] == float(kl.max())
    tables = [log_likelihoods(model) for model in (P, CLOSE)]
    chance = np.exp(tables[0]) @ tables[1].T
    assert c.chance["kl"] == pytest.approx((np.exp(tables[0]) * tables[0]).sum(1).mean() - chance.mean(), rel=1e-9)


def test_what_a_person_would_say() -> None:
    twin = mapped(P, linear_map(1, 3, 30.0), np.ones(3))
    shuffled = Model(P.f[np.random.default_rng(0).permutation(400)], P.g, P.b)
    verdicts = {
        "same": [P, twin, Model(rounded(P.f), rounded(P.g), P.b)],
        "not the same": [FAR, shuffled, Model(-P.f, P.g, -P.b)],
    }
    for kind, others in verdicts.items():
        for other in others:
            found = compare(represent(P), represent(other), intervals=True).verdict()
            assert found.kind == kind
    reversed_model = compare(represent(P), represent(Model(-P.f, P.g, -P.b)), intervals=True)
    assert reversed_model.dissimilarity < 1e-12 < reversed_model.certificate
    assert reversed_model.verdict().reason.endswith("rotation of the log-odds, but not label by label")
    by_chance = compare(represent(P), represent(shuffled), intervals=True).verdict()
    assert "no closer than models that have nothing to do with each other" in by_chance.sentence
    assert "nothing to do" not in compare(represent(P), represent(noisy(P, 1.0, 3)), intervals=True).verdict().sentence


def test_two_labels_have_a_verdict_by_their_one_log_odds() -> None:
    p = random_model(5, 400, 2, 3)
    kinds = []
    for other in (noisy(p, 0.01, 1), Model(-p.f, p.g, -p.b), random_model(6, 400, 2, 3)):
        c = compare(represent(p), represent(other), intervals=True)
        assert c.llv is None
        kinds.append(c.verdict().kind)
        assert set(c.chance) >= {"kl", "same_top_label", "logit_correlation", "cka_embeddings"}
        assert "label_term" not in c.chance
    assert kinds == ["same", "not the same", "not the same"]


def test_a_searched_dissimilarity_is_held_and_its_upper_limit_is_the_certificates() -> None:
    p = random_model(0, 300, 40, 6)
    for other, kind in ((noisy(p, 0.05, 1), "same"), (random_model(1, 300, 40, 6), "not the same")):
        c = compare(represent(p), represent(other), intervals=True)
        assert not c.dissimilarity_exact
        interval = c.intervals["dissimilarity_embeddings"]
        assert interval.low < c.dissimilarity_embeddings < interval.high
        assert c.verdict().kind == kind


def test_no_verdict_without_intervals() -> None:
    with pytest.raises(InputError, match=r"compare\(…, intervals=True\)"):
        compare(represent(P), represent(CLOSE)).verdict()
    with pytest.raises(InputError, match="tolerance: 2"):
        compare(represent(P), represent(CLOSE), intervals=True).verdict(2)
    z = torch.randn(40, 10_001, generator=torch.Generator().manual_seed(0))
    boxes = [Representations.from_logits(logits) for logits in (z, z + 0.1 * z.flip(0))]
    of_logits = compare(*boxes, intervals=True)
    assert set(of_logits.intervals) == {"kl", "kl_reverse", "js_divergence", "same_top_label"}
    assert "No verdict" in str(of_logits)
    with pytest.raises(InputError, match="extract"):
        of_logits.verdict()


def test_groups_come_from_the_call_or_the_models_or_their_sequences() -> None:
    names = np.array([f"patient {i // 20}" for i in range(400)])
    p, q = (Representations(m.f, m.g, m.b, groups=names) for m in (P, CLOSE))
    assert compare(p, q, intervals=True).groups == "20 given groups"
    assert compare(p, q, intervals=True, groups=np.arange(400) // 50).groups == "8 given groups"
    assert compare(p, represent(CLOSE), intervals=True).groups == "20 given groups"
    assert compare(represent(P), represent(CLOSE), intervals=True).groups == "20 blocks of neighbouring inputs"
    many = compare(p, q, intervals=True, groups=np.arange(400) // 4)
    assert many.groups == "100 given groups, put together into 40"
    other = Representations(CLOSE.f, CLOSE.g, CLOSE.b, groups=names[::-1].copy())
    with pytest.raises(InputError, match="groups: those of model q are not those of model p"):
        compare(p, other, intervals=True)
    with pytest.raises(InputError, match="groups: 2 different ones"):
        compare(p, q, intervals=True, groups=np.arange(400) % 2)
    with pytest.raises(InputError, match="intervals=True"):
        compare(p, q, groups=names)
    sequences = np.stack([np.arange(400) // 7, np.arange(400) % 7], 1)
    of_text = [Representations(m.f, m.g, m.b, input_ids=sequences) for m in (P, CLOSE)]
    whole = compare(*of_text, intervals=True)
    blocks = (np.arange(400) // 7) * 20 // 58
    given = compare(represent(P), represent(CLOSE), intervals=True, groups=blocks)
    assert whole.groups == "20 blocks of neighbouring inputs"
    for name in ("kl", "certificate"):
        assert whole.intervals[name] == given.intervals[name]


def test_p_values_are_small_for_close_models_and_not_for_permuted_ones() -> None:
    close = compare(represent(P), represent(CLOSE), permutations=199).p_values
    assert close["logit_correlation"] == close["kl"] == close["label_term"] == close["same_top_label"] == 1 / 200
    shuffled = Model(P.f[np.random.default_rng(0).permutation(400)], P.g, P.b)
    strange = compare(represent(P), represent(shuffled), permutations=199).p_values
    for name in ("logit_correlation", "kl", "label_term", "cka_embeddings"):
        assert strange[name] > 0.02, name
    assert set(strange) == {
        *("label_term", "dissimilarity_embeddings", "dissimilarity_unembeddings", "logit_correlation"),
        *("cka_embeddings", "mean_cca_embeddings", "kl", "kl_reverse", "same_top_label"),
    }
    for wrong in (0, -1, 10**7):
        with pytest.raises(InputError, match="permutations: "):
            compare(represent(P), represent(P), permutations=wrong)


def test_the_diverse_search_keeps_log_odds_apart() -> None:
    p, q = represent(P), represent(FAR)
    drawn, diverse = (compare(p, q, intervals=True, input_search=search) for search in ("random", "diverse"))
    assert (drawn.input_search, diverse.input_search) == ("random", "diverse")
    assert diverse.input_set_rank > 1.1
    assert diverse.num_samples is None
    assert len(set(diverse.input_set)) == 4
    assert compare(p, q, input_search="diverse", seed=5).input_set == diverse.input_set
    assert compare(p, q, input_set=diverse.input_set).llv == diverse.llv
    assert (len(drawn.llv_by_seed), diverse.llv_by_seed) == (5, ())


def test_d_llv_is_measured_with_five_seeds_of_the_search() -> None:
    p, q = represent(P), represent(Model(-P.f, P.g, -P.b))
    c = compare(p, q, intervals=True, num_samples=3)
    expected = [compare(p, q, num_samples=3, seed=seed).llv for seed in range(5)]
    assert c.llv_by_seed == pytest.approx(expected, rel=1e-9)
    assert "d_LLV depends on the search for the input set" in str(c)
    assert ("its interval is that of the set taken" in " ".join(str(c).split())) == ("llv" in c.intervals)


def test_the_certificate_of_any_pivot_bounds_all_of_them() -> None:
    p, q = represent(P), represent(CLOSE)
    c = compare(p, q)
    for pivot in range(6):
        assert compare(p, q, pivots=[pivot]).dissimilarity_embeddings <= c.certificate_any_pivot * (1 + 1e-12)


def test_the_verdict_is_one_whatever_the_pivot_label_and_the_input_set() -> None:
    """Against the first label, whose row is long, the models agree; the others against one another do not."""
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(800, 3)), rng.normal(size=(5, 3))
    g[0] = [10, 0, 0]
    moved = g + 0.5 * rng.normal(size=(5, 3))
    p, q = Representations(f, g), Representations(f, moved)
    each = [compare(p, q, intervals=True, pivots=[pivot], seed=pivot) for pivot in range(5)]
    least, most = (end(c.certificate for c in each) for end in (min, max))
    assert most > 3 * least  # a tolerance between these is met against some labels only
    first = each[0]
    for c in each:
        assert c.certificate_centred == pytest.approx(first.certificate_centred, rel=1e-9)
        assert c.dissimilarity_centred <= c.certificate_centred * (1 + 1e-9)
        for tolerance in (least, first.certificate_centred / 2, 1.3 * first.certificate_centred, most):
            assert c.verdict(tolerance) == first.verdict(tolerance)
    assert first.verdict(1.3 * first.certificate_centred).kind == "same"
    assert first.verdict(first.dissimilarity_centred / 2).kind == "not the same"


def test_the_numbers_of_the_verdict_are_those_of_logits_about_their_means() -> None:
    c = compare(represent(P), represent(CLOSE), intervals=True)
    rows = []
    for model in (P, CLOSE):
        logits = model.f @ model.g.T + model.b
        about = logits - logits.mean(1, keepdims=True)
        about -= about.mean(0)
        rows.append(about / np.linalg.norm(about, axis=0))
    alike = (rows[0] * rows[1]).sum(0)
    least = np.argsort(alike)[: c.subset_size]
    assert c.certificate_centred == pytest.approx(1 - alike[least].mean(), rel=1e-9)
    cross = rows[0][:, least].T @ rows[1][:, least]
    expected = 1 - np.linalg.svd(cross, compute_uv=False).mean()
    assert c.dissimilarity_centred == pytest.approx(expected, rel=1e-6)


def test_two_labels_that_are_nearly_one_do_not_decide_the_verdict() -> None:
    """The log-odds of the one against the other are noise, which a person would not look at."""
    g = np.vstack([P.g, P.g[-1] + 1e-6])
    b = np.append(P.b, P.b[-1])
    rng = np.random.default_rng(0)
    p, q = (Representations(P.f, g + 1e-6 * rng.normal(size=g.shape), b) for _ in range(2))
    c = compare(p, q, intervals=True)
    assert c.certificate_any_pivot > 0.1
    assert c.verdict().kind == "same"


def test_what_takes_too_long_beside_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_roots, "_TABLE_WORK", 1)
    c = compare(represent(P), represent(CLOSE), intervals=True)
    assert (c.certificate_any_pivot, c.choice_kept, "label_term" in c.chance) == (None, None, False)
    assert c.verdict().kind
    monkeypatch.setattr(certainty, "_PASS_WORK", 1)
    plain = compare(represent(P), represent(CLOSE))
    assert (plain.input_set_rank, plain.debiased_cka_embeddings, set(plain.chance)) == (
        None,
        None,
        {"kl", "kl_reverse", "same_top_label"},
    )
    assert plain.js_divergence == c.js_divergence
    assert compare(represent(P), represent(CLOSE), intervals=True).debiased_cka_embeddings is not None


def test_ignored_labels_and_terms_by_mean_have_intervals_too() -> None:
    p, q = random_model(1, 200, 7, 2), random_model(3, 200, 7, 2)
    for model in (p, q):
        model.g[5], model.b[5] = model.g[4], model.b[4]
    c = compare(represent(p), represent(q), intervals=True, constant_labels="ignore", reduction="mean", combine="sum")
    assert c.intervals["llv"].low < c.llv < c.intervals["llv"].high
    assert "quadratic_bound" not in c.intervals
    family = [represent(p), represent(q), represent(noisy(p, 0.0, 1))]
    assert len(compare_all(family, intervals=True, constant_labels="ignore")) == 3


def test_eight_inputs_are_the_fewest() -> None:
    with pytest.raises(InputError, match="intervals: 7 inputs"):
        compare(represent(random_model(0, 7, 4, 1)), represent(random_model(1, 7, 4, 1)), intervals=True)
    few = compare(represent(random_model(0, 8, 4, 1)), represent(random_model(1, 8, 4, 1)), intervals=True)
    assert few.verdict().kind in ("undecided", "not the same")
    assert "8 inputs are few" in str(few)


def read(c: Comparison) -> str:
    return " ".join(pair_table(c).split())


def test_notes_are_there_where_something_must_be_known_and_only_there() -> None:
    large = random_model(0, 2000, 6, 3)
    quiet = compare(represent(large), represent(noisy(large, 0.02, 1)), intervals=True, input_search="diverse")
    assert pair_table(quiet).endswith("to know\n  - the intervals leave out 20 blocks of neighbouring inputs in turn")
    other_tops = compare(represent(large), represent(noisy(large, 0.1, 1)), intervals=True)
    assert other_tops.verdict().kind == "same"
    assert f"another one for {1 - other_tops.same_top_label:.0%} of the inputs" in read(other_tops)
    assert "likeliest label" not in pair_table(other_tops, limits=Limits(0.5))
    box = Representations.from_logits(P.f @ P.g.T + P.b)
    assert "q is a black box, so that K is 4 here" in read(compare(represent(P), box, intervals=True))
    assert "black box" not in read(compare(box, box, intervals=True))
    assert "linear CKA is of p's embeddings and q's logits" in read(compare(represent(P), box, intervals=True))
    assert "linear CKA is of q's embeddings and p's logits" in read(compare(box, represent(P), intervals=True))
    for same in ((box, box), (represent(P), represent(P))):
        assert "linear CKA is of" not in read(compare(*same, intervals=True))
    f = P.f.copy()
    f[:2] += 5
    moved = compare(represent(P), represent(Model(f, P.g, P.b)), intervals=True)
    assert "KL rests on 2 of the 400 inputs" in read(moved)
    fact = compare(represent(P), represent(Model(f, P.g, P.b)), intervals=True, input_set=(0, 1, 2, 3))
    assert "a fact about these inputs" in read(fact)
    assert "few for dimension 3" not in read(fact)
    small = compare(represent(P).at(inputs=range(50)), represent(CLOSE).at(inputs=range(50)), intervals=True)
    assert "50 inputs are few for dimension 3 (below 60)" in read(small)


@pytest.mark.parametrize("details", [True, False])
def test_eighty_columns_hold_everything(details: bool) -> None:
    names = ["a" * 90 + "x" + "b" * 90, "a" * 90 + "y" + "b" * 90]
    for other in (P, CLOSE, FAR, Model(-P.f, P.g, -P.b), Model(1e-6 * P.f, P.g, P.b), Model(300 * P.f, P.g, P.b)):
        c = compare(represent(P), represent(other), intervals=True, permutations=9)
        text = pair_table(c, names, details=details)
        assert max(map(len, text.splitlines())) <= 80
        assert any(line.startswith("p  …") and "x" in line for line in text.splitlines())
        assert ("details" in text.splitlines()) == details


def test_json_has_intervals_and_the_verdict() -> None:
    c = compare(represent(P), represent(CLOSE), intervals=True)
    read = as_dict(c, Limits(0.2))
    assert read["intervals"]["certificate"]["low"] == c.intervals["certificate"].low
    assert read["verdict"]["kind"] == c.verdict(0.2).kind
    assert read["verdict"]["tolerance"] == 0.2
    assert read["kl_quantiles"]["99.9"] == c.kl_quantiles[99.9]
    assert read["chance"] == c.chance
    [row] = closedist.rows([c])
    assert row["intervals"] == read["intervals"]


def test_a_number_outside_its_interval_is_explained() -> None:
    """Each of ten groups has a direction of its own, which the models share: without a group m_CCA falls."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 30)
    own = 3 * np.eye(12)[groups]
    p, q = (Representations(own + rng.normal(size=own.shape), rng.normal(size=(13, 12))) for _ in range(2))
    c = compare(p, q, intervals=True, groups=groups, measures=["default", "svcca", "linear_r2"])
    around = c.intervals["mean_cca_embeddings"]
    assert c.mean_cca_embeddings < around.low
    said = " ".join(pair_table(c).split())
    middle = f"{c.mean_cca_embeddings - around.bias:.4f}"
    assert f"m_CCA lies outside its interval, which is around {middle}, what many groups would give" in said
    assert "those left out (10 given groups) are too few to know it" in said
    assert "corrected for the bias of so few inputs or groups: linear R², p to q; linear R², q to p; SVCCA" in said

    few = compare(represent(random_model(0, 80, 12, 10)), represent(random_model(1, 80, 12, 10)), intervals=True)
    assert few.mean_cca_embeddings > few.intervals["mean_cca_embeddings"].high
    said = " ".join(pair_table(few).split())
    assert "too large for so few inputs; its interval makes up for that" in said
    assert "outside its interval" not in said


def test_the_rate_of_equal_answers_has_the_interval_of_blocks_where_inputs_are_positions_of_sequences() -> None:
    """Runs of 30 positions on which the models agree or not: Wilson's interval takes them for 1,200 answers."""
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(1200, 3)), rng.normal(size=(5, 3))
    apart = (np.arange(1200) // 30 % 4 == 0)[:, None]
    q = np.where(apart, -f, f)
    ids = np.stack([np.arange(1200) // 30, np.arange(1200) % 30], 1)
    plain = compare(Representations(f, g), Representations(q, g), intervals=True)
    texts = compare(Representations(f, g, None, ids), Representations(q, g, None, ids), intervals=True)
    there, here = (c.intervals["same_top_label"] for c in (texts, plain))
    assert there.standard_error > 1.5 * here.standard_error
