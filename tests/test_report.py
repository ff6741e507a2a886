"""The two pages and the table on the screen: what they say, that nothing leaks out or breaks in,
how large they get."""

import io
import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from report_cells import (
    HOSTILE,
    add_evidence,
    all_inputs,
    inputs_of,
    make_explanation,
    make_null,
    make_record,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.report import index_html, print_comparison, report_html
from smalldata.report.comparison_page.overview import summarize_comparison
from smalldata.report.render import embed_json
from smalldata.report.sections.cell import summarize_cell
from smalldata.report.sections.explanation import N_TABLE, summarize_explanation
from smalldata.report.sections.explanation_samples import N_PLOTTED
from smalldata.report.sections.outcomes import pool_repeats, summarize_outcomes
from smalldata.results.explanation import Explanation
from smalldata.runtime.sealing import strict_plain

KINDS = ("binary", "multiclass", "regression")


class Page(HTMLParser):
    """What a browser would make of a page: tags, texts, scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module", params=KINDS)
def cells(request):
    task = make_toy_task(request.param, n_samples=90, categorical=request.param != "regression")
    # A single repeat draws fewer lines: one of the three kinds has it.
    repeats = {"n_repeats": 1, "n_splits": 8} if request.param == "multiclass" else {}
    records = [make_record(task, model, **repeats) for model in ("linear", "knn", "dummy")]
    failed = make_record(task, "svm", fail=3)
    skipped = make_record(
        task, "mlp", skipped="takes at most 5 features, the task has 12", folds=()
    )
    explanation = add_evidence(task, records[0], make_explanation(task, records[0]))
    return task, [*records, failed, skipped], explanation


def report_of(cells, *, explained: bool = True) -> Page:
    task, records, explanation = cells
    return Page(
        report_html(
            inputs_of(
                task,
                records[0],
                explanation=explanation if explained else None,
                comparison=compare(records),
                null=make_null(explanation) if explained else None,
            )
        )
    )


def index_of(cells) -> Page:
    task, records, explanation = cells
    explanations = {record.hash: explanation for record in records[:2]}
    return Page(
        index_html(
            compare(records), all_inputs(task, records, explanations=explanations), task=task
        )
    )


# ---------------------------------------------------------------- structure


def test_report_has_words_and_numbers_before_figures(cells):
    page = report_of(cells)
    task, records, _ = cells
    row = next(row for row in compare(records).rows if row.hash == records[0].hash)
    assert f"{row.mean:.3f}" in page.text
    for heading in (
        "What was asked",
        "How well it went",
        "Which features it uses",
        "What to doubt",
    ):
        assert heading in page.text
    assert "ignoring the features" in page.text
    assert task.dataset.provenance.citation in page.text
    assert "python -m smalldata model=linear dataset=toy" in page.text


def test_every_figure_has_a_place_an_alternative_text_and_a_table(cells):
    for page in (report_of(cells), index_of(cells)):
        figures = [attrs["data-figure"] for tag, attrs in page.tags if "data-figure" in attrs]
        assert figures, "no figure"
        assert figures == list(dict.fromkeys(figures))
        assert sorted(figures) == sorted(figure["name"] for figure in page.data["figures"])
        images = [a for _, a in page.tags if a.get("class") == "drawing"]
        assert len(images) == len(figures)
        assert all(image["role"] == "img" and len(image["aria-label"]) > 20 for image in images)
        for figure in page.data["figures"]:
            for name in (figure["table"], *figure["datasets"]):
                columns = page.data["datasets"][name]["data"]
                assert len({len(values) for values in columns.values()}) == 1
                assert len(next(iter(columns.values()))) > 0, f"{figure['name']} draws nothing"
            assert set(figure["params"]) <= set(page.data["params"])
            named = re.findall(r'"data": \{"name": "(\w+)"', json.dumps(figure["spec"]))
            assert set(named) == set(figure["datasets"]), figure["name"]


def test_report_draws_the_figures_of_its_kind_of_task(cells):
    task, _, _ = cells
    names = {figure["name"] for figure in report_of(cells).data["figures"]}
    explained = {"importance", "beeswarm", "heatmap", "dependence", "waterfall"}
    explained |= {"steadiness", "twins", "removals", "pairs"}
    if task.kind.is_classification:
        expected = {"roc", "precision_recall", "calibration", "confusion", "probabilities"}
    else:
        expected = {"observed_predicted", "residuals"}
    if task.kind == "binary":
        expected |= {"operating", "decision_curve"}
    if task.kind == "multiclass":
        explained |= {"importance_all"}
    assert names == expected | explained


def test_report_without_explanation_says_it_was_not_explained(cells):
    page = report_of(cells, explained=False)
    assert "This model was not explained" in page.text
    assert "beeswarm" not in {figure["name"] for figure in page.data["figures"]}
    assert not [a for _, a in page.tags if a.get("id") == "feature-table"]


def test_report_without_comparison_keeps_its_interval(cells):
    task, records, _ = cells
    with_table, without = report_of(cells), Page(report_html(inputs_of(task, records[0])))
    interval = re.search(r"95 % interval \S+ to \S+", with_table.text).group()
    assert interval in without.text
    assert "../index.html" not in [a.get("href") for _, a in without.tags]


def test_report_of_failed_or_skipped_cell_gives_the_reason(cells):
    task, records, _ = cells
    comparison = compare(records)
    failed = Page(report_html(inputs_of(task, records[3], comparison=comparison)))
    assert "3 of 8 folds failed" in failed.text
    assert "it did not converge <b>" in failed.text
    skipped = Page(report_html(inputs_of(task, records[4], comparison=comparison)))
    assert "takes at most 5 features" in skipped.text
    assert "no score" in skipped.text
    assert skipped.data["figures"] == []
    nothing = replace(records[0], folds=())
    assert "There is no score" in Page(report_html(inputs_of(task, nothing))).text


def test_index_links_every_cell_that_has_a_report(cells):
    _, records, _ = cells
    page = index_of(cells)
    links = {a["href"] for tag, a in page.tags if tag == "a" and not a["href"].startswith("#")}
    assert links == {f"{record.folder}/report.html" for record in records[:4]}
    assert "takes at most 5 features" in page.text
    assert "it did not converge <b>" in page.text
    assert "linear" in page.text.split("How the simple models compare")[0]


def test_report_of_one_fold_has_the_interval_of_its_one_model():
    task = make_toy_task()
    record = make_record(task, n_repeats=1)
    single = replace(record, folds=record.folds[:1], n_planned=1)
    page = Page(report_html(inputs_of(task, single)))
    assert "One fold gives no interval" not in page.text
    assert "95 % interval –" not in page.text
    assert "of the score of one model as it was fitted here" in page.text


@pytest.mark.parametrize(
    ("interval", "n_folds", "variance", "test"),
    [
        (
            "jackknife",
            8,
            "The interval counts what test samples and training samples add to the variance.",
            "which counts what test samples and training samples add to the variance; Holm",
        ),
        (
            "nadeau_bengio",
            8,
            "The interval has the corrected variance of Nadeau and Bengio (2003).",
            "Corrected resampled t-test on the fold differences; Holm",
        ),
        (
            "nadeau_bengio",
            1,
            "The interval counts only what test samples add to the variance.",
            "which counts only what test samples add to the variance; Holm",
        ),
    ],
)
def test_pages_say_how_their_intervals_were_made(interval, n_folds, variance, test):
    task = make_toy_task()
    records = [make_record(task, model) for model in ("linear", "knn")]
    records = [
        replace(record, folds=record.folds[:n_folds], n_planned=n_folds) for record in records
    ]
    comparison = compare(records, interval=interval)
    page = Page(report_html(inputs_of(task, records[0], comparison=comparison)))
    assert variance in page.text
    index = Page(index_html(comparison, all_inputs(task, records), task=task))
    assert test in index.text
    assert ("Nadeau and Bengio" in index.text) == (variance.endswith("(2003)."))


def test_learning_curve_appears_with_several_train_sizes():
    task = make_toy_task()
    sizes = (20, 40)
    records = [
        make_record(task, model, train_size=size, identity={"model": model, "size": size})
        for model in ("linear", "dummy")
        for size in sizes
    ]
    page = Page(index_html(compare(records), all_inputs(task, records), task=task))
    learning = page.data["datasets"]["learning"]["data"]
    assert sorted(set(learning["size"])) == list(sizes)
    assert len(learning["mean"]) == 4
    shown = [
        (low is None, high is None)
        for low, high in zip(learning["low"], learning["high"], strict=True)
    ]
    assert sorted(shown) == [(False, False)] * 2 + [(True, True)] * 2, "none of dummy"
    assert "20 samples" in page.text


def test_cell_on_all_samples_is_drawn_at_its_training_size():
    """Also with repeats: 4 folds of 60 samples leave 45 to train on, however often."""
    task = make_toy_task()
    records = [
        make_record(task, "linear", train_size=size, identity={"size": size}, n_repeats=3)
        for size in (20, None)
    ]
    learning = Page(index_html(compare(records), all_inputs(task, records), task=task)).data[
        "datasets"
    ]["learning"]
    assert sorted(learning["data"]["size"]) == [20, 45]


def test_cells_with_other_features_are_left_out_of_the_agreement():
    task, other = make_toy_task(n_features=12), make_toy_task(n_features=14)
    records = [make_record(task, model) for model in ("linear", "knn")]
    wider = make_record(other, "dummy", dataset="toy-wider")
    explanations = {record.hash: make_explanation(task, record) for record in records}
    explanations[wider.hash] = make_explanation(other, wider)
    comparison = compare([*records, wider])
    found = summarize_comparison(comparison, [*records, wider], task, explanations).agreement
    assert [label.split()[0] for label in sorted(found.labels)] == ["knn", "linear"]


# ---------------------------------------------------------------- numbers


def test_drawn_curves_equal_mean_scikit_learn_curves_of_the_folds():
    from sklearn.metrics import precision_recall_curve, roc_curve

    task = make_toy_task(n_samples=80)
    record = make_record(task)
    summary = summarize_outcomes(task, record)
    grid = [point["x"] for point in summary.roc[0].mean]
    for drawn, precision in zip(
        summary.roc[0].repeats, summary.precision_recall[0].repeats, strict=True
    ):
        curves, precisions = [], []
        for fold in record.folds:
            if fold.repeat == drawn.repeat:
                y, p = fold.prediction.y, fold.prediction.probabilities[:, 1]
                curves.append(np.interp(grid, *roc_curve(y, p, drop_intermediate=False)[:2]))
                found, recall, _ = precision_recall_curve(y, p)
                reached = [found[np.flatnonzero(recall >= max(r - 1e-12, 1e-12))[-1]] for r in grid]
                precisions.append(reached)
        np.testing.assert_allclose(drawn.y, np.mean(curves, axis=0), atol=1e-4)
        np.testing.assert_allclose(precision.y, np.mean(precisions, axis=0), atol=1e-4)
    counts = np.array(summary.confusion.counts)
    assert counts.sum() == pytest.approx(task.n_samples)
    assert counts.sum(axis=1) == pytest.approx(np.bincount(task.y))


def test_area_under_the_drawn_curve_equals_the_tabulated_score():
    task = make_toy_task("multiclass", n_samples=150)
    record = make_record(task)
    curves = summarize_outcomes(task, record).roc
    areas = [np.trapezoid([p["y"] for p in c.mean], [p["x"] for p in c.mean]) for c in curves]
    mean = np.mean([fold.scores["roc_auc_ovr"].value for fold in record.folds])
    assert np.mean(areas) == pytest.approx(mean, abs=0.02)


def test_curves_use_margins_when_there_are_no_probabilities():
    task = make_toy_task(n_samples=80)
    record = make_record(task)
    swapped = replace(
        record,
        folds=tuple(
            replace(
                fold,
                prediction=replace(
                    fold.prediction,
                    margin=np.log(fold.prediction.probabilities[:, 1:]) + 10 * i,
                    probabilities=None,
                ),
            )
            for i, fold in enumerate(record.folds)
        ),
    )
    usual, found = summarize_outcomes(task, record), summarize_outcomes(task, swapped)
    assert found.roc == usual.roc
    assert found.calibration == []
    assert "precision_recall" in {
        f["name"] for f in Page(report_html(inputs_of(task, swapped))).data["figures"]
    }


def test_leave_one_out_pools_its_probabilities():
    task = make_toy_task(n_samples=30)
    record = make_record(task, n_repeats=1, n_splits=30)
    curve = summarize_outcomes(task, record).roc[0]
    assert len(curve.repeats) == 1
    (repeat,) = pool_repeats(record.folds)
    from sklearn.metrics import roc_curve

    x, y, _ = roc_curve(repeat.y, repeat.probabilities[:, 1], drop_intermediate=False)
    grid = [point["x"] for point in curve.mean]
    np.testing.assert_allclose(curve.repeats[0].y, np.interp(grid, x, y), atol=1e-4)


def test_explanation_summary_equals_plain_loops():
    task = make_toy_task("multiclass", n_samples=70, blocks=3)
    record = make_record(task)
    explanation = make_explanation(task, record)
    summary = summarize_explanation(task, explanation)
    size = np.abs(explanation.values)
    first = summary.features[0]
    j = task.dataset.feature_names.index(first.name)
    assert first.mean == pytest.approx(size[:, j].mean(), rel=1e-5)
    assert first.mean == max(entry.mean for entry in summary.features)
    folds = [size[explanation.fold == fold].mean(axis=(0, 2)) for fold in range(4)]
    top = sum(j in np.argsort(-fold)[: summary.top_k] for fold in folds) / 4
    assert first.frequency == pytest.approx(top)
    assert first.sd == pytest.approx(np.std([fold[j] for fold in folds], ddof=1), rel=1e-4)
    assert sum(entry.share for entry in summary.features) == pytest.approx(1)
    assert sum(block.share for block in summary.blocks) == pytest.approx(1)
    i = 17
    row = explanation.row[i]
    shown = [summary.samples.phi[1][f][row] for f in range(len(summary.samples.kept))]
    assert sum(shown) + summary.samples.base[1][row] == pytest.approx(
        float(explanation.values[i, :, 1].sum() + explanation.base_values[i, 1]), abs=1e-2
    )
    assert summary.samples.final[1][row] == pytest.approx(
        sum(shown) + summary.samples.base[1][row], abs=1e-2
    )


def test_repeats_are_averaged_and_unexplained_rows_are_empty():
    task = make_toy_task(n_samples=40)
    explanation = make_explanation(task, make_record(task))
    half = explanation.row < 20
    part = {
        name: np.concatenate([getattr(explanation, name)[half]] * 2)
        for name in ("values", "base_values", "row", "fold", "repeat")
    }
    n = half.sum()
    part["repeat"] = np.repeat([0, 1], n)
    part["values"] = part["values"] * np.repeat([1.0, 3.0], n)[:, None, None].astype(np.float32)
    summary = summarize_explanation(task, replace(explanation, **part))
    row = int(part["row"][0])
    j = summary.samples.kept_index[0]
    assert summary.samples.phi[0][0][row] == pytest.approx(
        2 * float(part["values"][0, j, 0]), rel=1e-3
    )
    assert summary.samples.phi[0][0][39] is None
    assert summary.samples.explained == sorted(set(part["row"].tolist()))
    assert summary.n_repeats == 2


def test_missing_and_not_finite_numbers_never_reach_the_page():
    task = make_toy_task(missing=True, categorical=True)
    record = make_record(task)
    html = report_html(
        inputs_of(task, record, explanation=make_explanation(task, record, sampled=True))
    )
    assert "NaN" not in Page(html).scripts[0]
    assert "nan" not in Page(html).text.split()
    assert strict_plain({"a": [np.nan, np.inf, np.float32(1)]}) == {"a": [None, None, 1.0]}
    summary = summarize_cell(inputs_of(task, record, explanation=make_explanation(task, record)))
    json.dumps(asdict(summary), allow_nan=False)


# ---------------------------------------------------------------- nothing out, nothing in


@pytest.mark.parametrize("kind", KINDS)
def test_report_escapes_hostile_names(kind):
    task = make_toy_task(kind, hostile=True, categorical=True, blocks=2)
    records = [
        make_record(task, model, settings={"C": HOSTILE[1]}, identity={"n": HOSTILE[1], "m": model})
        for model in ("linear", "knn", "dummy")
    ]
    bad = make_record(task, "svm", fail=1)
    explanation = make_explanation(task, records[0], notes=(HOSTILE[1],))
    explanation = add_evidence(task, records[0], explanation)
    null = make_null(explanation)
    comparison = compare([*records, bad])
    pages = [
        report_html(
            inputs_of(task, records[0], explanation=explanation, comparison=comparison, null=null)
        ),
        index_html(
            comparison,
            all_inputs(
                task, [*records, bad], explanations={record.hash: explanation for record in records}
            ),
            task=task,
        ),
    ]
    harmless = make_toy_task(kind, categorical=True, blocks=2)
    for html in pages:
        page = Page(html)
        assert not [tag for tag, _ in page.tags if tag == "img"]
        assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
        assert len(page.scripts) == 5, "a name closed or opened a script element"
        assert HOSTILE[0] in page.text
        assert HOSTILE[1] in page.text
        assert "{{ 7 * 7 }}" in page.text
        assert "49" not in re.findall(r"\S+", page.text)
        names = [name for value in page.data["params"].values() for name in value]
        assert any(HOSTILE[1] in str(name) for name in names), "a name was changed on its way"
    # A name is never part of a specification: whatever the names, the specs are the same.
    usual = make_record(harmless, "linear")
    other = add_evidence(harmless, usual, make_explanation(harmless, usual))
    plain_page = Page(
        report_html(inputs_of(harmless, usual, explanation=other, null=make_null(other)))
    )
    hostile_page = Page(
        report_html(inputs_of(task, records[0], explanation=explanation, null=null))
    )
    for figure in (*plain_page.data["figures"], *hostile_page.data["figures"]):
        assert not any(name in json.dumps(figure["spec"]) for name in ("gene_", "alert", "onerror"))


def test_page_loads_nothing_from_outside_and_forbids_it(cells):
    for page in (report_of(cells), index_of(cells)):
        for tag, attrs in page.tags:
            assert "src" not in attrs, tag
            assert tag not in ("link", "iframe", "object", "embed", "base", "form")
            if "href" in attrs:
                assert not re.match(r"[a-z]+:|//", attrs["href"]), attrs["href"]
        policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
        assert policy.startswith("default-src 'none'")
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("style-src")[0]
        assert policy.count("sha256-") == 4
    html = report_html(inputs_of(*cells[:1], cells[1][0]))
    assert "@import" not in html
    styles = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    assert "url(" not in styles


def test_vendored_scripts_match_the_checksums_of_their_readme():
    import hashlib
    from importlib.resources import files

    folder = files("smalldata.report") / "templates" / "vendor"
    listed = re.findall(r"\| (\S+\.js) \| .*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    assert len(listed) == 3
    for name, digest in listed:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len([entry for entry in folder.iterdir() if entry.name.endswith(".LICENSE")]) == 3


def test_embedded_json_round_trips_and_cannot_close_the_script():
    value = {"name": "</script><!--\u2028&'\"", "n": [1, None]}
    text = str(embed_json(value))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json([float("nan")])


# ---------------------------------------------------------------- size and speed of import


def wide_explanation(n_rows: int, n_features: int, n_outputs: int, names) -> Explanation:
    rng = np.random.default_rng(0)
    scale = np.exp(-np.arange(n_features) / 40).astype(np.float32)
    values = rng.normal(size=(n_rows, n_features, n_outputs)).astype(np.float32)
    return Explanation(
        values=values * scale[None, :, None],
        base_values=rng.normal(size=(n_rows, n_outputs)),
        row=np.arange(n_rows),
        repeat=np.zeros(n_rows, dtype=np.int64),
        fold=np.arange(n_rows) % 5,
        feature_names=names,
        scale="log-odds",
        outputs=tuple(f"type {k}" for k in range(n_outputs)) if n_outputs > 1 else ("impaired",),
        additivity_error=1e-8,
    )


def test_report_pages_stay_below_the_size_limit():
    task = make_toy_task(n_samples=333, n_features=130)
    record = make_record(task, n_repeats=5, n_splits=5)
    explanation = wide_explanation(333, 130, 1, task.dataset.feature_names)
    explanation = add_evidence(task, record, explanation, 20)
    html = report_html(
        inputs_of(task, record, explanation=explanation, null=make_null(explanation, 99))
    )
    assert len(html.encode()) < 2_000_000

    wide = make_toy_task("multiclass", n_samples=57, n_features=6830, n_classes=8)
    record = make_record(wide, "dummy", n_repeats=5, n_splits=5)
    explanation = wide_explanation(57, 6830, 8, wide.dataset.feature_names)
    explanation = add_evidence(wide, record, explanation, 20)
    html = report_html(
        inputs_of(wide, record, explanation=explanation, null=make_null(explanation, 99))
    )
    assert len(html.encode()) < 5_000_000
    text = Page(html).text
    assert f"The first {N_TABLE} of 6830 features" in text
    assert "of 6830 features are shown; the others are summed" in text


def test_waterfall_sums_the_features_not_drawn():
    names = tuple(f"f{j}" for j in range(6000))
    task = make_toy_task(n_samples=40, n_features=6000)
    explanation = wide_explanation(40, 6000, 1, names)
    summary = summarize_explanation(task, explanation)
    assert len(summary.samples.kept) == N_PLOTTED
    total = float(explanation.values[7].sum())
    shown = sum(values[7] for values in summary.samples.phi[0])
    assert summary.samples.rest[0][7] == pytest.approx(total - shown, abs=1e-2)


def test_importing_report_loads_nothing_heavy():
    code = (
        "import sys, smalldata.report; print([m for m in "
        "('torch','shap','xgboost','sklearn','rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- the screen


def printed(comparison, **options) -> str:
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, highlight=False, **options))
    return out.getvalue()


def test_screen_marks_the_best_words_and_reasons(cells):
    _, records, _ = cells
    comparison = compare(records)
    text = printed(comparison, force_terminal=True, width=120, color_system="standard")
    best = next(row for row in comparison.rows if row.rank == 1)
    line = next(line for line in text.splitlines() if f"{best.mean:.3f}" in line)
    assert "\x1b[1;32m" in line
    assert "svm failed: r00f00: it did not converge <b>" in text
    assert "mlp skipped: takes at most 5 features" in text
    rows = [row for row in comparison.rows if row.measure == comparison.measure]
    for mark in "=?":
        marked = sum(f"{mark}  " in line for line in text.splitlines())
        assert marked == sum(row.mark == mark for row in rows)
    assert "=: practically equal to the best, ?: cannot be told apart" in text
    assert f"trained on about {comparison.n_train} samples of this kind of data" in text
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 120 for line in text.splitlines()[:8])


def test_piped_screen_is_a_plain_table_of_all_measures(cells):
    _, records, _ = cells
    text = printed(compare(records))
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(records)
    assert len({line.count("|") for line in rows}) == 1
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_screen_prints_names_without_reading_markup():
    task = make_toy_task()
    records = [
        make_record(task, model, settings={"note": "[bold red]x[/]"}, target="[link=x]y[/link]")
        for model in ("linear", "dummy")
    ]
    text = printed(compare(records), force_terminal=True, width=160)
    assert "[bold red]x[/]" in text
    assert "[link=x]y[/link]" in text
