"""Tables as people have them are read right, and what was inferred is told in one line."""

import gzip
import io
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smalldata.datasets import load_dataset
from smalldata.task import TaskKind, make_task

PLAIN = (
    "sample,tau,age,outcome\ns1,1.5,60,case\ns2,2.5,61,control\ns3,3,62,case\ns4,0.5,63,control\n"
)


@pytest.fixture
def read(tmp_path):
    """Write bytes or text to a file and load it."""

    def load(content, *, name="my.csv", target="outcome", **values):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_dataset("table", path=str(path), target=target, **values)

    return load


def assert_plain(dataset):
    assert dataset.feature_names == ("tau", "age")
    assert dataset.X["tau"].tolist() == [1.5, 2.5, 3.0, 0.5]
    assert dataset.X["age"].tolist() == [60.0, 61.0, 62.0, 63.0]
    assert dataset.sample_ids.tolist() == ["s1", "s2", "s3", "s4"]
    assert dataset.y.tolist() == ["case", "control", "case", "control"]
    assert (dataset.kind, dataset.positive) == (TaskKind.BINARY, "case")


def test_message_lists_what_was_inferred(read):
    text = PLAIN.replace(",", ";").replace("1.5", "1,5").replace("2.5", "2,5").replace("0.5", "0,5")
    dataset = read(text)
    assert_plain(dataset)
    assert dataset.messages == (
        "read 4 x 2 from my.csv (semicolon, decimal comma, utf-8); id: sample; "
        "target: outcome (binary, positive: case)",
    )
    assert dataset.warnings == ()


def test_message_counts_constant_columns_and_names_the_first_five(read):
    rows = PLAIN.splitlines()
    header = ",".join(f"c{i}" for i in range(7))
    text = "\n".join([f"{rows[0]},{header}", *(f"{row},0,0,0,0,0,x,0" for row in rows[1:])])
    assert (
        read(text + "\n")
        .messages[0]
        .endswith("; 1 categorical; 7 constant ('c0', 'c1', 'c2', 'c3', 'c4' and 2 more)")
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text, "comma, utf-8"),
        (lambda text: text.replace(",", ";"), "semicolon, utf-8"),
        (lambda text: text.replace(",", "\t"), "tab, utf-8"),
        (lambda text: text.replace(",", "|"), "bar, utf-8"),
        (lambda text: text.replace(",", "   "), "space, utf-8"),
        (lambda text: text.replace("\n", "\r\n"), "comma, utf-8"),
        (lambda text: text.replace("\n", "\r"), "comma, utf-8"),
        (lambda text: text.replace("\n", "\r\n", 2), "comma, utf-8"),
        (lambda text: text.rstrip(), "comma, utf-8"),
        (lambda text: text.replace("\n", ",\n"), "comma, utf-8"),
        (lambda text: text.replace("\n", ",\n").replace("outcome,", "outcome"), "comma, utf-8"),
        (lambda text: text.replace("outcome", "outcome,"), "comma, utf-8"),
        (lambda text: text + ",,,\n,,,\n\n", "comma, utf-8"),
        (lambda text: "# made on a machine\n# units: ng, ml\n" + text, "comma, utf-8"),
        (lambda text: "sep=,\n" + text, "comma, utf-8"),
        (
            lambda text: text.replace(",", ";").replace("sample", "sep=;\nsample"),
            "semicolon, utf-8",
        ),
        (lambda text: "#" + text, "comma, utf-8"),
        (lambda text: text.replace("tau", ' "tau"').replace("s2", ' "s2"'), "comma, utf-8"),
        (lambda text: text.replace("tau", " tau ").replace("control", "control  "), "comma, utf-8"),
        (lambda text: text.encode("utf-8-sig"), "comma, utf-8 with byte order mark"),
        (lambda text: text.encode("utf-16"), "comma, utf-16"),
        (lambda text: text.encode("utf-16-be"), "comma, utf-16-be"),
        (lambda text: gzip.compress(text.encode()), "comma, utf-8"),
    ],
)
def test_csv_dialects_read_as_the_same_table(read, change, told):
    content = change(PLAIN)
    dataset = read(content)
    assert_plain(dataset)
    assert f"({told})" in dataset.messages[0]


