"""What stands around the numbers of a table is told from them: text, units, upper headers, rows
that belong to the samples."""

import gzip

import numpy as np
import openpyxl
import pytest

from smalldata.datasets import load_dataset
from smalldata.datasets.units import is_unit, rows_below
from smalldata.errors import ConfigError, DataError
from smalldata.report.sections.task import summarize_task
from smalldata.task import make_task

N = 12
IDS = [f"pat-{n}" for n in range(1, N + 1)]
NAMES = ["LDL", "HDL", "CRP", "IL6"]
CLASSES = ["sick", "healthy"] * (N // 2)
VALUES = np.random.default_rng(4).normal(5, 1, (N, len(NAMES))).round(2)
TABLE = [
    ["who", *NAMES, "state"],
    *([i, *row, c] for i, row, c in zip(IDS, VALUES, CLASSES, strict=True)),
]


def text_of(rows, separator=","):
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def read(tmp_path):
    def load(content, *, name="my.csv", target="state", **options):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_dataset("table", path=file, target=target, **options)

    return load


def assert_table(dataset, names=NAMES):
    assert dataset.feature_names == tuple(names)
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES)
    assert dataset.sample_ids.tolist() == IDS
    assert dataset.y.tolist() == CLASSES


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def told(dataset, code):
    (finding,) = (finding for finding in dataset.findings if finding.code == code)
    return finding


# --------------------------------------------------------------------------- text around a table

PROSE = {
    "a title": (["Table S3. Lipids of the patients"], "1 line"),
    "a title with the separator": (["Table S3, lipids, of the patients", ""], "2 lines"),
    "a title, a gap and a unit": (["Lipids (2021)", "", "all in mg/dL", ""], "4 lines"),
    "an open quote": (['Lipids of the 5" column', "measured twice"], "2 lines"),
    "pairs": (["study,X-17", "date,2021-03-04"], "2 lines"),
    "empty cells behind": (["Table S3,,,,,", ",,,,,", "see methods,,,,,"], "2 lines"),
    "a title in the middle": ([",,Lipids,,,"], "1 line"),
    "a comment among them": (["Lipids", "# made by a machine", "second run"], "3 lines"),
}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("case", PROSE)
def test_text_above_a_table_is_skipped_and_counted(read, case, separator):
    lines, n_lines = PROSE[case]
    above = "".join(line.replace(",", separator) + "\n" for line in lines)
    dataset = read(above + text_of(TABLE, separator))
    assert_table(dataset)
    finding = told(dataset, "SD012")
    assert finding.what == f"{n_lines} of text above the table of my.csv " + (
        "was skipped" if n_lines == "1 line" else "were skipped"
    )
    assert lines[0].split(",")[0] in finding.evidence or case == "a title in the middle"
    assert finding.remedy.startswith(f"the header is line {len(lines) + 1};")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("ä", "\u00e4").encode("cp1252"),
    ],
)
def test_text_above_is_found_in_any_encoding(read, change):
    dataset = read(change("Lipide, Männer\n\n" + text_of(TABLE, ";")))
    assert_table(dataset)
    assert told(dataset, "SD012").what.startswith("2 lines")


def test_text_above_a_narrow_table_is_skipped_and_a_header_of_r_is_none(read, tmp_path):
    rows = [["who", "state"], *zip(IDS, CLASSES, strict=True)]
    with pytest.raises(DataError, match="at least one feature"):
        read("The patients\n" + text_of(rows), name="sheet.csv")
    lines = ["LDL", *(f"{i},{value}" for i, value in zip(IDS, VALUES[:, 0], strict=True))]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    files = {"r": tmp_path / "r.csv", "sheet": tmp_path / "sheet.csv"}
    dataset = load_dataset("table", path=files, target="state")
    assert dataset.feature_names == ("LDL",)
    assert told(dataset, "SD012").what == "1 line of text above the table of sheet.csv was skipped"


