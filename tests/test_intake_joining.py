"""Files are joined on ids that may be spelled differently; what is left out is counted."""

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets import load_dataset
from smalldata.datasets.frames import dataset_from_frame
from smalldata.datasets.matching import match_ids, plain_id
from smalldata.errors import ConfigError, DataError

N = 12
VALUES = np.random.default_rng(8).normal(5, 1, N).round(3)
CLASSES = ["case", "control"] * (N // 2)


def matrix(ids, name="sample"):
    return [[name, "TP53", "EGFR"], *([i, v, v + 1] for i, v in zip(ids, VALUES, strict=False))]


def sheet(ids, name="sample", more=()):
    """A table of samples with the target; further columns stand in front."""
    header = [*(column for column, _ in more), name, "class"]
    lists = [*(entries for _, entries in more), ids, CLASSES]
    return [header, *map(list, zip(*lists, strict=False))]


@pytest.fixture
def read(tmp_path):
    def load(*tables, encoding="utf-8", **options):
        files = {}
        for name, rows in zip(("rna", "clinical", "protein"), tables, strict=False):
            files[name] = tmp_path / f"{name}.csv"
            text = "".join(",".join(map(str, row)) + "\n" for row in rows)
            files[name].write_text(text, encoding=encoding)
        return load_dataset("table", path=files, target="class", **options)

    return load


def told(dataset, code):
    (finding,) = (finding for finding in dataset.findings if finding.code == code)
    return finding


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def refused(load, error=DataError):
    with pytest.raises(error) as caught:
        load()
    return str(caught.value)


def assert_joined(dataset, ids):
    """In the order and spelling of the first file, each value beside its label."""
    assert dataset.sample_ids.tolist() == list(ids)
    np.testing.assert_array_equal(dataset.X["TP53"], VALUES[: len(ids)])
    assert dataset.y.tolist() == CLASSES[: len(ids)]


# ------------------------------------------------------------------------ ids spelled differently

NUMBERS = range(7, 7 + N)
SPELLINGS = {
    "make.names": ("TCGA.A1.{:03}", "TCGA-A1-{:03}", "punctuation"),
    "blank": ("S {}", "S_{}", "punctuation"),
    "no punctuation": ("AB-{}", "AB{}", "punctuation"),
    "case": ("Pat{}", "PAT{}", "case"),
    "leading X": ("X{}", "{}", "a leading X"),
    "leading X and punctuation": ("X{}.B", "{}-B", "punctuation and a leading X"),
    "zeros of text": ("S{:03}", "S{}", "leading zeros"),
    "zeros of numbers": ("{:04}", "{}", "leading zeros"),
    "beginning": ("Sample_{}", "{}", "what all ids of a file begin or end with"),
    "end": ("S{}", "S{}_counts.txt", "what all ids of a file begin or end with"),
    "end of both": ("S{}.rna", "S{}.prot", "what all ids of a file begin or end with"),
    "byte-order mark inside": ("\ufeffS{}", "S{}", "punctuation"),
    "composed and decomposed": ("é{}", "e\u0301{}", "unicode forms"),
}


@pytest.mark.parametrize(("one", "other", "ignored"), SPELLINGS.values(), ids=SPELLINGS)
def test_ids_that_differ_in_spelling_are_offered_and_joined_when_asked(read, one, other, ignored):
    first, second = ([form.format(n) for n in NUMBERS] for form in (one, other))
    tables = matrix(first), sheet(second)[:1] + sheet(second)[:0:-1]  # in another order
    message = refused(lambda: read(*tables, transpose=False))
    assert f"0 of 12 ids agree as written; 12 do when {ignored} " in message
    assert message.endswith("set dataset.join_ids=loose.")
    dataset = read(*tables, transpose=False, join_ids="loose")
    assert_joined(dataset, first)
    finding = told(dataset, "SD030")
    assert f"12 do when {ignored} " in finding.what
    assert repr(first[0]) in finding.what
    assert repr(second[0]) in finding.what
    assert "rna.csv" in finding.remedy


def test_numbers_of_one_file_and_text_of_another_are_one_id():
    """1.0 of a column with a gap is 1; among text it is so only when asked."""
    values = pd.DataFrame({"TP53": VALUES}, index=pd.Index(np.arange(1.0, N + 1)))
    classes = pd.DataFrame({"class": CLASSES}, index=[str(n) for n in range(1, N + 1)])
    dataset = dataset_from_frame({"rna": values, "clinical": classes}, target="class")
    assert_joined(dataset, [str(n) for n in range(1, N + 1)])
    assert not {"SD030", "SD031"} & set(codes(dataset))
    mixed = values.set_axis([*(f"{n}.0" for n in range(1, N)), "a"])
    classes = classes.set_axis([*classes.index[:-1], "a"])
    dataset = dataset_from_frame(
        {"rna": mixed, "clinical": classes}, target="class", join_ids="loose"
    )
    assert_joined(dataset, mixed.index)
    assert (
        "1 of 12 ids agrees as written; 12 do when '.0' is ignored" in told(dataset, "SD030").what
    )


def test_ids_that_agree_as_written_raise_no_finding(read):
    ids = [f"S-{n}" for n in NUMBERS]
    for how in ("exact", "loose"):
        dataset = read(matrix(ids), sheet(ids), join_ids=how)
        assert_joined(dataset, ids)
        assert not {"SD030", "SD031", "SD034"} & set(codes(dataset))


def test_loose_never_merges_two_ids_of_a_file(read):
    ids = ["S1", "S01", *(f"S{n}" for n in range(20, 30))]
    padded = ["S001", "S0001", *(f"S0{n}" for n in range(20, 30))]
    for how in ("exact", "loose"):
        message = refused(lambda how=how: read(matrix(ids), sheet(padded), join_ids=how))
        assert "More would agree without leading zeros, but 'S1' and 'S01' of rna.csv" in message
        assert ("however they are spelled" in message) == (how == "loose")
    found = match_ids({"a": ["x-1", "x.1", "Y2"], "b": ["x_1", "y2", "z"]})
    assert found.ids == {"a": ["x-1", "x.1", "Y2"], "b": ["x_1", "Y2", "z"]}
    assert found.ignored == ("case",)


def test_ids_that_agree_as_written_win():
    found = match_ids({"a": ["a1", "A-2", "s3"], "b": ["a1", "a2", "S-3", "4"]})
    assert found.ids["b"] == ["a1", "A-2", "s3", "4"]
    assert (found.n_exact, found.n_loose, found.n_ids) == (1, 3, 3)
    # Once "rna_" is cut off, "rna_2" would no longer be itself.
    found = match_ids({"a": ["rna_2", "1", "3", "4", "5"], "b": ["rna_1", "rna_2", "rna_3"]})
    assert found.ids["b"] == ["1", "rna_2", "3"]
    # Nor where it is missing in a third file.
    assert not match_ids(
        {"a": ["S1", "1", "2", "3"], "b": ["S1", "S2", "S3"], "c": ["1", "2", "3"]}
    ).gains


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["1-12", "1-13", "1-14"], ["11-2", "11-3", "11-4"]),
        (["P1", "P2", "P3", "P4"], ["S1", "S2", "S3", "S4"]),
        (["CA01", "CA02", "CA03"], ["CO01", "CO02", "CO03"]),
        (["101", "102", "103", "104"], ["201", "202", "203", "204"]),
        (["1001", "2001", "3001"], ["1", "2", "3"]),
        (["Sample11", "Sample12", "Sample13"], ["1", "2", "3"]),
        (["tumour", "normal", "margin"], ["liver", "lung", "brain"]),
        (["sample_anna", "sample_alex", "sample_ada"], ["nna", "lex", "da"]),
    ],
)
def test_other_samples_do_not_agree(one, other):
    assert not match_ids({"a": one, "b": other}).gains


