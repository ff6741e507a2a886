"""Learning curves of a comparison: the oracle are laws and crossings that the scores were made of;
and what is said of them, rule by rule."""

import dataclasses
import json
import math

import numpy as np
import pytest
from rich.console import Console

from report_cells import (
    HOSTILE,
    all_inputs,
    make_record,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.comparison.entries import Entry, Lineup
from smalldata.comparison.table import to_plain
from smalldata.measures.registry import find_measure
from smalldata.report import index_html, print_comparison
from smalldata.report.comparison_page.learning_curves import (
    say_contest,
    say_curve,
    say_learning,
    say_payoff,
)
from smalldata.results.folds import Score
from smalldata.results.learning_curves import Contest, Estimate, Lead
from smalldata.statistics.significance import corrected_interval
from smalldata.task import TaskKind
from test_comparison import MEASURE, failing, toy_record
from test_report import Page

NETWORK = "smalldata.models.networks.mlp.MLP"
SIZES = (20, 40, 80, 150)
PRIMARY = MEASURE | {TaskKind.REGRESSION: "mae"}  # the mean over folds of what they score

PRIMARY = {**MEASURE, TaskKind.REGRESSION: "mae"}
"""Measures that read the stored score of a fold; RMSE reads its predictions."""


def cell(model, size, scores, *, kind=TaskKind.BINARY, network=None, **changes):
    """A finished cell whose folds have these scores on the primary measure."""
    record = toy_record(model, kind=kind, train_size=size, **changes)
    folds = []
    for fold, score in zip(record.folds, scores, strict=True):
        told = {**fold.scores, PRIMARY[kind]: Score(value=float(score))}
        folds.append(dataclasses.replace(fold, scores=told))
    network = model == "mlp" if network is None else network
    target = NETWORK if network else f"smalldata.models.{model}.Learner"
    identity = {**record.identity, "learner": {"_target_": target}}
    return dataclasses.replace(record, folds=tuple(folds), identity=identity, measure=PRIMARY[kind])


def n_folds():
    return len(toy_record("knn").folds)


def curve(model, law, *, sizes=SIZES, spread=0.02, seed=0, **changes):
    """Cells of one model; folds are hard or easy for all models and sizes alike."""
    J = n_folds()
    shared = np.random.default_rng(99).normal(scale=spread, size=J)
    own = np.random.default_rng([seed, *map(ord, model)])
    cells = []
    for size in sizes:
        noise = shared + own.normal(scale=spread / 4, size=J)
        cells.append(cell(model, size, law(size) + noise - noise.mean(), **changes))
    return cells


def learning(records, **options):
    return compare(records, **options).learning


def quick(n):
    return 0.80 - 1.0 / n


def slow(n):
    return 0.90 - 10.0 / n  # meets the quick one at 90


AUC = find_measure("roc_auc", TaskKind.BINARY)
MAE = find_measure("mae", TaskKind.REGRESSION)


# ---------------------------------------------------------------- curves and laws


def test_points_equal_table_rows_and_law_recovers_the_generating_curve():
    found = compare(curve("svm", quick) + curve("mlp", slow))
    network, other = found.learning.curves
    assert (network.label, other.label) == ("mlp", "svm")
    assert (network.is_network, other.is_network) == (True, False)
    rows = {
        row.train_size: row
        for row in found.rows
        if row.model == "svm" and row.measure == found.measure
    }
    assert [point.size for point in other.points] == list(SIZES)
    for point in other.points:
        row = rows[point.size]
        assert (point.mean, point.low, point.high) == (row.mean, row.ci_low, row.ci_high)
    assert other.law.a.value == pytest.approx(0.80, abs=2e-3)
    assert other.law.b.value == pytest.approx(1.0, rel=0.05)
    assert other.law.c.value == pytest.approx(1.0, rel=0.02)
    assert network.law.reach.size == 600
    assert network.law.reach.mean == pytest.approx(slow(600), abs=1e-3)
    assert network.law.doubled.size == 300
    assert network.law.doubled.mean == pytest.approx(slow(300), abs=1e-3)


def test_every_number_of_a_law_lies_within_its_interval():
    for one in learning(curve("svm", quick) + curve("mlp", slow)).curves:
        for number in (one.law.a, one.law.b, one.law.c, one.gain):
            assert number.low <= number.value <= number.high
        for point in (*one.law.line, one.law.doubled, one.law.reach):
            assert 0 <= point.low <= point.mean <= point.high <= 1
        sizes = [point.size for point in one.law.line]
        assert sizes == sorted(set(sizes))
        assert {20, 150, 600} <= set(sizes) <= set(range(20, 601))


def test_law_interval_at_a_measured_size_is_close_to_the_corrected_interval():
    """With small noise the fitted law moves as the scores do."""
    records = curve("svm", quick, spread=0.03)
    (found,) = learning(records).curves
    at = next(point for point in found.law.line if point.size == 150)
    scores = [fold.scores["roc_auc"].value for fold in records[-1].folds]
    measured = corrected_interval(scores, ratio=records[-1].test_train_ratio)
    assert at.high - at.low == pytest.approx(measured.high - measured.low, rel=0.15)


def test_scores_that_do_not_vary_have_no_interval_and_no_bar():
    task = make_toy_task()
    records = [
        make_record(task, model, train_size=size, identity={"model": model, "size": size})
        for model in ("svm", "dummy")
        for size in (20, 40)
    ]
    found = {one.label: one for one in learning(records).curves}
    assert {(one.low, one.high) for one in found["dummy"].points} == {(None, None)}
    assert found["dummy"].gain is None
    assert None not in [one.low for one in found["svm"].points]


def test_gain_is_the_paired_test_of_the_smallest_and_largest_size():
    records = curve("svm", quick)
    (found,) = learning(records).curves
    entries = [Entry(record=record, settings="") for record in (records[-1], records[0])]
    test = Lineup(tuple(entries)).contrast(*entries, AUC, rope=0.0)
    assert found.gain == Estimate(value=test.difference, low=test.low, high=test.high)
    assert found.gain.value == pytest.approx(quick(150) - quick(20), abs=0.02)


def test_order_of_records_does_not_change_curves():
    records = curve("svm", quick) + curve("mlp", slow) + curve("knn", lambda n: 0.7)
    one = learning(records)
    assert learning(records) == one
    other = learning(records[::-1])
    assert [c.label for c in other.curves] == [c.label for c in one.curves]
    for a, b in zip(one.curves, other.curves, strict=True):
        assert (a.points, a.gain) == (b.points, b.gain)
        assert a.law.a.value == b.law.a.value


def test_error_measure_fits_a_falling_law():
    def rmse(n):
        return 1.0 + 8.0 / n**0.5

    records = curve("svm", rmse, kind=TaskKind.REGRESSION)
    records += curve("knn", lambda n: 2.0 + 4.0 / n**0.5, kind=TaskKind.REGRESSION)
    found = learning(records)
    assert [one.label for one in found.curves] == ["svm", "knn"]  # the lower error with 150 samples
    assert found.curves[0].law.a.value == pytest.approx(1.0, abs=0.05)
    assert found.curves[0].law.reach.mean == pytest.approx(rmse(600), rel=0.01)
    assert found.curves[0].gain.value < 0
    assert "svm improves from" in say_curve(found.curves[0], MAE)[0]
    (pair,) = found.pairs  # 1 + 8/sqrt(n) = 2 + 4/sqrt(n) at n = 16
    assert [lead.leader for lead in pair.leads] == ["svm"]


# ---------------------------------------------------------------- crossings


def test_crossing_within_measured_sizes_is_reported_with_interval():
    found = learning(curve("svm", quick, spread=0.004) + curve("mlp", slow, spread=0.004))
    (contest,) = found.networks
    assert (contest.first, contest.rivals) == ("mlp", ("svm",))
    assert (contest.fewest, contest.most, contest.reach) == (20, 150, 600)
    assert contest.crossing.value == pytest.approx(90, rel=0.03)
    assert contest.crossing.low < 90 < contest.crossing.high
    assert [lead.leader for lead in contest.leads] == ["svm", "mlp"]
    said = say_payoff(contest)
    assert said.startswith("Deep learning (mlp) pays from about ")
    assert f"95 % interval {contest.leads[0].stop} to {contest.leads[1].start}" in said
    assert "with fewer, svm is ahead" in said


def test_crossing_beyond_measured_sizes_is_reported_as_a_prediction():
    def late(n):
        return 0.90 - 2.6 * n**-0.6  # meets the quick one at 211

    found = learning(curve("svm", quick, spread=0.002) + curve("mlp", late, spread=0.002))
    (contest,) = found.networks
    assert contest.crossing.value == pytest.approx(211, rel=0.05)
    said = " ".join(say_learning(found, AUC))
    assert "Deep learning (mlp) would pay from about " in said
    assert "The largest number that both were measured with is 150." in said
    assert said.endswith(
        "Statements beyond 150 training samples rest on the fitted curves: use them to plan how "
        "much data to collect, not as results."
    )


def test_crossing_beyond_four_times_the_largest_size_is_not_reported():
    def later(n):
        return 0.90 - 90.0 / (n + 60)  # meets the quick one at about 830

    found = learning(curve("svm", quick, spread=0.001) + curve("mlp", later, spread=0.001))
    (contest,) = found.networks
    assert contest.crossing is None
    assert contest.reach == 600
    assert all(lead.stop <= 600 for lead in contest.leads)
    assert not any(lead.of_first for lead in contest.leads)
    said = say_payoff(contest)
    assert "does not pay" in said
    assert not set(range(601, 5000)) & {int(word) for word in said.split() if word.isdigit()}


def test_noisy_curves_cannot_tell_whether_a_network_pays():
    records = curve("svm", quick, spread=0.2) + curve("mlp", lambda n: quick(n) + 0.001, spread=0.2)
    (contest,) = learning(records).networks
    assert contest.leads == ()
    assert contest.crossing is None
    said = say_payoff(contest)
    assert said == (
        "Whether deep learning (mlp) pays is unclear at any number between 20 and 600 training "
        "samples: by the fitted curves it is never clearly ahead of svm or behind it. 600 is four "
        "times the largest number that both were measured with; nothing is claimed beyond it."
    )


def test_network_behind_one_rival_does_not_pay():
    rival = curve("knn", lambda n: 0.95 - 1.0 / n, spread=0.004)
    records = curve("svm", quick, spread=0.004) + curve("mlp", slow, spread=0.004) + rival
    found = learning(records)
    (contest,) = found.networks
    assert set(contest.rivals) == {"svm", "knn"}
    assert {lead.leader for lead in contest.leads} == {"knn"}
    assert "does not pay at any number" in say_payoff(contest)
    assert len(found.pairs) == 3


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.REGRESSION])
def test_the_crossing_is_that_with_the_best_of_the_others(kind):
    """The weaker rival would be met at 30, the better one at 90."""
    laws = {"mlp": slow, "svm": quick, "knn": lambda n: quick(n) - 0.2}
    if kind is TaskKind.REGRESSION:
        laws = {name: lambda n, law=law: 2 - law(n) for name, law in laws.items()}
    records = [
        record for name, law in laws.items() for record in curve(name, law, spread=0.004, kind=kind)
    ]
    (contest,) = learning(records).networks
    assert contest.crossing.value == pytest.approx(90, rel=0.05)
    assert [lead.leader for lead in contest.leads] == ["svm", "mlp"]


