"""Errors a user can cause and fix; messages say what must hold, what came instead and what to do.

SmalldataError
├── ConfigError     a setting, a name on the command line, a yaml file      exit status 2
├── DataError       a table, a column, a value                              exit status 2
├── SplitError      folds that cannot be made or do not belong together     exit status 2
├── RecordError     a file below outputs/ that is missing, foreign or torn  exit status 2
├── FitError        a model that cannot be fitted on one fold               recorded in the fold
├── ExplanationError  a model that cannot be rebuilt or explained exactly   exit status 2
└── InternalError   a bug in the program, or a machine out of memory        exit status 70
"""

import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any


class SmalldataError(Exception):
    """Base of every error whose message is for the user and is shown without a traceback."""


class ConfigError(SmalldataError):
    """A setting is unknown, has the wrong type or asks for something that does not exist."""


class DataError(SmalldataError):
    """A table cannot be read as a dataset, or a dataset does not make a task.

    Attributes
    ----------
    settings : mapping
        Keys of ``dataset`` that get over it, where there are some: the first way that the message
        offers.
    """

    def __init__(self, message: str, *, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.settings = settings or {}


class SplitError(SmalldataError):
    """Folds cannot be made on this task, or records do not share one set of folds."""


class RecordError(SmalldataError):
    """A stored result is missing, of another version, or not what it claims to be."""


class FitError(SmalldataError):
    """A learner cannot be fitted on the rows it was given; the fold is recorded as failed."""


class ExplanationError(SmalldataError):
    """A stored model could not be reproduced, or its Shapley values do not add up."""


class InternalError(SmalldataError):
    """Something failed that no setting of the user explains."""


def did_you_mean(
    name: str,
    known: Iterable[str],
    otherwise: str = "",
    *,
    cutoff: float = 0.6,
    show: Callable[[str], str] = str,
) -> str:
    """End a sentence: with the nearest of the known names, or with ``otherwise`` if none is near.

    Case and surrounding spaces are ignored, and a part of a name is near it.

    Examples
    --------
    >>> did_you_mean("Xgbost", ["knn", "xgboost"])
    'did you mean xgboost?'
    >>> did_you_mean("zebra", ["knn", "xgboost"], "known: knn, xgboost.")
    'known: knn, xgboost.'
    """
    lowered: dict[str, str] = {}
    for entry in known:
        lowered.setdefault(entry.lower().strip(), entry)
    wanted = name.lower().strip()
    near = get_close_matches(wanted, lowered, n=3, cutoff=cutoff)
    if not near and len(wanted) > 2:
        near = [entry for entry in lowered if wanted in entry][:3]
    return (
        f"did you mean {' or '.join(show(lowered[entry]) for entry in near)}?"
        if near
        else otherwise
    )


def describe_unexpected(error: BaseException) -> str:
    """Describe an unexpected error in one sentence.

    Examples
    --------
    >>> describe_unexpected(KeyError("age"))[:42]
    "an unexpected KeyError stopped this: 'age'"
    """
    detail = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return (
        f"an unexpected {type(error).__name__} stopped this{detail and ': '}{detail}. Finished "
        "work is kept. Run it again with SMALLDATA_DEBUG=1 to see where, and report that."
    )


def wants_traceback() -> bool:
    """Return whether SMALLDATA_DEBUG=1 asks for tracebacks in addition to the messages."""
    return os.environ.get("SMALLDATA_DEBUG") == "1"
