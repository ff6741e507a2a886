"""Files that are no text tables are refused by their name, with the line that converts them."""

import bz2
import gzip
import lzma

import h5py
import numpy as np
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import DataError

PLAIN = "sample,tau,outcome\ns1,1.5,case\ns2,2.5,control\ns3,3,case\ns4,1,control\n"


def sentence_of(tmp_path, content, name="thing.dat"):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_dataset("table", path=path, target="outcome")
    return str(caught.value)


def hdf5(tmp_path, *groups, libver="earliest", **attributes):
    path = tmp_path / "made.h5"
    with h5py.File(path, "w", libver=libver) as file:
        for group in groups:
            file.create_dataset(group, data=np.arange(3))
        for key, value in attributes.items():
            file.attrs[key.replace("_", "-")] = value
    return path.read_bytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    ("content", "what", "how"),
    [
        (b"X\n\0\0\0\2", "an object of R", 'write.csv(readRDS("thing.rds"), "thing.csv")'),
        (b"X\n\0\0\0\3\0\4", "an object of R", 'write.csv(readRDS("thing.rds"), "thing.csv")'),
        (b"A\n3\n262657\n", "an object of R", 'write.csv(readRDS("thing.rds"), "thing.csv")'),
        (b"RDX3\nX\n\0\0\0\3", "a workspace of R", 'write.csv(NAME, "thing.csv")'),
        (b"RDX2\nX\n\0\0\0\2", "a workspace of R", 'load("thing.rds")'),
        (b"RDA2\nA\n2\n", "a workspace of R", 'write.csv(NAME, "thing.csv")'),
    ],
)
def test_files_of_r(tmp_path, pack, content, what, how):
    sentence = sentence_of(tmp_path, pack(content), "thing.rds")
    assert sentence.startswith(f"thing.rds must be csv, tsv, parquet or xlsx; it is {what}. In R: ")
    assert how in sentence


@pytest.mark.parametrize(
    ("groups", "attributes", "what", "how"),
    [
        (
            ("observation/ids", "sample/ids"),
            {"format_url": "http://biom-format.org"},
            "a BIOM file (HDF5)",
            "biom convert -i x.biom -o x.tsv --to-tsv",
        ),
        (("matrix", "row_attrs/Gene", "col_attrs/Id"), {}, "a loom file", "read_loom('x.biom')"),
        (("matrix/barcodes", "matrix/indptr"), {}, "10x Genomics", "read_10x_h5('x.biom')"),
        (("obs/_index", "var/_index", "X/indptr"), {}, "an AnnData file", "dataset=h5ad"),
        (("obs/a", "var/a", "obs/barcodes", "X/indptr"), {"encoding_type": "anndata"},
         "an AnnData file", "dataset.path=x.biom"),
        (("table/values",), {}, "an HDF5 file", "If it is an AnnData file, use dataset=h5ad"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_hdf5_is_told_by_what_is_inside(tmp_path, groups, attributes, what, how, libver):
    if libver == "latest" and what == "an AnnData file":  # which writes without a zero at the end
        attributes = {"encoding_type": "anndata"}
    content = hdf5(tmp_path, *groups, libver=libver, **attributes)
    sentence = sentence_of(tmp_path, content, "x.biom")
    assert f"it is {what}" in sentence or f"of {what}" in sentence
    assert how in sentence


@pytest.mark.parametrize(
    ("content", "what", "how"),
    [
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a file of MATLAB", "scipy.io.loadmat"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "a file of MATLAB", "writetable"),
        (b"\x93NUMPY\1\0v\0", "an array of NumPy", "to_csv('x.csv')"),
        (b"ARROW1\0\0", "a Feather or Arrow file", "to_parquet('x.parquet')"),
        (b"$FL2@(#) IBM SPSS", "an SPSS file", "read_spss('x.sav')"),
        (b"<stata_dta><header>", "a Stata file", "read_stata('x.sav')"),
        (b"SQLite format 3\0", "a SQLite database", "as csv"),
        (b"%PDF-1.7\n", "a PDF", "csv or xlsx"),
        (
            b'{"id": null, "format": "Biological Observation Matrix 1.0.0", "rows": []}',
            "a BIOM file (JSON)",
            "biom convert -i x.sav -o x.tsv --to-tsv",
        ),
        (b"%%MatrixMarket matrix coordinate integer general\n3 4 1\n", "a sparse matrix", "h5ad"),
        (b"^DATABASE = GeoMiame\n!Database_name = GEO\n", "a SOFT file", "series matrix"),
    ],
)
def test_other_files(tmp_path, content, what, how):
    sentence = sentence_of(tmp_path, content, "x.sav")
    assert f"it is {what}" in sentence
    assert how in sentence


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, gzip.compress])
def test_a_packed_table_is_read(tmp_path, pack):
    path = tmp_path / "my.csv.xz"
    path.write_bytes(pack(PLAIN.encode()))
    assert load_dataset("table", path=path, target="outcome").X["tau"].tolist() == [1.5, 2.5, 3, 1]


@pytest.mark.parametrize(
    ("pack", "said"),
    [(bz2.compress, "packed with bzip2"), (lzma.compress, "packed with xz")],
)
def test_packed_twice_or_cut(tmp_path, pack, said):
    assert sentence_of(tmp_path, pack(pack(PLAIN.encode()))) == (
        f"thing.dat must be {said} once; it is {said} twice. Unpack it once."
    )
    cut = sentence_of(tmp_path, pack((PLAIN * 50).encode())[:40])
    assert cut.startswith(
        f"thing.dat must be a whole {said.split()[-1]} file; it is cut or damaged"
    )


@pytest.mark.parametrize("first", ["X", "A", "RDX", "$FL", "%", "^x", "!x", "obs"])
def test_a_table_that_begins_alike_is_read(tmp_path, first):
    path = tmp_path / "my.csv"
    path.write_text(PLAIN.replace("sample", first))
    assert load_dataset("table", path=path, target="outcome").X["tau"].tolist() == [1.5, 2.5, 3, 1]
