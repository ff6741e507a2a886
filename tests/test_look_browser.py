"""The page of a look in a browser: figures are drawn, axe finds nothing serious."""

from importlib.resources import files

import pytest

from browsing import CHROMIUM, drawings
from smalldata import Dataset, load_dataset, look
from smalldata.datasets import read_files
from smalldata.report.look_page.page import preview_page
from smalldata.runtime.catalogue import read_entry
from test_look import messy
from test_report_access import FITTED

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A binary table with all there can be, a regression, nine classes, files without a target."""
    folder = tmp_path_factory.mktemp("look")
    table = folder / "my table.csv"
    messy().to_csv(table, index=False)
    texts = {
        "binary": look(Dataset.from_file(table, target="diag", batch="chip", groups="person")),
        "regression": look(load_dataset("meats")),
        "many": look(load_dataset("nci60")),
    }
    texts = {name: seen.html() for name, seen in texts.items()}
    section = read_entry("dataset", "table") | {"path": str(table)}
    texts["files"] = preview_page(read_files(section), refusal="x <b>must</b> be y.").html()
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


def test_the_pictures_are_drawn(tab, pages):
    drawn = {name: drawings(tab.open(page)) for name, page in pages.items()}
    assert drawn["binary"]["principal"] >= 60
    assert drawn["binary"]["gaps"] >= 14
    assert set(drawn["regression"]) == {"principal"}
    assert drawn["regression"]["principal"] >= 215
    assert drawn["many"]["principal"] >= 57
    assert drawn["files"] == {}


def test_a_data_table_says_what_a_picture_shows(tab, pages):
    page = tab.open(pages["binary"])
    page.locator("#figure-gaps details.data summary").click()
    page.locator("#figure-gaps .data .scroll td").first.wait_for()
    text = page.locator("#figure-gaps .data .scroll").inner_text()
    assert "</script><b>x" in text
    assert "<i>case" in text


@pytest.mark.parametrize("which", ["binary", "regression", "many", "files"])
def test_axe_finds_nothing_serious(tab, pages, which):
    page = tab.open(pages[which])
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    for width, scheme in ((1440, "light"), (390, "dark")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FITTED)
        found = page.evaluate(
            """() => axe.run({exclude: [".canvas"]}, {resultTypes: ["violations"]})"""
        )
        assert len(found["passes"]) > 15, "the rules were not run"
        grave = [
            (entry["id"], [node["target"] for node in entry["nodes"]][:5])
            for entry in found["violations"]
            if entry["impact"] in ("serious", "critical")
        ]
        assert grave == [], (width, scheme)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "the page scrolls sideways"
