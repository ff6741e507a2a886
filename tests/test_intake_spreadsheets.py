"""Tables as spreadsheets have them: rows of summaries, merged and hidden cells, footnotes, legends.

The workbooks are written by openpyxl.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook

from smalldata.datasets.options import TableOptions
from smalldata.datasets.table import load
from smalldata.errors import ConfigError, DataError
from smalldata.task import Dataset

N_SAMPLES = 20
NAMES = ["TP53", "EGFR", "MYC", "KRAS", "IL6"]


def samples(n: int = N_SAMPLES) -> list[list[Any]]:
    """Return a header and samples of two classes."""
    values = np.random.default_rng(0).normal(10, 2, size=(n, len(NAMES))).round(3)
    rows = [
        [f"S{i}", "Case" if i % 2 else "Control", *row.tolist()] for i, row in enumerate(values)
    ]
    return [["Sample", "Group", *NAMES], *rows]


def write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]], *merged: str) -> Path:
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    book.save(path)
    return path


def read(path: Path, **options: Any) -> Dataset:
    return load(TableOptions(path=path, **{"target": "Group", **options}))


def found(dataset: Dataset, code: str) -> list[str]:
    return [str(entry) for entry in dataset.findings if entry.code == code]


SUMMARIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("Mean", lambda v: v.mean(axis=0)),
    ("Mittelwert", lambda v: v.mean(axis=0)),
    ("Mean (n=20)", lambda v: v.mean(axis=0)),
    ("SD", lambda v: v.std(axis=0, ddof=1)),
    ("SEM", lambda v: v.std(axis=0, ddof=1) / np.sqrt(len(v))),
    ("CV %", lambda v: 100 * v.std(axis=0, ddof=1) / v.mean(axis=0)),
    ("Median", lambda v: np.median(v, axis=0)),
    ("Gesamt", lambda v: v.sum(axis=0)),
    ("Max", lambda v: v.max(axis=0)),
    ("Min", lambda v: v.min(axis=0)),
    ("n", lambda v: np.full(v.shape[1], float(len(v)))),
    ("Mean Case", lambda v: v[1::2].mean(axis=0)),
    ("Control SD", lambda v: v[::2].std(axis=0, ddof=1)),
]


@pytest.mark.parametrize(("name", "summary"), SUMMARIES, ids=[name for name, _ in SUMMARIES])
@pytest.mark.parametrize("group", ["", "Case"])
def test_a_row_that_is_what_its_name_says_is_left_out(tmp_path, name, summary, group):
    rows = samples()
    values = np.array([row[2:] for row in rows[1:]], dtype=float)
    rows.append([name, group, *summary(values).round(2).tolist()])
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES
    assert name not in dataset.sample_ids
    assert name in found(dataset, "SD009")[0]
    assert "left out" in found(dataset, "SD009")[0]


def test_means_below_each_group_are_left_out(tmp_path):
    rows = samples()
    parts = [[row for row in rows[1:] if row[1] == name] for name in ("Case", "Control")]
    written = [rows[0]]
    for part in parts:
        mean = np.array([row[2:] for row in part], dtype=float).mean(axis=0).round(3).tolist()
        written += [*part, ["Mean", part[0][1], *mean]]
    dataset = read(write_csv(tmp_path / "a.csv", written))
    assert len(dataset.X) == N_SAMPLES


@pytest.mark.parametrize("name", ["Mean", "Total", "Moyenne", "Standard deviation", "p-value"])
def test_a_row_that_only_its_name_tells_stays_with_a_warning(tmp_path, name):
    rows = [*samples(), [name, "Case", 1.234, 2.345, 3.456, 4.567, 5.678]]
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES + 1
    assert name in found(dataset, "SD009")[0]
    assert "read as a sample" in found(dataset, "SD009")[0]


@pytest.mark.parametrize("name", ["Sum1", "Mean-arterial", "MIN", "Max", "n", "Total protein"])
def test_a_sample_with_such_a_name_is_a_sample(tmp_path, name):
    rows = samples()
    rows[7][0] = name
    dataset = read(write_csv(tmp_path / "a.csv", rows))
    assert len(dataset.X) == N_SAMPLES
    assert not found(dataset, "SD009")


def test_initials_are_not_a_standard_deviation(tmp_path):
    rows = samples()
    for row, name in zip(rows[1:], "AB CD EF GH IJ KL MN OP QR SD UV WX YZ BA DC".split()):
        row[0] = name
    dataset = read(write_csv(tmp_path / "a.csv", rows[:16]))
    assert not found(dataset, "SD009")


def test_a_class_called_total_is_a_class(tmp_path):
    rows = [[i, "Total" if i % 2 else "Partial", *row[2:]] for i, row in enumerate(samples()[1:])]
    dataset = read(write_csv(tmp_path / "a.csv", [["Sample", "Group", *NAMES], *rows]))
    assert len(dataset.X) == N_SAMPLES
    assert not found(dataset, "SD009")


def test_mean_and_sd_of_features_in_rows_are_left_out(tmp_path):
    rows = samples()
    values = np.array([row[2:] for row in rows[1:]], dtype=float)
    rows.append(["Mean", "", *values.mean(axis=0).round(2).tolist()])
    turned = [list(column) for column in zip(*rows)]
    dataset = read(write_csv(tmp_path / "a.csv", turned), transpose=True)
    assert len(dataset.X) == N_SAMPLES
