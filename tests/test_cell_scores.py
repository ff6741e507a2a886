"""Scores of a cell over folds or whole repeats. Oracles: all rows of a repeat, exact formulas."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics

from smalldata.comparison.comparison import compare
from smalldata.comparison.scores import cell_draws, cell_scores, guessing_score
from smalldata.evaluation.outer_loop import evaluate
from smalldata.measures.registry import find_measure, measures_for
from smalldata.models import load_learner
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.sections.scores import summarize_scores
from smalldata.report.sections.scores_words import explain_score
from smalldata.report.sections.task import summarize_task
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.statistics.significance import draw_weights
from smalldata.task import TaskKind
from toys import make_toy

REGRESSION, BINARY = TaskKind.REGRESSION, TaskKind.BINARY
R2 = find_measure("r2", REGRESSION)


def make_record(predictions, kind, *, model="a", classes=("control", "case"), ratio=0.25):
    """A finished cell with the predictions of each fold of each repeat."""
    folds = [
        FoldResult(repeat=repeat, fold=fold, status="ok", seed=0, prediction=prediction)
        for repeat, several in enumerate(predictions)
        for fold, prediction in enumerate(several)
    ]
    return RunRecord(
        dataset="toy",
        cv="kfold",
        model=model,
        kind=kind,
        classes=() if kind is REGRESSION else classes,
        measure="rmse" if kind is REGRESSION else "roc_auc",
        target="y",
        n_samples=1 + max(int(fold.prediction.row.max()) for fold in folds),
        n_features=2,
        splits_key="3fa1" * 16,
        test_train_ratio=ratio,
        n_planned=len(folds),
        identity={"model": model},
        folds=tuple(folds),
    )


def cut(values, n_folds, rng):
    return np.array_split(rng.permutation(len(values)), n_folds)


def value_record(y, value, n_folds, *, n_repeats=1, seed=0, model="a"):
    rng = np.random.default_rng(seed)
    predictions = [
        [Prediction(row=rows, y=y[rows], value=value[rows]) for rows in cut(y, n_folds, rng)]
        for _ in range(n_repeats)
    ]
    return make_record(predictions, REGRESSION, model=model)


def label_record(y, p, n_folds, *, seed=0, model="a"):
    folds = [
        Prediction(
            row=rows,
            y=y[rows],
            label=(p[rows] > 0.5).astype(np.int64),
            probabilities=np.column_stack([1 - p[rows], p[rows]]),
        )
        for rows in cut(y, n_folds, np.random.default_rng(seed))
    ]
    return make_record([folds], BINARY, model=model)


# ---------------------------------------------------------------- over whole repeats


@pytest.mark.parametrize("n_folds", [5, 20, 40])
def test_rmse_and_r2_are_those_of_all_rows_of_a_repeat(n_folds):
    rng = np.random.default_rng(1)
    y = rng.normal(size=40)
    value = 0.6 * y + 0.5 * rng.normal(size=40)
    record = value_record(y, value, n_folds, n_repeats=2)
    expected = {
        "rmse": metrics.root_mean_squared_error(y, value),
        "r2": metrics.r2_score(y, value),
        "mae": metrics.mean_absolute_error(y, value),
    }
    for name, value in expected.items():
        measure = find_measure(name, REGRESSION)
        scores = cell_scores(record, measure)
        assert scores.mean == pytest.approx(value, abs=1e-12), name
        assert len(scores.values) == 2 * n_folds
        assert scores.pooled == (name != "mae")
        assert ("test rows of a repeat" in scores.note) == scores.pooled
        drawn = cell_draws(record, measure, np.ones((1, 40)))
        assert drawn[0] == pytest.approx(value, abs=1e-12)
    if n_folds == 40:  # the mean of the roots of single rows, which stood here before
        assert expected["rmse"] > 1.1 * expected["mae"]


@pytest.mark.parametrize("name", ["mcc", "f1", "balanced_accuracy"])
def test_measures_of_labels_are_pooled_where_folds_are_small_or_lack_a_class(name):
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], [30, 18])
    p = np.clip(0.3 * y + rng.uniform(size=48) * 0.7, 0, 1)
    whole = {
        "mcc": metrics.matthews_corrcoef(y, p > 0.5),
        "f1": metrics.f1_score(y, p > 0.5),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p > 0.5),
    }
    measure = find_measure(name, BINARY)
    for n_folds in (48, 12):
        scores = cell_scores(label_record(y, p, n_folds), measure)
        assert scores.pooled
        assert scores.mean == pytest.approx(whole[name], abs=1e-12)
    y, p = np.tile(y, 2), np.tile(p, 2)
    large = label_record(y, p, 2)
    scores = cell_scores(large, measure)
    assert not scores.pooled
    single = [measure.score(fold.prediction, classes=large.classes).value for fold in large.folds]
    assert scores.values == pytest.approx(single)


def test_what_only_an_order_gives_is_never_pooled():
    """Predicting the mean of the other rows has a rank correlation of -1 over all rows."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=24)
    left_out = (y.sum() - y) / 23
    assert scipy.stats.spearmanr(y, left_out).statistic == pytest.approx(-1)
    spearman = find_measure("spearman", REGRESSION)
    loo = value_record(y, left_out, 24)
    assert cell_scores(loo, spearman).reason.startswith("undefined on 24 of 24 folds")
    small = value_record(y, y + rng.normal(size=24), 8)
    scores = cell_scores(small, spearman)
    single = [spearman.score(fold.prediction).value for fold in small.folds]
    assert not scores.pooled
    assert scores.mean == pytest.approx(np.mean(single))
    assert cell_draws(small, spearman, np.ones((1, 24)))[0] == pytest.approx(scores.mean)