def test_unnamed_id_column_written_by_r_is_the_id(read):
    text = '"tau" "age" "outcome"\n"s1" 1.5 60 "case"\n"s2" 2.5 61 "control"\n'
    text += '"s3" 3 62 "case"\n"s4" 0.5 63 "control"\n'
    assert_plain(read(text))
    assert_plain(read(PLAIN.replace("sample,", ",")))
    assert_plain(read(PLAIN.replace("sample,", "")))
    assert "id: first column" in read(PLAIN.replace("sample,", "")).messages[0]


def test_transposed_table_reads_features_from_rows(read):
    rows = [line.split(",") for line in PLAIN.splitlines()]
    turned = "\n".join(",".join(column) for column in zip(*rows, strict=True))
    assert_plain(read(turned, transpose=True))
    assert "transposed" in read(turned, transpose=True).messages[0]


def test_transposed_table_with_trailing_separators_is_read(read):
    rows = [line.split(",") for line in PLAIN.splitlines()]
    header, *body = [",".join(column) for column in zip(*rows, strict=True)]
    assert_plain(read("\n".join([header, *(line + "," for line in body)]), transpose=True))


def test_the_separator_with_most_fields_is_taken(read):
    text = "sample\ttau, CSF\tage\toutcome\n"
    text += "".join(f"s{r}\t{r}\t{r},5\t{'case' if r % 2 else 'no'}\n" for r in range(6))
    dataset = read(text)
    assert dataset.feature_names == ("tau, CSF", "age")
    assert dataset.X["age"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_parquet_and_workbook_read_as_the_csv(read, tmp_path):
    frame = pd.read_csv(io.StringIO(PLAIN))
    frame.set_index("sample").to_parquet(tmp_path / "indexed.parquet")
    assert_plain(load_dataset("table", path=tmp_path / "indexed.parquet", target="outcome"))
    unnamed = frame.set_index("sample").rename_axis(None)
    unnamed.to_parquet(tmp_path / "unnamed.parquet")
    assert_plain(load_dataset("table", path=tmp_path / "unnamed.parquet", target="outcome"))
    frame.to_excel(tmp_path / "book.xlsx", index=False)
    assert_plain(load_dataset("table", path=tmp_path / "book.xlsx", target="outcome"))
    frame.set_index("sample").T.to_excel(tmp_path / "turned.xlsx")
    assert_plain(
        load_dataset("table", path=tmp_path / "turned.xlsx", target="outcome", transpose=True)
    )


def test_a_sheet_is_chosen_by_name_or_number(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.active.append(["hello", "there"])
    sheet = book.create_sheet("data")
    sheet.append([None, None, None, None, None])
    for line in PLAIN.splitlines():
        sheet.append([*line.split(","), None])
    book.save(tmp_path / "book.xlsx")
    for chosen in ("data", 1):
        dataset = load_dataset("table", path=tmp_path / "book.xlsx", target="outcome", sheet=chosen)
        assert_plain(dataset)
        assert "(xlsx, sheet data)" in dataset.messages[0]


@pytest.mark.parametrize(
    "name",
    [
        "class",
        "index",
        "lambda",
        "Time (days)",
        "a=b",
        "x,y",
        'the "best"',
        "two\nlines",
        "β-actin µg/l",
        "naïve",
        "0",
        "x" * 3000,
        "None",
        "groups",
        "*",
        "[a]",
        "{b}",
        "%s",
        "y",
    ],
)
def test_awkward_column_names_are_kept(read, name):
    quoted = '"' + name.replace('"', '""') + '"'
    dataset = read(PLAIN.replace("tau", quoted))
    assert dataset.feature_names == (name, "age")
    assert dataset.X[name].tolist() == [1.5, 2.5, 3.0, 0.5]
    as_target = read(PLAIN.replace("outcome", quoted), target=name)
    assert as_target.target == name
    assert make_task(as_target).classes == ("control", "case")
    assert read(PLAIN.replace("tau", quoted), drop=[name]).feature_names == ("age",)


def test_names_are_compared_in_one_unicode_form(read):
    composed, taken_apart = "caf\u00e9", "cafe\u0301"
    dataset = read(PLAIN.replace("tau", taken_apart), drop=[composed])
    assert dataset.feature_names == ("age",)


def column(read, cells, *, quote=True, **values):
    """The one feature of a table whose column holds these cells."""
    lines = ["id;x;outcome"] + [
        f"r{row};{cell};{'case' if row % 2 else 'control'}" for row, cell in enumerate(cells)
    ]
    return read("\n".join(lines), **values)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1", "2", "3", "4"], [1, 2, 3, 4]),
        (["1.5", "NA", "n/a", "-2e3"], [1.5, np.nan, np.nan, -2000]),
        (["1", "", "?", "4"], [1, np.nan, np.nan, 4]),
        (["1", ".", "-", "--"], [1, np.nan, np.nan, np.nan]),
        (["1", "None", "null", "NaN"], [1, np.nan, np.nan, np.nan]),
        (["1", "#N/A", "#DIV/0!", "4"], [1, np.nan, np.nan, 4]),
        (["1,5", "2,25", "0,125", "4"], [1.5, 2.25, 0.125, 4]),
        (["1.234,5", "12", "2.345.678", "0,1"], [1234.5, 12, 2345678, 0.1]),
        (["1,234.5", "12", "2,345,678", "0.1"], [1234.5, 12, 2345678, 0.1]),
        (["1,234", "12.5", "999", "0.1"], [1234, 12.5, 999, 0.1]),
        (["0,123", "0,456", "1,234", "2"], [0.123, 0.456, 1.234, 2]),
        (["1 234", "12", "1 234 567.5", "3"], [1234, 12, 1234567.5, 3]),
        (["1'234", "12", "2", "3"], [1234, 12, 2, 3]),
        (["12%", "3.5 %", "NA", "100%"], [12, 3.5, np.nan, 100]),
        (["TRUE", "FALSE", "NA", "TRUE"], [1, 0, np.nan, 1]),
        (["True", "false", "True", "False"], [1, 0, 1, 0]),
        ([" 1 ", "+2", "-.5", "3."], [1, 2, -0.5, 3]),
        (["\u22121.5", "2", "3", "4"], [-1.5, 2, 3, 4]),
        (["1\u00a0234", "2", "3", "4"], [1234, 2, 3, 4]),
        (["1" * 300 + "e-299", "2", "3", "4"], [1.1111111111111112, 2, 3, 4]),
    ],
)
def test_numbers_in_common_spellings_are_parsed(read, cells, numbers):
    dataset = column(read, cells)
    np.testing.assert_array_equal(dataset.X["x"].to_numpy(), np.array(numbers, dtype=float))


