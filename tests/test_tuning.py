"""Tuning inside one training fold: what is tried, chosen, kept and resumed."""

import contextlib
import dataclasses
import io
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from smalldata.__main__ import main
from smalldata.comparison.comparison import compare
from smalldata.datasets import load_dataset
from smalldata.errors import ConfigError, FitError, RecordError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate
from smalldata.learner import Parameter, SearchSpace
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.pipeline.preprocess import PLAIN, Preprocessing, make_pipeline
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.splitting import make_folds
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Trial
from smalldata.run.cell import open_cell
from smalldata.seeding import seed_for
from smalldata.store.cell_folder import CellFolder
from smalldata.store.trial_log import TrialFolder, read_trials
from smalldata.task import TaskKind, make_task
from smalldata.tuning.choice import best_trial
from smalldata.tuning.samplers import grid_points
from smalldata.tuning.tuner import TuningOptions, make_tuner
from spies import Spy
from toys import binary_toy, classes_toy, differences, make_toy, values_toy

SPACE = SearchSpace.from_config(
    {
        "n_neighbors": {"kind": "int", "low": 1, "high": 12, "log": True, "simpler": "high"},
        "weights": {
            "kind": "categorical",
            "choices": ["uniform", "distance"],
            "simpler": ["uniform", "distance"],
        },
    }
)
KNN = load_learner("knn", n_neighbors=8)
MODES = SearchSpace.from_config({"mode": {"kind": "categorical", "choices": ["", "raise"]}})


AUC = find_measure("roc_auc", TaskKind.BINARY)


class Memory:
    """A log in memory."""

    def __init__(self, trials=()):
        self.kept = {}
        self.given = tuple(trials)

    def start(self, name):
        return self.kept.get(name, self.given)

    def add(self, name, trial):
        self.kept[name] = (*self.start(name), trial)

    def restart(self, name):
        self.given = ()
        self.kept.pop(name, None)


class Counting(Memory):
    """Also counts what it is given."""

    n_added = 0

    def add(self, name, trial):
        self.n_added += 1
        super().add(name, trial)


def run_tuner(task, learner=KNN, space=SPACE, *, log=None, preprocessing=PLAIN, **options):
    """Tune on all rows of a task; returns what came of it and the trials."""
    log = Memory() if log is None else log
    options = {"trials": 6, "inner_folds": 3} | options
    tuner = make_tuner(task, learner, space, options=TuningOptions(**options), log=log)
    rows = TrainingRows.of(task, preprocessing=preprocessing, seed=7)
    tuned = tuner.tune(learner, rows, name="r00f00")
    return tuned, log.start("r00f00")


def scores_of(trials):
    """The scores of the trials that have one."""
    return [trial.score for trial in trials if trial.score is not None]


# ---------------------------------------------------------------- what is chosen


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "grid"])
def test_the_first_trial_is_the_default_and_the_choice_is_the_best(sampler):
    tuned, trials = run_tuner(binary_toy(), trials=14, sampler=sampler, choose="best")
    assert [trial.ordinal for trial in trials] == list(range(len(trials)))
    assert len(trials) == (14 if sampler != "grid" else 13)  # 2 weights x 6 levels fit in 13
    assert trials[0].values == {"n_neighbors": 8, "weights": "distance"}
    chosen = next(
        trial
        for trial in trials
        if trial.values
        == {"n_neighbors": tuned.learner.n_neighbors, "weights": tuned.learner.weights}
    )
    assert chosen.score == max(scores_of(trials)) >= trials[0].score
    assert tuned.learner.metric == KNN.metric
    assert len({tuple(trial.values.items()) for trial in trials}) > 4
    for trial in trials:
        assert all(SPACE.parameters[name].contains(value) for name, value in trial.values.items())


