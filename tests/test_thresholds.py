"""The threshold of a fold: the rules, that it sees training rows alone, the disk and the command.

Oracles: scikit-learn, brute force, simulation.
"""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import confusion_matrix, roc_curve

from report_cells import make_toy_task
from smalldata.__main__ import main
from smalldata.comparison.comparison import compare
from smalldata.errors import ConfigError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate, evaluate_fold
from smalldata.evaluation.thresholds import ThresholdOptions, choose_on_inner_folds
from smalldata.explanation.explanation import explain
from smalldata.measures.thresholds import (
    candidate_thresholds,
    choose_on_draws,
    choose_threshold,
    net_benefit,
    predictive_values,
    rates_at,
)
from smalldata.models import load_learner
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Prediction
from smalldata.store.cell_folder import CellFolder
from smalldata.task import TaskKind, make_task
from toys import binary_toy, classes_toy, differences, make_toy

RULES = [
    {"rule": "youden"},
    {"rule": "sensitivity", "at": 0.9},
    {"rule": "specificity", "at": 0.95},
    {"rule": "cost", "cost_ratio": 4.0},
    {"rule": "cost", "cost_ratio": 4.0, "prevalence": 0.02},
]


def draw(seed, *, digits=2):
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.integers(0, 2, int(rng.integers(5, 60))))
    return y, np.round(np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1), digits)


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_scikit_learn(seed):
    y, score = draw(seed)
    thresholds = candidate_thresholds(score)
    sensitivity, specificity = rates_at(y, score, thresholds)
    for i, threshold in enumerate(thresholds):
        (tn, fp), (fn, tp) = confusion_matrix(y, score > threshold)
        assert sensitivity[i] == pytest.approx(tp / (tp + fn))
        assert specificity[i] == pytest.approx(tn / (tn + fp))
    false_rate, true_rate, _ = roc_curve(y, score, drop_intermediate=False)
    assert sensitivity == pytest.approx(true_rate)
    assert 1 - specificity == pytest.approx(false_rate)


@pytest.mark.parametrize("asked", RULES, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_rule_takes_the_best_of_all_thresholds(seed, asked):
    y, score = draw(seed)
    chosen = choose_threshold(y, score, **asked)

    def worth(threshold):
        sens, spec = np.mean(score[y == 1] > threshold), np.mean(score[y == 0] <= threshold)
        if asked["rule"] == "youden":
            return sens + spec
        if asked["rule"] == "cost":
            share = asked.get("prevalence", y.mean())
            return -(share * asked["cost_ratio"] * (1 - sens) + (1 - share) * (1 - spec))
        kept, other = (sens, spec) if asked["rule"] == "sensitivity" else (spec, sens)
        return other if kept >= asked["at"] - 1e-12 else -1.0

    best = max(worth(threshold) for threshold in np.linspace(-0.005, 0.995, 101))
    assert worth(chosen) == pytest.approx(best)


@pytest.mark.parametrize("asked", RULES, ids=str)
def test_a_draw_chooses_as_its_repeated_rows_do(asked):
    y, score = draw(3)
    weights = np.random.default_rng(0).multinomial(len(y), np.ones(len(y)) / len(y), 40)
    found = choose_on_draws(y, score, weights.astype(float), **asked)
    for weight, threshold in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(len(y)), weight)
        expected = choose_threshold(y[rows], score[rows], **asked)
        # The same rows are called, though the gap that the threshold lies in may be wider.
        assert np.array_equal(score[rows] > threshold, score[rows] > expected)


def test_a_draw_without_a_class_has_no_threshold():
    y, score = np.array([0, 0, 1]), np.array([0.1, 0.2, 0.9])
    found = choose_on_draws(y, score, np.array([[2.0, 1, 0], [1, 1, 1]]), rule="youden")
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize("score", [np.zeros(6), np.ones(6), np.full(6, 0.3)])
def test_equal_probabilities_call_all_or_none(score):
    y = np.array([0, 0, 0, 0, 1, 1])
    everyone = choose_threshold(y, score, rule="cost", cost_ratio=100.0)
    no_one = choose_threshold(y, score, rule="cost", cost_ratio=0.01)
    assert np.all(score > everyone)
    assert not np.any(score > no_one)


# ---------------------------------------------------------------- what a call is worth


