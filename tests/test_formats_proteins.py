"""Tables of MaxQuant, DIA-NN and Spectronaut: what is taken, how it is named, what is dropped."""

import numpy as np
import openpyxl
import pytest

import format_files as files
from format_files import (
    CLASSES,
    GENES,
    IDS,
    VALUES,
    joined,
    lines,
    only,
    tables_of,
    values_of,
)
from smalldata.datasets import load_dataset
from smalldata.datasets.intake import read_tables
from smalldata.datasets.options import TableOptions
from smalldata.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "quantity", "factor"),
    [
        ({}, "LFQ intensity", 1),
        ({"quantities": ("Intensity",)}, "Intensity", 1),
        ({"quantities": ("iBAQ", "Intensity"), "contaminant": "Contaminant"}, "Intensity", 1),
        ({"quantities": ("iBAQ",), "id_column": "Majority protein IDs"}, "iBAQ", 1),
    ],
)
def test_maxquant_takes_the_best_quantity_and_its_proteins(tmp_path, settings, quantity, factor):
    table, said = only(tables_of(tmp_path, files.protein_groups(**settings)))
    ids = settings.get("id_column", "Protein IDs")
    assert table.columns[0] == IDS
    # Decoy, contaminant and site are gone; TP53 occurs twice and one gene is unknown.
    assert table.names == ["", "P0;Q0", "EGFR", "P5;Q5", "P6;Q6"]
    expected = np.array([VALUES[:, j % 5] for j in (0, 1, 5, 6)]).T * 1e6
    expected = np.floor(expected) * factor
    expected[[0, 1, 5, 6], [0, 1, 2, 3]] = np.nan
    np.testing.assert_allclose(values_of(table), expected, rtol=1e-6)
    assert f"{quantity} of 8 samples" in said
    assert "4 zeros are missing values" in said
    contaminant = settings.get("contaminant", "Potential contaminant")
    assert f"1 Only identified by site, 1 Reverse, 1 {contaminant}" in said
    assert "1 by 'Gene names'" in said
    assert f"named by {ids!r}" in said
    assert {entry.reason for entry in table.dropped} >= {f"marked + in {contaminant}"}


def test_maxquant_through_r_or_excel_is_the_same(tmp_path):
    plain = only(tables_of(tmp_path, files.protein_groups()))[0]
    dotted = only(tables_of(tmp_path, files.protein_groups(dots=True)))[0]
    book = openpyxl.Workbook()
    for row in files.protein_groups():
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    excel = only(read_tables(TableOptions(path=tmp_path / "book.xlsx")))[0]
    utf16 = lines(files.protein_groups(), end="\r\n").encode("utf-16")
    wide = only(tables_of(tmp_path, utf16))[0]
    for other in (dotted, excel, wide):
        assert other.names == plain.names
        np.testing.assert_array_equal(values_of(other), values_of(plain))


def test_maxquant_joins_with_a_sheet(tmp_path):
    dataset = joined(tmp_path, files.protein_groups())
    assert dataset.X.shape == (8, 4)
    assert dataset.y.tolist() == CLASSES
    assert any("Potential contaminant" in finding.text for finding in dataset.findings)
    dataset = joined(tmp_path, files.protein_groups(), name_column="id")
    assert list(dataset.X) == ["0", "1", "5", "6"]
    with pytest.raises(ConfigError, match=r"name_column must be an annotation in file\.txt"):
        joined(tmp_path, files.protein_groups(), name_column="ID of gene")


def test_perseus_gives_its_groups(tmp_path):
    rows = [
        [*[f"LFQ intensity {name}" for name in IDS], "Gene names", "Protein IDs"],
        ["#!{Type}E", *["E"] * 7, "T", "T"],
        [f"#!{{C:Group}}{CLASSES[0]}", *CLASSES[1:], "", ""],
    ]
    rows += [[*VALUES[:, j], gene, f"P{j}"] for j, gene in enumerate(GENES)]
    tables = tables_of(tmp_path, rows)
    table, said = only(tables)
    assert table.names[1:] == GENES
    assert table.columns[0] == IDS
    assert tables["samples"].names == ["", "Group"]
    assert tables["samples"].is_sheet
    assert tables["samples"].columns[1] == CLASSES
    assert "rows of groups are columns of the samples: Group" in said
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="Group")
    assert set(GENES) <= set(dataset.X)
    assert dataset.y.tolist() == CLASSES


def test_peptides_are_named_by_their_sequence(tmp_path):
    rows = files.protein_groups()
    rows = [[f"PEP{n}K", *row] for n, row in enumerate(rows)]
    rows[0][:3] = ["Sequence", "Proteins", "Start position"]
    table, said = only(tables_of(tmp_path, rows))
    assert table.names == ["", "PEP1K", "PEP2K", "PEP6K", "PEP7K"]
    assert "MaxQuant table of peptides" in said


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["TP53", "EGFR", "BRCA1", "P3", "P4"]),
        ({"folder": "/data/x y/", "ending": ".mzML", "new": True}, None),
        ({"folder": "", "ending": ".d", "precursors": True}, [f"PEP{j}K2" for j in range(5)]),
    ],
)
def test_diann_runs_are_called_by_their_files(tmp_path, settings, names):
    table, said = only(tables_of(tmp_path, files.diann(**settings)))
    assert table.columns[0] == IDS
    assert table.names[1:] == (names or ["TP53", "EGFR", "BRCA1", "P3", "P4"])
    assert np.isnan(values_of(table)).sum() == 5
    assert "Protein.Group" in said
    assert "DIA-NN" in said
    assert joined(tmp_path, files.diann(**settings)).X.shape == (8, 5)


def test_diann_runs_of_one_name_keep_their_paths(tmp_path):
    rows = files.diann()
    rows[0][-1] = "D:\\data\\other\\S1.raw"
    table, _ = only(tables_of(tmp_path, rows))
    assert table.columns[0][-1] == "D:\\data\\other\\S1.raw"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"decimal": ","},
        {"quantity": "PG.IBAQ", "further": ("PG.IsSingleHit",)},
        {"prefix": "X.{n}..{name}.raw."},
    ],
)
def test_spectronaut(tmp_path, settings):
    table, said = only(tables_of(tmp_path, files.spectronaut(**settings)))
    assert table.columns[0] == IDS
    assert table.names[1:] == ["A;B", *GENES[1:]]
    expected = VALUES.copy()
    expected[range(5), range(5)] = np.nan
    np.testing.assert_array_equal(values_of(table), expected)
    assert settings.get("quantity", "PG.Quantity") in said
    assert "Filtered" in said
    dataset = joined(tmp_path, files.spectronaut(**settings))
    np.testing.assert_array_equal(dataset.X.to_numpy(), expected)


@pytest.mark.parametrize("decimal", [None, ","])
def test_a_point_among_decimal_commas_parts_thousands(tmp_path, decimal):
    rows = files.spectronaut(decimal="," if decimal is None else ".")
    rows[2][3:] = ["1.234"] * 8
    if decimal is not None:  # nothing else in the file tells
        rows[1][3:] = rows[3][3:] = rows[4][3:] = rows[5][3:] = [f"{n}" for n in range(8)]
    dataset = joined(tmp_path, rows, decimal=decimal)
    assert dataset.X["EGFR"].tolist() == [1234.0] * 8
