"""Oracles: scikit-learn's metrics, counted pairs, scipy's rank correlation, a general optimiser."""

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from smalldata.errors import ConfigError
from smalldata.measures.formulas import area_under_roc, expected_precision
from smalldata.measures.registry import (
    MEASURES,
    check_measure,
    find_measure,
    measures_for,
    score_prediction,
)
from smalldata.results.folds import Fold, Prediction, Score, Splits
from smalldata.task import PRIMARY_MEASURES, Dataset, Task, TaskKind, make_task

BINARY = ("control", "case")
THREE = ("a", "b", "c")


def classes_prediction(y, probabilities, margin=None):
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.ndim == 1:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    return Prediction(
        row=np.arange(len(y)),
        y=np.asarray(y),
        label=probabilities.argmax(axis=1),
        probabilities=probabilities,
        margin=margin,
    )


def value_prediction(y, value):
    y, value = np.asarray(y, dtype=float), np.asarray(value, dtype=float)
    return Prediction(row=np.arange(len(y)), y=y, value=value)


def binary_scores(y, probabilities, margin=None) -> dict[str, Score]:
    prediction = classes_prediction(y, probabilities, margin)
    return score_prediction(prediction, kind=TaskKind.BINARY, classes=BINARY)


def three_scores(y, probabilities, margin=None) -> dict[str, Score]:
    prediction = classes_prediction(y, probabilities, margin)
    return score_prediction(prediction, kind=TaskKind.MULTICLASS, classes=THREE)


def value_scores(y, value) -> dict[str, Score]:
    return score_prediction(value_prediction(y, value), kind=TaskKind.REGRESSION, classes=())


def counted_pairs(y, score) -> float:
    positive, negative = score[y == 1], score[y != 1]
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return float(np.mean(wins))


# ---------------------------------------------------------------- against other sources


@pytest.mark.parametrize("seed", range(20))
def test_binary_measures_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 80))
    y = np.append([0, 1, 0, 1], rng.integers(0, 2, n))
    p = np.round(rng.uniform(0.01, 0.99, len(y)), int(rng.integers(1, 6)))
    p = np.clip(p, 0.01, 0.99)
    label = (p > 0.5).astype(int)
    scores = binary_scores(y, p)
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, label),
        "mcc": metrics.matthews_corrcoef(y, label),
        "f1": metrics.f1_score(y, label),
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier_score_loss(y, p),
    }
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-12), name
    assert scores["roc_auc"].value == pytest.approx(counted_pairs(y, p), abs=1e-12)
    distinct = np.clip(p + 1e-6 * rng.permutation(len(y)) / len(y), 0, 1)
    precision = binary_scores(y, distinct)["average_precision"].value
    assert precision == pytest.approx(metrics.average_precision_score(y, distinct), abs=1e-12)


def precision_over_orders(y, score) -> float:
    """Average precision of every order that the scores allow, and their mean."""
    found = []
    for order in itertools.permutations(range(len(y))):
        if np.all(np.diff(score[list(order)]) <= 0):
            found.append(metrics.average_precision_score(y[list(order)], -np.arange(len(y))))
    return float(np.mean(found))


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_is_the_mean_over_all_orders_of_equal_scores(seed):
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.integers(0, 2, 4))
    p = rng.integers(1, 4, 6) / 4
    found = binary_scores(y, p)["average_precision"].value
    assert found == pytest.approx(precision_over_orders(y, p), abs=1e-12)


@pytest.mark.parametrize(("n", "n_positive"), [(4, 2), (12, 3), (40, 39), (60, 1)])
def test_average_precision_of_a_constant_is_that_of_a_random_order(n, n_positive):
    y = (np.arange(n) < n_positive).astype(int)
    harmonic = np.sum(1 / np.arange(1, n + 1))
    expected = (harmonic + (n_positive - 1) * (n - harmonic) / (n - 1)) / n
    found = binary_scores(y, np.full(n, 0.3))["average_precision"].value
    assert found == pytest.approx(expected, abs=1e-12)
    if n > 40:  # the prevalence, which a constant got before, is far below a random order
        assert found > 4 * n_positive / n


