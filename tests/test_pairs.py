"""The result of a comparison as a person, a program and a JSON reader see it."""

import dataclasses
import inspect
import json
import math
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import closedist
from closedist import Comparison, InputError, Representations, compare, compare_all
from closedist.comparison import COLUMNS, FIELDS, as_dict, matrix_table, pair_table
from closedist.measures.settings import DEFAULTS
from tests.random_models import noisy, random_model, represent


@pytest.fixture(scope="module")
def three() -> list[Representations]:
    p = random_model(0, 80, 6, 2)
    return [represent(p), represent(noisy(p, 0.01, 1)), represent(random_model(2, 80, 6, 2))]


def test_importing_the_package_does_not_import_torch() -> None:
    code = (
        "import sys, closedist; closedist.Comparison; assert 'torch' not in sys.modules\n"
        "closedist.compare; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_a_function_stays_one() -> None:
    import_module("closedist.comparison")
    assert set(closedist.__all__) <= set(dir(closedist))
    for name in closedist.__all__:
        assert getattr(closedist, name).__doc__
    assert callable(closedist.compare)
    with pytest.raises(AttributeError, match="no attribute 'comparison_of'"):
        closedist.comparison_of  # noqa: B018


def test_a_comparison_is_frozen_and_every_field_is_explained(three: list[Representations]) -> None:
    c = compare(*three[:2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.llv = 0.0  # type: ignore[misc]
    assert Comparison.__doc__ is not None
    assert [column.name for column in FIELDS] == [field.name for field in dataclasses.fields(Comparison)]
    assert COLUMNS[: len(FIELDS)] == FIELDS
    for column in FIELDS:
        assert f"    {column.name}: {column.meaning}" in Comparison.__doc__


def test_every_number_is_in_its_range_and_nearer_its_best_between_closer_models(three: list[Representations]) -> None:
    near, far = (compare(three[0], other, intervals=True) for other in three[1:])
    for column in FIELDS:
        at_near, at_far = (getattr(c, column.name) for c in (near, far))
        if at_near == ():
            continue
        if column.low > -math.inf:
            assert column.low <= np.min([at_near, at_far]) <= np.max([at_near, at_far]) <= column.high, column.name
        if column.larger_is_closer is not None:
            assert (np.mean(at_near) > np.mean(at_far)) == column.larger_is_closer, column.name
    assert sum(column.larger_is_closer is not None for column in FIELDS) == 26


def test_a_person_reads_the_numbers_and_what_they_say(three: list[Representations]) -> None:
    near, far = str(compare(*three[:2])), str(compare(three[0], three[2]))
    for text in (near, far):
        assert "80 inputs, 6 labels, K = 2" in text
        assert all(word in text for word in ("KL divergence", "d_LLV", "d_f,g", "m_CCA", "certificate"))
    assert "a certificate of 1 or more" not in near
    assert "a certificate of 1 or more" in far
    assert max(len(line) for line in f"{near}\n{far}".splitlines()) <= 80


def test_every_number_of_a_group_is_printed_under_its_heading(three: list[Representations]) -> None:
    c = compare(*three[:2])
    lines = pair_table(c, details=True).splitlines()
    counts = {"same predictions?": 7, "same up to rotation?": 2, "same representations?": 4, "details": 7}
    for heading, count in counts.items():
        start = lines.index(heading) + 1
        of_group = [getattr(c, column.name) for column in COLUMNS if column.group == heading]
        values = [value for value in of_group if value is not None]  # the two about the mean come with intervals
        assert len(values) == count
        shown = [float(line[30:40]) for line in lines[start : start + count]]
        assert shown == pytest.approx(values, rel=1e-3, abs=1e-4)


def test_names_of_labels_are_shown(three: list[Representations]) -> None:
    names = ["ant", "bee", "cat", "dog", "eel", "fox"]
    p, q = (Representations(m.embeddings, m.unembeddings, m.bias, label_names=names) for m in three[:2])
    c = compare(p, q)
    assert c.label_names == (names[c.pivot_label], names[c.left_out_label])
    assert f"pivot label {c.label_names[0]!r}, left-out label {c.label_names[1]!r}" in pair_table(c, details=True)


def test_json_holds_everything(three: list[Representations]) -> None:
    c = compare(*three[:2])
    read = json.loads(json.dumps(as_dict(c)))
    assert set(read) == {field.name for field in dataclasses.fields(c)} - {"measures"} | {
        "bound_informative",
        "infinite",
        "verdict",
    }
    assert read["llv"] == c.llv
    assert tuple(read["m_svd_embeddings"]) == c.m_svd_embeddings


def test_a_matrix_shows_every_pair_once_above_and_once_below_the_diagonal(three: list[Representations]) -> None:
    comparisons = compare_all(three)
    text = matrix_table(comparisons, ["first", "second", "third"], everything=True)
    assert "0  first" in text
    averaged = matrix_table(compare_all(three, reduction="mean"), ["first", "second", "third"], everything=True)
    assert ("2·max" in text, "2·max" in averaged) == (True, False)
    rows = text.split("KL divergence in nats, row to column\n")[1].split("\n\n")[0].splitlines()
    assert rows[0].split() == ["0", "1", "2"]
    assert float(rows[1].split()[3]) == pytest.approx(comparisons[1].kl, rel=1e-3)
    assert float(rows[3].split()[1]) == pytest.approx(comparisons[1].kl_reverse, rel=1e-3)
    with pytest.raises(InputError, match="2 models have 1 pairs, but there are 3"):
        matrix_table(comparisons, ["first", "second"])


def test_a_table_of_averaged_terms_has_no_bounds_of_maxima(three: list[Representations]) -> None:
    text = pair_table(compare(*three[:2], reduction="mean"), ["here", "there"])
    assert "p  here\nq  there\n" in text
    assert "certificate" in text
    assert "2K" not in text


def test_a_black_box_has_no_unembeddings_to_correlate(three: list[Representations]) -> None:
    boxes = [Representations.from_logits(m.embeddings @ m.unembeddings.T) for m in three[:2]]
    c = compare(*boxes)
    assert c.mean_cca_unembeddings is None
    assert c.mean_cca_embeddings > 0.99
    mixed = compare(boxes[0], three[0])
    assert mixed.mean_cca_unembeddings is None
    assert "unembeddings" not in str(c)


def test_a_black_box_leaves_other_pairs_as_they_are(three: list[Representations]) -> None:
    p, q = three[:2]
    box = Representations.from_logits(p.embeddings @ p.unembeddings.T)
    plain, *with_box = compare_all([p, q, box])
    assert plain.mean_cca_unembeddings == pytest.approx(compare(p, q).mean_cca_unembeddings)
    assert [c.mean_cca_unembeddings for c in with_box] == [None, None]


def test_every_default_is_that_of_the_settings() -> None:
    defaults = dataclasses.asdict(DEFAULTS)
    taken: set[str] = set()
    for call in (compare, compare_all, closedist.llv_distance):
        parameters = inspect.signature(call).parameters
        shared = set(parameters) & set(defaults)
        assert {name: parameters[name].default for name in shared} == {name: defaults[name] for name in shared}
        taken |= shared
    assert taken == set(defaults) - {"labels"}  # which is pivot_label and left_out_label of llv_distance