def test_predictive_values_at_a_named_prevalence_are_those_of_such_a_population():
    """A test that is judged on half positives is used where 1 in 20 is."""
    rng = np.random.default_rng(0)
    sens, spec, prevalence = 0.85, 0.9, 0.05
    ppv, npv = predictive_values(sens / (1 - spec), (1 - sens) / spec, prevalence)
    ill = rng.random(2_000_000) < prevalence
    called = rng.random(len(ill)) < np.where(ill, sens, 1 - spec)
    assert float(ppv) == pytest.approx(ill[called].mean(), abs=0.004)
    assert float(npv) == pytest.approx((~ill)[~called].mean(), abs=0.001)


def test_net_benefit_counts_what_treating_costs():
    """Brute force over people: a true positive is worth 1, a false one -t / (1 - t)."""
    y, score = draw(5)
    for t in (0.05, 0.3, 0.6):
        called = score > t
        worth = np.where(y == 1, 1.0, -t / (1 - t))
        (tn, fp), (fn, tp) = confusion_matrix(y, called)
        found = net_benefit(tp / (tp + fn), tn / (tn + fp), prevalence=float(y.mean()), threshold=t)
        assert found == pytest.approx(np.sum(worth[called]) / len(y))
    assert net_benefit(1.0, 0.0, prevalence=0.2, threshold=0.2) == pytest.approx(0.0)


# ---------------------------------------------------------------- inside the folds


def make_signal(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    y = np.where(X[:, 0] + rng.normal(size=n) > 0.6, "yes", "no")
    task = make_toy(y, n_features=6)
    frame = pd.DataFrame(X, columns=task.X.columns)
    return make_task(dataclasses.replace(task.dataset, X=frame, positive="yes"))


def test_the_threshold_does_not_see_the_held_out_rows():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    fold = splits.folds[0]
    options = ThresholdOptions()
    first = evaluate_fold(
        Cell(task=task, learner=load_learner("linear"), splits=splits, threshold=options), fold
    )
    X = task.X.copy()
    X.iloc[fold.test] = 100.0
    moved = dataclasses.replace(task, dataset=dataclasses.replace(task.dataset, X=X))
    cell = Cell(task=moved, learner=load_learner("linear"), splits=splits, threshold=options)
    second = evaluate_fold(cell, fold)
    assert first.threshold == second.threshold
    assert first.threshold is not None
    assert first.threshold.n_rows == len(fold.train)
    assert not np.array_equal(first.prediction.probabilities, second.prediction.probabilities)


def test_no_training_row_is_predicted_by_a_model_that_has_seen_it():
    """The one nearest neighbour knows every row it has seen: its own predictions are perfect."""
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"] * 40)
    task = make_toy(y, n_features=6)
    frame = pd.DataFrame(rng.normal(size=(80, 6)), columns=task.X.columns)
    task = make_task(dataclasses.replace(task.dataset, X=frame, positive="yes"))
    learner = dataclasses.replace(load_learner("knn"), n_neighbors=1)
    splits = make_splits(task, "kfold", n_splits=4)
    record = evaluate(task, learner, splits, threshold=ThresholdOptions(), n_jobs=1)
    reached = [fold.threshold.sensitivity + fold.threshold.specificity for fold in record.folds]
    assert np.mean(reached) < 1.4


def test_the_threshold_of_a_draw_is_not_rounded():
    """Rounded, one of very sure probabilities would be 0 or 1, where it calls all or none."""
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=2)
    cell = Cell(task=task, learner=_Sure(), splits=splits, threshold=ThresholdOptions())
    found = evaluate_fold(cell, splits.folds[0]).threshold
    assert found.value in found.draws
    assert 0 < min(found.draws) < 1e-6


class _SureEstimator(BaseEstimator):
    def fit(self, X, y, groups=None):
        return self

    def predict_proba(self, X):
        positive = 1e-9 * (1 + np.argsort(np.argsort(np.asarray(X)[:, 0])))
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sure:
    traits = load_learner("linear").traits

    def build(self, info, *, seed, device):
        return _SureEstimator()