def test_a_score_is_that_of_the_whole_pipeline_on_the_inner_folds():
    task = binary_toy()
    preprocessing = Preprocessing(select="univariate", k=2)
    _, trials = run_tuner(task, preprocessing=preprocessing, inner_repeats=2, trials=3)
    pairs = [
        pair
        for repeat in range(2)
        for pair in make_folds(task.y, 3, stratify=True, seed=seed_for(7, "inner", repeat))
    ]
    for trial in trials:
        expected = []
        for i, (train, test) in enumerate(pairs):
            pipeline = make_pipeline(
                dataclasses.replace(KNN, **trial.values),
                dataclasses.replace(task.info, n_samples=len(train)),
                preprocessing=preprocessing,
                seed=seed_for(7, "fit", i),
                device="cpu",
            ).fit(task.X.iloc[train], task.y[train])
            given = pipeline.predict_proba(task.X.iloc[test])[:, 1]
            expected.append(roc_auc_score(task.y[test], given))
        assert trial.fold_scores == pytest.approx(expected, abs=1e-12)
        assert trial.score == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("task", "measure", "sign"),
    [
        (binary_toy(), "log_loss", -1),
        (binary_toy(), "mcc", 1),
        (values_toy(), "rmse", -1),
        (values_toy(), "r2", 1),
        (classes_toy(), "roc_auc_ovr", 1),
    ],
)
def test_best_trial_follows_the_direction_of_the_measure(task, measure, sign):
    tuned, trials = run_tuner(task, measure=measure, trials=8, choose="best")
    best = max(sign * score for score in scores_of(trials))
    values = {"n_neighbors": tuned.learner.n_neighbors, "weights": tuned.learner.weights}
    chosen = [trial for trial in trials if trial.values == values]
    assert any(trial.score == sign * best for trial in chosen)
    assert len(set(scores_of(trials))) > 1


def _trial(ordinal, score, n_neighbors=3, weights="uniform"):
    values = {"n_neighbors": n_neighbors, "weights": weights}
    state = "failed" if score is None else "ok"
    return Trial(ordinal=ordinal, state=state, values=values, score=score, seconds=100.0)


@pytest.mark.parametrize(
    ("trials", "chosen"),
    [
        ([_trial(0, 0.5), _trial(1, 0.7), _trial(2, 0.6)], 1),
        ([_trial(0, 0.7, 3), _trial(1, 0.7, 9), _trial(2, 0.7, 5)], 1),
        ([_trial(0, 0.7, 9, "distance"), _trial(1, 0.7, 9), _trial(2, 0.7, 8)], 1),
        ([_trial(0, 0.7, 8), _trial(1, 0.7, 9, "distance")], 1),
        ([_trial(0, 0.7), _trial(1, 0.7)], 0),
        ([_trial(0, None), _trial(1, 0.2)], 1),
        ([_trial(0, None)], None),
        ([], None),
    ],
)
def test_ties_go_to_the_simpler_values_in_the_order_of_the_space(trials, chosen):
    found = best_trial(trials, SPACE, measure=AUC)
    assert (found and found.ordinal) == chosen


def test_ties_follow_simpler_only_where_the_space_names_it():
    space = SearchSpace(
        parameters={
            "n_neighbors": Parameter(kind="int", low=1, high=9, simpler="low"),
            "weights": Parameter(kind="categorical", choices=("uniform", "distance")),
        }
    )
    tied = [_trial(0, 0.7, 5, "distance"), _trial(1, 0.7, 3, "distance"), _trial(2, 0.7, 3)]
    assert best_trial(tied, space, measure=AUC).ordinal == 1


def test_defaults_outside_the_space_are_the_first_trial_all_the_same():
    learner = load_learner("knn", n_neighbors=15)
    _, trials = run_tuner(binary_toy(), learner, trials=4)
    assert trials[0].values["n_neighbors"] == 15
    assert len(trials) == 4


def test_equal_values_are_not_fitted_twice():
    space = SearchSpace.from_config({"n_neighbors": {"kind": "int", "low": 7, "high": 8}})
    _, trials = run_tuner(binary_toy(), space=space, trials=8, sampler="random")
    assert sum(trial.seconds > 0 for trial in trials) == 2
    by_value = {}
    for trial in trials:
        assert by_value.setdefault(trial.values["n_neighbors"], trial.score) == trial.score


def test_a_trial_seeds_the_sampler_by_its_ordinal():
    _, trials = run_tuner(binary_toy(), load_learner("svm"), load_space("svm"), trials=8)
    assert len({trial.values["C"] for trial in trials}) == 8
    _, fewer = run_tuner(binary_toy(), load_learner("svm"), load_space("svm"), trials=4)
    assert [t.values for t in fewer] == [t.values for t in trials[:4]]


# ---------------------------------------------------------------- inner folds


