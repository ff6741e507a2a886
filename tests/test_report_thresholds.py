"""The section on thresholds: its numbers, its sentences, and its slider in a real browser."""

import dataclasses
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from browsing import CHROMIUM, Tab
from report_cells import HOSTILE, inputs_of, make_record, make_toy_task
from smalldata.errors import ConfigError
from smalldata.evaluation.outer_loop import evaluate
from smalldata.evaluation.thresholds import ThresholdOptions
from smalldata.models import load_learner
from smalldata.report import report_html
from smalldata.report.figures import threshold_figures
from smalldata.report.plain import Estimate, format_interval, format_number
from smalldata.report.sections.thresholds import GRID, Ratio, summarize_thresholds
from smalldata.report.sections.thresholds_words import (
    better_ranges,
    format_ratio,
    format_ratio_interval,
    say_thresholds,
    write_texts,
)
from smalldata.resampling.strategies import make_splits
from smalldata.results.folds import FoldResult, Prediction


def make_ruled(task, options=None, **changes):
    splits = make_splits(task, "kfold", n_splits=4)
    record = evaluate(task, load_learner("linear"), splits, threshold=options, n_jobs=1)
    return dataclasses.replace(record, **changes)


def with_probabilities(task, p, *, n_folds=2):
    """A record whose one repeat gives these probabilities of the positive class."""
    folds = [
        FoldResult(
            repeat=0,
            fold=k,
            status="ok",
            seed=0,
            prediction=Prediction(
                row=np.arange(k, task.n_samples, n_folds),
                y=task.y[k::n_folds],
                label=(p[k::n_folds] > 0.5).astype(int),
                probabilities=np.column_stack([1 - p, p])[k::n_folds],
            ),
        )
        for k in range(n_folds)
    ]
    return dataclasses.replace(make_record(task), folds=tuple(folds), n_planned=n_folds)


# ---------------------------------------------------------------- numbers


def test_figures_equal_scikit_learn_repeat_by_repeat():
    task = make_toy_task("binary", n_samples=60)
    record = make_record(task)
    found = summarize_thresholds(task, record)
    assert found is not None
    assert (found.at.threshold, GRID[found.start]) == (0.5, 0.5)
    parts = [
        [fold.prediction for fold in record.folds if fold.repeat == repeat] for repeat in (0, 1)
    ]
    for calls in (found.at, *found.grid[::20]):
        counts = np.mean(
            [
                confusion_matrix(
                    np.concatenate([part.y for part in folds]),
                    np.concatenate([part.probabilities[:, 1] for part in folds]) > calls.threshold,
                )
                for folds in parts
            ],
            axis=0,
        )
        (tn, fp), (fn, tp) = counts
        assert [calls.tn, calls.fp, calls.fn, calls.tp] == pytest.approx([tn, fp, fn, tp])
        assert calls.sensitivity.mean == pytest.approx(tp / (tp + fn))
        assert calls.specificity.mean == pytest.approx(tn / (tn + fp))
        if tp + fp > 0:
            assert calls.ppv.mean == pytest.approx(tp / (tp + fp)), "at the samples' own share"
        if tn + fn > 0:
            assert calls.npv.mean == pytest.approx(tn / (tn + fn))


def test_net_benefit_equals_its_definition_and_a_named_prevalence_moves_the_risks():
    task = make_toy_task("binary", n_samples=60)
    record = make_record(task)
    own = float(np.mean(task.y == 1))
    found = summarize_thresholds(task, record)
    for calls, one in zip(found.grid, found.benefit, strict=True):
        t = calls.threshold
        assert one.threshold == pytest.approx(t)
        by_hand = (calls.tp - calls.fp * t / (1 - t)) / task.n_samples
        assert one.model.mean == pytest.approx(by_hand)
        assert one.treat_all == pytest.approx(own - (1 - own) * t / (1 - t))
        assert one.gain.mean == pytest.approx(by_hand - max(one.treat_all, 0.0))
        assert one.gain.low <= one.gain.mean <= one.gain.high
        assert one.gain.high - one.gain.low > 0
    rare = summarize_thresholds(task, record, prevalence=0.1)
    # Even odds among these samples are odds of 1 to 9 where 1 in 10 is positive, for equal classes.
    half = GRID.index(0.5)
    odds = (0.1 / 0.9) / (own / (1 - own))
    assert rare.benefit[half].threshold == pytest.approx(odds / (1 + odds))