@pytest.mark.parametrize(
    ("cells", "categories"),
    [
        (["E3E4", "E3E3", "NA", "E3E4"], ["E3E3", "E3E4"]),
        (["none", "drug", "None", ""], ["None", "drug", "none"]),
        (["+", "-", "+", "-"], ["+", "-"]),
        (["1_2", "1_3", "1_2", "1_3"], ["1_2", "1_3"]),
        (["yes", "no", "yes", "?"], ["no", "yes"]),
        (["I", "II", "III", "II"], ["I", "II", "III"]),
    ],
)
def test_text_becomes_categories(read, cells, categories):
    dataset = column(read, cells)
    assert list(dataset.X["x"].cat.categories) == categories
    assert "1 categorical" in dataset.messages[0]


def test_numbers_named_categorical_are_categories(read):
    dataset = column(read, ["1", "2", "3", "2"], categorical=["x"])
    assert list(dataset.X["x"].cat.categories) == ["1", "2", "3"]


def test_extra_missing_markers_are_read_as_missing(read):
    dataset = column(read, ["1", "n.d.", "below", "4"], missing=["n.d.", "below"])
    np.testing.assert_array_equal(dataset.X["x"], [1, np.nan, np.nan, 4])
    assert "2 missing values" in dataset.messages[0]


