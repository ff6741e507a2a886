"""Further files of archives, sequencing and spreadsheets, in several versions."""

import bz2
import gzip
import io
import lzma

import h5py
import numpy as np

from members import CLASSES, GENES, IDS, VALUES, Member, N, sheet, text, workbook

TARGET = ("dataset.target=class",)
COUNTS = (VALUES * 100).astype(int)


def _rows(names=GENES, values=VALUES, more=lambda j: ()):
    return [[name, *more(j), *values[:, j]] for j, name in enumerate(names)]


def _joined(name, content, ids=IDS, *, table=None, **more):
    """A file of values with a sheet of its samples."""
    overrides = (*more.pop("overrides", ()), *TARGET)
    files = {"values": (name, content), "sheet": table or sheet(ids)}
    return Member(files=files, ids=ids, overrides=overrides, **more)


# ------------------------------------------------------------------------------ GEO series matrix

GSM = [f"GSM29{n:04d}" for n in range(N)]


def _series(characteristics, rows, *, end="\n", ids=GSM, extra=()):
    head = ['!Series_title\t"Blood of ""cases"" and controls"', '!Series_geo_accession\t"GSE99"']
    head += ['!Series_overall_design\t"12 samples\tin two arms"', ""]
    tags = [("!Sample_title", IDS), ("!Sample_geo_accession", ids)]
    tags += [("!Sample_status", ["Public on Jan 01 2020"] * N), ("!Sample_channel_count", [1] * N)]
    tags += [("!Sample_source_name_ch1", ["Whole blood"] * N), *characteristics, *extra]
    tags += [("!Sample_data_row_count", [5] * N)]
    lines = [*head, *("\t".join([tag, *(f'"{c}"' for c in cells)]) for tag, cells in tags)]
    lines += ["!series_matrix_table_begin", "\t".join(['"ID_REF"', *(f'"{g}"' for g in ids)])]
    lines += ["\t".join(map(str, row)) for row in rows]
    return (end.join([*lines, "!series_matrix_table_end"]) + end).encode()


def _mixed():
    """Several keys a row, in another order for each sample, some missing."""
    first = [f"age: {30 + n}" if n % 3 else f"disease: {CLASSES[n]}" for n in range(N)]
    second = [f"disease: {CLASSES[n]}" if n % 3 else "Sex: F" for n in range(N)]
    third = ["Sex: M" if n % 3 == 1 else "" for n in range(N)]
    return [("!Sample_characteristics_ch1", cells) for cells in (first, second, third)]


def _probes(missing="null"):
    rows = [[f'"{200 + j}_s_at"', *VALUES[:, j]] for j in range(5)]
    rows[2][4] = missing
    return rows


def _null():
    values = VALUES.copy()
    values[3, 2] = np.nan
    return values


PROBES = [f"{200 + j}_s_at" for j in range(5)]
TWO = [
    ("!Sample_characteristics_ch1", [f"tissue: {'liver' if n % 5 else 'lung'}" for n in range(N)]),
    ("!Sample_label_ch1", ["Cy5"] * N),
    ("!Sample_source_name_ch2", ["reference"] * N),
    ("!Sample_characteristics_ch2", [f"diagnosis: {label}" for label in CLASSES]),
    ("!Sample_characteristics_ch2", [f"bmi: {20 + n}.5" for n in range(N)]),
]
GEO = {
    "keys in mixed order, some missing": Member(
        files={"g": ("GSE99_series_matrix.txt", _series(_mixed(), _probes()))},
        overrides=("dataset.target=disease",),
        ids=GSM,
        names=PROBES,
        values=_null(),
    ),
    "two channels, gz, ends of Windows": Member(
        files={
            "g": (
                "GSE98_series_matrix.txt.gz",
                gzip.compress(_series(TWO, _probes(""), end="\r\n")),
            )
        },
        overrides=('dataset.target="diagnosis (ch2)"',),
        ids=GSM,
        names=PROBES,
        values=_null(),
    ),
    "no class among the characteristics": _joined(
        "GSE97.txt",
        _series([], _probes("NA")),
        GSM,
        names=PROBES,
        values=_null(),
    ),
    "a value with colons": Member(
        files={
            "g": (
                "GSE96.txt",
                _series(
                    [("!Sample_characteristics_ch1", [f"arm: {c}: first" for c in CLASSES])],
                    _probes(VALUES[3, 2]),
                ),
            )
        },
        overrides=("dataset.target=arm",),
        ids=GSM,
        names=PROBES,
        labels=[f"{c}: first" for c in CLASSES],
    ),
}


# -------------------------------------------------------------------------------- QIIME 2, mothur

