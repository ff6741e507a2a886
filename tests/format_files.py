"""Faithful miniatures of the files that instruments and archives write, with 8 samples."""

import numpy as np

from smalldata.datasets import load_dataset
from smalldata.datasets.formats import recognise_text
from smalldata.datasets.intake import read_tables
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import TextFile

IDS = [f"S{n}" for n in range(1, 9)]
CLASSES = ["case", "control"] * 4
GENES = ["TP53", "EGFR", "BRCA1", "MYC", "KRAS"]
VALUES = np.random.default_rng(0).normal(10, 2, (8, 5)).round(3)


def lines(rows, separator="\t", end="\n"):
    return end.join(separator.join(map(str, row)) for row in rows) + end


def rows_of_genes(values=VALUES, names=GENES):
    return [[name, *values[:, j]] for j, name in enumerate(names)]


def sheet(ids=IDS, separator=","):
    return lines([["sample", "class"], *zip(ids, CLASSES, strict=True)], separator)


def protein_groups(
    *,
    quantities=("Intensity", "LFQ intensity"),
    id_column="Protein IDs",
    contaminant="Potential contaminant",
    genes=("TP53", "EGFR", "BRCA1", "MYC", "KRAS", "TP53", ""),
    dots=False,
):
    """A proteinGroups.txt: row 2 a decoy, row 3 a contaminant, row 4 known by one site only."""
    head = [id_column, "Fasta headers", "Gene names", "Peptides"]
    head += [f"{quantity} {sample}" for quantity in quantities for sample in IDS]
    head += ["Only identified by site", "Reverse", contaminant, "id"]
    rows = []
    for j, gene in enumerate(genes):
        values = [int(1e6 * VALUES[i, j % 5]) * (i != j) for i in range(8)]
        rows.append([f"P{j};Q{j}", f"sp|P{j}|X_HUMAN", gene, 3])
        for n in range(len(quantities)):
            rows[-1] += [value * (len(quantities) - n) for value in values]
        rows[-1] += ["+" if j == flagged else "" for flagged in (4, 2, 3)] + [j]
    head = [name.replace(" ", ".") for name in head] if dots else head
    return [head, *rows]


def diann(folder="D:\\data\\run 1\\", ending=".raw", *, new=False, precursors=False):
    head = ["Protein.Group", *([] if new else ["Protein.Ids"]), "Protein.Names", "Genes"]
    head += ["First.Protein.Description"]
    head += ["N.Sequences", "N.Proteotypic.Sequences"] if new else []
    if precursors:
        head += ["Proteotypic", "Stripped.Sequence", "Modified.Sequence", "Precursor.Charge"]
        head += ["Precursor.Id"]
    rows = []
    for j, gene in enumerate(["TP53", "EGFR", "BRCA1", "MYC", "MYC"]):
        row = [f"P{j}", *([] if new else [f"P{j};Q{j}"]), f"{gene}_HUMAN", gene, "a protein"]
        row += [5, 4] if new else []
        row += [1, f"PEP{j}K", f"PEP{j}K", 2, f"PEP{j}K2"] if precursors else []
        rows.append([*row, *["" if i == j else VALUES[i, j] for i in range(8)]])
    return [[*head, *[f"{folder}{name}{ending}" for name in IDS]], *rows]


def spectronaut(*, quantity="PG.Quantity", decimal=".", further=(), prefix="[{n}] {name}.raw."):
    head = ["PG.ProteinGroups", "PG.Genes", "PG.ProteinDescriptions"]
    for other in (quantity, *further):
        head += [prefix.format(n=n, name=name) + other for n, name in enumerate(IDS, 1)]
    rows = []
    for j, gene in enumerate(GENES):
        row = [f"P{j};Q{j}", gene if j else "A;B", "a protein"]
        row += ["Filtered" if i == j else str(VALUES[i, j]) for i in range(8)]
        row += ["True"] * 8 * len(further)
        rows.append([cell.replace(".", decimal) if n > 2 else cell for n, cell in enumerate(row)])
    return [head, *rows]


def msdial(*, old=False, statistics=False, qc=False):
    head = ["Alignment ID", "Average Rt(min)", "Average Mz", "Metabolite name", "Adduct type"]
    head += ["Fill %", "INCHIKEY", "MS/MS spectrum"]
    blank = [""] * (len(head) - 1)
    kinds = ["QC", "Blank"] if qc else ["Sample", "Sample"]
    above = {"Class": CLASSES, "File type": [*["Sample"] * 6, *kinds]}
    above["Injection order"] = list(range(1, 9))
    if not old:
        above["Batch ID"] = [1] * 8
    right = ["case", "control"] * 2 if statistics else []
    rows = [[*blank, name, *cells, *["NA"] * len(right)] for name, cells in above.items()]
    if statistics:
        rows[-1][-4:] = ["Average", "Average", "Stdev", "Stdev"]
    rows.append([*head, *IDS, *right])
    for j, name in enumerate(["Alanine", "Unknown", "Unknown", "Citrate", "Citrate"]):
        row = [j, f"1.{j}", f"20{j}.1", name, "[M+H]+", 1, "null", "57:3 70:9"]
        rows.append([*row, *VALUES[:, j], *[1] * len(right)])
    return rows


