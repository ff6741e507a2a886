"""``python -m smalldata``: prints help and version itself, passes the rest to `smalldata.cli`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    _open_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except BrokenPipeError:  # `--help | head` reads only the first lines
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:  # during imports
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:  # `cli` catches what happens further down
        return _complain(error)


def _dispatch(arguments: Sequence[str]) -> int:
    if "-h" in arguments or "--help" in arguments:
        from smalldata.cli.help import help_text

        sys.stdout.write(help_text())
        sys.stdout.flush()
        return 0
    if "--version" in arguments:
        from importlib.metadata import version

        sys.stdout.write(f"smalldata {version('smalldata')}\n")
        return 0
    from smalldata.cli.main import main as run_command

    return run_command(arguments)


def _complain(error: Exception) -> int:
    """Print why the command line could not start, using only the standard library."""
    from smalldata.errors import SmalldataError, describe_unexpected, wants_traceback

    if wants_traceback():
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SmalldataError):
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    sys.stderr.write(f"InternalError: {describe_unexpected(error)}\n")
    return 70


def _open_closed_streams() -> None:
    """Give a program started with closed streams (``2>&-``) somewhere to write.

    Otherwise the next file it opens gets their number, and worker processes die for lack of them.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (stays open)
            if stream.fileno() == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)


if __name__ == "__main__":
    sys.exit(main())