def test_numeric_missing_markers_are_read_as_missing(read, tmp_path):
    dataset = column(read, ["1", "-999", "-999.0", "4"], missing=["-999"])
    np.testing.assert_array_equal(dataset.X["x"], [1, np.nan, np.nan, 4])
    frame = pd.DataFrame({"x": [1.0, -999, 3, 4], "outcome": list("abab")})
    frame.to_parquet(tmp_path / "t.parquet")
    dataset = load_dataset(path=tmp_path / "t.parquet", target="outcome", missing=[-999])
    np.testing.assert_array_equal(dataset.X["x"], [1, np.nan, 3, 4])


def test_percent_signs_are_read_and_reported(read):
    dataset = column(read, ["12%", "3.5 %", "NA", "100%"])
    assert "percent signs taken off in 1 columns" in dataset.messages[0]


def test_very_long_text_is_read_as_a_category(read):
    dataset = column(read, ["z" * 200_000, "a", "z" * 200_000, "a"])
    assert len(dataset.X["x"].cat.categories) == 2


def test_unnamed_empty_columns_are_ignored(read):
    lines = PLAIN.splitlines()
    text = "\n".join(line.replace(",", ",,", 1) + "," for line in lines)
    assert_plain(read(text))


@pytest.mark.parametrize(
    "cells",
    [
        ["2021-03-04", "2021-03-05", "", "2021-04-01"],
        ["04.03.2021", "5.3.2021", "1.4.2021", "2.4.2021"],
        ["3/4/21", "3/5/21", "4/1/21", "4/2/21"],
        ["2021-03-04T10:00:00Z", "2021-03-04 11:00", "2021-03-05", "2021-03-06"],
    ],
)
def test_dates_are_left_out_with_a_warning(read, cells):
    lines = ["id;visit;x;outcome"]
    lines += [f"r{row};{cell};{row};{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    dataset = read("\n".join(lines))
    assert dataset.feature_names == ("x",)
    assert dataset.warnings == ("1 column left out, since each holds dates: 'visit' [SD029]",)


@pytest.mark.parametrize(
    ("classes", "kind", "positive"),
    [
        (["case", "control"], "binary", "case"),
        (["healthy", "AD"], "binary", "AD"),
        (["True", "False"], "binary", "True"),
        (["TRUE", "FALSE"], "binary", "TRUE"),
        (["1", "2"], "binary", "2"),
        (["0", "1"], "binary", "1"),
        (["-1", "1"], "binary", "1"),
        (["1.0", "0.0"], "binary", "1"),
        (["tumor", "normal"], "binary", "tumor"),
        (["Yes", "No"], "binary", "Yes"),
        (["wt", "ko"], "binary", "ko"),
        (["left", "right", "left"], "binary", "right"),
        (["yes", "maybe", "yes"], "binary", "yes"),
        (["case ", "control"], "binary", "case"),
        (["a", "b", "c"], "multiclass", None),
        (["1", "2", "3"], "multiclass", None),
        (["+", "-"], "binary", "+"),
        (["none", "mild"], "binary", "mild"),
    ],
)
def test_kind_and_positive_class_are_inferred_and_told(read, classes, kind, positive):
    lines = ["x,outcome"] + [f"{row}.5,{classes[row % len(classes)]}" for row in range(18)]
    dataset = read("\n".join(lines))
    assert (dataset.kind, dataset.positive) == (TaskKind(kind), positive)
    told = f"({kind}, positive: {positive})" if positive else f"({kind})"
    assert dataset.messages[0].endswith(f"target: outcome {told}")
    assert len(set(dataset.y)) == len(set(classes))


def test_numbers_with_many_values_are_a_regression(read):
    lines = ["x,outcome"] + [f"{row}.5,{row % 13}" for row in range(65)]
    dataset = read("\n".join(lines))
    assert dataset.kind is TaskKind.REGRESSION
    assert dataset.y.dtype == np.float64
    # Ten whole values met fewer than five times each are values, not classes.
    lines = ["x,outcome"] + [f"{row}.5,{row % 10}" for row in range(40)]
    assert read("\n".join(lines)).kind is TaskKind.REGRESSION
    assert read("\n".join(lines), kind="multiclass").kind is TaskKind.MULTICLASS


def test_named_kind_and_positive_rule(read):
    assert read(PLAIN, positive="control").positive == "control"
    assert read(PLAIN, positive="Case").positive == "case"
    lines = ["x,outcome"] + [f"{row}.5,{row % 2 + 1}" for row in range(12)]
    dataset = read("\n".join(lines), positive=1)
    assert dataset.positive == "1"
    assert make_task(dataset).classes == ("2", "1")


EUROPEAN = "alter;crp;gruppe;outcome\n" + "".join(
    f"{20 + row},{row}7;{row},25;{row // 2},5;{'case' if row % 2 else 'control'}\n"
    for row in range(8)
)


def test_a_numeric_first_column_with_decimal_commas_is_a_feature_and_no_id(read):
    dataset = read(EUROPEAN)
    assert dataset.feature_names == ("alter", "crp", "gruppe")
    assert dataset.X["alter"].tolist() == [float(f"{20 + row}.{row}7") for row in range(8)]
    assert dataset.sample_ids.tolist() == [str(row) for row in range(1, 9)]
    assert "decimal comma, utf-8); id: row numbers" in dataset.messages[0]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1.234,5", "2.345,5", "3.456,5", "4.567,5"], [1234.5, 2345.5, 3456.5, 4567.5]),
        (["1,234.5", "2,345.5", "3,456.5", "4,567.5"], [1234.5, 2345.5, 3456.5, 4567.5]),
        (["1 234", "2 345", "3 456", "4 567"], [1234, 2345, 3456, 4567]),
        (["1'234.5", "2'345.5", "3'456.5", "4'567.5"], [1234.5, 2345.5, 3456.5, 4567.5]),
        (["\u22121,5", "\u22122,5", "3,5", "4,5"], [-1.5, -2.5, 3.5, 4.5]),
        (["1,5 %", "2,5 %", "3,5 %", "4,5 %"], [1.5, 2.5, 3.5, 4.5]),
    ],
)
def test_a_first_column_of_numbers_as_people_write_them_is_no_id(read, cells, numbers):
    lines = [f"{cell};{'case' if row % 2 else 'control'}" for row, cell in enumerate(cells)]
    dataset = read("\n".join(["alter;outcome", *lines]))
    assert dataset.X["alter"].tolist() == numbers
    assert dataset.sample_ids.tolist() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "'", "."])
