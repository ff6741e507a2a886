"""Damaged files of every format end in one sentence that names the file."""

import gzip
import io
import zipfile

import h5py
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smalldata.datasets import load_dataset
from smalldata.datasets.damage import refusing
from smalldata.errors import ConfigError, DataError

OUTCOME = ["case", "control"] * 6
TEXT = "sample,tau,outcome\n" + "".join(f"s{n},{n}.5,{OUTCOME[n]}\n" for n in range(12))


def sentence_of(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_dataset("h5ad" if path.suffix == ".h5ad" else "table", path=path, target="outcome")
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?"
    return sentence


def test_the_net_names_what_the_parser_said_and_passes_errors_of_the_package():
    def fail(error):
        with refusing("a.x must be whole", found="it is not", remedy="Copy it."):
            raise error

    with pytest.raises(
        DataError, match=r"^a\.x must be whole; it is not \(odd thing\)\. Copy it\.$"
    ):
        fail(RuntimeError("odd\nthing."))
    with pytest.raises(DataError, match=r"it is not \(EOFError\)\. Copy it\.$") as caught:
        fail(EOFError())
    assert isinstance(caught.value.__cause__, EOFError)
    with pytest.raises(ConfigError, match="as it is"):
        fail(ConfigError("as it is"))


# ---------------------------------------------------------------- text and gzip


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:2],
        lambda whole: whole[:2] + b"\x09" + whole[3:],
        lambda whole: whole[:20] + bytes([whole[20] ^ 0xFF]) + whole[21:],
        lambda whole: whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:],
        lambda whole: whole + b"junk",
    ],
)
def test_damaged_gzip_is_one_sentence(tmp_path, damage):
    sentence = sentence_of(tmp_path, damage(gzip.compress(TEXT.encode())), "my.csv.gz")
    assert sentence.startswith("my.csv.gz must be a whole gzip file; it is cut or damaged (")


