"""The sentences of the reports: each rule on numbers just inside and just outside its threshold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from report_cells import (
    MEASURE,
    inputs_of,
    make_compared,
    make_comparison,
    make_explanation,
    make_facts,
    make_gap,
    make_ranked,
    make_record,
    make_summary,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.report.plain import Estimate
from smalldata.report.sections import scores_words, trust_doubts, trust_words
from smalldata.report.sections.cell import summarize_cell
from smalldata.report.sections.explanation import BlockShare
from smalldata.report.sections.scores import Rival, Score, Standing, describe_measure
from smalldata.report.sections.task import ClassSize, TargetValues, TaskFacts, summarize_task
from smalldata.results.comparison import Word
from smalldata.task import Dataset, TaskKind, make_task
from toys import make_toy

ONE = Estimate(mean=0.9, low=0.85, high=0.95)
TOY = make_toy_task(n_samples=40)


def primary(mean: float, low: float | None, high: float | None, **changes) -> Score:
    score = Score(
        **vars(MEASURE),
        mean=mean,
        low=low,
        high=high,
        no_interval="",
        min=low,
        max=high,
        n=25,
        folds=[],
        undefined=[],
    )
    return replace(score, **changes)


def versus(word: Word, difference: float = -0.1, **changes) -> Rival:
    return Rival(model="other", mean=0.5, **vars(make_gap(word, difference, **changes)))


def standing(**changes) -> Standing:
    place = Standing(
        rank=None,
        n_ranked=0,
        best=None,
        others={},
        optimistic=False,
        dummy=None,
        linear=None,
        versus_best=None,
    )
    return replace(place, **changes)


@pytest.mark.parametrize(
    ("score", "dummy", "said"),
    [
        (primary(0.9, 0.85, 0.95), versus(Word.BETTER, 0.4), "is clearly better than ignoring"),
        (primary(0.9, 0.85, 0.95), versus(Word.UNCLEAR, 0.4), "cannot be told apart from ignoring"),
        (primary(0.505, 0.4, 0.6), versus(Word.EQUAL, 0.005), "practically equal to ignoring"),
        (primary(0.3, 0.2, 0.4), versus(Word.WORSE, -0.2), "is clearly worse than ignoring"),
        (primary(0.9, 0.51, 1.0), None, "lies above 0.500"),
        (primary(0.6, 0.5, 0.7), None, "not show that the model has learnt"),
        (primary(0.4, 0.3, 0.49), None, "lies below 0.500"),
    ],
)
def test_against_guessing_sentence_of_each_outcome(score, dummy, said):
    against = standing(dummy=dummy) if dummy else None
    sentence, *power = scores_words.say_against_dummy(score, against)
    assert said in sentence
    unclear = dummy is not None and dummy.word is Word.UNCLEAR
    assert bool(power) == unclear
    assert not unclear or "with 80\u202f% power is 0.050" in power[0]


def test_measures_without_a_chance_level_say_nothing_without_dummy():
    assert scores_words.say_against_dummy(primary(1.0, 0.9, 1.1, guessing=None), None) == []
    assert scores_words.say_against_dummy(primary(0.9, None, None), None) == []


@pytest.mark.parametrize(
    ("frequencies", "said"),
    [
        ((1.0, 0.9), "stable: tau and p_tau are"),
        (
            (1.0, 0.88),
            "mostly stable: tau is in the top 10 in 25 of 25 folds and p_tau in 22.",
        ),
        ((1.0, 0.6), "mostly stable"),
        (
            (1.0, 0.56),
            "not stable: tau is in the top 10 in 25 of 25 folds and p_tau in 14.",
        ),
    ],
)
def test_steadiness_sentence_at_each_threshold(frequencies, said):
    leading = [
        make_ranked(name, frequency=f)
        for name, f in zip(("tau", "p_tau"), frequencies, strict=True)
    ]
    assert said in trust_words.say_steadiness(leading, 10, 25)


def test_features_name_their_direction_and_what_is_unused():
    task = make_facts(positive="Impaired")
    features = [make_ranked("tau"), make_ranked("Ab_42", direction="down")]
    explanation = make_summary(features=features)
    said = scores_words.say_features(task, explanation)
    assert "Higher tau points towards Impaired." in said
    assert "Lower Ab_42 points towards Impaired." in said
    assert said[0].endswith("together they carry 20\u202f% of the total Shapley value.")
    blocks = [BlockShare(name="mirna", share=0.48, low=0.46, high=0.51, n_features=61)]
    assert scores_words.say_features(task, replace(explanation, blocks=blocks))[-1] == (
        "The block mirna carries 48\u202f% (46\u202f% to 51\u202f% over the folds) with 47\u202f% "
        "of the features."
    )
    unused = replace(explanation, features=[make_ranked("tau", share=0.0)])
    assert scores_words.say_features(task, unused) == [
        "The model uses none of the features: every Shapley value is zero."
    ]


def described(n: int, *, classes=(50, 50), **changes) -> TaskFacts:
    sizes = [
        ClassSize(name=f"c{i}", n=size, share=size / sum(classes)) for i, size in enumerate(classes)
    ]
    return make_facts(n_samples=n, classes=sizes, **changes)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (described(99), "99 samples are few"),
        (described(200, classes=(181, 19)), "The smallest class, c1, has only 19 samples"),
        (described(38, classes=(19, 19)), "Each class has only 19 samples"),
        (described(200, classes=(161, 39)), "unequal: c1 makes up 20"),
        (described(200, n_features=201), "1.0 times as many features"),
        (described(200, missing=0.06), "6\u202f% of the values are missing"),
    ],
)
def test_small_or_unbalanced_task_raises_a_doubt_of_size(task, said):
    assert any(said in sentence for sentence in trust_doubts.doubt_size(task))


@pytest.mark.parametrize(
    ("n_groups", "in_class", "said"),
    [
        (99, 40, ["99 groups of 400 samples are few: expect different numbers on new data."]),
        (150, 19, ["The smallest class, c0, has only 19 groups."]),
        (150, 40, []),
        (400, 2, []),
    ],
)
def test_doubts_of_size_count_groups_where_there_are_any(n_groups, in_class, said):
    """Rows of a group are not independent; as many groups as samples are samples."""
    task = described(400, classes=(150, 250), n_groups=n_groups)
    sizes = [replace(task.classes[0], n_groups=in_class), replace(task.classes[1], n_groups=110)]
    assert trust_doubts.doubt_size(replace(task, classes=sizes)) == said
    many = trust_doubts.doubt_size(replace(task, classes=sizes, n_features=200))
    assert any("as many features as groups" in text for text in many) == (n_groups < 200)


def test_classes_count_their_groups():
    task = make_toy([*["yes"] * 6, *["no"] * 6], groups=[*"aabbcc", *"ccdddd"])
    assert [(one.name, one.n, one.n_groups) for one in summarize_task(task).classes] == [
        ("no", 6, 2),
        ("yes", 6, 3),
    ]


def test_a_large_balanced_task_raises_no_doubt_of_size():
    assert trust_doubts.doubt_size(described(200, classes=(160, 40), missing=0.05)) == []


@pytest.mark.parametrize(
    ("names", "told", "doubted"),
    [
        (
            ["flat"],
            "1 of them has the same value in every sample, so no model can use it: flat.",
            "1 feature is constant (flat): check the table, or leave it out (dataset.drop).",
        ),
        (
            ["v", "w", "x", "y", "z"],
            "5 of them have the same value in every sample, so no model can use them: v, w, x and "
            "2 more.",
            "5 features are constant (v, w, x and 2 more): check the table, or leave them out "
            "(dataset.drop).",
        ),
        ([], "", ""),
    ],
)
def test_constant_features_are_named_in_the_question_and_the_doubts(names, told, doubted):
    X = pd.DataFrame({"a": [1.0, 2.0] * 20, "b": [3.0] * 39 + [np.nan]})
    X[names] = 3.0
    site = pd.Categorical(["left"] * 40)
    X = X.assign(**dict.fromkeys(names[1:2], site))  # a category among the numbers
    y = np.array(["yes", "no"] * 20, dtype=object)
    dataset = Dataset(
        name="toy",
        X=X,
        y=y,
        sample_ids=np.arange(40).astype(str),
        kind=TaskKind.BINARY,
        target="t",
        positive="yes",
    )
    task = make_task(dataset)
    summary = summarize_cell(inputs_of(task, make_record(task, "linear")))
    question = scores_words.say_question(summary.task, summary.cell)
    assert [text for text in question if "same value" in text] == ([told] if told else [])
    found = trust_doubts.say_doubts(summary, summary.scores[0])
    assert [text for text in found if "constant" in text] == ([doubted] if doubted else [])
    page = make_comparison(make_compared("svm", scores={"roc_auc": ONE}), task=summary.task)
    told = " ".join(say_comparison(page).doubts)
    assert ("constant" in told, doubted in told) == (bool(doubted), True)


@pytest.mark.parametrize(
    ("score", "sd", "said"),
    [
        (primary(0.8, 0.72, 0.88), None, "interval is wide"),
        (primary(0.8, 0.73, 0.87), None, ""),
        (primary(0.8, None, None, n=1), None, "One fold gives no interval"),
        (primary(0.8, None, None, n=2), None, "2 folds are too few for an interval"),
        (primary(0.5, None, None, no_interval="the test samples show no variation"), None, ""),
        (primary(2.0, 1.0, 3.0, name="rmse", in_target_unit=True), 20.0, ""),
        (primary(2.0, 1.0, 3.0, name="rmse", in_target_unit=True), 10.0, "interval is wide"),
    ],
)
def test_wide_or_missing_interval_raises_a_doubt(score, sd, said):
    values = TargetValues(mean=0.0, sd=sd, low=-sd, high=sd) if sd else None
    found = trust_doubts.doubt_interval(score, make_facts(target_values=values))
    assert bool(found) == bool(said)
    assert said in "".join(found)


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        ((0.69, 0.4, 0.9), "too extreme"),
        ((0.69, 0.3, 1.1), ""),
        ((0.71, 0.6, 0.9), ""),
        ((1.39, 1.1, 1.6), ""),
        ((1.41, 1.1, 1.7), "too timid"),
        ((3.0, -2.0, 8.0), ""),
        ((3.0, None, None), ""),
        ((None, None, None), ""),
    ],
)
def test_doubts_of_calibration_need_an_interval_off_one(slope, said):
    mean, low, high = slope
    found = "".join(trust_doubts.doubt_calibration(Estimate(mean=mean, low=low, high=high)))
    assert bool(found) == bool(said)
    assert said in found


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (versus(Word.WORSE), "A linear model is clearly better (difference 0.100, "),
        (versus(Word.UNCLEAR), "A linear model cannot be told apart from this one"),
        (versus(Word.UNCLEAR, p_better=0.049), "not worse by more than 0.010, with a probability"),
        (versus(Word.UNCLEAR, p_better=0.051), "cannot be told apart"),
        (versus(Word.UNCLEAR, p_better=0.0, detectable=None), "cannot be told apart"),
        (versus(Word.EQUAL), "not worse by more than 0.010"),
        (versus(Word.BETTER, 0.05), ""),
    ],
)
def test_a_linear_model_that_is_not_clearly_worse_is_a_doubt(own, said):
    found = "".join(trust_doubts.doubt_beyond_linear(own))
    assert bool(found) == bool(said)
    assert said in found


def test_doubts_of_a_linear_model_are_told_from_its_side():
    (found,) = trust_doubts.doubt_beyond_linear(versus(Word.UNCLEAR))
    assert "better 40\u202f%, practically equal 48\u202f%, worse 12\u202f%" in found


def test_only_features_that_can_lead_are_asked_to_be_steady():
    """With six features the first two lead: the third can't be called unsteady for not leading."""
    features = [make_ranked(name, frequency=float(i < 2)) for i, name in enumerate("abcdef")]
    explanation = make_summary(features=features, n_features=6, top_k=2)
    assert "is stable: a and b are" in trust_words.say_sureness(explanation)[0]
    assert trust_doubts.doubt_explanation(explanation, 60) == []