@pytest.mark.parametrize("name", ["rmse", "r2"])
def test_parts_of_folds_vary_like_the_score_over_draws_of_rows(name):
    rng = np.random.default_rng(4)
    y = rng.normal(size=200)
    record = value_record(y, 0.7 * y + 0.6 * rng.normal(size=200), 200)
    measure = find_measure(name, REGRESSION)
    parts = cell_scores(record, measure).values
    weights = draw_weights(np.arange(200), 2000, seed=0)
    drawn = np.std(cell_draws(record, measure, weights))
    assert np.std(parts) / math.sqrt(200) == pytest.approx(drawn, rel=0.1)


@pytest.mark.parametrize("name", ["rmse", "r2"])
def test_parts_without_a_weighted_form_are_nearly_those_with_one(name):
    rng = np.random.default_rng(5)
    y = rng.normal(size=120)
    record = value_record(y, 0.7 * y + 0.6 * rng.normal(size=120), 60)
    measure = find_measure(name, REGRESSION)
    slow = cell_scores(record, dataclasses.replace(measure, weighted=None))
    quick = cell_scores(record, measure)
    assert slow.mean == pytest.approx(quick.mean, abs=1e-12)
    assert slow.values == pytest.approx(quick.values, rel=0.2, abs=0.05)
    assert np.corrcoef(slow.values, quick.values)[0, 1] > 0.999


def test_a_constant_label_has_the_same_part_in_every_fold():
    y = np.tile([0, 1], 10)
    record = label_record(y, np.full(20, 0.9), 20)
    assert cell_scores(record, find_measure("balanced_accuracy", BINARY)).values == pytest.approx(
        np.full(20, 0.5), abs=1e-9
    )


def test_a_score_undefined_over_all_rows_says_why():
    y = np.tile([0, 1], 10)
    record = label_record(y, np.where(y == 1, 0.9, 0.2), 5)
    slope = cell_scores(record, find_measure("calibration_slope", BINARY))
    assert slope.mean is None
    assert slope.reason.startswith("undefined over all test rows: the probabilities separate")


# ---------------------------------------------------------------- calibration


def calibrated(rng, n, *, steeper=1.0):
    logit = 1.5 * rng.normal(size=n)
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    return y, 1 / (1 + np.exp(-steeper * logit))


def test_perfect_probabilities_read_a_slope_of_one_on_folds_of_twenty_rows():
    rng = np.random.default_rng(7)
    slope, shift = (find_measure(f"calibration_{end}", BINARY) for end in ("slope", "intercept"))
    pooled, shifts, by_fold = [], [], []
    for _ in range(60):
        y, p = calibrated(rng, 100)
        record = label_record(y, p, 5)
        pooled.append(cell_scores(record, slope).mean)
        shifts.append(cell_scores(record, shift).mean)
        found = [slope.score(fold.prediction, classes=record.classes) for fold in record.folds]
        by_fold += [score.value for score in found if score.value is not None]
    assert np.mean(pooled) == pytest.approx(1, abs=0.1)
    assert np.mean(shifts) == pytest.approx(0, abs=0.08)
    assert np.mean(by_fold) > 1.25  # what the table said before