def test_a_sensitivity_that_is_asked_for_is_reached_on_new_rows():
    """And would not be by a threshold taken from the predictions of rows already seen."""
    reached = []
    for seed in range(3):
        task = make_signal(n=120, seed=seed)
        splits = make_splits(task, "kfold", n_splits=2)
        options = ThresholdOptions(rule="sensitivity", at=0.9)
        record = evaluate(task, load_learner("linear"), splits, threshold=options, n_jobs=1)
        for fold in record.folds:
            hit = fold.prediction.label[fold.prediction.y == 1]
            reached += hit.tolist()
            assert fold.threshold.sensitivity >= 0.9
    assert 0.84 < np.mean(reached) < 0.98


def test_the_inner_fits_use_the_preprocessing_of_the_fold():
    task = make_signal()
    splits = make_splits(task, "kfold", n_splits=3)
    cell = Cell(task=task, learner=load_learner("linear"), splits=splits)
    rows = cell.training(splits.folds[0], seed=1)
    once = np.ones((1, len(rows.y)))
    plain = choose_on_inner_folds(cell.learner, rows, ThresholdOptions(), draws=once)
    again = choose_on_inner_folds(cell.learner, rows, ThresholdOptions(), draws=once)
    chosen = dataclasses.replace(rows.preprocessing, select="univariate", k=1)
    selected = dataclasses.replace(rows, preprocessing=chosen)
    other = choose_on_inner_folds(cell.learner, selected, ThresholdOptions(), draws=once)
    assert plain == again
    assert plain.draws == (plain.value,)
    assert other.value != plain.value


def test_without_a_rule_nothing_changes():
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("linear")
    cell = Cell(task=task, learner=learner, splits=splits)
    assert "threshold" not in cell.identity
    assert "threshold" not in cell.settings
    plain = evaluate(task, learner, splits, n_jobs=1)
    ruled = evaluate(task, learner, splits, threshold=ThresholdOptions(), n_jobs=1)
    assert plain.label == "linear"
    assert ruled.label == "linear (threshold=youden)"
    assert plain.hash != ruled.hash
    for first, second in zip(plain.folds, ruled.folds, strict=True):
        before, after = first.prediction, second.prediction
        assert first.threshold is None
        assert np.array_equal(before.probabilities, after.probabilities)
        assert np.array_equal(before.label, before.probabilities.argmax(axis=1))
        called = after.probabilities[:, 1] > second.threshold.value
        assert np.array_equal(after.label, called.astype(int))
        assert first.scores["roc_auc"] == second.scores["roc_auc"]


def test_labels_of_a_threshold_of_one_half_are_those_of_the_more_probable_class():
    p = np.array([0.0, 0.4999, 0.5, 0.5001, 1.0])
    prediction = Prediction(
        row=np.arange(5), y=np.zeros(5, dtype=int), probabilities=np.column_stack([1 - p, p])
    )
    expected = prediction.probabilities.argmax(axis=1)
    assert np.array_equal(prediction.called_at(0.5).label, expected)


def test_only_the_rule_that_reads_the_prevalence_has_it_in_the_identity():
    youden = ThresholdOptions(prevalence=0.1)
    assert youden.describe() == ThresholdOptions().describe()
    cost = ThresholdOptions(rule="cost", cost_ratio=3.0, prevalence=0.1)
    assert cost.describe()["prevalence"] == 0.1
    assert cost.settings() == {
        "threshold": "cost",
        "threshold.cost_ratio": 3.0,
        "threshold.prevalence": 0.1,
    }


