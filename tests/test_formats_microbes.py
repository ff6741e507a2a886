"""Tables of BIOM, QIIME, mothur and MetaPhlAn."""

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
    tables_of,
    values_of,
)
from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("above", "header", "right"),
    [
        ([["# Constructed from biom file"]], "#OTU ID", []),
        ([["# QIIME v1.3.0 OTU table"]], "#OTU ID", ["Consensus Lineage"]),
        ([], "#OTUID", ["taxonomy"]),
    ],
)
def test_biom_in_text(tmp_path, above, header, right):
    rows = [*above, [header, *IDS, *right]]
    rows += [[*row, *["k__Bacteria; p__X"] * len(right)] for row in files.rows_of_genes()]
    table, said = only(tables_of(tmp_path, rows))
    assert table.names[1:] == GENES
    assert table.columns[0] == IDS
    np.testing.assert_array_equal(values_of(table), VALUES)
    assert all(name in said for name in right)
    dataset = joined(tmp_path, rows, transpose=["values"], drop=right)
    assert list(dataset.X) == GENES


def metadata(header="sample-id", directives=(), rows=None):
    body = rows or [
        [name, label, 1 + n % 2] for n, (name, label) in enumerate(zip(IDS, CLASSES, strict=False))
    ]
    return [[header, "dx", "site"], *directives, *body]


@pytest.mark.parametrize("header", ["sample-id", "#SampleID", "id", "Sample ID"])
def test_qiime_metadata_knows_its_types(tmp_path, header):
    rows = metadata(header, [["#q2:types", "categorical", "categorical"], ["# a comment", "", ""]])
    table, said = only(tables_of(tmp_path, rows))
    assert table.is_sheet
    assert table.columns[0] == IDS
    assert dict(table.categories) == {"dx": (), "site": ()}
    assert "#q2:types is no sample" in said
    assert "1 comment left out" in said
    dataset = load_dataset("table", path=tmp_path / "file.txt", target="dx")
    assert len(dataset.X) == 8
    assert dataset.X["site"].dtype == "category"


def test_qiime_metadata_of_the_insdc(tmp_path):
    rows = metadata(directives=[["#q2:types", "", "numeric"], ["#q2:missing", "INSDC:missing", ""]])
    rows[4][1] = "not collected"
    table, _ = only(tables_of(tmp_path, rows))
    assert table.columns[1] == [*CLASSES[:1], "", *CLASSES[2:]]


def test_a_mapping_file_keeps_its_header(tmp_path):
    rows = [["#SampleID", "BarcodeSequence", "dx", "Description"]]
    rows += [[name, "ACGT", label, 5] for name, label in zip(IDS, CLASSES, strict=True)]
    table, said = only(tables_of(tmp_path, rows))
    assert table.names[0] == "#SampleID"
    assert table.is_sheet
    assert "mapping file" in said


def shared(label="0.03", counts="numOtus", ids=IDS, end="\n"):
    rows = [["label", "Group", counts, *GENES, ""]]
    rows += [[label, name, 5, *VALUES[n], ""] for n, name in enumerate(ids)]
    return lines(rows, end=end)


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({}, IDS),
        ({"end": "\r", "counts": "numASVs"}, IDS),
        ({"label": "unique", "end": "\r\n"}, IDS),
        ({"ids": [str(2003650 + n) for n in range(8)]}, [str(2003650 + n) for n in range(8)]),
    ],
)
def test_mothur(tmp_path, settings, ids):
    table, said = only(tables_of(tmp_path, shared(**settings)))
    assert table.names == ["Group", *GENES]
    assert table.columns[0] == ids
    np.testing.assert_array_equal(values_of(table), VALUES)
    counts = settings.get("counts", "numOtus")
    assert f"{counts} left out" in said
    dataset = joined(tmp_path, shared(**settings), ids=ids, drop=["label", f"{counts[:4]}*"])
    assert list(dataset.X) == GENES


def test_mothur_of_several_labels_is_refused(tmp_path):
    text = shared() + lines(line.split("\t") for line in shared("0.05").splitlines()[1:])
    with pytest.raises(DataError, match=r"OTUs of one label; it holds '0\.03', '0\.05'"):
        tables_of(tmp_path, text)
    with pytest.raises(DataError, match="line 9 has 3"):
        tables_of(tmp_path, shared()[:-40].rsplit("\n", 1)[0] + "\n0.03\tS8\t5\n")


def test_drop_still_refuses_what_never_was_there(tmp_path):
    with pytest.raises(ConfigError, match="there is no feature 'lable'"):
        joined(tmp_path, shared(), drop=["lable"])


@pytest.mark.parametrize(
    ("above", "first", "suffix"),
    [
        ([["#mpa_v30_CHOCOPhlAn_201901"]], ["clade_name", "NCBI_tax_id"], "_profile"),
        ([["#mpa_vJan21"]], ["clade_name"], ""),
        ([], ["ID"], "_metaphlan_bugs_list"),
    ],
)
def test_metaphlan(tmp_path, above, first, suffix):
    clades = ["k__Bacteria", "k__Bacteria|p__X", "k__Bacteria|p__X|s__A", "k__B|s__B", "UNKNOWN"]
    rows = [*above, [*first, *[f"{name}{suffix}" for name in IDS]]]
    rows += [[name, *["2|1"] * (len(first) - 1), *VALUES[:, j]] for j, name in enumerate(clades)]
    table, said = only(tables_of(tmp_path, rows))
    assert table.names[1:] == clades
    assert table.columns[0] == IDS
    assert "2 species" in said
    assert "dataset.features" in said
    assert joined(tmp_path, rows).X.shape == (8, 5)
