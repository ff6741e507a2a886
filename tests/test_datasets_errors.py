"""Bad tables get one clear sentence: what must hold, what came, what to do."""

import gzip
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError
from smalldata.task import make_task

PLAIN = (
    "sample,tau,age,outcome\ns1,1.5,60,case\ns2,2.5,61,control\ns3,3,62,case\ns4,0.5,63,control\n"
)


@pytest.fixture
def read(tmp_path):
    def load(content, *, name="my.csv", target="outcome", **values):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_dataset("table", **{"path": str(path), "target": target, **values})

    return load


def refused(error, call):
    """The sentence of the error; it is one line that ends as a sentence."""
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?)"
    assert not re.search(r"[.?]\.", sentence.replace("…", "")), sentence
    return sentence


DATA_ERRORS = {
    "empty file": ("", "my.csv must hold a table; it is empty."),
    "blank file": (" \n\n ", "my.csv must hold a table; it is empty."),
    "header only": (
        "a,b,outcome\n",
        "my.csv must hold rows; it has a header of 3 columns and no row.",
    ),
    "one column": (
        "outcome\ncase\ncontrol\n",
        "my.csv must have several columns; one was read, its first line is 'outcome'. "
        "Name the separator, for example dataset.separator=semicolon.",
    ),
    "ragged row": (
        PLAIN.replace("s3,3,62,case", "s3,3,extra,62,case"),
        "every row of my.csv must have 4 fields like the header; line 4 has 5 "
        "('s3 3 extra 62 case'). Put text that contains the separator in quotes.",
    ),
    "short row": (
        PLAIN + "total,4\n",
        "every row of my.csv must have 4 fields like the header; line 6 has 2 ('total 4'). "
        "Delete it if it is a note, or write its missing fields.",
    ),
    "ragged row after a quoted line break": (
        PLAIN.replace("s2,", '"s\n2",').replace("s4,0.5", "s4,0.5,7"),
        "every row of my.csv must have 4 fields like the header; line 6 has 5 "
        "('s4 0.5 7 63 control'). Put text that contains the separator in quotes.",
    ),
    "open quote": (
        PLAIN.replace("s3", '"s3'),
        "the quotes of my.csv must be closed; the record that begins in line 4 is broken "
        "(unexpected end of data). Double a quote inside a quoted text.",
    ),
    "repeated names": (
        PLAIN.replace("age", "tau"),
        "column names of my.csv must be unique; 1 name repeats: 'tau'. Say what to do: "
        "dataset.duplicates=mean or max merges them row by row, first keeps the "
        "first of each, number keeps all.",
    ),
    "names that differ by blanks": (
        PLAIN.replace("age", " tau "),
        "column names of my.csv must be unique; 1 name repeats: 'tau'. Say what to do: "
        "dataset.duplicates=mean or max merges them row by row, first keeps the "
        "first of each, number keeps all.",
    ),
    "column without a name": (
        PLAIN.replace("age", ""),
        "every column of my.csv must have a name; column 3 has none (it holds '60'). "
        "Name it in the file.",
    ),
    "infinity": (
        PLAIN.replace("2.5", "-inf"),
        "values must be finite; column 'tau' of sample 's2' is -inf (1 infinite in all). "
        "Replace them by a number or leave them empty.",
    ),
    "number too large": (
        PLAIN.replace("2.5", "1e999"),
        "values must be finite; column 'tau' of sample 's2' is inf (1 infinite in all). "
        "Replace them by a number or leave them empty.",
    ),
    "column all missing": (
        re.sub(r"s(\d),[^,]+", r"s\1,NA", PLAIN),
        "every column must hold a value; 'tau' holds none (1 of 2 columns). "
        "Leave it out with dataset.drop_empty=true.",
    ),
    "text in a numeric column": (
        PLAIN.replace("2.5", "<0.5"),
        "a numeric column must hold numbers only; 'tau' has '<0.5' in line 3 (sample s2). Correct "
        "it, or take values below a limit as missing with dataset.below_detection=missing, or as "
        "half of the limit with dataset.below_detection=half; or take the column as categories "
        "with 'dataset.categorical=[tau]'.",
    ),
    "constant target": (
        PLAIN.replace("control", "case"),
        "the target 'outcome' must vary; it is 'case' in every row (4).",
    ),
    "target all distinct": (
        "x,outcome\n1,a\n2,b\n3,c\n4,d\n",
        "a class must be met more than once; 'outcome' has 4 rows and as many different values. "
        "Is it an id? For a numeric target set dataset.kind=regression.",
    ),
    "target missing in rows": (
        PLAIN.replace("61,control", "61,").replace("62,case", "62,NA"),
        "every row must have a target; 'outcome' is missing in 2 of 4 rows (empty 1, 'NA' 1), "
        "first in "
        "line 3 (sample s2). Leave these rows out with dataset.drop_missing_target=true; if a "
        "marker is "
        "meant as a class, rename it in the file. Then a class must be met more than once; "
        "'outcome' has 2 rows and as many different values. Is it an id? For a numeric target set "
        "dataset.kind=regression.",
    ),
    "target missing altogether": (
        re.sub("case|control", "", PLAIN),
        "the target 'outcome' must hold values; every row of it is missing.",
    ),
    "no features": (
        "sample,outcome\na,case\nb,control\nc,case\n",
        "at least one feature must be left; every column is the target, an id or dropped.",
    ),
    "repeated ids without a name": (
        PLAIN.replace("sample", "").replace("s2", "s1"),
        "sample ids must be unique; 1 of 3 ids in the first column of my.csv repeat: 's1' twice. "
        "Say what they are: their rows have different labels ('s1': 'case', 'control'), so keep "
        "the rows of one id together with dataset.replicates=group, or name another column with "
        "dataset.id=COLUMN.",
    ),
    "number to be read in two ways": (
        PLAIN.replace(",", ";")
        .replace("1.5", "1,500")
        .replace("2.5", "2,500")
        .replace("0.5", "7,250"),
        "numbers must be readable in one way; '1,500' in my.csv may be 1500 or 1.500. "
        "Name the decimal sign: dataset.decimal=',' or dataset.decimal='.'.",
    ),
    "old workbook": (
        b"\xd0\xcf\x11\xe0 and more",
        "my.csv must be csv, tsv, parquet or xlsx; it is an old Excel workbook or one with a "
        "password. Save it as xlsx or csv.",
    ),
    "another decimal sign in one column": (
        "sample;tau;age;outcome\ns1;1,5;1.5;case\ns2;2,5;2.5;control\ns3;3;3.5;case\n",
        "numbers must have one decimal sign; 'tau' has '1,5' in line 2 (sample s1), while the "
        "decimal sign is '.'. Name the right one with dataset.decimal, or take the column as "
        "categories with 'dataset.categorical=[tau]'.",
    ),
    "None in a numeric target": (
        "sample,x,outcome\n" + "".join(f"s{r},{r},{r}.5\n" for r in range(9)) + "s9,9,None\n",
        "every row must have a target; 'outcome' is missing in 1 of 10 rows ('None' 1), first in "
        "line 11 (sample s9). Leave these rows out with dataset.drop_missing_target=true; if a "
        "marker is meant as a class, rename it in the file.",
    ),
    "control character": (
        PLAIN.replace("2.5", "\x07"),
        "a numeric column must hold numbers only; 'tau' has '\\x07' in line 3 (sample s2). Correct "
        "it, or take the column as categories with 'dataset.categorical=[tau]'.",
    ),
    "zero byte": (
        PLAIN.replace("s2", "s\x002"),
        "my.csv must be text; it has a zero byte in line 3, as a binary file or another encoding "
        "has. Save it as csv in UTF-8.",
    ),
    "byte order mark alone": (b"\xef\xbb\xbf\n", "my.csv must hold a table; it is empty."),
    "separator declared and nothing else": ("sep=;\n", "my.csv must hold a table; it is empty."),
    "separators alone": (
        "sep=;\n;;;\n;;;\n",
        "my.csv must hold a table; none of its cells holds anything.",
    ),
    "gzipped twice": (
        gzip.compress(gzip.compress(PLAIN.encode())),
        "my.csv must be gzipped once; it is gzipped twice. Unpack it once.",
    ),
    "half of the numbers with the other decimal sign": (
        "sample;x;outcome\ns1;1,5;case\ns2;2.5;control\ns3;3,5;case\ns4;4.5;control\n",
        "numbers must have one decimal sign; 'x' has '1,5' in line 2 (sample s1), while the "
        "decimal sign is '.'. Name the right one with dataset.decimal, or take the column as "
        "categories with 'dataset.categorical=[x]'.",
    ),
    "most numbers with a percent sign": (
        "sample,x,outcome\ns1,1%,case\ns2,2%,control\ns3,3,case\ns4,4%,control\n",
        "all numbers of a column must have a percent sign, or none; 'x' has '1%' in line 2 "
        "(sample s1). Correct it, or take the column as categories with 'dataset.categorical=[x]'.",
    ),
    "escape in a feature name": (
        PLAIN.replace("tau", "\x1b[31mtau"),
        "a feature name of my.csv must hold no control characters; '\\x1b[31mtau' has U+001B. "
        "Correct it in the file.",
    ),
    "escape in a class": (
        PLAIN.replace("case", "\x1b[2Jcase"),
        "a class of my.csv must hold no control characters; '\\x1b[2Jcase' has U+001B. "
        "Correct it in the file.",
    ),
    "escape in an id": (
        PLAIN.replace("s3", "\x1b[2Js3"),
        "a sample id of my.csv must hold no control characters; '\\x1b[2Js3' has U+001B. "
        "Correct it in the file.",
    ),
    "escape in a category": (
        re.sub("6[0-3]", lambda _: "a\x7f", PLAIN),
        "a category of column 'age' of my.csv must hold no control characters; 'a\\x7f' has "
        "U+007F. Correct it in the file or name its encoding.",
    ),
    "hdf5": (
        b"\x89HDF\r\n and more",
        "my.csv must be csv, tsv, parquet or xlsx; it is an HDF5 file. "
        "If it is an AnnData file, use dataset=h5ad.",
    ),
    "other zip file": (
        b"PK\x03\x04 and more",
        "my.csv must be an Excel workbook; it is another zip file or damaged (File is not a zip "
        "file). Save it again as xlsx or csv.",
    ),
}


