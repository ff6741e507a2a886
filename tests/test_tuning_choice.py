"""Which trial an outer fold is fitted with: the default stays unless the best clearly beats it."""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from smalldata.datasets.synthetic import load
from smalldata.errors import FitError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.learner import TRANSFORM, SearchSpace, Traits
from smalldata.measures.registry import find_measure
from smalldata.models import load_learner, load_space
from smalldata.pipeline.choices import with_values
from smalldata.pipeline.preprocess import Preprocessing, make_pipeline
from smalldata.resampling.splitting import make_folds
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Trial
from smalldata.seeding import seed_for
from smalldata.task import TaskKind, make_task
from smalldata.tuning.choice import CONFIRMED, best_trial, is_clear, pool_spread
from smalldata.tuning.tuner import NO_DEFAULT, NOT_CONFIRMED, TuningOptions, make_tuner
from spies import Spy
from test_tuning import MODES, SPACE, Memory, run_tuner
from toys import binary_toy, classes_toy, make_toy, values_toy

AUC = find_measure("roc_auc", TaskKind.BINARY)
LOWER = [find_measure("log_loss", TaskKind.BINARY), find_measure("rmse", TaskKind.REGRESSION)]
USUAL = (0.70, 0.60, 0.80, 0.75, 0.65)
LUCKY = (0.95, 0.55, 0.85, 0.65, 0.75)  # ahead by 0.05 in the mean, on three folds of five
REAL = (0.80, 0.72, 0.88, 0.85, 0.76)


def trial(*scores, ordinal=0, state="ok"):
    score = 0.0 if state == "ok" else None
    return Trial(ordinal=ordinal, state=state, values={}, score=score, fold_scores=scores)


def clear(found, *others, measure=AUC, errors=1.0, default=USUAL):
    """Whether ``found`` beats the default, with the spread pooled over it and the others."""
    trials = [trial(*default), trial(*found), *others]
    spread = pool_spread(trials)
    return is_clear(
        found, default, measure=measure, spread=spread, n_splits=len(default), errors=errors
    )


# ---------------------------------------------------------------- the rule


def test_luck_is_not_clear_and_a_real_gain_is():
    assert not clear(LUCKY)
    assert clear(REAL)
    for measure in LOWER:
        lower = [tuple(1 - score for score in scores) for scores in (LUCKY, REAL, USUAL)]
        assert not clear(lower[0], measure=measure, default=lower[2])
        assert clear(lower[1], measure=measure, default=lower[2])
        assert not clear(REAL, measure=measure), "a higher error is worse"


