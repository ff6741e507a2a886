"""The tuning of a cell, from its trials to the pages: agreement, importances, optimism, figures."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browsing import CHROMIUM, Tab, drawings
from report_cells import (
    HOSTILE,
    all_inputs,
    inputs_of,
    make_record,
    make_toy_task,
)
from smalldata.cli.main import main
from smalldata.comparison.comparison import compare
from smalldata.comparison.tuning_summary import (
    CellTrials,
    Dimension,
    agreeing_share,
    dimensions,
    judge_agreement,
    tuned_folds,
)
from smalldata.learner import SearchSpace
from smalldata.report import index_html, report_html
from smalldata.report.figures import tuning_figures
from smalldata.report.figures.models import break_label
from smalldata.report.sections.tuning import Optimism, outline_tuning, summarize_tuning
from smalldata.report.sections.tuning_parameters import Weight
from smalldata.report.sections.tuning_words import (
    doubt_tuning,
    format_gap,
    outline_text,
    say_choices,
    say_effort,
    say_importance,
    say_optimism,
    say_stayed,
    say_tuned,
)
from smalldata.results.folds import Trial
from smalldata.statistics.intervals import fold_interval
from smalldata.store.cell_folder import CellFolder
from smalldata.store.trial_log import read_importances, read_trials, write_trials
from smalldata.tuning import importances
from smalldata.tuning.importances import weigh_parameters
from test_report import Page

SPACE = [
    ("kernel", {"kind": "categorical", "choices": ["linear", "rbf", HOSTILE[0]]}),
    ("C", {"kind": "float", "low": 0.01, "high": 100.0, "log": True}),
    ("n_rounds", {"kind": "int", "low": 50, "high": 300}),
    ("depth", {"kind": "int", "low": 1, "high": 8}),
]
DEFAULT = {"kernel": "rbf", "C": 1.0, "n_rounds": 200, "depth": 3}
STATES = ("ok", "pruned", "failed")


def make_tuned(
    task: Any,
    folder: Path,
    *,
    model: str = "svm",
    n_trials: int = 12,
    n_repeats: int = 1,
    n_splits: int = 4,
    measure: str | None = None,
    ended: tuple[str, ...] = ("ok",),
    flatter: float = 0.05,
    path: str | None = None,
    weigh: bool = True,
    fail: int = 0,
) -> tuple[Any, CellTrials]:
    """Make a tuned cell, its trials written to disk and read back: the inner score of the chosen
    trial is ``flatter`` above the outer one. C is chosen alike in all folds, depth differently."""
    record = make_record(task, model, n_repeats=n_repeats, n_splits=n_splits, fail=fail)
    measure = measure or record.measure
    lower = measure in ("log_loss", "rmse")
    rng = np.random.default_rng(0)
    trials: dict[tuple[int, int], list[Trial]] = {}
    chosen: dict[tuple[int, int], int] = {}
    folds = []
    for i, fold in enumerate(record.folds):
        if fold.status != "ok":
            folds.append(fold)
            continue
        outer = fold.scores[measure].value
        best = outer - flatter if lower else outer + flatter
        found = []
        for ordinal in range(n_trials):
            values = dict(DEFAULT)
            if ordinal:
                values |= {
                    "kernel": SPACE[0][1]["choices"][rng.integers(3)],
                    "C": float(10 ** rng.uniform(-2, 2)),
                    "n_rounds": int(rng.integers(50, 301)),
                    "depth": int(rng.integers(1, 9)),
                }
            state = "ok" if ordinal < 2 else ended[ordinal % len(ended)]
            behind = 0.01 + 0.1 * abs(math.log10(values["C"])) + 0.001 * rng.random()
            if ordinal == 1:
                values |= {"C": 1.5 + 0.1 * i, "depth": 1 + 3 * (i % 3)}
                behind = 0.0
            score = best + behind if lower else best - behind
            found.append(
                Trial(
                    ordinal=ordinal,
                    state=state,
                    values=values,
                    score=score if state == "ok" else None,
                    fold_scores=(score, score if state == "ok" else None),
                    reason={"pruned": "pruned after 1 of 2 inner folds", "failed": HOSTILE[1]}.get(
                        state, ""
                    ),
                    seconds=0.5,
                )
            )
        key = (fold.repeat, fold.fold)
        trials[key], chosen[key] = found, 1
        folds.append(replace(fold, values={**found[1].values, "kept": True}))
    identity = {
        **record.identity,
        "learner": {"name": model, **DEFAULT},
        "tuning": {
            "tuner": "optuna",
            "trials": n_trials,
            "inner_folds": 2,
            "inner_repeats": 1,
            "sampler": "tpe",
            "choose": "confirmed",
            "space": [list(pair) for pair in SPACE],
            "path": path,
        },
    }
    record = replace(record, identity=identity, settings={"tuned": True}, folds=tuple(folds))
    named = {fold.name: trials.get((fold.repeat, fold.fold), []) for fold in folds}
    space = SearchSpace.from_config(dict(SPACE))
    weighed = weigh_parameters(named, space, path=path) if weigh else None
    file = folder / f"trials-{record.hash}.parquet"
    write_trials(file, trials, chosen=chosen, measure=measure, importances=weighed)
    columns, read = read_trials(file)
    return record, CellTrials(columns=columns, measure=read, importances=read_importances(file))


@pytest.fixture(scope="module")
def task():
    return make_toy_task("binary", n_samples=80)


@pytest.fixture(scope="module")
def tuned(task, tmp_path_factory):
    return make_tuned(task, tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="module")
def ragged(task, tmp_path_factory):
    """Pruned and failed trials, and a hyperparameter that is read off each fit."""
    folder = tmp_path_factory.mktemp("ragged")
    return make_tuned(task, folder, n_trials=30, ended=STATES, path="n_rounds", fail=1)


# ---------------------------------------------------------------- values and their agreement


def test_values_are_placed_by_the_scale_of_their_space():
    C = Dimension(name="C", kind="float", low=0.01, high=100.0, log=True)
    assert [C.position(x) for x in (0.01, 1.0, 100.0)] == pytest.approx([0, 0.5, 1])
    assert C.position(1e9) == 1.0  # a default of the user's own, outside the space
    assert C.position(None) is None
    assert C.position(math.nan) is None
    depth = Dimension(name="depth", kind="int", low=1, high=9)
    assert depth.position(3) == pytest.approx(0.25)
    kernel = Dimension(name="kernel", kind="categorical", choices=("a", 2, True))
    assert [kernel.position(x) for x in ("a", "2", "True")] == [0, 0.5, 1]
    assert kernel.position("other") is None
    assert Dimension(name="one", kind="int", low=4, high=4).position(4) == 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_numbers_agree_within_a_quarter_of_the_range(values):
    dimension = Dimension(name="x", kind="float", low=0.0, high=1.0)
    brute = max(sum(start <= v <= start + 0.25 + 1e-9 for v in values) for start in values)
    assert agreeing_share(dimension, values) == pytest.approx(brute / len(values))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_choices_agree_where_they_are_the_same(values):
    dimension = Dimension(name="x", kind="categorical", choices=tuple("abc"))
    assert agreeing_share(dimension, values) == max(map(values.count, values)) / len(values)


def test_a_log_scale_decides_what_is_near():
    values = [0.01, 0.02, 0.05, 0.09]
    log = Dimension(name="C", kind="float", low=0.01, high=100.0, log=True)
    assert agreeing_share(log, values) == 1.0
    assert agreeing_share(replace(log, high=0.1), values) == 0.25
    assert agreeing_share(replace(log, high=0.1, log=False), values) == 0.5
    assert agreeing_share(replace(log, high=0.5, log=False), values) == 1.0


def test_agreement_is_steady_moves_or_jumps_by_its_share():
    shares = {10: "steady", 9: "steady", 8: "moves", 6: "moves", 5: "jumps", 1: "jumps"}
    assert {n: judge_agreement(n / 10, 10) for n in shares} == shares
    assert judge_agreement(1.0, 1) == ""


# ---------------------------------------------------------------- optimism


@pytest.mark.parametrize("measure", ["roc_auc", "log_loss"])
@pytest.mark.parametrize("flatter", [0.05, -0.02])
def test_optimism_is_positive_where_the_inner_score_flatters(task, tmp_path, measure, flatter):
    record, trials = make_tuned(
        task, tmp_path, measure=measure, flatter=flatter, n_splits=5, weigh=False
    )
    folds = tuned_folds(record, trials)
    assert [fold.name for fold in folds] == [fold.name for fold in record.folds]
    assert [fold.outer for fold in folds] == [f.scores[measure].value for f in record.folds]
    assert [fold.optimism for fold in folds] == pytest.approx([flatter] * 5)
    found = outline_tuning(record, trials)
    assert found.mean == pytest.approx(flatter)
    sign = -1 if measure == "log_loss" else 1
    assert sign * (found.inner - found.outer) == pytest.approx(flatter)


def test_the_interval_of_the_optimism_counts_folds(task, tmp_path):
    record, trials = make_tuned(task, tmp_path, weigh=False)
    score = trials.columns["score"].copy()
    score[trials.columns["chosen"]] += [0.0, 0.1, -0.03, 0.02]
    trials = replace(trials, columns={**trials.columns, "score": score})
    found = summarize_tuning(record, trials).optimism
    gaps = [0.05, 0.15, 0.02, 0.07]
    expected = fold_interval(np.array(gaps), ratio=record.test_train_ratio)
    assert (found.mean, found.low, found.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert found.n == 4


def test_failed_folds_and_folds_without_a_trial_have_no_optimism(task, tmp_path):
    record, trials = make_tuned(task, tmp_path, fail=1, weigh=False)
    keep = trials.columns["fold"] != 3
    trials = replace(trials, columns={k: column[keep] for k, column in trials.columns.items()})
    found = summarize_tuning(record, trials)
    assert [fold.name for fold in found.folds] == ["r00f01", "r00f02", "r00f03"]
    assert found.folds[2].optimism is None
    assert found.folds[2].trial is None
    assert {value.at for value in found.folds[2].choice} == {None}, "an untuned fold chose nothing"
    assert (found.n_folds, found.n_untuned, found.optimism.n) == (3, 1, 2)
    assert "1 of 3 folds had no trial" in " ".join(say_effort(found))


def test_optimism_sentences_for_each_sign_and_interval():
    told = Optimism(mean=0.0412, low=0.01, high=0.07, inner=0.9131, outer=0.8719, n=25)
    assert say_optimism(told, "ROC AUC") == [
        "The chosen trial scored 0.913 on the inner folds, 0.872 on unseen rows (ROC AUC, mean "
        "over 25 folds). Reporting the tuning score would have overstated the result by 0.041 "
        "(95 % interval 0.010 to 0.070)."
    ]
    unsure = say_optimism(replace(told, low=-0.01), "ROC AUC")
    assert "contains 0" in unsure[1]
    assert len(say_optimism(replace(told, low=None, high=None, n=1), "ROC AUC")) == 1
    below = say_optimism(replace(told, mean=-0.004), "ROC AUC")
    assert "did not overstate the result here: its optimism is −0.004" in below[0]
    assert "no fold has ROC AUC" in say_optimism(replace(told, mean=None), "ROC AUC")[0]
    assert format_gap(0.00442, "0.897") == "0.004"
    assert format_gap(-0.00001, "0.897") == "0"


# ---------------------------------------------------------------- where the default stayed


def keep_default(record, trials, *names):
    """The same trials, with the first as the choice of the named folds."""
    of_fold = np.isin(trials.columns["fold"], [int(name[-2:]) for name in names])
    chosen = np.where(of_fold, trials.columns["trial"] == 0, trials.columns["chosen"])
    return record, replace(trials, columns={**trials.columns, "chosen": chosen})


def test_pages_say_in_how_many_folds_the_default_stayed(task, tuned):
    none, some = summarize_tuning(*tuned), keep_default(*tuned, "r00f01", "r00f03")
    found = summarize_tuning(*some)
    assert (none.n_stayed, found.n_stayed) == (0, 2)
    assert [fold.trial for fold in found.folds] == [1, 0, 1, 0]
    anew = "To replace it, the best trial must beat it by more than 1.25 standard errors on inner "
    assert say_stayed(none) == [
        "The untuned default stayed in 0 of 4 folds.",
        f"{anew}folds cut anew.",
    ]
    assert say_stayed(found)[0] == "The untuned default stayed in 2 of 4 folds."
    one_se = replace(found, settings=replace(found.settings, choose="one_se"))
    assert say_stayed(one_se)[1].endswith("by more than a standard error on the inner folds.")
    best = replace(found, settings=replace(found.settings, choose="best"))
    assert say_stayed(best) == ["The untuned default had the best inner score in 2 of 4 folds."]
    assert say_stayed(replace(found, n_untuned=4)) == []
    assert say_tuned(found)[1:] == ["The untuned default stayed in 2 of 4 folds."]
    assert say_tuned(none)[1:] == []
    assert "; default kept in 2 of 4 folds; optimism" in outline_text(outline_tuning(*some))
    assert "default kept" not in outline_text(outline_tuning(*tuned))
    page = Page(report_html(inputs_of(task, some[0], trials=some[1])))
    assert "The untuned default stayed in 2 of 4 folds." in " ".join(page.texts)


# ---------------------------------------------------------------- importances


def make_trials(n_trials: int, score, *, seed: int = 0, state: str = "ok") -> list[Trial]:
    rng = np.random.default_rng(seed)
    found = []
    for ordinal in range(n_trials):
        values = {
            "kernel": ["linear", "rbf", HOSTILE[0]][rng.integers(3)],
            "C": float(10 ** rng.uniform(-2, 2)),
            "n_rounds": int(rng.integers(50, 301)),
            "depth": int(rng.integers(1, 9)),
        }
        value = float(score(values, rng)) if state == "ok" else None
        found.append(Trial(ordinal=ordinal, state=state, values=values, score=value))
    return found


def on_depth(values, rng):
    return values["depth"] + 0.1 * rng.random()


def space_of(*names: str) -> SearchSpace:
    return SearchSpace.from_config({name: entry for name, entry in SPACE if name in names})


def test_importances_are_those_of_optuna():
    import optuna

    trials = make_trials(20, lambda v, rng: math.log10(v["C"]) * v["depth"] + rng.random())
    names = ("C", "depth", "kernel", "n_rounds")
    found = weigh_parameters({"r00f00": trials}, space_of(*names))
    assert found == weigh_parameters({"r00f00": trials}, space_of(*names))
    distributions = {
        "kernel": optuna.distributions.CategoricalDistribution(SPACE[0][1]["choices"]),
        "C": optuna.distributions.FloatDistribution(0.01, 100.0, log=True),
        "n_rounds": optuna.distributions.IntDistribution(50, 300),
        "depth": optuna.distributions.IntDistribution(1, 8),
    }
    study = optuna.create_study(direction="maximize")
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                value=trial.score, params=dict(trial.values), distributions=distributions
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(
        n_trees=importances.N_TREES, seed=importances.seed_for(0, "r00f00")
    )
    expected = optuna.importance.get_param_importances(study, evaluator=evaluator)
    assert found["shares"]["r00f00"] == pytest.approx(dict(expected), abs=1e-6)


def test_deciding_hyperparameter_has_the_importance():
    names = ("C", "depth", "n_rounds")
    found = weigh_parameters({"a": make_trials(30, on_depth)}, space_of(*names))["shares"]["a"]
    assert sum(found.values()) == pytest.approx(1, abs=1e-4)
    assert found["depth"] > 0.8


def test_missing_importances_give_the_reason():
    wide, n = space_of("C", "depth"), importances.LEAST_TRIALS
    few = weigh_parameters({"a": make_trials(n - 1, on_depth)}, wide)
    assert few["reasons"] == {"a": f"it takes {n} scored trials in a fold to tell"}
    failed = [*make_trials(n - 1, on_depth), *make_trials(5, on_depth, state="failed")]
    assert weigh_parameters({"a": failed}, wide)["reasons"] == few["reasons"]
    flat = weigh_parameters({"a": make_trials(n, lambda v, rng: 0.5)}, wide)
    assert flat["reasons"] == {"a": "all trials scored the same"}
    one = weigh_parameters({"a": make_trials(n, on_depth)}, space_of("depth"))
    assert one["reasons"] == {"a": "only depth was searched"}
    path = weigh_parameters({"a": make_trials(n, on_depth)}, wide, path="C")
    assert path["reasons"] == {"a": "only depth was searched"}
    none = weigh_parameters({"a": make_trials(1, on_depth)}, space_of("n_rounds"), path="n_rounds")
    assert none["reasons"] == {"a": "only n_rounds was read off each fit"}


def test_a_hyperparameter_read_off_each_fit_has_no_importance():
    trials = {"a": make_trials(20, on_depth)}
    found = weigh_parameters(trials, space_of("C", "depth", "n_rounds"), path="n_rounds")
    assert set(found["shares"]["a"]) == {"C", "depth"}


def test_expensive_importances_use_fewer_folds(monkeypatch):
    monkeypatch.setattr(importances, "MOST_WORK", 6 * 10**2 * 2)
    monkeypatch.setattr(importances, "N_TREES", 2)
    trials = {f"f{i}": make_trials(10, on_depth, seed=i) for i in range(11)}
    found = weigh_parameters(trials, space_of("C", "depth"))
    assert found["n_asked"] == 6
    assert list(found["shares"]) == ["f0", "f2", "f4", "f6", "f8", "f10"]
    monkeypatch.setattr(importances, "MOST_WORK", 1)
    assert weigh_parameters(trials, space_of("C", "depth"))["n_asked"] == importances.LEAST_FOLDS


# ---------------------------------------------------------------- the summary and its words


def test_jumping_choices_are_reported_apart_from_steady_ones(tuned):
    found = summarize_tuning(*tuned)
    by_name = {one.name: one for one in found.parameters}
    assert by_name["C"].agreement == "steady"
    assert by_name["C"].chosen == "1.5 to 1.8, median 1.65"
    assert by_name["C"].searched == "0.01 to 100, log scale"
    assert by_name["depth"].agreement == "jumps"
    assert by_name["depth"].n_agreeing == 2  # depths 1, 4, 7, 1
    words = " ".join(say_choices(found))
    assert "C (4 of 4 agree)" in words.partition("ump about")[0]
    assert re.search(r"[Jj]umps? about[^.]*depth \(2 of 4 agree\)", words)


def tell_jumps(tuned, *weights: float | None) -> list[str]:
    found = summarize_tuning(*tuned)
    parameters = [
        replace(
            found.parameters[0],
            name=f"p{i}",
            agreement="jumps",
            n_agreeing=1,
            importance=None if weight is None else Weight(mean=weight, low=0.0, high=1.0),
        )
        for i, weight in enumerate(weights)
    ]
    summary = replace(found, n_folds=5, parameters=parameters)
    return [*say_choices(summary), *doubt_tuning(summary)]


def test_a_jump_is_weighed_by_its_importance(tuned):
    matters, hardly, doubt = tell_jumps(tuned, 0.9, 0.1)
    assert matters.startswith("Jumps about although the inner score depends on it")
    assert "p0 (1 of 5 agree)" in matters
    assert hardly.startswith("Jumps about but hardly matters")
    assert "The tuned p0 jumps about" in doubt
    several = tell_jumps(tuned, 0.45, 0.45, 0.05, 0.05)
    assert several[0].startswith("Jump about although the inner score depends on them")
    assert several[1].startswith("Jump about but hardly matter to")
    assert tell_jumps(tuned, None) == ["Jumps about: p0 (1 of 5 agree)."]
    assert say_choices(replace(summarize_tuning(*tuned), n_folds=1)) == [
        "One tuned fold cannot show whether the choice is steady."
    ]


def test_importance_sentences_name_the_leading_hyperparameters(tuned, ragged, task, tmp_path):
    text = " ".join(say_importance(summarize_tuning(*tuned)))
    assert re.search(r"depends most on C \(\d\d", text)
    assert "an even split would give each 25" in text
    record, trials = ragged
    text = " ".join(say_importance(summarize_tuning(record, trials)))
    assert "n_rounds has none: no trial chose it" in text
    few = make_tuned(task, tmp_path, n_trials=5)
    assert say_importance(summarize_tuning(*few)) == [
        "No importances: it takes 10 scored trials in a fold to tell."
    ]
    unknown = replace(trials, importances=None)
    assert "not stored" in say_importance(summarize_tuning(record, unknown))[0]
    stored = dict(trials.importances)
    part = {**stored, "shares": dict([*stored["shares"].items()][:1]), "n_asked": 1}
    text = " ".join(say_importance(summarize_tuning(record, replace(trials, importances=part))))
    assert "Importances are from 1 of 3 folds; for 2 they were not computed, to save time." in text


def test_trials_are_counted_by_how_they_ended(ragged, tuned):
    found = summarize_tuning(*ragged)
    assert found.counts == {"ok": 33, "pruned": 27, "failed": 30}
    assert found.seconds == pytest.approx(45)
    text = " ".join(say_effort(found))
    assert "Each of 3 outer folds ran 30 trials (sampler tpe" in text
    assert "Of 90 trials, 33 were scored, 27 pruned and 30 failed; together they took 45 s." in text
    assert f"Most common failure (30 trials): {HOSTILE[1]}." in text
    assert "All 48 trials were scored" in " ".join(say_effort(summarize_tuning(*tuned)))
    spared = replace(found, fits={"fits": 60, "spared": 40})
    assert "Pruning saved 40 of 100 fits" in " ".join(say_effort(spared))
    assert (
        "(optimistic); the score comes from rows that the tuning never saw" in say_tuned(found)[0]
    )


def test_the_inner_folds_told_are_those_that_were_scored(tuned):
    record, trials = tuned
    found = summarize_tuning(record, trials)
    assert found.n_inner == [2]
    assert "scored on 2 inner folds of its" in say_effort(found)[0]
    wide = replace(found, settings=replace(found.settings, inner_folds=5))
    assert "scored on 2 inner folds (asked for: 5) of its" in say_effort(wide)[0]
    twice = replace(wide, n_inner=[6, 7], settings=replace(wide.settings, inner_repeats=2))
    assert (
        "scored on 6 to 7 inner folds (asked for: 5, repeated 2 times) of" in say_effort(twice)[0]
    )
    whole = replace(twice, n_inner=[10])
    assert "scored on 5 inner folds, repeated 2 times, of" in say_effort(whole)[0]
    inner = np.where(trials.columns["fold"] == 0, np.nan, trials.columns["inner_1"])
    fewer = replace(trials, columns={**trials.columns, "inner_1": inner})
    assert summarize_tuning(record, fewer).n_inner == [1, 2]


def test_path_only_tuning_names_no_sampler(ragged):
    found = summarize_tuning(*ragged)
    assert "(sampler tpe; the first" in say_effort(found)[0]
    path = [one for one in found.parameters if one.is_path]
    text = say_effort(replace(found, parameters=path))[0]
    assert "with n_rounds read off each fit), scored on" in text
    assert "sampler" not in text


# ---------------------------------------------------------------- the figures


def test_figures_hold_the_trials_and_what_was_chosen(ragged):
    record, trials = ragged
    page = tuning_figures(summarize_tuning(record, trials))
    data = {name: entry["data"] for name, entry in page["datasets"].items()}
    assert len(data["tuned_trials"]["trial"]) == 90
    for state, n in (("ok", 33), ("pruned", 27), ("failed", 30)):
        assert data["tuned_trials"]["state"].count(state) == n
    assert data["tuned_trials"]["chosen"].count("chosen") == 3
    for state, score, at, level in zip(
        *(data["tuned_trials"][key] for key in ("state", "score", "at", "level")), strict=True
    ):
        assert (score is None) == (at[-1] is None) == (level is None) == (state != "ok")
        assert all(0 <= place <= 1 for place in at[:-1])
    # The best trial of a fold has the highest level, and the chosen one is it.
    levels = zip(data["tuned_trials"]["chosen"], data["tuned_trials"]["level"], strict=True)
    assert {level for chosen, level in levels if chosen} == {1.0}
    values = zip(data["tuned_values"]["p"], data["tuned_values"]["value"], strict=True)
    depths = [value for p, value in values if p == 3]
    assert depths == [str(fold.values["depth"]) for fold in record.folds if fold.status == "ok"]
    assert page["params"]["tuned"][data["tuned_importance"]["p"][0]] == "C"


def test_figures_treat_lower_scores_as_better_for_an_error(task, tmp_path):
    record, trials = make_tuned(task, tmp_path, measure="log_loss", weigh=False)
    page = tuning_figures(summarize_tuning(record, trials))
    data = page["datasets"]["tuned_trials"]["data"]
    best = dict(zip(data["level"], data["score"], strict=True))
    assert best[1.0] < best[0.0]
    ticks = page["datasets"]["tuned_ticks"]["data"]
    low, high = (float(text) for text in ticks["text"][-2:])
    assert low > high  # the worst on the left
    assert "tuned_importance" not in page["datasets"]


def test_single_tuned_fold_makes_no_claim_about_steadiness(task, tmp_path):
    record, trials = make_tuned(task, tmp_path, weigh=False)
    record = replace(record, folds=record.folds[:1])
    summary = summarize_tuning(record, trials)
    names = [entry["name"] for entry in tuning_figures(summary)["figures"]]
    assert names == ["tuned_optimism", "tuned_trials"]
    assert summary.optimism.low is None
    page = Page(report_html(inputs_of(task, record, trials=trials)))
    assert "cannot show whether the choice is steady" in page.text


# ---------------------------------------------------------------- the pages


def pages_of(task, record, trials) -> tuple[Page, Page]:
    records = [
        record,
        make_record(task, "linear", n_repeats=1),
        make_record(task, "dummy", n_repeats=1),
    ]
    comparison = compare(records)
    report = report_html(inputs_of(task, record, comparison=comparison, trials=trials))
    index = index_html(
        comparison, all_inputs(task, records, trials={record.hash: trials}), task=task
    )
    return Page(report), Page(index)


def test_the_inner_score_is_marked_as_optimistic_wherever_it_appears(task, tuned, ragged):
    for cell in (tuned, ragged):
        for page in pages_of(task, *cell):
            labels = [
                column["label"]
                for entry in page.data["datasets"].values()
                for column in entry["columns"]
            ]
            headings = [text for text in page.texts if re.match(r"\s*Inner", text)]
            titles = re.findall(r'"title":\s*"(Inner[^"]*)"', "".join(page.scripts[0]))
            assert headings
            for text in (*labels, *headings, *titles):
                if "nner score" in text or text.startswith("Inner"):
                    marked = "optimistic" in text or text in (
                        "Inner score and score on unseen rows",  # its legend says it
                        "Inner score, within its fold",  # a rank; its axis says it
                    )
                    assert marked, text


def test_only_a_tuned_cell_has_a_tuning_section(task, tuned):
    record, trials = tuned
    report, index = pages_of(task, record, trials)
    assert ("section", "tuning") in [(tag, attrs.get("id")) for tag, attrs in report.tags]
    assert "Reporting the tuning score would have overstated the result" in report.text
    assert "jumps about" in report.text
    assert "tuned, 12 trials; optimism 0.050" in index.text
    assert "How optimistic the tuning scores are" in index.text
    drawn = [entry["name"] for entry in report.data["figures"] if entry["name"][:5] == "tuned"]
    assert drawn == ["tuned_optimism", "tuned_values", "tuned_trials", "tuned_importance"]

    plain = make_record(task, "linear", n_repeats=1)
    comparison = compare([plain])
    bare = Page(report_html(inputs_of(task, plain, comparison=comparison)))
    table = Page(index_html(comparison, all_inputs(task, [plain]), task=task))
    for page in (bare, table):
        assert "optimis" not in page.text
        assert not re.search("tuned|inner", page.text.lower())
        assert not any((attrs.get("id") or "").startswith("tuning") for _, attrs in page.tags)
        assert "tuned" not in "".join(page.scripts[0])
    assert summarize_tuning(plain, trials) is None
    assert dimensions(plain) == []
    # A tuned cell whose trials are not at hand says what an untuned one says.
    assert ("section", "tuning") not in [
        (tag, attrs.get("id")) for tag, attrs in Page(report_html(inputs_of(task, record))).tags
    ]


def test_tables_without_a_script_hold_every_fold(task, ragged):
    record, trials = ragged
    html = report_html(inputs_of(task, record, trials=trials))
    part = html[html.index('id="tuning"') : html.index('id="settings"')]
    rows = re.findall(r'<tr><th scope="row">(r\d\df\d\d)</th>(.*?)</tr>', part)
    assert [name for name, _ in rows] == ["r00f01", "r00f02", "r00f03"]
    for fold, (_, cells) in zip(tuned_folds(record, trials), rows, strict=True):
        shown = re.findall(r">([^<]*)</td>", cells)
        assert shown[:4] == [f"{fold.inner:.3f}", f"{fold.outer:.3f}", "0.050", "1"]
        assert shown[7] == str(fold.values["depth"])
        assert shown[8:11] == ["30", "9", "10"]


def test_tuning_section_escapes_names_and_reasons(task, ragged):
    record, trials = ragged
    html = report_html(inputs_of(task, record, trials=trials))
    assert HOSTILE[0] not in html
    assert HOSTILE[1] not in html
    assert not [tag for tag, _ in Page(html).tags if tag == "img"]


# ---------------------------------------------------------------- from the command line


def test_run_writes_the_tuning_section(tmp_path, capsys):
    arguments = ["model=knn", "dataset=nutrimouse", "cv=kfold", "cv.n_splits=3", "explain=none"]
    arguments += ["tune=optuna", "tune.trials=12", "tune.inner_folds=2", "n_jobs=1"]
    arguments += [f"outputs={tmp_path}"]
    assert main(arguments) == 0
    path = next(tmp_path.glob("*/*/knn-*"))
    cell = CellFolder(path)
    stored = cell.read_importances()
    assert set(stored["shares"]) <= {"r00f00", "r00f01", "r00f02"}
    assert len(stored["shares"]) + len(stored["reasons"]) == 3
    for shares in stored["shares"].values():
        assert set(shares) == {"n_neighbors", "weights", "metric", "preprocess.transform"}
    report = Page((path / "report.html").read_text("utf-8"))
    assert "Each of 3 outer folds ran 12 trials" in report.text
    assert "tuned, 12 trials" in Page((path.parent / "index.html").read_text("utf-8")).text
    capsys.readouterr()
    (path / "trials.parquet").write_bytes(b"torn")
    assert main(arguments) == 0
    assert "rebuilt" in capsys.readouterr().err
    assert 'id="tuning"' in (path / "report.html").read_text("utf-8")
    (path / "trials.parquet").unlink()
    (path / "tuning" / "r00f00.jsonl").unlink()
    assert main(arguments) == 0
    assert "left out of the pages" in capsys.readouterr().err
    assert 'id="tuning"' not in (path / "report.html").read_text("utf-8")


def test_figure_labels_of_one_model_differ_within_their_first_characters():
    labels = ["knn (tuned, tune.trials=8)", "knn (tuned, tune.trials=12, tune.pruner=none)", "knn"]
    lines = [break_label(label) for label in labels]
    assert lines[0] == ["knn", "(tuned, trials=8)"]
    assert lines[2] == ["knn"]
    assert len({tuple(line[:20] for line in found) for found in lines}) == 3
    assert lines[1] == ["knn", "(tuned, trials=12,", "pruner=none)"]
    long = break_label("svm (preprocess.select=univariate, learner.C=0.25, tuned)")
    assert long == ["svm", "(select=univariate,", "C=0.25, tuned)"]
    assert len(break_label("svm (" + ", ".join(f"key_{i}={i}" for i in range(20)) + ")")) == 3


# ---------------------------------------------------------------- in a browser


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)")
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_tuning_figures_are_drawn_and_fit(browser, task, ragged, tmp_path, width, scheme):
    record, trials = ragged
    file = tmp_path / "report.html"
    file.write_text(report_html(inputs_of(task, record, trials=trials)), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    tab = Tab(context.new_page())
    page = tab.open(file)
    drawn = drawings(page)
    names = [name for name in drawn if name.startswith("tuned")]
    assert len(names) == 4
    assert min(drawn[name] for name in names) > 0
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    lines = "#figure-tuned_trials .canvas .mark-line.role-mark path"
    # All trials, the chosen ones once more, and an axis for each of 4 values and the score.
    assert page.locator(lines).count() == 90 + 3 + 5
    dashed = page.locator(f"{lines}[stroke-dasharray]")
    assert dashed.count() == 57
    page.locator("#figure-tuned_trials select").select_option(index=1)
    page.wait_for_function(
        "([lines, n]) => document.querySelectorAll(lines).length === n", arg=[lines, 30 + 1 + 5]
    )
    outside = page.evaluate(
        """() => [...document.querySelectorAll("#tuning [data-figure]")].filter((figure) => {
            const card = figure.getBoundingClientRect();
            return [...figure.querySelectorAll(".canvas text")].some((text) => {
                const box = text.getBoundingClientRect();
                return box.left < card.left || box.right > card.right;
            });
        }).map((figure) => figure.dataset.figure)"""
    )
    assert outside == []
    # The names of the ends stand beside the axes, clear of the names of the rows.
    gap = page.evaluate(
        """() => {
            const boxes = (selector) => [...document.querySelectorAll(
                `#figure-tuned_trials .canvas ${selector}`)].map((e) => e.getBoundingClientRect());
            const rows = boxes(".role-axis-label text"), ends = boxes(".mark-text.role-mark text");
            return Math.min(...ends.map((e) => e.left)) - Math.max(...rows.map((r) => r.right));
        }"""
    )
    assert gap > 0
    # A higher value is drawn higher in its row; rows stand in the order of the space.
    heights = page.evaluate(
        """() => [...document.querySelectorAll(
            "#figure-tuned_values .canvas .mark-symbol.role-mark path")].map((e) => {
                const box = e.getBoundingClientRect();
                return (box.top + box.bottom) / 2;
            })"""
    )
    folds = tuned_folds(record, trials)
    assert len(heights) == len(SPACE) * len(folds)
    for i, dimension in enumerate(dimensions(record)):
        places = [dimension.position(fold.values[dimension.name]) for fold in folds]
        own = np.array(heights[i * len(folds) : (i + 1) * len(folds)])
        # One pixel scale for all rows, a bit below that of a row since the axis takes its part.
        assert own - own[0] == pytest.approx(-35.8 * (np.array(places) - places[0]), abs=0.5)
        assert i == 0 or own.min() > max(heights[: i * len(folds)])
    page.locator("#figure-tuned_trials details.data summary").click()
    rows = page.locator("#figure-tuned_trials details.data tbody tr")
    rows.first.wait_for()
    head = page.locator("#figure-tuned_trials details.data thead th").all_text_contents()
    assert head[:5] == ["Outer fold", "Trial", "State", "Chosen", "Inner ROC AUC (optimistic)"]
    assert head[5:] == [name for name, _ in SPACE]
    assert rows.count() == 30
    context.close()
    assert tab.complaints == []
