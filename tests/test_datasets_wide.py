"""Wide tables: what is found out in blocks of columns is what one column after the other gives."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smalldata.datasets import load_dataset
from smalldata.datasets.frames import dataset_from_frame
from smalldata.datasets.naming import places_of, places_with, plain_name, words_of
from smalldata.datasets.side_by_side import Features, parts_of
from smalldata.datasets.suspects import suspects
from smalldata.errors import DataError
from smalldata.task import TaskKind, find_constant


def draw_columns(rng, n, p):
    """Columns of many kinds: measured, counted, with gaps, of one value or nearly so, copies."""
    columns = []
    for _ in range(p):
        kind = rng.integers(8)
        values = rng.normal(10, 2, n) if kind < 3 else rng.poisson(2, n).astype(float)
        if kind == 4:
            values = np.full(n, rng.choice([0.0, -0.0, 3.3]))
        if kind == 5:
            values = np.zeros(n)
            values[: rng.integers(0, 4)] = 1
            values = rng.permutation(values) * rng.choice([1.0, -1.0])
        if kind == 6 and columns:
            values = columns[rng.integers(len(columns))] * rng.choice([1.0, -3.0, 1e-5]) + 7
        if kind == 7 or rng.random() < 0.3:
            values = np.where(rng.random(n) < rng.random(), np.nan, values)
        columns.append(values)
    return {f"g{place}": values for place, values in enumerate(columns)}


def found_one_by_one(columns):
    """Constant and nearly constant columns, by counting."""
    constant, nearly = [], []
    for name, values in columns.items():
        counts = pd.Series(values).value_counts()
        n_present, n_other = int(counts.sum()), int(counts.iloc[1:].sum())
        if n_present and not n_other:
            constant.append(name)
        elif n_present >= 10 and n_other <= max(1, int(0.02 * n_present)):
            nearly.append(name)
    return constant, nearly


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.sampled_from([3, 9, 12, 60, 150]))
def test_columns_of_one_value_are_those_that_counting_gives(seed, n):
    rng = np.random.default_rng(seed)
    columns = draw_columns(rng, n, 40)
    y = rng.permutation(np.arange(n) % 2).astype(str)
    entries = suspects(Features.of(columns), y, target="outcome", kind=TaskKind.BINARY)
    found = Counter[str]()  # columns with gaps have a finding of their own
    for entry in entries:
        found[entry.code] += int(entry.what.split()[0]) if entry.code in ("SD022", "SD023") else 0
    constant, nearly = found_one_by_one(columns)
    assert (found["SD022"], found["SD023"]) == (len(constant), len(nearly))
    whole = [name for name in constant if not np.isnan(columns[name]).any()]
    assert find_constant(Features.of(columns).table()) == tuple(whole)


def test_a_wide_table_gives_the_findings_of_its_parts():
    """More columns than are looked at together: blocks, groups of blocks, and a part of one."""
    rng = np.random.default_rng(0)
    n, p = 40, 2048 * 2 + 77
    columns = {f"g{place}": values for place, values in enumerate(rng.normal(size=(p, n)))}
    y = rng.permutation(np.repeat(["case", "control"], n // 2))
    columns["g2047"] = np.where(y == "case", 1.0, -1.0) + rng.uniform(-0.2, 0.2, n)
    columns["g2048"] = np.full(n, 7.0)
    columns["g4000"] = -2 * columns["g3"] + 1
    columns["g4096"] = np.where(y == "case", np.nan, columns["g4096"])
    entries = suspects(Features.of(columns), y, target="outcome", kind=TaskKind.BINARY)
    told = [(entry.code, entry.what, entry.evidence) for entry in entries]
    assert [code for code, *_ in told] == ["SD021", "SD021", "SD022", "SD025"]
    assert told[0][2] == "'g4096'"
    assert told[1][1].startswith("feature 'g2047' separates")
    assert told[2][2] == "'g2048'"
    assert told[3][2] == "'g4000' copies 'g3'"


@given(names=st.lists(st.text(st.sampled_from("aAiIdDsS._ \nß1İΣµ"), min_size=1), min_size=1))
def test_names_are_found_together_as_one_by_one(names):
    wanted = {"id", "sid", "ids", "a"}
    one_by_one = [place for place, name in enumerate(names) if plain_name(name) in wanted]
    assert places_of(names, wanted) == one_by_one
    one_by_one = [place for place, name in enumerate(names) if wanted.intersection(words_of(name))]
    assert places_with(names, wanted) == one_by_one


def test_columns_that_share_a_matrix_are_not_copied_and_others_are():
    matrix = np.random.default_rng(0).normal(size=(50, 6))
    matrix.setflags(write=False)
    own = {f"g{place}": row for place, row in enumerate(matrix)}
    assert np.shares_memory(Features.of(own).matrix, matrix)
    assert np.shares_memory(Features.of(own).table().to_numpy(), matrix)
    part = {name: own[name] for name in ("g3", "g4", "g5")}
    assert np.shares_memory(Features.of(part).matrix, matrix)
    for order in (["g1", "g0", "g2"], ["g0", "g2", "g3"], ["g0", "g0b", "g2"]):
        columns = {name: own[name.removesuffix("b")] for name in order}
        features = Features.of(columns)
        assert not np.shares_memory(features.matrix, matrix)
        assert np.array_equal(features.matrix.T, list(columns.values()))


def test_blocks_are_all_columns_once():
    matrix = np.arange(3.0 * 70_000).reshape(3, 70_000)
    parts = [(part, values.copy()) for part, values in parts_of(matrix)]
    assert len(parts) > 1
    assert np.array_equal(np.concatenate([values for _, values in parts]), matrix.T)
    assert [part.start for part, _ in parts[1:]] == [part.stop for part, _ in parts[:-1]]


def test_samples_in_another_order_than_their_sheet_are_joined_without_a_loss(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 2000)).round(4)
    ids = [f"s{row}" for row in range(30)]
    rna = pd.DataFrame(values, index=ids, columns=[f"g{place}" for place in range(2000)])
    sheet = pd.DataFrame({"outcome": ["case", "control"] * 14}, index=rng.permutation(ids)[:28])
    dataset = dataset_from_frame({"sheet": sheet, "rna": rna}, target="outcome")
    pd.testing.assert_frame_equal(dataset.X, rna.loc[sheet.index].reset_index(drop=True))
    outer = dataset_from_frame(
        {"sheet": sheet.rename(index={sheet.index[0]: "other"}), "rna": rna},
        target="outcome",
        join_how="outer",
        drop_missing_target=True,
    )
    assert outer.X.iloc[0].isna().all()
    assert np.array_equal(outer.X.iloc[1:].to_numpy(), rna.loc[sheet.index[1:]].to_numpy())


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinity_among_thousands_of_columns_is_refused_by_name(value):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 5000)))
    table.columns = [f"g{place}" for place in range(5000)]
    table.loc[3, "g4321"] = value
    table["outcome"] = ["case", "control"] * 10
    with pytest.raises(DataError, match=r"column 'g4321' of sample '3' is -?inf \(1 infinite"):
        dataset_from_frame(table.reset_index(drop=True), target="outcome")


def test_a_column_without_a_value_beside_a_numeric_target_is_refused_by_name(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=["a", "b", "out"])
    table["none"] = np.nan
    table.to_parquet(tmp_path / "my.parquet")
    with pytest.raises(DataError, match="'none' holds none"):
        load_dataset("table", path=tmp_path / "my.parquet", target="out")


def test_values_near_the_end_of_floats_are_no_copy_of_a_numeric_target():
    rng = np.random.default_rng(0)
    columns = {f"g{place}": rng.normal(size=30) * 1e200 for place in range(5)}
    entries = suspects(
        Features.of(columns), rng.normal(size=30), target="out", kind=TaskKind.REGRESSION
    )
    assert entries == []
    columns["copy"] = columns["g1"] * -1e-150
    entries = suspects(
        Features.of(columns), rng.normal(size=30), target="out", kind=TaskKind.REGRESSION
    )
    assert [entry.evidence for entry in entries] == ["'copy' copies 'g1'"]