@given(
    st.lists(
        st.lists(st.integers(0, 40).map(lambda n: n / 40), min_size=6, max_size=6),
        min_size=2,
        max_size=8,
    ),
    st.sampled_from([1, 2]),
    st.sampled_from([1.0, 1.25]),
)
def test_a_gain_is_measured_in_corrected_errors_of_the_pooled_spread(rows, n_repeats, errors):
    gaps = np.unique(np.array(rows[1:]), axis=0) - rows[0]
    gaps = gaps[gaps.any(axis=1)]
    spread = pool_spread([trial(*row) for row in rows])
    # All have six differences, so that the pooled variance is the mean of the variances.
    expected = math.sqrt(np.var(gaps, axis=1, ddof=1).mean()) if len(gaps) else math.inf
    assert spread == pytest.approx(expected)
    gain = float(np.mean(np.array(rows[-1]) - rows[0]))
    goal = errors * expected * math.sqrt(1 / 6 + 1 / (6 // n_repeats - 1))
    if abs(gain - goal) > 1e-9:
        about = {"measure": AUC, "spread": spread, "n_splits": 6 // n_repeats, "errors": errors}
        assert is_clear(rows[-1], rows[0], **about) == (gain > goal)


def test_ties_and_gains_within_rounding_are_not_clear():
    about = {"measure": AUC, "spread": 0.0, "n_splits": 5, "errors": 1.0}
    assert not is_clear(USUAL, USUAL, **about)
    assert not is_clear(tuple(reversed(USUAL)), USUAL, **about)
    assert not is_clear([score + 1e-15 for score in USUAL], USUAL, **about)
    assert is_clear([score + 0.01 for score in USUAL], USUAL, **about), "the same on every fold"


def test_pruned_and_failed_trials_do_not_tell_the_spread():
    wild = trial(0.1, 1.0, 0.1, 0.9, 0.2)
    assert not clear(REAL, wild)
    for state in ("pruned", "failed"):
        assert clear(REAL, dataclasses.replace(wild, state=state, score=None))
    assert clear(REAL, trial(0.1, 1.0, None, None, None, state="pruned"))


def test_a_copy_of_a_trial_counts_once_for_the_spread():
    noisy = trial(0.45, 0.75, 0.65, 0.9, 0.55)
    assert clear(REAL, noisy)
    assert clear(REAL, *[noisy] * 40)
    slightly = [trial(*(s + 1e-6 * i for s in noisy.fold_scores)) for i in range(40)]
    assert not clear(REAL, *slightly)


def test_one_difference_shows_no_spread_so_nothing_is_clear():
    assert pool_spread([trial(0.5, None), trial(0.9, None)]) == math.inf
    assert not clear((0.9, None), default=(0.5, None))
    assert not is_clear((None, 0.9), (0.5, None), measure=AUC, spread=0.1, n_splits=2, errors=1.0)


# ---------------------------------------------------------------- in a search


SCORES = {
    "roc_auc": lambda y, given: roc_auc_score(y, given[:, 1]),
    "log_loss": lambda y, given: float(np.mean(np.log(given[np.arange(len(y)), y]))),
    "rmse": lambda y, given: -root_mean_squared_error(y, given),
}


def score_plainly(task, learner, values, measure, *, repeat):
    """Fit a pipeline on each inner fold and score it; higher is better."""
    pairs = make_folds(
        task.y, 4, stratify=task.kind.is_classification, seed=seed_for(7, "inner", repeat)
    )
    scores = []
    for i, (train, test) in enumerate(pairs):
        tried, preprocessing = with_values(learner, Preprocessing(), values)
        pipeline = make_pipeline(
            tried,
            dataclasses.replace(task.info, n_samples=len(train)),
            preprocessing=preprocessing,
            seed=seed_for(7, "fit", i),
            device="cpu",
        ).fit(task.X.iloc[train], task.y[train])
        predict = pipeline.predict if measure == "rmse" else pipeline.predict_proba
        scores.append(SCORES[measure](task.y[test], predict(task.X.iloc[test])))
    return np.array(scores)


POOR = {"linear": {"strength": 10.0}}


@pytest.mark.parametrize(
    ("task", "name", "measure"),
    [
        (binary_toy(), "svm", "log_loss"),
        (binary_toy(), "knn", "roc_auc"),
        (binary_toy(), "linear", "log_loss"),
        (values_toy(), "svm", "rmse"),
        (values_toy(), "pls", "rmse"),
    ],
)
@pytest.mark.parametrize("rule", ["confirmed", "one_se"])
def test_shared_work_and_plain_pipelines_choose_alike(task, name, measure, rule):
    """The oracle fits a pipeline for each trial and fold, and computes the rule by itself."""
    learner = load_learner(name, **POOR.get(name, {}))
    options = {"trials": 6, "inner_folds": 4, "sampler": "random", "pruner": "none"}
    tuned, trials = run_tuner(
        task, learner, load_space(name), measure=measure, choose=rule, **options
    )
    table = [score_plainly(task, learner, t.values, measure, repeat=0) for t in trials]
    gaps = np.array(table) - table[0]
    once = {t.fold_scores: t.ordinal for t in trials if t.fold_scores != trials[0].fold_scores}
    variance = np.var(gaps[list(once.values())], axis=1, ddof=1).mean()
    error = math.sqrt(variance * (1 / 4 + 1 / 3))
    best = best_trial(
        trials, load_space(name).for_kind(task.kind), measure=find_measure(measure, task.kind)
    )
    assert gaps[best.ordinal].mean() == pytest.approx(gaps.mean(axis=1).max())
    if rule == "one_se":
        gain, goal = gaps[best.ordinal].mean(), error
    else:
        found, usual = (
            score_plainly(task, learner, t.values, measure, repeat=1) for t in (best, trials[0])
        )
        gain, goal = (found - usual).mean(), CONFIRMED * error
    expected = best if best.ordinal and gain > goal else trials[0]
    assert tuned.counts["stayed"] == (expected.ordinal == 0)
    assert tuned.learner == with_values(learner, Preprocessing(), expected.values)[0]
    assert tuned.transform == expected.values.get(TRANSFORM)


def test_on_pure_noise_the_default_stays_far_more_often():
    stayed = dict.fromkeys(("confirmed", "one_se", "best"), 0)
    for seed in range(6):
        task = make_task(load(n=48, p=20, informative=0, noise=1.0, seed=seed))
        for rule in stayed:
            options = {"trials": 12, "inner_folds": 4, "choose": rule}
            tuned, _ = run_tuner(task, load_learner("knn"), load_space("knn"), **options)
            stayed[rule] += tuned.counts["stayed"]
    assert stayed["confirmed"] >= 5
    assert stayed["best"] <= 1


FLAT = {"n_neighbors": 48, "weights": "uniform"}


@pytest.mark.parametrize(
    ("task", "name", "poor", "measure"),
    [
        (make_toy(["yes", "no"] * 24), "knn", FLAT, "roc_auc"),
        (make_toy(["yes", "no"] * 30), "linear", {"strength": 0.001}, "log_loss"),
        (make_toy(np.linspace(0, 6, 48), kind=TaskKind.REGRESSION), "knn", FLAT, "rmse"),
    ],
)
def test_a_poor_default_is_replaced(task, name, poor, measure):
    learner, space = load_learner(name, **poor), load_space(name)
    tuned, trials = run_tuner(task, learner, space, trials=8, inner_folds=4, measure=measure)
    assert tuned.counts["stayed"] == 0
    assert tuned.learner != learner
    best = best_trial(trials, space, measure=find_measure(measure, task.kind))
    assert tuned.learner == with_values(learner, Preprocessing(), best.values)[0]


def test_a_tie_leaves_the_default_except_under_best():
    # The spy predicts the same in both modes.
    choices = ["plain", ""]
    space = SearchSpace.from_config(
        {"mode": {"kind": "categorical", "choices": choices, "simpler": choices}}
    )
    for rule in ("confirmed", "one_se", "best"):
        tuned, trials = run_tuner(binary_toy(), Spy(), space, trials=6, choose=rule)
        assert len({t.score for t in trials}) == 1
        assert {t.values["mode"] for t in trials} == {"plain", ""}
        assert tuned.learner.mode == ("plain" if rule == "best" else "")
        assert tuned.counts["stayed"] == (rule != "best")


@pytest.mark.parametrize("rule", ["confirmed", "one_se"])
def test_a_default_that_fails_is_said_and_does_not_stay(rule):
    options = {"trials": 6, "sampler": "random", "choose": rule}
    tuned, trials = run_tuner(binary_toy(), Spy(mode="raise"), MODES, **options)
    assert trials[0].state == "failed"
    assert tuned.learner.mode == ""
    assert tuned.counts["stayed"] == 0
    assert tuned.notes == (f"{NO_DEFAULT}: {trials[0].reason}",)
    fine, _ = run_tuner(binary_toy(), Spy(), MODES, **options)
    assert fine.counts["stayed"] == 1
    assert fine.notes == ()


class ShiftedMean(BaseEstimator):
    """Predicts the mean of its rows plus a shift; refuses some sets of rows."""

    def __init__(self, shift, refused):
        self.shift, self.refused = shift, refused

    def fit(self, X, y, groups=None):
        if round(float(np.sum(y)), 6) in self.refused:
            raise FitError("these rows are refused.")
        self.mean_, self.n_features_in_ = np.mean(y), X.shape[1]
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_ + self.shift)


@dataclass(frozen=True, kw_only=True)
class Picky:
    """A learner that refuses some sets of rows if its shift is small, or if it is large."""

    traits: ClassVar[Traits] = Traits()
    shift: float = 9.0
    refused: tuple[float, ...] = ()
    if_small: bool = True

    def build(self, info, *, seed, device):
        return ShiftedMean(self.shift, self.refused if (self.shift < 5) == self.if_small else ())


@pytest.mark.parametrize("if_small", [True, False])
def test_a_failure_on_the_folds_cut_anew_is_said(if_small):
    task = make_toy(np.linspace(0, 3, 31) ** 2, kind=TaskKind.REGRESSION)
    anew = make_folds(task.y, 4, stratify=False, seed=seed_for(7, "inner", 1))
    picky = Picky(refused=(round(float(task.y[anew[2][0]].sum()), 6),), if_small=if_small)
    space = SearchSpace.from_config({"shift": {"kind": "float", "low": 0.0, "high": 1.0}})
    options = {"trials": 4, "inner_folds": 4, "measure": "mae"}
    tuned, trials = run_tuner(task, picky, space, **options)
    assert {t.state for t in trials} <= {"ok", "pruned"}
    said = NOT_CONFIRMED if if_small else NO_DEFAULT
    assert tuned.notes == (f"{said}: these rows are refused.",)
    assert tuned.counts["stayed"] == if_small
    fine, _ = run_tuner(task, Picky(), space, **options)
    assert (fine.notes, fine.counts["stayed"]) == ((), 0)


@pytest.mark.parametrize("rule", ["confirmed", "one_se", "best"])
def test_a_resumed_search_makes_the_same_choice(rule):
    task, learner, space = binary_toy(), load_learner("svm"), load_space("svm")
    whole, trials = run_tuner(task, learner, space, trials=8, choose=rule)
    for n_kept in (1, 4, 8):
        log = Memory(trials[:n_kept])
        again, _ = run_tuner(task, learner, space, trials=8, choose=rule, log=log)
        assert (again.learner, again.counts) == (whole.learner, whole.counts)


def test_fewer_inner_folds_or_repeats_are_cut_anew_too():
    learner = load_learner("knn", n_neighbors=30, weights="uniform")
    grouped = make_toy(["yes", "no"] * 24, groups=[f"g{i // 6}" for i in range(48)])
    for task, options in (
        (grouped, {"inner_folds": 9}),
        (classes_toy(), {"inner_folds": 3, "inner_repeats": 2}),
    ):
        tuned, trials = run_tuner(task, learner, SPACE, trials=8, **options)
        values = {name: getattr(tuned.learner, name) for name in SPACE.parameters}
        assert tuned.counts["stayed"] == (values == trials[0].values)


def test_the_record_counts_the_folds_where_the_default_stayed():
    task, learner = binary_toy(), load_learner("svm")
    options = TuningOptions(trials=6, inner_folds=3, choose="one_se")
    tuner = make_tuner(task, learner, load_space("svm"), options=options, log=Memory())
    record = evaluate(task, learner, make_splits(task, "kfold", n_splits=4), tuner=tuner, n_jobs=1)
    stayed = [fold for fold in record.folds if fold.tuning["stayed"]]
    assert 0 < record.tuning["stayed"] == len(stayed) < 4
    for fold in record.folds:
        usual = all(
            fold.values[name]
            == (Preprocessing().transform if name == TRANSFORM else getattr(learner, name))
            for name in tuner.space.parameters
        )
        found = tuner.find_chosen(tuner.log.start(fold.name), fold.values)
        assert usual == (found.ordinal == 0) == (fold in stayed)
