"""How sure a ranking is: the numbers against plain loops, the sentences at their thresholds, the
figures against the numbers."""

import itertools
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from report_cells import (
    HOSTILE,
    add_evidence,
    inputs_of,
    make_explanation,
    make_facts,
    make_null,
    make_ranked,
    make_record,
    make_summary,
    make_toy_task,
)
from smalldata.report.figures import explanation_figures
from smalldata.report.plain import Estimate
from smalldata.report.sections import trust_doubts, trust_words
from smalldata.report.sections.cell import summarize_cell
from smalldata.report.sections.explanation import ExplanationSummary, summarize_explanation
from smalldata.report.sections.explanation_pairs import Pair, PairsSummary
from smalldata.report.sections.explanation_permuted_labels import NullSummary
from smalldata.report.sections.explanation_removals import RemovalPoint, Removals
from smalldata.report.sections.task import TargetValues
from smalldata.report.sections.trust import Stability, Steadiness
from smalldata.report.sections.trust_correlation_groups import Leaf, TwinGroup, Twins
from smalldata.results.explanation import Explanation
from smalldata.shapley.dispatch import ADDITIVE, QUICK_LOOK, SAMPLED
from smalldata.task import Task

TARGET = TargetValues(low=-3.0, mean=0.0, high=3.0, sd=1.0)


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def cell(request) -> tuple[Task, Explanation, ExplanationSummary]:
    task = make_toy_task(request.param, n_samples=90, missing=True)
    record = make_record(task)
    explanation = add_evidence(task, record, make_explanation(task, record))
    return task, explanation, summarize_explanation(task, explanation, test_train_ratio=1 / 3)


def drawn(summary: ExplanationSummary, task: Task) -> dict:
    facts = make_facts(kind=str(task.kind), classes=[], target_values=TARGET)
    return explanation_figures(summary, facts, None)


# ---------------------------------------------------------------- steadiness


def test_places_in_the_folds_equal_plain_sorting(cell):
    task, explanation, summary = cell
    steady = summary.steady
    size = np.abs(explanation.values).mean(axis=2)
    for number, name in enumerate(steady.names):
        j = task.dataset.feature_names.index(name)
        places = []
        for fold in range(4):
            mean = size[explanation.fold == fold].mean(axis=0)
            places.append(1 + sum(value > mean[j] for value in mean))
        assert steady.places[number] == places
        within = sum(place <= summary.top_k for place in places)
        assert steady.frequency[number] == within / 4
        assert summary.features[number].frequency == within / 4
    assert steady.folds == ["r00f00", "r00f01", "r00f02", "r00f03"]
    assert steady.stability.low <= steady.stability.index <= steady.stability.high


def test_an_unused_feature_has_no_place_and_a_single_fold_no_steadiness():
    task = make_toy_task(n_samples=60)
    explanation = make_explanation(task, make_record(task))
    values = explanation.values.copy()
    values[explanation.fold == 1, 3] = 0
    values[:, 4] = 0
    found = summarize_explanation(task, replace(explanation, values=values)).steady
    places = dict(zip(found.names, found.places, strict=True))
    assert places["gene_3"][1] is None
    assert places["gene_3"][0] is not None
    assert places["gene_4"] == [None] * 4
    alone = replace(explanation, fold=np.zeros_like(explanation.fold))
    summary = summarize_explanation(task, alone)
    assert summary.steady is None
    assert trust_words.say_stability(summary) == [
        "Only one fold was explained: another may rank the features differently."
    ]
    assert "steadiness" not in {f["name"] for f in drawn(summary, task)["figures"]}


def test_stability_of_identical_and_of_unused_sets():
    task = make_toy_task(n_samples=60)
    explanation = make_explanation(task, make_record(task))
    shares = np.arange(12, 0, -1.0)
    same = np.broadcast_to(shares[None, :, None], explanation.values.shape).astype(np.float32)
    steady = summarize_explanation(task, replace(explanation, values=same)).steady
    assert steady.stability.index == pytest.approx(1)
    said = trust_words.say_stability(summarize_explanation(task, replace(explanation, values=same)))
    assert "(stability 1.000, the folds show no variation; 1: always" in said[1]
    none = replace(explanation, values=np.zeros_like(same))
    summary = summarize_explanation(task, none)
    assert summary.steady.stability is None
    assert summary.twins is None
    assert trust_words.say_sureness(summary) == []


