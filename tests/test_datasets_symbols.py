"""Gene symbols that a spreadsheet turned into dates or numbers."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets.symbols import broken_symbols, candidates
from smalldata.task import Dataset

GENES = ["TP53", "EGFR", "BRCA1", "MYC", "KRAS", "CD4", "CD8A", "IL6", "TNF", "STAT3", "JAK2"]
GENES += ["GATA3", "ESR1", "PTEN", "AKT1", "MTOR", "VEGFA", "CDK4", "CCND1", "BCL2", "HLA-A"]
MOUSE = [name.capitalize() for name in GENES if name != "HLA-A"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("1-Sep", "SEPTIN1/SEPT1"),
        ("01-Sep", "SEPTIN1/SEPT1"),
        ("Sep-01", "SEPTIN1/SEPT1"),
        ("2-Mar", "MARCHF2/MARCH2"),
        ("2-Mar", "MTARC2/MARC2"),
        ("Dec-01", "DELEC1/DEC1"),
        ("Sep-15", "SELENOF/SEP15"),
        ("2001-03-01", "MARCHF1/MARCH1"),
        ("2021-09-07 00:00:00", "SEPTIN7/SEPT7"),
        ("01.03.2001", "MARCHF1/MARCH1"),
        ("9/1/2021", "SEPTIN1/SEPT1"),
        ("44256", "MARCHF1/MARCH1"),
        ("44256.0", "MARCHF1/MARCH1"),
        ("2. Mrz", "MARCHF2/MARCH2"),
        ("3.Mär", "MARCHF3/MARCH3"),
        ("März-01", "MARCHF1/MARCH1"),
        ("Sept-9", "SEPTIN9/SEPT9"),
        ("X1.Sep", "SEPTIN1/SEPT1"),
        ("X44256", "MARCHF1/MARCH1"),
        ("1-Sep.1", "SEPTIN1/SEPT1"),
        ("rna:1-Sep", "SEPTIN1/SEPT1"),
    ],
)
def test_a_date_has_the_genes_of_its_day(name, wanted):
    assert wanted in candidates(name)


@pytest.mark.parametrize(
    "name",
    ["TP53", "1-Apr", "16-Sep", "Mar-12", "12345", "30000", "99999", "1E5", "M1", "V2", "", "2001"],
)
def test_what_was_no_gene_has_no_candidates(name):
    assert candidates(name) == ()


def test_a_serial_number_is_the_day_a_spreadsheet_counts():
    for month, number, gene in ((9, 1, "SEPTIN1"), (3, 11, "MARCHF11"), (12, 1, "DELEC1")):
        for year in (2001, 2024):
            serial = (date(year, month, number) - date(1899, 12, 30)).days
            assert candidates(str(serial))[0].startswith(gene)


def test_a_clone_id_keeps_its_exponent():
    # 2310009E13 and 2310009E07 as a spreadsheet shows them
    assert candidates(f"{2310009e13:.2E}") == ("a RIKEN clone, 231…E13",)
    assert candidates(f"{2310009e7:.2E}") == ("a RIKEN clone, 231…E07",)


@pytest.mark.parametrize("genes", [GENES, MOUSE, ["TP53"]])
def test_they_are_told_among_genes(genes):
    (finding,) = broken_symbols([*genes, "1-Sep", "2-Mar", "Dec-01", "44256"])
    assert finding.code == "SD020"
    assert finding.what.startswith("4 feature names look like gene symbols")
    for text in ("'1-Sep' (SEPTIN1/SEPT1)", "MARCHF2/MARCH2 or MTARC2/MARC2", "DELEC1/DEC1"):
        assert text in finding.evidence
    assert "nothing was renamed" in finding.remedy


@pytest.mark.parametrize(
    "days",
    [
        ("2023-09-02", "2023-03-01"),
        ("02/09/2023", "01.12.2023"),
        ("Sep-02", "Mar-01"),
        ("45170", "44986"),
    ],
)
def test_several_days_of_genes_are_told_among_a_few_symbols(days):
    (finding,) = broken_symbols([*days, "TP53", "EGFR", "MYC"])
    assert finding.what.startswith("2 feature names look like gene symbols")


@pytest.mark.parametrize(
    "names",
    [
        ["age", "sex", "2001", "bmi"],
        ["AGE", "SEX", "BMI", "1-Sep"],
        ["V1", "V2", "V3", "1-Sep"],
        [str(44250 + number) for number in range(30)],  # m/z, or genes by number
        [f"{day}-Sep" for day in range(1, 31)],  # days of measurement
        [f"2021-09-{day:02d}" for day in range(1, 31)],
        [f"glucose_{number}" for number in range(30)] + ["1-Sep"],
        ["TP53", "44256"],  # a number alone, beside one gene
        ["IL6", "AGE", "SEX", "BMI", "2023-09-02"],  # one visit
        ["IL6", "AGE", "SEX", "2023-09-02", "2023-03-02", "2023-06-02"],  # visits, one in June
        ["IL6", "AGE", "SEX", "1-Sep", "2-Mar", "1-Jun"],
        ["IL6", "TNF", "45170", "44986", "45001"],  # numbers that are no days of genes as well
        GENES,
    ],
)
def test_a_date_is_a_date_where_the_others_are_no_genes(names):
    assert broken_symbols(names) == []


def test_nothing_is_renamed(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(20, 23)), columns=[*GENES, "1-Sep", "2.31E+19"])
    dataset = Dataset.from_frame(frame.assign(y=["a", "b"] * 10), target="y")
    assert dataset.feature_names == tuple(frame.columns)
    (warning,) = dataset.warnings
    assert "'1-Sep' (SEPTIN1/SEPT1), '2.31E+19' (a RIKEN clone, 231…E13)" in warning