def progenesis(*, blocks=("Normalised abundance", "Raw abundance"), proteins=False, right=True):
    head = ["Compound", "Neutral mass (Da)", "m/z", "Charge", "Retention time (min)"]
    head = ["Accession", "Peptide count", "Mass", "Anova (p)", "Description"] if proteins else head
    after = ["Accepted Compound ID", "Score"] if right else []
    top = [""] * len(head)
    groups = [""] * len(head)
    for block in blocks:
        top += [block, *[""] * 7]
        groups += ["case", "", "", "", "control", "", "", ""]
    rows = [[*top, *[""] * len(after)], [*groups, *[""] * len(after)]]
    rows.append([*head, *IDS * len(blocks), *after])
    for j in range(5):
        row = [f"{j}.1_200.{j}n", "", 200 + j, 1, 3.5]
        for n in range(len(blocks)):
            row += [VALUES[i, j] * (n + 1) for i in range(8)]
        rows.append([*row, *["x"] * len(after)])
    return rows


def quoted(cells):
    return "\t".join(f'"{cell}"' for cell in cells)


def series_matrix(*, table=True, end="\n", characteristics=None, rows=None, is_whole=True):
    ids = [f"GSM10{n}" for n in range(8)]
    given = characteristics or [
        [f"disease state: {name}" for name in CLASSES],
        [f"age: {40 + n}" for n in range(8)],
    ]
    text = ['!Series_title\t"A study of ""blood"""', '!Series_geo_accession\t"GSE1"']
    text += [
        '!Series_summary\t"Two',
        'lines"',
        '!Series_supplementary_file\t"ftp://x/GSE1_c.txt.gz"',
    ]
    text += ["", "!Sample_title\t" + quoted(IDS), "!Sample_geo_accession\t" + quoted(ids)]
    text += ["!Sample_source_name_ch1\t" + quoted(["blood"] * 8)]
    text += ["!Sample_characteristics_ch1\t" + quoted(cells) for cells in given]
    text += ["!series_matrix_table_begin", '"ID_REF"\t' + quoted(ids)] if table is not None else []
    if table:
        text += [
            f'"{name}"\t' + "\t".join(map(str, cells)) for name, *cells in (rows or rows_of_genes())
        ]
    text += ["!series_matrix_table_end"] if table is not None and is_whole else []
    return end.join(text) + end


def clinical(*, older=False, id_column="PATIENT_ID"):
    head = [id_column, "OS_STATUS", "AGE", "GRADE"]
    rows = [
        ["#Identifier", "Overall status", "Age", "Grade"],
        ["#Of the patient", "Overall survival status", "At diagnosis, in years", "Of the tumour"],
        ["#STRING", "STRING", "NUMBER", "STRING"],
        *([["#PATIENT"] * 4] if older else []),
        ["#1", "1", "1", "1"],
        head,
    ]
    for n, name in enumerate(IDS):
        status = "1:DECEASED" if n % 2 else "0:LIVING"
        rows.append([name, status, 40 + n, "[Not Available]" if n == 3 else n % 2 + 1])
    return rows


def olink(*, panels=1, unit=False, controls=False):
    names = ["Olink INFLAMMATION(v.3012)", "Olink CVD II(v.5006)"][:panels]
    top = {"Panel": [], "Assay": [], "Uniprot ID": [], "OlinkID": []}
    for n, panel in enumerate(names):
        for j, gene in enumerate(GENES):
            top["Panel"].append(panel)
            top["Assay"].append(gene if j < 1 or n < 1 else f"{gene}{n}")
            top["Uniprot ID"].append(f"P{n}{j}")
            top["OlinkID"].append(f"OID0{n}{j}")
        if controls:
            top["Panel"].append(panel)
            top["Assay"].append("Inc Ctrl 1")
            top["Uniprot ID"].append("-")
            top["OlinkID"].append("-")
    for extra in ("Plate ID", "QC Warning"):
        for panel in names:
            top["Panel"].append(panel)
            top["Assay"].append(extra)
            top["Uniprot ID"].append("")
            top["OlinkID"].append("")
    rows = [["Project: X", *[""] * len(top["Panel"])], ["NPX data", *[""] * len(top["Panel"])]]
    rows += [[name, *cells] for name, cells in top.items()]
    if unit:
        rows.append(["Unit", *["NPX" if cell else "" for cell in top["OlinkID"]]])
    rows.append([""] * len(rows[0]))
    for i, sample in enumerate(IDS):
        row = [sample]
        for n in range(panels):
            row += [*VALUES[i] + n, *([9.5] if controls else [])]
        rows.append([*row, *["Plate1"] * panels, *["Pass"] * panels])
    rows.append([""] * len(rows[0]))
    width = len(rows[0]) - 1
    rows.append(["LOD", *[0.5] * (width - 2 * panels), *[""] * 2 * panels])
    rows.append(["Missing Data freq.", *["0%"] * (width - 2 * panels), *[""] * 2 * panels])
    return rows


def written(tmp_path, content, name="file.txt"):
    path = tmp_path / name
    if isinstance(content, list):
        content = lines(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def tables_of(tmp_path, content, **options):
    return read_tables(TableOptions(path=written(tmp_path, content), **options))


def only(tables):
    """The features of a file, and what was said of it."""
    table = tables["features"]
    (finding,) = table.findings
    assert finding.code == "SD016"
    return table, finding.text


def values_of(table):
    return np.array(
        [
            [np.nan if cell == "" else float(str(cell).replace(",", ".")) for cell in cells]
            for cells in table.columns[1:]
        ]
    ).T


def joined(tmp_path, content, ids=IDS, **options):
    """Load a file with a sheet of its samples."""
    path = {
        "values": written(tmp_path, content),
        "sheet": written(tmp_path, sheet(ids), "sheet.csv"),
    }
    return load_dataset("table", path=path, target="class", **options)


def recognised(text, **options):
    file = TextFile(source="x", text=text, encoding="utf-8", sha256="")
    return recognise_text(file, TableOptions(**options))
