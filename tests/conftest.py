"""Fixtures that several files of tests share, and which tests ``--quick`` leaves out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import ARGUMENTS, CHROMIUM, Tab
from memory import forget
from servers import find_programs, postgres_server

QUICK = (
    "test_bootstrap.py",
    "test_comparison.py",
    "test_console.py",
    "test_curves.py",
    "test_datasets_errors.py",
    "test_datasets_table.py",
    "test_docs.py",
    "test_explanationoptions.py",
    "test_house.py",
    "test_hydra_keys.py",
    "test_measures.py",
    "test_notebook.py",
    "test_powerlaw.py",
    "test_resampling.py",
    "test_shapley_game.py",
    "test_significance.py",
    "test_splitting.py",
    "test_stability.py",
    "test_task.py",
)
"""Files that ``--quick`` reads; of them it leaves out the tests marked slow."""


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="run the tests of daily work alone")


def pytest_configure(config):
    folder = Path(__file__).parent
    if absent := [name for name in QUICK if not (folder / name).exists()]:
        raise pytest.UsageError(f"QUICK in conftest.py names {absent}, which do not exist")
    if config.getoption("quick"):
        config.option.markexpr = "not slow"


def pytest_ignore_collect(collection_path, config):
    is_test = collection_path.name.startswith("test_")
    if config.getoption("quick") and is_test and collection_path.name not in QUICK:
        return True
    return None


@pytest.fixture(autouse=True)
def _new_process():
    """Start each test as a new process would."""
    forget()


@pytest.fixture(scope="module")
def server():
    programs = find_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server here: no initdb")
    with postgres_server(programs) as found:
        yield found


@pytest.fixture
def url(request, tmp_path):
    """Of an empty database: SQLite's, or where the test is parametrised so, the server's."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'studies.db'}"
    return request.getfixturevalue("server").create(tmp_path.name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    found = Tab(context.new_page())
    yield found
    context.close()
    assert found.complaints == []