@pytest.mark.parametrize("case", DATA_ERRORS)
def test_malformed_table_is_refused_with_one_sentence(read, case):
    content, sentence = DATA_ERRORS[case]
    assert refused(DataError, lambda: read(content)) == sentence


CONFIG_ERRORS = {
    "no such target": (
        {"target": "outcom"},
        "target must be a column of my.csv; there is no column 'outcom'; did you mean 'outcome'?",
    ),
    "no such target, nothing near": (
        {"target": "zzz"},
        "target must be a column of my.csv; there is no column 'zzz'; "
        "the columns are 'tau', 'age', 'outcome'.",
    ),
    "target is the id": (
        {"target": "sample", "id": "sample"},
        "target must be a column of my.csv; 'sample' holds the sample ids.",
    ),
    "no target": (
        {"target": None},
        "target must name the column to predict: dataset.target=COLUMN; the columns are "
        "'tau', 'age', 'outcome'.",
    ),
    "no such id": (
        {"id": "Sampel"},
        "id must be a column of my.csv; there is no column 'Sampel'; did you mean 'sample'?",
    ),
    "no such groups": (
        {"groups": "ages"},
        "groups must be a column of my.csv; there is no column 'ages'; did you mean 'age'?",
    ),
    "nothing to drop": (
        {"drop": ["taus"]},
        "drop must name features; there is no feature 'taus'; did you mean 'tau'?",
    ),
    "pattern without a hit": (
        {"drop": ["qc_*"]},
        "drop must name features; there is no feature 'qc_*'.",
    ),
    "no such block": (
        {"blocks": ["rna"]},
        "blocks must be among features; there is no block 'rna'.",
    ),
    "no such categorical": (
        {"categorical": ["agee"]},
        "categorical must name columns; there is no column 'agee'; did you mean 'age'?",
    ),
    "kind": (
        {"kind": "survival"},
        "kind must be one of binary, multiclass, regression; got 'survival'.",
    ),
    "positive": (
        {"positive": "sick"},
        "positive must be a class of 'outcome' ('case', 'control'); got 'sick'.",
    ),
    "separator": (
        {"separator": "semi"},
        "separator must be one character or one of tab, semicolon, comma, bar, space; got 'semi'.",
    ),
    "decimal": ({"decimal": "comma"}, "decimal must be '.' or ','; got 'comma'."),
    "encoding": (
        {"encoding": "utf8000"},
        "encoding must be one that Python knows (utf-8, utf-16, cp1252, latin-1 …); got 'utf8000'.",
    ),
    "drop of the target": (
        {"drop": ["outcome"]},
        "drop must name features; 'outcome' is the target.",
    ),
    "positive class of a regression": (
        {"target": "age", "positive": "60", "kind": "regression"},
        "positive is for a target of two classes; 'age' is read as regression with 4 different "
        "values. Leave it out or set dataset.kind=binary.",
    ),
    "blocks to turn that are none": (
        {"transpose": "yes"},
        "transpose must be true, false or blocks among features; got 'yes'.",
    ),
    "truth value": (
        {"drop_empty": 5},
        "dataset.drop_empty must be true or false; got 5.",
    ),
    "list": (
        {"drop": None},
        "dataset.drop must be a list or text; got null.",
    ),
    "file": (
        {"path": ["a.csv", "b.csv"]},
        "dataset.path must be text or a mapping or null; got ['a.csv', 'b.csv'].",
    ),
    "unknown key": (
        {"seperator": ";"},
        None,
    ),
}


