"""The tuning benchmark compares like with like: same folds, same scores where models are equal."""

import sys
from pathlib import Path

import numpy as np
import pytest

from smalldata.evaluation.outer_loop import evaluate
from smalldata.models import load_learner, load_space
from smalldata.results.folds import Trial
from smalldata.tuning.tuner import TuningOptions, make_tuner

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "tuning"


@pytest.fixture(autouse=True)
def _beside_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


class _Kept:
    """A log of trials in memory."""

    def __init__(self):
        self.trials: list[Trial] = []

    def start(self, name):
        return ()

    def add(self, name, trial):
        self.trials.append(trial)

    def restart(self, name):
        raise AssertionError(name)


class _Fixed:
    """Stands for a trial that suggests given values."""

    def __init__(self, **values):
        self.values = values

    def suggest_int(self, name, low, high, **_):
        assert low <= self.values[name] <= high
        return self.values[name]

    suggest_float = suggest_int

    def suggest_categorical(self, name, choices):
        assert self.values[name] in choices
        return self.values[name]


def _inner_scores(model, dataset, **values):
    """Scores of the same values on each inner fold of the first outer fold: plain, ours."""
    import plain
    from setting import SEED, load_task, make_inner, make_outer
    from sklearn.model_selection import cross_val_score

    task = load_task(dataset)
    splits = make_outer(task, 1)
    (fold,) = splits.folds
    log = _Kept()
    learner = load_learner(model, **values)
    tuner = make_tuner(task, learner, load_space(model), options=TuningOptions(trials=1), log=log)
    record = evaluate(task, learner, splits, tuner=tuner, seed=SEED, n_jobs=1)
    assert record.status == "ok", record.folds[0].reason
    train = splits.train_rows(fold)
    inner = make_inner(task, splits, fold, 5)
    X = task.X.select_dtypes("number").to_numpy()[train]
    about = plain.describe_fold(X, task.y[train], inner)
    estimator = plain.MODELS[model](_Fixed(**values), about)
    scores = cross_val_score(
        estimator, X, task.y[train], cv=inner, scoring="roc_auc", error_score="raise"
    )
    return scores, np.array(log.trials[0].fold_scores)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("knn", {"n_neighbors": 7, "weights": "distance", "metric": "euclidean"}),
        ("svm", {"kernel": "linear", "C": 3.0, "class_weight": "none"}),
        ("svm", {"kernel": "rbf", "C": 3.0, "gamma": 0.7, "class_weight": "balanced"}),
        ("svm", {"kernel": "poly", "C": 0.3, "gamma": 0.7, "degree": 2, "coef0": 1.0,
                 "class_weight": "none"}),
        ("linear", {"strength": 0.3, "l1_ratio": 0.0, "class_weight": "none"}),
    ],
)  # fmt: skip
def test_equal_values_score_the_same_with_and_without_our_tuner(model, values):
    # The columns of the synthetic table are all numbers, so both ways see the same ones.
    plain, ours = _inner_scores(model, "synthetic:90:20", **values)
    np.testing.assert_allclose(plain, ours, atol=1e-3 if model == "linear" else 1e-9)
    assert np.ptp(plain) > 0.01  # scores of folds that differ: other folds would not agree


def test_finished_cell_is_stored_and_not_run_again(tmp_path, monkeypatch):
    import run
    import tables

    monkeypatch.setattr(run, "HERE", tmp_path)
    size = run.Size(n_outer=2, n_trials=2)
    ran = []

    def way(name, dataset, model, *, n_outer, n_trials, n_inner):
        import ours
        import plain

        ran.append(name)
        sizes = {"n_outer": n_outer, "trials": n_trials, "n_inner": n_inner}
        found = (
            plain.tune_all("synthetic:60:20", model, **sizes, over="none")
            if name == "plain"
            else ours.tune_all("synthetic:60:20", model, **sizes, n_jobs=1, folder=tmp_path / "log")
        )
        return run.Timed(seconds=3.0 - len(name) / 5, cpu_seconds=1.0, peak_mb=9.0), {
            "folds": found
        }

    monkeypatch.setattr(run, "run_way", way)
    for _ in range(2):
        if not run.is_finished("omics", "knn", size, n_inner=2, timing=0):
            run.run_cell("omics", "knn", size, n_inner=2, timing=0)
    assert sorted(ran) == ["ours", "plain"]
    (tmp_path / "README.md").write_text((FOLDER / "README.md").read_text(encoding="utf-8"))
    tables.write_tables(tmp_path)
    table = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| omics | knn | 2 x 2 | 2.0 | 2.2 | 0.9 |" in table
    assert not run.is_finished("omics", "knn", size, n_inner=3, timing=0)
    run.run_cell("omics", "knn", size, n_inner=2, timing=0)
    assert len(run.read("results.csv")) == 2  # in place of the rows that were there
    assert len(run.read("scores.csv")) == 4
