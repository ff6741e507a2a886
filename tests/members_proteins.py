"""Further files of proteomics, as its programs write them in several versions."""

import gzip

import numpy as np

from members import (
    CLASSES,
    GENES,
    IDS,
    TARGET,
    VALUES,
    Member,
    N,
    beside,
    text,
    workbook,
)

COUNTS = (VALUES * 1e6).astype(int)


# ------------------------------------------------------------------------------------- MaxQuant


def _protein_groups(columns, *, samples=IDS, genes=True, contaminant="Potential contaminant"):
    """Rows of a proteinGroups.txt; ``columns`` are quantities and what their numbers are times."""
    head = ["Protein IDs", "Majority protein IDs", "Peptide counts (all)"]
    head += ["Protein names", "Gene names"] if genes else []
    head += ["Fasta headers", "Number of proteins", "Peptides", "Razor + unique peptides"]
    head += [f"{kind} {s}" for kind in ("Peptides", "Unique peptides") for s in samples]
    head += ["Sequence coverage [%]", "Mol. weight [kDa]", "Sequence lengths", "Q-value", "Score"]
    head += [f"Identification type {s}" for s in samples]
    head += [f"Sequence coverage {s} [%]" for s in samples]
    for quantity in columns:
        head += [quantity] if quantity in ("Intensity", "iBAQ") else []
        head += [f"{quantity} {s}" for s in samples]
    head += [f"MS/MS count {s}" for s in samples] + ["MS/MS count", "Only identified by site"]
    head += ["Reverse", contaminant, "id", "Peptide IDs", "Best MS/MS"]
    rows = [head]
    for j in range(8):
        name = ("REV__P{0}", "CON__P{0}", "P{0};Q{0}-2")[(j - 5) if j in (5, 6) else 2].format(j)
        row = [name, name, "3;1"]
        row += [f"Protein {j}", GENES[j] if j < 5 else ""] if genes else []
        row += [f"sp|{name}|X_HUMAN", 2, 5, 4, *range(N), *range(N), 12.5, 60.1, "540;511", 0, 323]
        row += ["By MS/MS"] * N + [10.5] * N
        for quantity, factor in columns.items():
            values = COUNTS[:, j % 5] * factor * (np.arange(N) != j)
            row += [values.sum()] if quantity in ("Intensity", "iBAQ") else []
            row += list(values)
        row += [3] * N + [36, *("+" if j == k else "" for k in (7, 5, 6)), j, f"{j};{j + 1}", j]
        rows.append(row)
    return rows


def _not_found(factor=1):
    values = COUNTS * float(factor)
    values[range(5), range(5)] = np.nan
    return values


LFQ = _protein_groups({"Intensity": 3, "iBAQ": 2, "LFQ intensity": 1})
IBAQ = _protein_groups({"Intensity": 3, "iBAQ": 2}, genes=False)
TMT = {f"Reporter intensity{kind}": f for kind, f in (("", 5), (" corrected", 7), (" count", 0))}
BLANKS = [f"HF {n}" for n in range(1, N + 1)]
CHANNELS = [f"{n} pool" for n in range(1, N + 1)]

MAXQUANT = {
    "1.6 with LFQ, iBAQ and totals": beside(
        "proteinGroups.txt", text(LFQ, end="\r\n"), values=_not_found(), says=("LFQ intensity",)
    ),
    "2.4 without LFQ and names of genes": beside(
        "mq24.txt", text(IBAQ), values=_not_found(3), names=None, says=("Intensity",)
    ),
    "TMT with corrected reporters": beside(
        "tmt.txt",
        text(_protein_groups({"Intensity": 3, **TMT}, samples=CHANNELS)),
        ids=CHANNELS,
        values=_not_found(7),
        says=("Reporter intensity corrected",),
    ),
    "SILAC": beside(
        "silac.txt",
        text(
            _protein_groups(
                {
                    "Ratio H/L": 5,
                    "Ratio H/L normalized": 1,
                    "Intensity": 3,
                    "Intensity L": 4,
                    "Intensity H": 7,
                }
            )
        ),
        values=_not_found(),
        says=("Ratio H/L normalized",),
    ),
    "from a spreadsheet, ids with blanks": beside(
        "mq.csv",
        text(
            _protein_groups({"Intensity": 3, "LFQ intensity": 1}, samples=BLANKS), ";", quotes=True
        ),
        ids=BLANKS,
        values=_not_found(),
    ),
    "1.4 with Contaminant": beside(
        "old.txt",
        text(_protein_groups({"Intensity": 3, "LFQ intensity": 1}, contaminant="Contaminant")),
        values=_not_found(),
    ),
}


