"""Samples that copy each other are named; samples that are merely alike are not."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset, load_dataset
from smalldata.datasets.twins import find_twins

RNG = np.random.default_rng(0)


def told(values, labels=None, groups=None):
    """Evidence of the findings on a table of numbers."""
    n_samples = len(values)
    y = np.array(["case", "control"] * n_samples)[:n_samples] if labels is None else labels
    found = find_twins(
        pd.DataFrame(values),
        y,
        np.array([f"S{i}" for i in range(n_samples)], dtype=object),
        groups=groups,
        is_regression=y.dtype.kind == "f",
    )
    assert all(finding.code == "SD007" for finding in found)
    assert len(found) <= 1
    return found


def with_copy(values, noise=0.0):
    """Append a copy of the fourth sample, with noise in units of each feature's spread."""
    copy = values[3] + noise * values.std(axis=0) * RNG.normal(size=values.shape[1])
    return np.vstack([values, copy])


TABLES = {
    "few features": lambda: RNG.normal(size=(40, 5)),
    "many features": lambda: RNG.normal(size=(60, 500)),
    "heavy tails": lambda: RNG.standard_t(2, (60, 50)),
    "tissues": lambda: RNG.normal(0, 2, (6, 100))[np.arange(60) % 6] + RNG.normal(size=(60, 100)),
    "spectra": lambda: (
        RNG.normal(size=(80, 3)) @ RNG.normal(size=(3, 50)) + 0.01 * RNG.normal(size=(80, 50))
    ),
}
DISCRETE = {
    "genotypes": lambda: RNG.binomial(2, 0.2, (100, 300)).astype(float),
    "counts": lambda: RNG.poisson(RNG.gamma(0.3, 10, (60, 200))).astype(float),
}


@pytest.mark.parametrize("table", TABLES)
def test_twins_are_found_and_honest_tables_are_quiet(table):
    """In 40 tables: none by chance but for one, an exact copy always, a near one mostly."""
    tables = [TABLES[table]() for _ in range(40)]
    assert sum(bool(told(values)) for values in tables) <= 1
    assert all("'S3' and " in told(with_copy(values))[0].evidence for values in tables)
    n_near = sum(any("1 nearly" in f.what for f in told(with_copy(v, 0.003))) for v in tables)
    assert n_near >= (25 if table == "spectra" else 37)


@pytest.mark.parametrize("table", DISCRETE)
def test_equal_samples_of_few_values_are_told_where_no_others_are_alike(table):
    for _ in range(5):
        values = DISCRETE[table]()
        assert told(values) == []
        assert "'S3' and " in told(with_copy(values))[0].evidence


def test_ties_of_yes_and_no_are_no_twins():
    for _ in range(20):
        assert told((RNG.random((80, 10)) < 0.3).astype(float)) == []


def test_labels_are_said_and_the_first_five_are_named():
    values = RNG.normal(size=(20, 6))
    (finding,) = told(np.vstack([values, values[:7]]), np.array(["a", "b", "c"] * 9))
    assert finding.what == "7 pairs of samples copy each other under other ids (7 exactly)"
    assert finding.evidence.startswith("'S0' and 'S20' (a and c), ")
    assert finding.evidence.endswith(
        "'S4' and 'S24' (b and a) and 2 more; 7 of them with different labels"
    )
    (finding,) = told(with_copy(values), np.array(["a"] * 21))
    assert finding.what == "1 pair of samples copy each other under other ids (1 exactly)"
    assert finding.evidence == "'S3' and 'S20' (both a)"
    (finding,) = told(with_copy(values), np.arange(21) / 2)
    assert finding.evidence == "'S3' and 'S20' (1.5 and 10)"


def test_samples_of_one_group_are_known_to_belong_together():
    values = with_copy(with_copy(RNG.normal(size=(20, 6))), 0.001)
    groups = np.arange(22).astype(str)
    groups[20:] = "3"
    assert told(values)
    assert told(values, groups=groups) == []