@pytest.mark.parametrize(
    ("measure", "mean", "said"),
    [
        ("roc_auc", 0.997, "more than 99 of 100 cases"),
        ("roc_auc", 1.0, "in 100 of 100 cases"),
        ("r2", 0.4, "40\u202f% of the variance"),
    ],
)
def test_explain_score_of_each_measure(measure, mean, said):
    kind = TaskKind.BINARY if measure == "roc_auc" else TaskKind.REGRESSION
    score = primary(mean, None, None, **vars(describe_measure(measure, kind)))
    assert said in scores_words.explain_score(score, make_facts(positive="yes"))


@pytest.mark.parametrize(
    ("guessing", "said"),
    [(-0.05, "The mean of the training samples would predict better."), (-0.3, ""), (None, "")],
)
def test_a_negative_r2_is_called_worse_than_the_mean_only_below_the_score_of_the_mean(
    guessing, said
):
    facts = {**vars(describe_measure("r2", TaskKind.REGRESSION)), "guessing": guessing}
    assert scores_words.explain_score(primary(-0.2, None, None, **facts), make_facts()) == said


@pytest.mark.parametrize(
    ("versus_best", "said"),
    [
        (versus(Word.WORSE), "Rank 2 of 3 when this page was written: clearly worse than mlp ("),
        (versus(Word.UNCLEAR), ": it cannot be told apart from mlp (difference"),
        (versus(Word.EQUAL), ": practically equal to mlp ("),
    ],
)
def test_rank_sentence_follows_its_test(versus_best, said):
    against = standing(rank=2, n_ranked=3, best="mlp", versus_best=versus_best)
    sentence, *power = scores_words.say_rank(against)
    assert said in sentence
    assert "practically equal" in sentence
    assert bool(power) == (versus_best.word is Word.UNCLEAR)


