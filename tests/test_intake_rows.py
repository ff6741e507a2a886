"""Ids that repeat are replicates, groups or refused; persons hidden in ids are named."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset
from smalldata.config.hydra import quote_override
from smalldata.datasets import load_dataset
from smalldata.datasets.averaging import average
from smalldata.datasets.options import TableOptions
from smalldata.datasets.persons import persons_in_ids
from smalldata.datasets.replicates import groups_by_pattern
from smalldata.errors import ConfigError, DataError


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def typed(text, key):
    """Give the value of the option that a sentence shows, as the command line takes it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (word,) = [word for word in shlex.split(text) if word.startswith(f"dataset.{key}=")]
    return OverridesParser.create().parse_override(quote_override(word)).value()


@pytest.fixture
def read(tmp_path):
    def load(rows, *, target="class", sep=",", **values):
        path = tmp_path / "my.csv"
        path.write_text("\n".join(sep.join(map(str, row)) for row in rows))
        return load_dataset("table", path=str(path), target=target, **values)

    return load


def replicated(*, id="sample", n=24, each=2, agree=True):
    """Give a table in which each id stands in several rows, with a category that differs."""
    generator = np.random.default_rng(0)
    rows = [[id, "x", "tone", "class"]]
    for row in range(n):
        sample = row // each
        side = sample if agree else row
        x = round(float(generator.normal()), 3)
        rows.append([f"S{sample:02d}", x, "hi" if row % 4 else "lo", ["case", "control"][side % 2]])
    return rows


@pytest.mark.parametrize("id", ["sample", "Muestra", ""])
def test_an_id_that_repeats_is_refused_with_both_commands(read, id):
    together = "dataset.groups=" + id if id else "dataset.replicates=group"
    with pytest.raises(DataError) as error:
        read(replicated(id=id))
    assert "12 of 12 ids" in str(error.value)
    assert "'S00' twice" in str(error.value)
    assert together in str(error.value)
    assert "dataset.replicates=mean" in str(error.value)
    with pytest.raises(DataError, match="'S00': 'case', 'control'") as error:
        read(replicated(id=id, agree=False))
    assert "mean" not in str(error.value)


def test_replicates_are_averaged(read):
    rows = replicated()
    dataset = read(rows, replicates="mean")
    x = np.array([row[1] for row in rows[1:]])
    np.testing.assert_allclose(dataset.X["x"], x.reshape(12, 2).mean(axis=1))
    # hi and lo are as frequent in every second sample: the first in the file counts.
    assert list(dataset.X["tone"]) == ["lo", "hi"] * 6
    assert dataset.sample_ids.tolist() == [f"S{sample:02d}" for sample in range(12)]
    assert dataset.y.tolist() == ["case", "control"] * 6
    assert "rows of one id averaged: 24 to 12" in dataset.messages[0]
    with pytest.raises(DataError, match="must have one label to be made one; 'S00' has 'case'"):
        read(replicated(agree=False), replicates="mean")


def test_the_first_replicate_is_taken(read):
    rows = replicated()
    dataset = read(rows, replicates="first")
    assert dataset.X["x"].tolist() == [row[1] for row in rows[1::2]]
    (gone,) = dataset.reading.dropped
    assert (gone.what, len(gone.names)) == ("rows", 12)


@pytest.mark.parametrize("how", [{"replicates": "group"}, {"groups": "sample"}])
def test_replicates_are_kept_together(read, how):
    dataset = read(replicated(agree=False), **how)
    assert dataset.sample_ids.tolist()[:3] == ["S00.1", "S00.2", "S01.1"]
    assert dataset.groups.tolist()[:3] == ["S00", "S00", "S01"]
    assert dataset.feature_names == ("x", "tone")


def test_rows_of_one_id_are_in_one_of_the_groups_named(read):
    rows = replicated(agree=False)
    person = [["person"], *([f"p{row // 4}"] for row in range(24))]
    dataset = read([[*row, *one] for row, one in zip(rows, person, strict=True)], groups="person")
    assert dataset.groups.tolist()[:5] == ["p0"] * 4 + ["p1"]
    assert len(set(dataset.sample_ids)) == 24
    person = [["person"], *([f"p{row % 4}"] for row in range(24))]
    with pytest.raises(DataError, match="'S00' is in 'p0' and 'p1'"):
        read([[*row, *one] for row, one in zip(rows, person, strict=True)], groups="person")


