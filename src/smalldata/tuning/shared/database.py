"""The database of shared studies: opened, checked and spoken of without its password.

SQLite for several processes of one machine, PostgreSQL for several machines. Every transaction
begins with the lock it will need, so that what is read in it still holds when it writes. Used by
`sharing`.
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
# Up to the last @, since a careless password may hold one too; also where the scheme is missing.
_PASSWORD = r"(?P<before>(?:://|^)[^:/@?]*):(?!//)(?P<password>.*)@"
_ADVICE = "Use sqlite:///FILE on one machine or postgresql://USER@HOST/NAME for several."
_CONNECT_SECONDS = 10
_LOCK_SECONDS = 60
_TRIES = 5

# A process that is stopped inside a transaction holds its locks: the server ends the transaction.
# Times are kept in UTC, or the change of the clocks would age every heartbeat by an hour.
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
    """Return a text without the passwords of a database's URL."""
    text = text.replace(url, redact_url(url))
    for secret in _secrets(url):
        text = text.replace(secret, _HIDDEN)
    return text


def absolute_url(url: str) -> str:
    """Return the URL as another folder would have to say it; only a file's is changed.

    Raises
    ------
    ConfigError
        If it is no URL of a SQLite file or a PostgreSQL database.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite" or str(parsed.database).startswith("file:"):
        return url
    path = Path(parsed.database).absolute()
    return str(parsed.set(database=str(path)).render_as_string(hide_password=False))


def open_storage(url: str, *, heartbeat_seconds: int = 20, grace_seconds: int = 60) -> "RDBStorage":
    """Open the database of shared studies, and lay out its tables where it is empty.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``.
    heartbeat_seconds : int
        A worker says so often that its trial is alive.
    grace_seconds : int
        A trial that was not heard of for so long is another worker's to take.

    Returns
    -------
    optuna.storages.RDBStorage

    Raises
    ------
    ConfigError
        If it is no such URL, its driver is not installed, the server does not answer, or the
        database cannot be written, is of another version of Optuna or holds something else.
    """
    parsed = _parse(url)
    with _sentences(url):
        _check_content(parsed, url)
        for attempt in range(_TRIES):
            try:
                return _connect(parsed, heartbeat_seconds, grace_seconds)
            except Exception as error:  # two workers lay out an empty database at once
                if attempt == _TRIES - 1 or not _is_passing(error):
                    raise
                time.sleep(0.1 * (attempt + 1))
    raise AssertionError


@contextmanager
def storage_in_use(url: str) -> Iterator[None]:
    """Turn what a database raises while it is used into a FitError of one sentence.

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
            f"the storage {redact_url(url)} must stay within reach; it answered: "
            f"{_first_line(error, url)}. Run the same command again; no finished trial is lost."
        ) from None


# ---------------------------------------------------------------- inside


def _parse(url: str) -> Any:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    shown = redact_url(url)
    if url.startswith("postgres://"):
        raise ConfigError(f"a storage of PostgreSQL begins with postgresql://; got {shown}.")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"a storage must be a URL; got {shown!r}. {_ADVICE}") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(f"a storage must be of SQLite or PostgreSQL; got {shown}. {_ADVICE}")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigError(
            f"a storage must be kept on disk; {shown} names no file. Use sqlite:///FILE."
        )
    if kind == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _secrets(url: str) -> list[str]:
    """Return the passwords of a URL, as they stand there and as they are meant, longest first."""
    found = [match["password"] for match in re.finditer(_PASSWORD, url)]
    found += re.findall(r"[?&][^=&]*pass[^=&]*=([^&]*)", url, flags=re.IGNORECASE)
    return sorted({s for text in found for s in (text, unquote(text)) if s}, key=len, reverse=True)


def _engine_options(parsed: Any) -> dict[str, Any]:
    from sqlalchemy.pool import NullPool

    # A connection for each transaction: a trial takes longer than that, nothing is kept open over
    # it, and a server that was started anew meanwhile is no error.
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
    """Refuse a database that holds something else, before a table is added to it."""
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
            f"the storage {redact_url(url)} must be empty or a database of Optuna; it holds the "
            f"tables {', '.join(sorted(found)[:3])}. Name another database."
        )


def _connect(parsed: Any, heartbeat_seconds: int, grace_seconds: int) -> "RDBStorage":
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy import event, text

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = RDBStorage(
            # Optuna fills {SCHEMA_VERSION} into the URL as a format: braces of ours are doubled.
            _braced(parsed.render_as_string(hide_password=False)),
            engine_kwargs=_engine_options(parsed),
            heartbeat_interval=heartbeat_seconds,
            grace_period=grace_seconds,
        )
    if storage.engine.dialect.name == "sqlite":
        # Optuna reads and then writes in one transaction; SQLite knows no SELECT FOR UPDATE, so
        # that two processes would both find a trial free.
        event.listen(storage.engine, "connect", _leave_transactions)
        event.listen(storage.engine, "begin", _begin_immediately)
    with storage.engine.begin() as connection:  # whether it can be written
        connection.execute(text("UPDATE version_info SET schema_version = schema_version"))
    return storage


def _braced(url: str) -> str:
    return url.replace("{", "{{").replace("}", "}}")


def _leave_transactions(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _begin_immediately(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _is_passing(error: Exception) -> bool:
    """Whether another worker that lays out the same tables may be the cause."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    text = str(error).lower()
    return isinstance(error, AssertionError | StorageInternalError) or (
        isinstance(error, DBAPIError)
        and any(word in text for word in ("already exists", "duplicate", "unique", "locked"))
    )


@contextmanager
def _sentences(url: str) -> Iterator[None]:
    """Turn what opening a database raises into a ConfigError of one sentence."""
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
                f"the storage {shown} must be one that can be written; it answered: {said}."
            ) from None
        if "not a database" in said or "no such" in said or "does not exist" in said:
            raise ConfigError(
                f"the storage {shown} must be a database; it answered: {said}. {_ADVICE}"
            ) from None
        raise ConfigError(
            f"the storage {shown} must be within reach; it answered: {said}. "
            "Check the address, and that the server runs."
        ) from None


def _first_line(error: BaseException, url: str) -> str:
    """Return what the database itself said, without passwords and in one line."""
    cause: BaseException = getattr(error, "orig", None) or error.__cause__ or error
    cause = getattr(cause, "orig", None) or cause
    said = str(cause).partition("Is the server running")[0]  # what to do is said after it
    line = " ".join(said.split()) or type(cause).__name__
    return redact(line if len(line) <= 240 else f"{line[:239]}…", url).rstrip(".")
