"""Further files of microbiomes, as programs write them in several versions."""

from members import (
    CLASSES,
    IDS,
    VALUES,
    N,
    beside,
    in_rows,
    text,
)

COUNTS = (VALUES * 100).astype(int)


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
    "taxonomy column, types, comments": beside(
        "feature-table.tsv",
        text([BIOM[0], [*BIOM[1], "taxonomy"], *([*r, *LINEAGE] for r in in_rows(ASV, COUNTS))]),
        ACROSS,
        table=_metadata("sampleid", "#q2:types", comments=True),
        names=ASV,
        values=COUNTS,
        says=("#q2:types",),
    ),
    "counts with .0, metadata without types": beside(
        "otu.txt",
        text([*BIOM, *in_rows(OTUS, COUNTS.astype(float))]),
        ACROSS,
        table=_metadata("sample-id", None),
        names=OTUS,
        values=COUNTS,
    ),
    "QIIME 1 with a mapping file": beside(
        "otu1.txt",
        text(
            [
                ["# QIIME-formatted OTU table"],
                [*BIOM[1], "Consensus Lineage"],
                *([*r, *LINEAGE] for r in in_rows(OTUS, COUNTS)),
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
    "one label, with a design": beside(
        "final.opti_mcc.shared",
        _shared(["0.03"], names=OTU, tail=[""]),
        table=DESIGN,
        names=OTU,
        values=COUNTS,
    ),
    "amplicon variants": beside(
        "final.asv.shared",
        _shared(["ASV"], names=["ASV1", "ASV2", "ASV3", "ASV4", "ASV5"]),
        names=None,
        values=COUNTS,
    ),
    "several labels": beside(
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
    "3 with ids of NCBI": beside(
        "merged_abundance_table.txt",
        text(
            [
                ["#mpa_v30_CHOCOPhlAn_201901"],
                ["clade_name", "NCBI_tax_id", *IDS],
                *([name, "2|1239|", *cells] for name, *cells in TAXA + in_rows(CLADES)),
            ]
        ),
        names=None,
        overrides=('dataset.features="*s__*"',),
    ),
    "4 without": beside(
        "mpa4.tsv",
        text([["#mpa_vJun23_CHOCOPhlAnSGB_202307"], ["clade_name", *IDS], *in_rows(CLADES)]),
        names=CLADES,
    ),
    "2 with ID": beside("mpa2.txt", text([["ID", *IDS], *in_rows(CLADES)]), names=CLADES),
}

KINDS = {
    "QIIME": QIIME,
    "mothur": MOTHUR,
    "MetaPhlAn": METAPHLAN,
}