@pytest.mark.parametrize("case", CONFIG_ERRORS)
def test_wrong_table_setting_is_refused_with_one_sentence(read, case):
    values, sentence = CONFIG_ERRORS[case]
    found = refused(ConfigError, lambda: read(PLAIN, **values))
    if sentence is None:
        assert found.endswith("there is no key 'seperator'; did you mean 'separator'?")
    else:
        assert found == sentence


@pytest.mark.parametrize(
    ("dataset", "values", "sentence"),
    [
        ("omics", {"kind": "foo"}, "kind must be one of binary, multiclass, regression"),
        ("omics", {"kind": None}, "dataset.kind must be text; got null."),
        ("omics", {"kind": "regression"}, "'Class' holds text"),
        ("omics", {"drop": {"a": 1}}, "dataset.drop must be a list or text"),
        ("synthetic", {"n": "many"}, "dataset.n must be a whole number; got 'many'."),
        ("synthetic", {"n": 20.5}, "dataset.n must be a whole number; got 20.5."),
        ("synthetic", {"noise": True}, "dataset.noise must be a number; got True."),
    ],
)
def test_values_of_the_wrong_type_are_refused_by_every_loader(dataset, values, sentence):
    with pytest.raises((ConfigError, DataError)) as caught:
        load_dataset(dataset, **values)
    assert sentence in str(caught.value)


