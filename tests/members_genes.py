"""Further files of gene expression, as archives and programs write them."""

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
    in_rows,
    sheet,
    text,
)

COUNTS = (VALUES * 100).astype(int)


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
    "characteristics without a key": Member(
        files={"g": ("bare.txt", _series([("!Sample_characteristics_ch1", CLASSES)], _probes("")))},
        overrides=('dataset.target="characteristic 1"',),
        ids=GSM,
        names=PROBES,
        values=_null(),
    ),
    "without values, the samples of counts": Member(
        files={
            "counts": ("GSE95_counts.csv", text([["gene", *IDS], *in_rows()], ",")),
            "meta": ("GSE95_series_matrix.txt", _series(TWO, [])),
        },
        overrides=('dataset.target="diagnosis (ch2)"',),
    ),
    "no class among the characteristics": beside(
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
EXPRESSION = text(
    [["Hugo_Symbol", "Entrez_Gene_Id", *TUMOURS], *in_rows(more=lambda j: [3569 + j])]
)
CBIOPORTAL = {
    "expression and samples": Member(
        files={
            "rna": ("data_mrna_seq_v2_rsem.txt", EXPRESSION),
            "samples": ("data_clinical_sample.txt", _clinical("SAMPLE_ID", TUMOURS, SAMPLE)),
        },
        overrides=("dataset.target=SUBTYPE",),
        ids=TUMOURS,
    ),
    "expression, samples and patients": Member(
        files={
            "rna": ("data_mrna.txt", EXPRESSION),
            "samples": ("data_clinical_sample.txt", _clinical("SAMPLE_ID", TUMOURS, SAMPLE)),
            "zpatients": ("data_clinical_patient.txt", _clinical("PATIENT_ID", BARCODES, PATIENT)),
        },
        overrides=("dataset.target=OS_STATUS", "dataset.join_ids=loose"),
        ids=TUMOURS,
        labels=OS,
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
                        *in_rows([f"{gene}|{gene}_p{j}" for j, gene in enumerate(GENES)]),
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
    "HiSeqV2": beside("HiSeqV2", text([["sample", *TUMOURS], *in_rows()]), TUMOURS),
    "ids of Ensembl with versions, gz": beside(
        "TCGA-BRCA.htseq_fpkm.tsv.gz",
        gzip.compress(text([["Ensembl_ID", *VIALS], *in_rows(ENSG)])),
        VIALS,
        table=sheet(VIALS, name="submitter_id.samples"),
        names=ENSG,
    ),
    "samples of two projects, probeMap": beside(
        "tcga_gtex.tsv",
        text(
            [["xena_sample", *TUMOURS[:6], *(f"GTEX-S{n}-0008" for n in range(6))], *in_rows(ENSG)]
        ),
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
    return text([["#1.3"], size, head, *above, *in_rows(PROBES, more=left)])


GCT = {
    "1.2": beside(
        "all_aml.gct",
        text(
            [["#1.2"], [5, N], ["NAME", "Description", *IDS], *in_rows(more=lambda j: ["a gene"])]
        ),
    ),
    "1.3 with annotations": Member(
        files={"g": ("l1000.gct", _gct3(described=True, annotated=True))},
        overrides=(TARGET,),
        names=None,
    ),
    "1.3 without": beside("plain.gct", _gct3(described=False, annotated=False), names=None),
}

LOCUS = ["Chr", "Start", "End", "Strand", "Length"]
PLACE = ["1;1", "11;20", "15;29", "+;+"]
PROGRAM = ['# Program:featureCounts v2.0.1; Command:"featureCounts" "-T" "4" "-o" "counts.txt" ']
COUNTED = {
    "featureCounts with paths of bam": beside(
        "counts.txt",
        text(
            [
                PROGRAM,
                ["Geneid", *LOCUS, *(f"/scratch/aln/{s}.sorted.bam" for s in IDS)],
                *in_rows(ENSG, COUNTS, lambda j: [*PLACE, 1000 + j]),
            ]
        ),
        names=ENSG,
        values=COUNTS,
    ),
    "featureCounts with names of genes": beside(
        "fc.txt",
        text(
            [
                PROGRAM,
                ["Geneid", *LOCUS, "gene_name", *(f"{s}.bam" for s in IDS)],
                *in_rows(ENSG, COUNTS, lambda j: [*PLACE, 1000 + j, GENES[j]]),
            ]
        ),
        names=None,
        values=COUNTS,
    ),
    "salmon of nf-core": beside(
        "salmon.merged.gene_tpm.tsv",
        text([["gene_id", "gene_name", *IDS], *in_rows(ENSG, more=lambda j: [GENES[j]])]),
        names=None,
    ),
}

KINDS = {
    "GEO": GEO,
    "cBioPortal": CBIOPORTAL,
    "Xena": XENA,
    "GCT": GCT,
    "counts": COUNTED,
}
