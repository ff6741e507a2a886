"""Large plain tables, parsed straight into a matrix, are read as they are cell by cell."""

import numpy as np
import pandas as pd
import pytest

from smalldata.datasets import intake, load_dataset, parquet, plain
from smalldata.errors import ConfigError, DataError

N = 30
SHEET = {f"s{i}": ["case", "control"][i % 2] for i in range(N)}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read a text both ways; gives what came of each, and whether the fast way was taken."""

    def both(text, *, n_columns_tall=plain.N_COLUMNS_TALL, **options):
        path = tmp_path / "my.csv"
        path.write_bytes(text.encode())
        if "transpose" in options:
            sheet = tmp_path / "sheet.csv"
            sheet.write_text("sample,class\n" + "".join(f"{i},{c}\n" for i, c in SHEET.items()))
            options["path"] = {"x": str(path), "sheet": str(sheet)}
        taken = []

        def spied(*arguments, **named):
            taken.append(read_plain(*arguments, **named))
            return taken[-1]

        read_plain = plain.read_plain
        monkeypatch.setattr(intake, "read_plain", spied)
        monkeypatch.setattr(plain, "N_COLUMNS_TALL", n_columns_tall)
        monkeypatch.setattr(plain, "N_CHARACTERS_AT_ONCE", 200)  # several lines, not all
        outcomes = []
        for n_characters in (0, 10**9):
            monkeypatch.setattr(plain, "N_CHARACTERS_LARGE", n_characters)
            try:
                given = {"path": str(path), "target": "class", **options}
                outcomes.append(load_dataset("table", **given))
            except (ConfigError, DataError) as error:
                outcomes.append(f"{type(error).__name__}: {error}")
        monkeypatch.undo()
        assert taken[-1] is None
        return *outcomes, taken[0] is not None

    return both


def assert_same(fast, slow):
    if isinstance(slow, str) or isinstance(fast, str):
        assert fast == slow
        return
    pd.testing.assert_frame_equal(fast.X, slow.X, check_exact=True)
    for part in ("y", "sample_ids", "groups"):
        np.testing.assert_array_equal(getattr(fast, part), getattr(slow, part))
    for part in ("name", "kind", "positive", "feature_blocks", "messages", "findings", "reading"):
        assert getattr(fast, part) == getattr(slow, part)


def table(cells=None, *, separator=",", end="\n", turned=False, quote="", n=N, ids=None):
    """A table of a text column of ids, five columns of numbers, and the class."""
    values = np.random.default_rng(0).normal(10, 2, (n, 5)).round(3)
    rows = [["sample", *(f"g{j}" for j in range(5)), "class"]]
    rows += [
        [ids[i] if ids else f"s{i}", *map(str, values[i]), ["case", "control"][i % 2]]
        for i in range(n)
    ]
    for (row, column), cell in (cells or {}).items():
        rows[row][column] = cell
    if turned:
        rows = [list(column) for column in zip(*rows, strict=True)]
        rows = [rows[0], *rows[1:-1]]
        rows += [[f"h{k}", *map(str, range(k, k + n))] for k in range(60)]
    quoted = [
        [f"{quote}{cell}{quote}" if i == 0 or not cell[:1].isdigit() else cell for cell in row]
        for i, row in enumerate(rows)
    ]
    return end.join(separator.join(row) for row in quoted) + end


ENGINES = pytest.mark.parametrize("n_columns_tall", [0, 5000], ids=["by line", "together"])


@ENGINES
@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({}, {}),
        ({"separator": "\t"}, {}),
        ({"separator": ";", "end": "\r\n"}, {}),
        ({"quote": '"'}, {}),
        ({"quote": '"', "end": "\r\n", "separator": "|"}, {}),
        ({"turned": True}, {"transpose": ["x"]}),
        ({"turned": True, "quote": '"'}, {"transpose": ["x"]}),
        ({"cells": {(9, 2): "NA", (12, 3): "", (28, 5): "NaN", (30, 1): ""}}, {}),
        ({"cells": {(9, 2): "1e-3", (12, 3): "-.5", (28, 5): "7.", (29, 5): "-2E+2"}}, {}),
        ({"cells": {(9, 2): "-99"}}, {"missing": ["-99"]}),
        ({"ids": [f"{i:03d}" for i in range(N)]}, {}),
        ({"cells": {(i, 3): f"0{i % 3}" for i in range(1, N + 1)}}, {"groups": "g2"}),
        ({"cells": {(i, 3): f"0{i % 3}" for i in range(1, N + 1)}}, {"categorical": ["g2"]}),
        ({"cells": {(i, 3): ["low", "high"][i % 2] for i in range(1, N + 1)}}, {}),
        ({"cells": {(0, 3): "barcode"} | {(i, 3): str(10**18 + i) for i in range(1, N + 1)}}, {}),
    ],
)
def test_plain_tables_are_read_fast_and_the_same(read, written, options, n_columns_tall):
    fast, slow, was_fast = read(table(**written), n_columns_tall=n_columns_tall, **options)
    assert was_fast
    assert not isinstance(slow, str), slow
    assert_same(fast, slow)


ODD = [
    *("+5", "1,5", "1.234,5", "12 %", "<0.5", "n/d", "inf", "-inf", "Infinity", "nan(5)", "-nan"),
    *("NAN", "none", "?", "-", ".", "1_000", "0x10", "1e400", "1e-400", " 7 ", "\u00a07", "٣"),
    *("\u22125", "1'234", "12*", '"5"', '""', '"5', '5"', '"a ""b"""', '"a\nb"', "'5'", "True"),
    *("#N/A", "1d5", "1e5e5", "--5", "5-", "1.2.3", "005", "9" * 30, "0.1234567890123456789"),
    *("NULL", "null", "na", "N/A", "n/a", "Null", "1,", ",", "nd", "<LOD", "0", "44256"),
]


