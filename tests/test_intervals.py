"""Influences, intervals and tests against brute force, closed forms and tables of known truth."""

import dataclasses
import importlib
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from smalldata.comparison.comparison import compare
from smalldata.comparison.entries import Entry, Lineup
from smalldata.comparison.influence import cell_influence
from smalldata.measures.registry import find_measure
from smalldata.statistics.influence import (
    CUT,
    FOLD_RATIO,
    SHARED,
    Influence,
    from_folds,
    from_units,
    optimism,
)
from smalldata.statistics.intervals import (
    Scale,
    all_right_bound,
    difference_test,
    fold_interval,
    score_interval,
)
from smalldata.statistics.significance import corrected_interval
from smalldata.task import TaskKind
from test_comparison import toy_folds, toy_record, toy_target

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "verdict"


@pytest.fixture
def verdict(monkeypatch):
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = ("simulated", "fast", "coverage")
    found = SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    yield found
    for name in names:
        sys.modules.pop(name, None)


BINARY = TaskKind.BINARY
UNIT = Scale(low=0.0, high=1.0)
ERROR = Scale(low=0.0, high=math.inf)
SHARE = Scale(low=-math.inf, high=1.0)
LINE = Scale(low=-math.inf, high=math.inf)


def influence(*moved, freedom=10.0):
    return Influence(
        moved=np.array([moved], dtype=float),
        shared=1.0,
        cut=0.0,
        n_units=30,
        freedom_of_folds=freedom,
    )


# ---------------------------------------------------------------- influences


def test_influence_of_a_mean_is_its_variance_times_the_factors():
    y = toy_target(BINARY)
    record = toy_record("a", 0.7, y=y, folds=toy_folds(y, n_repeats=1))
    found = cell_influence(record, find_measure("brier", BINARY))
    squares = []
    for fold in record.folds:
        part = fold.prediction
        losses = (part.probabilities[:, 1] - part.y) ** 2
        squares.append(np.var(losses, ddof=1) / len(losses))
    assert found.variance == pytest.approx((SHARED + CUT) * np.mean(squares) / 5)
    assert found.moved.shape == (1, 60)


def test_influence_on_auc_is_what_leaving_one_out_changes():
    record = toy_record("a", 0.7)
    found = cell_influence(record, find_measure("roc_auc", BINARY))
    moved = np.zeros((3, 60))
    for fold in record.folds:
        part = fold.prediction
        whole = roc_auc_score(part.y, part.margin[:, 0])
        for place, row in enumerate(part.row):
            rest = np.arange(len(part.row)) != place
            left = roc_auc_score(part.y[rest], part.margin[rest, 0])
            alike = np.sum(part.y == part.y[place])
            moved[fold.repeat, row] = np.sqrt((alike - 1) / alike) * (whole - left) / 5
    assert found.moved == pytest.approx(moved)
    wanted = SHARED * np.sum(moved.mean(axis=0) ** 2) + CUT * np.sum(moved**2) / 3
    assert found.variance == pytest.approx(wanted)


def test_groups_are_left_out_whole():
    y = np.repeat(np.tile([0, 1], 10), 3)
    groups = np.repeat(np.arange(20), 3)
    folds = [(0, k, np.flatnonzero(np.isin(groups, np.arange(4 * k, 4 * k + 4)))) for k in range(5)]
    record = toy_record("a", 0.7, y=y, folds=folds)
    alone = cell_influence(record, find_measure("log_loss", BINARY))
    grouped = cell_influence(
        dataclasses.replace(record, groups=tuple(groups.tolist())), find_measure("log_loss", BINARY)
    )
    assert (alone.moved.shape, grouped.moved.shape) == ((1, 60), (1, 20))
    part = record.folds[0].prediction
    losses = -np.log(part.probabilities[np.arange(12), part.y])
    first = np.sqrt(3 / 4) * (losses.mean() - losses[3:].mean()) / 5
    assert grouped.moved[0, 0] == pytest.approx(first)


def test_a_fold_of_one_unit_is_left_out_itself():
    y = toy_target(BINARY, 20)
    record = toy_record("a", 0.7, y=y, folds=[(0, i, np.array([i])) for i in range(20)], cv="loo")
    found = cell_influence(record, find_measure("brier", BINARY))
    losses = [(f.prediction.probabilities[0, 1] - f.prediction.y[0]) ** 2 for f in record.folds]
    assert found.variance == pytest.approx((SHARED + CUT) * np.var(losses, ddof=1) / 20)


