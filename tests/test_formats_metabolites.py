"""Alignments of MS-DIAL and Progenesis: rows above, blocks, and what stands on the right."""

import numpy as np
import pytest

import format_files as files
from format_files import (
    CLASSES,
    IDS,
    VALUES,
    joined,
    lines,
    only,
    tables_of,
    values_of,
)
from smalldata.datasets import load_dataset


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("statistics", [False, True])
def test_msdial(tmp_path, old, statistics):
    tables = tables_of(tmp_path, files.msdial(old=old, statistics=statistics, qc=True))
    table, said = only(tables)
    assert table.columns[0] == IDS
    assert table.names[1:] == ["Alanine", "ID 1", "ID 2", "ID 3", "ID 4"]
    assert "1 by 'Metabolite name'" in said
    np.testing.assert_array_equal(values_of(table), VALUES)
    described = tables["samples"]
    expected = ["", "Class", "File type", "Injection order", *(["Batch ID"] * (not old))]
    assert described.names == expected
    assert described.is_sheet
    assert "6 Sample, 1 QC, 1 Blank" in said
    assert ("4 columns of averages left out" in said) is statistics
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="Class")
    assert dataset.y.tolist() == CLASSES
    assert {"Alanine", "ID 4"} <= set(dataset.X)


def test_msdial_without_rows_above(tmp_path):
    rows = files.msdial()[4:]
    rows[2][3] = "w/o MS2:Unknown"  # one peak without an identification has no name either
    assert only(tables_of(tmp_path, rows))[0].names[2:4] == ["ID 1", "ID 2"]
    assert joined(tmp_path, rows).X.shape == (8, 5)


def test_progenesis_with_a_decimal_comma(tmp_path):
    rows = [[str(cell).replace(".", ",") for cell in row] for row in files.progenesis()]
    tables = tables_of(tmp_path, lines(rows, ";").encode("utf-16"))
    np.testing.assert_allclose(values_of(only(tables)[0]), VALUES)
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="Condition")
    np.testing.assert_allclose(dataset.X.to_numpy(), VALUES)


@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({}, 1),
        ({"blocks": ("Raw abundance",)}, 1),
        ({"blocks": ("Raw abundance", "Normalized abundance"), "proteins": True}, 2),
        ({"blocks": ("Average Normalised Abundances", "Normalised abundance"), "right": False}, 2),
    ],
)
def test_progenesis_takes_one_block_and_fills_its_groups(tmp_path, settings, factor):
    text = lines(files.progenesis(**settings), ",")
    tables = tables_of(tmp_path, text)
    table, said = only(tables)
    assert table.columns[0] == IDS
    np.testing.assert_allclose(values_of(table), VALUES * factor)
    assert tables["samples"].columns[1] == ["case"] * 4 + ["control"] * 4
    assert "of 8 samples" in said
    assert "Condition" in said
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="Condition")
    assert dataset.X.shape[0] == 8
