"""Which column holds the ids of the samples, and what needs such a column."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.errors import ConfigError, DataError

N = 24
VALUES = np.random.default_rng(5).normal(10, 2, N).round(3)
PERSONS = [f"P{i // 2}" for i in range(N)]
LABELS = ["case", "case", "control", "control"] * (N // 4)


@pytest.fixture
def read(tmp_path):
    """Read columns as csv: behind row numbers or not; or as a DataFrame that numbers its rows."""

    def load(columns, way="plain", **options):
        frame = pd.DataFrame(columns)
        options = {"target": "y", **options}
        if way == "frame":
            return Dataset.from_frame(frame, **options)
        file = tmp_path / "t.csv"
        frame.index += way == "from 1"
        frame.to_csv(file, index=way != "plain", index_label="Unnamed: 0" if way == "twice" else "")
        return Dataset.from_file(file, **options)

    return load


@pytest.fixture
def join(tmp_path):
    def load(*tables, **options):
        files = {}
        for block, columns in zip("ab", tables, strict=True):
            files[block] = tmp_path / f"{block}.csv"
            pd.DataFrame(columns).to_csv(files[block], index=False)
        return Dataset.from_file(files, **{"target": "y", **options})

    return load


def repeating(name="patient", ids=PERSONS):
    return {name: ids, "y": LABELS, "tau": VALUES, "age": VALUES[::-1]}


NUMBERED = pytest.mark.parametrize("way", ["from 0", "from 1", "twice", "frame"])


@NUMBERED
@pytest.mark.parametrize("replicates", ["mean", "first", "group"])
def test_row_numbers_hide_no_ids_that_repeat(read, way, replicates):
    found = read(repeating(), way, replicates=replicates)
    plain = read(repeating(), replicates=replicates)
    assert found.sample_ids.tolist() == plain.sample_ids.tolist()
    assert found.feature_names == plain.feature_names == ("tau", "age")
    np.testing.assert_array_equal(found.X, plain.X)
    if replicates == "group":
        assert found.groups.tolist() == PERSONS


@NUMBERED
def test_ids_that_repeat_behind_row_numbers_are_refused(read, way):
    with pytest.raises(DataError, match=r"12 of 12 ids in 'patient' .* repeat"):
        read(repeating(), way)


@NUMBERED
@pytest.mark.parametrize("name", ["sample", "animal_id"])
def test_ids_behind_row_numbers_are_the_ids(read, way, name):
    ids = [f"S{i}" for i in range(N)]
    dataset = read(repeating(name, ids), way, replicates="mean")
    assert dataset.sample_ids.tolist() == ids
    assert dataset.feature_names == ("tau", "age")


@NUMBERED
def test_a_category_is_no_id_behind_row_numbers(read, way):
    dataset = read(repeating(), way, categorical=["patient"])
    assert dataset.feature_names == ("patient", "tau", "age")


def test_a_category_is_no_id(read):
    dataset = read(repeating(), categorical=["patient"])
    assert dataset.feature_names == ("patient", "tau", "age")


@pytest.mark.parametrize("way", ["plain", "from 0", "from 1", "twice", "frame"])
@pytest.mark.parametrize(
    "options",
    [*({"replicates": how} for how in ("mean", "first", "group")), {"groups": r"id:^(\d)"}],
)
def test_what_is_about_ids_is_refused_where_rows_are_only_numbered(read, way, options):
    columns = {"y": LABELS, "tau": VALUES}
    with pytest.raises(ConfigError, match=r"only numbered\. Name .* dataset\.id=COLUMN\."):
        read(columns, way, **options)


def test_replicates_of_ids_that_are_unique_change_nothing(read):
    ids = [f"S{i}" for i in range(N)]
    dataset = read(repeating("sample", ids), replicates="mean")
    assert dataset.sample_ids.tolist() == ids


SHARED = [f"P{i}" for i in range(N // 2)]
OF_PERSON = {"y": LABELS[::2], "age": VALUES[: N // 2]}


def measured(ids=PERSONS):
    return {"sample": ids, "TP53": VALUES, "EGFR": VALUES[::-1]}


def test_a_sample_of_the_other_file_alone_is_a_group_of_its_own(join):
    persons = {"sample": [*SHARED, "Q"], "y": [*OF_PERSON["y"], "case"]}
    dataset = join(measured(), persons, replicates="group", join_how="outer")
    groups = dict(zip(dataset.sample_ids, dataset.groups, strict=True))
    assert groups["Q"] == "Q"
    assert groups["P3.1"] == groups["P3.2"] == "P3"


@pytest.mark.parametrize(
    "spell",
    [str.lower, "000{}".format, "id-{}".format, lambda entry: f"{entry}.0"],
    ids=["case", "beginning", "another beginning", "end"],
)
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("options", [{"replicates": "group"}, {"groups": "sample"}])
def test_ids_kept_apart_are_joined_before_they_get_numbers(join, spell, is_first, options):
    tables = [measured(), {"sample": [spell(entry) for entry in SHARED], **OF_PERSON}]
    dataset = join(*(tables if is_first else tables[::-1]), join_ids="loose", **options)
    assert len(dataset.y) == N
    assert sorted(dataset.y) == sorted(LABELS)
    counts = pd.Series(dataset.groups).value_counts()
    assert len(counts) == N // 2
    assert set(counts) == {2}
    assert [finding.code for finding in dataset.findings].count("SD030") == 1
    by_value = dict(zip(dataset.X["TP53"], dataset.y, strict=True))
    assert by_value == dict(zip(VALUES, LABELS, strict=True))


def test_ids_kept_apart_that_agree_only_loosely_are_refused_with_the_way_out(join):
    persons = {"sample": [entry.lower() for entry in SHARED], **OF_PERSON}
    with pytest.raises(DataError, match=r"they share none \(a.csv 'P0', .*join_ids=loose"):
        join(measured(), persons, replicates="group")


@pytest.mark.parametrize("gap", ["", "NA", "-"])
@pytest.mark.parametrize("replicates", [None, "mean"])
@pytest.mark.parametrize(
    "ids",
    [[f"S{i}" for i in range(N)], [str(1000 + 7 * i) for i in range(N)], PERSONS],
    ids=["text", "numbers", "repeating"],
)
@pytest.mark.parametrize("name", ["id", "Patient ID"])
@pytest.mark.parametrize("is_last", [False, True])
def test_a_gap_among_ids_is_refused_with_its_row(read, gap, replicates, ids, name, is_last):
    columns = repeating(name, [*ids[:7], gap, *ids[8:]])
    if is_last:
        columns[name] = columns.pop(name)
    with pytest.raises(DataError, match=rf"must have a sample id; '{name}' .* in line 9 \(1 in"):
        read(columns, replicates=replicates)


def test_a_column_of_few_ids_is_left_out_as_the_refusal_says(read):
    columns = repeating("id", [*map(str, range(N - 1)), ""])
    with pytest.raises(DataError, match=r"leave it out with 'dataset\.drop=\[id\]'\."):
        read(columns)
    assert read(columns, drop=["id"]).feature_names == ("tau", "age")


@pytest.mark.parametrize("name", ["id", "case"])
def test_a_column_with_more_gaps_than_entries_holds_no_ids(read, name):
    columns = repeating(name, [f"S{i}" if i < N / 2 else "" for i in range(N)])
    assert name in read(columns).feature_names


@pytest.mark.parametrize("spell", ["{:03d}".format, "X{}".format])
@pytest.mark.parametrize("n_bins", [N, N - 4, N + 10])
def test_bins_with_numbers_for_names_do_not_turn_a_table(join, spell, n_bins):
    ids = range(1, N + 1)
    bins = {str(place + 1): VALUES + place for place in range(n_bins)}
    tables = [{"id": [spell(entry) for entry in ids], **bins}, {"id": ids, "y": LABELS}]
    with pytest.raises(DataError, match="join_ids=loose"):
        join(*tables)
    dataset = join(*tables, join_ids="loose")
    assert dataset.y.tolist() == LABELS
    assert dataset.X["2"].tolist() == (VALUES + 1).tolist()


def test_samples_with_numbers_for_names_still_turn_a_table(join):
    features = {"id": ["g001", "g002", "g003"]}
    samples = {str(place + 1): VALUES[place : place + 3] for place in range(N - 2)}
    ids = range(1, N - 1)
    dataset = join({**features, **samples}, {"id": ids, "y": LABELS[:-2]})
    assert dataset.feature_names == ("g001", "g002", "g003")


@pytest.mark.parametrize("name", ["No.", "tube label", "TP"])
@pytest.mark.parametrize("spell", ["P-{:03d}".format, "{:03d}".format, "{}_T".format])
def test_a_column_that_agrees_loosely_with_ids_is_offered(join, name, spell):
    ids = [7 * i % N + 1 for i in range(N)]
    tables = [
        {name: ids, "TP53": VALUES, "EGFR": VALUES[::-1]},
        {"patient": [spell(entry) for entry in ids], "y": LABELS},
    ]
    with pytest.raises(DataError, match=r"found in a\.csv\. Those of .*join_ids=loose\.") as no:
        join(*tables)
    assert repr(name) in str(no.value)
    dataset = join(*tables, id={"a": name}, join_ids="loose")
    assert dataset.y.tolist() == LABELS
    assert dataset.feature_names == ("TP53", "EGFR")


NUMBERS = [str(40000 + 37 * (i // 2)) for i in range(N)]


@pytest.mark.parametrize("name", ["Hospital number", "Study No.", "chart_nr", "NHS Number", "No."])
def test_numbers_of_persons_that_repeat_are_ids(read, name):
    with pytest.raises(DataError, match=rf"12 of 12 ids in '{name}' .* repeat"):
        read(repeating(name, NUMBERS))
    dataset = read(repeating(name, NUMBERS), groups=name)
    assert dataset.groups.tolist() == NUMBERS
    assert dataset.feature_names == ("tau", "age")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Batch number", NUMBERS),
        ("Visit No.", NUMBERS),
        ("Hospital number", [str(1 + i % 3) for i in range(N)]),
        ("Hospital", NUMBERS),
        ("copy number", [str(VALUES[i // 2]) for i in range(N)]),
        ("Number of cells", NUMBERS),
    ],
)
def test_other_numbers_that_repeat_are_features(read, name, cells):
    assert name in read(repeating(name, cells)).feature_names