def test_dummy_is_not_a_rival_of_a_network():
    records = curve("mlp", slow) + curve("dummy", lambda n: 0.5)
    found = learning(records)
    assert found.networks == found.pairs == ()
    assert {one.label for one in found.curves} == {"mlp", "dummy"}
    assert "no other model with a fitted curve" in " ".join(say_learning(found, AUC))


def test_each_network_is_compared_with_non_networks_only():
    records = curve("mlp", slow, spread=0.004) + curve("svm", quick, spread=0.004)
    records += curve("resnet", lambda n: slow(n) - 0.3, network=True, spread=0.004)
    found = learning(records)
    assert [contest.first for contest in found.networks] == ["mlp", "resnet"]
    assert all(contest.rivals == ("svm",) for contest in found.networks)
    said = say_learning(found, AUC)
    assert said[0].startswith("Deep learning (mlp) pays from about")
    assert said[1].startswith("Deep learning (resnet) does not pay")


# ---------------------------------------------------------------- what there is no law of


def test_single_size_gives_no_learning_curves():
    assert learning([toy_record("svm"), toy_record("knn")]) is None
    assert learning([toy_record("svm", train_size=20), toy_record("knn", train_size=40)]) is None


def test_three_sizes_have_points_but_no_law():
    found = learning(curve("svm", quick, sizes=SIZES[:3]) + curve("mlp", slow, sizes=SIZES[:3]))
    for one in found.curves:
        assert one.law is None
        assert len(one.points) == 3
        assert "at least 4 numbers of training samples" in one.reason
        assert "there are scores at 3" in one.reason
        assert one.gain is not None
    assert found.networks == found.pairs == ()
    said = " ".join(say_learning(found, AUC))
    assert "It is unknown from how many samples deep learning (mlp) pays: " in said


