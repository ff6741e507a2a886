"""Numbers that look like markers of a missing value are told, and nothing is changed."""

import numpy as np
import pandas as pd
import pytest

from smalldata import dataset_from_frame

N = 24
CALM = np.random.default_rng(0).normal(10, 2, (N, 3))


def told(values, **options):
    table = pd.DataFrame(values, columns=["a", "b", "c"]).assign(y=["case", "control"] * (N // 2))
    dataset = dataset_from_frame(table, target="y", **options)
    return [str(finding) for finding in dataset.findings if finding.code == "SD044"]


def changed(*cells):
    values = CALM.copy()
    for row, column, number in cells:
        values[row, column] = number
    return values


@pytest.mark.parametrize("number", [-9, -99, -999, -9999])
def test_a_negative_number_where_all_else_is_positive_is_told_with_the_option(number):
    (finding,) = told(changed((0, 0, number), (1, 1, number)))
    assert finding.startswith(f"{number} in 2 cells of 2 columns")
    assert "'a', 'b'" in finding
    assert f"'dataset.missing=[{number}]'" in finding
    assert told(changed((0, 0, number), (1, 1, number)), missing=[number]) == []


def test_several_markers_of_one_column_are_told_apart():
    findings = told(changed((0, 0, -99), (1, 0, -99), (2, 0, -999), (3, 0, -999), (4, 0, 9999)))
    assert [finding.split()[0] for finding in findings] == ["-999", "-99"]


def test_a_number_far_above_all_others_is_told_where_it_recurs():
    (finding,) = told(changed((0, 0, 999), (1, 0, 999)))
    assert finding.startswith("999 in 2 cells of 1 column")


@pytest.mark.parametrize(
    "values",
    [
        CALM,
        changed((0, 0, -99)),  # a single cell
        changed((0, 0, 999), (1, 1, 999)),  # outliers that recur in no column
        changed((0, 0, -9), (1, 0, -9), (2, 0, -8.5)),  # differences have both signs
        changed((0, 0, 99), (1, 0, 99), (2, 0, 60)),
    ],
    ids=["none", "once", "outliers", "negative", "not far"],
)
def test_numbers_near_the_others_are_none(values):
    assert told(values) == []


def test_columns_of_few_other_values_are_not_judged():
    assert told(np.where(np.arange(N)[:, None] < 4, CALM, -99.0)) == []