def precision_of(y, score) -> float:
    return float(expected_precision(y == 1, score, np.ones((1, len(y))))[0])


def test_noise_and_a_constant_have_the_same_average_precision_on_the_average():
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], [9, 3])
    noise = [precision_of(y, rng.uniform(size=12)) for _ in range(3000)]
    constant = precision_of(y, np.full(12, 0.25))
    assert np.mean(noise) == pytest.approx(constant, abs=3 * np.std(noise) / math.sqrt(3000))


@pytest.mark.parametrize("seed", range(20))
def test_multiclass_measures_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y = np.append([0, 1, 2], rng.integers(0, 3, 40))
    p = rng.dirichlet(np.ones(3), len(y))
    scores = three_scores(y, p)
    expected = {
        "roc_auc_ovr": metrics.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p.argmax(axis=1)),
        "mcc": metrics.matthews_corrcoef(y, p.argmax(axis=1)),
        "log_loss": metrics.log_loss(y, p),
    }
    assert set(scores) == set(expected)
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-12), name
        assert scores[name].note == ""


@pytest.mark.parametrize("seed", range(20))
def test_regression_measures_equal_scikit_learn_and_scipy(seed):
    rng = np.random.default_rng(seed)
    y = np.round(rng.normal(size=30), 1)
    value = np.round(y + rng.normal(size=30), 1)
    scores = value_scores(y, value)
    expected = {
        "rmse": metrics.root_mean_squared_error(y, value),
        "mae": metrics.mean_absolute_error(y, value),
        "r2": metrics.r2_score(y, value),
        "spearman": scipy.stats.spearmanr(y, value).statistic,
    }
    assert set(scores) == set(expected)
    for name, expected_value in expected.items():
        assert scores[name].value == pytest.approx(expected_value, abs=1e-12), name


@given(
    y=hnp.arrays(np.int64, 12, elements=st.integers(0, 1)),
    score=hnp.arrays(np.int64, 12, elements=st.integers(-3, 3)),
)
@settings(max_examples=200, deadline=None)
def test_area_under_roc_counts_pairs(y, score):
    y[:2] = [0, 1]
    area = area_under_roc(y, score)
    assert area == pytest.approx(counted_pairs(y, score), abs=1e-12)
    assert area == pytest.approx(1 - area_under_roc(y, -score), abs=1e-12)
    assert area == pytest.approx(area_under_roc(y, np.exp(score)), abs=1e-12)


def test_calibration_slope_is_the_maximum_likelihood_one():
    rng = np.random.default_rng(3)
    for _ in range(10):
        x = rng.normal(scale=rng.uniform(0.3, 4), size=60)
        y = (rng.uniform(size=60) < 1 / (1 + np.exp(-0.5 * x))).astype(int)
        p = 1 / (1 + np.exp(-x))

        def loss(beta, x=x, y=y):
            return np.sum(np.logaddexp(0, beta[0] + beta[1] * x)) - y @ (beta[0] + beta[1] * x)

        best = scipy.optimize.minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-9})
        assert binary_scores(y, p)["calibration_slope"].value == pytest.approx(best.x[1], abs=1e-5)


def test_calibration_slope_reads_one_when_calibrated_and_half_when_twice_too_sure():
    rng = np.random.default_rng(0)
    logit = rng.normal(scale=1.5, size=40_000)
    y = (rng.uniform(size=len(logit)) < 1 / (1 + np.exp(-logit))).astype(int)
    honest = binary_scores(y, 1 / (1 + np.exp(-logit)))
    too_sure = binary_scores(y, 1 / (1 + np.exp(-2 * logit)))
    too_low = binary_scores(y, 1 / (1 + np.exp(1 - logit)))
    assert honest["calibration_slope"].value == pytest.approx(1, abs=0.03)
    assert too_sure["calibration_slope"].value == pytest.approx(0.5, abs=0.02)
    assert honest["calibration_intercept"].value == pytest.approx(0, abs=0.03)
    assert too_low["calibration_intercept"].value == pytest.approx(1, abs=0.03)


