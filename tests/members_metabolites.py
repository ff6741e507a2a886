"""Further files of metabolomics, as its programs write them in several versions."""

from members import (
    CLASSES,
    GENES,
    IDS,
    VALUES,
    Member,
    N,
    beside,
    text,
)

# --------------------------------------------------------------------------- MS-DIAL, Progenesis

LEFT = ["Alignment ID", "Average Rt(min)", "Average Mz", "Metabolite name", "Adduct type"]
LEFT += ["Post curation result", "Fill %", "MS/MS assigned", "Reference RT", "Reference m/z"]
LEFT += ["Formula", "Ontology", "INCHIKEY", "SMILES", "Annotation tag (VS1.0)", "RT matched"]
LEFT += ["m/z matched", "MS/MS matched", "Comment", "Manually modified for quantification"]
RIGHT = ["Total score", "S/N average", "Spectrum reference file name", "MS1 isotopic spectrum"]
RIGHT += ["MS/MS spectrum"]
GC = ["Alignment ID", "Average Rt(min)", "Average RI", "Quant mass", "Metabolite name", "Fill %"]
GC += ["Reference RT", "Reference RI", "Formula", "INCHIKEY", "EI-MS matched", "Comment"]
KNOWN = {"Average Rt(min)": "1.{}", "Average Mz": "20{}.1", "Adduct type": "[M+H]+"}
KNOWN |= {"RT matched": "False", "m/z matched": "True", "Formula": "C{}H6", "INCHIKEY": "null"}
KNOWN |= {"Fill %": "0.9", "MS1 isotopic spectrum": "2{}.1:57 3.0:9", "Comment": ""}


def _msdial(left, names, *, above=("Class", "File type", "Injection order", "Batch ID"), right=()):
    cells = {"Class": CLASSES, "File type": ["Sample"] * N, "Batch ID": [1] * N}
    cells["Injection order"] = range(3, N + 3)
    blank = [""] * (len(left) - 1)
    rows = [[*blank, name, *cells[name], *["NA"] * len(right)] for name in above]
    if right:
        rows[-1][-len(right) :] = ["Average", "Average", "Stdev", "Stdev"]
    rows.append([*left, *IDS, *right])
    for j, name in enumerate(names):
        row = [KNOWN.get(column, "-1").format(j) for column in left]
        row[0], row[left.index("Metabolite name")] = j, name
        rows.append([*row, *VALUES[:, j], *[9.9] * len(right)])
    return rows


METABOLITES = ["Alanine", "w/o MS2: Citrate", "PC 34:1|PC 16:0_18:1", "Unknown", "Unknown"]
MSDIAL = {
    "4.9 with means and deviations": Member(
        files={
            "m": (
                "Area_1_2023.txt",
                text(_msdial(LEFT + RIGHT, METABOLITES, right=["case", "control"] * 2)),
            )
        },
        overrides=("dataset.target=Class",),
        names=None,
    ),
    "5 with scores": Member(
        files={
            "m": (
                "Height.txt",
                text(
                    _msdial(
                        [*LEFT, "m/z similarity", "Matched peaks count", *RIGHT],
                        [f"Unknown_{j}" for j in range(5)],
                    ),
                    end="\r\n",
                ),
            )
        },
        overrides=("dataset.target=Class",),
        names=None,
    ),
    "GC with a sheet": beside(
        "gc.txt",
        text(_msdial([*GC, "EI spectrum"], [*METABOLITES[:3], "Urea", "Glycine"])),
        names=None,
    ),
}


def _progenesis(left, blocks, groups, *, right=()):
    top, middle = [""] * len(left), [""] * len(left)
    for block in blocks:
        top += [block, *[""] * (N - 1)]
        middle += [name if n % 6 == 0 else "" for n, name in enumerate(groups)]
    more = [""] * len(right)
    rows = [[*top, *more], [*middle, *more], [*left, *IDS * len(blocks), *right]]
    for j in range(5):
        row = [f"{j}.05_20{j}.11m/z", *[""] * (len(left) - 1)]
        for factor in blocks.values():
            row += list((VALUES[:, j] * factor).round(8))
        rows.append([*row, *more])
    return rows


HALVES = ["control"] * (N // 2) + ["case"] * (N // 2)
QI = ["Compound", "Neutral mass (Da)", "m/z", "Charge", "Retention time (min)"]
QI += ["Chromatographic peak width (min)", "Identifications", "Anova (p)", "Max Fold Change"]
AFTER = ["Accepted Compound ID", "Accepted Description", "Adducts", "Score", "Compound Link"]
QIP = ["Accession", "Peptide count", "Unique peptides", "Confidence score", "Anova (p)", "q Value"]
QIP += ["Max fold change", "Power", "Highest mean condition", "Mass", "Description"]
PROGENESIS = {
    "QI, compounds": beside(
        "compounds.csv",
        text(
            _progenesis(QI, {"Normalised abundance": 1, "Raw abundance": 3}, HALVES, right=AFTER),
            ",",
            quotes=True,
        ),
        names=None,
        says=("Normalised abundance",),
    ),
    "QIP, proteins, American, with counts": beside(
        "proteins.csv",
        text(
            _progenesis(
                QIP, {"Normalized abundance": 1, "Raw abundance": 3, "Spectral counts": 0}, HALVES
            ),
            ",",
        ),
        names=None,
    ),
    "only raw, decimal comma, latin1": beside(
        "roh.csv",
        text(
            [
                [str(cell).replace(".", ",") for cell in row]
                for row in _progenesis([*QI, "Größe"], {"Raw abundance": 1}, HALVES)
            ],
            ";",
            encoding="latin-1",
        ),
        names=None,
    ),
}


# ---------------------------------------------------------------------------------- MetaboAnalyst


def _columns(label, names, ids=IDS):
    rows = zip(names, VALUES.T, strict=True)
    return [["Sample", *ids], [label, *CLASSES], *([name, *cells] for name, cells in rows)]


PEAKS = [f"{100 + j}.0712/{60 * j + 31}.2" for j in range(5)]
METABOANALYST = {
    "samples in rows": Member(
        files={"c": ("conc.csv", text(zip(*_columns("Label", GENES), strict=True), ","))},
        overrides=("dataset.target=Label",),
    ),
    "peaks in rows, turned": Member(
        files={"c": ("peaks.txt", text(_columns("Class", PEAKS), end="\r\n"))},
        overrides=("dataset.target=Class", "dataset.transpose=true"),
        names=PEAKS,
    ),
    "names with blanks, semicolons": Member(
        files={
            "c": (
                "cachexia.csv",
                text(
                    zip(*_columns("Muscle loss", ["1,6-Anhydro", *GENES[1:]]), strict=True),
                    ";",
                    quotes=True,
                ),
            )
        },
        overrides=('dataset.target="Muscle loss"',),
        names=["1,6-Anhydro", *GENES[1:]],
    ),
    "samples in columns, doubt": Member(
        files={"c": ("doubt.csv", text(_columns("Label", [f"M{j}" for j in range(5)]), ","))},
        overrides=("dataset.target=Label",),
        refuses=True,
        says=("transpose=true",),
    ),
}

KINDS = {
    "MS-DIAL": MSDIAL,
    "Progenesis": PROGENESIS,
    "MetaboAnalyst": METABOANALYST,
}
