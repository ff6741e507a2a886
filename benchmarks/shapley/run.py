"""Measure how right and how fast the Shapley kernels are, and what they cost as tables grow.

    python benchmarks/shapley/run.py                  everything
    python benchmarks/shapley/run.py --only accuracy  against brute force and other code
    python benchmarks/shapley/run.py --only speed     time against error, beside shap and shapiq
    python benchmarks/shapley/run.py --only scaling   cost of columns, rows and background rows
    python benchmarks/shapley/run.py --report         README.md and the figure from the csv files

Needs the extra ``benchmarks``. Every model is measured in a process of its own, with one thread.
What is finished is in the csv files and is not measured again (--fresh does).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from tables import write_tables

HERE = Path(__file__).resolve().parent
PARTS = ("accuracy", "speed", "scaling")
# What is not the result: one process makes all rows of a subject and a how.
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA")
TIMED = ("svm, rbf", "svm, polynomial", "linear", "xgboost", "knn", "mlp")


def subjects(part: str) -> list[tuple[str, str]]:
    """Name what the processes of a part measure."""
    from problems import MODELS
    from scaling import KERNELS, axes

    match part:
        case "accuracy":
            return [(model, "both") for model in MODELS]
        case "speed":
            return [(model, how) for model in TIMED for how in ("whole", "few")]
    return [(kernel, axis) for kernel in KERNELS for axis in axes(kernel)]


def measure(part: str, subject: str, how: str) -> list[dict[str, Any]]:
    """Run one process and give its rows, with where and when they were measured."""
    about = describe_machine()
    single = {f"{name}_NUM_THREADS": "1" for name in THREADS}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [sys.executable, str(HERE / "cells.py"), part, subject, how, "--out", str(out)]
        subprocess.run(command, check=True, env=os.environ | single)
        rows = json.loads(out.read_text(encoding="utf-8"))
    return [{"subject": subject, "how": how, **row, **about} for row in rows]


def describe_machine() -> dict[str, Any]:
    """Say where and when a row was measured."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    return {
        "machine": cpu,
        "load_before": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).date().isoformat(),
    }


def read(part: str) -> pd.DataFrame:
    path = HERE / f"{part}.csv"
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["subject", "how"])


def keep(part: str, rows: list[dict[str, Any]]) -> None:
    """Put the rows of one process in place of those it made before, in the order of subjects."""
    before = read(part)
    same = (before["subject"] == rows[0]["subject"]) & (before["how"] == rows[0]["how"])
    after = pd.DataFrame(rows)
    if not before[~same].empty:
        after = pd.concat([before[~same], after], ignore_index=True)
    place = {key: position for position, key in enumerate(subjects(part))}
    order = [place.get(key, len(place)) for key in zip(after["subject"], after["how"], strict=True)]
    after = after.iloc[pd.Series(order).argsort(kind="stable")]
    partial = HERE / f"{part}.csv.partial"
    if "budget" in after:  # a number, or none where nothing is sampled
        after["budget"] = pd.to_numeric(after["budget"]).astype("Int64")
    after.to_csv(partial, index=False, float_format="%.6g")
    partial.replace(HERE / f"{part}.csv")


def write_environment() -> None:
    """Say which versions the numbers are from."""
    packages = ["numpy", "scipy", "scikit-learn", "numba", "xgboost", "torch", "shap", "shapiq"]
    about = {
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: version(name) for name in packages},
    }
    (HERE / "environment.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--subject", help="a model or kernel, instead of all")
    parser.add_argument("--fresh", action="store_true", help="measure what is finished again")
    parser.add_argument("--report", action="store_true", help="only write the tables anew")
    given = parser.parse_args()
    for part in () if given.report else (given.only,) if given.only else PARTS:
        before = read(part)
        finished = set(zip(before["subject"], before["how"], strict=True))
        for subject, how in subjects(part):
            asked = given.subject in (None, subject)
            if asked and (given.fresh or (subject, how) not in finished):
                start = time.perf_counter()
                keep(part, measure(part, subject, how))
                took = time.perf_counter() - start
                print(f"{part}: {subject}, {how}: {took:.0f} s", file=sys.stderr, flush=True)
        write_environment()
    write_tables(HERE)
    print(HERE / "README.md")


if __name__ == "__main__":
    main()
