"""Oracles: scikit-learn's curves and areas; counts that must add up."""

import numpy as np
import pytest
from sklearn import metrics

from smalldata.measures.curves import (
    calibration_points,
    precision_recall_points,
    quantile_bins,
    roc_points,
    share_band,
)
from smalldata.statistics.significance import draw_weights


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


# ---------------------------------------------------------------- the band of the calibration curve


def band_of(y, p, units, *, n_bins=3):
    weights = draw_weights(np.arange(units.max() + 1), 300, seed=0)
    return share_band(y, quantile_bins(p, n_bins=n_bins), units, weights)


def test_band_holds_the_true_share_in_most_tables():
    rng = np.random.default_rng(0)
    p = np.repeat([0.1, 0.5, 0.85], 30)
    held = []
    for _ in range(200):
        low, high = band_of(rng.uniform(size=90) < p, p, np.arange(90))
        held += [a <= share <= b for a, share, b in zip(low, [0.1, 0.5, 0.85], high, strict=True)]
    assert 0.92 <= np.mean(held) <= 0.98


def test_band_does_not_shrink_when_samples_are_predicted_again():
    rng = np.random.default_rng(1)
    p = np.repeat([0.2, 0.6], 40)
    y = rng.uniform(size=80) < p
    once = band_of(y, p, np.arange(80), n_bins=2)
    again = band_of(np.tile(y, 5), np.tile(p, 5), np.tile(np.arange(80), 5), n_bins=2)
    assert np.allclose(once, again)
    grouped = band_of(np.repeat(y, 5), np.repeat(p, 5), np.repeat(np.arange(80), 5), n_bins=2)
    assert np.allclose(once, grouped)


def test_band_of_a_bin_where_all_agree_has_the_width_of_its_samples():
    p = np.repeat([0.1, 0.9], [10, 10])
    low, high = band_of(p > 0.5, p, np.arange(20), n_bins=2)
    assert (low[0], high[1]) == pytest.approx((0, 1))
    z2 = 1.959964**2
    assert high[0] == pytest.approx(z2 / (10 + z2))  # Wilson's interval of 0 of 10
    assert low[1] == pytest.approx(10 / (10 + z2))