def test_interval_of_the_slope_is_drawn_over_samples_and_holds_one():
    rng = np.random.default_rng(8)
    y, p = calibrated(rng, 150)
    rows = {row.measure: row for row in compare([label_record(y, p, 5)]).rows}
    row = rows["calibration_slope"]
    assert row.ci_low < 1 < row.ci_high
    assert row.ci_low < row.mean < row.ci_high
    steep = {
        row.measure: row for row in compare([label_record(y, p**3 / (p**3 + (1 - p) ** 3), 5)]).rows
    }
    assert steep["calibration_slope"].mean == pytest.approx(row.mean / 3)
    assert steep["calibration_slope"].ci_high < 1


def test_interval_of_the_slope_is_wider_over_groups_of_like_samples():
    rng = np.random.default_rng(9)
    y, p = calibrated(rng, 40)
    y, p = np.repeat(y, 4), np.repeat(p, 4)
    alone = label_record(y, p, 5)
    grouped = dataclasses.replace(alone, groups=tuple(np.repeat(np.arange(40), 4).tolist()))
    width = {}
    for name, record in (("alone", alone), ("grouped", grouped)):
        row = next(r for r in compare([record]).rows if r.measure == "calibration_slope")
        width[name] = row.ci_high - row.ci_low
    assert width["grouped"] > 1.5 * width["alone"]


# ---------------------------------------------------------------- the reference


@pytest.mark.parametrize("n_cases", [8, 9, 10, 11, 12, 15])
def test_dummy_under_leave_one_out_scores_what_guessing_scores(n_cases):
    task = make_toy(["case"] * n_cases + ["control"] * (20 - n_cases))
    record = evaluate(task, load_learner("dummy"), make_splits(task, "loo"), n_jobs=1)
    share = n_cases / 20
    expected = {
        "balanced_accuracy": 0.5,
        "mcc": 0.0,
        "f1": 2 * share / (1 + share),
        "log_loss": -share * math.log(share) - (1 - share) * math.log(1 - share),
        "brier": share * (1 - share),
    }
    for name, value in expected.items():
        measure = find_measure(name, task.kind)
        scores = cell_scores(record, measure)
        assert scores.mean == pytest.approx(value, abs=1e-12), name
        drawn = cell_draws(record, measure, np.ones((1, 20)))
        assert drawn[0] == pytest.approx(value, abs=1e-12), name
        assert guessing_score(record, measure, task.y) == pytest.approx(value, abs=1e-12)
    # Shares of all samples are calibrated in the large, to the last digit.
    assert cell_scores(record, find_measure("calibration_intercept", task.kind)).mean == 0
    alone = [fold.prediction.label[0] == fold.prediction.y[0] for fold in record.folds]
    note = cell_scores(record, find_measure("balanced_accuracy", task.kind)).note
    if n_cases == 10:  # the other class is always the larger one of the rest
        assert not any(alone)
        assert "those of the training samples alone" in note
        assert "would score 0.000" in note
    else:
        assert "scored as guessing" not in note


def test_dummy_of_three_equal_classes_scores_what_guessing_scores():
    task = make_toy(["a", "b", "c"] * 8, kind=TaskKind.MULTICLASS)
    record = evaluate(task, load_learner("dummy"), make_splits(task, "loo"), n_jobs=1)
    scores = {
        name: cell_scores(record, find_measure(name, task.kind)).mean
        for name in ("balanced_accuracy", "mcc", "log_loss")
    }
    assert scores == pytest.approx({"balanced_accuracy": 1 / 3, "mcc": 0, "log_loss": math.log(3)})