def steadiness(stability: float | None, low: float = 0.1) -> Steadiness:
    found = None if stability is None else Stability(index=stability, low=low, high=0.9)
    return Steadiness(stability=found, top_k=10, folds=[], names=[], places=[], frequency=[])


@pytest.mark.parametrize(
    ("stability", "low", "said"),
    [
        (0.76, 0.6, "agree closely"),
        (0.75, 0.6, "partly agree"),
        (0.40, 0.2, "partly agree"),
        (0.39, 0.2, "hardly agree"),
        (0.39, 0.0, "do not clearly agree more than by chance"),
        (0.76, -0.1, "do not clearly agree more than by chance"),
    ],
)
def test_stability_sentence_at_each_threshold(stability, low, said):
    sentence = trust_words.say_stability(make_summary(steady=steadiness(stability, low)))[1]
    assert said in sentence
    assert f"stability {stability:.3f}" in sentence


# ---------------------------------------------------------------- permuted labels


def test_features_above_what_permuted_labels_reach_are_marked(cell):
    task, explanation, _ = cell
    null = make_null(explanation)
    summary = summarize_explanation(task, explanation, null=null)
    names = task.dataset.feature_names
    above = {names[j] for j in range(12) if null.observed[j] > null.values.max()}
    assert 0 < len(above) < 12
    assert {entry.name for entry in summary.features if entry.above} == above
    page = drawn(summary, task)
    # Permuted labels bound the importance over all classes: only that figure has the line.
    name = "importance_all" if len(explanation.outputs) > 1 else "importance"
    rows = page["datasets"][name]["data"]
    marked = {
        page["params"]["features"][f]
        for f, told in zip(rows["f"], rows["null"], strict=True)
        if told == "yes"
    }
    assert marked == above
    for figure in page["figures"]:
        spec = json.dumps(figure["spec"])
        assert ('"chance"' in spec) == (figure["name"] == name)
        if figure["name"] == name:
            assert json.dumps(null.threshold) in spec
            assert "grey bars do not exceed it" in figure["caption"]


def test_too_few_permutations_mark_nothing(cell):
    task, explanation, _ = cell
    summary = summarize_explanation(task, explanation, null=make_null(explanation, 18))
    assert all(entry.above is None for entry in summary.features)
    assert trust_words.say_null(summary) == [
        "18 permutations of the labels are too few to separate features from chance (19 are "
        "needed)."
    ]
    figures = drawn(summary, task)["figures"]
    assert any("too few to mark features by" in figure["caption"] for figure in figures)


def permuted(above: list[str], *, enough: bool = True) -> NullSummary:
    return NullSummary(n=19, enough=enough, needed=19, threshold=0.1, above=above)


@pytest.mark.parametrize(
    ("above", "said", "missing"),
    [
        ([], "No feature is more important than the most important one over 19 permutations", ""),
        (["a"], "1 of 130 features is more important", "b and c"),
        (["a", "b", "c", "x"], "4 of 130 features are more important", ""),
    ],
)
def test_permuted_label_sentences_at_each_count(above, said, missing):
    features = [make_ranked(name, above=name in above) for name in "abc"]
    summary = make_summary(features=features, null=permuted(above))
    sentences = trust_words.say_null(summary)
    assert said in sentences[0]
    assert sentences[1:] == ([f"Not among them: {missing}."] if missing else [])
    assert trust_words.say_null(replace(summary, null=None)) == []


# ---------------------------------------------------------------- scores without the features


def test_curves_of_removals_are_the_means_of_the_folds(cell):
    task, explanation, summary = cell
    found, removals = explanation.faithfulness, summary.removals
    for i, point in enumerate(removals.points):
        assert point.n == found.n_removed[i]
        assert point.leading.mean == pytest.approx(found.leading[:, i].mean())
        assert point.random.mean == pytest.approx(found.random[:, :, i].mean())
        ends = point.leading.low, point.leading.high
        assert ends[0] < point.leading.mean < ends[1]
        assert task.kind == "regression" or 0 <= ends[0] <= ends[1] <= 1
    assert removals.gap.mean > 0, "also where a lower score is better"
    assert removals.gap.low is None, "the toy's gap is the same on each fold"