def test_perfect_predictions_keep_intervals_with_a_width():
    task = make_toy_task("binary", n_samples=30)
    found = summarize_thresholds(task, with_probabilities(task, np.where(task.y == 1, 0.9, 0.1)))
    at = found.at
    assert at.sensitivity.mean == at.specificity.mean == at.ppv.mean == at.npv.mean == 1.0
    for one in (at.sensitivity, at.specificity, at.ppv, at.npv):
        assert one.low < 0.9
        assert one.high == 1.0
    assert format_ratio(at.lr_positive) == "unbounded"
    assert re.fullmatch(r"at least \d\.\d\d", format_ratio_interval(at.lr_positive))
    assert at.lr_negative.value == at.lr_negative.low == 0
    assert 0.05 < at.lr_negative.high < 0.5
    page = report_html(inputs_of(task, with_probabilities(task, task.y * 1.0)))
    section = page.partition('id="thresholds"')[2].partition("</section>")[0]
    assert "1.000 to 1.000" not in section


def test_calls_of_one_kind_leave_the_other_value_out():
    task = make_toy_task("binary", n_samples=30)
    found = summarize_thresholds(task, with_probabilities(task, np.full(30, 0.2)))
    assert found.at.ppv == Estimate(mean=None, low=None, high=None)
    assert found.at.lr_positive == Ratio(value=None, low=None, high=None)
    assert any(
        "no sample is called impaired, so there is no PPV" in s for s in say_thresholds(found)
    )
    assert ("ppv", "–", "–") in [(row[0], row[2], row[3]) for row in write_texts(found).rows]


def test_a_prevalence_that_is_not_a_share_is_refused():
    task = make_toy_task("binary", n_samples=30)
    with pytest.raises(ConfigError, match="share above 0 and below 1"):
        inputs_of(task, make_record(task), prevalence=5)


def test_groups_and_a_chosen_threshold_widen_the_intervals():
    task = make_toy_task("binary", n_samples=80)
    record = make_record(task)

    def width(one):
        return one.sensitivity.high - one.sensitivity.low

    plain = summarize_thresholds(task, record)
    groups = tuple((np.arange(80) // 8).tolist())
    grouped = summarize_thresholds(task, dataclasses.replace(record, groups=groups))
    assert plain.n_groups is None
    assert grouped.n_groups == 10
    assert width(grouped.at) > width(plain.at)
    ruled = make_ruled(task, ThresholdOptions(rule="sensitivity", at=0.9))
    chosen = summarize_thresholds(task, ruled)
    fixed = dataclasses.replace(
        ruled,
        folds=tuple(
            dataclasses.replace(fold, threshold=dataclasses.replace(fold.threshold, draws=()))
            for fold in ruled.folds
        ),
    )
    known = summarize_thresholds(task, fixed)
    assert chosen.at.specificity.mean == known.at.specificity.mean
    spread = chosen.at.specificity.high - chosen.at.specificity.low
    assert spread > 1.2 * (known.at.specificity.high - known.at.specificity.low)


def test_a_rule_is_described_and_its_calls_are_the_labels():
    task = make_toy_task("binary", n_samples=80)
    record = make_ruled(task, ThresholdOptions(rule="cost", cost_ratio=4.0))
    found = summarize_thresholds(task, record)
    values = [fold.threshold.value for fold in record.folds]
    assert (found.chosen.low, found.chosen.high) == (min(values), max(values))
    assert abs(GRID[found.start] - np.median(values)) < 0.006
    y = np.concatenate([fold.prediction.y for fold in record.folds])
    label = np.concatenate([fold.prediction.label for fold in record.folds])
    (tn, fp), (fn, tp) = confusion_matrix(y, label)
    assert (found.at.tn, found.at.fp, found.at.fn, found.at.tp) == pytest.approx((tn, fp, fn, tp))
    assert found.at.threshold is None


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_only_binary_tasks_have_the_section(kind):
    task = make_toy_task(kind)
    assert summarize_thresholds(task, make_record(task)) is None
    assert threshold_figures(None)["figures"] == []
    assert 'id="thresholds"' not in report_html(inputs_of(task, make_record(task)))


def test_a_record_without_probabilities_has_no_section():
    task = make_toy_task("binary")
    record = make_record(task, fail=8)
    assert summarize_thresholds(task, record) is None


# ---------------------------------------------------------------- words


def test_sentences_name_the_rule_the_prevalence_and_the_ranges():
    task = make_toy_task("binary", n_samples=80)
    record = make_ruled(task, ThresholdOptions(rule="specificity", at=0.8))
    found = summarize_thresholds(task, record, prevalence=0.02)
    first, target, worth, benefit = say_thresholds(found)
    assert "for a specificity of at least 0.800, chosen on training samples alone" in first
    assert f"sensitivity {format_number(found.at.sensitivity.mean)}, 95 % interval" in first
    assert target.startswith("The specificity of 0.800 that was asked for")
    assert worth.startswith("Where 2\u202f% of those tested are impaired (the prevalence named)")
    assert format_interval(found.at.ppv.low, found.at.ppv.high) in worth
    ranges = better_ranges(found.benefit)
    assert ranges
    assert f"{ranges[0][0]:.3g}" in benefit
    without = summarize_thresholds(task, make_ruled(task))
    said = say_thresholds(without)
    assert said[0].startswith("If every sample with a probability above 0.5 is called impaired")
    assert any("set threshold.prevalence" in sentence for sentence in said)


def estimate(low, mean, high):
    return Estimate(mean=mean, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.92, 0.99, "is exceeded"), (0.7, 0.85, "is missed"), (0.8, 0.95, "lies within")],
)
def test_a_target_is_called_what_its_interval_says(low, high, said):
    task = make_toy_task("binary", n_samples=60)
    found = summarize_thresholds(task, make_ruled(task, ThresholdOptions(rule="sensitivity")))
    at = dataclasses.replace(found.at, sensitivity=estimate(low, (low + high) / 2, high))
    target = say_thresholds(dataclasses.replace(found, at=at))[1]
    assert said in target


