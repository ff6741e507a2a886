"""Fixtures that several files of tests share: a new process, databases of shared studies."""

import pytest

from memory import forget
from servers import find_programs, postgres_server


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
