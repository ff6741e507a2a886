"""Atomic files and locked folders; knows bytes and names, not what they mean.

A file is written next to its place, synced and renamed over it, so that a kill leaves the old file
or the new one. Locks are the operating system's: a killed process holds none. Used by `store`.
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
    """Turn any text into a folder name that is valid on every system and unique to the text.

    Text that is already such a name is returned unchanged; otherwise six characters of its SHA-256
    make the name unique.

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
    """Write a file whole or not at all, and make its folder if it is missing.

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
        with suppress(OSError):  # the folder may be gone or read-only; report the first error
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise storage_error(path, error) from error
        raise


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file, on a new line even if a kill cut the last one short.

    The line survives the end of the process, but it is not forced to the disk, which takes longer
    than many a trial: until `sync_file`, a power cut may lose the last lines.

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
    """Force the lines appended to a file to the disk.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    try:
        with _system_path(path).open("ab") as file:  # Windows only syncs files open for writing
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
    """Remove a file if it exists."""
    try:
        _system_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def set_aside(path: Path) -> None:
    """Rename a file that cannot be trusted to ``<name>.damaged``, replacing an earlier one."""
    try:
        if _system_path(path).exists():
            _rename(_system_path(path), _system_path(path.with_name(f"{path.name}.damaged")))
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def lock_folder(
    folder: Path, *, on_wait: Callable[[str], None] | None = None, litter: Sequence[str] = ()
) -> Iterator[None]:
    """Lock a folder for this process; others wait their turn.

    Parameters
    ----------
    folder : Path
        Made if it is missing. The lock is the file ``.lock`` in it.
    on_wait : callable, optional
        Called with one sentence if another process holds the lock.
    litter : sequence of str
        Patterns, below the folder, of half-written files of killed processes, which are removed.
        They must be written only under this lock: another process may be writing others.

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
                on_wait(f"another process is working on {folder}; waiting until it has finished.")
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
    """Make a temporary folder for this process, and remove those that killed processes left."""
    from filelock import FileLock

    _remove_stale_scratch(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH, ignore_cleanup_errors=True) as name,
        FileLock(str(Path(name) / ".lock")),
    ):
        yield Path(name)


def _remove_stale_scratch(folder: Path) -> None:
    """Remove the user's own scratch folders that no process has locked."""
    from filelock import FileLock

    for path in folder.glob(f"{_SCRATCH}*"):
        lock = path / ".lock"
        with suppress(OSError):  # no lock, a held one, or no folder: not ours to remove
            if not _WINDOWS and path.lstat().st_uid != os.getuid():
                continue
            if time.time() - lock.lstat().st_mtime < _SCRATCH_AGE_SECONDS:
                continue
            with FileLock(str(lock), blocking=False):
                pass
            shutil.rmtree(path)


def storage_error(path: Path, error: OSError) -> RecordError:
    """Explain in one sentence why a file could not be written or read."""
    if error.errno in _NO_ROOM:
        return RecordError(
            f"the disk must have room for {path}; it is full. Free some space or set outputs=DIR, "
            "and run the same command again: finished work is kept."
        )
    if error.errno in _NO_RIGHT:
        return RecordError(
            f"the folder of {path} must be writable; it is not ({os.strerror(error.errno)}). "
            "Change its permissions or set outputs=DIR."
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return RecordError(
            f"{path} must be in a folder; a file is in the way. Remove it or set outputs=DIR."
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return RecordError(f"{path} could not be written or read: {reason}.")


def _system_path(path: Path) -> Path:
    r"""Return the path for the system: on Windows, long paths need a prefix."""
    if _WINDOWS and not str(path).startswith("\\\\?\\"):
        return Path("\\\\?\\" + str(Path(path).resolve()))
    return path


def _rename(source: Path, target: Path) -> None:
    """Rename over the target; Windows refuses while a process has it open, so try again."""
    for attempt in range(20):
        try:
            os.replace(source, target)  # noqa: PTH105 (the moment of commitment stays visible)
        except PermissionError:
            if not _WINDOWS or attempt == 19:
                raise
            time.sleep(0.05)
        else:
            return


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut; Windows has no such call."""
    if _WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
