"""Fixtures that several files of tests share, and which tests ``--quick`` leaves out."""

from pathlib import Path

import pytest

from memory import forget
from servers import find_programs, postgres_server

LONG = ("test_architectures.py",)
"""Files that ``--quick`` does not read; in the others it leaves out the tests marked slow."""


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out the long and the slow tests")


def pytest_configure(config):
    folder = Path(__file__).parent
    if absent := [name for name in LONG if not (folder / name).exists()]:
        raise pytest.UsageError(f"LONG in conftest.py names {absent}, which do not exist")
    if config.getoption("quick"):
        config.option.markexpr = "not slow"


def pytest_ignore_collect(collection_path, config):
    if config.getoption("quick") and collection_path.name in LONG:
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
