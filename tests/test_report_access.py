"""The pages for everyone: axe-core finds nothing serious, the keyboard reaches every control."""

from importlib.resources import files
from pathlib import Path

import pytest

from browsing import CHROMIUM
from report_cells import (
    add_losses,
    all_inputs,
    inputs_of,
    make_explanation,
    make_record,
    make_toy_task,
)
from smalldata.comparison.comparison import compare
from smalldata.report import index_html, report_html
from test_report_tuning import make_tuned

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]

CONTROLS = 'a[href], button, select, input, summary, [tabindex="0"]'

FITTED = """() => [...document.querySelectorAll(".canvas")].every((canvas) =>
    Math.abs(canvas.querySelector("svg").clientWidth - canvas.clientWidth) <= 1)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A multiclass report with blocks, a tuned one with losses, a comparison with a failed cell."""
    folder = tmp_path_factory.mktemp("outputs")
    task = make_toy_task("multiclass", n_samples=50, blocks=2, categorical=True)
    records = [make_record(task, model) for model in ("linear", "knn", "dummy")]
    records.append(make_record(task, "svm", fail=1))
    comparison = compare(records)
    explanation = make_explanation(task, records[0])
    binary = make_toy_task("binary", n_samples=50)
    tuned, trials = make_tuned(binary, folder)
    tuned = add_losses(tuned)
    texts = {
        "report": report_html(
            inputs_of(task, records[0], explanation=explanation, comparison=comparison)
        ),
        "index": index_html(
            comparison,
            all_inputs(task, records, explanations={r.hash: explanation for r in records[:2]}),
            task=task,
        ),
        "tuned": report_html(inputs_of(binary, tuned, trials=trials)),
    }
    settings = (
        {"preprocess.select": "univariate", "preprocess.k": 20},
        {"learner.max_depth": 3, "learner.n_rounds": 300, "learner.learning_rate": 0.05},
    )
    many = [make_record(binary, model) for model in ("linear", "knn", "svm", "dummy")]
    many += [
        make_record(binary, model, settings=changed, identity={"n": f"{model} {changed}"})
        for model in ("linear", "svm")
        for changed in settings
    ]
    explained = make_explanation(binary, many[0])
    texts["wide"] = index_html(
        compare(many),
        all_inputs(binary, many, explanations={r.hash: explained for r in many}),
        task=binary,
    )
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("which", ["report", "index", "tuned"])
def test_axe_finds_nothing_serious(tab, pages, which):
    page = tab.open(pages[which])
    page.evaluate("for (const d of document.querySelectorAll('details.card')) d.open = true")
    page.locator("details.data summary").first.click()
    # Evaluated by the browser's own tools: the page's policy lets no script in.
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    for width, scheme in ((1440, "light"), (1440, "dark"), (390, "dark"), (390, "light")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FITTED)  # the rules are not run while figures are drawn anew
        # The drawings are hidden from screen readers; the tables below them say the same.
        found = page.evaluate(
            """() => axe.run({exclude: [".canvas"]}, {resultTypes: ["violations"]})"""
        )
        assert len(found["passes"]) > 20, "the rules were not run"
        grave = [
            (entry["id"], [node["target"] for node in entry["nodes"]][:5])
            for entry in found["violations"]
            if entry["impact"] in ("serious", "critical")
        ]
        assert grave == [], (width, scheme)


def test_axe_reports_violations_of_a_broken_page(tab, pages):
    page = tab.open(pages["index"])
    page.evaluate(
        """() => {
            document.querySelector("select").parentNode.replaceWith(document.querySelector("select"));
            document.querySelector(".note").style.color = "#ddd";
        }"""
    )
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run({exclude: ['.canvas']})")
    assert {"select-name", "color-contrast"} <= {entry["id"] for entry in found["violations"]}


@pytest.mark.parametrize("which", ["report", "index", "tuned"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(tab, pages, which):
    page = tab.open(pages[which])
    shown = page.evaluate(
        """(controls) => {
            const shown = [...document.querySelectorAll(controls)].filter(
                (element) => element.checkVisibility() && !element.closest("#tooltip"));
            shown.forEach((element, i) => { element.dataset.place = i; });
            return shown.length;
        }""",
        CONTROLS,
    )
    assert shown > 20
    order, hidden = [], []
    for _ in range(shown + 2):
        page.keyboard.press("Tab")
        place, outlined = page.evaluate(
            """() => {
                const style = getComputedStyle(document.activeElement);
                return [document.activeElement.dataset.place,
                        style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1];
            }"""
        )
        if place is not None:
            order.append(int(place))
            if not outlined:
                hidden.append(place)
    assert order[:shown] == list(range(shown)), "in the order of the page"
    assert hidden == []


def test_the_skip_link_comes_first_and_leads_to_the_content(tab, pages):
    page = tab.open(pages["index"])
    page.keyboard.press("Tab")
    link = page.locator("a.skip")
    assert link.evaluate("(link) => link === document.activeElement")
    assert link.bounding_box()["x"] >= 0, "it shows while it has the focus"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.getElementById('main').contains(document.activeElement)")


def test_data_tables_open_and_scroll_by_the_keyboard(tab, pages):
    page = tab.open(pages["index"])
    for name in ("overlap", "correlation"):
        page.locator(f"#figure-{name} details.data summary").focus()
        page.keyboard.press("Enter")
        page.locator(f"#figure-{name} details.data tbody tr").first.wait_for()
        head = page.locator(f"#figure-{name} details.data thead th").all_text_contents()
        assert head[:3] == ["First", "Second", "Overlap of rankings"]
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.classList.contains('scroll')")
        column = head.index("Overlap of rankings")
        cells = page.locator(f"#figure-{name} details.data tbody tr td").all_text_contents()
        assert float(cells[column]) == pytest.approx(1.0), "two models with one explanation"


def test_the_table_of_features_sorts_and_downloads(tab, pages):
    page = tab.open(pages["index"])
    names = "#agreement-table tbody th"
    first = page.locator(names).all_text_contents()
    page.locator("#agreement-table thead button", has_text="Feature").click()
    assert page.locator(names).all_text_contents() != first
    text = tab.download("[data-download-table=agreement-table]").decode()
    lines = text.split("\r\n")
    assert lines[0].startswith("Feature,Used by,Mean share,")
    assert len(lines) == 12 + 2
    assert "all good models" not in text, "the CSV holds names alone"


@pytest.mark.parametrize("width", [1440, 1280])
def test_wide_tables_scroll_within_the_page(tab, pages, width):
    page = tab.open(pages["wide"])
    page.set_viewport_size({"width": width, "height": 900})
    assert page.locator("#comparison-table thead th").count() >= 13
    for table in ("comparison-table", "agreement-table"):
        hidden = page.locator(f".scroll:has(#{table})").evaluate(
            "(scroll) => scroll.scrollWidth - scroll.clientWidth"
        )
        assert hidden == 0, table