def test_missing_values_and_categories_must_agree_too():
    values = with_copy(RNG.normal(size=(12, 6)))
    values[[3, 12], 0] = np.nan
    assert told(values)
    frame = pd.DataFrame(values).assign(sex=pd.Categorical(["m"] * 12 + ["f"]))
    ids = np.arange(13).astype(str)
    found = find_twins(frame, ids, ids, groups=None, is_regression=False)
    assert not any("exactly" in finding.what for finding in found)


def lines(spread):
    """Eight samples measured five times each."""
    return RNG.normal(size=(8, 60))[np.arange(40) % 8] + spread * RNG.normal(size=(40, 60))


def visits():
    """Ten of sixty persons come twice; they differ by a tenth of the variance of persons."""
    person = RNG.normal(size=(60, 80))
    return np.vstack([person, person[:10]]) + RNG.normal(0, 0.33, size=(70, 80))


def courses():
    """Six persons, each followed over ten near points in time."""
    time = np.linspace(0, 1, 10)[:, None]
    persons = [RNG.normal(size=80) + time * RNG.normal(size=80) for _ in range(6)]
    return np.vstack(persons) + RNG.normal(0, 0.1, size=(60, 80))


def counts():
    rates = RNG.gamma(0.3, 1, 150) * RNG.gamma(0.5, 2, (60, 150))
    return RNG.poisson(5000 * rates / rates.sum(axis=1, keepdims=True)).astype(float)


def failed():
    """Three samples of a table of counts hardly gave any."""
    return np.vstack([counts(), RNG.binomial(counts()[:3].astype(int), 0.003)])


def siblings():
    """Ten pairs of brothers and sisters among sixty others."""
    often = RNG.uniform(0.1, 0.5, 300)
    parents = (RNG.random((10, 2, 2, 300)) < often).astype(int)
    pick = RNG.integers(0, 2, (2, 10, 2, 1, 300))
    born = [np.take_along_axis(parents, p, axis=2).sum(axis=(1, 2)) for p in pick]
    return np.vstack([RNG.binomial(2, often, (60, 300)), *born]).astype(float)


def haplotypes():
    """Forty variants in four genes: some persons are equal by chance."""
    kinds = (RNG.random((4, 4, 10)) < 0.4).astype(float)
    both = RNG.integers(0, 4, (2, 100, 4))
    return np.hstack([kinds[g][both[0, :, g]] + kinds[g][both[1, :, g]] for g in range(4)])


HONEST = {
    "replicates": lambda: lines(0.1),
    "near replicates": lambda: lines(0.01),
    "visits": visits,
    "courses": courses,
    "counts": counts,
    "shares": lambda: (c := counts()) / c.sum(axis=1, keepdims=True),
    "failed samples": failed,
    "siblings": siblings,
    "haplotypes": haplotypes,
    "concentrations": lambda: np.exp(RNG.normal(size=(50, 40)) + RNG.normal(0, 3, 40)),
}


@pytest.mark.parametrize("table", HONEST)
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_samples_that_are_merely_alike_are_not_told(table, gaps):
    """In 12 tables, also with gaps: at most one by chance."""
    tables = [HONEST[table]() for _ in range(12)]
    holed = [np.where(RNG.random(values.shape) < gaps, np.nan, values) for values in tables]
    assert sum(bool(told(values)) for values in holed) <= 1


def rounded(row):
    return np.array([float(f"{value:.3g}") for value in row])


