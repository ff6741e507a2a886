"""Suspected leaks, copies, constants and features named like the target."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, mannwhitneyu, spearmanr

from smalldata import load_dataset
from smalldata.datasets import leaks as leaks_module
from smalldata.datasets.separation import Separation, separations
from smalldata.datasets.side_by_side import Features
from smalldata.datasets.suspects import named_like, suspects
from smalldata.errors import DataError
from smalldata.runtime.catalogue import names, read_entry
from smalldata.task import Dataset, TaskKind

BINARY, MULTI, REGRESSION = TaskKind.BINARY, TaskKind.MULTICLASS, TaskKind.REGRESSION


def make_table(seed=0, n=60, p=40, kind=BINARY):
    rng = np.random.default_rng(seed)
    columns = {f"g{j}": rng.normal(size=n) for j in range(p)}
    if kind is REGRESSION:
        return columns, rng.normal(size=n), rng
    labels = np.array(["case", "control", "other"])[np.arange(n) % (2 if kind is BINARY else 3)]
    return columns, rng.permutation(labels).astype(object), rng


def found(columns, y, kind=BINARY, target="outcome"):
    entries = suspects(Features.of(columns), y, target=target, kind=kind)
    return {entry.code: entry for entry in entries}


# ---------------------------------------------------------------- leaks


def test_a_column_that_separates_two_classes_is_named():
    columns, y, rng = make_table()
    columns["score"] = np.where(y == "case", 1.0, -1.0) + rng.uniform(-0.4, 0.4, len(y))
    finding = found(columns, y)["SD021"]
    assert finding.what == "feature 'score' separates the classes of 'outcome' alone"
    assert finding.evidence.startswith("AUC 1, the next one 0.")
    assert "'dataset.drop=[score]'" in finding.remedy
    columns["score"][3] = np.nan
    assert "SD021" in found(columns, y)


@pytest.mark.parametrize("kind", [BINARY, MULTI])
def test_a_code_of_the_classes_is_named(kind):
    columns, y, _ = make_table(kind=kind)
    columns["z"] = pd.factorize(y)[0].astype(float)
    assert "feature 'z' separates" in found(columns, y, kind)["SD021"].what
    columns["z"] = pd.Categorical(np.where(y == "case", "yes", y))
    assert "feature 'z' separates" in found(columns, y, kind)["SD021"].what


def test_a_leak_with_a_wrong_label_is_named():
    columns, y, _ = make_table(n=120)
    columns["z"] = (y == "case") + np.linspace(0, 0.5, len(y))
    case, control = np.flatnonzero(y == "case")[0], np.flatnonzero(y == "control")[-1]
    columns["z"][[case, control]] = 0.98, 1.02  # two pairs in the wrong order
    finding = found(columns, y)["SD021"]
    assert "AUC 0.9" in finding.evidence


def test_two_codes_of_the_target_are_named_together():
    columns, y, rng = make_table()
    columns["a"] = (y == "case") * 2.0
    columns["b"] = (y == "case") + rng.uniform(0, 0.2, len(y))
    assert "'a' and 'b' separate" in found(columns, y)["SD021"].what


def test_honest_rivals_clear_a_marker():
    columns, y, rng = make_table(n=300)
    columns["best"] = rng.normal(size=len(y)) + 20 * (y == "case")
    assert "SD021" in found(columns, y)
    columns["near"] = rng.normal(size=len(y)) + 2.6 * (y == "case")  # an AUC of 0.97
    assert "SD021" not in found(columns, y)


def test_in_a_small_table_a_perfect_feature_must_be_further_ahead():
    """Twelve of each class: perfect is 3.8 standard deviations, 134 of 144 pairs right 2.1."""
    y = np.repeat(["case", "control"], 12).astype(object)
    best = np.arange(24.0)
    near = best.copy()
    near[11] = 21.5  # above ten of the other class
    other = np.random.default_rng(0).normal(size=24)
    assert "SD021" in found({"best": best, "other": other}, y)
    assert "SD021" not in found({"best": best, "near": near, "other": other}, y)


def test_patients_and_litters_within_a_class_are_no_leak():
    columns, y, _ = make_table(n=60)
    order = np.argsort(y, kind="stable")
    litter = np.empty(60, dtype=object)
    litter[order] = [f"l{place // 5}" for place in range(60)]
    columns["cage"] = pd.Categorical(litter)
    assert "SD021" not in found(columns, y)


@pytest.mark.parametrize("kind", [BINARY, MULTI, REGRESSION])
def test_a_code_of_the_target_is_named_beside_honest_rivals(kind):
    columns, y, rng = make_table(kind=kind)
    numbers = y if kind is REGRESSION else pd.factorize(y)[0].astype(float)
    for j in range(6):
        columns[f"strong{j}"] = numbers + rng.uniform(-0.1, 0.1, len(y))
    assert "SD021" not in found(columns, y, kind)
    columns["z"] = 7 - 3 * numbers
    assert found(columns, y, kind)["SD021"].what.startswith("feature 'z' ")


def test_what_chance_can_give_is_not_named():
    """Eight samples: one of 400 features in order is likely."""
    columns, y, _ = make_table(n=8, p=400)
    columns["z"] = (y == "case") + np.linspace(0, 0.1, len(y))
    assert "SD021" not in found(columns, y)


def test_gaps_in_exactly_one_class_are_named():
    columns, y, _ = make_table()
    columns["dose"] = np.where(y == "case", columns["g0"], np.nan)
    finding = found(columns, y)["SD021"]
    assert "missing in exactly the samples of one class" in finding.what
    assert finding.evidence == "'dose'"
    columns["dose"][np.flatnonzero(y == "case")[0]] = np.nan
    assert "SD021" not in found(columns, y)


@pytest.mark.parametrize("change", [lambda y: -2 * y + 5, np.exp, lambda y: np.round(y, 4)])
def test_a_copy_of_a_numeric_target_is_named(change):
    columns, y, _ = make_table(kind=REGRESSION)
    columns["z"] = change(y)
    assert "feature 'z' repeats the target" in found(columns, y, REGRESSION)["SD021"].what


def test_a_good_predictor_of_a_number_is_not_named():
    columns, y, rng = make_table(kind=REGRESSION, n=200)
    columns["z"] = y + rng.normal(size=len(y)) / 10  # correlation 0.995
    assert "SD021" not in found(columns, y, REGRESSION)


def test_the_chance_of_an_order_is_that_of_mann_and_whitney():
    """Against scipy's exact distribution, and perfect order against the binomial by hand."""
    for n0, n1, n_wrong in ((6, 9, 0), (6, 9, 4), (8, 8, 6), (12, 10, 9)):
        entry = Separation(name="x", score=1 - n_wrong / (n0 * n1), counts=(n0, n1))
        x = np.arange(n0, dtype=float)
        # Move single values so that exactly n_wrong pairs are in the wrong order.
        above = np.arange(n1) + float(n0)
        left, place = n_wrong, 0
        while left:
            step = min(left, n0)
            above[place] = n0 - 0.5 - step
            left, place = left - step, place + 1
        exact = mannwhitneyu(x, above, method="exact")
        assert exact.statistic == n_wrong
        assert leaks_module._chance(entry, 7) == pytest.approx(7 * exact.pvalue, rel=1e-9)