@pytest.mark.parametrize("header", ["who,LDL,HDL,,,", "who,LDL"])
def test_a_header_that_is_too_short_is_no_text(read, tmp_path, header):
    """With twelve columns of numbers it would look like a title with two further cells."""
    wide = [[*row[:-1], *row[1:-1], *row[1:-1]] for row in TABLE[1:]]
    content = header + "," * (12 - header.count(",")) * header.endswith(",") + "\n" + text_of(wide)
    (tmp_path / "sheet.csv").write_text(text_of([[row[0], row[-1]] for row in TABLE]))
    (tmp_path / "wide.csv").write_text(content)
    files = {"wide": tmp_path / "wide.csv", "sheet": tmp_path / "sheet.csv"}
    with pytest.raises(DataError, match="must stand its header; line 2 holds values"):
        load_dataset("table", path=files, target="state")


@pytest.mark.parametrize(
    "note",
    [
        "Note: values are means of two runs",
        "* below the limit of quantification",
        "Abbreviations: LDL low density lipoprotein",
        "All patients gave their written consent to the study",
    ],
)
@pytest.mark.parametrize("blanks", ["", ",,,,,"])
def test_a_note_below_a_table_is_skipped_and_told(read, note, blanks):
    dataset = read(text_of(TABLE) + "\n" + note + blanks + "\n")
    assert_table(dataset)
    assert told(dataset, "SD012").what == "1 line of text below the table of my.csv was skipped"
    assert "line 15" in told(dataset, "SD012").evidence


@pytest.mark.parametrize("last", ["pat-13,,,,,", "pat 13,,,,,", "total,4"])
def test_a_row_without_values_is_no_note(read, last):
    with pytest.raises(DataError, match="line 14"):
        read(text_of(TABLE) + last + "\n")


def test_a_plain_table_has_nothing_around_it(read):
    for separator in (",", ";", "\t", "|"):
        dataset = read(text_of(TABLE, separator))
        assert_table(dataset)
        assert dataset.findings == ()
        assert "header" not in dataset.reading.settings


# ------------------------------------------------------------------------------ rows of units

UNITS = ["mg/dL", "mmol/L", "10^9/L", "%"]
BELOW = {
    "no id": ["", *UNITS, ""],
    "called units": ["Units", *UNITS, ""],
    "called unit, with a colon": ["unit:", *UNITS, "-"],
    "in brackets": ["", *(f"[{unit}]" for unit in UNITS), ""],
    "some without": ["", "µg/ml", "", "", "a.u.", ""],
    "a dash for the id": ["-", *UNITS, "-"],
    "German": ["Einheit", *UNITS, ""],
    "one that nobody listed": ["", "mg/dL", "furlong", "pg/ml", "log2", ""],
}


@pytest.mark.parametrize("case", BELOW)
@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_row_of_units_is_kept_as_units(read, case, separator):
    row = BELOW[case]
    dataset = read(text_of([TABLE[0], row, *TABLE[1:]], separator))
    assert_table(dataset)
    expected = {name: unit for name, unit in zip(NAMES, row[1:-1], strict=True) if unit}
    assert dict(dataset.reading.units) == expected
    assert "holds units" in told(dataset, "SD010").what
    assert "line 2" in told(dataset, "SD010").what


TYPES = {
    "of QIIME 2": ["#q2:types", *["numeric"] * 4, "categorical"],
    "of Orange": ["string", *["continuous"] * 4, "discrete"],
    "without an id": ["", *["float64"] * 4, "object"],
    "called types": ["type", *["Numeric"] * 4, "Factor"],
}


@pytest.mark.parametrize("case", TYPES)
def test_a_row_of_types_is_no_sample(read, case):
    dataset = read(text_of([TABLE[0], TYPES[case], *TABLE[1:]]))
    assert_table(dataset)
    assert "holds the types of the columns" in told(dataset, "SD010").what
    assert dataset.reading.units == {}


def test_numbers_that_a_row_of_types_calls_categories_are_categories(read):
    rows = [[*row, stage] for row, stage in zip(TABLE[1:], [1, 2, 3] * 4, strict=True)]
    types = ["#q2:types", *["numeric"] * 4, "categorical", "categorical"]
    dataset = read(text_of([[*TABLE[0], "stage"], types, *rows]))
    assert list(dataset.X["stage"].cat.categories) == ["1", "2", "3"]