def test_one_positive_in_a_fold_leaves_folds_to_count():
    y = np.array(([1] + [0] * 9) * 5)
    folds = [(0, k, np.arange(10 * k, 10 * k + 10)) for k in range(5)]
    records = [toy_record(name, 1.0, y=y, folds=folds) for name in ("a", "b")]
    measure = find_measure("roc_auc", BINARY)
    assert cell_influence(records[0], measure) is None
    lineup = Lineup(tuple(Entry(record=one, settings="") for one in records))
    found = lineup.influences(measure, lineup.entries)
    assert all(one.freedom_of_folds == 4 for one in found)
    scores = lineup.scores(lineup.entries[0], measure).values
    wanted = np.var(scores, ddof=1) * (1 / 5 + FOLD_RATIO * 0.25)
    assert found[0].variance == pytest.approx(wanted)
    assert found[0].freedom == 4
    assert len(compare(records).tests) == 1


def test_folds_need_two_scores():
    assert from_folds(np.array([0.7]), ratio=0.25) is None
    assert fold_interval(np.array([0.7]), ratio=0.25) is None


def test_a_single_test_fold_counts_its_samples_once():
    moved = np.random.default_rng(0).normal(size=(1, 30))
    assert from_units(moved, tested_share=0.25, n_folds=1).variance == pytest.approx(
        np.sum(moved**2)
    )
    twice = from_units(np.repeat(moved, 2, axis=0), tested_share=0.25, n_folds=1)
    assert twice.variance == pytest.approx((1 + (SHARED + CUT - 1) * 0.25) * np.sum(moved**2))
    many = from_units(np.repeat(moved, 9, axis=0), tested_share=0.25, n_folds=1)
    assert many.variance == pytest.approx((SHARED + CUT) * np.sum(moved**2))


def test_freedom_falls_where_few_units_carry_the_variance():
    rng = np.random.default_rng(1)
    even = from_units(rng.normal(size=(1, 400)), tested_share=1.0, n_folds=5)
    assert even.freedom == pytest.approx(399, rel=0.3)
    few = np.concatenate([rng.normal(size=(1, 390)) * 0.01, rng.normal(size=(1, 10))], axis=1)
    assert from_units(few, tested_share=1.0, n_folds=5).freedom < 25


# ---------------------------------------------------------------- scales and intervals


@pytest.mark.parametrize("scale", [UNIT, ERROR, SHARE, LINE, UNIT.of_difference])
def test_scales_go_back_and_forth_with_the_right_slope(scale):
    for value in (0.02, 0.4, 0.97):
        assert scale.from_line(scale.to_line(value)) == pytest.approx(value)
        step = 1e-6
        slope = (scale.to_line(value + step) - scale.to_line(value - step)) / (2 * step)
        assert scale.slope(value) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize(("scale", "mean"), [(UNIT, 0.97), (ERROR, 0.1), (SHARE, 0.95)])
def test_intervals_stay_in_the_range_of_the_measure(scale, mean):
    found = score_interval(mean, influence(0.3), scale)
    assert scale.low < found.low < mean < found.high <= scale.high


def test_an_interval_on_the_whole_line_is_students():
    found = score_interval(2.0, influence(0.3, 0.4, freedom=7.0), LINE)
    reach = scipy.stats.t.ppf(0.975, 7) * 0.5
    assert (found.low, found.high) == pytest.approx((2 - reach, 2 + reach))


def test_all_right_leaves_a_bound_that_knows_n():
    assert all_right_bound(15) == pytest.approx(0.782, abs=5e-4)
    exact = scipy.stats.binomtest(15, 15).proportion_ci(0.95, method="exact")
    assert all_right_bound(15) == pytest.approx(exact.low)


