"""The verdict of a comparison: a case that fires each rule and one that does not, and ten
generated comparisons (`verdicts`) whose sentences were read against the truth."""

import itertools
import re
from pathlib import Path

import pytest

from report_cells import (
    make_compared,
    make_comparison,
    make_explanation,
    make_gap,
    make_record,
    make_test,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.models import load_learner
from smalldata.report.comparison_page.overview import ComparisonSummary, summarize_comparison
from smalldata.report.comparison_page.rows import ComparedCell, pair_tests
from smalldata.report.comparison_page.verdict import SENTENCES, say_comparison
from smalldata.report.plain import Estimate
from smalldata.results.comparison import Word
from smalldata.runtime import catalogue
from verdicts import FILE, SCENARIOS, write_verdict
from verdicts import make_comparison as make_scenario

NETWORKS = [name for name in catalogue.names("model") if load_learner(name).traits.deep]
TABLE = Path(__file__).resolve().parents[1] / "docs" / "verdict.md"
BETTER, WORSE, EQUAL, UNCLEAR = Word.BETTER, Word.WORSE, Word.EQUAL, Word.UNCLEAR


def cell(
    model: str, rank: int | None, mean: float, word: Word | None = None, *, gap=None, **changes
) -> ComparedCell:
    """A row; the word and the gap are against the best, at 0.9."""
    gap = gap or {}
    content = {
        "deep": model in NETWORKS,
        "scores": {"roc_auc": Estimate(mean=mean, low=mean - 0.05, high=mean + 0.05)},
        "word": word,
        "versus_best": None if word is None else make_gap(word, mean - 0.9, **gap),
    }
    return make_compared(model, rank, **{**content, **changes})


def compared(*cells: ComparedCell, **changes) -> ComparisonSummary:
    """The page; every model is clearly better than dummy, if there are no tests given."""
    dummies = [one for one in cells if one.model == "dummy"]
    tests = [
        make_test(one.label, dummy.label) for dummy in dummies for one in cells if one is not dummy
    ]
    return make_comparison(*cells, **{"tests": tests, **changes})


def verdict(*cells: ComparedCell, **changes) -> dict[str, str]:
    words = say_comparison(compared(*cells, **changes))
    return {key: " ".join(said) for key, said in vars(words).items()}


SVM, DUMMY = cell("svm", 1, 0.9), cell("dummy", 3, 0.5, WORSE)
KNN = {word: cell("knn", 2, 0.8, word) for word in (EQUAL, UNCLEAR, WORSE)}
MLP = {word: cell("mlp", 2, 0.8, word) for word in (EQUAL, UNCLEAR, WORSE)}
NET = cell("mlp", 1, 0.9)
FEW = {"detectable": None}
LINEAR = {word: cell("linear", 2, 0.8, word) for word in (EQUAL, UNCLEAR, WORSE)}
JUST = cell("linear", 2, 0.8, UNCLEAR, gap={"p_worse": 0.049})
NOT_QUITE = cell("linear", 2, 0.8, UNCLEAR, gap={"p_worse": 0.051})
CORRECTED = {"mean": 0.87, "ci_low": 0.8, "ci_high": 0.92, "n_models": 2, "uncorrected": 0.9}
FLATTERED = {"best_corrected": CORRECTED}
LUCKY = {"best_corrected": {**CORRECTED, "mean": 0.91}}


def against_dummy(word: Word, **gap) -> ComparisonSummary:
    """Of svm and knn, only knn has this word against dummy."""
    tests = [make_test("svm", "dummy"), make_test("knn", "dummy", word, **gap)]
    return compared(SVM, KNN[UNCLEAR], DUMMY, tests=tests)


CASES = {
    "no ranking": (compared(cell("svm", None, 0.9)), compared(SVM)),
    "leader": (compared(SVM, KNN[WORSE]), compared(SVM, cell("knn", 1, 0.9, UNCLEAR))),
    "joint leaders": (compared(SVM, cell("knn", 1, 0.9, UNCLEAR)), compared(SVM, KNN[UNCLEAR])),
    "alone": (compared(SVM), compared(SVM, KNN[WORSE])),
    "too few folds": (
        compared(SVM, cell("knn", 2, 0.5, UNCLEAR, gap=FEW)),
        compared(SVM, KNN[UNCLEAR]),
    ),
    "ahead of all": (compared(SVM, KNN[WORSE], DUMMY), compared(SVM, KNN[UNCLEAR], DUMMY)),
    "equal to the best": (compared(SVM, KNN[EQUAL]), compared(SVM, KNN[UNCLEAR])),
    "not told from the best": (compared(SVM, KNN[UNCLEAR]), compared(SVM, KNN[EQUAL])),
    "power": (compared(SVM, KNN[UNCLEAR]), compared(SVM, KNN[EQUAL])),
    "worse than the best": (compared(SVM, KNN[UNCLEAR], DUMMY), compared(SVM, KNN[UNCLEAR])),
    "flattery": (compared(SVM, KNN[WORSE], **FLATTERED), compared(SVM, KNN[WORSE], **LUCKY)),
    "no flattery": (compared(SVM, KNN[WORSE], **LUCKY), compared(SVM, KNN[WORSE], **FLATTERED)),
    "no dummy": (compared(SVM, KNN[WORSE]), compared(SVM, DUMMY)),
    "nothing beats dummy": (
        compared(SVM, DUMMY, tests=[make_test("svm", "dummy", UNCLEAR)]),
        against_dummy(UNCLEAR),
    ),
    "all beat dummy": (against_dummy(BETTER), against_dummy(UNCLEAR)),
    "some beat dummy": (against_dummy(UNCLEAR), against_dummy(BETTER)),
    "equal to dummy": (against_dummy(EQUAL), against_dummy(UNCLEAR)),
    "not told from dummy": (against_dummy(UNCLEAR), against_dummy(EQUAL)),
    "power against dummy": (against_dummy(UNCLEAR), against_dummy(EQUAL)),
    "worse than dummy": (against_dummy(WORSE), against_dummy(UNCLEAR)),
    "linear leads": (compared(cell("linear", 1, 0.9), KNN[WORSE]), compared(SVM, LINEAR[EQUAL])),
    "linear is enough": (compared(SVM, JUST), compared(SVM, NOT_QUITE)),
    "linear is worse": (compared(SVM, LINEAR[WORSE]), compared(SVM, LINEAR[UNCLEAR])),
    "linear is unclear": (compared(SVM, NOT_QUITE), compared(SVM, JUST)),
    "deep alone": (compared(NET, DUMMY), compared(NET, LINEAR[WORSE])),
    "deep pays": (compared(NET, LINEAR[WORSE], DUMMY), compared(NET, LINEAR[UNCLEAR], DUMMY)),
    "deep is not needed": (compared(NET, JUST), compared(NET, NOT_QUITE)),
    "deep leads unclearly": (compared(NET, NOT_QUITE), compared(NET, JUST)),
    "deep is equal": (compared(SVM, MLP[EQUAL]), compared(SVM, MLP[UNCLEAR])),
    "deep is unclear": (compared(SVM, MLP[UNCLEAR]), compared(SVM, MLP[EQUAL])),
    "deep is worse": (compared(SVM, MLP[WORSE]), compared(SVM, MLP[UNCLEAR])),
    "failed": (compared(SVM, cell("knn", None, 0.5)), compared(SVM)),
    "skipped": (
        compared(SVM, cell("knn", None, 0.5, status="skipped")),
        compared(SVM, cell("knn", None, 0.5)),
    ),
    "optimistic": (compared(cell("svm", 1, 0.9, optimistic=True)), compared(SVM)),
    "pairs": (against_dummy(BETTER), compared(SVM, DUMMY)),
}
"""Of each rule: a comparison in which it writes its sentence, and one in which it does not."""


def find_rule(sentence: str) -> str | None:
    """Return the rule whose template a sentence fills, the most specific one."""
    found = [
        (len(re.sub(r"{\w+}", "", template)), rule)
        for rule, template in SENTENCES.items()
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", ".*", re.escape(template)), sentence)
    ]
    return max(found)[1] if found else None


def rules_of(summary: ComparisonSummary) -> list[str | None]:
    words = say_comparison(summary)
    return [find_rule(sentence) for sentence in (*words.leader, *words.baselines, *words.doubts)]


@pytest.mark.parametrize("rule", SENTENCES)
def test_fires(rule):
    assert rule in rules_of(CASES[rule][0])


@pytest.mark.parametrize("rule", SENTENCES)
def test_is_silent(rule):
    assert rule not in rules_of(CASES[rule][1])


def test_the_table_of_rules_has_every_sentence_and_the_tests_that_fire_it_or_not():
    rows = [
        [part.strip() for part in line.strip("|").split("|")]
        for line in TABLE.read_text().splitlines()
        if "test_fires[" in line
    ]
    assert {row[0]: row[2] for row in rows} == SENTENCES
    assert [row[0] for row in rows] == list(SENTENCES), "in the order of the sentences"
    for rule, condition, _, fires, silent in rows:
        assert condition
        assert (fires, silent) == (f"`test_fires[{rule}]`", f"`test_is_silent[{rule}]`")
        assert rule in CASES


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_ten_verdicts_are_as_they_were_read(scenario):
    """``python tests/verdicts.py`` writes the file again; read every line that changes."""
    parts = FILE.read_text().rstrip("\n").removeprefix("## ").split("\n\n## ")
    read = {part.partition("\n")[0]: part for part in parts}
    assert list(read) == [one.name for one in SCENARIOS]
    expected = read[scenario.name]
    assert write_verdict(scenario).removeprefix("## ") == expected
    _, summary = make_scenario(scenario)
    words = say_comparison(summary)
    assert None not in [find_rule(sentence) for sentence in (*words.leader, *words.baselines)]
    for test in summary.tests:
        gain = scenario.truth[test.first] - scenario.truth[test.second]
        assert test.word is not Word.BETTER or gain > 0
        assert test.word is not Word.EQUAL or abs(gain) <= test.rope


# ---------------------------------------------------------------- what the sentences hold


def test_a_leader_has_its_score_and_its_interval():
    said = verdict(SVM, KNN[WORSE])["leader"]
    assert said.startswith("svm has the best ROC AUC: 0.900 (95 % interval 0.850 to 0.950). svm is")
    said = verdict(cell("svm", 1, 1.0), cell("knn", 1, 1.0, UNCLEAR), DUMMY)["leader"]
    assert said.startswith("svm and knn share the best ROC AUC: 1.000. Cannot be told apart from")


def test_models_that_are_not_clearly_worse_have_their_probabilities_and_the_power():
    said = verdict(SVM, KNN[EQUAL], LINEAR[UNCLEAR], DUMMY)["leader"]
    assert "Practically equal to svm: knn (1 / 97 / 2\u202f%); in brackets the prob" in said
    assert "Cannot be told apart from svm: linear (12 / 48 / 40\u202f%); in brackets" in said
    assert "shown with 80 % power is 0.050. Clearly worse than svm: dummy." in said
    two = cell("pls", 3, 0.7, UNCLEAR, gap={"detectable": 0.08})
    assert "power is 0.050 to 0.080." in verdict(SVM, KNN[UNCLEAR], two)["leader"]


def test_power_is_told_only_of_pairs_that_have_it():
    few, far = cell("knn", 2, 0.8, UNCLEAR, gap=FEW), cell("pls", 3, 0.7, WORSE)
    tests = [make_test("knn", "dummy", UNCLEAR, **FEW), make_test("svm", "dummy")]
    found = verdict(SVM, few, far, DUMMY, tests=tests)
    assert "Cannot be told apart from svm: knn" in found["leader"]
    assert "Cannot be told apart from dummy: knn." in found["baselines"]
    assert "power" not in found["leader"] + found["baselines"]
    assert "too few" not in found["leader"] + found["baselines"]


def test_each_rank_is_described_by_the_same_rule():
    """Rank 2 may be clearly worse while rank 3, whose folds vary more, is not: both are told."""
    third = cell("linear", 3, 0.75, UNCLEAR)
    said = verdict(SVM, KNN[WORSE], third)["leader"]
    assert "Cannot be told apart from svm: linear (" in said
    assert "Clearly worse than svm: knn." in said


def test_correction_for_choosing_the_best_never_promises_more_than_was_seen():
    said = verdict(SVM, KNN[WORSE], **FLATTERED)["leader"]
    assert (
        "Picking the best of 2 flatters it. Corrected for that, expect 0.870 (95 % interval 0.800 "
        "to 0.920)."
    ) in said
    said = verdict(SVM, KNN[WORSE], **LUCKY)["leader"]
    assert "0.910" not in said
    assert (
        "These folds show no flattery from picking the best of 2; corrected for the choice, the "
        "95 % interval is 0.800 to 0.920."
    ) in said
    off = {"best_corrected": {**CORRECTED, "mean": 0.95, "ci_low": 0.91, "ci_high": 0.99}}
    assert verdict(SVM, KNN[WORSE], **off)["leader"].endswith("from picking the best of 2.")


def test_models_better_than_dummy_are_named_in_the_order_of_their_ranks():
    cells = cell("mlp", 1, 0.75), cell("svm", 2, 0.7, UNCLEAR), cell("pls", 3, 0.6, UNCLEAR)
    tests = [
        make_test("pls", "dummy"),
        make_test("dummy", "svm", WORSE),
        make_test("mlp", "dummy", UNCLEAR),
    ]
    said = verdict(*cells, cell("dummy", 4, 0.5, UNCLEAR), tests=tests)["baselines"]
    assert "gives 0.500. Clearly better: svm and pls. Cannot be told apart from dummy: mlp." in said
    worse = [make_test("mlp", "dummy", WORSE), make_test("dummy", "svm")]
    said = verdict(*cells[:2], cell("dummy", 4, 0.5, UNCLEAR), tests=worse)["baselines"]
    assert "No model is clearly better" in said
    assert "Clearly worse than dummy: mlp and svm." in said


def test_models_without_a_test_are_not_judged():
    """Of a holdout with one positive among its test samples no difference has a variance."""
    cells = cell("svm", 1, 0.9), cell("mlp", 2, 0.8), cell("linear", 3, 0.7), cell("dummy", 4, 0.5)
    found = verdict(*cells, tests=[])
    assert found["leader"].endswith("folds to tell any two models apart.")
    assert found["baselines"] == ""
    found = verdict(cell("linear", 1, 0.9), cell("svm", 1, 0.9), cells[3], tests=[])
    assert found["baselines"] == SENTENCES["linear leads"]
    assert (
        verdict(cell("svm", 1, 0.9), cell("mlp", 1, 0.9), tests=[])["baselines"]
        == (SENTENCES["no dummy"])
    )


def test_ahead_of_every_other_model_takes_a_test_of_each():
    no_test = cell("pls", 4, 0.6)
    found = verdict(SVM, KNN[WORSE], no_test, DUMMY, tests=[make_test("knn", "dummy")])
    assert found["leader"].endswith("Clearly worse than svm: knn and dummy.")
    assert "Clearly better: knn." in found["baselines"]
    said = verdict(NET, LINEAR[WORSE], no_test)["baselines"]
    assert "is not clearly better than pls." in said


def test_too_few_folds_claim_nothing_about_linear_dummy_or_deep_models():
    few = [
        cell(model, rank, 0.5, UNCLEAR, gap=FEW)
        for rank, model in enumerate(("linear", "mlp", "dummy"), start=2)
    ]
    tests = [make_test(one.label, "dummy", UNCLEAR, **FEW) for one in (SVM, *few[:2])]
    found = verdict(SVM, *few, tests=tests)
    assert (
        "There are too few test samples or folds to tell any two models apart." in found["leader"]
    )
    assert found["baselines"] == ""
    deep = cell("linear", 2, 0.5, UNCLEAR, gap=FEW)
    assert "Deep" not in verdict(NET, deep)["baselines"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_verdict_knows_every_network(name):
    pays = verdict(cell(name, 1, 0.9), KNN[WORSE])["baselines"]
    assert f"Deep learning ({name}) pays here: it is clearly better than every simpler" in pays
    behind = verdict(SVM, cell(name, 2, 0.8, WORSE))["baselines"]
    assert f"Deep learning ({name}, 0.800) does not pay here: it is clearly worse" in behind


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            (cell("cnn1d", 1, 0.9), KNN[WORSE], cell("mlp", 3, 0.7, WORSE)),
            "Deep learning (cnn1d, the best of 2 deep models) pays here: it is clearly better",
        ),
        (
            (cell("cnn1d", 1, 0.9), KNN[UNCLEAR], cell("mlp", 3, 0.7, WORSE)),
            "(cnn1d, the best of 2 deep models) has the best mean here, but is not clearly better "
            "than knn.",
        ),
        (
            (SVM, cell("mlp", 2, 0.88, EQUAL), cell("cnn1d", 3, 0.7, WORSE)),
            "(mlp, the best of 2 deep models, 0.880) is practically equal to the best model, svm.",
        ),
        (
            (SVM, MLP[WORSE], cell("cnn1d", 2, 0.8, WORSE), cell("rnn", 4, 0.7, WORSE)),
            "Deep learning (mlp and cnn1d, the best of 3 deep models, 0.800) does not pay",
        ),
        (
            (NET, cell("rnn", 1, 0.9, UNCLEAR), cell("svm", 3, 0.8, WORSE)),
            "Deep learning (mlp and rnn) pays here",
        ),
        (
            (NET, cell("svm", 1, 0.9, UNCLEAR)),
            "Deep learning (mlp) has the best mean here, but is not clearly better than svm.",
        ),
    ],
)
def test_of_several_deep_models_the_best_is_judged(cells, said):
    found = verdict(*cells)["baselines"]
    assert said in found
    assert found.count("Deep learning") == 1


