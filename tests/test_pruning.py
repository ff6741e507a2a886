"""When a trial is stopped: the rule alone, and inside the tuning of a fold."""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from smalldata.evaluation.outer_loop import evaluate
from smalldata.learner import SearchSpace, Traits
from smalldata.models import load_learner, load_space
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import Trial
from smalldata.store.cell_folder import CellFolder
from smalldata.task import TaskKind
from smalldata.tuning import pruning
from smalldata.tuning.pruning import RISK, WARM_UP, count_fits, start_race
from smalldata.tuning.tuner import TuningOptions, make_tuner
from spies import Spy
from toys import binary_toy, classes_toy, differences, make_toy, values_toy

SPACE = load_space("knn")
KNN = load_learner("knn", n_neighbors=8)


def trial(ordinal, scores, *, n_folds=5, state=""):
    """A trial with these scores: pruned where they are too few."""
    known = [score for score in scores if score is not None]
    state = state or ("ok" if len(scores) == n_folds else "pruned")
    return Trial(
        ordinal=ordinal,
        state=state,
        values={"a": ordinal},
        score=math.fsum(known) / len(known) if state == "ok" else None,
        fold_scores=(*scores, *[None] * (n_folds - len(scores))),
    )


def study(rng, n_trials=8, n_folds=5, spread=0.1, low=0.0):
    """Trials on folds of unequal difficulty."""
    folds = rng.uniform(0.3, 0.7, n_folds)
    scores = np.clip(folds + spread * rng.normal(size=(n_trials, n_folds)), low, 1)
    return [trial(i, row, n_folds=n_folds) for i, row in enumerate(scores.tolist())]


# ---------------------------------------------------------------- the rule


def test_no_trial_is_pruned_before_the_first_finished_trial():
    assert start_race([], higher_is_better=True) is None
    failed = trial(0, [0.5], state="failed")
    assert start_race([failed], higher_is_better=True) is None
    first = [trial(0, [0.9] * 5)]
    race = start_race(first, higher_is_better=True)
    assert not race.is_lost([[0.1], [0.1]])
    assert not race.is_warm


def test_trial_is_certainly_lost_when_perfect_scores_cannot_save_it(monkeypatch):
    monkeypatch.setattr(pruning, "WARM_UP", 10**9)
    rng = np.random.default_rng(0)
    n_lost = 0
    for sign, perfect in ((1, 1.0), (-1, 0.0), (-1, -1.0)):
        for _ in range(300):
            trials = study(rng, n_trials=3, spread=0.4)
            race = start_race(trials, higher_is_better=sign > 0, perfect=perfect)
            goal = max(sign * t.score for t in trials)
            own = (
                rng.choice([0.0, 0.5, 1.0], size=5) if sign > 0 else rng.uniform(perfect, 2, size=5)
            )
            for n_met in range(1, 6):
                whole = [*own[:n_met], *[perfect] * (5 - n_met)]
                expected = n_met < 5 and sign * np.mean(whole) < goal - 1e-9
                assert race.is_lost([[score] for score in own[:n_met]]) == expected
                n_lost += expected
    assert n_lost > 100
    trials = [trial(0, [1.0] * 5), trial(1, [0.9] * 5)]
    race = start_race(trials, higher_is_better=True, perfect=1)
    assert not race.is_lost([[1.0], [1.0]])  # it may still draw level, and be the simpler one
    assert race.is_lost([[1.0], [0.99]])


@pytest.mark.parametrize(("n_folds", "n_met"), [(5, 1), (5, 2), (5, 4), (3, 1), (10, 6)])
def test_trial_equal_to_the_best_is_pruned_at_the_stated_risk(n_folds, n_met):
    rng = np.random.default_rng(n_folds + n_met)
    best = rng.uniform(0.3, 0.7, n_folds)
    noise = rng.normal(size=(600, n_folds))
    noise -= noise.mean(axis=1, keepdims=True)
    trials = [trial(0, best.tolist(), n_folds=n_folds)]
    for i, row in enumerate(noise[:200], start=1):
        trials.append(trial(i, (best + row - 0.01).tolist(), n_folds=n_folds))
    race = start_race(trials, higher_is_better=True)
    assert race.freedom == 200 * (n_folds - 1)
    ends_level = best + noise[200:]
    n_lost = sum(race.is_lost(row[:n_met, None].tolist()) for row in ends_level)
    # Four standard errors of a share of 400.
    assert abs(n_lost / 400 - RISK) < 4 * math.sqrt(RISK * (1 - RISK) / 400)