def test_rank_sentence_of_the_best_names_each_other_model():
    others = {"svm": Word.UNCLEAR, "knn": Word.WORSE, "pls": Word.EQUAL, "dummy": Word.WORSE}
    against = standing(rank=1, n_ranked=5, best="mlp", others=others)
    assert scores_words.say_rank(against) == [
        "Rank 1 of 5 when this page was written: pls is practically equal to it; svm cannot be "
        "told apart from it; knn and dummy are clearly worse."
    ]
    assert scores_words.say_rank(standing(rank=1, n_ranked=1)) == []


def test_a_rank_without_tests_is_said_alone():
    for rank in (1, 3):
        against = standing(rank=rank, n_ranked=3, best="mlp")
        assert scores_words.say_rank(against) == [f"Rank {rank} of 3 when this page was written."]
    others = {"svm": Word.WORSE}
    against = standing(rank=3, n_ranked=3, best="mlp", others=others)
    assert scores_words.say_rank(against) == ["Rank 3 of 3 when this page was written."]


def test_too_few_folds_are_said_instead_of_a_power():
    few = versus(Word.UNCLEAR, detectable=None)
    against = standing(rank=2, n_ranked=2, best="mlp", versus_best=few)
    assert scores_words.say_rank(against)[1] == (
        "There are too few test samples or folds to tell these two models apart."
    )