def test_calibration_intercept_brings_the_mean_probability_to_the_share():
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 30)
    p = rng.uniform(0.01, 0.6, 30)
    shift = binary_scores(y, p)["calibration_intercept"].value
    moved = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + shift)))
    assert np.mean(moved) == pytest.approx(np.mean(y), abs=1e-12)


# ---------------------------------------------------------------- what a prediction offers


def test_auc_uses_the_margin_when_available():
    y = np.array([0, 0, 1, 1])
    p = np.array([0.9, 0.8, 0.2, 0.1])
    assert binary_scores(y, p)["roc_auc"].value == 0
    margin = np.array([[-2.0], [-1.0], [1.0], [-np.inf]])
    scores = binary_scores(y, p, margin)
    assert scores["roc_auc"].value == 0.5
    assert scores["average_precision"].value == pytest.approx(
        metrics.average_precision_score(y, [-2, -1, 1, -9])
    )
    assert scores["brier"].value == pytest.approx(np.mean((p - y) ** 2))


def test_one_vs_rest_auc_uses_probabilities():
    # Sums of one-vs-one decisions and centred log-odds order the rows of one class otherwise than
    # probabilities do: a model must not gain or lose by which of them it stores.
    rng = np.random.default_rng(1)
    y = np.append([0, 1, 2], rng.integers(0, 3, 30))
    p = rng.dirichlet(np.ones(3), size=33)
    logs = np.log(p)
    margin = logs - logs.mean(axis=1, keepdims=True)
    bare = three_scores(y, p)["roc_auc_ovr"].value
    assert three_scores(y, p, margin)["roc_auc_ovr"].value == bare
    expected = metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert bare == pytest.approx(expected, abs=1e-12)
    by_margin = np.mean([metrics.roc_auc_score(y == code, margin[:, code]) for code in range(3)])
    assert abs(by_margin - bare) > 1e-4


# ---------------------------------------------------------------- edges: a value or a reason


def test_class_missing_from_test_fold_is_a_reason():
    y = np.array([0, 0, 2, 2])
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.3, 0.1, 0.6]])
    scores = three_scores(y, p)
    by_hand = np.mean([counted_pairs(y == 0, p[:, 0]), counted_pairs(y == 2, p[:, 2])])
    assert scores["roc_auc_ovr"].value == pytest.approx(by_hand)
    assert scores["roc_auc_ovr"].note == "over 2 of 3 classes; no test row of b"
    assert scores["balanced_accuracy"].value == pytest.approx(0.75)
    assert "no test row of b" in scores["balanced_accuracy"].note


def test_single_class_fold_leaves_ranking_measures_undefined():
    scores = binary_scores([1, 1, 1], [0.2, 0.7, 0.9])
    without = ("roc_auc", "average_precision", "mcc", "f1")
    for name in (*without, "calibration_slope", "calibration_intercept"):
        assert scores[name].value is None, name
        assert scores[name].reason == "needs two classes among the test rows"
    assert scores["balanced_accuracy"].value == pytest.approx(2 / 3)


def test_constant_prediction_gives_defined_scores_or_reasons():
    scores = binary_scores([0, 1, 0, 1], [0.25] * 4)
    assert scores["roc_auc"].value == 0.5
    assert scores["average_precision"].value == pytest.approx(49 / 72)
    assert scores["mcc"].value == 0
    assert scores["mcc"].note == "all predicted labels are equal: 0 by convention"
    assert scores["f1"].value == 0
    assert scores["calibration_slope"].reason == "all predicted probabilities are equal"
    values = value_scores([1, 2, 4], [2, 2, 2])
    assert values["spearman"].value is None
    assert values["spearman"].reason == "all predicted values are equal"


def test_single_test_row_gives_defined_scores_or_reasons():
    values = value_scores([1.0], [3.0])
    assert values["rmse"].value == 2
    assert "one test row" in values["rmse"].note
    assert values["r2"].value is None
    assert values["spearman"].value is None


