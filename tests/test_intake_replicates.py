"""Ids that repeat, and persons hidden in the ids: refused, averaged, grouped or advised."""

import shlex

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.config.hydra import compose_dataset
from smalldata.datasets.averaging import average
from smalldata.datasets.options import TableOptions
from smalldata.datasets.persons import persons_in_ids
from smalldata.datasets.replicates import groups_by_pattern
from smalldata.errors import ConfigError, DataError

N = 24
VALUES = np.random.default_rng(0).normal(10, 2, (N, 2)).round(3)
IDS = [f"S{i // 2:02d}" for i in range(N)]
LABELS = [("case", "control")[i // 2 % 2] for i in range(N)]


@pytest.fixture(params=["csv", "semicolon", "parquet", "xlsx", "columns", "frame", "index"])
def read(request, tmp_path):
    """Read a table of replicates in each of the ways it may come."""

    def load(ids=IDS, labels=LABELS, values=VALUES, **options):
        frame = pd.DataFrame(values, columns=["tau", "ptau"])
        frame.insert(0, "sample", ids)
        frame["class"] = labels
        options = {"target": "class", **options}
        file = tmp_path / f"t.{request.param}"
        if request.param == "index":
            return Dataset.from_frame(frame.set_index("sample"), **options)
        if request.param == "frame":
            return Dataset.from_frame(frame, id="sample", **options)
        if request.param == "parquet":
            frame.to_parquet(file)
        elif request.param == "xlsx":
            frame.to_excel(file, index=False)
        elif request.param == "columns":
            file = tmp_path / "t.csv"
            frame.set_index("sample").T.to_csv(file)
            options["transpose"] = True
        else:
            file = tmp_path / "t.csv"
            frame.to_csv(file, index=False, sep=";" if request.param == "semicolon" else ",")
        return Dataset.from_file(file, **options)

    return load


@pytest.fixture
def table(tmp_path):
    def load(text, **options):
        (tmp_path / "t.csv").write_text(text)
        return Dataset.from_file(tmp_path / "t.csv", **{"target": "class", **options})

    return load


def refused(call, error=DataError):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def rows(header, line, n=N):
    return "\n".join([header, *(line(i) for i in range(n))])


def test_ids_that_repeat_are_refused_with_both_ways_out(read):
    sentence = refused(read)
    assert "12 of 12 ids" in sentence
    assert "'S00' twice, 'S01' twice" in sentence
    assert "dataset.replicates=mean" in sentence
    assert "dataset.groups=sample" in sentence or "dataset.replicates=group" in sentence


def test_a_mean_is_offered_only_where_the_labels_agree(read):
    labels = ["case", "control"] * 12
    sentence = refused(lambda: read(labels=labels))
    assert "replicates=mean" not in sentence
    assert "'S00': 'case', 'control'" in sentence
    sentence = refused(lambda: read(labels=labels, replicates="mean"))
    assert "'S00' has 'case' and 'control'" in sentence


def test_replicates_are_averaged_over_the_values_that_are_there(read):
    values = VALUES.copy()
    values[0, 0] = values[2:4, 1] = np.nan
    dataset = read(values=values, replicates="mean")
    pairs = values.reshape(12, 2, 2)
    expected = np.array(
        [[np.nanmean(p) if not np.isnan(p).all() else np.nan for p in s.T] for s in pairs]
    )
    assert dataset.sample_ids.tolist() == list(dict.fromkeys(IDS))
    assert dataset.feature_names == ("tau", "ptau")
    np.testing.assert_allclose(dataset.X.to_numpy(float), expected)
    assert dataset.y.tolist().count("case") == 6


def test_the_first_row_of_each_id_is_kept_on_request(read):
    dataset = read(replicates="first")
    np.testing.assert_allclose(dataset.X.to_numpy(float), VALUES[::2])
    assert [entry.what for entry in dataset.reading.dropped] == ["rows"]


def test_replicates_are_kept_together_as_groups(read):
    dataset = read(replicates="group")
    assert dataset.sample_ids.tolist()[:3] == ["S00.1", "S00.2", "S01.1"]
    assert dataset.groups.tolist() == IDS
    assert dataset.feature_names == ("tau", "ptau")
    np.testing.assert_allclose(dataset.X.to_numpy(float), VALUES)


def test_groups_may_name_the_column_of_the_ids(table):
    text = rows("sample,tau,class", lambda i: f"{IDS[i]},{VALUES[i, 0]},{'ab'[i % 2]}")
    dataset = table(text, groups="sample")
    assert dataset.groups.tolist() == IDS
    assert len(set(dataset.sample_ids)) == N
    assert dataset.feature_names == ("tau",)


def test_text_is_kept_where_the_rows_of_an_id_agree(table):
    text = rows("sample,tau,site,class", lambda i: f"{IDS[i]},{i},{'xy'[i // 2 % 2]},{LABELS[i]}")
    dataset = table(text, replicates="mean")
    assert dataset.X["site"].tolist() == ["x", "y"] * 6
    assert dataset.X["tau"].tolist() == [i + 0.5 for i in range(0, N, 2)]


@pytest.mark.parametrize("cell", ["<LOD", "<0.5", "3.1*", "site"])
def test_what_cannot_be_averaged_is_refused(table, cell):
    def line(i):
        return f"{IDS[i]},{i},{cell if i % 2 else i + 0.25},{LABELS[i]}"

    text = rows("sample,tau,odd,class", line)
    sentence = refused(lambda: table(text, replicates="mean"))
    assert "'odd' of t.csv" in sentence
    assert "dataset.replicates=first" in sentence
    assert len(table(text, replicates="first").y) == 12
    assert table(text, replicates="mean", drop=["odd"]).feature_names == ("tau",)


@pytest.mark.parametrize("name", ["sample", "patient", "Subject ID", "probe", "tube"])
def test_the_first_column_or_one_with_a_name_of_ids_is_known(table, name):
    text = rows(f"{name},tau,class", lambda i: f"X{i // 3},{VALUES[i, 0]},{'ab'[i // 3 % 2]}")
    assert "8 of 8 ids" in refused(lambda: table(text))


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("sex", ["m", "f"]),
        ("group", ["g1", "g2", "g3"]),
        ("batch", [f"b{i}" for i in range(8)]),
        ("tissue", ["liver", "lung", "brain", "skin", "heart", "gut"]),
        ("anything", ["red", "green", "blue", "black"]),
    ],
)
def test_a_first_column_of_categories_is_a_feature(table, name, entries):
    text = rows(
        f"{name},tau,class",
        lambda i: f"{entries[i % len(entries)]},{VALUES[i, 0]},{'ab'[i * 7 // 3 % 2]}",
    )
    assert table(text).feature_names == (name, "tau")


