"""The pages in a real browser: opened from a file with the network off, every control used once."""

import csv
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from browsing import CHROMIUM, Tab, drawings
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
from smalldata.report import index_html, report_html

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two pages of a plain binary, a plain regression and a hostile multiclass comparison."""
    folder = tmp_path_factory.mktemp("outputs")
    written = {}
    for name, task in (
        ("binary", make_toy_task("binary", n_samples=80, missing=True)),
        ("regression", make_toy_task("regression", n_samples=80)),
        (
            "hostile",
            make_toy_task("multiclass", n_samples=80, blocks=2, hostile=True, categorical=True),
        ),
    ):
        records = [make_record(task, model) for model in ("linear", "knn", "dummy")]
        records.append(make_record(task, "svm", fail=1))
        comparison = compare(records)
        explanation = add_evidence(task, records[0], make_explanation(task, records[0]))
        null = make_null(explanation)
        report = report_html(
            inputs_of(task, records[0], explanation=explanation, comparison=comparison, null=null)
        )
        index = index_html(
            comparison,
            all_inputs(task, records, explanations={r.hash: explanation for r in records[:2]}),
            task=task,
        )
        place = folder / name / records[0].folder / "report.html"
        place.parent.mkdir(parents=True)
        written[f"{name} report"] = place
        written[f"{name} index"] = folder / name / "index.html"
        place.write_text(report, encoding="utf-8")
        written[f"{name} index"].write_text(index, encoding="utf-8")
    return written


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
@pytest.mark.parametrize("kind", ["binary", "regression", "hostile"])
@pytest.mark.parametrize("which", ["report", "index"])
def test_every_figure_is_drawn_and_fits(browser, pages, which, kind, scheme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    tab = Tab(context.new_page())
    page = tab.open(pages[f"{kind} {which}"])
    drawn = drawings(page)
    assert drawn
    assert min(drawn.values()) > 0, drawn
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    too_wide = page.evaluate(
        """() => [...document.querySelectorAll("[data-figure]")].filter((figure) =>
            figure.querySelector("svg").getBoundingClientRect().right >
            figure.getBoundingClientRect().right + 1).map((figure) => figure.dataset.figure)"""
    )
    assert too_wide == []
    context.close()
    assert tab.complaints == []


def texts(page: Any, figure: str) -> list[str]:
    return page.locator(f"#figure-{figure} .canvas text").all_text_contents()


def test_controls_of_a_report_change_what_is_drawn(tab, pages):
    page = tab.open(pages["hostile report"])
    before = {name: texts(page, name) for name in ("importance", "beeswarm")}
    page.locator("#explanation select[data-signal=k]").select_option(index=2)
    page.wait_for_function(
        "(old) => document.querySelector('#figure-importance .canvas').textContent !== old",
        arg="".join(before["importance"]),
    )
    assert page.locator("#outcomes select[data-signal=k]").input_value() == "2"

    title = texts(page, "dependence")
    page.locator("select[data-signal=f]").select_option(index=1)
    page.wait_for_function(
        "(old) => document.querySelector('#figure-dependence .canvas').textContent !== old",
        arg="".join(title),
    )
    chosen = page.locator("select[data-signal=f] option").nth(1).text_content()
    assert chosen in texts(page, "dependence")

    old = texts(page, "waterfall")
    page.locator("select[data-signal=s]").select_option(index=7)
    page.wait_for_function(
        "(old) => document.querySelector('#figure-waterfall .canvas').textContent !== old",
        arg="".join(old),
    )


def test_drawn_marks_equal_the_summary_numbers(tab, pages):
    page = tab.open(pages["hostile report"])
    data = json.loads(page.locator("#page-data").text_content())["params"]
    page.locator("#explanation select[data-signal=k]").select_option(index=2)
    page.locator("select[data-signal=s]").select_option(index=5)
    sample = int(page.locator("select[data-signal=s]").input_value())
    title = f"{data['final'][2][sample]:.3g}".replace("-", "−")
    page.locator("#figure-waterfall .canvas text", has_text=f"this sample {title}").wait_for()
    moves = [
        float(text.replace("−", "-"))
        for text in page.locator("#figure-waterfall .mark-text.role-mark text").all_text_contents()
    ]
    assert len(moves) == 12
    assert sum(moves) == pytest.approx(data["final"][2][sample] - data["base"][2][sample], abs=0.02)
    # Rows of the beeswarm stand in the order of importance of the chosen class.
    spread = page.evaluate(
        """() => {
            const figure = document.querySelector("#figure-beeswarm .canvas");
            const left = (element) => element.getBoundingClientRect().left +
                element.getBoundingClientRect().width / 2;
            const labels = [...figure.querySelectorAll(".role-axis-label text")];
            const zero = left(labels.find((label) => Number(label.textContent) === 0));
            const ids = labels.filter((label) => /[a-z]/.test(label.textContent));
            const rows = ids.map((label) => {
                const box = label.getBoundingClientRect();
                return box.top + box.height / 2;
            });
            const sums = rows.map(() => [0, 0]);
            for (const dot of figure.querySelectorAll(".mark-symbol.role-mark path")) {
                const box = dot.getBoundingClientRect();
                const middle = box.top + box.height / 2;
                const gaps = rows.map((row) => Math.abs(row - middle));
                const row = gaps.indexOf(Math.min(...gaps));
                sums[row][0] += Math.abs(left(dot) - zero);
                sums[row][1] += 1;
            }
            return sums.map(([sum, n]) => sum / n);
        }"""
    )
    assert len(spread) == 12
    assert all(a > b - 1.5 for a, b in itertools.pairwise(spread)), spread


def test_a_click_on_a_sample_shows_its_waterfall(tab, pages):
    page = tab.open(pages["binary report"])
    select = page.locator("select[data-signal=s]")
    points = page.locator("#figure-probabilities .canvas .mark-symbol.role-mark path")
    first = select.input_value()
    for place in range(5):
        points.nth(place).click(force=True)
        if select.input_value() != first:
            break
    assert select.input_value() != first
    point = page.locator("#figure-beeswarm .canvas .mark-symbol.role-mark path").nth(40)
    point.scroll_into_view_if_needed()  # waits until the page no longer moves; force does not
    point.click(force=True)


def test_tooltip_of_a_sample_shows_its_name_as_text(tab, pages):
    page = tab.open(pages["hostile report"])
    seen = set()
    points = page.locator("#figure-beeswarm .canvas .mark-symbol.role-mark path")
    for place in range(0, 60):
        points.nth(place).hover(force=True)
        page.wait_for_selector("#tooltip:not([hidden])")
        seen |= set(page.locator("#tooltip dd").all_text_contents())
    assert any(name in seen for name in HOSTILE)
    assert page.locator("#tooltip img").count() == 0


def test_tables_sort_search_and_open(tab, pages):
    page = tab.open(pages["binary report"])
    names = "#feature-table tbody tr:visible th"
    first = page.locator(names).all_text_contents()
    page.locator("#feature-table thead button", has_text="Feature").click()
    ordered = page.locator(names).all_text_contents()
    assert sorted(first) != first
    assert ordered == sorted(first, key=lambda name: int(name.split("_")[1]))
    page.locator("#feature-table thead button", has_text="Mean").click()
    page.locator("#feature-table thead button", has_text="Mean").click()
    assert page.locator(names).all_text_contents() == first
    page.locator("[data-search]").fill("gene_1")
    assert set(page.locator(names).all_text_contents()) == {"gene_1", "gene_10", "gene_11"}
    for figure in page.locator("[data-figure]").all():
        figure.locator("details.data summary").click()
        figure.locator("details.data tbody tr").first.wait_for()
        head = figure.locator("details.data thead th").count()
        assert figure.locator("details.data tbody tr").first.locator("td").count() == head


def test_downloads_contain_data_and_drawing(tab, pages):
    page = tab.open(pages["hostile report"])
    table = tab.download("#figure-beeswarm [data-download=csv]").decode()
    # Not splitlines(): one of the names holds a line separator.
    rows = list(csv.reader(io.StringIO(table, newline="")))
    assert rows[0] == ["Sample", "Feature", "Value", "Shapley value"]
    assert len(rows) == 1 + 80 * 12
    assert {row[1] for row in rows} >= {*HOSTILE[:4]}
    assert "'=sum(A1)" in {row[1] for row in rows}, "a spreadsheet would run it as a formula"
    assert any(row[3].startswith("-") for row in rows), "a negative number stays one"
    assert all(re.fullmatch(r"-?\d.*", row[3]) for row in rows[1:])

    drawing = tab.download("#figure-waterfall [data-download=svg]").decode()
    assert drawing.startswith("<svg")
    assert "currentColor" not in drawing
    assert "<script" not in drawing
    assert "<img" not in drawing
    picture = tab.download("#figure-roc [data-download=png]")
    assert picture.startswith(b"\x89PNG")
    features = tab.download("[data-download-table=feature-table]").decode()
    assert len(list(csv.reader(io.StringIO(features, newline="")))) == 13
    assert page.locator("#figure-roc").is_visible()


def test_the_table_of_models_downloads_as_numbers(tab, pages):
    tab.open(pages["binary index"])
    text = tab.download("[data-download-table=comparison-table]").decode()
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head[:5] == ["Rank", "Model", "ROC AUC", "95 % interval from", "95 % interval to"]
    for row in rows:
        assert len(row) == len(head)
        rank, _, mean, low, high, *others = row
        if rank:  # svm failed a fold
            if low:  # dummy shows no variation
                assert float(low) <= float(mean) <= float(high)
            assert int(rank) >= 1
        assert all(cell == "" or float(cell) is not None for cell in others)


def test_model_can_be_highlighted_by_keyboard(tab, pages):
    page = tab.open(pages["binary index"])
    faded = "#figure-roc .canvas .mark-line path[opacity='0.12']"
    assert page.locator(faded).count() == 0
    page.locator("select[data-signal=c]").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("(s) => document.querySelectorAll(s).length > 0", arg=faded)


def test_index_leads_to_the_report_and_back(tab, pages):
    page = tab.open(pages["binary index"])
    page.locator("select[data-signal=m]").select_option(index=3)
    before = "".join(texts(page, "roc"))
    page.locator("#comparison-table tbody a", has_text="linear").first.click()
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert page.title() == "linear on toy"
    page.locator("a", has_text="All models on").click()
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert "".join(texts(page, "roc")) == before


def test_printing_shows_every_row_and_no_control(tab, pages):
    page = tab.open(pages["binary report"])
    page.emulate_media(media="print")
    assert page.locator("button[data-download]:visible").count() == 0
    assert page.locator("#feature-table tbody tr:visible").count() == 12
    assert page.pdf(format="A4").startswith(b"%PDF")


# ---------------------------------------------------------------- samples, features and paper


def chosen(page: Any, signal: str) -> str:
    return page.locator(f"select[data-signal={signal}]").first.input_value()


RECTANGLES = "#figure-heatmap .canvas .mark-rect.role-mark path"


def test_a_click_on_the_map_shows_its_sample_and_feature(tab, pages):
    page = tab.open(pages["hostile report"])
    params = json.loads(page.locator("#page-data").text_content())["params"]
    first = chosen(page, "s")
    cells = page.locator(RECTANGLES)
    assert cells.count() == 80 * (12 + 1), "a row per feature and the observed classes"
    cells.nth(80 * 3 + 17).hover(force=True)
    page.wait_for_selector("#tooltip:not([hidden])")
    sample, feature = page.locator("#tooltip dd").all_text_contents()[:2]
    cells.nth(80 * 3 + 17).click(force=True)
    assert chosen(page, "s") != first
    assert params["rows"][int(chosen(page, "s"))] == sample
    assert params["features"][int(chosen(page, "f"))] == feature


def test_map_has_two_sample_orders_and_marks_the_selected_sample(tab, pages):
    page = tab.open(pages["binary report"])
    params = json.loads(page.locator("#page-data").text_content())["params"]
    mark = "#figure-heatmap .canvas .mark-symbol.role-mark path"
    across = """([mark, row]) => {
        const middle = (element) => {
            const box = element.getBoundingClientRect();
            return box.left + box.width / 2;
        };
        const cells = [...document.querySelectorAll(row)].slice(0, 80).map(middle);
        const own = middle(document.querySelector(mark));
        return cells.filter((x) => x < own - 1).length;
    }"""
    for order in (0, 1):
        for sample in (4, 71):
            page.locator("select[data-signal=o]").select_option(index=order)
            page.locator("select[data-signal=s]").select_option(value=str(sample))
            place = params["places"][order][0][sample]
            page.wait_for_function(
                f"(given) => ({across})(given) === {place}", arg=[mark, RECTANGLES]
            )


def test_selected_sample_is_marked_in_every_figure(tab, pages):
    for kind, names in (
        ("binary", ("probabilities",)),
        ("regression", ("dependence", "observed_predicted", "residuals")),
    ):
        page = tab.open(pages[f"{kind} report"])
        page.locator("select[data-signal=s]").select_option(index=11)
        for name in names:
            page.wait_for_function(
                "(s) => document.querySelectorAll(s).length === 1",
                arg=f"#figure-{name} .canvas .mark-symbol.role-mark path[stroke='currentColor']",
            )


def test_a_click_on_a_bar_shows_its_feature(tab, pages):
    page = tab.open(pages["binary report"])
    bars = page.locator("#figure-importance .canvas .mark-rect.role-mark path")
    bars.nth(5).click(force=True, position={"x": 2, "y": 5})
    assert chosen(page, "f") == "5"
    name = page.locator("select[data-signal=f] option").nth(5).text_content()
    page.locator("#figure-dependence .canvas text", has_text=name).wait_for()


def test_tables_of_explanation_figures_hold_the_drawn_numbers(tab, pages):
    tab.open(pages["hostile report"])
    for name, head in (
        ("steadiness", ["Feature", "Fold", "Rank in the fold"]),
        ("pairs", ["Class", "Feature", "With", "Mean |interaction|"]),
        ("twins", ["Feature", "Rank", "Mean |Shapley value|", "Most like"]),
        ("removals", ["Replaced", "How many"]),
        ("heatmap", ["Sample", "Feature", "Value", "Shapley value"]),
    ):
        text = tab.download(f"#figure-{name} [data-download=csv]").decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert rows[0][: len(head)] == head
        assert len(rows) > 5
        assert tab.download(f"#figure-{name} [data-download=svg]").startswith(b"<svg")
    # The marked sample chooses no rows: the map's table holds all of them.
    assert len(rows) == 1 + 80 * 12


def test_printed_page_names_the_selected_options(tab, pages):
    page = tab.open(pages["hostile report"])
    page.locator("#explanation select[data-signal=k]").select_option(index=2)
    page.locator("select[data-signal=f]").select_option(index=1)
    page.locator("select[data-signal=s]").select_option(index=7)
    wanted = [
        page.locator(f"select[data-signal={name}]").first.evaluate(
            "(select) => select.selectedOptions[0].text"
        )
        for name in ("k", "f", "s")
    ]
    assert page.locator(".control .print-only:visible").count() == 0
    page.emulate_media(media="print")
    told = page.locator(".control .print-only:visible").all_text_contents()
    assert len(told) == page.locator("select[data-signal]").count()
    assert set(wanted) <= set(told)


@pytest.mark.parametrize("kind", ["binary", "regression", "hostile"])
@pytest.mark.parametrize("which", ["report", "index"])
def test_a_page_prints_on_a4_without_controls_and_with_whole_figures(tab, pages, kind, which):
    page = tab.open(pages[f"{kind} {which}"])
    page.set_viewport_size({"width": 688, "height": 1017})  # A4 less the margins, at 96 dpi
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    controls = "button[data-download], button[data-download-table], select, nav"
    assert page.locator(controls).filter(visible=True).count() == 0
    cut = page.evaluate(
        """() => [...document.querySelectorAll("[data-figure]")].filter((figure) => {
            const card = figure.getBoundingClientRect();
            const drawing = figure.querySelector("svg").getBoundingClientRect();
            return card.height > 1017 || drawing.right > card.right || drawing.left < card.left ||
                drawing.bottom > card.bottom || drawing.width < 400;
        }).map((figure) => figure.dataset.figure)"""
    )
    assert cut == []
    wide = page.evaluate(
        """() => [...document.querySelectorAll("table")].filter((table) =>
            table.getBoundingClientRect().right > document.documentElement.clientWidth).length"""
    )
    assert wide == 0
    pdf = page.pdf(format="A4")
    sizes = {tuple(map(float, box)) for box in re.findall(rb"/MediaBox \[0 0 (\S+) (\S+)\]", pdf)}
    assert [[round(side) for side in size] for size in sizes] in ([[595, 842]], [[596, 843]])
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")


def test_every_select_of_a_report_is_reached_by_the_keyboard(tab, pages):
    page = tab.open(pages["hostile report"])
    names = page.evaluate(
        """() => [...new Set([...document.querySelectorAll("select[data-signal]")].map(
            (select) => select.dataset.signal))]"""
    )
    assert sorted(names) == ["f", "k", "o", "s"]
    for name in names:
        before = chosen(page, name)
        page.locator(f"select[data-signal={name}]").first.focus()
        page.keyboard.press("ArrowDown")
        assert chosen(page, name) != before