def test_the_sentence_on_net_benefit_follows_the_intervals():
    task = make_toy_task("binary", n_samples=60)
    found = summarize_thresholds(task, make_record(task))

    def say(better):
        benefit = [
            dataclasses.replace(one, gain=estimate(0.01 if i in better else -0.01, 0.02, 0.1))
            for i, one in enumerate(found.benefit)
        ]
        return say_thresholds(dataclasses.replace(found, benefit=benefit))[-1]

    assert say(()).startswith("At no threshold does the 95 % interval of the gain")
    assert say({12, 13, 14}).startswith("At thresholds of 0.1 to 0.12, each taken alone")
    assert "0.1 and 0.2 to 0.21" in say({12, 22, 23})
    many = say({10, 20, 30, 40, 50})
    assert many.startswith(f"At 5 of {len(GRID)} thresholds between 0.08 and 0.48")


def test_a_likelihood_ratio_without_an_upper_bound_says_so():
    assert format_ratio(Ratio(value=float("inf"), low=4.9, high=float("inf"))) == "unbounded"
    assert format_ratio_interval(Ratio(value=3.0, low=1.5, high=float("inf"))) == "at least 1.500"
    assert format_ratio(Ratio(value=None, low=None, high=None)) == "–"
    assert format_ratio_interval(Ratio(value=None, low=None, high=None)) == "–"


def test_names_of_classes_reach_the_page_as_text():
    task = make_toy_task("binary", hostile=True)
    page = report_html(inputs_of(task, make_record(task)))
    assert HOSTILE[0] not in page
    assert HOSTILE[1] not in page


# ---------------------------------------------------------------- the slider


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    task = make_toy_task("binary", n_samples=60)
    record = make_ruled(task, ThresholdOptions())
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_html(inputs_of(task, record, prevalence=0.1)), encoding="utf-8")
    return task, record, path


def in_browser(function):
    reason = "Chromium is not installed (Debian: chromium)"
    return pytest.mark.browser(pytest.mark.skipif(CHROMIUM is None, reason=reason)(function))


def shown(page: Any) -> dict[str, str]:
    """Text of every cell of the slider's table."""
    cells = page.locator("#threshold-explorer td[id^=live-]")
    return {
        cell.get_attribute("id").removeprefix("live-"): cell.text_content() for cell in cells.all()
    }