def test_a_size_without_a_score_is_empty_and_no_score_at_all_no_figure():
    task = make_toy_task()
    record = make_record(task)
    explanation = add_evidence(task, record, make_explanation(task, record))
    faithful = explanation.faithfulness
    leading = faithful.leading.copy()
    leading[:, 2] = np.nan
    leading[:, 0] = 0.4, 1.0, 1.0, 1.0
    some = replace(explanation, faithfulness=replace(faithful, leading=leading))
    summary = summarize_explanation(task, some)
    assert summary.removals.points[2].leading.mean is None
    first = summary.removals.points[0].leading
    assert first.low < first.mean < first.high == 1, "no interval passes the range"
    json.dumps(asdict(summary), allow_nan=False)
    page = drawn(summary, task)
    assert None in page["datasets"]["removals"]["data"]["mean"]
    nothing = replace(faithful, leading=np.full_like(leading, np.nan))
    summary = summarize_explanation(task, replace(explanation, faithfulness=nothing))
    assert summary.removals is None
    assert "removals" not in {figure["name"] for figure in drawn(summary, task)["figures"]}


def removals(mean: float, low: float | None, high: float | None, **changes) -> Removals:
    found = Removals(
        title="ROC AUC",
        better="higher",
        gap=Estimate(mean=mean, low=low, high=high),
        rope=0.01,
        points=scored({n: (0.9 - 0.05 * n, 0.9 - 0.01 * n) for n in (0, 1, 2, 12)}),
    )
    return replace(found, **changes)


def scored(scores: dict[int, tuple[float, float]]) -> list[RemovalPoint]:
    return [
        RemovalPoint(
            n=n,
            leading=Estimate(mean=leading, low=None, high=None),
            random=Estimate(mean=random, low=None, high=None),
        )
        for n, (leading, random) in scores.items()
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (removals(0.1, 0.01, 0.2), "The leading features carry the score: replacing them costs"),
        (removals(0.01, 0.001, 0.2), "The leading features carry the score"),
        (removals(0.009, 0.001, 0.02), "but too little to matter (ROC AUC lower by 0.009"),
        (removals(0.1, 0.0, 0.2), "are not shown to carry the score"),
        (removals(-0.1, -0.2, 0.1), "are not shown to carry the score"),
        (removals(-0.1, -0.2, -0.01), "do not carry the score: replacing them costs less"),
        (removals(0.1, None, None), "In the only fold, replacing the leading features costs more"),
        (removals(-0.1, None, None), "costs no more"),
        (removals(2.0, 1.0, 3.0, better="lower", title="RMSE"), "RMSE higher by 2.00 on average"),
    ],
)
def test_removal_sentence_for_each_sign_of_the_gap(found, said):
    assert said in trust_words.say_removals(found)[0]


def test_removal_sentence_gives_scores_after_replacing_the_first_features():
    said = trust_words.say_removals(removals(0.1, 0.01, 0.2))
    assert said[1] == (
        "ROC AUC is 0.900 with no feature replaced, 0.800 with the first 2 replaced and 0.880 with "
        "2 at random."
    )
    # A panel of ten is gone with ten of its features: the size that tells most is told.
    found = removals(0.1, 0.01, 0.2)
    scores = {0: (0.9, 0.9), 1: (0.87, 0.89), 5: (0.7, 0.8), 10: (0.52, 0.53), 20: (0.5, 0.5)}
    found = replace(found, points=scored(scores))
    assert "0.700 with the first 5 replaced and 0.800 with" in trust_words.say_removals(found)[1]
    swapped = {n: (random, leading) for n, (leading, random) in scores.items()}
    errors = replace(found, better="lower", points=scored(swapped))
    assert "0.800 with the first 5 replaced and 0.700 with" in trust_words.say_removals(errors)[1]
    # Of thousands of features ten are nothing.
    scores = {0: (0.968, 0.968), 10: (0.9681, 0.9682), 2000: (0.91, 0.96), 6830: (0.5, 0.5)}
    found = replace(found, points=scored(scores))
    assert "0.910 with the first 2000 replaced" in trust_words.say_removals(found)[1]
    two = removals(0.1, 0.01, 0.2)
    two = replace(two, points=two.points[:2])
    assert len(trust_words.say_removals(two)) == 1, "the last size is all features"
    assert trust_words.say_removals(None) == []
    assert len(trust_words.say_removals(removals(0.001, 0.0005, 0.002))) == 1, "0.997 to 0.996"


# ---------------------------------------------------------------- twins


