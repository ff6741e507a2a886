"""The rule that puts a pair of models into words, its power, and the sentences files share."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import nct

from smalldata.comparison.comparison import compare
from smalldata.comparison.table import to_frame, to_markdown
from smalldata.comparison.words import (
    corrected_for_choice,
    covers_range,
    define_words,
    say_folds,
    say_interval_of,
)
from smalldata.measures.registry import find_measure
from smalldata.report.screen import legend
from smalldata.results.comparison import Word
from smalldata.run.publishing import without_older
from smalldata.statistics.significance import PairedTest, corrected_test, holm
from smalldata.statistics.verdict import choose_word, levels_left, smallest_detectable
from smalldata.task import TaskKind
from test_comparison import primary_rows, toy_folds, toy_record, toy_target


def paired(**changes) -> PairedTest:
    """A difference that is clear."""
    test = PairedTest(
        difference=0.1,
        low=0.05,
        high=0.15,
        t=4.0,
        p=0.001,
        p_above=0.99,
        p_equal=0.01,
        p_below=0.0,
        error=0.02,
        freedom=24.0,
        units=25,
    )
    return dataclasses.replace(test, **changes)


@pytest.mark.parametrize(
    ("test", "p_holm", "word"),
    [
        (paired(), 0.049, Word.BETTER),
        (paired(), 0.05, Word.UNCLEAR),
        (paired(low=0.0), 0.001, Word.UNCLEAR),
        (paired(difference=-0.1, low=-0.15, high=-0.05), 0.001, Word.WORSE),
        (paired(p_equal=0.95), 0.5, Word.EQUAL),
        (paired(p_equal=0.949), 0.5, Word.UNCLEAR),
        (paired(p_equal=0.95), 0.001, Word.EQUAL),  # clear, but too small to matter
        (paired(units=4, freedom=3.0), 0.001, Word.BETTER),
        (paired(units=3, freedom=2.0), 0.0, Word.UNCLEAR),
        (paired(units=3, freedom=2.0, p_equal=1.0), 1.0, Word.UNCLEAR),
        (paired(freedom=math.inf), 0.001, Word.BETTER),
    ],
)
def test_word_at_each_threshold(test, p_holm, word):
    assert choose_word(test, p_holm, higher_is_better=True) is word
    assert choose_word(test, p_holm, higher_is_better=False) is word.turned
    assert word.turned.turned is word


def test_words_have_marks_only_if_a_model_is_not_clearly_worse():
    assert [word.mark for word in (Word.EQUAL, Word.UNCLEAR, Word.WORSE)] == ["=", "?", ""]


def test_tests_carry_their_standard_error_and_freedom():
    a, b = np.array([0.8, 0.9, 0.7, 0.85]), np.array([0.7, 0.75, 0.71, 0.8])
    test = corrected_test(a, b, ratio=1 / 3)
    assert test.error == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * np.var(a - b, ddof=1)))
    assert test.freedom == 3
    assert test.t == pytest.approx(test.difference / test.error)
    many = paired(freedom=1e9)
    reach = 1.959964 + 0.841621
    assert smallest_detectable(many, level=0.05) == pytest.approx(reach * many.error)


@pytest.mark.parametrize("freedom", [4, 24])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_the_detectable_difference_is_shown_with_80_percent_power(freedom, level):
    """Exact power of a t-test whose true standard error is the one that was found."""
    detectable = smallest_detectable(paired(freedom=float(freedom)), level=level)
    bound = nct.isf(level / 2, freedom, 0)
    power = nct.sf(bound, freedom, detectable / 0.02) + nct.cdf(-bound, freedom, detectable / 0.02)
    assert power == pytest.approx(0.8, abs=0.015 if freedom > 20 else 0.09)
    assert smallest_detectable(paired(units=3), level=level) is None


def test_the_level_left_is_where_holm_rejects():
    """A pair just below its level is rejected, one just above is not, others unchanged."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        p = rng.choice([0.0005, 0.004, 0.009, 0.03, 0.3, 0.8], size=6) * rng.uniform(0.9, 1.1, 6)
        levels = levels_left(holm(p))
        for pair, level in enumerate(levels):
            for factor, is_rejected in ((0.999, True), (1.001, False)):
                moved = p.copy()
                moved[pair] = factor * level
                others = np.delete(holm(moved) < 0.05, pair)
                if np.array_equal(others, np.delete(holm(p) < 0.05, pair)):
                    assert (holm(moved)[pair] < 0.05) == is_rejected