# --------------------------------------------------------------------------- DIA-NN, Spectronaut


def _holes(values=VALUES):
    values = values.astype(float).copy()
    values[range(5), range(5)] = np.nan
    return values


def _diann(left, form, cells):
    head = [*left, *(form.format(s) for s in IDS)]
    blank = _holes().astype(str)
    blank[blank == "nan"] = ""
    return [head, *([*cells(j), *blank[:, j]] for j in range(5))]


PROTEINS = ["Protein.Group", "Protein.Ids", "Protein.Names", "Genes", "First.Protein.Description"]
REPORT = ["File.Name", "Run", "Protein.Group", "Genes", "PG.MaxLFQ", "Precursor.Id", "Q.Value"]


def _report():
    """The long report: two precursors of each protein."""
    rows = [
        [f"D:\\{s}.raw", s, GENES[j], GENES[j], VALUES[i, j], f"PEPTIDE{j}{charge}", 0.001]
        for i, s in enumerate(IDS)
        for j in range(5)
        for charge in (2, 3)
    ]
    return text([REPORT, *rows])


SPREAD = "dataset.long={id:Run,name:Protein.Group,value:PG.MaxLFQ}"
DIANN = {
    "the long report": beside(
        "report.tsv", _report(), refuses=True, says=("pg_matrix", "PG.MaxLFQ}'", "replicates=first")
    ),
    "the long report, spread as it says": beside(
        "report2.tsv", _report(), overrides=(SPREAD, "dataset.replicates=first")
    ),
    "1.8 with Windows paths of .raw.dia": beside(
        "report.pg_matrix.tsv",
        text(
            _diann(
                PROTEINS,
                "E:\\Projects\\HF plasma\\20230411_{}.raw.dia",
                lambda j: [f"P{j}", f"P{j};Q{j}", f"{GENES[j]}_HUMAN", GENES[j], ""],
            ),
            end="\r\n",
        ),
        ids=[f"20230411_{s}" for s in IDS],
        values=_holes(),
    ),
    "genes with paths of .mzML": beside(
        "report.gg_matrix.tsv",
        text(_diann(["Genes"], "/data/run-3/{}.mzML", lambda j: [GENES[j]])),
        values=_holes(),
    ),
    "2.0 with folders of .d": beside(
        "dn2.tsv",
        text(
            _diann(
                [PROTEINS[0], *PROTEINS[2:], "N.Sequences", "N.Proteotypic.Sequences"],
                "D:\\tims\\{}.d",
                lambda j: [f"P{j}", f"{GENES[j]}_HUMAN", GENES[j], "a, b (c)", 9, 8],
            )
        ),
        values=_holes(),
    ),
}


def _spectronaut(form, left, *, quantities, mark="Filtered", decimal="."):
    head = [*left]
    for quantity in quantities:
        head += [form.format(n=n, s=s) + quantity for n, s in enumerate(IDS, 1)]
    rows = [head]
    for j in range(5):
        row = [{"PG.ProteinGroups": f"P{j};Q{j}", "PG.Genes": GENES[j]}.get(c, j) for c in left]
        for k in range(len(quantities)):
            cells = (_holes()[:, j] * (1 if k == 0 else 0.5)).astype(str)
            row += [mark if c == "nan" else c.replace(".", decimal) for c in cells]
        rows.append(row)
    return rows


SPECTRONAUT = {
    "runs numbered, tab": beside(
        "sn.tsv",
        text(
            _spectronaut(
                "[{n}] {s}.raw.",
                ["PG.ProteinGroups", "PG.Genes", "PG.Organisms", "PG.FastaHeaders"],
                quantities=["PG.Quantity", "PG.NrOfStrippedSequencesIdentified"],
            )
        ),
        values=_holes(),
    ),
    "decimal comma, NaN, semicolon": beside(
        "sn.csv",
        text(
            _spectronaut(
                "[{n}] {s}.htrms.",
                ["PG.Genes", "PG.ProteinGroups", "PG.MolecularWeight"],
                quantities=["PG.Quantity"],
                mark="NaN",
                decimal=",",
            ),
            ";",
            encoding="utf-8-sig",
            quotes=True,
        ),
        values=_holes(),
    ),
    "a folder of .d, log2, quoted": beside(
        "sn_log.csv",
        text(
            _spectronaut(
                "[{n}] {s}.d.",
                ["PG.ProteinGroups", "PG.Genes", "PG.Cscore"],
                quantities=["PG.Log2Quantity"],
            ),
            ",",
            quotes=True,
        ),
        values=_holes(),
    ),
}