def test_number_is_accepted_where_text_is_expected(read):
    found = read(PLAIN.replace("2.5", "-999"), missing=-999, name="my.csv")
    assert found.X["tau"].isna().tolist() == [False, True, False, False]
    assert read(PLAIN.replace("tau", "5"), drop=5).feature_names == ("age",)


def test_make_task_refuses_unknown_kind():
    with pytest.raises(ConfigError, match="kind must be one of binary"):
        make_task(load_dataset("omics"), kind="survival")


def test_table_without_a_header_is_refused_with_that_guess(read):
    text = "".join(f"{r},{r}.5,{r % 2}\n" for r in range(1, 9))
    assert refused(DataError, lambda: read(text)) == (
        "column names of my.csv must be unique; 1 name repeats: '1'. Is the header missing?"
    )
    text = "".join(f"{r},{r}.5,{r % 2}\n" for r in range(4, 9))
    assert refused(ConfigError, lambda: read(text)) == (
        "target must be a column of my.csv; there is no column 'outcome'; the names are numbers "
        "('4', '4.5', '0'). Is the header missing?"
    )


def test_binary_kind_with_three_classes_is_refused(read):
    sentence = refused(
        DataError, lambda: read(PLAIN.replace("63,control", "63,other"), kind="binary")
    )
    assert sentence == (
        "a binary target must have two classes; 'outcome' has 3 ('case', 'control', 'other'). "
        "Set dataset.kind=multiclass."
    )