def with_twins(task: Task) -> Task:
    """The task, in which gene_11 is nearly gene_0, gene_10 nearly minus gene_1, gene_9 a class."""
    frame = task.X.copy()
    rng = np.random.default_rng(1)
    frame["gene_11"] = frame["gene_0"] + 0.05 * rng.normal(size=len(frame))
    frame["gene_10"] = -frame["gene_1"] + 0.05 * rng.normal(size=len(frame))
    frame["gene_9"] = pd.Categorical(np.where(frame["gene_2"] > 0, "up", "down"))
    return replace(task, dataset=replace(task.dataset, X=frame))


def test_groups_of_twins_share_their_credit():
    task = with_twins(make_toy_task(n_samples=80))
    explanation = make_explanation(task, make_record(task))
    values = explanation.values.copy()
    values[:, 10] = 0  # no credit at all: a twin outside of the leading features
    explanation = replace(explanation, values=values)
    summary = summarize_explanation(task, explanation)
    groups = {frozenset(group.members): group for group in summary.twins.groups}
    assert set(groups) == {frozenset({"gene_0", "gene_11"}), frozenset({"gene_1", "gene_10"})}
    first = groups[frozenset({"gene_0", "gene_11"})]
    joint = np.mean([abs(float(row[0, 0]) + float(row[11, 0])) for row in values])
    assert first.joint == pytest.approx(joint, rel=1e-5)
    r = task.X[["gene_0", "gene_11"]].corr("spearman").iloc[0, 1]
    assert first.r == pytest.approx(r, abs=1e-6)
    leaves = {leaf.name: leaf for leaf in summary.twins.leaves}
    assert leaves["gene_10"].leads is False
    assert leaves["gene_10"].twin == "gene_1"
    assert leaves["gene_10"].r < -0.9
    assert leaves["gene_9"].group is None, "a category has no order"
    assert leaves["gene_0"].group == leaves["gene_11"].group
    said = trust_words.say_twins(summary.twins)
    assert len(said) == 2
    assert "rise and fall together (|r| = " in said[0]
    assert ": the model may credit either; together they move" in said[0]
    assert said[1].startswith("So do ")
    assert f"(|r| = {r:.2f}" in " ".join(said)
    short = trust_words.say_twins(summary.twins, most=1)
    assert short == [said[0], "The tree shows 1 more such group."]
    assert trust_words.say_twins(summary.twins, leading=0) == []


def test_twin_tree_joins_neighbours_and_starts_with_the_leading_feature():
    task = with_twins(make_toy_task(n_samples=80))
    summary = summarize_explanation(task, make_explanation(task, make_record(task)))
    tree = summary.twins
    order = [leaf.name for leaf in tree.leaves]
    assert order[0] == summary.features[0].name
    assert len(tree.branches) == len(order) - 1
    open_ends = {float(y): 1.0 for y in range(len(order))}  # where each branch stands, at what r
    for branch in tree.branches:
        (a, top_a, top_b, b) = branch
        assert top_a.y == a.y
        assert top_b.y == b.y
        assert top_a.r == top_b.r <= min(a.r, b.r)
        assert open_ends.pop(a.y) == a.r
        assert open_ends.pop(b.y) == b.r
        open_ends[(a.y + b.y) / 2] = top_a.r
    assert len(open_ends) == 1
    joined = {name for group in tree.groups for name in group.members}
    for group in tree.groups:
        places = sorted(order.index(name) for name in group.members)
        assert places == list(range(places[0], places[0] + len(places))), "a group stands together"
    assert {leaf.name for leaf in tree.leaves if leaf.group is not None} == joined


def test_large_twin_group_counts_the_members_not_named():
    members = [f"g{i}" for i in range(8)]
    alone = {"mean": 0.1, "leads": True, "group": 0, "twin": None, "r": None}
    twins = Twins(
        leaves=[Leaf(name=name, rank=3 + i, **alone) for i, name in enumerate(members)],
        branches=[],
        groups=[TwinGroup(members=members, r=0.8333, joint=0.25)],
    )
    (said,) = trust_words.say_twins(twins, leading=3)
    assert said == (
        "g0, g1, g2, g3, g4 and 3 others rise and fall together (|r| around 0.83): the model may "
        "credit any of them; together they move the prediction by 0.250 on average."
    )
    assert trust_words.say_twins(twins, leading=2) == []