def test_inner_folds_never_share_rows_or_groups():
    # The spy predicts 1 for rows it was trained on; two equal rows make a group.
    task = values_toy()
    twice = np.repeat(np.arange(15), 2)
    dataset = dataclasses.replace(
        task.dataset,
        X=task.X.iloc[twice].reset_index(drop=True),
        y=np.where(twice < 15, 1e-9 * twice, 0.0),
        groups=twice.astype(str).astype(object),
    )
    grouped = make_task(dataset)
    _, trials = run_tuner(grouped, Spy(), MODES, trials=1, measure="mae")
    assert trials[0].score < 1e-6
    ungrouped = make_task(dataclasses.replace(dataset, groups=None))
    _, trials = run_tuner(ungrouped, Spy(), MODES, trials=1, measure="mae")
    assert trials[0].score > 0.1  # the check can fail


def test_selection_happens_inside_the_inner_folds():
    scores = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        task = make_toy(list("yn") * 20, n_features=2)
        X = pd.DataFrame(rng.normal(size=(40, 500)), columns=[f"x{i}" for i in range(500)])
        task = make_task(dataclasses.replace(task.dataset, X=X, feature_blocks=("features",) * 500))
        _, trials = run_tuner(
            task, trials=1, preprocessing=Preprocessing(select="univariate", k=10)
        )
        scores.append(trials[0].score)
    assert abs(np.mean(scores) - 0.5) < 0.2  # above 0.85 where the selection has seen the labels


def test_inner_folds_are_capped_by_the_smallest_class():
    task = make_toy(["yes"] * 3 + ["no"] * 20)
    tuned, trials = run_tuner(task, inner_folds=5, inner_repeats=2)
    assert tuned.notes == ("tuned on 3 inner folds instead of 5: more cannot hold each class",)
    assert {len(trial.fold_scores) for trial in trials} == {6}
    few = make_toy([0.1, 0.2, 0.3, 0.4], kind=TaskKind.REGRESSION)
    tuned, _ = run_tuner(few, inner_folds=5)
    assert tuned.notes == ("tuned on 4 inner folds instead of 5: there are too few rows or groups",)


@pytest.mark.parametrize(
    "task",
    [
        make_toy(["yes"] + ["no"] * 20),
        make_toy(["yes"] * 10 + ["no"] * 10, groups=["a"] * 10 + ["b"] * 10),
    ],
)
def test_without_two_inner_folds_the_default_is_used_and_said(task):
    tuned, trials = run_tuner(task)
    assert tuned.learner == KNN
    assert tuned.notes == ("not tuned: the training rows cannot be cut into 2 inner folds",)
    assert trials == ()


def test_an_inner_fold_where_the_measure_is_undefined_counts_for_no_trial():
    task = make_toy([0.0] * 18 + [1.0, 2.0], kind=TaskKind.REGRESSION)
    _, trials = run_tuner(task, measure="r2", inner_folds=5)
    gaps = {tuple(score is None for score in trial.fold_scores) for trial in trials}
    assert len(gaps) == 1
    assert 0 < sum(gaps.pop()) < 5
    assert all(trial.state == "ok" and np.isfinite(trial.score) for trial in trials)


def test_a_measure_undefined_on_every_inner_fold_is_refused():
    task = make_toy([0.0] * 19 + [1.0], kind=TaskKind.REGRESSION, folds=None)
    tuner = make_tuner(task, KNN, SPACE, options=TuningOptions(measure="spearman", inner_folds=2))
    rows = TrainingRows.of(task, seed=1).take(np.arange(10))
    with pytest.raises(FitError, match="spearman must be defined on the inner folds"):
        tuner.tune(KNN, rows, name="f")


# ---------------------------------------------------------------- what goes wrong


def test_a_trial_that_fails_is_passed_over():
    tuned, trials = run_tuner(binary_toy(), Spy(), MODES, trials=6, sampler="random")
    assert {trial.state for trial in trials} == {"ok", "failed"}
    assert tuned.learner.mode == ""
    for trial in trials:
        failed = trial.values["mode"] == "raise"
        assert (trial.state == "failed") == failed == bool(trial.reason)
        assert (trial.score is None) == failed


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
def test_where_every_trial_fails_the_fold_fails_with_the_first_reason_and_is_tried_again(sampler):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    space = SearchSpace.from_config({"mode": {"kind": "categorical", "choices": ["raise"]}})
    log = Counting()
    tuner = make_tuner(
        task, Spy(), space, options=TuningOptions(trials=2, sampler=sampler), log=log
    )
    spy = Spy(mode="refuse")
    for _ in range(2):
        record = evaluate(task, spy, splits, tuner=tuner, n_jobs=1)
        assert record.status == "failed"
        assert record.folds[0].reason == (
            "all 2 trials failed, the first one: the model needs more rows."
        )
        assert len(log.start("r00f00")) == 2
    assert log.n_added == 2 * 2 * 3  # the second run did not take the first one's word


