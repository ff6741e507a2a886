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
    """In 40 tables: none by chance but for one, an exact copy always, a near one nearly always."""
    tables = [TABLES[table]() for _ in range(40)]
    assert sum(bool(told(values)) for values in tables) <= 1
    assert all("'S3' and " in told(with_copy(values))[0].evidence for values in tables)
    n_near = sum(any("1 nearly" in f.what for f in told(with_copy(v, 0.01))) for v in tables)
    assert n_near >= (20 if table == "spectra" else 38)


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


@pytest.mark.parametrize("name", ["omics", "nci60", "srbct", "acc", "liver", "permeability"])
def test_bundled_tables_are_quiet(name):
    assert "SD007" not in [finding.code for finding in load_dataset(name).findings]


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
