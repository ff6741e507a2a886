"""Records made by hand: what is ranked, tested, refused, and how it is written down."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from smalldata.comparison.comparison import compare
from smalldata.comparison.scores import cell_draws, cell_scores
from smalldata.comparison.table import (
    COLUMNS,
    predictions_frame,
    show,
    to_frame,
    to_markdown,
    to_plain,
)
from smalldata.errors import ConfigError, SplitError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.measures.registry import find_measure, measures_for, score_prediction
from smalldata.models import load_learner
from smalldata.resampling.splitting import make_folds
from smalldata.resampling.strategies import make_splits
from smalldata.results.comparison import Word
from smalldata.results.folds import FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.statistics.significance import corrected_interval, corrected_test, holm
from smalldata.statistics.verdict import choose_word, levels_left, smallest_detectable
from smalldata.task import TaskKind
from toys import make_toy

CLASSES = {
    TaskKind.BINARY: ("control", "case"),
    TaskKind.MULTICLASS: ("a", "b", "c"),
    TaskKind.REGRESSION: (),
}
MEASURE = {
    TaskKind.BINARY: "roc_auc",
    TaskKind.MULTICLASS: "roc_auc_ovr",
    TaskKind.REGRESSION: "rmse",
}


def toy_target(kind, n=60):
    rng = np.random.default_rng(11)
    if kind is TaskKind.REGRESSION:
        return rng.normal(size=n)
    return rng.permutation(np.arange(n) % len(CLASSES[kind]))


def toy_folds(y, *, n_splits=5, n_repeats=3, stratify=True):
    return [
        (repeat, fold, test)
        for repeat in range(n_repeats)
        for fold, (_, test) in enumerate(make_folds(y, n_splits, stratify=stratify, seed=repeat))
    ]


def toy_prediction(kind, y, rows, strength, rng):
    """Noise plus ``strength`` times the truth."""
    if kind is TaskKind.REGRESSION:
        return Prediction(
            row=rows, y=y[rows], value=strength * y[rows] + rng.normal(size=len(rows))
        )
    logits = rng.normal(size=(len(rows), len(CLASSES[kind])))
    logits[np.arange(len(rows)), y[rows]] += strength
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    margin = logits[:, 1:] - logits[:, :1] if len(CLASSES[kind]) == 2 else logits
    return Prediction(row=rows, y=y[rows], label=p.argmax(axis=1), probabilities=p, margin=margin)


def toy_record(
    model,
    strength=1.0,
    *,
    kind=TaskKind.BINARY,
    y=None,
    folds=None,
    seed=None,
    settings=None,
    splits_key="3fa1" * 16,
    cv="rep5x5",
    ratio=0.25,
    **changes,
):
    y = toy_target(kind) if y is None else y
    folds = toy_folds(y, stratify=bool(CLASSES[kind])) if folds is None else folds
    rng = np.random.default_rng(sum(map(ord, model)) if seed is None else seed)
    results = []
    for repeat, fold, rows in folds:
        prediction = toy_prediction(kind, y, rows, strength, rng)
        results.append(
            FoldResult(
                repeat=repeat,
                fold=fold,
                status="ok",
                seed=1,
                n_train=len(y) - len(rows),
                prediction=prediction,
                scores=score_prediction(prediction, kind=kind, classes=CLASSES[kind]),
                seconds={"fit": 0.5, "predict": 0.01},
            )
        )
    settings = settings or {}
    identity = {"model": model, "settings": settings, "cv": splits_key, "strength": strength}
    record = RunRecord(
        dataset="toy",
        cv=cv,
        model=model,
        kind=kind,
        classes=CLASSES[kind],
        measure=MEASURE[kind],
        target="y",
        n_samples=len(y),
        n_features=9,
        splits_key=splits_key,
        test_train_ratio=ratio,
        n_planned=len(folds),
        identity=identity | {"train_size": changes.get("train_size"), "seed": seed},
        settings=settings,
        environment={"python": "3.11", "host": model},
        folds=tuple(results),
    )
    return dataclasses.replace(record, **changes)


def failing(record, index=7, reason="no neighbours"):
    """The same record with one failed fold."""
    folds = list(record.folds)
    folds[index] = dataclasses.replace(
        folds[index], status="failed", reason=reason, prediction=None, scores={}
    )
    return dataclasses.replace(record, folds=tuple(folds), identity={"failed": record.model})


def primary_rows(comparison):
    return [row for row in comparison.rows if row.measure == comparison.measure]


# ---------------------------------------------------------------- ranks, intervals, tests


@pytest.mark.parametrize("kind", list(TaskKind))
def test_rows_and_tests_equal_significance_functions(kind):
    """With the corrected variance of the fold scores, which those who cite it can ask for."""
    strengths = {"weak": -1.0, "good": 0.9, "fair": 0.7, "twin": 0.85}
    records = {name: toy_record(name, value, kind=kind) for name, value in strengths.items()}
    comparison = compare(list(records.values()), interval="nadeau_bengio")
    measure = find_measure(MEASURE[kind], kind)
    values = {name: cell_scores(record, measure).values for name, record in records.items()}
    sign = -1 if measure.higher_is_better else 1
    expected = sorted(values, key=lambda name: sign * values[name].mean())
    rows = primary_rows(comparison)
    assert [row.model for row in rows] == expected
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert rows == list(comparison.rows[:4])
    best = expected[0]
    for row in rows:
        interval = corrected_interval(values[row.model], ratio=0.25)
        assert row.mean == pytest.approx(values[row.model].mean())
        assert row.ci_low == pytest.approx(max(interval.low, measure.low))
        assert row.ci_high == pytest.approx(min(interval.high, measure.high))
        assert (row.n_scored, row.n_ok) == (15, 15)
        assert row.tied_with_best == (row.versus_best is not Word.WORSE)
        against = [
            test for test in comparison.tests if {test.first, test.second} == {row.model, best}
        ]
        assert [test.word.turned for test in against] == ([row.versus_best] if against else [])
        assert (row.versus_best is None) == (row.model == best)
        assert row.fit_seconds == pytest.approx(7.5)
        assert row.tune_seconds is None
        assert (row.n_ok, row.n_failed, row.status) == (15, 0, "ok")
    assert len({row.tied_with_best for row in rows}) == 2  # the toy has both
    assert len(comparison.tests) == 6
    p_values = []
    for test in comparison.tests:
        against = corrected_test(
            values[test.first], values[test.second], ratio=0.25, rope=test.rope
        )
        assert test.p == pytest.approx(against.p)
        assert (test.ci_low, test.ci_high) == pytest.approx((against.low, against.high))
        better = against.p_above if measure.higher_is_better else against.p_below
        assert test.p_first_better == pytest.approx(better)
        assert test.p_first_better >= test.p_second_better  # pairs run from better to worse
        assert test.p_first_better + test.p_equal + test.p_second_better == pytest.approx(1)
        p_values.append(test.p)
        word = choose_word(against, test.p_holm, higher_is_better=measure.higher_is_better)
        assert test.word is word
    assert [test.p_holm for test in comparison.tests] == pytest.approx(list(holm(p_values)))
    levels = levels_left(holm(p_values))
    for test, level in zip(comparison.tests, levels, strict=True):
        against = corrected_test(values[test.first], values[test.second], ratio=0.25)
        assert test.detectable == pytest.approx(smallest_detectable(against, level=level))


def test_every_measure_has_a_row_and_the_calibration_slope_no_rank():
    comparison = compare([toy_record("one", 0.4), toy_record("two", 0.3)])
    names = [measure.name for measure in measures_for(TaskKind.BINARY)]
    assert list(dict.fromkeys(row.measure for row in comparison.rows)) == names
    assert len(comparison.rows) == 2 * len(names)
    for row in comparison.rows:
        unranked = row.measure.startswith("calibration_")
        assert (row.rank is None) == unranked


def test_rope_defaults_to_the_measure_and_can_be_given():
    regression = [toy_record(name, 0.5, kind=TaskKind.REGRESSION) for name in ("a", "b")]
    spread = np.std(toy_target(TaskKind.REGRESSION), ddof=1)
    assert compare(regression).tests[0].rope == pytest.approx(0.02 * spread)
    binary = [toy_record(name) for name in ("a", "b")]
    assert compare(binary).tests[0].rope == 0.01
    wide = compare(binary, rope=0.5).tests[0]
    assert wide.rope == 0.5
    assert wide.p_equal > 0.9


def test_equal_scores_share_a_rank():
    twins = [toy_record("a", seed=1), toy_record("b", seed=1)]
    comparison = compare([*twins, toy_record("c", 0.0)])
    assert [row.rank for row in primary_rows(comparison)] == [1, 1, 3]
    test = comparison.tests[0]
    assert (test.difference, test.p, test.p_equal) == (0, 1, 1)


def test_primary_measure_can_be_changed():
    records = [toy_record("a", 1.2), toy_record("b", 0.4)]
    comparison = compare(records, measure="log_loss")
    assert comparison.measure == "log_loss"
    assert comparison.rows[0].measure == "log_loss"
    assert comparison.rows[0].mean < comparison.rows[1].mean
    assert {test.measure for test in comparison.tests} == {"log_loss"}
    mixed = [records[0], dataclasses.replace(records[1], measure="mcc")]
    with pytest.raises(ConfigError, match=r"roc_auc \(a\) and mcc \(b\)\. Set measure=NAME"):
        compare(mixed)
    assert compare(mixed, measure="mcc").measure == "mcc"
    with pytest.raises(ConfigError, match="calibration_slope does not"):
        compare(records, measure="calibration_slope")


def test_ranks_tests_and_holm_stay_within_a_train_size():
    records = [toy_record(name, 0.6) for name in ("a", "b", "c")]
    records += [toy_record(name, 0.3, train_size=20) for name in ("a", "b")]
    records += [toy_record("a", 0.4, train_size=30)]
    comparison = compare(records)
    rows = primary_rows(comparison)
    assert [row.train_size for row in rows] == [None, None, None, 30, 20, 20]
    assert [row.rank for row in rows] == [1, 2, 3, 1, 1, 2]
    assert [test.train_size for test in comparison.tests] == [None, None, None, 20]
    small = comparison.tests[-1]
    assert small.p_holm == small.p
    assert "train size" in to_markdown(comparison)


# ---------------------------------------------------------------- failed, skipped, undefined


def test_failed_and_skipped_cells_are_listed_unranked():
    good, weak = toy_record("good", 1.5), toy_record("weak", 0.1)
    skipped = dataclasses.replace(
        toy_record("tabpfn"), folds=(), skipped="takes at most 5 features, the task has 9"
    )
    unfinished = dataclasses.replace(
        toy_record("slow"), folds=good.folds[:4], identity={"slow": True}
    )
    comparison = compare([skipped, unfinished, failing(good), weak])
    rows = primary_rows(comparison)
    assert [row.model for row in rows] == ["weak", "good", "slow", "tabpfn"]
    assert [row.rank for row in rows] == [1, None, None, None]
    assert [row.mean is None for row in rows] == [False, True, True, True]
    assert rows[1].reason == "r01f02: no neighbours"
    assert (rows[1].n_ok, rows[1].n_failed) == (14, 1)
    assert rows[2].reason == "4 of 15 folds are done; run the same command to finish"
    assert rows[3].reason == "takes at most 5 features, the task has 9"
    assert not comparison.tests
    assert comparison.best_corrected is None
    text = to_markdown(comparison)
    assert "- good: failed: r01f02: no neighbours" in text
    assert "- tabpfn: skipped: takes at most 5 features" in text


def test_comparison_of_failed_cells_has_no_ranks():
    comparison = compare([failing(toy_record("a")), failing(toy_record("b"))])
    assert [row.rank for row in primary_rows(comparison)] == [None, None]
    assert to_frame(comparison)["mean"].isna().all()
    json.dumps(to_plain(comparison), allow_nan=False)
    assert "failed" in to_markdown(comparison)


def test_comparison_of_one_record_has_rank_one_and_no_tests():
    comparison = compare([toy_record("alone")])
    row = comparison.rows[0]
    assert (row.rank, row.tied_with_best) == (1, True)
    assert comparison.tests == ()
    assert comparison.best_corrected is None


def test_measure_undefined_because_of_the_predictions_has_no_mean():
    record = toy_record("flat", 1.0, kind=TaskKind.REGRESSION)
    folds = list(record.folds)
    for index in (0, 3):
        y = folds[index].prediction.y
        constant = dataclasses.replace(folds[index].prediction, value=np.zeros(len(y)))
        scores = score_prediction(constant, kind=TaskKind.REGRESSION, classes=())
        folds[index] = dataclasses.replace(folds[index], prediction=constant, scores=scores)
    flat = dataclasses.replace(record, folds=tuple(folds), identity={"flat": 1})
    comparison = compare([flat, toy_record("fine", 1.0, kind=TaskKind.REGRESSION)])
    row = next(r for r in comparison.rows if r.model == "flat" and r.measure == "spearman")
    assert (row.mean, row.ci_low, row.rank) == (None, None, None)
    assert row.reason == "undefined on 2 of 15 folds: all predicted values are equal"
    assert next(r for r in comparison.rows if r.model == "flat").rank is not None  # on RMSE
    assert "- flat: Spearman ρ: undefined on 2 of 15 folds" in to_markdown(comparison)


def uneven_binary():
    """Twelve rows, folds of two, of which the last two hold one class."""
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    return y, [(0, fold, np.array([2 * fold, 2 * fold + 1])) for fold in range(6)]


def test_folds_with_one_class_are_left_out_of_auc_for_every_model():
    y, folds = uneven_binary()
    records = [toy_record(name, 0.5, y=y, folds=folds) for name in ("a", "b")]
    scores = cell_scores(records[0], find_measure("roc_auc", TaskKind.BINARY))
    assert len(scores.values) == 4
    assert scores.note == "on 4 of 6 folds; the others: needs two classes among the test rows"
    # bootstrap draws keep to the folds too: scores of different models are never pooled
    drawn = cell_draws(records[0], find_measure("roc_auc", TaskKind.BINARY), np.ones((1, 12)))
    assert drawn[0] == pytest.approx(scores.mean)
    row = compare(records).rows[0]
    assert row.mean is not None
    assert row.reason == scores.note
    assert row.n_ok == 6


def test_most_folds_with_one_class_leave_no_mean():
    y, _ = uneven_binary()
    loo = [(0, row, np.array([row])) for row in range(12)]
    records = [toy_record(name, 0.5, y=y, folds=loo, cv="loo") for name in ("a", "b")]
    comparison = compare(records, measure="balanced_accuracy")
    for row in comparison.rows:
        if row.measure in ("roc_auc", "average_precision"):
            assert row.mean is None
            assert (
                row.reason == "undefined on 12 of 12 folds: needs two classes among the test rows"
            )
        else:
            assert row.mean is not None
    lines = [line for line in to_markdown(comparison).splitlines() if "undefined" in line]
    assert len(lines) == 1
    models, titles = lines[0].removeprefix("- ").split(": ")[:2]
    assert sorted(models.split(", ")) == ["a", "b"]
    assert titles == "ROC AUC, Average precision"


def test_balanced_accuracy_of_folds_that_lack_a_class_is_pooled_over_the_repeat():
    y, folds = uneven_binary()
    loo = [(0, row, np.array([row])) for row in range(12)]
    for kept in (folds, loo):
        record = toy_record("a", 0.5, y=y, folds=kept)
        scores = cell_scores(record, find_measure("balanced_accuracy", TaskKind.BINARY))
        label = np.concatenate([fold.prediction.label for fold in record.folds])
        recalls = [np.mean(label[y == code] == code) for code in (0, 1)]
        assert scores.mean == pytest.approx(np.mean(recalls))
        assert len(scores.values) == len(kept)
        assert scores.pooled
        assert "lack a class" in scores.note
    # a majority vote is at chance, which the mean of single rows would hide
    majority = [
        dataclasses.replace(
            fold, prediction=dataclasses.replace(fold.prediction, label=np.zeros(1, dtype=int))
        )
        for fold in record.folds
    ]
    dummy = dataclasses.replace(record, folds=tuple(majority))
    found = cell_scores(dummy, find_measure("balanced_accuracy", TaskKind.BINARY))
    assert found.mean == pytest.approx(0.5)


# ---------------------------------------------------------------- holdout and bias correction


def test_holdout_takes_intervals_from_its_samples():
    y = toy_target(TaskKind.BINARY, 90)
    folds = [(0, 0, np.arange(0, 90, 3))]
    records = [
        toy_record(name, strength, y=y, folds=folds, cv="holdout", ratio=0.5)
        for name, strength in (("good", 1.0), ("none", -1.0), ("near", 0.9))
    ]
    comparison = compare(records)
    for row in comparison.rows:
        if row.mean is not None and row.rank is not None:
            assert row.ci_low <= row.mean <= row.ci_high
            assert row.ci_low < row.ci_high
    last = primary_rows(comparison)[-1]
    assert last.model == "none"
    assert not last.tied_with_best
    assert len(comparison.tests) == 3
    assert all(0 < test.p <= 1 for test in comparison.tests)
    assert "One test fold" in comparison.notes[-1]


def test_holdout_leaves_whole_groups_out_where_there_are_groups():
    y = np.tile([0, 1], 30)
    folds = [(0, 0, np.arange(60))]
    record = toy_record("a", 0.7, y=y, folds=folds, cv="holdout")
    alone = compare([record], measure="brier").rows[0]
    grouped = dataclasses.replace(record, groups=tuple(np.repeat([0, 1, 2], 20).tolist()))
    pairs = compare([grouped], measure="brier").rows[0]
    assert alone.mean == pairs.mean
    assert (alone.ci_low, alone.ci_high) != (pairs.ci_low, pairs.ci_high)


def test_best_of_equal_models_is_corrected_downwards():
    records = [toy_record(f"m{i}", 0.35, seed=i) for i in range(12)]
    best = compare(records).best_corrected
    assert best["n_models"] == 12
    assert best["uncorrected"] == pytest.approx(compare(records).rows[0].mean)
    assert best["ci_low"] < best["mean"] < best["ci_high"]
    truth = np.mean([row.mean for row in primary_rows(compare(records))])
    assert best["mean"] < best["uncorrected"]
    assert best["ci_low"] < truth < best["ci_high"]


def test_bias_correction_of_an_error_goes_upwards():
    records = [toy_record(f"m{i}", 0.1, seed=i, kind=TaskKind.REGRESSION) for i in range(8)]
    best = compare(records).best_corrected
    assert best["mean"] > best["uncorrected"]


@pytest.mark.parametrize("cv", ["kfold", "holdout"])
def test_balanced_accuracy_of_dummy_has_no_interval(cv):
    task = make_toy((["case"] + ["control"] * 11) * 5)
    splits = make_splits(task, cv, n_splits=5 if cv == "kfold" else None)
    record = evaluate(task, load_learner("dummy"), splits, n_jobs=1)
    again = dataclasses.replace(record, identity={**record.identity, "seed": 1})
    found = compare([record, again], measure="balanced_accuracy")
    assert {(row.mean, row.ci_low, row.ci_high) for row in found.rows[:2]} == {(0.5, None, None)}
    assert found.best_corrected is None
    why = "without one of its samples" if cv == "holdout" else "no variation"
    assert why in found.rows[0].reason


def test_bias_correction_draws_whole_groups_whatever_the_splits_are_called():
    groups = tuple(np.repeat(np.arange(20), 3).tolist())
    records = [toy_record(name, cv="kfold") for name in ("a", "b")]
    grouped = [dataclasses.replace(record, groups=groups) for record in records]
    assert compare(records).best_corrected != compare(grouped).best_corrected


def test_draws_of_every_row_once_give_the_cell_mean():
    for kind in TaskKind:
        record = toy_record("a", 0.5, kind=kind)
        for measure in measures_for(kind):
            mean = cell_scores(record, measure).mean
            drawn = cell_draws(record, measure, np.ones((2, record.n_samples)))
            if mean is not None:
                assert drawn == pytest.approx([mean, mean]), measure.name


def test_leave_one_out_is_drawn_over_whole_repeats():
    y = toy_target(TaskKind.REGRESSION, 20)
    loo = [(0, row, np.array([row])) for row in range(20)]
    record = toy_record("a", 0.5, kind=TaskKind.REGRESSION, y=y, folds=loo)
    drawn = cell_draws(record, find_measure("rmse", record.kind), np.ones((1, 20)))
    value = np.concatenate([fold.prediction.value for fold in record.folds])
    assert drawn[0] == pytest.approx(np.sqrt(np.mean((y - value) ** 2)))


def test_optimistic_cells_are_flagged_and_not_among_the_best_of():
    record = toy_record("swept", 2.0)
    swept = dataclasses.replace(record, identity={**record.identity, "optimistic": True})
    comparison = compare([swept, toy_record("a"), toy_record("b")])
    assert [row.optimistic for row in primary_rows(comparison)] == [True, False, False]
    assert comparison.best_corrected["n_models"] == 2
    assert "swept †" in to_markdown(comparison)
    assert "†: chosen by the score" in to_markdown(comparison)


# ---------------------------------------------------------------- what is refused


def test_records_with_unequal_splits_are_refused():
    knn = toy_record("knn")
    svm = toy_record("svm", splits_key="9c20" * 16, cv="kfold")
    with pytest.raises(SplitError) as caught:
        compare([knn, svm, toy_record("mlp")])
    assert str(caught.value) == (
        "all records must share one split; knn has 3fa1, svm has 9c20. Re-run svm with cv=rep5x5."
    )


def test_comparison_without_records_or_with_unequal_tasks_is_refused():
    with pytest.raises(ConfigError, match="at least one record"):
        compare([])
    flipped = toy_record("svm", classes=("case", "control"))
    with pytest.raises(ConfigError, match=r"Re-run svm with the same dataset.kind"):
        compare([toy_record("knn"), toy_record("mlp"), flipped])


# ---------------------------------------------------------------- labels


def test_labels_are_unique_and_a_cell_given_twice_counts_once():
    plain = toy_record("svm", 0.5)
    other = toy_record("svm", 0.4)  # differs in something that is not among the settings
    tuned = toy_record("svm", 0.6, settings={"C": 10.0, "kernel": "rbf"})
    comparison = compare([plain, other, tuned, plain])
    labels = [row.label for row in primary_rows(comparison)]
    expected = {f"svm ({plain.hash})", f"svm ({other.hash})", "svm (C=10.0, kernel=rbf)"}
    assert set(labels) == expected
    assert len(labels) == 3
    assert {test.first for test in comparison.tests} <= expected
    assert next(row.settings for row in comparison.rows if row.hash == tuned.hash) == (
        "C=10.0, kernel=rbf"
    )


def test_datasets_that_share_their_splits_are_told_apart():
    rna = toy_record("svm", dataset="acc-rna")
    both = toy_record("svm", dataset="acc", identity={"dataset": "acc"})
    comparison = compare([rna, both])
    assert comparison.dataset == "acc-rna, acc"
    assert {row.settings for row in comparison.rows} == {"dataset=acc-rna", "dataset=acc"}


def test_comparison_environment_merges_values_of_all_records():
    comparison = compare([toy_record("a"), toy_record("b")])
    assert comparison.environment == {"python": "3.11", "host": ["a", "b"]}


# ---------------------------------------------------------------- written down


def test_to_frame_has_one_row_per_cell_and_measure():
    frame = to_frame(compare([toy_record("a"), failing(toy_record("b"))]))
    contract = """dataset cv train_size model settings measure mean ci_low ci_high rank n_ok
        n_failed
        status reason tune_seconds fit_seconds predict_seconds explain_seconds"""
    assert tuple(frame.columns)[:18] == COLUMNS[:18] == tuple(contract.split())
    assert tuple(frame.columns) == COLUMNS
    assert not frame.duplicated(["model", "settings", "train_size", "measure"]).any()
    assert str(frame["rank"].dtype) == "Int64"
    csv = frame.to_csv(index=False)
    assert "nan" not in csv.lower().replace("balanced", "")
    assert "<NA>" not in csv


def test_to_plain_is_strict_json_with_an_infinite_statistic():
    one = toy_record("one", 0.0, kind=TaskKind.REGRESSION, seed=5)
    shifted = []
    for fold in one.folds:
        y = fold.prediction.y
        scores = dict(fold.scores)
        scores["mae"] = dataclasses.replace(scores["mae"], value=scores["mae"].value + 1)
        shifted.append(dataclasses.replace(fold, scores=scores))
        assert len(y)
    other = dataclasses.replace(one, folds=tuple(shifted), model="two", identity={"two": 2})
    comparison = compare([one, other], measure="mae")
    assert np.isinf(comparison.tests[0].t)
    plain = json.loads(json.dumps(to_plain(comparison), allow_nan=False))
    assert plain["schema_version"] == 1
    assert plain["tests"][0]["t"] is None
    assert plain["tests"][0]["p"] == 0
    assert plain["kind"] == "regression"
    assert plain["rows"][0]["label"] == "one"
    assert plain["environment"]["python"] == "3.11"
    assert plain["best_corrected"]["n_models"] == 2


def test_markdown_marks_the_best_and_what_is_not_clearly_worse():
    records = [toy_record(name, s) for name, s in (("a", 1.2), ("b", 1.1), ("z", 0.0))]
    comparison = compare(records)
    lines = to_markdown(comparison).splitlines()
    assert lines[0].startswith("|  | model | ROC AUC | Average precision |")
    by_model = {line.split("|")[2].strip(): line.split("|") for line in lines[2:5]}
    rows = {row.model: row for row in primary_rows(comparison)}
    for name, row in rows.items():
        text = by_model[name][3].strip()
        assert text.startswith("**") == (row.rank == 1)
        marks = {Word.EQUAL: " =", Word.UNCLEAR: " ?", Word.WORSE: "]", None: "]"}
        assert text.endswith(marks[row.versus_best])
        assert f"{row.mean:.3f}" in text
        assert f"[{row.ci_low:.3f}, {row.ci_high:.3f}]" in text
    legend = [line for line in lines if "**bold**: best" in line]
    assert len(legend) == 1
    assert "=: practically equal to the best, ?: cannot be told apart from it" in legend[0]
    assert legend[0].startswith("Mean over 15 folds")
    assert "of models trained on about 48 samples of this kind of data" in legend[0]
    assert len({row.versus_best for row in rows.values()}) > 2, "the toy has several words"
    assert any("corrected for the choice" in line for line in lines)


def test_markdown_escapes_bar_in_a_setting():
    record = toy_record("svm", settings={"kernel": "a|b"})
    line = to_markdown(compare([record])).splitlines()[2]
    assert "kernel=a\\|b" in line


def test_markdown_rounds_numbers_by_size():
    auc, rmse = (
        find_measure("roc_auc", TaskKind.BINARY),
        find_measure("rmse", TaskKind.REGRESSION),
    )
    assert show(0.98765, auc) == "0.988"
    assert show(None, auc) == ""
    assert show(-0.0001, find_measure("mcc", TaskKind.BINARY)) == "0.000"
    assert show(0.012345, rmse) == "0.0123"
    assert show(1234.5, rmse) == "1234"
    assert show(9.8765, rmse) == "9.88"
    assert show(12.3456, rmse, scale=9.8765) == "12.35"
    assert show(1.5e-7, rmse) == "1.5e-07"
    assert show(0.0, rmse) == "0.000"


@pytest.mark.parametrize("kind", list(TaskKind))
def test_predictions_frame_has_one_row_per_prediction(kind):
    records = [toy_record("a", kind=kind), failing(toy_record("b", kind=kind))]
    ids = np.array([f"s{i}" for i in range(60)], dtype=object)
    frame = predictions_frame(records, sample_ids=ids)
    assert len(frame) == 60 * 3 * 2 - 12
    assert list(frame.columns[:9]) == (
        ["dataset", "cv", "train_size", "model", "settings", "hash", "repeat", "fold", "row"]
    )
    assert (frame["sample_id"] == "s" + frame["row"].astype(str)).all()
    given = list(frame.columns[10:])
    expected = {
        TaskKind.BINARY: "y label p_control p_case margin_case",
        TaskKind.MULTICLASS: "y label p_a p_b p_c margin_a margin_b margin_c",
        TaskKind.REGRESSION: "y value",
    }
    assert given == expected[kind].split()
    part = frame[(frame["model"] == "a") & (frame["repeat"] == 0)].sort_values("row")
    y = toy_target(kind)
    if kind is TaskKind.REGRESSION:
        assert part["y"].to_numpy() == pytest.approx(y)
    else:
        assert part["y"].tolist() == [CLASSES[kind][code] for code in y]
        columns = [f"p_{name}" for name in CLASSES[kind]]
        assert frame[columns].sum(axis=1).to_numpy() == pytest.approx(1)
    assert "sample_id" not in predictions_frame(records)
    assert isinstance(predictions_frame([]), pd.DataFrame)


def test_models_with_and_without_margins_share_one_frame():
    plain = toy_record("a")
    folds = tuple(
        dataclasses.replace(fold, prediction=dataclasses.replace(fold.prediction, margin=None))
        for fold in plain.folds
    )
    bare = dataclasses.replace(plain, model="knn", folds=folds, identity={"knn": 1})
    frame = predictions_frame([bare, plain])
    assert frame["margin_case"].isna().sum() == 180
    assert list(frame.columns[-3:]) == ["p_control", "p_case", "margin_case"]