def test_network_without_rivals_is_not_judged():
    assert "Deep" not in verdict(NET)["baselines"]
    for others in ([], [cell("rnn", 2, 0.7, WORSE)]):
        names = "mlp and rnn" if others else "mlp"
        for floor in ([], [DUMMY]):
            if others or floor:
                said = verdict(NET, *others, *floor)["baselines"]
                assert f"Deep learning ({names}) has no simpler model to compare with" in said
                assert "pays here" not in said


def test_without_a_deep_model_nothing_is_said_of_deep_learning():
    assert "Deep" not in verdict(SVM, LINEAR[WORSE])["baselines"]


# ---------------------------------------------------------------- of real records


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


def test_words_of_a_real_comparison_name_the_best_and_what_all_use():
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
    (use, overlap) = words.features
    assert use.startswith("Both good models use gene_0, ")
    assert overlap == "Their rankings overlap by 1.00 (1 means identical)."
    gaps = {c.model: c.versus_best for c in summary.cells}
    assert gaps[best.model] is None
    assert gaps["dummy"].difference < 0
    assert gaps["dummy"].high < 0
    assert gaps["dummy"].word is Word.WORSE
    assert gaps["dummy"].p_worse > 0.9


def test_pair_tests_have_the_labels_and_the_words_of_the_table():
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
        assert (one.p_better, one.p_worse) == (test.p_first_better, test.p_second_better)
        assert (one.word, one.detectable) == (test.word, test.detectable)
        turned = one.turned()
        assert (turned.low, turned.high) == (-one.high, -one.low)
        assert (turned.p_better, turned.word) == (one.p_worse, one.word.turned)
