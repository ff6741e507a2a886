"""However a table is written, it is read as the same values, or refused in one sentence."""

import csv
import gzip
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, DataError

N, P = 12, 4
PENDING_TRAITS: set[str] = set()
"""Traits, by the name of their field, that cannot be read yet."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """How a table is written."""

    container: str = "text"
    separator: str = ","
    decimal: str = "."
    places: int = 2
    encoding: str = "utf-8"
    end: str = "\n"
    quoting: int = csv.QUOTE_MINIMAL
    id_name: str = "sample"
    missing: str | None = None
    labels: tuple[str, str] = ("case", "control")
    names: str = "symbols"
    turned: bool = False
    blank_lines: bool = False
    blank_columns: bool = False
    text_above: bool = False
    units: bool = False
    annotations: bool = False
    below: str | None = None
    long: bool = False
    repeated: bool = False


def _choices(name, *values):
    return st.just(getattr(Traits(), name)) if name in PENDING_TRAITS else st.sampled_from(values)


TRAITS = st.builds(
    Traits,
    container=_choices("container", "text", "text", "text", "gzip", "xlsx", "parquet"),
    separator=_choices("separator", ",", ";", "\t", "|"),
    decimal=_choices("decimal", ".", ".", ","),
    places=_choices("places", 2, 2, 3),
    encoding=_choices("encoding", "utf-8", "utf-8-sig", "utf-16", "cp1252"),
    end=_choices("end", "\n", "\r\n", "\r"),
    quoting=_choices("quoting", csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC),
    id_name=_choices("id_name", "sample", "SampleID", "", "Barcode", "Proben-Nr"),
    missing=_choices("missing", None, None, "", "NA", "n/a", "-", "#N/A"),
    labels=_choices("labels", ("case", "control"), ("b", "a"), ("1", "0"), ("größer", "klein")),
    names=_choices("names", "symbols", "numbers", "odd"),
    turned=_choices("turned", False, False, True),
    blank_lines=_choices("blank_lines", False, False, True),
    blank_columns=_choices("blank_columns", False, False, True),
    text_above=_choices("text_above", False, False, True),
    units=_choices("units", False, False, True),
    annotations=_choices("annotations", False, True),
    below=_choices("below", None, None, "<LOD", "< 0.05", "n.d."),
    long=_choices("long", False, False, False, True),
    repeated=_choices("repeated", False, False, False, True),
)

NAMES = {
    "symbols": ["TP53", "EGFR", "BRCA1", "MYC"],
    "numbers": ["101.25", "204.5", "300.75", "412.125"],
    "odd": ["C-reactive protein (mg/L)", "größe", "a, b", "x;y"],
}


class Written:
    """A table written with some traits, and what it holds."""

    def __init__(self, traits: Traits) -> None:
        self.traits = traits
        t = traits
        rng = np.random.default_rng(0)
        self.X = rng.normal(10, 2, (N, P)).round(t.places)
        self.ids = [f"S{i:02d}" for i in range(1, N + 1)]
        self.y = [t.labels[i % 2] for i in range(N)]
        self.names = NAMES[t.names]
        if t.encoding == "cp1252":
            self.names = [name if t.names == "odd" else name + "é" for name in self.names]
        self.options: dict[str, object] = {"target": "class"}
        cells = [[self._number(x) for x in row] for row in self.X]
        for mark, places in ((t.missing, [(1, 0), (5, 2)]), (t.below, [(2, 1), (7, 3)])):
            for i, j in places if mark is not None else ():
                cells[i][j], self.X[i, j] = mark, np.nan
        if t.below is not None:
            self.options["below_detection"] = "missing"
        rows = [[i, *row, label] for i, row, label in zip(self.ids, cells, self.y, strict=True)]
        header = [t.id_name, *self.names, "class"]
        if t.long:
            self.rows = self._long(rows)
        elif t.turned:
            self.rows = self._turned([header, *rows])
        else:
            units = [["", *["mg/L"] * P, ""]] if t.units else []
            again = [list(rows[0])] if t.repeated else []
            if t.repeated:
                self.options["replicates"] = "first"
            self.rows = [header, *units, *rows, *again]

    def _number(self, x):
        return f"{x:.{self.traits.places}f}".replace(".", self.traits.decimal)

    def _long(self, rows):
        body = [
            [row[0], name, cell, row[-1]]
            for row in rows
            for name, cell in zip(self.names, row[1:-1], strict=True)
        ]
        first = self.traits.id_name or "sample"
        self.options["long"] = {"id": first, "name": "analyte", "value": "level"}
        return [[first, "analyte", "level", "class"], *body]

    def _turned(self, rows):
        columns = [list(column) for column in zip(*rows, strict=True)]
        turned = [columns[0], columns[-1], *columns[1:-1]]
        turned[0][0] = "feature"
        self.options["transpose"] = True
        if self.traits.annotations:
            notes = ["description", "", *[f"text {j}" for j in range(P)]]
            turned = [[row[0], note, *row[1:]] for row, note in zip(turned, notes, strict=True)]
        return turned

    def save(self, folder: Path) -> Path:
        t = self.traits
        rows = [list(row) for row in self.rows]
        if t.container == "parquet":
            return self._parquet(folder / "my.parquet", rows)
        if t.blank_columns:
            rows = [[*row, ""] for row in rows]
        if t.text_above:
            rows = [["Table S1. Levels of proteins"], [], *rows]
        if t.blank_lines:
            rows = [*rows[:-3], [], *rows[-3:], [], []]
        if t.container == "xlsx":
            return self._workbook(folder / "my.xlsx", rows)
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=t.separator, lineterminator=t.end, quoting=t.quoting)
        writer.writerows(rows)
        content = stream.getvalue().encode(t.encoding)
        path = folder / ("my.csv.gz" if t.container == "gzip" else "my.csv")
        path.write_bytes(gzip.compress(content) if t.container == "gzip" else content)
        return path

    def _typed(self, cell):
        try:
            return float(str(cell).replace(",", "."))
        except ValueError:
            return cell or None

    def _workbook(self, path, rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([self._typed(cell) for cell in row])
        book.save(path)
        return path

    def _parquet(self, path, rows):
        header, *body = rows
        columns = [[self._typed(cell) for cell in column] for column in zip(*body, strict=True)]
        columns = [
            column if all(isinstance(c, float | None) for c in column) else [*map(str, cells)]
            for column, cells in zip(columns, zip(*body, strict=True), strict=True)
        ]
        pq.write_table(pa.table([pa.array(column) for column in columns], names=header), path)
        return path


def outcome(traits):
    """Read a table with some traits; True if the values are those written, False if refused."""
    written = Written(traits)
    with tempfile.TemporaryDirectory() as folder:
        path = written.save(Path(folder))
        try:
            dataset = load_dataset("table", path=str(path), **written.options)
        except (ConfigError, DataError) as error:
            refused = str(error)
        else:
            refused = ""
    if refused:
        assert "\n" not in refused
        return False
    order = [str(name) for name in dataset.feature_names]
    assert sorted(order) == sorted(written.names)
    X = dataset.X[written.names].to_numpy(dtype=float)
    np.testing.assert_allclose(X, written.X, rtol=1e-12)
    assert dataset.y.tolist() == written.y
    assert dataset.sample_ids.tolist() == written.ids
    return True


def test_the_same_values_are_read_however_they_are_written_or_none():
    read: list[bool] = []

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @example(Traits())
    @example(Traits(turned=True))
    @example(Traits(long=True, separator=";", decimal=","))
    @example(Traits(long=True, separator=";", decimal=",", places=3, names="numbers"))
    @given(TRAITS)
    def compose(traits):
        read.append(outcome(traits))

    compose()
    # Reading nothing would never be wrong.
    assert np.mean(read) > 0.7, np.mean(read)


def test_each_trait_alone_is_read():
    plain = Traits()
    alone = [
        {"container": "gzip"}, {"container": "xlsx"}, {"container": "parquet"},
        {"separator": ";"}, {"separator": "\t"}, {"separator": "|"},
        {"separator": ";", "decimal": ","}, {"encoding": "utf-8-sig"}, {"encoding": "utf-16"},
        {"encoding": "cp1252"}, {"end": "\r\n"}, {"end": "\r"}, {"quoting": csv.QUOTE_ALL},
        {"id_name": ""}, {"id_name": "Proben-Nr"}, {"missing": ""}, {"missing": "n/a"},
        {"missing": "-"}, {"labels": ("1", "0")}, {"names": "odd"}, {"names": "numbers"},
        {"turned": True}, {"blank_lines": True}, {"blank_columns": True}, {"text_above": True},
        {"units": True}, {"turned": True, "annotations": True}, {"below": "<LOD"},
        {"long": True}, {"repeated": True},
    ]  # fmt: skip
    refused = [
        changed
        for changed in alone
        if not PENDING_TRAITS & changed.keys() and not outcome(Traits(**{**vars(plain), **changed}))
    ]
    assert refused == []
