"""Says all that stands in the way of a table, not only what was met first.

Step in the line: **files** -> Dataset. A refusal that an option gets over hides what comes after
it; so the table is tried again with that option, and what is refused then is told with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from smalldata.datasets.assembling import several
from smalldata.datasets.commands import command
from smalldata.datasets.options import TableOptions
from smalldata.errors import ConfigError, DataError

N_MOST = 4
"""Obstacles that are told together."""


def gathered(
    error: DataError, attempt: Callable[[TableOptions], object], options: TableOptions
) -> DataError:
    """Add to a refusal what would be refused after it.

    Parameters
    ----------
    error : DataError
        What was met first.
    attempt : callable
        Makes the dataset with other options.
    options : TableOptions

    Returns
    -------
    DataError
        The same where it is all, or nothing is known to get over it.
    """
    told, settings = [str(error)], dict[str, Any]()
    met: DataError | ConfigError = error
    while isinstance(met, DataError) and met.settings and len(told) < N_MOST:
        settings |= _added(met.settings, settings, options)
        try:
            attempt(replace(options, **settings))
        except (DataError, ConfigError) as further:
            if str(further) in told:
                break
            told.append(str(further))
            met = further
        else:
            met = DataError("")
    if len(told) == 1:
        return error
    if not str(met):
        told.append(f"All at once: {' '.join(_typed(settings))}")
    return DataError(" Then ".join(told[:-1]) + (" " if not str(met) else " Then ") + told[-1])


def _added(
    more: Mapping[str, Any], settings: Mapping[str, Any], options: TableOptions
) -> dict[str, Any]:
    """Give the settings to add; markers of missing values add to those that there are."""
    if "missing" not in more:
        return dict(more)
    before = several(settings.get("missing", options.missing))
    return {**more, "missing": [*before, *more["missing"]]}


def _typed(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as they are typed."""
    return [
        f"dataset.{key}={str(value).lower()}" if isinstance(value, bool) else command(key, value)
        for key, value in settings.items()
    ]