def test_cell_on_all_rows_counts_at_its_training_size():
    full = cell("svm", None, np.full(n_folds(), 0.81))
    n_train = round(np.mean([fold.n_train for fold in full.folds]))
    found = learning([*curve("svm", quick, sizes=(10, 20, 30)), full])
    (one,) = found.curves
    assert [point.size for point in one.points] == [10, 20, 30, n_train]
    assert one.law is not None
    assert one.law.reach.size == 4 * n_train


def test_repeated_size_counts_once():
    full = cell("svm", None, np.full(n_folds(), 0.81))
    n_train = round(np.mean([fold.n_train for fold in full.folds]))
    (one,) = learning([*curve("svm", quick, sizes=(10, 20, n_train)), full]).curves
    assert [point.size for point in one.points] == [10, 20, n_train]
    assert one.points[-1].mean == pytest.approx(0.81)
    assert one.law is None


def test_failed_and_skipped_cells_leave_a_gap_with_its_reason():
    records = curve("mlp", slow, sizes=(20, 40, 80, 120, 150)) + curve("svm", quick)
    records[1] = failing(records[1], reason="no memory")
    skipped = dataclasses.replace(
        records[4], folds=(), skipped="takes at most 5 features", identity={"skipped": 1}
    )
    records[4] = skipped
    found = {one.label: one for one in learning(records).curves}
    gaps = {gap.size: gap.reason for gap in found["mlp"].missing}
    assert set(gaps) == {40, 150}
    assert "no memory" in gaps[40]
    assert gaps[150] == "takes at most 5 features"
    assert found["mlp"].law is None
    assert "there are scores at 3" in found["mlp"].reason
    assert found["svm"].law is not None