def test_only_what_is_needed_is_ignored():
    one = [f"rna.TCGA.A{n}" for n in NUMBERS]
    other = [f"TCGA-A{n}-01A-11R" for n in NUMBERS]
    found = match_ids({"a": one, "b": other})
    assert found.ignored == ("punctuation", "what all ids of a file begin or end with")
    assert found.ids["b"] == one
    assert plain_id(" x-007.0".strip()) == "7"


def test_three_files_are_joined_loosely(read):
    ids = [f"S{n}" for n in NUMBERS]
    protein = [["id", "AKT"], *([f"{i}_prot", n] for n, i in enumerate(ids))]
    dataset = read(matrix([f"{i}.rna" for i in ids]), sheet(ids), protein, join_ids="loose")
    assert_joined(dataset, [f"{i}.rna" for i in ids])
    np.testing.assert_array_equal(dataset.X["AKT"], range(N))
    assert "'S7.rna' and 'S7' and 'S7_prot'" in told(dataset, "SD030").what


# ------------------------------------------------------------------------------ what is left out


def test_what_is_left_out_is_counted_in_both_directions(read):
    ids = [f"S{n}" for n in NUMBERS]
    dataset = read(matrix(ids[:10]), sheet([*ids[:8], "t1", "t2", "t3", "t4"]))
    assert_joined(dataset, ids[:8])
    assert told(dataset, "SD031").text == (
        "samples that are not in every file were left out: 2 of 10 samples of rna.csv are not in "
        "clinical.csv: 'S15', 'S16'; 4 of 12 samples of clinical.csv are not in rna.csv: 't1', "
        "'t2', 't3', 't4'"
    )
    assert "SD030" not in codes(dataset)


