"""What the page of a comparison says of the features that models use: the rule of who counts,
the table, and every sentence."""

from dataclasses import replace

import numpy as np
import pytest

from report_cells import (
    make_compared,
    make_explanation,
    make_record,
    make_test,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.explanation.agreement import PairAgreement
from smalldata.report.comparison_page.consensus import (
    MOST_FEATURES,
    AgreementSummary,
    NearestFeature,
    OwnFeatures,
    SharedFeature,
    good_labels,
    leading_group,
    say_agreement,
)
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.results.comparison import Word
from smalldata.results.evidence import NullImportances

BEST, UNCLEAR = make_compared("svm", 1), {"word": Word.UNCLEAR}
DUMMY = make_compared("dummy", 4, word=Word.WORSE)


@pytest.mark.parametrize(
    ("cells", "tests", "good"),
    [
        # The best and what is not clearly worse; the others must be clearly better than dummy.
        (
            [
                BEST,
                make_compared("knn", 2, **UNCLEAR),
                make_compared("mlp", 3, word=Word.WORSE),
                DUMMY,
            ],
            [],
            {"svm", "knn"},
        ),
        ([BEST, make_compared("knn", 2, word=Word.EQUAL), DUMMY], [], {"svm", "knn"}),
        (
            [
                BEST,
                make_compared("knn", 2, word=Word.WORSE),
                make_compared("mlp", 3, word=Word.WORSE),
                DUMMY,
            ],
            [
                make_test("knn", "dummy"),
                make_test("dummy", "mlp", Word.UNCLEAR),
                make_test("svm", "knn"),
            ],
            {"svm", "knn"},
        ),
        # If guessing is not clearly worse, only what is clearly better than guessing counts.
        (
            [BEST, make_compared("knn", 2, **UNCLEAR), make_compared("dummy", 3, **UNCLEAR)],
            [],
            set(),
        ),
        (
            [
                make_compared("mlp", 1),
                make_compared("svm", 2, **UNCLEAR),
                make_compared("dummy", 3, **UNCLEAR),
            ],
            [
                make_test("dummy", "svm", Word.WORSE),
                make_test("mlp", "dummy", Word.UNCLEAR),
            ],
            {"svm"},
        ),
        ([make_compared("dummy", 1), make_compared("svm", 2, **UNCLEAR)], [], set()),
        # Without dummy, the best and what is not clearly worse.
        (
            [BEST, make_compared("knn", 2, **UNCLEAR), make_compared("mlp", 3, word=Word.WORSE)],
            [],
            {"svm", "knn"},
        ),
        ([BEST, make_compared("knn", None)], [], {"svm"}),
        # Worse than dummy is not better.
        (
            [
                BEST,
                make_compared("mlp", 3, word=Word.WORSE),
                make_compared("dummy", 2, word=Word.WORSE),
            ],
            [make_test("dummy", "mlp")],
            {"svm"},
        ),
    ],
)
def test_good_models_are_clearly_better_than_dummy_and_not_clearly_worse_than_the_best(
    cells, tests, good
):
    assert good_labels(cells, tests) == good


def test_leading_group_prefers_cells_on_all_samples_then_the_largest_size():
    small, large = make_compared("a", 1, train_size=20), make_compared("b", 1, train_size=40)
    assert leading_group([small, large, make_compared("c", 2)]) == [make_compared("c", 2)]
    assert leading_group([small, large, make_compared("c", None)]) == [large]
    assert leading_group([]) == []


# ---------------------------------------------------------------- sentences


def pair(first: int, second: int, overlap: float) -> PairAgreement:
    return PairAgreement(
        first=first, second=second, overlap=overlap, correlation=None, low=None, high=None, n_rows=0
    )


def found(**changes) -> AgreementSummary:
    models = ["linear", "svm", "knn"]
    agreement = AgreementSummary(
        top=2,
        labels=models,
        good=[True, True, True],
        good_models=models,
        n_good=3,
        pairs=[pair(0, 1, 0.8), pair(0, 2, 0.5), pair(1, 2, 0.314)],
        consensus=["tau", "p_tau"],
        own=[],
        shared=[],
        nearest=NearestFeature(name="tau", n=3),
        features=[],
        n_left_out=0,
        has_null=False,
    )
    return replace(agreement, **changes)


def test_consensus_sentence_names_features_of_all_good_models():
    said = say_agreement(found())
    assert said[0] == "All 3 good models use tau and p_tau."
    many = say_agreement(found(consensus=list("abcdefgh")))[0]
    assert many == "All 3 good models use a, b, c, d, e, f and 2 more."
    assert say_agreement(found(consensus=list("abcdefg")))[0].endswith("a, b, c, d, e, f and g.")
    two = found(n_good=2, good=[True, True, False], good_models=["linear", "svm"])
    assert say_agreement(two)[0] == "Both good models use tau and p_tau."


def test_without_consensus_the_nearest_feature_is_named():
    said = say_agreement(found(consensus=[], nearest=NearestFeature(name="tau", n=2)))[0]
    assert said == "No feature is used by all 3 good models; tau comes closest, used by 2."
    for nearest in (NearestFeature(name="tau", n=1), None):
        said = say_agreement(found(consensus=[], nearest=nearest))[0]
        assert said == "No feature is used by more than one of the 3 good models."


def test_features_of_one_model_alone_are_named():
    own = [
        OwnFeatures(model="knn", features=["a"]),
        OwnFeatures(model="svm", features=list("bcdef")),
    ]
    assert say_agreement(found(own=own))[1] == (
        "Only knn uses a; only svm uses b, c, d and 2 more."
    )
    own = [OwnFeatures(model=name, features=["a"]) for name in ("knn", "svm", "mlp", "pls")]
    assert say_agreement(found(own=own))[1] == (
        "knn, svm, mlp and pls each use features that no other good model uses: see the table."
    )


def test_a_feature_of_one_model_that_others_rank_high_is_not_called_its_own():
    shared = [
        SharedFeature(name=name, user="knn", place=3, others={"linear": 9, "svm": 12})
        for name in "abc"
    ]
    said = say_agreement(found(shared=shared))
    assert said[1:3] == [
        f"{name} counts as used by knn only (rank 3), but it ranks 9 in linear and 12 in svm."
        for name in "ab"
    ]


def test_most_and_least_alike_rankings_are_named():
    assert say_agreement(found())[-1] == (
        "The rankings of linear and svm are the most alike (overlap 0.80; 1 means identical), "
        "those of svm and knn the least (0.31)."
    )
    without = found(good=[True, False, True], n_good=2, good_models=["linear", "knn"])
    assert say_agreement(without)[-1] == "Their rankings overlap by 0.50 (1 means identical)."


def test_too_few_good_models_give_one_sentence():
    one = found(n_good=1, good=[False, True, False], good_models=["svm"])
    assert say_agreement(one) == [
        "Of the explained models only svm predicts well enough for its features to count."
    ]
    none = found(n_good=0, good=[False] * 3, good_models=[])
    assert say_agreement(none) == [
        "No explained model predicts well enough for its features to count."
    ]
    assert say_agreement(None) == []


# ---------------------------------------------------------------- of a real comparison


def summary_of(weights: dict[str, np.ndarray], *, nulls=None, n_features: int = 30):
    """Comparison of models whose every Shapley value is a given weight of its feature."""
    task = make_toy_task(n_features=n_features)
    same = make_record(task, "linear")  # predictions are equal: every model is good
    records = [replace(same, model=model, identity={"model": model}) for model in weights]
    records.append(make_record(task, "dummy"))
    usual = make_explanation(task, records[0])
    explanations = {
        record.hash: replace(
            usual,
            values=np.broadcast_to(weights[record.model][None, :, None], usual.values.shape).astype(
                np.float32
            ),
        )
        for record in records[:-1]
    }
    explanations[records[-1].hash] = replace(usual, values=np.zeros_like(usual.values))
    by_model = {record.model: record.hash for record in records}
    return summarize_comparison(
        compare(records),
        records,
        task,
        explanations,
        nulls={by_model[name]: null for name, null in (nulls or {}).items()},
    )


def leading(*genes: int, n_features: int = 30) -> np.ndarray:
    weights = np.zeros(n_features)
    weights[list(genes)] = np.arange(len(genes), 0, -1)
    return weights


def test_agreement_table_and_sentences_of_three_models():
    summary = summary_of(
        {"linear": leading(0, 1, 2), "knn": leading(1, 0, 5), "svm": leading(0, 1, 2)}
    )
    agreement = summary.agreement
    assert sorted(agreement.labels) == ["knn", "linear", "svm"], "dummy uses nothing"
    assert agreement.good == [True, True, True]
    assert agreement.consensus == ["gene_0", "gene_1"]
    assert agreement.own == [OwnFeatures(model="knn", features=["gene_5"])]
    rows = {row.name: row for row in agreement.features}
    assert list(rows) == ["gene_0", "gene_1", "gene_2", "gene_5"]
    assert rows["gene_0"].in_all
    assert rows["gene_5"].only == "knn"
    assert rows["gene_0"].share == pytest.approx((3 + 3 + 2) / 6 / 3)
    knn = agreement.labels.index("knn")
    assert rows["gene_1"].places[knn] == 1
    assert rows["gene_2"].places[knn] is None
    assert rows["gene_2"].n_good == 2
    assert say_comparison(summary).features[:2] == [
        "All 3 good models use gene_0 and gene_1.",
        "Only knn uses gene_5.",
    ]


@pytest.mark.parametrize("place", [20, 21])
def test_only_one_model_uses_a_feature_if_no_other_ranks_it_among_its_first_20(place):
    """gene_29 leads in knn; in linear it ranks ``place``, after features that all models use."""
    order = list(range(29))
    order.insert(place - 1, 29)
    summary = summary_of({"linear": leading(*order), "knn": leading(29, *range(29))})
    row = next(row for row in summary.agreement.features if row.name == "gene_29")
    said = " ".join(say_comparison(summary).features)
    assert (row.only == "knn") == (place > 20)
    assert ("Only knn uses gene_29." in said) == (place > 20)
    near = "gene_29 counts as used by knn only (rank 1), but it ranks 20 in linear."
    assert (near in said) == (place == 20)


def test_agreement_table_shows_null_importances():
    null = NullImportances(
        permutation=np.arange(19),
        values=np.full((19, 30), 0.5),
        observed=np.where(np.arange(30) == 12, 1.0, 0.0),
    )
    weights = np.append(np.linspace(3, 2, 13), np.zeros(17))
    plain = summary_of({"linear": weights, "knn": weights})
    row = next(r for r in plain.agreement.features if r.name == "gene_12")
    assert (row.used, row.only) == ([False, False], None)
    assert not plain.agreement.has_null
    with_null = summary_of({"linear": weights, "knn": weights}, nulls={"knn": null})
    row = next(r for r in with_null.agreement.features if r.name == "gene_12")
    assert row.used == [label == "knn" for label in with_null.agreement.labels]
    assert row.only is None, "linear ranks it 13th"
    assert with_null.agreement.has_null


def test_single_explained_model_has_no_agreement_section():
    summary = summary_of({"linear": leading(0, 1)})
    assert summary.agreement is None
    assert say_comparison(summary).features == []


def test_long_agreement_table_counts_what_it_leaves_out():
    nulls = {
        "knn": NullImportances(
            permutation=np.arange(19), values=np.zeros((19, 90)), observed=np.ones(90)
        )
    }
    weights = np.linspace(2, 1, 90)
    summary = summary_of({"linear": weights, "knn": weights}, nulls=nulls, n_features=90)
    assert len(summary.agreement.features) == MOST_FEATURES
    assert summary.agreement.n_left_out == 90 - MOST_FEATURES