# ---------------------------------------------------------------- pairs


def test_pairs_are_means_over_folds_listed_once(cell):
    task, explanation, summary = cell
    found, pairs = explanation.interactions, summary.pairs
    assert pairs.names == [task.dataset.feature_names[j] for j in found.feature]
    n_outputs = len(explanation.outputs)
    assert len(pairs.cells) == 8 * 7 * n_outputs
    entry = pairs.cells[9]
    k, i, j = entry["k"], entry["i"], entry["j"]
    assert entry["mean"] == pytest.approx(found.magnitude[:, i, j, k].mean(), rel=1e-3)
    assert entry["low"] <= entry["mean"] <= entry["high"]
    overall = pairs.strongest[-1]
    assert len({frozenset((pair.first, pair.second)) for pair in overall}) == len(overall)
    assert [overall[0].first, overall[0].second] == pairs.names[:2]
    weaker = np.abs(explanation.values[:, found.feature[1]]).mean()
    assert overall[0].share == pytest.approx(overall[0].mean / weaker, rel=1e-5)
    assert len(pairs.strongest) == (n_outputs + 1 if n_outputs > 1 else 1)


def test_two_features_give_one_pair():
    task = make_toy_task()
    record = make_record(task)
    explanation = add_evidence(task, record, make_explanation(task, record), 2)
    (strongest,) = summarize_explanation(task, explanation).pairs.strongest
    assert len(strongest) == 1


def pair(first: str, second: str, mean: float, share: float | None) -> Pair:
    return Pair(first=first, second=second, mean=mean, share=share)


@pytest.mark.parametrize(
    ("strongest", "said"),
    [
        ([pair("a", "b", 0.05, 0.10), pair("a", "c", 0.01, 0.1)], "interaction is between a and b"),
        ([pair("a", "b", 0.05, 0.09)], "almost independently"),
        ([pair("a", "b", 0.0, 0.0)], "every interaction is zero"),
        ([pair("a", "b", 0.05, None)], "between a and b: 0.050 on average."),
    ],
)
def test_pair_sentences_name_the_strongest_interactions(strongest, said):
    pairs = PairsSummary(names=[], cells=[], strongest=[strongest])
    (sentence,) = trust_words.say_pairs(make_summary(pairs=pairs))
    assert said in sentence


def test_missing_interactions_give_the_reason():
    none = make_summary(notes=["a note", ADDITIVE])
    assert trust_words.say_pairs(none)[0].startswith("The model adds its features up")
    sampled = trust_words.say_pairs(make_summary(notes=[SAMPLED]))[0]
    assert sampled.startswith("Pairs of features are")
    assert "explain.interactions=20" in trust_words.say_pairs(make_summary())[0]


# ---------------------------------------------------------------- sampling, doubts


@pytest.mark.parametrize(
    ("error", "relative", "said"),
    [
        (None, None, "exact"),
        (0.01, 0.031, "standard error of 3\u202f%"),
        (0.01, None, "are sampled."),
    ],
)
def test_sampling_sentence_of_exact_and_sampled_values(error, relative, said):
    explanation = make_summary(standard_error=error, relative_error=relative)
    assert said in trust_words.say_sampling(explanation)[0]


def test_quick_explanation_is_not_called_shapley_values():
    notes = [f"{QUICK_LOOK}: …"]
    explanation = make_summary(standard_error=0.01, relative_error=0.2, notes=notes)
    said = trust_words.say_sampling(explanation)[0]
    assert said.startswith("The values, a quick look by expected gradients, are sampled")
    assert "Shapley" not in said


def doubted(**changes) -> str:
    explanation = replace(make_summary(steady=steadiness(0.8)), **changes)
    return " ".join(trust_doubts.doubt_explanation(explanation, 60))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"steady": steadiness(0.39)}, "depends on the fold"),
        ({"steady": steadiness(0.4)}, ""),
        ({"steady": steadiness(None)}, ""),
        ({"null": permuted([])}, "No feature is more important than what chance"),
        ({"null": permuted([], enough=False)}, ""),
        ({"null": permuted(["a"])}, ""),
        ({"removals": removals(0.1, 0.0, 0.2)}, "not shown to carry the score"),
        ({"removals": removals(-0.1, None, None)}, "not shown to carry the score"),
        ({"removals": removals(0.1, 0.01, 0.2)}, ""),
        ({"removals": removals(0.1, None, None)}, ""),  # one fold has no interval
        ({"n_samples": 59}, "Only 59 of 60 samples were explained"),
        ({"notes": [ADDITIVE]}, ""),
        ({"notes": ["odd"]}, "Odd."),
    ],
)
def test_unsteady_or_unsupported_ranking_is_a_doubt(changes, said):
    found = doubted(**changes)
    assert bool(found) == bool(said)
    assert said in found