def test_a_part_that_differs_in_spelling_is_noticed(read):
    ids = [f"S{n}" for n in NUMBERS]
    tables = matrix(ids), sheet([*ids[:9], *map(str.lower, ids[9:])])
    dataset = read(*tables)
    assert_joined(dataset, ids[:9])
    finding = told(dataset, "SD030")
    assert finding.what.startswith("9 of 12 ids agree as written; 12 do when case is ignored")
    assert finding.remedy == "join them: dataset.join_ids=loose"
    assert_joined(read(*tables, join_ids="loose"), ids)
    # With join_how=outer they would be samples twice.
    outer = {"join_how": "outer", "drop_missing_target": True}
    assert "SD030" in codes(read(*tables, **outer))
    assert_joined(read(*tables, **outer, join_ids="loose"), ids)


def test_more_than_half_left_out_needs_a_word(read):
    ids = [f"S{n}" for n in NUMBERS]
    half = matrix(ids[:6]), sheet(ids)
    assert_joined(read(*half), ids[:6])
    most = matrix(ids[:5]), sheet(ids)
    message = refused(lambda: read(*most))
    assert "7 of 12 samples of clinical.csv are not in rna.csv: 'S12', 'S13'" in message
    assert "dataset.join_how=part" in message
    assert "join_ids" not in message
    dataset = read(*most, join_how="part")
    assert_joined(dataset, ids[:5])
    assert "7 of 12" in told(dataset, "SD031").evidence
    assert len(read(*most, join_how="outer").y) == N
    spelled = matrix([*ids[:4], *(f"s_{n}" for n in NUMBERS[4:])]), sheet(ids)
    message = refused(lambda: read(*spelled))
    assert "4 of 12 ids agree as written; 12 do when case and punctuation are ignored" in message
    assert "dataset.join_ids=loose" in message


def test_ids_in_the_header_of_another_file_offer_to_turn_it(read):
    ids = [f"S{n}" for n in NUMBERS]
    turned = [list(column) for column in zip(*matrix(ids), strict=True)]
    message = refused(lambda: read(turned, sheet(ids), transpose=False))
    assert "12 of 12 ids of clinical.csv are names of columns of rna.csv, as 'S7'" in message
    assert message.endswith("its samples stand in columns, 'dataset.transpose=[rna]'.")
    message = refused(lambda: read(matrix(ids), sheet(ids), transpose=["rna"]))
    assert message.endswith("its samples stand in rows, dataset.transpose=false.")
    assert_joined(read(turned, sheet(ids), transpose=["rna"]), ids)
    frames = {
        "rna": pd.DataFrame({"TP53": VALUES}, index=ids).T,
        "clinical": pd.DataFrame({"class": CLASSES}, index=ids),
    }
    assert "(frame.T)" in refused(lambda: dataset_from_frame(frames, target="class"))


# -------------------------------------------------------------------------- the columns of ids


def test_ids_are_named_for_each_file(read):
    ids = [f"S{n}" for n in NUMBERS]
    tubes = [f"T{n}" for n in NUMBERS]
    tables = matrix(ids, name="Group"), sheet(tubes, more=[("run", ids)])
    dataset = read(*tables, id={"rna": "Group", "clinical": "run"}, drop=["sample"])
    assert_joined(dataset, ids)
    part = read(*tables, id={"clinical": "run"}, drop=["sample"])
    assert_joined(part, ids)
    assert part.reading.settings["id"] == {"rna": "Group", "clinical": "run"}  # all is fixed
    assert "there is no block 'clincal'; did you mean 'clinical'?" in refused(
        lambda: read(*tables, id={"clincal": "run"}), ConfigError
    )
    assert "a column of clinical.csv; there is no column 'rum'; did you mean 'run'?" in refused(
        lambda: read(*tables, id={"clinical": "rum"}), ConfigError
    )
    # One name is the column of the files that have it.
    tables = matrix(ids), sheet(ids, name="u", more=[("tube", tubes)])
    dataset = read(*tables, id="u", drop=["tube"])
    assert_joined(dataset, ids)
    assert "SD034" not in codes(dataset)
    # What is named is taken, also if another column would fit.
    assert "share none" in refused(lambda: read(*tables, id={"clinical": "tube"}))