def test_signs_between_thousands_speak_for_the_decimal_comma(read, blank):
    cells = [f"{n}{blank}250,5" for n in range(1, 5)]
    rows = [f"{row};{cell};{'ab'[row % 2]}" for row, cell in enumerate(cells)]
    dataset = read("\n".join(["id;x;y", *rows]), target="y")
    assert dataset.X["x"].tolist() == [1250.5, 2250.5, 3250.5, 4250.5]


def test_decimal_commas_in_ids_groups_folds_and_targets(read):
    named = read(EUROPEAN.replace("crp", "id"))
    assert named.feature_names == ("alter", "id", "gruppe")  # 0,25 counts no row
    whole = read(EUROPEAN.replace("crp", "id").replace(",25;", ",0;"))
    assert whole.sample_ids.tolist() == [str(row) for row in range(8)]
    text = EUROPEAN.replace(",5;", ",0;")
    for role in ("groups", "batch", "folds"):
        dataset = read(text, **{role: "gruppe"})
        assert getattr(dataset, role).tolist() == list("00112233")
    regression = read(EUROPEAN, target="crp")
    assert (regression.kind, regression.y[1]) == (TaskKind.REGRESSION, 1.25)
    classes = EUROPEAN.replace("case", "1,0").replace("control", "0,0")
    assert read(classes).y.tolist() == ["0", "1"] * 4
    assert read(classes).positive == "1"
    halves = EUROPEAN.replace("case", "10,5").replace("control", "9,5")
    assert read(halves).positive == "10,5"


