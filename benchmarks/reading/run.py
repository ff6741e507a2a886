"""How long, and in how much memory, is a large table read? Writes ``results.csv`` and the table.

    nice python benchmarks/reading/run.py           measure and write the table
    nice python benchmarks/reading/run.py --stamp   as well, and note the commit

Each reading is a process of its own. Time: ``pandas`` reads the csv file of
features in rows with ``engine="pyarrow"`` and transposes it, before each reading of ours. Memory:
the largest resident set above that after the imports, as multiples of the table's numbers.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent
N_RUNS = 1
TABLES = {
    # n_samples, n_features
    "rows.csv": (300, 100_000),
    "columns.csv": (300, 100_000),
    "rows.parquet": (200, 450_000),
    "columns.parquet": (200, 450_000),
}
WORDS = {"rows": "features in rows", "columns": "samples in rows"}


def write_table(file: Path) -> None:
    n, p = TABLES[file.name]
    values = np.random.default_rng(0).normal(10, 2, (p, n)).round(4)
    samples, features = [f"s{i}" for i in range(n)], [f"g{j}" for j in range(p)]
    sheet = "".join(f"{s},{'case' if i % 2 else 'control'}\n" for i, s in enumerate(samples))
    (file.parent / f"sheet.{n}.csv").write_text("sample,class\n" + sheet, encoding="utf-8")
    names, ids = (features, samples) if file.stem == "rows" else (samples, features)
    values = values if file.stem == "rows" else values.T
    if file.suffix == ".parquet":
        columns = [pa.array(names), *(pa.array(column) for column in values.T)]
        pq.write_table(pa.table(columns, names=["name", *ids]), file)
        return
    with file.open("w", encoding="utf-8") as stream:
        stream.write(",".join(["name", *ids]) + "\n")
        for name, row in zip(names, values, strict=True):
            stream.write(",".join([name, *map(str, row)]) + "\n")


def read_with_pandas(file: Path) -> tuple[float, float]:
    """Seconds, and the peak in MiB."""
    base = _peak()
    start = time.perf_counter()
    table = pd.read_csv(file, engine="pyarrow").set_index("name").T
    assert table.shape == TABLES[file.name]
    return time.perf_counter() - start, _peak() - base


def read_with_smalldata(file: Path) -> tuple[float, float]:
    """Seconds, and the peak in MiB."""
    from smalldata.datasets import load_dataset

    n = TABLES[file.name][0]
    path = {"x": str(file), "sheet": str(file.parent / f"sheet.{n}.csv")}
    base = _peak()
    start = time.perf_counter()
    turned = ["x"] if file.stem == "rows" else []
    table = load_dataset("table", path=path, target="class", transpose=turned)
    assert table.X.shape == TABLES[file.name]
    return time.perf_counter() - start, _peak() - base


def _peak() -> float:
    # Not ru_maxrss, which a process has from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def in_a_process(how: str, file: Path) -> tuple[float, float]:
    printed = subprocess.run(
        [sys.executable, __file__, how, file], check=True, capture_output=True, text=True
    ).stdout
    seconds, peak = map(float, printed.split())
    return seconds, peak


def measure() -> pd.DataFrame:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        yardstick = Path(folder) / "rows.csv"
        for name, (n, p) in TABLES.items():
            file = Path(folder) / name
            write_table(file)
            runs = []
            for _ in range(N_RUNS):
                pandas = in_a_process("pandas", yardstick)[0] if file.suffix == ".csv" else np.nan
                runs.append((pandas, *in_a_process("smalldata", file)))
            pandas, seconds, peak = np.array(runs).min(axis=0)
            rows.append(
                {
                    "file": f"{file.suffix[1:]}, {WORDS[file.stem]}",
                    "table": f"{n} x {p:,}",
                    "pandas (s)": round(pandas, 1),
                    "smalldata (s)": round(seconds, 1),
                    "ratio": round(seconds / pandas, 2),
                    "memory": round(peak * 2**20 / (8 * n * p), 2),
                }
            )
            print(rows[-1], flush=True)
            if name != "rows.csv":
                file.unlink()
    return pd.DataFrame(rows)


def main() -> None:
    if sys.argv[1:2] in (["pandas"], ["smalldata"]):
        read = read_with_pandas if sys.argv[1] == "pandas" else read_with_smalldata
        print(*read(Path(sys.argv[2])))
        return
    results = measure()
    results.to_csv(FOLDER / "results.csv", index=False)
    shown = [["" if cell != cell else str(cell) for cell in row] for row in results.to_numpy()]
    lines = [list(results.columns), ["---"] * results.shape[1], *shown]
    table = "\n".join(f"| {' | '.join(row)} |" for row in lines)
    page = FOLDER / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- table -->\n")
    after = rest.partition("<!-- /table -->")[2]
    page.write_text(f"{before}<!-- table -->\n{table}\n<!-- /table -->{after}", encoding="utf-8")
    if "--stamp" in sys.argv:
        command = [sys.executable, FOLDER.parent / "freshness.py", "--stamp", FOLDER.name]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