def test_rows_of_types_units_and_descriptions_stand_together(read):
    described = ["", "low density lipids", "high density lipids", "reactive protein", "a cytokine"]
    rows = [["", *UNITS, ""], ["types", *["numeric"] * 4, "text"], [*described, "the diagnosis"]]
    dataset = read(text_of([TABLE[0], *rows, *TABLE[1:]]))
    assert_table(dataset)
    assert codes(dataset) == ["SD010"] * 3
    assert dict(dataset.reading.units) == dict(zip(NAMES, UNITS, strict=True))


SAMPLES = {
    "nothing measured": ["pat-0", "NA", "NA", "NA", "NA", "sick"],
    "all below a limit": ["pat-0", "ND", "ND", "ND", "ND", "sick"],
    "a few units": ["pat-0", "mg", "ND", "ND", "ND", "sick"],
}


@pytest.mark.parametrize("case", SAMPLES)
def test_a_sample_is_no_row_of_units(read, case):
    dataset = read(text_of([TABLE[0], SAMPLES[case], *TABLE[1:]]), missing=["ND", "mg"])
    assert dataset.sample_ids.tolist() == ["pat-0", *IDS]
    assert dataset.X.iloc[0].isna().all()
    assert "SD010" not in codes(dataset)


def test_a_row_of_units_with_a_number_among_them_is_refused_with_its_line(read):
    row = ["", "mg/dL", "5.5", "pg", "%", "sick"]
    with pytest.raises(DataError, match="line 2"):
        read(text_of([TABLE[0], row, *TABLE[1:]]))


@pytest.mark.parametrize(
    "label", [["m", "f"], ["A", "B"], ["WT", "KO"], ["x", "y"], ["low", "high"]]
)
@pytest.mark.parametrize("first", ["type", "", "label", "description"])
def test_labels_of_samples_are_no_units(read, label, first):
    """The first row below the header of a table with its samples in columns."""
    rows = [["gene", *IDS], [first, *label * 6]]
    rows += [[name, *column] for name, column in zip(NAMES, VALUES.T, strict=True)]
    content = text_of(rows)
    if first:
        dataset = read(content, target=first, transpose=True)
        assert dataset.feature_names == tuple(NAMES)
        assert codes(dataset) == []
    else:
        with pytest.raises(DataError, match="must have a name"):
            read(content, target="state", transpose=True)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (["", "mg", "g", "ml"], "units"),
        (["", "m", "f", "m"], ""),
        (["units", "m", "g", "l"], "units"),
        (["", "low", "high", "medium"], ""),
        (["description", "low", "high", "medium"], ""),
        (["description", "low density", "high density", "of neither kind"], "descriptions"),
        (["description", "low density", "low density", "low density"], ""),
        (["", "float", "int", "int"], "types"),
        (["S7", "float", "int", "int"], ""),
        (["S7", "mg", "g", "ml"], ""),
    ],
)
def test_the_kind_of_a_row_below_the_header(row, kind):
    rows = [row, *([f"S{n}", f"{n}.5", str(n), "1"] for n in range(1, 6))]
    found = rows_below(rows, range(2, 8), columns=range(4))
    assert [entry.kind for entry in found] == ([kind] if kind else [])


@pytest.mark.parametrize("text", ["mg/L", "µmol/l", "log2", "10*9/L", "kg/m²", "cells/µL", "a.u."])
def test_units_are_known(text):
    assert is_unit(text)
    assert is_unit(f"({text})")


@pytest.mark.parametrize("text", ["case", "control", "S01", "WT", "TP53", "no", "5", "2021-03-04"])
def test_words_are_no_units(text):
    assert not is_unit(text)


@pytest.mark.parametrize("last", ["sick", ""])
def test_descriptions_with_an_id_are_no_sample(read, last):
    row = ["Record ID", *(f"a measurement of {name}" for name in NAMES), last and "the diagnosis"]
    assert_table(read(text_of([TABLE[0], row, *TABLE[1:]])))
    sample = ["pat-0", *row[1:-1], "sick"]  # its label occurs again
    with pytest.raises(DataError, match="line 2"):
        read(text_of([TABLE[0], sample, *TABLE[1:]]))