def test_pruning_ignores_fold_difficulty_and_direction_of_the_measure():
    rng = np.random.default_rng(1)
    answers = []
    for _ in range(200):
        trials = study(rng)
        own = np.clip(rng.uniform(0.2, 0.6, 5), 0, 1)
        n_met = int(rng.integers(1, 5))
        shift = rng.normal(size=5)

        def moved(t, shift=shift, sign=1):
            return trial(t.ordinal, (sign * np.array(t.fold_scores) + shift).tolist())

        plain = start_race(trials, higher_is_better=True)
        hard = start_race([moved(t) for t in trials], higher_is_better=True)
        loss = start_race([moved(t, sign=-1) for t in trials], higher_is_better=False)
        answers.append(plain.is_lost(own[:n_met, None].tolist()))
        assert hard.is_lost((own + shift)[:n_met, None].tolist()) == answers[-1]
        assert loss.is_lost((shift - own)[:n_met, None].tolist()) == answers[-1]
    assert 20 < sum(answers) < 180


def test_folds_without_a_score_do_not_change_pruning():
    rng = np.random.default_rng(2)
    for _ in range(50):
        trials = study(rng)
        own = [[float(score)] for score in rng.uniform(0.2, 0.7, 3)]
        whole = start_race(trials, higher_is_better=True, perfect=1)
        gaps = [
            trial(t.ordinal, [None, *t.fold_scores[:2], None, *t.fold_scores[2:]], n_folds=7)
            for t in trials
        ]
        with_gaps = start_race(gaps, higher_is_better=True, perfect=1)
        assert not with_gaps.is_lost([[None]])
        assert with_gaps.is_lost([[None], *own[:2]]) == whole.is_lost(own[:2])
        assert with_gaps.is_lost([[None], *own[:2], [None], own[2]]) == whole.is_lost(own)
        estimates = [
            with_gaps.estimate([None, own[0][0], own[1][0], None, None, None, None]),
            whole.estimate([own[0][0], own[1][0], None, None, None]),
        ]
        assert estimates[0] == pytest.approx(estimates[1], abs=1e-12)
        assert not whole.is_lost([[0.0]] * 5)  # nothing is left to spare


def test_path_is_pruned_only_when_all_its_values_are_lost():
    race = start_race(study(np.random.default_rng(3)), higher_is_better=True, perfect=1)
    bad, good = [[0.0], [0.0]], [[0.99], [0.99]]
    assert race.is_lost(bad)
    assert not race.is_lost(good)
    assert not race.is_lost([[0.0, 0.99], [0.0, 0.99]])
    assert race.is_lost([[0.0, 0.01], [0.0, 0.01]])


def test_the_noise_is_pooled_over_different_trials_partial_ones_included():
    best = [0.8, 0.6, 0.7, 0.9, 0.5]
    others = [[0.7, 0.6, 0.7, 0.9, 0.4], [0.8, 0.5, 0.6], [0.6], [0.7, 0.4, 0.7, 0.8, 0.5]]
    trials = [trial(0, best), *[trial(i, row) for i, row in enumerate(others, start=1)]]
    trials += [trial(5, best), trial(6, others[0]), trial(7, [0.1, 0.9], state="failed")]
    race = start_race(trials, higher_is_better=True)
    rows = [np.array(row) - best[: len(row)] for row in others if len(row) > 1]
    assert race.squares == pytest.approx(sum(len(d) * np.var(d) for d in rows), abs=1e-12)
    assert race.freedom == sum(len(d) - 1 for d in rows)
    assert race.is_warm == (len(rows) >= WARM_UP)
    assert not start_race(trials[:4], higher_is_better=True).is_warm  # one fold shows no noise
    assert race.estimate([0.7, 0.6, None, None, None]) == pytest.approx(0.7 - 0.05, abs=1e-12)
    loss = start_race([trial(0, best)], higher_is_better=False)
    assert loss.estimate([0.9, 0.7, None, None, None]) == pytest.approx(0.7 + 0.1, abs=1e-12)


def test_count_fits_counts_repeated_values_once():
    trials = [
        trial(0, [0.5] * 5),
        trial(1, [0.4, 0.4]),
        trial(2, [0.3], state="failed"),
        trial(3, [0.6] * 5),
    ]
    again = [dataclasses.replace(t, ordinal=t.ordinal + 4) for t in trials]
    assert count_fits(trials + again, n_folds=5) == {
        "trials": 8,
        "pruned": 2,
        "fits": 5 + 2 + 2 + 5,
        "spared": 3,
    }
    assert count_fits([trials[0], again[0]], n_folds=5, shares_first=False)["fits"] == 10
    assert count_fits([trials[0], again[0]], n_folds=5)["fits"] == 5


