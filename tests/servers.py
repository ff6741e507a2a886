"""A private PostgreSQL server for tests, on a socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PASSWORD = "s3cr:t@/%"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    folder : Path
        Of its socket.
    programs : Path
    """

    folder: Path
    programs: Path

    def url(self, name: str = "postgres") -> str:
        """Of a database, with the password."""
        return f"postgresql://postgres:{quote(PASSWORD, safe='')}@/{name}?host={self.folder}"

    def create(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def sql(self, command: str, name: str = "postgres") -> None:
        """Run a command as the owner of the server."""
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(command)

    def control(self, *what: str) -> None:
        """Run pg_ctl."""
        _run([self.programs / "pg_ctl", "-D", self.folder / "data", "-w", "-s", *what])


def find_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``, or None where there is no server."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    return None


@contextmanager
def postgres_server(programs: Path) -> Iterator[Server]:
    """Make a cluster, start it, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="smalldata-pg-"))
    (folder / "password").write_text(PASSWORD)
    if os.name == "posix" and os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, *_owner())
        shutil.chown(folder / "password", *_owner())
    server = Server(folder, programs)
    try:
        options = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
        named = ["--username=postgres", "--encoding=UTF8", "--locale=C", "-D", folder / "data"]
        _run([programs / "initdb", *options, *named])
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = ''\nunix_socket_directories = '{folder}'\nfsync = off\n"
            )
        server.control("-l", str(folder / "log"), "start")
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> tuple[str, str]:
    import pwd

    names = {entry.pw_name: entry.pw_gid for entry in pwd.getpwall()}
    name = "postgres" if "postgres" in names else "nobody"
    import grp

    return name, grp.getgrgid(names[name]).gr_name


def _run(command: list[object]) -> None:
    who = {}
    if os.name == "posix" and os.geteuid() == 0:
        user, group = _owner()
        who = {"user": user, "group": group, "extra_groups": []}
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        check=False,
        **who,
    )
    assert done.returncode == 0, done.stderr
