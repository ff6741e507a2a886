"""Columns that may be named in ``drop`` though they are gone: a format or long form left them out.

Step in the line: **files** -> Dataset.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from smalldata.datasets.assembling import several
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable


def without_dropped(options: TableOptions, tables: Mapping[str, RawTable]) -> TableOptions:
    """Return the options without those entries of ``drop`` that reading itself dropped."""
    left = {name for table in tables.values() for name in table.names}
    gone = {
        name
        for table in tables.values()
        for entry in table.dropped
        if entry.what == "columns"
        for name in entry.names
    }

    def is_gone(entry: str) -> bool:
        return not any_is(entry, left) and any_is(entry, gone)

    drop = [entry for entry in several(options.drop) if not is_gone(entry)]
    return replace(options, drop=drop) if len(drop) < len(several(options.drop)) else options


def any_is(entry: str, names: Iterable[str]) -> bool:
    """Whether an entry of ``drop``, a name or a pattern, is one of these."""
    names = set(names)
    return entry in names or any(fnmatchcase(name, entry) for name in names)