@pytest.mark.parametrize(
    "types",
    [["<chr>", "<dbl>", "<fct>"], ["VARCHAR(9)", "DECIMAL(5,2)", "INT"], ["ID", "num", "cat"]],
)
def test_types_of_other_programs_are_known(read, types):
    first, number, label = types
    dataset = read(text_of([TABLE[0], [first, *[number] * 4, label], *TABLE[1:]], ";"))
    assert_table(dataset)
    assert codes(dataset) == ["SD010"]


ABOVE = {
    "orders": ["Injection order", *(7 * n % 11 + 1 for n in range(len(IDS)))],
    "orders that are sorted": ["run order", *range(1, len(IDS) + 1)],
    "days": ["day", *(f"2024-01-{n + 1:02d}" for n in range(len(IDS)))],
    "numbers": ["dose", *(n / 4 for n in range(len(IDS)))],
}


@pytest.mark.parametrize("case", ABOVE)
@pytest.mark.parametrize("is_first", [True, False])
def test_numbers_and_days_above_the_names_are_no_header(read, case, is_first):
    state = ["state", *(row[-1] for row in TABLE[1:])]
    above = [ABOVE[case], state] if is_first else [state, ABOVE[case]]
    rows = [["Lipid", *IDS], *([name, *x] for name, x in zip(NAMES, VALUES.T, strict=True))]
    dataset = read(text_of([*above, *rows]))
    assert dataset.feature_names == tuple(NAMES)
    assert dataset.sample_ids.tolist() == IDS


def test_numbers_that_are_ids_are_the_header(read):
    ids = ["patient", *range(101, 101 + len(IDS))]
    rows = [["state", *(row[-1] for row in TABLE[1:])]]
    rows += [["title", *(f"tube {n} of all" for n in IDS)]]
    rows += [[name, *x] for name, x in zip(NAMES, VALUES.T, strict=True)]
    dataset = read(text_of([ids, *rows]), transpose=True, drop=["title"])
    assert dataset.sample_ids.tolist() == [str(entry) for entry in ids[1:]]


# --------------------------------------------------------------------- header named by its line


def test_the_line_of_the_header_can_be_named(read):
    table = text_of(TABLE)
    above = "a,b,c,d,e,f\n1,2,3,4,5,6\n"
    assert_table(read(above + table, header=3))
    assert_table(read("one\n\n" + table, header=3))
    assert_table(read(above + table, header=3, separator="comma"))
    assert_table(read("# a comment\n#who" + table[3:], header=2))
    with pytest.raises(ConfigError, match=r"header must be a line of my\.csv with rows"):
        read(table, header=13)
    with pytest.raises(ConfigError, match="counted from 1; got 0"):
        read(table, header=0)


def test_the_line_of_the_header_is_kept_for_good(read):
    dataset = read("Lipids\n\n" + text_of([TABLE[0], ["", *UNITS, ""], *TABLE[1:]]) + "* a note\n")
    assert dataset.reading.settings["header"] == 3
    assert [entry.names for entry in dataset.reading.dropped] == [
        ("Lipids",),
        ("* a note",),
        ("line 4",),
    ]


def test_each_file_may_have_its_own_line_of_the_header(read, tmp_path):
    left = text_of([row[:-1] for row in TABLE])
    (tmp_path / "left.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n" + left)
    (tmp_path / "right.csv").write_text(text_of([[row[0], row[-1]] for row in TABLE]))
    files = {"left": tmp_path / "left.csv", "right": tmp_path / "right.csv"}
    assert_table(load_dataset("table", path=files, target="state", header={"left": 3}))


def test_a_header_with_the_target_goes_before_a_row_of_long_names(read):
    """And before prose that has as many commas as a narrow table."""
    long = ["", "low density", "high density", "c reactive", "interleukin 6", "diagnosis"]
    dataset = read(text_of([long, *TABLE]))
    assert_table(dataset)
    assert "line 1 of my.csv stands above the header" in told(dataset, "SD011").what
    narrow = [[row[0], row[1], row[-1]] for row in TABLE]
    assert read("Table 3, plasma, fasting\n" + text_of(narrow)).feature_names == ("LDL",)


