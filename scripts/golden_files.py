"""What `golden.py` reads out of the files of a folder, and when two values are the same."""

import csv
import fnmatch
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

KINDS = (  # the first that matches; True: a computation wrote it, no resumed run may again
    ("*/splits.parquet", "splits", True),
    ("*/folds/r*.json", "fold", True),
    ("*/folds/r*.parquet", "predictions of a fold", True),
    ("*/record.json", "record", False),
    ("*/DONE", "done", False),
    ("*/signature.json", "panel", True),
    ("*/explanation/null-*/*.npz", "permuted labels", True),
    ("*/explanation/*.npz", "explanation", True),
    ("*/trials.parquet", "trials", True),
    ("*/tuning/*.jsonl", "trial log", True),
    ("*/weights/*.safetensors", "weights", True),
    ("*/comparison.csv", "comparison.csv", False),
    ("*/comparison.json", "comparison.json", False),
    ("*/predictions.csv", "predictions.csv", False),
    ("*.html", "page data", False),
    ("*/figures/*", "figure (its name)", False),
    ("said/*.out", "printed numbers", False),
    ("out/sweeps/*/sweep.json", "sweep", False),
    ("out/sweeps/*/trials.csv", "trials of a sweep", False),
    ("*.damaged", "damaged", False),
    ("commands.json", "commands", False),
)
WORDS = {"reason", "note", "notes", "altered", "schedule", "words"}
HEX = re.compile(r"[0-9a-f]{64}")
PRINTED = re.compile(r"[-−]?\d+\.\d+|\d{1,3}(?:,\d{3})+")
TIME = re.compile(r"[\d.,]+ (?:s|min|h)\b")
ABSENT = "absent"


def kind_of(name: str) -> tuple[str, bool]:
    """Return the kind of a file, "" where it is not compared, and whether it stays as it is."""
    for pattern, kind, stays in KINDS:
        if fnmatch.fnmatch(name, pattern):
            return kind, stays
    return "", False


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested json by their path; of a list its length too."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        yield f"{path}/#", len(value)
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}/{i}")
    else:
        yield path, value


def read_parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    for name in table.column_names:
        yield f"/{name}", table.column(name).to_numpy(zero_copy_only=False)
    for name, content in (table.schema.metadata or {}).items():
        if name != b"ARROW:schema":
            yield from leaves(json.loads(content), f"/metadata/{name.decode()}")


def read_npz(path: Path) -> Iterator[tuple[str, Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if name == "options":
                yield from leaves(json.loads(str(arrays[name])), "/options")
            else:
                yield f"/{name}", arrays[name]


def read_log(path: Path) -> Iterator[tuple[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    yield from leaves({str(line["ordinal"]): line for line in lines})


def read_csv(path: Path) -> Iterator[tuple[str, Any]]:
    def value(text: str) -> float | str:
        try:
            return float(text)
        except ValueError:
            return text

    with path.open(newline="") as lines:
        head, *rows = csv.reader(lines)
    for i, name in enumerate(head):
        yield f"/{name}", np.array([value(row[i]) for row in rows], dtype=object)


def read_weights(path: Path) -> Iterator[tuple[str, Any]]:
    from safetensors.numpy import load_file

    yield from ((f"/{name}", array) for name, array in load_file(path).items())


def read_page(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the data that the figures and tables of a page show."""
    found = re.search(r'id="page-data">(.*?)</script>', path.read_text(), re.DOTALL)
    datasets = json.loads(found[1])["datasets"] if found else {}
    for name, dataset in datasets.items():
        yield from leaves(dataset.get("data"), f"/{name}")


def read_printed(path: Path) -> Iterator[tuple[str, Any]]:
    text = path.read_text()
    if text.startswith("{"):  # what the doctor finds depends on the machine, what it looks at not
        found = json.loads(text)
        for name in [*found["facts"], *(finding["topic"] for finding in found["findings"])]:
            yield f"/{name}", True
    else:
        text = re.sub(r"--+|  +", " ", TIME.sub("", text))  # a column is as wide as its times
        yield "/numbers", np.array(PRINTED.findall(text), dtype=np.str_)
        yield "/words", text


def read_leaves(path: Path, kind: str) -> dict[str, Any]:
    """Return the numbers and words in a file by their key."""
    if kind in ("figure (its name)", "damaged"):
        return {}
    readers = {
        ".parquet": read_parquet,
        ".npz": read_npz,
        ".jsonl": read_log,
        ".csv": read_csv,
        ".safetensors": read_weights,
        ".html": read_page,
        ".out": read_printed,
    }
    if reader := readers.get(path.suffix):
        return dict(reader(path))
    return dict(leaves(json.loads(path.read_text())))


def is_ignored(key: str) -> bool:
    """Whether a key holds seconds, versions, commands or a checksum that covers them."""
    parts = key.split("/")[1:]
    if parts[0] == "environment" and len(parts) > 1:
        return parts[1] != "sweep" or parts[-1] in ("command", "instead")
    return parts[-1] == "sha256" or any(re.fullmatch(r"(\w+_)?seconds", part) for part in parts)


def is_checksum(key: str, *values: Any) -> bool:
    """Whether both are checksums of content that is compared itself: not of data or splits."""
    named = key.startswith("/identity/") or key.rpartition("/")[2] in ("splits_key", "key")
    return not named and all(isinstance(value, str) and HEX.fullmatch(value) for value in values)


def same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        if old.dtype != new.dtype and not {old.dtype.kind, new.dtype.kind} <= set("UO"):
            return False
        if old.shape != new.shape:
            return False
        return all(map(same, old.ravel().tolist(), new.ravel().tolist()))
    return bool(old == new or (old != old and new != new))


def show(old: Any, new: Any) -> str:
    """Show two unequal values: of two arrays the first difference and how many there are."""
    arrays = isinstance(old, np.ndarray) and isinstance(new, np.ndarray)
    if arrays and old.shape == new.shape and old.dtype == new.dtype:
        pairs = list(zip(old.ravel().tolist(), new.ravel().tolist(), strict=True))
        unequal = [i for i, pair in enumerate(pairs) if not same(*pair)]
        i = unequal[0]
        return f"[{i}] {pairs[i][0]!r} -> {pairs[i][1]!r} ({len(unequal)} of {len(pairs)})"
    if arrays:
        return f"{old.dtype}{list(old.shape)} -> {new.dtype}{list(new.shape)}"
    texts = repr(old), repr(new)
    at = next((i for i, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
    start = max(0, at - 80) if max(map(len, texts)) > 200 else 0
    return " -> ".join(f"{'…' if start else ''}{text[start : start + 200]}" for text in texts)


def is_words(key: str, old: Any, new: Any) -> bool:
    """Whether two unequal values are sentences."""
    if WORDS & set(key.split("/")):
        return True
    texts = isinstance(old, str) and isinstance(new, str)
    return texts and (" " in old or " " in new)


def list_files(folder: Path) -> dict[str, Path]:
    """Return the files to compare by their name below the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path for name, path in sorted(found.items()) if kind_of(name)[0]}


def list_others(folder: Path) -> Counter[str]:
    """Count the other files below ``out/`` by their name."""
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in files)
    return Counter(f"file {Path(name).name}" for name in names if not kind_of(name)[0])
