"""Files of cBioPortal, Olink, featureCounts, GCT and Xena."""

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
    recognised,
    tables_of,
    values_of,
)
from smalldata.datasets import load_dataset
from smalldata.datasets.intake import read_tables
from smalldata.datasets.options import TableOptions
from smalldata.errors import DataError


@pytest.mark.parametrize(
    "settings", [{}, {"older": True}, {"id_column": "SAMPLE_ID", "older": True}]
)
def test_clinical_file(tmp_path, settings):
    table, said = only(tables_of(tmp_path, files.clinical(**settings)))
    assert table.is_sheet
    assert table.names[1:] == ["OS_STATUS", "AGE", "GRADE"]
    assert table.columns[3][3] == ""
    assert "GRADE" in table.categories
    assert "AGE" not in table.categories
    assert "1 cell like [Not Available]" in said
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="OS_STATUS")
    assert len(dataset.X) == 8
    assert set(dataset.sample_ids) == set(IDS)


@pytest.mark.parametrize(
    ("first", "names"),
    [
        (["Hugo_Symbol", "Entrez_Gene_Id"], ["TP53", "EGFR", "BRCA1", "103", "104"]),
        (["Hugo_Symbol"], None),
        (["Entrez_Gene_Id"], [f"{100 + j}" for j in range(5)]),
    ],
)
def test_matrix_of_cbioportal(tmp_path, first, names):
    genes = ["TP53", "EGFR", "BRCA1", "MYC", "MYC"]
    rows = [[*first, *IDS]]
    for j, gene in enumerate(genes):
        ids = {"Hugo_Symbol": gene, "Entrez_Gene_Id": 100 + j}
        rows.append([*[ids[name] for name in first], *VALUES[:, j]])
    rows.append([*["NA"] * len(first), *["NA"] * 8])
    merged = joined(tmp_path, rows, duplicates="mean")
    assert len(merged.X.columns) == (5 if first == ["Entrez_Gene_Id"] else 4)
    if names is None:
        np.testing.assert_allclose(merged.X["MYC"], VALUES[:, 3:].mean(axis=1))
        with pytest.raises(DataError, match=r"'MYC' occur more than once.*dataset\.duplicates="):
            tables_of(tmp_path, rows)
        return
    table, said = only(tables_of(tmp_path, rows))
    assert table.names[1:] == names
    assert "5 of 6 rows with a value" in said
    assert joined(tmp_path, rows).X.shape == (8, 5)


@pytest.mark.parametrize(
    "settings", [{}, {"panels": 2}, {"unit": True}, {"controls": True, "panels": 2}]
)
@pytest.mark.parametrize("separator", ["\t", ";"])
def test_olink_wide(tmp_path, settings, separator):
    tables = tables_of(tmp_path, lines(files.olink(**settings), separator))
    table, said = only(tables)
    panels = settings.get("panels", 1)
    assert table.columns[0] == IDS
    assert len(table.names) == 1 + 5 * panels
    assert ("TP53 (OID000)" in table.names) is (panels == 2)
    np.testing.assert_allclose(values_of(table)[:, :5], VALUES)
    assert "LOD, Missing Data freq." in said
    assert bool(table.units) is settings.get("unit", False)
    assert len(tables["samples"].names) == 1 + 2 * panels
    dataset = joined(tmp_path, lines(files.olink(**settings), separator))
    assert set(table.names[1:]) <= set(dataset.X)


def test_olink_in_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in files.olink():
        book.active.append([None if cell == "" else cell for cell in row])
    book.save(tmp_path / "npx.xlsx")
    table, _ = only(read_tables(TableOptions(path=tmp_path / "npx.xlsx")))
    np.testing.assert_allclose(values_of(table), VALUES)


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("/data/bam/{}.bam", []),
        ("C:\\bam\\{}Aligned.sortedByCoord.out.bam", ["gene_name"]),
        ("{}.sorted.bam", []),
    ],
)
def test_feature_counts(tmp_path, path, extra):
    rows = [['# Program:featureCounts v2.0.1; Command:"featureCounts" "-a" "x.gtf"']]
    rows += [["Geneid", "Chr", "Start", "End", "Strand", "Length", *extra]]
    rows[1] += [path.format(name) for name in IDS]
    for j, gene in enumerate(GENES):
        row = [f"ENSG{j}", "1;1", "5;9", "6;10", "+;+", 300, *[gene] * len(extra)]
        rows.append([*row, *(int(100 * x) for x in VALUES[:, j])])
    table, said = only(tables_of(tmp_path, rows))
    assert table.columns[0] == IDS
    assert table.names[1:] == [f"ENSG{j}" for j in range(5)]
    assert "Length" in said
    assert joined(tmp_path, rows).X.shape == (8, 5)


@pytest.mark.parametrize("version", ["#1.2", "#1.3"])
def test_gct(tmp_path, version):
    body = [[row[0], "a gene", *row[1:]] for row in files.rows_of_genes()]
    sizes = ["5", "8"] if version == "#1.2" else ["5", "8", "1", "1"]
    groups = [["dx", "na", *CLASSES]] if version == "#1.3" else []
    rows = [[version], sizes, ["Name", "Description", *IDS], *groups, *body]
    tables = tables_of(tmp_path, rows)
    table, said = only(tables)
    assert table.names[1:] == GENES
    assert "Description" in said
    np.testing.assert_array_equal(values_of(table), VALUES)
    if groups:
        dataset = load_dataset("table", path=tmp_path / "file.txt", target="dx")
        assert dataset.y.tolist() == CLASSES
    with pytest.raises(
        DataError, match="must hold 5 features, as its second line says; it holds 4"
    ):
        tables_of(tmp_path, rows[:-1])


BARCODES = [f"TCGA-A1-A0S{n}-01" for n in range(8)]


@pytest.mark.parametrize(
    ("first", "ids"),
    [
        ("sample", BARCODES),
        ("Ensembl_ID", [f"{name}A" for name in BARCODES]),
        ("gene", [name.replace("-", ".") for name in BARCODES]),
    ],
)
def test_a_matrix_of_xena_has_its_samples_in_columns(tmp_path, first, ids):
    rows = [[first, *ids], *files.rows_of_genes()]
    table, said = only(tables_of(tmp_path, rows))
    assert table.columns[0] == ids
    assert table.names[1:] == GENES
    assert "barcodes" in said
    assert joined(tmp_path, rows, ids=ids).X.shape == (8, 5)


def test_clinical_data_with_barcodes_in_the_header_are_no_matrix():
    words = ["alive", "dead", "stage ii", "female", "no", "yes", "white", "51"]
    rows = [["sample", *BARCODES], *[[f"v{n}", *words] for n in range(5)]]
    assert recognised(lines(rows)) is None


def test_firehose_takes_one_measure(tmp_path):
    twice = [name for name in BARCODES for _ in range(2)]
    rows = [["Hybridization REF", *twice], ["gene_id", *["raw_count", "normalized_count"] * 8]]
    for name, *cells in files.rows_of_genes():
        rows.append([name, *(x for cell in cells for x in (1, cell))])
    table, said = only(tables_of(tmp_path, rows))
    assert table.columns[0] == BARCODES
    assert "normalized_count taken" in said
    np.testing.assert_array_equal(values_of(table), VALUES)