def test_ids_are_named_for_each_frame():
    ids = [f"S{n}" for n in NUMBERS]
    frames = {
        "rna": pd.DataFrame({"TP53": VALUES}, index=ids),
        "clinical": pd.DataFrame({"run": ids, "class": CLASSES}, index=list("abcdefghijkl")),
    }
    dataset = dataset_from_frame(frames, target="class", id={"clinical": "run"})
    assert_joined(dataset, ids)
    assert dataset.feature_names == ("TP53",)
    assert "did you mean 'rna'" in refused(
        lambda: dataset_from_frame(frames, target="class", id={"rnaa": "run"}), ConfigError
    )


def test_a_column_of_ids_is_found_by_the_ids_of_another_file(read):
    ids = [str(n) for n in NUMBERS]
    measured = [("age", VALUES)]
    rows = sheet(ids, name="nr_2", more=measured)
    dataset = read(matrix(ids), rows, features=["TP53", "age"])
    assert_joined(dataset, ids)
    assert dataset.feature_names == ("TP53", "age")
    assert told(dataset, "SD034").text == (
        "the ids of clinical.csv were taken from 'nr_2', which holds those of another file; say "
        "otherwise with 'dataset.id={clinical: COLUMN}'"
    )
    assert dataset.reading.settings["id"]["clinical"] == "nr_2"
    pairs = [("pair", [min(NUMBERS) + n // 2 for n in range(N)])]
    assert_joined(read(matrix(ids), sheet(ids, name="nr_2", more=[*measured, *pairs])), ids)
    # A column that looks like ids, but of something else, gives way.
    tubes = [("barcode", [f"T{n}" for n in NUMBERS])]
    dataset = read(matrix(ids), sheet(ids, name="nr_2", more=tubes), drop=["barcode"])
    assert_joined(dataset, ids)


def test_a_column_that_is_not_plainly_the_ids_is_not_taken(read):
    ids = [str(n) for n in NUMBERS]
    age = ("age", VALUES)

    def message(entries, *more):
        return refused(lambda: read(matrix(ids), sheet(entries, "nr_2", more=[age, *more])))

    unknown = (
        "none were found in clinical.csv. Name their column with 'dataset.id={clinical: COLUMN}'."
    )
    assert message([*range(7, 17), 99, 98]).endswith(unknown)  # too few are ids
    assert message(ids, ("rank", sorted(ids, reverse=True))).endswith(unknown)  # two could be
    assert "'7' occur more than once in clinical.csv" in message([7, 7, *range(9, 19)])


@pytest.mark.parametrize("start", [0, 1])
def test_row_numbers_without_a_name_are_neither_ids_nor_features(read, start):
    ids = [f"S{n}" for n in NUMBERS]
    numbers = ["", *range(start, N + start)]
    rows = [[number, *row] for number, row in zip(numbers, matrix(ids), strict=True)]
    dataset = read(rows, sheet(ids))
    assert_joined(dataset, ids)
    assert dataset.feature_names == ("TP53", "EGFR")
    assert dataset.reading.settings["id"] == {"rna": "sample", "clinical": "sample"}
    assert read(rows, sheet(ids), id="sample").feature_names == ("TP53", "EGFR")
    # Other numbers without a name are refused as before: they may be values.
    rows[1][0] = 40
    assert "must not be empty" in refused(lambda: read(rows, sheet(ids), id="sample"))


def test_the_default_index_of_a_frame_gives_way_to_a_column_of_ids():
    ids = [f"S{n}" for n in NUMBERS]
    frames = {
        "rna": pd.DataFrame({"TP53": VALUES, "rank": range(N)}, index=ids),
        "clinical": pd.DataFrame({"class": CLASSES, "specimen_2": ids}),
    }
    dataset = dataset_from_frame(frames, target="class")
    assert_joined(dataset, ids)
    assert dataset.feature_names == ("TP53", "rank")


def test_ids_that_repeat_in_one_of_several_files_say_what_to_do(read):
    ids = [f"S{n}" for n in NUMBERS]
    message = refused(lambda: read(matrix([*ids[:-1], "S7"]), sheet(ids)))
    assert message.startswith(
        "sample ids must be unique; 1 of 11 ids in 'sample' of rna.csv repeat"
    )
    assert "dataset.replicates=mean" in message
    assert "'dataset.id={rna: COLUMN}'" in message


def test_a_byte_order_mark_is_no_part_of_the_ids(read):
    ids = [f"S{n}" for n in NUMBERS]
    assert_joined(read(matrix(ids), sheet(ids), encoding="utf-8-sig"), ids)