def test_contest_spans_sizes_measured_for_both_models():
    records = curve("mlp", slow, sizes=(40, 60, 80, 100), spread=0.004)
    records += curve("svm", quick, spread=0.004)
    (contest,) = learning(records).networks
    assert (contest.fewest, contest.most, contest.reach) == (40, 100, 400)


def test_reach_is_limited_by_the_side_measured_least():
    """One model alone was measured with 150, so 400 is not four times what was measured."""
    records = curve("mlp", quick, sizes=(40, 60, 80, 100), spread=0.2)
    found = learning(records + curve("svm", quick, spread=0.2))
    assert (
        "400 is four times the largest number that both were measured with"
        in (say_learning(found, AUC)[0])
    )


def test_lead_beyond_measured_sizes_is_marked_as_extrapolation():
    """Whether or not the lead changes."""
    records = curve("mlp", lambda n: quick(n) + 0.1, spread=0.004)
    found = learning(records + curve("svm", quick, spread=0.004))
    said = say_learning(found, AUC)
    assert said[0].startswith("Deep learning (mlp) pays at any number between 20 and 600")
    assert said[-1].startswith("Statements beyond 150 training samples rest on the fitted")


def test_network_with_one_size_is_not_reported_as_missing():
    one = cell("mlp", 40, np.full(n_folds(), 0.8))
    found = learning([*curve("svm", quick), one])
    assert found.single == ("mlp",)
    assert say_learning(found, AUC)[0].startswith(
        "Deep learning (mlp) has scores at only one number of training samples: run it with"
    )
    found = learning([*curve("svm", quick), failing(one, reason="no memory")])
    assert say_learning(found, AUC)[0].startswith("No deep model has a score here: add model=mlp")