@pytest.mark.parametrize("name", ["f1", "log_loss", "balanced_accuracy"])
def test_page_of_dummy_lists_the_folds_that_its_mean_is_of(name):
    task = make_toy(["case"] * 14 + ["control"] * 26)
    record = evaluate(
        task, load_learner("dummy"), make_splits(task, "kfold", n_splits=4), n_jobs=1, model="dummy"
    )
    (score,) = (one for one in summarize_scores(task, record, None) if one.name == name)
    assert score.min <= score.mean <= score.max
    if name != "f1":  # which is pooled over small folds
        assert score.mean == pytest.approx(np.mean([fold.value for fold in score.folds]))
    drawn = summarize_comparison(compare([record]), [record], task)
    values = [one["value"] for one in drawn.fold_scores if drawn.measures[one["m"]].name == name]
    assert values == pytest.approx([fold.value for fold in score.folds], rel=1e-4)


def test_dummy_with_one_group_left_out_scores_what_guessing_scores():
    groups = np.repeat(np.arange(8), 4)
    y = np.where(np.arange(32) % 8 < 4, "case", "control")  # every group holds one class
    task = make_toy(y, groups=groups)
    record = evaluate(task, load_learner("dummy"), make_splits(task, "loo"), n_jobs=1)
    assert len(record.folds) == 8
    found = cell_scores(record, find_measure("balanced_accuracy", task.kind))
    assert found.mean == pytest.approx(0.5)
    assert cell_scores(record, find_measure("brier", task.kind)).mean == pytest.approx(0.25)


def test_mean_of_the_other_rows_has_a_known_rmse_and_r2_under_leave_one_out():
    rng = np.random.default_rng(10)
    y = rng.normal(size=25)
    record = value_record(y, (y.sum() - y) / 24, 25, model="dummy")
    rmse, r2 = (cell_scores(record, find_measure(name, REGRESSION)).mean for name in ("rmse", "r2"))
    assert rmse == pytest.approx(np.std(y) * 25 / 24)
    assert r2 == pytest.approx(1 - (25 / 24) ** 2)


@pytest.mark.parametrize("cv", ["kfold", "loo", "holdout"])
@pytest.mark.parametrize("kind", list(TaskKind))
def test_guessing_is_scored_from_any_cell_as_dummy_is(kind, cv):
    rng = np.random.default_rng(11)
    y = {
        BINARY: ["case", "control", "control"] * 15,
        TaskKind.MULTICLASS: ["case", "control", "other"] * 15,
        REGRESSION: rng.normal(size=45),
    }
    task = make_toy(y[kind], kind=kind)
    splits = make_splits(task, cv, n_splits=3 if cv == "kfold" else None)
    dummy, knn = (evaluate(task, load_learner(name), splits, n_jobs=1) for name in ("dummy", "knn"))
    for measure in measures_for(task.kind):
        if measure.ranked:
            known = cell_scores(dummy, measure).mean
            assert guessing_score(knn, measure, task.y) == pytest.approx(known), measure.name


def test_the_mean_is_called_better_exactly_where_dummy_ranks_above():
    """On two-row folds, R2 was -43 while the model was ahead of dummy."""
    rng = np.random.default_rng(12)
    y = rng.normal(size=40)
    task = make_toy(y, kind=REGRESSION)
    rows = [np.arange(40)[i::20] for i in range(20)]
    guess = [np.full(2, np.mean(np.delete(y, part))) for part in rows]
    said = {}
    for name, signal in (("ahead", 0.02), ("behind", -0.1)):
        value = {part[0]: one + signal * y[part] for part, one in zip(rows, guess, strict=True)}
        folds = [Prediction(row=part, y=y[part], value=value[part[0]]) for part in rows]
        dummy = [
            Prediction(row=part, y=y[part], value=one)
            for part, one in zip(rows, guess, strict=True)
        ]
        records = [
            make_record([folds], REGRESSION, model=name),
            make_record([dummy], REGRESSION, model="dummy"),
        ]
        best = compare(records, measure="r2").rows[0].model
        assert best == (name if name == "ahead" else "dummy")
        for comparison in (None, compare(records, measure="r2")):
            (score,) = (
                one for one in summarize_scores(task, records[0], comparison) if one.name == "r2"
            )
            assert score.guessing == pytest.approx(cell_scores(records[1], R2).mean)
            assert score.mean < 0
            assert score.n == 20
            said[name, comparison is None] = explain_score(score, summarize_task(task))
    assert said["ahead", True] == said["ahead", False] == ""
    assert "would predict better" in said["behind", True]
    assert "would predict better" in said["behind", False]