CHANGES = {
    "rounding": (rounded, "nearly"),
    "noise": (lambda row: row * (1 + 0.003 * RNG.normal(size=row.size)), "nearly"),
    "a factor": (lambda row: 1.7 * row, "but for a factor or shift"),
    "gaps": (
        lambda row: np.where(RNG.random(row.size) < 0.2, np.nan, row),
        "exactly where both have values",
    ),
    "gaps and rounding": (
        lambda row: rounded(np.where(RNG.random(row.size) < 0.2, np.nan, row)),
        "nearly",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", ["concentrations", "counts"])
def test_a_copy_is_told_however_it_was_changed(table, change):
    alter, how = CHANGES[change]
    n_found = 0
    for _ in range(10):
        values = HONEST[table]()
        if "gaps" in change:
            values[RNG.random(values.shape) < 0.1] = np.nan
        found = told(np.vstack([values, alter(values[3])]))
        # Rounded counts often are what they were.
        n_found += any(how in f.what or (table == "counts" and f.what) for f in found)
    assert n_found >= 9


def test_a_shift_of_logarithms_is_told_as_such():
    values = RNG.normal(20, 2, (50, 40))
    (finding,) = told(np.vstack([values, values[3] + 0.8]))
    assert finding.what.endswith("(1 but for a factor or shift)")


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_several_copies_of_one_sample_and_several_pairs_are_all_told(noise):
    values = RNG.normal(size=(50, 60))
    copies = values[[3, 3, 3, 7, 9]]
    (finding,) = told(np.vstack([values, copies + noise * RNG.normal(size=copies.shape)]))
    assert finding.what.startswith("5 pairs of samples copy each other")
    for pair in (("S3", "S50"), ("S3", "S51"), ("S3", "S52"), ("S7", "S53"), ("S9", "S54")):
        assert f"{pair[0]!r} and {pair[1]!r}" in finding.evidence


def test_a_file_stored_twice_is_told():
    values = RNG.normal(size=(20, 6))
    assert told(np.vstack([values, values]))[0].what.startswith("20 pairs of samples")


def test_genotypes_are_known_with_errors_and_gaps_and_as_letters():
    for _ in range(5):
        values = DISCRETE["genotypes"]()
        copy = np.where(RNG.random(300) < 0.003, 1.0, values[3])
        copy[RNG.random(300) < 0.05] = np.nan
        table = np.vstack([values, copy])
        assert "'S3' and 'S100'" in told(table)[0].evidence
        letters = pd.DataFrame(table).apply(
            lambda column: column.map({0: "AA", 1: "AG", 2: "GG"}).astype("category")
        )
        ids = np.arange(101).astype(str)
        (finding,) = find_twins(letters, ids, ids, groups=None, is_regression=False)
        assert "'3' and '100'" in finding.evidence


def test_samples_without_any_value_are_no_twins():
    values = RNG.normal(size=(20, 6))
    values[[3, 5, 8]] = np.nan
    assert told(values) == []
    assert told(np.full((20, 6), np.nan)) == told(np.ones((20, 6))) == []
    shares = RNG.dirichlet(np.ones(5), 40)
    shares[[7, 9, 11]] = [1, 0, 0, 0, 0]
    assert told(shares) == []
    values[:, 2] = np.nan
    values[:, 4] *= 5e306
    assert told(values) == []


@pytest.mark.parametrize("name", ["omics", "nci60", "acc", "liver", "permeability", "meats"])
def test_bundled_tables_are_quiet(name):
    assert "SD007" not in [finding.code for finding in load_dataset(name).findings]


def test_srbct_holds_one_tumour_twice():
    """The two correlate at 0.99 and are four times as near as any others."""
    (finding,) = [f for f in load_dataset("srbct").findings if f.code == "SD007"]
    assert finding.what.startswith("1 pair of samples")
    assert finding.evidence == "'sample5' and 'sample8' (both EWS)"


def test_tissue_holds_four_livers_twice():
    dataset = load_dataset("tissue")
    (finding,) = [finding for finding in dataset.findings if finding.code == "SD007"]
    assert finding.what.endswith("(4 exactly)")
    rows = [list(dataset.sample_ids).index(name) for name in ("liver_15", "liver_19")]
    assert dataset.X.iloc[rows[0]].equals(dataset.X.iloc[rows[1]])


def test_every_door_tells_them():
    frame = pd.DataFrame(with_copy(RNG.normal(size=(12, 6)))).rename(columns=str)
    frame["class"] = ["a", "b"] * 6 + ["a"]
    dataset = Dataset.from_frame(frame, target="class")
    assert any("[SD007]" in warning for warning in dataset.warnings)
