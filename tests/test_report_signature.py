"""The signature on the page: numbers against those of the folds, words, figures, the browser."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from browsing import CHROMIUM, Tab, drawings
from report_cells import (
    HOSTILE,
    inputs_of,
    make_record,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.report import report_html
from smalldata.report.figures import signature_figures
from smalldata.report.sections.panel import MOST_MEMBERS, Stability, summarize_signature
from smalldata.report.sections.panel_words import outline_signature, say_signature
from smalldata.results.panel import Panel, Selection, Substitute
from smalldata.statistics.intervals import Scale, fold_interval
from smalldata.statistics.rank_stability import nogueira
from test_report import Page

UNIT = Scale(low=0.0, high=1.0)
SIZES = (1, 3, 10)


def make_signature(task, *, ks=(3,), seed=0, n_splits=4, n_repeats=2, undefined=False):
    """Make a cell whose folds chose sizes in turn; feature 0 leads everywhere."""
    rng = np.random.default_rng(seed)
    record = make_record(task, "linear", n_splits=n_splits, n_repeats=n_repeats)
    folds = []
    for i, fold in enumerate(record.folds):
        others = 1 + rng.permutation(task.n_features - 1)[: SIZES[-1] - 1]
        selection = Selection(
            ranking="shap",
            sizes=SIZES,
            inner=tuple(tuple(rng.uniform(0.6, 0.9, 5).tolist()) for _ in SIZES),
            k=ks[i % len(ks)],
            leading=(0, *others.tolist()),
            outer=(None if undefined and i == 0 else 0.6, *rng.uniform(0.7, 0.9, 2).tolist()),
        )
        folds.append(replace(fold, selection=selection))
    asked = {"ranking": "shap", "rule": "one_se", "sizes": list(SIZES), "measure": record.measure}
    return replace(
        record,
        folds=tuple(folds),
        identity={**record.identity, "signature": asked},
        settings={"signature by shap": True},
    )


def make_panel(k=3, *, substitutes=()):
    inner = tuple((0.7, 0.8, 0.9) for _ in SIZES)
    selection = Selection(ranking="shap", sizes=SIZES, inner=inner, k=k, leading=tuple(range(10)))
    return Panel(selection=selection, score=0.9, error=0.02, substitutes=tuple(substitutes))


TWIN = Substitute(member=0, feature=11, correlation=-0.93, score=0.89, is_equal=True)
WORSE = Substitute(member=0, feature=10, correlation=0.84, score=0.7, is_equal=False)


@pytest.fixture(scope="module")
def task():
    return make_toy_task("binary", n_features=60)


def test_signature_summary_equals_fold_numbers(task):
    record = make_signature(task, ks=(1, 3, 3), undefined=True)
    found = summarize_signature(task, record, make_panel())
    values = [fold.scores["roc_auc"].value for fold in record.folds]
    interval = fold_interval(np.array(values), ratio=record.test_train_ratio, scale=UNIT)
    assert found.expected.mean == pytest.approx(interval.mean)
    assert found.expected.low == pytest.approx(interval.low)
    for place, entry in enumerate(found.sizes):
        outer = [fold.selection.outer[place] for fold in record.folds]
        outer = [value for value in outer if value is not None]
        interval = fold_interval(np.array(outer), ratio=record.test_train_ratio, scale=UNIT)
        assert entry.size == SIZES[place]
        assert entry.n == len(outer) == (7 if place == 0 else 8)
        assert entry.mean == pytest.approx(np.mean(outer))
        if interval is None:  # all equal
            assert (entry.low, entry.high) == (None, None)
        else:
            assert (entry.low, entry.high) == pytest.approx((interval.low, interval.high))
        inner = np.mean([np.mean(fold.selection.inner[place]) for fold in record.folds])
        assert entry.inner == pytest.approx(inner)
    assert [n for _, n in found.chosen] == [3, 5, 0]
    sets = np.zeros((8, 60), dtype=bool)
    for row, fold in enumerate(record.folds):
        sets[row, list(fold.selection.leading[: fold.selection.k])] = True
    assert found.stability.index == pytest.approx(nogueira(sets)[0])
    names = task.dataset.feature_names
    counts = Counter(names[j] for fold in record.folds for j in fold.selection.members)
    shown = {entry.name: entry.n for entry in found.members}
    assert {name: n for name, n in shown.items() if n} == dict(counts)
    assert [entry.n for entry in found.members] == sorted(shown.values(), reverse=True)
    assert [entry.name for entry in found.members if entry.in_panel] == sorted(
        names[:3], key=lambda name: (-counts[name], names.index(name))
    )
    assert found.folds[1].members == [names[j] for j in record.folds[1].selection.members]


@pytest.mark.parametrize(("worst", "told"), [(0.1, False), (0.6, True)])
def test_an_interval_stays_within_the_range_of_its_measure_or_is_not_told(task, worst, told):
    record = make_signature(task)
    folds = []
    for i, fold in enumerate(record.folds):
        value = worst if i % 2 else 1.0
        score = replace(fold.scores[record.measure], value=value)
        selection = replace(fold.selection, outer=(value,) * len(SIZES))
        folds.append(replace(fold, selection=selection, scores={record.measure: score}))
    values = np.array([1.0, worst] * 4)
    bounds = fold_interval(values, ratio=record.test_train_ratio, scale=UNIT)
    assert 0 < bounds.low < bounds.high < 1
    assert (bounds.low > 0.1) == told
    found = summarize_signature(task, replace(record, folds=tuple(folds)))
    for entry in (found.expected, *found.sizes):
        assert (entry.low, entry.high) == pytest.approx((bounds.low, bounds.high))


def test_long_member_table_is_cut_but_keeps_the_panel(task):
    record = make_signature(task, ks=(10,))
    found = summarize_signature(task, record, make_panel(10))
    assert found.n_ever > MOST_MEMBERS
    assert sum(entry.in_panel for entry in found.members) == 10
    assert len(found.members) <= MOST_MEMBERS + 10
    assert "The first" in str(signature_figures(found)["figures"][-1]["caption"])


def test_cell_without_a_signature_has_no_signature_section(task):
    record = make_record(task)
    assert summarize_signature(task, record) is None
    assert signature_figures(None)["figures"] == []
    assert 'id="signature"' not in report_html(inputs_of(task, record))


def test_signature_is_compared_with_all_features(task):
    record, whole = make_signature(task), make_record(task)
    other = make_record(task, "svm")
    comparison = compare([record, whole, other])
    found = summarize_signature(task, record, None, comparison)
    row = next(
        row for row in comparison.rows if row.hash == whole.hash and row.measure == "roc_auc"
    )
    assert found.whole.mean == row.mean
    assert found.whole.test.difference == pytest.approx(0.0)
    said = " ".join(say_signature(found)["score"])
    assert "With all features, the same model scores" in said
    assert "Panel minus all features: the two are practically equal (difference 0.000, " in said
    assert "whose panels differ from fold to fold" in said
    assert "no samples are left to score it on" in said
    lone = summarize_signature(task, record, None, compare([record, other]))
    assert lone.whole is None


# ---------------------------------------------------------------- words


def say(task, record, panel=None):
    words = say_signature(summarize_signature(task, record, panel))
    return {part: " ".join(sentences) for part, sentences in words.items()}


def test_signature_sentences_tell_sizes_and_members(task):
    said = say(task, make_signature(task, ks=(3,)))
    assert "All 8 folds chose 3 features." in said["size"]
    assert "within one standard error of the best" in said["size"]
    assert "gene_0 by every one" in said["stability"]
    assert "run the same command to choose it" in said["panel"]
    said = say(task, make_signature(task, ks=(1, 3, 10)))
    assert "chose 1 to 10 features, most often 1 (3 of 8)" in said["size"]
    assert "No size was chosen by half of the folds" in said["size"]
    assert "No size" not in say(task, make_signature(task, ks=(3, 3, 10)))["size"]


@pytest.mark.parametrize(("index", "word"), [(0.39, "poor"), (0.5, "fair"), (0.8, "good")])
def test_stability_sentence_at_each_threshold(task, index, word):
    found = summarize_signature(task, make_signature(task))
    found = replace(found, stability=Stability(index=index, low=index - 0.1, high=index + 0.1))
    said = " ".join(say_signature(found)["stability"])
    assert f"That is {word}:" in said
    assert "other samples would" not in said, "folds share most of theirs"


def test_panel_sentences_name_members_and_substitutes(task):
    record = make_signature(task, ks=(1,))
    said = say(task, record, make_panel(substitutes=[TWIN, WORSE]))["panel"]
    assert "keeps 3 features: gene_0, gene_1 and gene_2." in said
    assert "Most folds chose only one: the first of these." in said
    assert "Fewer than half of the folds chose gene_1 and gene_2." in said
    assert "Substitutes without loss: gene_11 for gene_0." in said
    assert "gene_10" not in said
    alone = say(task, record, make_panel(1))["panel"]
    assert "keeps 1 feature: gene_0." in alone
    assert "Substitutes" not in alone
    assert "Most folds" not in alone


def test_panel_outline_is_one_sentence(task):
    record = make_signature(task)
    found = summarize_signature(task, record, make_panel(10))
    (said,) = outline_signature(found)
    assert "A panel of 10 features (gene_0, gene_1, gene_2, gene_3, gene_4 and 5 more)" in said
    (said,) = outline_signature(summarize_signature(task, record, make_panel(1)))
    assert "A panel of 1 feature (gene_0) was kept" in said
    assert outline_signature(summarize_signature(task, record)) == []
    assert outline_signature(None) == []
    assert said in Page(report_html(inputs_of(task, record, panel=make_panel(1)))).text


def test_choosing_the_largest_size_suggests_larger_sizes(task):
    asks = "10 is the largest size tried"
    assert asks in say(task, make_signature(task, ks=(10,)))["size"]
    assert asks in say(task, make_signature(task, ks=(10, 1)))["size"]
    assert asks not in say(task, make_signature(task, ks=(10, 1, 1)))["size"]
    small = make_toy_task("binary", n_features=10)
    assert asks not in say(small, make_signature(small, ks=(10,)))["size"]


def test_a_long_list_of_names_is_cut_in_a_sentence_not_in_the_table(task):
    record = make_signature(task)
    selection = replace(make_panel().selection, sizes=(1, 3, 30), k=30, leading=tuple(range(30)))
    panel = replace(make_panel(), selection=selection)
    said = say(task, record, panel)["panel"]
    assert "gene_18, gene_19 and 10 more." in said
    assert "gene_29" not in said
    assert "gene_29" in Page(report_html(inputs_of(task, record, panel=panel))).text


def test_one_fold_has_no_interval_and_no_stability(task):
    record = make_signature(task, n_splits=2, n_repeats=1)
    record = replace(record, folds=record.folds[:1], n_planned=1)
    found = summarize_signature(task, record, make_panel())
    assert found.stability is None
    assert found.expected.low is None
    said = say(task, record, make_panel())
    assert "interval" not in said["score"]
    drawn = signature_figures(found)["figures"][0]
    assert "interval" not in drawn["caption"]
    assert 'id="signature"' in report_html(inputs_of(task, record, panel=make_panel()))


# ---------------------------------------------------------------- the page


def test_signature_section_escapes_names_and_lists_the_panel():
    task = make_toy_task("multiclass", hostile=True)
    panel = make_panel(6, substitutes=[TWIN, WORSE])
    html = report_html(inputs_of(task, make_signature(task, ks=(3, 10)), panel=panel))
    page = Page(html)
    assert "<img src=x" not in html
    assert HOSTILE[0] in page.text
    section = html[html.index('id="signature"') : html.index('id="settings"')]
    assert re.search(r"The whole procedure scores .*?0\.\d+", section)
    assert section.count("loses</span>") == 1
    assert 'href="#signature"' in html


def test_signature_figures_hold_names_only_as_data():
    task = make_toy_task("multiclass", hostile=True)
    drawn = signature_figures(summarize_signature(task, make_signature(task), make_panel()))
    assert [one["name"] for one in drawn["figures"]] == [
        "signature_curve",
        "signature_sizes",
        "signature_members",
    ]
    for one in drawn["figures"]:
        assert not any(name in str(one["spec"]) for name in HOSTILE)
        assert one["table"] in drawn["datasets"]
    assert HOSTILE[0] in drawn["params"]["signature_members"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)")
@pytest.mark.parametrize("width", [1440, 390])
def test_every_signature_figure_is_drawn_and_fits(browser, tmp_path, width):
    task = make_toy_task("multiclass", hostile=True)
    record = make_signature(task, ks=(3, 10))
    path = tmp_path / "report.html"
    comparison = compare([record, make_record(task)])
    panel = make_panel(6, substitutes=[TWIN, WORSE])
    path.write_text(
        report_html(inputs_of(task, record, panel=panel, comparison=comparison)), "utf-8"
    )
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    tab = Tab(context.new_page())
    page = tab.open(path)
    drawn = {name: n for name, n in drawings(page).items() if name.startswith("signature")}
    assert len(drawn) == 3
    assert min(drawn.values()) > 0, drawn
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    csv = tab.download("[data-download-table=panel-table]").decode()
    assert csv.count("\n") >= 6
    context.close()
    assert tab.complaints == []
