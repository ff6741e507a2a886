"""Synthetic tables: the truth is known, the seed decides, the signal is where it is told to be."""

import numpy as np
import pytest

from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError
from smalldata.task import TaskKind, make_task


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_synthetic_has_the_requested_shape_kind_and_truth(kind):
    dataset = load_dataset("synthetic", n=50, p=80, informative=7, kind=kind)
    assert dataset.X.shape == (50, 80)
    assert dataset.kind is TaskKind(kind)
    assert len(dataset.truth) == 7
    assert set(dataset.truth) <= set(dataset.feature_names)
    make_task(dataset)


def test_synthetic_binary_classes_are_balanced():
    labels, counts = np.unique(load_dataset("synthetic", n=51).y.astype(str), return_counts=True)
    assert labels.tolist() == ["case", "control"]
    assert counts.tolist() == [26, 25]


def test_synthetic_table_depends_on_the_seed():
    one, again, other = (load_dataset("synthetic", seed=seed) for seed in (1, 1, 2))
    assert make_task(one).content_key == make_task(again).content_key
    assert make_task(one).split_key == make_task(again).split_key
    assert make_task(one).content_key != make_task(other).content_key
    assert one.truth != other.truth
    assert one.name != other.name


def test_synthetic_without_noise_is_predicted_by_its_truth():
    dataset = load_dataset("synthetic", n=400, p=30, informative=5, noise=0, kind="regression")
    values = dataset.X.to_numpy()
    weights, *_ = np.linalg.lstsq(values, dataset.y, rcond=None)
    heavy = np.abs(weights) > 1e-6
    assert tuple(np.array(dataset.feature_names)[heavy]) == dataset.truth
    np.testing.assert_allclose(np.abs(weights[heavy]), 1 / np.sqrt(5), atol=1e-6)


def test_synthetic_without_informative_features_is_uncorrelated_with_the_target():
    dataset = load_dataset("synthetic", n=2000, p=10, informative=0, kind="regression")
    assert dataset.truth == ()
    correlations = np.corrcoef(dataset.X.to_numpy().T, dataset.y)[-1, :-1]
    # Five standard errors of a correlation of 2,000 independent pairs.
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_synthetic_has_the_requested_missing_share_and_name():
    dataset = load_dataset("synthetic", n=200, p=100, missing=0.2)
    assert abs(dataset.X.isna().to_numpy().mean() - 0.2) < 0.02
    assert dataset.name == "synthetic-n.200-p.100-missing.0.2"
    assert load_dataset("synthetic").name == "synthetic"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n": 3}, "n must be at least 4"),
        ({"informative": 301}, "informative between 0 and p; got n=120, p=300, informative=301"),
        ({"noise": -1}, "noise must not be negative"),
        ({"missing": 1.0}, r"missing lie in \[0, 1\)"),
        ({"kind": "ordinal"}, "kind must be one of binary, multiclass, regression; got 'ordinal'"),
    ],
)
def test_synthetic_refuses_numbers_out_of_range(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_dataset("synthetic", **values)