@pytest.mark.parametrize(("n_folds", "share"), [(2, 0.082), (3, 0.0124), (4, 0.0022)])
def test_few_folds_of_few_rows_often_have_one_difference(n_folds, share):
    """Why two and three folds tell nothing: two equal models of accuracy 0.7 on 40 rows."""
    rng = np.random.default_rng(0)
    rows = 40 // n_folds
    scores = rng.binomial(rows, 0.7, size=(4000, 2, n_folds)) / rows
    p = np.array([corrected_test(*pair, ratio=1 / (n_folds - 1)).p for pair in scores])
    assert np.mean(p == 0) == pytest.approx(share, abs=4 * np.sqrt(share / 4000))


# ---------------------------------------------------------------- the comparison


def few_sites(n_sites, *names):
    """One fold per site, and the samples of a site belong together."""
    y = toy_target(TaskKind.BINARY)
    folds = toy_folds(y, n_splits=n_sites, n_repeats=1)
    site = np.empty(len(y), dtype=int)
    for _, fold, rows in folds:
        site[rows] = fold
    strengths = {"good": 3.0, "bad": -0.5}
    return [
        toy_record(name, strengths[name], y=y, folds=folds, groups=tuple(site.tolist()))
        for name in names
    ]


def test_two_sites_make_no_model_clearly_worse_and_ten_may():
    comparison = compare(few_sites(2, "good", "bad"))
    (test,) = comparison.tests
    assert (test.word, test.detectable) == (Word.UNCLEAR, None)
    (test,) = compare(few_sites(10, "good", "bad")).tests
    assert test.word is Word.BETTER
    assert test.detectable > 0


def test_an_interval_of_all_possible_values_is_a_sentence():
    y = toy_target(TaskKind.BINARY)
    folds = toy_folds(y, n_splits=2, n_repeats=1)
    sites = np.empty(len(y), dtype=int)
    for _, fold, rows in folds:
        sites[rows] = fold
    groups = tuple(sites.tolist())
    comparison = compare(
        [toy_record(f"m{i}", 0.0, y=y, folds=folds, seed=i, groups=groups) for i in range(4)]
    )
    rows = {row.model: row for row in primary_rows(comparison)}
    wide = [row for row in rows.values() if "nearly all" in row.reason]
    assert wide
    for row in wide:
        assert (row.ci_low, row.ci_high) == (None, None)
        assert row.mean is not None
        assert row.rank is not None
    assert "[0.000, 1.000]" not in to_markdown(comparison)
    assert "nearly all possible values" in to_markdown(comparison)


def test_an_interval_covers_the_range_from_nine_tenths_of_it():
    auc = find_measure("roc_auc", TaskKind.BINARY)
    assert covers_range(0.05, 0.951, auc)
    assert not covers_range(0.05, 0.949, auc)
    assert not covers_range(-50.0, 1.0, find_measure("r2", TaskKind.REGRESSION))


def test_a_corrected_score_whose_interval_says_nothing_is_not_told():
    comparison = compare([toy_record("a"), toy_record("b")])
    assert corrected_for_choice(comparison) is comparison.best_corrected
    assert "corrected for the choice" in to_markdown(comparison)
    all_values = {**comparison.best_corrected, "ci_low": 0.0, "ci_high": 1.0}
    wide = dataclasses.replace(comparison, best_corrected=all_values)
    assert corrected_for_choice(wide) is None
    assert "corrected for the choice" not in to_markdown(wide)


@pytest.mark.parametrize(
    ("measure", "better"), [("roc_auc", 0.01), ("log_loss", -0.01)], ids=["higher", "lower"]
)
def test_a_corrected_score_better_than_the_best_is_never_shown(measure, better):
    comparison = compare([toy_record("a"), toy_record("b")], measure=measure)
    best = {**comparison.best_corrected, "uncorrected": 0.6}
    for mean, is_shown in ((0.6 - better, True), (0.6, False), (0.6 + better, False)):
        moved = dataclasses.replace(comparison, best_corrected={**best, "mean": mean})
        for text in (to_markdown(moved), " ".join(legend(moved))):
            assert (f"corrected for the choice: {mean:.3f}" in text) == is_shown
            assert ("choice: these folds show no flattery." in text) != is_shown