def test_fast_order_and_scores_equal_the_slow_ones():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(30, 50)) * 10.0 ** rng.integers(-5, 5, size=(30, 1))
    values[rng.random(values.shape) < 0.1] = np.nan
    target = rng.normal(size=50)
    walk = separations(target, kind=REGRESSION)
    order = walk.order(values, np.isnan(values))
    samples = walk.samples_of(order.tags())
    for row, column, n in zip(samples, values, order.n_present, strict=True):
        assert np.array_equal(column[row[:n]], np.sort(column)[:n])
    walk.add_numbers([str(j) for j in range(30)], values, walk.rough_scores(order))
    for entry in walk.found():
        column = values[int(entry.name)]
        there = ~np.isnan(column)
        wanted = abs(spearmanr(column[there], target[there]).statistic)
        assert entry.score == pytest.approx(wanted)
    y = rng.permutation(np.repeat(["a", "b"], 25))
    walk = separations(y, kind=BINARY)
    order = walk.order(values, np.isnan(values))
    walk.add_numbers([str(j) for j in range(30)], values, walk.rough_scores(order))
    for entry in walk.found():
        column = values[int(entry.name)]
        there = ~np.isnan(column)
        u = mannwhitneyu(column[there & (y == "a")], column[there & (y == "b")]).statistic
        share = u / np.prod(entry.counts)
        assert entry.score == pytest.approx(max(share, 1 - share))


