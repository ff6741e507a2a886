"""Further workbooks, and files that are refused by their name."""

import bz2
import gzip
import io
import lzma

import h5py
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
    workbook,
)

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
        overrides=(TARGET,),
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
        overrides=("dataset.sheet=[Samples,Serum,Urine]", TARGET),
    ),
    "an upper header without merged cells, blanks below it": Member(
        files={
            "w": (
                "filled.xlsx",
                workbook(
                    {
                        "Data": [
                            ["Supplementary Data 1", *[None] * 6],
                            ["Patient", "class", *["Cytokines"] * 2, *["Lipids"] * 3],
                            [None, None, *GENES],
                            *([s, CLASSES[i], *LIST[i]] for i, s in enumerate(IDS)),
                        ]
                    },
                    ["A2:A3", "B2:B3"],
                ),
            )
        },
        overrides=(TARGET,),
        says=("Cytokines", "Lipids"),
    ),
    "sheets with other letters, one turned": Member(
        files={
            "w": (
                "blätter.xlsx",
                workbook(
                    {
                        "Übersicht": [["id", "class"], *zip(IDS, CLASSES, strict=True)],
                        "Serum": [
                            ["Metabolit", *IDS],
                            *([g, *VALUES[:, j].tolist()] for j, g in enumerate(GENES)),
                        ],
                    }
                ),
            )
        },
        overrides=("dataset.sheet=[Übersicht,Serum]", TARGET),
    ),
    "a title above, features in rows": beside(
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
    return Member(files={"x": (name, content)}, overrides=(TARGET,), refuses=True, says=says)


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

KINDS = {
    "workbook": WORKBOOK,
    "refused": REFUSED,
}