def test_a_network_without_any_score_is_said_to_have_none():
    records = [
        dataclasses.replace(
            one, folds=(), skipped="needs weights", identity={**one.identity, "n": n}
        )
        for n, one in enumerate(curve("mlp", slow))
    ]
    said = say_learning(learning(records + curve("svm", quick)), AUC)
    assert said[0].endswith("at least 4 numbers of training samples; there are no scores.")


def test_single_test_fold_gives_no_law():
    records = []
    for size in SIZES:
        record = cell("svm", size, np.full(n_folds(), quick(size)))
        records.append(dataclasses.replace(record, folds=record.folds[:1], n_planned=1))
    (one,) = learning(records).curves
    assert one.law is None
    assert "one test fold" in one.reason
    assert one.gain is None


def test_two_folds_give_wide_but_finite_intervals():
    records = []
    for i, record in enumerate(curve("svm", quick)):
        folds = record.folds[:2]
        records.append(
            dataclasses.replace(
                record, folds=folds, n_planned=2, identity={**record.identity, "i": i}
            )
        )
    (one,) = learning(records).curves
    numbers = [one.law.a.low, one.law.a.high, one.law.reach.low, one.law.reach.high]
    assert all(math.isfinite(number) for number in numbers)
    assert one.law.reach.high - one.law.reach.low > 0.05


def test_optimistic_sweep_trial_has_no_learning_curve():
    records = [
        dataclasses.replace(one, identity={**one.identity, "optimistic": True, "sweep": f"s{i}"})
        for i, one in enumerate(curve("svm", quick))
    ]
    found = learning([*records, *curve("knn", quick)])
    assert [one.label for one in found.curves] == ["knn"]


# ---------------------------------------------------------------- curves that do not rise


def test_perfect_score_is_reported_and_not_extrapolated():
    records = [cell("svm", size, np.ones(n_folds())) for size in SIZES]
    (one,) = learning(records).curves
    assert (one.law.b.value, one.law.reach.mean, one.law.reach.low) == (0, 1, 1)
    (said,) = say_curve(one, AUC)
    assert said == (
        "svm reaches the best possible ROC AUC with 20 training samples (0.884 to 1.000): more "
        "cannot improve it."
    )


def test_flat_curve_is_reported_as_no_clear_change():
    (one,) = learning(curve("svm", lambda n: 0.7)).curves
    assert "does not clearly change from 20 to 150" in say_curve(one, AUC)[0]
    assert one.law.reach.mean == pytest.approx(0.7, abs=0.02)