def test_ties_in_the_order_of_the_classes_are_no_separation():
    """A table sorted by class with columns of zeros: the order of the rows must not count."""
    y = np.repeat(["case", "control"], 40).astype(object)
    rng = np.random.default_rng(0)
    columns = {f"z{j}": (rng.random(80) < 0.03).astype(float) for j in range(60)}
    assert "SD021" not in found(columns, y)
    columns["best"] = rng.normal(size=80) + 20 * (y == "case")
    assert "SD021" in found(columns, y)
    columns["near"] = np.arange(80.0)
    columns["near"][38:40] = 64.5, 64.6  # each above 25 of the other class: an AUC of 0.97
    assert "SD021" not in found(columns, y), "a rival is not lost among the ties"


def test_false_alarms_are_rare_and_planted_leaks_are_found():
    """Strong honest markers of several kinds, then the same tables with a copy of the target."""
    rng = np.random.default_rng(5)
    n_false = n_found = 0
    tables = 200
    for number in range(tables):
        n, p = int(rng.choice([40, 80, 160])), int(rng.choice([20, 100, 300]))
        y = rng.permutation(np.arange(n) % 2)
        effects = [rng.normal(0, 0.5, p), rng.laplace(0, 0.25, p), rng.standard_t(3, p) * 0.2]
        common = rng.normal(size=(n, 3)) @ rng.normal(size=(3, p)) * 0.4
        values = rng.normal(size=(n, p)) + common + y[:, None] * effects[number % 3]
        columns = {f"g{j}": values[:, j] for j in range(p)}
        labels = np.where(y == 1, "case", "control").astype(object)
        n_false += "SD021" in found(columns, labels)
        columns["z"] = y + rng.uniform(-0.2, 0.2, n)
        n_found += "SD021" in found(columns, labels)
    assert n_false <= binom.ppf(0.999, tables, 0.01)
    assert n_found >= 0.8 * tables


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("outcome", "outcome_code"),
        ("Diagnosis", "diagnosis_binary"),
        ("class", "Class.1"),
        ("class", "class_label"),
        ("OS_STATUS", "osStatus"),
        ("diag", "diagCode"),
        ("outcome", "clinical:Outcome"),
        ("age_group", "age"),
        ("response", "Response.2"),
    ],
)
def test_another_form_of_the_target_is_named(target, name):
    (finding,) = named_like(["tau", name, "BMI"], target=target)
    assert finding.evidence == repr(name)
    assert finding.code == "SD026"


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("class", "classical_monocytes"),
        ("outcome", "income"),
        ("status", "smoking_status"),
        ("y", "y1"),
        ("grade", "tumor_size"),
        ("response", "response_time"),
        ("days", "days_to_birth"),
        ("ER", "ERBB2"),
        ("group", "class"),
    ],
)
def test_other_names_are_not(target, name):
    assert named_like(["tau", name], target=target) == []


# ---------------------------------------------------------------- constants and copies