def test_a_measure_the_model_cannot_give_fails_the_trial():
    task = values_toy()
    with pytest.raises(FitError, match="all 2 trials failed, the first one: spearman is undefined"):
        run_tuner(task, Spy(), MODES, trials=2, measure="spearman")


def test_out_of_memory_is_raised_and_not_logged_as_a_failed_trial():
    task = binary_toy()
    log = Memory()
    with pytest.raises(MemoryError):
        run_tuner(task, Spy(mode="exhaust"), MODES, log=log)
    assert log.start("r00f00") == ()


def test_a_timeout_before_the_first_trial_leaves_the_default_and_says_so():
    tuned, trials = run_tuner(binary_toy(), timeout=1e-9)
    assert tuned.learner == KNN
    assert trials == ()
    assert tuned.notes == (
        "not tuned: the tune.timeout of 1e-09 s passed before the first trial; "
        "the defaults are used",
    )


def test_a_timeout_counts_what_was_spent_before_an_interruption():
    log = Memory([_trial(0, 0.5), _trial(1, 0.7, 4)])
    tuned, trials = run_tuner(binary_toy(), log=log, timeout=150.0, choose="best")
    assert len(trials) == 2
    assert tuned.learner.n_neighbors == 4
    assert tuned.seconds_before == 200.0
    assert tuned.notes == ("tuning ended after 2 of 6 trials by the tune.timeout of 150 s",)
    log = Memory([_trial(0, 0.5), _trial(1, 0.7, 4)])
    tuned, _ = run_tuner(binary_toy(), log=log, timeout=150.0, sampler="grid", trials=50)
    assert tuned.notes[0].startswith("tuning ended after 2 of 19 trials")  # 2 x 9 and the default