def test_falling_score_is_fitted_flat_and_reported():
    (one,) = learning(curve("svm", lambda n: 0.9 - n / 1000, spread=0.004)).curves
    assert one.law.b.value == 0
    said = say_curve(one, AUC)
    assert "svm gets worse from 20 to 150 training samples (ROC AUC −0.130" in said[0]
    assert "cannot get worse" in said[0]


def test_doubled_samples_are_reported_with_intervals():
    (one,) = learning(curve("svm", quick)).curves
    said = say_curve(one, AUC)[1]
    low, high = one.points[-1].low, one.law.doubled.high
    assert f"({low:.3f} to " in said
    assert f" to {high:.3f}), if its curve continues as fitted." in said
    assert said.startswith("Twice the samples (300) would take svm from 0.793 (")


# ---------------------------------------------------------------- sentences, rule by rule


def contest(*leads, crossing=None, rivals=("svm", "knn"), most=150):
    return Contest(
        first="mlp",
        rivals=rivals,
        fewest=20,
        most=most,
        reach=600,
        leads=tuple(
            Lead(leader="mlp" if first else "svm", of_first=first, start=start, stop=stop)
            for first, start, stop in leads
        ),
        crossing=crossing,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            contest(),
            "Whether deep learning (mlp) pays is unclear at any number between 20 and 600 training "
            "samples: by the fitted curves it is never clearly ahead of every other model, or "
            "clearly behind one of them. 600 is four times the largest number that all were "
            "measured with; nothing is claimed beyond it.",
        ),
        (
            contest((True, 20, 600)),
            "Deep learning (mlp) pays at any number between 20 and 600 training samples: it is "
            "ahead of every other model.",
        ),
        (
            contest((False, 20, 600)),
            "Deep learning (mlp) does not pay at any number between 20 and 600 training samples: "
            "svm is ahead.",
        ),
        (
            contest((True, 120, 600), rivals=("svm",)),
            "Deep learning (mlp) pays with 120 training samples or more, up to 600: it is ahead "
            "of svm. With fewer it is unclear.",
        ),
        (
            contest((True, 220, 600)),
            "Deep learning (mlp) would pay with 220 training samples or more, up to 600: by the "
            "fitted curves it would be ahead of every other model.",
        ),
        (
            contest((False, 20, 85)),
            "Deep learning (mlp) does not pay with up to 85 training samples: svm is ahead. "
            "Whether it does with more, up to 600, is unclear.",
        ),
        (
            contest((True, 20, 85)),
            "Deep learning (mlp) pays with up to 85 training samples: it is ahead of every other "
            "model.",
        ),
        (
            contest((False, 30, 85)),
            "Deep learning (mlp) does not pay between 30 and 85 training samples: svm is ahead. "
            "With fewer or more it is unclear.",
        ),
        (
            contest(
                (False, 20, 60), (True, 140, 600), crossing=Estimate(value=95.4, low=60, high=140)
            ),
            "Deep learning (mlp) pays from about 95 training samples (95 % interval 60 to 140) "
            "on; with fewer, svm is ahead.",
        ),
        (
            contest(
                (False, 20, 180), (True, 520, 600), crossing=Estimate(value=310, low=180, high=520)
            ),
            "Deep learning (mlp) would pay from about 310 training samples (95 % interval 180 to "
            "520) on; with fewer, svm is ahead. The largest number that all were measured with is "
            "150.",
        ),
        (
            contest((False, 20, 60), (True, 140, 600)),
            "Deep learning (mlp) pays from some number of training samples between 60 and 140 on",
        ),
        (
            contest(
                (True, 20, 60), (False, 140, 600), crossing=Estimate(value=95, low=60, high=140)
            ),
            "Deep learning (mlp) pays up to about 95 training samples (95 % interval 60 to 140); "
            "with more, svm is ahead.",
        ),
        (
            contest((False, 20, 60), (True, 80, 140), (False, 300, 600)),
            "Deep learning (mlp) is behind svm between 20 and 60, ahead between 80 and 140 and "
            "behind svm between 300 and 600; elsewhere between 20 and 600 training samples it "
            "is unclear.",
        ),
    ],
)
def test_payoff_sentence_of_each_pattern_of_leads(given, said):
    assert say_payoff(given).startswith(said)