def test_constant_and_nearly_constant_columns_are_counted():
    columns, y, _ = make_table(n=100)
    columns["flat"] = np.full(100, 3.0)
    columns["gappy"] = np.where(np.arange(100) < 50, 3.0, np.nan)
    columns["one"] = pd.Categorical(["a"] * 100)
    columns["nearly"] = np.r_[1.0, 2.0, np.zeros(98)]
    columns["seldom"] = np.r_[np.ones(3), np.zeros(97)]
    columns["rare"] = pd.Categorical(["b", *["a"] * 99])
    told = found(columns, y)
    every = suspects(Features.of(columns), y, target="y", kind=BINARY)
    assert [(entry.what, entry.evidence) for entry in every if entry.code == "SD022"] == [
        ("2 columns hold the same value in every sample", "'flat', 'one'"),
        ("1 column holds one value in some samples and nothing in the others", "'gappy'"),
    ]
    assert told["SD023"].evidence == "'nearly', 'rare'"


def test_copies_are_found_up_to_sign_and_scale():
    columns, y, _ = make_table(n=50, p=30)
    columns["same"] = columns["g1"].copy()
    columns["percent"] = 100 * columns["g2"]
    columns["fahrenheit"] = 32 - 1.8 * columns["g3"]
    columns["gappy"] = np.where(np.arange(50) < 5, np.nan, columns["g4"])
    columns["gappy2"] = 3 * columns["gappy"] + 1e6
    columns["near"] = columns["g5"] + 1e-5 * columns["g6"]
    columns["cat"] = pd.Categorical(np.where(columns["g7"] > 0, "x", "y"))
    columns["cat2"] = pd.Categorical(np.where(columns["g7"] > 0, "no", "yes"))
    finding = found(columns, y)["SD025"]
    assert finding.what == "5 columns copy another one (3 up to sign or scale)"
    for pair in (("same", "g1"), ("percent", "g2"), ("fahrenheit", "g3"), ("gappy2", "gappy")):
        assert f"{pair[0]!r} copies {pair[1]!r}" in finding.evidence
    assert "'near'" not in finding.evidence
    assert "'cat2' copies 'cat'" in finding.evidence


def test_rare_mutations_that_agree_by_chance_are_no_copies():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b"] * 40, dtype=object)
    columns = {f"m{j}": (rng.permutation(80) < 3).astype(float) for j in range(2000)}
    tables = {column.tobytes() for column in columns.values()}
    assert len(tables) < 2000, "some agree"
    assert "SD025" not in found(columns, y)


def test_a_column_without_values_is_refused_with_the_option():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4] * 3, "b": [np.nan] * 12, "y": ["u", "v"] * 6})
    with pytest.raises(DataError, match=r"dataset\.drop_empty=true"):
        Dataset.from_frame(frame, target="y")
    dataset = Dataset.from_frame(frame, target="y", drop_empty=True)
    assert any(entry.code == "SD024" and "'b'" in entry.evidence for entry in dataset.findings)


# ---------------------------------------------------------------- bundled tables

BUNDLED = [name for name in names("dataset") if read_entry("dataset", name).get("citation")]


def test_bundled_tables_raise_no_warning_but_a_true_one():
    assert len(BUNDLED) == 11
    warned = {name: load_dataset(name).warnings for name in BUNDLED}
    # some samples are there twice: tests/test_intake_twins.py
    for name, twins in {"tissue": "4 pairs of samples", "srbct": "1 pair of samples"}.items():
        (warning,) = warned.pop(name)
        assert twins in warning
    assert not any(warned.values())


def test_what_is_noted_of_bundled_tables_is_true():
    """Fingerprints and mutations: constant, rare and equal columns, counted with pandas."""
    noted = {}
    for name in BUNDLED:
        dataset = load_dataset(name)
        counts = {entry.code: int(entry.what.split()[0]) for entry in dataset.findings}
        if counts:
            noted[name] = counts
        assert counts.get("SD022", 0) == int((dataset.X.nunique() == 1).sum())
    assert set(noted) == {"acc", "liver", "permeability", "srbct", "tissue"}
    acc = load_dataset("acc").X
    assert acc["copy_number:EIF4G1"].equals(acc["copy_number:PIK3CA"])
    liver = load_dataset("liver").X
    assert liver["chem_fp_098"].equals(liver["chem_fp_038"])
    assert noted["liver"]["SD025"] == 1