def test_a_model_without_a_space_runs_untuned_with_a_note():
    tuned, trials = run_tuner(binary_toy(), load_learner("dummy"), load_space("dummy"))
    assert tuned.notes == ("not tuned: the model has nothing to tune",)
    assert trials == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"trials": 0}, r"tune\.trials must be a whole number of at least 1; got 0\."),
        ({"trials": 2.5}, r"tune\.trials must be a whole number"),
        ({"inner_folds": 1}, r"tune\.inner_folds must be a whole number of at least 2; got 1\."),
        ({"inner_repeats": 0}, r"tune\.inner_repeats must"),
        ({"timeout": 0}, r"tune\.timeout must be a number of seconds above 0"),
        ({"timeout": float("nan")}, r"tune\.timeout must"),
        ({"pruner": "median"}, r"tune\.pruner must be none, paired; got 'median'\."),
        ({"sampler": "gp"}, r"tune\.sampler must be tpe, random, cmaes, grid; got 'gp'\."),
        ({"choose": "one-se"}, r"be confirmed, one_se, best; got 'one-se'; did you mean one_se\?$"),
        ({"choose": True}, r"tune\.choose must be confirmed, one_se, best; got True\.$"),
    ],
)
def test_invalid_tuning_options_are_refused_with_one_sentence(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        TuningOptions(**options)


def test_cmaes_without_its_package_is_refused(monkeypatch):
    monkeypatch.setattr("smalldata.tuning.options.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs the package cmaes"):
        TuningOptions(sampler="cmaes")


@pytest.mark.parametrize(
    ("space", "options", "sentence"),
    [
        ({"n_neighbours": {"kind": "int", "low": 1, "high": 2}}, {}, "did you mean n_neighbors"),
        ({}, {"measure": "rmse"}, r"^tune\.measure must name a measure of binary tasks"),
        (
            {"n_neighbors": {"kind": "int", "low": 0, "high": 9}},
            {},
            r"space\.n_neighbors must have values that the model takes: knn\.n_neighbors must be",
        ),
        (
            {"n_neighbors": {"kind": "float", "low": 1, "high": 9}},
            {},
            r"space\.n_neighbors must have values that the model takes: .*an integer",
        ),
        (
            {"metric": {"kind": "categorical", "choices": ["cosine", "cosin"]}},
            {},
            r"space\.metric must have values that the model takes: .*'cosin'",
        ),
        ({}, {"measure": "calibration_slope"}, r"must rank the trials"),
        (
            {"metric": {"kind": "categorical", "choices": ["cosine", "euclidean", "manhattan"]}},
            {"sampler": "grid", "trials": 3},
            r"a grid needs tune\.trials of at least 4 .* got 3",
        ),
    ],
)
def test_tuning_measure_or_space_that_does_not_fit_is_refused(space, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_tuner(
            binary_toy(), KNN, SearchSpace.from_config(space), options=TuningOptions(**options)
        )


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"kind": "int", "low": 0.5, "high": 3}, "low and high of an int must be whole"),
        ({"kind": "int", "low": 1, "high": 3, "simpler": "small"}, "simpler must be low or high"),
        ({"kind": "int", "low": 3, "high": 1}, "low must not exceed high"),
        ({"kind": "int", "low": 1, "high": 3, "kinds": ["binry"]}, "kinds must be some of binary"),
        ({"kind": "float", "low": 0.0, "high": 1, "log": True}, "a log scale needs low above 0"),
        (
            {"kind": "categorical", "choices": ["a", "b"], "simpler": ["a"]},
            "simpler must list the choices",
        ),
        ({"kind": "categorical", "choices": "rbf"}, "choices must be a list"),
        ({"kind": "categorical", "choices": [["a"], ["b"]]}, "choices must be a list of words"),
        ({"kind": "categorical", "choices": ["a", "a"]}, "choices must name each value once"),
        ({"kind": "int", "low": 1, "high": 3, "choices": [1]}, "choices need kind=categorical"),
        ({"kind": "float", "low": 1, "high": 3, "log": "no"}, "log must be true or false"),
        (5, r"space\.x must be a dimension such as .* got 5"),
    ],
)
def test_invalid_space_is_refused_with_one_sentence(entry, sentence):
    with pytest.raises(ConfigError, match=sentence):
        SearchSpace.from_config({"x": entry})


def test_space_with_fewer_choices_keeps_the_order_of_simpler():
    entry = {"kind": "categorical", "choices": ["c", "b"], "simpler": ["a", "b", "c"]}
    space = SearchSpace.from_config({"x": entry})
    trials = [
        Trial(ordinal=i, state="ok", values={"x": x}, score=0.5, fold_scores=(0.5,))
        for i, x in enumerate("cb")
    ]
    measure = find_measure("roc_auc", TaskKind.BINARY)
    assert best_trial(trials, space, measure=measure).values["x"] == "b"


@pytest.mark.parametrize("task", [binary_toy(), values_toy()])
def test_label_says_that_the_search_space_was_changed(task):
    svm, space = load_learner("svm"), load_space("svm")
    splits = make_splits(task, "kfold", n_splits=3)

    def label(parameters):
        tuner = make_tuner(task, svm, SearchSpace(parameters=parameters))
        return Cell(task=task, learner=svm, splits=splits, tuner=tuner).record().label

    assert label(space.parameters) == "svm (tuned)"
    wider = dataclasses.replace(space.parameters["C"], high=1000.0)
    assert label({**space.parameters, "C": wider}) == "svm (tuned, own space)"
    assert label({"C": space.parameters["C"]}) == "svm (tuned, own space)"


def test_a_path_given_as_choices_is_searched():
    space = SearchSpace.from_config(
        {"n_components": {"kind": "categorical", "choices": [1, 2, 4], "simpler": [1, 2, 4]}}
    )
    tuner = make_tuner(binary_toy(), load_learner("pls"), space)
    assert tuner.path is None


def test_a_dimension_without_effect_in_such_tasks_is_not_searched():
    svm = load_learner("svm"), load_space("svm")
    names = [set(make_tuner(task, *svm).space.parameters) for task in (binary_toy(), values_toy())]
    assert names[0] ^ names[1] == {"epsilon", "class_weight"}
    assert "epsilon" in names[1]


def test_trials_print_and_warn_nothing(capfd, caplog):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.INFO)
    with caplog.at_level(logging.INFO), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_tuner(binary_toy(), Spy(mode="warn"), MODES, trials=3)
    assert caught == []
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


