"""Fixtures that several files of tests share: the databases of shared studies."""

import pytest

from servers import find_programs, postgres_server


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