def test_means_say_how_many_folds_they_cover():
    record = toy_record("a", n := 1.0)
    folds = list(record.folds)
    for index in (0, 3):
        one_class = folds[index].prediction
        one_class = dataclasses.replace(one_class, y=np.zeros_like(one_class.y))
        folds[index] = dataclasses.replace(folds[index], prediction=one_class)
    lacking = dataclasses.replace(record, folds=tuple(folds))
    other = dataclasses.replace(lacking, model="b", identity={"b": n})
    comparison = compare([lacking, other])
    assert {row.n_scored for row in primary_rows(comparison)} == {13}
    assert say_folds(comparison) == "13 of 15 folds"
    assert "Mean over 13 of 15 folds" in to_markdown(comparison)
    assert say_folds(compare([record])) == "15 folds"
    pooled = [row for row in comparison.rows if row.measure == "balanced_accuracy"]
    assert {row.n_scored for row in pooled} == {15}, "recalls are pooled over all folds"


def test_every_measure_has_words_of_its_own_family():
    records = [toy_record("a", 2.0), toy_record("b", 0.1), toy_record("c", 0.0)]
    comparison = compare(records)
    for measure in ("log_loss", "mcc"):
        alone = compare(records, measure=measure)
        own = {row.model: row.versus_best for row in comparison.rows if row.measure == measure}
        assert own == {row.model: row.versus_best for row in primary_rows(alone)}


def test_new_columns_stand_at_the_end_and_the_old_one_stays():
    frame = to_frame(compare([toy_record("a", 2.0), toy_record("b", -1.0)]))
    assert list(frame)[-6:-2] == ["tied_with_best", "optimistic", "versus_best", "n_scored"]
    auc = frame[frame["measure"] == "roc_auc"].set_index("model")
    assert auc["tied_with_best"].to_dict() == {"a": True, "b": False}
    assert auc.loc["b", "versus_best"] == "clearly worse"


def test_an_interval_says_what_it_is_of():
    full = compare([toy_record("a"), toy_record("b")])
    assert full.n_train == 48
    assert "trained on about 48 samples" in say_interval_of(full)
    small = compare([toy_record("a", train_size=20), toy_record("b", train_size=20)])
    assert small.n_train is None
    assert "trained on about 20 samples" in say_interval_of(small)
    both = compare([toy_record("a"), toy_record("a", train_size=20)])
    assert "trained on the number of samples in its row" in say_interval_of(both)
    for comparison in (full, small, both):
        assert say_interval_of(comparison).endswith(
            "not of one model, and not of samples from elsewhere."
        )


def test_an_interval_of_one_test_fold_is_of_the_model_that_was_fitted():
    one = toy_folds(toy_target(TaskKind.BINARY))[:1]
    comparison = compare([toy_record(name, folds=one) for name in ("a", "b")])
    assert comparison.n_folds == 1
    assert say_interval_of(comparison) == (
        "A 95 % interval is of the score of one model as it was fitted here, on new samples of "
        "this kind of data: not of models trained on other samples, and not of samples from "
        "elsewhere."
    )


def test_definitions_have_the_region_and_the_levels_of_the_rule():
    equal, clear, unclear = define_words("0.010")
    assert "less than 0.010 is at least 95 %" in equal
    assert "is below 0.05" in clear
    assert "does not mean that the two are equal" in unclear


def test_a_cell_of_an_older_version_is_no_further_model():
    new = toy_record("a", 1.0)
    new = dataclasses.replace(new, identity={**new.identity, "results_version": 4})
    old = dataclasses.replace(new, identity={**new.identity, "results_version": 3})
    alone = dataclasses.replace(old, model="b")
    small = dataclasses.replace(old, train_size=20)
    kept, n_older = without_older([old, new, alone, small])
    assert kept == [new, alone, small]
    assert n_older == 1