# ---------------------------------------------------------------- inside the tuning


class Shifted(BaseEstimator):
    """Predicts the first feature plus a constant."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y, groups=None):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0] + self.shift


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A learner of which every number of steps is tried with one fit."""

    traits: ClassVar[Traits] = Traits(path="steps")
    level: float = 0.0
    steps: int = 1

    def build(self, info, *, seed, device):
        return Shifted(self.level - self.steps)


class Memory:
    """A log in memory."""

    def __init__(self, trials=()):
        self.kept = list(trials)

    def start(self, name):
        return tuple(self.kept)

    def add(self, name, trial):
        self.kept.append(trial)

    def restart(self, name):
        self.kept.clear()


def run(task, learner=KNN, space=SPACE, *, log=None, **options):
    log = Memory() if log is None else log
    options = {"trials": 30, "inner_folds": 5} | options
    tuner = make_tuner(task, learner, space, options=TuningOptions(**options), log=log)
    rows = TrainingRows.of(task, seed=3)
    return tuner.tune(learner, rows, name="r00f00"), log.start("r00f00")


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "grid"])
@pytest.mark.parametrize(
    ("task", "measure"),
    [(binary_toy(), "roc_auc"), (values_toy(), "rmse"), (classes_toy(), "log_loss")],
)
def test_the_default_is_never_pruned_and_the_chosen_one_neither(sampler, task, measure):
    tuned, trials = run(task, sampler=sampler, measure=measure, choose="best")
    _, whole = run(task, sampler=sampler, measure=measure, pruner="none")
    assert {t.state for t in whole} == {"ok"}
    assert trials[0].state == "ok"
    pruned = [t for t in trials if t.state == "pruned"]
    assert len(pruned) > 2
    for found in pruned:
        n_met = sum(score is not None for score in found.fold_scores)
        assert 0 < n_met < 5
        assert found.score is None
        assert found.fold_scores[n_met:] == (None,) * (5 - n_met)
        assert found.reason == f"pruned after {n_met} of 5 inner folds"
    values = {name: getattr(tuned.learner, name, tuned.transform) for name in trials[0].values}
    chosen = [t for t in trials if t.state == "ok" and t.values == values]
    assert chosen
    sign = -1 if measure != "roc_auc" else 1
    assert chosen[0].score == sign * max(sign * t.score for t in trials if t.state == "ok")
    if sampler in ("grid", "random"):  # the same values are tried, whatever is pruned
        for ours, theirs in zip(trials, whole, strict=True):
            n_met = sum(score is not None for score in ours.fold_scores)
            assert ours.values == theirs.values
            assert ours.fold_scores[:n_met] == theirs.fold_scores[:n_met]
    counts = tuned.counts
    assert counts["trials"] == len(trials)
    assert counts["pruned"] == len(pruned)
    by_values = {tuple(t.values.items()): t for t in trials}
    n_met = [sum(score is not None for score in t.fold_scores) for t in by_values.values()]
    assert counts["fits"] == sum(n_met)
    assert counts["fits"] + counts["spared"] == 5 * len(by_values)


@pytest.mark.parametrize("sampler", ["random", "grid"])
def test_certain_pruning_alone_never_changes_the_choice(sampler, monkeypatch):
    monkeypatch.setattr(pruning, "WARM_UP", 10**9)
    n_pruned = 0
    for measure in ("log_loss", "mcc", "balanced_accuracy"):
        task = classes_toy()
        tuned, trials = run(task, sampler=sampler, measure=measure, choose="best")
        plain, _ = run(task, sampler=sampler, measure=measure, choose="best", pruner="none")
        assert tuned.learner == plain.learner
        n_pruned += sum(t.state == "pruned" for t in trials)
    assert n_pruned > 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "grid"])
def test_interrupted_tuning_resumes_with_the_same_trials(sampler):
    tuned, trials = run(binary_toy(), sampler=sampler)
    assert sum(t.state == "pruned" for t in trials) > 2
    for n_kept in range(1, len(trials), 3):
        again, resumed = run(binary_toy(), sampler=sampler, log=Memory(trials[:n_kept]))
        timeless = [[dataclasses.replace(t, seconds=0.0) for t in ts] for ts in (trials, resumed)]
        assert differences(*timeless) == []
        assert again.learner == tuned.learner
        assert again.counts == tuned.counts


