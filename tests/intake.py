"""Small tables in the shapes that instruments and people produce, and what reading them gives.

24 samples (S01 to S24), 12 cases and 12 controls, five measured values each. The values are random;
only the shapes are real.
"""

import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import openpyxl

N = 24
IDS = [f"S{i:02d}" for i in range(1, N + 1)]
CLASSES = ["case", "control"] * (N // 2)
GENES = ["TP53", "EGFR", "BRCA1", "MYC", "KRAS"]
_RNG = np.random.default_rng(0)
VALUES = _RNG.normal(10, 2, (N, 5)).round(3)


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file, how it is opened, and what reading it gives.

    ``overrides`` name the file themselves where there are several (``beside``). ``says`` are words
    of the output. ``refuses``: the run ends with status 2.
    """

    content: bytes
    overrides: tuple[str, ...]
    n: int = N
    p: int = 5
    says: tuple[str, ...] = ()
    refuses: bool = False
    beside: Mapping[str, bytes] = field(default_factory=dict)


def lines(rows: Iterable[Sequence[object]], separator: str = ",") -> bytes:
    """Write rows of cells as text."""
    return ("\n".join(separator.join(map(str, row)) for row in rows) + "\n").encode()


def plain(
    values: Sequence[Sequence[object]] = VALUES.tolist(),
    *,
    header: Sequence[str] = ("sample", *GENES, "class"),
    ids: Sequence[str] = IDS,
    classes: Sequence[str] = CLASSES,
) -> list[list[object]]:
    """Rows of a table with samples in rows, the header first."""
    body = ([i, *row, label] for i, row, label in zip(ids, values, classes, strict=True))
    return [list(header), *body]


def in_rows(names: Sequence[str]) -> list[list[object]]:
    """Rows of features, the name first."""
    return [[name, *VALUES[:, j]] for j, name in enumerate(names)]


SHEET = lines([["sample", "class"], *zip(IDS, CLASSES, strict=True)])


def _samples() -> dict[str, Input]:
    """Ids, persons, quality controls, labels."""
    header, *body = plain()
    long = [["SampleID", "OlinkID", "Assay", "NPX", "LOD", "QC_Warning", "class"]]
    long += [
        [s, f"OID{j}", GENES[j], VALUES[i, j], 0.5, "Pass", CLASSES[i]]
        for i, s in enumerate(IDS)
        for j in range(5)
    ]
    controls = [*([f"QC{i}", *[10] * 5, "QC"] for i in range(2)), ["Blank1", *[0] * 5, "blank"]]
    twice = plain(
        ids=[f"S{i // 2:02d}" for i in range(N)], classes=[CLASSES[i // 2] for i in range(N)]
    )
    persons = [f"subject{i // 2}_{'pre' if i % 2 else 'post'}" for i in range(N)]
    spellings = ["Case ", "case", "CASE", "control", " Control", "control"]
    status = [
        [s, value, "1:DECEASED" if i % 3 else "0:LIVING"]
        for i, (s, value) in enumerate(zip(IDS, VALUES[:, 0], strict=True))
    ]
    return {
        "long_format.csv": Input(
            content=lines(long, ";"),
            overrides=("dataset.target=class",),
            refuses=True,
            says=("long", "Assay", "NPX"),
        ),
        "qc_rows.csv": Input(
            content=lines([header, *controls, *body]),
            overrides=("dataset.target=class", "dataset.classes=[case,control]"),
            says=("QC", "blank"),
        ),
        "technical_replicates.csv": Input(
            content=lines(twice),
            overrides=("dataset.target=class",),
            refuses=True,
            says=("S00", "twice"),
        ),
        "coded_status.csv": Input(
            content=lines([["sample", "g1", "OS_STATUS"], *status]),
            overrides=("dataset.target=OS_STATUS",),
            p=1,
            says=("positive: 1:DECEASED",),
        ),
        "same_sample_other_name.csv": Input(
            content=lines([*plain(), ["S99", *VALUES[0], CLASSES[0]]]),
            overrides=("dataset.target=class",),
            n=N + 1,
            says=("S01", "S99"),
        ),
        "person_in_id.csv": Input(
            content=lines(plain(ids=persons)),
            overrides=("dataset.target=class",),
            says=("subject0", "groups"),
        ),
        "label_spellings.csv": Input(
            content=lines(plain(classes=[spellings[i % 6] for i in range(N)])),
            overrides=("dataset.target=class",),
            refuses=True,
            says=("CASE", "dataset.classes"),
        ),
    }


def _features() -> dict[str, Input]:
    """Units, names, metadata among the features, values."""
    header, *body = plain()
    symbols = ("sample", "1-Sep", "2-Mar", "TP53", "44256", "Dec-01", "class")
    metadata = [
        ["sampleID", *IDS],
        ["disease", *CLASSES],
        ["country", *["X", "Y", "Y", "X"] * 6],
        ["age", *range(40, 40 + N)],
        ["ctp", *["nd" if label == "control" else 7 for label in CLASSES]],
        *in_rows([f"k__Bacteria|s__Species_{gene}_Family_XI" for gene in GENES]),
    ]
    repeated = in_rows(["MARCHF1", "MARCHF1", "TP53", "TP53", "MYC"])
    below = [[str(x) for x in row] for row in VALUES]
    for row in below[::3]:
        row[:4] = ["<LOD", "n.d.", "< 0.05", "ND"]
    flagged = [[f"{x}{'*' * (i % 5 == 0)}" for x in row] for i, row in enumerate(VALUES)]
    above = b"Supplementary Table 3. Metabolite levels\n\nUnits: umol/L\n"
    return {
        "unit_row.csv": Input(
            content=lines([header, ["", "mg/L", "mg/L", "ng/mL", "%", "a.u.", ""], *body]),
            overrides=("dataset.target=class",),
            says=("units",),
        ),
        "gene_dates.csv": Input(
            content=lines(plain(header=symbols)),
            overrides=("dataset.target=class",),
            says=("1-Sep", "SEPTIN1"),
        ),
        "metadata_rows.tsv": Input(
            content=lines(metadata, "\t"),
            overrides=(
                *("dataset.target=disease", "dataset.transpose=true"),
                'dataset.features="k__*"',
            ),
        ),
        "repeated_symbols.csv": Input(
            content=lines([["gene", *IDS], ["class", *CLASSES], *repeated]),
            overrides=(
                *("dataset.target=class", "dataset.transpose=true"),
                "dataset.duplicates=mean",
            ),
            p=3,
            says=("MARCHF1",),
        ),
        "below_detection.csv": Input(
            content=lines(plain(below)),
            overrides=("dataset.target=class", "dataset.below_detection=half"),
            says=("<LOD", "n.d.", "< 0.05", "ND"),
        ),
        "flagged_numbers.csv": Input(
            content=lines(plain(flagged)),
            overrides=("dataset.target=class", "dataset.strip_flags=true"),
            says=("*",),
        ),
        "text_above.csv": Input(
            content=above + lines(plain()),
            overrides=("dataset.target=class",),
            says=("3 lines", "Supplementary"),
        ),
        "peaks_in_columns.csv": Input(
            content=lines(
                [
                    ["Sample", *IDS],
                    ["Label", *CLASSES],
                    *in_rows([f"{75 + j}.1/{200 + j}" for j in range(5)]),
                ]
            ),
            overrides=("dataset.target=Label",),
            refuses=True,
            says=("transpose=true",),
        ),
    }


def _instruments() -> dict[str, Input]:
    """Files of instruments and archives, joined with a sheet of samples where they need one."""
    rows: list[list[object]] = [
        [
            *("Protein IDs", "Gene names", *(f"Intensity {s}" for s in IDS)),
            *(*(f"LFQ intensity {s}" for s in IDS), "Reverse", "Potential contaminant"),
        ]
    ]
    for j in range(6):
        found = [0 if _RNG.random() < 0.3 else int(1e6 * x) for x in VALUES[:, j % 5]]
        marks = ["+" if j == 4 else "", "+" if j == 5 else ""]
        rows.append([f"P0{j};Q0{j}", f"GN{j}", *(2 * x for x in found), *found, *marks])
    alignment = [
        ["", "", "", "Class", *CLASSES],
        ["", "", "", "File type", *["Sample"] * N],
        ["Alignment ID", "Average Rt(min)", "Average Mz", "Metabolite name", *IDS],
        *([j, f"1.{j}", f"20{j}.1", f"M{j}", *VALUES[:, j]] for j in range(5)),
    ]
    shared = [
        ["label", "Group", "numOtus", "Otu1", "Otu2", ""],
        *(["0.03", s, 2, *map(int, VALUES[i, :2]), ""] for i, s in enumerate(IDS)),
    ]
    barcodes = [f"TCGA-A1-A0S{i}" for i in range(N)]
    dotted = [["gene", *(code.replace("-", ".") for code in barcodes)], *in_rows(GENES)]
    otus = lines([["#OTU ID", *IDS], *in_rows([f"otu{j}" for j in range(5)])], "\t")
    types = [["sample-id", "class", "age"], ["#q2:types", "categorical", "numeric"]]
    types += [[s, label, 40 + i] for i, (s, label) in enumerate(zip(IDS, CLASSES, strict=True))]
    return {
        "protein_groups.txt": Input(
            content=lines(rows, "\t"),
            beside={"sheet.csv": SHEET},
            overrides=(
                "dataset.path={protein:protein_groups.txt,sheet:sheet.csv}",
                "dataset.target=class",
            ),
            p=4,
            says=("LFQ intensity", "contaminant", "zero"),
        ),
        "rows_above.txt": Input(
            content=lines(alignment, "\t"),
            overrides=("dataset.target=Class", "dataset.transpose=true"),
            says=("Metabolite name",),
        ),
        "series_matrix.txt": Input(
            content=_series_matrix(),
            overrides=('dataset.target="disease state"',),
            says=("series matrix",),
        ),
        "shared_table.tsv": Input(
            content=lines(shared, "\t"),
            beside={
                "shared_meta.tsv": lines(
                    [["sample", "dx"], *zip(IDS, CLASSES, strict=True)], "\t"
                ).replace(b"\n", b"\r")
            },
            overrides=(
                "dataset.path={otu:shared_table.tsv,meta:shared_meta.tsv}",
                *("dataset.id={otu:Group,meta:sample}", "dataset.target=dx"),
                "dataset.drop=[label,numOtus]",
            ),
            p=2,
        ),
        "dotted_ids.csv": Input(
            content=lines(dotted),
            beside={
                "dotted_sheet.csv": lines(
                    [["sample", "class"], *zip(barcodes, CLASSES, strict=True)]
                )
            },
            overrides=(
                "dataset.path={rna:dotted_ids.csv,sheet:dotted_sheet.csv}",
                *("dataset.transpose=[rna]", "dataset.target=class", "dataset.join_ids=loose"),
            ),
            says=("TCGA.A1.A0S0",),
        ),
        "merged_header.xlsx": Input(
            content=_two_headers(),
            overrides=("dataset.target=class",),
            says=("Clinical", "Proteins"),
        ),
        "otu_table.tsv": Input(
            content=b"# Constructed from biom file\n" + otus,
            beside={"otu_meta.tsv": lines(types, "\t")},
            overrides=(
                "dataset.path={otu:otu_table.tsv,meta:otu_meta.tsv}",
                *("dataset.transpose=[otu]", "dataset.target=class"),
            ),
            says=("#q2:types", "age"),
        ),
        "object.rds": Input(
            content=gzip.compress(b"X\n\x00\x00\x00\x03", mtime=0),
            overrides=("dataset.target=class",),
            refuses=True,
            says=("R", "write.csv"),
        ),
    }


def _series_matrix() -> bytes:
    def tagged(tag: str, entries: Iterable[str]) -> str:
        return "\t".join([tag, *(f'"{entry}"' for entry in entries)]) + "\n"

    accessions = [f"GSM{s}" for s in IDS]
    text = '!Series_title\t"x"\n!Series_summary\t"two\nlines"\n\n'
    text += tagged("!Sample_title", IDS) + tagged("!Sample_geo_accession", accessions)
    text += tagged("!Sample_characteristics_ch1", [f"disease state: {x}" for x in CLASSES])
    text += tagged("!Sample_characteristics_ch1", [f"age: {40 + i}" for i in range(N)])
    text += "!series_matrix_table_begin\n" + tagged('"ID_REF"', accessions)
    for j, gene in enumerate(GENES):
        text += "\t".join([f'"{gene}"', *map(str, VALUES[:, j])]) + "\n"
    return (text + "!series_matrix_table_end\n").encode()


def _two_headers() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["", "Clinical", None, "Proteins", None, None, ""])
    sheet.append(["sample", "age", "sex", "p1", "p2", "p3", "class"])
    sheet.merge_cells("B1:C1")
    sheet.merge_cells("D1:F1")
    for i, s in enumerate(IDS):
        sheet.append([s, 40 + i, "m" if i % 3 else "f", *VALUES[i, :3].tolist(), CLASSES[i]])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


INPUTS = {**_samples(), **_features(), **_instruments()}
"""The inputs, by the name of their file."""
