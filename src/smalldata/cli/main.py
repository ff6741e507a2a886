"""The command line's entry point: from the words of a command to its exit status.

The result (the table, the paths) goes to stdout, progress and messages to stderr. Each verb is a
file of this package with a function ``run_verb``, imported when needed.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from smalldata.cli.screen import DONE, INTERRUPTED, complain, stderr_console
from smalldata.errors import ConfigError

VERBS = ("run", "compare", "explain", "summary", "look", "doctor", "datasets", "models")

NARROWEST = 20
"""Columns a table needs; a smaller COLUMNS is not a real screen width and would lose it."""


def main(arguments: Sequence[str]) -> int:
    """Run a verb; every error becomes one sentence on stderr.

    SMALLDATA_DEBUG=1 in the environment adds the traceback.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    int
        Exit status: 0 done, 1 a fold failed, 2 wrong input, 70 a bug in the program or a machine
        out of memory, 130 interrupted.
    """
    verb = arguments[0] if arguments and arguments[0] in VERBS else "run"
    rest = list(arguments[1:] if arguments and arguments[0] in VERBS else arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's Ctrl-C
    try:
        _make_printable(arguments)
        status: int = import_module(f"smalldata.cli.{verb}").run_verb(rest)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        stderr_console().print(
            "interrupted; every finished fold is kept, and the same command continues from there",
            markup=False,
        )
        return INTERRUPTED
    except BrokenPipeError:  # `… | head` has seen enough
        sys.stderr.close()
        return DONE
    except Exception as error:
        return complain(error)


def _make_printable(arguments: Sequence[str]) -> None:
    """Make stdout replace characters that the terminal's encoding lacks, rather than fail.

    Raises
    ------
    ConfigError
        If an argument is not text: a record cannot store a file name that is not UTF-8.
    """
    for argument in arguments:
        shown = argument.encode("utf-8", "backslashreplace").decode()
        if shown != argument:
            raise ConfigError(
                f"arguments and file names must be UTF-8 text; {shown} is not. Rename the file."
            )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < NARROWEST:
        del os.environ["COLUMNS"]
