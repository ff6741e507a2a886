"""Make microbiome/*.csv, tables of microbes that confirm the transform, from two Debian packages.

``python benchmarks/defaults/microbiome.py`` runs ``apt-get download r-bioc-phyloseq
r-bioc-metagenomeseq`` and needs the package rdata (extra ``data``). The tables stay out of this
repository: their packages (AGPL-3, Artistic-2.0) state no licence for the data.

- enterotype: shares of genera, 280 samples; target: the sequencing technology.
- soilrep: counts of 56 soils; target: warmed or not.
- mouse: counts of 139 samples of 12 mice, which are the groups; target: the diet.
- lung: counts of 66 samples of the airways; target: smoker or not.

Kept are the taxa that at least a quarter of the samples hold.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import rdata

HERE = Path(__file__).parent
PACKAGES = {"phyloseq": "r-bioc-phyloseq", "metagenomeSeq": "r-bioc-metagenomeseq"}


def fetch(folder):
    subprocess.run(["apt-get", "download", *PACKAGES.values()], cwd=folder, check=True)
    for package in Path(folder).glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)


def levels(codes, attributes):
    filled = np.ma.filled(np.ma.asarray(codes), -1)
    names = attributes["levels"]
    return np.array([names[int(code) - 1] if code > 0 else "" for code in filled], dtype=object)


def convert(parsed):
    known = dict(rdata.conversion.DEFAULT_CLASS_MAP)
    known["data.frame"] = lambda columns, attributes: columns
    known["factor"] = levels
    return rdata.conversion.convert(parsed, constructor_dict=known)


def largest_vector(parsed):
    """Return the largest vector of a file: the counts, in an environment that has no other way."""
    found, seen, waiting = np.empty(0), set(), [parsed.object]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or one is None:
            continue
        seen.add(id(one))
        if isinstance(one, list | tuple):
            waiting += one
        elif not isinstance(one, np.ndarray | int | float | str | bytes):
            value = getattr(one, "value", None)
            if isinstance(value, np.ndarray) and value.size > found.size:
                found = value
            names = ("value", "attributes", "tag", "referenced_value", "frame", "hash_table")
            waiting += [getattr(one, name, None) for name in names]
    return found


def save(name, values, y, groups=None):
    values = values[:, (values > 0).mean(axis=0) >= 0.25]
    data = pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])
    data.insert(0, "y", y)
    if groups is not None:
        data.insert(1, "g", groups)
    data.to_csv(HERE / "microbiome" / f"{name}.csv", index=False)
    print(name, values.shape)


def main():
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(100_000)
    (HERE / "microbiome").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetch(folder)
        library = Path(folder) / "usr/lib/R/site-library"
        for name, target in (("enterotype", "SeqTech"), ("soilrep", "warmed")):
            file = library / "phyloseq/data" / f"{name}.RData"
            read = convert(rdata.parser.parse_file(file))[name]
            values = np.asarray(read.otu_table, dtype=float).T
            save(name, values, np.asarray(read.sam_data[target]))
        for name, target in (("mouse", "diet"), ("lung", "SmokingStatus")):
            file = library / "metagenomeSeq/data" / f"{name}Data.rda"
            parsed = rdata.parser.parse_file(file)
            about = vars(vars(convert(parsed)[f"{name}Data"])["phenoData"])["data"]
            y = np.asarray(about[target])
            values = np.asarray(largest_vector(parsed), dtype=float).reshape(len(y), -1)
            groups = np.asarray(about["mouseID"]) if name == "mouse" else None
            save(name, values[y != ""], y[y != ""], groups)


if __name__ == "__main__":
    main()