def test_replicates_in_one_of_two_files(tmp_path):
    rows = replicated()
    pd.DataFrame(rows[1:], columns=rows[0])[["sample", "x"]].to_csv(tmp_path / "a.csv", index=False)
    sheet = pd.DataFrame(rows[1:], columns=rows[0])[["sample", "class"]].drop_duplicates()
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    files = {"rna": tmp_path / "a.csv", "sheet": tmp_path / "sheet.csv"}
    with pytest.raises(DataError, match=r"in 'sample' of a.csv repeat: 'S00' twice"):
        Dataset.from_file(files, target="class")
    averaged = Dataset.from_file(files, target="class", replicates="mean")
    assert averaged.X.shape == (12, 1)
    whole = Dataset.from_file(files, target="class", groups="sample")
    assert whole.X["x"].tolist() == [row[1] for row in rows[1:]]
    assert whole.y.tolist() == [row[3] for row in rows[1:]]
    assert whole.groups.tolist() == [row[0] for row in rows[1:]]


def test_repeated_rows_of_a_frame_are_refused_and_averaged():
    frame = pd.DataFrame(replicated()[1:], columns=replicated()[0]).set_index("sample")
    with pytest.raises(DataError, match="ids in the index of frame repeat"):
        Dataset.from_frame(frame, target="class")
    assert Dataset.from_frame(frame, target="class", replicates="mean").X.shape == (12, 2)


def test_a_target_of_numbers_is_averaged_too(read):
    rows = [["sample", "x", "y"], *([f"S{row // 2}", row / 3, row / 7] for row in range(60))]
    dataset = read(rows, target="y", replicates="mean")
    np.testing.assert_allclose(dataset.y, np.arange(0.5, 60, 2) / 7, rtol=1e-12)


def test_a_first_column_of_batches_or_groups_is_a_feature(read):
    for name in ("batch", "week", "Country", "cell_type"):
        rows = [[name, "x", "class"]]
        rows += [[f"B{row % 6}", row / 3, "ab"[row % 2]] for row in range(24)]
        assert read(rows).feature_names == (name, "x")
    rows = [["arm_of_study", "x", "class"]]
    rows += [[["old", "new", "none"][row % 3], row / 3, "ab"[row % 2]] for row in range(24)]
    assert read(rows).feature_names == ("arm_of_study", "x")


def test_average_knows_numbers_words_and_what_is_neither():
    rows = np.array([0, 0, 1, 1, 2, 2])
    values = average(np.array([1, np.nan, np.nan, np.nan, 2, 4.0]), rows, 3, TableOptions())[0]
    np.testing.assert_array_equal(values, [1, np.nan, 3])
    np.testing.assert_array_equal(
        average(["1,5", "NA", "2", "3", "", "0"], rows, 3, TableOptions(), decimal=",")[0],
        [1.5, 2.5, 0],
    )
    assert average(["b", "a", "a", "", "b", "b"], rows, 3, TableOptions())[0] == ["b", "a", "b"]
    assert average(["1", "<LOD", "2", "3", "4", "5"], rows, 3, TableOptions()) is None
    assert average(["b", "a", "a", "", "b", "b"], rows, 3, TableOptions(), words=True) is None


PAIRED = {
    "visits": ([f"P{row // 2:02d}_V{row % 2 + 1}" for row in range(24)], r"id:^(P\d+)"),
    "before and after": (
        [f"subject{row // 2}_{['pre', 'post'][row % 2]}" for row in range(24)],
        r"id:^(subject\d+)",
    ),
    "letters": ([f"{row // 2}{'AB'[row % 2]}" for row in range(24)], r"id:^(\d+)"),
    "tumour and normal": ([f"P{row // 2:02d}-{'TN'[row % 2]}" for row in range(24)], r"id:^(P\d+)"),
    "words": ([f"{row // 2}.{['baseline', 'week4'][row % 2]}" for row in range(24)], r"id:^(\d+)"),
    "blanks": ([f"patient {row // 2} {['Tumor', 'Normal'][row % 2]}" for row in range(24)], None),
    "one visit more": ([*(f"P{row // 2:02d}_V{row % 2 + 1}" for row in range(24)), "P03_V3"], None),
    "three visits": ([f"MS-{row // 3}-T{row % 3}" for row in range(24)], None),
    "TCGA": (
        [f"TCGA-A{row // 10}-{1000 + row // 2}-{['01A', '11A'][row % 2]}" for row in range(24)],
        None,
    ),
}