@pytest.mark.parametrize("n_blank", [1, 3])
def test_blank_columns_on_the_left_are_no_part_of_a_table(tmp_path, n_blank):
    rows = [["Lipids", "", "", "", "", ""], TABLE[0], ["", *UNITS, ""], *TABLE[1:]]
    rows += [["* below the limit", "", "", "", "", ""]]
    path = book(tmp_path / "b.xlsx", {"d": [[*[""] * n_blank, *row] for row in rows]})
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert sorted(codes(dataset)) == ["SD010", "SD012", "SD012"]


def test_units_are_shown_where_a_report_lists_features(read):
    dataset = read(text_of([TABLE[0], ["", *UNITS, ""], *TABLE[1:]]))
    facts = summarize_task(make_task(dataset))
    assert facts.units == dict(zip(NAMES, UNITS, strict=True))


# ------------------------------------------------------------------------------ upper headers


def book(path, sheets, merged=()):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append([None if cell == "" else cell for cell in row])
        for area in merged:
            sheet.merge_cells(area)
    workbook.save(path)
    return path


UPPER = [["", "Lipids", "", "Inflammation", "", ""], *TABLE]


def test_an_upper_header_becomes_blocks(read, tmp_path):
    path = book(tmp_path / "b.xlsx", {"data": UPPER}, merged=["B1:C1", "D1:E1"])
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert dataset.feature_blocks == ("Lipids", "Lipids", "Inflammation", "Inflammation")
    assert "Lipids (2 columns), Inflammation (2 columns)" in told(dataset, "SD017").evidence
    part = load_dataset("table", path=path, target="state", blocks=["Lipids"])
    assert part.feature_names == ("LDL", "HDL")


def test_columns_beside_merged_cells_belong_to_the_file(tmp_path):
    rows = [["", "Lipids", "", "", "", ""], *TABLE]
    path = book(tmp_path / "b.xlsx", {"data": rows}, merged=["B1:C1"])
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert dataset.feature_blocks == ("Lipids", "Lipids", "features", "features")


def test_names_merged_downwards_are_names(tmp_path):
    rows = [["who", "Lipids", "", "Inflammation", "", "state"], ["", *NAMES, ""], *TABLE[1:]]
    path = book(tmp_path / "b.xlsx", {"d": rows}, merged=["A1:A2", "F1:F2", "B1:C1", "D1:E1"])
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert dataset.feature_blocks == ("Lipids", "Lipids", "Inflammation", "Inflammation")
    assert "id: who" in dataset.messages[0]
    single = [["who", "Lipids", "", "CRP", "IL6", "state"], ["", "LDL", "HDL", "", "", ""]]
    merged = ["A1:A2", "B1:C1", "D1:D2", "E1:E2", "F1:F2"]
    path = book(tmp_path / "s.xlsx", {"d": [*single, *TABLE[1:]]}, merged=merged)
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert dataset.feature_blocks == ("Lipids", "Lipids", "features", "features")


def test_a_title_merged_over_the_table_is_text(tmp_path):
    rows = [["Lipids of the patients", "", "", "", "", ""], *TABLE]
    path = book(tmp_path / "b.xlsx", {"d": rows}, merged=["A1:F1"])
    dataset = load_dataset("table", path=path, target="state")
    assert_table(dataset)
    assert told(dataset, "SD012").what.startswith("1 row of text above")
    assert dataset.feature_blocks == ("features",) * 4


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_an_upper_header_of_a_text_holds_up_to_the_next_name(read, separator):
    dataset = read(text_of(UPPER, separator))
    assert_table(dataset)
    assert dataset.feature_blocks == ("Lipids", "Lipids", "Inflammation", "Inflammation")
    repeated = [["", "Lipids", "Lipids", "Infl", "Infl", "Infl"], *TABLE]
    assert read(text_of(repeated, separator)).feature_blocks == ("Lipids", "Lipids", "Infl", "Infl")


def test_names_that_repeat_below_an_upper_header_are_told_apart(read):
    rows = [["", "day1", "", "day7", "", ""], ["who", "LDL", "HDL", "LDL", "HDL", "state"]]
    dataset = read(text_of([*rows, *TABLE[1:]]))
    assert_table(dataset, ["day1:LDL", "day1:HDL", "day7:LDL", "day7:HDL"])


# ------------------------------------------------------------------------------ several sheets

