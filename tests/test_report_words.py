"""The sentences of the reports: each rule on numbers just inside and just outside its threshold."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from report_cells import (
    inputs_of,
    make_compared,
    make_explanation,
    make_facts,
    make_ranked,
    make_record,
    make_summary,
    make_test,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.models import load_learner
from smalldata.report.comparison_page.overview import ComparisonSummary, summarize_comparison
from smalldata.report.comparison_page.rows import ComparedCell, pair_tests
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.report.plain import Estimate
from smalldata.report.sections import scores_words, trust_doubts, trust_words
from smalldata.report.sections.cell import summarize_cell
from smalldata.report.sections.explanation import BlockShare
from smalldata.report.sections.scores import MeasureFacts, Rival, Score, Standing, describe_measure
from smalldata.report.sections.task import ClassSize, TargetValues, TaskFacts
from smalldata.runtime import catalogue
from smalldata.task import Dataset, TaskKind, make_task

NETWORKS = [name for name in catalogue.names("model") if load_learner(name).traits.deep]
MEASURE = MeasureFacts(
    name="roc_auc",
    title="ROC AUC",
    better="higher",
    guessing=0.5,
    says="",
    says_below_chance="",
    in_target_unit=False,
)
TOY = make_toy_task(n_samples=40)


def primary(mean: float, low: float | None, high: float | None, **changes) -> Score:
    score = Score(
        **vars(MEASURE),
        mean=mean,
        low=low,
        high=high,
        min=low,
        max=high,
        n=25,
        folds=[],
        undefined=[],
    )
    return replace(score, **changes)


def versus(difference: float, low: float, high: float, p_holm: float = 0.001) -> Rival:
    return Rival(
        model="other",
        mean=0.5,
        difference=difference,
        low=low,
        high=high,
        p_holm=p_holm,
        rope=0.01,
    )


def standing(**changes) -> Standing:
    place = Standing(
        rank=None,
        n_ranked=0,
        tied_with_best=False,
        n_tied=0,
        best=None,
        optimistic=False,
        dummy=None,
        linear=None,
        versus_best=None,
    )
    return replace(place, **changes)


@pytest.mark.parametrize(
    ("score", "dummy", "said"),
    [
        (primary(0.9, 0.85, 0.95), versus(0.4, 0.3, 0.5), "clearly better than ignoring"),
        (primary(0.9, 0.85, 0.95), versus(0.4, 0.3, 0.5, 0.2), "not clearly better"),
        (primary(0.55, 0.4, 0.7), versus(0.05, -0.1, 0.2), "not clearly better"),
        (primary(0.3, 0.2, 0.4), versus(-0.2, -0.3, -0.1), "worse than ignoring"),
        (primary(1.2, 1.0, 1.4, better="lower"), versus(-0.5, -0.7, -0.3), "clearly better"),
        (primary(2.2, 2.0, 2.4, better="lower"), versus(0.5, 0.3, 0.7), "worse than ignoring"),
        (primary(0.9, 0.51, 1.0), None, "lies above 0.500"),
        (primary(0.6, 0.5, 0.7), None, "not show that the model has learnt"),
        (primary(0.4, 0.3, 0.49), None, "lies below 0.500"),
    ],
)
def test_against_guessing_sentence_of_each_outcome(score, dummy, said):
    (sentence,) = scores_words.say_against_dummy(score, standing(dummy=dummy) if dummy else None)
    assert said in sentence


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
    found = verdict(cell("svm", 1, 0.9), task=summary.task)["doubts"]
    assert ("constant" in found, doubted in found) == (bool(doubted), True)


@pytest.mark.parametrize(
    ("score", "sd", "said"),
    [
        (primary(0.8, 0.72, 0.88), None, "interval is wide"),
        (primary(0.8, 0.73, 0.87), None, ""),
        (primary(0.8, None, None), None, "One fold gives no interval"),
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
    ("linear", "better", "said"),
    [
        (versus(-0.05, -0.15, 0.05, 0.9), "higher", "does as well"),
        (versus(-0.05, -0.09, -0.01), "higher", "does clearly better"),
        (versus(-0.05, -0.09, -0.01, 0.2), "higher", "linear model does better"),
        (versus(0.05, 0.01, 0.09), "higher", ""),
        (versus(0.5, 0.1, 0.9), "lower", "does clearly better"),
        (versus(-0.5, -0.9, -0.1), "lower", ""),
    ],
)
def test_a_linear_model_that_does_as_well_or_better_is_a_doubt(linear, better, said):
    found = "".join(trust_doubts.doubt_beyond_linear(linear, better=better))
    assert bool(found) == bool(said)
    assert said in found


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
    ("versus_best", "tied", "said"),
    [
        (versus(-0.1, -0.2, -0.05), False, "clearly behind mlp in first place"),
        (
            versus(-0.1, -0.2, -0.05, 0.3),
            False,
            "but not clearly so after correcting for all pairs",
        ),
        (versus(-0.1, -0.2, 0.05, 0.3), True, "tied with mlp in first place"),
    ],
)
def test_rank_sentence_follows_its_test(versus_best, tied, said):
    run = summarize_cell(inputs_of(TOY, make_record(TOY, "svm"))).cell
    against = standing(
        rank=2,
        n_ranked=3,
        tied_with_best=tied,
        n_tied=1 + tied,
        best="mlp",
        versus_best=versus_best,
    )
    score = primary(0.8, 0.7, 0.9)
    assert said in scores_words.say_performance(make_facts(), run, score, against)[-1]


def test_dummy_is_called_the_floor_and_not_praised():
    run = summarize_cell(inputs_of(TOY, make_record(TOY, "dummy"))).cell
    said = scores_words.say_performance(make_facts(), run, primary(0.5, 0.5, 0.5), None)
    assert said[1:] == ["It ignores the features: every other model has to beat it."]


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
    assert "A linear model does as well" in said
    assert "sampled and noisy" in said
    assert "Rows were left out." in said
    assert "Early stopping was not possible (1 fold)." in said
    assert said.endswith(trust_doubts.ONE_STUDY)
    summary = summarize_cell(inputs_of(task, failed, comparison=comparison))
    assert "2 of 8 folds failed" in trust_doubts.say_doubts(summary, summary.scores[0])[0]


# ---------------------------------------------------------------- the comparison


def cell(
    model: str, rank: int | None, mean: float, *, tied: bool = False, **changes
) -> ComparedCell:
    gap = versus(mean - 0.9, mean - 1.0, 0.1 if tied else mean - 0.89, 0.2 if tied else 0.001)
    content = {
        "tied": tied,
        "deep": model in NETWORKS,
        "scores": {"roc_auc": Estimate(mean=mean, low=mean - 0.05, high=mean + 0.05)},
        "versus_best": None if rank == 1 else gap,
    }
    return make_compared(model, rank, **{**content, **changes})


def verdict(*cells: ComparedCell, **changes) -> dict[str, str]:
    summary = ComparisonSummary(
        task=make_facts(),
        dataset="toy",
        cv="kfold",
        measure=MEASURE,
        measures=[MEASURE],
        n_folds=5,
        n_models=len(cells),
        cells=list(cells),
        tests=[],
        sizes=[],
        best_corrected=None,
        notes=(),
        environment=[],
        commands=[],
        fold_scores=[],
        curves=None,
        agreement=None,
        learning=None,
        splits_key="",
    )
    words = say_comparison(replace(summary, **changes))
    return {key: " ".join(said) for key, said in vars(words).items()}


def test_a_clear_leader_and_a_tie_are_told_apart():
    clear = verdict(cell("xgboost", 1, 0.9), cell("knn", 2, 0.7), cell("dummy", 3, 0.5))
    assert "xgboost has the best ROC AUC: 0.900 (95 % interval 0.850 to 0.950)." in clear["leader"]
    assert "ahead of every other model" in clear["leader"]
    tie = verdict(cell("svm", 1, 0.9), cell("knn", 2, 0.89, tied=True), cell("dummy", 3, 0.5))
    assert "not clearly ahead of knn" in tie["leader"]
    assert "dummy is clearly behind" in tie["leader"]
    assert "only ranked model" in verdict(cell("svm", 1, 0.9))["leader"]
    assert "no ranking" in verdict(cell("svm", None, 0.9))["leader"]


def test_correction_for_choosing_the_best_is_reported():
    corrected = {
        "mean": 0.87,
        "ci_low": 0.8,
        "ci_high": 0.92,
        "n_models": 2,
        "uncorrected": 0.9,
    }
    said = verdict(cell("svm", 1, 0.9), cell("knn", 2, 0.8), best_corrected=corrected)["leader"]
    assert (
        "Picking the best of 2 flatters it. Corrected for that, expect 0.870 (0.800 to 0.920)."
    ) in said
    corrected["mean"] = 0.91
    said = verdict(cell("svm", 1, 0.9), cell("knn", 2, 0.8), best_corrected=corrected)["leader"]
    assert "flatters it" not in said
    assert (
        "These folds show no flattery from picking the best of 2. Corrected for it, expect 0.910 "
        "(0.800 to 0.920)."
    ) in said


def test_models_of_equal_score_share_the_lead():
    said = verdict(cell("svm", 1, 1.0), cell("knn", 1, 1.0, tied=True), cell("dummy", 3, 0.5))
    assert said["leader"].startswith("svm and knn share the best ROC AUC: 1.000.")


def test_a_gap_that_many_tests_make_unclear_is_not_called_clear():
    unclear = {"versus_best": versus(-0.1, -0.2, -0.01, 0.1)}
    said = verdict(cell("svm", 1, 0.9), cell("mlp", 2, 0.8, **unclear))
    assert "mlp is behind, but not clearly so" in said["leader"]
    assert "clearly behind" not in said["leader"] + said["baselines"]
    said = verdict(cell("svm", 1, 0.9), cell("linear", 2, 0.8, **unclear))["baselines"]
    assert "linear model is behind the best, but not clearly so" in said
    said = verdict(cell("mlp", 1, 0.9), cell("linear", 2, 0.8, **unclear))["baselines"]
    assert "but is not clearly ahead of every simpler model" in said


def test_a_model_behind_the_best_may_yet_be_clearly_better_than_dummy():
    cells = cell("mlp", 1, 0.75), cell("svm", 2, 0.7, tied=True), cell("dummy", 3, 0.5, tied=True)
    tests = [make_test("mlp", "dummy", 0.25, 0.2), make_test("svm", "dummy", 0.2)]
    said = verdict(*cells, tests=tests)["baselines"]
    assert "Ignoring the features (dummy) gives 0.500; svm is clearly better." in said
    tests = [make_test("mlp", "dummy", 0.25), make_test("svm", "dummy", 0.2)]
    assert "every other model is clearly better" in verdict(*cells, tests=tests)["baselines"]
    tests = [make_test("mlp", "dummy", -0.25), make_test("svm", "dummy", -0.2)]
    assert "No model is clearly better" in verdict(*cells, tests=tests)["baselines"]
    lower = replace(MEASURE, title="Log loss", better="lower")
    said = verdict(*cells, tests=tests, measure=lower)["baselines"]
    assert "every other model is clearly better" in said


def test_network_without_rivals_is_not_judged():
    assert "Deep" not in verdict(cell("mlp", 1, 0.9))["baselines"]
    for others in ([], [cell("rnn", 2, 0.7)]):
        names = "mlp and rnn" if others else "mlp"
        for floor in ([], [cell("dummy", 3, 0.5)]):
            if others or floor:
                said = verdict(cell("mlp", 1, 0.9), *others, *floor)["baselines"]
                assert f"Deep learning ({names}) has no simpler model to compare with" in said
                assert "pays here" not in said


@pytest.mark.parametrize("name", NETWORKS)
def test_the_verdict_knows_every_network(name):
    pays = verdict(cell(name, 1, 0.9), cell("svm", 2, 0.8))["baselines"]
    assert f"Deep learning ({name}) pays here: it is clearly ahead of every simpler" in pays
    behind = verdict(cell("svm", 1, 0.9), cell(name, 2, 0.8))["baselines"]
    assert f"Deep learning ({name}, 0.800) does not pay here: it is clearly behind" in behind


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            (cell("cnn1d", 1, 0.9), cell("svm", 2, 0.8), cell("mlp", 3, 0.7)),
            "Deep learning (cnn1d, the best of 2 deep models) pays here: it is clearly ahead",
        ),
        (
            (cell("cnn1d", 1, 0.9), cell("svm", 2, 0.89, tied=True), cell("mlp", 3, 0.7)),
            "Deep learning (cnn1d, the best of 2 deep models) has the best mean here, but is not",
        ),
        (
            (cell("svm", 1, 0.9), cell("mlp", 2, 0.88, tied=True), cell("cnn1d", 3, 0.7)),
            "Deep learning (mlp, the best of 2 deep models, 0.880) does as well as the best model",
        ),
        (
            (cell("svm", 1, 0.9), cell("mlp", 2, 0.8), cell("cnn1d", 2, 0.8), cell("rnn", 4, 0.7)),
            "Deep learning (mlp and cnn1d, the best of 3 deep models, 0.800) does not pay",
        ),
        (
            (cell("mlp", 1, 0.9), cell("rnn", 1, 0.9, tied=True), cell("svm", 3, 0.8)),
            "Deep learning (mlp and rnn) pays here",
        ),
        (
            (cell("mlp", 1, 0.9), cell("svm", 1, 0.9, tied=True)),
            "Deep learning (mlp) has the best mean here, but is not clearly ahead",
        ),
    ],
)
def test_of_several_deep_models_the_best_is_judged(cells, said):
    found = verdict(*cells)["baselines"]
    assert said in found
    assert found.count("Deep learning") == 1


def test_a_cell_is_deep_by_its_learner_and_not_by_its_name():
    task = make_toy_task(n_samples=80)
    targets = {"mine": "smalldata.models.networks.cnn1d.CNN1d", "mlp": "elsewhere.MLP"}
    records = [
        make_record(task, name, identity={"learner": {"_target_": target}})
        for name, target in targets.items()
    ]
    summary = summarize_comparison(compare(records), records, task)
    assert {cell.model: cell.deep for cell in summary.cells} == {
        "mine": True,
        "mlp": False,
    }
    assert any("Deep learning (mine" in said for said in say_comparison(summary).baselines)


def test_without_a_deep_model_nothing_is_said_of_deep_learning():
    assert "Deep" not in verdict(cell("svm", 1, 0.9), cell("linear", 2, 0.8))["baselines"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ((cell("mlp", 1, 0.9), cell("linear", 2, 0.8)), "Deep learning (mlp) pays here"),
        ((cell("mlp", 1, 0.9), cell("linear", 2, 0.89, tied=True)), "but is not clearly ahead"),
        ((cell("svm", 1, 0.9), cell("mlp", 2, 0.89, tied=True)), "does as well as the best model"),
        ((cell("svm", 1, 0.9), cell("mlp", 2, 0.7)), "does not pay here"),
        ((cell("linear", 1, 0.9), cell("svm", 2, 0.8)), "The linear model leads"),
        ((cell("svm", 1, 0.9), cell("linear", 2, 0.89, tied=True)), "does as well as the best"),
        ((cell("svm", 1, 0.9), cell("linear", 2, 0.7)), "linear model is clearly behind"),
        ((cell("svm", 1, 0.9), cell("knn", 2, 0.7)), "add model=dummy"),
        ((cell("svm", 1, 0.6), cell("dummy", 2, 0.5, tied=True)), "No model is clearly better"),
        ((cell("dummy", 1, 0.5), cell("svm", 2, 0.4)), "No model is clearly better"),
    ],
)
def test_baseline_sentence_of_each_pattern(cells, said):
    assert said in verdict(*cells)["baselines"]


def test_failed_skipped_and_optimistic_cells_are_doubts():
    said = verdict(
        cell("svm", 1, 0.9, optimistic=True),
        cell("knn", None, 0.5),
        cell("mlp", None, 0.5, status="skipped"),
    )["doubts"]
    assert "knn did not finish and is not ranked" in said
    assert "mlp was skipped" in said
    assert "svm: optimistic" in said


def test_words_of_a_real_comparison_name_the_best_and_what_all_lean_on():
    task = make_toy_task(n_samples=80)
    records = [make_record(task, model) for model in ("linear", "knn", "dummy")]
    comparison = compare(records)
    explanation = make_explanation(task, records[0])
    summary = summarize_comparison(
        comparison, records, task, {record.hash: explanation for record in records[:2]}
    )
    best = next(row for row in comparison.rows if row.rank == 1)
    words = say_comparison(summary)
    assert words.leader[0].startswith(f"{best.model} has the best ROC AUC")
    (lean, overlap) = words.features
    assert lean.startswith("Both good models use gene_0, ")
    assert overlap == "Their rankings overlap by 1.00 (1 means identical)."
    gaps = {c.model: c.versus_best for c in summary.cells}
    assert gaps[best.model] is None
    assert gaps["dummy"].difference < 0
    assert gaps["dummy"].high < 0


def test_pair_tests_have_the_labels_of_the_table_and_holm_decides_which_are_real():
    task = make_toy_task(n_samples=80)
    records = [
        make_record(task, model, train_size=30, identity={"model": model})
        for model in ("linear", "knn", "dummy")
    ]
    comparison = compare(records)
    found = pair_tests(comparison)
    labels = [row.full_label for row in comparison.rows if row.measure == comparison.measure]
    assert labels[0].endswith(", 30 samples")
    assert [(one.first, one.second) for one in found] == list(itertools.combinations(labels, 2))
    for one, test in zip(found, comparison.tests, strict=True):
        assert (one.p_first, one.p_second) == (test.p_first_better, test.p_second_better)
    tests = (replace(comparison.tests[0], p=0.01, p_holm=p_holm) for p_holm in (0.049, 0.051))
    assert [one.real for one in pair_tests(replace(comparison, tests=tuple(tests)))] == [
        True,
        False,
    ]
