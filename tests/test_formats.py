"""A plain table is left alone, and large files are read as small ones are."""

import numpy as np
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
from smalldata.datasets.formats import fast
from smalldata.errors import DataError


def plain(header, extra=()):
    rows = [header]
    for n, name in enumerate(IDS):
        rows.append([name, *VALUES[n][: len(header) - 2 - len(extra)], *extra, CLASSES[n]])
    return rows


@pytest.mark.parametrize(
    "header",
    [
        ["sample", "Intensity", "Genes", "LFQ", "class"],
        ["Sequence", "Intensity A", "Intensity B", "Peptides", "class"],
        ["Protein IDs", "Intensity A", "Intensity B", "x", "class"],
        ["label", "Group", "Otu1", "Otu2", "class"],
        ["Genes", "a", "b", "c", "class"],
        ["Class", "File type", "Alignment", "Average Mz", "class"],
        ["Compound", "m/z", "Charge", "Raw abundance", "class"],
        ["Assay", "NPX", "LOD", "OlinkID", "class"],
        ["ID", "k__Bacteria", "k__Archaea", "k__X", "class"],
        ["sample", "TCGA", "GTEX", "x", "class"],
        ["id", "taxonomy", "#OTU", "x", "class"],
        ["PATIENT_ID", "SAMPLE", "AGE", "x", "class"],
        ["Geneid", "Length", "Start", "End", "class"],
    ],
)
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_a_plain_table_is_left_alone(tmp_path, header, separator):
    tables = tables_of(tmp_path, lines(plain(header), separator))
    assert [table.taken_for for table in tables.values()] == [""]
    assert tables["features"].names == header


def test_long_tables_are_left_alone():
    head = ["SampleID", "Index", "OlinkID", "UniProt", "Assay", "NPX", "LOD", "class"]
    rows = [head] + [
        [name, n, f"OID{j}", f"P{j}", gene, VALUES[n, j], 0.5, CLASSES[n]]
        for n, name in enumerate(IDS)
        for j, gene in enumerate(GENES)
    ]
    assert recognised(lines(rows)) is None
    # Two columns beside the annotations are not yet two runs.
    report = ["Protein.Group", "Protein.Names", "Genes", "Run", "PG.Quantity"]
    assert recognised(lines([report, *[["P1", "X", "G", 1, 3]] * 3])) is None
    report = ["File.Name", "Run", "Protein.Group", "Protein.Names", "Genes", "PG.Quantity"]
    assert recognised(lines([report, *[["a.raw", "a", "P1", "X", "G", 3]] * 3])) is None


def test_header_says_that_a_table_is_plain():
    assert recognised(lines(files.diann())) is not None
    assert recognised(lines(files.diann()), header=1) is None


@pytest.mark.parametrize(
    "rows", [files.protein_groups(), files.diann(), files.spectronaut(), files.msdial()]
)
def test_the_fast_way_gives_what_the_slow_one_gives(tmp_path, monkeypatch, rows):
    rows = [*rows, [""] * len(rows[-1])]  # a row without any cell is none
    slow = only(tables_of(tmp_path, rows))[0]
    monkeypatch.setattr("smalldata.datasets.formats.cells.N_CHARACTERS_FAST", 0)
    found = []
    read = fast.read_block

    def spied(*arguments, **keywords):
        found.append(read(*arguments, **keywords))
        return found[-1]

    monkeypatch.setattr("smalldata.datasets.formats.cells.read_block", spied)
    quick = only(tables_of(tmp_path, rows))[0]
    assert len(found) == 1
    assert found[0] is not None
    assert quick.names == slow.names
    np.testing.assert_array_equal(values_of(quick), values_of(slow))


@pytest.mark.parametrize("ruin", ["x1", "1_000", "1,5", "1\t2", "drop"])
def test_the_fast_way_leaves_the_irregular_to_the_slow_one(tmp_path, monkeypatch, ruin):
    rows = files.diann()
    rows[3] = rows[3][:-1] if ruin == "drop" else [*rows[3][:-1], ruin]

    if ruin == "1_000":  # a name to a table, a number to Python
        assert only(tables_of(tmp_path, rows))[0].columns[3][-1] == ruin

    def outcome():
        try:
            return values_as_text(only(tables_of(tmp_path, rows))[0])
        except DataError as error:
            return str(error)

    slow = outcome()
    monkeypatch.setattr("smalldata.datasets.formats.cells.N_CHARACTERS_FAST", 0)
    assert outcome() == slow


def values_as_text(table):
    return [list(map(str, cells)) for cells in table.columns]


def test_a_header_of_one_file_leaves_the_others_alone(tmp_path):
    dataset = joined(tmp_path, files.diann(), header={"sheet": 1})
    assert dataset.X.shape == (8, 5)
    assert any(finding.code == "SD016" for finding in dataset.findings)