def test_files_with_their_own_decimal_signs_are_joined_on_the_same_ids(tmp_path):
    (tmp_path / "a.csv").write_text("id;x\n" + "".join(f"{row},0;{row},5\n" for row in range(6)))
    rows = "".join(f"{row},{row}.5,{'case' if row % 2 else 'control'}\n" for row in range(6))
    (tmp_path / "b.csv").write_text("id,z,outcome\n" + rows)
    files = {"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"}
    dataset = load_dataset("table", path=files, target="outcome", features="*")
    assert dataset.sample_ids.tolist() == [str(row) for row in range(6)]
    assert dataset.X["x"].tolist() == dataset.X["z"].tolist()


def test_ids_are_found_and_keep_leading_zeros(read):
    lines = ["barcode,x,outcome"] + [f"00{row},{row}.5,{'ab'[row % 2]}" for row in range(6)]
    assert read("\n".join(lines)).sample_ids.tolist() == [f"00{row}" for row in range(6)]
    lines = ["x,outcome"] + [f"{row}.5,{'ab'[row % 2]}" for row in range(6)]
    dataset = read("\n".join(lines))
    assert dataset.sample_ids.tolist() == ["1", "2", "3", "4", "5", "6"]
    assert "id: row numbers" in dataset.messages[0]


def test_groups_batch_and_folds_are_not_features(read):
    lines = ["sample,person,plate,fold,x,outcome"]
    lines += [
        f"s{row},p{row // 2},{row % 3}.0,{row % 4},{row}.5,{'ab'[row % 2]}" for row in range(12)
    ]
    dataset = read("\n".join(lines), groups="person", batch="plate", folds="fold")
    assert dataset.feature_names == ("x",)
    assert dataset.groups.tolist() == [f"p{row // 2}" for row in range(12)]
    assert dataset.batch.tolist() == [str(row % 3) for row in range(12)]
    assert dataset.folds.tolist() == [str(row % 4) for row in range(12)]
    assert "groups: person; batch: plate; folds: fold" in dataset.messages[0]


def test_cp1252_is_read_and_reported(read):
    dataset = read(PLAIN.replace("tau", "µ-Wert für tau").encode("cp1252"))
    assert dataset.feature_names[0] == "µ-Wert für tau"
    assert "(comma, cp1252)" in dataset.messages[0]
    named = read(PLAIN.replace("tau", "ßμ").encode("cp1253", "replace"), encoding="cp1253")
    assert named.X.shape == (4, 2)


def test_rows_without_a_target_are_left_out_when_asked(read):
    text = PLAIN + "s5,1,1,\ns6,2,2,NA\n"
    dataset = read(text, drop_missing_target=True)
    assert_plain(dataset)
    assert "2 rows without a target left out (empty 1, 'NA' 1)" in dataset.messages[0]


def test_class_called_none_is_not_missing(read):
    dataset = read(PLAIN.replace("control", "None"))
    assert make_task(dataset).classes == ("None", "case")


def test_empty_columns_are_left_out_when_asked(read):
    text = PLAIN.replace("tau", "tau,void").replace(",6", ",NA,6")
    dataset = read(text, drop_empty=True)
    assert_plain(dataset)
    assert dataset.warnings == ("1 column left out, since each holds no value: 'void' [SD024]",)


# ------------------------------------------------------------------------------ files per block