@pytest.mark.parametrize("encoding", ["rot13", "base64", "undefined", "a\0b"])
def test_a_codec_that_is_no_encoding_of_text_is_refused(tmp_path, encoding):
    (tmp_path / "my.csv").write_text(TEXT)
    with pytest.raises(ConfigError, match="encoding must be one that Python knows"):
        load_dataset("table", path=tmp_path / "my.csv", target="outcome", encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_wide_encodings_are_read_with_and_without_a_mark(tmp_path, encoding):
    (tmp_path / "my.csv").write_bytes(TEXT.encode(encoding))
    dataset = load_dataset("table", path=tmp_path / "my.csv", target="outcome")
    assert dataset.X["tau"].tolist() == [n + 0.5 for n in range(12)]


# ---------------------------------------------------------------- xlsx


def repacked(changes):
    """Change members of a workbook's zip file; None leaves one out."""
    workbook = openpyxl.Workbook()
    for line in TEXT.splitlines():
        workbook.active.append(line.split(","))
    plain, changed = io.BytesIO(), io.BytesIO()
    workbook.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name in changes:
                content = changes[name](content)
            if content is not None:
                target.writestr(name, content)
    return changed.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
BOOKS = {
    "an empty zip": b"PK\x05\x06" + bytes(18),
    "a cut zip": repacked({})[:2000],
    "no workbook": repacked({"xl/workbook.xml": lambda _: None}),
    "a cut workbook": repacked({"xl/workbook.xml": lambda xml: xml[:100]}),
    "cut styles": repacked({"xl/styles.xml": lambda xml: xml[:60]}),
    "an empty sheet file": repacked({SHEET: lambda _: b""}),
    "a cut sheet": repacked({SHEET: lambda xml: xml[: len(xml) // 2]}),
    "a wrong cell": repacked({SHEET: lambda xml: xml.replace(b'r="B4"', b'r="4B"')}),
    "a wrong row": repacked({SHEET: lambda xml: xml.replace(b'<row r="4"', b'<row r="x"')}),
    "a wrong type": repacked(
        {SHEET: lambda xml: xml.replace(b"<row", b'<row><c t="n"><v>6q1</v></c></row><row', 1)}
    ),
    "a huge number": repacked(
        {
            SHEET: lambda xml: xml.replace(
                b"<row", b"<row><c><v>" + b"9" * 5000 + b"</v></c></row><row", 1
            )
        }
    ),
}


@pytest.mark.parametrize("case", BOOKS)
def test_a_damaged_workbook_is_one_sentence(tmp_path, case):
    sentence = sentence_of(tmp_path, BOOKS[case], "my.xlsx")
    assert sentence.startswith(
        "my.xlsx must be an Excel workbook; it is another zip file or damaged ("
    )


@pytest.mark.parametrize(
    "changes", [{SHEET: lambda _: None}, {"xl/workbook.xml": lambda _: b"<workbook/>"}]
)
def test_a_workbook_without_a_sheet_is_one_sentence(tmp_path, changes):
    assert sentence_of(tmp_path, repacked(changes), "my.xlsx") == (
        "my.xlsx must hold a sheet with a table; it has none."
    )


# ---------------------------------------------------------------- parquet


def parquet(**columns):
    stream = io.BytesIO()
    pq.write_table(
        pa.table({"tau": [n + 0.5 for n in range(12)], "outcome": OUTCOME, **columns}), stream
    )
    return stream.getvalue()


def not_utf8():
    buffers = pa.array([b"\xff\xfe%02d" % n for n in range(12)]).buffers()
    return pa.Array.from_buffers(pa.string(), 12, buffers)


@pytest.mark.parametrize(
    "content",
    [b"PAR1", b"PAR1PAR1", parquet()[:400], parquet()[:-40] + b"\xff" * 32 + parquet()[-8:]],
)
def test_cut_parquet_is_one_sentence(tmp_path, content):
    sentence = sentence_of(tmp_path, content, "my.parquet")
    assert sentence.startswith("my.parquet must be a whole parquet file; it is cut or damaged (")


@pytest.mark.parametrize(
    "column",
    [
        not_utf8(),
        pa.array([b"\xff%d" % n for n in range(12)]),
        pa.array([2**62 + n for n in range(12)], pa.timestamp("us")),
        pa.array([2**31 - 1 - n for n in range(12)], pa.date32()),
        pa.array(list(range(12)), pa.timestamp("us", "Nowhere/X")),
    ],
    ids=["text", "bytes", "timestamp", "date", "zone"],
)
def test_a_parquet_column_that_cannot_be_read_is_named(tmp_path, column):
    sentence = sentence_of(tmp_path, parquet(odd=column), "my.parquet")
    assert sentence.startswith("a column must hold numbers or text; 'odd' of my.parquet is of type")


def test_repeated_names_of_parquet_are_told_as_such(tmp_path):
    stream = io.BytesIO()
    numbers = pa.array([float(n) for n in range(12)])
    pq.write_table(
        pa.table([numbers, numbers, pa.array(OUTCOME)], names=["a", "a", "outcome"]), stream
    )
    assert sentence_of(tmp_path, stream.getvalue(), "my.parquet") == (
        "column names of my.parquet must be unique; 1 name repeats: 'a'. Say what to "
        "do: dataset.duplicates=mean or max merges them row by row, first keeps the "
        "first of each, number keeps all."
    )


def test_bytes_of_parquet_are_text(tmp_path):
    (tmp_path / "my.parquet").write_bytes(parquet(kind=pa.array([b"x", b"y"] * 6)))
    dataset = load_dataset("table", path=tmp_path / "my.parquet", target="outcome")
    assert dataset.X["kind"].tolist() == ["x", "y"] * 6


def test_whole_numbers_beyond_float64_keep_their_digits_as_ids_and_groups(tmp_path):
    ids = [2**60 + n for n in range(12)]
    groups = [2**60 + n // 2 for n in range(12)]
    (tmp_path / "my.parquet").write_bytes(parquet(id=ids, person=groups, count=ids))
    dataset = load_dataset(
        "table", path=tmp_path / "my.parquet", target="outcome", id="id", groups="person"
    )
    assert dataset.sample_ids.tolist() == [str(entry) for entry in ids]
    assert dataset.groups.tolist() == [str(entry) for entry in groups]
    assert dataset.X["count"].tolist() == [float(entry) for entry in ids]
    (tmp_path / "my.h5ad").write_bytes(
        h5ad(tmp_path, lambda f: f["obs"].create_dataset("person", data=groups))
    )
    dataset = load_dataset("h5ad", path=tmp_path / "my.h5ad", target="outcome", groups="person")
    assert dataset.groups.tolist() == [str(entry) for entry in groups]


# ---------------------------------------------------------------- h5ad


def text(values):
    return np.array(values, dtype=h5py.string_dtype())


def h5ad(folder, change=lambda file: None):
    """Bytes of an AnnData file of 12 x 2, changed."""
    path = folder / "source.h5ad"
    with h5py.File(path, "w") as file:
        for name, index in (("obs", [f"s{n}" for n in range(12)]), ("var", ["a", "b"])):
            group = file.create_group(name)
            group.attrs["_index"] = "_index"
            group["_index"] = text(index)
        file["obs/outcome"] = text(OUTCOME)
        file["X"] = np.random.default_rng(0).normal(size=(12, 2))
        change(file)
    return path.read_bytes()


def replaced(key, value):
    def change(file):
        del file[key]
        file[key] = value

    return change


def categorical(codes, categories=("u", "v")):
    def change(file):
        del file["obs/outcome"]
        group = file.create_group("obs/outcome")
        group["codes"] = codes
        group["categories"] = text(list(categories))

    return change


def nullable(file):
    del file["obs/outcome"]
    group = file.create_group("obs/outcome")
    group["values"], group["mask"] = np.arange(12), np.zeros(1, dtype=bool)


def sparse(**changes):
    def change(file):
        del file["X"]
        group = file.create_group("X")
        group.attrs["encoding-type"] = "csr_matrix"
        parts = {
            "data": np.ones(12),
            "indices": np.array([0, 1] * 6),
            "indptr": np.arange(13),
            "shape": (12, 2),
        } | changes
        shape = parts.pop("shape")
        if shape is not None:
            group.attrs["shape"] = shape
        for name, values in parts.items():
            group[name] = values

    return change


COLUMNS = {
    "one value": replaced("obs/outcome", "x"),
    "a matrix": replaced("obs/outcome", np.zeros((12, 2))),
    "records": replaced("obs/outcome", np.zeros(12, dtype=[("a", "f8"), ("b", "i4")])),
    "not utf-8": replaced("obs/outcome", np.array([b"\xff", b"\xfe"] * 6)),
    "a dead link": replaced("obs/outcome", h5py.SoftLink("/nowhere")),
    "codes without category": categorical(np.array([0, 5] * 6)),
    "codes that are no whole numbers": categorical(np.array([0, 0.5] * 6)),
    "codes that are NaN": categorical(np.array([0, np.nan] * 6)),
    "a short mask": nullable,
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_of_obs_that_cannot_be_read_is_named(tmp_path, case):
    content = h5ad(tmp_path, COLUMNS[case])
    sentence = sentence_of(tmp_path, content, "my.h5ad")
    assert sentence.startswith(
        "column 'outcome' of obs of my.h5ad must hold numbers or text; it cannot be read ("
    )


MATRICES = {
    "text": replaced("X", text([["a", "b"]] * 12)),
    "complex": replaced("X", np.zeros((12, 2), dtype=complex)),
    "a dead link": replaced("X", h5py.ExternalLink("/nowhere.h5", "/X")),
    "sparse without a shape": sparse(shape=None),
    "sparse with a shape of text": sparse(shape="x"),
    "sparse, a column that is not there": sparse(indices=np.array([0, 9] * 6)),
    "sparse, a column below 0": sparse(indices=np.array([0, -9] * 6)),
    "sparse, rows missing": sparse(indptr=np.arange(5)),
    "sparse of text": sparse(data=text(["a"] * 12)),
}


@pytest.mark.parametrize("case", MATRICES)
def test_a_matrix_that_cannot_be_read_is_one_sentence(tmp_path, case):
    sentence = sentence_of(tmp_path, h5ad(tmp_path, MATRICES[case]), "my.h5ad")
    assert sentence.startswith(
        "the matrix of my.h5ad must be an array of numbers, dense, csr or csc; it cannot be read ("
    )


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (replaced("X", 3.0), "a single number"),
        (replaced("X", np.zeros(12)), "12"),
        (replaced("X", np.zeros((12, 2, 2))), "12 x 2 x 2"),
        (sparse(shape=(12, 2**40)), "12 x 1099511627776"),
    ],
)
def test_a_matrix_of_another_shape_is_refused_before_it_is_read(tmp_path, change, shape):
    sentence = sentence_of(tmp_path, h5ad(tmp_path, change), "my.h5ad")
    assert sentence == f"the matrix of my.h5ad must be obs x var (12 x 2); it is {shape}."


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (lambda file: file.pop("X"), "my.h5ad must have a matrix X; it has no layer either."),
        (replaced("obs", np.zeros(3)), "obs of my.h5ad must be a data frame; it is an array."),
        (
            replaced("obs/outcome", text(["a", "b"])),
            "a column of obs of my.h5ad must have 12 entries like its index; 'outcome' has 2.",
        ),
        (
            replaced("var/_index", text(["", "b"])),
            "a feature name of my.h5ad must not be empty; one is.",
        ),
        (
            replaced("var/_index", np.array([b"a\0x", b"b"])),
            "a feature name of my.h5ad must hold no control characters; 'a\\x00x' has U+0000.",
        ),
        (
            replaced("obs/_index", text(["", *(f"s{n}" for n in range(11))])),
            "a sample id of my.h5ad must not be empty; one is.",
        ),
    ],
)
def test_an_unusable_part_of_h5ad_is_named(tmp_path, change, start):
    assert sentence_of(tmp_path, h5ad(tmp_path, change), "my.h5ad").startswith(start)


@pytest.mark.parametrize("place", [672, 872, 1454, 1939])
def test_damage_in_the_tree_of_an_h5ad_file_is_one_sentence(tmp_path, place):
    whole = h5ad(tmp_path)
    damaged = (
        whole[:place] + bytes(byte ^ 0xFF for byte in whole[place:][:16]) + whole[place + 16 :]
    )
    assert "my.h5ad" in sentence_of(tmp_path, damaged, "my.h5ad")


@pytest.mark.parametrize("target", ["/X", ".", "../X", "__categories", "a\0b"])
def test_only_columns_of_obs_can_be_named(tmp_path, target):
    (tmp_path / "my.h5ad").write_bytes(h5ad(tmp_path, lambda f: f.create_group("obs/__categories")))
    with pytest.raises(ConfigError, match=r"target must be a column of obs of my\.h5ad"):
        load_dataset("h5ad", path=tmp_path / "my.h5ad", target=target)