def test_the_interval_of_a_score_says_what_it_is_of():
    run = summarize_cell(inputs_of(TOY, make_record(TOY, "svm"))).cell
    said = scores_words.say_performance(make_facts(), run, primary(0.8, 0.7, 0.9), None)
    assert "of models trained on about 30 samples of this kind of data: not of one model" in said[1]
    one = replace(run, n_planned=1)
    said = scores_words.say_performance(make_facts(), one, primary(0.8, 0.7, 0.9, n=1), None)
    assert "of the score of one model as it was fitted here, on new samples" in said[1]
    assert not any("models trained on about" in text for text in said)
    said = scores_words.say_performance(make_facts(), run, primary(0.8, None, None), None)
    assert not any("models trained on" in text for text in said)


def test_dummy_is_called_the_floor_and_not_praised():
    run = summarize_cell(inputs_of(TOY, make_record(TOY, "dummy"))).cell
    said = scores_words.say_performance(make_facts(), run, primary(0.5, 0.5, 0.5), None)
    assert said[2:] == ["It ignores the features: every other model has to beat it."]


def test_why_a_score_has_no_interval_comes_from_the_record_and_from_the_table():
    task = make_toy_task(n_samples=60)
    records = [make_record(task, model) for model in ("linear", "dummy")]
    for comparison in (None, compare(records)):
        for record, said in zip(records, ("", "show no variation"), strict=True):
            summary = summarize_cell(inputs_of(task, record, comparison=comparison))
            score = summary.scores[0]
            assert (said in score.no_interval, bool(score.no_interval)) == (True, bool(said))
            assert "unknown" not in "".join(trust_doubts.doubt_interval(score, summary.task))


def test_a_test_fold_with_one_of_a_class_says_why_it_has_no_interval():
    few = "no interval: without one of its samples, the measure would be undefined"
    said = trust_doubts.doubt_interval(primary(0.9, None, None, n=1, no_interval=few), make_facts())
    assert said == [
        "Without one of its samples the measure would be undefined, so there is no interval: how "
        "far the score may move is unknown."
    ]


def test_doubts_of_a_cell_collect_what_the_record_says():
    task = make_toy_task(n_samples=60)
    records = [make_record(task, model) for model in ("linear", "svm", "dummy")]
    failed = make_record(task, "knn", fail=2)
    comparison = compare([*records, failed])
    explanation = make_explanation(task, records[1], sampled=True, notes=("rows were left out",))
    summary = summarize_cell(
        inputs_of(task, records[1], explanation=explanation, comparison=comparison)
    )
    said = " ".join(trust_doubts.say_doubts(summary, summary.scores[0]))
    assert "60 samples are few" in said
    assert "A linear model cannot be told apart from this one" in said
    assert "sampled and noisy" in said
    assert "Rows were left out." in said
    assert "Early stopping was not possible (1 fold)." in said
    assert said.endswith(trust_doubts.ONE_STUDY)
    summary = summarize_cell(inputs_of(task, failed, comparison=comparison))
    assert "2 of 8 folds failed" in trust_doubts.say_doubts(summary, summary.scores[0])[0]