@pytest.fixture
def blocks(tmp_path):
    """Three files: features in rows, samples in rows, and the outcome."""
    (tmp_path / "rna.csv").write_text("gene,s1,s2,s3,s4,s9\nTP53,1,2,3,4,9\nEGFR,5,6,7,8,9\n")
    (tmp_path / "protein.tsv").write_text(
        "sample\tTP53\tAKT\ns4\t0.4\t40\ns3\t0.3\t30\ns2\t0.2\t20\ns1\t0.1\t10\n"
    )
    (tmp_path / "clinical.csv").write_text(
        "patient;outcome;age\ns1;case;50,5\ns2;control;51\ns3;case;52\ns4;control;53\n"
    )
    return {
        "rna": str(tmp_path / "rna.csv"),
        "protein": str(tmp_path / "protein.tsv"),
        "clinical": str(tmp_path / "clinical.csv"),
    }


def test_files_are_joined_on_the_sample_id(blocks):
    dataset = load_dataset(
        "table", path=blocks, target="outcome", transpose=["rna"], features="age"
    )
    assert dataset.sample_ids.tolist() == ["s1", "s2", "s3", "s4"]
    assert dataset.feature_names == ("rna:TP53", "EGFR", "protein:TP53", "AKT", "age")
    assert dataset.feature_blocks == ("rna", "rna", "protein", "protein", "clinical")
    np.testing.assert_array_equal(
        dataset.X.to_numpy(),
        [
            [1, 5, 0.1, 10, 50.5],
            [2, 6, 0.2, 20, 51],
            [3, 7, 0.3, 30, 52],
            [4, 8, 0.4, 40, 53],
        ],
    )
    assert dataset.y.tolist() == ["case", "control", "case", "control"]
    assert dataset.warnings == (
        "samples that are not in every file were left out: 1 of 5 samples of rna.csv is not in "
        "protein.tsv or clinical.csv: 's9' [SD031]",
    )
    assert dataset.messages[0].startswith(
        "read 4 x 5 from rna.csv (comma, utf-8, transposed) + protein.tsv (tab, utf-8) + "
        "clinical.csv (semicolon, decimal comma, utf-8); id: first row; "
    )


def test_outer_join_keeps_all_samples_that_have_a_target(blocks):
    dataset = load_dataset(
        "table",
        path=blocks,
        target="outcome",
        transpose=["rna"],
        join_how="outer",
        drop_missing_target=True,
    )
    assert dataset.X.shape == (4, 4)
    Path(blocks["protein"]).write_text("sample\tTP53\tAKT\ns4\t0.4\t40\ns3\t0.3\t30\n")
    dataset = load_dataset(
        "table",
        path=blocks,
        target="outcome",
        transpose=["rna"],
        join_how="outer",
        drop_missing_target=True,
    )
    assert dataset.X["AKT"].isna().tolist() == [True, True, False, False]


def test_blocks_of_files_are_chosen_and_named(blocks):
    whole = load_dataset("table", path=blocks, target="outcome", transpose=["rna"])
    part = load_dataset(
        "table", path=blocks, target="outcome", transpose=["rna"], blocks=["protein", "rna"]
    )
    assert part.block_names == ("rna", "protein")
    assert part.name == f"{whole.name}-protein+rna"
    assert make_task(part).split_key == make_task(whole).split_key


# ---------------------------------------------------------------------------------- the name


def test_name_follows_file_and_question(read):
    dataset = read(PLAIN, name="My study (v2).csv")
    assert dataset.name.startswith("My-study-v2-")
    assert dataset.name == read(PLAIN, name="My study (v2).csv").name
    assert dataset.name != read(PLAIN.replace("60", "59"), name="My study (v2).csv").name
    assert dataset.name != read(PLAIN, name="My study (v2).csv", positive="control").name
    assert read(PLAIN, name="a.csv", drop=["tau"]).name.startswith(
        read(PLAIN, name="a.csv").name + "-drop1."
    )