def test_training_rows_that_cannot_be_cut_fail_the_fold_with_the_remedy():
    task = make_toy(["yes", "no", "no", "no", "no", "no", "yes", "no"], n_features=3)
    splits = make_splits(task, "kfold", n_splits=2)
    record = evaluate(task, load_learner("dummy"), splits, threshold=ThresholdOptions(), n_jobs=1)
    assert record.status == "failed"
    assert "cannot be cut into 2; set threshold.rule=none" in record.reason


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rule": "best"}, "must be none, youden, sensitivity, specificity or cost; got 'best'"),
        ({"at": 0.9}, "threshold.at goes with threshold.rule=sensitivity or specificity"),
        ({"rule": "sensitivity", "at": 90}, "above 0 and at most 1; got 90"),
        ({"rule": "cost"}, "threshold.cost_ratio goes with threshold.rule=cost"),
        ({"cost_ratio": 2.0}, "threshold.cost_ratio goes with threshold.rule=cost"),
        ({"rule": "cost", "cost_ratio": 0.0}, "must be a number above 0"),
        ({"inner_folds": 1}, "whole number of at least 2; got 1"),
        ({"prevalence": 5}, "share above 0 and below 1, such as 0.05; got 5"),
    ],
)
def test_options_say_what_they_take(values, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        ThresholdOptions(**values)


def test_a_task_of_more_classes_takes_no_threshold():
    task = classes_toy()
    with pytest.raises(ConfigError, match="needs a target of two classes"):
        Cell(
            task=task,
            learner=load_learner("dummy"),
            splits=make_splits(task, "kfold", n_splits=2),
            threshold=ThresholdOptions(),
        )


RUN = ("dataset=omics", "model=linear", "cv=kfold", "cv.n_splits=2", "explain=none", "n_jobs=1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["threshold.at=0.9"], "threshold.at needs a rule; set threshold.rule=youden"),
        (["threshold.prevalence=1.5"], "threshold.prevalence must be a share"),
        (["threshold.rul=youden"], "threshold.rule"),
        (["dataset=meats", "threshold.prevalence=0.1"], "needs a target of two classes"),
        (["dataset=meats", "threshold.rule=youden"], "needs a target of two classes"),
        (["threshold.at=high"], "threshold.at must be a number or null"),
    ],
)
def test_wrong_settings_are_one_sentence(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_run_stores_the_choice_and_the_page_follows_the_prevalence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = [*RUN, "threshold.rule=sensitivity", "threshold.at=0.95"]
    assert main(command) == 0
    (path,) = (tmp_path / "outputs" / "omics").glob("*/linear-*")
    entry = json.loads((path / "folds" / "r00f00.json").read_text())["threshold"]
    assert (entry["rule"], entry["n_folds"], len(entry["draws"])) == ("sensitivity", 5, 200)
    folder = CellFolder(path)
    record = folder.read_record()
    assert "threshold=sensitivity" in record.label
    again = record.folds[0]
    assert again.threshold is not None
    assert again.threshold.value == entry["value"]
    assert again.seconds["threshold"] > 0
    spent = sum(fold.seconds["threshold"] for fold in record.folds)
    row = compare([record]).rows[0]
    assert row.tune_seconds == pytest.approx(spent), "a choice inside the fold, as tuning is"
    stamp = (path / "folds" / "r00f00.json").stat().st_mtime_ns
    assert "the share among these samples" in (path / "report.html").read_text()

    assert main([*command, "threshold.prevalence=0.05"]) == 0
    assert (path / "folds" / "r00f00.json").stat().st_mtime_ns == stamp, "nothing is fitted again"
    assert "Where 5\u202f% of those tested" in (path / "report.html").read_text()
    assert main(["explain", str(path), "explain.repeats=1", "explain.background=5"]) == 0
    assert "Where 5\u202f% of those tested" in (path / "report.html").read_text()
    assert len(list(path.parent.glob("linear-*"))) == 1


def test_processes_and_resuming_change_no_threshold():
    task = make_toy_task("binary", n_samples=60)
    assert task.kind is TaskKind.BINARY
    splits = make_splits(task, "kfold", n_splits=3)
    options = ThresholdOptions(rule="specificity", at=0.8)
    learner = load_learner("linear")
    alone = evaluate(task, learner, splits, threshold=options, n_jobs=1)
    both = evaluate(task, learner, splits, threshold=options, n_jobs=2)
    assert differences(alone.folds, both.folds) == []
    rest = evaluate(task, learner, splits, threshold=options, n_jobs=1, finished=alone.folds[:1])
    assert differences(alone.folds, rest.folds) == []


def test_what_removals_cost_starts_at_the_score_of_the_labels():
    """The explanation scores with the fold's threshold too, when nothing has been removed."""
    task = dataclasses.replace(make_toy_task("binary", n_samples=60), measure="balanced_accuracy")
    splits = make_splits(task, "kfold", n_splits=3)
    learner = load_learner("linear")
    options = ThresholdOptions(rule="sensitivity", at=1.0)
    record = evaluate(task, learner, splits, threshold=options, n_jobs=1)
    found = explain(task, record, learner, splits, n_jobs=1).faithfulness
    scores = [fold.scores["balanced_accuracy"].value for fold in record.folds]
    assert found.leading[:, 0] == pytest.approx(scores)
    plain = evaluate(task, learner, splits, n_jobs=1)
    assert scores != [fold.scores["balanced_accuracy"].value for fold in plain.folds]