# ---------------------------------------------------------------- the map of all samples


def test_samples_of_the_map_stand_in_order_of_their_prediction(cell):
    _, explanation, summary = cell
    heat = summary.samples.heat
    for k in range(len(explanation.outputs)):
        total = explanation.values[:, :, k].sum(axis=1) + explanation.base_values[:, k]
        final = dict(zip(explanation.row.tolist(), total.tolist(), strict=True))
        by_place = sorted(final, key=lambda row: heat.places[0][k][row])
        assert all(final[a] <= final[b] + 1e-4 for a, b in itertools.pairwise(by_place))
        for order in heat.places:
            assert sorted(place for place in order[k] if place is not None) == list(
                range(len(final))
            )
        leading = [summary.samples.kept_index[f] for f in summary.samples.order[k]]
        size = np.abs(explanation.values[:, leading, k])
        assert heat.limits[k] == pytest.approx(np.quantile(size, 0.98), rel=1e-3)
    assert len(heat.places) == 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sample_map_clusters_alike_samples_and_omits_unexplained_ones(sign):
    task = make_toy_task(n_samples=60)
    explanation = make_explanation(task, make_record(task))
    keep = explanation.row < 40
    values = sign * np.where(explanation.row[:, None, None] % 2, 1.0, -1.0) * np.ones((1, 12, 1))
    part = {
        name: getattr(explanation, name)[keep] for name in ("base_values", "row", "repeat", "fold")
    }
    two = replace(explanation, values=values[keep].astype(np.float32), **part)
    places = summarize_explanation(task, two).samples.heat.places[1][0]
    assert places[40:] == [None] * 20
    lower = {row for row in range(40) if places[row] < 20}
    assert lower == {*range(0 if sign > 0 else 1, 40, 2)}, "the lower predictions come first"


def test_a_map_of_many_samples_cuts_features_and_says_so():
    task = make_toy_task(n_samples=1600, n_features=12)
    record = make_record(task, n_repeats=1)
    summary = summarize_cell(inputs_of(task, record, explanation=make_explanation(task, record)))
    heat = summary.explanation.samples.heat
    assert heat.n_features == 14_000 // 1600
    assert len(heat.places) == 1, "too many samples for a tree"
    page = explanation_figures(summary.explanation, summary.task, summary.outcomes)
    (figure,) = [f for f in page["figures"] if f["name"] == "heatmap"]
    assert "The first 8 of 12 features." in figure["caption"]


def test_the_map_of_a_regression_tells_the_observed_values():
    task = make_toy_task("regression", n_samples=60)
    record = make_record(task)
    summary = summarize_cell(inputs_of(task, record, explanation=make_explanation(task, record)))
    page = explanation_figures(summary.explanation, summary.task, summary.outcomes)
    measured = page["params"]["measured"]
    assert measured == pytest.approx(task.y.tolist(), rel=1e-4)


# ---------------------------------------------------------------- names


def test_explanation_figures_hold_hostile_names_only_as_data():
    task = make_toy_task("multiclass", n_samples=80, hostile=True, blocks=2)
    record = make_record(task)
    explanation = add_evidence(task, record, make_explanation(task, record))
    summary = summarize_cell(
        inputs_of(task, record, explanation=explanation, null=make_null(explanation))
    )
    page = explanation_figures(summary.explanation, summary.task, summary.outcomes)
    for key in ("followed", "paired", "leaves", "features"):
        assert any(name in page["params"][key] for name in HOSTILE), key
    for figure in page["figures"]:
        text = json.dumps([figure[key] for key in ("spec", "caption", "title")])
        assert not any(json.dumps(name)[1:-1] in text for name in HOSTILE), figure["name"]


def test_every_number_of_the_summary_is_finite(cell):
    task, explanation, _ = cell
    summary = summarize_explanation(task, explanation, null=make_null(explanation))
    text = json.dumps(asdict(summary), allow_nan=False)
    assert math.isfinite(len(text))
