"""Files whole or not at all, and folders under a lock; knows bytes and names, not what they mean.

A file is written beside its place, synced and renamed over it, so that a kill leaves the old file
or the new one. Locks are the operating system's: a killed process holds none. Used by `records`.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from smalldata.errors import RecordError

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_WINDOWS = os.name == "nt"
_SCRATCH = "smalldata-"
_SCRATCH_AGE_SECONDS = 60.0
"""A younger scratch folder is left alone: its process may be about to lock it."""


def safe_name(text: str, *, n_characters: int = 80) -> str:
    """Turn any text into a folder name that every system takes; two texts never share one.

    A text that is such a name already is returned as it is; else six characters of its SHA-256
    keep it apart from others.

    Examples
    --------
    >>> safe_name("rep5x5")
    'rep5x5'
    >>> safe_name("a/b: c").startswith("a-b-c-")
    True
    """
    name = re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-. ")
    if name and name == text and len(text) <= n_characters and not _RESERVED.fullmatch(name):
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{name[: n_characters - 7].replace('.', '-') or 'x'}-{digest}"


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all, and its folder where it is missing.

    Raises
    ------
    RecordError
        If the disk is full or the folder cannot be written; no part of the file is left.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = _system_path(path.with_name(f".{path.name}.{os.getpid()}.tmp"))
    try:
        _system_path(path.parent).mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _rename(temporary, _system_path(path))
        _sync_folder(path.parent)
    except BaseException as error:  # Ctrl-C too
        with suppress(OSError):  # the folder may be gone or read-only; the first error is told
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(path, error) from error
        raise


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file; after one that a kill has torn it begins on its own.

    It survives the end of the process. It is not forced to the disk, which takes longer than many
    a trial: until `sync_file` a power cut may take the last lines.

    Raises
    ------
    RecordError
        If the disk is full or the folder cannot be written.
    """
    place = _system_path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line + b"\n")
    except OSError as error:
        raise storage_error(path, error) from error


def sync_file(path: Path) -> None:
    """Force what was appended to a file to the disk.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    try:
        with _system_path(path).open("ab") as file:  # Windows syncs only what is open for writing
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises
    ------
    RecordError
        If it is missing or cannot be read.
    """
    try:
        return _system_path(path).read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path} is missing.") from None
    except OSError as error:
        raise storage_error(path, error) from error


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    try:
        _system_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def set_aside(path: Path) -> None:
    """Rename a file that cannot be trusted to ``<name>.damaged``, over an earlier one."""
    try:
        if _system_path(path).exists():
            _rename(_system_path(path), _system_path(path.with_name(f"{path.name}.damaged")))
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def lock_folder(
    folder: Path, *, on_wait: Callable[[str], None] | None = None, litter: Sequence[str] = ()
) -> Iterator[None]:
    """Hold a folder for this process; another process waits for its turn.

    Parameters
    ----------
    folder : Path
        Made where it is missing. The lock is the file ``.lock`` in it.
    on_wait : callable, optional
        Told one sentence if another process holds the folder.
    litter : sequence of str
        Patterns below the folder of what a killed process may have left half written; removed.
        Only of files that are written under this very lock: another process may be writing others.

    Raises
    ------
    RecordError
        If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        _system_path(folder).mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(_system_path(folder / ".lock")))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if on_wait is not None:
                on_wait(f"another process works on {folder}; waiting until it has finished.")
            lock.acquire()
    except OSError as error:
        raise storage_error(folder, error) from error
    try:
        for pattern in litter:
            for leftover in _system_path(folder).glob(pattern):
                leftover.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder for this process, and remove those of processes that were killed."""
    from filelock import FileLock

    _remove_stale_scratch(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as name,
        FileLock(str(Path(name) / ".lock")),
    ):
        yield Path(name)


def _remove_stale_scratch(folder: Path) -> None:
    """Remove the user's own scratch folders whose lock nobody holds."""
    from filelock import FileLock

    for path in folder.glob(f"{_SCRATCH}*"):
        lock = path / ".lock"
        with suppress(OSError):  # no lock, one that is held, or the folder is gone: not ours to say
            if not _WINDOWS and path.lstat().st_uid != os.getuid():
                continue
            if time.time() - lock.lstat().st_mtime < _SCRATCH_AGE_SECONDS:
                continue
            with FileLock(str(lock), blocking=False):
                pass
            shutil.rmtree(path)


def storage_error(path: Path, error: OSError) -> RecordError:
    """Say in one sentence why a file could not be written or read."""
    if error.errno in _NO_ROOM:
        return RecordError(
            f"the disk must have room for {path}; it is full. Free some space or set outputs=DIR, "
            "and run the same command again: what is finished is kept."
        )
    if error.errno in _NO_RIGHT:
        return RecordError(
            f"the folder of {path} must be writable; it is not ({os.strerror(error.errno)}). "
            "Change its rights or set outputs=DIR."
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return RecordError(
            f"{path} must lie in a folder; a file is in the way. Remove it or set outputs=DIR."
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return RecordError(f"{path} could not be written or read: {reason}.")


def _system_path(path: Path) -> Path:
    r"""Path as the system wants it: on Windows names beyond 260 characters need a prefix."""
    if _WINDOWS and not str(path).startswith("\\\\?\\"):
        return Path("\\\\?\\" + str(Path(path).resolve()))
    return path


def _rename(source: Path, target: Path) -> None:
    """Rename over the target; Windows refuses for a moment while somebody has it open."""
    for attempt in range(20):
        try:
            os.replace(source, target)  # noqa: PTH105 (kept visible: the instant of commitment)
        except PermissionError:
            if not _WINDOWS or attempt == 19:
                raise
            time.sleep(0.05)
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; Windows has no such call."""
    if _WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
