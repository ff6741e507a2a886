"""Messages of the command line on stderr, and the exit statuses."""

import traceback
from functools import cache
from pathlib import Path

from rich.console import Console

from smalldata.errors import (
    InternalError,
    SmalldataError,
    describe_unexpected,
    wants_traceback,
)
from smalldata.run.progress import Reporter
from smalldata.runtime.console import open_console
from smalldata.runtime.files import storage_error
from smalldata.runtime.memory import is_out_of_memory

DONE, FAILED, WRONG_INPUT, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130
"""Exit status."""


@cache
def reporter() -> Reporter:
    """Return the reporter (progress and log) of this process."""
    return Reporter()


def stderr_console() -> Console:
    """Return a stderr console for single sentences."""
    return open_console(stderr=True, soft_wrap=True)


def as_sentence(error: Exception) -> SmalldataError:
    """Turn any error into one of ours."""
    if isinstance(error, SmalldataError):
        return error
    if isinstance(error, OSError):
        return storage_error(Path(error.filename or "the result on stdout"), error)
    if is_out_of_memory(error):
        return InternalError(
            "this ran out of memory. Use fewer features or a smaller n_jobs, and run the same "
            "command again: finished work is kept."
        )
    return InternalError(describe_unexpected(error))


def complain(error: Exception) -> int:
    """Print an error on stderr and return the exit status."""
    if wants_traceback():
        traceback.print_exception(error)
    sentence = as_sentence(error)
    stderr_console().print(f"{type(sentence).__name__}: {sentence}", style="red", markup=False)
    return INTERNAL if isinstance(sentence, InternalError) else WRONG_INPUT
