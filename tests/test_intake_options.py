"""What an option says holds wherever cells are read, and changes nothing else."""

import numpy as np
import pandas as pd
import pytest

from smalldata import Dataset

N = 12
IDS = [f"S{i:02d}" for i in range(N)]
CLASSES = ["case", "control"] * (N // 2)


def codes(dataset):
    return [finding.code for finding in dataset.findings]


def said(dataset, code):
    """What the findings of one code say."""
    return [finding.what for finding in dataset.findings if finding.code == code]


@pytest.fixture
def write(tmp_path):
    """Write columns as a csv file and give its path."""

    def write(name="t.csv", **columns):
        path = tmp_path / name
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return write


# ---------------------------------------------------------------- classes


@pytest.mark.parametrize("target", ["meta:group", "group"])
def test_merged_classes_change_the_target_alone(write, target):
    in_both = target == "group"
    mine = ["case", "control", "other"] * 4
    of_data = mine if in_both else [*"abcd"] * 3
    data = write("r.csv", sample=IDS, group=of_data, tau=np.arange(N) / 4)
    meta = write("m.csv", sample=IDS, group=mine)
    dataset = Dataset.from_file(
        {"rna": data, "meta": meta},
        target=target,
        classes={"case": ["case", "other"], "control": ["control"]},
    )
    assert list(dataset.y) == ["case", "control", "case"] * 4
    if in_both:
        assert dataset.feature_names == ("tau",)
    else:
        assert list(dataset.X["rna:group"]) == of_data