def test_regression_of_a_text_target_is_refused(read):
    sentence = refused(DataError, lambda: read(PLAIN, kind="regression"))
    assert sentence == (
        "a regression needs a numeric target; 'outcome' holds text, first 'case' in line 2 "
        "(sample s1). "
        "Set dataset.kind=binary or multiclass."
    )


def test_text_in_a_numeric_target_is_refused_with_its_row(read):
    lines = ["x,y"] + [f"{row},{row}.5" for row in range(20)]
    lines[7] = "6,n/d"
    sentence = refused(DataError, lambda: read("\n".join(lines), target="y"))
    assert "'y' has 'n/d' in line 8." in sentence


def test_infinite_target_is_refused_with_its_row(read):
    lines = ["x,y"] + [f"{row},{row}.5" for row in range(20)]
    lines[7] = "6,inf"
    sentence = refused(DataError, lambda: read("\n".join(lines), target="y"))
    assert sentence == "a target must be finite; 'y' is inf in line 8."


@pytest.mark.parametrize("separator", [";", "tab", "\\t"])
def test_wrong_separator_is_refused_with_a_hint(read, separator):
    sentence = refused(DataError, lambda: read(PLAIN, separator=separator))
    assert sentence.startswith("my.csv must have several columns; one was read with the separator ")
    assert "its first line is 'sample,tau,age,outcome'" in sentence


def test_missing_file_is_refused_with_the_nearest_name(read, tmp_path):
    read(PLAIN)
    missing = str(tmp_path / "my.cvs")
    sentence = refused(DataError, lambda: load_dataset("table", path=missing, target="outcome"))
    assert sentence == (
        f"path must be a file; there is no {missing}; did you mean {tmp_path / 'my.csv'}?"
    )
    sentence = refused(
        DataError, lambda: load_dataset("table", path=tmp_path / "zzz", target="outcome")
    )
    assert sentence.endswith(f"the folder {tmp_path} holds my.csv.")
    sentence = refused(
        DataError, lambda: load_dataset("table", path=tmp_path / "no" / "my.csv", target="outcome")
    )
    assert sentence.endswith(f"the folder {tmp_path / 'no'} is empty or missing.")


def test_folder_given_as_a_file_is_refused(read, tmp_path):
    read(PLAIN)
    sentence = refused(DataError, lambda: load_dataset("table", path=tmp_path, target="outcome"))
    assert sentence == f"path must be a file; {tmp_path} is a folder (with my.csv)."


def test_table_without_a_path_is_refused():
    sentence = refused(ConfigError, lambda: load_dataset("table", target="outcome"))
    assert sentence == "path must name a file: dataset.path=my.csv dataset.target=COLUMN."


def test_undecodable_bytes_are_refused_by_position(read):
    content = PLAIN.replace("s2", "s\x81").encode("latin-1")
    sentence = refused(DataError, lambda: read(content))
    assert sentence.startswith(
        "the bytes of my.csv must be utf-8 or cp1252; byte 0x81 in line 3 is not. "
        "Name the encoding, for example dataset.encoding="
    )
    assert read(content, encoding="cp850").sample_ids[1] == "sü"
    sentence = refused(DataError, lambda: read(content, encoding="latin-1"))
    assert sentence == (
        "a sample id of my.csv must hold no control characters; 's\\x81' has U+0081. Correct it in "
        "the file or name its encoding."
    )
    sentence = refused(DataError, lambda: read(PLAIN.replace("s2", "é").encode(), encoding="ascii"))
    assert "must be ascii; byte 0xc3 in line 3 is not." in sentence