LINEAGE = ["k__Bacteria; p__Firmicutes; c__Clostridia; o__; f__; g__; s__"]
ASV = [f"{n:08x}d5e2f{n}" for n in range(4, 9)]
OTUS = [f"denovo{n}" for n in (3, 14, 15, 92, 65)]
ACROSS = [f"A{n}.B" for n in range(1, N + 1)]


def _metadata(head, directive, *, comments=False):
    rows = [[head, "barcode-sequence", "class", "day"]]
    rows += [[directive, "categorical", "categorical", "numeric"]] if directive else []
    for n, label in enumerate(CLASSES):
        rows += [["# the second half", "", "", ""]] if comments and n == 6 else []
        rows.append([ACROSS[n], f"ACGT{'ACGT'[n % 4]}A", label, 7 * n])
    return "metadata.tsv", text(rows)


MAP = [["#SampleID", "BarcodeSequence", "LinkerPrimerSequence", "class", "Description"]]
MAP += [[s, f"ACG{n}", "GTGCC", CLASSES[n], f"mouse {n}"] for n, s in enumerate(ACROSS)]
BIOM = [["# Constructed from biom file"], ["#OTU ID", *ACROSS]]
QIIME = {
    "taxonomy column, types, comments": _joined(
        "feature-table.tsv",
        text([BIOM[0], [*BIOM[1], "taxonomy"], *([*r, *LINEAGE] for r in _rows(ASV, COUNTS))]),
        ACROSS,
        table=_metadata("sampleid", "#q2:types", comments=True),
        names=ASV,
        values=COUNTS,
        says=("#q2:types",),
    ),
    "counts with .0, metadata without types": _joined(
        "otu.txt",
        text([*BIOM, *_rows(OTUS, COUNTS.astype(float))]),
        ACROSS,
        table=_metadata("sample-id", None),
        names=OTUS,
        values=COUNTS,
    ),
    "QIIME 1 with a mapping file": _joined(
        "otu1.txt",
        text(
            [
                ["# QIIME-formatted OTU table"],
                [*BIOM[1], "Consensus Lineage"],
                *([*r, *LINEAGE] for r in _rows(OTUS, COUNTS)),
            ],
            end="\r\n",
        ),
        ACROSS,
        table=("map.txt", text(MAP)),
        names=OTUS,
        values=COUNTS,
    ),
}


def _shared(labels, *, names=OTUS, tail=()):
    rows = [["label", "Group", "numOtus", *names, *tail]]
    for label in labels:
        factor = 1 if label == labels[0] else 2
        rows += [[label, s, 5, *(COUNTS[i] * factor), *[""] * len(tail)] for i, s in enumerate(IDS)]
    return text(rows)


OTU = [f"Otu{j:04d}" for j in range(1, 6)]
DESIGN = ("mouse.design", text([["group", "class"], *zip(IDS, CLASSES, strict=True)]))
MOTHUR = {
    "one label, with a design": _joined(
        "final.opti_mcc.shared",
        _shared(["0.03"], names=OTU, tail=[""]),
        table=DESIGN,
        names=OTU,
        values=COUNTS,
    ),
    "amplicon variants": _joined(
        "final.asv.shared",
        _shared(["ASV"], names=["ASV1", "ASV2", "ASV3", "ASV4", "ASV5"]),
        names=None,
        values=COUNTS,
    ),
    "several labels": _joined(
        "several.shared",
        _shared(["unique", "0.03", "0.05"], names=OTU),
        refuses=True,
        says=("0.03", "unique"),
    ),
}


# ------------------------------------------------------------------------------------- MetaPhlAn

CLADES = [f"k__Bacteria|p__Firmicutes|s__Blautia_{letter}" for letter in "abcde"]
TAXA = [["k__Bacteria", *[100] * N], ["k__Bacteria|p__Firmicutes", *[100] * N]]
METAPHLAN = {
    "3 with ids of NCBI": _joined(
        "merged_abundance_table.txt",
        text(
            [
                ["#mpa_v30_CHOCOPhlAn_201901"],
                ["clade_name", "NCBI_tax_id", *IDS],
                *([name, "2|1239|", *cells] for name, *cells in TAXA + _rows(CLADES)),
            ]
        ),
        names=None,
        overrides=('dataset.features="*s__*"',),
    ),
    "4 without": _joined(
        "mpa4.tsv",
        text([["#mpa_vJun23_CHOCOPhlAnSGB_202307"], ["clade_name", *IDS], *_rows(CLADES)]),
        names=CLADES,
    ),
    "2 with ID": _joined("mpa2.txt", text([["ID", *IDS], *_rows(CLADES)]), names=CLADES),
}


# ------------------------------------------------------------ cBioPortal, Xena, GCT, counts

BARCODES = [f"TCGA-{'AB'[n % 2]}{n % 7}-A{n:03d}" for n in range(N)]
TUMOURS = [f"{code}-01" for code in BARCODES]