# ---------------------------------------------------------------- the grid


def test_a_grid_spans_the_space_and_fits_the_trials():
    space = load_space("svm")
    default = {name: getattr(load_learner("svm"), name, "auto") for name in space.parameters}
    for n_trials in (19, 37, 73, 200, 1000):
        points = grid_points(space, default, n_trials)
        assert n_trials / 4 < len(points) <= n_trials - 1
        assert len({tuple(point.values()) for point in points}) == len(points)
        for point in points:
            assert all(space.parameters[name].contains(value) for name, value in point.items())
    costs = sorted({point["C"] for point in grid_points(space, default, 1000)})
    assert costs[0] == 0.01
    assert costs[-1] == 100.0
    assert np.ptp(np.diff(np.log(costs))) < 1e-9
    only = SearchSpace.from_config({"n_neighbors": {"kind": "int", "low": 1, "high": 3}})
    assert [p["n_neighbors"] for p in grid_points(only, {"n_neighbors": 2}, 99)] == [1, 2, 3]


# ---------------------------------------------------------------- the log


def test_log_reads_back_trials_and_skips_truncated_lines(tmp_path):
    log = TrialFolder(tmp_path / "tuning", "abc")
    trials = [
        Trial(
            ordinal=0,
            state="ok",
            values={"a": (1, 2), "b": "ü"},
            score=0.1 + 0.2,
            fold_scores=(0.5, None),
            seconds=0.25,
        ),
        Trial(ordinal=1, state="failed", values={"a": (), "b": "x"}, reason="no\nway"),
        _trial(2, 0.9),
    ]
    assert log.start("r00f00") == ()
    for trial in trials:
        log.add("r00f00", trial)
    assert log.start("r00f00") == tuple(trials)
    assert log.start("r00f01") == ()
    path = tmp_path / "tuning" / "r00f00.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    starts = np.cumsum([0, *map(len, lines)])
    for size in range(len(whole)):  # killed after any byte
        path.write_bytes(whole[:size])
        n_whole = int(np.sum(starts[1:] - 1 <= size))
        assert log.start("r00f00") == tuple(trials[:n_whole])
        if size % 97 == 0:
            for trial in trials[n_whole:]:
                log.add("r00f00", trial)
            assert log.start("r00f00") == tuple(trials)
    path.write_bytes(lines[0] + lines[1].replace(b"way", b"wax") + lines[2])
    assert log.start("r00f00") == (trials[0],)
    path.write_bytes(lines[0] + lines[1] + lines[0] + lines[2])  # an orphan wrote it again
    assert log.start("r00f00") == tuple(trials)
    assert TrialFolder(tmp_path / "tuning", "other").start("r00f00") == ()
    (tmp_path / "tuning" / "r00f01.jsonl").write_bytes(whole)
    assert log.start("r00f01") == ()
    path.write_bytes(whole.replace(b'"schema_version": 1', b'"schema_version": 99'))
    with pytest.raises(RecordError, match="schema version 1; it has 99"):
        log.start("r00f00")
    log.restart("r00f00")
    assert log.start("r00f00") == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks children that are killed")
