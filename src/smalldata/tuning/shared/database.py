"""The database of shared studies: opens and checks it, and keeps its password out of messages.

SQLite for several processes on one machine, PostgreSQL for several machines. Every transaction
starts with the lock it will need, so that what it has read is still true when it writes. Used by
`study`.
"""

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from smalldata.errors import ConfigError, FitError

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_HIDDEN = "***"
# Up to the last @, since a password may contain one; also if the scheme is missing.
_PASSWORD = r"(?P<before>(?:://|^)[^:/@?]*):(?!//)(?P<password>.*)@"
_ADVICE = "Use sqlite:///FILE on one machine or postgresql://USER@HOST/NAME for several."
_CONNECT_SECONDS = 10
_LOCK_SECONDS = 60
_TRIES = 5

# A process that is suspended inside a transaction keeps its locks, so the server ends it.
# Times are in UTC; otherwise daylight saving would age every heartbeat by an hour.
_POSTGRES_OPTIONS = (
    f"-c timezone=UTC -c idle_in_transaction_session_timeout={_LOCK_SECONDS * 1000} "
    "-c default_transaction_isolation=read\\ committed"
)


def redact_url(url: str) -> str:
    """Return a database's URL with ``***`` in place of its password.

    Examples
    --------
    >>> redact_url("postgresql://ann:secret@db.lab/studies?sslpassword=other")
    'postgresql://ann:***@db.lab/studies?sslpassword=***'
    """
    url = re.sub(_PASSWORD, rf"\g<before>:{_HIDDEN}@", url)
    return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", rf"\1{_HIDDEN}", url, flags=re.IGNORECASE)


def redact(text: str, url: str) -> str:
    """Return text without the passwords of a database's URL."""
    text = text.replace(url, redact_url(url))
    for secret in _secrets(url):
        text = text.replace(secret, _HIDDEN)
    return text


def absolute_url(url: str) -> str:
    """Return the URL independent of the working folder; only that of a file changes.

    Raises
    ------
    ConfigError
        If it is not the URL of a SQLite file or a PostgreSQL database.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite" or str(parsed.database).startswith("file:"):
        return url
    path = Path(parsed.database).absolute()
    return str(parsed.set(database=str(path)).render_as_string(hide_password=False))


def open_storage(url: str, *, heartbeat_seconds: int = 20, grace_seconds: int = 60) -> "RDBStorage":
    """Open the database of shared studies, and create its tables if it is empty.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``.
    heartbeat_seconds : int
        A worker sends a heartbeat for its trial this often.
    grace_seconds : int
        A trial without a heartbeat for this long can be taken by another worker.

    Returns
    -------
    optuna.storages.RDBStorage

    Raises
    ------
    ConfigError
        If it is not such a URL, its driver is not installed, the server does not answer, or the
        database cannot be written, is of another version of Optuna or contains something else.
    """
    parsed = _parse(url)
    with _sentences(url):
        _check_content(parsed, url)
        for attempt in range(_TRIES):
            try:
                return _connect(parsed, heartbeat_seconds, grace_seconds)
            except Exception as error:  # two workers may create the tables at once
                if attempt == _TRIES - 1 or not _is_passing(error):
                    raise
                time.sleep(0.1 * (attempt + 1))
    raise AssertionError


@contextmanager
def storage_in_use(url: str) -> Iterator[None]:
    """Turn database errors during use into a FitError with one sentence.

    Raises
    ------
    FitError
        If the connection was lost or the database can no longer be written.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise FitError(
            f"the storage {redact_url(url)} must stay reachable; it answered: "
            f"{_first_line(error, url)}. Run the same command again; no finished trial is lost."
        ) from None


# ---------------------------------------------------------------- inside


def _parse(url: str) -> Any:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    shown = redact_url(url)
    if url.startswith("postgres://"):
        raise ConfigError(f"a PostgreSQL storage must begin with postgresql://; got {shown}.")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"a storage must be a URL; got {shown!r}. {_ADVICE}") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(f"a storage must be SQLite or PostgreSQL; got {shown}. {_ADVICE}")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(f"a storage must be on disk; {shown} names no file. Use sqlite:///FILE.")
    if kind == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _secrets(url: str) -> list[str]:
    """Return the passwords of a URL, quoted and unquoted, longest first."""
    found = [match["password"] for match in re.finditer(_PASSWORD, url)]
    found += re.findall(r"[?&][^=&]*pass[^=&]*=([^&]*)", url, flags=re.IGNORECASE)
    return sorted({s for text in found for s in (text, unquote(text)) if s}, key=len, reverse=True)