LEFT = [row[:3] for row in TABLE]
RIGHT = [[row[0], *row[3:]] for row in TABLE]


def test_several_sheets_are_blocks(tmp_path):
    path = book(tmp_path / "b.xlsx", {"lipids": LEFT, "the rest": RIGHT, "notes": [["x", "y"]]})
    for sheets in (["lipids", "the rest"], ["0", "1"]):
        dataset = load_dataset("table", path=path, target="state", sheet=sheets, features="*")
        assert_table(dataset)
        assert dataset.feature_blocks[:2] == (sheets[0],) * 2
        assert dataset.block_names == tuple(sheets)
    with pytest.raises(ConfigError, match="sheet must be one of 'lipids', 'the rest', 'notes'"):
        load_dataset("table", path=path, target="state", sheet=["lipids", "other"])
    with pytest.raises(ConfigError, match="several sheets must be of one file"):
        load_dataset("table", path={"a": path, "b": path}, target="state", sheet=["lipids"])


def test_a_target_in_another_sheet_is_refused_with_the_way_to_it(tmp_path):
    clinical = [[row[0], row[-1]] for row in TABLE]
    path = book(tmp_path / "b.xlsx", {"lipids": LEFT, "clinical": clinical})
    with pytest.raises(ConfigError) as caught:
        load_dataset("table", path=path, target="state")
    assert str(caught.value) == (
        "target must be a column of b.xlsx; there is no column 'state' in its first sheet; read "
        "them together with 'dataset.sheet=[lipids,clinical]'."
    )
    dataset = load_dataset("table", path=path, target="state", sheet=["lipids", "clinical"])
    assert dataset.feature_names == ("LDL", "HDL")
    path = book(tmp_path / "c.xlsx", {"clinical": clinical, "lipids": LEFT})
    with pytest.raises(DataError, match=r"at least one feature must be left.*sheet=\[clinical,lip"):
        load_dataset("table", path=path, target="state")


def test_other_sheets_of_the_same_samples_are_told(tmp_path):
    path = book(tmp_path / "b.xlsx", {"rest": RIGHT, "my lipids": LEFT, "notes": [["x", "y"]]})
    dataset = load_dataset("table", path=path, target="state")
    finding = told(dataset, "SD017")
    assert finding.evidence == "'my lipids'"
    assert finding.remedy == "read them together with 'dataset.sheet=[rest,\"my lipids\"]'"
    assert codes(load_dataset("table", path=path, target="state", sheet="rest")) == []
    turned = [["", *IDS], *([name, *column] for name, column in zip("ab", VALUES.T, strict=False))]
    path = book(tmp_path / "c.xlsx", {"all": TABLE, "turned": turned})
    assert told(load_dataset("table", path=path, target="state"), "SD017").evidence == "'turned'"
    path = book(
        tmp_path / "d.xlsx",
        {"all": TABLE, "log": [["day", "who"], ["Mon", "pat-1"], ["Tue", "Ann"]]},
    )
    assert codes(load_dataset("table", path=path, target="state")) == []


COUNTS = [235, 606, 321, 286, 101, 640, 203, 84, 51, 521, 238, 178]


def test_counts_below_repeated_names_are_no_header(read):
    ids = [f"S{i // 2}" for i in range(12)]
    rows = [["gene", *ids], ["class", *(["case"] * 2 + ["control"] * 2) * 3]]
    rows += [[f"G{k}", *(COUNTS[k:] + COUNTS[:k])] for k in range(8)]
    table = read(text_of(rows, "\t"), replicates="mean", target="class", transpose=True)
    assert table.sample_ids.tolist() == [f"S{i}" for i in range(6)]
    assert table.X["G0"].tolist() == [420.5, 303.5, 370.5, 143.5, 286.0, 208.0]


def test_a_class_named_as_the_target_does_not_make_its_row_the_header(read):
    rows = [["sample", "y", "a", "b", "c"]]
    rows += [
        [f"S{i}", "control" if i % 2 else "case", *sorted(COUNTS[i : i + 3])] for i in range(9)
    ]
    with pytest.raises(ConfigError, match="there is no column 'case'"):
        read(text_of(rows), target="case")