def perfect(name, n_rows=40, n_folds=5):
    y = np.arange(n_rows) % 2
    folds = [
        (0, k, np.arange(k * n_rows // n_folds, (k + 1) * n_rows // n_folds))
        for k in range(n_folds)
    ]
    return toy_record(name, 100.0, y=y, folds=folds)


def test_a_perfect_score_has_an_interval_and_no_certainty():
    rows = {row.measure: row for row in compare([perfect("a")]).rows}
    assert rows["roc_auc"].mean == rows["balanced_accuracy"].mean == 1
    assert rows["roc_auc"].ci_low == pytest.approx(0.025 ** (1 / 20))
    assert rows["roc_auc"].ci_high == 1
    assert rows["balanced_accuracy"].ci_low == pytest.approx((1 + 0.025 ** (1 / 20)) / 2)
    both = compare([perfect("a"), perfect("b")]).tests[0]
    assert (both.difference, both.p) == (0, 1)
    assert both.p_equal < 0.5
    assert both.ci_low < -0.1 < 0.1 < both.ci_high


def test_scores_without_variation_have_no_interval():
    record = toy_record("dummy", 0.0)
    flat = [
        dataclasses.replace(
            fold,
            prediction=dataclasses.replace(
                fold.prediction, margin=np.zeros((12, 1)), probabilities=np.full((12, 2), 0.5)
            ),
            scores={},
        )
        for fold in record.folds
    ]
    dummy = dataclasses.replace(record, folds=tuple(flat))
    row = compare([dummy, toy_record("good", 1.0)]).rows[-1]
    row = next(r for r in compare([dummy, toy_record("good", 1.0)]).rows if r.model == "dummy")
    assert (row.mean, row.ci_low, row.ci_high) == (0.5, None, None)
    assert "no variation" in row.reason


TWENTIES = [(0, k, np.arange(20 * k, 20 * k + 20)) for k in range(5)]


@pytest.mark.parametrize("n_wrong", [0, 1, 2, 5])
def test_one_wrong_sample_of_many_does_not_empty_the_interval(n_wrong):
    """Wider than Wilson's of the same proportion, since training samples count too, but no more."""
    y = np.arange(100) % 2
    record = toy_record(
        "a", 100.0, y=y, folds=[(0, k, np.arange(20 * k, 20 * k + 20)) for k in range(5)]
    )
    folds = list(record.folds)
    for k in range(n_wrong):
        part = folds[k].prediction
        label = part.label.copy()
        label[0] = 1 - label[0]
        folds[k] = dataclasses.replace(
            folds[k], prediction=dataclasses.replace(part, label=label), scores={}
        )
    wrong = dataclasses.replace(record, folds=tuple(folds), identity={"wrong": n_wrong})
    measure = find_measure("balanced_accuracy", BINARY)
    lineup = Lineup((Entry(record=wrong, settings=""),))
    found = lineup.interval(lineup.entries[0], measure)
    plain = scipy.stats.binomtest(100 - n_wrong, 100).proportion_ci(0.95, method="wilson")
    assert plain.low - 0.06 < found.low < plain.low + 0.02
    dummy = compare([wrong, flat_record()], measure="balanced_accuracy").tests[0]
    assert str(dummy.word) == "clearly better"


def flat_record():
    y = np.arange(100) % 2
    record = toy_record(
        "dummy", 0.0, y=y, folds=[(0, k, np.arange(20 * k, 20 * k + 20)) for k in range(5)]
    )
    return record


# ---------------------------------------------------------------- tests of differences


def test_the_interval_excludes_zero_where_p_is_below_five_percent():
    for difference in np.linspace(-0.6, 0.6, 41):
        found = difference_test(float(difference), influence(0.1), UNIT.of_difference, rope=0.01)
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
        assert found.p_above + found.p_equal + found.p_below == pytest.approx(1)
        mirrored = difference_test(
            -float(difference), influence(-0.1), UNIT.of_difference, rope=0.01
        )
        assert mirrored.p == pytest.approx(found.p)
        assert mirrored.p_above == pytest.approx(found.p_below)
        assert -1 < found.low <= found.high < 1


def test_equal_predictions_are_equal_and_a_sure_difference_is_sure():
    same = difference_test(0.0, influence(0.0), UNIT.of_difference, rope=0.01)
    assert (same.p, same.p_equal) == (1, 1)
    apart = difference_test(0.2, influence(0.0), UNIT.of_difference, rope=0.01)
    assert (apart.p, apart.p_above) == (0, 1)
    unseen = difference_test(0.5, influence(0.0), UNIT.of_difference, unseen=0.1)
    assert 0 < unseen.p < 0.01
    largest = difference_test(1.0, influence(0.0), UNIT.of_difference, unseen=0.1)
    assert 0 < largest.p < 1e-4


def test_nadeau_bengio_stays_for_those_who_cite_it():
    record = toy_record("a", 0.7)
    row = compare([record], interval="nadeau_bengio").rows[0]
    scores = [fold.scores["roc_auc"].value for fold in record.folds]
    wanted = corrected_interval(scores, ratio=0.25)
    assert (row.ci_low, row.ci_high) == pytest.approx((wanted.low, min(wanted.high, 1.0)))
    assert (row.ci_low, row.ci_high) != (compare([record]).rows[0].ci_low, row.ci_high)


# ---------------------------------------------------------------- the choice of the best


def test_one_model_flatters_by_nothing():
    means = np.array([0.7])
    assert optimism(means, [influence(0.1)], higher_is_better=True, seed=0) == pytest.approx(0)
    apart = [influence(0.01, 0.0), influence(0.0, 0.01)]
    means = np.array([0.9, 0.5])
    assert optimism(means, apart, higher_is_better=True, seed=0) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_of_equal_scores_is_brought_back_to_their_expectation(higher):
    """Eight models of expected score 0; the plain maximum is off by 1.4 standard errors."""
    rng = np.random.default_rng(4)
    factor = rng.normal(size=(8, 30)) / np.sqrt(30) + 0.1
    influences = [influence(*row) for row in factor]
    plain, corrected = [], []
    for seed in range(400):
        means = factor @ rng.standard_normal(30)
        best = means.max() if higher else means.min()
        plain.append(best)
        found = optimism(means, influences, higher_is_better=higher, seed=seed)
        assert found >= 0 if higher else found <= 0
        corrected.append(best - found)
    assert abs(np.mean(plain)) > 1.0
    # Not quite nothing: the corrected score is never below the worst.
    assert abs(np.mean(corrected)) < 0.25 * abs(np.mean(plain))


@pytest.mark.parametrize("kind", [BINARY, TaskKind.REGRESSION])
def test_correction_is_nothing_for_one_and_its_mean_lies_within_its_interval(kind):
    records = [toy_record(f"m{i}", 0.4, kind=kind, seed=i) for i in range(6)]
    for measure in (
        ("r2", "rmse", "spearman")
        if not kind.is_classification
        else (
            "roc_auc",
            "average_precision",
            "mcc",
            "f1",
            "log_loss",
        )
    ):
        lineup = Lineup(tuple(Entry(record=one, settings="") for one in records))
        one = find_measure(measure, kind)
        ranked = lineup.ranked(one, lineup.entries)
        alone = lineup.best_corrected(one, ranked[:1])
        own = lineup.interval(ranked[0], one)
        assert (alone.mean, alone.low, alone.high) == pytest.approx((own.mean, own.low, own.high))
        several = lineup.best_corrected(one, ranked)
        assert several.low < several.mean < several.high
        assert (several.mean < own.mean) == one.higher_is_better


# ---------------------------------------------------------------- the study of coverage


SETTING = {
    "n": 40,
    "p": 20,
    "prevalence": 0.5,
    "signal": 1.2,
    "learner": "ridge",
    "repeats": 2,
    "folds": 5,
}


@pytest.mark.parametrize("changes", [{}, {"group": 2, "n": 80}, {"prevalence": None}])
def test_fast_scores_and_influences_equal_those_of_the_package(verdict, changes):
    world = verdict.simulated.World(**(SETTING | changes))
    chunk = next(verdict.simulated.simulate(world, 2, 3))
    regression = world.prevalence is None
    kind = TaskKind.REGRESSION if regression else BINARY
    found = verdict.fast.value_scores(chunk) if regression else verdict.fast.class_scores(chunk)
    for table in range(2):
        for block, record in enumerate(verdict.simulated.records(world, chunk, table)):
            for name, (scores, moved) in found.items():
                measure = find_measure(name, kind)
                lineup = Lineup((Entry(record=record, settings=""),))
                mean = lineup.scores(lineup.entries[0], measure).mean
                assert scores[table, block].mean() == pytest.approx(mean)
                own = from_units(
                    moved[table, block],
                    tested_share=1.0,
                    n_folds=5,
                    share=measure.jackknife_share,
                )
                assert own.moved == pytest.approx(cell_influence(record, measure).moved)


def test_intervals_hold_what_they_say_and_those_of_folds_do_not(verdict):
    world = verdict.simulated.World(**(SETTING | {"repeats": 5, "signal": 0.8}))
    rows = {(row["cv"], row["measure"]): row for row in verdict.coverage.study(world, 300)}
    row = rows["5x5", "roc_auc"]
    assert row["held"] >= 0.93
    assert row["rejected"] <= 0.07
    assert row["held_nadeau_bengio"] < row["held"] - 0.02