@ENGINES
@pytest.mark.parametrize("place", [(2, 3), (29, 3), (29, 6), (29, 0)], ids=str)
@pytest.mark.parametrize("cell", ODD)
def test_odd_cells_are_read_as_ever(read, cell, place, n_columns_tall):
    for separator in (",", ";"):
        text = table({place: cell}, separator=separator)
        assert_same(*read(text, n_columns_tall=n_columns_tall)[:2])


@ENGINES
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n\n",
        lambda text: text.rstrip(),
        lambda text: text.replace("s20", "\ns20"),
        lambda text: text.replace("s20", ",,,,,,\ns20"),
        lambda text: text.replace("s20", "s20,1"),
        lambda text: text.replace("\ns20,", "\n"),
        lambda text: text.replace("case\n", "case,\n").replace("control\n", "control,\n"),
        lambda text: text.replace("sample,", ""),
        lambda text: text.replace("sample,", ","),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n", 20),
        lambda text: "# made on Monday\n" + text,
        lambda text: "sep=,\n" + text,
        lambda text: "Table S1\n\n" + text,
        lambda text: "\n" + text,
        lambda text: text.replace("g3", "g2"),
        lambda text: text.replace("g3", ""),
        lambda text: text.replace("s20", "s19"),
        lambda text: text.replace("s20", " s20 "),
        lambda text: text.replace("s20", "caf\u00e9"),
        lambda text: text.replace("s20", ""),
        lambda text: text.replace("case", "0").replace("control", "1"),
        lambda text: text.replace("sample", '"sam\nple"'),
    ],
)
def test_odd_tables_are_read_as_ever(read, change, n_columns_tall):
    text = change(table())
    assert_same(*read(text, n_columns_tall=n_columns_tall)[:2])
    turned = table(turned=True).replace("s20", "x20")
    assert_same(*read(change(turned), n_columns_tall=n_columns_tall, transpose=["x"])[:2])


@ENGINES
def test_random_tables_are_read_the_same_both_ways(read, n_columns_tall):
    rng = np.random.default_rng(1)
    n_fast = 0
    pool = ["", "NA", "nan", "1e5", "-3", "0.25", "-1.5e-7", *(["+5", "x", "1,5", "?"])]
    for trial in range(60):
        k = int(rng.integers(0, 6))
        last = len(pool) if trial % 3 == 0 else 7
        cells = {
            (int(rng.integers(1, N + 1)), int(rng.integers(1, 6))): pool[rng.integers(last)]
            for _ in range(k)
        }
        turned = bool(rng.integers(2))
        text = table(
            cells,
            separator=";\t|,"[rng.integers(4)],
            end=["\n", "\r\n"][rng.integers(2)],
            quote=["", '"'][rng.integers(2)],
            turned=turned,
        )
        options = {"transpose": ["x"]} if turned else {}
        fast, slow, was_fast = read(text, n_columns_tall=n_columns_tall, **options)
        assert_same(fast, slow)
        n_fast += was_fast
    assert n_fast > 30


@ENGINES
@pytest.mark.parametrize("turned", [False, True], ids=["samples in rows", "features in rows"])
def test_numbers_are_rounded_as_python_rounds_them(read, turned, n_columns_tall):
    rng = np.random.default_rng(2)
    written = [
        f"{rng.choice(['', '-'])}{digits[:point] or '0'}.{digits[point:]}{exponent}"
        for digits, point, exponent in (
            (
                "".join(map(str, rng.integers(0, 10, int(rng.integers(1, 25))))),
                int(rng.integers(0, 3)),
                rng.choice(["", "", f"e{rng.integers(-300, 20)}", f"E+{rng.integers(0, 20)}"]),
            )
            for _ in range(N * 5)
        )
    ]
    written[:4] = ["2.2250738585072011e-308", "9007199254740993", "5e-324", "0.30000000000000004"]
    cells = {(1 + place // 5, 1 + place % 5): cell for place, cell in enumerate(written)}
    options = {"transpose": ["x"]} if turned else {}
    fast, slow, was_fast = read(
        table(cells, turned=turned), n_columns_tall=n_columns_tall, **options
    )
    assert was_fast
    assert_same(fast, slow)
    expected = np.array(list(map(float, written))).reshape(N, 5)
    np.testing.assert_array_equal(fast.X[[f"g{j}" for j in range(5)]].to_numpy(), expected)


@pytest.mark.parametrize("n", [3, 300], ids=["wide", "tall"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_parquet_columns_of_any_types_keep_order_and_values(n, kind, tmp_path):
    values = np.random.default_rng(3).normal(size=(n, 20)).astype(kind)
    values[1, 4] = np.nan
    frame = pd.DataFrame(values, columns=[f"g{j}" for j in range(20)])
    frame.insert(0, "id", [f"s{i}" for i in range(n)])
    frame.insert(9, "count", range(n))
    frame["word"] = "a"
    frame.to_parquet(tmp_path / "my.parquet")
    table = parquet.read_parquet(tmp_path / "my.parquet", "my.parquet", sha256="")
    assert table.names == list(frame.columns)
    for name, cells in zip(table.names, table.columns, strict=True):
        np.testing.assert_array_equal(cells, frame[name].to_numpy(), err_msg=name)
    assert table.columns[1].base is table.columns[-2].base