def test_log_loss_of_a_certain_mistake_is_clipped_with_a_note():
    y = np.array([0, 1, 1])
    scores = binary_scores(y, [0.5, 0.5, 0.0])
    expected = metrics.log_loss(y, np.array([0.5, 0.5, 0.0]))
    assert scores["log_loss"].value == pytest.approx(expected, rel=1e-6)
    assert scores["log_loss"].note.startswith("1 of 3 rows gave the observed class no probability")


def test_separated_classes_have_no_calibration_slope():
    for p in ([0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.1, 0.5, 0.5, 0.9]):
        score = binary_scores([0, 0, 1, 1], p)["calibration_slope"]
        assert score.value is None
        assert "separate" in score.reason


def test_missing_or_invalid_predictions_give_a_reason():
    y = np.array([0, 1])
    bare = score_prediction(
        Prediction(row=np.arange(2), y=y, label=y), kind=TaskKind.BINARY, classes=BINARY
    )
    assert bare["roc_auc"].reason == "the model gives no probability"
    assert bare["balanced_accuracy"].value == 1
    broken = binary_scores(y, [np.nan, 0.5])
    assert broken["roc_auc"].value is None
    assert "not numbers" in broken["log_loss"].reason
    assert value_scores([1.0, 2.0], [1.0, np.inf])["rmse"].value is None


@given(
    kind=st.sampled_from(list(TaskKind)),
    n=st.integers(1, 6),
    seed=st.integers(0, 2**31 - 1),
    scale=st.sampled_from([0.0, 1e-200, 1.0, 1e200]),
)
@settings(max_examples=300, deadline=None)
def test_scores_are_never_nan_and_raise_no_warning(kind, n, seed, scale):
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if kind is TaskKind.REGRESSION:
            scores = value_scores(rng.normal(size=n) * scale, rng.normal(size=n) * scale)
        elif kind is TaskKind.BINARY:
            scores = binary_scores(rng.integers(0, 2, n), rng.choice([0, 1e-300, 0.3, 1], n))
        else:
            scores = three_scores(rng.integers(0, 3, n), rng.dirichlet(np.full(3, 0.01), n))
    assert list(scores) == [measure.name for measure in measures_for(kind)]
    for name, score in scores.items():
        measure = find_measure(name, kind)
        if score.value is None:
            assert score.reason
        else:
            assert math.isfinite(score.value)
            assert measure.low - 1e-12 <= score.value <= measure.high + 1e-12


# ---------------------------------------------------------------- the table of measures


def test_primary_measures_come_first_and_names_are_unique():
    for kind in TaskKind:
        found = measures_for(kind)
        assert found[0].name == PRIMARY_MEASURES[kind]
        assert found[0].ranked
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


def test_unknown_measure_offers_the_nearest():
    with pytest.raises(ConfigError, match=r"got 'roc_acu'; did you mean roc_auc\?"):
        find_measure("roc_acu", TaskKind.BINARY)
    with pytest.raises(ConfigError, match="choose rmse, mae, r2, spearman"):
        find_measure("zzz", TaskKind.REGRESSION)


def test_rope_follows_the_target_for_errors_in_its_unit():
    y = np.array([0.0, 10.0, 20.0])
    assert find_measure("rmse", TaskKind.REGRESSION).rope_width(y) == pytest.approx(0.2)
    assert find_measure("r2", TaskKind.REGRESSION).rope_width(y) == 0.01
    assert find_measure("roc_auc", TaskKind.BINARY).rope_width(y) == 0.01


# ---------------------------------------------------------------- which measure the folds can carry


def toy_task(y, kind, measure=None) -> Task:
    n = len(y)
    dataset = Dataset(
        name="toy",
        X=pd.DataFrame({"x": np.arange(n, dtype=float)}),
        y=np.asarray(y),
        sample_ids=np.arange(n).astype(str),
        kind=kind,
        target="y",
        positive="case" if kind is TaskKind.BINARY else None,
    )
    return make_task(dataset, measure=measure)