def test_would_pay_sentence_leaves_a_model_name_with_a_verb_unchanged():
    given = contest((True, 220, 600), rivals=("what is that",))
    assert "it would be ahead of what is that." in say_payoff(given)


def test_contest_line_of_each_pattern_of_leads():
    assert say_contest(contest()) == "unclear"
    assert say_contest(contest((False, 20, 60), (True, 140, 600))) == (
        "svm between 20 and 60; mlp between 140 and 600"
    )


def test_curves_without_a_network_name_the_command_to_add_one():
    said = say_learning(learning(curve("svm", quick)), AUC)
    assert "add model=mlp" in said[0]


# ---------------------------------------------------------------- page, screen, files


def test_learning_section_has_sentences_before_figures():
    task = make_toy_task()
    records = [
        make_record(
            task,
            model,
            train_size=size,
            identity={"learner": {"_target_": target}, "size": size},
        )
        for model, target in (("mlp", NETWORK), ("svm", "x"), ("dummy", "y"))
        for size in (10, 20, 30, 44)
    ]
    comparison = compare(records)
    page = Page(index_html(comparison, all_inputs(task, records), task=task))
    sentences = say_learning(comparison.learning, AUC)
    short = page.text.split("What was asked")[0]
    assert "How much data deep learning needs" in short
    for said in sentences:
        assert said in page.text
    drawn = page.data["datasets"]["learning"]["data"]
    measured = [i for i, kind in enumerate(drawn["kind"]) if kind == 0]
    assert len(measured) == 12
    assert "3 models on" in page.text  # at four sizes each
    assert "Twice the samples" in page.text.split("Effect of more samples")[1]
    (figure,) = [one for one in page.data["figures"] if one["name"] == "learning"]
    ticks = figure["spec"]["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert ticks == [10, 20, 30, 44, 88, 176]  # measured, twice and four times the largest
    fitted = [drawn["size"][i] for i, kind in enumerate(drawn["kind"]) if kind == 1]
    assert (min(fitted), max(fitted)) == (10, 176)
    assert {"learning-table", "crossings-table"} <= {
        attrs.get("data-download-table") for _, attrs in page.tags
    }


def test_page_without_several_sizes_has_no_learning_section():
    task = make_toy_task()
    records = [make_record(task, model) for model in ("linear", "knn")]
    page = Page(index_html(compare(records), all_inputs(task, records), task=task))
    assert "Learning curves" not in page.text
    assert "learning" not in page.data["datasets"]


def test_learning_section_escapes_hostile_names():
    task = make_toy_task(hostile=True)
    records = [
        make_record(
            task,
            "linear",
            train_size=size,
            identity={"size": size, "name": name},
            settings={name: 1},
        )
        for name in HOSTILE[:3]
        for size in (10, 20, 30, 44)
    ]
    html = index_html(compare(records), all_inputs(task, records), task=task)
    for name in HOSTILE[:2]:
        assert name not in html


def test_screen_and_json_hold_the_same_learning_curves(capsys):
    comparison = compare(curve("svm", quick, spread=0.004) + curve("mlp", slow, spread=0.004))
    print_comparison(comparison, Console(highlight=False, width=200))
    shown = " ".join(capsys.readouterr().out.split())
    for said in say_learning(comparison.learning, AUC):
        assert said in shown
    told = json.loads(json.dumps(to_plain(comparison), allow_nan=False))["learning"]
    assert [one["label"] for one in told["curves"]] == ["mlp", "svm"]
    crossing = comparison.learning.networks[0].crossing
    assert told["networks"][0]["crossing"] == dataclasses.asdict(crossing)
    assert told["curves"][0]["law"]["reach"]["size"] == 600