@pytest.mark.parametrize("role", ["batch", "folds"])
def test_a_column_with_a_role_makes_another_table(read, role):
    """It is no feature any more: the same models on both tables are no further models of one."""
    text = PLAIN.replace("age", "site")
    plain, with_role = read(text, name="a.csv"), read(text, name="a.csv", **{role: "site"})
    assert make_task(with_role).split_key == make_task(plain).split_key
    assert make_task(with_role).content_key != make_task(plain).content_key
    assert with_role.name == f"{plain.name}-{role}.site"


@pytest.mark.parametrize("how", [{"missing": ["60"]}, {"categorical": ["age"]}])
def test_same_file_read_with_other_settings_has_another_name(read, how):
    assert read(PLAIN, name="a.csv", **how).name != read(PLAIN, name="a.csv").name


def test_path_without_dataset_means_table(tmp_path):
    (tmp_path / "my.csv").write_text(PLAIN)
    assert_plain(load_dataset(path=tmp_path / "my.csv", target="outcome"))


def test_reading_is_the_same_for_all_formats_on_random_tables(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.standard_normal((30, 40)) * 10.0 ** generator.integers(-8, 8, 40)
    values[generator.random(values.shape) < 0.1] = np.nan
    frame = pd.DataFrame(values, columns=[f"g{place}" for place in range(40)])
    frame.insert(0, "sample", [f"s{row}" for row in range(30)])
    frame["outcome"] = ["case", "control"] * 15
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t", na_rep="NA")
    frame.to_csv(tmp_path / "semi.csv", index=False, sep=";", decimal=",")
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    for name in ("t.csv", "t.tsv", "semi.csv", "t.csv.gz", "t.parquet", "t.xlsx"):
        dataset = load_dataset("table", path=tmp_path / name, target="outcome")
        # Workbooks hold 16 digits.
        rtol = 1e-15 if name.endswith("xlsx") else 0
        np.testing.assert_allclose(dataset.X.to_numpy(), values, rtol=rtol, err_msg=name)


def test_column_repeated_across_files_keeps_its_role_and_is_not_a_feature(blocks, tmp_path):
    clinical = "patient;outcome;age\ns1;case;50\ns2;control;51\ns3;case;52\ns4;control;53\n"
    (tmp_path / "second.csv").write_text(clinical.replace("age", "weight"))
    files = {"clinical": blocks["clinical"], "second": tmp_path / "second.csv"}
    dataset = load_dataset("table", path=files, target="outcome")
    assert dataset.feature_names == ("age", "weight")


def test_repeated_numbers_are_not_taken_as_ids(tmp_path):
    table = pa.table({"patient": [1, 1, 2, 2], " x ": [1.5, 2, 3, 4], "outcome": list("abab")})
    pq.write_table(table, tmp_path / "t.parquet")
    dataset = load_dataset("table", path=tmp_path / "t.parquet", target="outcome")
    assert dataset.sample_ids.tolist() == ["1", "2", "3", "4"]
    assert dataset.feature_names == ("patient", "x")


def test_parquet_types_become_numbers_and_categories(tmp_path):
    table = pa.table(
        {
            "sample": pa.array([1, 2, 3, 4]),
            "flag": pa.array([True, False, None, True]),
            "stage": pa.array(["I", "II", None, "I"]).dictionary_encode(),
            "count": pa.array([1, None, 3, 4], pa.int32()),
            "outcome": pa.array([0, 1, 0, 1]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    dataset = load_dataset("table", path=tmp_path / "t.parquet", target="outcome")
    np.testing.assert_array_equal(dataset.X["flag"], [1, 0, np.nan, 1])
    np.testing.assert_array_equal(dataset.X["count"], [1, np.nan, 3, 4])
    assert list(dataset.X["stage"].cat.categories) == ["I", "II"]
    assert dataset.y.tolist() == ["0", "1", "0", "1"]
    assert dataset.sample_ids.tolist() == ["1", "2", "3", "4"]