def test_replicates_say_nothing_where_ids_do_not_repeat(table):
    text = rows("sample,tau,class", lambda i: f"S{i},{i}.5,{'ab'[i % 2]}")
    assert table(text).warnings == ()
    assert len(table(text, replicates="mean").y) == N


def test_numbered_ids_never_meet_another_id(table):
    ids = ["S1", "S1", "S1.1", "S2", "S2", "S3", "S3", "S4", "S4", "S5", "S5", "S6"]
    text = rows("sample,tau,class", lambda i: f"{ids[i]},{i}.5,{'ab'[i % 2]}", n=12)
    dataset = table(text, replicates="group")
    assert len(set(dataset.sample_ids)) == 12
    assert dataset.groups.tolist() == ids


def test_average_agrees_with_pandas():
    rng = np.random.default_rng(1)
    codes = rng.permutation(np.repeat(np.arange(7), 3))
    values = np.where(rng.random(21) < 0.3, np.nan, rng.normal(size=21))
    expected = pd.Series(values).groupby(codes).mean().to_numpy()
    np.testing.assert_allclose(average(values, codes, 7, TableOptions())[0], expected)
    cells = ["NA" if np.isnan(value) else repr(float(value)) for value in values]
    np.testing.assert_allclose(average(cells, codes, 7, TableOptions())[0], expected)


PERSONS = {
    "visit": ([f"subject{i // 2}_{'pre' if i % 2 else 'post'}" for i in range(N)], 12),
    "V": ([f"P{i // 3:02d}_V{i % 3 + 1}" for i in range(N)], 8),
    "letters": ([f"{i // 2 + 1}{'AB'[i % 2]}" for i in range(N)], 12),
    "tumour": ([f"P{i // 2:02d}-{'TN'[i % 2]}" for i in range(N)], 12),
    "tcga": ([f"TCGA-A1-A0{i // 2:02d}-{('01', '11')[i % 2]}" for i in range(N)], 12),
    "tcga long": ([f"TCGA-A1-A0{i // 2:02d}-{('01A', '11A')[i % 2]}-11R" for i in range(N)], 12),
    "days": ([f"mouse{i // 4}.day{7 * (i % 4)}" for i in range(N)], 6),
    "rep": ([f"{'KO' if i < 12 else 'WT'}{i // 3}_rep{i % 3}" for i in range(N)], 8),
    "some once": ([*[f"s{i // 2}_t{i % 2}" for i in range(20)], "s20_t0", "s21_t1"], 12),
}