def _clinical(name, ids, columns, *, more=()):
    head = [name, *columns]
    rows = [[f"#{head[0].title()}", *(c.title() for c in head[1:])], [f"#{head[0]}", *head[1:]]]
    rows += [["#STRING"] * 1 + ["STRING"] * len(columns), ["#1", *["1"] * len(columns)], head]
    return text([*rows, *zip(ids, *columns.values(), strict=True)])


OS = ["1:DECEASED" if label == "case" else "0:LIVING" for label in CLASSES]
PATIENT = {"OS_STATUS": OS, "OS_MONTHS": [f"{n}.5" for n in range(N)], "AGE": range(50, 50 + N)}
SAMPLE = {"PATIENT_ID": BARCODES, "CANCER_TYPE": ["Breast"] * N, "SUBTYPE": CLASSES}
EXPRESSION = text([["Hugo_Symbol", "Entrez_Gene_Id", *TUMOURS], *_rows(more=lambda j: [3569 + j])])
CBIOPORTAL = {
    "expression and samples": Member(
        files={
            "rna": ("data_mrna_seq_v2_rsem.txt", EXPRESSION),
            "samples": ("data_clinical_sample.txt", _clinical("SAMPLE_ID", TUMOURS, SAMPLE)),
        },
        overrides=("dataset.target=SUBTYPE",),
        ids=TUMOURS,
    ),
    "patients alone": Member(
        files={"p": ("data_clinical_patient.txt", _clinical("PATIENT_ID", BARCODES, PATIENT))},
        overrides=("dataset.target=OS_STATUS", "dataset.drop=[OS_MONTHS]"),
        ids=BARCODES,
        names=["AGE"],
        values=np.arange(50, 50 + N)[:, None],
        labels=OS,
    ),
    "proteins with the sample named first": Member(
        files={
            "rppa": (
                "data_rppa.txt",
                text(
                    [
                        ["Composite.Element.REF", *TUMOURS],
                        *_rows([f"{gene}|{gene}_p{j}" for j, gene in enumerate(GENES)]),
                    ]
                ),
            ),
            "samples": (
                "data_clinical_sample.txt",
                _clinical(
                    "PATIENT_ID",
                    BARCODES,
                    {"SAMPLE_ID": TUMOURS, "STATUS": CLASSES, "TMB": range(N)},
                ),
            ),
        },
        overrides=("dataset.target=STATUS",),
        ids=TUMOURS,
        names=[f"{gene}|{gene}_p{j}" for j, gene in enumerate(GENES)],
    ),
}

VIALS = [f"{code}-01A" for code in BARCODES]
ENSG = [f"ENSG0000000{j:04d}.1{j}" for j in range(3, 8)]
XENA = {
    "HiSeqV2": _joined("HiSeqV2", text([["sample", *TUMOURS], *_rows()]), TUMOURS),
    "ids of Ensembl with versions, gz": _joined(
        "TCGA-BRCA.htseq_fpkm.tsv.gz",
        gzip.compress(text([["Ensembl_ID", *VIALS], *_rows(ENSG)])),
        VIALS,
        table=sheet(VIALS, name="submitter_id.samples"),
        names=ENSG,
    ),
    "samples of two projects, probeMap": _joined(
        "tcga_gtex.tsv",
        text([["xena_sample", *TUMOURS[:6], *(f"GTEX-S{n}-0008" for n in range(6))], *_rows(ENSG)]),
        [*TUMOURS[:6], *(f"GTEX-S{n}-0008" for n in range(6))],
        names=ENSG,
    ),
}


def _gct3(*, described, annotated):
    head = ["id", *(["pr_gene_symbol", "pr_is_lm"] if described else []), *IDS]
    left = (lambda j: [GENES[j], 1]) if described else (lambda j: [])
    blank = ["na"] * (2 if described else 0)
    above = [["class", *blank, *CLASSES], ["pert_dose", *blank, *range(N)]][: annotated * 2]
    size = [5, N, 2 if described else 0, len(above)]
    return text([["#1.3"], size, head, *above, *_rows(PROBES, more=left)])


GCT = {
    "1.2": _joined(
        "all_aml.gct",
        text([["#1.2"], [5, N], ["NAME", "Description", *IDS], *_rows(more=lambda j: ["a gene"])]),
    ),
    "1.3 with annotations": Member(
        files={"g": ("l1000.gct", _gct3(described=True, annotated=True))},
        overrides=TARGET,
        names=None,
    ),
    "1.3 without": _joined("plain.gct", _gct3(described=False, annotated=False), names=None),
}

