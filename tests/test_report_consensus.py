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
    good_labels,
    leading_group,
    say_agreement,
)
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.results.evidence import NullImportances


@pytest.mark.parametrize(
    ("cells", "tests", "good"),
    [
        # The best and what is tied with it; what is behind must be clearly better than dummy.
        (
            [
                make_compared("svm", 1),
                make_compared("knn", 2, tied=True),
                make_compared("mlp", 3),
                make_compared("dummy", 4),
            ],
            [],
            {"svm", "knn"},
        ),
        (
            [
                make_compared("svm", 1),
                make_compared("knn", 2),
                make_compared("mlp", 3),
                make_compared("dummy", 4),
            ],
            [
                make_test("knn", "dummy", 0.2),
                make_test("dummy", "mlp", -0.2, p_holm=0.2),
                make_test("svm", "knn", 0.2),
            ],
            {"svm", "knn"},
        ),
        # Where guessing is tied with the best, only what is clearly better than guessing counts.
        (
            [
                make_compared("svm", 1),
                make_compared("knn", 2, tied=True),
                make_compared("dummy", 3, tied=True),
            ],
            [],
            set(),
        ),
        (
            [
                make_compared("mlp", 1),
                make_compared("svm", 2, tied=True),
                make_compared("dummy", 3, tied=True),
            ],
            [make_test("dummy", "svm", -0.2), make_test("mlp", "dummy", 0.3, p_holm=0.2)],
            {"svm"},
        ),
        ([make_compared("dummy", 1), make_compared("svm", 2)], [], set()),
        # Without dummy, the best and what is tied with it.
        (
            [make_compared("svm", 1), make_compared("knn", 2, tied=True), make_compared("mlp", 3)],
            [],
            {"svm", "knn"},
        ),
        ([make_compared("svm", 1), make_compared("knn", None, tied=True)], [], {"svm"}),
        # Worse than dummy is not better.
        (
            [make_compared("svm", 1), make_compared("mlp", 3), make_compared("dummy", 2)],
            [make_test("dummy", "mlp", 0.2)],
            {"svm"},
        ),
    ],
)
def test_good_models_are_clearly_better_than_dummy_and_not_clearly_worse_than_the_best(
    cells, tests, good
):
    assert good_labels(cells, tests, better="higher") == good
    turned = [
        replace(test, difference=-test.difference, low=-test.high, high=-test.low) for test in tests
    ]
    assert good_labels(cells, turned, better="lower") == good


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
        assert said == "The 3 good models share no leading feature."


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
    assert row.only == "knn"
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
