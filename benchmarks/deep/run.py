"""Networks of this project against pytabkit's and scikit-learn's, on the same folds.

    python benchmarks/deep/run.py                    all that README.md shows, what is missing
    python benchmarks/deep/run.py --only mlp         one model; mlp,tissue: on one table
    python benchmarks/deep/run.py --change default   without the changes of changes.py
    python benchmarks/deep/run.py --jobs 1           scores on one core; its seconds are marked
    python benchmarks/deep/run.py --fresh --jobs 2   measure again what has its rows already
    python benchmarks/deep/run.py --report           README.md anew from the csv files

RealMLP needs ``pip install -e '.[benchmark-deep]'``. A row is out of date, and measured again, when
a default, the table or the folds have changed. A killed run goes on where it was.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import pandas as pd
from cells import digest, load_now, measure
from filelock import FileLock
from peers import NEEDS_PYTABKIT
from setting import Cell, load_task, make_learner, make_outer, planned
from tables import write_tables

HERE = Path(__file__).resolve().parent
KEY = ["dataset", "model", "change", "repeat"]
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "xgboost", "pandas", "pytabkit",
            "pytorch-lightning")  # fmt: skip


def run_cells(cells: list[Cell], *, n_jobs: int, fresh: bool) -> None:
    """Measure what has no row yet and keep each cell's rows at once."""
    pending = []
    for cell in cells:
        key = identify(cell)
        if key and (fresh or not is_finished(cell, key, n_jobs=n_jobs)):
            pending.append((cell, key))
    for number, (cell, key) in enumerate(pending, 1):
        about = {"machine": describe_machine(), "load_before": load_now()}
        found = measure(cell, n_jobs=n_jobs)
        same = {**cell.__dict__, "digest": key}
        # The folds first: a cell counts as finished by its row of results.csv.
        keep("scores.csv", [{**same, **fold, "n_jobs": n_jobs} for fold in found.folds], same=KEY)
        row = {
            **same,
            "n_jobs": n_jobs,
            "wall_seconds": round(found.wall_seconds, 3),
            "cpu_seconds": round(sum(fold["cpu_seconds"] for fold in found.folds), 3),
            "mean_score": round(sum(fold["score"] for fold in found.folds) / len(found.folds), 6),
            **about,
            "load_after": load_now(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        keep("results.csv", [row], same=KEY)
        print(
            f"{number}/{len(pending)} {cell.dataset} {cell.model} {cell.change} "
            f"{row['mean_score']:.4f} in {row['wall_seconds']:.1f} s (load {row['load_before']})",
            flush=True,
        )


def identify(cell: Cell) -> str:
    """Digest of a cell; empty where its model says nothing new on such a table."""
    task = load_task(cell.dataset)
    learner = make_learner(cell.model, cell.change, task.kind)
    return "" if learner is None else digest(task, learner, make_outer(task, cell.repeat))


def is_finished(cell: Cell, key: str, *, n_jobs: int) -> bool:
    """Say whether a cell has a row of this very setting, measured on at least so many cores."""
    rows = read("results.csv")
    if rows.empty:
        return False
    for name, value in {**cell.__dict__, "digest": key}.items():
        rows = rows[rows[name] == value]
    return bool((rows["n_jobs"] >= n_jobs).any())


def describe_machine() -> str:
    """Cores and processor."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.is_file() else [])
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}"


def read(name: str) -> pd.DataFrame:
    path = HERE / name
    return pd.read_csv(path) if path.is_file() else pd.DataFrame()


def keep(name: str, rows: list[dict[str, Any]], *, same: list[str]) -> None:
    """Add rows to a csv file in place of those that agree with the first of them in ``same``."""
    with FileLock(Path(tempfile.gettempdir()) / f"smalldata-deep-{os.getuid()}.lock"):
        before = read(name)
        if not before.empty:
            before = before[~(before[same] == [rows[0][key] for key in same]).all(axis=1)]
        after = pd.concat([before, pd.DataFrame(rows)], ignore_index=True)
        partial = HERE / f"{name}.partial"
        after.to_csv(partial, index=False)
        partial.replace(HERE / name)


def write_environment() -> None:
    """Say which versions the numbers are from; a package that is not here now keeps its own."""
    path = HERE / "environment.json"
    before = json.loads(path.read_text(encoding="utf-8"))["versions"] if path.is_file() else {}
    about = {
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": before
        | {name: version(name) for name in PACKAGES if find_spec(_module(name)) is not None},
    }
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _module(package: str) -> str:
    return {"scikit-learn": "sklearn"}.get(package, package.replace("-", "_"))


def _chosen(only: list[str] | None, *, changes: list[str] | None, repeats: int) -> list[Cell]:
    """List what the page shows, of the models, tables and changes asked for."""
    everything = planned()
    asked = [[*item.split(","), ""][:2] for item in only or [""]]
    for position, (field, known) in enumerate(
        (name, list(dict.fromkeys(getattr(cell, name) for cell in everything)))
        for name in ("model", "dataset")
    ):
        for pair in asked:
            if pair[position] and pair[position] not in known:
                raise SystemExit(f"choose a {field} of {', '.join(known)}; got {pair[position]}.")
    chosen = [
        cell
        for cell in everything
        if any(m in ("", cell.model) and d in ("", cell.dataset) for m, d in asked)
        and cell.change in (changes or [cell.change])
    ]
    return [replace(cell, repeat=repeat) for repeat in range(repeats) for cell in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="MODEL,TABLE", help="may be repeated")
    parser.add_argument("--change", action="append", help="of changes.py; may be repeated")
    parser.add_argument("--repeats", type=int, default=1, choices=range(1, 6))
    parser.add_argument("--jobs", type=int, default=2, help="processes over the five folds")
    parser.add_argument("--fresh", action="store_true", help="measure again what has its rows")
    parser.add_argument("--report", action="store_true", help="write the tables alone")
    given = parser.parse_args()
    if not given.report:
        cells = _chosen(given.only, changes=given.change, repeats=given.repeats)
        if find_spec("pytabkit") is None and any(c.model in NEEDS_PYTABKIT for c in cells):
            raise SystemExit(
                "RealMLP needs pytabkit: pip install -e '.[benchmark-deep]', or name other models "
                "with --only."
            )
        run_cells(cells, n_jobs=given.jobs, fresh=given.fresh)
        write_environment()
    write_tables(HERE)


if __name__ == "__main__":
    main()