def test_tuning_killed_at_any_trial_resumes_to_the_same_values(tmp_path):
    driver = Path(__file__).with_name("tuning_driver.py")
    done = subprocess.run(
        [sys.executable, str(driver), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for sampler, (calm, killed) in json.loads(done.stdout).items():
        assert calm == killed, sampler
        assert calm["status"] == "ok"
        logs = [
            TrialFolder(tmp_path / sampler / name, "c").start("r00f01")
            for name in ("calm", "killed")
        ]
        assert len(logs[0]) >= 13
        assert {"ok", "pruned"} <= {trial.state for trial in logs[0]}
        assert differences(*[[_timeless(trial) for trial in log] for log in logs]) == []


def _timeless(trial):
    return dataclasses.replace(trial, seconds=0.0)


# ---------------------------------------------------------------- in the line


def test_the_identity_holds_options_and_space_but_no_log(tmp_path):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)

    def identity(space=SPACE, log=None, learner=KNN, **options):
        tuner = make_tuner(task, learner, space, options=TuningOptions(**options), log=log)
        return json.dumps(Cell(task=task, learner=learner, splits=splits, tuner=tuner).identity)

    plain = identity()
    assert identity(log=TrialFolder(tmp_path, "x")) == plain
    assert identity(measure="roc_auc") == plain
    backwards = SearchSpace(parameters=dict(reversed(SPACE.parameters.items())))
    narrower = {**SPACE.parameters, "n_neighbors": Parameter(kind="int", low=1, high=9)}
    others = [
        identity(trials=51),
        identity(timeout=9.0),
        identity(inner_folds=4),
        identity(inner_repeats=2),
        identity(sampler="random"),
        identity(pruner="none"),
        identity(measure="mcc"),
        identity(space=backwards),
        identity(space=SearchSpace(parameters=narrower)),
        json.dumps(Cell(task=task, learner=KNN, splits=splits).identity),
    ]
    assert len({plain, *others}) == len(others) + 1
    tuner = make_tuner(task, load_learner("knn"), SPACE)
    record = Cell(task=task, learner=load_learner("knn"), splits=splits, tuner=tuner).record()
    assert record.label == "knn (tuned, own space)"


def test_results_do_not_depend_on_processes_and_logs_are_written_from_them(tmp_path):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    records = []
    for n_jobs in (1, 2):
        log = TrialFolder(tmp_path / str(n_jobs), "c")
        options = TuningOptions(trials=4, inner_folds=2)
        tuner = make_tuner(task, KNN, SPACE, options=options, log=log)
        records.append(evaluate(task, KNN, splits, tuner=tuner, n_jobs=n_jobs))
        assert {len(log.start(fold.name)) for fold in splits.folds} == {4}
    assert differences(*records) == []
    for fold in records[0].folds:
        trials = log.start(fold.name)
        chosen = tuner.find_chosen(trials, fold.values)
        assert {name: fold.values[name] for name in chosen.values} == chosen.values
    comparison = compare(records[:1])
    assert comparison.rows[0].tune_seconds > 0
    assert (
        comparison.rows[0].label
        == "knn (n_neighbors=8, tuned, tune.trials=4, tune.inner_folds=2, own space)"
    )


TUNED = ["dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "explain=none", "tune=optuna"]
FEW = ["tune.trials=4", "tune.inner_folds=2", "n_jobs=1"]


@pytest.fixture(scope="module")
def tuned_cell(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("outputs")
    arguments = ["model=linear", *TUNED, *FEW, f"outputs={outputs}"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert main(arguments) == 0
    (outputs / "said").write_text(said.getvalue())
    return next(outputs.glob("*/*/linear-*")), arguments


def test_tuned_cell_stores_its_trials_and_label(tuned_cell):
    path, _ = tuned_cell
    record = CellFolder(path).read_record()
    assert record.label == "linear (tuned, tune.trials=4, tune.inner_folds=2)"
    columns, measure = read_trials(path / "trials.parquet")
    assert measure == record.measure
    table = pd.DataFrame(columns)
    assert list(table) == [
        *["repeat", "fold", "trial", "state", "chosen", "score", "inner_0", "inner_1"],
        *["value_strength", "value_l1_ratio", "value_class_weight"],
        *["value_preprocess.transform", "seconds", "reason"],
    ]
    assert len(table) == 12
    for fold in record.folds:
        rows = table[(table.repeat == fold.repeat) & (table.fold == fold.fold)]
        chosen = rows[rows.chosen].iloc[0]
        assert chosen.score in (rows.score.max(), rows.score.iloc[0])
        assert fold.values["strength"] == chosen.value_strength
        assert fold.tuning["stayed"] == (chosen.trial == 0)
        assert fold.seconds["tune"] > 0
    stays = f"the untuned default stayed in {record.tuning['stayed']} of 3 folds"
    assert stays in " ".join((path.parents[2] / "said").read_text().split())
    csv = pd.read_csv(path.parent / "comparison.csv")
    assert (csv.tune_seconds > 0).all()


def test_a_cell_killed_in_its_tuning_is_finished_from_its_logs(tuned_cell, capsys):
    path, arguments = tuned_cell
    before, trials = CellFolder(path).read_record(), read_trials(path / "trials.parquet")[0]
    log = path / "tuning" / "r00f01.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    for name in ("DONE", "record.json", "trials.parquet", "folds/r00f01.json"):
        (path / name).unlink()
    log.write_bytes(lines[0] + lines[1] + lines[2][:30])
    assert main(arguments) == 0
    assert differences(before, CellFolder(path).read_record()) == []
    after = read_trials(path / "trials.parquet")[0]
    assert trials.pop("seconds").shape == after.pop("seconds").shape
    pd.testing.assert_frame_equal(pd.DataFrame(trials), pd.DataFrame(after))
    assert log.read_bytes().startswith(lines[0] + lines[1])  # not run again
    capsys.readouterr()
    assert main(arguments) == 0
    assert "already finished" in capsys.readouterr().err


def test_a_tuned_cell_is_read_back_under_another_measure_and_explained(tuned_cell):
    path, _ = tuned_cell
    assert open_cell(path, measure="log_loss").record.measure
    assert main(["explain", str(path)]) == 0
    assert CellFolder(path).explanation_keys()


def test_a_run_says_that_its_time_was_too_short_to_tune(tmp_path, capsys):
    arguments = ["model=svm", *TUNED, f"outputs={tmp_path}", "n_jobs=1", "tune.timeout=1e-9"]
    assert main(arguments) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(
        r"note: svm .* (\d+) of \1 folds: not tuned: the tune\.timeout of 1e-09 s", said
    )


def test_model_without_a_space_gives_the_untuned_cell(tmp_path, capsys):
    arguments = ["model=dummy", *TUNED[:-1], f"outputs={tmp_path}", "n_jobs=1"]
    assert main(arguments) == 0
    assert main([*arguments, "tune=optuna"]) == 0
    said = capsys.readouterr().err
    assert "dummy has nothing to tune; it runs untuned." in said
    assert "already finished" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tune.trials=3"], "tune=optuna has it"),
        (
            ["tune=optuna", "tune.trials=0"],
            "tune.trials must be a whole number of at least 1; got 0.",
        ),
        (
            ["tune=optuna", "tune.choose=bets"],
            "tune.choose must be confirmed, one_se, best; got 'bets'; did you mean best?",
        ),
        (["tune=optuna", "tune.measure=auc"], "tune.measure must name a measure of multiclass"),
        (["tune=optuna", "model.space.strength=5"], "space.strength must be a dimension"),
        (["tune=optuna", "tune.storage=sqlite:////no/such/folder/x.db"], "there is no /no/such"),
        (
            ["tune=optuna", "model.space.strength={choices: [1, 2]}"],
            "write '++model.space.strength=VALUE' to add it",
        ),
        (["tune=optuna", "model.space.strength.low=20"], "space.strength: low must not exceed"),
        (
            ["tune=optuna", "+model.space.stren={kind: int, low: 1, high: 2}"],
            "space.stren must be a hyperparameter of the model",
        ),
        (
            ["tune=optuna", "+preprocess.space.k={kind: int, low: 1, high: 2}"],
            "preprocess.space must have no other dimension than transform; got 'k'.",
        ),
        (
            [
                "tune=optuna",
                "preprocess.space.transform.choices=[sqrt]",
                "preprocess.space.transform.simpler=[sqrt]",
            ],
            "preprocess.transform must be one of auto, none",
        ),
    ],
)
def test_wrong_tuning_input_is_refused_with_one_sentence(arguments, sentence, tmp_path, capsys):
    assert main(["model=linear", *TUNED[:1], f"outputs={tmp_path}", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- the canary


def test_permuted_labels_score_at_chance_outside_and_higher_inside():
    inner, outer = [], []
    for seed in range(3):
        dataset = load_dataset("omics")
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(dataset.y))[:150]
        task = make_task(
            dataclasses.replace(
                dataset,
                X=dataset.X.iloc[rows].reset_index(drop=True),
                y=rng.permutation(dataset.y)[rows],
                sample_ids=dataset.sample_ids[rows],
            )
        )
        learner, space = load_learner("svm"), load_space("svm")
        log = Memory()
        options = TuningOptions(trials=12, inner_folds=3, sampler="random")
        tuner = make_tuner(task, learner, space, options=options, log=log)
        splits = make_splits(task, "kfold", n_splits=4)
        record = evaluate(task, learner, splits, tuner=tuner, n_jobs=1)
        outer += [fold.scores["roc_auc"].value for fold in record.folds]
        inner += [
            best_trial(log.start(f.name), tuner.space, measure=AUC).score for f in record.folds
        ]
    assert abs(np.mean(outer) - 0.5) < 0.08
    assert np.mean(inner) > 0.55
