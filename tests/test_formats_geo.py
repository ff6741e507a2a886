"""GEO series matrices: tags, characteristics, and series without a table."""

import gzip

import numpy as np
import pytest

import format_files as files
from format_files import (
    CLASSES,
    GENES,
    IDS,
    VALUES,
    lines,
    only,
    tables_of,
    values_of,
    written,
)
from smalldata.datasets import load_dataset
from smalldata.errors import DataError


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_series_matrix(tmp_path, end, pack):
    tables = tables_of(tmp_path, pack(files.series_matrix(end=end).encode()))
    table, said = only(tables)
    assert table.names[1:] == GENES
    np.testing.assert_array_equal(values_of(table), VALUES)
    described = tables["samples"]
    assert described.names == ["geo_accession", "title", "disease state", "age"]
    assert described.is_sheet
    assert described.columns[2] == CLASSES
    assert "GEO series matrix (GSE1): 5 rows of its table (ID_REF)" in said
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="disease state")
    assert dataset.y.tolist() == CLASSES
    assert set(GENES) <= set(dataset.X)


def test_characteristics_of_different_keys_find_their_columns(tmp_path):
    given = [
        ["sex: m", "Age: 41", "sex: f", "age: 43", "", "sex: m", "sex: f", "sex: f"],
        [
            "age: 40",
            "sex: f",
            "age: 42",
            "sex: m",
            "age: 44",
            "age: 45",
            "stage: pT2: x",
            "age: 47",
        ],
        ["tumor"] * 4 + ["normal"] * 4,
        ["treatment: a", *["treatment: b"] * 7],
        ["treatment: c", *[""] * 7],
    ]
    tables = tables_of(tmp_path, files.series_matrix(characteristics=given))
    described = dict(zip(tables["samples"].names, tables["samples"].columns, strict=True))
    assert described["sex"] == ["m", "f", "f", "m", "", "m", "f", "f"]
    assert described["Age"] == ["40", "41", "42", "43", "44", "45", "", "47"]
    assert described["stage"][6] == "pT2: x"
    assert described["characteristic 3"] == ["tumor"] * 4 + ["normal"] * 4
    assert described["treatment"][:2] == ["a; c", "b"]


def test_series_matrix_leaves_out_rows_without_a_value(tmp_path):
    rows = [*files.rows_of_genes(), ["empty", *["null"] * 8]]
    table, said = only(tables_of(tmp_path, files.series_matrix(rows=rows)))
    assert table.names[1:] == GENES
    assert "1 row without a value left out" in said


@pytest.mark.parametrize(
    "id", [{"rna": "title", "sheet": "patient"}, {"samples": "title", "sheet": "patient"}, "title"]
)
def test_samples_of_a_series_may_go_by_their_titles(tmp_path, id):
    written(tmp_path, files.series_matrix())
    sheet = written(tmp_path, files.sheet().replace("sample,class", "patient,outcome"), "sheet.csv")
    path = {"rna": tmp_path / "file.txt", "sheet": sheet}
    dataset = load_dataset("table", path=path, target="outcome", id=id)
    assert dataset.sample_ids.tolist() == IDS
    assert list(dataset.X) == GENES
    np.testing.assert_array_equal(dataset.X.to_numpy(), VALUES)


def test_two_series_matrices_are_two_blocks(tmp_path):
    one = written(tmp_path, files.series_matrix(), "one.txt")
    rows = files.rows_of_genes(names=["A", "B", "C", "D", "E"])
    given = [[f"tissue: t{n % 3}" for n in range(8)]]
    two = written(tmp_path, files.series_matrix(rows=rows, characteristics=given), "two.txt")
    path = {"first": one, "second": two}
    dataset = load_dataset("table", path=path, target="disease state")
    assert list(dataset.X) == [*GENES, "A", "B", "C", "D", "E"]
    assert dataset.feature_blocks == ("first",) * 5 + ("second",) * 5


@pytest.mark.parametrize("table", [False, None])
def test_series_matrix_without_a_table(tmp_path, table):
    text = files.series_matrix(table=table)
    with pytest.raises(DataError, match=r"must hold a table of values.*GSE1_c\.txt\.gz.*path="):
        tables_of(tmp_path, text)
    # Another file may hold the values.
    ids = [f"GSM10{n}" for n in range(8)]
    counts = written(
        tmp_path,
        lines([["id", *GENES], *([i, *v] for i, v in zip(ids, VALUES, strict=False))]),
        "c",
    )
    path = {"counts": counts, "samples": tmp_path / "file.txt"}
    dataset = load_dataset("table", path=path, target="disease state")
    assert dataset.y.tolist() == CLASSES
    assert set(GENES) <= set(dataset.X)


def test_series_matrix_that_is_cut_is_refused(tmp_path):
    with pytest.raises(DataError, match="its last line, !series_matrix_table_end, is missing"):
        tables_of(tmp_path, files.series_matrix(is_whole=False))
