"""The fingerprint of a table: whatever can change a number changes it."""

import numpy as np
import pandas as pd
import pytest

from smalldata.task import Dataset, Task, TaskKind, make_task

LEVELS = ["low", "mid", "nan", "low", "mid", "nan"]


def _task(column: object) -> Task:
    dataset = Dataset(
        name="toy",
        X=pd.DataFrame({"grade": column}),
        y=np.array(["case", "control"] * 3, dtype=object),
        sample_ids=np.array([f"s{row}" for row in range(6)], dtype=object),
        kind=TaskKind.BINARY,
        target="outcome",
        positive="case",
    )
    return make_task(dataset)


@pytest.mark.parametrize(
    "other",
    [
        pd.Categorical(LEVELS, categories=["mid", "nan", "low"], ordered=True),
        pd.Categorical([None if level == "nan" else level for level in LEVELS]),
        pd.Categorical(["low"] * 6),
        np.arange(6.0),
    ],
    ids=["ordered", "missing", "values", "numeric"],
)
def test_content_key_changes_with_anything_a_model_could_use(other):
    assert _task(other).content_key != _task(pd.Categorical(LEVELS)).content_key


def test_content_key_ignores_order_of_unordered_categories():
    turned = pd.Categorical(LEVELS, categories=["nan", "mid", "low", "unused"])
    assert _task(turned).content_key == _task(pd.Categorical(LEVELS)).content_key


def test_the_positive_class_changes_the_split_key_and_the_features_do_not():
    task = _task(np.arange(6.0))
    assert make_task(task.dataset, positive="control").split_key != task.split_key
    assert _task(np.zeros(6)).split_key == task.split_key
