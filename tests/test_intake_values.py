"""Cells that are no numbers among numbers: limits of detection, flags, markers, zeros."""

import shlex

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from smalldata import dataset_from_frame
from smalldata.datasets import load_dataset
from smalldata.datasets.columns import parse_number, type_column
from smalldata.datasets.detection import read_cell
from smalldata.errors import DataError

N = 12


def parse(text, decimal="."):
    return parse_number(text, decimal)


def table(cells, *, n=N, **columns):
    """A table whose column x begins with these cells and goes on with 1.5, 2.5 …"""
    cells = [*cells, *(f"{place}.5" for place in range(1, n - len(cells) + 1))]
    return pd.DataFrame({"x": cells, **columns, "y": ["case", "control"] * (n // 2)})


def read(cells, **options):
    return dataset_from_frame(table(cells), target="y", **options)


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def refusal(frame, **options):
    with pytest.raises(DataError) as caught:
        dataset_from_frame(frame, target="y", **options)
    return str(caught.value)


# ---------------------------------------------------------------- one cell


@pytest.mark.parametrize(
    "cell",
    [
        *("<LOD", "< LOD", "<lloq", "<LLOD", "<MDL", "LOD", "LOQ", "LLOQ", "BDL", "bdl", "BLQ"),
        *("BLOQ", "n.d.", "N.D.", "ND", "nd", "n. d.", "NQ", "not detected", "Not Detected"),
        *("non-detect", "undetected", "below LOD", "Below detection limit", "below_detection"),
        *("trace", "OOR <", "<", "&lt;LOD", "≤LOQ", "＜LOD", "nicht nachweisbar"),
        *("non détecté", "NON DÉTECTÉ", "no detectado", "unter Nachweisgrenze", "< NWG"),
    ],
)
def test_words_for_a_value_below_a_limit_are_known(cell):
    found = read_cell(cell, parse)
    assert (found.kind, found.number) == ("below", None)


@pytest.mark.parametrize(
    ("cell", "limit"),
    [
        *(("< 0.05", 0.05), ("<0.05", 0.05), ("<=0.05", 0.05), ("≤ 0.05", 0.05), ("<.5", 0.5)),
        *(("< 0,05", 0.05), ("<1e-3", 1e-3), ("< 1,000", 1000.0), ("<0.05*", 0.05)),
        *(("< 0.05 ng/ml", 0.05), ("ND (0.05)", 0.05), ("<LOD (0.05)", 0.05)),
        *(("0.05 (LOD)", 0.05), ("0.05 <LLOQ", 0.05), ("0.05 BLQ", 0.05)),
        *(("below 0.05", 0.05), ("LT 0.05", 0.05), ("&lt;0.05", 0.05), ("< -1.5", -1.5)),
    ],
)
def test_the_limit_that_a_cell_states_is_read(cell, limit):
    found = read_cell(cell, parse)
    assert (found.kind, found.number) == ("below", limit)


@pytest.mark.parametrize(
    ("cell", "limit"),
    [
        *(("> 500", 500.0), (">500", 500.0), ("≥500", 500.0), (">=500", 500.0)),
        *(("above 500", 500.0), (">ULOQ", None), ("OOR >", None), ("ULOQ", None)),
    ],
)
def test_a_value_above_a_limit_is_known(cell, limit):
    found = read_cell(cell, parse)
    assert (found.kind, found.number) == ("above", limit)


@pytest.mark.parametrize(
    ("cell", "number", "sign"),
    [
        *(("12.3*", 12.3, "*"), ("*3", 3.0, "*"), ("5 **", 5.0, "**"), ("7 (J)", 7.0, "(J)")),
        *(("7(J)", 7.0, "(J)"), ("0.5†", 0.5, "†"), ("4 #", 4.0, "#"), ("-2.5*", -2.5, "*")),
        *(("1.5[b]", 1.5, "[b]"), ("1e5*", 1e5, "*"), ("3¹", 3.0, "¹"), ("3 ↑", 3.0, "↑")),
        *(("5.1^a", 5.1, "^a"), ("(5.1)", 5.1, "()"), ("[5.1]", 5.1, "[]")),
    ],
)
def test_a_sign_beside_a_number_is_a_flag(cell, number, sign):
    found = read_cell(cell, parse)
    assert (found.kind, found.number, found.sign) == ("flag", number, sign)


@pytest.mark.parametrize(
    ("cell", "number", "sign"),
    [
        *(("5.1a", 5.1, "a"), ("0.4 H", 0.4, "H"), ("J 5", 5.0, "J"), ("5ab", 5.0, "ab")),
        *(("5.1a*", 5.1, "a*"), ("2+", 2.0, "+")),
    ],
)
def test_one_or_two_letters_beside_a_number_are_told_apart(cell, number, sign):
    found = read_cell(cell, parse)
    assert (found.kind, found.number, found.sign) == ("letter", number, sign)


@pytest.mark.parametrize("cell", ["1e5", "1E5", "-3", "1,234", "+2", "1'000"])
def test_a_number_has_no_flag(cell):
    assert read_cell(cell, parse).kind == "number"


@pytest.mark.parametrize(
    "cell",
    [
        *("12E", "12e", "high", "5%", "1-Sep", "40-60", "1.2.3", "5abc", "Undetermined", "p53x2"),
        *("a5b", "2021-01-01", "1_000", "<high", "5*6"),
    ],
)
def test_other_text_is_a_word(cell):
    assert read_cell(cell, parse).kind == "word"


# ---------------------------------------------------------------- one column


@pytest.mark.parametrize(
    "cells",
    [
        ["5a", "7b", "8c", "9d"],
        ["A1", "B2", "A1", "B2"],
        ["<40", "40-60", ">60", "<40"],
        ["<40", ">=40", "<40", ">=40"],
        ["AD", "ND", "AD", "ND"],
        ["ND", "ND", "", "ND"],
        ["0", "1+", "2+", "3+"],
        ["12A", "12B", "13", "14A"],
    ],
)
@pytest.mark.parametrize("below", [None, "half"])
def test_text_stays_text(cells, below):
    if below and set(cells) == {"ND", ""}:
        return  # asked for, ND alone is a value below a limit
    typed = type_column(cells, below_detection=below, strip_flags=True)
    assert isinstance(typed.values, pd.Categorical)
    assert set(typed.values.dropna()) == set(cells) - {""}


@pytest.mark.parametrize(
    ("below", "expected"), [("missing", [np.nan] * 2), ("half", [0.1, 0.2]), ("value", [0.2, 0.4])]
)
def test_a_stated_limit_gives_its_share(below, expected):
    dataset = read(["< 0.2", "<0.4"], below_detection=below)
    np.testing.assert_array_equal(dataset.X["x"][:3], [*expected, 1.5])
    assert dataset.below is None  # nothing is left to learn
    assert codes(dataset) == ["SD041"]


def test_a_limit_that_is_not_stated_is_lower_than_all_else():
    dataset = read(["<LOD", "< 0.2", ">ULOQ", "> 90"], below_detection="half")
    assert dataset.X["x"][:5].tolist() == [-np.inf, 0.1, np.inf, 90.0, 1.5]
    assert dataset.below.factor == 0.5
    assert dict(dataset.below.stated) == {"x": (0.1,)}
    assert "missing values" not in dataset.messages[0]


def test_values_above_a_limit_are_the_limit_even_where_those_below_are_missing():
    dataset = read(["> 90", ">ULOQ", "<LOD"], below_detection="missing")
    np.testing.assert_array_equal(dataset.X["x"][:4], [90.0, np.nan, np.nan, 1.5])
    said = [str(finding) for finding in dataset.findings]
    assert "2 cells above a limit" in said[1]
    assert "'> 90' 1, '>ULOQ' 1" in said[1]


def test_a_column_that_is_mostly_below_its_limit_is_numeric():
    dataset = read(["<LOD"] * 9, below_detection="missing")
    assert dataset.X["x"].notna().sum() == 3


def test_decimal_commas_are_read_in_limits_and_flags():
    cells = ["< 0,05", "2,5*", "1,5 a", *(f"{place},25" for place in range(9))]
    dataset = dataset_from_frame(
        table(cells), target="y", below_detection="value", strip_flags=True
    )
    assert dataset.X["x"][:4].tolist() == [0.05, 2.5, 1.5, 0.25]


def test_percentages_may_be_below_a_limit():
    typed = type_column(["12%", "5 %", "<1%", "<LOD"], below_detection="half", gather=True)
    np.testing.assert_array_equal(typed.values, [12, 5, 0.5, np.nan])


def test_half_of_a_negative_number_is_refused_and_its_value_is_not():
    cells = ["-1.5", "<LOD", "-0.5"]
    with pytest.raises(DataError, match="half needs columns without negative values"):
        read(cells, below_detection="half")
    assert read(cells, below_detection="value").X["x"][1] == -np.inf
    assert read(["< -1.5"], below_detection="value").X["x"][0] == -1.5


def test_negative_columns_without_limits_are_no_matter():
    frame = table(["<LOD"], z=[f"{place - 4}" for place in range(N)])
    assert dataset_from_frame(frame, target="y", below_detection="half").X["z"][0] == -4


@pytest.mark.parametrize("below", [None, "half", "value"])
def test_infinities_of_the_table_are_refused_as_ever(below):
    with pytest.raises(DataError, match="values must be finite; column 'z' of sample '3' is -inf"):
        dataset_from_frame(
            table(["<LOD" if below else "1.5"], z=[1.0, 2.0, 3.0, -np.inf] + [5.0] * 8),
            target="y",
            below_detection=below,
        )


def test_a_column_without_any_seen_value_is_empty():
    with pytest.raises(DataError, match=r"'x' holds none \(1 of 1 columns\). Leave it out"):
        read(["<LOD"] * N, below_detection="half")
    frame = table(["<LOD"] * N, z=range(N))
    dataset = dataset_from_frame(frame, target="y", below_detection="half", drop_empty=True)
    assert dataset.feature_names == ("z",)


def test_next_to_zeros_and_ones_nd_is_a_word():
    frame = table([], z=["1", "0", "ND", "1", "<LOD", *"1010101"])
    said = refusal(frame, below_detection="half")
    assert "'z' has 'ND' in row 2" in said
    assert "'dataset.missing=[ND]'" in said
    dataset = dataset_from_frame(frame, target="y", below_detection="half", missing=["ND"])
    np.testing.assert_array_equal(dataset.X["z"][:5], [1, 0, np.nan, 1, -np.inf])


def test_where_nd_may_mean_not_done_that_is_offered():
    said = refusal(table(["ND", "<LOD"]))
    assert "where 'ND' means not done, with 'dataset.missing=[ND]')" in said
    assert "not done" not in refusal(table(["BDL", "<LOD"]))


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_column_of_markers_alone_is_numeric(decimal):
    typed = type_column(["*", ".", "_", "", "x"], decimal=decimal, missing=["x"])
    assert typed.values.dtype == float
    assert np.isnan(typed.values).all()


def test_a_marker_named_missing_is_missing():
    dataset = read(["ND", "<LOD"], below_detection="half", missing=["ND"])
    np.testing.assert_array_equal(dataset.X["x"][:3], [np.nan, -np.inf, 1.5])


def test_brackets_are_taken_off_with_the_warning_that_no_sign_is_read():
    with pytest.raises(DataError, match=r"strip_flags=true \(numbers in brackets are not negative"):
        read(["(5.1)"])
    dataset = read(["(5.1)"], strip_flags=True)
    assert dataset.X["x"].iloc[0] == 5.1
    assert any("'()' 1" in str(finding) for finding in dataset.findings)


def test_flags_are_taken_off_and_said():
    dataset = read(["12.3*", "5.1a", "4*"], strip_flags=True)
    assert dataset.X["x"][:4].tolist() == [12.3, 5.1, 4.0, 1.5]
    assert [str(finding) for finding in dataset.findings] == [
        "flags taken off 3 numbers in 1 column: '*' 2, 'a' 1 [SD042]"
    ]


# ---------------------------------------------------------------- one sentence for the table


def messy():
    return table(
        ["<LOD", "n.d.", "12.3*"],
        b=["< 0.05", "ND", "ND", "oops", *map(str, range(8))],
        c=["it's", 'say "x"', "a\\b", "[x, y]", *map(str, range(8))],
        plain=range(N),
        place=["5a", "7b"] * 6,
    )


def test_one_refusal_names_all_cells_of_all_columns():
    said = refusal(messy())
    assert said.startswith(
        "a numeric column must hold numbers only; 'x', 'b', 'c' have 11 other cells, first '<LOD' "
        "in row 0: below a limit of detection "
    )
    for part in ("'ND' 2", "'< 0.05' 1", "'<LOD' 1", "'n.d.' 1", "flags '*' 1", "'oops' 1"):
        assert part in said
    assert "place" not in said
    assert "plain" not in said


def typed_options(said):
    """Options of a sentence, as a command line would take them."""
    together = said[said.index("(all together: ") + len("(all together: ") :]
    words = shlex.split(together[: together.index("); or take columns")])
    overrides = OverridesParser.create().parse_overrides(words)
    return {entry.key_or_group.removeprefix("dataset."): entry.value() for entry in overrides}


def test_the_table_opens_when_the_options_are_typed_as_written():
    options = typed_options(refusal(messy()))
    assert options["missing"] == ["oops", "it's", 'say "x"', "a\\b", "[x, y]"]
    dataset = dataset_from_frame(messy(), target="y", **options)
    assert dataset.X["x"][:4].tolist() == [-np.inf, -np.inf, 12.3, 1.5]
    assert dataset.X["b"].isna().sum() == 1
    assert dataset.X["c"].isna().sum() == 4
    assert sorted(set(codes(dataset)) & {"SD040", "SD041", "SD042"}) == ["SD040", "SD041", "SD042"]


def test_a_table_of_many_words_is_not_offered_as_missing():
    n = 200
    cells = [f"word{place}" for place in range(80)]
    said = refusal(table(cells, n=n))
    assert "dataset.missing" not in said
    assert "dataset.categorical" in said


def test_files_of_all_kinds_give_the_same(tmp_path):
    frame = table(["<LOD", "< 0,2", "3.5*"]).assign(id=[f"s{place}" for place in range(N)])
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    for file in ("t.csv", "t.tsv", "t.parquet", "t.xlsx"):
        dataset = load_dataset(
            "table",
            path=str(tmp_path / file),
            target="y",
            below_detection="half",
            strip_flags=True,
        )
        assert dataset.X["x"][:4].tolist() == [-np.inf, 0.1, 3.5, 1.5]


def test_usual_markers_are_said_with_their_counts():
    dataset = read(["-", "-", ".", "#N/A", "", "NA"])
    assert [finding.text for finding in dataset.findings] == [
        "5 cells in 1 column taken as missing: '-' 2, '#N/A' 1, '.' 1, 'NA' 1"
    ]
    assert dataset.findings[0].level == "note"


def test_gaps_that_all_know_are_not_said():
    assert read(["", "NA", "NaN", "nan", "na"]).findings == ()


# ---------------------------------------------------------------- what is told of the limits


def test_the_reading_has_the_share_below_by_feature_and_class():
    frame = table(["<LOD", "1", "< 0.1", "2"], z=range(N))
    for below in ("missing", "half"):
        reading = dataset_from_frame(frame, target="y", below_detection=below).reading
        assert reading.censored == {"x": pytest.approx(2 / N)}
        assert reading.censored_by_class == {"case": pytest.approx(2 / 6), "control": 0.0}


def test_the_name_and_the_fingerprint_follow_the_option():
    from smalldata.task import make_task

    found = [read(["<LOD"], below_detection=below) for below in ("missing", "half", "value")]
    assert len({dataset.name for dataset in found}) == 3
    assert len({make_task(dataset).content_key for dataset in found}) == 3


# ---------------------------------------------------------------- zeros


def test_zeros_are_missing_where_asked_for():
    frame = table(["0", "1", "0"], flag=[0, 1] * 6, z=[0.0, 5.0] * 6)
    dataset = dataset_from_frame(frame, target="y", zeros="missing")
    assert dataset.X["x"].isna().sum() == 2
    assert dataset.X["z"].isna().sum() == 6
    assert dataset.X["flag"].notna().all()  # 0 and 1 are an answer
    assert [str(entry) for entry in dataset.findings if entry.code == "SD043"] == [
        "8 zeros in 2 columns taken as missing: 'x', 'z' [SD043]"
    ]


def intensities(n_columns=6, n=40, seed=0):
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(14, 1.5, size=(n, n_columns))).round(-2)
    values[rng.random(values.shape) < 0.2] = 0
    return values


def counts(n_columns=30, n=40, seed=0):
    rng = np.random.default_rng(seed)
    means = np.exp(rng.normal(4, 3, size=n_columns))
    return rng.negative_binomial(2, 2 / (2 + means), size=(n, n_columns)).astype(float)


def zero_findings(values):
    frame = pd.DataFrame(values, columns=[f"f{place}" for place in range(values.shape[1])])
    frame["y"] = ["case", "control"] * (len(values) // 2)
    dataset = dataset_from_frame(frame, target="y")
    return [entry for entry in dataset.findings if entry.code == "SD043"]


@pytest.mark.parametrize("seed", range(5))
def test_zeros_among_intensities_are_suspected(seed):
    (found,) = zero_findings(intensities(seed=seed))
    assert found.remedy == "if they are, set dataset.zeros=missing"
    assert "in 6 columns" in found.what


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "make",
    [
        counts,
        lambda seed: counts(seed=seed) / counts(seed=seed).sum(axis=1, keepdims=True) * 1e6,  # CPM
        lambda seed: np.log2(intensities(seed=seed) + 1),
        lambda seed: intensities(n_columns=2, seed=seed),
        lambda seed: np.maximum(intensities(seed=seed), 1500.0),
        lambda seed: np.hstack([counts(seed=seed), intensities(n_columns=3, seed=seed)]),
    ],
    ids=["counts", "cpm", "logs", "two columns", "no zeros", "mostly counts"],
)
def test_zeros_that_are_counts_are_not_suspected(make, seed):
    assert zero_findings(make(seed=seed)) == []