@pytest.mark.parametrize(("ids", "n_persons"), PERSONS.values(), ids=PERSONS)
def test_persons_in_the_ids_are_advised_with_a_pattern_that_makes_them(tmp_path, ids, n_persons):
    n = len(ids)
    file = tmp_path / "t.csv"
    text = rows("sample,tau,class", lambda i: f"{ids[i]},{i * 7 % 23}.5,{'ab'[i % 2]}", n=n)
    file.write_text(text)
    dataset = Dataset.from_file(file, target="class")
    (finding,) = [entry for entry in dataset.findings if entry.code == "SD002"]
    assert f"makes {n_persons} groups" in finding.remedy
    typed = finding.remedy.split("with ")[1].split(", which")[0]
    # As bash and Hydra read it.
    (argument,) = shlex.split(typed)
    overrides = ["dataset=table", f"dataset.path={file}", "dataset.target=class", argument]
    groups = compose_dataset(overrides)["groups"]
    again = Dataset.from_file(file, target="class", groups=groups)
    assert len(set(again.groups)) == n_persons
    assert all(
        entry.startswith(group) for entry, group in zip(again.sample_ids, again.groups, strict=True)
    )
    assert not [entry for entry in again.findings if entry.code == "SD002"]


NO_PERSONS = {
    "numbers": [f"S{i}" for i in range(1, 25)],
    "plain numbers": [str(i) for i in range(1, 25)],
    "wells": [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)],
    "wells, one figure": [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)],
    "sites": [f"S{i // 12 + 1:02d}-{i % 12 + 1:03d}" for i in range(48)],
    "years": [f"{2018 + i // 6}-{i % 6 + 1:03d}" for i in range(N)],
    "classes": [*[f"case_{i}" for i in range(12)], *[f"control_{i}" for i in range(12)]],
    "accessions": [f"GSM{100234 + i}" for i in range(N)],
    "barcodes": [f"TCGA-A1-A0{i:02d}-01" for i in range(N)],
    "one ending": [f"P{i}_V1" for i in range(N)],
    "sites and persons": [f"site{i // 12}-P{i % 12:02d}" for i in range(N)],
    "classes in front": [f"{('AD', 'HC')[i % 2]}{i // 2:02d}" for i in range(N)],
    "treatments": [f"T{1 + i // 12}-{1 + i % 12:02d}" for i in range(36)],
    "endings that do not recur": [f"P{i // 2}_V{1 + i % 2 * (i + 1)}" for i in range(20)],
    "plates": [f"plate{i // 12}_{'ABCDEFGH'[i % 8]}{i % 12}" for i in range(N)],
}


@pytest.mark.parametrize("ids", NO_PERSONS.values(), ids=NO_PERSONS)
def test_ids_without_persons_give_no_advice(ids):
    assert persons_in_ids(ids) == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"^(subject\d+", "must be a regular expression"),
        (r"^subject\d+", "in parentheses"),
        (r"^(person\d+)", r"fits none of 's1_a', 's1_b', 's2_a' (3 of 3 ids)"),
        (r"^(s)", "must make several groups"),
        (r"^(x?)", "takes nothing out of 's1_a'"),
    ],
)
def test_patterns_that_make_no_groups_are_refused(pattern, said):
    with pytest.raises(ConfigError) as caught:
        groups_by_pattern(["s1_a", "s1_b", "s2_a"], pattern, {})
    assert said in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_groups_by_pattern_from_a_frame():
    frame = pd.DataFrame({"tau": VALUES[:, 0], "y": ["a", "b"] * 12}, index=PERSONS["visit"][0])
    dataset = Dataset.from_frame(frame, target="y", groups=r"id:^(subject\d+)")
    assert dataset.groups.tolist() == [f"subject{i // 2}" for i in range(N)]
