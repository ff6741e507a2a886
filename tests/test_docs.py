"""The pages of the documentation: their links lead somewhere, and the files they name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*/README.md")),
]
DECISIONS = ROOT / "docs" / "decisions"


def _anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _name(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_yaml_test_and_benchmark_that_a_page_names_exists(page):
    named = re.findall(
        r"`((?:conf|tests|benchmarks|scripts)/[\w/.]+)`", page.read_text(encoding="utf-8")
    )
    for path in named:
        assert (ROOT / path).exists() or "NAME" in path, path


def test_every_module_that_a_page_names_exists():
    roots = (ROOT / "src" / "smalldata", ROOT)
    absent = [
        (_name(page), path)
        for page in PAGES
        for path in re.findall(r"`([a-z_]+/[a-z0-9_/]*\.py)`", page.read_text(encoding="utf-8"))
        if not any((root / path).exists() for root in roots)
    ]
    assert absent == []


def test_the_index_lists_every_decision_once_and_each_has_its_four_parts():
    files = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\d{3}-[\w-]+\.md)\)", index)) == files
    assert [int(name[:3]) for name in files] == list(range(1, len(files) + 1))
    for name in files:
        text = (DECISIONS / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {name[:3]} "), name
        for part in ("Context", "Decision", "Measured", "Consequences"):
            assert f"**{part}.**" in text, (name, part)