def test_truncated_gzip_and_parquet_are_refused(read, tmp_path):
    whole = gzip.compress((PLAIN * 50).encode())
    sentence = refused(DataError, lambda: read(whole[:-20], name="my.csv.gz"))
    assert sentence.startswith("my.csv.gz must be a whole gzip file; it is cut or damaged (")
    broken = whole[:20] + b"\xff\xff\xff\xff" + whole[24:]
    sentence = refused(DataError, lambda: read(broken, name="my.csv.gz"))
    assert sentence.startswith("my.csv.gz must be a whole gzip file; it is cut or damaged (")
    frame = pd.DataFrame({"x": [1.0, 2.0], "outcome": ["a", "b"]})
    frame.to_parquet(tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    sentence = refused(DataError, lambda: read(content[:-30], name="cut.parquet"))
    assert sentence.startswith("cut.parquet must be a whole parquet file; ")
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    sentence = refused(
        DataError,
        lambda: load_dataset("table", path=tmp_path / "none.parquet", target="outcome"),
    )
    assert sentence == "none.parquet must hold rows; it has 2 columns and no row."


def test_unknown_or_empty_sheet_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "data"
    book.create_sheet("empty")
    for line in PLAIN.splitlines():
        book["data"].append(line.split(","))
    book.save(tmp_path / "book.xlsx")

    def load(sheet):
        return load_dataset("table", path=tmp_path / "book.xlsx", target="outcome", sheet=sheet)

    sentence = refused(ConfigError, lambda: load("dta"))
    assert sentence == (
        "sheet must be one of 'data', 'empty' in book.xlsx, or its number counted from 0; got "
        "'dta'."
    )
    assert "got 2." in refused(ConfigError, lambda: load(2))
    assert refused(DataError, lambda: load("empty")) == (
        "book.xlsx must hold a table; its sheet 'empty' is empty."
    )


def test_repeated_id_is_refused_with_advice(read):
    text = PLAIN.replace("sample", "person").replace("s2", "s1")
    sentence = refused(DataError, lambda: read(text, id="person"))
    assert "1 of 3 ids in 'person' of my.csv repeat: 's1' twice" in sentence
    assert "keep the rows of one id together with dataset.groups=person" in sentence
    assert read(text, groups="person").groups.tolist() == ["s1", "s1", "s3", "s4"]


def test_missing_ids_and_groups_are_refused_with_their_row(read):
    text = PLAIN.replace("s2,", ",")
    assert refused(DataError, lambda: read(text, id="sample")) == (
        "every row must have a sample id; 'sample' of my.csv is empty in line 3 (1 in all)."
    )
    text = PLAIN.replace("61", "NA")
    assert refused(DataError, lambda: read(text, groups="age")) == (
        "groups must be known for every row; 'age' is missing in line 3 (sample s2) (1 in all)."
    )


def test_file_with_another_checksum_is_refused(read):
    assert "must have the sha256 abc" in refused(DataError, lambda: read(PLAIN, sha256="abc"))
    checksum = read(PLAIN).provenance.sha256
    assert read(PLAIN, sha256=checksum).X.shape == (4, 2)


def test_files_that_cannot_be_joined_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("sample,x,outcome\ns1,1,a\ns2,2,b\n")
    (tmp_path / "b.csv").write_text("sample,z\nS-1,1\nS-2,2\n")
    (tmp_path / "c.csv").write_text("u,z\n1.5,1\n2.5,2\n")
    (tmp_path / "d.csv").write_text("sample,z\ns1,1\ns1,2\n")
    (tmp_path / "e.csv").write_text("sample,outcome\ns1,b\ns2,a\n")

    def load(other, **values):
        files = {"one": tmp_path / "a.csv", "two": tmp_path / other}
        return load_dataset("table", path=files, target="outcome", **values)

    assert refused(DataError, lambda: load("b.csv")) == (
        "the files must share sample ids; they share none (a.csv 's1', b.csv 'S-1'). 0 of 2 ids "
        "agree as written; 2 do when case and punctuation are ignored, as 's1' and 'S-1': set "
        "dataset.join_ids=loose. Then a class must be met more than once; 'outcome' has 2 rows and "
        "as many different values. Is it an id? For a numeric target set dataset.kind=regression."
    )
    assert refused(DataError, lambda: load("c.csv")) == (
        "files are joined on sample ids; none were found in c.csv. Name their column with "
        "'dataset.id={two: COLUMN}'."
    )
    assert refused(DataError, lambda: load("d.csv", id="sample")).startswith(
        "sample ids must be unique; 1 of 1 ids in 'sample' of d.csv repeat: 's1' twice."
    )
    assert refused(DataError, lambda: load("e.csv")) == (
        "a column in several files must hold the same in all; 'outcome' does not. "
        "Name one: dataset.target=one:outcome or two:outcome."
    )
    assert "join_how must be inner, part or outer; got 'left'" in refused(
        ConfigError, lambda: load("b.csv", join_how="left")
    )


# -------------------------------------------------------------------------------------- advice


def rows(n, header, line):
    return "\n".join([header] + [line(row) for row in range(n)])


def test_id_among_the_features_gives_a_warning(read):
    text = rows(
        20, "sample,name,number,x,outcome", lambda r: f"s{r},nm{r}a,{r + 1},{r}.5,{'ab'[r % 2]}"
    )
    warnings = read(text).warnings
    assert len(warnings) == 2
    assert warnings[0].startswith("column 'name' looks like an id left among the features")
    assert "'dataset.drop=[number]'" in warnings[1]
    assert read(text, drop=["name", "number"]).warnings == ()


def test_numbers_one_after_the_other_on_the_left_are_like_ids_wherever_they_begin(read):
    text = rows(
        20, "sample,nr,year,x,outcome", lambda r: f"s{r},{r + 100},{r + 1990},{r}.5,{'ab'[r % 2]}"
    )
    (warning,) = read(text).warnings
    assert warning.startswith("column 'nr' looks like an id left among the features")


def test_repeated_measures_without_groups_give_a_warning(read):
    text = rows(20, "sample,patient_id,x,outcome", lambda r: f"s{r},p{r // 2},{r}.5,{'ab'[r % 2]}")
    dataset = read(text)
    assert dataset.groups is None
    assert dataset.feature_names == ("x",)
    assert dataset.warnings == (
        "column 'patient_id' has 10 values in 20 rows, as ids that repeat, and is no feature; if "
        "these are repeated measures, set dataset.groups=patient_id, so that nobody is in two "
        "folds; take it in with 'dataset.categorical=[patient_id]' [SD008]",
    )
    assert read(text, groups="patient_id").warnings == ()
    assert read(text, categorical=["patient_id"]).feature_names == ("patient_id", "x")


@pytest.mark.parametrize("time", ["days", "survival_time", "os.months", "timeToEvent"])
def test_survival_target_gives_a_warning(read, time):
    text = rows(40, f"sample,{time},event,x", lambda r: f"s{r},{r * 7 + 3},{r % 2},{r * 3 % 7}")
    (warning,) = read(text, target=time).warnings
    assert warning.startswith(f"target {time!r} with the column 'event' looks like survival times")
    (warning,) = read(text, target="event").warnings
    assert f"'dataset.drop=[{time}]'" in warning
    assert read(text, target="event", drop=[time]).warnings == ()


def test_classes_that_differ_in_spelling_are_refused(read):
    text = rows(20, "sample,x,outcome", lambda r: f"s{r},{r}.5,{['case', 'Case', 'no'][r % 3]}")
    sentence = refused(DataError, lambda: read(text))
    assert sentence.startswith("each class of 'outcome' must have one spelling; it has 'Case' 7, ")
    assert read(text, ignore_case=True).y.tolist().count("case") == 14


def test_ordinary_table_gives_no_warning(read):
    generator = np.random.default_rng(0)
    text = rows(
        30,
        "sample,patient,age_years,gene_id2,outcome",
        lambda r: (
            f"s{r},{'yes' if r % 3 else 'no'},{50 + r % 9},{generator.normal()},{'ab'[r % 2]}"
        ),
    )
    assert read(text).warnings == ()