# ------------------------------------------------------------------------------------------ Olink

LONG = ["SampleID", "Index", "OlinkID", "UniProt", "Assay", "MissingFreq", "Panel"]
LONG += ["Panel_Lot_Nr", "PlateID", "QC_Warning", "LOD", "NPX", "Normalization"]
HT = ["SampleID", "SampleType", "WellID", "PlateID", "DataAnalysisRefID", "OlinkID", "UniProt"]
HT += ["Assay", "AssayType", "Panel", "Block", "Count", "ExtNPX", "NPX", "PCNormalizedNPX"]
HT += ["AssayQC", "SampleQC"]
ASK = "dataset.long={id:SampleID,name:Assay,value:NPX}"


def _npx(head, *, classes=False, order=None):
    rows = []
    for i, s in enumerate(IDS):
        for j, gene in enumerate(GENES):
            cell = {"SampleID": s, "Index": i + 1, "OlinkID": f"OID2{j}", "UniProt": f"P{j}"}
            cell |= {"Assay": gene, "MissingFreq": j / 10, "Panel": "Explore 384 Inflammation"}
            cell |= {"Panel_Lot_Nr": "B04", "PlateID": f"Plate{i // 6}", "QC_Warning": "PASS"}
            cell |= {"LOD": -0.3 * j, "NPX": VALUES[i, j], "Normalization": "Plate control"}
            cell |= {"SampleType": "SAMPLE", "WellID": f"A{i}", "DataAnalysisRefID": "D1"}
            cell |= {"AssayType": "assay", "Block": j % 2, "Count": 100 * i + j, "AssayQC": "PASS"}
            cell |= {"ExtNPX": VALUES[i, j] / 2, "PCNormalizedNPX": VALUES[i, j] - 1}
            cell |= {"SampleQC": "WARN" if i == 3 else "PASS"}
            rows.append([*(cell[c] for c in head), *([CLASSES[i]] if classes else [])])
    rows = [rows[n] for n in order] if order is not None else rows
    return [[*head, *(["class"] if classes else [])], *rows]


def _wide():
    rows = [["Project: HF", *[None] * 7], ["NPX data", *[None] * 7]]
    rows += [["Panel", *["Olink Target 96 Inflammation(v.3021)"] * 5, *[None] * 2]]
    rows += [["Assay", *GENES, "Plate ID", "QC Warning"]]
    rows += [["Uniprot ID", *(f"P{j}" for j in range(5)), None, None]]
    rows += [["OlinkID", *(f"OID0{j}" for j in range(5)), None, None], [None] * 8]
    rows += [[s, *VALUES[i].tolist(), f"Plate {i // 6}", "Pass"] for i, s in enumerate(IDS)]
    rows += [[None] * 8, ["LOD", *[1.2] * 5, None, None]]
    return [*rows, ["Missing Data freq.", *["0%"] * 5, None, None]]


OLINK = {
    "Explore, long, beside a sheet": beside(
        "npx.csv", text(_npx(LONG), ";"), overrides=(ASK,), says=("long form",)
    ),
    "Explore HT, long, shuffled, beside a sheet": beside(
        "ht.tsv",
        gzip.compress(text(_npx(HT, order=np.random.default_rng(3).permutation(5 * N)))),
        overrides=(ASK,),
    ),
    "long with the class among its columns": Member(
        files={"npx": ("all.csv", text(_npx(LONG, classes=True), ";", quotes=True))},
        overrides=(ASK, TARGET),
    ),
    "long, in a workbook": beside("long.xlsx", workbook({"NPX": _npx(LONG)}), overrides=(ASK,)),
    "Target 96, wide, workbook": beside("npx.xlsx", workbook({"NPX Data": _wide()})),
}

KINDS = {
    "MaxQuant": MAXQUANT,
    "DIA-NN": DIANN,
    "Spectronaut": SPECTRONAUT,
    "Olink": OLINK,
}