def test_values_that_were_pruned_are_not_fitted_again():
    space = SearchSpace.from_config({"n_neighbors": {"kind": "int", "low": 1, "high": 9}})
    tuned, trials = run(binary_toy(), space=space, trials=40, sampler="random")
    by_value = {}
    for t in trials:
        first = by_value.setdefault(t.values["n_neighbors"], t)
        assert (t.state, t.fold_scores, t.reason) == (first.state, first.fold_scores, first.reason)
    assert any(t.state == "pruned" for t in by_value.values())
    assert tuned.counts["fits"] + tuned.counts["spared"] == 5 * len(by_value)
    assert tuned.counts["pruned"] > sum(t.state == "pruned" for t in by_value.values())


@pytest.mark.parametrize("is_certain", [True, False])
def test_path_tuning_ends_only_when_none_of_its_values_can_win(is_certain, monkeypatch):
    if is_certain:
        monkeypatch.setattr(pruning, "WARM_UP", 10**9)
    space = SearchSpace.from_config(
        {
            "level": {"kind": "float", "low": -4.0, "high": 4.0},
            "steps": {"kind": "int", "low": 0, "high": 3},
        }
    )
    options = {"trials": 24, "inner_folds": 4, "sampler": "random", "choose": "best"}
    tuned, trials = run(values_toy(), Steps(), space, **options)
    plain, whole = run(values_toy(), Steps(), space, pruner="none", **options)
    pruned = [t.ordinal for t in trials if t.state == "pruned"]
    assert pruned
    assert tuned.learner == plain.learner
    goal = min(t.score for t in trials if t.state == "ok")
    for ordinal in pruned:
        assert trials[ordinal].values["level"] == whole[ordinal].values["level"]
        assert whole[ordinal].score > goal
    assert tuned.counts["fits"] + tuned.counts["spared"] == 4 * len(trials)


def test_pruning_handles_repeats_undefined_folds_and_failures():
    tuned, trials = run(binary_toy(), inner_folds=3, inner_repeats=3)
    reached = [sum(score is not None for score in t.fold_scores) for t in trials]
    assert {len(t.fold_scores) for t in trials} == {9}
    assert min(reached) < 3 < max(reached) == 9
    task = make_toy([0.0] * 18 + [1.0, 2.0], kind=TaskKind.REGRESSION)
    tuned, trials = run(task, measure="r2", sampler="random")
    defined = [score is not None for score in trials[0].fold_scores]
    assert 1 < sum(defined) < 5
    assert any(t.state == "pruned" for t in trials)
    for t in trials:
        assert all(
            score is None or known for score, known in zip(t.fold_scores, defined, strict=True)
        )
    n_different = len({tuple(t.values.items()) for t in trials})
    assert tuned.counts["fits"] + tuned.counts["spared"] == sum(defined) * n_different
    modes = SearchSpace.from_config({"mode": {"kind": "categorical", "choices": ["", "raise"]}})
    tuned, trials = run(binary_toy(), Spy(mode="raise"), modes, trials=6, sampler="random")
    assert trials[0].state == "failed"
    assert {t.state for t in trials} == {"ok", "failed"}
    assert tuned.counts == {"trials": 3, "pruned": 0, "fits": 5 + 1, "spared": 0, "stayed": 0}


def test_record_and_log_report_spared_fits(tmp_path):
    task = binary_toy()
    splits = make_splits(task, "kfold", n_splits=3)
    tuner = make_tuner(task, KNN, SPACE, options=TuningOptions(trials=20))
    assert tuner.settings() == {"tuned": True, "tune.trials": 20}
    plain = make_tuner(task, KNN, SPACE, options=TuningOptions(pruner="none"))
    assert plain.settings() == {"tuned": True, "tune.pruner": "none"}
    record = evaluate(task, KNN, splits, tuner=tuner, n_jobs=1)
    cell = CellFolder(tmp_path / f"knn-{record.hash}")
    for fold in record.folds:
        cell.write_fold(fold, task)
    cell.write_record(record)
    assert differences(cell.read_record(), record) == []
    assert record.tuning["trials"] == 60
    assert record.tuning["spared"] == sum(fold.tuning["spared"] for fold in record.folds) > 0
    assert '"spared"' in (cell.path / "record.json").read_text()
    untuned = evaluate(task, KNN, splits, n_jobs=1)
    assert untuned.tuning == {}
