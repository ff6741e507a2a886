"""Oracles: scikit-learn's curves and areas; counts that must add up."""

import numpy as np
import pytest
from sklearn import metrics

from smalldata.measures.curves import calibration_points, precision_recall_points, roc_points


def draw(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    y = np.append([0, 1], rng.integers(0, 2, n))
    return y, np.round(rng.uniform(size=len(y)), int(rng.integers(1, 4)))


@pytest.mark.parametrize("seed", range(15))
def test_curves_equal_scikit_learn(seed):
    y, score = draw(seed)
    false_rate, true_rate = roc_points(y, score)
    expected = metrics.roc_curve(y, score, drop_intermediate=False)
    assert false_rate == pytest.approx(expected[0])
    assert true_rate == pytest.approx(expected[1])
    recall, precision = precision_recall_points(y, score)
    expected = metrics.precision_recall_curve(y, score)
    assert recall == pytest.approx(expected[1][:-1][::-1])
    assert precision == pytest.approx(expected[0][:-1][::-1])
    steps = np.sum(np.diff(recall, prepend=0) * precision)
    assert steps == pytest.approx(metrics.average_precision_score(y, score))


@pytest.mark.parametrize("seed", range(15))
def test_calibration_bins_count_every_row(seed):
    y, p = draw(seed)
    predicted, observed, count = calibration_points(y, p, n_bins=5)
    assert count.sum() == len(y)
    assert 1 <= len(count) <= 5
    assert np.all(count > 0)
    assert np.all(np.diff(predicted) > 0)
    assert count @ predicted == pytest.approx(p.sum())
    assert count @ observed == pytest.approx(y.sum())


def test_calibration_bins_are_quantiles():
    p = np.linspace(0.01, 0.99, 100)
    predicted, observed, count = calibration_points((p > 0.5).astype(int), p, n_bins=4)
    assert count.tolist() == [25, 25, 25, 25]
    assert observed.tolist() == [0, 0, 1, 1]
    assert predicted[0] == pytest.approx(p[:25].mean())


def test_constant_probability_gives_one_calibration_bin():
    predicted, observed, count = calibration_points(np.array([0, 1, 1, 1]), np.full(4, 0.7))
    assert (predicted.tolist(), observed.tolist(), count.tolist()) == ([0.7], [0.75], [4])


def test_curves_of_a_missing_class_or_no_rows_have_no_points():
    for y in (np.ones(3, dtype=int), np.zeros(3, dtype=int), np.empty(0, dtype=int)):
        assert [len(part) for part in roc_points(y, np.arange(float(len(y))))] == [0, 0]
    assert len(precision_recall_points(np.zeros(3, dtype=int), np.arange(3.0))[0]) == 0
    assert len(calibration_points(np.empty(0, dtype=int), np.empty(0))[2]) == 0