def toy_splits(task, tests, name="kfold") -> Splits:
    folds = tuple(
        Fold(
            repeat=0,
            fold=i,
            train=np.setdiff1d(np.arange(task.n_samples), test),
            test=np.asarray(test),
        )
        for i, test in enumerate(tests)
    )
    return Splits(
        name=name, split_key=task.split_key, n_samples=task.n_samples, folds=folds, is_default=True
    )


def test_auc_under_leave_one_out_is_refused_with_advice():
    y = ["control", "case"] * 6
    task = toy_task(y, TaskKind.BINARY)
    loo = toy_splits(task, [[row] for row in range(12)], name="loo")
    with pytest.raises(ConfigError, match=r"12 of the 12 .*cv=loo.*cv=rep5x5.*measure=log_loss"):
        check_measure(task, loo)
    check_measure(toy_task(y, TaskKind.BINARY, "balanced_accuracy"), loo)
    check_measure(task, toy_splits(task, [[0, 1, 2], [3, 4, 5]]))
    # one fold of three that lacks a class is left out of the mean, not a reason to refuse
    check_measure(task, toy_splits(task, [[0, 2], [1, 4], [3, 6]]))


@pytest.mark.parametrize("kind", list(TaskKind))
def test_the_measure_that_a_refusal_names_is_a_mean_over_rows_that_the_folds_allow(kind):
    y = np.arange(12.0) if kind is TaskKind.REGRESSION else ["control", "case", "other"] * 4
    y = ["control", "case"] * 6 if kind is TaskKind.BINARY else y
    refused = []
    for measure in measures_for(kind):
        task = toy_task(y, kind, measure.name if measure.ranked else None)
        loo = toy_splits(task, [[row] for row in range(12)], name="loo")
        try:
            check_measure(task, loo)
        except ConfigError as error:
            refused.append(measure.name)
            instead = str(error).split("measure=")[1].rstrip(".")
            check_measure(toy_task(y, kind, instead), loo)
            assert instead in ("log_loss", "rmse")
    expected = {
        # The calibration measures do not rank, so the task takes its default, the AUC.
        TaskKind.BINARY: {
            "roc_auc",
            "average_precision",
            "calibration_slope",
            "calibration_intercept",
        },
        TaskKind.MULTICLASS: {"roc_auc_ovr"},
        TaskKind.REGRESSION: {"spearman"},
    }
    assert set(refused) == expected[kind]


@pytest.mark.parametrize("measure", ["mcc", "f1", "average_precision"])
def test_test_rows_of_one_class_are_refused_whatever_they_are_taken_over(measure):
    task = toy_task(["control", "case"] * 6, TaskKind.BINARY, measure)
    hold_out = toy_splits(task, [[0, 2, 4]], name="holdout")
    with pytest.raises(ConfigError, match=r"needs test .* two classes; .*1 of the 1 .*log_loss"):
        check_measure(task, hold_out)
    check_measure(toy_task(["control", "case"] * 6, TaskKind.BINARY, "brier"), hold_out)
    check_measure(task, toy_splits(task, [[0, 1, 2], [3, 4, 5]]))


def test_r2_of_one_test_row_is_refused():
    task = toy_task(np.arange(12.0), TaskKind.REGRESSION, "r2")
    with pytest.raises(ConfigError, match=r"r2 needs test rows with two values.*measure=rmse"):
        check_measure(task, toy_splits(task, [[3]], name="holdout"))
    check_measure(task, toy_splits(task, [[3], [4]], name="loo"))


def test_primary_measure_must_rank_and_exist():
    y = ["control", "case"] * 6
    task = toy_task(y, TaskKind.BINARY, "calibration_slope")
    splits = toy_splits(task, [[0, 1], [2, 3]])
    with pytest.raises(ConfigError, match="calibration_slope does not"):
        check_measure(task, splits)
    with pytest.raises(ConfigError, match="measure must name"):
        check_measure(toy_task(y, TaskKind.BINARY, "rmse"), splits)