def _engine_options(parsed: Any) -> dict[str, Any]:
    from sqlalchemy.pool import NullPool

    # One connection per transaction: trials are longer than that, so nothing stays open during one,
    # and a server restart in between is not an error.
    if parsed.get_backend_name() == "sqlite":
        return {"poolclass": NullPool, "connect_args": {"timeout": _LOCK_SECONDS}}
    return {
        "poolclass": NullPool,
        "connect_args": {
            "connect_timeout": _CONNECT_SECONDS,
            "options": _POSTGRES_OPTIONS,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
    }


def _check_content(parsed: Any, url: str) -> None:
    """Refuse a database with other content, before a table is added to it."""
    from optuna.storages._rdb import models
    from sqlalchemy import create_engine, inspect

    if parsed.get_backend_name() == "sqlite" and not str(parsed.database).startswith("file:"):
        folder = Path(parsed.database).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"the folder of {redact_url(url)} must exist; there is no {folder}.")
    with create_engine(parsed, **_engine_options(parsed)).connect() as connection:
        found = set(inspect(connection).get_table_names())
    if found and not found & set(models.BaseModel.metadata.tables):
        raise ConfigError(
            f"the storage {redact_url(url)} must be empty or a database of Optuna; it has the "
            f"tables {', '.join(sorted(found)[:3])}. Name another database."
        )


def _connect(parsed: Any, heartbeat_seconds: int, grace_seconds: int) -> "RDBStorage":
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy import event, text

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = RDBStorage(
            # Optuna formats the URL to fill in {SCHEMA_VERSION}, so our braces are doubled.
            _braced(parsed.render_as_string(hide_password=False)),
            engine_kwargs=_engine_options(parsed),
            heartbeat_interval=heartbeat_seconds,
            grace_period=grace_seconds,
        )
    if storage.engine.dialect.name == "sqlite":
        # Optuna reads and then writes in one transaction; SQLite has no SELECT FOR UPDATE, so two
        # processes could both find a trial free.
        event.listen(storage.engine, "connect", _leave_transactions)
        event.listen(storage.engine, "begin", _begin_immediately)
    with storage.engine.begin() as connection:  # fails if it is read-only
        connection.execute(text("UPDATE version_info SET schema_version = schema_version"))
    return storage


def _braced(url: str) -> str:
    return url.replace("{", "{{").replace("}", "}}")


def _leave_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _begin_immediately(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _is_passing(error: Exception) -> bool:
    """Return whether another worker creating the same tables may be the cause."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    text = str(error).lower()
    return isinstance(error, AssertionError | StorageInternalError) or (
        isinstance(error, DBAPIError)
        and any(word in text for word in ("already exists", "duplicate", "unique", "locked"))
    )


@contextmanager
def _sentences(url: str) -> Iterator[None]:
    """Turn errors on opening a database into a ConfigError with one sentence."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    shown = redact_url(url)
    try:
        yield
    except (ImportError, NoSuchModuleError):
        raise ConfigError(
            f"the storage {shown} needs the package psycopg, which is not installed; "
            "install smalldata[postgres]."
        ) from None
    except RuntimeError as error:
        raise ConfigError(
            f"the storage {shown} must be a database of this version of Optuna; "
            f"{_first_line(error, url)}"
        ) from None
    except (SQLAlchemyError, StorageInternalError) as error:
        said = _first_line(error, url)
        if any(words in said for words in ("readonly", "permission denied", "no schema")):
            raise ConfigError(
                f"the storage {shown} must be writable; it answered: {said}."
            ) from None
        if "not a database" in said or "no such" in said or "does not exist" in said:
            raise ConfigError(
                f"the storage {shown} must be a database; it answered: {said}. {_ADVICE}"
            ) from None
        raise ConfigError(
            f"the storage {shown} must be reachable; it answered: {said}. "
            "Check the address, and that the server is running."
        ) from None


def _first_line(error: BaseException, url: str) -> str:
    """Return the message of the database itself in one line, without passwords."""
    cause: BaseException = getattr(error, "orig", None) or error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    said = str(cause).partition("Is the server running")[0]  # our own advice follows
    line = " ".join(said.split()) or type(cause).__name__
    return redact(line if len(line) <= 240 else f"{line[:239]}…", url).rstrip(".")