LOCUS = ["Chr", "Start", "End", "Strand", "Length"]
PLACE = ["1;1", "11;20", "15;29", "+;+"]
PROGRAM = ['# Program:featureCounts v2.0.1; Command:"featureCounts" "-T" "4" "-o" "counts.txt" ']
COUNTED = {
    "featureCounts with paths of bam": _joined(
        "counts.txt",
        text(
            [
                PROGRAM,
                ["Geneid", *LOCUS, *(f"/scratch/aln/{s}.sorted.bam" for s in IDS)],
                *_rows(ENSG, COUNTS, lambda j: [*PLACE, 1000 + j]),
            ]
        ),
        names=ENSG,
        values=COUNTS,
    ),
    "featureCounts with names of genes": _joined(
        "fc.txt",
        text(
            [
                PROGRAM,
                ["Geneid", *LOCUS, "gene_name", *(f"{s}.bam" for s in IDS)],
                *_rows(ENSG, COUNTS, lambda j: [*PLACE, 1000 + j, GENES[j]]),
            ]
        ),
        names=None,
        values=COUNTS,
    ),
    "salmon of nf-core": _joined(
        "salmon.merged.gene_tpm.tsv",
        text([["gene_id", "gene_name", *IDS], *_rows(ENSG, more=lambda j: [GENES[j]])]),
        names=None,
    ),
}


# ------------------------------------------------------------------------- workbooks, and refused

LIST = VALUES.tolist()
WORKBOOK = {
    "two headers merged": Member(
        files={
            "w": (
                "two.xlsx",
                workbook(
                    {
                        "Data": [
                            ["", "", "Cytokines", None, "Lipids", None, None],
                            ["Patient", "class", *GENES],
                            *([s, CLASSES[i], *LIST[i]] for i, s in enumerate(IDS)),
                        ]
                    },
                    ["C1:D1", "E1:G1"],
                ),
            )
        },
        overrides=TARGET,
        says=("Cytokines", "Lipids"),
    ),
    "several sheets": Member(
        files={
            "w": (
                "sheets.xlsx",
                workbook(
                    {
                        "Samples": [["id", "class"], *zip(IDS, CLASSES, strict=True)],
                        "Serum": [
                            ["id", *GENES[:2]],
                            *([s, *v[:2]] for s, v in zip(IDS, LIST, strict=True)),
                        ],
                        "Urine": [
                            ["id", *GENES[2:]],
                            *([s, *v[2:]] for s, v in zip(IDS, LIST, strict=True)),
                        ],
                        "Notes": [["measured in 2020"]],
                    }
                ),
            )
        },
        overrides=("dataset.sheet=[Samples,Serum,Urine]", *TARGET),
    ),
    "a title above, features in rows": _joined(
        "title.xlsx",
        workbook(
            {
                "Table S2": [
                    ["Table S2. Levels in serum", *[None] * N],
                    [None] * (N + 1),
                    ["Protein", *IDS],
                    *([name, *VALUES[:, j].tolist()] for j, name in enumerate(GENES)),
                ]
            }
        ),
    ),
}


def _hdf5(*paths, **attributes):
    """Write a file with an array at each path."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs.update(attributes)
        for path in paths:
            file[path] = np.arange(3)
    return stream.getvalue()


BIOM_5 = _hdf5("observation/ids", "sample/ids", **{"format-url": "http://biom-format.org"})
TENX = _hdf5("matrix/barcodes", "matrix/indptr", "matrix/features/id")


def _refused(name, content, *says):
    return Member(files={"x": (name, content)}, overrides=TARGET, refuses=True, says=says)


REFUSED = {
    "rds in xz": _refused(
        "eset.rds", lzma.compress(b"X\n\0\0\0\x03\0\x04"), "readRDS", "write.csv"
    ),
    "RData in bzip2": _refused("study.RData", bz2.compress(b"RDX3\nX\n\0\0"), "write.csv"),
    "rda in gzip": _refused("d.rda", gzip.compress(b"RDX2\nX\n\0\0"), "write.csv"),
    "rds as text": _refused("ascii.rds", b"A\n3\n262144\n", "write.csv"),
    "biom of HDF5": _refused("table.biom", BIOM_5, "biom convert"),
    "biom of json": _refused(
        "v1.biom", b'{"id": null,"format": "Biological Observation Matrix 1.0.0"}', "biom convert"
    ),
    "h5 of 10x": _refused("filtered_feature_bc_matrix.h5", TENX, "10x Genomics"),
}

ARCHIVES = {
    "GEO": GEO,
    "QIIME": QIIME,
    "mothur": MOTHUR,
    "MetaPhlAn": METAPHLAN,
    "cBioPortal": CBIOPORTAL,
    "Xena": XENA,
    "GCT": GCT,
    "counts": COUNTED,
    "workbook": WORKBOOK,
    "refused": REFUSED,
}