@pytest.mark.parametrize("kind", PAIRED)
def test_persons_in_ids_are_named_with_a_pattern_that_works(kind):
    ids, pattern = PAIRED[kind]
    (finding,) = persons_in_ids(ids)
    value = typed(finding.remedy.replace(", which", " , which"), "groups")
    assert pattern in (None, value)
    groups = groups_by_pattern(ids, value.removeprefix("id:"), {})
    n_groups = int(re.search(r"makes (\d+) groups", finding.remedy)[1])
    assert len(set(groups)) == n_groups
    assert n_groups == len(ids) // (3 if kind == "three visits" else 2)


@pytest.mark.parametrize(
    "ids",
    [
        [f"S{row}" for row in range(1, 25)],
        [f"S_{row:02d}" for row in range(24)],
        [f"{letter}{number:02d}" for letter in "ABCDEFGH" for number in range(1, 13)],
        [f"{number}{letter}" for letter in "ABCDEFGH" for number in range(1, 13)],
        [f"TCGA-{row:02d}-{1000 + row}-01" for row in range(24)],
        [f"{side}_{row}" for side in ("case", "control") for row in range(12)],
        [f"{row}_{['case', 'control'][row % 2]}" for row in range(24)],
        [f"{site:02d}-{row:03d}" for site in range(3) for row in range(8)],
        [f"2020-0{row // 4 + 1}-{row % 4 + 10}" for row in range(24)],
        [f"S{row}_L001" for row in range(24)],
        [f"K{row // 2}-{'abcdefghijkl'[row]}" for row in range(12)],
        ["Anna", "Bob", "Cid", "Dora", "Eva", "Finn", "Gus", "Hal"],
    ],
)
def test_ordinary_ids_name_no_persons(ids):
    assert persons_in_ids(ids) == []


def test_random_numbering_is_seldom_taken_for_persons():
    generator = np.random.default_rng(0)
    n_alarms = 0
    for _ in range(300):
        n = int(generator.integers(10, 120))
        first = generator.choice(200, size=n, replace=False)
        letters = generator.choice(list("ABC"), size=n)
        n_alarms += bool(persons_in_ids([f"K{i}-{x}" for i, x in zip(first, letters, strict=True)]))
    assert n_alarms == 0


def test_groups_are_taken_out_of_the_ids(read):
    rows = [["sample", "x", "class"]]
    rows += [
        [f"subject{row // 2}_{'pre' if row % 2 else 'post'}", row / 3, ["no", "yes"][row % 2]]
        for row in range(24)
    ]
    dataset = read(rows)
    assert codes(dataset) == ["SD002"]
    assert "makes 12 groups" in dataset.warnings[0]
    value = typed(dataset.findings[0].remedy.replace(", which", " , which"), "groups")
    grouped = read(rows, groups=value)
    assert grouped.groups.tolist()[:3] == ["subject0", "subject0", "subject1"]
    assert codes(grouped) == []
    for pattern, sentence in {
        r"id:^(subject\d+": "must be a regular expression",
        r"id:^(person\d+)": r"fits none of 'subject0_post', .*\(24 of 24 ids\)",
        r"id:^subject\d+": "must hold the name of the group in parentheses",
        r"id:^(subject)": "must make several groups",
        r"id:^(x?)": "takes nothing out of",
    }.items():
        with pytest.raises(ConfigError, match=sentence):
            read(rows, groups=pattern)


def test_an_id_that_repeats_beside_another_is_no_feature(read):
    rows = [["sample", "subject", "x", "class"]]
    rows += [[f"s{row}", row // 2, row / 3, "ab"[row % 2]] for row in range(24)]
    dataset = read(rows)
    assert (dataset.feature_names, codes(dataset)) == (("x",), ["SD008"])
    assert read(rows, groups="subject").groups.tolist()[:3] == ["0", "0", "1"]
    assert read(rows, categorical=["subject"]).feature_names == ("subject", "x")
    assert read(rows, drop=["subject"]).findings == ()