def point(page: Any) -> tuple[float, float]:
    """Middle of the point on the ROC curve, in pixels of the drawing, once it has been drawn."""
    return page.evaluate(
        """async () => {
            for (const frame of [1, 2]) await new Promise((done) => requestAnimationFrame(done));
            const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];
            const find = (what) => document.querySelector(`#figure-operating ${what}`);
            const dot = middle(find(".mark-symbol.role-mark path").getBoundingClientRect());
            const sheet = find("svg").getBoundingClientRect();
            return [dot[0] - sheet.x, dot[1] - sheet.y];
        }"""
    )


@in_browser
def test_the_arrow_keys_move_the_figures_and_they_are_those_of_python(tab, ruled):
    task, record, path = ruled
    page = tab.open(path)
    texts = write_texts(summarize_thresholds(task, record, prevalence=0.1)).grid
    slider = page.get_by_role("slider", name=re.compile("Call a sample impaired"))
    slider.focus()
    before, dot = shown(page), point(page)
    place = int(slider.input_value())
    assert before == {key: texts[place][key] for key in before}
    for key, step in (("ArrowRight", 1), ("ArrowUp", 1), ("ArrowLeft", -1), ("PageUp", None)):
        page.keyboard.press(key)
        moved = int(slider.input_value())
        assert moved == place + step if step else moved > place
        place = moved
        found = shown(page)
        assert found == {name: texts[place][name] for name in found}
        value = slider.get_attribute("aria-valuetext")
        assert value.startswith(f"{texts[place]['threshold']}: sensitivity")
        assert page.locator("#threshold-value").text_content() == texts[place]["threshold"]
    assert found != before
    assert np.hypot(*np.subtract(point(page), dot)) > 3
    for end, last in (("Home", 0), ("End", len(GRID) - 1)):
        page.keyboard.press(end)
        found = shown(page)
        assert found == {name: texts[last][name] for name in found}
    assert found["ppv"] == "–"


@in_browser
def test_the_point_lies_where_the_rates_say(tab, ruled):
    task, record, path = ruled
    page = tab.open(path)
    grid = summarize_thresholds(task, record).grid
    slider = page.locator("#threshold-slider")
    places = []
    for place in (22, 52, 82):
        slider.fill(str(place))
        places.append((point(page), grid[place]))
    (x0, y0), first = places[0]
    (x1, y1), last = places[2]
    across = first.specificity.mean - last.specificity.mean
    up = last.sensitivity.mean - first.sensitivity.mean
    (x, y), middle = places[1]
    part = (first.specificity.mean - middle.specificity.mean) / across
    assert x == pytest.approx(x0 + part * (x1 - x0), abs=1.0)
    part = (middle.sensitivity.mean - first.sensitivity.mean) / up
    assert y == pytest.approx(y0 + part * (y1 - y0), abs=1.0)


@in_browser
@pytest.mark.parametrize("prevalence", [0.01, 0.3, 0.77])
def test_the_prevalence_of_the_page_moves_predictive_values_as_python_does(tab, ruled, prevalence):
    task, record, path = ruled
    page = tab.open(path)
    before = shown(page)
    page.get_by_label(re.compile("Prevalence")).fill(f"{100 * prevalence:g}")
    texts = write_texts(summarize_thresholds(task, record, prevalence=prevalence)).grid
    for place in (20, 45, 60):
        page.locator("#threshold-slider").fill(str(place))
        found = shown(page)
        assert found == {name: texts[place][name] for name in found}
    page.get_by_label(re.compile("Prevalence")).fill("")
    assert page.get_by_label(re.compile("Prevalence")).get_attribute("aria-invalid") == "true"
    page.locator("#threshold-slider").fill(str(summarize_thresholds(task, record).start))
    assert shown(page) == before


@in_browser
def test_without_scripts_the_table_of_the_chosen_threshold_stands_alone(browser, ruled):
    task, record, path = ruled
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert not page.locator("#threshold-explorer").is_visible()
    at = summarize_thresholds(task, record, prevalence=0.1).at
    table = page.locator("#thresholds").text_content()
    assert "At the threshold chosen inside each training fold" in table
    assert format_number(at.sensitivity.mean) in table
    assert format_interval(at.ppv.low, at.ppv.high) in table
    context.close()


@in_browser
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_section_fits_and_axe_has_nothing_to_say(browser, ruled, width, scheme):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = Tab(context.new_page()).open(ruled[2])
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run('#thresholds', {resultTypes: ['violations']})")
    assert [one["id"] for one in found["violations"]] == []
    context.close()
